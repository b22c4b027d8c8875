/* Enrolment against a fake server: both steps, and what each may meet. (test_remote_server.c enrols
 * with the real one.) */

#include "fake_server.h"

#include <signal.h>

#include "base/clock.h"
#include "base/text.h"
#include "proto/cert.h"

struct fixture {
    struct fake *f;
    struct sp_token token;
    struct sp_buf text;
    struct sp_enrolled en;
    /* The server's side. */
    bool spoil_chain, spoil_authority, nul_inside, cut_at_end;
    enum sp_code refuse;
    struct sp_msg asked, ended;
    struct sp_buf ended_payload;
    uint8_t host[16];
    /* The client's. */
    unsigned finished;
    enum sp_code finish_code;
    size_t wrong_lens;
};

static int
setup(void **state)
{
    struct fixture *x = calloc(1, sizeof(*x));

    assert_non_null(x);
    x->f = fake_new();
    x->f->on_arg = x;
    memset(x->host, 0x33, 16);
    *state = x;
    return 0;
}

static int
teardown(void **state)
{
    struct fixture *x = *state;

    fake_free(x->f);
    sp_buf_free(&x->text);
    sp_buf_free(&x->ended_payload);
    sp_enrolled_clear(&x->en);
    free(x);
    return 0;
}

/* --- the server's side ------------------------------------------------------------------------ */

static void
grant(struct fixture *x, struct fake_session *s, const struct sp_frame *f)
{
    struct sp_msg m = {.type = SP_MSG_ENROLL_REPLY, .tag = f->msg.tag};
    struct sp_validity v = sp_validity_of(sp_clock_wall(&sp_clock_system), SP_VALID_HOST_NS);
    struct sp_buf p = SP_BUF_INIT;
    char *chain = NULL, *key = NULL, *csr = NULL, *authority = NULL, *authority_key = NULL;

    if (x->spoil_chain) { /* for a key that is not the host's */
        assert_ok(sp_cert_key(&key, e));
        assert_ok(sp_cert_request(key, &csr, e));
        assert_ok(sp_cert_issue(
            x->f->authority, x->f->authority_key, csr, strlen(csr), x->host, v, &chain, NULL, e));
    } else {
        assert_ok(sp_cert_issue(x->f->authority, x->f->authority_key, f->payload, f->payload_len,
            x->host, v, &chain, NULL, e));
    }
    if (x->spoil_authority)
        assert_ok(sp_cert_authority(v, &authority, &authority_key, e));
    else
        authority = strdup(x->f->authority);
    memcpy(m.enroll_reply.host, x->host, 16);
    strcpy(m.enroll_reply.host_name, "named by the server");
    sp_buf_put(&p, chain, strlen(chain));
    if (x->nul_inside)
        p.data[20] = '\0';
    m.enroll_reply.chain_len = (uint32_t)strlen(chain);
    sp_buf_put(&p, authority, strlen(authority));
    m.enroll_reply.authority_len = (uint32_t)strlen(authority);
    sp_buf_put(&p, x->f->conf.data, x->f->conf.len);
    m.enroll_reply.conf_len = (uint32_t)x->f->conf.len;
    if (f->msg.enroll.has_invitation) {
        m.enroll_reply.has_group = true;
        memset(m.enroll_reply.group, 0x99, 16);
        sp_buf_put(&p, "the slot", 8);
        m.enroll_reply.slot_len = 8;
    }
    fake_reply(s, &m, p.data, p.len);
    sp_buf_free(&p);
    sp_pem_free(chain);
    sp_pem_free(key);
    sp_pem_free(csr);
    sp_pem_free(authority);
    sp_pem_free(authority_key);
}

static bool
serve(struct fake *f, struct fake_session *s, struct sp_event *ev)
{
    struct fixture *x = f->on_arg;
    struct sp_msg done = {.type = SP_MSG_DONE, .tag = ev->frame.msg.tag};

    if (ev->frame.msg.type == SP_MSG_ENROLL) {
        x->asked = ev->frame.msg;
        if (x->refuse != SP_OK)
            fake_error(s, ev->frame.msg.tag, x->refuse, "the token was used already");
        else
            grant(x, s, &ev->frame);
        return true;
    }
    assert_int_equal(ev->frame.msg.type, SP_MSG_ENROLL_END);
    x->ended = ev->frame.msg;
    sp_buf_put(&x->ended_payload, ev->frame.payload, ev->frame.payload_len);
    if (x->cut_at_end)
        sp_channel_abort(s->channel);
    else
        fake_reply(s, &done, NULL, 0);
    return true;
}

/* --- the client's side ------------------------------------------------------------------------ */

static enum sp_code
finish(void *arg, const struct sp_enrolled *en, struct sp_buf *record, struct sp_buf *slots,
    size_t *slot_lens, size_t *nslots, struct sp_err *e)
{
    struct fixture *x = arg;

    x->finished++;
    assert_memory_equal(en->host, x->host, 16);
    assert_string_equal(en->host_name, "named by the server");
    assert_int_equal(en->conf_len, x->f->conf.len);
    if (en->has_group) {
        assert_int_equal(en->slots_len, 8);
        assert_memory_equal(en->slots, "the slot", 8);
    }
    if (x->finish_code != SP_OK)
        return sp_fail(e, x->finish_code, SP_DOM_CONFIG, "no keys today");
    sp_buf_put_str(record, "record");
    sp_buf_put_str(slots, "slot oneslot2");
    slot_lens[0] = 8 + x->wrong_lens;
    slot_lens[1] = 5;
    *nslots = 2;
    return SP_OK;
}

static enum sp_code
enroll(struct fixture *x, const uint8_t *invitation, struct sp_err *e)
{
    struct sp_enroll_options o = {.host_name = "wanted", .invitation = invitation};

    if (x->f->thread == NULL) {
        x->f->on = serve;
        fake_run(x->f);
    }
    memset(o.identity_public, 0x55, 32);
    strcpy(x->token.address, x->f->address);
    memcpy(x->token.authority, x->f->fingerprint, 32);
    memset(x->token.id, 1, 8);
    memset(x->token.secret, 2, 32);
    x->token.secret_len = 32;
    sp_buf_reset(&x->text);
    assert_int_equal(sp_token_print(&x->token, &x->text, e), SP_OK);
    o.token = sp_buf_str(&x->text);
    return sp_enroll(&sp_env_system, &o, finish, x, &x->en, e);
}

static void
test_both_steps(void **state)
{
    struct fixture *x = *state;
    struct sp_cert_info info;

    x->token.has_recovery = true;
    memset(x->token.recovery, 0x44, 32);
    assert_ok(enroll(x, NULL, e));
    assert_int_equal(x->finished, 1);
    assert_string_equal(x->en.address, x->f->address);
    assert_memory_equal(x->en.authority_fingerprint, x->f->fingerprint, 32);
    assert_ok(sp_cert_matches(x->en.tls_chain, x->en.tls_key, e));
    assert_ok(sp_cert_info(x->en.tls_chain, &info, e));
    assert_string_equal(info.name, sp_hex16(x->host).s);
    assert_string_equal(x->en.tls_authority, x->f->authority);
    assert_false(x->en.has_group);
    assert_int_equal(x->en.slots_len, 0);
    assert_true(x->en.has_recovery);
    assert_int_equal(x->en.recovery_public[31], 0x44);
    assert_string_equal(x->asked.enroll.host_name, "wanted");
    assert_int_equal(x->asked.enroll.token_id[0], 1);
    assert_int_equal(x->asked.enroll.secret_len, 32);
    assert_int_equal(x->asked.enroll.identity[31], 0x55);
    assert_false(x->asked.enroll.has_invitation);
    assert_int_equal(x->ended.enroll_end.record_len, 6);
    assert_int_equal(x->ended.enroll_end.nslots, 2);
    assert_int_equal(x->ended.enroll_end.slot_len[1], 5);
    assert_string_equal(sp_buf_str(&x->ended_payload), "recordslot oneslot2");
}

static void
test_invitation(void **state)
{
    struct fixture *x = *state;
    uint8_t invitation[32] = {8}, id[16], proof[32];

    assert_ok(enroll(x, invitation, e));
    assert_ok(sp_invitation_public(invitation, id, proof, e));
    assert_true(x->asked.enroll.has_invitation);
    assert_memory_equal(x->asked.enroll.invitation_id, id, 16);
    assert_memory_equal(x->asked.enroll.invitation_proof, proof, 32);
    assert_true(x->en.has_group);
    assert_int_equal(x->en.group[0], 0x99);
    assert_int_equal(x->en.slots_len, 8);
}

static void
refused(struct fixture *x, enum sp_code code, const char *words)
{
    struct sp_err err = {0};

    assert_int_equal(enroll(x, NULL, &err), code);
    assert_contains(err.text, words);
    assert_null(x->en.tls_key); /* untouched */
}

static void
test_token_refused(void **state)
{
    struct fixture *x = *state;

    x->refuse = SP_AUTH;
    refused(x, SP_AUTH, "the token was used already");
    assert_int_equal(x->finished, 0);
    assert_int_equal(fake_count(x->f, SP_MSG_ENROLL_END), 0);
}

static void
test_token_malformed(void **state)
{
    struct fixture *x = *state;
    struct sp_enroll_options o = {.host_name = "wanted"};
    char text[] = "sp1.ABCDEFGH";

    o.token = "hello";
    assert_code(SP_INVALID, sp_enroll(&sp_env_system, &o, finish, x, &x->en, e));
    o.token = text;
    assert_code(SP_INVALID, sp_enroll(&sp_env_system, &o, finish, x, &x->en, e));
    assert_int_equal(x->finished, 0);
}

static void
test_nobody_there(void **state)
{
    struct fixture *x = *state;

    x->f->on = serve;
    fake_run(x->f);
    strcpy(x->f->address, "127.0.0.1:1");
    refused(x, SP_UNREACHABLE, "cannot reach 127.0.0.1:1: connection refused; is stillpointd");
}

static void
test_another_server(void **state)
{
    struct fixture *x = *state;

    x->f->fingerprint[0] ^= 1;
    refused(x, SP_AUTH, "fingerprint");
    assert_int_equal(fake_count(x->f, SP_MSG_ENROLL), 0); /* the secret was not told */
}

static void
test_another_key(void **state)
{
    struct fixture *x = *state;
    struct sp_err err = {0};

    x->spoil_chain = true;
    assert_int_not_equal(enroll(x, NULL, &err), SP_OK);
    assert_int_equal(x->finished, 0);
}

static void
test_another_authority(void **state)
{
    struct fixture *x = *state;

    x->spoil_authority = true;
    refused(x, SP_PROTOCOL, "another host or authority");
    assert_int_equal(x->finished, 0);
}

static void
test_no_text(void **state)
{
    struct fixture *x = *state;

    x->nul_inside = true;
    refused(x, SP_PROTOCOL, "certificate");
    assert_int_equal(x->finished, 0);
}

/* What the client cannot make ends it, before the server knows the host. */
static void
test_finish_fails(void **state)
{
    struct fixture *x = *state;

    x->finish_code = SP_REFUSED;
    refused(x, SP_REFUSED, "no keys today");
    assert_int_equal(fake_count(x->f, SP_MSG_ENROLL_END), 0);
}

static void
test_finish_lies(void **state)
{
    struct fixture *x = *state;

    x->wrong_lens = 1;
    refused(x, SP_INVALID, "other lengths");
    assert_int_equal(fake_count(x->f, SP_MSG_ENROLL_END), 0);
}

static void
test_cut_at_the_end(void **state)
{
    struct fixture *x = *state;

    x->cut_at_end = true;
    refused(x, SP_UNREACHABLE, "ask for a new token");
    assert_int_equal(x->finished, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_both_steps),
        TEST(test_invitation),
        TEST(test_token_refused),
        TEST(test_token_malformed),
        TEST(test_nobody_there),
        TEST(test_another_server),
        TEST(test_another_key),
        TEST(test_another_authority),
        TEST(test_no_text),
        TEST(test_finish_fails),
        TEST(test_finish_lies),
        TEST(test_cut_at_the_end),
    };

    (void)signal(SIGPIPE, SIG_IGN); /* as the program does: the loop runs on this thread */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
