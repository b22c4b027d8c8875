#include "support.h"

#include "base/text.h"
#include "proto/token.h"

static struct sp_token
sample(bool recovery)
{
    struct sp_token t;

    memset(&t, 0, sizeof(t));
    strcpy(t.address, "backup.example.org:7878");
    for (unsigned i = 0; i < 32; i++)
        t.authority[i] = (uint8_t)i;
    memset(t.id, 0xaa, sizeof(t.id));
    memset(t.secret, 0x55, 16);
    t.secret_len = 16;
    t.has_recovery = recovery;
    if (recovery)
        memset(t.recovery, 0x77, sizeof(t.recovery));
    return t;
}

static void
round_trip(void **state)
{
    (void)state;
    for (int recovery = 0; recovery < 2; recovery++) {
        struct sp_token t = sample(recovery == 1), back;
        struct sp_buf b = SP_BUF_INIT, spaced = SP_BUF_INIT;
        const char *text;

        assert_ok(sp_token_print(&t, &b, e));
        text = sp_buf_str(&b);
        assert_memory_equal(text, "sp1.", 4);
        assert_null(strpbrk(text, " \n"));
        memset(&back, 0xee, sizeof(back));
        assert_ok(sp_token_parse(text, &back, e));
        assert_memory_equal(&t, &back, sizeof(t));
        /* As mail and terminals break it, and typed in small letters. */
        sp_buf_put_str(&spaced, "  ");
        for (size_t i = 0; text[i] != '\0'; i++) {
            sp_buf_put_u8(
                &spaced, (uint8_t)(text[i] >= 'A' && text[i] <= 'Z' ? text[i] + 32 : text[i]));
            if (i % 40 == 39)
                sp_buf_put_str(&spaced, "\r\n ");
        }
        sp_buf_put_str(&spaced, "\n");
        assert_ok(sp_token_parse(sp_buf_str(&spaced), &back, e));
        assert_memory_equal(&t, &back, sizeof(t));
        sp_buf_free(&b);
        sp_buf_free(&spaced);
    }
}

/* The line of docs/protocol.md §8. */
static void
known_token(void **state)
{
    struct sp_token t;
    struct sp_buf b = SP_BUF_INIT;

    (void)state;
    memset(&t, 0, sizeof(t));
    strcpy(t.address, "a:1");
    t.secret_len = 16;
    assert_ok(sp_token_print(&t, &b, e));
    assert_string_equal(sp_buf_str(&b),
        "sp1.001P2-EHH00-00000-00000-00000-00000-00000-00000-00000-00000-00000-00000-00000-00000-"
        "00200-00000-00000-00000-00000-00000-07");
    sp_buf_free(&b);
}

static void
mistakes_are_told_apart(void **state)
{
    struct sp_token t = sample(true), back;
    struct sp_buf b = SP_BUF_INIT;
    struct sp_err e = {0};
    char *text;

    (void)state;
    assert_int_equal(sp_token_print(&t, &b, &e), SP_OK);
    text = strdup(sp_buf_str(&b));
    assert_int_equal(sp_token_parse("stillpoint://host", &back, &e), SP_INVALID);
    assert_contains(e.text, "begins with sp1.");
    assert_int_equal(sp_token_parse("sp2.ABCDE", &back, &e), SP_UNSUPPORTED);
    assert_contains(e.text, "newer server");
    assert_int_equal(sp_token_parse("", &back, &e), SP_INVALID);
    assert_int_equal(sp_token_parse("sp1.", &back, &e), SP_INVALID);
    text[30] = text[30] == 'A' ? 'B' : 'A';
    assert_int_equal(sp_token_parse(text, &back, &e), SP_INVALID);
    assert_contains(e.text, "mistyped or cut");
    assert_null(strstr(e.text, "character"));
    for (size_t n = 4; n < b.len; n++) { /* cut anywhere */
        memcpy(text, b.data, n);
        text[n] = '\0';
        assert_int_equal(sp_token_parse(text, &back, &e), SP_INVALID);
    }
    free(text);
    text = malloc(5000);
    memset(text, 'A', 4999);
    memcpy(text, "sp1.", 4);
    text[4999] = '\0';
    assert_int_equal(sp_token_parse(text, &back, &e), SP_INVALID);
    free(text);
    sp_buf_free(&b);
}

/* Right checksum, wrong inside. */
static void
assert_inside(enum sp_code want, const void *p, size_t n)
{
    struct sp_buf b = SP_BUF_INIT;
    struct sp_token back;

    sp_buf_put_str(&b, "sp1.");
    sp_base32_put(&b, p, n);
    assert_code(want, sp_token_parse(sp_buf_str(&b), &back, e));
    sp_buf_free(&b);
}

static void
contents_are_checked(void **state)
{
    uint8_t p[200] = {0};
    struct sp_token t = sample(false);
    struct sp_buf b = SP_BUF_INIT;

    (void)state;
    assert_inside(SP_INVALID, p, 1);
    p[1] = 3;
    memcpy(p + 2, "a:1", 3);
    p[45] = 16; /* 2 + 3 + 32 + 8 */
    assert_inside(SP_INVALID, p, 46 + 15);
    assert_inside(SP_INVALID, p, 46 + 17);
    p[0] = 2;
    assert_inside(SP_UNSUPPORTED, p, 46 + 16);
    p[0] = 0;
    p[45] = 15;
    assert_inside(SP_INVALID, p, 46 + 15);
    p[45] = 65;
    assert_inside(SP_INVALID, p, 46 + 65);
    p[45] = 16;
    p[3] = 0; /* a NUL in the address */
    assert_inside(SP_INVALID, p, 46 + 16);
    p[3] = ' ';
    assert_inside(SP_INVALID, p, 46 + 16);

    t.secret_len = 15;
    assert_code(SP_INVALID, sp_token_print(&t, &b, e));
    t = sample(false);
    strcpy(t.address, "no address");
    assert_code(SP_INVALID, sp_token_print(&t, &b, e));
    assert_int_equal(b.len, 0);
    sp_buf_free(&b);
}

static void
addresses(void **state)
{
    static const struct {
        const char *text, *host;
        uint16_t port;
    } good[] = {
        {"nas", "nas", SP_PORT_DEFAULT},
        {"nas:1", "nas", 1},
        {"192.0.2.1:65535", "192.0.2.1", 65535},
        {"[::1]", "::1", SP_PORT_DEFAULT},
        {"[fe80::1%eth0]:99", "fe80::1%eth0", 99},
        {"2001:db8::1", "2001:db8::1", SP_PORT_DEFAULT},
    };
    static const char *const bad[] = {"", ":1", "nas:", "nas:0", "nas:65536", "nas:x", "[::1",
        "[::1]x", "[]:1", "a b", "a/b", "nas:99999999999999999999"};
    char host[256];
    uint16_t port;

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_ok(sp_address_parse(good[i].text, host, &port, e));
        assert_string_equal(host, good[i].host);
        assert_int_equal(port, good[i].port);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_code(SP_INVALID, sp_address_parse(bad[i], host, &port, e));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trip),
        cmocka_unit_test(known_token),
        cmocka_unit_test(mistakes_are_told_apart),
        cmocka_unit_test(contents_are_checked),
        cmocka_unit_test(addresses),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
