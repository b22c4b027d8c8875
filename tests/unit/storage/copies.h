#ifndef SP_TESTS_COPIES_H
#define SP_TESTS_COPIES_H

/* What the tests of copies share: a source with hosts, a target, and a copy from the one to the
 * other, opened anew for each. Include after cmocka.h. */

#include "base/clock.h"
#include "base/text.h"
#include "expect.h"
#include "place.h"
#include "storage/copy.h"
#include "storage/repository_impl.h"

struct who { /* a host of the source */
    struct party p;
    struct sp_store *store;
    char cache[32];
    struct sp_id data, root; /* of the set made last */
};

static struct place source, target;
static struct who one;

static inline void
who_begin(struct who *w, const char *name, const struct party *like)
{
    party_init(&w->p, name, like);
    (void)snprintf(w->cache, sizeof(w->cache), "cache-%s", name);
    place_admit(&source, &w->p);
    w->store = place_store(&source, &w->p, w->cache);
}

static inline void
who_end(struct who *w)
{
    sp_store_free(w->store);
    party_free(&w->p);
}

/* Sees what others uploaded since. */
static inline void
who_again(struct who *w)
{
    sp_store_free(w->store);
    w->store = place_store(&source, &w->p, w->cache);
}

static inline int
begin(void **state)
{
    (void)state;
    place_begin(&source, false);
    place_begin(&target, false);
    who_begin(&one, "one", NULL);
    return 0;
}

static inline int
end(void **state)
{
    (void)state;
    who_end(&one);
    place_end(&target);
    place_end(&source);
    return 0;
}

static inline void
make_sets(struct who *w, struct made_record *r, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct sp_id ids[4];

        make_set(w->store, &w->p, "job", i == 0 ? NULL : &r[i - 1], 3, ids, &r[i]);
        w->data = ids[0];
        w->root = ids[3];
    }
}

static inline void
free_sets(struct made_record *r, size_t n)
{
    for (size_t i = 0; i < n; i++)
        sp_buf_free(&r[i].object);
}

struct copied { /* a copy: what is asked and what came of it. Clear it before the first use. */
    struct sp_copy_options o;
    struct sp_copy_totals t;
    size_t published; /* objects that the target got */
    uint64_t fail_at; /* from this call on the target fails … */
    enum sp_code fail_with;
    uint64_t calls;
    void (*before)(void *arg, const char *op, const char *name); /* of the target's calls */
    bool once;
    uint64_t stop_at; /* blocks */
    size_t notes, damages, failed, refused;
    char text[640]; /* of the last event that has one */
};

static inline void
hear(void *arg, const struct sp_copy_event *ev)
{
    struct copied *c = arg;

    c->notes += ev->what == SP_COPY_NOTE;
    c->damages += ev->what == SP_COPY_DAMAGE;
    c->failed += ev->what == SP_COPY_SET_FAILED;
    c->refused += ev->what == SP_COPY_SET_REFUSED;
    if (ev->text[0] != '\0')
        (void)snprintf(c->text, sizeof(c->text), "%s", ev->text);
}

/* Opens both and copies; what is asked stays in c->o. */
static inline enum sp_code
copy_all(struct copied *c)
{
    struct sp_repository *from = NULL, *to = NULL;
    struct sp_copy_side f = {.repository = NULL}, t = {.repository = NULL};
    struct recorder *recorder = NULL;
    enum sp_code rc;

    c->notes = c->damages = c->failed = c->refused = c->published = 0;
    c->text[0] = '\0';
    c->o.event = hear;
    c->o.arg = c;
    ok(place_open(&source, false, "copy-from", NULL, &from));
    ok(place_open(&target, !c->o.dry_run, "copy-to", &recorder, &to));
    recorder_reset(recorder);
    recorder->calls = 0;
    recorder->before = c->before;
    recorder->arg = c;
    recorder->fail_at = c->fail_at;
    recorder->fail_on = c->fail_at != 0;
    recorder->code = c->fail_with;
    f.repository = from;
    t.repository = to;
    rc = sp_copy(&f, &t, &c->o, &c->t, &err);
    c->calls = recorder->calls;
    for (const char *at = recorder_log(recorder); (at = strstr(at, "publish ")) != NULL; at++)
        c->published++;
    sp_repository_free(to);
    sp_repository_free(from);
    return rc;
}

struct counted {
    size_t faults, notes;
    char text[400]; /* of the last one */
};

static inline enum sp_code
count_finding(void *arg, const struct sp_check_finding *f, struct sp_err *e)
{
    struct counted *c = arg;

    (void)e;
    c->faults += f->severity == SP_FINDING_FAULT;
    c->notes += f->severity == SP_FINDING_NOTE;
    strcpy(c->text, f->text);
    return SP_OK;
}

static inline struct counted
check_all(struct place *p)
{
    const struct sp_check_options o = {.depth = SP_CHECK_DATA};
    struct sp_repository *r = NULL;
    struct sp_check_totals t;
    struct counted c = {0, 0, ""};

    ok(place_open(p, false, "checker", NULL, &r));
    ok(sp_repository_check(r, NULL, &o, count_finding, &c, &t, &err));
    sp_repository_free(r);
    return c;
}

static inline size_t
faults(struct place *p)
{
    return check_all(p).faults;
}

struct listed {
    struct sp_buf text; /* names and contents of all that lies under sets/ */
    struct sp_backend *b;
    char names[256][192];
    size_t n;
};

static inline enum sp_code
list_object(void *arg, const char *name, uint64_t size, struct sp_err *e)
{
    struct listed *l = arg;

    (void)size;
    (void)e;
    assert_true(l->n < 256);
    strcpy(l->names[l->n++], name);
    return SP_OK;
}

static inline int
name_cmp(const void *a, const void *b)
{
    return strcmp(a, b);
}

static inline void
list_records(struct place *p, struct listed *l)
{
    memset(l, 0, sizeof(*l));
    ok(sp_backend_list(p->below, "sets", list_object, l, &err));
    qsort(l->names, l->n, sizeof(l->names[0]), name_cmp);
    for (size_t i = 0; i < l->n; i++) {
        uint8_t *bytes;
        size_t n;

        ok(sp_backend_get_all(p->below, l->names[i], 16u << 20, &bytes, &n, &err));
        sp_buf_put_str(&l->text, l->names[i]);
        sp_buf_put(&l->text, bytes, n);
        free(bytes);
    }
}

/* All records of both sides are the same, names (so times) and bytes. */
static inline void
same_sets(void)
{
    struct listed *a = malloc(sizeof(*a)), *b = malloc(sizeof(*b));

    list_records(&source, a);
    list_records(&target, b);
    assert_int_equal(a->n, b->n);
    assert_int_equal(a->text.len, b->text.len);
    assert_memory_equal(a->text.data, b->text.data, a->text.len);
    sp_buf_free(&a->text);
    sp_buf_free(&b->text);
    free(a);
    free(b);
}

/* How many packs of that kind the target has from the host. */
static inline size_t
packs_of(const struct party *p, enum sp_pack_kind kind)
{
    struct sp_repository *r = NULL;
    size_t n = 0;

    ok(place_open(&target, false, "counter", NULL, &r));
    for (uint32_t i = 0; i < sp_presence_count(r->presence); i++) {
        const struct sp_pack_state *s = sp_presence_at(r->presence, i);

        n += s->kind == kind && sp_pack_relied(s) &&
             memcmp(sp_presence_uploader(r->presence, s), p->host, 16) == 0;
    }
    sp_repository_free(r);
    return n;
}

#endif
