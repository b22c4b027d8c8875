#include "client/watch.h"

#include <stdlib.h>
#include <string.h>

#include "base/fold.h"
#include "base/os.h"
#include "base/path.h"
#include "client/watch_impl.h"

#define DOCUMENTS_MAX 10000

/* Documents that are changed in place while they are open, so that a copy of them may be of two
 * minds. Those that an application writes anew when it saves them (Word, Excel, LibreOffice) are
 * whole on disk at any time, and none of these. */
static const struct watch_row rows[] = {
    {".vmx", WATCH_MACHINE, NULL, "VMware", "VMware Workstation Pro: Virtual Machine Files"},
    {".vmdk", WATCH_MACHINE_FILE, NULL, NULL, "the same"},
    {".nvram", WATCH_MACHINE_FILE, NULL, NULL, "the same"},
    {".vmss", WATCH_MACHINE_FILE, NULL, NULL, "the same"},
    {".vmsn", WATCH_MACHINE_FILE, NULL, NULL, "the same"},
    {".vmem", WATCH_MACHINE_FILE, NULL, NULL, "the same"},
    {".vmsd", WATCH_MACHINE_FILE, NULL, NULL, "the same"},
    {".vmxf", WATCH_MACHINE_FILE, NULL, NULL, "the same"},
    {".mdb", WATCH_LOCKED_BESIDE, ".ldb", "Microsoft Access",
        "learn.microsoft.com/office/troubleshoot/access/lock-files-introduction"},
    {".mde", WATCH_LOCKED_BESIDE, ".ldb", "Microsoft Access", "the same"},
    {".accdb", WATCH_LOCKED_BESIDE, ".laccdb", "Microsoft Access", "the same"},
    {".accde", WATCH_LOCKED_BESIDE, ".laccdb", "Microsoft Access", "the same"},
    {".accdr", WATCH_LOCKED_BESIDE, ".laccdb", "Microsoft Access", "the same"},
    {".pst", WATCH_HELD, NULL, "Microsoft Outlook",
        "learn.microsoft.com/outlook/troubleshoot/data-files/limits-using-pst-files-over-lan-wan"},
    {".ost", WATCH_HELD, NULL, "Microsoft Outlook", "the same"},
    /* One instant is enough for these: they recover from it. Read live they are not told from it.
     */
    {"-journal", WATCH_JOURNAL, NULL, "an application that uses SQLite",
        "sqlite.org/howtocorrupt.html section 1.2"},
    {"-wal", WATCH_JOURNAL, NULL, "an application that uses SQLite",
        "sqlite.org/wal.html section 2.5"},
};

/* --- seen ------------------------------------------------------------------------------------- */

enum sp_code
sp_watch_new(struct sp_watch **ret, struct sp_err *e)
{
    struct sp_watch *w = calloc(1, sizeof *w);

    if (w == NULL)
        return sp_fail_nomem(e);
    *ret = w;
    return SP_OK;
}

void
sp_watch_free(struct sp_watch *w)
{
    if (w == NULL)
        return;
    sp_buf_free(&w->keys);
    free(w->v);
    free(w);
}

static const struct watch_row *
row_of(const void *key, size_t n)
{
    size_t len;
    const char *name = sp_key_name(key, n, &len);

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        size_t m = strlen(rows[i].end);

        if (len > m && sp_fold_equal(name + len - m, m, rows[i].end, m))
            return &rows[i];
    }
    return NULL;
}

void
sp_watch_see(struct sp_watch *w, const void *key, size_t n)
{
    const struct watch_row *row = row_of(key, n);
    struct watch_seen *more = w->v, s = {.at = w->keys.len, .n = n, .row = row};

    if (row == NULL || w->lost)
        return;
    if ((w->n & (w->n - 1)) == 0)
        more = realloc(w->v, (w->n == 0 ? 1 : 2 * w->n) * sizeof *more);
    if (more != NULL)
        w->v = more;
    sp_buf_put(&w->keys, key, n);
    s.folded_at = s.at;
    if (sp_path_backslash) {
        s.folded_at = w->keys.len;
        sp_fold_put(&w->keys, key, n);
    }
    s.folded_n = w->keys.len - s.folded_at;
    w->lost = more == NULL || w->keys.failed;
    if (!w->lost)
        w->v[w->n++] = s;
}

const uint8_t *
watch_key(const struct sp_watch *w, const struct watch_seen *s)
{
    return w->keys.data + s->at;
}

/* qsort has no argument to give the buffer along: places are turned into pointers for it. */
struct sortable {
    const uint8_t *p;
    struct watch_seen s;
};

static int
by_folded(const void *a, const void *b)
{
    const struct sortable *x = a, *y = b;

    return sp_key_cmp(x->p, x->s.folded_n, y->p, y->s.folded_n);
}

static enum sp_code
sort_seen(struct sp_watch *w, struct sp_err *e)
{
    struct sortable *v = calloc(w->n + 1, sizeof *v);

    if (v == NULL)
        return sp_fail_nomem(e);
    for (size_t i = 0; i < w->n; i++)
        v[i] = (struct sortable){.p = w->keys.data + w->v[i].folded_at, .s = w->v[i]};
    qsort(v, w->n, sizeof *v, by_folded);
    for (size_t i = 0; i < w->n; i++)
        w->v[i] = v[i].s;
    free(v);
    return SP_OK;
}

enum sp_code
watch_find(const struct sp_watch *w, const void *key, size_t n, bool *ret, struct sp_err *e)
{
    struct sp_buf folded = SP_BUF_INIT;
    size_t low = 0, high = w->n;
    enum sp_code rc;

    if (sp_path_backslash)
        sp_fold_put(&folded, key, n);
    else
        sp_buf_put(&folded, key, n);
    *ret = false;
    rc = sp_buf_ok(&folded, e);
    while (rc == SP_OK && low < high && !*ret) {
        size_t middle = low + (high - low) / 2;
        const struct watch_seen *s = &w->v[middle];
        int way = sp_key_cmp(w->keys.data + s->folded_at, s->folded_n, folded.data, folded.len);

        *ret = way == 0;
        if (way < 0)
            low = middle + 1;
        else
            high = middle;
    }
    sp_buf_free(&folded);
    return rc;
}

/* --- documents -------------------------------------------------------------------------------- */

/* The key, its name with another end. */
static enum sp_code
with_end(struct sp_buf *b, const uint8_t *key, size_t n, const char *end, const char *other,
    struct sp_err *e)
{
    sp_buf_put(b, key, n - strlen(end));
    sp_buf_put_str(b, other);
    return sp_buf_ok(b, e);
}

/* Whether it was open, and which file is the document. *ret stays empty: it was not. */
static enum sp_code
open_document(const struct sp_watch *w, const struct watch_seen *s,
    const struct sp_watch_place *place, struct sp_buf *ret, struct sp_err *e)
{
    const uint8_t *key = watch_key(w, s);
    struct sp_buf other = SP_BUF_INIT;
    bool open = false, there = false;
    enum sp_code rc = SP_OK;

    switch (s->row->how) {
    case WATCH_LOCKED_BESIDE:
        if ((rc = with_end(&other, key, s->n, s->row->end, s->row->other, e)) == SP_OK)
            rc = watch_is_there(place, other.data, other.len, &open, e);
        break;
    case WATCH_HELD:
        open = place->in_use != NULL && place->in_use(place->arg, key, s->n);
        break;
    case WATCH_JOURNAL:
        if ((rc = with_end(&other, key, s->n, s->row->end, "", e)) == SP_OK &&
            place->level(place->arg, other.data, other.len) == SP_LEVEL_LIVE &&
            place->in_set(place->arg, other.data, other.len))
            rc = watch_is_there(place, other.data, other.len, &there, e);
        if (rc == SP_OK && there)
            sp_buf_put(ret, other.data, other.len);
        break;
    case WATCH_MACHINE:
    case WATCH_MACHINE_FILE:
        break;
    }
    if (open)
        sp_buf_put(ret, key, s->n);
    sp_buf_free(&other);
    return rc == SP_OK ? sp_buf_ok(ret, e) : rc;
}

static enum sp_code
add_document(const struct watch_row *row, const struct sp_buf *key, enum sp_level level,
    struct sp_verdict *v, struct sp_err *e)
{
    struct sp_verdict_component *c = NULL;
    struct sp_buf detail = SP_BUF_INIT;
    char *path = watch_native(key->data, key->len);
    enum sp_code rc = path != NULL ? SP_OK : sp_fail_nomem(e);

    if (rc == SP_OK)
        rc = watch_add(v, SP_UNIT_DOCUMENT, path, level, &c, e);
    if (rc == SP_OK)
        rc = watch_add_path(c, key->data, key->len, e);
    if (rc == SP_OK) {
        sp_buf_printf(&detail, "%s had it open", row->application);
        if ((rc = sp_buf_ok(&detail, e)) == SP_OK &&
            (c->detail = strdup(sp_buf_str(&detail))) == NULL)
            rc = sp_fail_nomem(e);
    }
    free(path);
    sp_buf_free(&detail);
    return rc;
}

static enum sp_code
documents(const struct sp_watch *w, const struct sp_watch_place *place, struct sp_verdict *v,
    struct sp_err *e)
{
    struct sp_buf key = SP_BUF_INIT, before = SP_BUF_INIT;
    size_t named = 0, more = 0;
    enum sp_code rc = SP_OK;

    for (size_t i = 0; i < w->n && rc == SP_OK; i++) {
        enum sp_level level;

        sp_buf_reset(&key);
        if ((rc = open_document(w, &w->v[i], place, &key, e)) != SP_OK || key.len == 0)
            continue;
        if (key.len == before.len && memcmp(key.data, before.data, key.len) == 0)
            continue; /* it has both kinds of journals */
        level = place->level(place->arg, key.data, key.len);
        sp_buf_reset(&before);
        sp_buf_put(&before, key.data, key.len);
        if (level == SP_LEVEL_NONE)
            continue;
        if (named == DOCUMENTS_MAX) {
            more++;
            continue;
        }
        named++;
        rc = add_document(w->v[i].row, &key, level, v, e);
    }
    if (rc == SP_OK && more > 0)
        rc = sp_verdict_note(v, e,
            "%zu more documents were open in applications that know nothing of VSS; only the first "
            "%d are named",
            more, DOCUMENTS_MAX);
    sp_buf_free(&key);
    sp_buf_free(&before);
    return rc;
}

enum sp_code
sp_watch_finish(
    struct sp_watch *w, const struct sp_watch_place *place, struct sp_verdict *v, struct sp_err *e)
{
    enum sp_code rc = sort_seen(w, e);

    for (size_t i = 0; i < w->n && rc == SP_OK; i++)
        if (w->v[i].row->how == WATCH_MACHINE)
            rc = watch_machine(w, &w->v[i], place, v, e);
    if (rc == SP_OK)
        rc = documents(w, place, v, e);
    if (rc == SP_OK && w->lost)
        rc = sp_verdict_note(v, e,
            "there was not enough memory to look at all virtual machines of VMware and all "
            "documents that "
            "were open: some may be missing here");
    return rc;
}
