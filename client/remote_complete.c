/* The completion of a set, also when its answer was lost. See remote_impl.h.
 *
 * After a cut it is sent again: the very same completion being there already is success
 * (storage/store.h). */

#include "client/remote_impl.h"
#include "storage/record.h"

static enum sp_code
known_to_server(struct remote *r, struct sp_err *e)
{
    bool known;

    sp_mutex_lock(&r->lock);
    known = sp_features_have(&r->hello.server_hello.features, SP_FEATURE_COMPLETIONS);
    sp_mutex_unlock(&r->lock);
    return known ? SP_OK
                 : sp_fail(e, SP_UNSUPPORTED, SP_DOM_STORE,
                       "the server is older than this client and cannot take what the writers said "
                       "after "
                       "the set was stored: the set's consistency stays unconfirmed; upgrade "
                       "stillpointd");
}

static enum sp_code
ask_once(struct remote *r, const uint8_t *completion, size_t n, bool *ret_lost, struct sp_err *e)
{
    struct call c;
    enum sp_code rc;

    sp_call_init(&c, SP_MSG_COMPLETE);
    c.body = completion;
    c.body_len = n;
    c.once = true;
    rc = sp_call_run(r, &c, e);
    *ret_lost = rc == SP_OK && c.lost;
    sp_call_end(r, &c);
    return rc;
}

static enum sp_code
complete(struct remote *r, const uint8_t *completion, size_t n, struct sp_err *e)
{
    unsigned lost = 0;
    bool cut = false;
    enum sp_code rc;

    do {
        if ((rc = known_to_server(r, e)) != SP_OK ||
            (rc = ask_once(r, completion, n, &cut, e)) != SP_OK)
            return rc;
    } while (cut && ++lost <= SP_REMOTE_LOST_MAX);
    return cut ? sp_fail(e, SP_UNREACHABLE, SP_DOM_NET,
                     "the connection was lost %u times before the server answered to the "
                     "completion",
                     lost)
               : SP_OK;
}

enum sp_code
sp_remote_complete(struct sp_store *s, const uint8_t *completion, size_t n, struct sp_err *e)
{
    struct remote *r = remote_of(s);
    struct sp_completion clear;
    enum sp_code rc;

    if ((rc = sp_remote_ready(r, e)) != SP_OK ||
        (rc = sp_completion_decode(completion, n, &clear, e)) != SP_OK)
        return rc;
    return sp_remote_done(r, complete(r, completion, n, e), e);
}
