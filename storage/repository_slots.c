/* Key slots in a repository: see repository.h. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "storage/repository_impl.h"

/* Names collected before anything is read: a listing may hold the backend. */
struct names {
    char (*v)[128];
    size_t n, cap;
};

static enum sp_code
collect(void *arg, const char *object, uint64_t size, struct sp_err *e)
{
    struct names *l = arg;
    size_t len = strlen(object);

    if (size == 0 || len >= sizeof(l->v[0]))
        return SP_OK;
    if (l->n == l->cap) {
        size_t cap = l->cap == 0 ? 16 : l->cap * 2;
        char(*more)[128] = realloc(l->v, cap * sizeof(*more));

        if (more == NULL)
            return sp_fail_nomem(e);
        l->v = more;
        l->cap = cap;
    }
    memcpy(l->v[l->n++], object, len + 1);
    return SP_OK;
}

static int
by_name(const void *a, const void *b)
{
    return strcmp(a, b);
}

static enum sp_code
see_nothing(void *arg, const char *object, uint64_t size, struct sp_err *e)
{
    (void)arg;
    (void)object;
    (void)size;
    (void)e;
    return SP_OK;
}

/* Whoever named the object may have been killed before its barrier. What was listed is covered by
 * the next one. */
static enum sp_code
sync_there(struct sp_repository *r, const char *object, struct sp_err *e)
{
    char folder[96];
    enum sp_code rc;

    (void)snprintf(folder, sizeof(folder), "%.*s", (int)(strrchr(object, '/') - object), object);
    if ((rc = sp_backend_list(r->backend, folder, see_nothing, NULL, e)) != SP_OK)
        return rc;
    return sp_backend_sync(r->backend, e);
}

/* Create-only, but the same bytes being there is success. */
static enum sp_code
put_same(struct sp_repository *r, const char *object, const void *p, size_t n, struct sp_err *e)
{
    uint8_t *there = NULL;
    struct sp_err other = {0};
    size_t there_n;
    enum sp_code rc = sp_backend_put(r->backend, object, p, n, e);

    if (rc == SP_OK)
        return sp_backend_sync(r->backend, e);
    if (rc != SP_EXISTS ||
        sp_backend_get_all(r->backend, object, SP_SMALL_OBJECT, &there, &there_n, &other) != SP_OK)
        return rc;
    if (there_n == n && memcmp(there, p, n) == 0)
        rc = sync_there(r, object, e);
    free(there);
    return rc;
}

static void
slot_name(const uint8_t group[16], const uint8_t id[16], char to[96])
{
    (void)snprintf(to, 96, "keys/%.32s/%.32s", sp_hex16(group).s, sp_hex16(id).s);
}

static void
slots_changed(struct sp_repository *r)
{
    sp_along_drop(r);
    sp_mutex_lock(&r->lock);
    r->slots_gen++;
    sp_mutex_unlock(&r->lock);
}

enum sp_code
sp_repository_put_slot(struct sp_repository *r, const uint8_t *slot, size_t n, struct sp_err *e)
{
    struct sp_slot_info info;
    char object[96];
    enum sp_code rc;

    if ((rc = sp_repository_may_write(r, e)) != SP_OK)
        return rc;
    if (n > SP_SMALL_OBJECT)
        return sp_fail(e, SP_INVALID, SP_DOM_STORE, "a key slot of %zu bytes is too large", n);
    if ((rc = sp_slot_parse(slot, n, &info, e)) != SP_OK)
        return rc;
    slot_name(info.group, info.id, object);
    if ((rc = put_same(r, object, slot, n, e)) == SP_OK)
        slots_changed(r);
    return rc;
}

enum sp_code
sp_repository_slots(struct sp_repository *r, const uint8_t *group,
    enum sp_code (*each)(void *arg, const uint8_t *slot, size_t n, struct sp_err *e), void *arg,
    struct sp_err *e)
{
    struct names l = {NULL, 0, 0};
    struct sp_err why = {0}, unread = {0};
    char prefix[64] = "keys";
    uint8_t *slot;
    size_t i, n, given = 0;
    enum sp_code rc;

    if (group != NULL)
        (void)snprintf(prefix, sizeof(prefix), "keys/%.32s", sp_hex16(group).s);
    if (!sp_along_names(r, prefix, collect, &l, &rc, e))
        rc = sp_backend_list(r->backend, prefix, collect, &l, e);
    if (rc != SP_OK)
        goto out;
    if (l.n > 0)
        qsort(l.v, l.n, sizeof(l.v[0]), by_name);
    for (i = 0; i < l.n && rc == SP_OK; i++) {
        struct sp_slot_info info;
        char object[96];

        rc = sp_backend_get_all(r->backend, l.v[i], SP_SMALL_OBJECT, &slot, &n, &why);
        if (rc != SP_OK) {
            if (sp_store_fatal(rc)) {
                *e = why;
                continue;
            }
            if (rc != SP_ABSENT && rc != SP_CORRUPT)
                unread = why;
            rc = SP_OK; /* one bad slot does not hide the others (R11) */
            continue;
        }
        if (sp_slot_parse(slot, n, &info, &why) == SP_OK) {
            slot_name(info.group, info.id, object);
            if (strcmp(object, l.v[i]) == 0) {
                rc = each(arg, slot, n, e);
                given++;
            }
        }
        free(slot);
    }
    if (rc == SP_OK && given == 0 && unread.code != SP_OK) { /* not the same as none */
        *e = unread;
        rc = unread.code;
    }
out:
    free(l.v);
    return rc;
}

enum sp_code
sp_repository_remove_slot(
    struct sp_repository *r, const uint8_t group[16], const uint8_t id[16], struct sp_err *e)
{
    char object[96];
    enum sp_code rc;

    if ((rc = sp_repository_may_write(r, e)) != SP_OK)
        return rc;
    slot_name(group, id, object);
    if ((rc = sp_backend_remove(r->backend, object, e)) != SP_OK)
        return rc;
    slots_changed(r);
    return sp_backend_sync(r->backend, e);
}
