/* Windows' own structures, from its documents, whole and broken: reparse points (MS-FSCC 2.1.2),
 * security descriptors (MS-DTYP 2.4.6), extended attributes (MS-FSCC 2.4.16). Buffers are of exact
 * size, so that the sanitizers see what is read too far. */

#include "tests/unit/base/support.h"

#include "client/ntfs.h"
#include "client/ntfs_meta.h"

/* A copy of exact size, to be freed. */
static uint8_t *
exact(const void *p, size_t n)
{
    uint8_t *copy = malloc(n > 0 ? n : 1);

    assert_non_null(copy);
    if (n > 0)
        memcpy(copy, p, n);
    return copy;
}

static void
put_units(struct sp_buf *b, const char *ascii)
{
    for (; *ascii != '\0'; ascii++)
        sp_buf_put_u16(b, (uint8_t)*ascii);
}

/* As Windows makes it: a symlink with the print name first, a mount point with the substitute first
 * and NULs behind both. */
static void
put_reparse(
    struct sp_buf *b, uint32_t tag, const char *substitute, const char *print, uint32_t flags)
{
    size_t s = 2 * strlen(substitute), p = 2 * strlen(print);
    bool link = tag == NTFS_TAG_SYMLINK;

    sp_buf_reset(b);
    sp_buf_put_u32(b, tag);
    sp_buf_put_u16(b, (uint16_t)(link ? 12 + s + p : 8 + s + p + 4));
    sp_buf_put_u16(b, 0);
    sp_buf_put_u16(b, (uint16_t)(link ? p : 0));
    sp_buf_put_u16(b, (uint16_t)s);
    sp_buf_put_u16(b, (uint16_t)(link ? 0 : s + 2));
    sp_buf_put_u16(b, (uint16_t)p);
    if (link)
        sp_buf_put_u32(b, flags);
    put_units(b, link ? print : substitute);
    if (!link)
        sp_buf_put_u16(b, 0);
    put_units(b, link ? substitute : print);
    if (!link)
        sp_buf_put_u16(b, 0);
    assert_false(b->failed);
}

static void
leads_to(const struct sp_buf *b, const char *want, bool want_relative, bool want_volume)
{
    struct sp_buf target = SP_BUF_INIT;
    uint8_t *p = exact(b->data, b->len);
    bool relative = !want_relative, volume = !want_volume;

    assert_true(sp_ntfs_reparse_ok(p, b->len));
    assert_ok(sp_ntfs_reparse_target(p, b->len, &target, &relative, &volume, e));
    assert_string_equal(sp_buf_str(&target), want);
    assert_int_equal(relative, want_relative);
    assert_int_equal(volume, want_volume);
    sp_buf_free(&target);
    free(p);
}

#define VOLUME "Volume{4d36e967-e325-11ce-bfc1-08002be10318}"

static void
targets(void **state)
{
    static const struct {
        uint32_t tag, flags;
        const char *substitute, *print, *want;
        bool relative, volume;
    } of[] = {
        {NTFS_TAG_SYMLINK, 1, "..\\lib\\x", "..\\lib\\x", "../lib/x", true, false},
        {NTFS_TAG_SYMLINK, 1, "\\Windows", "\\Windows", "/Windows", true, false},
        {NTFS_TAG_SYMLINK, 0, "\\??\\C:\\Users\\a b", "C:\\Users\\a b", "C:/Users/a b", false,
            false},
        {NTFS_TAG_SYMLINK, 0, "\\??\\UNC\\nas\\share\\x", "\\\\nas\\share\\x", "//nas/share/x",
            false, false},
        {NTFS_TAG_SYMLINK, 0, "\\??\\UNC\\?\\x", "", "//?/UNC/?/x", false, false},
        {NTFS_TAG_SYMLINK, 0, "\\??\\" VOLUME "\\", "", "//?/" VOLUME "/", false, false},
        {NTFS_TAG_SYMLINK, 0, "\\Device\\HarddiskVolumeShadowCopy1\\", "",
            "//?/GLOBALROOT/Device/HarddiskVolumeShadowCopy1/", false, false},
        {NTFS_TAG_MOUNT_POINT, 0, "\\??\\C:\\Users\\All", "C:\\Users\\All", "C:/Users/All", false,
            false},
        {NTFS_TAG_MOUNT_POINT, 0, "\\??\\c:\\", "", "c:/", false, false},
        {NTFS_TAG_MOUNT_POINT, 0, "\\??\\" VOLUME "\\", "", "//?/" VOLUME "/", false, true},
        {NTFS_TAG_MOUNT_POINT, 0, "\\??\\" VOLUME "\\below", "", "//?/" VOLUME "/below", false,
            false},
    };
    struct sp_buf b = SP_BUF_INIT;

    (void)state;
    for (size_t i = 0; i < sizeof(of) / sizeof(of[0]); i++) {
        put_reparse(&b, of[i].tag, of[i].substitute, of[i].print, of[i].flags);
        leads_to(&b, of[i].want, of[i].relative, of[i].volume);
    }
    /* A link of WSL: a version, then UTF-8. */
    sp_buf_reset(&b);
    sp_buf_put_u32(&b, NTFS_TAG_LX_SYMLINK);
    sp_buf_put_u16(&b, 4 + 7);
    sp_buf_put_u16(&b, 0);
    sp_buf_put_u32(&b, 2);
    sp_buf_put_str(&b, "/a\\b/\xc3\xa4"); /* nothing is turned: '\' is of the name */
    b.len = 8 + 4 + 7;
    leads_to(&b, "/a\\b/\xc3\xa4", false, false);
    sp_buf_free(&b);
}

static void
reparse_broken(void **state)
{
    static const size_t fields[] = {4, 8, 10, 12, 14}; /* length, and both names' places */
    struct sp_buf b = SP_BUF_INIT, target = SP_BUF_INIT;
    bool relative, volume;

    (void)state;
    for (int link = 0; link < 2; link++) {
        put_reparse(
            &b, link ? NTFS_TAG_SYMLINK : NTFS_TAG_MOUNT_POINT, "\\??\\C:\\abc", "C:\\abc", 0);
        for (size_t cut = 0; cut < b.len; cut++) {
            uint8_t *p = exact(b.data, cut);

            assert_false(sp_ntfs_reparse_ok(p, cut));
            assert_code(SP_CORRUPT, sp_ntfs_reparse_target(p, cut, &target, &relative, &volume, e));
            free(p);
        }
        for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
            uint8_t *p = exact(b.data, b.len);

            p[fields[i]] = 0xfe;
            p[fields[i] + 1] = 0xff;
            assert_false(sp_ntfs_reparse_ok(p, b.len));
            assert_code(
                SP_CORRUPT, sp_ntfs_reparse_target(p, b.len, &target, &relative, &volume, e));
            p[fields[i]] = 3; /* odd; no other length is right either */
            p[fields[i] + 1] = 0;
            assert_false(sp_ntfs_reparse_ok(p, b.len));
            free(p);
        }
    }
    put_reparse(&b, NTFS_TAG_SYMLINK, "", "x", 1); /* whole, but it leads nowhere */
    assert_true(sp_ntfs_reparse_ok(b.data, b.len));
    assert_code(SP_CORRUPT, sp_ntfs_reparse_target(b.data, b.len, &target, &relative, &volume, e));
    put_reparse(&b, NTFS_TAG_MOUNT_POINT, "C:\\x", "x", 0); /* no name of an object */
    assert_code(SP_CORRUPT, sp_ntfs_reparse_target(b.data, b.len, &target, &relative, &volume, e));
    put_reparse(&b, NTFS_TAG_SYMLINK, "a", "b", 1);
    b.data[b.len - 2] = 0; /* a NUL inside */
    assert_code(SP_CORRUPT, sp_ntfs_reparse_target(b.data, b.len, &target, &relative, &volume, e));
    sp_store_le32(b.data, 2); /* a reserved tag */
    assert_false(sp_ntfs_reparse_ok(b.data, b.len));
    sp_store_le32(b.data, NTFS_TAG_APPEXECLINK);
    assert_true(sp_ntfs_reparse_ok(b.data, b.len));
    assert_int_equal(sp_ntfs_reparse_tag(b.data, b.len), NTFS_TAG_APPEXECLINK);
    assert_int_equal(sp_ntfs_reparse_tag(b.data, 7), 0);
    assert_code(
        SP_UNSUPPORTED, sp_ntfs_reparse_target(b.data, b.len, &target, &relative, &volume, e));
    assert_int_equal(target.len, 0);

    /* Somebody else's tag: a GUID before the data. */
    sp_buf_reset(&b);
    sp_buf_put_u32(&b, 0x42);
    sp_buf_put_u32(&b, 3);
    sp_buf_put_zero(&b, 16 + 3);
    assert_true(sp_ntfs_reparse_ok(b.data, b.len));
    assert_false(sp_ntfs_reparse_ok(b.data, b.len - 1));
    /* 16 KiB are the most. */
    sp_buf_reset(&b);
    sp_buf_put_u32(&b, NTFS_TAG_APPEXECLINK);
    sp_buf_put_u32(&b, 16384 - 8);
    sp_buf_put_zero(&b, 16384 - 8);
    assert_true(sp_ntfs_reparse_ok(b.data, b.len));
    sp_buf_put_u8(&b, 0);
    b.data[4]++;
    assert_false(sp_ntfs_reparse_ok(b.data, b.len));
    sp_buf_free(&b);
    sp_buf_free(&target);
}

static void
reparse_made(void **state)
{
    static const struct {
        const char *target, *substitute, *print;
        uint32_t flags;
    } of[] = {
        {"../lib/x", "..\\lib\\x", "..\\lib\\x", 1}, {"/usr/bin", "\\usr\\bin", "\\usr\\bin", 1},
        {"C:/Users", "\\??\\C:\\Users", "C:\\Users", 0},
        {"//nas/share/x", "\\??\\UNC\\nas\\share\\x", "\\\\nas\\share\\x", 0},
        {"//?/" VOLUME "/", "\\??\\" VOLUME "\\", "\\\\?\\" VOLUME "\\", 0},
        {"//?/GLOBALROOT/Device/X", "\\Device\\X", "\\\\?\\GLOBALROOT\\Device\\X", 0},
        {"C:", "C:", "C:", 1}, /* a name on Linux */
    };
    struct sp_buf b = SP_BUF_INIT, want = SP_BUF_INIT;
    char *huge = malloc(20000);

    (void)state;
    for (size_t i = 0; i < sizeof(of) / sizeof(of[0]); i++) {
        size_t s = 2 * strlen(of[i].substitute), p = 2 * strlen(of[i].print);

        sp_buf_reset(&b);
        sp_buf_reset(&want);
        assert_ok(sp_ntfs_reparse_make(of[i].target, strlen(of[i].target), &b, e));
        sp_buf_put_u32(&want, NTFS_TAG_SYMLINK);
        sp_buf_put_u16(&want, (uint16_t)(12 + s + p));
        sp_buf_put_u32(&want, 0);
        sp_buf_put_u16(&want, (uint16_t)s);
        sp_buf_put_u16(&want, (uint16_t)s);
        sp_buf_put_u16(&want, (uint16_t)p);
        sp_buf_put_u32(&want, of[i].flags);
        put_units(&want, of[i].substitute);
        put_units(&want, of[i].print);
        assert_int_equal(b.len, want.len);
        assert_memory_equal(b.data, want.data, b.len);
        leads_to(&b, of[i].target, of[i].flags == 1, false);
    }
    memset(huge, 'x', 20000);
    b.len = 0;
    assert_code(SP_INVALID, sp_ntfs_reparse_make("", 0, &b, e));
    assert_code(SP_INVALID, sp_ntfs_reparse_make("a\0b", 3, &b, e));
    assert_code(SP_INVALID, sp_ntfs_reparse_make("\xff", 1, &b, e));
    assert_code(SP_INVALID, sp_ntfs_reparse_make(huge, 20000, &b, e));
    assert_code(SP_INVALID, sp_ntfs_reparse_make(huge, 4092, &b, e));
    assert_int_equal(b.len, 0);
    assert_ok(sp_ntfs_reparse_make(huge, 4091, &b, e));
    assert_int_equal(b.len, 16384);
    assert_true(sp_ntfs_reparse_ok(b.data, b.len));
    free(huge);
    sp_buf_free(&b);
    sp_buf_free(&want);
}

/* --- descriptors ---------------------------------------------------------------------------------
 */

static void
put_sid(struct sp_buf *b, uint32_t authority)
{
    sp_buf_put(b, "\x01\x02\0\0\0\0\0\x05", 8); /* S-1-5-32-… */
    sp_buf_put_u32(b, 32);
    sp_buf_put_u32(b, authority);
}

static void
put_ace(struct sp_buf *b, uint8_t type, uint8_t flags, uint32_t mask)
{
    sp_buf_put_u8(b, type);
    sp_buf_put_u8(b, flags);
    sp_buf_put_u16(b, 24);
    sp_buf_put_u32(b, mask);
    put_sid(b, 544);
}

/* Owner, group, a protected DACL with an explicit, an inherited and an object ACE, a SACL with an
 * audit. */
static void
put_descriptor(struct sp_buf *b)
{
    sp_buf_put_u8(b, 1);
    sp_buf_put_u8(b, 0);
    sp_buf_put_u16(b, 0x8000 | 0x1000 | 0x0400 | 0x0010 | 0x0004);
    sp_buf_put_u32(b, 20 + 32 + 104);
    sp_buf_put_u32(b, 20 + 32 + 104 + 16);
    sp_buf_put_u32(b, 20);
    sp_buf_put_u32(b, 20 + 32);
    sp_buf_put(b, "\x02\0\x20\0\x01\0\0\0", 8);
    put_ace(b, 0x02, 0xc0, 0x10000000);
    sp_buf_put(b, "\x04\0\x68\0\x03\0\0\0", 8);
    put_ace(b, 0x00, 0x03, 0x001f01ff);
    put_ace(b, 0x01, 0x13, 0x00010000);
    sp_buf_put(b, "\x05\0\x2c\0", 4);
    sp_buf_put_u32(b, 0x100);
    sp_buf_put_u32(b, 1);
    sp_buf_put_zero(b, 16);
    put_sid(b, 545);
    sp_buf_put_zero(b, 4); /* room in the ACL that no ACE has */
    put_sid(b, 544);
    put_sid(b, 545);
    assert_false(b->failed);
}

static void
security(void **state)
{
    static const struct {
        size_t at;
        uint8_t value;
    } spoilt[] = {
        {0, 2}, {3, 0}, /* revision; not self-relative */
        {4, 19}, {5, 1}, {9, 1}, {13, 1}, {16, 1}, {17, 1}, {7, 0x80},  /* offsets */
        {20, 1}, {20, 5}, {22, 7}, {22, 31}, {23, 1}, {24, 2}, {25, 1}, /* SACL */
        {30, 0}, {30, 3}, {30, 23}, {30, 28}, {31, 1}, {36, 2}, {37, 3}, {37, 16},
        {37, 255},                                                      /* its ACE */
        {54, 96}, {56, 4}, {56, 5}, {110, 0x28}, {110, 0x2a}, {116, 3}, /* DACL, its object ACE */
        {156, 0}, {157, 16}, {172, 9}, {173, 3}                         /* owner and group */
    };                                                                  /* owner and group */
    struct sp_buf b = SP_BUF_INIT;
    uint8_t *p;

    (void)state;
    put_descriptor(&b);
    assert_int_equal(b.len, 188);
    assert_true(sp_ntfs_security_ok(b.data, b.len));
    for (size_t cut = 0; cut < b.len; cut++) {
        p = exact(b.data, cut);
        assert_false(sp_ntfs_security_ok(p, cut));
        free(p);
    }
    for (size_t i = 0; i < sizeof(spoilt) / sizeof(spoilt[0]); i++) {
        p = exact(b.data, b.len);
        p[spoilt[i].at] = spoilt[i].value;
        if (sp_ntfs_security_ok(p, b.len))
            fail_msg("byte %zu may be %u", spoilt[i].at, spoilt[i].value);
        free(p);
    }
    p = exact(b.data, b.len);
    for (int i = 4; i < 20; i++) /* nothing in it but its control bits */
        p[i] = 0;
    assert_true(sp_ntfs_security_ok(p, 20));
    free(p);
    sp_buf_free(&b);
}

/* --- extended attributes -------------------------------------------------------------------------
 */

static void
put_ea(struct sp_buf *b, uint32_t next, uint8_t flags, const char *name, const char *value)
{
    sp_buf_put_u32(b, next);
    sp_buf_put_u8(b, flags);
    sp_buf_put_u8(b, (uint8_t)strlen(name));
    sp_buf_put_u16(b, (uint16_t)strlen(value));
    sp_buf_put(b, name, strlen(name) + 1);
    sp_buf_put_str(b, value);
}

static void
eas(void **state)
{
    static const struct {
        size_t at;
        uint8_t value;
    } spoilt[] = {{0, 15}, {0, 12}, {0, 18}, {0, 0}, {0, 36}, {1, 1}, {5, 0}, {5, 3}, {5, 255},
        {6, 9}, {7, 1}, {12, 1}, {16, 4}, {16, 20}, {21, 2}, {22, 1}, {23, 1}};
    struct sp_buf b = SP_BUF_INIT;

    (void)state;
    put_ea(&b, 16, 0x80, "NAME", "abc");
    put_ea(&b, 0, 0, "X", "12345678");
    assert_int_equal(b.len, 34);
    assert_true(sp_ntfs_ea_ok(b.data, b.len));
    assert_false(sp_ntfs_ea_ok(NULL, 0));
    for (size_t cut = 0; cut < b.len; cut++) {
        uint8_t *p = exact(b.data, cut);

        assert_false(sp_ntfs_ea_ok(p, cut));
        free(p);
    }
    for (size_t i = 0; i < sizeof(spoilt) / sizeof(spoilt[0]); i++) {
        uint8_t *p = exact(b.data, b.len);

        p[spoilt[i].at] = spoilt[i].value;
        if (sp_ntfs_ea_ok(p, b.len))
            fail_msg("byte %zu may be %u", spoilt[i].at, spoilt[i].value);
        free(p);
    }
    sp_buf_put_zero(&b, 2); /* filled up */
    assert_true(sp_ntfs_ea_ok(b.data, b.len));
    sp_buf_put_zero(&b, 2);
    assert_false(sp_ntfs_ea_ok(b.data, b.len));
    sp_buf_free(&b);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(targets),
        cmocka_unit_test(reparse_broken),
        cmocka_unit_test(reparse_made),
        cmocka_unit_test(security),
        cmocka_unit_test(eas),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
