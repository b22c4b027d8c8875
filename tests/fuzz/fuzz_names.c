#include <stdlib.h>

#include "base/json.h"
#include "base/path.h"
#include "storage/index_cache.h"
#include "storage/pack.h"
#include "storage/record.h"
#include "tests/fuzz/fuzz.h"

/* Names of objects, keys, paths and what is shown of them. A name that is understood is the one
 * that would be made. */

static void
objects(const char *name)
{
    uint8_t id[32], host[16], set_id[16];
    enum sp_pack_kind kind;
    enum sp_record_type type;
    struct sp_err e = {0};
    int64_t published;
    char again[160];

    if (sp_pack_object_parse(name, &kind, id)) {
        sp_pack_object_name(kind, id, again);
        FUZZ_MUST(strcmp(name, again) == 0 && sp_object_name_valid(name));
    }
    if (sp_index_object_parse(name, id)) {
        sp_index_object_name(id, again);
        FUZZ_MUST(strcmp(name, again) == 0 && sp_object_name_valid(name));
    }
    if (sp_record_object_parse(name, &type, host, &published, set_id)) {
        sp_record_object_name(type, host, published, set_id, again);
        FUZZ_MUST(strcmp(name, again) == 0 && sp_object_name_valid(name));
    }
    if (sp_object_name_valid(name)) {
        struct sp_backend *b = NULL;

        FUZZ_MUST(name[0] != '/' && strstr(name, "//") == NULL && strstr(name, "/../") == NULL);
        FUZZ_MUST(strncmp(name, "../", 3) != 0 && strcmp(name, "..") != 0);
        FUZZ_OK(sp_backend_memory_new(&b, &e));
        FUZZ_OK(sp_backend_put(b, name, "x", 1, &e));
        sp_backend_free(b);
    }
}

static void
keys(const uint8_t *p, size_t n)
{
    struct sp_buf key = SP_BUF_INIT, path = SP_BUF_INIT, again = SP_BUF_INIT;
    struct sp_err e = {0};
    const char *name;
    size_t len = 0;

    if (sp_key_valid(p, n) && n > 0) {
        name = sp_key_name(p, n, &len);
        FUZZ_MUST(len > 0 && memchr(name, 0, len) == NULL && memchr(name, '/', len) == NULL);
        FUZZ_MUST((const uint8_t *)name + len == p + n && sp_key_depth(p, n) > 0);
        FUZZ_MUST(sp_key_within(p, n, p, n) && sp_key_within("", 0, p, n));
        sp_key_to_path(p, n, &path);
        FUZZ_OK(sp_key_from_path(sp_buf_str(&path), &key, &e));
        FUZZ_MUST(key.len == n && memcmp(key.data, p, n) == 0);
    }
    sp_buf_reset(&key);
    sp_buf_reset(&path);
    sp_buf_put(&path, p, n);
    if (FUZZ_TRY(sp_key_from_path(sp_buf_str(&path), &key, &e)) == SP_OK) {
        FUZZ_MUST(key.len == 0 || sp_key_valid(key.data, key.len));
        sp_buf_reset(&path);
        sp_key_to_path(key.data, key.len, &path);
        FUZZ_OK(sp_key_from_path(sp_buf_str(&path), &again, &e));
        FUZZ_MUST(
            again.len == key.len && sp_key_cmp(again.data, again.len, key.data, key.len) == 0);
    }
    sp_buf_free(&key);
    sp_buf_free(&path);
    sp_buf_free(&again);
}

static void
encodings(const uint8_t *p, size_t n)
{
    uint16_t *units = NULL, *units2 = NULL;
    char *back = NULL;
    size_t nunits, nunits2, nback;
    struct sp_err e = {0};

    FUZZ_MUST(!sp_utf8_valid(p, n) || sp_wtf8_valid(p, n));
    if (sp_wtf8_valid(p, n)) {
        FUZZ_OK(sp_wtf8_to_utf16((const char *)p, n, &units, &nunits, &e));
        FUZZ_OK(sp_utf16_to_wtf8(units, nunits, &back, &nback, &e));
        FUZZ_MUST(nback == n && (n == 0 || memcmp(back, p, n) == 0));
        free(units);
        free(back);
    } else {
        FUZZ_MUST(sp_wtf8_to_utf16((const char *)p, n, &units, &nunits, &e) != SP_OK);
    }
    units = malloc(n + 2);
    FUZZ_MUST(units != NULL);
    memcpy(units, p, n / 2 * 2);
    FUZZ_OK(sp_utf16_to_wtf8(units, n / 2, &back, &nback, &e));
    FUZZ_MUST(sp_wtf8_valid(back, nback));
    FUZZ_OK(sp_wtf8_to_utf16(back, nback, &units2, &nunits2, &e));
    FUZZ_MUST(nunits2 == n / 2 && memcmp(units, units2, n / 2 * 2) == 0);
    free(units);
    free(units2);
    free(back);
}

/* What reaches a terminal or a program. */
static void
shown(const uint8_t *p, size_t n)
{
    struct sp_buf b = SP_BUF_INIT;
    struct sp_json j;

    sp_path_show(p, n, &b);
    FUZZ_MUST(!b.failed && sp_utf8_valid(b.data, b.len) && b.len <= 8 * n);
    for (size_t i = 0; i < b.len; i++)
        FUZZ_MUST(b.data[i] >= 0x20 && b.data[i] != 0x7f);
    sp_buf_reset(&b);
    sp_json_init(&j, &b);
    sp_json_strn(&j, p, n);
    FUZZ_MUST(!b.failed && sp_utf8_valid(b.data, b.len) && b.len >= 2);
    for (size_t i = 1; i + 1 < b.len; i++) {
        FUZZ_MUST(b.data[i] >= 0x20 && b.data[i] != '"');
        if (b.data[i] == '\\')
            i++;
    }
    sp_buf_free(&b);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *s = malloc(size + 1);

    FUZZ_MUST(s != NULL);
    if (size > 0)
        memcpy(s, data, size);
    s[size] = '\0';
    objects(s);
    keys((const uint8_t *)s, size);
    encodings((const uint8_t *)s, size);
    shown((const uint8_t *)s, size);
    free(s);
    return 0;
}
