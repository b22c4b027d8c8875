/* The folders of the repository on the server: which are there, which got names, and the barrier.
 *
 * SFTP has no request that flushes a folder. OpenSSH's server flushes whatever a handle of OPEN is
 * of, and OPEN of a folder for reading works where its system lets a folder be opened (Linux, the
 * BSDs): the probe finds out by doing. Where it does not, caps.flush_folder is false, and a barrier
 * means no more than that the server has said yes to all that came before.
 *
 * What was listed is relied on, and who named it may have been killed before its barrier: the next
 * barrier flushes each folder that has changed of late, by the server's own clock, too. */

#include "storage/backend_sftp_impl.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"

#define SETTLED_NS (3600 * SP_SECOND) /* by then every file system has written it by itself */
#define LOOKED_AT 256u                /* folders in one round */
#define AT_ONCE 32u                   /* open at once: a server has few handles */

/* The place of the folder's record, or where it would be inserted. The lock is held. */
static size_t
position(const struct sp_sftp_store *s, const char *path, size_t n, bool *ret_there)
{
    size_t lo = 0, hi = s->nfolders;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        const char *other = s->folders[mid].path;
        int order = strncmp(other, path, n);

        if (order == 0 && other[n] == '\0') {
            *ret_there = true;
            return mid;
        }
        if (order < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    *ret_there = false;
    return lo;
}

/* The record of the folder path[0..n); NULL: no memory. The lock is held. */
static struct sp_sftp_folder *
record(struct sp_sftp_store *s, const char *path, size_t n)
{
    bool there;
    size_t at = position(s, path, n, &there);
    char *copy;

    if (there)
        return &s->folders[at];
    if (s->nfolders == s->folders_cap) {
        size_t cap = s->folders_cap == 0 ? 64 : s->folders_cap * 2;
        struct sp_sftp_folder *more = realloc(s->folders, cap * sizeof(*more));

        if (more == NULL)
            return NULL;
        s->folders = more;
        s->folders_cap = cap;
    }
    if ((copy = malloc(n + 1)) == NULL)
        return NULL;
    memcpy(copy, path, n);
    copy[n] = '\0';
    memmove(s->folders + at + 1, s->folders + at, (s->nfolders - at) * sizeof(*s->folders));
    s->folders[at] = (struct sp_sftp_folder){.path = copy};
    s->nfolders++;
    return &s->folders[at];
}

/* How much of the name is its folder's. */
static size_t
above(const char *name, size_t n)
{
    while (n > 0 && name[n - 1] != '/')
        n--;
    return n > 0 ? n - 1 : 0;
}

bool
sp_sftp_folder_known(struct sp_sftp_store *s, const char *name)
{
    size_t n = above(name, strlen(name)), at;
    bool there;

    sp_mutex_lock(&s->lock);
    at = position(s, name, n, &there);
    there = n == 0 || (there && s->folders[at].there);
    sp_mutex_unlock(&s->lock);
    return there;
}

static enum sp_code
changed(struct sp_sftp_store *s, const char *name, bool given, struct sp_err *e)
{
    size_t n = above(name, strlen(name));
    struct sp_sftp_folder *f;

    sp_mutex_lock(&s->lock);
    if ((f = record(s, name, n)) != NULL) {
        f->there = f->named = true;
        f->given = f->given || given;
    }
    sp_mutex_unlock(&s->lock);
    return f != NULL ? SP_OK : sp_fail_nomem(e);
}

enum sp_code
sp_sftp_folder_named(struct sp_sftp_store *s, const char *name, struct sp_err *e)
{
    return changed(s, name, false, e);
}

enum sp_code
sp_sftp_folder_given(struct sp_sftp_store *s, const char *name, struct sp_err *e)
{
    return changed(s, name, true, e);
}

enum sp_code
sp_sftp_folder_listed(struct sp_sftp_store *s, const char *name, struct sp_err *e)
{
    size_t n = above(name, strlen(name));
    struct sp_sftp_folder *f;

    sp_mutex_lock(&s->lock);
    if ((f = record(s, name, n)) != NULL)
        f->there = f->listed = true;
    sp_mutex_unlock(&s->lock);
    return f != NULL ? SP_OK : sp_fail_nomem(e);
}

void
sp_sftp_folders_free(struct sp_sftp_store *s)
{
    for (size_t i = 0; i < s->nfolders; i++)
        free(s->folders[i].path);
    free(s->folders);
}

/* --- making ---------------------------------------------------------------------------------- */

static enum sp_code
make(struct sp_sftp_store *s, struct sp_sftp_conn *c, void *arg, struct sp_err *e)
{
    struct sp_sftp_request q = {.type = SP_SFTP_MKDIR, .path = arg, .mode = 0700};

    (void)s;
    return sp_sftp_conn_call(c, &q, e);
}

/* MKDIR's failure has no reason: of a folder that is there it is none. (An answer that was lost is
 * settled by the same look.) SP_ABSENT: the one above is missing. */
static enum sp_code
make_one(struct sp_sftp_store *s, char *folder, struct sp_err *e)
{
    struct sp_sftp_seen seen;
    struct sp_err why = {0};
    char *path;
    enum sp_code rc = sp_sftp_path(s, folder, &path, e);

    if (rc != SP_OK)
        return rc;
    rc = sp_sftp_ask(s, make, path, &why);
    if (rc == SP_IO || rc == SP_DENIED) {
        const char *const paths[] = {path};
        struct sp_err ignored;

        if (sp_sftp_look(s, paths, 1, &seen, &ignored) == SP_OK && seen.kind == SP_SFTP_FOLDER)
            rc = SP_OK;
    }
    free(path);
    if (rc != SP_OK) {
        *e = why;
        sp_err_context(e, "%s", s->o.address);
    }
    return rc;
}

/* The deepest first: the ones above it are there nearly always. */
static enum sp_code
make_chain(struct sp_sftp_store *s, char *folder, struct sp_err *e)
{
    char *slash = strrchr(folder, '/');
    enum sp_code rc = make_one(s, folder, e);

    if (rc == SP_ABSENT && slash != NULL) {
        *slash = '\0';
        rc = make_chain(s, folder, e);
        *slash = '/';
        if (rc == SP_OK)
            rc = make_one(s, folder, e);
    }
    if (rc == SP_ABSENT) /* said of objects only */
        return sp_fail(
            e, SP_IO, SP_DOM_STORE, "the folder %s on %s has gone", s->root, s->o.address);
    /* Its own name is one, in the folder above. */
    return rc == SP_OK ? sp_sftp_folder_named(s, folder, e) : rc;
}

enum sp_code
sp_sftp_make_folders(struct sp_sftp_store *s, const char *name, struct sp_err *e)
{
    char *folder = strdup(name), *slash;
    enum sp_code rc = SP_OK;

    if (folder == NULL)
        return sp_fail_nomem(e);
    if ((slash = strrchr(folder, '/')) != NULL) {
        *slash = '\0';
        rc = make_chain(s, folder, e);
    }
    free(folder);
    return rc;
}

void
sp_sftp_expect_folder(struct sp_sftp_store *s, struct sp_sftp_conn *c, const char *name)
{
    size_t n = above(name, strlen(name));
    char *folder, *path = NULL;
    struct sp_err ignored;

    if (above(name, n) == 0 || sp_sftp_folder_known(s, name) ||
        (folder = sp_text_copy(name, n)) == NULL)
        return;
    /* In the folder above it, it may be a new name: the next barrier is to cover that, too. */
    if (sp_sftp_folder_named(s, folder, &ignored) == SP_OK &&
        sp_sftp_path(s, folder, &path, &ignored) == SP_OK)
        sp_sftp_forget_path(s, c, SP_SFTP_MKDIR, path);
    free(path);
    free(folder);
}

/* --- the barrier ----------------------------------------------------------------------------- */

struct flush {
    char *paths[LOOKED_AT];
    bool named[LOOKED_AT]; /* not only listed */
    bool given[LOOKED_AT];
    size_t n;
};

struct part {
    char *const *paths;
    const bool *given; /* NULL: none */
    const bool *named; /* NULL: all */
    size_t n;
    const char *gone; /* what was given a name, and is not there */
};

static void
fail_flush(const struct sp_sftp_request *q, enum sp_code *rc, struct sp_err *e)
{
    if (q->error.code != SP_OK && *rc == SP_OK) {
        *e = q->error;
        *rc = e->code;
    }
}

/* The answer of LSTAT: what was named in it was long ago, or it has gone. One without a time may be
 * of any age. */
static bool
settled_long(const struct sp_sftp_store *s, const struct sp_sftp_request *q)
{
    int64_t mtime_ns =
        q->error.code == SP_OK && q->attrs.has_times ? (int64_t)q->attrs.mtime * SP_SECOND : 0;

    return q->error.code == SP_ABSENT || (mtime_ns != 0 && mtime_ns < s->probe_now_ns - SETTLED_NS);
}

/* OPEN, FSYNC, CLOSE of each, side by side. A folder that has gone needs no flush, unless something
 * was named in it: then that is lost, or its volume, unflushed. When the
 * connection is lost the flush is asked for again: unlike a file's lost page, which Linux tells of
 * once, a file system whose metadata could not be written says so from then on. */
static enum sp_code
flush_over(struct sp_sftp_store *s, struct sp_sftp_conn *c, void *arg, struct sp_err *e)
{
    struct sp_sftp_request *q = calloc(2 * AT_ONCE, sizeof(*q)),
                           *sync = calloc(AT_ONCE, sizeof(*q));
    struct part *part = arg;
    size_t n = 0, asked = part->n;
    enum sp_code rc = SP_OK;

    part->gone = NULL;
    if (q == NULL || sync == NULL) {
        rc = sp_fail_nomem(e);
        goto out;
    }
    for (size_t i = 0; i < part->n; i++) {
        q[i].type = SP_SFTP_OPEN;
        q[i].path = part->paths[i];
        q[i].flags = SP_SFTP_F_READ;
        if (part->named != NULL && !part->named[i]) /* its age, in the same round */
            q[asked++] = (struct sp_sftp_request){.type = SP_SFTP_LSTAT, .path = part->paths[i]};
    }
    sp_sftp_call_all(c, q, asked);
    asked = part->n;
    for (size_t i = 0; i < part->n; i++) {
        bool named = part->named == NULL || part->named[i];
        const struct sp_sftp_request *age = named ? NULL : &q[asked++];

        if (age != NULL && age->error.code != SP_OK && age->error.code != SP_ABSENT)
            fail_flush(age, &rc, e);
        if (age != NULL && settled_long(s, age)) {
            if (q[i].error.code == SP_OK)
                sp_sftp_forget_handle(s, c, q[i].handle, q[i].handle_len);
        } else if (q[i].error.code == SP_OK) {
            sync[n].type = SP_SFTP_FSYNC;
            memcpy(sync[n].handle, q[i].handle, q[i].handle_len);
            sync[n++].handle_len = q[i].handle_len;
        } else if (q[i].error.code != SP_ABSENT) {
            fail_flush(&q[i], &rc, e);
        } else if (part->given != NULL && part->given[i]) {
            part->gone = part->paths[i];
        }
    }
    if (n > 0)
        sp_sftp_call_all(c, sync, n);
    for (size_t i = 0; i < n; i++) {
        fail_flush(&sync[i], &rc, e);
        sp_sftp_forget_handle(s, c, sync[i].handle, sync[i].handle_len);
    }
out:
    free(q);
    free(sync);
    return rc;
}

/* Of folders that were only listed: those that have changed of late. Of few that is asked while
 * they are opened: a round less. */
static enum sp_code
keep_young(struct sp_sftp_store *s, struct flush *f, struct sp_err *e)
{
    struct sp_sftp_seen *seen;
    size_t kept = 0, listed = 0;
    enum sp_code rc;

    for (size_t i = 0; i < f->n; i++)
        listed += !f->named[i];
    if (listed == 0 || f->n <= AT_ONCE)
        return SP_OK;
    if ((seen = calloc(f->n, sizeof(*seen))) == NULL)
        return sp_fail_nomem(e);
    rc = sp_sftp_look(s, (const char *const *)f->paths, f->n, seen, e);
    for (size_t i = 0; rc == SP_OK && i < f->n; i++) {
        bool old = seen[i].mtime_ns != 0 && seen[i].mtime_ns < s->probe_now_ns - SETTLED_NS;

        if (!f->named[i] && (old || seen[i].kind == SP_SFTP_NOTHING)) {
            free(f->paths[i]);
            continue;
        }
        f->paths[kept] = f->paths[i];
        f->given[kept++] = f->given[i];
    }
    if (rc == SP_OK)
        f->n = kept;
    free(seen);
    return rc;
}

/* Takes the next folders whose flags are set, from *at on, and clears these. */
static enum sp_code
take_some(struct sp_sftp_store *s, size_t *at, struct flush *f, struct sp_err *e)
{
    enum sp_code rc = SP_OK;

    f->n = 0;
    sp_mutex_lock(&s->lock);
    for (; *at < s->nfolders && f->n < LOOKED_AT; (*at)++) {
        struct sp_sftp_folder *folder = &s->folders[*at];

        if (!folder->named && !folder->listed)
            continue;
        if ((rc = sp_sftp_path(s, folder->path, &f->paths[f->n], e)) != SP_OK)
            break;
        f->given[f->n] = folder->given;
        f->named[f->n++] = folder->named;
        folder->named = folder->given = folder->listed = false;
    }
    sp_mutex_unlock(&s->lock);
    return rc;
}

static enum sp_code
flush_some(struct sp_sftp_store *s, struct flush *f, struct sp_err *e)
{
    const bool *named = f->n <= AT_ONCE ? f->named : NULL;
    enum sp_code rc = keep_young(s, f, e);

    for (size_t i = 0; rc == SP_OK && i < f->n; i += AT_ONCE) {
        struct part part = {
            f->paths + i, f->given + i, named, f->n - i < AT_ONCE ? f->n - i : AT_ONCE, NULL};

        rc = sp_sftp_ask(s, flush_over, &part, e);
        if (rc == SP_OK && part.gone != NULL && (rc = sp_sftp_present(s, e)) == SP_OK)
            rc = sp_fail(e, SP_IO, SP_DOM_STORE,
                "the folder %s on %s has gone, with what was written into it", part.gone,
                s->o.address);
    }
    return rc;
}

enum sp_code
sp_sftp_flush_folder(struct sp_sftp_store *s, char *path, struct sp_err *e)
{
    struct part part = {&path, NULL, NULL, 1, NULL};

    return sp_sftp_ask(s, flush_over, &part, e);
}

static enum sp_code
flush_all(struct sp_sftp_store *s, struct sp_err *e)
{
    struct flush *f = calloc(1, sizeof(*f));
    size_t at = 0;
    enum sp_code rc = f != NULL ? SP_OK : sp_fail_nomem(e);
    bool more = rc == SP_OK;

    while (more) {
        if ((rc = take_some(s, &at, f, e)) == SP_OK && (more = f->n > 0))
            rc = flush_some(s, f, e);
        for (size_t i = 0; i < f->n; i++)
            free(f->paths[i]);
        more = more && rc == SP_OK;
    }
    free(f);
    return rc;
}

enum sp_code
sp_sftp_sync(struct sp_backend *b, struct sp_err *e)
{
    struct sp_sftp_store *s = (struct sp_sftp_store *)b;
    enum sp_code rc;

    /* Who cannot write has nothing to make durable. */
    rc = sp_sftp_probe_wait(s, SP_SFTP_NAMES_PROBED, e);
    if (rc == SP_DENIED)
        return SP_OK;
    if (rc != SP_OK || !s->flushes_folders)
        return rc;
    sp_mutex_lock(&s->barrier);
    if (s->barrier_lost.code != SP_OK) {
        *e = s->barrier_lost;
        rc = e->code;
    } else if ((rc = flush_all(s, e)) != SP_OK) {
        /* A flush that failed proves nothing when it is asked again (R3). */
        s->barrier_lost = *e;
    }
    sp_mutex_unlock(&s->barrier);
    return rc;
}
