#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "client/restore_run.h"

/* Writing: one piece of a file at a time; with its last piece a file is finished, or told as a
 * fault. */

static enum sp_code
missing(struct window *w, const struct chunk *c, const char *what, struct sp_err *e)
{
    sp_mutex_lock(&w->lock);
    if (w->why.code != SP_OK)
        (void)sp_fail(e, SP_CORRUPT, SP_DOM_STORE,
            "%schunk %s is missing from the repository, or damaged (%.300s)", what,
            sp_hex8(c->id.b).s, w->why.text);
    else
        (void)sp_fail(e, SP_ABSENT, SP_DOM_STORE, "%schunk %s is missing from the repository", what,
            sp_hex8(c->id.b).s);
    sp_mutex_unlock(&w->lock);
    return e->code;
}

static enum sp_code
write_part(struct window *w, struct file *f, const struct part *part, struct sp_err *e)
{
    const struct chunk *c;
    enum sp_code rc;

    if (part->chunk == PART_HOLE) {
        f->written += part->length;
        return SP_OK;
    }
    c = &w->chunks[part->chunk];
    if (c->data == NULL)
        return missing(w, c, "", e);
    if (c->got != part->length)
        return sp_fail(e, SP_CORRUPT, SP_DOM_STORE,
            "chunk %s has another length than the file's list says", sp_hex8(c->id.b).s);
    if ((rc = sp_target_file_write(f->out, part->offset, c->data, c->got, e)) != SP_OK)
        return rc;
    f->written += part->length;
    if (part->offset < f->entry->size)
        f->end = part->offset + part->length;
    return SP_OK;
}

static enum sp_code
write_parts(struct piece *p, struct sp_err *e)
{
    struct window *w = p->task.window;
    struct file *f = p->file;
    enum sp_code rc = SP_OK;

    if (f->out == NULL &&
        (rc = sp_target_file_create(f->folder->dir, f->entry, &f->out, e)) != SP_OK)
        return rc;
    for (size_t i = p->first; i < p->first + p->n && rc == SP_OK; i++)
        rc = write_part(w, f, &w->parts[i], e);
    if (rc == SP_OK && p->lost != NULL) {
        *e = *p->lost;
        rc = e->code;
    }
    return rc;
}

enum sp_code
file_try(struct folder *folder, const struct sp_entry *en, struct sp_err *e)
{
    struct sp_target_file *out = NULL;
    enum sp_code rc;

    if ((en->flags & SP_ENTRY_AWAY) == 0 || en->extra == 0)
        return SP_OK;
    if ((rc = sp_target_file_create(folder->dir, en, &out, e)) == SP_OK)
        sp_target_file_drop(out);
    return rc;
}

/* --- the end of a file
 * -------------------------------------------------------------------------------- */

/* The entry with the values that came with the window; an attribute whose value is lost is left
 * out. */
static enum sp_code
with_values(struct window *w, const struct sp_entry *en, struct sp_entry *ret,
    struct sp_attribute **owned, struct sp_err *flaw, struct sp_err *e)
{
    size_t n = 0;

    *ret = *en;
    *owned = calloc(en->nattributes + 1, sizeof **owned);
    if (*owned == NULL)
        return sp_fail_nomem(e);
    for (size_t i = 0; i < en->nattributes; i++) {
        struct sp_attribute a = en->attributes[i];

        if (a.external) {
            uint32_t at = window_find(w, &a.id);
            const struct chunk *c;

            if (at == PART_HOLE) {
                (void)sp_fail(
                    flaw, SP_UNSUPPORTED, SP_DOM_STORE, "it has too many long attributes");
                continue;
            }
            c = &w->chunks[at];
            if (c->data == NULL) {
                (void)missing(w, c, "the value of one of its attributes: ", flaw);
                continue;
            }
            a.external = false;
            a.value = c->data;
            a.len = c->got;
        }
        (*owned)[n++] = a;
    }
    ret->attributes = *owned;
    ret->nattributes = n;
    return SP_OK;
}

static enum sp_code
tell_leader(struct file *f, const struct sp_target_stat *st, struct sp_err *e)
{
    struct leader *l = f->leader;

    if (l == NULL)
        return SP_OK;
    if ((l->name = strdup(f->name)) == NULL)
        return sp_fail_nomem(e);
    l->dir = sp_target_dir_hold(f->folder->dir);
    l->st = *st;
    l->type = SP_ENTRY_FILE;
    return SP_OK;
}

static enum sp_code
publish(struct file *f, const struct sp_entry *en, struct sp_target_stat *st, struct sp_err *flaw,
    struct sp_err *e)
{
    struct sp_target_file *out = f->out;
    enum sp_code rc;

    if (f->written != sp_entry_content(en))
        return sp_fail(e, SP_IO, SP_DOM_DESTINATION, "only %llu of %llu bytes were written",
            (unsigned long long)f->written, (unsigned long long)sp_entry_content(en));
    if (f->end < en->size && (rc = sp_target_file_resize(out, en->size, e)) != SP_OK)
        return rc;
    f->out = NULL;
    return sp_target_file_publish(out, en, f->name, f->replace, st, flaw, e);
}

static enum sp_code
finish(struct piece *p, bool equal, struct sp_err *flaw, struct sp_err *e)
{
    struct file *f = p->file;
    struct sp_target_stat st = {0}, *told;
    struct sp_err lost = {0};
    struct sp_attribute *owned = NULL;
    struct sp_entry en;
    enum sp_code rc;

    if ((rc = with_values(p->task.window, f->entry, &en, &owned, &lost, e)) != SP_OK)
        return rc;
    told = f->leader != NULL ? &st : NULL;
    rc = equal ? sp_target_adjust(f->folder->dir, f->name, &en, told, flaw, e)
               : publish(f, &en, told, flaw, e);
    free(owned);
    if (rc != SP_OK)
        return rc;
    if (flaw->code == SP_OK)
        *flaw = lost;
    return tell_leader(f, &st, e);
}

static void
end_file(struct piece *p, bool equal)
{
    struct file *f = p->file;
    struct restore *r = f->folder->r;
    struct sp_err e = {0}, flaw = {0};
    enum sp_code rc;

    if (f->failed != NULL) {
        e = *f->failed;
        rc = e.code;
    } else {
        rc = finish(p, equal, &flaw, &e);
    }
    if (rc == SP_OK && flaw.code == SP_OK) {
        restore_count(r, f->entry, equal);
        return;
    }
    if (rc == SP_OK) {
        restore_fault(r, f->entry->key, f->entry->key_len, &flaw);
        return;
    }
    if (restore_is_fatal(&e)) {
        restore_err_at(&e, f->entry->key, f->entry->key_len);
        restore_fail(r, &e);
        return;
    }
    if (f->leader != NULL && e.domain == SP_DOM_STORE)
        f->leader->lost = restore_err_copy(&e);
    restore_fault(r, f->entry->key, f->entry->key_len, &e);
}

static void
write_piece(struct piece *p)
{
    struct file *f = p->file;
    struct sp_err e = {0};
    bool equal = f->how == FILE_ADJUST || p->equal;

    if (atomic_load(&f->folder->r->failed) || f->how == FILE_COMPARE)
        return;
    if (!equal && f->failed == NULL && write_parts(p, &e) != SP_OK)
        file_fail(f, &e);
    if (f->failed != NULL && restore_is_fatal(f->failed)) {
        e = *f->failed;
        restore_err_at(&e, f->entry->key, f->entry->key_len);
        restore_fail(f->folder->r, &e);
    } else if (p->last)
        end_file(p, equal);
}

void
window_write(struct worker *worker, struct task *t)
{
    struct piece *p = (struct piece *)t;

    (void)worker;
    for (size_t i = 0; i < p->run; i++)
        write_piece(&p[i]);
    task_done(t->window);
}
