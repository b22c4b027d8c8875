#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/path.h"
#include "base/random.h"
#include "base/runs_internal.h"
#include "base/text.h"

#define LEAST_BUFFER (4u << 10)
#define MOST_BUFFER (1u << 20)

struct sp_spill {
    const struct sp_os *os;
    struct sp_file *file;
    char *path; /* NULL once the file has no name any more */
    uint8_t *buffer;
    size_t filled, cap;
    uint64_t written; /* bytes in the file, without the buffer */
    uint64_t *ends;
    size_t nruns, runs_cap;
};

static enum sp_code
make_file(struct sp_spill *s, const struct sp_env *env, const char *folder, struct sp_err *e)
{
    struct sp_err ignored = {0};
    uint8_t random[16];
    char name[96];
    enum sp_code rc;

    if ((rc = sp_os_mkdirs(s->os, folder, e)) != SP_OK)
        return rc;
    if ((rc = sp_random_fill(env->random, random, sizeof random, e)) != SP_OK)
        return rc;
    snprintf(name, sizeof name, "run-%s.tmp", sp_hex16(random).s);
    if ((s->path = sp_path_join(folder, name)) == NULL)
        return sp_fail_nomem(e);
    if ((rc = s->os->create(s->os->self, s->path, &s->file, e)) != SP_OK) {
        free(s->path);
        s->path = NULL;
        return rc;
    }
    /* Without a name it goes away even when this process is killed. Where an open file cannot be
     * removed, sp_spill_free does it. */
    if (s->os->remove(s->os->self, s->path, &ignored) == SP_OK) {
        free(s->path);
        s->path = NULL;
    }
    return SP_OK;
}

enum sp_code
sp_spill_new(const struct sp_env *env, const char *folder, size_t buffer, struct sp_spill **ret,
    struct sp_err *e)
{
    struct sp_spill *s = calloc(1, sizeof *s);
    enum sp_code rc;

    if (s == NULL)
        return sp_fail_nomem(e);
    s->os = env->os;
    s->cap = buffer < LEAST_BUFFER ? LEAST_BUFFER : buffer > MOST_BUFFER ? MOST_BUFFER : buffer;
    if ((s->buffer = malloc(s->cap)) == NULL) {
        rc = sp_fail_nomem(e);
        goto out;
    }
    if ((rc = make_file(s, env, folder, e)) != SP_OK) {
        sp_err_context(e, "temporary file in %s", folder);
        goto out;
    }
    *ret = s;
    s = NULL;
out:
    sp_spill_free(s);
    return rc;
}

void
sp_spill_free(struct sp_spill *s)
{
    struct sp_err ignored = {0};

    if (s == NULL)
        return;
    /* What a temporary file says when it goes is of no interest to anyone. */
    if (s->file != NULL)
        (void)s->os->close(s->os->self, s->file, &ignored);
    if (s->path != NULL)
        (void)s->os->remove(s->os->self, s->path, &ignored);
    free(s->path);
    free(s->buffer);
    free(s->ends);
    free(s);
}

static enum sp_code
flush(struct sp_spill *s, struct sp_err *e)
{
    enum sp_code rc;

    if (s->filled == 0)
        return SP_OK;
    rc = s->os->write_at(s->os->self, s->file, s->written, s->buffer, s->filled, e);
    if (rc != SP_OK)
        return rc;
    s->written += s->filled;
    s->filled = 0;
    return SP_OK;
}

enum sp_code
sp_spill_put(struct sp_spill *s, const void *record, size_t n, struct sp_err *e)
{
    enum sp_code rc;

    if (n > s->cap - s->filled && (rc = flush(s, e)) != SP_OK)
        return rc;
    if (n > s->cap) {
        if ((rc = s->os->write_at(s->os->self, s->file, s->written, record, n, e)) != SP_OK)
            return rc;
        s->written += n;
        return SP_OK;
    }
    memcpy(s->buffer + s->filled, record, n);
    s->filled += n;
    return SP_OK;
}

enum sp_code
sp_spill_end_run(struct sp_spill *s, struct sp_err *e)
{
    enum sp_code rc;

    if ((rc = flush(s, e)) != SP_OK)
        return rc;
    if (s->nruns == s->runs_cap) {
        size_t cap = s->runs_cap == 0 ? 16 : s->runs_cap * 2;
        uint64_t *p = realloc(s->ends, cap * sizeof *p);

        if (p == NULL)
            return sp_fail_nomem(e);
        s->ends = p;
        s->runs_cap = cap;
    }
    s->ends[s->nruns++] = s->written;
    return SP_OK;
}

size_t
sp_spill_runs(const struct sp_spill *s)
{
    return s->nruns;
}

void
sp_spill_run(const struct sp_spill *s, size_t i, uint64_t *ret_from, uint64_t *ret_to)
{
    *ret_from = i == 0 ? 0 : s->ends[i - 1];
    *ret_to = s->ends[i];
}

enum sp_code
sp_spill_read(struct sp_spill *s, uint64_t offset, void *to, size_t n, struct sp_err *e)
{
    size_t got = 0;
    enum sp_code rc;

    if ((rc = s->os->read_at(s->os->self, s->file, offset, to, n, &got, e)) != SP_OK)
        return rc;
    if (got != n)
        return sp_fail(e, SP_IO, SP_DOM_SELF, "a temporary file has lost its end");
    return SP_OK;
}
