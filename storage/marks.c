/* What removals are going to take, as of the last listing: see repository_impl.h and lease.h.
 *
 * A mark that is there but cannot be read or understood takes nobody knows what; nothing is written
 * then. Reading goes on: a restore needs nothing of it. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "storage/repository_impl.h"

#define SEEN_MAX 4096u /* marks in one listing: a removal has one */

enum sp_code
sp_marks_see(struct sp_repository *r, const char *object, struct sp_err *e)
{
    struct sp_marks *m = &r->marks;
    uint8_t id[16];

    if (!sp_mark_object_parse(object, id))
        return SP_OK; /* unknown names are ignored */
    if (m->nseen == m->seen_cap) {
        size_t cap = m->seen_cap == 0 ? 16 : m->seen_cap * 2;
        uint8_t(*more)[16];

        if (cap > SEEN_MAX)
            return sp_fail(e, SP_UNSUPPORTED, SP_DOM_STORE, "there are too many marks");
        if ((more = realloc(m->seen, cap * sizeof(*more))) == NULL)
            return sp_fail_nomem(e);
        m->seen = more;
        m->seen_cap = cap;
    }
    memcpy(m->seen[m->nseen++], id, sizeof(id));
    return SP_OK;
}

void
sp_marks_begin(struct sp_repository *r)
{
    r->marks.nseen = 0;
}

static bool
seen(const struct sp_marks *m, const uint8_t *id)
{
    for (size_t i = 0; i < m->nseen; i++)
        if (memcmp(m->seen[i], id, 16) == 0)
            return true;
    return false;
}

static bool
known(const struct sp_marks *m, const uint8_t *id)
{
    for (size_t i = 0; i < m->n; i++)
        if (memcmp(m->v[i].id, id, 16) == 0)
            return true;
    return false;
}

static enum sp_code
add(struct sp_repository *r, const struct sp_mark *mark, struct sp_err *e)
{
    struct sp_marks *m = &r->marks;
    struct sp_mark *more;
    enum sp_code rc = SP_OK;

    sp_mutex_lock(&r->lock);
    if ((more = realloc(m->v, (m->n + 1) * sizeof(*more))) == NULL) {
        rc = sp_fail_nomem(e);
    } else {
        m->v = more;
        m->v[m->n++] = *mark;
    }
    sp_mutex_unlock(&r->lock);
    return rc;
}

/* Whether what is remembered leaves room for so many packs more (R18). */
static bool
has_room(const struct sp_marks *m, size_t n)
{
    size_t all = n;

    for (size_t i = 0; i < m->n; i++)
        all += seen(m, m->v[i].id) ? m->v[i].n : 0; /* the others are gone */
    return all <= SP_MARKS_PACKS;
}

static enum sp_code
read_mark(struct sp_repository *r, const uint8_t *id, struct sp_err *e)
{
    struct sp_mark mark;
    struct sp_err why = {0};
    uint8_t *p = NULL;
    size_t n = 0;
    char object[96];
    enum sp_code rc;

    sp_mark_object_name(id, object);
    rc = sp_backend_get_all(r->backend, object, SP_MARK_MAX, &p, &n, &why);
    if (rc ==
        SP_ABSENT) /* the removal gave up, or is over: what it took is in no listing any more */
        return SP_OK;
    if (rc == SP_OK)
        rc = sp_mark_decode(p, n, &mark, &why);
    free(p);
    if (rc == SP_OK && memcmp(mark.id, id, sizeof(mark.id)) != 0) {
        sp_mark_free(&mark);
        rc = sp_fail(&why, SP_CORRUPT, SP_DOM_STORE, "the mark has another one's name");
    }
    if (rc == SP_OK && !has_room(&r->marks, mark.n)) {
        sp_mark_free(&mark);
        rc = sp_fail(&why, SP_CORRUPT, SP_DOM_STORE,
            "it and the other marks tell of more packs than %u", SP_MARKS_PACKS);
    }
    if (rc == SP_OK) {
        if ((rc = add(r, &mark, e)) != SP_OK)
            sp_mark_free(&mark);
        return rc;
    }
    if (sp_store_fatal(rc) && rc != SP_UNSUPPORTED) {
        *e = why;
        return rc;
    }
    sp_mutex_lock(&r->lock);
    (void)snprintf(r->marks.bad, sizeof(r->marks.bad), "%s", object);
    (void)snprintf(r->marks.why, sizeof(r->marks.why), "%.200s", why.text);
    sp_mutex_unlock(&r->lock);
    return SP_OK;
}

/* Marks that went, and what the packs are now. The lock is held. */
static void
apply(struct sp_repository *r)
{
    struct sp_marks *m = &r->marks;
    size_t i, k, kept = 0;
    bool any = m->n > 0;

    for (i = 0; i < m->n; i++) {
        if (seen(m, m->v[i].id))
            m->v[kept++] = m->v[i];
        else
            sp_mark_free(&m->v[i]);
    }
    m->n = kept;
    if (!any)
        return;
    sp_presence_marks_begin(r->presence);
    for (i = 0; i < m->n; i++)
        for (k = 0; k < m->v[i].n; k++)
            sp_presence_mark(
                r->presence, (enum sp_pack_kind)m->v[i].packs[k].kind, m->v[i].packs[k].name);
    if (sp_presence_marks_end(r->presence) > 0)
        sp_known_forget(r);
}

enum sp_code
sp_marks_end(struct sp_repository *r, struct sp_err *e)
{
    struct sp_marks *m = &r->marks;
    size_t i;
    enum sp_code rc = SP_OK;

    sp_mutex_lock(&r->lock);
    m->bad[0] = '\0';
    sp_mutex_unlock(&r->lock);
    for (i = 0; i < m->nseen && rc == SP_OK; i++)
        if (!known(m, m->seen[i]))
            rc = read_mark(r, m->seen[i], e);
    if (rc != SP_OK)
        return rc;
    sp_mutex_lock(&r->lock);
    apply(r);
    sp_mutex_unlock(&r->lock);
    return SP_OK;
}

enum sp_code
sp_marks_check(struct sp_repository *r, struct sp_err *e)
{
    enum sp_code rc = SP_OK;

    sp_mutex_lock(&r->lock);
    if (r->marks.bad[0] != '\0')
        rc = sp_fail(e, SP_REFUSED, SP_DOM_STORE,
            "a removal has left %s, which cannot be understood (%s): nobody can know what it is "
            "going "
            "to take, so nothing is backed up. Run check; when no prune is under way, remove that "
            "object",
            r->marks.bad, r->marks.why);
    sp_mutex_unlock(&r->lock);
    return rc;
}

bool
sp_marks_has(struct sp_repository *r, enum sp_pack_kind kind, const uint8_t name[32])
{
    bool has = false;

    sp_mutex_lock(&r->lock);
    for (size_t i = 0; i < r->marks.n && !has; i++)
        has = sp_mark_has(&r->marks.v[i], (uint8_t)kind, name);
    sp_mutex_unlock(&r->lock);
    return has;
}

void
sp_marks_free(struct sp_repository *r)
{
    for (size_t i = 0; i < r->marks.n; i++)
        sp_mark_free(&r->marks.v[i]);
    free(r->marks.v);
    free(r->marks.seen);
}
