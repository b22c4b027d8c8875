/* Much data through channels, and little memory. */

#include "net.h"

#include "base/thread.h"
#include "pair.h"

#define BLOCK_BYTES (1u << 20)
#define BLOCKS 64u

/* --- 64 MiB there and back ----------------------------------------------------------------- */

struct echo {
    struct net n;
    struct peer c;
    /* client */
    unsigned put, back;
    uint64_t acked;
    uint32_t get_tag;
    bool done;
    /* server */
    uint32_t tag;
    uint8_t *held[BLOCKS];           /* came, and cannot go back yet */
    unsigned first, last;            /* of held */
    size_t most_client, most_server; /* bytes queued and held */
};

static void
fill(uint8_t *p, unsigned which)
{
    for (size_t i = 0; i < BLOCK_BYTES; i++)
        p[i] = (uint8_t)(which * 31 + i + (i >> 9));
}

static void
note(size_t *most, size_t now)
{
    if (now > *most)
        *most = now;
}

static void
client_put(struct echo *x)
{
    struct sp_session *s = sp_channel_session(x->c.c);

    while (x->put < BLOCKS && sp_session_put_fits(s, BLOCK_BYTES)) {
        uint8_t *p = malloc(BLOCK_BYTES);

        fill(p, x->put++);
        assert_ok(sp_session_put(s, false, p, BLOCK_BYTES, e));
    }
    note(&x->most_client, sp_session_queued(s));
    sp_channel_flush(x->c.c);
}

static void
client_event(struct peer *p, struct sp_event *ev)
{
    struct echo *x = p->arg;
    struct sp_session *s = sp_channel_session(p->c);
    struct sp_msg get = {.type = SP_MSG_GET};
    uint8_t *want;

    if (ev->type == SP_EVENT_READY) {
        assert_ok(
            sp_session_request(s, &get, any_payload(32 * BLOCKS), 32 * BLOCKS, &x->get_tag, e));
        client_put(x);
        return;
    }
    assert_int_equal(ev->type, SP_EVENT_MESSAGE);
    switch (ev->frame.msg.type) {
    case SP_MSG_ACK:
        x->acked = ev->frame.msg.ack.data;
        client_put(x);
        break;
    case SP_MSG_BLOCK:
        assert_int_equal(ev->frame.msg.tag, x->get_tag);
        assert_int_equal(ev->frame.payload_len, BLOCK_BYTES + 4);
        want = malloc(BLOCK_BYTES);
        fill(want, x->back++);
        assert_memory_equal(ev->frame.payload + 4, want, BLOCK_BYTES);
        free(want);
        assert_ok(sp_session_consumed(s, ev->frame.payload_len, e));
        sp_channel_flush(p->c);
        break;
    default:
        assert_int_equal(ev->frame.msg.type, SP_MSG_DONE);
        x->done = true;
        break;
    }
}

static void
server_send(struct echo *x, struct peer *p)
{
    struct sp_session *s = sp_channel_session(p->c);
    struct sp_msg block = {.type = SP_MSG_BLOCK, .tag = x->tag, .block = {.wanted = 1}};
    struct sp_msg done = {.type = SP_MSG_DONE, .tag = x->tag};

    note(&x->most_server, sp_session_queued(s) + (size_t)(x->last - x->first) * BLOCK_BYTES);
    while (x->first < x->last && sp_session_reply_fits(s, BLOCK_BYTES + 4)) {
        uint8_t *payload = malloc(BLOCK_BYTES + 4);

        memset(payload, 0, 4);
        memcpy(payload + 4, x->held[x->first], BLOCK_BYTES);
        free(x->held[x->first]);
        x->first++;
        assert_ok(sp_session_reply(s, &block, payload, BLOCK_BYTES + 4, e));
        assert_ok(sp_session_ack(s, x->first, 0, e));
    }
    if (x->first == BLOCKS && x->tag != 0) {
        assert_ok(sp_session_reply(s, &done, NULL, 0, e));
        x->tag = 0;
    }
    sp_channel_flush(p->c);
}

static void
server_event(struct peer *p, struct sp_event *ev)
{
    struct echo *x = (struct echo *)p->net; /* its first member */

    if (ev->type == SP_EVENT_MESSAGE && ev->frame.msg.type == SP_MSG_GET) {
        x->tag = ev->frame.msg.tag;
    } else if (ev->type == SP_EVENT_MESSAGE) {
        assert_int_equal(ev->frame.msg.type, SP_MSG_PUT);
        assert_true(x->last < BLOCKS);
        x->held[x->last++] = ev->frame.payload;
        ev->frame.payload = NULL;
    }
    if (x->tag != 0)
        server_send(x, p);
}

static void
an_echo_of_64_mib_needs_little_memory(void **state)
{
    struct echo *x = calloc(1, sizeof(*x));

    (void)state;
    net_new(&x->n, NULL);
    x->n.on_server_event = server_event;
    x->c.on_event = client_event;
    x->c.arg = x;
    net_connect(&x->n, &x->c);
    net_until(&x->n, &x->done);
    assert_int_equal(x->back, BLOCKS);
    assert_int_equal(x->acked, BLOCKS);
    /* The put credit bounds the client's queue, and with the reply credit the server's. */
    assert_true(x->most_client <= SP_PUT_CREDIT + (1u << 20));
    assert_true(x->most_server <= SP_PUT_CREDIT + SP_REPLY_CREDIT + (1u << 20));
    sp_channel_close(x->c.c, NULL);
    net_until_count(&x->n, &x->c.closed, 1);
    assert_int_equal(x->c.why.code, SP_OK);
    net_free(&x->n);
    free(x);
}

/* --- a client that never reads ------------------------------------------------------------- */

/* TLS by hand over a socket of libuv: once it heard the server's hello it asks and asks, and reads
 * nothing any more. */
struct deaf {
    struct net n;
    uv_tcp_t tcp;
    uv_connect_t connect_req;
    struct sp_tls *tls;
    bool ready, stuck;
    uint8_t in[65536], plain[16384];
    struct sp_buf frames;
    size_t at; /* of frames: encrypted so far */
    uint8_t cipher[65536];
    size_t cipher_at, cipher_len;
    uint32_t next_tag;
    uint64_t sent;
    unsigned stalls; /* turns in which the socket took nothing */
    unsigned answered;
    size_t most;
};

static void
deaf_alloc(uv_handle_t *h, size_t wanted, uv_buf_t *buf)
{
    struct deaf *d = h->data;

    (void)wanted;
    *buf = uv_buf_init((char *)d->in, sizeof(d->in));
}

/* Sends what there is; true: the socket takes no more. */
static bool
deaf_send(struct deaf *d)
{
    for (;;) {
        uv_buf_t buf;
        int n;

        if (d->cipher_at == d->cipher_len) {
            size_t used = 0;

            if (d->ready && d->at < d->frames.len) {
                assert_ok(
                    sp_tls_write(d->tls, d->frames.data + d->at, d->frames.len - d->at, &used, e));
                d->at += used;
            }
            d->cipher_at = 0;
            d->cipher_len = sp_tls_take(d->tls, d->cipher, sizeof(d->cipher));
            if (d->cipher_len == 0)
                return false;
        }
        buf = uv_buf_init(
            (char *)d->cipher + d->cipher_at, (unsigned int)(d->cipher_len - d->cipher_at));
        n = uv_try_write((uv_stream_t *)&d->tcp, &buf, 1);
        if (n < 0)
            return true;
        d->cipher_at += (size_t)n;
        d->sent += (uint64_t)n;
    }
}

static void
deaf_read(uv_stream_t *s, ssize_t n, const uv_buf_t *buf)
{
    struct deaf *d = s->data;
    size_t got = 1;

    assert_true(n >= 0);
    assert_ok(sp_tls_feed(d->tls, buf->base, (size_t)n, e));
    while (got > 0) {
        assert_ok(sp_tls_read(d->tls, d->plain, sizeof(d->plain), &got, e));
        if (got > 0)
            d->ready = true; /* the server's hello, or the beginning of it */
    }
    (void)deaf_send(d);
    if (d->ready)
        uv_read_stop(s);
}

static void
deaf_connected(uv_connect_t *req, int status)
{
    struct deaf *d = req->handle->data;
    size_t n;

    assert_int_equal(status, 0);
    assert_ok(sp_tls_read(d->tls, d->plain, sizeof(d->plain), &n, e));
    (void)deaf_send(d);
    uv_read_start((uv_stream_t *)&d->tcp, deaf_alloc, deaf_read);
}

static void
deaf_server_event(struct peer *p, struct sp_event *ev)
{
    struct deaf *d = (struct deaf *)p->net;
    struct sp_msg reply = {.type = SP_MSG_HAVE_REPLY};

    if (ev->type != SP_EVENT_MESSAGE)
        return;
    assert_int_equal(ev->frame.msg.type, SP_MSG_HAVE);
    reply.tag = ev->frame.msg.tag;
    assert_ok(
        sp_session_reply(sp_channel_session(p->c), &reply, any_payload(SP_IDS_MAX), SP_IDS_MAX, e));
    sp_channel_flush(p->c);
    d->answered++;
}

static void
deaf_ask(struct deaf *d)
{
    struct sp_msg hello = client_options().hello;
    struct sp_msg have = {.type = SP_MSG_HAVE};
    uint8_t *ids = any_payload(32 * SP_IDS_MAX);
    size_t slice;

    hello.client_hello.major = SP_PROTO_MAJOR;
    hello.client_hello.minor = SP_PROTO_MINOR;
    hello.client_hello.reply_credit = SP_REPLY_CREDIT;
    sp_buf_reset(&d->frames);
    d->at = 0;
    if (d->next_tag == 0)
        assert_ok(sp_frame_encode(&hello, 0, 0, &d->frames, &slice, e));
    have.tag = ++d->next_tag;
    assert_ok(sp_frame_encode(&have, 32 * SP_IDS_MAX, 0, &d->frames, &slice, e));
    sp_buf_put(&d->frames, ids, 32 * SP_IDS_MAX);
    assert_ok(sp_buf_ok(&d->frames, e));
    free(ids);
}

static void
a_client_that_never_reads_is_bounded(void **state)
{
    struct deaf *d = calloc(1, sizeof(*d));
    struct sockaddr_in here;
    unsigned idle = 0;

    (void)state;
    net_new(&d->n, NULL);
    d->n.on_server_event = deaf_server_event;
    assert_ok(sp_tls_new(d->n.client_tls, &d->tls, e));
    uv_tcp_init(&d->n.loop, &d->tcp);
    d->tcp.data = d;
    uv_ip4_addr("127.0.0.1", d->n.port, &here);
    assert_int_equal(
        uv_tcp_connect(&d->connect_req, &d->tcp, (struct sockaddr *)&here, deaf_connected), 0);
    net_until(&d->n, &d->ready);
    /* Until both sides stand still for a while: the server answers no more and the socket takes no
     * more. */
    while (idle < 300) {
        unsigned answered = d->answered;
        uint64_t sent = d->sent;

        if (d->cipher_at == d->cipher_len && d->at == d->frames.len)
            deaf_ask(d);
        (void)deaf_send(d);
        net_turn(&d->n);
        assert_int_equal(d->n.servers[0].closed, 0);
        note(&d->most, sp_session_queued(sp_channel_session(d->n.servers[0].c)));
        idle = answered == d->answered && sent == d->sent ? idle + 1 : 0;
        assert_true(d->answered < 2000); /* 4 GiB of questions: it does not stand still */
    }
    assert_true(d->answered > 10);
    assert_true(d->most > SP_OUTPUT_HIGH);
    assert_true(d->most < SP_OUTPUT_HIGH + 2 * SP_IDS_MAX);
    /* Another one is served all the while. */
    {
        struct peer other = {0};

        net_connect(&d->n, &other);
        net_until_count(&d->n, &other.ready, 1);
        sp_channel_abort(other.c);
        net_until_count(&d->n, &other.closed, 1);
    }
    uv_close((uv_handle_t *)&d->tcp, NULL);
    net_until_count(&d->n, &d->n.servers[0].closed, 1);
    assert_int_equal(d->n.servers[0].why.code, SP_UNREACHABLE);
    sp_tls_free(d->tls);
    sp_buf_free(&d->frames);
    net_free(&d->n);
    free(d);
}

/* --- stopping ------------------------------------------------------------------------------ */

struct stopping {
    struct net n;
    struct peer c;
    unsigned replies;
    bool stopped;
};

static void
stopping_event(struct peer *p, struct sp_event *ev)
{
    struct stopping *x = p->arg;

    if (ev->type != SP_EVENT_MESSAGE)
        return;
    assert_false(x->stopped);
    x->replies++;
    if (x->replies % 3 == 0) {
        x->stopped = true;
        sp_channel_stop(p->c, true);
    }
}

static void
stopping_server_event(struct peer *p, struct sp_event *ev)
{
    struct sp_msg reply = {.type = SP_MSG_FLUSHED};

    if (ev->type != SP_EVENT_MESSAGE)
        return;
    reply.tag = ev->frame.msg.tag;
    assert_ok(sp_session_reply(sp_channel_session(p->c), &reply, NULL, 0, e));
    sp_channel_flush(p->c);
}

static void
a_stopped_channel_gives_no_events_and_loses_none(void **state)
{
    struct stopping *x = calloc(1, sizeof(*x));
    struct sp_msg m = {.type = SP_MSG_FLUSH};
    uint32_t tag;

    (void)state;
    net_new(&x->n, NULL);
    x->n.on_server_event = stopping_server_event;
    x->c.on_event = stopping_event;
    x->c.arg = x;
    net_connect(&x->n, &x->c);
    net_until_count(&x->n, &x->c.ready, 1);
    for (unsigned i = 0; i < SP_REQUESTS_MAX; i++)
        assert_ok(sp_session_request(sp_channel_session(x->c.c), &m, NULL, 0, &tag, e));
    sp_channel_flush(x->c.c);
    for (unsigned round = 1; x->replies < SP_REQUESTS_MAX; round++) {
        if (round <= SP_REQUESTS_MAX / 3)
            net_until(&x->n, &x->stopped);
        else
            net_until_count(&x->n, &x->replies, SP_REQUESTS_MAX);
        for (unsigned i = 0; i < 20; i++)
            net_turn(&x->n); /* nothing comes meanwhile: stopping_event asserts it */
        assert_int_equal(x->replies, round <= SP_REQUESTS_MAX / 3 ? 3 * round : SP_REQUESTS_MAX);
        x->stopped = false;
        sp_channel_stop(x->c.c, false);
    }
    sp_channel_close(x->c.c, NULL);
    net_until_count(&x->n, &x->c.closed, 1);
    net_free(&x->n);
    free(x);
}

/* --- calls from other threads -------------------------------------------------------------- */

#define POSTERS 4u
#define POSTS 2000u

struct poster {
    struct sp_loop_queue *q;
    unsigned which;
    struct posted *all;
};
struct posted {
    unsigned next[POSTERS], total;
    uv_timer_t keep; /* the loop lives */
};
struct post {
    struct posted *all;
    unsigned which, n;
};

static void
posted(void *arg)
{
    struct post *p = arg;

    assert_int_equal(p->n, p->all->next[p->which]); /* in the order of its thread */
    p->all->next[p->which]++;
    p->all->total++;
    free(p);
}

static void
post_many(void *arg)
{
    struct poster *x = arg;

    for (unsigned i = 0; i < POSTS; i++) {
        struct post *p = malloc(sizeof(*p));

        *p = (struct post){x->all, x->which, i};
        assert_true(sp_loop_post(x->q, posted, p));
    }
}

static void
keep_alive(uv_timer_t *t)
{
    (void)t;
}

static void
calls_from_threads_come_in_order(void **state)
{
    uv_loop_t loop;
    struct sp_loop_queue *q = NULL;
    struct posted all = {.total = 0};
    struct poster posters[POSTERS];
    struct sp_thread *threads[POSTERS] = {NULL};
    struct post *last = malloc(sizeof(*last));

    (void)state;
    assert_int_equal(uv_loop_init(&loop), 0);
    assert_ok(sp_loop_queue_new(&loop, &q, e));
    uv_timer_init(&loop, &all.keep);
    uv_timer_start(&all.keep, keep_alive, 1, 1);
    for (unsigned i = 0; i < POSTERS; i++) {
        posters[i] = (struct poster){q, i, &all};
        assert_ok(sp_thread_start("poster", post_many, &posters[i], &threads[i], e));
    }
    while (all.total < POSTERS * POSTS)
        uv_run(&loop, UV_RUN_ONCE);
    for (unsigned i = 0; i < POSTERS; i++)
        sp_thread_join(threads[i]);
    /* What waits when the queue is closed is still called. */
    *last = (struct post){&all, 0, POSTS};
    assert_true(sp_loop_post(q, posted, last));
    sp_loop_queue_close(q);
    assert_int_equal(all.total, POSTERS * POSTS + 1);
    uv_close((uv_handle_t *)&all.keep, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_echo_of_64_mib_needs_little_memory),
        cmocka_unit_test(a_client_that_never_reads_is_bounded),
        cmocka_unit_test(a_stopped_channel_gives_no_events_and_loses_none),
        cmocka_unit_test(calls_from_threads_come_in_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
