#include "tests/damage/harm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const op_words[OPS] = {"a bit flipped", "zeros", "cut by one byte", "cut in half",
    "cut to its header", "emptied", "deleted", "doubled", "doubled in another folder", "swapped",
    "swapped with another kind", "replaced by the older one", "replaced by another's", "extended"};

/* --- enumeration -------------------------------------------------------------------------------
 */

static void
add(struct harms *l, struct harm h)
{
    if (l->n == l->cap) {
        l->cap = l->cap == 0 ? 1024 : l->cap * 2;
        l->v = realloc(l->v, l->cap * sizeof *l->v);
        assert_non_null(l->v);
    }
    l->v[l->n++] = h;
}

void
harms_clear(struct harms *l)
{
    free(l->v);
    memset(l, 0, sizeof *l);
}

static void
add_region(struct harms *l, size_t object, const char *region, size_t at, size_t n)
{
    const struct harm flip = {.op = FLIP,
        .object = object,
        .at = at + n / 2,
        .n = 1,
        .bit = (unsigned)(at % 8),
        .region = region};
    const struct harm zero = {.op = ZERO, .object = object, .at = at, .n = n, .region = region};

    if (n == 0)
        return;
    add(l, flip);
    add(l, zero);
}

static void
pack_regions(const struct world *w, struct harms *l, size_t object)
{
    const struct object *o = &w->whole.v[object];
    const struct pack *p = w->packs;
    size_t k, t;

    while (strcmp(p->object, o->name) != 0)
        p++;
    t = o->n - p->trailer_n;
    add_region(l, object, "header", 0, 8);
    for (k = 0; k < sp_pack_trailer_count(p->trailer); k++) {
        struct sp_pack_block b;
        uint32_t header;

        sp_pack_trailer_block(p->trailer, k, &b);
        memcpy(&header, o->p + b.offset + 8, 4);
        add_region(l, object, "magic of a block", b.offset, 4);
        add_region(l, object, "lengths of a block", b.offset + 6, 10);
        add_region(l, object, "ids of a block", b.offset + 64, 32 * (size_t)b.nids);
        if (header > 64 + 32 * b.nids)
            add_region(l, object, "refs of a block", b.offset + header - 32, 32);
        add_region(l, object, "sealed part", b.offset + header, b.length - header - 16);
        add_region(l, object, "tag of a block", b.offset + b.length - 16, 16);
        add_region(l, object, "a whole block", b.offset, b.length);
    }
    add_region(l, object, "trailer's origin", t, 48);
    add_region(l, object, "trailer's table", t + 48, p->trailer_n - 48 - 48);
    add_region(l, object, "trailer's end", o->n - 56, 8);
    add_region(l, object, "footer's hash", o->n - 48, 32);
    add_region(l, object, "footer's length", o->n - 16, 8);
    add_region(l, object, "footer's magic", o->n - 8, 8);
}

static void
regions(const struct world *w, struct harms *l, size_t object)
{
    const struct object *o = &w->whole.v[object];
    uint32_t packs;

    if (o->kind == DATA || o->kind == NODES) {
        pack_regions(w, l, object);
    } else if (o->kind == INDEX) {
        memcpy(&packs, o->p + 8, 4);
        add_region(l, object, "header", 0, 32);
        add_region(l, object, "packs", 32, 96 * (size_t)packs);
        add_region(l, object, "entries", o->n - 28, 28);
        add_region(l, object, "middle", o->n / 2, 64);
    } else {
        add_region(l, object, "beginning", 0, 4);
        for (size_t k = 1; k < 8; k++)
            add_region(l, object, "inside", o->n * k / 8, 4);
        add_region(l, object, "end", o->n - 4, 4);
    }
}

/* What two objects have in common when they are of one owner: a part of the name, or the site. */
static void
owner(const struct world *w, const struct object *o, char to[64])
{
    const char *slash = strchr(o->name, '/');

    to[0] = '\0';
    for (size_t i = 0; i < w->npacks; i++)
        if (strcmp(w->packs[i].object, o->name) == 0)
            (void)snprintf(to, 64, "%zu", w->packs[i].site);
    if (to[0] == '\0' && slash != NULL && o->kind != INDEX)
        (void)snprintf(to, 64, "%.32s", slash + 1);
}

/* The nearest object before this one (or behind, when there is none) of the same kind or another;
 * of the same owner, another, or whichever. SIZE_MAX: none. */
static size_t
partner(const struct world *w, size_t object, bool same_kind, int same_owner)
{
    const struct object *o = &w->whole.v[object];
    char mine[64], his[64];

    owner(w, o, mine);
    for (size_t step = 1; step < w->whole.n; step++) {
        for (int side = 0; side < 2; side++) {
            size_t at = side == 0 ? object - step : object + step;
            const struct object *p;

            if ((side == 0 && step > object) || (side == 1 && at >= w->whole.n))
                continue;
            p = &w->whole.v[at];
            owner(w, p, his);
            if (p->kind == CONF || (p->kind == o->kind) != same_kind ||
                (same_owner >= 0 && (strcmp(mine, his) == 0) != (same_owner == 1)) ||
                (p->n == o->n && memcmp(p->p, o->p, p->n) == 0))
                continue;
            return at;
        }
    }
    return SIZE_MAX;
}

static void
add_with(const struct world *w, struct harms *l, enum op op, size_t object, bool same_kind,
    int same_owner)
{
    size_t other = partner(w, object, same_kind, same_owner);

    if (other != SIZE_MAX)
        add(l, (struct harm){.op = op, .object = object, .other = other});
}

static void
twins(const struct world *w, struct harms *l)
{
    size_t at[2];

    for (size_t t = 0; t < 2; t++)
        at[t] = (size_t)(state_find(&w->whole, w->packs[w->twins[t]].object) - w->whole.v);
    add(l, (struct harm){.op = SWAP, .object = at[0], .other = at[1]});
    add(l, (struct harm){.op = OLDER, .object = at[1], .other = at[0]});
}

void
harms_all(const struct world *w, struct harms *to)
{
    for (size_t i = 0; i < w->whole.n; i++) {
        regions(w, to, i);
        for (enum op op = CUT_ONE; op <= DOUBLE_FOLDER; op++)
            if (w->whole.v[i].kind != CONF || op < DOUBLE)
                add(to, (struct harm){.op = op, .object = i});
        add(to, (struct harm){.op = EXTEND, .object = i});
        add_with(w, to, SWAP, i, true, -1);
        add_with(w, to, SWAP_KIND, i, false, -1);
        add_with(w, to, OLDER, i, true, 1);
        add_with(w, to, FOREIGN, i, true, 0);
    }
    twins(w, to);
}

/* --- doing it ----------------------------------------------------------------------------------
 */

/* Another name of the same form: the last hex digit before the end of the last component (the
 * file's own name), or of the folder above it, is another one. */
static bool
other_name(const char *name, bool folder, char to[192])
{
    size_t end = strlen(name), i;
    const char *dot = strrchr(name, '.');

    strcpy(to, name);
    if (dot != NULL && strchr(dot, '/') == NULL)
        end = (size_t)(dot - name);
    if (folder) {
        const char *slash = strrchr(name, '/');

        if (slash == NULL)
            return false;
        end = (size_t)(slash - name);
    }
    i = end - 1;
    to[i] = to[i] == '1' ? '2' : '1';
    return strchr(to, '/') != NULL;
}

static void
double_it(struct state *s, const struct object *o, bool folder)
{
    char name[192];
    const uint8_t *p = o->p;
    size_t n = o->n;

    if (other_name(o->name, folder, name) && state_find(s, name) == NULL)
        state_add(s, name, p, n);
}

static void
change_bytes(const struct harm *h, struct state *s, size_t i)
{
    size_t n = s->v[i].n;

    state_set(s, i, s->v[i].p, n);
    if (h->op == FLIP)
        s->v[i].owned[h->at] ^= (uint8_t)(1u << h->bit);
    else
        memset(s->v[i].owned + h->at, 0, h->n);
}

bool
harm_do(const struct world *w, const struct harm *h, struct state *s)
{
    const struct object *was = &w->whole.v[h->object], *other = &w->whole.v[h->other];
    const struct object *now = state_find(s, was->name), *there;
    size_t i = (size_t)(now - s->v);
    uint8_t *longer;

    if (now == NULL || now->n < h->at + h->n)
        return false;
    switch (h->op) {
    case FLIP:
    case ZERO:
        change_bytes(h, s, i);
        break;
    case CUT_ONE:
    case CUT_HALF:
    case CUT_HEADER:
        if (now->n < 9)
            return false;
        state_set(s, i, now->p, h->op == CUT_ONE ? now->n - 1 : h->op == CUT_HALF ? now->n / 2 : 8);
        break;
    case EMPTY:
        state_set(s, i, "", 0);
        break;
    case DELETE:
        state_remove(s, i);
        break;
    case DOUBLE:
    case DOUBLE_FOLDER:
        double_it(s, now, h->op == DOUBLE_FOLDER);
        break;
    case SWAP:
    case SWAP_KIND:
        if ((there = state_find(s, other->name)) == NULL)
            return false;
        state_set(s, (size_t)(there - s->v), was->p, was->n);
        state_set(s, i, other->p, other->n);
        break;
    case OLDER:
    case FOREIGN:
        state_set(s, i, other->p, other->n);
        break;
    default:
        assert_non_null(longer = malloc(now->n + 97));
        memcpy(longer, now->p, now->n);
        memset(longer + now->n, 0xff, 97);
        state_set(s, i, longer, now->n + 97);
        free(longer);
        break;
    }
    return true;
}

void
harm_tell(const struct world *w, const struct harm *h, char *to, size_t n)
{
    const struct object *o = &w->whole.v[h->object];
    bool with = h->op >= SWAP && h->op <= FOREIGN;

    (void)snprintf(to, n, "%s %zu (%s): %s%s%s%s%s", kind_words[o->kind], h->object, o->name,
        op_words[h->op], h->region != NULL ? ": " : "", h->region != NULL ? h->region : "",
        with ? " with " : "", with ? w->whole.v[h->other].name : "");
}
