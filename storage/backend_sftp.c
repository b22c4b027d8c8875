/* Repository files on an SFTP account: opening and the table of calls; see backend_sftp.h. */

#include "storage/backend_sftp_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/path.h"
#include "base/random.h"
#include "base/text.h"

#define CONNECTIONS 4u
#define PATIENCE_MS (15u * 60 * 1000)

static void
store_free(struct sp_backend *b)
{
    struct sp_sftp_store *s = (struct sp_sftp_store *)b;

    sp_sftp_probe_end(s);
    sp_sftp_pool_end(s);
    sp_sftp_folders_free(s);
    sp_cond_destroy(&s->probe_changed);
    sp_cond_destroy(&s->pool.changed);
    sp_mutex_destroy(&s->pool.lock);
    sp_mutex_destroy(&s->lock);
    sp_mutex_destroy(&s->naming);
    sp_mutex_destroy(&s->barrier);
    if (s->o.release != NULL)
        s->o.release(s->o.arg);
    free((char *)s->o.path);
    free((char *)s->o.address);
    free(s->root);
    free(s);
}

static enum sp_code may_write(struct sp_backend *b, struct sp_err *e);

static const struct sp_backend_ops sftp_ops = {.kind = "sftp",
    .begin = sp_sftp_begin,
    .write = sp_sftp_write,
    .publish = sp_sftp_publish,
    .abort = sp_sftp_abort,
    .sync = sp_sftp_sync,
    .get = sp_sftp_get,
    .size = sp_sftp_size,
    .list = sp_sftp_list_one,
    .remove = sp_sftp_remove,
    .move = sp_sftp_move,
    .space = sp_sftp_space,
    .written = sp_sftp_written,
    .now = sp_sftp_now,
    .sweep = sp_sftp_sweep,
    .fetch_start = sp_sftp_fetch_start,
    .fetch_finish = sp_sftp_fetch_finish,
    .list_all = sp_sftp_list_all,
    .may_write = may_write,
    .free = store_free};

/* --- a repository that is there -------------------------------------------------------------- */

struct finding {
    char *conf, *tmp;
    struct sp_sftp_request path, at_conf, at_tmp, write;
};

/* One round. repository.conf is opened for writing, and nothing written: the only question about
 * the right to write that leaves no trace. A server that says yes lets this login change files; who
 * hears a no and wants to write has the probe find out, which makes a file. */
static enum sp_code
find_over(struct sp_sftp_store *s, struct sp_sftp_conn *c, void *arg, struct sp_err *e)
{
    struct finding *f = arg;
    struct sp_sftp_request q[4] = {{.type = SP_SFTP_REALPATH, .path = s->o.path},
        {.type = SP_SFTP_LSTAT, .path = f->conf}, {.type = SP_SFTP_LSTAT, .path = f->tmp},
        {.type = SP_SFTP_OPEN, .path = f->conf, .flags = SP_SFTP_F_READ | SP_SFTP_F_WRITE}};
    enum sp_code rc;

    sp_sftp_call_all(c, q, 4);
    if (q[3].error.code == SP_OK)
        sp_sftp_forget_handle(s, c, q[3].handle, q[3].handle_len);
    free(f->path.resolved);
    f->path = q[0];
    f->at_conf = q[1];
    f->at_tmp = q[2];
    f->write = q[3];
    rc = sp_sftp_conn_state(c, e);
    return rc;
}

/* The path as the server understands it, from now on. */
static enum sp_code
take_root(struct sp_sftp_store *s, struct sp_sftp_request *realpath, struct sp_err *e)
{
    if (realpath->error.code != SP_OK) {
        *e = realpath->error;
        return e->code;
    }
    if (realpath->resolved[0] == '\0')
        return sp_fail(
            e, SP_PROTOCOL, SP_DOM_STORE, "%s leads %s nowhere", s->o.address, s->o.path);
    free(s->root);
    s->root = realpath->resolved;
    realpath->resolved = NULL;
    s->settled = true;
    return SP_OK;
}

static enum sp_code
find_root(struct sp_sftp_store *s, struct sp_err *e)
{
    struct finding f = {.conf = NULL};
    const struct sp_sftp_request *conf = &f.at_conf;
    enum sp_code rc;

    if ((rc = sp_sftp_path(s, SP_FOLDER_CONF, &f.conf, e)) != SP_OK ||
        (rc = sp_sftp_path(s, SP_FOLDER_TMP, &f.tmp, e)) != SP_OK ||
        (rc = sp_sftp_ask(s, find_over, &f, e)) != SP_OK)
        goto out;
    /* R20: never taken for an empty repository. */
    if (conf->error.code == SP_ABSENT || f.path.error.code == SP_ABSENT ||
        (conf->error.code == SP_OK && conf->attrs.has_mode &&
            (conf->attrs.mode & 0170000u) != 0100000u)) {
        rc = sp_fail(e, SP_ABSENT, SP_DOM_STORE,
            "there is no repository in %s on %s (no file %s); if this folder is where a volume "
            "belongs, that may not be mounted",
            s->o.path, s->o.address, SP_FOLDER_CONF);
        goto out;
    }
    if (conf->error.code != SP_OK) {
        *e = conf->error;
        rc = e->code;
        goto out;
    }
    if ((rc = take_root(s, &f.path, e)) != SP_OK)
        goto out;
    s->tmp_there = f.at_tmp.error.code == SP_OK;
    s->doubted = f.write.error.code != SP_OK;
out:
    free(f.path.resolved);
    free(f.conf);
    free(f.tmp);
    return rc;
}

/* A no to the question of find_root: of a login that may only read, or of an append-only account.
 */
static enum sp_code
may_write(struct sp_backend *b, struct sp_err *e)
{
    struct sp_sftp_store *s = (struct sp_sftp_store *)b;
    struct sp_err why = {0};

    if (!s->doubted)
        return SP_OK;
    /* Whatever else the probe says, a writer hears when it writes. */
    (void)sp_sftp_probe_wait(s, SP_SFTP_PROBED, &why);
    if (why.code == SP_CANCELLED) {
        *e = why;
        return SP_CANCELLED;
    }
    s->head.caps.writable = why.code != SP_DENIED;
    return SP_OK;
}

enum sp_code
sp_sftp_need_tmp(struct sp_sftp_store *s, struct sp_err *e)
{
    char name[] = SP_FOLDER_TMP "/x";
    bool there;
    enum sp_code rc;

    sp_mutex_lock(&s->lock);
    there = s->tmp_there;
    sp_mutex_unlock(&s->lock);
    /* Someone tidied it away — or the whole volume is gone, and then nothing is made here. */
    if (there || (rc = sp_sftp_present(s, e)) != SP_OK)
        return there ? SP_OK : rc;
    rc = sp_sftp_make_folders(s, name, e);
    sp_mutex_lock(&s->lock);
    s->tmp_there = rc == SP_OK;
    if (rc == SP_DENIED) {
        s->gaps.read_only = true;
        s->probe_error = *e;
        s->head.caps = (struct sp_backend_caps){.space = s->head.caps.space};
    }
    sp_mutex_unlock(&s->lock);
    return rc;
}

/* --- a new one ------------------------------------------------------------------------------- */

static enum sp_code
stat_over(struct sp_sftp_store *s, struct sp_sftp_conn *c, void *arg, struct sp_err *e)
{
    struct sp_sftp_request *q = arg;

    (void)s;
    return sp_sftp_conn_call(c, q, e);
}

/* Makes the folder and those above it that are missing. MKDIR's failure has no reason: it is looked
 * what is there (through links, which are the account's owner's own). */
static enum sp_code
make_path(struct sp_sftp_store *s, char *path, struct sp_err *e)
{
    struct sp_sftp_request q = {.type = SP_SFTP_STAT, .path = path};
    char *slash = strrchr(path, '/');
    enum sp_code rc = sp_sftp_ask(s, stat_over, &q, e);

    if (rc == SP_OK && (!q.attrs.has_mode || (q.attrs.mode & 0170000u) == 0040000u))
        return SP_OK;
    if (rc == SP_OK)
        return sp_fail(e, SP_EXISTS, SP_DOM_STORE, "%s on %s is not a folder", path, s->o.address);
    if (rc != SP_ABSENT)
        return rc;
    if (slash != NULL && slash != path) {
        *slash = '\0';
        rc = make_path(s, path, e);
        *slash = '/';
        if (rc != SP_OK)
            return rc;
    }
    q = (struct sp_sftp_request){.type = SP_SFTP_MKDIR, .path = path, .mode = 0700};
    if ((rc = sp_sftp_ask(s, stat_over, &q, e)) == SP_OK)
        return SP_OK;
    /* Somebody else made it, or we did and the answer was lost. */
    q = (struct sp_sftp_request){.type = SP_SFTP_STAT, .path = path};
    if (rc == SP_IO || rc == SP_DENIED) {
        struct sp_err ignored;

        if (sp_sftp_ask(s, stat_over, &q, &ignored) == SP_OK)
            return SP_OK;
    }
    sp_err_context(e, "%s", s->o.address);
    return rc == SP_ABSENT ? (e->code = SP_IO) : rc;
}

static enum sp_code
note_found(void *arg, const struct sp_sftp_entry *at, struct sp_err *e)
{
    (void)e;
    sp_found_note(arg, at->name);
    return SP_OK;
}

static enum sp_code
check_empty(struct sp_sftp_store *s, struct sp_err *e)
{
    struct sp_found f = {.begun = false};
    struct sp_buf where = SP_BUF_INIT;
    enum sp_code rc = sp_sftp_read_folder(s, s->root, note_found, &f, e);

    if (rc != SP_OK)
        return rc;
    sp_buf_printf(&where, "%s on %s", s->root, s->o.address);
    rc = sp_found_judge(&f, sp_buf_str(&where), e);
    sp_buf_free(&where);
    return rc;
}

static enum sp_code
make_tmp(struct sp_sftp_store *s, struct sp_err *e)
{
    char name[] = SP_FOLDER_TMP "/x";
    enum sp_code rc = sp_sftp_make_folders(s, name, e);

    if (rc == SP_OK)
        s->tmp_there = true;
    return rc;
}

/* The root's own name, and those above it: its owner may have made them by hand a moment ago.
 * Another's folders cannot all be opened, and were not flushed by anyone before. */
static void
flush_above(struct sp_sftp_store *s)
{
    char *path = strdup(s->root), *slash;
    struct sp_err ignored;

    while (path != NULL && (slash = strrchr(path, '/')) != NULL && slash != path) {
        *slash = '\0';
        if (sp_sftp_flush_folder(s, path, &ignored) != SP_OK)
            break;
    }
    free(path);
}

static enum sp_code
make_root(struct sp_sftp_store *s, struct sp_err *e)
{
    struct sp_sftp_request q = {.type = SP_SFTP_REALPATH};
    char *path = strdup(s->o.path);
    enum sp_code rc;

    if (path == NULL)
        return sp_fail_nomem(e);
    if ((rc = make_path(s, path, e)) != SP_OK)
        goto out;
    q.path = s->o.path;
    if ((rc = sp_sftp_ask(s, stat_over, &q, e)) != SP_OK || (rc = take_root(s, &q, e)) != SP_OK)
        goto out;
    s->settled = false; /* until there is something to see */
    if ((rc = check_empty(s, e)) != SP_OK || (rc = make_tmp(s, e)) != SP_OK)
        goto out;
    s->settled = true;
    if ((rc = sp_sftp_probe_wait(s, SP_SFTP_PROBED, e)) == SP_OK && s->flushes_folders)
        flush_above(s);
out:
    free(q.resolved);
    free(path);
    return rc;
}

/* --- opening --------------------------------------------------------------------------------- */

static enum sp_code
copy_options(struct sp_sftp_store *s, const struct sp_sftp_backend_options *o, struct sp_err *e)
{
    size_t n = strlen(o->path);
    char *path;

    s->o = *o;
    s->o.release = NULL; /* the caller's, until we have it all */
    while (n > 1 && o->path[n - 1] == '/')
        n--;
    path = n > 0 ? sp_text_copy(o->path, n) : strdup(".");
    s->o.path = path;
    s->o.address = strdup(o->address);
    s->root = path != NULL ? strdup(path) : NULL;
    if (s->o.connections == 0)
        s->o.connections = CONNECTIONS;
    if (s->o.patience_ms == 0)
        s->o.patience_ms = PATIENCE_MS;
    return s->o.address != NULL && s->root != NULL ? SP_OK : sp_fail_nomem(e);
}

/* What the handshake alone tells; the probe knows better. */
static void
first_caps(struct sp_sftp_store *s)
{
    struct sp_backend_caps *caps = &s->head.caps;
    struct sp_sftp_session *session;
    struct sp_sftp_lane *lane = sp_sftp_lane_living(s);

    *caps = (struct sp_backend_caps){.exclusive = true, .writable = true, .remove = true};
    if (lane == NULL)
        return;
    sp_sftp_conn_lock(lane->c);
    session = sp_sftp_conn_session(lane->c);
    caps->flush_file = sp_sftp_offers(session, SP_SFTP_FSYNC);
    caps->space = sp_sftp_offers(session, SP_SFTP_STATVFS);
    sp_sftp_conn_unlock(lane->c);
    sp_sftp_lane_put(s, lane, false);
}

enum sp_code
sp_backend_sftp_open(const struct sp_env *env, const struct sp_sftp_backend_options *o, bool create,
    struct sp_backend **ret, struct sp_err *e)
{
    struct sp_sftp_store *s = calloc(1, sizeof(*s));
    enum sp_code rc;

    if (s == NULL)
        return sp_fail_nomem(e);
    s->head.ops = &sftp_ops;
    s->head.ahead = SP_SFTP_AHEAD;
    s->env = *env;
    sp_mutex_init(&s->lock);
    sp_mutex_init(&s->naming);
    sp_mutex_init(&s->barrier);
    sp_mutex_init(&s->pool.lock);
    sp_cond_init(&s->pool.changed);
    sp_cond_init(&s->probe_changed);
    if ((rc = copy_options(s, o, e)) != SP_OK ||
        (rc = sp_random_fill(env->random, s->head.run, sizeof(s->head.run), e)) != SP_OK ||
        (rc = sp_sftp_pool_begin(s, e)) != SP_OK)
        goto out;
    first_caps(s);
    if ((rc = create ? make_root(s, e) : find_root(s, e)) != SP_OK)
        goto out;
    s->o.release = o->release;
    *ret = &s->head;
    s = NULL;
out:
    if (s != NULL)
        store_free(&s->head);
    return rc;
}
