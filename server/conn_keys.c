/* What changes who is who: key slots, host records, certificates, enrolment. On worker threads. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "server/conn.h"
#include "storage/keys.h"

#define SLOTS_MAX                                                                                  \
    1024 /* of a key group: all of them go into the trailer of every pack of nodes                 \
          */

static enum sp_code
sync_repository(struct sp_conn *c, struct sp_err *e)
{
    return sp_backend_sync(sp_repository_backend(c->server->repository), e);
}

/* --- key slots and host records
 * --------------------------------------------------------------------- */

static enum sp_code
count_slot(void *arg, const uint8_t *slot, size_t n, struct sp_err *e)
{
    size_t *count = arg;

    (void)slot;
    (void)n;
    (void)e;
    ++*count;
    return SP_OK;
}

static enum sp_code
put_slot(struct sp_conn *c, struct conn_job *j, struct sp_err *e)
{
    struct sp_slot_info info;
    size_t count = 0;
    int64_t seen_ns;
    enum sp_code rc;

    if (sp_slot_parse(j->payload, j->n, &info, e) != SP_OK)
        return sp_fail(e, SP_INVALID, SP_DOM_STORE, "the key slot is none");
    if (memcmp(info.group, c->group, sizeof(c->group)) != 0)
        return sp_fail(
            e, SP_DENIED, SP_DOM_STORE, "a host adds key slots to its own key group only");
    if ((rc = sp_repository_slots(c->server->repository, c->group, count_slot, &count, e)) != SP_OK)
        return rc;
    if (count >= SLOTS_MAX)
        return sp_fail(
            e, SP_REFUSED, SP_DOM_STORE, "the key group has %zu slots; that is enough", count);
    /* Its seven days begin before it is there. */
    if (info.kind == SP_SLOT_INVITATION &&
        (rc = sp_state_invitation(c->server->state, info.id, info.group,
             sp_clock_wall(c->server->env->clock), &seen_ns, e)) != SP_OK)
        return rc;
    if ((rc = sp_repository_put_slot(c->server->repository, j->payload, j->n, e)) != SP_OK ||
        (rc = sync_repository(c, e)) != SP_OK)
        return rc;
    j->reply.type = SP_MSG_DONE;
    return SP_OK;
}

/* No key goes away by a new record: it signed sets that are there. */
static enum sp_code
keeps_keys(const struct sp_host *old, const struct sp_host *record, struct sp_err *e)
{
    for (size_t i = 0; i < old->nkeys; i++) {
        bool kept = false;

        for (size_t k = 0; k < record->nkeys && !kept; k++)
            kept = memcmp(old->keys[i], record->keys[k], sizeof(old->keys[i])) == 0;
        if (!kept)
            return sp_fail(
                e, SP_REFUSED, SP_DOM_STORE, "the new host record lacks a key of the one before");
    }
    return SP_OK;
}

static enum sp_code
put_host(struct sp_conn *c, struct conn_job *j, struct sp_err *e)
{
    struct sp_host record, old;
    uint8_t *p = NULL;
    size_t n;
    enum sp_code rc;

    if ((rc = sp_enroll_check_record(j->payload, j->n, c->host, c->group, &record, e)) != SP_OK)
        return rc;
    rc = sp_repository_host(c->server->repository, c->host, &p, &n, e);
    if (rc == SP_OK) {
        if ((rc = sp_host_decode(p, n, NULL, &old, e)) == SP_OK)
            rc = keeps_keys(&old, &record, e);
        free(p);
    } else if (rc == SP_ABSENT) {
        rc = SP_OK;
    }
    if (rc != SP_OK ||
        (rc = sp_repository_put_host(c->server->repository, j->payload, j->n, e)) != SP_OK ||
        (rc = sync_repository(c, e)) != SP_OK)
        return rc;
    sp_err_clear(e);
    j->reply.type = SP_MSG_DONE;
    return SP_OK;
}

/* --- certificates
 * ----------------------------------------------------------------------------------- */

static enum sp_code
renew(struct sp_conn *c, struct conn_job *j, struct sp_err *e)
{
    enum sp_code rc;

    rc = sp_enroll_renew(
        c->server->enroller, c->host, j->payload, j->n, &j->reply_payload, &j->reply_n, e);
    if (rc != SP_OK)
        return rc;
    j->reply.type = SP_MSG_RENEW_REPLY;
    (void)snprintf(j->note, sizeof(j->note), "certificate renewed");
    return sp_server_load_roster(c->server, &j->roster, e);
}

static enum sp_code
enroll(struct sp_conn *c, struct conn_job *j, struct sp_err *e)
{
    return sp_enroll_begin(c->server->enroller, &j->msg, j->payload, j->n, &c->enrolling, &j->reply,
        &j->reply_payload, &j->reply_n, e);
}

static enum sp_code
enroll_end(struct sp_conn *c, struct conn_job *j, struct sp_err *e)
{
    struct sp_enrolling *g = &c->enrolling;
    struct sp_err ignored = {0};
    enum sp_code rc;

    rc = sp_enroll_end(c->server->enroller, g, &j->msg, j->payload, j->n, e);
    if (rc != SP_OK)
        return rc;
    j->reply.type = SP_MSG_DONE;
    (void)snprintf(j->note, sizeof(j->note), "host %s enrolled as %s%s", g->name,
        sp_hex16(g->e.host).s, g->e.replaces ? ", by a new machine" : "");
    (void)sp_state_event(c->server->state, g->e.host, "enrolled", j->note,
        sp_clock_wall(c->server->env->clock), &ignored);
    return sp_server_load_roster(c->server, &j->roster, e);
}

enum sp_code
sp_conn_run_keys(struct sp_conn *c, struct conn_job *j, struct sp_err *e)
{
    switch (j->type) {
    case SP_MSG_PUT_SLOT:
        return put_slot(c, j, e);
    case SP_MSG_HOST_PUT:
        return put_host(c, j, e);
    case SP_MSG_RENEW:
        return renew(c, j, e);
    case SP_MSG_ENROLL:
        return enroll(c, j, e);
    default:
        return enroll_end(c, j, e);
    }
}
