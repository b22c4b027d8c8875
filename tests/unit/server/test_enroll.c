/* Enrolment, invitations and renewal, without a network. */

#include "member.h"

#include "server/enroll.h"
#include "server/invite.h"

static const char conf[] = "stillpoint repository\n";

struct fixture {
    struct place place;
    struct sp_home home;
    struct sp_state *s;
    struct sp_repository *r;
    struct sp_enroller *en;
};

static int
setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    struct sp_repository_options o = {.write = true};
    struct sp_enroller_options eo;
    struct sp_state_beat beat = {.port = 4711};
    struct sp_backend *b = NULL;
    char path[400];

    assert_non_null(f);
    place_make(&f->place);
    place_init(&f->place);
    assert_ok(sp_home_open(&f->place.env, f->place.home, &f->home, e));
    (void)snprintf(path, sizeof(path), "%s/state.db", f->place.home);
    assert_ok(sp_state_open(path, false, &f->s, e));
    assert_ok(sp_state_beat_write(f->s, &beat, e)); /* so that tokens have an address */
    (void)snprintf(path, sizeof(path), "%s/cache", f->place.home);
    o.cache_dir = path;
    o.server_id = f->home.server_id;
    assert_ok(sp_backend_dir_open(&f->place.env, f->place.repository, false, &b, e));
    assert_ok(sp_repository_open(b, &f->place.env, &o, &f->r, e));
    eo = (struct sp_enroller_options){
        &f->place.env, &f->home, f->s, f->r, (const uint8_t *)conf, sizeof(conf) - 1};
    assert_ok(sp_enroller_new(&eo, &f->en, e));
    *state = f;
    return 0;
}

static int
teardown(void **state)
{
    struct fixture *f = *state;

    sp_enroller_free(f->en);
    sp_repository_free(f->r);
    sp_state_close(f->s);
    sp_home_close(&f->home);
    place_remove(&f->place);
    free(f);
    return 0;
}

/* The first step; on success the member has its host id and chain. */
static enum sp_code
begin(struct fixture *f, struct member *m, const struct sp_token *t, const uint8_t *invitation,
    struct sp_enrolling *g, struct sp_msg *reply, struct sp_err *err)
{
    struct sp_msg msg;
    uint8_t *payload = NULL;
    size_t n = 0;
    char *csr = NULL;
    enum sp_code rc;

    member_csr(m, &csr);
    member_enroll_message(m, t, invitation, &msg);
    rc = sp_enroll_begin(
        f->en, &msg, (const uint8_t *)csr, strlen(csr), g, reply, &payload, &n, err);
    if (rc == SP_OK)
        member_take_reply(m, reply, payload, n);
    free(payload);
    sp_pem_free(csr);
    return rc;
}

static enum sp_code
finish(
    struct fixture *f, struct member *m, struct sp_enrolling *g, unsigned slots, struct sp_err *err)
{
    struct sp_buf payload = SP_BUF_INIT;
    struct sp_msg msg;
    enum sp_code rc;

    member_end_message(m, slots, &msg, &payload);
    rc = sp_enroll_end(f->en, g, &msg, payload.data, payload.len, err);
    sp_buf_free(&payload);
    return rc;
}

/* A host of its own group, enrolled. */
static void
enrolled(struct fixture *f, const char *name, struct member *m)
{
    struct sp_token t;
    struct sp_enrolling g;
    struct sp_msg reply;

    place_token(&f->place, "add", name, &t);
    member_make(m, NULL);
    assert_ok(begin(f, m, &t, NULL, &g, &reply, e));
    assert_ok(finish(f, m, &g, 1, e));
}

static void
test_new_host(void **state)
{
    struct fixture *f = *state;
    struct sp_token t;
    struct sp_enrolling g;
    struct sp_msg reply;
    struct sp_cert_info info;
    struct sp_state_host h;
    struct sp_host record;
    struct member m;
    char id[72];
    uint8_t *p = NULL;
    size_t n;
    int64_t days;

    place_token(&f->place, "add", "desk", &t);
    member_make(&m, NULL);
    assert_ok(begin(f, &m, &t, NULL, &g, &reply, e));
    assert_false(reply.enroll_reply.has_group);
    assert_string_equal(reply.enroll_reply.host_name, "desk"); /* the token's, not the wish */
    assert_int_equal(reply.enroll_reply.conf_len, sizeof(conf) - 1);
    assert_int_equal(reply.enroll_reply.slot_len, 0);
    assert_ok(sp_cert_info(m.tls_chain, &info, e));
    (void)snprintf(id, sizeof(id), "%s", sp_hex16(m.host).s);
    assert_string_equal(info.name, id);
    days = (info.valid.to_ns - info.valid.from_ns) / DAY_NS;
    assert_int_equal(days, 90);
    assert_true(info.valid.from_ns < sp_clock_wall(&sp_clock_system) - 200 * SP_SECOND);
    /* Between the two steps nothing is known of it. */
    assert_code(SP_ABSENT, sp_state_host_named(f->s, "desk", &h, e));
    assert_code(SP_ABSENT, sp_repository_host(f->r, m.host, &p, &n, e));
    assert_ok(finish(f, &m, &g, 2, e));
    assert_ok(sp_state_host_named(f->s, "desk", &h, e));
    assert_memory_equal(h.id, m.host, 16);
    assert_memory_equal(h.group, m.group, 16);
    assert_ok(sp_repository_host(f->r, m.host, &p, &n, e));
    assert_ok(sp_host_decode(p, n, m.keys, &record, e));
    free(p);
    member_clear(&m);
}

static void
test_bad_tokens(void **state)
{
    struct fixture *f = *state;
    struct sp_token t, wrong;
    struct sp_enrolling g;
    struct sp_msg reply;
    struct sp_err err = {0};
    struct member m, other;
    int i;

    member_make(&m, NULL);
    member_make(&other, NULL);
    place_token(&f->place, "add", "desk", &t);
    wrong = t;
    wrong.id[0] ^= 1;
    assert_code(SP_AUTH, begin(f, &m, &wrong, NULL, &g, &reply, e));
    wrong = t;
    wrong.secret[0] ^= 1;
    for (i = 0; i < SP_STATE_TOKEN_TRIES - 1; i++)
        assert_code(SP_AUTH, begin(f, &m, &wrong, NULL, &g, &reply, e));
    assert_ok(begin(f, &m, &t, NULL, &g, &reply, e)); /* the right one still works … */
    assert_code(SP_AUTH, begin(f, &m, &wrong, NULL, &g, &reply, e));
    assert_code(SP_AUTH, begin(f, &m, &t, NULL, &g, &reply, e)); /* … not after ten wrong ones */

    /* Expired, also between the two steps. */
    place_token(&f->place, "add", "desk", &t);
    assert_ok(begin(f, &m, &t, NULL, &g, &reply, e));
    atomic_store(&f->place.ahead_ns, DAY_NS + SP_SECOND);
    assert_int_equal(begin(f, &m, &t, NULL, &g, &reply, &err), SP_AUTH);
    assert_non_null(strstr(err.text, "expired"));
    assert_code(SP_AUTH, finish(f, &m, &g, 1, e));
    atomic_store(&f->place.ahead_ns, 0);

    /* A cut after the first step is no lock-out; the second use is. */
    assert_ok(begin(f, &other, &t, NULL, &g, &reply, e));
    assert_ok(begin(f, &m, &t, NULL, &g, &reply, e));
    assert_ok(finish(f, &m, &g, 1, e));
    assert_int_equal(begin(f, &other, &t, NULL, &g, &reply, &err), SP_AUTH);
    assert_non_null(strstr(err.text, "used"));
    member_clear(&m);
    member_clear(&other);
}

/* Two machines begin with one token: the first to end has it. */
static void
test_one_token_twice(void **state)
{
    struct fixture *f = *state;
    struct sp_token t;
    struct sp_enrolling g, h;
    struct sp_msg reply;
    struct member m, other;

    member_make(&m, NULL);
    member_make(&other, NULL);
    place_token(&f->place, "add", "desk", &t);
    assert_ok(begin(f, &m, &t, NULL, &g, &reply, e));
    assert_ok(begin(f, &other, &t, NULL, &h, &reply, e));
    assert_ok(finish(f, &other, &h, 1, e));
    assert_code(SP_AUTH, finish(f, &m, &g, 1, e));
    member_clear(&m);
    member_clear(&other);
}

static void
test_records_are_checked(void **state)
{
    struct fixture *f = *state;
    struct sp_token t;
    struct sp_enrolling g;
    struct sp_msg reply, msg;
    struct sp_buf payload = SP_BUF_INIT;
    struct member m, other;
    uint8_t saved[32];

    member_make(&m, NULL);
    member_make(&other, NULL);
    place_token(&f->place, "add", "desk", &t);
    assert_ok(begin(f, &m, &t, NULL, &g, &reply, e));
    /* Of another host. */
    memcpy(saved, m.host, 16);
    m.host[0] ^= 1;
    assert_code(SP_INVALID, finish(f, &m, &g, 1, e));
    memcpy(m.host, saved, 16);
    /* With another key than was enrolled. */
    memcpy(saved, m.identity, 32);
    m.identity[0] ^= 1;
    assert_code(SP_INVALID, finish(f, &m, &g, 1, e));
    memcpy(m.identity, saved, 32);
    /* A slot of another group. */
    member_end_message(&m, 0, &msg, &payload);
    {
        uint8_t recipient[32] = {9};
        size_t before = payload.len;

        assert_ok(
            sp_slot_seal_recovery(other.keys, recipient, "x", 1, &sp_random_system, &payload, e));
        msg.enroll_end.nslots = 1;
        msg.enroll_end.slot_len[0] = (uint32_t)(payload.len - before);
    }
    assert_code(SP_INVALID, sp_enroll_end(f->en, &g, &msg, payload.data, payload.len, e));
    assert_code(SP_INVALID, sp_enroll_end(f->en, &g, &msg, payload.data, payload.len - 1, e));
    payload.data[3] ^= 0xff;
    assert_code(SP_INVALID, sp_enroll_end(f->en, &g, &msg, payload.data, payload.len, e));
    sp_buf_free(&payload);
    /* None of it used the token up. */
    assert_ok(finish(f, &m, &g, 1, e));
    member_clear(&m);
    member_clear(&other);
}

/* Who knows a group's id does not join it by making a "new" group of that id. */
static void
test_groups_are_closed(void **state)
{
    struct fixture *f = *state;
    struct sp_token t;
    struct sp_enrolling g;
    struct sp_msg reply;
    struct member m, thief;

    enrolled(f, "desk", &m);
    place_token(&f->place, "add", "thief", &t);
    member_make(&thief, &m); /* it even has the keys */
    assert_ok(begin(f, &thief, &t, NULL, &g, &reply, e));
    assert_code(SP_REFUSED, finish(f, &thief, &g, 0, e));
    member_clear(&m);
    member_clear(&thief);
}

static void
invite(struct fixture *f, struct member *m, uint8_t secret[32])
{
    struct sp_buf slot = SP_BUF_INIT;

    assert_ok(sp_random_fill(&sp_random_system, secret, 32, e));
    assert_ok(sp_slot_seal_invitation(
        m->keys, secret, "test", sp_clock_wall(&sp_clock_system), &sp_random_system, &slot, e));
    assert_ok(sp_repository_put_slot(f->r, slot.data, slot.len, e));
    sp_buf_free(&slot);
}

static void
test_invitation(void **state)
{
    struct fixture *f = *state;
    struct sp_token t;
    struct sp_enrolling g, late;
    struct sp_msg reply;
    struct sp_state_host h;
    struct member m, second, third;
    uint8_t secret[32], wrong[32];

    enrolled(f, "desk", &m);
    invite(f, &m, secret);
    place_token(&f->place, "add", "lap", &t);
    member_make(&second, &m);
    memcpy(wrong, secret, 32);
    wrong[0] ^= 1;
    assert_code(SP_AUTH, begin(f, &second, &t, wrong, &g, &reply, e));
    {
        /* The right slot with a wrong proof. */
        struct sp_msg msg;
        uint8_t *payload = NULL;
        size_t n;
        char *csr = NULL;

        member_csr(&second, &csr);
        member_enroll_message(&second, &t, secret, &msg);
        msg.enroll.invitation_proof[5] ^= 1;
        assert_code(SP_AUTH, sp_enroll_begin(f->en, &msg, (const uint8_t *)csr, strlen(csr), &g,
                                 &reply, &payload, &n, e));
        sp_pem_free(csr);
    }
    assert_ok(begin(f, &second, &t, secret, &g, &reply, e));
    assert_true(reply.enroll_reply.has_group);
    assert_true(reply.enroll_reply.slot_len > 0);
    /* Another one begins with the same invitation, before it is used up. */
    {
        struct sp_token other;

        place_token(&f->place, "add", "third", &other);
        member_make(&third, &m);
        assert_ok(begin(f, &third, &other, secret, &late, &reply, e));
    }
    assert_ok(finish(f, &second, &g, 0, e));
    assert_ok(sp_state_host_named(f->s, "lap", &h, e));
    assert_memory_equal(h.group, m.group, 16);
    assert_code(SP_AUTH, finish(f, &third, &late, 0, e));
    /* Used: the slot is gone. */
    place_token(&f->place, "add", "third", &t);
    assert_code(SP_AUTH, begin(f, &third, &t, secret, &g, &reply, e));
    member_clear(&m);
    member_clear(&second);
    member_clear(&third);
}

static enum sp_code
count_invitation(void *arg, const uint8_t *slot, size_t n, struct sp_err *e)
{
    struct sp_slot_info info;

    if (sp_slot_parse(slot, n, &info, e) == SP_OK && info.kind == SP_SLOT_INVITATION)
        ++*(int *)arg;
    return SP_OK;
}

static int
invitations(struct fixture *f, const struct member *m)
{
    int n = 0;

    assert_ok(sp_repository_slots(f->r, m->group, count_invitation, &n, e));
    return n;
}

/* Seven days from when the server saw it first, whatever its own date says. */
static void
test_old_invitation(void **state)
{
    struct fixture *f = *state;
    struct sp_token t;
    struct sp_enrolling g;
    struct sp_msg reply;
    struct member m, second;
    uint8_t secret[32];
    size_t removed = 9;
    int64_t now;

    enrolled(f, "desk", &m);
    invite(f, &m, secret);
    member_make(&second, &m);
    place_token(&f->place, "add", "lap", &t);
    atomic_store(&f->place.ahead_ns, 30 * DAY_NS); /* first seen now */
    place_token(&f->place, "add", "lap", &t);
    assert_ok(begin(f, &second, &t, secret, &g, &reply, e));
    atomic_store(&f->place.ahead_ns, 30 * DAY_NS + SP_INVITATION_NS + SP_SECOND);
    place_token(&f->place, "add", "lap", &t);
    assert_int_equal(invitations(f, &m), 1);
    assert_code(SP_AUTH, begin(f, &second, &t, secret, &g, &reply, e));
    assert_int_equal(invitations(f, &m), 0); /* and it was removed */

    /* The sweep finds those that nobody asks for. */
    invite(f, &m, secret);
    now = sp_clock_wall(&f->place.clock);
    assert_ok(begin(f, &second, &t, secret, &g, &reply, e));
    assert_ok(sp_invitation_sweep(f->r, f->s, now + SP_INVITATION_NS, &removed, e));
    assert_int_equal(removed, 0);
    assert_ok(sp_invitation_sweep(f->r, f->s, now + SP_INVITATION_NS + DAY_NS, &removed, e));
    assert_int_equal(removed, 1);
    assert_int_equal(invitations(f, &m), 0);
    member_clear(&m);
    member_clear(&second);
}

static void
test_replace(void **state)
{
    struct fixture *f = *state;
    struct sp_token t;
    struct sp_enrolling g;
    struct sp_msg reply;
    struct sp_state_host before, after;
    struct member m, fresh, stranger;
    uint8_t secret[32];

    enrolled(f, "desk", &m);
    assert_ok(sp_state_host_named(f->s, "desk", &before, e));
    place_token(&f->place, "replace", "desk", &t);
    /* A machine that has another group's keys cannot take over. */
    member_make(&stranger, NULL);
    {
        struct sp_msg msg;
        uint8_t *payload = NULL;
        size_t n;
        char *csr = NULL;

        member_csr(&stranger, &csr);
        member_enroll_message(&stranger, &t, NULL, &msg);
        assert_ok(sp_enroll_begin(
            f->en, &msg, (const uint8_t *)csr, strlen(csr), &g, &reply, &payload, &n, e));
        /* The slot for the recovery key comes with it. */
        assert_true(reply.enroll_reply.has_group);
        assert_true(reply.enroll_reply.slot_len > 0);
        memcpy(stranger.host, reply.enroll_reply.host, 16);
        (void)snprintf(stranger.name, sizeof(stranger.name), "desk");
        free(payload);
        sp_pem_free(csr);
    }
    assert_code(SP_INVALID, finish(f, &stranger, &g, 0, e));
    /* One with the group's keys can; the old certificate is worth nothing then. */
    invite(f, &m, secret);
    member_make(&fresh, &m);
    assert_ok(begin(f, &fresh, &t, secret, &g, &reply, e));
    assert_memory_equal(fresh.host, m.host, 16);
    assert_ok(finish(f, &fresh, &g, 0, e));
    assert_ok(sp_state_host_named(f->s, "desk", &after, e));
    assert_memory_equal(after.id, before.id, 16);
    assert_memory_equal(after.identity, fresh.identity, 32);
    member_clear(&m);
    member_clear(&fresh);
    member_clear(&stranger);
}

static void
test_renew(void **state)
{
    struct fixture *f = *state;
    struct sp_cert_info first, second;
    struct member m;
    uint8_t *chain = NULL;
    size_t n;
    char *csr = NULL, *text;

    enrolled(f, "desk", &m);
    assert_ok(sp_cert_info(m.tls_chain, &first, e));
    member_csr(&m, &csr);
    atomic_store(&f->place.ahead_ns, 60 * DAY_NS);
    assert_ok(sp_enroll_renew(f->en, m.host, (const uint8_t *)csr, strlen(csr), &chain, &n, e));
    text = strndup((const char *)chain, n);
    assert_non_null(text);
    assert_ok(sp_cert_info(text, &second, e));
    assert_string_equal(first.name, second.name);
    assert_memory_not_equal(first.fingerprint, second.fingerprint, 32);
    assert_true(second.valid.to_ns - first.valid.to_ns > 59 * DAY_NS);
    free(text);
    free(chain);
    csr[strlen(csr) / 2] ^= 1; /* no request at all */
    assert_code(SP_INVALID,
        sp_enroll_renew(f->en, m.host, (const uint8_t *)csr, strlen(csr), &chain, &n, e));
    csr[strlen(csr) / 2] ^= 1;
    assert_ok(sp_state_revoke(f->s, "desk", 1, e));
    assert_code(
        SP_AUTH, sp_enroll_renew(f->en, m.host, (const uint8_t *)csr, strlen(csr), &chain, &n, e));
    sp_pem_free(csr);
    member_clear(&m);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_new_host, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bad_tokens, setup, teardown),
        cmocka_unit_test_setup_teardown(test_one_token_twice, setup, teardown),
        cmocka_unit_test_setup_teardown(test_records_are_checked, setup, teardown),
        cmocka_unit_test_setup_teardown(test_groups_are_closed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_invitation, setup, teardown),
        cmocka_unit_test_setup_teardown(test_old_invitation, setup, teardown),
        cmocka_unit_test_setup_teardown(test_replace, setup, teardown),
        cmocka_unit_test_setup_teardown(test_renew, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
