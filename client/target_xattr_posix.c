#include "client/target_impl_posix.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

/* Extended attributes, ACLs among them: exactly those of the entry, as far as the kinds go that a
 * backup takes. Labels that the system itself gives (security.selinux, …) are set when the entry
 * has them and never removed. */

#define SMALL 4096
#define LIST_MAX (64u << 10) /* XATTR_LIST_MAX of Linux */

/* --- the calls, for both kinds of handle
 * --------------------------------------------------------------- */

static ssize_t
list(const struct target_handle *h, char *to, size_t n)
{
    return h->path ? listxattr(h->proc, to, n) : flistxattr(h->fd, to, n);
}

static ssize_t
get(const struct target_handle *h, const char *name, void *to, size_t n)
{
    return h->path ? getxattr(h->proc, name, to, n) : fgetxattr(h->fd, name, to, n);
}

static int
set(const struct target_handle *h, const struct sp_attribute *a)
{
    return h->path ? setxattr(h->proc, a->name, a->value, a->len, 0)
                   : fsetxattr(h->fd, a->name, a->value, a->len, 0);
}

static int
drop(const struct target_handle *h, const char *name)
{
    return h->path ? removexattr(h->proc, name) : fremovexattr(h->fd, name);
}

/* --- the names that are there
 * -------------------------------------------------------------------------- */

struct names {
    char small[SMALL];
    char *bytes; /* small, or malloc'd */
    size_t n;
};

static void
names_clear(struct names *l)
{
    if (l->bytes != l->small)
        free(l->bytes);
}

/* Most objects have none or few: one call. A file system without them has none. */
static enum sp_code
names_read(const struct target_handle *h, struct names *l, struct sp_err *e)
{
    ssize_t n = list(h, l->small, sizeof l->small);

    l->bytes = l->small;
    if (n < 0 && errno == ERANGE) {
        char *p = malloc(LIST_MAX);

        if (p == NULL)
            return sp_fail_nomem(e);
        l->bytes = p;
        n = list(h, p, LIST_MAX);
    }
    if (n < 0 && errno != ENOTSUP) {
        int why = errno;

        names_clear(l);
        return sp_fail_os(e, SP_DOM_DESTINATION, why, "its extended attributes cannot be listed");
    }
    l->n = n < 0 ? 0 : (size_t)n;
    return SP_OK;
}

/* A view of the next name; NULL at the end. The kernel ends each in NUL. */
static const char *
names_next(const struct names *l, size_t *at)
{
    const char *name = l->bytes + *at;

    if (*at >= l->n)
        return NULL;
    *at += strlen(name) + 1;
    return name;
}

static bool
names_have(const struct names *l, const char *name)
{
    const char *other;
    size_t at = 0;

    while ((other = names_next(l, &at)) != NULL)
        if (strcmp(other, name) == 0)
            return true;
    return false;
}

static bool
starts(const char *s, const char *with)
{
    return strncmp(s, with, strlen(with)) == 0;
}

static bool
is_acl(const char *name)
{
    return starts(name, "system.posix_acl_");
}

/* What an object must not keep when the entry does not have it. */
static bool
is_ours(const char *name)
{
    return starts(name, "user.") || starts(name, "trusted.") || is_acl(name) ||
           strcmp(name, "security.capability") == 0;
}

static bool
entry_has(const struct sp_entry *en, const char *name)
{
    for (size_t i = 0; i < en->nattributes; i++)
        if (strcmp(en->attributes[i].name, name) == 0)
            return true;
    return false;
}

/* --- setting
 * ------------------------------------------------------------------------------------------- */

static enum target_kind
kind_of(const char *name)
{
    if (is_acl(name))
        return TARGET_ACL;
    if (starts(name, "user."))
        return TARGET_USER;
    if (starts(name, "trusted."))
        return TARGET_TRUSTED;
    return starts(name, "security.") ? TARGET_SECURITY : TARGET_SYSTEM;
}

static void
set_flaw(struct sp_err *flaw, int os_errno, const char *name, const char *what)
{
    if (flaw->code == SP_OK)
        (void)sp_fail_os(
            flaw, SP_DOM_DESTINATION, os_errno, "its attribute %.200s cannot be %s", name, what);
}

/* Whether the target's lack or a fault. ENOSPC does not mean that the target is full: ext4 has room
 * for one block of attributes a file. */
static void
failed(struct sp_target *t, const char *name, int why, struct sp_err *flaw)
{
    switch (why) {
    case ENOTSUP:
    case EPERM:
        target_unsupported(t, kind_of(name));
        break;
    case ENOSPC:
    case EDQUOT:
    case E2BIG:
    case ERANGE:
        target_unsupported(t, TARGET_SIZE);
        break;
    default:
        set_flaw(flaw, why, name, "set");
    }
}

static bool
holds(const struct target_handle *h, const struct sp_attribute *a, uint8_t **buffer)
{
    ssize_t n;

    if (*buffer == NULL && (*buffer = malloc(SP_TARGET_ATTRIBUTE_MAX)) == NULL)
        return false;
    n = get(h, a->name, *buffer, SP_TARGET_ATTRIBUTE_MAX);
    return n >= 0 && (size_t)n == a->len && (n == 0 || memcmp(*buffer, a->value, a->len) == 0);
}

static bool
set_one(struct sp_target *t, const struct target_handle *h, const struct sp_attribute *a,
    uint32_t *mode, struct sp_err *flaw)
{
    if (a->external || a->len > SP_TARGET_ATTRIBUTE_MAX) {
        target_unsupported(t, TARGET_SIZE);
        return false;
    }
    if (set(h, a) == 0)
        return true;
    /* user.* needs the right to write to the object, even with a handle of it. */
    if (errno == EACCES && (*mode & 0200) == 0) {
        *mode |= 0200;
        if ((h->path ? chmod(h->proc, *mode) : fchmod(h->fd, *mode)) == 0 && set(h, a) == 0)
            return true;
    }
    failed(t, a->name, errno, flaw);
    return false;
}

void
target_xattrs_set(struct sp_target *t, const struct target_handle *h, const struct sp_entry *en,
    uint32_t mode, bool *ret_changed, struct sp_err *flaw)
{
    struct names l;
    struct sp_err e = {0};
    uint8_t *buffer = NULL;
    const char *name;
    uint32_t lent = mode;
    size_t at = 0;

    if (names_read(h, &l, &e) != SP_OK) {
        if (flaw->code == SP_OK)
            *flaw = e;
        return;
    }
    while ((name = names_next(&l, &at)) != NULL) {
        if (!is_ours(name) || entry_has(en, name))
            continue;
        if (drop(h, name) == 0)
            *ret_changed = true;
        else if (errno != ENODATA && errno != ENOTSUP && errno != EPERM)
            set_flaw(flaw, errno, name, "removed");
    }
    for (size_t i = 0; i < en->nattributes; i++) {
        const struct sp_attribute *a = &en->attributes[i];

        if (names_have(&l, a->name) && holds(h, a, &buffer))
            continue;
        if (set_one(t, h, a, &lent, flaw))
            *ret_changed = true;
    }
    if (lent != mode)
        *ret_changed = true;
    free(buffer);
    names_clear(&l);
}

enum sp_code
target_xattrs_differ(
    const struct target_handle *h, const struct sp_entry *en, bool *ret, struct sp_err *e)
{
    struct names l;
    uint8_t *buffer = NULL;
    const char *name;
    bool differs = false;
    size_t at = 0;
    enum sp_code rc;

    if ((rc = names_read(h, &l, e)) != SP_OK)
        return rc;
    while (!differs && (name = names_next(&l, &at)) != NULL)
        differs = is_ours(name) && !entry_has(en, name);
    for (size_t i = 0; i < en->nattributes && !differs; i++)
        differs = !names_have(&l, en->attributes[i].name) || !holds(h, &en->attributes[i], &buffer);
    free(buffer);
    names_clear(&l);
    *ret = differs;
    return SP_OK;
}
