/* The remote store over a connection that lasts: every call, and what a server may do wrong. */

#include "fake_server.h"

#include <stdatomic.h>

#include "base/clock.h"

struct fixture {
    struct fake *f;
    struct sp_store *s;
};

static int
setup(void **state)
{
    struct fixture *x = calloc(1, sizeof(*x));

    assert_non_null(x);
    x->f = fake_new();
    *state = x;
    return 0;
}

static int
teardown(void **state)
{
    struct fixture *x = *state;

    sp_store_free(x->s);
    fake_free(x->f);
    free(x);
    return 0;
}

static struct sp_store *
begin(struct fixture *x)
{
    fake_run(x->f);
    return x->s = fake_open(x->f);
}

static int64_t
now_ms(void)
{
    return sp_clock_mono(&sp_clock_system) / 1000000;
}

static void
put(struct sp_store *s, uint32_t number, bool nodes, size_t nids, size_t body)
{
    size_t n = 0;
    uint8_t *b = fake_block(number, nodes, nids, body, &n);

    assert_ok(sp_store_put(s, b, n, e));
}

/* --- opening ---------------------------------------------------------------------------------- */

static void
test_hello(void **state)
{
    struct fixture *x = *state;
    struct sp_remote_options o;
    struct sp_store_info info;
    struct sp_remote_hello h;
    struct sp_store *s = NULL;
    char address[128];

    x->f->hello.server_hello.has_group = true;
    memset(x->f->hello.server_hello.group, 0x77, 16);
    fake_run(x->f);
    (void)snprintf(address, sizeof(address), "stillpoint://%s/", x->f->address);
    o = fake_options(x->f);
    o.address = address;
    assert_ok(fake_try(x->f, &o, &s, e));
    x->s = s;
    assert_string_equal(s->ops->kind, "server");
    assert_ok(sp_store_info(s, &info, e));
    assert_int_equal(info.repository[0], 0x42);
    assert_int_equal(info.split.file_avg, 262144);
    assert_true(info.writable);
    assert_string_equal(info.why_not, "");
    assert_contains(info.address, "stillpoint://127.0.0.1:");
    sp_store_remote_hello(s, &h);
    assert_int_equal(h.conf_len, x->f->conf.len);
    assert_memory_equal(h.conf, x->f->conf.data, h.conf_len);
    assert_memory_equal(h.host, x->f->host, 16);
    assert_string_equal(h.host_name, "the host");
    assert_true(h.has_group);
    assert_int_equal(h.group[15], 0x77);
}

static void
refused(struct fixture *x, enum sp_code code, const char *words, const char *more)
{
    struct sp_remote_options o = fake_options(x->f);
    struct sp_err e = {0};
    struct sp_store *s = NULL;

    assert_int_equal(fake_try(x->f, &o, &s, &e), code);
    assert_null(s);
    assert_contains(e.text, words);
    assert_contains(e.text, more);
}

static void
test_nobody_there(void **state)
{
    struct fixture *x = *state;

    strcpy(x->f->address, "127.0.0.1:1");
    refused(x, SP_UNREACHABLE, "cannot reach 127.0.0.1:1: connection refused; ",
        "is stillpointd running there, and is the address right?");
}

static void
test_certificate_refused(void **state)
{
    struct fixture *x = *state;

    fake_run(x->f);
    x->f->admit_code = SP_AUTH;
    refused(x, SP_AUTH, "127.0.0.1", "revoked");
    x->f->admit_code = SP_ABSENT;
    refused(x, SP_AUTH, "127.0.0.1", "does not know");
}

static void
test_another_server(void **state)
{
    struct fixture *x = *state;

    fake_run(x->f);
    x->f->fingerprint[0] ^= 1;
    refused(x, SP_AUTH, "this is not the server that", "fingerprint");
}

static void
test_another_version(void **state)
{
    struct fixture *x = *state;

    x->f->major = 9;
    fake_run(x->f);
    refused(x, SP_UNSUPPORTED, "version", "update the older one");
}

static void
test_broken_conf(void **state)
{
    struct fixture *x = *state;

    x->f->conf.data[30] ^= 1;
    fake_run(x->f);
    refused(x, SP_CORRUPT, "repository", "127.0.0.1");
}

static void
test_first_connection_is_not_retried(void **state)
{
    struct fixture *x = *state;

    x->f->refuse_session = 1;
    fake_run(x->f);
    refused(x, SP_UNREACHABLE, "cannot reach", "is stillpointd running");
    x->s = fake_open(x->f); /* the second would have worked */
}

/* --- questions -------------------------------------------------------------------------------- */

static void
test_have(void **state)
{
    struct fixture *x = *state;
    struct sp_store *s = begin(x);
    struct sp_id ids[5];
    uint8_t answers[5];

    fake_has(x->f, 1, false, 4, 10);
    fake_has(x->f, 2, true, 4, 10);
    put(s, 3, false, 2, 10); /* neither flushed nor acknowledged */
    ids[0] = fake_id(1, 0);
    ids[1] = fake_id(2, 0);
    ids[2] = fake_id(3, 1);
    ids[3] = fake_id(4, 0);
    ids[4] = fake_id(1, 3);
    assert_ok(sp_store_have(s, false, ids, 5, answers, e));
    assert_memory_equal(answers, ((uint8_t[]){1, 0, 1, 0, 1}), 5);
    assert_ok(sp_store_have(s, true, ids, 5, answers, e));
    assert_memory_equal(answers, ((uint8_t[]){0, 1, 0, 0, 0}), 5);
    assert_ok(sp_store_have(s, true, ids, 0, answers, e));
}

/* The largest question is several on the wire, all sent before the first is answered. */
static void
test_have_large(void **state)
{
    struct fixture *x = *state;
    struct sp_id *ids = calloc(65536, sizeof(*ids));
    uint8_t *answers = calloc(65536, 1);
    struct sp_store *s;
    int64_t began;

    assert_non_null(ids);
    assert_non_null(answers);
    x->f->delay_ms = 300;
    s = begin(x);
    for (uint32_t i = 0; i < 65536; i++)
        ids[i] = fake_id(i / 16, i % 16);
    for (uint32_t i = 0; i < 100; i++)
        fake_has(x->f, 40 * i, false, 16, 10);
    began = now_ms();
    assert_ok(sp_store_have(s, false, ids, 65536, answers, e));
    began = now_ms() - began;
    assert_true(began >= 290);
    assert_true(began < 900);
    assert_true(fake_count(x->f, SP_MSG_HAVE) > 1);
    for (uint32_t i = 0; i < 65536; i++)
        assert_int_equal(answers[i], (i / 16) % 40 == 0 && i / 16 < 4000);
    free(ids);
    free(answers);
}

struct asker {
    struct sp_store *s;
    struct sp_thread *thread;
    uint32_t number;
    uint8_t answer;
    struct sp_err e;
};

static void
ask_one(void *arg)
{
    struct asker *a = arg;
    struct sp_id id = fake_id(a->number, 0);

    (void)sp_store_have(a->s, false, &id, 1, &a->answer, &a->e);
}

/* Twenty callers, one delay. */
static void
test_many_callers(void **state)
{
    struct fixture *x = *state;
    struct asker a[20];
    int64_t began;

    x->f->delay_ms = 300;
    begin(x);
    for (uint32_t i = 0; i < 20; i += 2)
        fake_has(x->f, i, false, 1, 10);
    began = now_ms();
    for (uint32_t i = 0; i < 20; i++) {
        a[i] = (struct asker){.s = x->s, .number = i};
        assert_ok(sp_thread_start("asker", ask_one, &a[i], &a[i].thread, e));
    }
    for (uint32_t i = 0; i < 20; i++) {
        sp_thread_join(a[i].thread);
        assert_int_equal(a[i].e.code, SP_OK);
        assert_int_equal(a[i].answer, i % 2 == 0);
    }
    assert_true(now_ms() - began < 900);
}

/* More than the protocol lets be in flight at once. */
static void
test_more_than_in_flight(void **state)
{
    struct fixture *x = *state;
    static struct asker a[150];

    x->f->delay_ms = 50;
    begin(x);
    for (uint32_t i = 0; i < 150; i++) {
        a[i] = (struct asker){.s = x->s, .number = i};
        assert_ok(sp_thread_start("asker", ask_one, &a[i], &a[i].thread, e));
    }
    for (uint32_t i = 0; i < 150; i++) {
        sp_thread_join(a[i].thread);
        assert_int_equal(a[i].e.code, SP_OK);
    }
}

static enum sp_code
count_slots(void *arg, const uint8_t *slot, size_t n, struct sp_err *e)
{
    unsigned *count = arg;

    (void)e;
    assert_int_equal(n, *count == 0 ? 14 : 15);
    assert_memory_equal(slot, *count == 0 ? "the first slot" : "the second slot", n);
    ++*count;
    return SP_OK;
}

static enum sp_code
one_finding(void *arg, const struct sp_check_finding *f, struct sp_err *e)
{
    unsigned *count = arg;
    struct sp_id id = fake_id(3, 0);

    (void)e;
    assert_int_equal(f->severity, SP_FINDING_FAULT);
    assert_string_equal(f->object, "packs/ab/cd");
    assert_string_equal(f->text, "a pack is short");
    assert_int_equal(f->nids, 1);
    assert_memory_equal(f->ids, &id, 32);
    ++*count;
    return SP_OK;
}

static void
test_small_requests(void **state)
{
    struct fixture *x = *state;
    struct sp_store *s = begin(x);
    struct sp_check_options o = {.depth = SP_CHECK_DATA, .part = 2, .parts = 5};
    struct sp_check_totals totals;
    uint8_t other[16] = {1}, *host = NULL;
    struct sp_id *missing = NULL, wanted = fake_id(5, 0);
    unsigned slots = 0, findings = 0;
    size_t n = 0;
    bool more = false;

    assert_ok(sp_store_slots(s, NULL, count_slots, &slots, e));
    assert_int_equal(slots, 2);
    assert_ok(sp_store_put_slot(s, (const uint8_t *)"slot", 4, e));
    assert_ok(sp_store_remote_put_host(s, (const uint8_t *)"host", 4, e));
    assert_int_equal(fake_count(x->f, SP_MSG_PUT_SLOT), 1);
    assert_int_equal(fake_count(x->f, SP_MSG_HOST_PUT), 1);
    assert_ok(sp_store_host(s, x->f->host, &host, &n, e));
    assert_int_equal(n, 13);
    assert_memory_equal(host, "a host record", 13);
    free(host);
    assert_code(SP_ABSENT, sp_store_host(s, other, &host, &n, e));
    assert_ok(sp_store_missing(s, other, &missing, &n, &more, e));
    assert_int_equal(n, 1);
    assert_true(more);
    assert_memory_equal(missing, &wanted, 32);
    free(missing);
    assert_ok(sp_store_check(s, &o, one_finding, &findings, &totals, e));
    assert_int_equal(findings, 1);
    assert_int_equal(totals.packs, 12);
    assert_int_equal(totals.faults, 1);
}

/* --- records ---------------------------------------------------------------------------------- */

static enum sp_code
note_set(void *arg, const struct sp_set_info *i, struct sp_err *e)
{
    struct sp_buf *b = arg;

    (void)e;
    sp_buf_printf(b, "%s %u %d;", i->type == SP_RECORD_SET ? "set" : "checkpoint", i->set_id[0],
        (int)i->published_ns);
    return SP_OK;
}

static void
test_commit_and_head(void **state)
{
    struct fixture *x = *state;
    struct sp_store *s = begin(x);
    struct sp_buf one = SP_BUF_INIT, two = SP_BUF_INIT, point = SP_BUF_INIT, seen = SP_BUF_INIT;
    struct sp_commit_result r = {0};
    struct sp_store_head h = {0};
    uint8_t hash[32];

    fake_record(SP_RECORD_SET, 1, NULL, &one);
    fake_record(SP_RECORD_SET, 2, &one, &two);
    fake_record(SP_RECORD_CHECKPOINT, 3, &one, &point);
    assert_ok(sp_store_head(s, "the job", &h, e));
    assert_false(h.has_set);
    assert_ok(sp_store_commit(s, SP_RECORD_SET, one.data, one.len, &r, e));
    assert_int_equal(r.published_ns, 1001);
    assert_int_equal(r.nmissing, 0);
    assert_ok(sp_store_commit(s, SP_RECORD_CHECKPOINT, point.data, point.len, &r, e));
    assert_ok(sp_store_head(s, "the job", &h, e));
    assert_true(h.has_set && h.set_whole && h.has_checkpoint && !h.checkpoint_whole);
    assert_int_equal(h.set_len, one.len);
    assert_memory_equal(h.set, one.data, one.len);
    assert_ok(sp_record_hash(one.data, one.len, hash, e));
    assert_memory_equal(h.set_hash, hash, 32);
    assert_memory_equal(h.checkpoint, point.data, point.len);
    assert_int_equal(h.nmissing, 1);
    assert_true(h.missing_more);
    sp_store_head_clear(&h);
    assert_ok(sp_store_commit(s, SP_RECORD_SET, two.data, two.len, &r, e));
    /* A chain does not fork; and a refusal of one thing does not poison the store. */
    assert_code(SP_REFUSED, sp_store_commit(s, SP_RECORD_SET, two.data, two.len, &r, e));
    assert_ok(sp_store_list(s, false, false, note_set, &seen, e));
    sp_buf_put_str(&seen, " ");
    assert_ok(sp_store_list(s, true, true, note_set, &seen, e));
    assert_string_equal(sp_buf_str(&seen), "set 2 1003;set 1 1001; "
                                           "set 2 1003;checkpoint 3 1002;set 1 1001;");
    sp_buf_free(&one);
    sp_buf_free(&two);
    sp_buf_free(&point);
    sp_buf_free(&seen);
}

/* --- blocks ----------------------------------------------------------------------------------- */

static void
test_put_and_flush(void **state)
{
    struct fixture *x = *state;
    struct sp_store *s = begin(x);

    for (uint32_t i = 0; i < 300; i++)
        put(s, i, i % 3 == 0, 1 + i % 7, 1000 * (i % 50));
    assert_ok(sp_store_flush(s, e));
    for (uint32_t i = 0; i < 300; i++) {
        const struct fake_block *b = &x->f->blocks[i];

        assert_true(b->durable);
        assert_int_equal(b->times, 1);
        assert_int_equal(b->nodes, i % 3 == 0);
    }
    assert_ok(sp_store_flush(s, e));
}

static void
test_put_refused_here(void **state)
{
    struct fixture *x = *state;
    struct sp_store *s;
    struct sp_remote_options o;
    size_t n = 0;
    uint8_t *b;

    fake_run(x->f);
    o = fake_options(x->f);
    o.has_group = true;
    memset(o.group, 0x66, 16);
    assert_ok(fake_try(x->f, &o, &s, e));
    x->s = s;
    b = fake_block(1, false, 1, 100, &n);
    assert_code(SP_REFUSED, sp_store_put(s, b, n, e)); /* group 0x77 */
    b = fake_block(1, false, 1, 100, &n);
    assert_code(SP_CORRUPT, sp_store_put(s, b, n - 1, e));
    b = fake_block(1, false, 1, 100, &n);
    b[5] = SP_BLOCK_RECORD;
    assert_code(SP_INVALID, sp_store_put(s, b, n, e));
    assert_ok(sp_store_flush(s, e));
    assert_int_equal(fake_count(x->f, SP_MSG_PUT), 0);
}

static void
test_read_only(void **state)
{
    struct fixture *x = *state;
    struct sp_store_info info;
    struct sp_store *s;
    struct sp_err e = {0};
    size_t n = 0;
    uint8_t *b = fake_block(1, false, 1, 100, &n);
    unsigned slots = 0;

    x->f->hello.server_hello.writable = false;
    strcpy(x->f->hello.server_hello.reason, "the disk is full");
    s = begin(x);
    assert_int_equal(sp_store_info(s, &info, &e), SP_OK);
    assert_false(info.writable);
    assert_string_equal(info.why_not, "the disk is full");
    assert_int_equal(sp_store_put(s, b, n, &e), SP_REFUSED);
    assert_contains(e.text, "the disk is full");
    assert_int_equal(sp_store_slots(s, NULL, count_slots, &slots, &e), SP_OK);
}

/* Far more than the credit; the server never makes a pack by itself, so only a FLUSH of the store's
 * own brings the credit back. */
static void
test_starving(void **state)
{
    struct fixture *x = *state;
    struct sp_store *s;

    x->f->pack_bytes = UINT64_MAX;
    x->f->hello.server_hello.put_credit = SP_PUT_CREDIT_MIN;
    s = begin(x);
    for (uint32_t i = 0; i < 60; i++)
        put(s, i, false, 1, 1 << 20);
    assert_true(fake_count(x->f, SP_MSG_FLUSH) >= 5);
    assert_ok(sp_store_flush(s, e));
    for (uint32_t i = 0; i < 60; i++)
        assert_int_equal(x->f->blocks[i].times, 1);
}

/* A pack's worth is there, and yet nothing is acknowledged: asked after a while. */
static void
test_starving_late(void **state)
{
    struct fixture *x = *state;
    struct sp_store *s;

    x->f->pack_bytes = UINT64_MAX;
    s = begin(x); /* a credit of 24 MiB, packs of 16 */
    for (uint32_t i = 0; i < 40; i++)
        put(s, i, false, 1, 1 << 20);
    assert_true(fake_count(x->f, SP_MSG_FLUSH) >= 1);
    assert_ok(sp_store_flush(s, e));
}

/* --- get -------------------------------------------------------------------------------------- */

struct getting {
    struct fixture *x;
    const struct sp_id *ids;
    unsigned blocks, ids_seen, end_after, slow_ms;
    size_t largest;
    uint32_t last;
    uint8_t *seen;
    void *self;
};

static enum sp_code
take_block(void *arg, const uint8_t *block, size_t n, const uint32_t *wanted, size_t nwanted,
    struct sp_err *e)
{
    struct getting *g = arg;
    struct sp_block_header h;
    uint32_t number;

    assert_int_equal(sp_block_header_parse(block, n, &h, e), SP_OK);
    assert_int_equal(n, h.header_len + h.sealed_len);
    number = fake_number(h.ids);
    assert_true(g->blocks == 0 || number > g->last);
    g->last = number;
    for (size_t i = 0; i < nwanted; i++) {
        assert_int_equal(fake_number(g->ids[wanted[i]].b), number);
        assert_int_equal(g->seen[wanted[i]], 0);
        g->seen[wanted[i]] = 1;
        g->ids_seen++;
    }
    if (g->slow_ms > 0)
        sp_sleep_ms(g->slow_ms);
    if (++g->blocks == g->end_after)
        return sp_fail(e, SP_CHANGED, SP_DOM_DESTINATION, "enough");
    return SP_OK;
}

static struct sp_id *
ids_of(uint32_t blocks, unsigned each)
{
    struct sp_id *ids = calloc((size_t)blocks * each, sizeof(*ids));

    assert_non_null(ids);
    for (uint32_t i = 0; i < blocks * each; i++) /* not in the order of the blocks */
        ids[i] = fake_id(i % blocks, i / blocks);
    return ids;
}

/* More than the reply credit, slowly taken: the server has to wait for us. */
static void
test_get(void **state)
{
    struct fixture *x = *state;
    struct getting g = {.x = x, .slow_ms = 2};
    struct sp_store *s = begin(x);
    struct sp_id *ids = ids_of(100, 3);
    uint8_t *seen = calloc(300, 1);

    for (uint32_t i = 0; i < 100; i++)
        if (i != 50)
            fake_has(x->f, i, false, 2, 1 << 19);
    g.ids = ids;
    g.seen = seen;
    assert_ok(sp_store_get(s, ids, 300, 0, take_block, &g, e));
    assert_int_equal(g.blocks, 99);
    assert_int_equal(g.ids_seen, 297);
    g.blocks = 0;
    assert_ok(sp_store_get(s, ids, 300, 1, take_block, &g, e)); /* no second copy */
    assert_int_equal(g.blocks, 0);
    free(ids);
    free(seen);
}

static void
test_get_ended_early(void **state)
{
    struct fixture *x = *state;
    struct getting g = {.x = x, .end_after = 3};
    struct sp_store *s = begin(x);
    struct sp_id *ids = ids_of(200, 1);
    uint8_t *seen = calloc(200, 1);

    for (uint32_t i = 0; i < 200; i++)
        fake_has(x->f, i, false, 1, 1 << 18);
    g.ids = ids;
    g.seen = seen;
    for (unsigned i = 0; i < 4; i++) { /* credit is not lost by it */
        memset(seen, 0, 200);
        g.blocks = 0;
        assert_code(SP_CHANGED, sp_store_get(s, ids, 200, 0, take_block, &g, e));
        assert_int_equal(g.blocks, 3);
    }
    assert_ok(sp_store_flush(s, e));
    free(ids);
    free(seen);
}

/* --- what goes wrong -------------------------------------------------------------------------- */

static bool
fail_type(struct fake *f, struct fake_session *s, struct sp_event *ev)
{
    if (ev->frame.msg.type != *(enum sp_msg_type *)f->on_arg)
        return false;
    fake_error(s, ev->frame.msg.tag, SP_IO, "the disk is gone");
    return true;
}

/* A failed reading fails alone; a failed writing ends the run (R1). */
static void
test_errors(void **state)
{
    struct fixture *x = *state;
    enum sp_msg_type type = SP_MSG_LIST;
    struct sp_store *s;
    struct sp_buf seen = SP_BUF_INIT;
    struct sp_id id = fake_id(1, 1);
    uint8_t answer;
    struct sp_err err = {0};

    x->f->on = fail_type;
    x->f->on_arg = &type;
    s = begin(x);
    assert_code(SP_IO, sp_store_list(s, true, true, note_set, &seen, e));
    assert_ok(sp_store_have(s, false, &id, 1, &answer, e));
    sp_mutex_lock(&x->f->lock);
    type = SP_MSG_FLUSH;
    sp_mutex_unlock(&x->f->lock);
    assert_code(SP_IO, sp_store_flush(s, e));
    assert_int_equal(sp_store_have(s, false, &id, 1, &answer, &err), SP_IO);
    assert_string_equal(err.text, "the disk is gone");
    assert_code(SP_IO, sp_store_list(s, true, true, note_set, &seen, e));
}

static bool
fail_puts(struct fake *f, struct fake_session *s, struct sp_event *ev)
{
    (void)f;
    if (ev->frame.msg.type != SP_MSG_PUT)
        return false;
    fake_error(s, 0, SP_FULL, "no space");
    return true;
}

static void
test_puts_fail(void **state)
{
    struct fixture *x = *state;
    struct sp_err err = {0};
    struct sp_store *s;
    size_t n = 0;

    x->f->on = fail_puts;
    s = begin(x);
    for (uint32_t i = 0; i < 10000 && err.code == SP_OK; i++) {
        uint8_t *b = fake_block(i, false, 1, 100000, &n);

        (void)sp_store_put(s, b, n, &err);
    }
    assert_int_equal(err.code, SP_FULL);
    assert_string_equal(err.text, "no space");
    assert_code(SP_FULL, sp_store_flush(s, e));
}

static void
test_acknowledges_too_much(void **state)
{
    struct fixture *x = *state;
    struct sp_store *s;

    x->f->pack_bytes = 1;
    x->f->ack_too_much = 1;
    s = begin(x);
    put(s, 1, false, 1, 100);
    assert_code(SP_PROTOCOL, sp_store_flush(s, e));
    assert_int_equal(x->f->connections, 1); /* never tried again */
}

static bool
answer_have_wrong(struct fake *f, struct fake_session *s, struct sp_event *ev)
{
    struct sp_msg m = {.type = SP_MSG_HAVE_REPLY, .tag = ev->frame.msg.tag};
    uint8_t answer = *(uint8_t *)f->on_arg;

    if (ev->frame.msg.type != SP_MSG_HAVE)
        return false;
    fake_reply(s, &m, &answer, 1);
    return true;
}

/* Of a node it is never said that a member has it. */
static void
test_impossible_answers(void **state)
{
    struct fixture *x = *state;
    uint8_t told = SP_HAVE_MEMBERS, answer = 9;
    struct sp_id id = fake_id(1, 1);
    struct sp_store *s;

    x->f->on = answer_have_wrong;
    x->f->on_arg = &told;
    s = begin(x);
    assert_ok(sp_store_have(s, false, &id, 1, &answer, e));
    assert_int_equal(answer, SP_HAVE_MEMBERS);
    assert_code(SP_PROTOCOL, sp_store_have(s, true, &id, 1, &answer, e));
    assert_int_equal(answer, SP_HAVE_MEMBERS);
    assert_code(SP_PROTOCOL, sp_store_have(s, false, &id, 1, &answer, e));
}

static bool
answer_get_wrong(struct fake *f, struct fake_session *s, struct sp_event *ev)
{
    struct sp_msg m = {.type = SP_MSG_BLOCK, .tag = ev->frame.msg.tag, .block = {.wanted = 1}};
    uint8_t p[100] = {200};

    (void)f;
    if (ev->frame.msg.type != SP_MSG_GET)
        return false;
    fake_reply(s, &m, p, sizeof(p));
    return true;
}

static void
test_block_nobody_asked_for(void **state)
{
    struct fixture *x = *state;
    struct sp_id *ids = ids_of(5, 1);
    struct getting g = {.x = x, .ids = ids};
    struct sp_store *s;

    x->f->on = answer_get_wrong;
    s = begin(x);
    assert_code(SP_PROTOCOL, sp_store_get(s, ids, 5, 0, take_block, &g, e));
    assert_int_equal(g.blocks, 0);
    free(ids);
}

/* --- cancelling ------------------------------------------------------------------------------- */

struct caller {
    struct sp_store *s;
    struct sp_thread *thread;
    int what;
    enum sp_code rc;
    atomic_uint taken; /* blocks of a MiB */
};

static void
call(void *arg)
{
    struct caller *c = arg;
    struct sp_err e = {0};
    struct sp_id id = fake_id(1, 1);
    uint8_t answer;
    size_t n = 0;

    if (c->what == 0)
        c->rc = sp_store_have(c->s, false, &id, 1, &answer, &e);
    else if (c->what == 1)
        c->rc = sp_store_flush(c->s, &e);
    else
        for (uint32_t i = 0; (c->rc = e.code) == SP_OK; i++) {
            uint8_t *b = fake_block(i, false, 1, 1 << 20, &n);

            if (sp_store_put(c->s, b, n, &e) == SP_OK)
                atomic_fetch_add(&c->taken, 1);
        }
}

/* The server reads nothing: every caller waits; then every caller comes back. */
static void
test_cancel(void **state)
{
    struct fixture *x = *state;
    struct caller c[6];
    struct sp_store *s;
    struct sp_id id = fake_id(1, 1);
    uint8_t answer;
    unsigned taken = 0;
    int64_t began;

    x->f->never_read = true;
    s = begin(x);
    for (int i = 0; i < 6; i++) {
        c[i].s = s;
        c[i].what = i % 3;
        atomic_init(&c[i].taken, 0);
        assert_ok(sp_thread_start("caller", call, &c[i], &c[i].thread, e));
    }
    /* until the credit is used up, and a little longer for those who wait */
    for (int i = 0; i < 600 && atomic_load(&c[2].taken) + atomic_load(&c[5].taken) < 20; i++)
        sp_sleep_ms(100);
    sp_sleep_ms(300);
    began = now_ms();
    sp_store_cancel(s);
    for (int i = 0; i < 6; i++) {
        sp_thread_join(c[i].thread);
        assert_int_equal(c[i].rc, SP_CANCELLED);
        taken += atomic_load(&c[i].taken);
    }
    /* What was kept meanwhile is what the credit allows. */
    assert_in_range(taken, 20, SP_PUT_CREDIT >> 20);
    assert_code(SP_CANCELLED, sp_store_have(s, false, &id, 1, &answer, e));
    sp_store_free(s);
    x->s = NULL;
    assert_true(now_ms() - began < 30000); /* not the minutes of the limits */
}

/* Freed while the server does not listen: the goodbye is waited for a little, no more. */
static void
test_free_unheard(void **state)
{
    struct fixture *x = *state;
    int64_t began;

    x->f->never_read = true;
    begin(x);
    put(x->s, 1, false, 1, 1 << 20);
    began = now_ms();
    sp_store_free(x->s);
    x->s = NULL;
    assert_true(now_ms() - began < SP_LINGER_MS + 2000);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_hello),
        TEST(test_nobody_there),
        TEST(test_certificate_refused),
        TEST(test_another_server),
        TEST(test_another_version),
        TEST(test_broken_conf),
        TEST(test_first_connection_is_not_retried),
        TEST(test_have),
        TEST(test_have_large),
        TEST(test_many_callers),
        TEST(test_more_than_in_flight),
        TEST(test_small_requests),
        TEST(test_commit_and_head),
        TEST(test_put_and_flush),
        TEST(test_put_refused_here),
        TEST(test_read_only),
        TEST(test_starving),
        TEST(test_starving_late),
        TEST(test_get),
        TEST(test_get_ended_early),
        TEST(test_errors),
        TEST(test_puts_fail),
        TEST(test_acknowledges_too_much),
        TEST(test_impossible_answers),
        TEST(test_block_nobody_asked_for),
        TEST(test_cancel),
        TEST(test_free_unheard),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
