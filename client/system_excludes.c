#include "client/system_excludes.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

static void
clear_one(struct sp_system_exclude *x)
{
    free(x->pattern);
    free(x->why);
    free(x->value);
}

enum sp_code
sp_system_excludes_add(struct sp_system_excludes *l, const char *pattern, const char *why,
    const char *value, struct sp_err *e)
{
    struct sp_system_exclude *more = realloc(l->v, (l->n + 1) * sizeof *more), *x;

    if (more == NULL)
        return sp_fail_nomem(e);
    l->v = more;
    x = &more[l->n];
    x->pattern = strdup(pattern);
    x->why = strdup(why);
    x->value = value != NULL ? strdup(value) : NULL;
    if (x->pattern == NULL || x->why == NULL || (value != NULL && x->value == NULL)) {
        clear_one(x);
        return sp_fail_nomem(e);
    }
    l->n++;
    return SP_OK;
}

void
sp_system_excludes_clear(struct sp_system_excludes *l)
{
    for (size_t i = 0; i < l->n; i++)
        clear_one(&l->v[i]);
    free(l->v);
    *l = (struct sp_system_excludes){0};
}

static bool
is_letter(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

/* " /s" at the end: what matches in folders below counts too. */
static size_t
without_switch(const char *value, bool *ret_below)
{
    size_t n = strlen(value);

    while (n > 0 && value[n - 1] == ' ')
        n--;
    *ret_below = n > 3 && value[n - 2] == '/' && (value[n - 1] == 's' || value[n - 1] == 'S') &&
                 value[n - 3] == ' ';
    if (*ret_below)
        n -= 3;
    while (n > 0 && value[n - 1] == ' ')
        n--;
    return n;
}

/* One path component or more, as a pattern: what means something to patterns alone is quoted. */
static void
put_path(struct sp_buf *b, const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (p[i] == '\\') {
            sp_buf_put_u8(b, '/');
            continue;
        }
        if (p[i] == '[' || p[i] == ']' || p[i] == '!' || p[i] == '#' || p[i] == ' ')
            sp_buf_put_u8(b, '\\');
        sp_buf_put_u8(b, (uint8_t)p[i]);
    }
}

enum sp_code
sp_system_exclude_pattern(const char *value, char **ret, struct sp_err *e)
{
    struct sp_buf b = SP_BUF_INIT;
    const char *last;
    uint8_t *text = NULL;
    bool below;
    size_t n = without_switch(value, &below), folder, got;
    enum sp_code rc;

    if (n >= 3 && is_letter(value[0]) && value[1] == ':' && value[2] == '\\') {
        sp_buf_put_u8(&b, '/');
    } else if (n >= 2 && value[0] == '\\' && value[1] != '\\') {
        sp_buf_put_str(&b, "/?:"); /* on every volume */
    } else {
        return sp_fail(e, SP_UNSUPPORTED, SP_DOM_CONFIG,
            "'%s' is not a path as FilesNotToBackup has them", value);
    }
    last = value + n;
    while (last > value && last[-1] != '\\')
        last--;
    folder = (size_t)(last - value);
    if (below) {
        put_path(&b, value, folder);
        if (n - folder == 1 && *last == '*') { /* all that is in it */
            sp_buf_put_str(&b, "*");
        } else {
            sp_buf_put_str(&b, "**/");
            put_path(&b, last, n - folder);
        }
    } else {
        put_path(&b, value, n);
    }
    sp_buf_put_u8(&b, 0);
    if ((rc = sp_buf_take(&b, &text, &got, e)) == SP_OK)
        *ret = (char *)text;
    sp_buf_free(&b);
    return rc;
}

static bool
left_to_writer(const struct sp_writers_excludes *w, const struct sp_system_exclude *x)
{
    return w != NULL && x->value != NULL && w->has_writer(w->arg, x->value);
}

enum sp_code
sp_job_patterns(const struct sp_job *j, const struct sp_system_excludes *system,
    const struct sp_writers_excludes *writers, struct sp_strings *ret, struct sp_err *e)
{
    enum sp_code rc = SP_OK;

    for (size_t i = 0; j->system_excludes && i < system->n && rc == SP_OK; i++)
        if (!left_to_writer(writers, &system->v[i]))
            rc = sp_strings_add(ret, system->v[i].pattern, e);
    for (size_t i = 0; j->system_excludes && writers != NULL && i < writers->n && rc == SP_OK; i++)
        rc = sp_strings_add(ret, writers->patterns[i], e);
    for (size_t i = 0; i < j->exclude.n && rc == SP_OK; i++)
        rc = sp_strings_add(ret, j->exclude.s[i], e);
    return rc;
}
