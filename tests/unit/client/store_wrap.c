#include "tests/unit/client/store_wrap.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

const char *const wrap_names[WRAP_CALLS] = {"info", "host", "head", "have", "put", "commit", "get"};

static struct store_wrap *
self(struct sp_store *s)
{
    return (struct store_wrap *)s;
}

static enum sp_code
enter(struct store_wrap *w, enum wrap_call call, bool writes, struct sp_err *e)
{
    size_t nth;
    unsigned pause = 0;
    enum sp_code rc = SP_OK;

    sp_mutex_lock(&w->lock);
    nth = ++w->calls[call];
    if (w->delay_ms > 0) {
        w->random = w->random * UINT64_C(6364136223846793005) + 1442695040888963407u;
        pause = (unsigned)(w->random >> 40) % (w->delay_ms + 1);
    }
    sp_mutex_unlock(&w->lock);
    if (pause > 0)
        sp_sleep_ms(pause);
    if (w->before != NULL)
        w->before(w->arg, call, nth);
    sp_mutex_lock(&w->lock);
    if (writes && w->failed.code != SP_OK) {
        *e = w->failed;
        rc = e->code;
    } else if (w->fail_at != 0 && call == w->fail_call && nth == w->fail_at) {
        rc = sp_fail(
            e, w->fail_code, SP_DOM_STORE, "%s %zu was made to fail", wrap_names[call], nth);
        if (writes)
            w->failed = *e;
    }
    sp_mutex_unlock(&w->lock);
    return rc;
}

static enum sp_code
wrap_info(struct sp_store *s, struct sp_store_info *ret, struct sp_err *e)
{
    enum sp_code rc = enter(self(s), WRAP_INFO, false, e);

    return rc != SP_OK ? rc : sp_store_info(self(s)->below, ret, e);
}

static enum sp_code
wrap_host(
    struct sp_store *s, const uint8_t host[16], uint8_t **ret, size_t *ret_n, struct sp_err *e)
{
    enum sp_code rc = enter(self(s), WRAP_HOST, false, e);

    return rc != SP_OK ? rc : sp_store_host(self(s)->below, host, ret, ret_n, e);
}

static enum sp_code
wrap_head(struct sp_store *s, const char *job, struct sp_store_head *ret, struct sp_err *e)
{
    enum sp_code rc = enter(self(s), WRAP_HEAD, false, e);

    return rc != SP_OK ? rc : sp_store_head(self(s)->below, job, ret, e);
}

static enum sp_code
wrap_have(struct sp_store *s, bool nodes, const struct sp_id *ids, size_t n, uint8_t *ret_answers,
    struct sp_err *e)
{
    struct store_wrap *w = self(s);
    enum sp_code rc = enter(w, WRAP_HAVE, true, e);

    if (rc != SP_OK)
        return rc;
    sp_mutex_lock(&w->lock);
    w->ids_asked += n;
    sp_mutex_unlock(&w->lock);
    return sp_store_have(w->below, nodes, ids, n, ret_answers, e);
}

static enum sp_code
wrap_put(struct sp_store *s, uint8_t *block, size_t n, struct sp_err *e)
{
    struct store_wrap *w = self(s);
    enum sp_code rc = enter(w, WRAP_PUT, true, e);

    if (rc != SP_OK) {
        free(block);
        return rc;
    }
    sp_mutex_lock(&w->lock);
    w->bytes_put += n;
    sp_mutex_unlock(&w->lock);
    return sp_store_put(w->below, block, n, e);
}

static enum sp_code
wrap_flush(struct sp_store *s, struct sp_err *e)
{
    return sp_store_flush(self(s)->below, e);
}

static enum sp_code
wrap_commit(struct sp_store *s, enum sp_record_type type, const uint8_t *record, size_t n,
    struct sp_commit_result *ret, struct sp_err *e)
{
    enum sp_code rc = enter(self(s), WRAP_COMMIT, true, e);

    return rc != SP_OK ? rc : sp_store_commit(self(s)->below, type, record, n, ret, e);
}

static enum sp_code
wrap_complete(struct sp_store *s, const uint8_t *completion, size_t n, struct sp_err *e)
{
    return sp_store_complete(self(s)->below, completion, n, e);
}

static enum sp_code
wrap_get(struct sp_store *s, const struct sp_id *ids, size_t n, unsigned copy,
    sp_store_block_fn each, void *arg, struct sp_err *e)
{
    enum sp_code rc = enter(self(s), WRAP_GET, false, e);

    return rc != SP_OK ? rc : sp_store_get(self(s)->below, ids, n, copy, each, arg, e);
}

static enum sp_code
wrap_list(struct sp_store *s, bool all_hosts, bool checkpoints,
    enum sp_code (*each)(void *arg, const struct sp_set_info *i, struct sp_err *e), void *arg,
    struct sp_err *e)
{
    return sp_store_list(self(s)->below, all_hosts, checkpoints, each, arg, e);
}

static void
wrap_cancel(struct sp_store *s)
{
    sp_store_cancel(self(s)->below);
}

static const struct sp_store_ops ops = {
    .kind = "wrap",
    .info = wrap_info,
    .host = wrap_host,
    .head = wrap_head,
    .have = wrap_have,
    .put = wrap_put,
    .flush = wrap_flush,
    .commit = wrap_commit,
    .complete = wrap_complete,
    .get = wrap_get,
    .list = wrap_list,
    .cancel = wrap_cancel,
};

void
wrap_init(struct store_wrap *w, struct sp_store *below)
{
    memset(w, 0, sizeof(*w));
    w->store.ops = &ops;
    w->below = below;
    sp_mutex_init(&w->lock);
}

void
wrap_reset(struct store_wrap *w)
{
    struct sp_store *below = w->below;

    wrap_clear(w);
    wrap_init(w, below);
}

void
wrap_clear(struct store_wrap *w)
{
    sp_mutex_destroy(&w->lock);
}
