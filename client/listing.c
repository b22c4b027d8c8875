#include "client/listing.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/runs.h"

#define RUNS_MEMORY ((size_t)8 << 20)

static const char tag_name[] = "CACHEDIR.TAG";

struct sp_listing {
    const struct sp_env *env;
    const char *temp_dir;
    /* In memory: u8 length of what is known, a type byte, what is known, the name, a NUL, one after
     * the other; `order` points to their beginnings. */
    struct sp_buf arena;
    const uint8_t **order;
    size_t count, next;
    struct sp_runs *runs; /* or there: the type and what is known are the value */
    struct sp_buf last;   /* the name given out before, when in runs */
    struct sp_err error;
    bool has_tag, tag_only, tag_given;
    struct sp_buf tag; /* type byte and what is known of it */
};

static const char *
name_of(const uint8_t *record)
{
    return (const char *)record + 2 + record[0];
}

enum sp_code
sp_listing_new(
    const struct sp_env *env, const char *temp_dir, struct sp_listing **ret, struct sp_err *e)
{
    struct sp_listing *l = calloc(1, sizeof *l);

    if (l == NULL)
        return sp_fail_nomem(e);
    l->env = env;
    l->temp_dir = temp_dir;
    *ret = l;
    return SP_OK;
}

/* What the arena holds goes to disk. */
static enum sp_code
move_to_runs(struct sp_listing *l, struct sp_err *e)
{
    const uint8_t *p = l->arena.data, *end = p + l->arena.len;
    enum sp_code rc;

    if (l->temp_dir == NULL)
        return sp_fail(e, SP_INVALID, SP_DOM_CONFIG,
            "a folder with more than %d names cannot be sorted without a temporary folder",
            SP_LISTING_MOST);
    if ((rc = sp_runs_new(l->env, l->temp_dir, RUNS_MEMORY, &l->runs, e)) != SP_OK)
        return rc;
    while (p < end) {
        const char *name = name_of(p);
        size_t n = strlen(name);

        if ((rc = sp_runs_add(l->runs, name, n, p + 1, (size_t)p[0] + 1, e)) != SP_OK)
            return rc;
        p = (const uint8_t *)name + n + 1;
    }
    sp_buf_free(&l->arena);
    return SP_OK;
}

enum sp_code
sp_listing_add(struct sp_listing *l, const char *name, size_t n, enum sp_entry_type type,
    const void *known, size_t known_len, struct sp_err *e)
{
    uint8_t value[1 + SP_LISTING_KNOWN];
    enum sp_code rc;

    value[0] = (uint8_t)type;
    if (known_len > 0)
        memcpy(value + 1, known, known_len);
    if (n == sizeof tag_name - 1 && memcmp(name, tag_name, n) == 0) {
        l->has_tag = true;
        sp_buf_reset(&l->tag);
        sp_buf_put(&l->tag, value, known_len + 1);
        if ((rc = sp_buf_ok(&l->tag, e)) != SP_OK)
            return rc;
    }
    if (l->runs == NULL && l->count == SP_LISTING_MOST && (rc = move_to_runs(l, e)) != SP_OK)
        return rc;
    l->count++;
    if (l->runs != NULL)
        return sp_runs_add(l->runs, name, n, value, known_len + 1, e);
    sp_buf_put_u8(&l->arena, (uint8_t)known_len);
    sp_buf_put(&l->arena, value, known_len + 1);
    sp_buf_put(&l->arena, name, n);
    sp_buf_put_u8(&l->arena, 0);
    return sp_buf_ok(&l->arena, e);
}

void
sp_listing_broke_off(struct sp_listing *l, const struct sp_err *why)
{
    if (l->error.code == SP_OK)
        l->error = *why;
}

/* strcmp compares as unsigned bytes: the order of keys. */
static int
compare(const void *a, const void *b)
{
    return strcmp(name_of(*(const uint8_t *const *)a), name_of(*(const uint8_t *const *)b));
}

enum sp_code
sp_listing_sort(struct sp_listing *l, struct sp_err *e)
{
    const uint8_t *p = l->arena.data;

    if (l->runs != NULL)
        return sp_runs_sort(l->runs, e);
    if (l->count == 0)
        return SP_OK;
    if ((l->order = malloc(l->count * sizeof *l->order)) == NULL)
        return sp_fail_nomem(e);
    for (size_t i = 0; i < l->count; i++) {
        const char *name = name_of(p);

        l->order[i] = p;
        p = (const uint8_t *)name + strlen(name) + 1;
    }
    qsort(l->order, l->count, sizeof *l->order, compare);
    return SP_OK;
}

void
sp_listing_free(struct sp_listing *l)
{
    if (l == NULL)
        return;
    sp_runs_free(l->runs);
    sp_buf_free(&l->arena);
    sp_buf_free(&l->last);
    sp_buf_free(&l->tag);
    free(l->order);
    free(l);
}

const struct sp_err *
sp_listing_error(const struct sp_listing *l)
{
    return l->error.code != SP_OK ? &l->error : NULL;
}

uint64_t
sp_listing_keep_tag(struct sp_listing *l)
{
    l->tag_only = true;
    return l->count - 1;
}

/* `value`: the type byte and what is known. */
static void
give(struct sp_listed *ret, const char *name, size_t n, const uint8_t *value, size_t value_n)
{
    *ret = (struct sp_listed){.name = name,
        .len = n,
        .type = (enum sp_entry_type)value[0],
        .known = value + 1,
        .known_len = value_n - 1};
}

bool
sp_listing_has_tag(const struct sp_listing *l, struct sp_listed *ret)
{
    if (l->has_tag)
        give(ret, tag_name, sizeof tag_name - 1, l->tag.data, l->tag.len);
    return l->has_tag;
}

/* Two names may be the same where a folder changed while it was read: only one of them counts. */
static enum sp_code
next_in_runs(struct sp_listing *l, struct sp_listed *ret, bool *ret_more, struct sp_err *e)
{
    const void *name, *value;
    size_t n, value_n;
    bool more;
    enum sp_code rc;

    do {
        if ((rc = sp_runs_next(l->runs, &name, &n, &value, &value_n, &more, e)) != SP_OK)
            return rc;
        if (!more) {
            *ret_more = false;
            return SP_OK;
        }
    } while (n == l->last.len && memcmp(name, l->last.data, n) == 0);
    sp_buf_reset(&l->last);
    sp_buf_put(&l->last, name, n);
    give(ret, sp_buf_str(&l->last), n, value, value_n);
    if ((rc = sp_buf_ok(&l->last, e)) == SP_OK)
        *ret_more = true;
    return rc;
}

enum sp_code
sp_listing_next(struct sp_listing *l, struct sp_listed *ret, bool *ret_more, struct sp_err *e)
{
    const uint8_t *p;

    if (l->tag_only) {
        give(ret, tag_name, sizeof tag_name - 1, l->tag.data, l->tag.len);
        *ret_more = !l->tag_given;
        l->tag_given = true;
        return SP_OK;
    }
    if (l->runs != NULL)
        return next_in_runs(l, ret, ret_more, e);
    while (l->next > 0 && l->next < l->count &&
           strcmp(name_of(l->order[l->next]), name_of(l->order[l->next - 1])) == 0)
        l->next++;
    if (l->next == l->count) {
        *ret_more = false;
        return SP_OK;
    }
    p = l->order[l->next++];
    give(ret, name_of(p), strlen(name_of(p)), p + 1, (size_t)p[0] + 1);
    *ret_more = true;
    return SP_OK;
}
