/* LANE_WRITE: what stores, and the beginning and the end of a session. On worker threads, one job
 * of a connection at a time. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "server/conn.h"
#include "storage/block.h"
#include "storage/record.h"

static enum sp_code
ensure_upload(struct sp_conn *c, struct sp_err *e)
{
    if (c->upload != NULL)
        return SP_OK;
    return sp_upload_new(c->server->repository, c->host, c->group, &c->upload, e);
}

static int64_t
now(const struct sp_conn *c)
{
    return sp_clock_wall(c->server->env->clock);
}

/* Adds to the state what this session stored since the last time. What cannot be written now is
 * written next time; the number is for quotas and people, not for correctness. */
static void
tell_bytes(struct sp_conn *c)
{
    struct sp_err ignored = {0};

    if (c->unsaid_bytes > 0 &&
        sp_state_host_used(c->server->state, c->host, c->unsaid_bytes, now(c), &ignored) == SP_OK)
        c->unsaid_bytes = 0;
}

/* --- put
 * -------------------------------------------------------------------------------------------- */

static enum sp_code
check_put(struct sp_conn *c, const struct conn_job *j, struct sp_err *e)
{
    uint64_t quota = c->server->home.config.host_quota;
    struct sp_block_header h;
    enum sp_code rc;

    if ((rc = sp_block_header_parse(j->payload, j->n, &h, e)) != SP_OK)
        return rc;
    /* The two counters of acknowledgements are kept by what the message says. */
    if ((h.kind == SP_BLOCK_NODES) != j->msg.put.nodes)
        return sp_fail(
            e, SP_INVALID, SP_DOM_NET, "a block's kind is not what the message with it says");
    if (quota != 0 && c->stored_bytes + j->n > quota)
        return sp_fail(e, SP_FULL, SP_DOM_STORE,
            "host %s has stored %s, all that the server's administrator allows it", c->host_name,
            sp_text_bytes(quota).s);
    return SP_OK;
}

enum sp_code
sp_conn_run_put(struct sp_conn *c, struct conn_job *j, struct sp_err *e)
{
    enum sp_code rc;

    if (c->puts_failed) /* the client was told with the first */
        return SP_OK;
    if ((rc = check_put(c, j, e)) != SP_OK || (rc = ensure_upload(c, e)) != SP_OK ||
        (rc = sp_upload_put(c->upload, j->payload, j->n, &j->durable, e)) != SP_OK) {
        c->puts_failed = true;
        return rc;
    }
    j->has_durable = true;
    c->stored_bytes += j->n;
    c->unsaid_bytes += j->n;
    return SP_OK;
}

/* --- have and flush
 * --------------------------------------------------------------------------------- */

_Static_assert(sizeof(struct sp_id) == 32 && _Alignof(struct sp_id) == 1,
    "an array of ids is the bytes of the ids");

enum sp_code
sp_conn_run_have(struct sp_conn *c, struct conn_job *j, struct sp_err *e)
{
    size_t n = j->n / sizeof(struct sp_id);
    uint8_t *answers;
    enum sp_code rc;

    if ((rc = ensure_upload(c, e)) != SP_OK)
        return rc;
    if ((answers = malloc(n)) == NULL)
        return sp_fail_nomem(e);
    rc = sp_upload_have(
        c->upload, j->msg.have.nodes, (const struct sp_id *)j->payload, n, answers, e);
    if (rc != SP_OK) {
        free(answers);
        return rc;
    }
    j->reply.type = SP_MSG_HAVE_REPLY;
    j->reply_payload = answers;
    j->reply_n = n;
    return SP_OK;
}

static enum sp_code
flush(struct sp_conn *c, struct conn_job *j, struct sp_err *e)
{
    enum sp_code rc;

    if (c->upload == NULL) {
        memset(&j->durable, 0, sizeof(j->durable));
    } else if ((rc = sp_upload_flush(c->upload, &j->durable, e)) != SP_OK) {
        c->puts_failed = true;
        return rc;
    }
    j->has_durable = true;
    tell_bytes(c);
    return SP_OK;
}

enum sp_code
sp_conn_run_flush(struct sp_conn *c, struct conn_job *j, struct sp_err *e)
{
    enum sp_code rc = flush(c, j, e);

    j->reply.type = SP_MSG_FLUSHED;
    j->reply.ack.data = j->durable.data;
    j->reply.ack.nodes = j->durable.nodes;
    return rc;
}

/* --- commit
 * ----------------------------------------------------------------------------------------- */

/* A line for people; the record says the rest. */
static void
note_run(struct sp_conn *c, struct conn_job *j, int64_t published_ns)
{
    struct sp_state_run run = {.published_ns = published_ns};
    struct sp_err e = {0};
    struct sp_set set;

    if (sp_set_record_decode(j->payload, j->n, &set, &e) != SP_OK || set.state == SP_SET_CHECKPOINT)
        return;
    memcpy(run.host, c->host, sizeof(run.host));
    memcpy(run.set_id, set.set_id, sizeof(run.set_id));
    memcpy(run.job, set.job, sizeof(run.job));
    run.sequence = set.sequence;
    run.files = set.files;
    run.bytes = set.bytes;
    run.bytes_new = set.bytes_stored;
    run.started_ns = set.started_ns;
    run.complete = set.state == SP_SET_COMPLETE;
    if (sp_state_run_add(c->server->state, &run, &e) != SP_OK)
        (void)snprintf(
            j->note, sizeof(j->note), "the set is safe, but not in the state: %.200s", e.text);
    else
        (void)snprintf(j->note, sizeof(j->note), "set %s, number %llu of job %.100s, %s",
            sp_hex8(set.set_id).s, (unsigned long long)set.sequence, set.job,
            run.complete ? "complete" : "incomplete");
}

enum sp_code
sp_conn_run_commit(struct sp_conn *c, struct conn_job *j, struct sp_err *e)
{
    struct sp_commit_result result;
    enum sp_code rc;

    memset(&result, 0, sizeof(result));
    /* The loop hears of a revocation within a second; a set is not added even then. */
    if ((rc = sp_state_host_active(c->server->state, c->host, e)) != SP_OK ||
        (rc = ensure_upload(c, e)) != SP_OK || (rc = flush(c, j, e)) != SP_OK ||
        (rc = sp_upload_commit(c->upload, (enum sp_record_type)j->msg.commit.type, j->payload, j->n,
             &result, e)) != SP_OK)
        return rc;
    j->reply.type = SP_MSG_COMMIT_REPLY;
    j->reply.commit_reply.published_ns = result.nmissing > 0 ? 0 : result.published_ns;
    j->reply.commit_reply.more = result.missing_more;
    j->reply_payload = (uint8_t *)result.missing;
    j->reply_n = result.nmissing * sizeof(struct sp_id);
    if (result.nmissing == 0)
        note_run(c, j, result.published_ns);
    return SP_OK;
}

/* A set that VSS took part in is completed right after its commit. */
enum sp_code
sp_conn_run_complete(struct sp_conn *c, struct conn_job *j, struct sp_err *e)
{
    struct sp_completion completion;
    enum sp_code rc;

    if ((rc = sp_state_host_active(c->server->state, c->host, e)) != SP_OK ||
        (rc = ensure_upload(c, e)) != SP_OK ||
        (rc = sp_upload_complete(c->upload, j->payload, j->n, e)) != SP_OK)
        return rc;
    j->reply.type = SP_MSG_DONE;
    if (sp_completion_decode(j->payload, j->n, &completion, e) == SP_OK)
        (void)snprintf(j->note, sizeof(j->note), "set %s completed, applications: %s",
            sp_hex8(completion.set_id).s, sp_level_word(completion.applications));
    return SP_OK;
}

/* --- beginning and end
 * ------------------------------------------------------------------------------ */

/* That a session began, and when the host was here last, is for people: a full disk below the state
 * keeps nobody from restoring. */
static enum sp_code
tell_begin(struct sp_conn *c, struct conn_job *j, struct sp_err *e)
{
    enum sp_code rc = sp_state_session_begin(
        c->server->state, c->host, c->address, c->program, now(c), &c->session_id, e);

    if (rc == SP_OK)
        rc = sp_state_host_used(c->server->state, c->host, 0, now(c), e);
    if (rc != SP_FULL)
        return rc;
    (void)snprintf(j->note, sizeof(j->note), "not in the state: %.200s", e->text);
    sp_err_clear(e);
    return SP_OK;
}

enum sp_code
sp_conn_run_begin(struct sp_conn *c, struct conn_job *j, struct sp_err *e)
{
    struct sp_state_host host;
    enum sp_code rc;

    if ((rc = sp_state_host_active(c->server->state, c->host, e)) != SP_OK ||
        (rc = sp_state_host(c->server->state, c->host, &host, e)) != SP_OK ||
        (rc = tell_begin(c, j, e)) != SP_OK)
        return rc;
    c->stored_bytes = host.bytes;
    return SP_OK;
}

enum sp_code
sp_conn_run_end(struct sp_conn *c, struct conn_job *j, struct sp_err *e)
{
    const char *outcome = c->outcome.code == SP_OK ? "ended in order" : c->outcome.text;

    (void)j;
    sp_upload_free(c->upload); /* makes durable what came: the next run finds it */
    c->upload = NULL;
    tell_bytes(c);
    if (c->session_id == 0)
        return SP_OK;
    return sp_state_session_end(
        c->server->state, c->session_id, outcome, c->bytes_in, c->bytes_out, now(c), e);
}
