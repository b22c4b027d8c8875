#include "client/content_check.h"

#include <stdlib.h>
#include <string.h>

#include "base/queue.h"
#include "base/text.h"
#include "base/thread.h"
#include "client/seen.h"
#include "client/set_reader.h"

#define WINDOW_REFS 16384
#define WINDOW_KEYS (2u << 20) /* bytes of files' keys */
#define REMEMBERED (1u << 18)  /* chunks proven: 8 MiB */
#define QUEUE_BYTES (8u << 20)
#define COPIES 8
#define MAX_WORKERS 4

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

struct wanted { /* a chunk of the window */
    struct sp_id id;
    uint64_t length;
    bool proven;
    char *why; /* of the last bad copy; NULL: none was found */
};

struct task {
    uint8_t *block;
    size_t n, nwanted;
    const uint32_t *indices; /* into `asked`; in the same allocation */
};

struct sp_content_check {
    struct sp_store *store;
    struct sp_node_source lists;
    struct sp_content_events events;
    struct sp_content_stats stats;
    struct sp_seen *seen;

    struct ref refs[WINDOW_REFS];
    size_t nrefs;
    struct file *files;
    size_t nfiles, files_cap;
    struct sp_buf keys;

    struct wanted *wanted; /* sorted by id */
    size_t nwanted;
    struct sp_id *asked;   /* still to be proven */
    uint32_t *asked_which; /* index into wanted */
    bool any_block;

    struct sp_mutex lock; /* of wanted, busy, failed while workers run */
    struct sp_cond idle;
    size_t busy;
    struct sp_err failed;
    struct sp_queue *tasks;
    struct sp_thread *threads[MAX_WORKERS];
    struct sp_opener *openers[MAX_WORKERS];
    size_t nthreads;
};

struct worker {
    struct sp_content_check *c;
    struct sp_opener *opener;
};

/* --- opening blocks
 * ---------------------------------------------------------------------------------------- */

static void
drop_task(void *item)
{
    struct task *t = item;

    free(t->block);
    free(t);
}

static void
open_block(struct sp_content_check *c, struct sp_opener *opener, const struct task *t)
{
    struct sp_opened *opened = NULL;
    struct sp_chunk chunk;
    struct sp_err why = {0};
    struct wanted *w;
    size_t i;
    enum sp_code rc = sp_block_open(opener, t->block, t->n, &opened, &why);

    sp_mutex_lock(&c->lock);
    for (i = 0; i < t->nwanted; i++) {
        w = &c->wanted[c->asked_which[t->indices[i]]];
        if (rc != SP_OK) {
            free(w->why);
            w->why = strdup(why.text);
        } else if (sp_opened_find(opened, &w->id, &chunk)) {
            w->proven = true;
            w->length = chunk.len;
        }
    }
    if (rc != SP_OK && !sp_set_reader_goes_on(rc) && c->failed.code == SP_OK)
        c->failed = why; /* no memory: nothing is known of the block */
    sp_mutex_unlock(&c->lock);
    sp_opened_free(opened);
}

static void
work(void *arg)
{
    struct worker *w = arg;
    struct sp_content_check *c = w->c;
    struct task *t;

    while ((t = sp_queue_pop(c->tasks)) != NULL) {
        open_block(c, w->opener, t);
        drop_task(t);
        sp_mutex_lock(&c->lock);
        if (--c->busy == 0)
            sp_cond_broadcast(&c->idle);
        sp_mutex_unlock(&c->lock);
    }
    free(w);
}

static enum sp_code
start_workers(struct sp_content_check *c, const struct sp_keys *keys, struct sp_err *e)
{
    size_t i, n = sp_cpu_count() < MAX_WORKERS ? sp_cpu_count() : MAX_WORKERS;
    struct worker *w;
    enum sp_code rc;

    for (i = 0; i < n; i++) {
        if ((rc = sp_opener_new(keys, &c->openers[i], e)) != SP_OK)
            return rc;
        if ((w = malloc(sizeof(*w))) == NULL)
            return sp_fail_nomem(e);
        w->c = c;
        w->opener = c->openers[i];
        if ((rc = sp_thread_start("verify", work, w, &c->threads[i], e)) != SP_OK) {
            free(w);
            return rc;
        }
        c->nthreads++;
    }
    return SP_OK;
}

enum sp_code
sp_content_check_new(struct sp_store *store, const struct sp_keys *keys,
    const struct sp_node_source *lists, const struct sp_content_events *events,
    struct sp_content_check **ret, struct sp_err *e)
{
    struct sp_content_check *c = calloc(1, sizeof(*c));
    enum sp_code rc;

    if (c == NULL)
        return sp_fail_nomem(e);
    c->store = store;
    c->lists = *lists;
    c->events = *events;
    sp_mutex_init(&c->lock);
    sp_cond_init(&c->idle);
    c->wanted = calloc(WINDOW_REFS, sizeof(*c->wanted));
    c->asked = calloc(WINDOW_REFS, sizeof(*c->asked));
    c->asked_which = calloc(WINDOW_REFS, sizeof(*c->asked_which));
    if (c->wanted == NULL || c->asked == NULL || c->asked_which == NULL)
        rc = sp_fail_nomem(e);
    else if ((rc = sp_seen_new(REMEMBERED, &c->seen, e)) == SP_OK &&
             (rc = sp_queue_new(QUEUE_BYTES, 1, drop_task, &c->tasks, e)) == SP_OK)
        rc = start_workers(c, keys, e);
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
    size_t i;

    if (c == NULL)
        return;
    if (c->tasks != NULL)
        sp_queue_abort(c->tasks);
    for (i = 0; i < c->nthreads; i++)
        sp_thread_join(c->threads[i]);
    for (i = 0; i < MAX_WORKERS; i++)
        sp_opener_free(c->openers[i]);
    sp_queue_free(c->tasks);
    sp_seen_free(c->seen);
    sp_buf_free(&c->keys);
    free(c->files);
    free(c->wanted);
    free(c->asked);
    free(c->asked_which);
    sp_mutex_destroy(&c->lock);
    sp_cond_destroy(&c->idle);
    free(c);
}

/* --- a window
 * ---------------------------------------------------------------------------------------------- */

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

static enum sp_code
fetched(void *arg, const uint8_t *block, size_t n, const uint32_t *indices, size_t nindices,
    struct sp_err *e)
{
    struct sp_content_check *c = arg;
    struct task *t = malloc(sizeof(*t) + nindices * sizeof(*indices));
    uint8_t *copy = malloc(n > 0 ? n : 1);

    c->any_block = true;
    c->stats.bytes_fetched += n;
    if (t == NULL || copy == NULL) {
        free(t);
        free(copy);
        return sp_fail_nomem(e);
    }
    memcpy(copy, block, n);
    memcpy(t + 1, indices, nindices * sizeof(*indices));
    t->block = copy;
    t->n = n;
    t->indices = (const uint32_t *)(const void *)(t + 1);
    t->nwanted = nindices;
    sp_mutex_lock(&c->lock);
    c->busy++;
    sp_mutex_unlock(&c->lock);
    if (!sp_queue_push(c->tasks, t, n)) {
        drop_task(t);
        return sp_fail(e, SP_CANCELLED, SP_DOM_SELF, "the check was ended");
    }
    return SP_OK;
}

/* Everything that was fetched is opened. */
static enum sp_code
wait_idle(struct sp_content_check *c, struct sp_err *e)
{
    enum sp_code rc;

    sp_mutex_lock(&c->lock);
    while (c->busy > 0)
        sp_cond_wait(&c->idle, &c->lock);
    rc = c->failed.code;
    if (rc != SP_OK)
        *e = c->failed;
    sp_mutex_unlock(&c->lock);
    return rc;
}

static enum sp_code
prove(struct sp_content_check *c, struct sp_err *e)
{
    struct sp_err opening = {0};
    unsigned copy;
    size_t i, n;
    enum sp_code rc = SP_OK, opened;

    for (copy = 0; copy < COPIES && rc == SP_OK; copy++) {
        for (i = n = 0; i < c->nwanted; i++) {
            if (c->wanted[i].proven)
                continue;
            c->asked[n] = c->wanted[i].id;
            c->asked_which[n++] = (uint32_t)i;
        }
        if (n == 0)
            break;
        c->any_block = false;
        rc = sp_store_get(c->store, c->asked, n, copy, fetched, c, e);
        opened = wait_idle(c, &opening);
        if (rc == SP_OK && opened != SP_OK) {
            *e = opening;
            rc = opened;
        }
        if (!c->any_block) /* there are no more copies */
            break;
    }
    return rc;
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

static int
find_wanted(const void *id, const void *w)
{
    return sp_id_cmp(id, &((const struct wanted *)w)->id);
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
judge(struct sp_content_check *c, const struct ref *r, const struct wanted *w)
{
    char text[SP_ERR_TEXT + 64];
    uint8_t key[32];

    if (!w->proven) {
        (void)snprintf(text, sizeof(text), "chunk %s is %s%s", sp_hex8(w->id.b).s,
            w->why != NULL ? "damaged: " : "missing from the repository",
            w->why != NULL ? w->why : "");
    } else if (r->length != ANY_LENGTH && r->length != w->length) {
        (void)snprintf(text, sizeof(text), "chunk %s has another length than the file says",
            sp_hex8(w->id.b).s);
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

static enum sp_code
run_window(struct sp_content_check *c, bool same, struct sp_err *e)
{
    struct wanted *w = NULL;
    const struct file *last;
    size_t i;
    enum sp_code rc;

    if (c->nrefs == 0)
        return next_window(c, same, e);
    qsort(c->refs, c->nrefs, sizeof(c->refs[0]), by_id);
    c->nwanted = 0;
    for (i = 0; i < c->nrefs; i++) {
        if (w != NULL && sp_id_cmp(&w->id, &c->refs[i].id) == 0)
            continue;
        w = &c->wanted[c->nwanted++];
        memset(w, 0, sizeof(*w));
        w->id = c->refs[i].id;
    }
    rc = prove(c, e);
    if (rc == SP_OK) {
        qsort(c->refs, c->nrefs, sizeof(c->refs[0]), by_file);
        for (i = 0; i < c->nrefs; i++)
            judge(c, &c->refs[i],
                bsearch(&c->refs[i].id, c->wanted, c->nwanted, sizeof(*c->wanted), find_wanted));
    }
    for (i = 0; i < c->nwanted; i++) {
        c->stats.chunks += c->wanted[i].proven;
        free(c->wanted[i].why);
    }
    if (rc != SP_OK)
        return rc;
    last = &c->files[c->nfiles - 1];
    if (c->events.progress != NULL)
        c->events.progress(c->events.arg, &c->stats, c->keys.data + last->key, last->key_len);
    return next_window(c, same, e);
}

/* --- entries
 * ------------------------------------------------------------------------------------------------
 */

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

    rc = sp_list_reader_new(&c->lists, en, &list, &why);
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
