#include "client/target_impl_win32.h"

#include <string.h>

/* Security descriptors:
 * learn.microsoft.com/en-us/openspecs/windows_protocols/ms-dtyp/7d4dac05-9cef-4563-a058-f108abecce1d
 */

#define SE_DACL_PRESENT 0x0004u
#define SE_SACL_PRESENT 0x0010u
#define SE_OF_DACL (SE_DACL_PRESENT | 0x0400u | 0x1000u) /* and auto-inherited, protected */
#define SE_OF_SACL (SE_SACL_PRESENT | 0x0800u | 0x2000u)

enum { AT_OWNER = 4, AT_GROUP = 8, AT_SACL = 12, AT_DACL = 16 }; /* offsets in the descriptor */

/* D:P(A;;FA;;;SY)(A;;FA;;;BA)(A;;FA;;;OW): the owner is whoever makes it, and has its rights by
 * S-1-3-4 (OWNER RIGHTS), which needs no look at who that is. */
static const uint8_t private_descriptor[] = {1, 0, 0x04, 0x90, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    20, 0, 0, 0, /* the ACL: */ 2, 0, 72, 0, 3, 0, 0, 0,
    /* SYSTEM */ 0, 0, 20, 0, 0xFF, 0x01, 0x1F, 0, 1, 1, 0, 0, 0, 0, 0, 5, 18, 0, 0, 0,
    /* Administrators */ 0, 0, 24, 0, 0xFF, 0x01, 0x1F, 0, 1, 2, 0, 0, 0, 0, 0, 5, 32, 0, 0, 0,
    0x20, 2, 0, 0,
    /* the owner */ 0, 0, 20, 0, 0xFF, 0x01, 0x1F, 0, 1, 1, 0, 0, 0, 0, 0, 3, 4, 0, 0, 0};

const void *
target_private(const struct sp_target_dir *d, const struct sp_entry *en, size_t *ret_n)
{
    *ret_n = 0;
    if ((en->flags & SP_ENTRY_WINDOWS) == 0 || (d->flags & NTFS_FS_ACLS) == 0 ||
        sp_ntfs_find(en, WINDOWS_SECURITY) == NULL)
        return NULL;
    *ret_n = sizeof private_descriptor;
    return private_descriptor;
}

static const struct sp_attribute *
wanted(const struct sp_entry *en)
{
    const struct sp_attribute *a = sp_ntfs_find(en, WINDOWS_SECURITY);

    return (en->flags & SP_ENTRY_WINDOWS) != 0 && a != NULL && !a->external ? a : NULL;
}

static unsigned
control_of(const uint8_t *p)
{
    return sp_le16(p + 2);
}

/* --- setting
 * ------------------------------------------------------------------------------------------- */

static void
set_audit(struct sp_target_dir *d, struct sp_ntfs_handle *h, const struct sp_attribute *a,
    struct sp_err *flaw)
{
    const struct sp_ntfs *fs = d->t->fs;
    struct sp_err why = {0};
    enum sp_code rc = SP_DENIED;

    if ((d->t->may & NTFS_MAY_SECURITY) != 0)
        rc = fs->set_security(fs->self, h, a->value, a->len, false, false, true, &why);
    if (rc == SP_DENIED || rc == SP_UNSUPPORTED) {
        target_unsupported(d->t, TARGET_AUDIT);
    } else if (rc != SP_OK) {
        (void)target_fail(&why, "its list of what is audited cannot be set");
        target_flaw(flaw, &why);
    }
}

/* An owner that this user may not set must not cost the access control list. */
static void
set_access(struct sp_target_dir *d, struct sp_ntfs_handle *h, const struct sp_attribute *a,
    struct sp_err *flaw)
{
    const struct sp_ntfs *fs = d->t->fs;
    bool owner = sp_le32(a->value + AT_OWNER) != 0;
    struct sp_err why = {0};
    enum sp_code rc;

    rc = fs->set_security(fs->self, h, a->value, a->len, owner, true, false, &why);
    if (rc == SP_DENIED && owner) {
        target_unsupported(d->t, TARGET_OWNER);
        sp_err_clear(&why);
        rc = fs->set_security(fs->self, h, a->value, a->len, false, true, false, &why);
    }
    if (rc == SP_UNSUPPORTED) {
        target_unsupported(d->t, TARGET_SECURITY);
    } else if (rc != SP_OK) {
        (void)target_fail(&why, "its access control list cannot be set");
        target_flaw(flaw, &why);
    }
}

void
target_security_set(struct sp_target_dir *d, struct sp_ntfs_handle *h, const struct sp_entry *en,
    struct sp_err *flaw)
{
    const struct sp_attribute *a = wanted(en);
    struct sp_err why = {0};

    if (a == NULL)
        return;
    if ((d->flags & NTFS_FS_ACLS) == 0) {
        target_unsupported(d->t, TARGET_SECURITY);
        return;
    }
    if (!sp_ntfs_security_ok(a->value, a->len)) {
        (void)sp_fail(&why, SP_CORRUPT, SP_DOM_STORE, "its security descriptor makes no sense");
        target_flaw(flaw, &why);
        return;
    }
    set_access(d, h, a, flaw);
    if ((control_of(a->value) & SE_SACL_PRESENT) != 0)
        set_audit(d, h, a, flaw);
}

/* --- comparing
 * ----------------------------------------------------------------------------------------- */

/* A SID or ACL inside a descriptor that was found well-formed; n 0: it has none. */
static const uint8_t *
piece(const uint8_t *p, unsigned at, size_t *ret_n)
{
    uint32_t offset = sp_le32(p + at);

    *ret_n = 0;
    if (offset == 0)
        return NULL;
    p += offset;
    *ret_n = at == AT_OWNER || at == AT_GROUP ? 8 + 4 * (size_t)p[1] : sp_le16(p + 2);
    return p;
}

static bool
same_piece(const uint8_t *a, const uint8_t *b, unsigned at)
{
    size_t an, bn;
    const uint8_t *ap = piece(a, at, &an), *bp = piece(b, at, &bn);

    return an == bn && (an == 0 || memcmp(ap, bp, an) == 0);
}

/* What this user cannot set anyway does not count. */
static bool
same(const struct sp_target *t, const uint8_t *want, const uint8_t *has)
{
    unsigned differ = control_of(want) ^ control_of(has);

    if ((differ & SE_OF_DACL) != 0 || !same_piece(want, has, AT_DACL))
        return false;
    if ((t->may & NTFS_MAY_RESTORE) != 0 &&
        (!same_piece(want, has, AT_OWNER) || !same_piece(want, has, AT_GROUP)))
        return false;
    if ((t->may & NTFS_MAY_SECURITY) == 0 || (control_of(want) & SE_SACL_PRESENT) == 0)
        return true;
    return (differ & SE_OF_SACL) == 0 && same_piece(want, has, AT_SACL);
}

enum sp_code
target_security_differs(struct sp_target_dir *d, struct sp_ntfs_handle *h,
    const struct sp_entry *en, bool *ret, struct sp_err *e)
{
    const struct sp_attribute *a = wanted(en);
    struct sp_buf has = SP_BUF_INIT;
    enum sp_code rc;

    *ret = false;
    if (a == NULL || (d->flags & NTFS_FS_ACLS) == 0 || !sp_ntfs_security_ok(a->value, a->len))
        return SP_OK;
    if ((rc = d->t->fs->security(d->t->fs->self, h, &has, e)) != SP_OK)
        (void)target_fail(e, "its security descriptor cannot be read");
    else
        *ret = !sp_ntfs_security_ok(has.data, has.len) || !same(d->t, a->value, has.data);
    sp_buf_free(&has);
    return rc;
}
