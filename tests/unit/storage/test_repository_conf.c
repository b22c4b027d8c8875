/* repository.conf (docs/format.md §2). */

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"
#include "expect.h"
#include "storage/crypto.h"
#include "storage/repository.h"

#define BODY                                                                                       \
    "stillpoint repository\nversion = 1\nid = 000102030405060708090a0b0c0d0e0f\n"                  \
    "file-chunk = 65536 262144 786432\nimage-chunk = 65536\npack-size = 16777216\n"

/* The body with the hash line that belongs to it. */
static const char *
with_hash(const char *body)
{
    static char text[4096];
    uint8_t hash[32];

    ok(sp_sha256(body, strlen(body), hash, &err));
    (void)snprintf(text, sizeof(text), "%ssha256 = %s\n", body, sp_hex32(hash).s);
    return text;
}

static enum sp_code
decode(const char *text, struct sp_repository_conf *ret)
{
    return sp_repository_conf_decode(text, strlen(text), ret, &err);
}

static void
test_form(void **state)
{
    struct sp_repository_conf c = {.pack_size = 0}, back;
    struct sp_buf b = SP_BUF_INIT;

    (void)state;
    for (uint8_t i = 0; i < 16; i++)
        c.id[i] = i;
    ok(sp_repository_conf_encode(&c, &b, &err)); /* all defaults */
    assert_string_equal(sp_buf_str(&b), with_hash(BODY));
    ok(sp_repository_conf_decode(b.data, b.len, &back, &err));
    assert_memory_equal(back.id, c.id, 16);
    assert_int_equal(back.pack_size, 16777216);
    assert_memory_equal(&back.split, &sp_split_defaults, sizeof(back.split));

    c.split = (struct sp_split_params){4096, 16384, 65536, 8192};
    c.pack_size = 1u << 20;
    sp_buf_reset(&b);
    ok(sp_repository_conf_encode(&c, &b, &err));
    ok(sp_repository_conf_decode(b.data, b.len, &back, &err));
    assert_memory_equal(&back, &c, sizeof(c));
    c.split.file_avg = 16385;
    gives(SP_INVALID, sp_repository_conf_encode(&c, &b, &err));
    c.split.file_avg = 16384;
    c.pack_size = 1000;
    gives(SP_INVALID, sp_repository_conf_encode(&c, &b, &err));
    sp_buf_free(&b);
}

/* No byte may change, and none may be missing. */
static void
test_damage(void **state)
{
    struct sp_repository_conf c;
    char text[1024];
    size_t n;

    (void)state;
    strcpy(text, with_hash(BODY));
    n = strlen(text);
    for (size_t i = 0; i < n; i++) {
        text[i] ^= 1;
        gives(SP_CORRUPT, sp_repository_conf_decode(text, n, &c, &err));
        text[i] ^= 1;
        gives(SP_CORRUPT, sp_repository_conf_decode(text, i, &c, &err));
    }
    text[n] = 'x';
    gives(SP_CORRUPT, sp_repository_conf_decode(text, n + 1, &c, &err));
    ok(sp_repository_conf_decode(text, n, &c, &err));
}

static void
test_versions(void **state)
{
    struct sp_repository_conf c;

    (void)state;
    gives(SP_UNSUPPORTED,
        decode(with_hash("stillpoint repository\nversion = 2\nsomething = else\n"), &c));
    assert_non_null(strstr(err.text, "version 2"));
    assert_non_null(strstr(err.text, "version 1"));
    /* What is unknown is passed over. */
    ok(decode(with_hash(BODY "later = 7\n\n"), &c));
}

static void
test_lines(void **state)
{
    static const char *const bad[] = {
        "stillpoint repository\nversion = 1\nfile-chunk = 65536 262144 786432\n"
        "image-chunk = 65536\npack-size = 16777216\n",
        BODY "id = 000102030405060708090a0b0c0d0e0f\n",
        "stillpoint repository\nversion = 1\nid = 00\nfile-chunk = 65536 262144 786432\n"
        "image-chunk = 65536\npack-size = 16777216\n",
        "stillpoint repository\nversion = 1\nid = 000102030405060708090a0b0c0d0e0f\n"
        "file-chunk = 65536 262144\nimage-chunk = 65536\npack-size = 16777216\n",
        "stillpoint repository\nversion = 1\nid = 000102030405060708090a0b0c0d0e0f\n"
        "file-chunk = 65536 262144 786432 7\nimage-chunk = 65536\npack-size = 16777216\n",
        "stillpoint repository\nversion = 1\nid = 000102030405060708090a0b0c0d0e0f\n"
        "file-chunk = 65536 262145 786432\nimage-chunk = 65536\npack-size = 16777216\n",
        "stillpoint repository\nversion = 1\nid = 000102030405060708090a0b0c0d0e0f\n"
        "file-chunk = 65536 262144 786432\nimage-chunk = -1\npack-size = 16777216\n",
        "stillpoint repository\nversion = 1\nid = 000102030405060708090a0b0c0d0e0f\n"
        "file-chunk = 65536 262144 786432\nimage-chunk = 65536\npack-size = 99999999999\n",
        "stillpoint repository\nid = 000102030405060708090a0b0c0d0e0f\n",
        "another repository\nversion = 1\n",
    };
    struct sp_repository_conf c;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        gives(SP_CORRUPT, decode(with_hash(bad[i]), &c));
    gives(SP_CORRUPT, decode("", &c));
    gives(SP_CORRUPT, decode(BODY, &c));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_form),
        cmocka_unit_test(test_damage),
        cmocka_unit_test(test_versions),
        cmocka_unit_test(test_lines),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
