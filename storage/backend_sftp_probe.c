/* What the server can do, by doing it (R20), in a thread beside the first reads and writes; see
 * backend_sftp.h.
 *
 * Two files in tmp/: one is written, flushed and read back, the other is renamed onto it, both are
 * removed. Five rounds, of which the first object that is written has four of its own meanwhile,
 * and one to remove them, which it does not wait for. The probe runs when something is to be
 * written; who only reads leaves no trace. */

#include "storage/backend_sftp_impl.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/random.h"

#define PROBE_BYTES 256u
#define TIDY_MS 2000u

struct probe {
    char *a, *b, *tmp;
    uint8_t bytes[PROBE_BYTES], got[PROBE_BYTES];
    struct sp_sftp_gaps gaps;
    bool folders;   /* can be flushed */
    bool cut_short; /* there was no room to try all of it */
    int64_t now_ns;
};

static bool
offers(struct sp_sftp_conn *c, enum sp_sftp_type type)
{
    bool is;

    sp_sftp_conn_lock(c);
    is = sp_sftp_offers(sp_sftp_conn_session(c), type);
    sp_sftp_conn_unlock(c);
    return is;
}

static struct sp_sftp_request
by_handle(enum sp_sftp_type type, const struct sp_sftp_request *open)
{
    struct sp_sftp_request q = {.type = type, .handle_len = open->handle_len};

    memcpy(q.handle, open->handle, open->handle_len);
    return q;
}

static enum sp_code
failed(const struct sp_sftp_request *q, struct sp_err *e)
{
    if (q->error.code != SP_OK)
        *e = q->error;
    return q->error.code;
}

/* Whether a request that was answered could not be done for want of room. */
static bool
full(const struct sp_sftp_request *q, const struct sp_sftp_request *space)
{
    return q->error.code == SP_IO && space->error.code == SP_OK &&
           space->space.free_bytes < ((uint64_t)64 << 10);
}

/* --- what it means --------------------------------------------------------------------------- */

static void
tell(struct sp_sftp_store *s, const struct sp_sftp_gaps *gaps)
{
    struct sp_buf b = SP_BUF_INIT;

    if (s->o.notice == NULL)
        return;
    if (gaps->no_flush) {
        sp_buf_printf(&b,
            "%s cannot flush files to its disk (no fsync@openssh.com): what is written now is "
            "stored, and proven only when a later run has read it back",
            s->o.address);
        s->o.notice(s->o.arg, sp_buf_str(&b));
        sp_buf_reset(&b);
    }
    if (gaps->replaces) {
        sp_buf_printf(&b,
            "%s replaces files when it renames others onto them: let only one program write to "
            "this repository at a time",
            s->o.address);
        s->o.notice(s->o.arg, sp_buf_str(&b));
    }
    sp_buf_free(&b);
}

/* Once: whoever has seen NAMES_PROBED reads it without the lock. The lock is held. */
static void
conclude_names(struct sp_sftp_store *s, const struct probe *p, const struct sp_err *why)
{
    s->gaps = p->gaps;
    if (p->gaps.read_only) {
        s->head.caps = (struct sp_backend_caps){.space = !p->gaps.no_space};
        (void)sp_fail(&s->probe_error, SP_DENIED, SP_DOM_STORE,
            "%s on %s cannot be written to with this login: %s", s->root, s->o.address, why->text);
    } else if (why->code != SP_OK) {
        s->probe_error = *why;
        sp_err_context(&s->probe_error, "trying what %s can do", s->o.address);
    } else {
        s->head.caps.space = !p->gaps.no_space;
        s->head.caps.flush_folder = s->flushes_folders = p->folders;
        s->probe_now_ns = p->now_ns;
    }
    /* R19: a full store opens, so that it can be made less full. What could not be tried there is
     * taken as before. */
    if (why->code == SP_OK && !p->cut_short) {
        s->head.caps.flush_file = !p->gaps.no_flush;
        s->head.caps.exclusive = !p->gaps.replaces;
        s->look_first = p->gaps.replaces;
    }
}

static void
conclude(struct sp_sftp_store *s, const struct probe *p, const struct sp_err *why,
    enum sp_sftp_probed much)
{
    sp_mutex_lock(&s->lock);
    if (s->probed < SP_SFTP_NAMES_PROBED)
        conclude_names(s, p, why);
    if (much == SP_SFTP_PROBED && why->code == SP_OK && !p->cut_short) {
        s->gaps.no_remove = p->gaps.no_remove;
        s->head.caps.remove = !p->gaps.no_remove;
    }
    s->probed = much;
    sp_cond_broadcast(&s->probe_changed);
    sp_mutex_unlock(&s->lock);
}

/* --- doing it -------------------------------------------------------------------------------- */

/* The first file is open: written, flushed, read back, closed. */
static enum sp_code
try_content(struct sp_sftp_store *s, struct sp_sftp_conn *c, struct probe *p,
    const struct sp_sftp_request *open, const struct sp_sftp_request *folder,
    const struct sp_sftp_request *space, struct sp_err *e)
{
    struct sp_sftp_request q[3];
    bool flush = offers(c, SP_SFTP_FSYNC), too = flush && folder->error.code == SP_OK;

    q[0] = by_handle(SP_SFTP_WRITE, open);
    q[0].from = p->bytes;
    q[0].n = PROBE_BYTES;
    if (too)
        q[1] = by_handle(SP_SFTP_FSYNC, folder);
    sp_sftp_call_all(c, q, too ? 2 : 1);
    p->folders = too && q[1].error.code == SP_OK;
    p->cut_short = full(&q[0], space);
    if (p->cut_short || failed(&q[0], e) != SP_OK)
        return p->cut_short ? SP_OK : e->code;
    q[0] = by_handle(SP_SFTP_FSTAT, open);
    q[1] = by_handle(SP_SFTP_READ, open);
    q[1].to = p->got;
    q[1].n = PROBE_BYTES;
    q[2] = by_handle(SP_SFTP_FSYNC, open);
    sp_sftp_call_all(c, q, flush ? 3 : 2);
    if (failed(&q[0], e) != SP_OK || failed(&q[1], e) != SP_OK)
        return e->code;
    p->now_ns = q[0].attrs.has_times ? (int64_t)q[0].attrs.mtime * SP_SECOND : 0;
    /* A server may give less than it was asked for. */
    if (q[1].got == 0 || memcmp(p->got, p->bytes, q[1].got) != 0)
        return sp_fail(e, SP_REFUSED, SP_DOM_STORE,
            "%s gives back other bytes than were written to it; no repository can be kept there",
            s->o.address);
    p->gaps.no_flush = !flush || q[2].error.code == SP_UNSUPPORTED;
    /* Any other refusal may be a disk that fails, and is never tolerated. */
    if (!p->gaps.no_flush && failed(&q[2], e) != SP_OK) {
        sp_err_context(e, "flushing a file of %u bytes", PROBE_BYTES);
        return e->code;
    }
    return SP_OK;
}

/* Renames the second file, closed, onto the first; removes both. `why`: of what was tried before.
 */
static enum sp_code
try_names(struct sp_sftp_store *s, struct sp_sftp_conn *c, struct probe *p,
    const struct sp_err *why, struct sp_err *e)
{
    struct sp_sftp_request q[2] = {{.type = SP_SFTP_RENAME, .path = p->b, .path2 = p->a}};
    enum sp_code lost;

    sp_sftp_call_all(c, q, 1);
    p->gaps.replaces = q[0].error.code == SP_OK;
    if ((lost = sp_sftp_conn_state(c, e)) != SP_OK)
        return lost;
    conclude(s, p, why, SP_SFTP_NAMES_PROBED); /* the first object waits for this */
    q[0] = (struct sp_sftp_request){.type = SP_SFTP_REMOVE, .path = p->a};
    q[1] = (struct sp_sftp_request){.type = SP_SFTP_REMOVE, .path = p->b};
    sp_sftp_call_all(c, q, 2);
    p->gaps.no_remove = q[0].error.code != SP_OK;
    return sp_sftp_conn_state(c, e);
}

static enum sp_code
close_both(struct sp_sftp_conn *c, const struct sp_sftp_request *open, struct sp_err *e)
{
    struct sp_sftp_request close[2];
    size_t n = 0;

    for (size_t i = 0; i < 2; i++)
        if (open[i].error.code == SP_OK)
            close[n++] = by_handle(SP_SFTP_CLOSE, &open[i]);
    if (n > 0)
        sp_sftp_call_all(c, close, n);
    for (size_t i = 0; i < n; i++)
        if (failed(&close[i], e) != SP_OK)
            return e->code;
    return SP_OK;
}

static enum sp_code
try_files(struct sp_sftp_store *s, struct sp_sftp_conn *c, struct probe *p, struct sp_err *e)
{
    enum { A, B, FOLDER, SPACE, ALL };
    struct sp_sftp_request q[ALL] = {
        [A] = {.type = SP_SFTP_OPEN,
            .path = p->a,
            .mode = 0600,
            .flags = SP_SFTP_F_READ | SP_SFTP_F_WRITE | SP_SFTP_F_CREATE | SP_SFTP_F_EXCL},
        [B] = {.type = SP_SFTP_OPEN,
            .path = p->b,
            .mode = 0600,
            .flags = SP_SFTP_F_WRITE | SP_SFTP_F_CREATE | SP_SFTP_F_EXCL},
        [FOLDER] = {.type = SP_SFTP_OPEN, .path = p->tmp, .flags = SP_SFTP_F_READ},
        [SPACE] = {.type = SP_SFTP_STATVFS, .path = s->root}};
    struct sp_err why = {0};
    enum sp_code rc, closed;

    sp_sftp_call_all(c, q, ALL);
    if ((rc = sp_sftp_conn_state(c, e)) != SP_OK)
        return rc;
    p->gaps.no_space = q[SPACE].error.code != SP_OK;
    p->cut_short = full(&q[A], &q[SPACE]) || full(&q[B], &q[SPACE]);
    if (q[A].error.code == SP_OK && q[B].error.code == SP_OK)
        rc = try_content(s, c, p, &q[A], &q[FOLDER], &q[SPACE], &why);
    else if (!p->cut_short)
        rc = failed(q[A].error.code != SP_OK ? &q[A] : &q[B], &why);
    p->gaps.read_only = rc == SP_DENIED && q[A].error.code == SP_DENIED;
    if (q[FOLDER].error.code == SP_OK)
        sp_sftp_forget_handle(s, c, q[FOLDER].handle, q[FOLDER].handle_len);
    closed = close_both(c, q, rc == SP_OK ? &why : e);
    rc = rc != SP_OK ? rc : closed;
    /* Also when it failed before: what was made is to go. */
    if (q[A].error.code == SP_OK || q[B].error.code == SP_OK) {
        struct sp_err naming = {0};
        enum sp_code names = try_names(s, c, p, &why, &naming);

        if (rc == SP_OK && (rc = names) != SP_OK)
            why = naming;
    }
    if (rc != SP_OK)
        *e = why;
    return rc;
}

static enum sp_code
probe_over(struct sp_sftp_store *s, struct sp_sftp_conn *c, void *arg, struct sp_err *e)
{
    struct probe *p = arg;
    enum sp_code rc;

    free(p->a);
    free(p->b);
    p->a = p->b = NULL;
    if ((rc = sp_sftp_temporary(s, SP_SFTP_PROBE, &p->a, e)) != SP_OK ||
        (rc = sp_sftp_temporary(s, SP_SFTP_PROBE, &p->b, e)) != SP_OK)
        return rc;
    p->gaps = (struct sp_sftp_gaps){false, false, false, false, false};
    p->cut_short = p->folders = false;
    return try_files(s, c, p, e);
}

static void
probe_run(void *arg)
{
    struct sp_sftp_store *s = arg;
    struct probe p = {.a = NULL};
    struct sp_err e = {0};
    enum sp_code rc;

    if ((rc = sp_random_fill(s->env.random, p.bytes, sizeof(p.bytes), &e)) == SP_OK &&
        (rc = sp_sftp_path(s, SP_FOLDER_TMP, &p.tmp, &e)) == SP_OK)
        rc = sp_sftp_ask(s, probe_over, &p, &e);
    if (rc == SP_OK) {
        sp_err_clear(&e);
        tell(s, &p.gaps);
    }
    conclude(s, &p, &e, SP_SFTP_PROBED);
    free(p.a);
    free(p.b);
    free(p.tmp);
}

/* --- for the others -------------------------------------------------------------------------- */

bool
sp_sftp_removes(struct sp_sftp_store *s)
{
    bool is;

    sp_mutex_lock(&s->lock);
    is = !s->gaps.no_remove;
    sp_mutex_unlock(&s->lock);
    return is;
}

enum sp_code
sp_sftp_check_writable(struct sp_sftp_store *s, struct sp_err *e)
{
    enum sp_code rc = SP_OK;

    sp_mutex_lock(&s->lock);
    if (s->gaps.read_only) {
        *e = s->probe_error;
        rc = e->code;
    }
    sp_mutex_unlock(&s->lock);
    return rc;
}

enum sp_code
sp_sftp_probe_start(struct sp_sftp_store *s, struct sp_err *e)
{
    enum sp_code rc = SP_OK;

    sp_mutex_lock(&s->lock);
    if (s->probed == SP_SFTP_UNPROBED &&
        (rc = sp_thread_start("sftp probe", probe_run, s, &s->probe, e)) == SP_OK)
        s->probed = SP_SFTP_PROBING;
    sp_mutex_unlock(&s->lock);
    return rc;
}

enum sp_code
sp_sftp_probe_wait(struct sp_sftp_store *s, enum sp_sftp_probed much, struct sp_err *e)
{
    enum sp_code rc;

    if ((rc = sp_sftp_need_tmp(s, e)) != SP_OK || (rc = sp_sftp_probe_start(s, e)) != SP_OK)
        return rc;
    sp_mutex_lock(&s->lock);
    while (s->probed < much)
        sp_cond_wait(&s->probe_changed, &s->lock);
    if ((rc = s->probe_error.code) != SP_OK)
        *e = s->probe_error;
    sp_mutex_unlock(&s->lock);
    return rc;
}

void
sp_sftp_probe_end(struct sp_sftp_store *s)
{
    sp_mutex_lock(&s->lock);
    for (unsigned i = 0; i < TIDY_MS / 100 && s->probed != SP_SFTP_UNPROBED &&
                         s->probed != SP_SFTP_PROBED && !atomic_load(&s->stopped);
         i++)
        (void)sp_cond_wait_ms(&s->probe_changed, &s->lock, 100);
    sp_mutex_unlock(&s->lock);
    sp_sftp_await_forgotten(s);
    sp_sftp_pool_close(s);
    sp_thread_join(s->probe);
}

enum sp_code
sp_backend_sftp_gaps(struct sp_backend *b, struct sp_sftp_gaps *ret, struct sp_err *e)
{
    struct sp_sftp_store *s = (struct sp_sftp_store *)b;
    enum sp_code rc = sp_sftp_probe_wait(s, SP_SFTP_PROBED, e);

    if (rc == SP_DENIED && sp_sftp_check_writable(s, e) == SP_DENIED)
        rc = SP_OK;
    if (rc != SP_OK)
        return rc;
    sp_mutex_lock(&s->lock);
    *ret = s->gaps;
    sp_mutex_unlock(&s->lock);
    return SP_OK;
}
