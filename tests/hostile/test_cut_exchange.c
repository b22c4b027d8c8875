/* One exchange as it really was (enrolment, backup, restore, list, check), written down on its way
 * between a client and the real server, and then played again into sessions in memory: cut at every
 * byte, byte by byte, in random pieces. And real connections cut at many places: what was
 * acknowledged is there. */

#include "stage.h"

#include <sys/socket.h>

#include "proto/session_impl.h"
#include "proto/tls.h"
#include "storage/crypto.h"

static unsigned long cases;

/* --- a tape --------------------------------------------------------------------------------------
 */

struct step {
    bool to_server;
    size_t at, n; /* bytes of the direction's stream */
};
struct tape {
    enum sp_service service;
    struct sp_buf sent[2]; /* 0: to the client, 1: to the server */
    struct step steps[128];
    size_t n;
};

static void
tape_free(struct tape *t)
{
    sp_buf_free(&t->sent[0]);
    sp_buf_free(&t->sent[1]);
}

static void
tape_add(struct tape *t, bool to_server, const void *p, size_t n)
{
    struct sp_buf *b = &t->sent[to_server];

    assert_true(t->n < 128);
    if (n == 0)
        return;
    t->steps[t->n++] = (struct step){to_server, b->len, n};
    sp_buf_put(b, p, n);
}

struct talk { /* a connection that is written down */
    struct tape *tape;
    struct wire w;
    struct sp_buf heard;
    uint32_t tag;
};

static void
say(struct talk *t, struct sp_msg *m, const void *p, size_t n)
{
    struct sp_buf b = SP_BUF_INIT;

    if (sp_msg_info(m->type)->kind == SP_KIND_REQUEST)
        m->tag = ++t->tag;
    frame_put(&b, m, p, n);
    assert_true(wire_send(&t->w, b.data, b.len, 2000));
    tape_add(t->tape, true, b.data, b.len);
    sp_buf_free(&b);
}

/* Hears until a frame of that type; the caller clears it. */
static void
hear(struct talk *t, enum sp_msg_type type, struct sp_frame *f)
{
    for (;;) {
        if (!wire_frame(&t->w, f, 8000))
            fail_msg("no %s", sp_msg_info(type)->name);
        if (f->msg.type == type)
            break;
        if (f->msg.type == SP_MSG_ERROR || f->msg.type == SP_MSG_GOODBYE)
            fail_msg("%s", f->msg.error.text);
        sp_frame_clear(f);
    }
    assert_int_equal(t->w.got.len, 0);
    tape_add(t->tape, false, t->heard.data, t->heard.len);
    sp_buf_reset(&t->heard);
}

static void
hear_and_forget(struct talk *t, enum sp_msg_type type)
{
    struct sp_frame f;

    hear(t, type, &f);
    sp_frame_clear(&f);
}

static void
begin(struct talk *t, struct tape *tape, struct stage *s, const struct member *m)
{
    const struct wire_tls tls = {.chain = m != NULL ? m->tls_chain : NULL,
        .key = m != NULL ? m->tls_key : NULL,
        .alpn = m != NULL ? WIRE_NORMAL : WIRE_ENROLL};
    struct sp_msg hello = {.type = SP_MSG_CLIENT_HELLO,
        .client_hello = {.major = 1, .program = "taped", .reply_credit = SP_REPLY_CREDIT}};

    memset(t, 0, sizeof(*t));
    t->tape = tape;
    tape->service = m != NULL ? SP_SERVICE_NORMAL : SP_SERVICE_ENROLL;
    assert_true(wire_connect(&t->w, s->r.port, stage_from(s)));
    t->w.tape = &t->heard;
    if (!wire_shake(&t->w, &tls, 5000))
        fail_msg("no handshake: %s", t->w.error);
    hear_and_forget(t, SP_MSG_SERVER_HELLO);
    say(t, &hello, NULL, 0);
}

static void
end(struct talk *t)
{
    struct sp_msg bye = {.type = SP_MSG_GOODBYE};

    say(t, &bye, NULL, 0);
    wire_close(&t->w);
    sp_buf_free(&t->heard);
}

static struct sp_msg
of_type(enum sp_msg_type type)
{
    struct sp_msg m;

    memset(&m, 0, sizeof(m));
    m.type = type;
    return m;
}

static void
record_enrolment(struct stage *s, struct tape *tape, struct member *m)
{
    struct talk t;
    struct sp_token token;
    struct sp_msg msg;
    struct sp_frame f;
    struct sp_buf b = SP_BUF_INIT;
    char *csr = NULL;

    place_token(&s->place, "add", "taped", &token);
    member_make(m, NULL);
    begin(&t, tape, s, NULL);
    member_csr(m, &csr);
    member_enroll_message(m, &token, NULL, &msg);
    say(&t, &msg, csr, strlen(csr));
    hear(&t, SP_MSG_ENROLL_REPLY, &f);
    member_take_reply(m, &f.msg, f.payload, f.payload_len);
    sp_frame_clear(&f);
    member_end_message(m, 1, &msg, &b);
    say(&t, &msg, b.data, b.len);
    hear_and_forget(&t, SP_MSG_DONE);
    end(&t);
    sp_buf_free(&b);
    sp_pem_free(csr);
}

static void
record_backup(struct stage *s, struct tape *tape, struct member *m)
{
    struct talk t;
    struct sp_msg msg;
    struct sp_buf b = SP_BUF_INIT;
    struct sp_id ids[2];
    uint8_t set_id[16];

    begin(&t, tape, s, m);
    member_block(m, SP_BLOCK_FILES, NULL, 0, NULL, 500, &b, &ids[0]);
    msg = of_type(SP_MSG_HEAD);
    strcpy(msg.head.job, "taped");
    say(&t, &msg, NULL, 0);
    hear_and_forget(&t, SP_MSG_HEAD_REPLY);
    msg = of_type(SP_MSG_HAVE);
    say(&t, &msg, ids[0].b, 32);
    hear_and_forget(&t, SP_MSG_HAVE_REPLY);
    msg = of_type(SP_MSG_PUT);
    say(&t, &msg, b.data, b.len);
    sp_buf_reset(&b);
    member_block(m, SP_BLOCK_NODES, &ids[0], 1, NULL, 100, &b, &ids[1]);
    msg.put.nodes = true;
    say(&t, &msg, b.data, b.len);
    msg = of_type(SP_MSG_FLUSH);
    say(&t, &msg, NULL, 0);
    hear_and_forget(&t, SP_MSG_FLUSHED);
    sp_buf_reset(&b);
    member_set(m, SP_RECORD_SET, "taped", 1, NULL, &ids[1], &b, set_id);
    msg = of_type(SP_MSG_COMMIT);
    msg.commit.type = 1;
    say(&t, &msg, b.data, b.len);
    hear_and_forget(&t, SP_MSG_COMMIT_REPLY);
    msg = of_type(SP_MSG_GET);
    say(&t, &msg, ids, sizeof(ids));
    hear_and_forget(&t, SP_MSG_DONE);
    msg = of_type(SP_MSG_LIST);
    say(&t, &msg, NULL, 0);
    hear_and_forget(&t, SP_MSG_DONE);
    msg = of_type(SP_MSG_MISSING);
    memcpy(msg.missing.set_id, set_id, 16);
    say(&t, &msg, NULL, 0);
    hear_and_forget(&t, SP_MSG_MISSING_REPLY);
    msg = of_type(SP_MSG_SLOTS);
    say(&t, &msg, NULL, 0);
    hear_and_forget(&t, SP_MSG_DONE);
    msg = of_type(SP_MSG_HOST);
    memcpy(msg.host.host, m->host, 16);
    say(&t, &msg, NULL, 0);
    hear_and_forget(&t, SP_MSG_HOST_REPLY);
    msg = of_type(SP_MSG_CHECK);
    msg.check.depth = 1;
    say(&t, &msg, NULL, 0);
    hear_and_forget(&t, SP_MSG_CHECK_DONE);
    end(&t);
    sp_buf_free(&b);
}

/* --- playing -------------------------------------------------------------------------------------
 */

struct player {
    const struct tape *tape;
    bool server; /* this side is the server: it is fed what went to the server */
    struct sp_session *s;
    struct sp_frame_decoder *own; /* of what this side says on the tape */
    struct sp_buf log;
    unsigned closed;
    struct sp_err why;
    bool by_peer;
};

static uint32_t
hash_of(const uint8_t *p, size_t n)
{
    uint32_t h = 2166136261u;

    for (size_t i = 0; i < n; i++)
        h = (h ^ p[i]) * 16777619u;
    return h;
}

static void
note(struct player *p, struct sp_event *ev)
{
    if (ev->type == SP_EVENT_CLOSED) {
        p->closed++;
        p->why = ev->why;
        p->by_peer = ev->by_peer;
    } else if (ev->type != SP_EVENT_NONE) {
        sp_buf_printf(&p->log, "%d %s %u %zu %08x\n", (int)ev->type,
            sp_msg_info(ev->frame.msg.type)->name, (unsigned)ev->frame.msg.tag,
            ev->frame.payload_len, hash_of(ev->frame.payload, ev->frame.payload_len));
        if (ev->type == SP_EVENT_MESSAGE && !p->server &&
            sp_msg_info(ev->frame.msg.type)->kind == SP_KIND_ITEM)
            assert_ok(sp_session_consumed(p->s, ev->frame.payload_len, e));
    }
    sp_event_clear(ev);
}

/* This side says what it said then. */
static void
act(struct player *p, struct sp_frame *f)
{
    struct sp_err err = {0};
    struct sp_msg *m = &f->msg;
    uint32_t tag = 0, want = m->tag;
    enum sp_code rc = SP_OK;

    switch (m->type) {
    case SP_MSG_SERVER_HELLO:
    case SP_MSG_CLIENT_HELLO: /* by itself */
        break;
    case SP_MSG_GOODBYE:
        sp_session_goodbye(p->s, NULL);
        break;
    case SP_MSG_ACK:
        rc = sp_session_ack(p->s, m->ack.data, m->ack.nodes, &err);
        break;
    case SP_MSG_PUT:
        if ((rc = sp_session_put(p->s, m->put.nodes, f->payload, f->payload_len, &err)) == SP_OK)
            f->payload = NULL;
        break;
    default:
        if (p->server)
            rc = sp_session_reply(p->s, m, f->payload, f->payload_len, &err);
        else
            rc = sp_session_request(p->s, m, f->payload, f->payload_len, &tag, &err);
        if (rc == SP_OK)
            f->payload = NULL;
        if (!p->server)
            assert_int_equal(tag, want);
    }
    if (rc != SP_OK)
        fail_msg("%s: %s", sp_msg_info(m->type)->name, err.text);
}

static void
own_bytes(struct player *p, const uint8_t *bytes, size_t n)
{
    while (n > 0) {
        struct sp_frame f;
        size_t used = 0;
        bool whole = false;

        assert_ok(sp_frame_feed(p->own, bytes, n, &used, &whole, &f, e));
        if (whole) {
            act(p, &f);
            sp_frame_clear(&f);
        }
        bytes += used;
        n -= used;
        sp_session_sent(p->s, 0, sp_session_queued(p->s)); /* the network takes everything */
    }
}

/* Feeds the first `most` bytes of the tape in pieces (0: random ones), then ends the stream. */
static void
play(const struct tape *tape, bool server, size_t most, size_t piece, uint64_t seed,
    struct player *ret)
{
    struct sp_session_options o;
    size_t fed = 0;
    struct sp_event ev;
    struct sp_frame f;
    size_t used = 0;
    bool whole = false;

    memset(ret, 0, sizeof(*ret));
    memset(&o, 0, sizeof(o));
    ret->tape = tape;
    ret->server = server;
    assert_ok(sp_frame_decoder_new(NULL, NULL, &ret->own, e));
    o.role = server ? SP_ROLE_SERVER : SP_ROLE_CLIENT;
    o.service = tape->service;
    /* Its own hello is the first that it said. */
    {
        struct sp_frame_decoder *d = NULL;

        assert_ok(sp_frame_decoder_new(NULL, NULL, &d, e));
        assert_ok(sp_frame_feed(
            d, tape->sent[!server].data, tape->sent[!server].len, &used, &whole, &f, e));
        assert_true(whole);
        o.hello = f.msg;
        o.hello_payload = f.payload;
        o.hello_payload_len = f.payload_len;
        assert_ok(sp_session_new(&o, 0, &ret->s, e));
        sp_frame_clear(&f);
        sp_frame_decoder_free(d);
    }
    for (size_t i = 0; i < tape->n && fed < most; i++) {
        const struct step *st = &tape->steps[i];
        const uint8_t *p = tape->sent[st->to_server].data + st->at;
        size_t left = st->n;

        if (st->to_server != server) {
            own_bytes(ret, p, left);
            continue;
        }
        while (left > 0 && fed < most) {
            size_t n = piece != 0 ? piece : 1 + hostile_random(&seed) % 97;

            n = n < left ? n : left;
            n = n < most - fed ? n : most - fed;
            left -= n;
            fed += n;
            while (n > 0) {
                sp_session_feed(ret->s, 0, p, n, &used, &ev);
                note(ret, &ev);
                p += used;
                n -= used;
            }
        }
    }
    sp_session_end(ret->s, NULL, &ev);
    note(ret, &ev);
    assert_int_equal(ret->closed, 1);
    sp_session_free(ret->s);
    sp_frame_decoder_free(ret->own);
}

struct recorded {
    struct stage *stage;
    struct tape tapes[2]; /* enrolment, backup */
    struct member member;
};

static int
setup(void **state)
{
    struct recorded *r = calloc(1, sizeof(*r));
    void *stage = NULL;

    assert_non_null(r);
    assert_int_equal(stage_setup(&stage), 0);
    r->stage = stage;
    record_enrolment(r->stage, &r->tapes[0], &r->member);
    record_backup(r->stage, &r->tapes[1], &r->member);
    *state = r;
    return 0;
}

static int
teardown(void **state)
{
    struct recorded *r = *state;
    void *stage = r->stage;

    tape_free(&r->tapes[0]);
    tape_free(&r->tapes[1]);
    member_clear(&r->member);
    free(r);
    return stage_teardown(&stage);
}

static void
test_whole_in_any_pieces(void **state)
{
    struct recorded *r = *state;
    uint64_t seed = hostile_seed();

    for (int i = 0; i < 2; i++)
        for (int server = 0; server < 2; server++) {
            struct player want, got;
            const struct tape *t = &r->tapes[i];

            play(t, server, SIZE_MAX, SIZE_MAX, 0, &want);
            assert_true(want.log.len > 0);
            if (server) /* it heard the client's goodbye */
                assert_true(want.by_peer && want.why.code == SP_OK);
            else /* and the client said it */
                assert_int_equal(want.why.code, SP_OK);
            for (int k = 0; k < (hostile_long() ? 500 : 40); k++) {
                play(t, server, SIZE_MAX, k == 0 ? 1 : 0, hostile_random(&seed), &got);
                assert_int_equal(got.log.len, want.log.len);
                assert_memory_equal(got.log.data, want.log.data, want.log.len);
                assert_int_equal(got.why.code, want.why.code);
                sp_buf_free(&got.log);
                cases++;
            }
            sp_buf_free(&want.log);
        }
    stage_passed++;
}

/* Cut at every byte: what came before is as it was, then one end with a reason; nothing is left. */
static void
test_cut_at_every_byte(void **state)
{
    struct recorded *r = *state;
    size_t leaked = 0;

    for (int i = 0; i < 2; i++)
        for (int server = 0; server < 2; server++) {
            const struct tape *t = &r->tapes[i];
            size_t n = t->sent[server].len, step = hostile_long() ? 1 : n / 3000 + 1;
            struct player want, got;

            play(t, server, SIZE_MAX, SIZE_MAX, 0, &want);
            for (size_t at = 0; at < n; at += step) {
                play(t, server, at, SIZE_MAX, 0, &got);
                cases++;
                assert_true(got.log.len <= want.log.len);
                if (got.log.len > 0)
                    assert_memory_equal(got.log.data, want.log.data, got.log.len);
                if (!(got.why.code == SP_UNREACHABLE && !got.by_peer &&
                        strstr(got.why.text, "ended the connection") != NULL) &&
                    !(server == 0 && got.why.code == SP_OK && got.log.len == want.log.len))
                    fail_msg("cut at %zu of %zu: %s: %s", at, n, sp_code_word(got.why.code),
                        got.why.text);
                sp_buf_free(&got.log);
            }
            leaked += want.log.len;
            sp_buf_free(&want.log);
        }
    assert_true(leaked > 0);
    stage_memory(r->stage, 4u << 20, "cuts in memory");
    stage_passed++;
}

/* A byte that changed on its way (below TLS it could not): events or an end with a reason. */
static void
test_changed(void **state)
{
    struct recorded *r = *state;
    uint64_t seed = hostile_seed();

    for (unsigned round = 0; round < (hostile_long() ? 20000 : 1500); round++) {
        struct tape *t = &r->tapes[hostile_random(&seed) % 2];
        bool server = hostile_random(&seed) % 2;
        size_t at = hostile_random(&seed) % t->sent[server].len;
        uint8_t bit = (uint8_t)(1u << hostile_random(&seed) % 8);
        struct sp_session_options o;
        struct sp_session *s = NULL;
        struct sp_event ev;
        unsigned closed = 0;
        size_t used, fed = 0;

        memset(&o, 0, sizeof(o));
        o.role = server ? SP_ROLE_SERVER : SP_ROLE_CLIENT;
        o.service = t->service;
        o.hello.type = server ? SP_MSG_SERVER_HELLO : SP_MSG_CLIENT_HELLO;
        o.hello.server_hello.writable = server;
        if (!server)
            o.hello.client_hello.reply_credit = SP_REPLY_CREDIT;
        assert_ok(sp_session_new(&o, 0, &s, e));
        t->sent[server].data[at] ^= bit;
        while (fed < t->sent[server].len) {
            sp_session_feed(
                s, 0, t->sent[server].data + fed, t->sent[server].len - fed, &used, &ev);
            closed += ev.type == SP_EVENT_CLOSED;
            sp_event_clear(&ev);
            fed += used;
        }
        t->sent[server].data[at] ^= bit;
        sp_session_end(s, NULL, &ev);
        closed += ev.type == SP_EVENT_CLOSED;
        sp_event_clear(&ev);
        assert_int_equal(closed, 1);
        sp_session_free(s);
        cases++;
    }
    stage_passed++;
}

/* --- TLS -----------------------------------------------------------------------------------------
 */

static enum sp_code
admit_all(void *arg, const struct sp_tls_peer *p, struct sp_err *e)
{
    (void)arg;
    (void)p;
    (void)e;
    return SP_OK;
}

/* Moves ciphertext, at most *left bytes of it; false: nothing moved. */
static bool
move(struct sp_tls *from, struct sp_tls *to, size_t *left, size_t piece)
{
    uint8_t bytes[4096];
    size_t most = *left < piece ? *left : piece, n;
    struct sp_err err = {0};
    size_t got = 0;

    if (most == 0 || (n = sp_tls_take(from, bytes, most)) == 0)
        return false;
    *left -= n;
    if (sp_tls_feed(to, bytes, n, &err) == SP_OK)
        (void)sp_tls_read(to, bytes, 0, &got, &err);
    return true;
}

/* The handshake with at most so many bytes each way: without the last byte nobody is let in. */
static void
shake(struct sp_tls_context *server, struct sp_tls_context *client, size_t to_server,
    size_t to_client, size_t piece, bool *ret_server, bool *ret_client, size_t ret_moved[2])
{
    struct sp_tls *s = NULL, *c = NULL;
    size_t left[2] = {to_client, to_server}, got = 0;
    struct sp_err err = {0};
    uint8_t none[1];

    assert_ok(sp_tls_new(server, &s, e));
    assert_ok(sp_tls_new(client, &c, e));
    (void)sp_tls_read(c, none, 0, &got, &err);
    while (move(c, s, &left[1], piece) || move(s, c, &left[0], piece))
        continue;
    *ret_server = sp_tls_ready(s);
    *ret_client = sp_tls_ready(c);
    ret_moved[0] = to_client - left[0];
    ret_moved[1] = to_server - left[1];
    sp_tls_free(s);
    sp_tls_free(c);
}

static void
test_cut_handshakes(void **state)
{
    struct recorded *r = *state;
    struct sp_home home;
    struct sp_tls_server so = {.enrolment = true, .admit = admit_all, .clock = &sp_clock_system};
    struct sp_tls_client co = {.service = SP_SERVICE_NORMAL, .clock = &sp_clock_system};
    struct sp_tls_context *server = NULL, *client = NULL;
    bool s_ready, c_ready;
    size_t moved[2], whole[2], step;

    assert_ok(sp_home_open(&r->stage->place.env, r->stage->place.home, &home, e));
    so.chain_pem = home.chain;
    so.key_pem = home.key;
    so.authority_pem = home.authority;
    memcpy(co.authority, home.fingerprint, 32);
    co.chain_pem = r->member.tls_chain;
    co.key_pem = r->member.tls_key;
    assert_ok(sp_tls_server_new(&so, &server, e));
    assert_ok(sp_tls_client_new(&co, &client, e));
    shake(server, client, SIZE_MAX, SIZE_MAX, 4096, &s_ready, &c_ready, whole);
    assert_true(s_ready && c_ready);
    shake(server, client, SIZE_MAX, SIZE_MAX, 1, &s_ready, &c_ready, moved); /* byte by byte */
    assert_true(s_ready && c_ready);
    step = hostile_long() ? 1 : 29;
    for (size_t at = 0; at + 8 < whole[1]; at += step) { /* signatures differ by a few bytes */
        shake(server, client, at, SIZE_MAX, 4096, &s_ready, &c_ready, moved);
        assert_false(s_ready);
        cases++;
    }
    for (size_t at = 0; at + 8 < whole[0]; at += step) {
        shake(server, client, SIZE_MAX, at, 4096, &s_ready, &c_ready, moved);
        assert_false(c_ready);
        assert_false(s_ready);
        cases++;
    }
    sp_tls_context_free(server);
    sp_tls_context_free(client);
    sp_home_close(&home);
    stage_memory(r->stage, 4u << 20, "cut handshakes");
    stage_passed++;
}

/* --- real connections ----------------------------------------------------------------------------
 */

struct promise { /* what the server said before the cut */
    uint64_t data, nodes;
    bool published;
};

static void
hear_promises(struct wire *w, struct promise *ret)
{
    struct sp_frame f;

    while (wire_frame(w, &f, 3000)) {
        if (f.msg.type == SP_MSG_ACK || f.msg.type == SP_MSG_FLUSHED) {
            ret->data = f.msg.ack.data;
            ret->nodes = f.msg.ack.nodes;
        }
        if (f.msg.type == SP_MSG_COMMIT_REPLY && f.payload_len == 0)
            ret->published = true;
        sp_frame_clear(&f);
    }
}

/* Asks one question over a new connection. */
static void
question(struct stage *s, const struct member *m, struct sp_msg *msg, const void *p, size_t n,
    struct sp_frame *ret)
{
    struct sp_buf b = SP_BUF_INIT;
    struct wire w;

    msg->tag = 1;
    frame_put(&b, msg, p, n);
    wire_open(&w, &s->r, m, stage_from(s));
    assert_true(wire_send(&w, b.data, b.len, 2000));
    assert_true(wire_frame(&w, ret, 8000));
    wire_close(&w);
    sp_buf_free(&b);
}

static void
test_cut_at_the_server(void **state)
{
    struct recorded *r = *state;
    struct stage *s = r->stage;
    uint64_t seed = hostile_seed();
    unsigned rounds = hostile_long() ? 600 : 40, kept = 0, promised = 0;

    for (unsigned round = 0; round < rounds; round++) {
        struct sp_buf b = SP_BUF_INIT, block = SP_BUF_INIT;
        struct sp_msg put = of_type(SP_MSG_PUT), flush = of_type(SP_MSG_FLUSH);
        struct sp_msg commit = of_type(SP_MSG_COMMIT), msg;
        struct promise promise = {0};
        struct sp_id data, root;
        struct sp_frame f;
        uint8_t set_id[16];
        char job[32];
        struct wire w;
        size_t cut, at = 0, flushed;

        (void)snprintf(job, sizeof(job), "cut %u", round);
        member_block(&r->member, SP_BLOCK_FILES, NULL, 0, NULL, 300, &block, &data);
        frame_put(&b, &put, block.data, block.len);
        sp_buf_reset(&block);
        member_block(&r->member, SP_BLOCK_NODES, &data, 1, NULL, 50, &block, &root);
        put.put.nodes = true;
        frame_put(&b, &put, block.data, block.len);
        flush.tag = 1;
        frame_put(&b, &flush, NULL, 0);
        flushed = hostile_random(&seed) % 2 == 0 ? b.len : SIZE_MAX; /* its answer is awaited */
        sp_buf_reset(&block);
        member_set(&r->member, SP_RECORD_SET, job, 1, NULL, &root, &block, set_id);
        commit.tag = 2;
        commit.commit.type = 1;
        frame_put(&b, &commit, block.data, block.len);
        /* A third of the cuts near the end, where the promises are. */
        cut = hostile_random(&seed) % 3 == 0 ? b.len - hostile_random(&seed) % 4
                                             : hostile_random(&seed) % b.len;
        wire_open(&w, &s->r, &r->member, stage_from(s));
        while (at < cut) {
            size_t n = 1 + hostile_random(&seed) % 400;

            n = n < cut - at ? n : cut - at;
            assert_true(wire_send(&w, b.data + at, n, 2000));
            at += n;
            while (at >= flushed && promise.data == 0 && wire_frame(&w, &f, 8000)) {
                if (f.msg.type == SP_MSG_FLUSHED) {
                    promise.data = f.msg.ack.data;
                    promise.nodes = f.msg.ack.nodes;
                }
                sp_frame_clear(&f);
            }
        }
        if (hostile_random(&seed) % 4 != 0) { /* the client is gone, but hears the rest */
            (void)shutdown(w.fd, SHUT_WR);
            hear_promises(&w, &promise);
        } else if (cut == b.len) { /* it heard the answer and is gone */
            struct sp_frame last;

            while (!promise.published && wire_frame(&w, &last, 8000)) {
                promise.published = last.msg.type == SP_MSG_COMMIT_REPLY;
                if (last.msg.type == SP_MSG_FLUSHED)
                    promise.data = promise.nodes = 1;
                sp_frame_clear(&last);
            }
        }
        wire_close(&w);
        cases++;
        promised += promise.data > 0 || promise.published;
        if (promise.data > 0 || promise.published) {
            msg = of_type(SP_MSG_HAVE);
            question(s, &r->member, &msg, data.b, 32, &f);
            assert_int_equal(f.msg.type, SP_MSG_HAVE_REPLY);
            assert_int_equal(f.payload[0], 1);
            sp_frame_clear(&f);
        }
        if (promise.nodes > 0 || promise.published) {
            msg = of_type(SP_MSG_HAVE);
            msg.have.nodes = true;
            question(s, &r->member, &msg, root.b, 32, &f);
            assert_int_equal(f.payload[0], 1);
            sp_frame_clear(&f);
        }
        if (promise.published) {
            msg = of_type(SP_MSG_MISSING);
            memcpy(msg.missing.set_id, set_id, 16);
            question(s, &r->member, &msg, NULL, 0, &f);
            assert_int_equal(f.msg.type, SP_MSG_MISSING_REPLY);
            assert_int_equal(f.payload_len, 0);
            sp_frame_clear(&f);
            kept++;
        }
        sp_buf_free(&b);
        sp_buf_free(&block);
    }
    print_message("%u connections cut: %u with promises, %u sets published, all kept\n", rounds,
        promised, kept);
    assert_true(promised > 0 && kept > 0);
    stage_goes_on(s, 2, 10000);
    stage_memory(s, 4u << 20, "cut connections");
    stage_passed++;
}

/* Cut in the middle of enrolling: the token is as good as before, unless the host exists. */
static void
test_cut_enrolment(void **state)
{
    struct recorded *r = *state;
    struct stage *s = r->stage;
    uint64_t seed = hostile_seed();

    for (unsigned round = 0; round < (hostile_long() ? 60 : 6); round++) {
        struct sp_buf b = SP_BUF_INIT;
        struct sp_token token;
        struct sp_msg msg;
        struct member m = {.keys = NULL};
        char name[32], *csr = NULL;
        struct wire w;

        (void)snprintf(name, sizeof(name), "cut%u", round);
        place_token(&s->place, "add", name, &token);
        member_make(&m, NULL);
        member_csr(&m, &csr);
        member_enroll_message(&m, &token, NULL, &msg);
        frame_put(&b, &msg, csr, strlen(csr));
        wire_open(&w, &s->r, NULL, stage_from(s));
        assert_true(
            wire_send(&w, b.data, round % 2 == 0 ? b.len : hostile_random(&seed) % b.len, 2000));
        if (round % 3 == 0)
            (void)wire_fill(&w, 300);
        wire_close(&w);
        cases++;
        /* The same token, the same machine. */
        {
            struct talk t;
            struct tape tape;
            struct sp_frame f;

            memset(&tape, 0, sizeof(tape));
            begin(&t, &tape, s, NULL);
            say(&t, &msg, csr, strlen(csr));
            hear(&t, SP_MSG_ENROLL_REPLY, &f);
            member_take_reply(&m, &f.msg, f.payload, f.payload_len);
            sp_frame_clear(&f);
            sp_buf_reset(&b);
            member_end_message(&m, 1, &msg, &b);
            say(&t, &msg, b.data, b.len);
            hear_and_forget(&t, SP_MSG_DONE);
            end(&t);
            tape_free(&tape);
        }
        sp_buf_free(&b);
        sp_pem_free(csr);
        member_clear(&m);
    }
    stage_passed++;
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole_in_any_pieces),
        cmocka_unit_test(test_cut_at_every_byte),
        cmocka_unit_test(test_changed),
        cmocka_unit_test(test_cut_handshakes),
        cmocka_unit_test(test_cut_at_the_server),
        cmocka_unit_test(test_cut_enrolment),
    };
    int64_t began = now_ms();
    int failed;

    if (argc > 1) {
        cmocka_set_test_filter(argv[1]);
        stage_alone = true;
    }
    failed = cmocka_run_group_tests(tests, setup, teardown);
    hostile_closing("cut exchange", cases, began);
    return failed;
}
