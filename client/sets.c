#include "client/sets.h"

#include <stdlib.h>
#include <string.h>

struct known_host {
    struct sp_host host; /* id alone while `asked` is false */
    bool asked, found, foreign;
};

struct listing {
    struct sp_opened_store *o;
    const char *job;
    struct known_host *hosts;
    size_t nhosts, nunknown;
    struct sp_sets out;
};

static struct known_host *
find_host(struct listing *l, const uint8_t id[16])
{
    size_t i;

    for (i = 0; i < l->nhosts; i++) {
        if (memcmp(l->hosts[i].host.id, id, 16) == 0)
            return &l->hosts[i];
    }
    return NULL;
}

static enum sp_code
add_host(struct listing *l, const uint8_t id[16], struct sp_err *e)
{
    struct known_host *more = realloc(l->hosts, (l->nhosts + 1) * sizeof(*more));

    if (more == NULL)
        return sp_fail_nomem(e);
    l->hosts = more;
    memset(&more[l->nhosts], 0, sizeof(*more));
    memcpy(more[l->nhosts++].host.id, id, 16);
    l->nunknown++;
    return SP_OK;
}

/* Outside of the listing: a store may not be asked from within its own callback. */
static enum sp_code
ask_hosts(struct listing *l, struct sp_err *e)
{
    struct sp_err why = {0};
    struct known_host *h;
    uint8_t id[16], *p = NULL;
    size_t i, n = 0;
    enum sp_code rc;

    for (i = 0; i < l->nhosts; i++) {
        h = &l->hosts[i];
        if (h->asked)
            continue;
        h->asked = true;
        memcpy(id, h->host.id, 16);
        rc = sp_store_host(l->o->store, id, &p, &n, &why);
        if (rc != SP_OK && rc != SP_ABSENT && rc != SP_CORRUPT) {
            *e = why;
            return rc;
        }
        if (rc != SP_OK)
            continue;
        rc = l->o->keys != NULL ? sp_host_decode(p, n, l->o->keys, &h->host, &why) : SP_AUTH;
        h->found = rc == SP_OK;
        if (rc != SP_OK && !sp_code_is_ours(rc))
            rc = sp_host_decode(p, n, NULL, &h->host, &why);
        if (sp_code_is_ours(rc)) {
            free(p);
            *e = why;
            return rc;
        }
        if (rc == SP_OK && !h->found)
            h->found = h->foreign =
                l->o->keys == NULL || memcmp(h->host.group, sp_keys_group(l->o->keys), 16) != 0;
        if (memcmp(h->host.id, id, 16) != 0)
            h->found = false;
        memcpy(h->host.id, id, 16);
        free(p);
        p = NULL;
    }
    l->nunknown = 0;
    return SP_OK;
}

static enum sp_code
take(void *arg, const struct sp_set_info *i, struct sp_err *e)
{
    struct listing *l = arg;
    struct sp_listed *more, *to;
    struct known_host *h;
    struct sp_set set;
    struct sp_completion completion;
    struct sp_err why = {0};
    enum sp_code rc;

    rc = sp_set_record_decode(i->record, i->record_len, &set, &why);
    if (sp_code_is_ours(rc)) {
        *e = why;
        return rc;
    }
    /* Under a name that is not its own it would pass for another set, or for a newer one. */
    if (rc != SP_OK || memcmp(set.host, i->host, 16) != 0 ||
        memcmp(set.set_id, i->set_id, 16) != 0 ||
        (set.state == SP_SET_CHECKPOINT) != (i->type == SP_RECORD_CHECKPOINT)) {
        l->out.unreadable++;
        return SP_OK;
    }
    if (l->job != NULL && strcmp(l->job, set.job) != 0)
        return SP_OK;
    h = find_host(l, set.host);
    if (h == NULL || !h->asked)
        return h != NULL ? SP_OK : add_host(l, set.host, e);
    if ((l->out.n & (l->out.n - 1)) == 0) { /* a power of two: full */
        more = realloc(l->out.v, (l->out.n == 0 ? 1 : l->out.n * 2) * sizeof(*more));
        if (more == NULL)
            return sp_fail_nomem(e);
        l->out.v = more;
    }
    to = &l->out.v[l->out.n++];
    memset(to, 0, sizeof(*to));
    to->type = i->type;
    to->set = set;
    to->published_ns = i->published_ns;
    to->sign = SP_SIGNED_NOT;
    if ((rc = sp_record_hash(i->record, i->record_len, to->hash, e)) != SP_OK)
        return rc;
    rc = sp_completed_look(&set, to->hash, h->found ? &h->host : NULL, i->completion,
        i->completion_len, &to->completed, &completion, e);
    if (rc != SP_OK)
        return rc;
    to->applications = sp_completed_level(&set, to->completed, &completion);
    to->unconfirmed = sp_completed_lacks(&set, to->completed);
    if (!h->found)
        return SP_OK;
    memcpy(to->host_name, h->host.name, sizeof(to->host_name));
    rc = sp_record_check_signature(i->type, i->record, i->record_len, &h->host, &why);
    if (sp_code_is_ours(rc)) {
        *e = why;
        return rc;
    }
    if (rc == SP_OK)
        to->sign = h->foreign ? SP_SIGNED_FOREIGN : SP_SIGNED_BY_HOST;
    return SP_OK;
}

static int
oldest_first(const void *a, const void *b)
{
    const struct sp_listed *x = a, *y = b;

    if (x->published_ns != y->published_ns)
        return x->published_ns < y->published_ns ? -1 : 1;
    if (x->set.sequence != y->set.sequence)
        return x->set.sequence < y->set.sequence ? -1 : 1;
    return memcmp(x->set.set_id, y->set.set_id, 16);
}

enum sp_code
sp_sets_list(struct sp_opened_store *o, bool all_hosts, bool checkpoints, const char *job,
    struct sp_sets *ret, struct sp_err *e)
{
    struct listing l = {.o = o, .job = job};
    enum sp_code rc = SP_OK;

    if (o->profile != NULL) { /* most often the only one: then once is enough */
        if ((rc = add_host(&l, o->profile->host, e)) == SP_OK)
            rc = ask_hosts(&l, e);
    }
    while (rc == SP_OK) {
        l.out.n = l.out.unreadable = 0;
        rc = sp_store_list(o->store, all_hosts || o->profile == NULL, checkpoints, take, &l, e);
        if (rc != SP_OK || l.nunknown == 0)
            break;
        rc = ask_hosts(&l, e);
    }
    free(l.hosts);
    if (rc != SP_OK) {
        free(l.out.v);
        return rc;
    }
    if (l.out.n > 1)
        qsort(l.out.v, l.out.n, sizeof(*l.out.v), oldest_first);
    *ret = l.out;
    return SP_OK;
}

void
sp_sets_clear(struct sp_sets *s)
{
    free(s->v);
    memset(s, 0, sizeof(*s));
}
