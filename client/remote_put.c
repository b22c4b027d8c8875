/* Blocks until they are acknowledged. See remote_impl.h.
 *
 * A block is kept until the server says that it is durable. The session is given a copy when it is
 * about to be sent, and its queue is kept short: so one block more or less is all the memory beyond
 * the credit. */

#include <stdlib.h>
#include <string.h>

#include "base/spare.h"
#include "client/remote_impl.h"

static uint64_t
charge(size_t n)
{
    return n < SP_CHARGE_MIN ? SP_CHARGE_MIN : n;
}

void
sp_remote_lanes_init(struct remote *r)
{
    for (unsigned i = 0; i < LANES; i++)
        r->lanes[i].end = &r->lanes[i].first;
}

static void
block_free(struct put_block *b)
{
    if (b == NULL)
        return;
    sp_spare_free(b->bytes);
    free(b);
}

void
sp_remote_drop(struct remote *r, struct lane *l, struct put_block **at)
{
    struct put_block *b = *at;

    *at = b->next;
    if (l->end == &b->next)
        l->end = at;
    if (l->unsent == b)
        l->unsent = b->next;
    r->charged -= charge(b->n);
    block_free(b);
    if (r->waiting > 0)
        sp_cond_broadcast(&r->room);
}

void
sp_remote_lanes_clear(struct remote *r)
{
    for (unsigned i = 0; i < LANES; i++)
        while (r->lanes[i].first != NULL)
            sp_remote_drop(r, &r->lanes[i], &r->lanes[i].first);
}

void
sp_remote_lanes_rewind(struct remote *r)
{
    for (unsigned i = 0; i < LANES; i++) {
        r->lanes[i].unsent = r->lanes[i].first;
        r->lanes[i].acked = 0;
        r->lanes[i].sent_bytes = 0;
    }
}

/* --- putting ---------------------------------------------------------------------------------- */

/* What the repository itself would refuse, without asking it. */
static enum sp_code
check_block(const struct remote *r, const uint8_t *block, size_t n, struct sp_block_header *ret,
    struct sp_err *e)
{
    size_t length;
    enum sp_code rc;

    if ((rc = sp_block_length(block, n, &length, e)) != SP_OK ||
        (rc = sp_block_header_parse(block, n, ret, e)) != SP_OK)
        return rc;
    if (length != n)
        return sp_fail(
            e, SP_CORRUPT, SP_DOM_STORE, "a block of %zu bytes says that it has %zu", n, length);
    if (ret->kind == SP_BLOCK_RECORD)
        return sp_fail(e, SP_INVALID, SP_DOM_STORE, "records are committed, not put");
    if (r->o.has_group && memcmp(ret->group, r->o.group, sizeof(r->o.group)) != 0)
        return sp_fail(e, SP_REFUSED, SP_DOM_STORE, "the block is of another key group");
    return SP_OK;
}

/* With the lock. */
static enum sp_code
wait_for_room(struct remote *r, size_t n, struct sp_err *e)
{
    while (r->failed.code == SP_OK && r->charged > 0 &&
           r->charged + charge(n) > r->hello.server_hello.put_credit) {
        r->waiting++;
        sp_remote_wake(r); /* it may have to FLUSH */
        sp_cond_wait(&r->room, &r->lock);
        r->waiting--;
    }
    if (r->failed.code != SP_OK) {
        *e = r->failed;
        return e->code;
    }
    if (!r->hello.server_hello.writable)
        return sp_fail(e, SP_REFUSED, SP_DOM_STORE, "the server takes no backups: %s",
            r->hello.server_hello.reason[0] != '\0' ? r->hello.server_hello.reason
                                                    : "it is read-only");
    return SP_OK;
}

enum sp_code
sp_remote_put(struct sp_store *s, uint8_t *block, size_t n, struct sp_err *e)
{
    struct remote *r = remote_of(s);
    struct sp_block_header h;
    struct put_block *b = NULL;
    struct lane *l;
    enum sp_code rc;

    if ((rc = check_block(r, block, n, &h, e)) != SP_OK)
        goto out;
    if ((b = calloc(1, sizeof(*b))) == NULL) {
        rc = sp_fail_nomem(e);
        goto out;
    }
    sp_mutex_lock(&r->lock);
    if ((rc = wait_for_room(r, n, e)) == SP_OK) {
        l = &r->lanes[h.kind == SP_BLOCK_NODES ? LANE_NODES : LANE_DATA];
        *b = (struct put_block){
            .number = r->next_number++, .bytes = block, .n = n, .ids = h.ids, .nids = h.nids};
        *l->end = b;
        l->end = &b->next;
        if (l->unsent == NULL)
            l->unsent = b;
        r->charged += charge(n);
        block = NULL;
        b = NULL;
    }
    sp_mutex_unlock(&r->lock);
    if (rc == SP_OK)
        sp_remote_wake(r);
out:
    free(b);
    free(block);
    return sp_remote_done(r, rc, e);
}

enum sp_code
sp_remote_flush(struct sp_store *s, struct sp_err *e)
{
    struct remote *r = remote_of(s);
    struct call c;
    enum sp_code rc;

    sp_call_init(&c, SP_MSG_FLUSH);
    rc = sp_call_run(r, &c, e);
    sp_call_end(r, &c);
    return sp_remote_done(r, rc, e);
}

/* --- sending and acknowledgement -------------------------------------------------------------- */

struct put_block *
sp_remote_next_block(struct remote *r, unsigned *ret_lane)
{
    struct put_block *data = r->lanes[LANE_DATA].unsent, *nodes = r->lanes[LANE_NODES].unsent;
    bool second = data == NULL || (nodes != NULL && nodes->number < data->number);

    *ret_lane = second ? LANE_NODES : LANE_DATA;
    return second ? nodes : data;
}

enum sp_code
sp_remote_send_block(struct remote *r, unsigned lane, struct sp_err *e)
{
    struct lane *l = &r->lanes[lane];
    struct put_block *b = l->unsent;
    struct sp_session *s = sp_remote_session(r);
    uint8_t *copy;
    enum sp_code rc;

    if (s == NULL || !sp_session_put_fits(s, b->n))
        return sp_fail(e, SP_BUSY, SP_DOM_NET, "no credit");
    if ((copy = malloc(b->n)) == NULL)
        return sp_fail_nomem(e);
    memcpy(copy, b->bytes, b->n);
    if ((rc = sp_session_put(s, lane == LANE_NODES, copy, b->n, e)) != SP_OK) {
        free(copy);
        return rc;
    }
    b->tried = true;
    l->unsent = b->next;
    l->sent_bytes += b->n;
    return SP_OK;
}

void
sp_remote_acked(struct remote *r, uint64_t data, uint64_t nodes)
{
    uint64_t durable[LANES] = {[LANE_DATA] = data, [LANE_NODES] = nodes};

    for (unsigned i = 0; i < LANES; i++) {
        struct lane *l = &r->lanes[i];

        /* The session has checked that no more are acknowledged than were sent. */
        for (; l->acked < durable[i] && l->first != l->unsent; l->acked++) {
            l->sent_bytes -= l->first->n;
            sp_remote_drop(r, l, &l->first);
            sp_remote_forward(r);
        }
    }
}

bool
sp_remote_starved(struct remote *r)
{
    struct sp_session *s = sp_remote_session(r);
    unsigned lane;
    const struct put_block *b = sp_remote_next_block(r, &lane);

    if (s == NULL || r->state != REMOTE_LIVE)
        return false;
    return b != NULL ? !sp_session_put_fits(s, b->n) : r->waiting > 0;
}

bool
sp_remote_must_flush(const struct remote *r)
{
    uint64_t pack = r->repository.pack_size;

    for (const struct call *c = r->calls; c != NULL; c = c->next)
        if (c->sent && (c->msg.type == SP_MSG_FLUSH || c->msg.type == SP_MSG_COMMIT))
            return false;
    /* A full pack is acknowledged by itself (storage/repository.h, sp_upload_put). */
    return r->lanes[LANE_DATA].sent_bytes < pack && r->lanes[LANE_NODES].sent_bytes < pack / 4;
}
