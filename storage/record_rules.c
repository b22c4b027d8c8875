#include <stdlib.h>
#include <string.h>

#include "base/path.h"
#include "storage/entry.h"
#include "storage/record_impl.h"

/* What the parts of a record obey, the same for writing and reading; and what needs no message. */

void
sp_set_sealed_clear(struct sp_set_sealed *s)
{
    for (size_t i = 0; i < s->nroots; i++)
        free(s->roots[i].p);
    for (size_t i = 0; i < s->nvolumes; i++) {
        free(s->volumes[i].path);
        free(s->volumes[i].file_system);
        free(s->volumes[i].source);
        free(s->volumes[i].reason);
    }
    for (size_t i = 0; i < s->nfaults; i++) {
        free(s->faults[i].key);
        free(s->faults[i].text);
    }
    for (size_t i = 0; i < s->nexcludes; i++)
        free(s->excludes[i]);
    free(s->roots);
    free(s->volumes);
    free(s->faults);
    free(s->excludes);
    free(s->host_name);
    free(s->platform);
    free(s->last_key);
    sp_verdict_clear(&s->verdict);
    *s = (struct sp_set_sealed){.nroots = 0};
}

/* --- rules ------------------------------------------------------------------------------------ */

const char *
sp_set_problem(const struct sp_set *s)
{
    if (s->state < SP_SET_CHECKPOINT || s->state > SP_SET_INCOMPLETE)
        return "an unknown state";
    if (s->applications > SP_LEVEL_APPLICATION || s->files_level > SP_LEVEL_APPLICATION)
        return "an unknown consistency";
    if (s->sequence == 0 || s->has_previous != (s->sequence > 1))
        return "a sequence that does not fit the previous set";
    if (s->job[0] == '\0')
        return "no name of a job";
    return NULL;
}

const char *
sp_set_sealed_problem(const struct sp_set_sealed *s)
{
    if (s->nroots > SP_RECORD_MAX_LIST || s->nvolumes > SP_RECORD_MAX_LIST ||
        s->nexcludes > SP_RECORD_MAX_LIST)
        return "too many roots, volumes or excludes";
    for (size_t i = 0; i < s->nroots; i++) {
        if (s->roots[i].n > SP_KEY_MAX || !sp_key_valid(s->roots[i].p, s->roots[i].n))
            return "an impossible root";
    }
    for (size_t i = 0; i < s->nvolumes; i++) {
        if (s->volumes[i].consistency > SP_LEVEL_APPLICATION)
            return "an unknown consistency";
    }
    for (size_t i = 0; i < s->nfaults; i++) {
        if (s->faults[i].kind < SP_FAULT_UNREADABLE || s->faults[i].kind > SP_FAULT_FOLDER)
            return "an unknown kind of fault";
    }
    if (s->last_key_len > SP_KEY_MAX || !sp_key_valid(s->last_key, s->last_key_len))
        return "an impossible last key";
    return s->has_verdict ? sp_verdict_problem(&s->verdict) : NULL;
}

/* --- memory of a message while it is packed --------------------------------------------------- */

void *
sp_loan_take(struct sp_loan *l, size_t n)
{
    void *p = NULL;

    if (l->n == l->cap) {
        size_t cap = l->cap == 0 ? 64 : l->cap * 2;
        void **q = realloc(l->p, cap * sizeof *q);

        if (q == NULL)
            goto out;
        l->p = q;
        l->cap = cap;
    }
    if ((p = calloc(1, n + 1)) != NULL)
        l->p[l->n++] = p;
out:
    l->no_memory |= p == NULL;
    return p;
}

void
sp_loan_free(struct sp_loan *l)
{
    for (size_t i = 0; i < l->n; i++)
        free(l->p[i]);
    free(l->p);
}

char *
sp_loan_text(struct sp_loan *l, const char *s)
{
    struct sp_buf b = SP_BUF_INIT;
    char *p;

    if (s == NULL)
        s = "";
    if (sp_utf8_valid(s, strlen(s)))
        return (char *)(uintptr_t)s;
    sp_path_show(s, strlen(s), &b);
    l->no_memory |= b.failed;
    p = sp_loan_take(l, b.len);
    if (p != NULL && b.len > 0)
        memcpy(p, b.data, b.len);
    sp_buf_free(&b);
    return p;
}
