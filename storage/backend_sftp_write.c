/* Writing over SFTP: a file of our own in tmp/, every piece acknowledged, flushed, closed, and only
 * then its name (R3); see backend_sftp.h.
 *
 * A stream goes on over another connection when its own is lost, after what had been acknowledged
 * was read back (sftp_ops.h). There is one exception: when the connection is lost while the file
 * may have been flushed, that flush may have failed with nobody to hear of it, and a second one
 * that succeeds would prove nothing. Such a file is read back and written once more under a new
 * name. */

#include "storage/backend_sftp_impl.h"

#include <stdlib.h>

#define PIECE ((size_t)1 << 20) /* to the stream in one go */

struct sp_backend_writer {
    struct sp_sftp_store *s;
    struct sp_sftp_lane *lane;
    struct sp_sftp_stream *stream;
    char *path; /* NULL once it has its name */
    uint64_t size;
    bool failed; /* what is in the file is not what was written */
};

/* Ends the stream; its file stays. */
static void
let_go(struct sp_backend_writer *w, bool answered)
{
    sp_sftp_stream_free(w->stream);
    w->stream = NULL;
    if (w->lane != NULL)
        sp_sftp_lane_put(w->s, w->lane, answered);
    w->lane = NULL;
}

static void
writer_free(struct sp_backend_writer *w)
{
    let_go(w, false);
    if (w->path != NULL)
        sp_sftp_drop(w->s, w->path);
    free(w->path);
    free(w);
}

void
sp_sftp_abort(struct sp_backend_writer *w)
{
    writer_free(w);
}

static enum sp_code
open_stream(struct sp_backend_writer *w, struct sp_err *e)
{
    enum sp_code rc;

    if ((rc = sp_sftp_lane_get(w->s, &w->lane, e)) != SP_OK)
        return rc;
    if ((rc = sp_sftp_stream_new(w->lane->c, w->path, SP_SFTP_WINDOW, &w->stream, e)) != SP_OK)
        let_go(w, false);
    return rc;
}

enum sp_code
sp_sftp_begin(struct sp_backend *b, struct sp_backend_writer **ret, struct sp_err *e)
{
    struct sp_sftp_store *s = (struct sp_sftp_store *)b;
    struct sp_backend_writer *w;
    enum sp_code rc;

    if ((rc = sp_sftp_check_writable(s, e)) != SP_OK || (rc = sp_sftp_need_tmp(s, e)) != SP_OK ||
        (rc = sp_sftp_probe_start(s, e)) != SP_OK)
        return rc;
    if ((w = calloc(1, sizeof(*w))) == NULL)
        return sp_fail_nomem(e);
    w->s = s;
    if ((rc = sp_sftp_temporary(s, "", &w->path, e)) != SP_OK || (rc = open_stream(w, e)) != SP_OK)
        goto out;
    *ret = w;
    w = NULL;
out:
    if (w != NULL)
        writer_free(w);
    return rc;
}

/* --- a connection that died ------------------------------------------------------------------ */

/* After a failure: true when the stream goes on over another connection. */
static bool
resumed(struct sp_backend_writer *w, enum sp_code *rc, struct sp_err *e)
{
    bool tried = false;

    while (sp_sftp_lane_lost(w->s, w->lane, e) && e->code != SP_CANCELLED) {
        struct sp_sftp_lane *lane;

        if ((*rc = sp_sftp_lane_get(w->s, &lane, e)) != SP_OK)
            return false;
        tried = true;
        *rc = sp_sftp_stream_resume(w->stream, lane->c, e);
        sp_sftp_lane_put(w->s, w->lane, false);
        w->lane = lane;
        if (*rc == SP_OK)
            return true;
    }
    *rc = e->code;
    /* Not corrupt, which is said of objects: this was none yet. */
    if (tried && (*rc == SP_CORRUPT || *rc == SP_ABSENT)) {
        *rc = e->code = SP_IO;
        sp_err_context(e, "%s lost what it had acknowledged", w->s->o.address);
    }
    return false;
}

/* Makes a failure of writing one that can be told. */
static enum sp_code
writing_failed(struct sp_sftp_store *s, enum sp_code rc, struct sp_err *e)
{
    if (rc == SP_ABSENT) { /* said of objects only */
        sp_mutex_lock(&s->lock);
        s->tmp_there = false; /* the next one looks, and makes it again */
        sp_mutex_unlock(&s->lock);
        if ((rc = sp_sftp_present(s, e)) == SP_OK)
            rc = sp_fail(e, SP_IO, SP_DOM_STORE, "the folder %s/%s on %s has gone", s->root,
                SP_FOLDER_TMP, s->o.address);
    }
    return sp_sftp_full(s, SP_SFTP_WINDOW + PIECE, rc, e);
}

enum sp_code
sp_sftp_write(struct sp_backend_writer *w, const void *p, size_t n, struct sp_err *e)
{
    const uint8_t *from = p;
    enum sp_code rc = SP_OK;

    if (w->failed)
        return sp_fail(e, SP_IO, SP_DOM_STORE, "writing to %s failed before", w->s->o.address);
    while (n > 0 && rc == SP_OK) {
        size_t some = n < PIECE ? n : PIECE;

        rc = sp_sftp_stream_write(w->stream, from, some, e);
        if (rc != SP_OK)
            (void)resumed(w, &rc, e);
        from += some;
        n -= some;
        w->size += some;
        sp_sftp_carried(w->s, some);
    }
    w->failed = rc != SP_OK;
    return rc != SP_OK ? writing_failed(w->s, rc, e) : SP_OK;
}

/* --- flushing and closing -------------------------------------------------------------------- */

static bool
flushes(struct sp_backend_writer *w)
{
    bool offers;

    sp_sftp_conn_lock(w->lane->c);
    offers = sp_sftp_offers(sp_sftp_conn_session(w->lane->c), SP_SFTP_FSYNC);
    sp_sftp_conn_unlock(w->lane->c);
    return offers;
}

/* Copies the file of `from` through here into the new one of `w`, and flushes that. A system whose
 * disk did not take the pages may have forgotten them since they were read back: they are held
 * against what was written. *ret_lost: the connection was lost meanwhile, so this flush, too, is no
 * proof of anything. */
static enum sp_code
copy_flushed(struct sp_backend_writer *w, const struct sp_backend_writer *from, bool *ret_lost,
    struct sp_err *e)
{
    size_t n = sp_sftp_stream_part(from->stream, 0);
    uint8_t *piece = malloc(n + 1);
    bool flushed;
    enum sp_code rc = piece != NULL ? SP_OK : sp_fail_nomem(e);

    for (size_t i = 0; rc == SP_OK && (n = sp_sftp_stream_part(from->stream, i)) > 0; i++)
        if ((rc = sp_sftp_read_path(w->s, from->path, w->size, piece, n, e)) == SP_OK &&
            (rc = sp_sftp_stream_check(from->stream, i, piece, e)) == SP_OK)
            rc = sp_sftp_write(w, piece, n, e);
    if (rc == SP_CORRUPT || rc == SP_ABSENT) { /* said of objects only */
        rc = e->code = SP_IO;
        sp_err_context(e, "%s lost what it had acknowledged", w->s->o.address);
    }
    if (rc == SP_OK && (rc = sp_sftp_stream_finish(w->stream, &flushed, e)) != SP_OK &&
        sp_sftp_lane_lost(w->s, w->lane, e) && e->code != SP_CANCELLED) {
        *ret_lost = true;
        rc = SP_OK;
    }
    free(piece);
    return rc;
}

/* The file may have failed to be flushed, unheard: all of it once more, into a new one. */
static enum sp_code
write_anew(struct sp_backend_writer *w, struct sp_err *e)
{
    bool lost = true;
    enum sp_code rc = SP_OK;

    while (rc == SP_OK && lost) {
        struct sp_backend_writer *anew;

        if ((rc = sp_sftp_begin(&w->s->head, &anew, e)) != SP_OK)
            return rc;
        lost = false;
        if ((rc = copy_flushed(anew, w, &lost, e)) == SP_OK && !lost) {
            char *path = w->path;

            w->path = anew->path;
            anew->path = path;
        }
        writer_free(anew);
    }
    return rc;
}

/* Whatever fails here, the bytes are written again under a new name by whoever wants them: a second
 * flush that succeeds would prove nothing. */
static enum sp_code
seal_file(struct sp_backend_writer *w, struct sp_err *e)
{
    bool flushed = false, unheard = false;
    enum sp_code rc;

    if (w->failed)
        return sp_fail(e, SP_IO, SP_DOM_STORE, "writing to %s failed before", w->s->o.address);
    while ((rc = sp_sftp_stream_finish(w->stream, &flushed, e)) != SP_OK) {
        unheard = unheard || flushes(w);
        if (!resumed(w, &rc, e))
            return writing_failed(w->s, rc, e);
    }
    rc = unheard ? write_anew(w, e) : SP_OK;
    let_go(w, true);
    return rc;
}

enum sp_code
sp_sftp_publish(struct sp_backend_writer *w, const char *name, struct sp_err *e)
{
    struct sp_sftp_store *s = w->s;
    enum sp_code rc;

    sp_sftp_expect_folder(s, w->lane->c, name);
    if ((rc = seal_file(w, e)) != SP_OK)
        goto out;
    /* Whether RENAME replaces has to be known before the first. */
    if ((rc = sp_sftp_probe_wait(s, SP_SFTP_NAMES_PROBED, e)) != SP_OK)
        goto out;
    rc = sp_sftp_name(s, w->path, w->size, name, e);
    if (rc == SP_ABSENT && (rc = sp_sftp_present(s, e)) == SP_OK)
        rc = sp_fail(
            e, SP_IO, SP_DOM_STORE, "the unfinished file %s on %s has gone", w->path, s->o.address);
    if (rc == SP_OK) {
        free(w->path);
        w->path = NULL;
    }
out:
    if (rc != SP_OK)
        sp_err_context(e, "object %s", name);
    writer_free(w);
    return rc;
}
