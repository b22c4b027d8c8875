#include "client/demand.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"

/* What a demand says: see demand.h. What a set is held against is in demand_check.c. */

#define FORM                                                                                       \
    "LEVEL [for WHAT] [else keep|discard|leave-out], LEVEL being application, crash or live"

enum sp_code
sp_demand_parse_below(const char *word, enum sp_if_below *ret, struct sp_err *e)
{
    static const char *const words[] = {"discard", "keep", "leave-out"};

    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strcmp(word, words[i]) == 0) {
            *ret = SP_BELOW_DISCARD + (enum sp_if_below)i;
            return SP_OK;
        }
    }
    return sp_fail(
        e, SP_INVALID, SP_DOM_CONFIG, "'%.200s' makes no sense: keep, discard or leave-out", word);
}

static enum sp_code
no_demand(const char *text, const char *why, struct sp_err *e)
{
    return sp_fail(
        e, SP_INVALID, SP_DOM_CONFIG, "'%.200s' makes no sense as a demand%s: " FORM, text, why);
}

static char *
skip_blanks(char *s)
{
    return s + strspn(s, " \t");
}

static void
cut_blanks(char *s)
{
    size_t n = strlen(s);

    while (n > 0 && (s[n - 1] == ' ' || s[n - 1] == '\t'))
        s[--n] = '\0';
}

/* The last " else WORD" of a text, cut off; NULL: it has none. What a demand is for may have blanks
 * in its name. */
static char *
take_else(char *s)
{
    char *found = NULL;

    for (char *p = strstr(s, "else"); p != NULL; p = strstr(p + 1, "else"))
        if (p > s && (p[-1] == ' ' || p[-1] == '\t') &&
            (p[4] == ' ' || p[4] == '\t' || p[4] == '\0'))
            found = p;
    if (found == NULL)
        return NULL;
    *found = '\0';
    found = skip_blanks(found + 4);
    cut_blanks(s);
    return found;
}

/* s is the caller's to change. */
static enum sp_code
parse(const char *text, char *s, struct sp_demand *ret, struct sp_err *e)
{
    char *below, *rest;
    struct sp_err why = {0};
    size_t n;
    enum sp_code rc;

    cut_blanks(s);
    s = skip_blanks(s);
    below = take_else(s);
    if (below != NULL && sp_demand_parse_below(below, &ret->below, &why) != SP_OK)
        return no_demand(text, "", e);
    n = strcspn(s, " \t");
    rest = skip_blanks(s + n);
    s[n] = '\0';
    if (!sp_level_parse(s, &ret->level))
        return no_demand(text, "", e);
    if (*rest == '\0')
        return SP_OK;
    n = strcspn(rest, " \t");
    if (n != 3 || strncmp(rest, "for", 3) != 0 || *skip_blanks(rest + 3) == '\0')
        return no_demand(text, "", e);
    if ((rc = sp_vss_pattern_new(skip_blanks(rest + 3), &ret->pattern, e)) != SP_OK)
        sp_err_context(e, "in the demand '%.200s'", text);
    return rc;
}

enum sp_code
sp_demand_add(struct sp_demands *d, const char *text, struct sp_err *e)
{
    struct sp_demand *more, one = {0};
    char *copy = strdup(text);
    enum sp_code rc;

    if (copy == NULL)
        return sp_fail_nomem(e);
    rc = parse(text, copy, &one, e);
    free(copy);
    if (rc != SP_OK)
        return rc;
    if ((more = realloc(d->v, (d->n + 1) * sizeof *more)) == NULL) {
        sp_vss_pattern_free(one.pattern);
        return sp_fail_nomem(e);
    }
    d->v = more;
    d->v[d->n++] = one;
    return SP_OK;
}

void
sp_demands_clear(struct sp_demands *d)
{
    for (size_t i = 0; i < d->n; i++)
        sp_vss_pattern_free(d->v[i].pattern);
    free(d->v);
    *d = (struct sp_demands){0};
}

void
sp_demand_findings_clear(struct sp_demand_findings *f)
{
    for (size_t i = 0; i < f->n; i++)
        free(f->v[i].text);
    free(f->v);
    *f = (struct sp_demand_findings){0};
}
