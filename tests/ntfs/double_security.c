/* Security descriptors: what a new object inherits (MS-DTYP 2.5.3.4 CreateSecurityDescriptor), what
 * is set and what is told (MS-FSA 2.1.5.13, 2.1.5.16). */
#include <string.h>

#include "double_sd.h"

static bool
sid_len(const uint8_t *p, size_t n, size_t *ret)
{
    if (n < 8 || p[0] != 1 || p[1] > 15 || 8 + 4 * (size_t)p[1] > n)
        return false;
    *ret = 8 + 4 * (size_t)p[1];
    return true;
}

static bool
part(const uint8_t *p, size_t n, size_t field, bool acl, struct dbl_bytes *ret)
{
    const uint32_t at = sp_le32(p + field);

    ret->p = NULL;
    ret->n = 0;
    if (at == 0)
        return true;
    if (at < 20 || at > n)
        return false;
    ret->p = p + at;
    if (!acl)
        return sid_len(ret->p, n - at, &ret->n);
    if (n - at < 8)
        return false;
    ret->n = sp_le16(ret->p + 2);
    return ret->n >= 8 && ret->n <= n - at;
}

bool
dbl_sd_parse(const void *p, size_t n, struct dbl_sd *ret)
{
    const uint8_t *b = p;

    if (n < 20 || b[0] != 1 || !part(b, n, 4, false, &ret->owner) ||
        !part(b, n, 8, false, &ret->group) || !part(b, n, 12, true, &ret->sacl) ||
        !part(b, n, 16, true, &ret->dacl))
        return false;
    ret->control = sp_le16(b + 2);
    return (ret->control & SD_SELF_RELATIVE) != 0;
}

void
dbl_sd_build(const struct dbl_sd *sd, struct sp_buf *ret)
{
    const struct dbl_bytes *parts[] = {&sd->owner, &sd->group, &sd->sacl, &sd->dacl};
    static const int order[] = {2, 3, 0, 1}; /* as Windows lays them out */
    uint32_t at = 20, offsets[4] = {0};

    for (int i = 0; i < 4; i++)
        if (parts[order[i]]->p != NULL) {
            offsets[order[i]] = at;
            at += (uint32_t)parts[order[i]]->n;
        }
    sp_buf_reset(ret);
    sp_buf_put_u8(ret, 1);
    sp_buf_put_u8(ret, 0);
    sp_buf_put_u16(ret, sd->control | SD_SELF_RELATIVE);
    for (int i = 0; i < 4; i++)
        sp_buf_put_u32(ret, offsets[i]);
    for (int i = 0; i < 4; i++)
        if (parts[order[i]]->p != NULL)
            sp_buf_put(ret, parts[order[i]]->p, parts[order[i]]->n);
}

static void
put_ace(struct sp_buf *acl, const uint8_t *ace, uint8_t flags, const struct dbl_bytes *sid)
{
    uint32_t mask = sp_le32(ace + 4);

    /* Generic rights become a file's: winnt.h FILE_ALL_ACCESS and its kin. */
    mask |= (mask & 0x10000000u ? 0x1F01FFu : 0) | (mask & 0x80000000u ? 0x120089u : 0) |
            (mask & 0x40000000u ? 0x120116u : 0) | (mask & 0x20000000u ? 0x1200A0u : 0);
    if ((flags & ACE_IO) != 0)
        mask = sp_le32(ace + 4);
    else
        mask &= 0x0FFFFFFFu;
    sp_buf_put_u8(acl, ace[0]);
    sp_buf_put_u8(acl, flags);
    const size_t rest = sp_le16(ace + 2) - 8u;
    sp_buf_put_u16(acl, (uint16_t)(8 + (sid != NULL ? sid->n : rest)));
    sp_buf_put_u32(acl, mask);
    if (sid != NULL)
        sp_buf_put(acl, sid->p, sid->n);
    else
        sp_buf_put(acl, ace + 8, rest);
    acl->data[4]++; /* AceCount */
}

/* MS-DTYP 2.5.3.4.3 ContainsInheritableACEs and 2.5.3.4.4 ComputeInheritedACLfromParent. */
static void
inherit_ace(struct sp_buf *acl, const uint8_t *ace, bool folder, const struct dbl_sd *to)
{
    static const uint8_t creator[] = {1, 1, 0, 0, 0, 0, 0, 3};
    const uint8_t flags = ace[1], extra = flags & 0xC0; /* audit flags */
    const struct dbl_bytes *who = NULL;

    if (sp_le16(ace + 2) == 20 && memcmp(ace + 8, creator, 8) == 0 && sp_le32(ace + 16) < 2)
        who = sp_le32(ace + 16) == 0 ? &to->owner : &to->group;
    const bool generic = (sp_le32(ace + 4) & 0xF0000000u) != 0;
    const uint8_t on = (flags & ACE_NP) != 0 ? 0 : flags & (ACE_OI | ACE_CI);
    if (!folder) {
        if ((flags & ACE_OI) != 0)
            put_ace(acl, ace, ACE_INHERITED | extra, who);
    } else if ((flags & ACE_CI) != 0) {
        if (on != 0 && (who != NULL || generic)) { /* what holds here, and what is passed on */
            put_ace(acl, ace, ACE_INHERITED | extra, who);
            put_ace(acl, ace, (uint8_t)(on | ACE_IO | ACE_INHERITED | extra), NULL);
        } else {
            put_ace(acl, ace, (uint8_t)(on | ACE_INHERITED | extra), who);
        }
    } else if ((flags & ACE_OI) != 0 && on != 0) {
        put_ace(acl, ace, (uint8_t)(ACE_OI | ACE_IO | ACE_INHERITED | extra), NULL);
    }
}

static void
acl_begin(struct sp_buf *acl)
{
    sp_buf_reset(acl);
    sp_buf_put(acl, "\2\0\0\0\0\0\0", 8);
}

static void
acl_end(struct sp_buf *acl)
{
    acl->data[2] = (uint8_t)acl->len;
    acl->data[3] = (uint8_t)(acl->len >> 8);
}

/* The given one's own ACEs, then (unless it is protected) the parent's inheritable ones. */
static void
acl_new(struct sp_buf *acl, const struct dbl_bytes *given, bool protected_,
    const struct dbl_bytes *parent, bool folder, const struct dbl_sd *to)
{
    acl_begin(acl);
    for (size_t at = 8; given->p != NULL && at + 8 <= given->n; at += sp_le16(given->p + at + 2))
        if (protected_ || (given->p[at + 1] & ACE_INHERITED) == 0)
            put_ace(acl, given->p + at, given->p[at + 1], NULL);
    for (size_t at = 8; !protected_ && parent->p != NULL && at + 8 <= parent->n;
         at += sp_le16(parent->p + at + 2))
        inherit_ace(acl, parent->p + at, folder, to);
    acl_end(acl);
}

static const uint8_t sid_admins[] = {1, 2, 0, 0, 0, 0, 0, 5, 32, 0, 0, 0, 0x20, 2, 0, 0};
static const uint8_t sid_user[] = {1, 5, 0, 0, 0, 0, 0, 5, 21, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3,
    0, 0, 0, 0xE9, 3, 0, 0}; /* S-1-5-21-1-2-3-1001 */
static const uint8_t sid_group[] = {
    1, 5, 0, 0, 0, 0, 0, 5, 21, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 1, 2, 0, 0};

void
dbl_inherit(struct ntfs_double *d, unsigned may, const struct dbl_node *dir, bool folder,
    const void *given, size_t given_len, struct sp_buf *ret)
{
    struct dbl_sd parent = {0}, own = {0}, to = {0};
    struct sp_buf dacl = SP_BUF_INIT, sacl = SP_BUF_INIT, fallback = SP_BUF_INIT;

    (void)d;
    dbl_sd_parse(dir->security.data, dir->security.len, &parent);
    if (given != NULL)
        dbl_sd_parse(given, given_len, &own);
    to.owner = own.owner;
    to.group = own.group;
    if (to.owner.p == NULL) /* an elevated administrator's objects belong to the administrators */
        to.owner = (may & NTFS_MAY_RESTORE) != 0 ? (struct dbl_bytes){sid_admins, sizeof sid_admins}
                                                 : (struct dbl_bytes){sid_user, sizeof sid_user};
    if (to.group.p == NULL)
        to.group = (struct dbl_bytes){sid_group, sizeof sid_group};
    acl_new(&dacl, &own.dacl, (own.control & SD_DACL_PROTECTED) != 0, &parent.dacl, folder, &to);
    to.control = SD_DACL_PRESENT | SD_DACL_AUTO | (own.control & SD_DACL_PROTECTED);
    to.dacl = (struct dbl_bytes){dacl.data, dacl.len};
    if (own.dacl.p == NULL && dacl.data[4] == 0) { /* the token's default DACL */
        dbl_sddl_parse("D:(A;;FA;;;SY)(A;;FA;;;BA)", &fallback);
        struct dbl_sd by_default = {0};
        dbl_sd_parse(fallback.data, fallback.len, &by_default);
        to.dacl = by_default.dacl;
        to.control &= (uint16_t)~SD_DACL_AUTO;
    }
    if ((may & NTFS_MAY_SECURITY) == 0)
        own.sacl.p = NULL;
    acl_new(&sacl, &own.sacl, (own.control & SD_SACL_PROTECTED) != 0, &parent.sacl, folder, &to);
    if (sacl.data[4] > 0) {
        to.control |= SD_SACL_PRESENT | SD_SACL_AUTO | (own.control & SD_SACL_PROTECTED);
        to.sacl = (struct dbl_bytes){sacl.data, sacl.len};
    }
    dbl_sd_build(&to, ret);
    sp_buf_free(&dacl);
    sp_buf_free(&sacl);
    sp_buf_free(&fallback);
}

static bool
same_sid(const struct dbl_bytes *a, const uint8_t *b, size_t n)
{
    return a->n == n && memcmp(a->p, b, n) == 0;
}

int
dbl_security_set(
    struct dbl_node *n, unsigned may, const void *p, size_t len, bool owner, bool dacl, bool sacl)
{
    struct dbl_sd now, to;
    struct sp_buf old = SP_BUF_INIT;
    int os = 0;

    if (!dbl_sd_parse(p, len, &to))
        return W_BAD_SECURITY;
    sp_buf_put(&old, n->security.data, n->security.len);
    dbl_sd_parse(old.data, old.len, &now);
    if (sacl && (may & NTFS_MAY_SECURITY) == 0)
        os = W_NO_PRIVILEGE;
    /* learn.microsoft.com/en-us/windows/win32/secauthz/taking-object-ownership: oneself, a group of
     * one's own that may own, or with SeRestorePrivilege anybody. */
    if (owner && to.owner.p != NULL && (may & NTFS_MAY_RESTORE) == 0 &&
        !same_sid(&to.owner, sid_user, sizeof sid_user) &&
        !same_sid(&to.owner, now.owner.p != NULL ? now.owner.p : sid_user, now.owner.n))
        os = W_INVALID_OWNER;
    if (os == 0) {
        const uint16_t dbits =
            SD_DACL_PRESENT | SD_DACL_DEFAULTED | SD_DACL_AUTO | SD_DACL_PROTECTED;
        const uint16_t sbits =
            SD_SACL_PRESENT | SD_SACL_DEFAULTED | SD_SACL_AUTO | SD_SACL_PROTECTED;
        if (owner && to.owner.p != NULL)
            now.owner = to.owner;
        if (owner && to.group.p != NULL)
            now.group = to.group;
        if (dacl) {
            now.dacl = to.dacl;
            now.control = (uint16_t)((now.control & ~dbits) | (to.control & dbits));
        }
        if (sacl) {
            now.sacl = to.sacl;
            now.control = (uint16_t)((now.control & ~sbits) | (to.control & sbits));
        }
        dbl_sd_build(&now, &n->security);
    }
    sp_buf_free(&old);
    return os;
}

void
dbl_security_get(const struct dbl_node *n, bool sacl, struct sp_buf *ret)
{
    struct dbl_sd sd = {0};

    dbl_sd_parse(n->security.data, n->security.len, &sd);
    if (!sacl) {
        sd.sacl = (struct dbl_bytes){NULL, 0};
        sd.control &=
            (uint16_t) ~(SD_SACL_PRESENT | SD_SACL_DEFAULTED | SD_SACL_AUTO | SD_SACL_PROTECTED);
    }
    dbl_sd_build(&sd, ret);
}

void
dbl_security_root(struct sp_buf *ret)
{
    dbl_sddl_parse("O:BAG:SYD:PAI(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)(A;OICI;0x1200a9;;;BU)", ret);
}
