/* The contract of storage/backend.h when several threads use a backend; see conformance.h. */

#include "conformance_threads.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/thread.h"
#include "expect.h"

struct racer {
    struct sp_backend *b;
    const char *name;
    uint8_t bytes[3000];
    size_t n;
    struct sp_mutex *lock; /* the start line */
    struct sp_cond *go;
    const bool *started;
    enum sp_code rc;
    struct sp_err e;
};

static void
race(void *arg)
{
    struct racer *r = arg;
    struct sp_backend_writer *w;

    if ((r->rc = sp_backend_begin(r->b, &w, &r->e)) != SP_OK)
        return;
    if ((r->rc = sp_backend_write(r->b, w, r->bytes, r->n, &r->e)) != SP_OK) {
        sp_backend_abort(r->b, w);
        return;
    }
    sp_mutex_lock(r->lock);
    while (!*r->started)
        sp_cond_wait(r->go, r->lock);
    sp_mutex_unlock(r->lock);
    r->rc = sp_backend_publish(r->b, w, r->name, &r->e);
}

void
one_of_two_wins(void **state)
{
    struct sp_backend *b = conformance_backend(state);
    struct sp_mutex lock;
    struct sp_cond go;
    struct racer *r = calloc(2, sizeof(*r));

    sp_mutex_init(&lock);
    sp_cond_init(&go);
    for (int round = 0; round < 60; round++) {
        struct sp_thread *t[2];
        uint8_t *got;
        size_t got_n, winner;
        bool started = false;
        char name[40];

        /* Every other round the folder is new, too. */
        (void)snprintf(name, sizeof(name), "packs/%02x/r%d", round / 2, round);
        for (size_t i = 0; i < 2; i++) {
            r[i] = (struct racer){
                .b = b, .name = name, .n = 2000 + i, .lock = &lock, .go = &go, .started = &started};
            conformance_fill(r[i].bytes, r[i].n, (uint64_t)round * 2 + i);
            ok(sp_thread_start("racer", race, &r[i], &t[i], &err));
        }
        sp_mutex_lock(&lock);
        started = true;
        sp_cond_broadcast(&go);
        sp_mutex_unlock(&lock);
        sp_thread_join(t[0]);
        sp_thread_join(t[1]);
        winner = r[0].rc == SP_OK ? 0 : 1;
        if (r[winner].rc != SP_OK || r[1 - winner].rc != SP_EXISTS)
            fail_msg("round %d: %s and %s", round, sp_code_word(r[0].rc), sp_code_word(r[1].rc));
        ok(sp_backend_get_all(b, name, 9999, &got, &got_n, &err));
        assert_int_equal(got_n, r[winner].n);
        assert_memory_equal(got, r[winner].bytes, got_n);
        free(got);
    }
    sp_cond_destroy(&go);
    sp_mutex_destroy(&lock);
    free(r);
}

#define WRITERS 4
#define EACH_WRITES 60

struct crowd {
    struct sp_backend *b;
    int number;
    enum sp_code rc;
    struct sp_err e;
};

static void
crowd_name(char to[40], int writer, int i)
{
    /* All of them meet in few folders, which they make together. */
    (void)snprintf(to, 40, "packs/%02x/w%d-%d", i % 5, writer, i);
}

static void
write_many(void *arg)
{
    struct crowd *c = arg;

    for (int i = 0; i < EACH_WRITES && c->rc == SP_OK; i++) {
        char name[40], bytes[100];

        crowd_name(name, c->number, i);
        memset(bytes, c->number * 50 + i, sizeof(bytes));
        c->rc = sp_backend_put(c->b, name, bytes, sizeof(bytes), &c->e);
        if (c->rc == SP_OK && i % 7 == 0)
            c->rc = sp_backend_sync(c->b, &c->e);
        if (c->rc == SP_OK && i % 10 == 9) {
            char to[40];

            (void)snprintf(to, sizeof(to), "trash/%d/t%d", i % 3, c->number * 1000 + i);
            c->rc = sp_backend_move(c->b, name, to, &c->e);
        }
    }
}

static enum sp_code
count(void *arg, const char *name, uint64_t size, struct sp_err *e)
{
    (void)name;
    if (size != 100)
        return sp_fail(e, SP_CORRUPT, SP_DOM_STORE, "%s was seen half written", name);
    ++*(int *)arg;
    return SP_OK;
}

void
many_write_while_one_lists(void **state)
{
    struct sp_backend *b = conformance_backend(state);
    struct crowd *c = calloc(WRITERS, sizeof(*c));
    struct sp_thread *t[WRITERS];
    int found = 0, all = WRITERS * EACH_WRITES;

    for (int i = 0; i < WRITERS; i++) {
        c[i] = (struct crowd){.b = b, .number = i};
        ok(sp_thread_start("writer", write_many, &c[i], &t[i], &err));
    }
    /* Names appear and move away under the listing; what is seen is whole. */
    for (int i = 0; i < 20; i++) {
        found = 0;
        ok(sp_backend_list(b, "packs", count, &found, &err));
    }
    for (int i = 0; i < WRITERS; i++) {
        sp_thread_join(t[i]);
        if (c[i].rc != SP_OK)
            fail_msg("writer %d: %s", i, c[i].e.text);
    }
    ok(sp_backend_sync(b, &err));
    found = 0;
    ok(sp_backend_list(b, "packs", count, &found, &err));
    assert_int_equal(found, all - all / 10);
    ok(sp_backend_list(b, "trash", count, &found, &err));
    assert_int_equal(found, all);
    for (int i = 0; i < EACH_WRITES; i++) {
        char name[40], bytes[100], want[100];

        if (i % 10 == 9)
            continue;
        crowd_name(name, i % WRITERS, i);
        memset(want, (i % WRITERS) * 50 + i, sizeof(want));
        ok(sp_backend_get(b, name, 0, bytes, sizeof(bytes), &err));
        assert_memory_equal(bytes, want, sizeof(want));
    }
    free(c);
}

struct churn {
    struct sp_backend *b;
    enum sp_code rc;
    struct sp_err e;
};

static void
come_and_go(void *arg)
{
    struct churn *c = arg;

    for (int i = 0; i < 300 && c->rc == SP_OK; i++) {
        char name[40];

        (void)snprintf(name, sizeof(name), "leases/%d/l%d", i % 4, i);
        if ((c->rc = sp_backend_put(c->b, name, "x", 1, &c->e)) == SP_OK)
            c->rc = sp_backend_remove(c->b, name, &c->e);
    }
}

static enum sp_code
count_staying(void *arg, const char *name, uint64_t size, struct sp_err *e)
{
    (void)e;
    *(int *)arg += strstr(name, "/stays") != NULL && size == 1;
    return SP_OK;
}

void
listing_survives_vanishing(void **state)
{
    int found;
    struct sp_backend *b = conformance_backend(state);
    struct churn c = {.b = b};
    struct sp_thread *t;

    conformance_put(b, "leases/0/stays", "1");
    conformance_put(b, "leases/3/stays", "1");
    ok(sp_thread_start("churn", come_and_go, &c, &t, &err));
    for (int i = 0; i < 60; i++) {
        int stay = 0;

        ok(sp_backend_list(b, "leases", count_staying, &stay, &err));
        assert_int_equal(stay, 2);
    }
    sp_thread_join(t);
    check_code(c.rc, SP_OK, c.e.text, __LINE__);
    found = 0;
    ok(sp_backend_list(b, "", count_staying, &found, &err));
    assert_int_equal(found, 2);
}
