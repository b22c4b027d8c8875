#include "client/spool.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/path.h"
#include "base/random.h"
#include "base/text.h"

#define IN_MEMORY ((size_t)1 << 20)

struct sp_spool {
    const struct sp_env *env;
    char *folder;
    struct sp_buf tail; /* what is not in the file */
    uint64_t written;
    struct sp_file *file; /* NULL: so far it fits into memory */
    char *path;           /* NULL once the file has no name any more */
};

enum sp_code
sp_spool_new(const struct sp_env *env, const char *folder, struct sp_spool **ret, struct sp_err *e)
{
    struct sp_spool *s = calloc(1, sizeof *s);

    if (s == NULL || (folder != NULL && (s->folder = strdup(folder)) == NULL)) {
        free(s);
        return sp_fail_nomem(e);
    }
    s->env = env;
    *ret = s;
    return SP_OK;
}

static enum sp_code
make_file(struct sp_spool *s, struct sp_err *e)
{
    const struct sp_os *os = s->env->os;
    struct sp_err ignored = {0};
    uint8_t random[16];
    char name[96];
    enum sp_code rc;

    if (s->folder == NULL)
        return sp_fail(e, SP_INVALID, SP_DOM_CONFIG,
            "more than %zu bytes cannot be kept aside without a temporary folder", IN_MEMORY);
    if ((rc = sp_os_mkdirs(os, s->folder, e)) != SP_OK ||
        (rc = sp_random_fill(s->env->random, random, sizeof random, e)) != SP_OK)
        return rc;
    (void)snprintf(name, sizeof name, "spool-%s.tmp", sp_hex16(random).s);
    if ((s->path = sp_path_join(s->folder, name)) == NULL)
        return sp_fail_nomem(e);
    if ((rc = os->create(os->self, s->path, &s->file, e)) != SP_OK) {
        free(s->path);
        s->path = NULL;
        return rc;
    }
    /* Without a name it goes away even when this process is killed. Where an open file cannot be
     * removed, sp_spool_free does it. */
    if (os->remove(os->self, s->path, &ignored) == SP_OK) {
        free(s->path);
        s->path = NULL;
    }
    return SP_OK;
}

enum sp_code
sp_spool_put(struct sp_spool *s, const void *p, size_t n, struct sp_err *e)
{
    const struct sp_os *os = s->env->os;
    enum sp_code rc;

    if (n <= IN_MEMORY - s->tail.len) {
        sp_buf_put(&s->tail, p, n);
        return sp_buf_ok(&s->tail, e);
    }
    if (s->file == NULL && (rc = make_file(s, e)) != SP_OK)
        goto fail;
    rc = os->write_at(os->self, s->file, s->written, s->tail.data, s->tail.len, e);
    if (rc == SP_OK) {
        s->written += s->tail.len;
        sp_buf_reset(&s->tail);
        if (n < IN_MEMORY) {
            sp_buf_put(&s->tail, p, n);
            return sp_buf_ok(&s->tail, e);
        }
        rc = os->write_at(os->self, s->file, s->written, p, n, e);
    }
    if (rc == SP_OK) {
        s->written += n;
        return SP_OK;
    }
fail:
    sp_err_context(e, "temporary file");
    return rc;
}

uint64_t
sp_spool_size(const struct sp_spool *s)
{
    return s->written + s->tail.len;
}

enum sp_code
sp_spool_read(
    struct sp_spool *s, uint64_t offset, void *to, size_t n, size_t *ret_n, struct sp_err *e)
{
    const struct sp_os *os = s->env->os;
    uint8_t *out = to;
    size_t part = 0, got = 0, left;
    enum sp_code rc;

    if (offset < s->written) {
        part = n < s->written - offset ? n : (size_t)(s->written - offset);
        if ((rc = os->read_at(os->self, s->file, offset, out, part, &got, e)) != SP_OK)
            return rc;
        if (got < part)
            return sp_fail(e, SP_IO, SP_DOM_SELF, "the temporary file has become shorter");
        offset += part;
    }
    left = offset - s->written < s->tail.len ? s->tail.len - (size_t)(offset - s->written) : 0;
    if (left > n - part)
        left = n - part;
    if (left > 0)
        memcpy(out + part, s->tail.data + (offset - s->written), left);
    *ret_n = part + left;
    return SP_OK;
}

void
sp_spool_free(struct sp_spool *s)
{
    struct sp_err ignored = {0};

    if (s == NULL)
        return;
    /* What a temporary file says when it goes is of no interest to anyone. */
    if (s->file != NULL)
        (void)s->env->os->close(s->env->os->self, s->file, &ignored);
    if (s->path != NULL)
        (void)s->env->os->remove(s->env->os->self, s->path, &ignored);
    free(s->path);
    free(s->folder);
    sp_buf_free(&s->tail);
    free(s);
}
