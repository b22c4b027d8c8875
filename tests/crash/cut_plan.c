/* What may be left of a store after a cut: see cutstore.h. */

#include "cutstore_impl.h"

#include <stdlib.h>
#include <string.h>

struct step { /* what a name led to */
    const struct cut_bytes *bytes;
    uint64_t born;
};

struct unsure { /* a name whose last steps, or whose bytes, may be lost */
    const struct cut_name *name;
    struct step *steps; /* 0 is sure, the others followed it */
    size_t n, cap, kept;
};

struct tear {
    uint64_t born;
    enum cut_tear how;
    uint64_t cut;
};

struct moved { /* the new name goes before the old one */
    size_t from, from_step, to, to_step;
};

struct cut_plan {
    const struct cutstore *c;
    uint64_t after, idle;  /* what was written up to `idle` is on the disk */
    struct cut_table sure; /* without the names that are not */
    uint64_t sure_hash;
    struct unsure *names;
    size_t n, cap;
    struct tear *tears;
    size_t ntears, tears_cap;
    struct moved *moves;
    size_t nmoves, moves_cap;
};

static void *
grown(void *v, size_t n, size_t *cap, size_t size)
{
    if (n < *cap)
        return v;
    *cap = *cap == 0 ? 32 : *cap * 2;
    if ((v = realloc(v, *cap * size)) == NULL)
        abort();
    return v;
}

/* --- what is sure -------------------------------------------------------------------------- */

static bool
below(const struct cut_name *prefix, const struct cut_name *name)
{
    size_t n = strlen(prefix->s);

    return n == 0 || (strncmp(name->s, prefix->s, n) == 0 && name->s[n] == '/');
}

/* Whether the name that op gave or took is on the disk: a sync followed, through the handle that
 * did it, or through one that had listed it before. */
static bool
settled(const struct cut_plan *p, size_t at)
{
    const struct cutstore *c = p->c;
    const struct cut_op *op = &c->ops[at];
    bool saw[64] = {false};

    if (op->number <= p->idle)
        return true;
    saw[op->handle % 64] = true;
    for (size_t i = at + 1; c->flush_folder && i < c->nops && c->ops[i].number <= p->after; i++) {
        const struct cut_op *o = &c->ops[i];

        if (o->kind == CUT_LIST && op->name != NULL && below(o->name, op->name))
            saw[o->handle % 64] = true;
        if (o->kind == CUT_SYNC && saw[o->handle % 64])
            return true;
    }
    return false;
}

static size_t
find(const struct cut_plan *p, const struct cut_name *name)
{
    size_t i;

    for (i = 0; i < p->n && strcmp(p->names[i].name->s, name->s) != 0; i++)
        ;
    return i;
}

static struct unsure *
unsure_of(struct cut_plan *p, const struct cut_name *name)
{
    size_t at = find(p, name), in;
    struct unsure *u;
    bool there;

    if (at < p->n)
        return &p->names[at];
    p->names = grown(p->names, p->n, &p->cap, sizeof(*p->names));
    u = &p->names[p->n++];
    *u = (struct unsure){.name = name};
    u->steps = grown(NULL, 0, &u->cap, sizeof(*u->steps));
    u->n = 1;
    in = cut_table_find(&p->sure, name->s, &there);
    u->steps[0] =
        there ? (struct step){p->sure.v[in].bytes, p->sure.v[in].born} : (struct step){NULL, 0};
    return u;
}

static void
step(struct unsure *u, const struct cut_bytes *bytes, uint64_t born, bool sure)
{
    if (sure)
        u->n = 0; /* and with it all that came before */
    u->steps = grown(u->steps, u->n, &u->cap, sizeof(*u->steps));
    u->steps[u->n++] = (struct step){bytes, born};
}

static void
add_move(struct cut_plan *p, const struct cut_op *op)
{
    size_t from = find(p, op->name), to = find(p, op->to);

    p->moves = grown(p->moves, p->nmoves, &p->moves_cap, sizeof(*p->moves));
    p->moves[p->nmoves++] = (struct moved){from, p->names[from].n - 1, to, p->names[to].n - 1};
}

static void
replay(struct cut_plan *p)
{
    const struct cutstore *c = p->c;

    for (size_t i = 0; i < c->nops && c->ops[i].number <= p->after; i++) {
        const struct cut_op *op = &c->ops[i];
        bool sure = settled(p, i);

        if (op->kind != CUT_PUBLISH && op->kind != CUT_REMOVE && op->kind != CUT_MOVE)
            continue;
        if (op->kind == CUT_PUBLISH) {
            step(unsure_of(p, op->name), op->bytes, op->born, sure);
            continue;
        }
        step(unsure_of(p, op->name), NULL, 0, sure);
        if (op->kind == CUT_REMOVE)
            continue;
        step(unsure_of(p, op->to), op->bytes, op->born, sure);
        if (!sure)
            add_move(p, op);
    }
}

static void
add_tear(struct cut_plan *p, uint64_t born)
{
    for (size_t i = 0; i < p->ntears; i++)
        if (p->tears[i].born == born)
            return;
    p->tears = grown(p->tears, p->ntears, &p->tears_cap, sizeof(*p->tears));
    p->tears[p->ntears++] = (struct tear){born, CUT_WHOLE, 0};
}

static bool
may_tear(const struct cut_plan *p, const struct step *s)
{
    return !p->c->flush_file && s->bytes != NULL && s->bytes->n > 0 && s->born > p->idle;
}

static uint64_t
object_hash(const struct cut_name *name, uint64_t bytes, uint64_t length, uint64_t zeros)
{
    return cut_mix(name->hash ^ cut_mix(bytes + length * 3 + zeros * 5));
}

/* Names of which nothing is in doubt go into the table. */
static void
sort_out(struct cut_plan *p)
{
    size_t i, k, kept = 0, *new_at = malloc((p->n + 1) * sizeof(*new_at));

    if (new_at == NULL)
        abort();
    for (i = 0; i < p->n; i++) {
        struct unsure *u = &p->names[i];

        cut_table_set(&p->sure, u->name, u->n == 1 ? u->steps[0].bytes : NULL, u->steps[0].born);
        new_at[i] = kept;
        if (u->n == 1 && !may_tear(p, &u->steps[0])) {
            free(u->steps);
            continue;
        }
        cut_table_set(&p->sure, u->name, NULL, 0);
        for (k = 0; k < u->n; k++)
            if (may_tear(p, &u->steps[k]))
                add_tear(p, u->steps[k].born);
        p->names[kept++] = *u;
    }
    p->n = kept;
    for (i = 0; i < p->nmoves; i++) { /* a move that is not sure has two names that are not */
        p->moves[i].from = new_at[p->moves[i].from];
        p->moves[i].to = new_at[p->moves[i].to];
    }
    free(new_at);
    for (i = 0; i < p->sure.n; i++) {
        const struct cut_object *o = &p->sure.v[i];

        p->sure_hash += object_hash(o->name, o->bytes->hash, o->bytes->n, o->bytes->n);
    }
}

struct cut_plan *
cut_plan_new(const struct cutstore *c, uint64_t after)
{
    struct cut_plan *p = calloc(1, sizeof(*p));

    if (p == NULL)
        abort();
    p->c = c;
    p->after = after;
    for (size_t i = 0; i < c->nops; i++)
        if (c->ops[i].kind == CUT_IDLE && c->ops[i].number < after)
            p->idle = c->ops[i].number;
    cut_table_copy(&p->sure, &c->base);
    replay(p);
    sort_out(p);
    cut_plan_keep_all(p);
    return p;
}

void
cut_plan_free(struct cut_plan *p)
{
    if (p == NULL)
        return;
    for (size_t i = 0; i < p->n; i++)
        free(p->names[i].steps);
    free(p->names);
    free(p->tears);
    free(p->moves);
    free(p->sure.v);
    free(p);
}

/* --- choosing ------------------------------------------------------------------------------ */

size_t
cut_plan_names(const struct cut_plan *p)
{
    return p->n;
}

const char *
cut_plan_name(const struct cut_plan *p, size_t name)
{
    return p->names[name].name->s;
}

bool
cut_plan_newborn(const struct cut_plan *p, size_t name)
{
    const struct unsure *u = &p->names[name];

    return u->steps[0].bytes == NULL && u->steps[u->n - 1].bytes != NULL;
}

size_t
cut_plan_steps(const struct cut_plan *p, size_t name)
{
    return p->names[name].n - 1;
}

size_t
cut_plan_tearable(const struct cut_plan *p)
{
    return p->ntears;
}

static void
mend(struct cut_plan *p)
{
    for (size_t i = 0; i < p->ntears; i++)
        p->tears[i].how = CUT_WHOLE;
}

void
cut_plan_keep_all(struct cut_plan *p)
{
    for (size_t i = 0; i < p->n; i++)
        p->names[i].kept = p->names[i].n - 1;
    mend(p);
}

void
cut_plan_lose_all(struct cut_plan *p)
{
    for (size_t i = 0; i < p->n; i++)
        p->names[i].kept = 0;
    mend(p);
}

void
cut_plan_keep(struct cut_plan *p, size_t name, size_t steps)
{
    p->names[name].kept = steps;
}

void
cut_plan_tear(struct cut_plan *p, size_t tearable, enum cut_tear how, uint64_t cut)
{
    p->tears[tearable].how = how;
    p->tears[tearable].cut = cut;
}

void
cut_plan_random(struct cut_plan *p, uint64_t seed)
{
    static const unsigned odds[] = {10, 35, 65, 90}; /* of a hundred */
    unsigned kept = odds[cut_mix(seed) % 4], torn = odds[cut_mix(seed + 1) % 4];

    cut_plan_keep_all(p);
    for (size_t i = 0; i < p->n; i++) {
        struct unsure *u = &p->names[i];
        uint64_t r = cut_mix(seed + 2 + i);

        if (r % 100 >= kept)
            u->kept = cut_mix(r) % u->n;
    }
    for (size_t i = 0; i < p->ntears; i++) {
        uint64_t r = cut_mix(seed ^ (UINT64_C(0xabcdef) + i));

        if (r % 100 < torn / 2)
            cut_plan_tear(p, i, (enum cut_tear)(cut_mix(r) % CUT_TEARS), cut_mix(r + 1));
    }
}

/* --- what that leaves ---------------------------------------------------------------------- */

/* No name is lost by a move that half survived, unless the store keeps no order at all. */
static void
fit(struct cut_plan *p)
{
    bool again = p->c->flush_file || p->c->flush_folder;

    while (again) {
        again = false;
        for (size_t i = 0; i < p->nmoves; i++) {
            const struct moved *m = &p->moves[i];

            if (p->names[m->from].kept >= m->from_step && p->names[m->to].kept < m->to_step) {
                p->names[m->from].kept = m->from_step - 1;
                again = true;
            }
        }
    }
}

/* How many bytes are left, and from where on they are zeros. */
static void
left(const struct cut_plan *p, const struct step *s, size_t *ret_n, size_t *ret_zeros)
{
    size_t n = s->bytes->n;
    const struct tear *t = NULL;

    *ret_n = *ret_zeros = n;
    for (size_t i = 0; i < p->ntears && t == NULL; i++)
        if (p->tears[i].born == s->born)
            t = &p->tears[i];
    if (t == NULL)
        return;
    switch (t->how) {
    case CUT_EMPTY:
        *ret_n = *ret_zeros = 0;
        break;
    case CUT_HALF:
        *ret_n = *ret_zeros = n / 2;
        break;
    case CUT_SHORT:
        *ret_n = *ret_zeros = (size_t)(t->cut % n);
        break;
    case CUT_ZERO_TAIL:
        *ret_zeros = (size_t)(t->cut % n);
        break;
    case CUT_ZEROS:
        *ret_zeros = 0;
        break;
    case CUT_WHOLE:
    case CUT_TEARS:
        break;
    }
}

uint64_t
cut_plan_state(struct cut_plan *p)
{
    uint64_t h = p->sure_hash;

    fit(p);
    for (size_t i = 0; i < p->n; i++) {
        const struct unsure *u = &p->names[i];
        const struct step *s = &u->steps[u->kept];
        size_t n, zeros;

        if (s->bytes == NULL)
            continue;
        left(p, s, &n, &zeros);
        h += object_hash(u->name, s->bytes->hash, n, zeros);
    }
    return cut_mix(h);
}

bool
cut_plan_silent(struct cut_plan *p)
{
    bool silent = false;

    fit(p);
    for (size_t i = 0; i < p->n && !silent; i++) {
        const struct step *s = &p->names[i].steps[p->names[i].kept];
        size_t n, zeros;

        if (s->bytes == NULL)
            continue;
        left(p, s, &n, &zeros);
        silent = n == s->bytes->n && zeros < n;
    }
    return silent;
}

struct cutstore *
cut_plan_survivor(struct cut_plan *p)
{
    struct cutstore *s = cutstore_new(p->c->flush_file, p->c->flush_folder);

    s->generation = p->c->generation + 1;
    fit(p);
    cut_table_copy(&s->base, &p->sure);
    for (size_t i = 0; i < s->base.n; i++)
        s->base.v[i].born = 0;
    for (size_t i = 0; i < p->n; i++) {
        const struct unsure *u = &p->names[i];
        const struct step *k = &u->steps[u->kept];
        const struct cut_bytes *bytes = k->bytes;
        size_t n, zeros;

        if (bytes == NULL)
            continue;
        left(p, k, &n, &zeros);
        if (n != bytes->n || zeros != n) {
            struct cut_bytes *torn = (struct cut_bytes *)(uintptr_t)cut_bytes_new(
                s, bytes->p, n, cut_mix(bytes->hash + n * 3 + zeros * 5));

            memset(torn->p + zeros, 0, n - zeros);
            bytes = torn;
        }
        cut_table_set(&s->base, u->name, bytes, 0);
    }
    cut_table_copy(&s->now, &s->base);
    return s;
}

void
cut_plan_tell(struct cut_plan *p, struct sp_buf *to)
{
    fit(p);
    for (size_t i = 0; i < p->n; i++) {
        const struct unsure *u = &p->names[i];
        const struct step *k = &u->steps[u->kept], *last = &u->steps[u->n - 1];
        size_t n, zeros;

        if (u->kept < u->n - 1)
            sp_buf_printf(to, "  %s: %s\n", u->name->s,
                k->bytes == NULL      ? "lost"
                : last->bytes == NULL ? "its removal is lost"
                                      : "an earlier one is back");
        if (k->bytes == NULL)
            continue;
        left(p, k, &n, &zeros);
        if (n != k->bytes->n || zeros != n)
            sp_buf_printf(
                to, "  %s: %zu of %zu bytes, zeros from %zu\n", u->name->s, n, k->bytes->n, zeros);
    }
}
