/* Requests answered by a stream of items: get, list, slots, check. See remote_impl.h.
 *
 * Items wait for their caller in a queue that the reply credit bounds; the credit goes back when
 * the callback has returned. After a cut the request is made again for what is still wanted: a get
 * leaves out the ids it had; a list and the slots leave out the items they had. A check begins
 * anew, so its findings may repeat. */

#include <stdlib.h>
#include <string.h>

#include "client/remote_impl.h"
#include "storage/crypto.h"

/* Hands the items over, on the caller's thread and without the lock. */
static enum sp_code
stream(struct remote *r, struct call *c,
    enum sp_code (*each)(void *arg, const struct sp_frame *f, struct sp_err *e), void *arg,
    struct sp_err *e)
{
    struct item *it;
    enum sp_code rc;

    if ((rc = sp_call_start(r, c, e)) != SP_OK)
        return rc;
    while ((it = sp_call_next(r, c)) != NULL) {
        rc = each(arg, &it->frame, e);
        sp_call_item_done(r, it);
        if (rc != SP_OK)
            return rc;
    }
    return sp_call_wait(r, c, e);
}

static enum sp_code
broken(struct sp_err *e, const char *what)
{
    return sp_fail(e, SP_PROTOCOL, SP_DOM_NET, "the server broke the protocol: %s", what);
}

/* --- get -------------------------------------------------------------------------------------- */

struct getting {
    const struct sp_id *ids;
    size_t n;
    bool *had;     /* n: came in a block */
    uint32_t *map; /* what is asked now → ids; NULL: all of them */
    size_t asked;
    sp_store_block_fn each;
    void *arg;
};

static enum sp_code
make_get(struct call *c, uint8_t **ret, size_t *ret_n, struct sp_err *e)
{
    struct getting *g = c->arg;
    uint32_t *map = malloc(g->n * sizeof(*map));
    struct sp_id *ids = malloc(g->n * sizeof(*ids));
    size_t n = 0;

    if (map == NULL || ids == NULL) {
        free(map);
        free(ids);
        return sp_fail_nomem(e);
    }
    for (size_t i = 0; i < g->n; i++)
        if (!g->had[i]) {
            ids[n] = g->ids[i];
            map[n++] = (uint32_t)i;
        }
    free(g->map);
    g->map = map;
    g->asked = n;
    if (n == 0) {
        free(ids);
        return SP_OK;
    }
    *ret = ids[0].b;
    *ret_n = n * SP_ID_SIZE;
    return SP_OK;
}

/* Turns the indices into those of the caller at once: the map is gone when the request is made
 * again. */
static enum sp_code
block_came(struct call *c, const struct sp_frame *f, bool *ret_drop, struct sp_err *e)
{
    struct getting *g = c->arg;

    (void)ret_drop;
    for (uint32_t i = 0; i < f->msg.block.wanted; i++) {
        uint8_t *at = f->payload + 4 * (size_t)i;
        uint32_t index = sp_le32(at);

        if (index >= g->asked)
            return broken(e, "a block for an id that was not asked for");
        sp_store_le32(at, g->map[index]);
        g->had[g->map[index]] = true;
    }
    return SP_OK;
}

static enum sp_code
give_block(void *arg, const struct sp_frame *f, struct sp_err *e)
{
    struct getting *g = arg;
    size_t n = f->msg.block.wanted;
    uint32_t *wanted = malloc(n * sizeof(*wanted));
    enum sp_code rc;

    if (wanted == NULL)
        return sp_fail_nomem(e);
    for (size_t i = 0; i < n; i++)
        wanted[i] = sp_le32(f->payload + 4 * i);
    rc = g->each(g->arg, f->payload + 4 * n, f->payload_len - 4 * n, wanted, n, e);
    free(wanted);
    return rc;
}

enum sp_code
sp_remote_get(struct sp_store *s, const struct sp_id *ids, size_t n, unsigned copy,
    sp_store_block_fn each, void *arg, struct sp_err *e)
{
    struct remote *r = remote_of(s);
    struct getting g = {.ids = ids, .n = n, .each = each, .arg = arg};
    struct call c;
    enum sp_code rc;

    if ((g.had = calloc(n, sizeof(*g.had))) == NULL)
        return sp_fail_nomem(e);
    sp_call_init(&c, SP_MSG_GET);
    c.msg.get.copy = copy;
    c.make = make_get;
    c.came = block_came;
    c.arg = &g;
    rc = stream(r, &c, give_block, &g, e);
    sp_call_end(r, &c);
    free(g.map);
    free(g.had);
    return rc;
}

/* --- list and slots: what was had is known by a name of 32 bytes ------------------------------ */

struct listing {
    uint8_t (*names)[32]; /* of the items that came; sorted: those of earlier sendings */
    size_t n, cap, sorted;
    unsigned sendings;
    uint8_t *completion; /* of the set that comes next */
    size_t completion_len;
    uint8_t completion_of[32];
    enum sp_code (*each)(void *arg, const struct sp_set_info *i, struct sp_err *e);
    enum sp_code (*each_slot)(void *arg, const uint8_t *slot, size_t n, struct sp_err *e);
    void *arg;
};

static int
name_cmp(const void *a, const void *b)
{
    return memcmp(a, b, 32);
}

/* It came over an earlier connection. */
static bool
name_was_had(struct call *c, const uint8_t name[32])
{
    struct listing *l = c->arg;

    if (l->sendings != c->sendings) { /* a cut was between */
        if (l->n > 0)
            qsort(l->names, l->n, sizeof(*l->names), name_cmp);
        l->sorted = l->n;
        l->sendings = c->sendings;
    }
    return l->sorted > 0 && bsearch(name, l->names, l->sorted, sizeof(*l->names), name_cmp) != NULL;
}

static enum sp_code
name_came(struct call *c, const uint8_t name[32], bool *ret_drop, struct sp_err *e)
{
    struct listing *l = c->arg;

    if (name_was_had(c, name)) {
        *ret_drop = true;
        return SP_OK;
    }
    if (l->n == l->cap) {
        size_t cap = l->cap > 0 ? 2 * l->cap : 64;
        uint8_t(*more)[32] = realloc(l->names, cap * sizeof(*more));

        if (more == NULL)
            return sp_fail_nomem(e);
        l->names = more;
        l->cap = cap;
    }
    memcpy(l->names[l->n++], name, 32);
    return SP_OK;
}

static void
name_of(const struct sp_frame *f, uint8_t name[32])
{
    memcpy(name, f->msg.list_item.host, 16);
    memcpy(name + 16, f->msg.list_item.set_id, 16);
}

static enum sp_code
set_came(struct call *c, const struct sp_frame *f, bool *ret_drop, struct sp_err *e)
{
    uint8_t name[32];

    name_of(f, name);
    if (f->msg.list_item.type != SP_RECORD_COMPLETION)
        return name_came(c, name, ret_drop, e);
    *ret_drop = name_was_had(c, name); /* with its set, it comes again */
    return SP_OK;
}

/* Kept as a copy: what is held back of an item is held back of its credit. */
static enum sp_code
keep_completion(struct listing *l, const struct sp_frame *f, struct sp_err *e)
{
    free(l->completion);
    if ((l->completion = malloc(f->payload_len)) == NULL)
        return sp_fail_nomem(e);
    memcpy(l->completion, f->payload, f->payload_len);
    l->completion_len = f->payload_len;
    name_of(f, l->completion_of);
    return SP_OK;
}

static enum sp_code
give_set(void *arg, const struct sp_frame *f, struct sp_err *e)
{
    struct listing *l = arg;
    struct sp_set_info info = {
        .type = (enum sp_record_type)f->msg.list_item.type,
        .published_ns = f->msg.list_item.published_ns,
        .record = f->payload,
        .record_len = f->payload_len,
    };

    uint8_t name[32];
    enum sp_code rc;

    if (f->msg.list_item.type == SP_RECORD_COMPLETION)
        return keep_completion(l, f, e);
    memcpy(info.host, f->msg.list_item.host, 16);
    memcpy(info.set_id, f->msg.list_item.set_id, 16);
    name_of(f, name);
    /* One of another set was before a cut, and its own set comes later, with it. */
    if (l->completion != NULL && info.type == SP_RECORD_SET &&
        memcmp(l->completion_of, name, sizeof(name)) == 0) {
        info.completion = l->completion;
        info.completion_len = l->completion_len;
    }
    rc = l->each(l->arg, &info, e);
    free(l->completion);
    l->completion = NULL;
    return rc;
}

enum sp_code
sp_remote_list(struct sp_store *s, bool all_hosts, bool checkpoints,
    enum sp_code (*each)(void *arg, const struct sp_set_info *i, struct sp_err *e), void *arg,
    struct sp_err *e)
{
    struct remote *r = remote_of(s);
    struct listing l = {.each = each, .arg = arg};
    struct call c;
    enum sp_code rc;

    sp_call_init(&c, SP_MSG_LIST);
    c.msg.list.all_hosts = all_hosts;
    c.msg.list.checkpoints = checkpoints;
    c.came = set_came;
    c.arg = &l;
    rc = stream(r, &c, give_set, &l, e);
    sp_call_end(r, &c);
    free(l.completion);
    free(l.names);
    return rc;
}

static enum sp_code
slot_came(struct call *c, const struct sp_frame *f, bool *ret_drop, struct sp_err *e)
{
    uint8_t name[32];
    enum sp_code rc = sp_sha256(f->payload, f->payload_len, name, e);

    return rc != SP_OK ? rc : name_came(c, name, ret_drop, e);
}

static enum sp_code
give_slot(void *arg, const struct sp_frame *f, struct sp_err *e)
{
    struct listing *l = arg;

    return l->each_slot(l->arg, f->payload, f->payload_len, e);
}

enum sp_code
sp_remote_slots(struct sp_store *s, const uint8_t group[16],
    enum sp_code (*each)(void *arg, const uint8_t *slot, size_t n, struct sp_err *e), void *arg,
    struct sp_err *e)
{
    struct remote *r = remote_of(s);
    struct listing l = {.each_slot = each, .arg = arg};
    struct call c;
    enum sp_code rc;

    sp_call_init(&c, SP_MSG_SLOTS);
    if (group != NULL) {
        c.msg.slots.has_group = true;
        memcpy(c.msg.slots.group, group, 16);
    }
    c.came = slot_came;
    c.arg = &l;
    rc = stream(r, &c, give_slot, &l, e);
    sp_call_end(r, &c);
    free(l.names);
    return rc;
}

/* --- check ------------------------------------------------------------------------------------ */

struct checking {
    sp_check_fn each;
    void *arg;
};

static enum sp_code
give_finding(void *arg, const struct sp_frame *f, struct sp_err *e)
{
    const struct checking *k = arg;
    struct sp_check_finding out = {
        .severity = f->msg.finding.severity == 0 ? SP_FINDING_NOTE : SP_FINDING_FAULT};
    struct sp_id *ids = NULL;
    enum sp_code rc;

    _Static_assert(sizeof(out.object) == sizeof(f->msg.finding.object), "one limit");
    _Static_assert(sizeof(out.text) == sizeof(f->msg.finding.text), "one limit");
    memcpy(out.object, f->msg.finding.object, sizeof(out.object));
    memcpy(out.set_id, f->msg.finding.set_id, sizeof(out.set_id));
    memcpy(out.text, f->msg.finding.text, sizeof(out.text));
    if ((rc = sp_remote_ids(f->payload, f->payload_len, &ids, &out.nids, e)) != SP_OK)
        return rc;
    out.ids = ids;
    rc = k->each(k->arg, &out, e);
    free(ids);
    return rc;
}

enum sp_code
sp_remote_check(struct sp_store *s, const struct sp_check_options *o, sp_check_fn each, void *arg,
    struct sp_check_totals *ret, struct sp_err *e)
{
    struct remote *r = remote_of(s);
    struct checking k = {each, arg};
    struct call c;
    enum sp_code rc;

    sp_call_init(&c, SP_MSG_CHECK);
    c.msg.check.depth = (uint32_t)o->depth;
    c.msg.check.part = o->part;
    c.msg.check.parts = o->parts;
    if (o->parts == 0)
        c.msg.check.part = 0;
    if ((rc = stream(r, &c, give_finding, &k, e)) == SP_OK)
        *ret = (struct sp_check_totals){
            .objects = c.answer.msg.check_done.objects,
            .packs = c.answer.msg.check_done.packs,
            .packs_read = c.answer.msg.check_done.packs_read,
            .bytes_read = c.answer.msg.check_done.bytes_read,
            .sets = c.answer.msg.check_done.sets,
            .chunks = c.answer.msg.check_done.chunks,
            .faults = c.answer.msg.check_done.faults,
        };
    sp_call_end(r, &c);
    return rc;
}
