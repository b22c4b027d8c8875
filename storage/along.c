/* What is listed together with the packs of a store far away, because it is asked for next: the
 * records of one host, and the names of the hosts' records and key slots. See repository_impl.h. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "storage/repository_impl.h"

#define LATELY (10 * SP_SECOND)

size_t
sp_along_prefixes(struct sp_repository *r, struct sp_along *a, bool slots, const char *to[3])
{
    size_t n = 0;

    sp_mutex_lock(&r->lock);
    a->has_host = r->along.has_host;
    memcpy(a->host, r->along.host, sizeof(a->host));
    sp_mutex_unlock(&r->lock);
    to[n++] = "hosts";
    a->has_hosts = true;
    if (slots)
        to[n++] = "keys";
    a->has_slots = slots;
    if (!a->has_host)
        return n;
    (void)snprintf(a->folder, sizeof(a->folder), "sets/%.32s", sp_hex16(a->host).s);
    a->has_records = true;
    to[n++] = a->folder;
    return n;
}

enum sp_code
sp_along_see(
    struct sp_along *a, const char *object, uint64_t size, bool *ret_ours, struct sp_err *e)
{
    *ret_ours = true;
    if (strncmp(object, "sets/", 5) == 0)
        return sp_records_see(&a->records, object, size, e);
    *ret_ours = strncmp(object, "hosts/", 6) == 0 || strncmp(object, "keys/", 5) == 0;
    if (!*ret_ours || strlen(object) >= sizeof(a->hosts[0].object))
        return SP_OK;
    if (a->nhosts == a->hosts_cap) {
        size_t cap = a->hosts_cap == 0 ? 16 : a->hosts_cap * 2;
        struct sp_host_object *more = realloc(a->hosts, cap * sizeof(*more));

        if (more == NULL)
            return sp_fail_nomem(e);
        a->hosts = more;
        a->hosts_cap = cap;
    }
    (void)snprintf(a->hosts[a->nhosts].object, sizeof(a->hosts[0].object), "%s", object);
    a->hosts[a->nhosts++].size = size;
    return SP_OK;
}

void
sp_along_clear(struct sp_along *a)
{
    sp_records_free(&a->records);
    free(a->hosts);
    a->hosts = NULL;
    a->nhosts = a->hosts_cap = 0;
    a->has_records = a->has_hosts = a->has_slots = false;
}

void
sp_along_keep(struct sp_repository *r, struct sp_along *fresh)
{
    struct sp_along old;

    fresh->at_ns = sp_clock_mono(r->env->clock);
    sp_mutex_lock(&r->lock);
    old = r->along;
    r->along = *fresh;
    sp_mutex_unlock(&r->lock);
    sp_along_clear(&old);
    memset(fresh, 0, sizeof(*fresh));
}

void
sp_along_drop(struct sp_repository *r)
{
    sp_mutex_lock(&r->lock);
    sp_along_clear(&r->along);
    sp_mutex_unlock(&r->lock);
}

void
sp_along_host(struct sp_repository *r, const uint8_t host[16])
{
    if (r->backend->ahead == 0)
        return;
    sp_mutex_lock(&r->lock);
    if (!r->along.has_host) {
        r->along.has_host = true;
        memcpy(r->along.host, host, 16);
    }
    sp_mutex_unlock(&r->lock);
}

/* The lock is held. */
static bool
lately(struct sp_repository *r)
{
    int64_t now_ns = sp_clock_mono(r->env->clock);

    return now_ns >= r->along.at_ns && now_ns - r->along.at_ns <= LATELY;
}

bool
sp_along_records(struct sp_repository *r, const uint8_t *host, struct sp_record_names *ret)
{
    bool there;

    sp_mutex_lock(&r->lock);
    there = host != NULL && r->along.has_records && lately(r) &&
            memcmp(r->along.host, host, sizeof(r->along.host)) == 0;
    if (there) { /* once: who asks again wants to know what came since */
        *ret = r->along.records;
        memset(&r->along.records, 0, sizeof(r->along.records));
        r->along.has_records = false;
    }
    sp_mutex_unlock(&r->lock);
    return there;
}

bool
sp_along_names(struct sp_repository *r, const char *prefix, sp_backend_list_fn each, void *arg,
    enum sp_code *ret, struct sp_err *e)
{
    size_t i, n = strlen(prefix);
    enum sp_code rc = SP_OK;
    bool there;

    sp_mutex_lock(&r->lock);
    there = lately(r) && (prefix[0] == 'h' ? r->along.has_hosts : r->along.has_slots);
    for (i = 0; there && i < r->along.nhosts && rc == SP_OK; i++) {
        const struct sp_host_object *o = &r->along.hosts[i];

        if (strncmp(o->object, prefix, n) == 0 && o->object[n] == '/')
            rc = each(arg, o->object, o->size, e);
    }
    sp_mutex_unlock(&r->lock);
    *ret = rc;
    return there;
}

bool
sp_kept_get(struct sp_repository *r, const char *object, uint8_t **ret, size_t *ret_n)
{
    uint8_t *copy = NULL;
    size_t i, n = 0;

    if (r->backend->ahead == 0)
        return false;
    sp_mutex_lock(&r->lock);
    for (i = 0; i < SP_KEPT_OBJECTS && copy == NULL; i++) {
        const struct sp_kept_object *k = &r->kept[i];

        if (k->bytes == NULL || strcmp(k->object, object) != 0 ||
            (copy = malloc(k->n > 0 ? k->n : 1)) == NULL)
            continue;
        n = k->n;
        memcpy(copy, k->bytes, n);
    }
    sp_mutex_unlock(&r->lock);
    if (copy == NULL)
        return false;
    *ret = copy;
    *ret_n = n;
    return true;
}

void
sp_kept_put(struct sp_repository *r, const char *object, const uint8_t *p, size_t n)
{
    struct sp_kept_object *k;
    uint8_t *copy;
    size_t i;
    bool there = false;

    if (r->backend->ahead == 0 || n > SP_KEPT_MAX || strlen(object) >= sizeof(k->object) ||
        (copy = malloc(n > 0 ? n : 1)) == NULL)
        return; /* then it is read again */
    memcpy(copy, p, n);
    sp_mutex_lock(&r->lock);
    for (i = 0; i < SP_KEPT_OBJECTS; i++)
        there = there || (r->kept[i].bytes != NULL && strcmp(r->kept[i].object, object) == 0);
    if (!there) {
        k = &r->kept[r->next_kept++ % SP_KEPT_OBJECTS];
        free(k->bytes);
        k->bytes = copy;
        k->n = n;
        (void)snprintf(k->object, sizeof(k->object), "%s", object);
        copy = NULL;
    }
    sp_mutex_unlock(&r->lock);
    free(copy);
}
