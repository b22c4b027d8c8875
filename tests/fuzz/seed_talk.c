#include <stdlib.h>

#include "proto/tls.h"
#include "tests/fuzz/conversation.h"
#include "tests/fuzz/files.h"
#include "tests/fuzz/seed.h"

/* What two sessions say to each other: for `session`, `frame` and `message`; what a TLS server and
 * client begin with; certificates. */

struct side {
    struct sp_session *s;
    struct sp_buf sent;
};

static unsigned number;

static void
put_frames(const struct sp_buf *stream)
{
    size_t at = 0;
    char name[32];

    while (at + 8 <= stream->len) {
        uint32_t header = sp_le32(stream->data + at), payload = sp_le32(stream->data + at + 4);
        struct sp_buf b = SP_BUF_INIT;

        FUZZ_MUST(header <= stream->len - at - 8 && payload <= stream->len - at - 8 - header);
        sp_buf_put(&b, stream->data + at + 8, header);
        (void)snprintf(name, sizeof(name), "talk-%u", number++);
        seed_put("message", name, &b);
        at += 8 + (size_t)header + payload;
    }
}

/* Moves what `from` has to say. */
static bool
move(struct side *from, struct side *to, struct talk_server *server, struct fuzz_in *requests)
{
    const uint8_t *p;
    size_t n;
    bool any = false;

    while (sp_session_output(from->s, &p, &n)) {
        size_t at = 0;

        any = true;
        sp_buf_put(&from->sent, p, n);
        while (at < n) {
            struct sp_event ev;
            struct sp_err e = {0};
            size_t used = 0;

            memset(&ev, 0, sizeof(ev));
            sp_session_feed(to->s, TALK_NOW, p + at, n - at, &used, &ev);
            at += used;
            FUZZ_MUST(ev.type != SP_EVENT_CLOSED || ev.why.code == SP_OK || requests == NULL);
            if (ev.type == SP_EVENT_READY && requests != NULL)
                while (requests->n > 0)
                    talk_ask(to->s, fuzz_u8(requests));
            if (ev.type == SP_EVENT_MESSAGE && server != NULL)
                talk_answer(server, &ev.frame);
            if (ev.type == SP_EVENT_MESSAGE && server == NULL &&
                sp_msg_info(ev.frame.msg.type)->kind == SP_KIND_ITEM)
                FUZZ_OK(sp_session_consumed(to->s, ev.frame.payload_len, &e));
            sp_event_clear(&ev);
        }
        sp_session_sent(from->s, TALK_NOW, n);
    }
    return any;
}

static void
put_stream(const char *target, const char *name, unsigned flags, const uint8_t *requests, size_t n,
    const struct sp_buf *stream)
{
    struct sp_buf b = SP_BUF_INIT;

    sp_buf_put_u8(&b, (uint8_t)flags);
    sp_buf_put_u8(&b, (uint8_t)n);
    sp_buf_put(&b, requests, n);
    sp_buf_put(&b, stream->data, stream->len);
    seed_put(target, name, &b);
}

static void
talk(const char *name, unsigned flags, const uint8_t *requests, size_t n)
{
    struct side client = {.s = talk_session(flags | TALK_CLIENT)};
    struct side server = {.s = talk_session(flags)};
    struct talk_server t = {.s = server.s, .flags = flags};
    struct fuzz_in in = {requests, n};
    struct sp_buf b = SP_BUF_INIT;
    char other[64];
    bool more;

    do {
        more = move(&server, &client, NULL, &in);
        more = move(&client, &server, &t, NULL) || more;
    } while (more);
    sp_session_goodbye(client.s, &(const struct sp_err){.code = SP_OK});
    (void)move(&client, &server, &t, NULL);
    put_stream("session", name, flags, NULL, 0, &client.sent);
    (void)snprintf(other, sizeof(other), "%s-client", name);
    put_stream("session", other, flags | TALK_CLIENT, requests, n, &server.sent);
    put_frames(&client.sent);
    put_frames(&server.sent);
    sp_buf_put(&b, client.sent.data, client.sent.len);
    seed_put("frame", other, &b);
    sp_buf_put(&b, server.sent.data, server.sent.len);
    seed_put("frame", name, &b);
    sp_session_free(client.s);
    sp_session_free(server.s);
    sp_buf_free(&client.sent);
    sp_buf_free(&server.sent);
}

/* --- certificates
 * ------------------------------------------------------------------------------------ */

static void
put_text(const char *target, const char *name, uint8_t first, const void *p, size_t n)
{
    struct sp_buf b = SP_BUF_INIT;

    sp_buf_put_u8(&b, first);
    sp_buf_put(&b, p, n);
    seed_put(target, name, &b);
}

/* The bytes between the first two lines of dashes. */
static void
put_der(const char *name, uint8_t first, const char *pem)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    struct sp_buf b = SP_BUF_INIT;
    uint32_t bits = 0;
    unsigned n = 0;

    sp_buf_put_u8(&b, first);
    for (const char *p = strchr(pem, '\n'); *p != '-' && *p != '='; p++) {
        const char *at = strchr(digits, *p);

        if (*p == '\n')
            continue;
        bits = bits << 6 | (uint32_t)(at - digits);
        if ((n += 6) >= 8) {
            n -= 8;
            sp_buf_put_u8(&b, (uint8_t)(bits >> n));
        }
    }
    seed_put("cert", name, &b);
}

static int64_t
now(void *self)
{
    (void)self;
    return FUZZ_NOW_NS;
}

static size_t
first_flight(struct sp_tls_context *c, const uint8_t *heard, size_t n, uint8_t *to, size_t room)
{
    struct sp_tls *t = NULL;
    struct sp_err e = {0};
    uint8_t plain[64];
    size_t got;

    FUZZ_OK(sp_tls_new(c, &t, &e));
    if (n > 0)
        FUZZ_OK(sp_tls_feed(t, heard, n, &e));
    FUZZ_OK(sp_tls_read(t, plain, sizeof(plain), &got, &e));
    n = sp_tls_take(t, to, room);
    sp_tls_free(t);
    return n;
}

static void
certificates(void)
{
    static const struct sp_clock clock = {now, now, NULL};
    static uint8_t hello[8192], answer[8192];
    const char *const names[] = {"localhost", "192.0.2.1"};
    struct sp_validity v = sp_validity_of(FUZZ_NOW_NS, SP_VALID_SERVER_NS);
    struct sp_tls_server so = {.enrolment = true, .clock = &clock};
    struct sp_tls_client co = {.service = SP_SERVICE_ENROLL, .clock = &clock};
    struct sp_tls_context *server = NULL, *client = NULL;
    char *authority, *authority_key, *chain, *key, *csr;
    struct sp_err e = {0};
    size_t n;

    FUZZ_OK(sp_cert_authority(v, &authority, &authority_key, &e));
    FUZZ_OK(sp_cert_server(authority, authority_key, names, 2, v, &chain, &key, &e));
    FUZZ_OK(sp_cert_request(key, &csr, &e));
    put_text("cert", "authority", 0, authority, strlen(authority));
    put_text("cert", "chain", 0, chain, strlen(chain));
    put_text("cert", "request", 2, csr, strlen(csr));
    put_der("authority-der", 1, authority);
    put_der("server-der", 1, chain);
    put_der("request-der", 3, csr);
    so.chain_pem = chain;
    so.key_pem = key;
    so.authority_pem = authority;
    FUZZ_OK(sp_tls_server_new(&so, &server, &e));
    FUZZ_OK(sp_tls_client_new(&co, &client, &e));
    n = first_flight(client, NULL, 0, hello, sizeof(hello));
    put_text("tls", "client-hello", 0, hello, n);
    n = first_flight(server, hello, n, answer, sizeof(answer));
    put_text("tls", "server-hello", 1, answer, n);
    sp_tls_context_free(server);
    sp_tls_context_free(client);
    sp_pem_free(authority);
    sp_pem_free(authority_key);
    sp_pem_free(chain);
    sp_pem_free(key);
    sp_pem_free(csr);
}

void
seed_talk(void)
{
    /* The numbers of talk_ask: a put of each kind, then every request. */
    static const uint8_t all[] = {250, 251, 0, 1, 2, 4, 5, 6, 7, 8, 9, 10, 11, 250, 15, 16, 32};
    static const uint8_t commit[] = {250, 3, 17, 34};
    static const uint8_t renew[] = {12};
    static const uint8_t enroll[] = {13};

    talk("everything", 0, all, sizeof(all));
    talk("commit", TALK_LAZY, commit, sizeof(commit));
    talk("read-only", TALK_READ_ONLY, all + 2, sizeof(all) - 6);
    talk("renewing", TALK_RENEWING, renew, sizeof(renew));
    talk("enrolling", TALK_ENROLLING, enroll, sizeof(enroll));
    certificates();
}
