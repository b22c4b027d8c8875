/* The state: hosts, certificates, tokens, invitations, runs, and two processes on one database. */

#include "support.h"

struct fixture {
    struct place place;
    char path[400];
    struct sp_state *s;
};

static int
setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    place_make(&f->place);
    (void)snprintf(f->path, sizeof(f->path), "%s/state.db", f->place.dir);
    assert_ok(sp_state_open(f->path, true, &f->s, e));
    *state = f;
    return 0;
}

static int
teardown(void **state)
{
    struct fixture *f = *state;

    sp_state_close(f->s);
    place_remove(&f->place);
    free(f);
    return 0;
}

static struct sp_state_token
token_of(uint8_t id, const char *name)
{
    struct sp_state_token t;

    memset(&t, 0, sizeof(t));
    memset(t.id, id, sizeof(t.id));
    memset(t.secret_hash, id + 1, sizeof(t.secret_hash));
    (void)snprintf(t.name, sizeof(t.name), "%s", name);
    t.created_ns = 1000;
    t.expires_ns = 2000;
    return t;
}

/* An enrolment of a host whose ids are made of one byte, with a token made for it. */
static struct sp_state_enrolment
enrolment_of(struct sp_state *s, uint8_t id, const char *name)
{
    struct sp_state_token t = token_of(id, name);
    struct sp_state_enrolment n;

    assert_ok(sp_state_token_add(s, &t, e));
    memset(&n, 0, sizeof(n));
    memcpy(n.token, t.id, sizeof(n.token));
    memset(n.host, id, sizeof(n.host));
    memset(n.group, id + 1, sizeof(n.group));
    memset(n.identity, id + 2, sizeof(n.identity));
    n.name = name;
    memset(n.certificate.fingerprint, id, sizeof(n.certificate.fingerprint));
    memset(n.certificate.serial, id, sizeof(n.certificate.serial));
    n.certificate.valid.from_ns = 900;
    n.certificate.valid.to_ns = 5000;
    return n;
}

static void
test_names(void **state)
{
    static const char *const good[] = {"a", "desk", "web-1.example.org", "A_b", "0"};
    static const char *const bad[] = {"", ".", "-x", "_x", "a b", "a/b", "a\n", "\xc3\xa9",
        "1234567890123456789012345678901234567890123456789012345678901234"};
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        assert_ok(sp_state_check_name(good[i], e));
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_code(SP_INVALID, sp_state_check_name(bad[i], e));
}

static void
test_opening(void **state)
{
    struct fixture *f = *state;
    struct sp_state *other = NULL;
    char path[500];

    (void)snprintf(path, sizeof(path), "%s/none.db", f->place.dir);
    assert_code(SP_ABSENT, sp_state_open(path, false, &other, e));
    assert_ok(sp_os_write_file(&sp_os_system, path, "this is no database at all", 26, e));
    assert_code(SP_CORRUPT, sp_state_open(path, false, &other, e));
    /* A second one on the same file, as another process. */
    assert_ok(sp_state_open(f->path, false, &other, e));
    sp_state_close(other);
}

static void
test_tokens(void **state)
{
    struct fixture *f = *state;
    struct sp_state_token t = token_of(7, "desk"), got;

    assert_code(SP_ABSENT, sp_state_token(f->s, t.id, &got, e));
    assert_ok(sp_state_token_add(f->s, &t, e));
    assert_ok(sp_state_token(f->s, t.id, &got, e));
    assert_memory_equal(got.secret_hash, t.secret_hash, 32);
    assert_string_equal(got.name, "desk");
    assert_false(got.replaces);
    assert_false(got.is_void);
    assert_int_equal(got.expires_ns, 2000);
    assert_int_equal(got.used_ns, 0);
    assert_ok(sp_state_token_failed(f->s, t.id, e));
    assert_ok(sp_state_token(f->s, t.id, &got, e));
    assert_int_equal(got.failures, 1);
    /* A newer token of the same name makes the older void. */
    t = token_of(8, "desk");
    t.replaces = true;
    memset(t.host, 9, sizeof(t.host));
    assert_ok(sp_state_token_add(f->s, &t, e));
    assert_ok(sp_state_token(f->s, t.id, &got, e));
    assert_true(got.replaces);
    assert_memory_equal(got.host, t.host, 16);
    t = token_of(7, "desk");
    assert_ok(sp_state_token(f->s, t.id, &got, e));
    assert_true(got.is_void);
}

static enum sp_code
count_token(void *arg, const struct sp_state_token *t, struct sp_err *e)
{
    (void)t;
    (void)e;
    ++*(unsigned *)arg;
    return SP_OK;
}

static unsigned
usable(struct sp_state *s, int64_t now_ns)
{
    unsigned n = 0;

    assert_ok(sp_state_tokens(s, now_ns, count_token, &n, e));
    return n;
}

static void
test_usable_tokens(void **state)
{
    struct fixture *f = *state;
    struct sp_state_token t = token_of(1, "a");
    int i;

    assert_ok(sp_state_token_add(f->s, &t, e));
    assert_int_equal(usable(f->s, 1999), 1);
    assert_int_equal(usable(f->s, 2000), 0);
    for (i = 0; i < SP_STATE_TOKEN_TRIES; i++) {
        assert_int_equal(usable(f->s, 1999), 1);
        assert_ok(sp_state_token_failed(f->s, t.id, e));
    }
    assert_int_equal(usable(f->s, 1999), 0);
}

static void
test_enrol(void **state)
{
    struct fixture *f = *state;
    struct sp_state_enrolment n = enrolment_of(f->s, 1, "desk");
    struct sp_state_host h;

    assert_code(SP_AUTH, sp_state_host_active(f->s, n.host, e));
    assert_ok(sp_state_enrol(f->s, &n, 1500, e));
    assert_ok(sp_state_host_named(f->s, "desk", &h, e));
    assert_memory_equal(h.id, n.host, 16);
    assert_memory_equal(h.group, n.group, 16);
    assert_memory_equal(h.identity, n.identity, 32);
    assert_int_equal(h.enrolled_ns, 1500);
    assert_int_equal(h.certificate_to_ns, 5000);
    assert_int_equal(h.revoked_ns, 0);
    assert_ok(sp_state_host_active(f->s, n.host, e));
    assert_int_equal(usable(f->s, 1500), 0);
    /* The token is used up, whoever comes with it. */
    memset(n.host, 99, sizeof(n.host));
    memset(n.certificate.fingerprint, 99, 32);
    n.name = "other";
    assert_code(SP_AUTH, sp_state_enrol(f->s, &n, 1501, e));
    assert_code(SP_ABSENT, sp_state_host_named(f->s, "other", &h, e));
}

/* What fails half-way leaves nothing: the token stays usable. */
static void
test_enrol_is_whole(void **state)
{
    struct fixture *f = *state;
    struct sp_state_enrolment n = enrolment_of(f->s, 1, "desk"), again;
    struct sp_state_token t;

    assert_ok(sp_state_enrol(f->s, &n, 1500, e));
    again = enrolment_of(f->s, 2, "desk");
    assert_code(SP_EXISTS, sp_state_enrol(f->s, &again, 1501, e));
    assert_ok(sp_state_token(f->s, again.token, &t, e));
    assert_int_equal(t.used_ns, 0);
    again.name = "desk2";
    again.has_invitation =
        true; /* of which the state knows nothing: it was used by somebody else */
    assert_code(SP_AUTH, sp_state_enrol(f->s, &again, 1501, e));
    assert_ok(sp_state_token(f->s, again.token, &t, e));
    assert_int_equal(t.used_ns, 0);
}

struct certificates {
    struct sp_state_certificate v[32];
    size_t n;
};

static enum sp_code
take_certificate(void *arg, const struct sp_state_certificate *c, struct sp_err *e)
{
    struct certificates *l = arg;

    (void)e;
    assert_true(l->n < 32);
    l->v[l->n++] = *c;
    return SP_OK;
}

static void
test_revoke_and_replace(void **state)
{
    struct fixture *f = *state;
    struct sp_state_enrolment n = enrolment_of(f->s, 1, "desk");
    struct sp_state_token t;
    struct certificates l = {.n = 0};
    struct sp_state_host h;

    assert_code(SP_ABSENT, sp_state_revoke(f->s, "nobody", 1, e));
    assert_ok(sp_state_enrol(f->s, &n, 1500, e));
    assert_ok(sp_state_revoke(f->s, "desk", 1600, e));
    assert_code(SP_EXISTS, sp_state_revoke(f->s, "desk", 1601, e));
    assert_code(SP_AUTH, sp_state_host_active(f->s, n.host, e));
    assert_ok(sp_state_certificates(f->s, take_certificate, &l, e));
    assert_int_equal(l.n, 1);
    assert_true(l.v[0].revoked);

    /* Another machine takes over: the host is let in, the old certificate is not. */
    t = token_of(5, "desk");
    t.replaces = true;
    memcpy(t.host, n.host, 16);
    assert_ok(sp_state_token_add(f->s, &t, e));
    n.replaces = true;
    memcpy(n.token, t.id, sizeof(n.token));
    memset(n.identity, 77, 32);
    memset(n.certificate.fingerprint, 0, 32);
    memset(n.group, 55, 16);
    assert_code(SP_ABSENT, sp_state_enrol(f->s, &n, 1700, e)); /* not with another key group */
    memset(n.group, 2, 16);
    assert_ok(sp_state_enrol(f->s, &n, 1700, e));
    assert_ok(sp_state_host(f->s, n.host, &h, e));
    assert_int_equal(h.revoked_ns, 0);
    assert_int_equal(h.identity[0], 77);
    l.n = 0;
    assert_ok(sp_state_certificates(f->s, take_certificate, &l, e));
    assert_int_equal(l.n, 2);
    assert_int_equal(l.v[0].fingerprint[0], 0); /* in their order */
    assert_false(l.v[0].revoked);
    assert_string_equal(l.v[0].name, "desk");
    assert_true(l.v[1].revoked);
}

/* A name that has only a token is revoked by making the token void. */
static void
test_revoke_awaited(void **state)
{
    struct fixture *f = *state;
    struct sp_state_token t = token_of(1, "desk");

    assert_ok(sp_state_token_add(f->s, &t, e));
    assert_ok(sp_state_revoke(f->s, "desk", 1600, e));
    assert_int_equal(usable(f->s, 1700), 0);
    assert_code(SP_ABSENT, sp_state_revoke(f->s, "desk", 1600, e));
}

static void
test_certificates_are_bounded(void **state)
{
    struct fixture *f = *state;
    struct sp_state_enrolment n = enrolment_of(f->s, 1, "desk");
    struct sp_cert_info c = {.name = ""};
    struct certificates l = {.n = 0};
    int i;

    assert_ok(sp_state_enrol(f->s, &n, 1500, e));
    for (i = 0; i < 40; i++) {
        c.fingerprint[0] = (uint8_t)(100 + i);
        c.valid.to_ns = 6000 + i;
        assert_ok(sp_state_certificate_add(f->s, n.host, &c, 1600 + i, e));
    }
    assert_ok(sp_state_certificates(f->s, take_certificate, &l, e));
    assert_int_equal(l.n, 16);
    assert_int_equal(l.v[0].fingerprint[0], 100 + 24);
    assert_int_equal(l.v[15].fingerprint[0], 139);
}

static void
test_invitations(void **state)
{
    struct fixture *f = *state;
    struct sp_state_invitation old[4];
    uint8_t slot[16] = {1}, group[16] = {2};
    int64_t seen;
    size_t n = 9;

    assert_ok(sp_state_invitation(f->s, slot, group, 1000, &seen, e));
    assert_int_equal(seen, 1000);
    assert_ok(sp_state_invitation(f->s, slot, group, 2000, &seen, e));
    assert_int_equal(seen, 1000); /* the first time counts */
    assert_ok(sp_state_invitations_before(f->s, 1000, old, 4, &n, e));
    assert_int_equal(n, 0);
    assert_ok(sp_state_invitations_before(f->s, 1001, old, 4, &n, e));
    assert_int_equal(n, 1);
    assert_memory_equal(old[0].slot, slot, 16);
    assert_memory_equal(old[0].group, group, 16);
    assert_ok(sp_state_invitation_remove(f->s, slot, e));
    assert_ok(sp_state_invitations_before(f->s, 5000, old, 4, &n, e));
    assert_int_equal(n, 0);
}

static enum sp_code
take_run(void *arg, const struct sp_state_run *r, struct sp_err *e)
{
    struct sp_state_run **to = arg;

    (void)e;
    *(*to)++ = *r;
    return SP_OK;
}

static void
test_log(void **state)
{
    struct fixture *f = *state;
    struct sp_state_enrolment n = enrolment_of(f->s, 1, "desk");
    struct sp_state_run r = {.job = "files", .sequence = 1, .published_ns = 100}, got[4], *to = got;
    struct sp_state_host h;
    int64_t id = 0;

    assert_ok(sp_state_enrol(f->s, &n, 1500, e));
    assert_ok(sp_state_session_begin(f->s, n.host, "127.0.0.1:1", "test 1", 1600, &id, e));
    assert_true(id > 0);
    assert_ok(sp_state_session_end(f->s, id, "ended", 10, UINT64_MAX, 1700, e));
    assert_ok(sp_state_sessions_lost(f->s, 1800, e));
    assert_ok(sp_state_host_used(f->s, n.host, 50, 1600, e));
    assert_ok(sp_state_host_used(f->s, n.host, 7, 0, e));
    memcpy(r.host, n.host, 16);
    assert_ok(sp_state_run_add(f->s, &r, e));
    assert_ok(sp_state_run_add(f->s, &r, e)); /* the same set is one run */
    r.set_id[0] = 1;
    r.sequence = 2;
    r.published_ns = 200;
    r.complete = true;
    assert_ok(sp_state_run_add(f->s, &r, e));
    assert_ok(sp_state_runs(f->s, 4, take_run, &to, e));
    assert_int_equal(to - got, 2);
    assert_int_equal(got[0].sequence, 2);
    assert_true(got[0].complete);
    assert_string_equal(got[0].host_name, "desk");
    assert_string_equal(got[1].job, "files");
    assert_ok(sp_state_host(f->s, n.host, &h, e));
    assert_int_equal(h.bytes, 57);
    assert_int_equal(h.seen_ns, 1600);
    assert_int_equal(h.run_ns, 200);
    assert_ok(sp_state_event(f->s, NULL, "test", "text", 1, e));
    assert_ok(sp_state_event(f->s, n.host, "test", "text", 1, e));
    assert_ok(sp_state_trim(f->s, 10000, e));
}

static void
test_beat(void **state)
{
    struct fixture *f = *state;
    struct sp_state_beat b = {.started_ns = 1,
                             .beat_ns = 2,
                             .address = "::1",
                             .port = 7878,
                             .sessions = 3,
                             .free_bytes = 4,
                             .total_bytes = 5,
                             .trouble = "none"},
                         got;

    assert_code(SP_ABSENT, sp_state_beat_read(f->s, &got, e));
    assert_ok(sp_state_beat_write(f->s, &b, e));
    b.sessions = 30;
    assert_ok(sp_state_beat_write(f->s, &b, e));
    memset(&got, 0, sizeof(got));
    assert_ok(sp_state_beat_read(f->s, &got, e));
    assert_string_equal(got.address, "::1");
    assert_string_equal(got.trouble, "none");
    assert_int_equal(got.port, 7878);
    assert_int_equal(got.sessions, 30);
    assert_int_equal(got.total_bytes, 5);
}

/* The running server sees what a command changed. */
static void
test_two_processes(void **state)
{
    struct fixture *f = *state;
    struct sp_state *command = NULL;
    struct sp_state_enrolment n = enrolment_of(f->s, 1, "desk");
    int64_t before, same, after;

    assert_ok(sp_state_enrol(f->s, &n, 1500, e));
    assert_ok(sp_state_open(f->path, false, &command, e));
    assert_ok(sp_state_version(f->s, &before, e));
    assert_ok(sp_state_version(f->s, &same, e));
    assert_int_equal(before, same);
    assert_ok(sp_state_revoke(command, "desk", 1600, e));
    assert_ok(sp_state_version(f->s, &after, e));
    assert_int_not_equal(before, after);
    assert_code(SP_AUTH, sp_state_host_active(f->s, n.host, e));
    sp_state_close(command);
}

static void
test_lock(void **state)
{
    struct fixture *f = *state;
    struct sp_state_lock *l = NULL, *other = NULL;
    char path[500];

    (void)snprintf(path, sizeof(path), "%s/run.lock", f->place.dir);
    assert_ok(sp_state_lock(path, &l, e));
    assert_code(SP_BUSY, sp_state_lock(path, &other, e));
    sp_state_unlock(l);
    assert_ok(sp_state_lock(path, &l, e));
    sp_state_unlock(l);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test_setup_teardown(test_opening, setup, teardown),
        cmocka_unit_test_setup_teardown(test_tokens, setup, teardown),
        cmocka_unit_test_setup_teardown(test_usable_tokens, setup, teardown),
        cmocka_unit_test_setup_teardown(test_enrol, setup, teardown),
        cmocka_unit_test_setup_teardown(test_enrol_is_whole, setup, teardown),
        cmocka_unit_test_setup_teardown(test_revoke_and_replace, setup, teardown),
        cmocka_unit_test_setup_teardown(test_revoke_awaited, setup, teardown),
        cmocka_unit_test_setup_teardown(test_certificates_are_bounded, setup, teardown),
        cmocka_unit_test_setup_teardown(test_invitations, setup, teardown),
        cmocka_unit_test_setup_teardown(test_log, setup, teardown),
        cmocka_unit_test_setup_teardown(test_beat, setup, teardown),
        cmocka_unit_test_setup_teardown(test_two_processes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_lock, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
