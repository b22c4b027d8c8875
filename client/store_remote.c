/* A server as a store: opening and freeing, the table of calls. See store_remote.h, remote_impl.h.
 */

#include "client/store_remote.h"

#include <stdlib.h>
#include <string.h>

#include "client/remote_impl.h"
#include "proto/cert.h"

#define CONNECT_MS 15000

/* --- failures --------------------------------------------------------------------------------- */

enum sp_code
sp_remote_ready(struct remote *r, struct sp_err *e)
{
    enum sp_code rc;

    sp_mutex_lock(&r->lock);
    if ((rc = r->failed.code) != SP_OK)
        *e = r->failed;
    sp_mutex_unlock(&r->lock);
    return rc;
}

enum sp_code
sp_remote_done(struct remote *r, enum sp_code rc, const struct sp_err *e)
{
    switch (rc) {
    case SP_IO:
    case SP_FULL:
    case SP_DENIED:
    case SP_AUTH:
    case SP_UNREACHABLE:
    case SP_TIMEOUT:
    case SP_NOMEM:
    case SP_PROTOCOL:
    case SP_INTERNAL:
        sp_mutex_lock(&r->lock);
        sp_remote_fail(r, e);
        sp_mutex_unlock(&r->lock);
        sp_remote_wake(r);
        break;
    default: /* an answer to a wrong question is no failure of the store */
        break;
    }
    return rc;
}

/* --- small calls ------------------------------------------------------------------------------ */

static enum sp_code
remote_info(struct sp_store *s, struct sp_store_info *ret, struct sp_err *e)
{
    struct remote *r = remote_of(s);
    struct sp_store_info info = {0};
    size_t n = strlen(r->address);
    enum sp_code rc;

    if ((rc = sp_remote_ready(r, e)) != SP_OK)
        return rc;
    memcpy(info.address, r->address, n < sizeof(info.address) ? n : sizeof(info.address) - 1);
    sp_mutex_lock(&r->lock);
    memcpy(info.repository, r->repository.id, sizeof(info.repository));
    info.split = r->repository.split;
    info.writable = r->hello.server_hello.writable;
    if (!info.writable)
        memcpy(info.why_not, r->hello.server_hello.reason, sizeof(info.why_not));
    sp_mutex_unlock(&r->lock);
    _Static_assert(sizeof(info.why_not) == SP_REASON_MAX + 1, "one limit");
    if (!info.writable && info.why_not[0] == '\0')
        strcpy(info.why_not, "the server is read-only");
    *ret = info;
    return SP_OK;
}

void
sp_store_remote_hello(struct sp_store *s, struct sp_remote_hello *ret)
{
    struct remote *r = remote_of(s);
    const struct sp_msg *m = &r->first_hello;

    memset(ret, 0, sizeof(*ret));
    ret->conf = r->conf;
    ret->conf_len = r->conf_len;
    memcpy(ret->host, m->server_hello.host, sizeof(ret->host));
    ret->host_name = m->server_hello.host_name;
    ret->has_group = m->server_hello.has_group;
    memcpy(ret->group, m->server_hello.group, sizeof(ret->group));
}

static void
remote_cancel(struct sp_store *s)
{
    struct remote *r = remote_of(s);
    struct sp_err e = {0};

    (void)sp_fail(&e, SP_CANCELLED, SP_DOM_NONE, "interrupted");
    sp_mutex_lock(&r->lock);
    sp_remote_fail(r, &e);
    sp_mutex_unlock(&r->lock);
    sp_remote_wake(r);
}

void
sp_store_remote_cut(struct sp_store *s)
{
    struct remote *r = remote_of(s);

    sp_mutex_lock(&r->lock);
    r->cut = true;
    sp_mutex_unlock(&r->lock);
    sp_remote_wake(r);
}

/* --- opening ---------------------------------------------------------------------------------- */

static void
remote_free(struct sp_store *s)
{
    struct remote *r = remote_of(s);

    sp_remote_stop(r);
    while (r->spent != NULL) {
        struct item *it = r->spent;

        r->spent = it->next;
        free(it);
    }
    sp_remote_lanes_clear(r);
    sp_tls_context_free(r->tls);
    sp_pem_free(r->tls_key);
    sp_pem_free(r->tls_chain);
    free(r->conf);
    free(r->address);
    sp_cond_destroy(&r->room);
    sp_cond_destroy(&r->changed);
    sp_mutex_destroy(&r->lock);
    free(r);
}

static const struct sp_store_ops ops = {
    .kind = "server",
    .info = remote_info,
    .slots = sp_remote_slots,
    .put_slot = sp_remote_put_slot,
    .host = sp_remote_host,
    .head = sp_remote_head,
    .have = sp_remote_have,
    .put = sp_remote_put,
    .flush = sp_remote_flush,
    .commit = sp_remote_commit,
    .complete = sp_remote_complete,
    .get = sp_remote_get,
    .list = sp_remote_list,
    .missing = sp_remote_missing,
    .check = sp_remote_check,
    .cancel = remote_cancel,
    .free = remote_free,
};

static enum sp_code
keep_options(struct remote *r, const struct sp_remote_options *o, struct sp_err *e)
{
    static const char scheme[] = "stillpoint://";
    char host[256];
    uint16_t port;
    size_t n;

    r->o = *o;
    r->o.address = r->o.tls_key = r->o.tls_chain = r->o.tls_authority = NULL;
    if (r->o.connect_ms == 0)
        r->o.connect_ms = CONNECT_MS;
    if ((r->address = strdup(o->address)) == NULL || (r->tls_key = strdup(o->tls_key)) == NULL ||
        (r->tls_chain = strdup(o->tls_chain)) == NULL)
        return sp_fail_nomem(e);
    if (strncmp(r->address, scheme, sizeof(scheme) - 1) != 0) {
        r->target = r->address;
    } else {
        r->target = r->address + sizeof(scheme) - 1;
        n = strlen(r->target);
        if (n > 0 && r->target[n - 1] == '/')
            r->address[strlen(r->address) - 1] = '\0';
    }
    return sp_address_parse(r->target, host, &port, e);
}

static enum sp_code
wait_for_hello(struct remote *r, struct sp_err *e)
{
    enum sp_code rc;

    sp_mutex_lock(&r->lock);
    while (r->failed.code == SP_OK && !r->opened)
        sp_cond_wait(&r->changed, &r->lock);
    if ((rc = r->failed.code) != SP_OK)
        *e = r->failed;
    sp_mutex_unlock(&r->lock);
    return rc;
}

enum sp_code
sp_remote_open_paced(const struct sp_env *env, const struct sp_remote_options *o,
    const struct remote_pace *pace, struct sp_store **ret, struct sp_err *e)
{
    struct remote *r = calloc(1, sizeof(*r));
    enum sp_code rc;

    if (r == NULL)
        return sp_fail_nomem(e);
    r->head.ops = &ops;
    r->env = env;
    r->pace = *pace;
    r->pause_ms = pace->first_ms;
    r->calls_end = &r->calls;
    sp_remote_lanes_init(r);
    sp_mutex_init(&r->lock);
    sp_cond_init(&r->changed);
    sp_cond_init(&r->room);
    if ((rc = keep_options(r, o, e)) != SP_OK ||
        (rc = sp_remote_tls(r, r->tls_key, r->tls_chain, &r->tls, e)) != SP_OK ||
        (rc = sp_remote_start(r, e)) != SP_OK || (rc = wait_for_hello(r, e)) != SP_OK ||
        (rc = sp_remote_renew(r, e)) != SP_OK) {
        remote_free(&r->head);
        return rc;
    }
    sp_mutex_lock(&r->lock);
    r->first_hello = r->hello;
    sp_mutex_unlock(&r->lock);
    *ret = &r->head;
    return SP_OK;
}

enum sp_code
sp_store_remote_open(const struct sp_env *env, const struct sp_remote_options *o,
    struct sp_store **ret, struct sp_err *e)
{
    static const struct remote_pace pace = {
        .first_ms = 1000, .longest_ms = 60000, .starved_ms = 5000};

    return sp_remote_open_paced(env, o, &pace, ret, e);
}
