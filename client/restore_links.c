#include <stdlib.h>
#include <string.h>

#include "base/path.h"
#include "base/text.h"
#include "client/restore_run.h"

/* Hard links, last: the entries of all groups come back sorted by group. The first of each is
 * restored like any other object, the others become further names of it. This goes in batches, so
 * that many firsts share a window. The folders, finished before, are entered again and get their
 * times back at the end of the batch. */

#define BATCH_BYTES (4u << 20) /* of entries that wait */
#define BATCH_FOLDERS 16384
#define SORT_MEMORY (4u << 20)

struct waiting {
    struct leader *leader;
    struct sp_entry *entry;
};

struct batch {
    struct restore *r;
    struct waiting *waiting;
    size_t nwaiting, waiting_cap, bytes;
    struct leader **leaders;
    size_t nleaders, leaders_cap;
    struct folder **table; /* by the folder above and the name; open addressing */
    size_t nfolders, table_cap;
    struct folder *root;
    struct leader *current;
};

bool
is_linked(const struct sp_entry *en)
{
    return en->type != SP_ENTRY_DIR && en->links > 1 && en->file_id != 0;
}

enum sp_code
links_add(struct restore *r, const struct sp_entry *en, struct sp_err *e)
{
    struct sp_buf key = SP_BUF_INIT, value = SP_BUF_INIT;
    enum sp_code rc = SP_OK;

    if (r->links == NULL)
        rc = sp_runs_new(r->env, r->temp_dir, SORT_MEMORY, &r->links, e);
    sp_buf_put_u32(&key, en->device); /* any order does: it only brings a group together */
    sp_buf_put_u64(&key, en->file_id);
    entry_pack(en, &value);
    if (rc == SP_OK)
        rc = sp_buf_ok(&key, e);
    if (rc == SP_OK)
        rc = sp_buf_ok(&value, e);
    if (rc == SP_OK)
        rc = sp_runs_add(r->links, key.data, key.len, value.data, value.len, e);
    sp_buf_free(&key);
    sp_buf_free(&value);
    return rc;
}

static void
leader_clear(struct leader *l)
{
    sp_target_dir_release(l->dir);
    free(l->name);
    restore_err_free(l->lost);
    *l = (struct leader){.dir = NULL};
}

/* --- the batch's folders
 * ------------------------------------------------------------------------------- */

static size_t
slot_of(const struct batch *b, const struct folder *up, const char *name, size_t n)
{
    uint64_t h = (uint64_t)(uintptr_t)up * UINT64_C(0x9E3779B97F4A7C15);
    size_t i;

    for (i = 0; i < n; i++)
        h = (h ^ (uint8_t)name[i]) * UINT64_C(0x100000001b3);
    h ^= h >> 32;
    for (i = (size_t)h & (b->table_cap - 1); b->table[i] != NULL; i = (i + 1) & (b->table_cap - 1))
        if (b->table[i]->up == up && b->table[i]->name_len == n &&
            memcmp(b->table[i]->name, name, n) == 0)
            break;
    return i;
}

static enum sp_code
table_grow(struct batch *b, struct sp_err *e)
{
    size_t cap = b->table_cap, more = cap == 0 ? 256 : cap * 2;
    struct folder **old = b->table, **table;

    if ((b->nfolders + 1) * 2 <= cap)
        return SP_OK;
    if ((table = calloc(more, sizeof(struct folder *))) == NULL)
        return sp_fail_nomem(e);
    b->table = table;
    b->table_cap = more;
    for (size_t i = 0; i < cap; i++)
        if (old[i] != NULL)
            table[slot_of(b, old[i]->up, old[i]->name, old[i]->name_len)] = old[i];
    free(old);
    return SP_OK;
}

static enum sp_code
enter(struct folder *f, struct sp_err *e)
{
    struct sp_target_dir *up = f->up->dir;
    enum sp_code rc;

    rc = sp_target_dir_enter(up, f->name, &f->dir, e);
    /* It has its final rights already, which may keep out even its owner. */
    if (rc == SP_DENIED && (rc = sp_target_dir_open_up(up, e)) == SP_OK)
        rc = sp_target_dir_enter(up, f->name, &f->dir, e);
    return rc;
}

static enum sp_code
late_new(struct batch *b, struct folder *up, const char *name, size_t n, struct folder **ret,
    struct sp_err *e)
{
    struct restore *r = b->r;
    struct sp_err why = {0};
    struct folder *f = NULL;
    enum sp_code rc;

    if ((rc = folder_new(r, up, name, n, NULL, &f, e)) != SP_OK)
        return rc;
    f->late = f->tried = true;
    if (f->depth <= r->strip)
        f->dir = sp_target_dir_hold(sp_target_root(r->target));
    else if (up->refused != NULL)
        f->refused = restore_err_copy(up->refused);
    else if ((rc = enter(f, &why)) != SP_OK) {
        if (restore_is_fatal(&why)) {
            *e = why;
            folder_err_at(f, e);
            folder_release(f);
            return rc;
        }
        f->refused = restore_err_copy(&why);
    }
    *ret = f;
    return SP_OK;
}

static enum sp_code
late_below(struct batch *b, struct folder *up, const char *name, size_t n, struct folder **ret,
    struct sp_err *e)
{
    size_t at;
    enum sp_code rc;

    if ((rc = table_grow(b, e)) != SP_OK)
        return rc;
    at = slot_of(b, up, name, n);
    if (b->table[at] == NULL) {
        if ((rc = late_new(b, up, name, n, &b->table[at], e)) != SP_OK)
            return rc;
        b->nfolders++;
    }
    *ret = b->table[at];
    return SP_OK;
}

/* The folder of an entry, ready for being written to, or refused. */
static enum sp_code
late_folder(struct batch *b, const struct sp_entry *en, struct folder **ret, struct sp_err *e)
{
    const char *p = (const char *)en->key;
    size_t left = en->key_len;
    struct sp_err why = {0};
    struct folder *f;
    const char *end;
    enum sp_code rc = SP_OK;

    if (b->root == NULL && (rc = late_new(b, NULL, "", 0, &b->root, e)) != SP_OK)
        return rc;
    f = b->root;
    while (rc == SP_OK && (end = memchr(p, 0, left)) != NULL) {
        rc = late_below(b, f, p, (size_t)(end - p), &f, e);
        left -= (size_t)(end - p) + 1;
        p = end + 1;
    }
    if (rc != SP_OK)
        return rc;
    if (f->refused == NULL && (rc = sp_target_dir_open_up(f->dir, &why)) != SP_OK) {
        if (restore_is_fatal(&why)) {
            *e = why;
            folder_err_at(f, e);
            return rc;
        }
        f->refused = restore_err_copy(&why);
    }
    *ret = f;
    return SP_OK;
}

static void
release_folders(struct batch *b)
{
    for (size_t i = 0; i < b->table_cap; i++) {
        if (b->table[i] != NULL)
            folder_release(b->table[i]);
        b->table[i] = NULL;
    }
    folder_release(b->root);
    b->root = NULL;
    b->nfolders = 0;
}

/* --- names
 * ---------------------------------------------------------------------------------------------- */

static enum sp_code
fault(struct restore *r, const struct sp_entry *en, const struct sp_err *why, struct sp_err *e)
{
    if (restore_is_fatal(why)) {
        *e = *why;
        restore_err_at(e, en->key, en->key_len);
        return why->code;
    }
    restore_fault(r, en->key, en->key_len, why);
    return SP_OK;
}

/* Restores it as an object of its own; the leader is told, at the latest when the window is done.
 */
static enum sp_code
lead(struct batch *b, struct leader *l, const struct sp_entry *en, struct sp_err *e)
{
    struct folder *f = NULL;
    struct sp_err why;
    enum sp_code rc;

    if ((rc = late_folder(b, en, &f, e)) != SP_OK)
        return rc;
    if (f->refused != NULL) {
        why = *f->refused;
        sp_err_context(&why, "its folder could not be entered again");
        return fault(b->r, en, &why, e);
    }
    return plan_object(b->r, f, en, l, e);
}

static enum sp_code
lead_now(struct batch *b, struct leader *l, const struct sp_entry *en, struct sp_err *e)
{
    enum sp_code rc;

    if ((rc = lead(b, l, en, e)) != SP_OK)
        return rc;
    return plan_drain(b->r, e);
}

static enum sp_code
link_named(struct batch *b, struct leader *l, struct folder *f, const struct sp_entry *en,
    const char *name, struct sp_err *e)
{
    struct restore *r = b->r;
    struct sp_target_stat st;
    struct sp_err why = {0};
    bool kept, exists;
    enum sp_code rc;

    rc = plan_look(r, f, en, name, &st, &kept, &why);
    if (rc != SP_OK && rc != SP_ABSENT)
        return fault(r, en, &why, e);
    exists = rc == SP_OK;
    if (exists && kept)
        return SP_OK;
    if (exists && st.device == l->st.device && st.inode == l->st.inode) {
        restore_count(r, en, true);
        return SP_OK;
    }
    rc = sp_target_link(l->dir, l->name, &l->st, f->dir, en, name,
        exists || (r->o->if_exists == SP_IF_EXISTS_REPLACE && !sp_target_folds(f->dir)), &why);
    if (rc == SP_UNSUPPORTED) { /* a copy of its own, which the next ones are linked to */
        leader_clear(l);
        return lead_now(b, l, en, e);
    }
    if (rc != SP_OK)
        return fault(r, en, &why, e);
    restore_count(r, en, false);
    return SP_OK;
}

static enum sp_code
place(struct batch *b, struct leader *l, const struct sp_entry *en, struct sp_err *e)
{
    struct folder *f = NULL;
    size_t n;
    const char *name = sp_key_name(en->key, en->key_len, &n);
    char *copy;
    enum sp_code rc;

    if (l->dir == NULL)
        return l->lost != NULL ? fault(b->r, en, l->lost, e) : lead_now(b, l, en, e);
    if (l->type != en->type)
        return lead_now(b, NULL, en, e);
    if ((rc = late_folder(b, en, &f, e)) != SP_OK)
        return rc;
    if (f->refused != NULL)
        return fault(b->r, en, f->refused, e);
    if ((copy = sp_text_copy(name, n)) == NULL)
        return sp_fail_nomem(e);
    rc = link_named(b, l, f, en, copy, e);
    free(copy);
    return rc;
}

/* --- batches
 * -------------------------------------------------------------------------------------------- */

/* The group at hand may go on in the next batch: its leader stays. */
static void
forget(struct batch *b, bool all)
{
    size_t kept = 0;

    for (size_t i = 0; i < b->nwaiting; i++)
        free(b->waiting[i].entry);
    for (size_t i = 0; i < b->nleaders; i++) {
        if (b->leaders[i] == b->current && !all) {
            b->leaders[kept++] = b->leaders[i];
        } else {
            leader_clear(b->leaders[i]);
            free(b->leaders[i]);
        }
    }
    b->nwaiting = b->bytes = 0;
    b->nleaders = kept;
}

static enum sp_code
flush(struct batch *b, struct sp_err *e)
{
    enum sp_code rc;

    rc = plan_drain(b->r, e);
    for (size_t i = 0; i < b->nwaiting && rc == SP_OK; i++)
        rc = place(b, b->waiting[i].leader, b->waiting[i].entry, e);
    if (rc != SP_OK)
        return rc;
    release_folders(b);
    forget(b, false);
    return SP_OK;
}

static enum sp_code
grow(void **array, size_t *cap, size_t n, size_t size, struct sp_err *e)
{
    size_t more = *cap == 0 ? 64 : *cap * 2;
    void *p;

    if (n < *cap)
        return SP_OK;
    if ((p = realloc(*array, more * size)) == NULL)
        return sp_fail_nomem(e);
    *array = p;
    *cap = more;
    return SP_OK;
}

static enum sp_code
new_group(struct batch *b, const struct sp_entry *en, struct sp_err *e)
{
    void *array = b->leaders;
    struct leader *l;
    enum sp_code rc;

    rc = grow(&array, &b->leaders_cap, b->nleaders, sizeof(struct leader *), e);
    b->leaders = array;
    if (rc != SP_OK)
        return rc;
    if ((l = calloc(1, sizeof *l)) == NULL)
        return sp_fail_nomem(e);
    b->leaders[b->nleaders++] = b->current = l;
    return lead(b, l, en, e);
}

static enum sp_code
wait_for(struct batch *b, struct sp_entry **en, struct sp_err *e)
{
    void *array = b->waiting;
    enum sp_code rc;

    rc = grow(&array, &b->waiting_cap, b->nwaiting, sizeof *b->waiting, e);
    b->waiting = array;
    if (rc != SP_OK)
        return rc;
    b->bytes += sp_entry_memory(*en);
    b->waiting[b->nwaiting++] = (struct waiting){b->current, *en};
    *en = NULL;
    return SP_OK;
}

static enum sp_code
take(struct batch *b, struct sp_entry **en, bool first, struct sp_err *e)
{
    enum sp_code rc;

    if (b->bytes >= BATCH_BYTES || b->nfolders >= BATCH_FOLDERS || b->nleaders >= WINDOW_PIECES) {
        if ((rc = flush(b, e)) != SP_OK)
            return rc;
    }
    return first ? new_group(b, *en, e) : wait_for(b, en, e);
}

enum sp_code
links_run(struct restore *r, struct sp_err *e)
{
    struct batch b = {.r = r};
    struct sp_buf group = SP_BUF_INIT;
    const void *key, *value;
    size_t key_n, value_n;
    bool more = true;
    enum sp_code rc;

    if (r->links == NULL)
        return SP_OK;
    rc = sp_runs_sort(r->links, e);
    while (rc == SP_OK) {
        struct sp_entry *en = NULL;
        bool first;

        rc = sp_runs_next(r->links, &key, &key_n, &value, &value_n, &more, e);
        if (rc != SP_OK || !more)
            break;
        if ((rc = entry_unpack(value, value_n, &en, e)) != SP_OK)
            break;
        first = b.current == NULL || sp_key_cmp(group.data, group.len, key, key_n) != 0;
        group.len = 0;
        sp_buf_put(&group, key, key_n);
        if ((rc = sp_buf_ok(&group, e)) == SP_OK)
            rc = take(&b, &en, first, e);
        free(en);
    }
    if (rc == SP_OK)
        rc = flush(&b, e);
    else
        restore_fail(r, e); /* before the folders are let go */
    sp_buf_free(&group);
    restore_quiesce(r);
    release_folders(&b);
    forget(&b, true);
    free(b.waiting);
    free(b.leaders);
    free(b.table);
    return rc;
}
