/* The remote store's certificate: renewed when its time comes, and when it is over. */

#include "fake_server.h"

#include "base/clock.h"
#include "proto/cert.h"

#define DAY (86400 * SP_SECOND)

struct fixture {
    struct fake *f;
    struct sp_store *s;
    unsigned renewed;
    char *key, *chain;
    char notice[1024];
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
    free(x->key);
    free(x->chain);
    free(x);
    return 0;
}

static void
on_renewed(void *arg, const char *tls_key, const char *tls_chain)
{
    struct fixture *x = arg;

    x->renewed++;
    free(x->key);
    free(x->chain);
    x->key = strdup(tls_key);
    x->chain = strdup(tls_chain);
}

static void
on_notice(void *arg, const char *sentence)
{
    struct fixture *x = arg;

    (void)snprintf(x->notice, sizeof(x->notice), "%s", sentence);
}

/* A certificate whose life began and ends so many days from now. */
static enum sp_code
open_with(struct fixture *x, int from_days, int to_days, struct sp_err *e)
{
    int64_t now = sp_clock_wall(&sp_clock_system);
    struct sp_validity v = {now + from_days * DAY, now + to_days * DAY};
    struct sp_remote_options o;

    fake_certify(x->f, v);
    fake_run(x->f);
    o = fake_options(x->f);
    o.renewed = on_renewed;
    o.notice = on_notice;
    o.arg = x;
    return fake_try(x->f, &o, &x->s, e);
}

/* What was handed out is a certificate of this host that works. */
static void
check_renewed(struct fixture *x)
{
    struct sp_cert_info info;
    struct sp_remote_options o = fake_options(x->f);
    struct sp_store *s = NULL;

    assert_int_equal(x->renewed, 1);
    assert_ok(sp_cert_matches(x->chain, x->key, e));
    assert_ok(sp_cert_info(x->chain, &info, e));
    assert_true(info.valid.to_ns > sp_clock_wall(&sp_clock_system) + 300 * DAY);
    o.tls_key = x->key;
    o.tls_chain = x->chain;
    assert_ok(fake_try(x->f, &o, &s, e));
    sp_store_free(s);
    sp_mutex_lock(&x->f->lock);
    assert_memory_equal(x->f->serial, info.serial, sizeof(info.serial));
    sp_mutex_unlock(&x->f->lock);
}

static void
test_not_yet(void **state)
{
    struct fixture *x = *state;

    assert_ok(open_with(x, -60, 40, e));
    assert_ok(sp_store_flush(x->s, e));
    assert_int_equal(x->renewed, 0);
    assert_int_equal(fake_count(x->f, SP_MSG_RENEW), 0);
}

static void
test_two_thirds(void **state)
{
    struct fixture *x = *state;
    struct sp_cert_info info;

    assert_ok(open_with(x, -70, 30, e));
    assert_ok(sp_store_flush(x->s, e));
    sp_mutex_lock(&x->f->lock);
    assert_int_equal(x->f->connections, 1);
    sp_mutex_unlock(&x->f->lock);
    /* The next connection shows the new one. */
    sp_store_remote_cut(x->s);
    assert_ok(sp_store_flush(x->s, e));
    assert_ok(sp_cert_info(x->chain, &info, e));
    sp_mutex_lock(&x->f->lock);
    assert_memory_equal(x->f->serial, info.serial, sizeof(info.serial));
    sp_mutex_unlock(&x->f->lock);
    check_renewed(x);
}

static void
test_expired(void **state)
{
    struct fixture *x = *state;

    assert_ok(open_with(x, -100, -1, e));
    assert_ok(sp_store_flush(x->s, e));
    sp_mutex_lock(&x->f->lock);
    assert_int_equal(x->f->connections, 2);
    sp_mutex_unlock(&x->f->lock);
    check_renewed(x);
}

/* The server does not let it in at all. */
static void
test_expired_and_refused(void **state)
{
    struct fixture *x = *state;
    struct sp_err err = {0};

    x->f->admit_code = SP_AUTH;
    assert_int_equal(open_with(x, -100, -1, &err), SP_AUTH);
    assert_contains(err.text, "expired");
    assert_int_equal(x->renewed, 0);
}

static bool
refuse_renewal(struct fake *f, struct fake_session *s, struct sp_event *ev)
{
    (void)f;
    if (ev->frame.msg.type != SP_MSG_RENEW)
        return false;
    fake_error(s, ev->frame.msg.tag, SP_IO, "the state cannot be written");
    return true;
}

static void
test_refused_in_time(void **state)
{
    struct fixture *x = *state;

    x->f->on = refuse_renewal;
    assert_ok(open_with(x, -70, 30, e));
    assert_ok(sp_store_flush(x->s, e)); /* only told */
    assert_int_equal(x->renewed, 0);
    assert_contains(x->notice, "could not be renewed: the state cannot be written");
}

static void
test_refused_too_late(void **state)
{
    struct fixture *x = *state;
    struct sp_err err = {0};

    x->f->on = refuse_renewal;
    assert_int_equal(open_with(x, -100, -1, &err), SP_IO);
    assert_contains(err.text, "expired and could not be renewed: the state cannot be written");
    assert_int_equal(x->renewed, 0);
}

/* A certificate for another key, or none at all, is not taken. */
static bool
answer_renewal_wrong(struct fake *f, struct fake_session *s, struct sp_event *ev)
{
    struct sp_msg m = {.type = SP_MSG_RENEW_REPLY, .tag = ev->frame.msg.tag};
    const char *answer = f->on_arg;

    if (ev->frame.msg.type != SP_MSG_RENEW)
        return false;
    if (answer == NULL)
        answer = f->host_chain;
    fake_reply(s, &m, answer, strlen(answer));
    return true;
}

static void
test_wrong_answers(void **state)
{
    struct fixture *x = *state;

    x->f->on = answer_renewal_wrong;
    assert_ok(open_with(x, -70, 30, e));
    assert_int_equal(x->renewed, 0);
    assert_contains(x->notice, "could not be renewed");
    assert_ok(sp_store_flush(x->s, e));
}

static void
test_no_certificate(void **state)
{
    struct fixture *x = *state;
    char rubbish[] = "rubbish";

    x->f->on = answer_renewal_wrong;
    x->f->on_arg = rubbish;
    assert_ok(open_with(x, -70, 30, e));
    assert_int_equal(x->renewed, 0);
    assert_contains(x->notice, "could not be renewed");
    assert_ok(sp_store_flush(x->s, e));
}

/* A server that renews and still says that the certificate expired is not asked again and again. */
static void
test_never_content(void **state)
{
    struct fixture *x = *state;
    struct sp_err err = {0};

    x->f->hello.server_hello.renew_only = true;
    assert_int_equal(open_with(x, -1, 100, &err), SP_AUTH);
    assert_contains(err.text, "does not take the new one");
    assert_int_equal(fake_count(x->f, SP_MSG_RENEW), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_not_yet),
        TEST(test_two_thirds),
        TEST(test_expired),
        TEST(test_expired_and_refused),
        TEST(test_refused_in_time),
        TEST(test_refused_too_late),
        TEST(test_wrong_answers),
        TEST(test_no_certificate),
        TEST(test_never_content),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
