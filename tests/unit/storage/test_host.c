/* Host records and recovery sheets (storage/keys.h). The record's vector was computed from
 * docs/format.md alone with python3-cryptography. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/wire.h"
#include "storage/keys.h"
#include "vector.h"

static struct sp_err e;

static const char record[] =
    "0801121005060708090a0b0c0d0e0f10111213141a0462c3b6782210dd46e3f67b5028e8e34c131c"
    "de5a59092a20000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f2a20"
    "202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f7a202dbbd27c4f1b"
    "bd274667e19da9faae33fdaafc4d3fc18a2d0fa5778869216bf2";

static struct sp_keys *
vector_keys(void)
{
    uint8_t secrets[107];
    struct sp_keys *k = NULL;

    unhex(vector_secrets, secrets);
    assert_ok(sp_keys_decode(secrets, sizeof(secrets), &k, &e));
    return k;
}

static struct sp_host
vector_host(const struct sp_keys *k)
{
    struct sp_host h = {.name = "b\xc3\xb6x", .nkeys = 2};

    memcpy(h.group, sp_keys_group(k), 16);
    for (uint8_t i = 0; i < 16; i++)
        h.id[i] = (uint8_t)(5 + i);
    for (uint8_t i = 0; i < 32; i++) {
        h.keys[0][i] = i;
        h.keys[1][i] = (uint8_t)(32 + i);
    }
    return h;
}

static void
known_host(void **state)
{
    (void)state;
    struct sp_keys *k = vector_keys();
    struct sp_host h = vector_host(k), back;
    struct sp_buf b = SP_BUF_INIT;

    sp_buf_put_str(&b, "x");
    assert_ok(sp_host_encode(&h, k, &b, &e));
    assert_int_equal(b.len, 1 + strlen(record) / 2);
    assert_hex(b.data + 1,
        "0801121005060708090a0b0c0d0e0f10111213141a0462c3b6782210dd46e3f67b5028e8e34c13"
        "1cde5a59092a20000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
        "2a20202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f7a202dbbd2"
        "7c4f1bbd274667e19da9faae33fdaafc4d3fc18a2d0fa5778869216bf2");
    for (int with = 0; with < 2; with++) {
        assert_ok(sp_host_decode(b.data + 1, b.len - 1, with ? k : NULL, &back, &e));
        assert_string_equal(back.name, h.name);
        assert_memory_equal(back.id, h.id, 16);
        assert_memory_equal(back.group, h.group, 16);
        assert_int_equal(back.nkeys, 2);
        assert_memory_equal(back.keys, h.keys, 64);
    }
    sp_buf_free(&b);
    sp_keys_free(k);
}

static void
altered_host(void **state)
{
    (void)state;
    struct sp_keys *k = vector_keys(), *other = NULL;
    uint8_t p[512];
    size_t n = strlen(record) / 2;
    struct sp_host h = {.nkeys = 99};

    unhex(record, p);
    for (size_t bit = 0; bit < 8 * n; bit++) {
        p[bit / 8] ^= (uint8_t)(1u << bit % 8);
        enum sp_code rc = sp_host_decode(p, n, k, &h, &e);
        assert_true(rc == SP_CORRUPT || rc == SP_AUTH || rc == SP_UNSUPPORTED);
        p[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    for (size_t cut = 0; cut < n; cut++) {
        uint8_t *own = malloc(cut + 1);
        assert_non_null(own);
        memcpy(own + 1, p, cut);
        assert_rc(sp_host_decode(own + 1, cut, NULL, &h, &e), SP_CORRUPT);
        free(own);
    }
    p[n] = 0x08;
    p[n + 1] = 0x01;
    assert_rc(sp_host_decode(p, n + 2, k, &h, &e), SP_CORRUPT);
    assert_ok(sp_keys_generate(&sp_random_system, &other, &e));
    assert_rc(sp_host_decode(p, n, other, &h, &e), SP_AUTH);
    assert_int_equal(h.nkeys, 99);
    sp_keys_free(other);
    sp_keys_free(k);
}

static void
limits_of_a_host(void **state)
{
    (void)state;
    struct sp_keys *k = vector_keys(), *other = NULL;
    struct sp_host h = vector_host(k), back;
    struct sp_buf b = SP_BUF_INIT;

    memset(h.name, 'n', 255);
    h.nkeys = 16;
    assert_ok(sp_host_encode(&h, k, &b, &e));
    assert_ok(sp_host_decode(b.data, b.len, k, &back, &e));
    assert_string_equal(back.name, h.name);
    assert_int_equal(back.nkeys, 16);

    /* one key more, in front of the record's own */
    struct sp_buf more = SP_BUF_INIT;
    sp_wire_put_item(&more, 5, h.keys[0], 32);
    sp_buf_put(&more, b.data, b.len);
    assert_rc(sp_host_decode(more.data, more.len, NULL, &back, &e), SP_CORRUPT);
    sp_buf_free(&more);
    sp_buf_free(&b);

    h.nkeys = 17;
    assert_rc(sp_host_encode(&h, k, &b, &e), SP_INVALID);
    h.nkeys = 0;
    assert_rc(sp_host_encode(&h, k, &b, &e), SP_INVALID);
    h.nkeys = 1;
    h.name[255] = 'n';
    assert_rc(sp_host_encode(&h, k, &b, &e), SP_INVALID);
    h.name[0] = '\0';
    assert_rc(sp_host_encode(&h, k, &b, &e), SP_INVALID);
    strcpy(h.name, "\xff\xfe");
    assert_rc(sp_host_encode(&h, k, &b, &e), SP_INVALID);
    strcpy(h.name, "ok");
    assert_ok(sp_keys_generate(&sp_random_system, &other, &e));
    assert_rc(sp_host_encode(&h, other, &b, &e), SP_INVALID);
    assert_int_equal(b.len, 0);
    sp_keys_free(other);
    sp_keys_free(k);
}

/* --- the sheet --- */

static struct sp_sheet
some_sheet(void)
{
    struct sp_sheet s = {
        .store = "stillpoint://backup.example:7878",
        .fingerprint = "sha256:00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff",
        .host_name = "office",
    };

    for (uint8_t i = 0; i < 32; i++)
        s.recovery[i] = (uint8_t)(i * 37 + 11);
    memset(s.repository, 0xab, 16);
    memset(s.group, 0xcd, 16);
    return s;
}

static void
sheet_holds_the_key(void **state)
{
    (void)state;
    struct sp_sheet s = some_sheet();
    struct sp_buf b = SP_BUF_INIT;
    uint8_t key[32];

    sp_buf_put_str(&b, "kept|");
    assert_ok(sp_sheet_print(&s, INT64_C(1795344507000000000), &b, &e));
    char *text = strdup(sp_buf_str(&b));
    assert_non_null(text);
    assert_memory_equal(text, "kept|", 5);
    assert_ok(sp_sheet_parse_key(text + 5, key, &e));
    assert_memory_equal(key, s.recovery, 32);

    /* what a person needs is there, one page of 72 columns */
    assert_non_null(strstr(text, s.store));
    assert_non_null(strstr(text, s.fingerprint));
    assert_non_null(strstr(text, "office"));
    assert_non_null(strstr(text, "abababababababababababababababab"));
    assert_non_null(strstr(text, "cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd"));
    assert_non_null(strstr(text, "2026-11-22T"));
    assert_non_null(strstr(text, "stillpoint restore"));
    int lines = 0;
    for (char *line = strtok(text + 5, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        if (strlen(line) > 72)
            fail_msg("over 72 columns: %s", line);
        lines++;
    }
    assert_in_range(lines, 10, 60);

    free(text);
    sp_buf_free(&b);
    s.fingerprint = NULL;
    assert_ok(sp_sheet_print(&s, 0, &b, &e));
    assert_null(strstr(sp_buf_str(&b), "ingerprint"));
    assert_null(strstr(sp_buf_str(&b), "SSH"));
    sp_buf_free(&b);
    s.store = "sftp://me@nas/backup";
    s.host_key = "SHA256:abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNO+/";
    assert_ok(sp_sheet_print(&s, 0, &b, &e));
    assert_non_null(strstr(sp_buf_str(&b), s.host_key));
    assert_ok(sp_sheet_parse_key(sp_buf_str(&b), key, &e));
    assert_memory_equal(key, s.recovery, 32);
    sp_buf_free(&b);
    s.host_name = "two\nlines";
    assert_rc(sp_sheet_print(&s, 0, &b, &e), SP_INVALID);
    assert_int_equal(b.len, 0);
}

static void
key_as_typed(void **state)
{
    (void)state;
    struct sp_sheet s = some_sheet();
    struct sp_buf b = SP_BUF_INIT;
    uint8_t key[32];

    sp_base32_put(&b, s.recovery, 32);
    char good[128], t[512];
    snprintf(good, sizeof(good), "%s", sp_buf_str(&b));
    sp_buf_free(&b);

    assert_ok(sp_sheet_parse_key(good, key, &e));
    assert_memory_equal(key, s.recovery, 32);
    size_t n = 0; /* without dashes, in lower case, over lines, O and I for 0 and 1 */
    for (const char *p = good; *p != '\0'; p++) {
        char c = *p >= 'A' && *p <= 'Z' ? (char)(*p + 32) : *p;
        if (c == '-')
            continue;
        t[n++] = c == '0' ? 'o' : c == '1' ? 'I' : c;
        if (n == 20)
            t[n++] = '\n';
    }
    t[n] = '\0';
    assert_ok(sp_sheet_parse_key(t, key, &e));
    assert_memory_equal(key, s.recovery, 32);
    /* a mail program quoted the sheet and broke the line */
    snprintf(
        t, sizeof(t), "Hello,\r\nhere it is:\r\n\r\n  %.30s\r\n%s\r\n\r\nBye\r\n", good, good + 30);
    assert_ok(sp_sheet_parse_key(t, key, &e));
    assert_memory_equal(key, s.recovery, 32);

    /* a mistake is told from no key at all; any one character */
    memset(key, 0xee, 32);
    for (size_t i = 0; i < strlen(good); i++) {
        if (good[i] == '-')
            continue;
        strcpy(t, good);
        t[i] = t[i] == '7' ? '8' : '7';
        assert_rc(sp_sheet_parse_key(t, key, &e), SP_INVALID);
        assert_null(strstr(e.text, "no recovery key"));
    }
    assert_rc(sp_sheet_parse_key("", key, &e), SP_INVALID);
    assert_non_null(strstr(e.text, "no recovery key"));
    assert_rc(sp_sheet_parse_key("\n\n \n", key, &e), SP_INVALID);
    strcpy(t, good);
    t[strlen(t) - 1] = '\0';
    assert_rc(sp_sheet_parse_key(t, key, &e), SP_INVALID);
    snprintf(t, sizeof(t), "%sX", good);
    assert_rc(sp_sheet_parse_key(t, key, &e), SP_INVALID);
    for (size_t i = 0; i < 32; i++)
        assert_int_equal(key[i], 0xee);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_host),
        cmocka_unit_test(altered_host),
        cmocka_unit_test(limits_of_a_host),
        cmocka_unit_test(sheet_holds_the_key),
        cmocka_unit_test(key_as_typed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
