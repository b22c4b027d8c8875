/* Peers that take their time: a byte now and then, in each stage of a connection; silence; who
 * never reads. The server ends each by the deadline of proto/limits.h that is meant for it. The
 * clock runs faster. */

#include "slow.h"
#include "stage.h"

#include <openssl/err.h>

#define SPEED 40

static unsigned long cases;

struct slow_peer {
    const char *name;
    const char *reason;          /* of the goodbye; NULL: there is none */
    int64_t after_ms, before_ms; /* by the fast clock */
    struct wire w;
    struct sp_buf drip; /* sent byte by byte */
    size_t dripped;
    bool raw;  /* into the socket, not into TLS */
    bool deaf; /* reads at the end only */
    bool over, goodbye;
    int64_t began, took_ms;
    char said[SP_TEXT_MAX + 1];
};

enum {
    SILENT,
    HALF_HANDSHAKE,
    NO_HELLO,
    SLOW_HELLO,
    SLOW_PREFIX,
    SLOW_HEADER,
    SLOW_PAYLOAD,
    NO_PONG,
    DEAF,
    SQUATTER,
    PEERS
};

static struct slow_peer peers[PEERS] = {
    [SILENT] = {"silent", NULL, SP_HANDSHAKE_MS, 2 * SP_HANDSHAKE_MS, .raw = true},
    [HALF_HANDSHAKE] = {"half a handshake", NULL, SP_HANDSHAKE_MS, 2 * SP_HANDSHAKE_MS,
        .raw = true},
    [NO_HELLO] = {"no hello", "did not say hello", SP_HANDSHAKE_MS, 3 * SP_HANDSHAKE_MS},
    [SLOW_HELLO] = {"a slow hello", "did not say hello", SP_HANDSHAKE_MS, 3 * SP_HANDSHAKE_MS},
    [SLOW_PREFIX] = {"a slow prefix", "did not finish a message", SP_IDLE_MS, 2 * SP_IDLE_MS},
    [SLOW_HEADER] = {"a slow header", "did not finish a message", SP_IDLE_MS, 2 * SP_IDLE_MS},
    [SLOW_PAYLOAD] = {"a slow payload", "did not finish a message", SP_IDLE_MS, 2 * SP_IDLE_MS},
    [NO_PONG] = {"no pong", "was silent", SP_IDLE_MS, 2 * SP_IDLE_MS},
    [DEAF] = {"deaf", NULL, SP_STALL_MS, 3 * SP_STALL_MS, .deaf = true},
    [SQUATTER] = {"a squatter", "did not finish enrolling", SP_ENROLL_MS, 2 * SP_ENROLL_MS},
};

static struct sp_msg
of_type(enum sp_msg_type type)
{
    struct sp_msg m;

    memset(&m, 0, sizeof(m));
    m.type = type;
    return m;
}

/* Blocks enough that their answer fills every buffer on the way; then it is asked for. */
static void
ask_much(struct stage *s, struct slow_peer *p)
{
    struct sp_buf block = SP_BUF_INIT, b = SP_BUF_INIT;
    struct sp_msg put = of_type(SP_MSG_PUT), get = of_type(SP_MSG_GET),
                  flush = of_type(SP_MSG_FLUSH);
    struct sp_id ids[12];
    struct sp_frame f;

    for (size_t i = 0; i < 12; i++) {
        sp_buf_reset(&block);
        member_block(&s->mallory, SP_BLOCK_FILES, NULL, 0, NULL, 900000, &block, &ids[i]);
        frame_put(&b, &put, block.data, block.len);
    }
    flush.tag = 1;
    frame_put(&b, &flush, NULL, 0);
    assert_true(wire_send(&p->w, b.data, b.len, 10000));
    while (wire_frame(&p->w, &f, 10000) && f.msg.type != SP_MSG_FLUSHED)
        sp_frame_clear(&f);
    assert_int_equal(f.msg.type, SP_MSG_FLUSHED);
    sp_frame_clear(&f);
    sp_buf_reset(&b);
    get.tag = 2;
    frame_put(&b, &get, ids, sizeof(ids));
    assert_true(wire_send(&p->w, b.data, b.len, 1000));
    sp_buf_free(&b);
    sp_buf_free(&block);
}

static void
open_hello(struct stage *s, struct wire *w)
{
    const struct wire_tls tls = {
        .chain = s->mallory.tls_chain, .key = s->mallory.tls_key, .alpn = WIRE_NORMAL};
    struct sp_frame f;

    assert_true(wire_connect(w, s->r.port, stage_from(s)));
    assert_true(wire_shake(w, &tls, 5000));
    assert_true(wire_frame(w, &f, 5000));
    sp_frame_clear(&f);
}

static void
open_peer(struct stage *s, unsigned i)
{
    struct slow_peer *p = &peers[i];
    const struct wire_tls tls = {
        .chain = s->mallory.tls_chain, .key = s->mallory.tls_key, .alpn = WIRE_NORMAL};
    struct sp_msg head = of_type(SP_MSG_HEAD), put = of_type(SP_MSG_PUT);
    uint8_t bytes[4096];
    size_t n;

    switch (i) {
    case SILENT:
        assert_true(wire_connect(&p->w, s->r.port, stage_from(s)));
        break;
    case HALF_HANDSHAKE:
        assert_true(wire_connect(&p->w, s->r.port, stage_from(s)));
        wire_start_tls(&p->w, &tls);
        while ((n = (size_t)BIO_ctrl_pending(p->w.out)) > 0) {
            int k = BIO_read(p->w.out, bytes, sizeof(bytes));

            assert_true(k > 0);
            sp_buf_put(&p->drip, bytes, (size_t)k);
        }
        SSL_free(p->w.ssl);
        p->w.ssl = NULL;
        break;
    case NO_HELLO:
        open_hello(s, &p->w);
        break;
    case SLOW_HELLO:
        open_hello(s, &p->w);
        sp_buf_put_u32(&p->drip, 60000); /* as long as it may be */
        sp_buf_put_u32(&p->drip, 0);
        sp_buf_put_zero(&p->drip, 60000);
        break;
    case SQUATTER:
        wire_open(&p->w, &s->r, NULL, stage_from(s));
        break;
    default:
        wire_open(&p->w, &s->r, &s->mallory, stage_from(s));
    }
    if (i == SLOW_PREFIX) { /* so slow that it never ends */
        strcpy(head.head.job, "j");
        head.tag = 1;
        frame_put(&p->drip, &head, NULL, 0);
        p->drip.len = 7;
    } else if (i == SLOW_HEADER) {
        sp_buf_put_u32(&p->drip, 4000);
        sp_buf_put_u32(&p->drip, 0);
        sp_buf_put_zero(&p->drip, 4000);
    } else if (i == SLOW_PAYLOAD) {
        memset(bytes, 1, sizeof(bytes));
        frame_put(&p->drip, &put, bytes, sizeof(bytes));
    } else if (i == DEAF) {
        ask_much(s, p);
    }
    cases++;
}

static void
look(struct slow_peer *p)
{
    struct sp_frame f;

    if (p->over || p->deaf)
        return;
    while (wire_fill(&p->w, 0) && !p->w.eof)
        continue;
    while (p->w.ssl != NULL && wire_frame(&p->w, &f, 0)) {
        if (f.msg.type == SP_MSG_GOODBYE) {
            p->goodbye = true;
            memcpy(p->said, f.msg.error.text, sizeof(p->said));
        }
        sp_frame_clear(&f);
    }
    if (p->w.eof) {
        p->over = true;
        p->took_ms = slow_now_ms() - p->began;
    }
}

/* The deaf one and the squatter are not silent: they say something each 20 s. */
static void
chatter(struct slow_peer *p, unsigned turn)
{
    struct sp_msg m = of_type(p->deaf ? SP_MSG_CANCEL : SP_MSG_PING);
    struct sp_buf b = SP_BUF_INIT;

    if (p->over || (!p->deaf && p != &peers[SQUATTER]) || turn % 25 != 0)
        return;
    m.tag = p->deaf ? 99 : 0;
    frame_put(&b, &m, NULL, 0);
    (void)wire_send(&p->w, b.data, b.len, 0);
    sp_buf_free(&b);
}

/* A byte each 800 ms of the fast clock; the prefix: each 15 s. */
static void
drip(struct slow_peer *p, unsigned i, unsigned turn)
{
    if (p->over || p->dripped >= p->drip.len || (i == SLOW_PREFIX && turn % 20 != 0))
        return;
    if (p->raw)
        (void)wire_send_raw(&p->w, p->drip.data + p->dripped, 1, 0);
    else
        (void)wire_send(&p->w, p->drip.data + p->dripped, 1, 0);
    p->dripped++;
}

static bool
all_over(void)
{
    for (unsigned i = 0; i < PEERS; i++)
        if (!peers[i].over && !peers[i].deaf && peers[i].w.fd >= 0)
            return false;
    return true;
}

static void
test_slow(void **state)
{
    struct stage *s = *state;
    unsigned warnings = heard_warnings(&s->heard);
    int64_t began, most = hostile_long() ? 3 * SP_ENROLL_MS : 3 * SP_IDLE_MS;

    slow_speed(SPEED);
    began = slow_now_ms();
    for (unsigned k = 0; k < PEERS; k++) {
        unsigned i = (k + DEAF) % PEERS; /* who has much to do begins */

        if (i != SQUATTER || hostile_long())
            open_peer(s, i);
        else
            peers[i].w.fd = -1;
        peers[i].began = slow_now_ms();
    }
    for (unsigned turn = 0; !all_over() && slow_now_ms() - began < most; turn++) {
        for (unsigned i = 0; i < PEERS; i++) {
            if (peers[i].w.fd < 0)
                continue;
            drip(&peers[i], i, turn);
            chatter(&peers[i], turn);
            look(&peers[i]);
        }
        sp_sleep_ms(800 / SPEED);
    }
    /* The deaf one finds the connection closed, in the middle of what it never read. */
    for (unsigned turn = 0; slow_now_ms() - peers[DEAF].began < SP_STALL_MS + 60000; turn++) {
        chatter(&peers[DEAF], turn);
        sp_sleep_ms(800 / SPEED);
    }
    {
        struct slow_peer *p = &peers[DEAF];
        struct ending end;

        wire_ending(&p->w, &end, 5000);
        if (!end.closed)
            fail_msg("deaf: it is still fed");
        if (end.last > 0)
            fail_msg("deaf: it got everything: nothing stalled");
        wire_close(&p->w);
    }
    for (unsigned i = 0; i < PEERS; i++) {
        struct slow_peer *p = &peers[i];

        if (p->deaf || p->w.fd < 0)
            continue;
        if (!p->over)
            fail_msg("%s: the connection is open after %lld s", p->name,
                (long long)(slow_now_ms() - began) / 1000);
        /* It runs since it connected: a part of a real second more. */
        if (p->took_ms < p->after_ms - 15000 || p->took_ms > p->before_ms + 40000)
            fail_msg("%s: closed after %lld ms", p->name, (long long)p->took_ms);
        if (p->reason != NULL && (!p->goodbye || strstr(p->said, p->reason) == NULL))
            fail_msg("%s: \"%s\"", p->name, p->said);
        wire_close(&p->w);
        sp_buf_free(&p->drip);
    }
    assert_true(heard_warnings(&s->heard) < warnings + 40);
    stage_goes_on(s, 2, 10000);
    slow_speed(1);
    stage_memory(s, 6u << 20, "slow peers");
    stage_passed++;
}

/* Strangers who come too often: not one by one in the log, but told. */
static void
test_told_in_sum(void **state)
{
    struct stage *s = *state;
    unsigned before = heard_warnings(&s->heard);
    int64_t end;

    for (unsigned i = 0; i < 300; i++) {
        struct wire w;

        assert_true(wire_connect(&w, s->r.port, 252));
        (void)wire_send_raw(&w, "\x16\x03\x01\x00\x05hello", 10, 500);
        (void)wire_fill(&w, 200);
        wire_close(&w);
    }
    cases++;
    slow_speed(SPEED);
    end = slow_now_ms() + 150000;
    while (heard_with(&s->heard, "connections turned away in the last minute") == 0) {
        if (slow_now_ms() > end)
            fail_msg("300 connections of one address, and nobody says so");
        sp_sleep_ms(10);
    }
    assert_true(heard_warnings(&s->heard) < before + 60);
    slow_speed(1);
    stage_passed++;
}

static int
setup(void **state)
{
    int rc = stage_setup(state);
    struct stage *s = *state;

    s->place.clock.mono_ns = slow_mono; /* the server's upkeep follows, too */
    return rc;
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_slow),
        cmocka_unit_test(test_told_in_sum),
    };
    int64_t began = now_ms();
    int failed;

    if (argc > 1) {
        cmocka_set_test_filter(argv[1]);
        stage_alone = true;
    }
    failed = cmocka_run_group_tests(tests, setup, stage_teardown);
    hostile_closing("slow peers", cases, began);
    return failed;
}
