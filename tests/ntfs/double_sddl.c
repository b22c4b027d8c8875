/* Security descriptors as tests write them: learn.microsoft.com/en-us/windows/win32/secauthz/
 * security-descriptor-string-format */
#include <stdlib.h>
#include <string.h>

#include "double_sd.h"

struct text {
    const char *at, *whole;
};

static bool
take(struct text *t, const char *word)
{
    if (strncmp(t->at, word, strlen(word)) != 0)
        return false;
    t->at += strlen(word);
    return true;
}

static void
need(struct text *t, const char *word)
{
    if (!take(t, word))
        dbl_die("\"%s\": %s expected at \"%s\"", t->whole, word, t->at);
}

static void
put_sid(struct text *t, struct sp_buf *to)
{
    static const struct {
        const char *word, *sid;
    } known[] = {{"SY", "S-1-5-18"}, {"BA", "S-1-5-32-544"}, {"BU", "S-1-5-32-545"},
        {"WD", "S-1-1-0"}, {"CO", "S-1-3-0"}, {"CG", "S-1-3-1"}, {"LA", "S-1-5-21-1-2-3-500"},
        {"AU", "S-1-5-11"}};
    uint32_t subs[15];
    uint8_t n = 0;

    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (take(t, known[i].word)) {
            struct text sid = {known[i].sid, known[i].sid};
            put_sid(&sid, to);
            return;
        }
    need(t, "S-1-");
    const unsigned long authority = strtoul(t->at, (char **)(uintptr_t)&t->at, 10);
    while (n < 15 && take(t, "-"))
        subs[n++] = (uint32_t)strtoul(t->at, (char **)(uintptr_t)&t->at, 10);
    sp_buf_put_u8(to, 1);
    sp_buf_put_u8(to, n);
    for (int shift = 40; shift >= 0; shift -= 8)
        sp_buf_put_u8(to, (uint8_t)((uint64_t)authority >> shift));
    for (uint8_t i = 0; i < n; i++)
        sp_buf_put_u32(to, subs[i]);
}

static void
put_ace(struct text *t, struct sp_buf *acl)
{
    static const struct {
        const char *word;
        uint8_t bit;
    } flags[] = {{"OI", ACE_OI}, {"CI", ACE_CI}, {"NP", ACE_NP}, {"IO", ACE_IO},
        {"ID", ACE_INHERITED}, {"SA", 0x40}, {"FA", 0x80}};
    static const struct {
        const char *word;
        uint32_t mask;
    } rights[] = {
        {"FA", 0x1F01FF}, {"FR", 0x120089}, {"FW", 0x120116}, {"FX", 0x1200A0}, {"GA", 0x10000000}};
    struct sp_buf sid = SP_BUF_INIT;
    uint8_t type, flag = 0;
    uint32_t mask = 0;
    bool more = true;

    type = take(t, "AU;") ? 2 : take(t, "A;") ? 0 : 1;
    if (type == 1)
        need(t, "D;");
    while (more) {
        more = false;
        for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++)
            if (take(t, flags[i].word)) {
                flag |= flags[i].bit;
                more = true;
            }
    }
    need(t, ";");
    if (strncmp(t->at, "0x", 2) == 0)
        mask = (uint32_t)strtoul(t->at, (char **)(uintptr_t)&t->at, 16);
    for (more = mask == 0; more;) {
        more = false;
        for (size_t i = 0; i < sizeof rights / sizeof rights[0]; i++)
            if (take(t, rights[i].word)) {
                mask |= rights[i].mask;
                more = true;
            }
    }
    need(t, ";;;");
    put_sid(t, &sid);
    need(t, ")");
    sp_buf_put_u8(acl, type);
    sp_buf_put_u8(acl, flag);
    sp_buf_put_u16(acl, (uint16_t)(8 + sid.len));
    sp_buf_put_u32(acl, mask);
    sp_buf_put(acl, sid.data, sid.len);
    acl->data[4]++;
    sp_buf_free(&sid);
}

static uint16_t
put_acl(
    struct text *t, struct sp_buf *acl, uint16_t present, uint16_t protected_, uint16_t automatic)
{
    uint16_t control = present;

    for (bool more = true; more;) {
        more = false;
        if (take(t, "AI") || take(t, "AR")) {
            control |= automatic;
            more = true;
        } else if (take(t, "P")) {
            control |= protected_;
            more = true;
        }
    }
    sp_buf_put(acl, "\2\0\0\0\0\0\0", 8);
    while (take(t, "("))
        put_ace(t, acl);
    acl->data[2] = (uint8_t)acl->len;
    acl->data[3] = (uint8_t)(acl->len >> 8);
    return control;
}

void
dbl_sddl_parse(const char *sddl, struct sp_buf *ret)
{
    struct text t = {sddl, sddl};
    struct sp_buf owner = SP_BUF_INIT, group = SP_BUF_INIT, dacl = SP_BUF_INIT, sacl = SP_BUF_INIT;
    struct dbl_sd sd = {0};

    if (take(&t, "O:"))
        put_sid(&t, &owner);
    if (take(&t, "G:"))
        put_sid(&t, &group);
    if (take(&t, "D:"))
        sd.control |= put_acl(&t, &dacl, SD_DACL_PRESENT, SD_DACL_PROTECTED, SD_DACL_AUTO);
    if (take(&t, "S:"))
        sd.control |= put_acl(&t, &sacl, SD_SACL_PRESENT, SD_SACL_PROTECTED, SD_SACL_AUTO);
    if (*t.at != '\0')
        dbl_die("\"%s\": not understood from \"%s\" on", sddl, t.at);
    sd.owner = (struct dbl_bytes){owner.data, owner.len};
    sd.group = (struct dbl_bytes){group.data, group.len};
    sd.dacl = (struct dbl_bytes){dacl.data, dacl.len};
    sd.sacl = (struct dbl_bytes){sacl.data, sacl.len};
    dbl_sd_build(&sd, ret);
    sp_buf_free(&owner);
    sp_buf_free(&group);
    sp_buf_free(&dacl);
    sp_buf_free(&sacl);
}

void
ntfs_double_sddl(const char *sddl, struct sp_buf *ret)
{
    dbl_sddl_parse(sddl, ret);
}
