/* What an entry has beside stat data: see source.h.
 *
 * The object is opened as a place only (O_PATH), so that type, owner, link target and attributes
 * are those of one and the same object, whatever its kind, and nothing is set off by it. Attributes
 * have no calls that take such a descriptor (before Linux 6.13): they go by its name in /proc,
 * which leads to the object itself, a link too; without /proc what can be opened for reading is.
 *
 * mode, owner and links are taken anew here, as they belong to the ACL; size, times and file id
 * stay what the walk or the reading saw. When they are older than the rest, the next run sees that
 * they differ.
 *
 * What ntfs-3g shows is described by ntfs3g_linux.h instead: owner, mode and ACL are there made
 * from the security descriptor, which is what is kept. */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/buf.h"
#include "client/dir_posix.h"
#include "client/item.h"
#include "client/ntfs3g_linux.h"
#include "client/owner_posix.h"
#include "client/stat_posix.h"

#define TRIES 5 /* at something that grows while it is asked for */
#define MOST_LIST                                                                                  \
    ((size_t)64 << 10)                 /* XATTR_LIST_MAX; values have the same limit in the kernel \
                                        */
#define MOST_VALUES ((size_t)16 << 20) /* of one object */
#define MOST_TARGET ((size_t)64 << 10)

struct attribute { /* offsets: the buffers move while they grow */
    size_t name, value, len;
};

struct description {
    struct sp_item *it;
    struct sp_owners *owners;
    struct statx st;
    char proc[32]; /* the object's name in /proc; "" when `open` is to be used */
    int open;      /* -1, or the object opened for reading */
    struct sp_buf target, names, values;
    struct attribute *attributes;
    size_t nattributes, attributes_cap;
    char user[SP_OWNER_MOST], group[SP_OWNER_MOST];
    bool windows; /* with these times and long streams, and no owner */
    struct sp_ntfs3g_kind kind;
    int64_t times[4];
    uint64_t extra;
};

static enum sp_code
fault(struct description *d, int why, const char *what, const char *name, struct sp_err *e)
{
    struct sp_err text = {0};

    (void)sp_fail_os(&text, sp_source_domain(why), why, "%s%s cannot be read", what, name);
    if (text.domain == SP_DOM_SELF) {
        *e = text;
        return text.code;
    }
    return sp_item_set_fault(
        d->it, d->it->entry->key, d->it->entry->key_len, SP_FAULT_ATTRIBUTES, text.text, e);
}

/* --- attributes ----------------------------------------------------------------------------------
 */

static ssize_t
list_names(const struct description *d, char *to, size_t n)
{
    return d->open >= 0 ? flistxattr(d->open, to, n) : listxattr(d->proc, to, n);
}

static ssize_t
get_value(const struct description *d, const char *name, void *to, size_t n)
{
    return d->open >= 0 ? fgetxattr(d->open, name, to, n) : getxattr(d->proc, name, to, n);
}

/* The name in /proc leads nowhere when /proc is not mounted. */
static bool
lacks_proc(const struct description *d, int why)
{
    return d->open < 0 && (why == ENOENT || why == ENOTDIR || why == EACCES) &&
           access("/proc/self/fd", X_OK) != 0;
}

/* Names, NUL-terminated, into d->names. *ret_why: errno when they cannot be had. */
static enum sp_code
read_names(struct description *d, int *ret_why, struct sp_err *e)
{
    size_t room = 512;

    *ret_why = ERANGE;
    for (int tries = 0; tries < TRIES && room <= MOST_LIST; tries++) {
        ssize_t n;

        sp_buf_reset(&d->names);
        if (!sp_buf_reserve(&d->names, room))
            return sp_fail_nomem(e);
        if ((n = list_names(d, (char *)d->names.data, room)) >= 0) {
            d->names.len = (size_t)n;
            *ret_why = 0;
            return SP_OK;
        }
        if (errno != ERANGE) {
            *ret_why = errno;
            return SP_OK;
        }
        if ((n = list_names(d, NULL, 0)) < 0) {
            *ret_why = errno;
            return SP_OK;
        }
        room = (size_t)n + 256 < MOST_LIST ? (size_t)n + 256 : MOST_LIST;
    }
    return SP_OK;
}

static enum sp_code
add_attribute(struct description *d, size_t name, size_t value, size_t len, struct sp_err *e)
{
    if (d->nattributes == d->attributes_cap) {
        size_t cap = d->attributes_cap == 0 ? 8 : 2 * d->attributes_cap;
        struct attribute *more = realloc(d->attributes, cap * sizeof *more);

        if (more == NULL)
            return sp_fail_nomem(e);
        d->attributes = more;
        d->attributes_cap = cap;
    }
    d->attributes[d->nattributes++] = (struct attribute){name, value, len};
    return SP_OK;
}

static enum sp_code
read_value(struct description *d, size_t name_at, struct sp_err *e)
{
    const char *name = (const char *)d->names.data + name_at;
    size_t room = 256, start = d->values.len;
    ssize_t n = -1;

    for (int tries = 0; tries < TRIES; tries++) {
        if (start + room > MOST_VALUES)
            return fault(d, E2BIG, "attribute ", name, e);
        if (!sp_buf_reserve(&d->values, room))
            return sp_fail_nomem(e);
        n = get_value(d, name, d->values.data + start, room);
        if (n >= 0 || errno != ERANGE)
            break;
        if ((n = get_value(d, name, NULL, 0)) < 0)
            break;
        room = (size_t)n + 64;
        n = -1;
        errno = ERANGE;
    }
    if (n < 0 && errno == ENODATA) /* removed since the names were read */
        return SP_OK;
    if (n < 0)
        return fault(d, errno, "attribute ", name, e);
    d->values.len = start + (size_t)n;
    return add_attribute(d, name_at, start, (size_t)n, e);
}

/* For want of /proc. What is no file and no folder would have to be left alone. */
static bool
open_instead(struct description *d, int dir)
{
    enum sp_entry_type type = sp_stat_type(&d->st);
    struct statx st;

    if (type != SP_ENTRY_FILE && type != SP_ENTRY_DIR)
        return false;
    d->open = sp_source_openat(dir, d->it->name, O_RDONLY | O_NONBLOCK);
    return d->open >= 0 && sp_source_stat(d->open, "", &st) == 0 && st.stx_ino == d->st.stx_ino &&
           sp_stat_device(&st) == sp_stat_device(&d->st);
}

static enum sp_code
read_attributes(struct description *d, int dir, struct sp_err *e)
{
    int why;
    enum sp_code rc;

    if ((rc = read_names(d, &why, e)) != SP_OK)
        return rc;
    if (why != 0 && lacks_proc(d, why) && open_instead(d, dir) &&
        (rc = read_names(d, &why, e)) != SP_OK)
        return rc;
    if (why == ENOTSUP || why == ENOSYS)
        return SP_OK; /* a file system without any */
    if (why != 0)
        return fault(d, why, "the list of attributes", "", e);
    for (size_t at = 0; rc == SP_OK && at < d->names.len;) {
        const void *nul = memchr(d->names.data + at, 0, d->names.len - at);
        size_t n;

        if (nul == NULL)
            break;
        n = (size_t)((const uint8_t *)nul - (d->names.data + at));
        if (n > 0)
            rc = read_value(d, at, e);
        at += n + 1;
    }
    return rc;
}

/* --- the rest ------------------------------------------------------------------------------------
 */

static enum sp_code
read_target(struct description *d, int fd, struct sp_err *e)
{
    size_t room =
        d->st.stx_size > 0 && d->st.stx_size < MOST_TARGET ? (size_t)d->st.stx_size + 1 : 256;

    for (;;) {
        ssize_t n;

        if (!sp_buf_reserve(&d->target, room))
            return sp_fail_nomem(e);
        if ((n = readlinkat(fd, "", (char *)d->target.data, room)) < 0)
            return fault(d, errno, "the target of the link", "", e);
        if ((size_t)n < room) {
            d->target.len = (size_t)n;
            return SP_OK;
        }
        /* Exactly full: perhaps cut. */
        if ((room *= 2) > MOST_TARGET)
            return fault(d, ENAMETOOLONG, "the target of the link", "", e);
    }
}

/* What Windows keeps, moved into this description. */
static enum sp_code
take_seen(struct description *d, struct sp_ntfs3g_seen *s, struct sp_err *e)
{
    enum sp_code rc = SP_OK;

    for (size_t i = 0; i < s->n && rc == SP_OK; i++) {
        size_t name = d->names.len, value = d->values.len;

        sp_buf_put(&d->names, s->bytes.data + s->v[i].name, s->v[i].at - s->v[i].name);
        sp_buf_put(&d->values, s->bytes.data + s->v[i].at, s->v[i].len);
        rc = add_attribute(d, name, value, s->v[i].len, e);
    }
    sp_buf_put(&d->target, s->target.data, s->target.len);
    if (rc == SP_OK && (d->names.failed || d->values.failed || d->target.failed))
        rc = sp_fail_nomem(e);
    memcpy(d->times, s->times, sizeof(d->times));
    d->extra = s->extra;
    if (rc == SP_OK && s->problem.len > 0)
        rc = sp_item_set_fault(d->it, d->it->entry->key, d->it->entry->key_len, SP_FAULT_ATTRIBUTES,
            sp_buf_str(&s->problem), e);
    return rc;
}

static enum sp_code
look_at_ntfs(struct description *d, const struct sp_ntfs3g_object *o, struct sp_err *e)
{
    struct sp_ntfs3g_seen s = {0};
    enum sp_code rc;

    d->windows = true;
    rc = sp_ntfs3g_read(o, &d->kind, &s, e);
    if (rc == SP_OK)
        rc = take_seen(d, &s, e);
    if (rc == SP_OK && d->kind.type == SP_ENTRY_LINK && d->target.len == 0 && d->kind.tag == 0)
        rc = read_target(d, o->fd, e); /* of Interix */
    sp_ntfs3g_seen_free(&s);
    return rc;
}

/* Everything of one object, by a descriptor that is only a place; d->st is known. */
static enum sp_code
look_at(struct description *d, int dir, int fd, struct sp_err *e)
{
    enum sp_code rc = SP_OK;

    sp_owner_name(d->owners, false, d->st.stx_uid, d->user);
    sp_owner_name(d->owners, true, d->st.stx_gid, d->group);
    if (d->it->entry->type == SP_ENTRY_LINK)
        rc = read_target(d, fd, e);
    if (rc != SP_OK)
        return rc;
    (void)snprintf(d->proc, sizeof d->proc, "/proc/self/fd/%d", fd);
    return read_attributes(d, dir, e);
}

static int
compare_names(const void *a, const void *b)
{
    const struct sp_attribute *x = a, *y = b;

    return strcmp(x->name, y->name);
}

static uint8_t *
put(uint8_t *to, const void *p, size_t n)
{
    if (n > 0)
        memcpy(to, p, n);
    return to + n;
}

/* A short name that is not just the name: one more link to ntfs-3g. */
static bool
has_second_name(const struct description *d, const struct sp_entry *en)
{
    const struct sp_attribute *a = sp_ntfs_find(en, WINDOWS_SHORT_NAME);

    return a != NULL && (a->len != strlen(d->it->name) ||
                            strncasecmp((const char *)a->value, d->it->name, a->len) != 0);
}

/* What the walk saw stays, but for what is finer or not in stat; ntfs-3g counts the short name as
 * one more link. */
static void
make_windows(const struct description *d, struct sp_entry *en)
{
    en->flags |= SP_ENTRY_WINDOWS;
    en->mode = en->uid = en->gid = 0;
    en->extra = d->extra;
    if (d->times[1] != 0 || d->times[3] != 0) /* they could be read */
        sp_ntfs3g_set_times(en, d->times);
    if (en->links > 1 && has_second_name(d, en))
        en->links--;
}

/* One allocation: the entry, its attributes, then all bytes. */
static enum sp_code
fill(struct description *d, struct sp_err *e)
{
    const struct sp_entry *old = d->it->entry;
    size_t user = strlen(d->user) + 1, group = strlen(d->group) + 1;
    size_t table = d->nattributes * sizeof(struct sp_attribute);
    struct sp_attribute *attributes;
    struct sp_entry *en, now;
    uint8_t *p;

    en = malloc(sizeof *en + table + old->key_len + user + group + d->target.len + d->names.len +
                d->values.len + 1);
    if (en == NULL)
        return sp_fail_nomem(e);
    *en = *old;
    attributes = (struct sp_attribute *)(en + 1);
    p = (uint8_t *)(attributes + d->nattributes);
    en->key = p;
    p = put(p, old->key, old->key_len);
    en->user = (const char *)p;
    p = put(p, d->user, user);
    en->group = (const char *)p;
    p = put(p, d->group, group);
    en->target = p;
    en->target_len = d->target.len;
    p = put(p, d->target.data, d->target.len);
    for (size_t i = 0; i < d->nattributes; i++)
        attributes[i] = (struct sp_attribute){.name = (const char *)p + d->attributes[i].name,
            .value = p + d->names.len + d->attributes[i].value,
            .len = d->attributes[i].len};
    p = put(p, d->names.data, d->names.len);
    (void)put(p, d->values.data, d->values.len);
    if (d->nattributes > 0)
        qsort(attributes, d->nattributes, sizeof *attributes, compare_names);
    en->attributes = attributes;
    en->nattributes = d->nattributes;
    now = *en;
    sp_stat_fill(&now, &d->st);
    en->mode = now.mode;
    en->uid = now.uid;
    en->gid = now.gid;
    en->links = now.links;
    en->rdev = now.rdev;
    if (d->windows)
        make_windows(d, en);
    free(d->it->entry);
    d->it->entry = en;
    return SP_OK;
}

/* A folder stays an entry, because what was in it may already be one; its next run looks again. */
static enum sp_code
vanished(struct sp_item *it, const char *why, struct sp_err *e)
{
    if (it->entry->type != SP_ENTRY_DIR)
        return sp_fail(e, SP_ABSENT, SP_DOM_SOURCE, "%s", why);
    it->entry->flags |= SP_ENTRY_RECHECK;
    return SP_OK;
}

/* The walk has asked the object itself already. */
enum sp_code
sp_item_refresh(struct sp_item *it, struct sp_err *e)
{
    (void)it;
    (void)e;
    return SP_OK;
}

/* A file system is known by its folder, but where it begins. */
static unsigned
traits_of(const struct description *d, int fd)
{
    const struct sp_dir_known *up = sp_dir_known(d->it->dir);

    return up->device == sp_stat_device(&d->st) ? up->traits : sp_ntfs3g_of(fd);
}

static enum sp_code
describe(struct description *d, int dir, int fd, struct sp_err *e)
{
    struct sp_item *it = d->it;
    struct sp_ntfs3g_object o = {
        .fd = fd, .dir = dir, .name = it->name, .traits = traits_of(d, fd)};
    bool ntfs = (o.traits & SP_NTFS3G) != 0;
    enum sp_code rc;
    int why;

    if (sp_dir_known(it->dir)->device != sp_stat_device(&d->st)) { /* it begins here */
        o.dir = fd;
        o.name = ".";
    }
    d->kind.type = sp_stat_type(&d->st);
    if (ntfs && (why = sp_ntfs3g_kind(&o, d->kind.type, &d->kind)) != 0)
        return why == ENOENT ? vanished(it, "it vanished", e)
                             : fault(d, why, "its attributes", "", e);
    if (d->kind.type != it->entry->type)
        return vanished(it, "it vanished: something else is in its place", e);
    rc = ntfs ? look_at_ntfs(d, &o, e) : look_at(d, dir, fd, e);
    return rc == SP_OK ? fill(d, e) : rc;
}

enum sp_code
sp_item_describe(struct sp_item *it, struct sp_err *e)
{
    struct description d = {.it = it, .open = -1};
    struct sp_err why = {0};
    union sp_dir_at dir;
    int fd = -1;
    enum sp_code rc;

    if (it->entry->type == 0 || it->dir == NULL)
        return SP_OK;
    d.owners = sp_dirs_owners(sp_dir_pool(it->dir));
    if ((rc = sp_dir_use(it->dir, &dir, &why)) != SP_OK) {
        if (rc == SP_ABSENT)
            return vanished(it, "its folder vanished", e);
        if (why.domain == SP_DOM_SELF) {
            *e = why;
            return rc;
        }
        return sp_item_set_fault(
            it, it->entry->key, it->entry->key_len, SP_FAULT_ATTRIBUTES, why.text, e);
    }
    if ((fd = sp_source_openat(dir.fd, it->name, O_PATH)) < 0 || sp_source_stat(fd, "", &d.st) != 0)
        rc = errno == ENOENT ? vanished(it, "it vanished", e) : fault(&d, errno, "it", "", e);
    else
        rc = describe(&d, dir.fd, fd, e);
    if (fd >= 0)
        (void)close(fd);
    if (d.open >= 0)
        (void)close(d.open);
    sp_dir_unuse(it->dir);
    sp_buf_free(&d.target);
    sp_buf_free(&d.names);
    sp_buf_free(&d.values);
    free(d.attributes);
    return rc;
}
