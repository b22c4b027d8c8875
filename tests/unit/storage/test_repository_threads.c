/* Several uploads of one process in one repository at once, as a server has them. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/thread.h"
#include "expect.h"
#include "place.h"

#define HOSTS 3
#define ROUNDS 6
#define CHUNKS 12

static struct place place;

struct uploader {
    struct sp_repository *r;
    struct party p;
    struct sp_thread *t;
    struct made_record last;
    struct sp_id ids[ROUNDS * CHUNKS];
    atomic_size_t wrong;
    char why[SP_ERR_TEXT];
};

static void
check_rc(struct uploader *w, enum sp_code rc, const struct sp_err *e)
{
    if (rc != SP_OK && atomic_fetch_add(&w->wrong, 1) == 0)
        strcpy(w->why, e->text);
}

/* One set a round: chunks, a node over them, the record. */
static void
round_of(struct uploader *w, struct sp_upload *u, size_t round)
{
    struct sp_id *ids = w->ids + round * CHUNKS, root;
    struct sp_upload_durable d;
    struct sp_commit_result result;
    struct made_record r;
    struct sp_err e = {0};
    uint8_t answers[CHUNKS];
    size_t len;
    uint8_t *block;

    for (size_t i = 0; i < CHUNKS; i++) {
        block = party_data(&w->p, 9000, &ids[i], &len);
        check_rc(w, sp_upload_put(u, block, len, &d, &e), &e);
        free(block);
    }
    check_rc(w, sp_upload_have(u, false, ids, CHUNKS, answers, &e), &e);
    for (size_t i = 0; i < CHUNKS; i++)
        if (answers[i] != SP_HAVE_MINE)
            atomic_fetch_add(&w->wrong, 1);
    block = party_node(&w->p, ids, CHUNKS, &root, &len);
    check_rc(w, sp_upload_put(u, block, len, &d, &e), &e);
    free(block);
    party_record(&w->p, SP_RECORD_SET, "job", round == 0 ? NULL : &w->last, &root, &r);
    memset(&result, 0, sizeof(result));
    check_rc(w, sp_upload_commit(u, SP_RECORD_SET, r.object.data, r.object.len, &result, &e), &e);
    if (result.nmissing != 0 || result.published_ns == 0)
        atomic_fetch_add(&w->wrong, 1);
    sp_commit_result_clear(&result);
    sp_buf_free(&w->last.object);
    w->last = r;
}

static void
upload(void *arg)
{
    struct uploader *w = arg;
    struct sp_upload *u = NULL;
    struct sp_err e = {0};

    for (size_t round = 0; round < ROUNDS; round++) {
        if (round % 2 == 0) { /* a session ends, another begins */
            sp_upload_free(u);
            u = NULL;
            check_rc(w, sp_upload_new(w->r, w->p.host, party_group(&w->p), &u, &e), &e);
            if (u == NULL)
                return;
        }
        round_of(w, u, round);
    }
    sp_upload_free(u);
}

struct reader {
    struct sp_repository *r;
    struct uploader *w;
    atomic_bool stop;
    atomic_size_t wrong, rounds;
};

static enum sp_code
take(void *arg, const uint8_t *block, size_t n, const uint32_t *wanted, size_t nwanted,
    struct sp_err *e)
{
    (void)block;
    (void)n;
    (void)wanted;
    (void)e;
    *(size_t *)arg += nwanted;
    return SP_OK;
}

/* What was committed is there all the time. */
static void
read_on(void *arg)
{
    struct reader *x = arg;

    while (!atomic_load(&x->stop)) {
        struct sp_store_head h;
        struct sp_err e = {0};
        size_t lost = 0;

        memset(&h, 0, sizeof(h));
        if (sp_repository_refresh(x->r, &lost, &e) != SP_OK || lost != 0 ||
            sp_repository_head(x->r, x->w->p.host, party_group(&x->w->p), "job", &h, &e) != SP_OK ||
            (h.has_set && !h.set_whole))
            atomic_fetch_add(&x->wrong, 1);
        sp_store_head_clear(&h);
        atomic_fetch_add(&x->rounds, 1);
    }
}

static void
run(bool folder)
{
    struct uploader *w = calloc(HOSTS, sizeof(*w));
    struct sp_repository *r;
    struct reader x;
    struct sp_thread *reader;

    assert_non_null(w);
    memset(&x, 0, sizeof(x));
    place_begin(&place, folder);
    r = place_repository(&place, "cache");
    for (size_t i = 0; i < HOSTS; i++) {
        /* The second is a member of the first one's group. */
        party_init(&w[i].p, "host", i == 1 ? &w[0].p : NULL);
        w[i].r = r;
        ok(sp_repository_put_host(r, w[i].p.encoded.data, w[i].p.encoded.len, &err));
    }
    x.r = r;
    x.w = &w[0];
    ok(sp_thread_start("reader", read_on, &x, &reader, &err));
    for (size_t i = 0; i < HOSTS; i++)
        ok(sp_thread_start("uploader", upload, &w[i], &w[i].t, &err));
    for (size_t i = 0; i < HOSTS; i++) {
        sp_thread_join(w[i].t);
        if (atomic_load(&w[i].wrong) != 0)
            fail_msg("uploader %zu: %s", i, w[i].why);
    }
    atomic_store(&x.stop, true);
    sp_thread_join(reader);
    assert_int_equal(atomic_load(&x.wrong), 0);
    assert_true(atomic_load(&x.rounds) > 0);
    sp_repository_free(r);

    r = place_repository(&place, "another cache"); /* and it is all there for the next program */
    for (size_t i = 0; i < HOSTS; i++) {
        size_t got = 0;
        struct sp_reader_scope scope = {w[i].p.host, party_group(&w[i].p)};

        ok(sp_repository_get(r, &scope, w[i].ids, ROUNDS * CHUNKS, 0, take, &got, &err));
        assert_int_equal(got, ROUNDS * CHUNKS);
        sp_buf_free(&w[i].last.object);
        party_free(&w[i].p);
    }
    assert_int_equal(count_objects(place.below, "sets"), HOSTS * ROUNDS);
    sp_repository_free(r);
    place_end(&place);
    free(w);
}

static void
test_memory(void **state)
{
    (void)state;
    run(false);
}

static void
test_folder(void **state)
{
    (void)state;
    run(true);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_memory),
        cmocka_unit_test(test_folder),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
