/* Reading and listing over SFTP; see backend_sftp_impl.h.
 *
 * A fetch is a job of the connection (sftp_ops.h): any number is under way at once, and its thread
 * of the caller sleeps in finish only. When its connection is lost it is asked again, over another
 * one. */

#include "storage/backend_sftp_impl.h"

#include <stdlib.h>
#include <string.h>

/* --- fetches --------------------------------------------------------------------------------- */

struct pending {
    struct sp_sftp_lane *lane;
    struct sp_sftp_job *job;
    char path[];
};

static enum sp_code
start_job(const struct sp_backend_fetch *f, struct pending *p, struct sp_err *e)
{
    if (f->whole)
        return sp_sftp_start_read_all(p->lane->c, p->path, f->limit, &p->job, e);
    return sp_sftp_start_read(p->lane->c, p->path, f->offset, f->to, f->n, &p->job, e);
}

static enum sp_code
start(
    struct sp_sftp_store *s, const struct sp_backend_fetch *f, struct pending *p, struct sp_err *e)
{
    enum sp_code rc = sp_sftp_lane_get(s, &p->lane, e);

    if (rc == SP_OK && (rc = start_job(f, p, e)) != SP_OK) {
        sp_sftp_lane_put(s, p->lane, false);
        p->lane = NULL;
    }
    return rc;
}

/* Whether the part can be in any file: what lies beyond is told without asking for it, since a
 * server may take the offset for a negative one. */
static bool
within(const struct sp_backend_fetch *f)
{
    return f->whole || (f->n > 0 && f->n <= INT64_MAX && f->offset <= (uint64_t)INT64_MAX - f->n);
}

enum sp_code
sp_sftp_fetch_start(struct sp_backend *b, struct sp_backend_fetch *f, struct sp_err *e)
{
    struct sp_sftp_store *s = (struct sp_sftp_store *)b;
    struct pending *p;
    char *path;
    size_t n;
    enum sp_code rc;

    f->pending = NULL;
    if (!within(f))
        return SP_OK; /* finish looks at the size */
    if ((rc = sp_sftp_path(s, f->name, &path, e)) != SP_OK)
        return rc;
    n = strlen(path) + 1;
    if ((p = calloc(1, sizeof(*p) + n)) == NULL) {
        free(path);
        return sp_fail_nomem(e);
    }
    memcpy(p->path, path, n);
    free(path);
    if ((rc = start(s, f, p, e)) == SP_OK)
        f->pending = p;
    else
        free(p);
    return rc;
}

static enum sp_code
beyond(struct sp_sftp_store *s, const struct sp_backend_fetch *f, struct sp_err *e)
{
    uint64_t size;
    enum sp_code rc = sp_sftp_size(&s->head, f->name, &size, e);

    if (rc == SP_OK && (f->n > 0 || f->offset > size))
        rc = sp_fail(e, SP_CORRUPT, SP_DOM_STORE, "%s is shorter than expected", f->name);
    return rc;
}

enum sp_code
sp_sftp_fetch_finish(struct sp_backend *b, struct sp_backend_fetch *f, struct sp_err *e)
{
    struct sp_sftp_store *s = (struct sp_sftp_store *)b;
    struct pending *p = f->pending;
    enum sp_code rc;
    bool lost = true;

    if (p == NULL)
        return beyond(s, f, e);
    f->pending = NULL;
    do {
        if (p->lane == NULL && (rc = start(s, f, p, e)) != SP_OK)
            break;
        rc =
            f->whole ? sp_sftp_job_bytes(p->job, &f->bytes, &f->n, e) : sp_sftp_job_wait(p->job, e);
        lost = rc != SP_OK && sp_sftp_lane_lost(s, p->lane, e);
        sp_sftp_lane_put(s, p->lane, !lost);
        p->lane = NULL;
    } while (lost);
    free(p);
    if (rc == SP_OK)
        sp_sftp_carried(s, f->n);
    else if (!lost)
        rc = sp_sftp_settle(s, f->name, rc, e);
    return rc;
}

enum sp_code
sp_sftp_get(
    struct sp_backend *b, const char *name, uint64_t offset, void *to, size_t n, struct sp_err *e)
{
    struct sp_backend_fetch f = {.name = name, .offset = offset, .to = to, .n = n};
    enum sp_code rc = sp_sftp_fetch_start(b, &f, e);

    return rc != SP_OK ? rc : sp_sftp_fetch_finish(b, &f, e);
}

struct reading {
    const char *path;
    uint64_t offset;
    void *to;
    size_t n;
};

static enum sp_code
read_over(struct sp_sftp_store *s, struct sp_sftp_conn *c, void *arg, struct sp_err *e)
{
    const struct reading *r = arg;
    struct sp_sftp_job *job;
    enum sp_code rc = sp_sftp_start_read(c, r->path, r->offset, r->to, r->n, &job, e);

    (void)s;
    return rc != SP_OK ? rc : sp_sftp_job_wait(job, e);
}

enum sp_code
sp_sftp_read_path(struct sp_sftp_store *s, const char *path, uint64_t offset, void *to, size_t n,
    struct sp_err *e)
{
    struct reading r = {path, offset, to, n};

    return sp_sftp_ask(s, read_over, &r, e);
}

/* --- listing --------------------------------------------------------------------------------- */

struct listing {
    struct sp_sftp_store *s;
    const char *const *prefixes;
    size_t nprefixes;
    sp_backend_list_fn each;
    void *arg;
    char *tmp, *conf; /* one of them is there: asked beside the listing, … */
    bool there;       /* … and so it was */
    bool ended;       /* by `each`: its failure is the answer, whatever became of the connection */
    /* What was told, by hashes of the names: a listing that is asked for again tells no name twice.
     * A listing of a million packs takes 8 MB here. */
    uint64_t *told;
    size_t ntold, cap;
    size_t before; /* told by the connections before, sorted */
};

/* FNV-1a with a finish that spreads it (Stafford's mix 13). */
static uint64_t
hash_of(const char *name)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325);

    for (; *name != '\0'; name++)
        h = (h ^ (uint8_t)*name) * UINT64_C(0x100000001b3);
    h = (h ^ (h >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    h = (h ^ (h >> 27)) * UINT64_C(0x94d049bb133111eb);
    return h ^ (h >> 31);
}

static int
by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

static enum sp_code
remember(struct listing *l, uint64_t hash, struct sp_err *e)
{
    if (l->ntold == l->cap) {
        size_t cap = l->cap == 0 ? 1024 : l->cap * 2;
        uint64_t *more = cap > SIZE_MAX / 16 ? NULL : realloc(l->told, cap * sizeof(*more));

        if (more == NULL)
            return sp_fail_nomem(e);
        l->told = more;
        l->cap = cap;
    }
    l->told[l->ntold++] = hash;
    return SP_OK;
}

static enum sp_code
tell(void *arg, const char *name, uint64_t size, struct sp_err *e)
{
    struct listing *l = arg;
    uint64_t hash = hash_of(name);
    enum sp_code rc;

    if (!sp_object_name_valid(name)) /* tmp/, and what others laid there */
        return SP_OK;
    if (l->before > 0 && bsearch(&hash, l->told, l->before, sizeof(hash), by_value) != NULL)
        return SP_OK;
    if ((rc = remember(l, hash, e)) != SP_OK ||
        (rc = sp_sftp_folder_listed(l->s, name, e)) != SP_OK)
        goto out;
    rc = l->each(l->arg, name, size, e);
out:
    l->ended = l->ended || rc != SP_OK;
    return rc;
}

static enum sp_code
list_over(struct sp_sftp_store *s, struct sp_sftp_conn *c, void *arg, struct sp_err *e)
{
    struct listing *l = arg;

    if (l->ntold > 0)
        qsort(l->told, l->ntold, sizeof(*l->told), by_value);
    l->before = l->ntold;
    return sp_sftp_list_there(c, s->root, l->prefixes, l->nprefixes,
        (const char *const[]){l->tmp, l->conf}, &l->there, tell, l, e);
}

/* sp_sftp_ask, but for a failure of `each`, which is nobody's to ask again for. */
static enum sp_code
ask_listing(struct sp_sftp_store *s, struct listing *l, struct sp_err *e)
{
    struct sp_sftp_lane *lane;
    enum sp_code rc;
    bool lost;

    do {
        if ((rc = sp_sftp_lane_get(s, &lane, e)) != SP_OK)
            return rc;
        rc = list_over(s, lane->c, l, e);
        lost = rc != SP_OK && !l->ended && sp_sftp_lane_lost(s, lane, e);
        sp_sftp_lane_put(s, lane, !lost && !l->ended);
    } while (lost);
    return rc;
}

enum sp_code
sp_sftp_list_all(struct sp_backend *b, const char *const *prefixes, size_t n,
    sp_backend_list_fn each, void *arg, struct sp_err *e)
{
    struct sp_sftp_store *s = (struct sp_sftp_store *)b;
    struct listing l = {.s = s, .prefixes = prefixes, .nprefixes = n, .each = each, .arg = arg};
    enum sp_code rc;

    if ((rc = sp_sftp_path(s, SP_FOLDER_TMP, &l.tmp, e)) == SP_OK &&
        (rc = sp_sftp_path(s, SP_FOLDER_CONF, &l.conf, e)) == SP_OK && n > 0)
        rc = ask_listing(s, &l, e);

    /* A server may say "failure" where others say "no such file": of an object in the place of a
     * folder. */
    if (rc == SP_IO && n == 1 && !l.ended && sp_sftp_no_folder(s, prefixes[0]))
        rc = SP_OK;
    free(l.told);
    free(l.tmp);
    free(l.conf);
    /* A volume that was unmounted, before or meanwhile, must not look like one with few objects. */
    return rc != SP_OK || l.there ? rc : sp_sftp_present(s, e);
}

enum sp_code
sp_sftp_list_one(
    struct sp_backend *b, const char *prefix, sp_backend_list_fn each, void *arg, struct sp_err *e)
{
    return sp_sftp_list_all(b, &prefix, 1, each, arg, e);
}
