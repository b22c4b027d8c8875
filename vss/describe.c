#include "vss/describe.h"

#include <stdlib.h>
#include <string.h>

#include "base/fold.h"
#include "base/text.h"
#include "base/text.h"

enum style {
    PLAIN,        /* the caption, or the name */
    METHOD,       /* Hyper-V: "method\name" in the caption */
    LOGICAL_PATH, /* SQL Server: instance and database */
    BELOW         /* Exchange: behind the store that it belongs to */
};

/* Usage and flags: learn.microsoft.com/windows/win32/api/vss/ne-vss-vss_usage_type,
 * learn.microsoft.com/windows/win32/api/vswriter/ne-vswriter-vss_component_flags. */
enum { BOOTABLE_SYSTEM_STATE = 1, SYSTEM_SERVICE = 2, NOT_SYSTEM_STATE = 4 };

static const struct known {
    const char *class_id;
    enum sp_unit_kind kind;
    enum style style;
    const char *source;
} writers[] = {
    {"66841cd4-6ded-4f4b-8f17-fd23f8ddc3de", SP_UNIT_VM, METHOD,
        "learn.microsoft.com/windows/win32/hyperv_v2/"
        "backing-up-and-restoring-virtual-machines"},
    {"a65faa63-5ea8-4ebc-9dbd-a0c4db26912a", SP_UNIT_DATABASE, LOGICAL_PATH,
        "learn.microsoft.com/sql/relational-databases/backup-restore/"
        "sql-server-vss-writer-backup-guide"},
    {"f8544ac1-0611-4fa5-b04b-f7ee00b03277", SP_UNIT_DATABASE, LOGICAL_PATH, /* MSDE, until 2005 */
        "learn.microsoft.com/windows/win32/vss/in-box-vss-writers"},
    {"76fe1ac4-15f7-4bcd-987e-8e1acb462fb7", SP_UNIT_MAILBOXES, BELOW,
        "learn.microsoft.com/exchange/client-developer/backup-restore/"
        "exchange-writer-in-exchange-2013"},
    {"e8132975-6f93-4464-a53e-1050253ae220", SP_UNIT_SYSTEM, PLAIN,
        "learn.microsoft.com/windows/win32/vss/in-box-vss-writers"},
    {"be000cbe-11fe-4426-9c58-531aa6355fc4", SP_UNIT_SYSTEM, PLAIN,
        "learn.microsoft.com/windows/win32/vss/in-box-vss-writers"},
};

/* How Hyper-V begins a caption: the first two until 2012, the others since 2012 R2; what the
 * methods do is on the pages. Captions may be localised
 * (learn.microsoft.com/windows/win32/api/vswriter/
 * nf-vswriter-ivsscreatewritermetadata-addcomponent): a method in other words is told as it came,
 * and not believed to have asked anything inside the VM. */
static const struct method {
    const char *caption, *name;
    enum sp_level cap;
    const char *source;
} methods[] = {
    {"Backup Using Child Partition Snapshot", "Child Partition Snapshot", SP_LEVEL_APPLICATION,
        "learn.microsoft.com/previous-versions/windows/desktop/virtual/"
        "backing-up-and-restoring-virtual-machines"},
    {"Backup Using Saved State", "Saved State", SP_LEVEL_CRASH,
        "learn.microsoft.com/previous-versions/windows/desktop/virtual/"
        "backing-up-and-restoring-virtual-machines"},
    {"Online", "Online", SP_LEVEL_APPLICATION,
        "learn.microsoft.com/windows/win32/hyperv_v2/"
        "backing-up-and-restoring-virtual-machines"},
    {"Offline", "Offline", SP_LEVEL_CRASH,
        "learn.microsoft.com/windows/win32/hyperv_v2/"
        "backing-up-and-restoring-virtual-machines"},
};

/* What Hyper-V's writer gives beside VMs, by component name: until 2012, and since. */
static const char *const hosts[] = {"Initial Store", "Host Component"};

static bool
equal(const char *a, const char *b)
{
    return sp_fold_equal(a, strlen(a), b, strlen(b));
}

static bool
equal_n(const char *a, size_t n, const char *b)
{
    return sp_fold_equal(a, n, b, strlen(b));
}

bool
sp_vss_is_hyper_v(const char *class_id)
{
    return equal(class_id, writers[0].class_id);
}

enum sp_level
sp_vss_method_cap(const char *method)
{
    for (size_t i = 0; method != NULL && i < sizeof methods / sizeof methods[0]; i++)
        if (equal(method, methods[i].name))
            return methods[i].cap;
    return method == NULL || *method == '\0' ? SP_LEVEL_APPLICATION : SP_LEVEL_CRASH;
}

static const struct known *
find_writer(const char *class_id)
{
    for (size_t i = 0; i < sizeof writers / sizeof writers[0]; i++)
        if (equal(class_id, writers[i].class_id))
            return &writers[i];
    return NULL;
}

static const char *
label(const struct sp_vss_writer *w, const struct sp_vss_component *c)
{
    return c->caption[0] != '\0' ? c->caption : c->name[0] != '\0' ? c->name : w->name;
}

static char *
join(const char *a, const char *b)
{
    size_t an = strlen(a), bn = strlen(b);
    char *to = malloc(an + bn + 2);

    if (to != NULL) {
        memcpy(to, a, an);
        to[an] = '/';
        memcpy(to + an + 1, b, bn + 1);
    }
    return to;
}

/* A VM's name may hold backslashes and may be a method's: only what stands before the first one is
 * the method, also in words that are not in the table. */
static enum sp_code
hyper_v(const struct sp_vss_writer *w, const struct sp_vss_component *c, struct sp_unit *u,
    struct sp_err *e)
{
    const char *caption = label(w, c);
    size_t n = strcspn(caption, "\\");

    for (size_t i = 0; i < sizeof hosts / sizeof hosts[0]; i++) {
        if (equal(c->name, hosts[i])) {
            u->kind = SP_UNIT_HOST;
            n = strlen(caption);
        }
    }
    if (n > 0 && caption[n] == '\\' && caption[n + 1] != '\0') {
        u->method = sp_text_copy(caption, n);
        for (size_t i = 0; u->method != NULL && i < sizeof methods / sizeof methods[0]; i++) {
            if (equal_n(caption, n, methods[i].caption)) {
                free(u->method);
                u->method = strdup(methods[i].name);
            }
        }
        if (u->method == NULL)
            return sp_fail_nomem(e);
        caption += n + 1;
    } else if (u->kind == SP_UNIT_VM && (u->method = strdup("unknown")) == NULL) {
        return sp_fail_nomem(e);
    }
    u->name = strdup(caption);
    return u->name != NULL ? SP_OK : sp_fail_nomem(e);
}

/* `c` lies below `up` in the tree of logical paths; how long the path down to `up` is, 0: it does
 * not. */
static size_t
depth_below(const struct sp_vss_component *c, const struct sp_vss_component *up)
{
    size_t n = strlen(up->logical_path), m = strlen(up->name);
    const char *p = c->logical_path;

    if (m == 0 || strncmp(p, up->logical_path, n) != 0)
        return 0;
    p += n;
    if (n > 0 && *p++ != '\\')
        return 0;
    if (strncmp(p, up->name, m) != 0 || (p[m] != '\0' && p[m] != '\\'))
        return 0;
    return n + m + 1;
}

/* "File" and "Logs" of Exchange say nothing without the store, which is what can be selected. */
static char *
below(const struct sp_vss_writer *w, const struct sp_vss_component *c)
{
    const struct sp_vss_component *up = NULL;
    size_t best = 0;

    for (size_t i = 0; i < w->ncomponents && c->logical_path[0] != '\0'; i++) {
        size_t depth = w->components[i].selectable ? depth_below(c, &w->components[i]) : 0;

        if (depth > best) {
            best = depth;
            up = &w->components[i];
        }
    }
    return up != NULL ? join(label(w, up), label(w, c)) : strdup(label(w, c));
}

enum sp_code
sp_vss_describe(const struct sp_vss_writer *w, const struct sp_vss_component *c,
    struct sp_unit *ret, struct sp_err *e)
{
    const struct known *k = find_writer(w->class_id);
    struct sp_unit u = {.kind = k != NULL ? k->kind : SP_UNIT_OTHER};
    enum style style = k != NULL ? k->style : PLAIN;
    enum sp_code rc = SP_OK;

    /* learn.microsoft.com/windows/win32/vss/locating-additional-system-files: all components of
     * writers with one of two usages, but for those that say no themselves. */
    if (k == NULL && (w->usage == BOOTABLE_SYSTEM_STATE || w->usage == SYSTEM_SERVICE))
        u.kind = SP_UNIT_SYSTEM;
    if (u.kind == SP_UNIT_SYSTEM && (c->flags & NOT_SYSTEM_STATE) != 0)
        u.kind = SP_UNIT_OTHER;
    if (style == METHOD)
        rc = hyper_v(w, c, &u, e);
    else if (style == LOGICAL_PATH && c->logical_path[0] != '\0')
        u.name = join(c->logical_path, c->name);
    else
        u.name = style == BELOW ? below(w, c) : strdup(label(w, c));
    if (rc == SP_OK && u.name == NULL)
        rc = sp_fail_nomem(e);
    if (rc == SP_OK)
        *ret = u;
    else
        sp_unit_clear(&u);
    return rc;
}

void
sp_unit_clear(struct sp_unit *u)
{
    free(u->name);
    free(u->method);
    *u = (struct sp_unit){0};
}
