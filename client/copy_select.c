#include "client/copy_select.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"

static int
id_cmp(const void *a, const void *b)
{
    return memcmp(a, b, 16);
}

bool
sp_copy_selected(const uint8_t (*ids)[16], size_t n, const uint8_t set_id[16])
{
    return n > 0 && bsearch(set_id, ids, n, sizeof(*ids), id_cmp) != NULL;
}

static bool
id_begins(const uint8_t id[16], const char *spec)
{
    size_t n = strlen(spec);

    return n >= 4 && n <= 32 && strncmp(sp_hex16(id).s, spec, n) == 0;
}

static bool
is_host(const struct sp_listed *l, const char *name, size_t n)
{
    char wanted[256];

    if (n >= sizeof(wanted))
        return false;
    memcpy(wanted, name, n);
    wanted[n] = '\0';
    return strcmp(l->host_name, wanted) == 0 || id_begins(l->set.host, wanted);
}

/* "HOST:JOB~2" taken apart. */
struct spec {
    const char *host, *job;
    size_t host_len, job_len;
    uint64_t back;
};

static struct spec
take_apart(const char *text)
{
    const char *colon = strrchr(text, ':'), *tilde = strrchr(text, '~');
    struct spec s = {NULL, colon != NULL ? colon + 1 : text, 0, 0, 0};
    uint64_t back;

    if (colon != NULL) {
        s.host = text;
        s.host_len = (size_t)(colon - text);
    }
    s.job_len = strlen(s.job);
    if (tilde != NULL && tilde > s.job && sp_text_parse_u64(tilde + 1, &back)) {
        s.job_len = (size_t)(tilde - s.job);
        s.back = back;
    }
    return s;
}

static bool
meant(const struct sp_opened_store *o, const struct spec *s, const struct sp_listed *l)
{
    if (s->host != NULL ? !is_host(l, s->host, s->host_len)
                        : o->profile != NULL && memcmp(o->profile->host, l->set.host, 16) != 0)
        return false;
    if (s->job_len == 6 && strncmp(s->job, "latest", 6) == 0)
        return true;
    return strlen(l->set.job) == s->job_len && strncmp(l->set.job, s->job, s->job_len) == 0;
}

/* The set that one word means. */
static enum sp_code
find(const struct sp_opened_store *o, const char *text, const struct sp_sets *sets,
    const struct sp_listed **ret, struct sp_err *e)
{
    const struct spec s = take_apart(text);
    const struct sp_listed *found = NULL;
    uint64_t back = s.back;
    size_t i;

    for (i = 0; i < sets->n; i++) {
        if (!id_begins(sets->v[i].set.set_id, text))
            continue;
        if (found != NULL)
            return sp_fail(e, SP_INVALID, SP_DOM_CONFIG,
                "several sets begin with '%s'; give more digits (stillpoint list)", text);
        found = &sets->v[i];
    }
    for (i = sets->n; i-- > 0 && found == NULL;)
        if (meant(o, &s, &sets->v[i]) && back-- == 0)
            found = &sets->v[i];
    if (found == NULL)
        return sp_fail(e, SP_ABSENT, SP_DOM_CONFIG,
            "there is no set '%s' in %s; 'stillpoint list --all -r %s' shows those that there are",
            text, o->address, o->address);
    *ret = found;
    return SP_OK;
}

enum sp_code
sp_copy_select(const struct sp_opened_store *o, const struct sp_copy_asked *a,
    const struct sp_sets *sets, uint8_t (**ret_ids)[16], size_t *ret_n, struct sp_err *e)
{
    uint8_t(*ids)[16] = malloc((sets->n + a->nspecs + 1) * sizeof(*ids));
    const struct sp_listed *l;
    size_t i, n = 0;
    enum sp_code rc = SP_OK;

    if (ids == NULL)
        return sp_fail_nomem(e);
    for (i = 0; i < a->nspecs && rc == SP_OK; i++)
        if ((rc = find(o, a->specs[i], sets, &l, e)) == SP_OK)
            memcpy(ids[n++], l->set.set_id, 16);
    for (i = 0; i < sets->n && rc == SP_OK; i++) {
        l = &sets->v[i];
        if ((a->nspecs > 0 && a->job == NULL && a->host == NULL) ||
            (a->job != NULL && strcmp(a->job, l->set.job) != 0) ||
            (a->host != NULL && !is_host(l, a->host, strlen(a->host))))
            continue;
        memcpy(ids[n++], l->set.set_id, 16);
    }
    if (rc == SP_OK && n == 0 && (a->job != NULL || a->host != NULL))
        rc = sp_fail(e, SP_ABSENT, SP_DOM_CONFIG,
            "no set in %s is of that job and host; 'stillpoint list --all -r %s' shows those that "
            "there are",
            o->address, o->address);
    if (rc != SP_OK) {
        free(ids);
        return rc;
    }
    qsort(ids, n, sizeof(*ids), id_cmp);
    *ret_ids = ids;
    *ret_n = n;
    return SP_OK;
}
