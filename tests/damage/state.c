#include "tests/damage/state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "storage/crypto.h"
#include "storage/index_cache.h"
#include "storage/pack.h"
#include "storage/record.h"
#include "tests/conformance/packname.h"
#include "tests/unit/base/support.h"

const char *const kind_words[KINDS] = {"repository.conf", "key slot", "host record", "data pack",
    "node pack", "index segment", "set record", "checkpoint", "unknown object"};

enum kind
kind_of(const char *name)
{
    enum sp_pack_kind pack;
    enum sp_record_type type;
    uint8_t id[32], host[16];
    int64_t at_ns;

    if (strcmp(name, "repository.conf") == 0)
        return CONF;
    if (strncmp(name, "keys/", 5) == 0)
        return SLOT;
    if (strncmp(name, "hosts/", 6) == 0)
        return HOST;
    if (sp_pack_object_parse(name, &pack, id))
        return pack == SP_PACK_NODES ? NODES : DATA;
    if (sp_index_object_parse(name, id))
        return INDEX;
    if (sp_record_object_parse(name, &type, host, &at_ns, id) && type <= SP_RECORD_CHECKPOINT)
        return type == SP_RECORD_SET ? SET : CHECKPOINT;
    return OTHER;
}

const struct object *
state_find(const struct state *s, const char *name)
{
    for (size_t i = 0; i < s->n; i++)
        if (strcmp(s->v[i].name, name) == 0)
            return &s->v[i];
    return NULL;
}

void
state_add(struct state *s, const char *name, const void *p, size_t n)
{
    struct object *o = &s->v[s->n];

    assert_true(s->n < OBJECTS_MOST);
    assert_null(state_find(s, name));
    memset(o, 0, sizeof *o);
    assert_true(snprintf(o->name, sizeof o->name, "%s", name) < (int)sizeof o->name);
    o->kind = kind_of(name);
    s->n++;
    state_set(s, s->n - 1, p, n);
}

void
state_set(struct state *s, size_t i, const void *p, size_t n)
{
    uint8_t *copy = malloc(n + 1);

    assert_non_null(copy);
    if (n > 0)
        memcpy(copy, p, n);
    free(s->v[i].owned);
    s->v[i].p = s->v[i].owned = copy;
    s->v[i].n = n;
}

void
state_remove(struct state *s, size_t i)
{
    free(s->v[i].owned);
    memmove(&s->v[i], &s->v[i + 1], (s->n - i - 1) * sizeof s->v[0]);
    s->n--;
}

void
state_copy(const struct state *from, struct state *to)
{
    memcpy(to, from, sizeof *to);
    for (size_t i = 0; i < to->n; i++)
        to->v[i].owned = NULL;
}

void
state_clear(struct state *s)
{
    for (size_t i = 0; i < s->n; i++)
        free(s->v[i].owned);
    s->n = 0;
}

struct names {
    char v[OBJECTS_MOST][192];
    uint64_t sizes[OBJECTS_MOST];
    size_t n;
};

static enum sp_code
collect(void *arg, const char *name, uint64_t size, struct sp_err *e)
{
    struct names *l = arg;

    (void)e;
    if (strncmp(name, "leases/", 7) == 0) /* of a run that was cut off: advice */
        return SP_OK;
    assert_true(l->n < OBJECTS_MOST);
    (void)snprintf(l->v[l->n], sizeof l->v[0], "%s", name);
    l->sizes[l->n++] = size;
    return SP_OK;
}

static int
by_name(const void *a, const void *b)
{
    return strcmp(a, b);
}

void
state_take(struct state *s, struct sp_backend *b)
{
    static struct names l;
    uint8_t *p;
    size_t i, n;

    l.n = 0;
    assert_ok(sp_backend_list(b, "", collect, &l, e));
    for (i = s->n; i-- > 0;) {
        uint64_t size;
        struct sp_err ignored = {0};

        if (sp_backend_size(b, s->v[i].name, &size, &ignored) != SP_OK)
            state_remove(s, i);
    }
    qsort(l.v, l.n, sizeof l.v[0], by_name); /* several of one moment: any order, but one */
    for (i = 0; i < l.n; i++) {
        if (state_find(s, l.v[i]) != NULL)
            continue;
        assert_ok(sp_backend_get_all(b, l.v[i], 1u << 30, &p, &n, e));
        state_add(s, l.v[i], p, n);
        free(p);
    }
}

struct sp_backend *
state_backend(const struct state *s)
{
    struct sp_backend *b = NULL;

    assert_ok(sp_backend_memory_new(&b, e));
    for (size_t i = 0; i < s->n; i++)
        assert_ok(sp_backend_put(b, s->v[i].name, s->v[i].p, s->v[i].n, e));
    return b;
}

void
state_assert_same(const struct state *s, struct sp_backend *b, const char *what)
{
    static struct names l;
    uint8_t *p;
    size_t i, n;

    l.n = 0;
    assert_ok(sp_backend_list(b, "", collect, &l, e));
    for (i = 0; i < l.n; i++) {
        const struct object *o = state_find(s, l.v[i]);

        if (o == NULL)
            fail_msg("%s wrote %s", what, l.v[i]);
        assert_ok(sp_backend_get_all(b, l.v[i], 1u << 30, &p, &n, e));
        if (n != o->n || (n > 0 && memcmp(p, o->p, n) != 0))
            fail_msg("%s changed %s", what, l.v[i]);
        free(p);
    }
    if (l.n != s->n)
        fail_msg("%s removed an object", what);
}

/* By hand: the end is that of the name, and says what each block is. */
static bool
pack_is_named(enum sp_pack_kind kind, const struct object *o, const uint8_t name[32])
{
    const uint8_t header[PACK_HEADER] = {'S', 'P', 'P', '1', 1, (uint8_t)kind, 0, 0};
    uint8_t hash[32];
    size_t at = PACK_HEADER, end;
    struct sp_cur c;

    pack_name_of(kind, o->p, o->n, hash);
    if (memcmp(hash, name, 32) != 0 || memcmp(o->p, header, sizeof header) != 0)
        return false;
    end = o->n - PACK_FOOTER - sp_le32(o->p + o->n - 16);
    c = sp_cur_of(o->p + end, o->n - PACK_FOOTER - end);
    (void)sp_cur_bytes(&c, 48);
    for (uint32_t i = sp_cur_u32(&c); i > 0; i--) {
        uint32_t length = sp_cur_u32(&c), nids = sp_cur_u32(&c);
        const uint8_t *said = sp_cur_bytes(&c, 32);

        (void)sp_cur_bytes(&c, 32 * (size_t)nids);
        if (!sp_cur_ok(&c) || length > end - at)
            return false;
        assert_ok(sp_sha256(o->p + at, length, hash, e));
        if (memcmp(hash, said, 32) != 0)
            return false;
        at += length;
    }
    return at == end;
}

bool
object_named_by_hash(const struct object *o)
{
    enum sp_pack_kind kind;
    uint8_t name[32], hash[32];

    if (sp_pack_object_parse(o->name, &kind, name))
        return pack_is_named(kind, o, name);
    if (sp_index_object_parse(o->name, name))
        assert_ok(sp_sha256(o->p, o->n, hash, e));
    else
        return false;
    return memcmp(hash, name, 32) == 0;
}
