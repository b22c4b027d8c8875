/* The rules of a job: see filter.h. How one pattern matches is in filter_match.c; here is what its
 * ends mean (`!`, slashes, spaces, as parse_path_pattern of git's dir.c has it) and who decides.
 * Two things are told to the user that git passes over: a pattern that could never match because
 * its bracket or its backslash is cut off is refused, and "/" is the root of the file system, which
 * git never asks about. */

#include "client/filter.h"

#include <stdlib.h>
#include <string.h>

#include "base/path.h"
#include "client/filter_match.h"

struct rule {
    struct sp_glob *glob; /* NULL with `root` */
    bool negative, folders_only;
    bool name_only; /* no slash: the last component alone, wherever it is */
    bool root;
};

struct sp_filter {
    struct rule *rules;
    size_t nrules;
    char **patterns; /* as given, comments too */
    size_t npatterns;
};

/* Spaces at the end go, unless a backslash quotes them. */
static size_t
length_without_spaces(const char *p)
{
    size_t n = 0;

    for (size_t i = 0; p[i] != '\0'; i++) {
        if (p[i] == '\\') {
            if (p[++i] == '\0')
                return i;
            n = i + 1;
        } else if (p[i] != ' ') {
            n = i + 1;
        }
    }
    return n;
}

static enum sp_code
add_rule(struct sp_filter *f, const char *p, bool fold, struct sp_err *e)
{
    struct rule *r = &f->rules[f->nrules];
    size_t n;
    enum sp_code rc;

    if (strchr(p, '\n') != NULL)
        return sp_fail(e, SP_INVALID, SP_DOM_CONFIG, "it has more than one line");
    n = length_without_spaces(p);
    if (n == 0 || *p == '#')
        return SP_OK;
    if ((r->negative = *p == '!')) {
        p++;
        n--;
    }
    if (n == 1 && *p == '/') {
        r->root = true;
        f->nrules++;
        return SP_OK;
    }
    if (n > 0 && p[n - 1] == '/') {
        r->folders_only = true;
        n--;
    }
    r->name_only = memchr(p, '/', n) == NULL;
    if (n > 0 && *p == '/') {
        p++;
        n--;
    }
    if ((rc = sp_glob_new(p, n, fold, &r->glob, e)) == SP_OK)
        f->nrules++;
    return rc;
}

static enum sp_code
fail_pattern(const char *pattern, struct sp_err *e)
{
    struct sp_buf shown = SP_BUF_INIT;

    sp_path_show(pattern, strlen(pattern), &shown);
    sp_err_context(e, "pattern '%.200s'", sp_buf_str(&shown));
    sp_buf_free(&shown);
    return e->code;
}

enum sp_code
sp_filter_new(
    const char *const *patterns, size_t n, bool fold, struct sp_filter **ret, struct sp_err *e)
{
    struct sp_filter *f = calloc(1, sizeof *f);
    enum sp_code rc = SP_OK;

    if (f == NULL || (f->rules = calloc(n + 1, sizeof *f->rules)) == NULL ||
        (f->patterns = calloc(n + 1, sizeof *f->patterns)) == NULL) {
        rc = sp_fail_nomem(e);
        goto out;
    }
    for (size_t i = 0; i < n; i++) {
        if ((f->patterns[i] = strdup(patterns[i])) == NULL) {
            rc = sp_fail_nomem(e);
            goto out;
        }
        f->npatterns++;
        if ((rc = add_rule(f, patterns[i], fold, e)) != SP_OK) {
            rc = fail_pattern(patterns[i], e);
            goto out;
        }
    }
    *ret = f;
    f = NULL;
out:
    sp_filter_free(f);
    return rc;
}

void
sp_filter_free(struct sp_filter *f)
{
    if (f == NULL)
        return;
    for (size_t i = 0; i < f->nrules; i++)
        sp_glob_free(f->rules[i].glob);
    for (size_t i = 0; i < f->npatterns; i++)
        free(f->patterns[i]);
    free(f->rules);
    free(f->patterns);
    free(f);
}

/* The last rule that matches the key itself; NULL: none. */
static const struct rule *
deciding_rule(const struct sp_filter *f, const void *key, size_t n, bool is_dir)
{
    size_t name_len;
    const char *name = sp_key_name(key, n, &name_len);

    for (size_t i = f->nrules; i-- > 0;) {
        const struct rule *r = &f->rules[i];

        if (r->folders_only && !is_dir)
            continue;
        if (n == 0 || r->root) {
            if (n == 0 && r->root)
                return r;
            continue;
        }
        if (r->name_only ? sp_glob_matches_name(r->glob, name, name_len)
                         : sp_glob_matches(r->glob, key, n))
            return r;
    }
    return NULL;
}

bool
sp_filter_excludes(const struct sp_filter *f, const void *key, size_t n, bool is_dir)
{
    const struct rule *r = deciding_rule(f, key, n, is_dir);

    return r != NULL && !r->negative;
}

/* How far down the key the rule speaks of it, or of a folder above it; false: nowhere. */
static bool
deepest_of(const struct rule *r, const uint8_t *key, size_t n, bool is_dir, size_t *ret)
{
    const char *name;
    size_t len;

    if (r->root) {
        *ret = 0;
        return true;
    }
    (void)sp_key_name(key, n, &len);
    if (r->folders_only && !is_dir) {
        n -= len; /* the folder that it is in */
        n -= n > 0;
    }
    if (!r->name_only) {
        *ret = sp_glob_deepest(r->glob, key, n);
        return *ret > 0;
    }
    for (; n > 0; n = n - len - (n > len)) {
        name = sp_key_name(key, n, &len);
        if (sp_glob_matches_name(r->glob, name, len)) {
            *ret = n;
            return true;
        }
    }
    return false;
}

bool
sp_filter_selects(const struct sp_filter *f, const void *key, size_t n, bool is_dir)
{
    size_t deepest = 0, at = 0;
    bool selected = false;

    /* Each level is as the one above, unless a rule speaks of it; of two the later one. */
    for (size_t i = 0; i < f->nrules; i++) {
        if (!deepest_of(&f->rules[i], key, n, is_dir, &at) || at < deepest)
            continue;
        deepest = at;
        selected = !f->rules[i].negative;
    }
    return selected;
}

bool
sp_filter_may_select_below(const struct sp_filter *f, const void *key, size_t n)
{
    if (sp_filter_selects(f, key, n, true))
        return true;
    for (size_t i = 0; i < f->nrules; i++) {
        const struct rule *r = &f->rules[i];

        if (!r->negative && !r->root && (r->name_only || sp_glob_may_match_below(r->glob, key, n)))
            return true;
    }
    return false;
}

const char *
sp_filter_pattern(const struct sp_filter *f, size_t i)
{
    return i < f->npatterns ? f->patterns[i] : NULL;
}
