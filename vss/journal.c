#include "vss/journal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/path.h"

#define MAGIC "stillpoint shadows 1"
#define LIMIT (1u << 20)

static void
begin(struct sp_buf *b)
{
    uint64_t pid, start;

    sp_process_self(&pid, &start);
    sp_buf_printf(b, MAGIC "\nprocess %" PRIu64 " %" PRIu64 "\n", pid, start);
}

enum sp_code
sp_journal_write_set(
    const struct sp_env *env, const char *file, const char *set_id, struct sp_err *e)
{
    struct sp_buf b = SP_BUF_INIT;
    enum sp_code rc;

    begin(&b);
    sp_buf_printf(&b, "vss %s\n", set_id);
    if ((rc = sp_buf_ok(&b, e)) == SP_OK)
        rc = sp_os_write_file(env->os, file, b.data, b.len, e);
    sp_buf_free(&b);
    return rc;
}

enum sp_code
sp_journal_write(const struct sp_env *env, const char *file, const char *const *paths, size_t n,
    struct sp_err *e)
{
    struct sp_buf b = SP_BUF_INIT;
    enum sp_code rc;
    size_t i;

    begin(&b);
    for (i = 0; i < n; i++) {
        if (strchr(paths[i], '\n') != NULL) {
            sp_buf_free(&b);
            return sp_fail(e, SP_UNSUPPORTED, SP_DOM_SHADOW,
                "a volume whose path has a line break cannot be journalled");
        }
        sp_buf_printf(&b, "shadow %s\n", paths[i]);
    }
    if ((rc = sp_buf_ok(&b, e)) == SP_OK)
        rc = sp_os_write_file(env->os, file, b.data, b.len, e);
    sp_buf_free(&b);
    return rc;
}

static bool
is_set_id(const char *text)
{
    return strlen(text) == 36 && strspn(text, "0123456789abcdef-") == 36;
}

static enum sp_code
add_set(struct sp_journal *j, const char *id, struct sp_err *e)
{
    char(*more)[37] = realloc(j->sets, (j->nsets + 1) * sizeof *more);

    if (more == NULL)
        return sp_fail_nomem(e);
    j->sets = more;
    memcpy(j->sets[j->nsets++], id, 37);
    return SP_OK;
}

enum sp_code
sp_journal_read(
    const struct sp_env *env, const char *file, struct sp_journal *ret, struct sp_err *e)
{
    struct sp_journal j = {0};
    uint8_t *bytes = NULL;
    char *text = NULL, *line, *save = NULL, **more;
    uint64_t pid = 0, start = 0;
    size_t n;
    enum sp_code rc;

    if ((rc = sp_os_read_file(env->os, file, LIMIT, &bytes, &n, e)) != SP_OK)
        return rc;
    text = malloc(n + 1);
    if (text == NULL) {
        rc = sp_fail_nomem(e);
        goto out;
    }
    memcpy(text, bytes, n);
    text[n] = '\0';
    line = strtok_r(text, "\n", &save);
    if (line == NULL || strcmp(line, MAGIC) != 0) {
        rc = sp_fail(e, SP_CORRUPT, SP_DOM_SHADOW, "%s is not a journal of shadows", file);
        goto out;
    }
    while ((line = strtok_r(NULL, "\n", &save)) != NULL) {
        if (sscanf(line, "process %" SCNu64 " %" SCNu64, &pid, &start) == 2) {
            j.alive = sp_process_alive(pid, start);
        } else if (strncmp(line, "shadow /", 8) == 0) {
            more = realloc(j.paths, (j.n + 1) * sizeof(*more));
            if (more == NULL || (j.paths = more, more[j.n] = strdup(line + 7)) == NULL) {
                rc = sp_fail_nomem(e);
                goto out;
            }
            j.n++;
        } else if (strncmp(line, "vss ", 4) == 0 && is_set_id(line + 4)) {
            if ((rc = add_set(&j, line + 4, e)) != SP_OK)
                goto out;
        }
    }
    *ret = j;
    memset(&j, 0, sizeof(j));
out:
    sp_journal_clear(&j);
    free(text);
    free(bytes);
    return rc;
}

void
sp_journal_clear(struct sp_journal *j)
{
    size_t i;

    for (i = 0; i < j->n; i++)
        free(j->paths[i]);
    free(j->paths);
    free(j->sets);
    memset(j, 0, sizeof(*j));
}

struct walk {
    const char *folder;
    enum sp_code (*each)(void *arg, const char *file, struct sp_err *e);
    void *arg;
};

static enum sp_code
found(void *arg, const char *name, const struct sp_os_stat *st, struct sp_err *e)
{
    struct walk *w = arg;
    size_t n = strlen(name), suffix = strlen(SP_JOURNAL_SUFFIX);
    char *file;
    enum sp_code rc;

    if (st->type != SP_OS_FILE || n <= suffix || strcmp(name + n - suffix, SP_JOURNAL_SUFFIX) != 0)
        return SP_OK;
    if ((file = sp_path_join(w->folder, name)) == NULL)
        return sp_fail_nomem(e);
    rc = w->each(w->arg, file, e);
    free(file);
    return rc;
}

enum sp_code
sp_journals(const struct sp_env *env, const char *folder,
    enum sp_code (*each)(void *arg, const char *file, struct sp_err *e), void *arg,
    struct sp_err *e)
{
    struct walk w = {folder, each, arg};
    enum sp_code rc = env->os->list(env->os->self, folder, true, found, &w, e);

    return rc == SP_ABSENT ? SP_OK : rc;
}
