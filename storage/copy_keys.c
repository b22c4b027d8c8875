/* Host records and key slots: what lets others read, and check, what is copied: see copy_impl.h. */

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "storage/copy_impl.h"

/* --- slots ---------------------------------------------------------------------------------- */

static enum sp_code
gather(void *arg, const uint8_t *slot, size_t n, struct sp_err *e)
{
    struct sp_buf *all = arg; /* u32 length and bytes, each */
    struct sp_slot_info info;
    struct sp_err why = {0};

    /* An invitation is for one joining, and goes when it was used: in a copy it would stay. */
    if (sp_slot_parse(slot, n, &info, &why) != SP_OK || info.kind == SP_SLOT_INVITATION)
        return SP_OK;
    sp_buf_put_u32(all, (uint32_t)n);
    sp_buf_put(all, slot, n);
    return sp_buf_ok(all, e);
}

static bool
holds(const struct sp_buf *all, const uint8_t *slot, size_t n)
{
    struct sp_cur at = sp_cur_of(all->data, all->len);

    while (sp_cur_left(&at) > 0) {
        size_t len = sp_cur_u32(&at);
        const uint8_t *p = sp_cur_bytes(&at, len);

        if (len == n && memcmp(p, slot, n) == 0)
            return true;
    }
    return false;
}

/* group NULL: of all. */
static enum sp_code
copy_slots(const struct sp_copy_side *from, struct sp_repository *to, const uint8_t *group,
    struct sp_err *e)
{
    struct sp_buf all = SP_BUF_INIT, there = SP_BUF_INIT;
    struct sp_cur at;
    enum sp_code rc = from->repository != NULL
                          ? sp_repository_slots(from->repository, group, gather, &all, e)
                          : sp_store_slots(from->store, group, gather, &all, e);

    if (rc == SP_OK)
        rc = sp_repository_slots(to, group, gather, &there, e);
    at = sp_cur_of(all.data, all.len);
    while (rc == SP_OK && sp_cur_left(&at) > 0) {
        size_t n = sp_cur_u32(&at);
        const uint8_t *slot = sp_cur_bytes(&at, n);

        if (!holds(&there, slot, n))
            rc = sp_repository_put_slot(to, slot, n, e);
    }
    sp_buf_free(&there);
    sp_buf_free(&all);
    return rc;
}

struct groups {
    const struct sp_copy_items *sets;
    bool any, common;
};

static enum sp_code
see_group(void *arg, const uint8_t *slot, size_t n, struct sp_err *e)
{
    struct groups *g = arg;
    struct sp_slot_info info;

    if (sp_slot_parse(slot, n, &info, e) != SP_OK) {
        sp_err_clear(e);
        return SP_OK;
    }
    g->any = true;
    for (size_t i = 0; i < g->sets->n && !g->common; i++)
        g->common = !g->sets->v[i].damaged && memcmp(g->sets->v[i].set.group, info.group, 16) == 0;
    return SP_OK;
}

enum sp_code
sp_copy_may(struct sp_copy *c, struct sp_err *e)
{
    struct groups g = {.sets = &c->sets};
    enum sp_code rc;

    if (c->to->repository == NULL || c->o->add_groups || c->sets.n == 0)
        return SP_OK;
    rc = sp_repository_slots(c->to->repository, NULL, see_group, &g, e);
    if (rc != SP_OK || !g.any || g.common)
        return rc;
    return sp_fail(e, SP_REFUSED, SP_DOM_CONFIG,
        "the target has keys, and none of them opens what would be copied: it is of another key "
        "group. Make a repository for copies with 'stillpoint init --like FROM -r TO'; or give "
        "--add-keys, and the target takes in the key slots and hosts of the source beside its own");
}

/* --- host records --------------------------------------------------------------------------- */

/* Whether the keys of `a` are the first of those of `b`: b is a later record of the same host. */
static bool
continues(const struct sp_host *a, const struct sp_host *b)
{
    return memcmp(a->group, b->group, 16) == 0 && a->nkeys <= b->nkeys &&
           memcmp(a->keys, b->keys, a->nkeys * sizeof(a->keys[0])) == 0;
}

static enum sp_code
read_host(const struct sp_copy_side *side, const uint8_t host[16], uint8_t **ret, size_t *ret_n,
    struct sp_host *ret_host, struct sp_err *e)
{
    enum sp_code rc = side->repository != NULL
                          ? sp_repository_host(side->repository, host, ret, ret_n, e)
                          : sp_store_host(side->store, host, ret, ret_n, e);

    if (rc == SP_OK && (rc = sp_host_decode(*ret, *ret_n, NULL, ret_host, e)) != SP_OK) {
        free(*ret);
        *ret = NULL;
    }
    return rc;
}

/* Whether the target takes the record: what it has of the host is kept when it is the same or
 * later. Without the group's key nobody can tell a record that the host made from one that somebody
 * with the right to write in the source made up, who then signs sets in the host's name. */
static enum sp_code
agree(const struct sp_copy_side *to, const struct sp_host *host, bool proven, bool *ret_put,
    struct sp_err *e)
{
    struct sp_err why = {0};
    struct sp_host there;
    uint8_t *p = NULL;
    size_t n = 0;
    enum sp_code rc = read_host(to, host->id, &p, &n, &there, &why);

    free(p);
    *ret_put = false;
    if (rc == SP_OK && continues(host, &there))
        return SP_OK;
    if (rc == SP_OK && !continues(&there, host))
        return sp_fail(e, SP_REFUSED, SP_DOM_STORE,
            "the target knows host %s (\"%.100s\") with other keys than the source: one of the two "
            "records is not of this host",
            sp_hex8(host->id).s, host->name);
    if (rc == SP_OK && !proven)
        return sp_fail(e, SP_REFUSED, SP_DOM_STORE,
            "in the source host %s (\"%.100s\") has a signing key that the target does not know: "
            "it "
            "was set up anew, or somebody has altered the source. Only who holds the key can tell: "
            "copy once with --open, or, when you know that it was set up anew, with "
            "--accept-host-keys",
            sp_hex8(host->id).s, there.name);
    if (rc != SP_OK && rc != SP_ABSENT && rc != SP_CORRUPT) {
        *e = why;
        return rc;
    }
    if (to->repository == NULL)
        return sp_fail(e, SP_REFUSED, SP_DOM_STORE,
            "the server does not know this host by the keys that signed its sets");
    *ret_put = true;
    return SP_OK;
}

enum sp_code
sp_copy_host(struct sp_copy *c, struct sp_err *e)
{
    const struct sp_keys *keys = c->o->keys;
    bool opens = keys != NULL && memcmp(sp_keys_group(keys), c->group, 16) == 0, put = false;
    uint8_t *p = NULL;
    size_t n = 0;
    enum sp_code rc;

    if ((rc = read_host(c->from, c->host, &p, &n, &c->signer, e)) != SP_OK)
        return rc;
    if (memcmp(c->signer.id, c->host, sizeof(c->signer.id)) != 0)
        rc = sp_fail(e, SP_CORRUPT, SP_DOM_STORE, "it is of another host");
    else if (opens)
        rc = sp_host_decode(p, n, keys, &c->signer, e);
    if (rc == SP_OK)
        rc = agree(c->to, &c->signer, opens || c->o->hosts_proven, &put, e);
    if (rc == SP_OK && !c->o->dry_run && c->to->repository != NULL)
        rc = copy_slots(c->from, c->to->repository, c->group, e);
    if (rc == SP_OK && !c->o->dry_run && put)
        rc = sp_repository_put_host(c->to->repository, p, n, e);
    free(p);
    return rc;
}

/* --- a new repository ----------------------------------------------------------------------- */

struct hosts {
    uint8_t (*v)[16];
    size_t n;
};

static enum sp_code
see_host(void *arg, const char *object, uint64_t size, struct sp_err *e)
{
    struct hosts *l = arg;
    uint8_t id[16], (*more)[16];

    if (size == 0 || strncmp(object, "hosts/", 6) != 0 || !sp_hex_parse(object + 6, id, 16))
        return SP_OK;
    if ((more = realloc(l->v, (l->n + 1) * sizeof(*more))) == NULL)
        return sp_fail_nomem(e);
    l->v = more;
    memcpy(l->v[l->n++], id, 16);
    return SP_OK;
}

enum sp_code
sp_copy_keys(const struct sp_copy_side *from, struct sp_repository *to, struct sp_err *e)
{
    const struct sp_copy_side target = {.repository = to};
    struct hosts l = {NULL, 0};
    size_t i;
    enum sp_code rc;

    if ((rc = copy_slots(from, to, NULL, e)) != SP_OK)
        return rc;
    if (from->repository != NULL)
        rc = sp_backend_list(from->repository->backend, "hosts", see_host, &l, e);
    else if ((l.v = malloc(sizeof(*l.v))) != NULL)
        memcpy(l.v[l.n++], from->host, 16);
    else
        rc = sp_fail_nomem(e);
    for (i = 0; i < l.n && rc == SP_OK; i++) {
        struct sp_err why = {0};
        struct sp_host h;
        uint8_t *p = NULL;
        size_t n = 0;
        bool put = false;

        rc = read_host(from, l.v[i], &p, &n, &h, &why);
        if (rc == SP_ABSENT || rc == SP_CORRUPT)
            rc = SP_OK; /* check names it; its sets are not copied */
        else if (rc != SP_OK)
            *e = why;
        else if ((rc = agree(&target, &h, false, &put, e)) == SP_OK && put)
            rc = sp_repository_put_host(to, p, n, e);
        free(p);
    }
    free(l.v);
    return rc;
}
