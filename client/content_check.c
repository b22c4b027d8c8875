#include "client/content_check.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "client/prover.h"
#include "client/seen.h"
#include "client/set_reader.h"

#define WINDOW_REFS 16384
#define WINDOW_KEYS (2u << 20) /* bytes of files' keys */
#define REMEMBERED (1u << 18)  /* chunks proven: 8 MiB */

struct ref { /* a file's use of a chunk */
    struct sp_id id;
    uint64_t length; /* ANY_LENGTH: an attribute's value */
    uint32_t file;
};
#define ANY_LENGTH UINT64_MAX

struct file {
    size_t key, key_len; /* in keys */
    bool bad;
};

struct sp_content_check {
    struct sp_node_source lists;
    struct sp_content_events events;
    struct sp_content_stats stats;
    struct sp_seen *seen;

    struct ref refs[WINDOW_REFS];
    size_t nrefs;
    struct file *files;
    size_t nfiles, files_cap;
    struct sp_buf keys;

    struct sp_prover *prover;
    struct sp_id *ids; /* of the window: sorted, each once */
    struct sp_proof *proofs;
    size_t nids;
};

enum sp_code
sp_content_check_new(struct sp_store *store, const struct sp_keys *keys,
    const struct sp_node_source *lists, const struct sp_content_events *events,
    struct sp_content_check **ret, struct sp_err *e)
{
    struct sp_content_check *c = calloc(1, sizeof(*c));
    enum sp_code rc;

    if (c == NULL)
        return sp_fail_nomem(e);
    c->lists = *lists;
    c->events = *events;
    c->ids = calloc(WINDOW_REFS, sizeof(*c->ids));
    c->proofs = calloc(WINDOW_REFS, sizeof(*c->proofs));
    if (c->ids == NULL || c->proofs == NULL)
        rc = sp_fail_nomem(e);
    else if ((rc = sp_seen_new(REMEMBERED, &c->seen, e)) == SP_OK)
        rc = sp_prover_new(store, keys, &c->prover, e);
    if (rc != SP_OK) {
        sp_content_check_free(c);
        return rc;
    }
    *ret = c;
    return SP_OK;
}

void
sp_content_check_free(struct sp_content_check *c)
{
    if (c == NULL)
        return;
    sp_prover_free(c->prover);
    sp_seen_free(c->seen);
    sp_buf_free(&c->keys);
    free(c->files);
    free(c->ids);
    free(c->proofs);
    free(c);
}

/* --- a window --------------------------------------------------------------------------------- */

static void
tell_damaged(struct sp_content_check *c, struct file *f, const char *why)
{
    if (f->bad)
        return;
    f->bad = true;
    c->stats.damaged++;
    if (c->events.damaged != NULL)
        c->events.damaged(c->events.arg, c->keys.data + f->key, f->key_len, why);
}

static int
by_id(const void *a, const void *b)
{
    const struct ref *x = a, *y = b;

    return sp_id_cmp(&x->id, &y->id);
}

static int
by_file(const void *a, const void *b)
{
    const struct ref *x = a, *y = b;

    return (x->file > y->file) - (x->file < y->file);
}

/* What a chunk is remembered by: a use with another length is another thing to prove. */
static void
seen_key(const struct sp_id *id, uint64_t length, uint8_t to[32])
{
    uint8_t n[8];
    size_t i;

    sp_store_le64(n, length);
    memcpy(to, id->b, 32);
    for (i = 0; i < 8; i++)
        to[24 + i] ^= n[i];
}

static void
judge(struct sp_content_check *c, const struct ref *r, const struct sp_proof *p)
{
    char text[SP_ERR_TEXT + 64];
    uint8_t key[32];

    if (!p->proven) {
        (void)snprintf(text, sizeof(text), "chunk %s is %s%s", sp_hex8(r->id.b).s,
            p->why != NULL ? "damaged: " : "missing from the repository",
            p->why != NULL ? p->why : "");
    } else if (r->length != ANY_LENGTH && r->length != p->length) {
        (void)snprintf(text, sizeof(text), "chunk %s has another length than the file says",
            sp_hex8(r->id.b).s);
    } else {
        seen_key(&r->id, r->length, key);
        sp_seen_add(c->seen, key);
        return;
    }
    tell_damaged(c, &c->files[r->file], text);
}

/* Starts the next window; the last file goes on in it when `same`. */
static enum sp_code
next_window(struct sp_content_check *c, bool same, struct sp_err *e)
{
    struct file last;
    struct sp_buf key = SP_BUF_INIT;
    enum sp_code rc;

    c->nrefs = 0;
    if (!same) {
        c->nfiles = 0;
        sp_buf_reset(&c->keys);
        return SP_OK;
    }
    last = c->files[c->nfiles - 1];
    sp_buf_put(&key, c->keys.data + last.key, last.key_len);
    sp_buf_reset(&c->keys);
    sp_buf_put(&c->keys, key.data, key.len);
    last.key = 0;
    c->files[0] = last;
    c->nfiles = 1;
    rc = sp_buf_ok(&key, e);
    if (rc == SP_OK)
        rc = sp_buf_ok(&c->keys, e);
    sp_buf_free(&key);
    return rc;
}

static const struct sp_proof *
proof_of(const struct sp_content_check *c, const struct sp_id *id)
{
    const struct sp_id *found = bsearch(id, c->ids, c->nids, sizeof(*c->ids), sp_id_cmp);

    return &c->proofs[found - c->ids];
}

static enum sp_code
run_window(struct sp_content_check *c, bool same, struct sp_err *e)
{
    const struct file *last;
    size_t i;
    enum sp_code rc;

    if (c->nrefs == 0)
        return next_window(c, same, e);
    qsort(c->refs, c->nrefs, sizeof(c->refs[0]), by_id);
    for (i = c->nids = 0; i < c->nrefs; i++) {
        if (c->nids > 0 && sp_id_cmp(&c->ids[c->nids - 1], &c->refs[i].id) == 0)
            continue;
        memset(&c->proofs[c->nids], 0, sizeof(c->proofs[0]));
        c->ids[c->nids++] = c->refs[i].id;
    }
    rc = sp_prover_run(c->prover, c->ids, c->nids, c->proofs, &c->stats.bytes_fetched, e);
    if (rc == SP_OK) {
        qsort(c->refs, c->nrefs, sizeof(c->refs[0]), by_file);
        for (i = 0; i < c->nrefs; i++)
            judge(c, &c->refs[i], proof_of(c, &c->refs[i].id));
    }
    for (i = 0; i < c->nids; i++) {
        c->stats.chunks += c->proofs[i].proven;
        free(c->proofs[i].why);
    }
    if (rc != SP_OK)
        return rc;
    last = &c->files[c->nfiles - 1];
    if (c->events.progress != NULL)
        c->events.progress(c->events.arg, &c->stats, c->keys.data + last->key, last->key_len);
    return next_window(c, same, e);
}

/* --- entries ---------------------------------------------------------------------------------- */

static enum sp_code
add_ref(struct sp_content_check *c, const struct sp_id *id, uint64_t length, struct sp_err *e)
{
    uint8_t key[32];
    struct ref *r;
    enum sp_code rc;

    seen_key(id, length, key);
    if (sp_seen_has(c->seen, key))
        return SP_OK;
    if (c->nrefs == WINDOW_REFS && (rc = run_window(c, true, e)) != SP_OK)
        return rc;
    r = &c->refs[c->nrefs++];
    r->id = *id;
    r->length = length;
    r->file = (uint32_t)(c->nfiles - 1);
    return SP_OK;
}

static enum sp_code
begin_file(struct sp_content_check *c, const struct sp_entry *en, struct sp_err *e)
{
    struct file *more, *f;

    if (c->nfiles == c->files_cap) {
        size_t cap = c->files_cap == 0 ? 256 : c->files_cap * 2;

        if ((more = realloc(c->files, cap * sizeof(*more))) == NULL)
            return sp_fail_nomem(e);
        c->files = more;
        c->files_cap = cap;
    }
    f = &c->files[c->nfiles++];
    f->key = c->keys.len;
    f->key_len = en->key_len;
    f->bad = false;
    sp_buf_put(&c->keys, en->key, en->key_len);
    return sp_buf_ok(&c->keys, e);
}

static enum sp_code
add_content(struct sp_content_check *c, const struct sp_entry *en, struct sp_err *e)
{
    struct sp_list_reader *list = NULL;
    struct sp_segment s;
    struct sp_err why = {0};
    uint64_t offset;
    bool more = true;
    enum sp_code rc;

    if ((rc = sp_list_reader_new(&c->lists, en, &list, &why)) == SP_OK)
        sp_list_reader_once(list);
    while (rc == SP_OK) {
        rc = sp_list_reader_next(list, &s, &offset, &more, &why);
        if (rc != SP_OK || !more)
            break;
        if (!s.hole && (rc = add_ref(c, &s.id, s.length, e)) != SP_OK) {
            sp_list_reader_free(list);
            return rc;
        }
    }
    sp_list_reader_free(list);
    if (rc == SP_OK)
        return SP_OK;
    if (!sp_set_reader_goes_on(rc)) {
        *e = why;
        return rc;
    }
    tell_damaged(c, &c->files[c->nfiles - 1], why.text);
    return SP_OK;
}

enum sp_code
sp_content_check_add(struct sp_content_check *c, const struct sp_entry *en, struct sp_err *e)
{
    size_t i;
    enum sp_code rc;

    if (c->keys.len > WINDOW_KEYS && (rc = run_window(c, false, e)) != SP_OK)
        return rc;
    if ((rc = begin_file(c, en, e)) != SP_OK)
        return rc;
    for (i = 0; i < en->nattributes; i++) {
        if (en->attributes[i].external &&
            (rc = add_ref(c, &en->attributes[i].id, ANY_LENGTH, e)) != SP_OK)
            return rc;
    }
    if (en->type != SP_ENTRY_FILE)
        return SP_OK;
    c->stats.files++;
    c->stats.bytes += en->size;
    return add_content(c, en, e);
}

enum sp_code
sp_content_check_finish(struct sp_content_check *c, struct sp_content_stats *ret, struct sp_err *e)
{
    enum sp_code rc = run_window(c, false, e);

    if (rc == SP_OK)
        *ret = c->stats;
    return rc;
}
