/* A connection that ends while it is opened is a server out of reach, wherever it ends; a signature
 * that came and is wrong is a refusal, and nothing else is called so. */

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>

#include "tests/unit/ssh/link.h"
#include "tests/unit/ssh/relay.h"

/* libssh2 forgets the server's public key, half a kilobyte, when a key exchange fails behind it. */
const char *__lsan_default_suppressions(void);
const char *__asan_default_options(void);

const char *
__lsan_default_suppressions(void)
{
    return "leak:_libssh2_ed25519_new_public\n";
}

/* To know whose it is: OpenSSL, which it came from, has no frame pointers. */
const char *
__asan_default_options(void)
{
    return "fast_unwind_on_malloc=0";
}

static char world[64];
static struct sshd server;
static struct relay relay;
static size_t whole;      /* what the server sends until the link is there */
static size_t first;      /* where its first packet begins */
static size_t reply, key; /* where its reply begins, the packet with its key and its signature */

static uint32_t
load_be32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void
store_be32(uint8_t *p, uint32_t x)
{
    for (unsigned i = 0; i < 4; i++)
        p[i] = (uint8_t)(x >> (24 - 8 * i));
}

/* Newer servers let whoever hangs up often wait; older ones do not know the word. */
static const char *
no_penalties(void)
{
    static char command[300];

    (void)snprintf(command, sizeof(command),
        "/usr/sbin/sshd -t -f /dev/null -h %s -o 'PerSourcePenalties no' 2>/dev/null",
        sshd_path(world, "host_ed25519"));
    return system(command) == 0 ? "PerSourcePenalties no" : "";
}

static enum sp_code
open_through(size_t cut_at, size_t flip_at, struct judge *j)
{
    const char *key_file[] = {sshd_path(world, "key_ed25519")};
    struct sp_ssh_options o = options(relay.port, key_file, j);
    struct sp_sftp_link *link = NULL;
    enum sp_code rc;

    relay.plan->cut_at = cut_at;
    relay.plan->flip_at = flip_at;
    o.connect_ms = 3000;
    memset(&err, 0, sizeof(err));
    if ((rc = sp_ssh_open(&sp_env_system, &o, &link, &err)) == SP_OK)
        link->ops->free(link);
    return rc;
}

static int
begin(void **state)
{
    const uint8_t *seen;
    struct judge j = {0};

    (void)state;
    sshd_world(world);
    sshd_start(&server, world, "ed25519", no_penalties());
    relay_start(&relay, server.port);
    ok(open_through(RELAY_ALL, RELAY_ALL, &j));
    whole = relay.plan->got;
    seen = relay.plan->seen;
    first = (size_t)((const uint8_t *)memchr(seen, '\n', 255) - seen) + 1;
    assert_int_equal(seen[first + 5], 20); /* KEXINIT */
    reply = first + 4 + load_be32(seen + first);
    assert_int_equal(seen[reply + 5], 31); /* the reply of a key exchange over a curve */
    key = reply + 6;
    return 0;
}

static int
finish(void **state)
{
    (void)state;
    relay_end(&relay);
    sshd_end(&server);
    sshd_world_end(world);
    return 0;
}

/* Behind a string of SSH. */
static size_t
behind(size_t at)
{
    return at + 4 + load_be32(relay.plan->seen + at);
}

static void
test_cut_anywhere(void **state)
{
    size_t step = getenv("STILLPOINT_LONG") != NULL ? 1 : 31, cuts = 0;

    (void)state;
    assert_true(whole > reply + 600);
    for (size_t n = 0; n < whole; n += step, cuts++) {
        struct judge j = {0};
        enum sp_code rc;

        relay.plan->reset = cuts % 2 == 1;
        rc = open_through(n, RELAY_ALL, &j);
        /* At the very end what is missing may be what nobody waits for. */
        if (rc != SP_UNREACHABLE && !(rc == SP_OK && n + 64 > whole))
            fail_msg("after %zu of %zu bytes: %d: %s", n, whole, (int)rc, err.text);
        assert_null(strstr(err.text, "prove"));
        assert_null(strstr(err.text, "refused"));
        if (n < behind(behind(behind(key))))
            assert_int_equal(j.asked, 0);
    }
    relay.plan->reset = 0;
    print_message("%zu cuts within %zu bytes\n", cuts, whole);
}

/* Each string of the reply: the key, the server's half, the signature. */
static void
test_wrong_signature(void **state)
{
    size_t half = behind(key), signature = behind(half), end = behind(signature);
    const size_t places[] = {half - 1, signature - 1, end - 1, end - 40};

    (void)state;
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        struct judge j = {0};

        gives(SP_REFUSED, open_through(RELAY_ALL, places[i], &j));
        has(err.text, "did not prove that it holds the key");
        assert_int_equal(j.asked, 0);
    }
}

/* It falls over before there is a key, and after the signature was found right. */
static void
test_not_the_signature(void **state)
{
    const size_t newkeys = reply + 4 + load_be32(relay.plan->seen + reply);
    const size_t places[] = {key, newkeys};

    (void)state;
    assert_int_equal(relay.plan->seen[newkeys + 5], 21);
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        struct judge j = {0};

        gives(SP_PROTOCOL, open_through(RELAY_ALL, places[i], &j));
        assert_null(strstr(err.text, "prove"));
        assert_int_equal(j.asked, 0);
    }
}

/* A server that says goodbye and leaves the connection open. In the place of its reply libssh2 does
 * not read it: a strict key exchange takes nothing but the reply there. */
static void
test_goodbye(void **state)
{
    static const char *const reasons[] = {"the house is full", ""};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        size_t said = strlen(reasons[i]), payload = 1 + 4 + 4 + said + 4,
               padding = 16 - (5 + payload) % 8;
        struct judge j = {0};
        uint8_t *p = relay.plan->tail;

        memset(p, 0, sizeof(relay.plan->tail));
        store_be32(p, (uint32_t)(1 + payload + padding));
        p[4] = (uint8_t)padding;
        p[5] = 1; /* DISCONNECT */
        store_be32(p + 6, 12);
        store_be32(p + 10, (uint32_t)said);
        memcpy(p + 14, reasons[i], said);
        relay.plan->tail_len = 4 + 1 + payload + padding;
        gives(SP_UNREACHABLE, open_through(first, RELAY_ALL, &j));
        has(err.text, said > 0 ? reasons[i] : "without a reason");
        gives(SP_PROTOCOL, open_through(reply, RELAY_ALL, &j));
        assert_null(strstr(err.text, "prove"));
    }
    relay.plan->tail_len = 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wrong_signature),
        cmocka_unit_test(test_not_the_signature),
        cmocka_unit_test(test_goodbye),
        cmocka_unit_test(test_cut_anywhere),
    };

    (void)signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, begin, finish);
}
