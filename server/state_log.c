/* Sessions, runs, events and the heartbeat: see state.h. */

#include <string.h>

#include "server/state_sql.h"

/* Takes the lock, prepares, has `bind` fill in, runs. */
typedef void (*bind_fn)(struct sp_sql *q, const void *arg);

static enum sp_code
write_row(struct sp_state *s, const char *text, bind_fn bind, const void *arg, struct sp_err *e)
{
    struct sp_sql *q;
    enum sp_code rc;

    sp_state_enter(s);
    if ((rc = sp_sql_new(s, text, &q, e)) == SP_OK) {
        bind(q, arg);
        rc = sp_sql_run(q, NULL, e);
    }
    sp_state_leave(s);
    return rc;
}

/* --- sessions
 * --------------------------------------------------------------------------------------- */

enum sp_code
sp_state_session_begin(struct sp_state *s, const uint8_t host[16], const char *address,
    const char *program, int64_t now_ns, int64_t *ret_id, struct sp_err *e)
{
    struct sp_sql *q;
    bool row = false;
    enum sp_code rc;

    sp_state_enter(s);
    rc = sp_sql_new(s,
        "INSERT INTO sessions (host, address, program, started_ns) VALUES (?1, ?2, ?3, ?4)"
        " RETURNING id",
        &q, e);
    if (rc != SP_OK)
        goto out;
    sp_sql_bind_blob(q, 1, host, 16);
    sp_sql_bind_text(q, 2, address);
    sp_sql_bind_text(q, 3, program);
    sp_sql_bind_int(q, 4, now_ns);
    if ((rc = sp_sql_step(q, &row, e)) == SP_OK) {
        int64_t id = sp_sql_int(q, 0);

        if ((rc = sp_sql_run(q, NULL, e)) == SP_OK)
            *ret_id = id;
    } else {
        sp_sql_free(q);
    }
out:
    sp_state_leave(s);
    return rc;
}

struct ending {
    int64_t id, now_ns;
    const char *outcome;
    uint64_t in, out;
};

static void
bind_ending(struct sp_sql *q, const void *arg)
{
    const struct ending *n = arg;

    sp_sql_bind_int(q, 1, n->id);
    sp_sql_bind_int(q, 2, n->now_ns);
    sp_sql_bind_text(q, 3, n->outcome);
    sp_sql_bind_u64(q, 4, n->in);
    sp_sql_bind_u64(q, 5, n->out);
}

enum sp_code
sp_state_session_end(struct sp_state *s, int64_t id, const char *outcome, uint64_t bytes_in,
    uint64_t bytes_out, int64_t now_ns, struct sp_err *e)
{
    const struct ending n = {id, now_ns, outcome, bytes_in, bytes_out};

    return write_row(s,
        "UPDATE sessions SET ended_ns = ?2, outcome = ?3, bytes_in = ?4, bytes_out = ?5"
        " WHERE id = ?1",
        bind_ending, &n, e);
}

static void
bind_time(struct sp_sql *q, const void *arg)
{
    const int64_t *t = arg;

    sp_sql_bind_int(q, 1, *t);
}

enum sp_code
sp_state_sessions_lost(struct sp_state *s, int64_t now_ns, struct sp_err *e)
{
    return write_row(s,
        "UPDATE sessions SET ended_ns = ?1, outcome = 'the server ended without a word'"
        " WHERE ended_ns = 0",
        bind_time, &now_ns, e);
}

/* --- runs
 * ------------------------------------------------------------------------------------------- */

static void
bind_run(struct sp_sql *q, const void *arg)
{
    const struct sp_state_run *r = arg;

    sp_sql_bind_blob(q, 1, r->host, sizeof(r->host));
    sp_sql_bind_text(q, 2, r->job);
    sp_sql_bind_blob(q, 3, r->set_id, sizeof(r->set_id));
    sp_sql_bind_u64(q, 4, r->sequence);
    sp_sql_bind_int(q, 5, r->complete);
    sp_sql_bind_int(q, 6, r->started_ns);
    sp_sql_bind_int(q, 7, r->published_ns);
    sp_sql_bind_u64(q, 8, r->files);
    sp_sql_bind_u64(q, 9, r->bytes);
    sp_sql_bind_u64(q, 10, r->bytes_new);
}

enum sp_code
sp_state_run_add(struct sp_state *s, const struct sp_state_run *r, struct sp_err *e)
{
    return write_row(s,
        "INSERT INTO runs (host, job, set_id, sequence, complete, started_ns, published_ns, files,"
        " bytes, bytes_new) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)"
        " ON CONFLICT DO NOTHING",
        bind_run, r, e);
}

enum sp_code
sp_state_runs(struct sp_state *s, unsigned limit, sp_state_run_fn each, void *arg, struct sp_err *e)
{
    struct sp_state_run r;
    struct sp_sql *q = NULL;
    bool row = true;
    enum sp_code rc;

    sp_state_enter(s);
    rc = sp_sql_new(s,
        "SELECT r.host, h.name, r.job, r.set_id, r.sequence, r.complete, r.started_ns,"
        " r.published_ns, r.files, r.bytes, r.bytes_new FROM runs r LEFT JOIN hosts h"
        " ON h.id = r.host ORDER BY r.published_ns DESC, r.id DESC LIMIT ?1",
        &q, e);
    if (rc != SP_OK)
        goto out;
    sp_sql_bind_int(q, 1, limit);
    while ((rc = sp_sql_step(q, &row, e)) == SP_OK && row) {
        sp_sql_blob(q, 0, r.host, sizeof(r.host));
        sp_sql_text(q, 1, r.host_name, sizeof(r.host_name));
        sp_sql_text(q, 2, r.job, sizeof(r.job));
        sp_sql_blob(q, 3, r.set_id, sizeof(r.set_id));
        r.sequence = sp_sql_u64(q, 4);
        r.complete = sp_sql_int(q, 5) != 0;
        r.started_ns = sp_sql_int(q, 6);
        r.published_ns = sp_sql_int(q, 7);
        r.files = sp_sql_u64(q, 8);
        r.bytes = sp_sql_u64(q, 9);
        r.bytes_new = sp_sql_u64(q, 10);
        if ((rc = each(arg, &r, e)) != SP_OK)
            break;
    }
out:
    sp_sql_free(q);
    sp_state_leave(s);
    return rc;
}

/* --- events
 * ----------------------------------------------------------------------------------------- */

struct event {
    int64_t at_ns;
    const uint8_t *host;
    const char *kind, *text;
};

static void
bind_event(struct sp_sql *q, const void *arg)
{
    const struct event *v = arg;

    sp_sql_bind_int(q, 1, v->at_ns);
    sp_sql_bind_blob(q, 2, v->host, 16);
    sp_sql_bind_text(q, 3, v->kind);
    sp_sql_bind_text(q, 4, v->text);
}

enum sp_code
sp_state_event(struct sp_state *s, const uint8_t *host, const char *kind, const char *text,
    int64_t now_ns, struct sp_err *e)
{
    const struct event v = {now_ns, host, kind, text};

    return write_row(s, "INSERT INTO events (at_ns, host, kind, text) VALUES (?1, ?2, ?3, ?4)",
        bind_event, &v, e);
}

enum sp_code
sp_state_trim(struct sp_state *s, int64_t before_ns, struct sp_err *e)
{
    static const char *const texts[] = {
        "DELETE FROM sessions WHERE started_ns < ?1 AND ended_ns != 0",
        "DELETE FROM events WHERE at_ns < ?1",
        "DELETE FROM tokens WHERE expires_ns < ?1",
    };
    enum sp_code rc = SP_OK;

    for (size_t i = 0; rc == SP_OK && i < sizeof(texts) / sizeof(texts[0]); i++)
        rc = write_row(s, texts[i], bind_time, &before_ns, e);
    return rc;
}

/* --- heartbeat
 * -------------------------------------------------------------------------------------- */

static void
bind_beat(struct sp_sql *q, const void *arg)
{
    const struct sp_state_beat *b = arg;

    sp_sql_bind_int(q, 1, b->started_ns);
    sp_sql_bind_int(q, 2, b->beat_ns);
    sp_sql_bind_text(q, 3, b->address);
    sp_sql_bind_int(q, 4, b->port);
    sp_sql_bind_int(q, 5, b->sessions);
    sp_sql_bind_u64(q, 6, b->free_bytes);
    sp_sql_bind_u64(q, 7, b->total_bytes);
    sp_sql_bind_text(q, 8, b->trouble);
}

enum sp_code
sp_state_beat_write(struct sp_state *s, const struct sp_state_beat *b, struct sp_err *e)
{
    return write_row(s,
        "INSERT OR REPLACE INTO beat (id, started_ns, beat_ns, address, port, sessions, free_bytes,"
        " total_bytes, trouble) VALUES (1, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        bind_beat, b, e);
}

enum sp_code
sp_state_beat_read(struct sp_state *s, struct sp_state_beat *ret, struct sp_err *e)
{
    struct sp_sql *q = NULL;
    bool row = false;
    enum sp_code rc;

    sp_state_enter(s);
    rc = sp_sql_new(s,
        "SELECT started_ns, beat_ns, address, port, sessions, free_bytes, total_bytes, trouble"
        " FROM beat",
        &q, e);
    if (rc != SP_OK || (rc = sp_sql_step(q, &row, e)) != SP_OK)
        goto out;
    if (!row) {
        rc = sp_fail(e, SP_ABSENT, SP_DOM_CONFIG, "the server has not run yet");
        goto out;
    }
    ret->started_ns = sp_sql_int(q, 0);
    ret->beat_ns = sp_sql_int(q, 1);
    sp_sql_text(q, 2, ret->address, sizeof(ret->address));
    ret->port = (uint16_t)sp_sql_int(q, 3);
    ret->sessions = (unsigned)sp_sql_int(q, 4);
    ret->free_bytes = sp_sql_u64(q, 5);
    ret->total_bytes = sp_sql_u64(q, 6);
    sp_sql_text(q, 7, ret->trouble, sizeof(ret->trouble));
out:
    sp_sql_free(q);
    sp_state_leave(s);
    return rc;
}
