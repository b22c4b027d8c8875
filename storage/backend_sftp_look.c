/* What lies on the server: sizes, absence, room; see backend_sftp_impl.h.
 *
 * SFTP has few answers: "no such file" is said of a file, of its folder and of a whole volume that
 * is not mounted, and "failure" of nearly everything else. What was meant is found out by looking.
 */

#include "storage/backend_sftp_impl.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/path.h"
#include "base/text.h"

#define MODE_TYPE 0170000u
#define MODE_FILE 0100000u
#define MODE_FOLDER 0040000u

enum sp_code
sp_sftp_path(const struct sp_sftp_store *s, const char *name, char **ret, struct sp_err *e)
{
    bool slash = s->root[strlen(s->root) - 1] == '/'; /* a chroot's "/" */
    struct sp_buf path = SP_BUF_INIT;
    uint8_t *bytes;
    size_t n;
    enum sp_code rc;

    sp_buf_printf(&path, "%s%s%s", s->root, slash || name[0] == '\0' ? "" : "/", name);
    sp_buf_put_u8(&path, 0);
    if ((rc = sp_buf_take(&path, &bytes, &n, e)) == SP_OK)
        *ret = (char *)bytes;
    sp_buf_free(&path);
    return rc;
}

/* --- looking --------------------------------------------------------------------------------- */

struct look {
    const char *const *paths;
    size_t n;
    struct sp_sftp_seen *seen;
};

static enum sp_sftp_kind
kind_of(const struct sp_sftp_attrs *a)
{
    if (!a->has_mode)
        return SP_SFTP_FILE; /* a server that tells no modes; what is no file will not be read */
    if ((a->mode & MODE_TYPE) == MODE_FILE)
        return SP_SFTP_FILE;
    return (a->mode & MODE_TYPE) == MODE_FOLDER ? SP_SFTP_FOLDER : SP_SFTP_ODD;
}

static enum sp_code
look(struct sp_sftp_store *s, struct sp_sftp_conn *c, void *arg, struct sp_err *e)
{
    struct look *l = arg;
    struct sp_sftp_request *q = calloc(l->n, sizeof(*q));
    enum sp_code rc = SP_OK;

    (void)s;
    if (q == NULL)
        return sp_fail_nomem(e);
    for (size_t i = 0; i < l->n; i++) {
        q[i].type = SP_SFTP_LSTAT;
        q[i].path = l->paths[i];
    }
    sp_sftp_call_all(c, q, l->n);
    for (size_t i = 0; i < l->n; i++) {
        const struct sp_sftp_attrs *a = &q[i].attrs;

        l->seen[i] = (struct sp_sftp_seen){.kind = SP_SFTP_NOTHING};
        if (q[i].error.code == SP_OK) {
            l->seen[i] = (struct sp_sftp_seen){kind_of(a), a->has_size ? a->size : 0,
                a->has_times ? (int64_t)a->mtime * SP_SECOND : 0};
        } else if (q[i].error.code != SP_ABSENT && rc == SP_OK) {
            *e = q[i].error;
            rc = e->code;
        }
    }
    free(q);
    return rc;
}

enum sp_code
sp_sftp_look(struct sp_sftp_store *s, const char *const *paths, size_t n, struct sp_sftp_seen *ret,
    struct sp_err *e)
{
    struct look l = {paths, n, ret};

    return sp_sftp_ask(s, look, &l, e);
}

static enum sp_code
look_name(struct sp_sftp_store *s, const char *name, struct sp_sftp_seen *ret, struct sp_err *e)
{
    char *path;
    enum sp_code rc = sp_sftp_path(s, name, &path, e);

    if (rc != SP_OK)
        return rc;
    rc = sp_sftp_look(s, (const char *const[]){path}, 1, ret, e);
    free(path);
    return rc;
}

enum sp_code
sp_sftp_present(struct sp_sftp_store *s, struct sp_err *e)
{
    struct sp_sftp_seen seen[2];
    char *tmp = NULL, *conf = NULL;
    enum sp_code rc;

    if ((rc = sp_sftp_path(s, SP_FOLDER_TMP, &tmp, e)) != SP_OK ||
        (rc = sp_sftp_path(s, SP_FOLDER_CONF, &conf, e)) != SP_OK)
        goto out;
    if ((rc = sp_sftp_look(s, (const char *const[]){tmp, conf}, 2, seen, e)) != SP_OK)
        goto out;
    /* A repository on a read-only medium may have come without its tmp/. */
    if (seen[0].kind == SP_SFTP_NOTHING && seen[1].kind == SP_SFTP_NOTHING)
        rc = sp_fail(e, SP_UNREACHABLE, SP_DOM_STORE,
            "there is no repository in %s on %s any more; is its volume still mounted?", s->root,
            s->o.address);
out:
    free(tmp);
    free(conf);
    return rc;
}

enum sp_code
sp_sftp_absent(struct sp_sftp_store *s, const char *name, struct sp_err *e)
{
    enum sp_code rc = sp_sftp_present(s, e);

    if (rc != SP_OK)
        return rc;
    return sp_fail(e, SP_ABSENT, SP_DOM_STORE, "there is no object %s in %s on %s", name, s->root,
        s->o.address);
}

/* Whether a part of the name before the last one is a file: nothing lies below it. */
static bool
below_a_file(struct sp_sftp_store *s, const char *name)
{
    char *part = strdup(name), *slash;
    struct sp_sftp_seen seen;
    struct sp_err ignored;
    bool is = false;

    while (part != NULL && !is && (slash = strrchr(part, '/')) != NULL) {
        *slash = '\0';
        is = look_name(s, part, &seen, &ignored) == SP_OK && seen.kind == SP_SFTP_FILE;
    }
    free(part);
    return is;
}

bool
sp_sftp_no_folder(struct sp_sftp_store *s, const char *name)
{
    struct sp_sftp_seen seen;
    struct sp_err ignored;

    if (name[0] == '\0')
        return false;
    if (look_name(s, name, &seen, &ignored) == SP_OK)
        return seen.kind == SP_SFTP_FILE;
    return below_a_file(s, name);
}

enum sp_code
sp_sftp_settle(struct sp_sftp_store *s, const char *name, enum sp_code rc, struct sp_err *e)
{
    struct sp_sftp_seen seen = {.kind = SP_SFTP_FILE};
    struct sp_err why = {0};
    enum sp_code look_rc;

    if (rc == SP_ABSENT)
        return sp_sftp_absent(s, name, e);
    /* Opening a folder is refused with one word or the other, and reading one as well. */
    if (rc != SP_IO && rc != SP_DENIED)
        return rc;
    if ((look_rc = look_name(s, name, &seen, &why)) == SP_UNREACHABLE || look_rc == SP_CANCELLED) {
        *e = why;
        return look_rc;
    }
    if (look_rc == SP_OK && (seen.kind == SP_SFTP_NOTHING || seen.kind == SP_SFTP_FOLDER))
        return sp_sftp_absent(s, name, e);
    if (look_rc != SP_OK && below_a_file(s, name))
        return sp_sftp_absent(s, name, e);
    return rc;
}

enum sp_code
sp_sftp_size(struct sp_backend *b, const char *name, uint64_t *ret, struct sp_err *e)
{
    struct sp_sftp_store *s = (struct sp_sftp_store *)b;
    struct sp_sftp_seen seen;
    enum sp_code rc = look_name(s, name, &seen, e);

    if (rc == SP_IO && below_a_file(s, name))
        return sp_sftp_absent(s, name, e);
    if (rc != SP_OK)
        return rc;
    if (seen.kind == SP_SFTP_NOTHING || seen.kind == SP_SFTP_FOLDER)
        return sp_sftp_absent(s, name, e);
    if (seen.kind != SP_SFTP_FILE)
        return sp_fail(e, SP_REFUSED, SP_DOM_STORE, "%s in %s on %s is not a file", name, s->root,
            s->o.address);
    *ret = seen.size;
    return SP_OK;
}

/* --- room ------------------------------------------------------------------------------------ */

static enum sp_code
ask_space(struct sp_sftp_store *s, struct sp_sftp_conn *c, void *arg, struct sp_err *e)
{
    struct sp_sftp_request q = {.type = SP_SFTP_STATVFS, .path = s->root};
    struct sp_os_space *ret = arg;

    if (sp_sftp_conn_call(c, &q, e) != SP_OK)
        return q.error.code;
    *ret = (struct sp_os_space){q.space.free_bytes, q.space.total_bytes};
    return SP_OK;
}

enum sp_code
sp_sftp_space(struct sp_backend *b, struct sp_os_space *ret, struct sp_err *e)
{
    struct sp_sftp_store *s = (struct sp_sftp_store *)b;
    enum sp_code rc = sp_sftp_ask(s, ask_space, ret, e);

    if (rc == SP_UNSUPPORTED || rc == SP_DENIED) /* OpenSSH's word for what -P takes away */
        return sp_fail(e, SP_UNSUPPORTED, SP_DOM_STORE,
            "%s does not tell how much room there is (no statvfs@openssh.com)", s->o.address);
    return rc;
}

enum sp_code
sp_sftp_full(struct sp_sftp_store *s, uint64_t n, enum sp_code rc, struct sp_err *e)
{
    struct sp_os_space space;
    struct sp_err ignored;

    if (rc != SP_IO || sp_sftp_space(&s->head, &space, &ignored) != SP_OK || space.free_bytes >= n)
        return rc;
    return sp_fail(e, SP_FULL, SP_DOM_STORE, "there is no room left on %s: %s free in %s",
        s->o.address, sp_text_bytes(space.free_bytes).s, s->root);
}
