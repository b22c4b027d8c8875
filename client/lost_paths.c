#include "client/lost_paths.h"

#include <stdlib.h>
#include <string.h>

#include "client/set_reader.h"
#include "storage/chunklist.h"

#define KEPT (1u << 20)    /* 32 MiB of ids */
#define NAMED 100          /* files of one set */
#define FINDING_MOST 65536 /* a finding names no more */

static enum sp_code
add(struct sp_lost_ids *l, const struct sp_id *ids, size_t n, struct sp_err *e)
{
    struct sp_id *more;
    size_t cap = l->cap;

    if (n > KEPT - l->n) {
        n = KEPT - l->n;
        l->more = true;
    }
    while (cap < l->n + n)
        cap = cap == 0 ? 256 : cap * 2;
    if (cap > l->cap) {
        if ((more = realloc(l->ids, cap * sizeof(*more))) == NULL)
            return sp_fail_nomem(e);
        l->ids = more;
        l->cap = cap;
    }
    if (n > 0)
        memcpy(l->ids + l->n, ids, n * sizeof(*ids));
    l->n += n;
    return SP_OK;
}

enum sp_code
sp_lost_ids_take(struct sp_lost_ids *l, const struct sp_check_finding *f, struct sp_err *e)
{
    static const uint8_t none[16];

    if (memcmp(f->set_id, none, sizeof(none)) == 0)
        return SP_OK;
    if (f->nids >= FINDING_MOST)
        l->more = true;
    return add(l, f->ids, f->nids, e);
}

void
sp_lost_ids_sort(struct sp_lost_ids *l)
{
    size_t i, n = 0;

    if (l->n == 0)
        return;
    qsort(l->ids, l->n, sizeof(*l->ids), sp_id_cmp);
    for (i = 0; i < l->n; i++) {
        if (n == 0 || sp_id_cmp(&l->ids[n - 1], &l->ids[i]) != 0)
            l->ids[n++] = l->ids[i];
    }
    l->n = n;
}

void
sp_lost_ids_clear(struct sp_lost_ids *l)
{
    free(l->ids);
    memset(l, 0, sizeof(*l));
}

static bool
is_lost(const struct sp_lost_ids *l, const struct sp_id *id)
{
    return l->n > 0 && bsearch(id, l->ids, l->n, sizeof(*id), sp_id_cmp) != NULL;
}

/* Whether one file is affected; *why says how. */
static enum sp_code
look_at(struct sp_set_reader *reader, const struct sp_lost_ids *lost, const struct sp_entry *en,
    bool *ret, struct sp_err *why, struct sp_err *e)
{
    struct sp_list_reader *list = NULL;
    struct sp_segment s;
    uint64_t offset;
    bool more = true;
    size_t i;
    enum sp_code rc = SP_OK;

    *ret = false;
    for (i = 0; i < en->nattributes; i++) {
        if (en->attributes[i].external && is_lost(lost, &en->attributes[i].id)) {
            (void)sp_fail(why, SP_ABSENT, SP_DOM_STORE, "an attribute of it is lost");
            *ret = true;
            return SP_OK;
        }
    }
    if (en->type != SP_ENTRY_FILE)
        return SP_OK;
    if ((rc = sp_list_reader_new(&reader->source, en, &list, why)) == SP_OK)
        sp_list_reader_once(list);
    while (rc == SP_OK && !*ret) {
        rc = sp_list_reader_next(list, &s, &offset, &more, why);
        if (rc != SP_OK || !more)
            break;
        if (!s.hole && is_lost(lost, &s.id)) {
            (void)sp_fail(why, SP_ABSENT, SP_DOM_STORE, "content is lost, first at byte %llu",
                (unsigned long long)offset);
            *ret = true;
        }
    }
    sp_list_reader_free(list);
    if (rc == SP_OK)
        return SP_OK;
    if (!sp_set_reader_goes_on(rc)) {
        *e = *why;
        return rc;
    }
    *ret = true;
    return SP_OK;
}

enum sp_code
sp_lost_paths(struct sp_cli *c, struct sp_opened_store *o, const struct sp_set *set,
    const struct sp_lost_ids *lost,
    void (*path)(void *arg, const void *key, size_t n, const char *text), void *arg,
    uint64_t *ret_total, uint64_t *ret_parts, struct sp_err *e)
{
    struct sp_set_reader reader;
    const struct sp_entry *en;
    struct sp_err why = {0};
    uint64_t total = 0, parts;
    bool affected;
    enum sp_code rc;

    rc = sp_set_reader_open(c, o, set, false, &reader, &why);
    if (rc != SP_OK && sp_set_reader_goes_on(rc)) { /* not even its root */
        path(arg, "", 0, why.text);
        *ret_total = 0;
        *ret_parts = 1;
        return SP_OK;
    }
    if (rc != SP_OK) {
        *e = why;
        return rc;
    }
    while ((rc = sp_set_reader_next(&reader, &en, e)) == SP_OK && en != NULL) {
        if ((rc = look_at(&reader, lost, en, &affected, &why, e)) != SP_OK)
            break;
        if (affected && total++ < NAMED)
            path(arg, en->key, en->key_len, why.text);
    }
    parts = reader.damaged;
    if (rc == SP_OK && parts > 0)
        path(arg, "", 0, reader.first.text);
    sp_set_reader_close(&reader);
    if (rc == SP_OK) {
        *ret_total = total;
        *ret_parts = parts;
    }
    return rc;
}
