/* Whether what is listed, called whole and was said to last is so: see history.h. */

#include "history_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool
verify_wrong(struct verify *v, const char *fmt, ...)
{
    va_list ap;

    int n = snprintf(v->why, 512, "%s: ", v->when);

    va_start(ap, fmt);
    (void)vsnprintf(v->why + n, 512 - (size_t)n, fmt, ap);
    va_end(ap);
    return false;
}

bool
verify_promised(const struct verify *v)
{
    return (v->cut->promises & HISTORY_SURE) == HISTORY_SURE;
}

/* Whether what was said after `done` operations must hold now. */
bool
verify_holds(const struct verify *v, uint64_t done)
{
    if (done > v->cut->after)
        return false;
    for (unsigned i = 0; i < v->h->nidles; i++)
        if (done <= v->h->idles[i] && v->h->idles[i] < v->cut->after)
            return true;
    return verify_promised(v);
}

struct listed {
    struct sp_set set;
    enum sp_record_type type;
};

struct listing {
    struct listed v[64];
    size_t n;
};

static enum sp_code
see_set(void *arg, const struct sp_set_info *i, struct sp_err *e)
{
    struct listing *l = arg;
    struct sp_err why = {0};

    (void)e;
    if (l->n == 64 ||
        sp_set_record_decode(i->record, i->record_len, &l->v[l->n].set, &why) != SP_OK)
        return SP_OK; /* a torn one: it is no set, and check tells it */
    l->v[l->n++].type = i->type;
    return SP_OK;
}

static const struct said *
said_of(const struct verify *v, const uint8_t set_id[16])
{
    for (size_t i = 0; i < v->h->nsaid; i++)
        if (memcmp(v->h->said[i].set_id, set_id, 16) == 0)
            return &v->h->said[i];
    for (unsigned i = 0; i < v->h->hosts; i++)
        if (memcmp(v->made[i].set_id, set_id, 16) == 0)
            return &v->made[i];
    return NULL;
}

/* One record: what it is, and whether the store and its content agree. */
static bool
look_at(struct verify *v, struct sp_repository *r, const struct listed *l, struct read_memory *m)
{
    const struct said *s = said_of(v, l->set.set_id);
    struct sp_reader_scope scope = {l->set.host, l->set.group};
    struct sp_id *missing = NULL;
    struct sp_err e = {0};
    size_t nmissing = 0;
    bool more = false, whole = false, must;

    if (s == NULL)
        return verify_wrong(v, "a record is listed that nobody made");
    if (memcmp(s->root.b, l->set.root.b, sizeof(s->root.b)) != 0 ||
        s->sequence != l->set.sequence || s->type != l->type)
        return verify_wrong(
            v, "record %llu is not what was committed", (unsigned long long)s->sequence);
    must = !v->lost && verify_holds(v, s->done) && s->done != NEVER;
    if (sp_repository_closure(r, &scope, &l->set.root, &missing, &nmissing, &more, &e) != SP_OK)
        return verify_wrong(
            v, "the closure of set %llu: %.300s", (unsigned long long)s->sequence, e.text);
    free(missing);
    if (nmissing > 0)
        return must ? verify_wrong(v, "set %llu was said to be done, and lacks %zu chunks",
                          (unsigned long long)s->sequence, nmissing)
                    : true;
    if (read_set(v->mine->cast, s->host, r, &s->root, m, &whole, &e) != SP_OK)
        return verify_wrong(v, "reading set %llu: %.300s", (unsigned long long)s->sequence, e.text);
    if (!whole)
        return verify_wrong(v, "%s %llu is called whole, and is not",
            s->type == SP_RECORD_SET ? "set" : "checkpoint", (unsigned long long)s->sequence);
    return true;
}

/* All that is listed, and that all that must be is. */
bool
verify_look(struct verify *v, struct sp_repository *r)
{
    struct listing *l = calloc(1, sizeof(*l));
    struct read_memory m = {NULL, 0, 0};
    struct sp_err e = {0};
    bool good = true, there;

    if (l == NULL)
        abort();
    if (sp_repository_list(r, NULL, true, see_set, l, &e) != SP_OK)
        good = verify_wrong(v, "listing: %.300s", e.text);
    for (size_t i = 0; i < l->n && good; i++)
        good = look_at(v, r, &l->v[i], &m);
    for (size_t i = 0; i < v->h->nsaid && good; i++) {
        const struct said *s = &v->h->said[i];

        if (s->type != SP_RECORD_SET || s->done == NEVER || !verify_holds(v, s->done))
            continue;
        there = false;
        for (size_t k = 0; k < l->n; k++)
            there = there || memcmp(l->v[k].set.set_id, s->set_id, 16) == 0;
        if (!there)
            good = verify_wrong(v,
                "set %llu of host %u was said to be done (after %llu), and is not there",
                (unsigned long long)s->sequence, s->host, (unsigned long long)s->done);
    }
    read_memory_clear(&m);
    free(l);
    return good;
}

/* What the next run would go on from is whole when it is called so. */
static bool
judged(struct verify *v, struct sp_repository *r, unsigned host, const uint8_t *record, size_t n,
    bool whole)
{
    struct read_memory m = {NULL, 0, 0};
    struct sp_set set;
    struct sp_err e = {0};
    bool is = false, good = true;

    if (!whole)
        return true;
    if (sp_set_record_decode(record, n, &set, &e) != SP_OK ||
        read_set(v->mine->cast, host, r, &set.root, &m, &is, &e) != SP_OK)
        good = verify_wrong(v, "reading a parent: %.300s", e.text);
    else if (!is)
        good = verify_wrong(v, "a parent is called whole, and is not");
    read_memory_clear(&m);
    return good;
}

/* A checkpoint that was said to be done is the resume point until a set follows: it, or one that
 * replaced it, is there. */
static bool
look_at_head(struct verify *v, struct sp_repository *r, unsigned host)
{
    const struct history *h = v->h;
    const struct party *p = &h->cast->hosts[host];
    const struct said *newest = NULL;
    struct sp_store_head head;
    struct sp_err e = {0};
    bool good = true;

    for (size_t i = 0; i < h->nsaid; i++)
        if (h->said[i].host == host && h->said[i].done != NEVER && verify_holds(v, h->said[i].done))
            newest = &h->said[i];
    memset(&head, 0, sizeof(head));
    if (sp_repository_head(r, p->host, party_group(p), history_job(host), &head, &e) != SP_OK)
        return verify_wrong(v, "the head: %.300s", e.text);
    if (newest != NULL && newest->type == SP_RECORD_CHECKPOINT && !head.has_checkpoint &&
        !(head.has_set && head.set_whole)) /* the set that it led to, not said to be done */
        good = verify_wrong(v, "a checkpoint was said to be done, and there is none");
    if (newest != NULL && newest->type == SP_RECORD_CHECKPOINT && head.has_checkpoint &&
        !head.checkpoint_whole)
        good = verify_wrong(v, "the checkpoint to go on from is not whole");
    good = good && (!head.has_set || judged(v, r, host, head.set, head.set_len, head.set_whole)) &&
           (!head.has_checkpoint ||
               judged(v, r, host, head.checkpoint, head.checkpoint_len, head.checkpoint_whole));
    sp_store_head_clear(&head);
    return good;
}

bool
verify_heads(struct verify *v, struct sp_repository *r)
{
    bool good = true;

    for (unsigned i = 0; i < v->h->hosts && good; i++)
        good = look_at_head(v, r, i);
    return good;
}

bool
verify_lasting(struct verify *v, struct sp_repository *r)
{
    const struct history *h = v->h;
    struct sp_upload *u[CAST_HOSTS] = {NULL, NULL};
    struct sp_err e = {0};
    uint8_t answer;
    bool good = true;

    for (size_t i = 0; i < h->nlasting && good; i++) {
        const struct lasting *l = &h->lasting[i];
        const struct party *p = &h->cast->hosts[l->host];

        if (!verify_holds(v, l->since))
            continue;
        if (u[l->host] == NULL &&
            sp_upload_new(r, p->host, party_group(p), &u[l->host], &e) != SP_OK)
            good = verify_wrong(v, "an upload: %.300s", e.text);
        else if (sp_upload_have(u[l->host], l->node, &l->id, 1, &answer, &e) != SP_OK)
            good = verify_wrong(v, "have: %.300s", e.text);
        else if (answer != SP_HAVE_MINE)
            good = verify_wrong(v, "a %s was said to be durable (after %llu), and is not there",
                l->node ? "node" : "chunk", (unsigned long long)l->since);
    }
    for (unsigned i = 0; i < CAST_HOSTS; i++)
        sp_upload_free(u[i]);
    return good;
}
