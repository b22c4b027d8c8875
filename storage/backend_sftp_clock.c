/* The server's clock, and the temporary files of others, over SFTP; see backend_sftp_impl.h. Times
 * of version 3 are whole seconds. */

#include "storage/backend_sftp_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"

#define FOLDER_MAX ((size_t)16 << 20) /* names of one folder: some hundred thousand */

enum sp_code
sp_sftp_temporary(struct sp_sftp_store *s, const char *kind, char **ret, struct sp_err *e)
{
    unsigned n = atomic_fetch_add(&s->number, 1);
    char name[128];

    (void)snprintf(
        name, sizeof(name), "%s/%s%s-%u", SP_FOLDER_TMP, kind, sp_hex16(s->head.run).s, n);
    return sp_sftp_path(s, name, ret, e);
}

/* Only names that sp_sftp_temporary makes. */
static bool
is_temporary(const char *name, uint8_t run[16])
{
    static const char *const kinds[] = {SP_SFTP_PROBE, SP_SFTP_NOW};
    char hex[33];

    for (size_t i = 0; i < 2; i++)
        if (strncmp(name, kinds[i], strlen(kinds[i])) == 0) {
            name += strlen(kinds[i]);
            break;
        }
    if (strlen(name) < 34 || name[32] != '-' || name[33 + strspn(name + 33, "0123456789")] != '\0')
        return false;
    memcpy(hex, name, 32);
    hex[32] = '\0';
    return sp_hex_parse(hex, run, 16);
}

/* --- one folder ------------------------------------------------------------------------------ */

struct reading {
    const char *path;
    struct sp_buf found; /* u8 file, u64 time, the name with its NUL */
};
struct asking {
    struct sp_sftp_request q; /* first: `name` is called with it */
    struct sp_buf *found;
};

static bool
gather(struct sp_sftp_request *q, const char *name, const struct sp_sftp_attrs *a)
{
    struct sp_buf *found = ((struct asking *)q)->found;

    sp_buf_put_u8(found, !a->has_mode || (a->mode & 0170000u) == 0100000u);
    sp_buf_put_u64(found, a->has_times ? (uint64_t)a->mtime : 0);
    sp_buf_put(found, name, strlen(name) + 1);
    return found->len < FOLDER_MAX;
}

static enum sp_code
read_over(struct sp_sftp_store *s, struct sp_sftp_conn *c, void *arg, struct sp_err *e)
{
    struct reading *r = arg;
    struct sp_sftp_request open = {.type = SP_SFTP_OPENDIR, .path = r->path};
    struct asking ask = {.found = &r->found};
    enum sp_code rc;

    (void)s;
    sp_buf_reset(&r->found);
    if ((rc = sp_sftp_conn_call(c, &open, e)) != SP_OK)
        return rc == SP_ABSENT ? SP_OK : rc;
    do {
        ask.q = (struct sp_sftp_request){
            .type = SP_SFTP_READDIR, .handle_len = open.handle_len, .name = gather};
        memcpy(ask.q.handle, open.handle, open.handle_len);
        rc = sp_sftp_conn_call(c, &ask.q, e);
    } while (rc == SP_OK && ask.q.got > 0 && r->found.len < FOLDER_MAX);
    sp_sftp_forget_handle(s, c, open.handle, open.handle_len);
    return rc;
}

enum sp_code
sp_sftp_read_folder(struct sp_sftp_store *s, const char *path,
    enum sp_code (*each)(void *arg, const struct sp_sftp_entry *at, struct sp_err *e), void *arg,
    struct sp_err *e)
{
    struct reading r = {path, SP_BUF_INIT};
    enum sp_code rc = sp_sftp_ask(s, read_over, &r, e);
    struct sp_cur c;

    if (rc == SP_OK)
        rc = sp_buf_ok(&r.found, e);
    c = sp_cur_of(r.found.data, r.found.len);
    while (rc == SP_OK && sp_cur_left(&c) > 9) {
        struct sp_sftp_entry at;

        at.file = sp_cur_u8(&c) != 0;
        at.mtime_ns = (int64_t)sp_cur_u64(&c) * SP_SECOND;
        at.name = (const char *)c.p;
        (void)sp_cur_bytes(&c, strlen(at.name) + 1);
        if (strcmp(at.name, ".") != 0 && strcmp(at.name, "..") != 0)
            rc = each(arg, &at, e);
    }
    sp_buf_free(&r.found);
    return rc;
}

/* --- times ----------------------------------------------------------------------------------- */

enum sp_code
sp_sftp_written(struct sp_backend *b, const char *name, int64_t *ret_ns, struct sp_err *e)
{
    struct sp_sftp_store *s = (struct sp_sftp_store *)b;
    struct sp_sftp_seen seen;
    char *path;
    enum sp_code rc = sp_sftp_path(s, name, &path, e);

    if (rc != SP_OK)
        return rc;
    rc = sp_sftp_look(s, (const char *const[]){path}, 1, &seen, e);
    free(path);
    if (rc != SP_OK)
        return sp_sftp_settle(s, name, rc, e);
    if (seen.kind != SP_SFTP_FILE)
        return sp_sftp_absent(s, name, e);
    if (seen.mtime_ns == 0)
        return sp_fail(
            e, SP_UNSUPPORTED, SP_DOM_STORE, "%s does not tell the times of files", s->o.address);
    *ret_ns = seen.mtime_ns;
    return SP_OK;
}

struct telling {
    char *path;
    int64_t now_ns;
};

/* A file is made for it, and its time asked for in the same round, by its name: what belongs to one
 * file is done in the order of asking (draft-ietf-secsh-filexfer-02 §6). Of a server that does it
 * otherwise, or tells no time by the name, by the handle. */
static enum sp_code
tell_time(struct sp_sftp_store *s, struct sp_sftp_conn *c, void *arg, struct sp_err *e)
{
    struct telling *t = arg;
    struct sp_sftp_request q[2] = {
        {.type = SP_SFTP_OPEN,
            .mode = 0600,
            .flags = SP_SFTP_F_WRITE | SP_SFTP_F_CREATE | SP_SFTP_F_EXCL},
        {.type = SP_SFTP_LSTAT}};
    struct sp_sftp_request *open = &q[0], *stat = &q[1];
    enum sp_code rc;

    free(t->path);
    t->path = NULL;
    if ((rc = sp_sftp_temporary(s, SP_SFTP_NOW, &t->path, e)) != SP_OK)
        return rc;
    open->path = stat->path = t->path;
    sp_sftp_call_all(c, q, 2);
    if ((rc = open->error.code) != SP_OK) {
        *e = open->error;
        return rc;
    }
    if (stat->error.code != SP_OK || !stat->attrs.has_times) {
        *stat = (struct sp_sftp_request){.type = SP_SFTP_FSTAT, .handle_len = open->handle_len};
        memcpy(stat->handle, open->handle, open->handle_len);
        rc = sp_sftp_conn_call(c, stat, e);
    }
    sp_sftp_forget_handle(s, c, open->handle, open->handle_len);
    if (rc == SP_OK && !stat->attrs.has_times)
        rc = sp_fail(
            e, SP_UNSUPPORTED, SP_DOM_STORE, "%s does not tell the times of files", s->o.address);
    if (rc == SP_OK)
        t->now_ns = (int64_t)stat->attrs.mtime * SP_SECOND;
    return rc;
}

enum sp_code
sp_sftp_now(struct sp_backend *b, int64_t *ret_ns, struct sp_err *e)
{
    struct sp_sftp_store *s = (struct sp_sftp_store *)b;
    struct telling t = {NULL, 0};
    enum sp_code rc;

    if ((rc = sp_sftp_check_writable(s, e)) != SP_OK || (rc = sp_sftp_need_tmp(s, e)) != SP_OK)
        return rc;
    rc = sp_sftp_ask(s, tell_time, &t, e);
    if (t.path != NULL)
        sp_sftp_drop(s, t.path);
    free(t.path);
    if (rc == SP_ABSENT) /* said of objects only */
        rc = e->code = SP_IO;
    if (rc != SP_OK)
        return sp_sftp_full(s, 1 << 16, rc, e);
    *ret_ns = t.now_ns;
    return SP_OK;
}

/* --- the files of the dead ------------------------------------------------------------------- */

struct sweep {
    struct sp_sftp_store *s;
    sp_backend_dead_fn dead;
    void *arg;
    struct sp_err first; /* of those that resisted */
};

static enum sp_code
remove_over(struct sp_sftp_store *s, struct sp_sftp_conn *c, void *arg, struct sp_err *e)
{
    struct sp_sftp_request q = {.type = SP_SFTP_REMOVE, .path = arg};

    (void)s;
    return sp_sftp_conn_call(c, &q, e);
}

static enum sp_code
sweep_one(void *arg, const struct sp_sftp_entry *at, struct sp_err *e)
{
    struct sweep *w = arg;
    uint8_t run[16];
    char name[128], *path;
    struct sp_err why = {0};
    enum sp_code rc;

    /* One whose time the server does not tell is not taken for one of 1970. */
    if (!at->file || at->mtime_ns == 0 || !is_temporary(at->name, run) ||
        !w->dead(w->arg, run, at->mtime_ns))
        return SP_OK;
    if (snprintf(name, sizeof(name), "%s/%s", SP_FOLDER_TMP, at->name) >= (int)sizeof(name))
        return SP_OK;
    if ((rc = sp_sftp_path(w->s, name, &path, e)) == SP_OK) {
        /* The others are tried nevertheless. */
        if (sp_sftp_ask(w->s, remove_over, path, &why) != SP_OK && why.code != SP_ABSENT &&
            w->first.code == SP_OK)
            w->first = why;
        free(path);
    }
    return rc;
}

enum sp_code
sp_sftp_sweep(struct sp_backend *b, sp_backend_dead_fn dead, void *arg, struct sp_err *e)
{
    struct sp_sftp_store *s = (struct sp_sftp_store *)b;
    struct sweep w = {.s = s, .dead = dead, .arg = arg};
    char *tmp;
    enum sp_code rc;

    if ((rc = sp_sftp_check_writable(s, e)) != SP_OK)
        return rc;
    if (!sp_sftp_removes(s))
        return SP_OK;
    if ((rc = sp_sftp_path(s, SP_FOLDER_TMP, &tmp, e)) != SP_OK)
        return rc;
    rc = sp_sftp_read_folder(s, tmp, sweep_one, &w, e);
    free(tmp);
    if (rc == SP_OK && (rc = w.first.code) != SP_OK)
        *e = w.first;
    return rc;
}
