/* Completions over the wire: sent again after a cut, listed with their sets, and never shown to who
 * does not know them. */

#include "fake_server.h"

#include "fake_proxy.h"
#include "storage/compress.h"

struct fixture {
    struct fake *f;
    struct proxy *p;
    struct sp_store *s;
    char address[64];
    struct sp_buf completions[64]; /* by the server: of its records; len 0: none */
    bool after;                    /* it aborts after it took one, not before */
    unsigned abort_first;          /* so many times */
    enum sp_code answer;
    bool of_another; /* it lists completions before the wrong set */
    unsigned taken;
};

static int
setup(void **state)
{
    struct fixture *x = calloc(1, sizeof(*x));
    struct sp_err err = {0};

    sure(x != NULL);
    x->f = fake_new();
    x->f->on_arg = x;
    sure(
        sp_features_add(&x->f->hello.server_hello.features, SP_FEATURE_COMPLETIONS, &err) == SP_OK);
    *state = x;
    return 0;
}

static int
teardown(void **state)
{
    struct fixture *x = *state;

    sp_store_free(x->s);
    if (x->p != NULL)
        proxy_free(x->p);
    fake_free(x->f);
    for (size_t i = 0; i < 64; i++)
        sp_buf_free(&x->completions[i]);
    free(x);
    return 0;
}

static void
notice(void *arg, const char *sentence)
{
    (void)arg;
    (void)sentence;
}

static void
begin(struct fixture *x, uint64_t seed)
{
    struct sp_remote_options o;

    fake_run(x->f);
    o = fake_options(x->f);
    if (seed != 0) {
        x->p = proxy_new(x->f->port, seed);
        (void)snprintf(x->address, sizeof(x->address), "127.0.0.1:%u", (unsigned)proxy_port(x->p));
        o.address = x->address;
    }
    o.notice = notice;
    assert_ok(fake_try(x->f, &o, &x->s, e));
}

/* Of the set with this number; the store does not look into it. */
static void
make_completion(uint8_t number, size_t document, struct sp_buf *ret)
{
    struct sp_keys *k = NULL;
    struct sp_sealer *sealer = NULL;
    struct sp_compressor *c = NULL;
    struct sp_opener *o = NULL;
    struct sp_hasher *h = NULL;
    struct sp_completion clear = {.applications = SP_LEVEL_CRASH};
    uint8_t *bytes = calloc(1, document + 1);
    struct sp_completion_document d = {(char[]){"session.xml"}, bytes, document};
    struct sp_completion_sealed sealed = {.documents = &d, .ndocuments = 1};
    uint8_t secret[32] = {9};

    sure(bytes != NULL);
    for (size_t i = 0; i < document; i++)
        bytes[i] = (uint8_t)(i * 2654435761u >> 13); /* does not compress much */
    memset(clear.set_id, number, 16);
    memset(clear.host, 0x11, 16);
    assert_ok(sp_keys_generate(&sp_random_system, &k, e));
    assert_ok(sp_sealer_new(k, &sp_random_system, &sealer, e));
    assert_ok(sp_compressor_new(3, &c, e));
    assert_ok(sp_opener_new(k, &o, e));
    assert_ok(sp_hasher_new(k, &h, e));
    assert_ok(sp_completion_encode(&clear, &sealed, sealer, c, o, h, secret, ret, e));
    sp_hasher_free(h);
    sp_opener_free(o);
    sp_compressor_free(c);
    sp_sealer_free(sealer);
    sp_keys_free(k);
    free(bytes);
}

static void
list_some(struct fixture *x, struct fake_session *s, const struct sp_frame *fr)
{
    struct fake *f = x->f;
    struct sp_msg done = {.type = SP_MSG_DONE, .tag = fr->msg.tag};

    for (size_t i = f->nrecords; i > 0; i--) {
        struct sp_msg m = {.type = SP_MSG_LIST_ITEM, .tag = fr->msg.tag};
        struct sp_set clear;

        assert_ok(sp_set_record_decode(f->records[i - 1].data, f->records[i - 1].len, &clear, e));
        m.list_item.published_ns = 1000 + (int64_t)i;
        memcpy(m.list_item.host, clear.host, 16);
        memcpy(m.list_item.set_id, clear.set_id, 16);
        if (x->completions[i - 1].len > 0) {
            m.list_item.type = SP_RECORD_COMPLETION;
            if (x->of_another)
                m.list_item.set_id[0] ^= 0x80;
            fake_reply(s, &m, x->completions[i - 1].data, x->completions[i - 1].len);
            memcpy(m.list_item.set_id, clear.set_id, 16);
        }
        m.list_item.type = SP_RECORD_SET;
        fake_reply(s, &m, f->records[i - 1].data, f->records[i - 1].len);
    }
    fake_reply(s, &done, NULL, 0);
}

/* The server, as far as completions go. */
static bool
on_event(struct fake *f, struct fake_session *s, struct sp_event *ev)
{
    struct fixture *x = f->on_arg;
    struct sp_msg done = {.type = SP_MSG_DONE, .tag = ev->frame.msg.tag};

    if (ev->frame.msg.type == SP_MSG_LIST) {
        list_some(x, s, &ev->frame);
        return true;
    }
    if (ev->frame.msg.type != SP_MSG_COMPLETE)
        return false;
    if (x->abort_first > 0 && !x->after) {
        x->abort_first--;
        sp_channel_abort(s->channel);
        return true;
    }
    x->taken++;
    if (x->abort_first > 0) {
        x->abort_first--;
        sp_channel_abort(s->channel);
    } else if (x->answer != SP_OK) {
        fake_error(s, ev->frame.msg.tag, x->answer, "so it is");
    } else {
        fake_reply(s, &done, NULL, 0);
    }
    return true;
}

/* Cut before the server had it, and after: it is sent again until there is an answer. */
static void
test_sent_again(void **state)
{
    struct fixture *x = *state;
    struct sp_buf c = SP_BUF_INIT;

    x->f->on = on_event;
    make_completion(1, 100, &c);
    begin(x, 0);
    assert_ok(sp_store_complete(x->s, c.data, c.len, e));
    sure(x->taken == 1);
    for (int after = 0; after < 2; after++) {
        sp_mutex_lock(&x->f->lock);
        x->after = after == 1;
        x->abort_first = 3;
        x->taken = 0;
        sp_mutex_unlock(&x->f->lock);
        assert_ok(sp_store_complete(x->s, c.data, c.len, e));
        sure(x->taken == (after ? 4 : 1) && x->abort_first == 0);
    }
    sp_buf_free(&c);
}

/* A server that dies of it is not asked for ever. */
static void
test_deadly(void **state)
{
    struct fixture *x = *state;
    struct sp_buf c = SP_BUF_INIT;

    x->f->on = on_event;
    x->abort_first = UINT32_MAX;
    make_completion(1, 100, &c);
    begin(x, 0);
    assert_code(SP_UNREACHABLE, sp_store_complete(x->s, c.data, c.len, e));
    sure(fake_count(x->f, SP_MSG_COMPLETE) > 2);
    sure(fake_count(x->f, SP_MSG_COMPLETE) < 40);
    sp_buf_free(&c);
}

/* What the server says of the completion is no failure of the store. */
static void
test_answers(void **state)
{
    static const enum sp_code codes[] = {SP_EXISTS, SP_ABSENT, SP_REFUSED, SP_CORRUPT};
    struct fixture *x = *state;
    struct sp_buf c = SP_BUF_INIT;

    x->f->on = on_event;
    make_completion(1, 100, &c);
    begin(x, 0);
    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        sp_mutex_lock(&x->f->lock);
        x->answer = codes[i];
        sp_mutex_unlock(&x->f->lock);
        assert_code(codes[i], sp_store_complete(x->s, c.data, c.len, e));
        assert_ok(sp_store_flush(x->s, e));
    }
    sure(fake_count(x->f, SP_MSG_COMPLETE) == 4);
    /* What is none is not sent. */
    assert_code(SP_CORRUPT, sp_store_complete(x->s, c.data, c.len / 2, e));
    sure(fake_count(x->f, SP_MSG_COMPLETE) == 4);
    sp_buf_free(&c);
}

/* One that is older never hears of it. */
static void
test_older_server(void **state)
{
    struct fixture *x = *state;
    struct sp_buf c = SP_BUF_INIT;
    struct sp_err why = {0};

    x->f->on = on_event;
    x->f->hello.server_hello.features.n = 0;
    make_completion(1, 100, &c);
    begin(x, 0);
    sure(sp_store_complete(x->s, c.data, c.len, &why) == SP_UNSUPPORTED);
    assert_contains(why.text, "upgrade stillpointd");
    assert_ok(sp_store_flush(x->s, e));
    sure(fake_count(x->f, SP_MSG_COMPLETE) == 0);
    sp_buf_free(&c);
}

struct listing {
    struct fixture *x;
    unsigned sets, completions;
};

static enum sp_code
take_set(void *arg, const struct sp_set_info *i, struct sp_err *err)
{
    struct listing *l = arg;
    const struct sp_buf *want = &l->x->completions[i->set_id[0] - 1];

    (void)err;
    sure(i->type == SP_RECORD_SET);
    l->sets++;
    if (i->completion == NULL) {
        sure(l->x->of_another || want->len == 0);
        return SP_OK;
    }
    l->completions++;
    sure(i->completion_len == want->len && memcmp(i->completion, want->data, want->len) == 0);
    return SP_OK;
}

static void
make_records(struct fixture *x, size_t document)
{
    struct sp_buf last = SP_BUF_INIT;

    for (uint8_t i = 1; i < 60; i++) {
        struct sp_buf *b = &x->f->records[x->f->nrecords];

        fake_record(SP_RECORD_SET, i, i > 1 ? &last : NULL, b);
        x->f->record_type[x->f->nrecords++] = SP_RECORD_SET;
        last = *b;
        if (i % 3 != 0)
            make_completion(i, document, &x->completions[i - 1]);
    }
}

/* Cut anywhere: each set comes once, with its completion. */
static void
test_list_goes_on(void **state)
{
    struct fixture *x = *state;
    uint64_t random = fake_seed("test_list_goes_on");

    x->f->on = on_event;
    make_records(x, 3000);
    begin(x, random | 1);
    proxy_cut_after(x->p, 6000, 300000);
    for (unsigned i = 0; i < 400 && proxy_cuts(x->p) < 40; i++) {
        struct listing l = {.x = x};

        assert_ok(sp_store_list(x->s, true, true, take_set, &l, e));
        sure(l.sets == 59 && l.completions == 40);
    }
    sure(proxy_cuts(x->p) >= 40); /* some of them between a completion and its set */
}

/* More than the credit covers at once: what is kept for the next set holds none of it back. */
static void
test_list_of_large_ones(void **state)
{
    struct fixture *x = *state;
    struct listing l = {.x = x};

    x->f->on = on_event;
    make_records(x, 2 << 20);
    begin(x, 0);
    assert_ok(sp_store_list(x->s, true, false, take_set, &l, e));
    sure(l.sets == 59 && l.completions == 40);
}

/* A set is not given what was said of another. */
static void
test_of_another(void **state)
{
    struct fixture *x = *state;
    struct listing l = {.x = x};

    x->f->on = on_event;
    x->of_another = true;
    make_records(x, 100);
    begin(x, 0);
    assert_ok(sp_store_list(x->s, true, false, take_set, &l, e));
    sure(l.sets == 59 && l.completions == 0);
}

/* A server that did not name the feature and lists one all the same breaks the protocol. */
static void
test_unasked(void **state)
{
    struct fixture *x = *state;
    struct listing l = {.x = x};

    x->f->on = on_event;
    x->f->hello.server_hello.features.n = 0;
    make_records(x, 100);
    begin(x, 0);
    assert_code(SP_PROTOCOL, sp_store_list(x->s, true, false, take_set, &l, e));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_sent_again),
        TEST(test_deadly),
        TEST(test_answers),
        TEST(test_older_server),
        TEST(test_list_goes_on),
        TEST(test_list_of_large_ones),
        TEST(test_of_another),
        TEST(test_unasked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
