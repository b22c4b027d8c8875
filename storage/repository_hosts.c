/* Host records in a repository: the one object that has versions: see repository.h. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "storage/repository_impl.h"

#define VERSIONS_MAX 1000u /* of one host's record */

static void
host_name(const uint8_t host[16], unsigned version, char to[96])
{
    if (version == 0)
        (void)snprintf(to, 96, "hosts/%.32s", sp_hex16(host).s);
    else
        (void)snprintf(to, 96, "hosts/%.32s.%u", sp_hex16(host).s, version);
}

/* The versions of a host's record that are there, as bits. */
struct versions {
    uint8_t host[16];
    bool there[VERSIONS_MAX];
    unsigned next; /* behind the highest, bad ones included */
};

static enum sp_code
see_version(void *arg, const char *object, uint64_t size, struct sp_err *e)
{
    struct versions *v = arg;
    char base[96], again[96];
    uint64_t number = 0;
    size_t n;

    (void)e;
    host_name(v->host, 0, base);
    n = strlen(base);
    if (strncmp(object, base, n) != 0)
        return SP_OK;
    if (object[n] == '.' && (!sp_text_parse_u64(object + n + 1, &number) || number == 0))
        return SP_OK;
    if (number >= VERSIONS_MAX)
        return SP_OK;
    host_name(v->host, (unsigned)number, again);
    if (strcmp(again, object) != 0)
        return SP_OK;
    v->there[number] = size > 0;
    if (number >= v->next)
        v->next = (unsigned)number + 1;
    return SP_OK;
}

/* The newest version that reads; SP_ABSENT. */
static enum sp_code
newest(struct sp_repository *r, const struct versions *v, uint8_t **ret, size_t *ret_n,
    struct sp_err *e)
{
    struct sp_err why = {0};
    struct sp_host h;
    char object[96];
    uint8_t *p;
    size_t n;
    unsigned i;
    bool kept;
    enum sp_code rc;

    for (i = v->next; i-- > 0;) {
        if (!v->there[i])
            continue;
        host_name(v->host, i, object);
        kept = sp_kept_get(r, object, &p, &n);
        rc = kept ? SP_OK
                  : sp_backend_get_all(r->backend, object, SP_SMALL_OBJECT, &p, &n, &why);
        if (rc == SP_OK && !kept)
            sp_kept_put(r, object, p, n);
        if (rc == SP_OK) {
            rc = sp_host_decode(p, n, NULL, &h, &why);
            if (rc == SP_OK && memcmp(h.id, v->host, sizeof(h.id)) == 0) {
                *ret = p;
                *ret_n = n;
                return SP_OK;
            }
            free(p);
            if (!sp_code_is_ours(rc))
                continue;
        }
        if (rc != SP_CORRUPT && rc != SP_ABSENT) {
            /* An older record must not come into force because the newer could not be read. */
            *e = why;
            return rc;
        }
    }
    return sp_fail(
        e, SP_ABSENT, SP_DOM_STORE, "there is no record of host %s", sp_hex16(v->host).s);
}

static enum sp_code
list_versions(struct sp_repository *r, const uint8_t host[16], struct versions *v, struct sp_err *e)
{
    enum sp_code rc;

    memset(v, 0, sizeof(*v));
    memcpy(v->host, host, sizeof(v->host));
    if (sp_along_names(r, "hosts", see_version, v, &rc, e))
        return rc;
    return sp_backend_list(r->backend, "hosts", see_version, v, e);
}

enum sp_code
sp_repository_host(
    struct sp_repository *r, const uint8_t host[16], uint8_t **ret, size_t *ret_n, struct sp_err *e)
{
    struct versions v;
    enum sp_code rc = list_versions(r, host, &v, e);

    return rc != SP_OK ? rc : newest(r, &v, ret, ret_n, e);
}

enum sp_code
sp_repository_put_host(struct sp_repository *r, const uint8_t *record, size_t n, struct sp_err *e)
{
    struct versions v;
    struct sp_host h;
    struct sp_err why = {0};
    uint8_t *there = NULL;
    size_t there_n = 0;
    char object[96];
    enum sp_code rc;

    if ((rc = sp_repository_may_write(r, e)) != SP_OK)
        return rc;
    if (n > SP_SMALL_OBJECT)
        return sp_fail(e, SP_INVALID, SP_DOM_STORE, "a host record of %zu bytes is too large", n);
    if ((rc = sp_host_decode(record, n, NULL, &h, e)) != SP_OK ||
        (rc = list_versions(r, h.id, &v, e)) != SP_OK)
        return rc;
    rc = newest(r, &v, &there, &there_n, &why);
    if (rc != SP_OK && rc != SP_ABSENT) {
        *e = why;
        return rc;
    }
    if (rc == SP_OK && there_n == n && there != NULL && memcmp(there, record, n) == 0) {
        /* Whoever named it may have been killed before its barrier; it was listed just now. */
        rc = sp_backend_sync(r->backend, e);
        goto out;
    }
    if (v.next >= VERSIONS_MAX) {
        rc = sp_fail(e, SP_REFUSED, SP_DOM_STORE, "the host has too many records");
        goto out;
    }
    host_name(h.id, v.next, object);
    sp_along_drop(r);
    if ((rc = sp_backend_put(r->backend, object, record, n, e)) == SP_OK)
        rc = sp_backend_sync(r->backend, e);
out:
    free(there);
    return rc;
}
