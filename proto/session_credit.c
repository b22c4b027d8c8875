/* Credit both ways: see session.h and docs/protocol.md §5. */

#include "proto/session_impl.h"

#include <stdlib.h>
#include <string.h>

uint32_t
sp_session_charge(size_t payload_len)
{
    if (payload_len > SP_PAYLOAD_MAX)
        return SP_PAYLOAD_MAX;
    return payload_len < SP_CHARGE_MIN ? SP_CHARGE_MIN : (uint32_t)payload_len;
}

/* --- puts ---------------------------------------------------------------------------------- */

static enum sp_code
charges_push(struct charges *c, uint32_t charge, struct sp_err *e)
{
    if (c->n == c->cap) {
        size_t cap = c->cap > 0 ? 2 * c->cap : 64;
        uint32_t *ring = malloc(cap * sizeof(*ring));

        if (ring == NULL)
            return sp_fail_nomem(e);
        for (size_t i = 0; i < c->n; i++)
            ring[i] = c->ring[(c->first + i) & (c->cap - 1)];
        free(c->ring);
        c->ring = ring;
        c->cap = cap;
        c->first = 0;
    }
    c->ring[(c->first + c->n) & (c->cap - 1)] = charge;
    c->n++;
    c->put++;
    return SP_OK;
}

static uint32_t
charges_pop(struct charges *c)
{
    uint32_t charge = c->ring[c->first];

    c->first = (c->first + 1) & (c->cap - 1);
    c->n--;
    return charge;
}

void
sp_session_free_charges(struct sp_session *s)
{
    for (unsigned kind = 0; kind < 2; kind++) {
        free(s->charges[kind].ring);
        memset(&s->charges[kind], 0, sizeof(s->charges[kind]));
    }
}

/* Takes the credit for a put that is there. The ring stays small: every charge is at least
 * SP_CHARGE_MIN, and all together are at most SP_PUT_CREDIT_MAX. */
enum sp_code
sp_session_charge_put(struct sp_session *s, bool nodes, size_t n, struct sp_err *e)
{
    uint32_t charge = sp_session_charge(n);
    enum sp_code rc;

    if (s->role == SP_ROLE_CLIENT)
        s->charges[nodes].put++; /* the server says how much comes back */
    else if ((rc = charges_push(&s->charges[nodes], charge, e)) != SP_OK)
        return rc;
    s->put_credit -= charge;
    return SP_OK;
}

enum sp_code
sp_session_release(
    struct sp_session *s, uint64_t data, uint64_t nodes, uint32_t *ret_credit, struct sp_err *e)
{
    uint64_t durable[2] = {data, nodes}, credit = 0;

    for (unsigned kind = 0; kind < 2; kind++)
        if (durable[kind] < s->durable[kind] || durable[kind] > s->charges[kind].put)
            return sp_fail(e, SP_INTERNAL, SP_DOM_SELF,
                "an acknowledgement of %llu blocks after one of %llu, with %llu put",
                (unsigned long long)durable[kind], (unsigned long long)s->durable[kind],
                (unsigned long long)s->charges[kind].put);
    for (unsigned kind = 0; kind < 2; kind++)
        for (; s->durable[kind] < durable[kind]; s->durable[kind]++)
            credit += charges_pop(&s->charges[kind]);
    if (s->puts_failed)
        credit = 0;
    s->put_credit += credit;
    *ret_credit = (uint32_t)credit; /* no more than was granted: SP_PUT_CREDIT_MAX */
    return SP_OK;
}

bool
sp_session_put_fits(const struct sp_session *s, size_t n)
{
    return n <= SP_BLOCK_MAX && sp_session_charge(n) <= s->put_credit;
}

/* --- streamed replies ---------------------------------------------------------------------- */

bool
sp_session_reply_fits(const struct sp_session *s, size_t payload_len)
{
    return sp_session_charge(payload_len) <= s->reply_credit;
}

enum sp_code
sp_session_consumed(struct sp_session *s, size_t payload_len, struct sp_err *e)
{
    struct sp_msg m = {.type = SP_MSG_CREDIT};
    uint64_t charge = sp_session_charge(payload_len);
    enum sp_code rc;

    if (charge > s->reply_held)
        return sp_fail(e, SP_INTERNAL, SP_DOM_SELF, "an item was done with twice");
    s->reply_held -= charge;
    s->reply_back += charge;
    /* An eighth held back leaves enough for the longest item, and spares most Credit frames. */
    if (s->reply_back < s->reply_window / 8 || s->state != SESSION_READY)
        return SP_OK;
    m.credit.bytes = (uint32_t)s->reply_back;
    if ((rc = sp_session_queue(s, &m, NULL, 0, e)) != SP_OK)
        return rc;
    s->reply_credit += s->reply_back;
    s->reply_back = 0;
    return SP_OK;
}
