#include "peer.h"

#include "storage/crypto.h"

#define DEADLINE_MS 30000

/* --- the server
 * ------------------------------------------------------------------------------------- */

static void
serve(void *arg)
{
    struct running *r = arg;

    (void)sp_server_run(r->server, &r->end);
}

void
running_start(struct running *r, struct place *p)
{
    struct sp_log *log = NULL;

    if (getenv("SP_TEST_LOG") != NULL)
        assert_ok(sp_log_new(SP_LOG_DEBUG, true, NULL, NULL, &log, e));
    running_start_logged(r, p, log);
}

void
running_start_logged(struct running *r, struct place *p, struct sp_log *log)
{
    struct sp_server_options o = {.env = &p->env, .dir = p->home, .log = log};

    memset(r, 0, sizeof(*r));
    r->place = p;
    r->log = log;
    assert_ok(sp_server_new(&o, &r->server, e));
    r->port = sp_server_port(r->server);
    assert_ok(sp_thread_start("server", serve, r, &r->thread, e));
}

void
running_stop(struct running *r)
{
    sp_server_stop(r->server);
    sp_thread_join(r->thread);
    if (r->end.code != SP_OK)
        fail_msg("the server: %s", r->end.text);
    sp_server_free(r->server);
    sp_log_free(r->log);
}

/* --- a peer
 * ----------------------------------------------------------------------------------------- */

static void
on_event(struct sp_channel *c, void *arg, struct sp_event *ev)
{
    struct peer *p = arg;
    struct sp_msg *m = &ev->frame.msg;

    if (ev->type == SP_EVENT_READY) {
        p->ready = true;
        p->hello = *m;
        p->hello_payload_len = ev->frame.payload_len;
        return;
    }
    if (ev->type != SP_EVENT_MESSAGE)
        return;
    if (m->type == SP_MSG_ACK || m->type == SP_MSG_FLUSHED) {
        p->ack_data = m->ack.data;
        p->ack_nodes = m->ack.nodes;
        if (m->type == SP_MSG_ACK)
            return;
    }
    if (m->type == SP_MSG_ERROR && m->tag == 0) {
        (void)sp_msg_get_error(m, &p->puts);
        return;
    }
    assert_true(p->n < PEER_INBOX);
    p->inbox[p->n++] = ev->frame;
    if (sp_msg_info(m->type)->kind == SP_KIND_ITEM && !p->hold) {
        assert_ok(sp_session_consumed(sp_channel_session(c), ev->frame.payload_len, e));
        sp_channel_flush(c);
    }
    ev->frame.payload = NULL;
    ev->frame.payload_len = 0;
}

static void
on_closed(struct sp_channel *c, void *arg, const struct sp_err *why, bool by_peer)
{
    struct peer *p = arg;

    (void)c;
    p->closed = true;
    p->why = *why;
    p->by_peer = by_peer;
    p->channel = NULL;
}

static const struct sp_channel_ops ops = {NULL, on_event, NULL, on_closed};

static void
on_timer(uv_timer_t *t)
{
    (void)t; /* only wakes the loop */
}

bool
peer_wait(struct peer *p, bool (*until)(struct peer *p), int ms)
{
    int64_t end = sp_clock_mono(&sp_clock_system) + ms * INT64_C(1000000);

    while (!until(p)) {
        if (sp_clock_mono(&sp_clock_system) > end)
            return false;
        (void)uv_run(&p->loop, UV_RUN_ONCE);
    }
    return true;
}

static bool
is_decided(struct peer *p)
{
    return p->ready || p->closed;
}

bool
peer_is_closed(struct peer *p)
{
    return p->closed;
}

static bool
never(struct peer *p)
{
    (void)p;
    return false;
}

void
peer_run(struct peer *p, int ms)
{
    (void)peer_wait(p, never, ms);
}

void
peer_open(struct peer *p, const struct running *r, const struct member *m)
{
    peer_open_knowing(p, r, m, NULL);
}

void
peer_open_knowing(
    struct peer *p, const struct running *r, const struct member *m, const char *feature)
{
    struct sp_tls_client tls = {.clock = &sp_clock_system};
    struct sp_connect o = {.timeout_ms = 5000};
    struct sp_home home;
    char address[64];

    memset(p, 0, sizeof(*p));
    assert_ok(sp_home_open(&r->place->env, r->place->home, &home, e));
    memcpy(tls.authority, home.fingerprint, 32);
    sp_home_close(&home);
    tls.service = m == NULL ? SP_SERVICE_ENROLL : SP_SERVICE_NORMAL;
    if (m != NULL) {
        tls.chain_pem = m->tls_chain;
        tls.key_pem = m->tls_key;
    }
    assert_ok(sp_tls_client_new(&tls, &p->tls, e));
    (void)snprintf(address, sizeof(address), "127.0.0.1:%u", (unsigned)r->port);
    o.address = address;
    o.tls = p->tls;
    o.session.role = SP_ROLE_CLIENT;
    o.session.service = tls.service;
    o.session.hello.type = SP_MSG_CLIENT_HELLO;
    memcpy(o.session.hello.client_hello.program, "test", 5);
    if (feature != NULL)
        assert_ok(sp_features_add(&o.session.hello.client_hello.features, feature, e));
    if (m != NULL) {
        o.session.hello.client_hello.has_group = true;
        memcpy(o.session.hello.client_hello.group, m->group, 16);
    }
    assert_int_equal(uv_loop_init(&p->loop), 0);
    assert_int_equal(uv_timer_init(&p->loop, &p->timer), 0);
    assert_int_equal(uv_timer_start(&p->timer, on_timer, 10, 10), 0);
    assert_ok(sp_channel_connect(&p->loop, &o, &ops, p, &p->channel, e));
    assert_true(peer_wait(p, is_decided, DEADLINE_MS));
}

void
peer_close(struct peer *p)
{
    if (p->channel != NULL) {
        sp_channel_close(p->channel, NULL);
        assert_true(peer_wait(p, peer_is_closed, DEADLINE_MS));
    }
    uv_close((uv_handle_t *)&p->timer, NULL);
    (void)uv_run(&p->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&p->loop), 0);
    sp_tls_context_free(p->tls);
    for (size_t i = 0; i < p->n; i++)
        sp_frame_clear(&p->inbox[i]);
}

static uint8_t *
copy_of(const void *p, size_t n)
{
    uint8_t *copy = malloc(n + 1);

    assert_non_null(copy);
    if (n > 0)
        memcpy(copy, p, n);
    return copy;
}

uint32_t
peer_send(struct peer *p, struct sp_msg *m, const void *payload, size_t n)
{
    uint32_t tag = 0;

    assert_non_null(p->channel);
    assert_ok(sp_session_request(
        sp_channel_session(p->channel), m, n > 0 ? copy_of(payload, n) : NULL, n, &tag, e));
    sp_channel_flush(p->channel);
    return tag;
}

void
peer_put(struct peer *p, bool nodes, const struct sp_buf *block)
{
    assert_non_null(p->channel);
    assert_ok(sp_session_put(
        sp_channel_session(p->channel), nodes, copy_of(block->data, block->len), block->len, e));
    sp_channel_flush(p->channel);
}

static struct sp_frame *
last_of(struct peer *p, uint32_t tag)
{
    for (size_t i = 0; i < p->n; i++)
        if (p->inbox[i].msg.tag == tag && p->inbox[i].msg.last)
            return &p->inbox[i];
    return NULL;
}

size_t
peer_items(const struct peer *p, uint32_t tag)
{
    size_t n = 0;

    for (size_t i = 0; i < p->n; i++)
        if (p->inbox[i].msg.tag == tag && !p->inbox[i].msg.last)
            n++;
    return n;
}

void
peer_reply(struct peer *p, uint32_t tag, struct sp_frame *ret)
{
    int64_t end = sp_clock_mono(&sp_clock_system) + DEADLINE_MS * INT64_C(1000000);
    struct sp_frame *f;

    while ((f = last_of(p, tag)) == NULL) {
        if (p->closed)
            fail_msg("closed before the reply: %s", p->why.text);
        if (sp_clock_mono(&sp_clock_system) > end)
            fail_msg("no reply within %d ms", DEADLINE_MS);
        (void)uv_run(&p->loop, UV_RUN_ONCE);
    }
    *ret = *f; /* the payload stays the inbox's */
}

void
peer_ask(struct peer *p, struct sp_msg *m, const void *payload, size_t n, enum sp_msg_type want,
    struct sp_frame *ret)
{
    peer_reply(p, peer_send(p, m, payload, n), ret);
    if (ret->msg.type == SP_MSG_ERROR && want != SP_MSG_ERROR)
        fail_msg("%s: %s", sp_msg_info(m->type)->name, ret->msg.error.text);
    assert_int_equal(ret->msg.type, want);
}

void
peer_refused(struct peer *p, struct sp_msg *m, const void *payload, size_t n, enum sp_code want)
{
    struct sp_frame f;

    peer_ask(p, m, payload, n, SP_MSG_ERROR, &f);
    if (f.msg.error.code != want)
        fail_msg("%s: %s: %s", sp_msg_info(m->type)->name, sp_code_word(f.msg.error.code),
            f.msg.error.text);
    assert_true(f.msg.error.text[0] != '\0');
}

/* --- what clients do
 * -------------------------------------------------------------------------------- */

void
peer_enroll(const struct running *r, const char *name, struct member *m)
{
    struct sp_token t;
    struct sp_msg msg;
    struct sp_buf payload = SP_BUF_INIT;
    struct sp_frame f;
    struct peer p;
    char *csr = NULL;

    place_token(r->place, "add", name, &t);
    if (m->keys == NULL)
        member_make(m, NULL);
    peer_open(&p, r, NULL);
    assert_true(p.ready);
    member_csr(m, &csr);
    member_enroll_message(m, &t, NULL, &msg);
    peer_ask(&p, &msg, csr, strlen(csr), SP_MSG_ENROLL_REPLY, &f);
    member_take_reply(m, &f.msg, f.payload, f.payload_len);
    member_end_message(m, 1, &msg, &payload);
    peer_ask(&p, &msg, payload.data, payload.len, SP_MSG_DONE, &f);
    peer_close(&p);
    sp_buf_free(&payload);
    sp_pem_free(csr);
}

void
peer_backup(struct peer *p, struct member *m, const char *job, uint64_t sequence,
    const uint8_t *previous, struct peer_set *ret)
{
    struct sp_buf block = SP_BUF_INIT, record = SP_BUF_INIT;
    struct sp_msg msg = {.type = SP_MSG_COMMIT, .commit = {.type = 1}};
    struct sp_frame f;

    member_block(m, SP_BLOCK_FILES, NULL, 0, NULL, 50000, &block, &ret->data);
    peer_put(p, false, &block);
    sp_buf_reset(&block);
    member_block(m, SP_BLOCK_NODES, &ret->data, 1, NULL, 300, &block, &ret->root);
    peer_put(p, true, &block);
    member_set(m, SP_RECORD_SET, job, sequence, previous, &ret->root, &record, ret->set_id);
    assert_ok(sp_record_hash(record.data, record.len, ret->hash, e));
    peer_ask(p, &msg, record.data, record.len, SP_MSG_COMMIT_REPLY, &f);
    assert_int_equal(f.payload_len, 0);
    assert_true(f.msg.commit_reply.published_ns > 0);
    sp_buf_free(&block);
    sp_buf_free(&record);
}
