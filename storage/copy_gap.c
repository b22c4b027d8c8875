/* The object that tells of a gap: see copy_gap.h. */

#include "storage/copy_gap.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "base/wire.h"
#include "storage/crypto.h"
#include "storage/repository_impl.h"

#define GAP_MAX 1024u /* bytes of one object */

enum { VERSION = 1, HOST = 2, JOB = 3, FIRST = 4, LAST = 5, SOURCE = 6 };

static enum sp_code
name_of(const uint8_t host[16], const void *p, size_t n, char to[96], struct sp_err *e)
{
    uint8_t hash[32];
    enum sp_code rc = sp_sha256(p, n, hash, e);

    if (rc == SP_OK)
        (void)snprintf(to, 96, "gaps/%.32s/%.32s", sp_hex16(host).s, sp_hex16(hash).s);
    return rc;
}

enum sp_code
sp_gap_encode(const struct sp_gap *g, char to[96], struct sp_buf *ret, struct sp_err *e)
{
    size_t from = ret->len;
    enum sp_code rc;

    sp_wire_put_uint(ret, VERSION, 1);
    sp_wire_put_bytes(ret, HOST, g->host, sizeof(g->host));
    sp_wire_put_bytes(ret, JOB, g->job, strlen(g->job));
    sp_wire_put_uint(ret, FIRST, g->first);
    sp_wire_put_uint(ret, LAST, g->last);
    sp_wire_put_bytes(ret, SOURCE, g->source, sizeof(g->source));
    if ((rc = sp_buf_ok(ret, e)) != SP_OK)
        return rc;
    return name_of(g->host, ret->data + from, ret->len - from, to, e);
}

static bool
take(const struct sp_wire_field *f, struct sp_gap *g, uint64_t *version)
{
    switch (f->number) {
    case VERSION:
        *version = f->value;
        return f->type == SP_WIRE_VARINT;
    case HOST:
        return sp_wire_take(f, g->host, sizeof(g->host));
    case JOB:
        return sp_wire_take_text(f, g->job, sizeof(g->job));
    case FIRST:
        g->first = f->value;
        return f->type == SP_WIRE_VARINT;
    case LAST:
        g->last = f->value;
        return f->type == SP_WIRE_VARINT;
    case SOURCE:
        return sp_wire_take(f, g->source, sizeof(g->source));
    default:
        return true;
    }
}

enum sp_code
sp_gap_decode(const void *p, size_t n, struct sp_gap *ret, struct sp_err *e)
{
    struct sp_cur c = sp_cur_of(p, n);
    struct sp_wire_field f;
    struct sp_gap g;
    uint64_t version = 0;
    bool good = true;

    memset(&g, 0, sizeof(g));
    while (good && sp_wire_next(&c, &f))
        good = take(&f, &g, &version);
    if (!good || !sp_cur_done(&c) || version != 1 || g.first == 0 || g.last < g.first)
        return sp_fail(e, SP_CORRUPT, SP_DOM_STORE, "what tells of a gap in a chain is malformed");
    *ret = g;
    return SP_OK;
}

enum sp_code
sp_gaps_add(struct sp_gaps *l, const struct sp_gap *g, struct sp_err *e)
{
    if (l->n == l->cap) {
        size_t cap = l->cap == 0 ? 8 : l->cap * 2;
        struct sp_gap *more = realloc(l->v, cap * sizeof(*more));

        if (more == NULL)
            return sp_fail_nomem(e);
        l->v = more;
        l->cap = cap;
    }
    l->v[l->n++] = *g;
    return SP_OK;
}

struct names { /* collected before anything is read: a listing may hold the backend */
    char (*v)[96];
    size_t n, cap;
};

static enum sp_code
collect(void *arg, const char *name, uint64_t size, struct sp_err *e)
{
    struct names *l = arg;

    if (size == 0 || strlen(name) >= sizeof(l->v[0]))
        return SP_OK;
    if (l->n == l->cap) {
        size_t cap = l->cap == 0 ? 16 : l->cap * 2;
        char(*more)[96] = realloc(l->v, cap * sizeof(*more));

        if (more == NULL)
            return sp_fail_nomem(e);
        l->v = more;
        l->cap = cap;
    }
    memcpy(l->v[l->n++], name, strlen(name) + 1);
    return SP_OK;
}

enum sp_code
sp_gaps_load(struct sp_repository *r, const uint8_t host[16], struct sp_gaps *ret, struct sp_err *e)
{
    struct names names = {NULL, 0, 0};
    struct sp_gaps l = {NULL, 0, 0};
    struct sp_gap g;
    char prefix[64], own[96];
    size_t i;
    enum sp_code rc;

    (void)snprintf(prefix, sizeof(prefix), "gaps/%.32s", sp_hex16(host).s);
    rc = sp_backend_list(r->backend, prefix, collect, &names, e);
    for (i = 0; i < names.n && rc == SP_OK; i++) {
        struct sp_err why = {0};
        uint8_t *p = NULL;
        size_t n = 0;

        rc = sp_backend_get_all(r->backend, names.v[i], GAP_MAX, &p, &n, &why);
        if (rc == SP_OK && (rc = name_of(host, p, n, own, &why)) == SP_OK &&
            strcmp(own, names.v[i]) == 0 && (rc = sp_gap_decode(p, n, &g, &why)) == SP_OK &&
            memcmp(g.host, host, sizeof(g.host)) == 0)
            rc = sp_gaps_add(&l, &g, &why);
        free(p);
        if (rc != SP_OK && (sp_store_fatal(rc) || sp_code_is_ours(rc)))
            *e = why;
        else
            rc = SP_OK; /* it tells nothing: the gap is one */
    }
    free(names.v);
    if (rc != SP_OK) {
        sp_gaps_clear(&l);
        return rc;
    }
    *ret = l;
    return SP_OK;
}

const struct sp_gap *
sp_gaps_cover(const struct sp_gaps *l, const char *job, uint64_t first, uint64_t last)
{
    for (size_t i = 0; i < l->n; i++)
        if (strcmp(l->v[i].job, job) == 0 && l->v[i].first <= first && last <= l->v[i].last)
            return &l->v[i];
    return NULL;
}

void
sp_gaps_clear(struct sp_gaps *l)
{
    free(l->v);
    memset(l, 0, sizeof(*l));
}
