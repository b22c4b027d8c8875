/* See remover.h. */

#include "remover.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/random.h"
#include "base/text.h"
#include "remover_live.h"

enum sp_code
remover_mark(const struct remover *x, uint8_t ret_id[16], size_t *ret_n, struct sp_err *e)
{
    struct live l;
    struct sp_mark m = {.packs = NULL};
    struct sp_buf b = SP_BUF_INIT;
    char object[96];
    enum sp_code rc;

    if ((rc = live_read(x->b, NULL, &l, e)) != SP_OK)
        return rc;
    if ((rc = sp_random_fill(&sp_random_system, m.id, sizeof(m.id), e)) != SP_OK)
        goto out;
    if ((m.packs = calloc(l.npacks + 1, sizeof(*m.packs))) == NULL)
        abort();
    for (size_t i = 0; i < l.npacks; i++)
        if (!live_needs(&l, i)) {
            m.packs[m.n].kind = (uint8_t)l.packs[i].kind;
            memcpy(m.packs[m.n++].name, l.packs[i].name, 32);
        }
    *ret_n = m.n;
    if (m.n == 0)
        goto out;
    qsort(m.packs, m.n, sizeof(*m.packs), sp_mark_pack_cmp);
    if ((rc = sp_mark_encode(&m, &b, e)) != SP_OK)
        goto out;
    sp_mark_object_name(m.id, object);
    if ((rc = sp_backend_put(x->b, object, b.data, b.len, e)) != SP_OK ||
        (rc = sp_backend_sync(x->b, e)) != SP_OK)
        goto out;
    memcpy(ret_id, m.id, sizeof(m.id));
out:
    sp_buf_free(&b);
    sp_mark_free(&m);
    live_free(&l);
    return rc;
}

/* --- the grace ----------------------------------------------------------------------------- */

static enum sp_code
grace_over(const struct remover *x, const char *object, int64_t *ret_now_ns, struct sp_err *e)
{
    int64_t at_ns;
    enum sp_code rc;

    if ((rc = sp_backend_written(x->b, object, &at_ns, e)) != SP_OK ||
        (rc = sp_backend_now(x->b, ret_now_ns, e)) != SP_OK)
        return rc;
    if (*ret_now_ns < at_ns)
        return sp_fail(e, SP_REFUSED, SP_DOM_STORE, "the store's clock has gone back");
    if (*ret_now_ns - at_ns < x->grace_ns)
        return sp_fail(e, SP_BUSY, SP_DOM_STORE, "the grace is not over");
    return SP_OK;
}

struct fence {
    int64_t now_ns, age_ns;
};

static bool
before_the_fence(void *arg, const uint8_t run[16], int64_t written_ns)
{
    const struct fence *f = arg;

    (void)run; /* whether it lives or not */
    return f->now_ns - written_ns > f->age_ns;
}

static enum sp_code
read_mark(const struct remover *x, const uint8_t id[16], struct sp_mark *ret, struct sp_err *e)
{
    uint8_t *p = NULL;
    size_t n;
    char object[96];
    enum sp_code rc;

    sp_mark_object_name(id, object);
    if ((rc = sp_backend_get_all(x->b, object, SP_MARK_MAX, &p, &n, e)) != SP_OK)
        return rc;
    rc = sp_mark_decode(p, n, ret, e);
    free(p);
    return rc;
}

static void
names(const uint8_t id[16], const struct sp_mark_pack *p, char object[96], char trash[160])
{
    sp_pack_object_name((enum sp_pack_kind)p->kind, p->name, object);
    (void)snprintf(
        trash, 160, "trash/%.32s/%u-%.64s", sp_hex16(id).s, (unsigned)p->kind, sp_hex32(p->name).s);
}

/* --- taking -------------------------------------------------------------------------------- */

enum sp_code
remover_take(const struct remover *x, const uint8_t id[16], size_t *ret_n, struct sp_err *e)
{
    struct live l = {.b = x->b};
    struct sp_mark m = {.packs = NULL};
    struct fence f = {.age_ns = x->grace_ns / 2};
    char object[96], trash[160];
    size_t n = 0;
    enum sp_code rc;

    sp_mark_object_name(id, object);
    if ((rc = read_mark(x, id, &m, e)) != SP_OK ||
        (rc = grace_over(x, object, &f.now_ns, e)) != SP_OK)
        goto out;
    /* Whoever began before half of the grace can give nothing a name any more: the sets that are
     * there now are all that may rely on what was there before the mark. */
    if (!x->keep_temporaries && (rc = sp_backend_sweep(x->b, before_the_fence, &f, e)) != SP_OK)
        goto out;
    if ((rc = live_read(x->b, NULL, &l, e)) != SP_OK)
        goto out;
    for (size_t i = 0; i < l.npacks; i++) {
        struct sp_mark_pack p = {.kind = (uint8_t)l.packs[i].kind};

        memcpy(p.name, l.packs[i].name, sizeof(p.name));
        if (!sp_mark_has(&m, p.kind, p.name) || live_needs(&l, i))
            continue;
        names(id, &p, object, trash);
        if ((rc = sp_backend_move(x->b, object, trash, e)) != SP_OK)
            goto out;
        n++;
    }
    (void)snprintf(trash, sizeof(trash), "trash/%.32s/taken", sp_hex16(id).s);
    rc = sp_backend_put(x->b, trash, "taken\n", 6, e);
    if (rc == SP_OK || rc == SP_EXISTS)
        rc = sp_backend_sync(x->b, e);
    *ret_n = n;
out:
    live_free(&l);
    sp_mark_free(&m);
    return rc;
}

static enum sp_code
drop(void *arg, const char *name, uint64_t size, struct sp_err *e)
{
    (void)size;
    return sp_backend_remove(arg, name, e);
}

enum sp_code
remover_expire(const struct remover *x, const uint8_t id[16], size_t *ret_back, struct sp_err *e)
{
    struct live l = {.b = x->b};
    struct sp_mark m = {.packs = NULL};
    char object[96], trash[160];
    size_t back = 0, again = 0;
    int64_t now_ns;
    enum sp_code rc;

    (void)snprintf(trash, sizeof(trash), "trash/%.32s/taken", sp_hex16(id).s);
    if ((rc = grace_over(x, trash, &now_ns, e)) != SP_OK || (rc = read_mark(x, id, &m, e)) != SP_OK)
        goto out;
    if ((rc = live_read(x->b, NULL, &l, e)) != SP_OK)
        goto out;
    if (l.broken > 0) { /* all of it comes back, and what nobody needs goes again */
        for (size_t i = 0; i < m.n; i++) {
            names(id, &m.packs[i], object, trash);
            rc = sp_backend_move(x->b, trash, object, e);
            back += rc == SP_OK;
            if (rc != SP_OK && rc != SP_ABSENT && rc != SP_EXISTS)
                goto out;
        }
        if ((rc = remover_take(x, id, &again, e)) != SP_OK)
            goto out;
    }
    *ret_back = back - again;
    (void)snprintf(trash, sizeof(trash), "trash/%.32s", sp_hex16(id).s);
    if ((rc = sp_backend_list(x->b, trash, drop, x->b, e)) != SP_OK)
        goto out;
    sp_mark_object_name(id, object);
    if ((rc = sp_backend_remove(x->b, object, e)) == SP_OK)
        rc = sp_backend_sync(x->b, e);
out:
    live_free(&l);
    sp_mark_free(&m);
    return rc;
}

enum sp_code
remover_broken(const struct remover *x, const char *what, size_t *ret_broken, size_t *ret_sets,
    struct sp_err *e)
{
    struct live l;
    enum sp_code rc = live_read(x->b, what, &l, e);

    if (rc != SP_OK)
        return rc;
    *ret_broken = l.broken;
    *ret_sets = l.sets;
    live_free(&l);
    return SP_OK;
}
