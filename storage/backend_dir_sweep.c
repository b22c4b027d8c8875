/* Temporary files of a folder: what they are called, so that whoever finds one knows its run, and
 * their sweeping; and the folder's own clock. See backend_dir.h. */

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/path.h"
#include "base/text.h"
#include "storage/backend_dir.h"

#define RUN_DIGITS 32

enum sp_code
sp_dir_temporary(struct sp_dir *d, const char *kind, char **ret, struct sp_err *e)
{
    struct sp_buf path = SP_BUF_INIT;
    uint8_t *bytes;
    size_t n;
    enum sp_code rc;

    sp_buf_printf(&path, "%s/%s/%s", d->root, SP_FOLDER_TMP, kind);
    sp_buf_put_hex(&path, d->head.run, sizeof(d->head.run));
    sp_buf_printf(&path, "-%llu", (unsigned long long)atomic_fetch_add(&d->temporaries, 1));
    sp_buf_put_u8(&path, 0);
    rc = sp_buf_take(&path, &bytes, &n, e);
    if (rc == SP_OK)
        *ret = (char *)bytes;
    sp_buf_free(&path);
    return rc;
}

/* Only names that sp_dir_temporary makes, and those that it once made: random, of no run. */
static bool
run_of(const char *name, uint8_t ret[16])
{
    static const char *const kinds[] = {SP_DIR_PROBE, SP_DIR_NOW};
    char run[RUN_DIGITS + 1];
    uint64_t number;

    for (size_t i = 0; i < 2; i++)
        if (strncmp(name, kinds[i], strlen(kinds[i])) == 0)
            name += strlen(kinds[i]);
    if (strlen(name) < RUN_DIGITS)
        return false;
    memcpy(run, name, RUN_DIGITS);
    run[RUN_DIGITS] = '\0';
    if (!sp_hex_parse(run, ret, 16))
        return false;
    name += RUN_DIGITS;
    if (*name == '\0') {
        memset(ret, 0, 16);
        return true;
    }
    return *name == '-' && sp_text_parse_u64(name + 1, &number);
}

struct sweep {
    sp_backend_dead_fn dead;
    void *arg;
    struct sp_buf names;
};

static enum sp_code
note(void *arg, const char *name, const struct sp_os_stat *st, struct sp_err *e)
{
    struct sweep *s = arg;
    uint8_t run[16];

    if (st->type != SP_OS_FILE || !run_of(name, run) || !s->dead(s->arg, run, st->mtime_ns))
        return SP_OK;
    sp_buf_put(&s->names, name, strlen(name) + 1);
    return sp_buf_ok(&s->names, e);
}

enum sp_code
sp_dir_sweep(struct sp_backend *b, sp_backend_dead_fn dead, void *arg, struct sp_err *e)
{
    struct sp_dir *d = (struct sp_dir *)b;
    const struct sp_os *os = d->env.os;
    struct sweep s = {dead, arg, SP_BUF_INIT};
    struct sp_err why = {0};
    char *tmp = NULL;
    enum sp_code rc, first = SP_OK;

    if ((rc = sp_dir_check_writable(d, e)) != SP_OK ||
        (rc = sp_dir_path(d, SP_FOLDER_TMP, &tmp, e)) != SP_OK)
        return rc;
    rc = os->list(os->self, tmp, true, note, &s, &why);
    if (rc == SP_ABSENT) /* tidied away with all that was in it */
        rc = sp_dir_present(d, &why);
    if (rc != SP_OK)
        *e = why;
    for (size_t at = 0; rc == SP_OK && at < s.names.len;
         at += strlen((char *)s.names.data + at) + 1) {
        char *path = sp_path_join(tmp, (char *)s.names.data + at);
        enum sp_code one = path == NULL ? sp_fail_nomem(&why) : os->remove(os->self, path, &why);

        free(path);
        if (one == SP_OK || one == SP_ABSENT || first != SP_OK)
            continue;
        first = one; /* the others are tried nevertheless */
        *e = why;
    }
    sp_buf_free(&s.names);
    free(tmp);
    return rc != SP_OK ? rc : first;
}

enum sp_code
sp_dir_written(struct sp_backend *b, const char *name, int64_t *ret_ns, struct sp_err *e)
{
    struct sp_os_stat st;
    enum sp_code rc = sp_dir_stat((struct sp_dir *)b, name, &st, e);

    if (rc == SP_OK)
        *ret_ns = st.mtime_ns;
    return rc;
}

enum sp_code
sp_dir_now(struct sp_backend *b, int64_t *ret_ns, struct sp_err *e)
{
    struct sp_dir *d = (struct sp_dir *)b;
    const struct sp_os *os = d->env.os;
    struct sp_err ignored = {0};
    struct sp_os_stat st;
    struct sp_file *f = NULL;
    char *path = NULL;
    enum sp_code rc;

    if ((rc = sp_dir_check_writable(d, e)) != SP_OK ||
        (rc = sp_dir_create(d, SP_DIR_NOW, &path, &f, e)) != SP_OK)
        return rc;
    /* After the close: only then has a network file system's server set the time. */
    if ((rc = os->close(os->self, f, e)) == SP_OK &&
        (rc = os->stat(os->self, path, &st, e)) == SP_OK)
        *ret_ns = st.mtime_ns;
    if (rc == SP_ABSENT)
        rc = sp_fail(e, SP_IO, SP_DOM_STORE, "%s has gone as soon as it was made", path);
    (void)os->remove(os->self, path, &ignored); /* one that stays is swept by a later run */
    free(path);
    return rc;
}
