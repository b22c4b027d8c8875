/* A commit, also when its answer was lost. See remote_impl.h.
 *
 * A cut between the commit and its answer leaves open whether it happened. Then the server is asked
 * for the head of the job: when that is our record, it did, and the list says when it was
 * published; when not, it is committed again. A commit of the old connection may still be at work
 * while the new one asks, and win: so a refusal after a cut is doubted once more in the same way.
 */

#include <string.h>

#include "client/remote_impl.h"
#include "storage/record.h"

struct committing {
    struct remote *r;
    enum sp_record_type type;
    const uint8_t *record;
    size_t n;
    struct sp_set clear;
    uint8_t hash[32];
};

static enum sp_code
ask_once(struct committing *k, struct sp_commit_result *ret, bool *ret_lost, struct sp_err *e)
{
    struct sp_commit_result out = {0};
    struct call c;
    enum sp_code rc;

    sp_call_init(&c, SP_MSG_COMMIT);
    c.msg.commit.type = (uint32_t)k->type;
    c.body = k->record;
    c.body_len = k->n;
    c.once = true;
    rc = sp_call_run(k->r, &c, e);
    *ret_lost = rc == SP_OK && c.lost;
    if (rc == SP_OK && !c.lost &&
        (rc = sp_remote_ids(
             c.answer.payload, c.answer.payload_len, &out.missing, &out.nmissing, e)) == SP_OK) {
        out.published_ns = c.answer.msg.commit_reply.published_ns;
        out.missing_more = c.answer.msg.commit_reply.more;
        *ret = out;
    }
    sp_call_end(k->r, &c);
    return rc;
}

static enum sp_code
is_head(struct committing *k, bool *ret, struct sp_err *e)
{
    struct sp_store_head h = {0};
    uint8_t hash[32];
    enum sp_code rc;

    if ((rc = sp_remote_head(&k->r->head, k->clear.job, &h, e)) != SP_OK)
        return rc;
    *ret = false;
    if (k->type == SP_RECORD_SET)
        *ret = h.has_set && memcmp(h.set_hash, k->hash, 32) == 0;
    else if (h.has_checkpoint &&
             (rc = sp_record_hash(h.checkpoint, h.checkpoint_len, hash, e)) == SP_OK)
        *ret = memcmp(hash, k->hash, 32) == 0;
    sp_store_head_clear(&h);
    return rc;
}

struct finding_time {
    const struct committing *k;
    int64_t published_ns;
};

static enum sp_code
find_time(void *arg, const struct sp_set_info *i, struct sp_err *e)
{
    struct finding_time *f = arg;

    if (i->type != f->k->type || memcmp(i->set_id, f->k->clear.set_id, 16) != 0)
        return SP_OK;
    f->published_ns = i->published_ns;
    return sp_fail(e, SP_EXISTS, SP_DOM_NONE, "found"); /* ends the list */
}

static enum sp_code
when_published(struct committing *k, int64_t *ret, struct sp_err *e)
{
    /* The server's head was this set a moment ago; should it be gone from the list, the time is
     * ours. */
    struct finding_time f = {k, k->clear.ended_ns};
    struct sp_err ended = {0};
    enum sp_code rc =
        sp_remote_list(&k->r->head, false, k->type == SP_RECORD_CHECKPOINT, find_time, &f, &ended);

    if (rc != SP_OK && rc != SP_EXISTS) {
        *e = ended;
        return rc;
    }
    *ret = f.published_ns;
    return SP_OK;
}

static enum sp_code
commit(struct committing *k, struct sp_commit_result *ret, struct sp_err *e)
{
    struct sp_err answer = {0};
    unsigned lost = 0;
    enum sp_code rc;

    for (;;) {
        bool cut = false, ours = false;

        rc = ask_once(k, ret, &cut, &answer);
        if (!cut && !(rc == SP_REFUSED && lost > 0)) {
            if (rc != SP_OK)
                *e = answer;
            return rc;
        }
        if (cut && ++lost > SP_REMOTE_LOST_MAX)
            return sp_fail(e, SP_UNREACHABLE, SP_DOM_NET,
                "the connection was lost %u times before the server answered to the commit", lost);
        if ((rc = is_head(k, &ours, e)) != SP_OK)
            return rc;
        if (ours) {
            struct sp_commit_result out = {0};

            if ((rc = when_published(k, &out.published_ns, e)) == SP_OK)
                *ret = out;
            return rc;
        }
        if (!cut) {
            *e = answer;
            return SP_REFUSED;
        }
    }
}

enum sp_code
sp_remote_commit(struct sp_store *s, enum sp_record_type type, const uint8_t *record, size_t n,
    struct sp_commit_result *ret, struct sp_err *e)
{
    struct committing k = {.r = remote_of(s), .type = type, .record = record, .n = n};
    enum sp_code rc;

    if ((rc = sp_remote_ready(k.r, e)) != SP_OK)
        return rc;
    if ((rc = sp_set_record_decode(record, n, &k.clear, e)) != SP_OK)
        return rc;
    if ((rc = sp_record_hash(record, n, k.hash, e)) != SP_OK)
        return rc;
    return sp_remote_done(k.r, commit(&k, ret, e), e);
}
