#include "client/filter_match.h"

#include <stdlib.h>
#include <string.h>

enum token_kind { TOKEN_BYTE, TOKEN_ANY, TOKEN_STAR, TOKEN_SET };

struct token {
    uint8_t kind, byte;
    uint16_t set;
};

struct set { /* one bit per byte */
    uint8_t bits[32];
};

struct segment {
    size_t first, count; /* tokens */
    bool deep;           /* ** */
};

struct sp_glob {
    bool fold;
    struct token *tokens;
    struct segment *segments;
    struct set *sets;
    size_t ntokens, nsegments, nsets;
};

/* ASCII alone, whatever the locale says: a filter means the same on every machine. */
static uint8_t
lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : c;
}

static bool
is_upper(unsigned c)
{
    return c >= 'A' && c <= 'Z';
}

static bool
is_lower(unsigned c)
{
    return c >= 'a' && c <= 'z';
}

static bool
is_alpha(unsigned c)
{
    return is_upper(c) || is_lower(c);
}

static bool
is_digit(unsigned c)
{
    return c >= '0' && c <= '9';
}

static bool
is_alnum(unsigned c)
{
    return is_alpha(c) || is_digit(c);
}

static bool
is_blank(unsigned c)
{
    return c == ' ' || c == '\t';
}

static bool
is_cntrl(unsigned c)
{
    return c < 0x20 || c == 0x7f;
}

static bool
is_graph(unsigned c)
{
    return c > 0x20 && c < 0x7f;
}

static bool
is_print(unsigned c)
{
    return c >= 0x20 && c < 0x7f;
}

static bool
is_punct(unsigned c)
{
    return is_graph(c) && !is_alnum(c);
}

static bool
is_space(unsigned c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool
is_xdigit(unsigned c)
{
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static const struct {
    const char *name;
    bool (*has)(unsigned c);
} classes[] = {{"alnum", is_alnum}, {"alpha", is_alpha}, {"blank", is_blank}, {"cntrl", is_cntrl},
    {"digit", is_digit}, {"graph", is_graph}, {"lower", is_lower}, {"print", is_print},
    {"punct", is_punct}, {"space", is_space}, {"upper", is_upper}, {"xdigit", is_xdigit}};

static void
set_add(struct set *s, unsigned c)
{
    s->bits[c / 8] |= (uint8_t)(1u << (c % 8));
}

static bool
set_has(const struct set *s, unsigned c)
{
    return (s->bits[c / 8] >> (c % 8) & 1) != 0;
}

/* ":name:]" at p, inside of a set. *ret_len: what was taken, 0 when it is no class but plain
 * characters. */
static enum sp_code
compile_class(const char *p, size_t n, struct set *s, size_t *ret_len, struct sp_err *e)
{
    const char *end = memchr(p + 1, ']', n - 1);
    size_t len;

    if (end == NULL)
        return sp_fail(e, SP_INVALID, SP_DOM_CONFIG, "a '[' lacks its ']'");
    len = (size_t)(end - p);
    if (len < 2 || p[len - 1] != ':') {
        *ret_len = 0;
        return SP_OK;
    }
    for (size_t i = 0; i < sizeof classes / sizeof classes[0]; i++) {
        if (strlen(classes[i].name) != len - 2 || memcmp(p + 1, classes[i].name, len - 2) != 0)
            continue;
        for (unsigned c = 0; c < 256; c++)
            if (classes[i].has(c))
                set_add(s, c);
        *ret_len = len + 1;
        return SP_OK;
    }
    return sp_fail(
        e, SP_INVALID, SP_DOM_CONFIG, "there is no class '[%.*s]'", (int)(len < 32 ? len : 32), p);
}

/* One character of a set, a backslash before it taken away. */
static enum sp_code
compile_member(const char *p, size_t n, size_t *at, uint8_t *ret, struct sp_err *e)
{
    if (*at < n && p[*at] == '\\')
        (*at)++;
    if (*at >= n)
        return sp_fail(e, SP_INVALID, SP_DOM_CONFIG, "a '[' lacks its ']'");
    *ret = (uint8_t)p[(*at)++];
    return SP_OK;
}

/* The set behind the '[' that p stands after; *ret_len with its ']'. A ']' that comes first is a
 * member, a '-' that stands between two members makes a range (none behind a range or a class). */
static enum sp_code
compile_set(const char *p, size_t n, bool fold, struct set *s, size_t *ret_len, struct sp_err *e)
{
    size_t at = 0, taken = 0;
    bool negated = n > 0 && (p[0] == '!' || p[0] == '^');
    bool first = true, can_range = false;
    uint8_t before = 0, c = 0;
    enum sp_code rc;

    at = negated;
    for (;; first = false) {
        if (at >= n)
            return sp_fail(e, SP_INVALID, SP_DOM_CONFIG, "a '[' lacks its ']'");
        if (p[at] == ']' && !first)
            break;
        if (p[at] == '[' && at + 1 < n && p[at + 1] == ':') {
            if ((rc = compile_class(p + at + 1, n - at - 1, s, &taken, e)) != SP_OK)
                return rc;
            if (taken > 0) {
                at += 1 + taken;
                can_range = false;
                continue;
            }
        }
        if (p[at] == '-' && can_range && at + 1 < n && p[at + 1] != ']') {
            at++;
            if ((rc = compile_member(p, n, &at, &c, e)) != SP_OK)
                return rc;
            for (unsigned m = before; m <= c; m++)
                set_add(s, m);
            can_range = false;
            continue;
        }
        if ((rc = compile_member(p, n, &at, &c, e)) != SP_OK)
            return rc;
        set_add(s, c);
        before = c;
        can_range = true;
    }
    for (unsigned m = 'a'; fold && m <= 'z'; m++)
        if (set_has(s, m) || set_has(s, m - 32)) {
            set_add(s, m);
            set_add(s, m - 32);
        }
    for (size_t i = 0; negated && i < sizeof s->bits; i++)
        s->bits[i] = (uint8_t)~s->bits[i];
    *ret_len = at + 1;
    return SP_OK;
}

/* One segment from p; *ret_len: its length without the slash behind it. */
static enum sp_code
compile_segment(struct sp_glob *g, const char *p, size_t n, size_t *ret_len, struct sp_err *e)
{
    struct segment *seg = &g->segments[g->nsegments++];
    size_t at = 0, taken = 0, stars = 0;
    bool all_stars = true;
    enum sp_code rc;

    seg->first = g->ntokens;
    while (at < n && p[at] != '/') {
        struct token *t = &g->tokens[g->ntokens];

        if (p[at] == '\\') {
            if (++at >= n)
                return sp_fail(e, SP_INVALID, SP_DOM_CONFIG, "it ends in a lone backslash");
            if (p[at] == '/')
                break; /* a slash is a slash */
        } else if (p[at] == '*') {
            at++;
            stars++;
            if (g->ntokens == seg->first || t[-1].kind != TOKEN_STAR) {
                t->kind = TOKEN_STAR;
                g->ntokens++;
            }
            continue;
        } else if (p[at] == '?') {
            t->kind = TOKEN_ANY;
            g->ntokens++;
            at++;
            all_stars = false;
            continue;
        } else if (p[at] == '[') {
            struct set *s = &g->sets[g->nsets];

            if ((rc = compile_set(p + at + 1, n - at - 1, g->fold, s, &taken, e)) != SP_OK)
                return rc;
            t->kind = TOKEN_SET;
            t->set = (uint16_t)g->nsets++;
            g->ntokens++;
            at += 1 + taken;
            all_stars = false;
            continue;
        }
        t->kind = TOKEN_BYTE;
        t->byte = g->fold ? lower((uint8_t)p[at]) : (uint8_t)p[at];
        g->ntokens++;
        at++;
        all_stars = false;
    }
    seg->count = g->ntokens - seg->first;
    seg->deep = all_stars && stars >= 2;
    *ret_len = at;
    return SP_OK;
}

enum sp_code
sp_glob_new(const char *pattern, size_t n, bool fold, struct sp_glob **ret, struct sp_err *e)
{
    struct sp_glob *g = NULL;
    size_t at = 0, len = 0, sets = 0, slashes = 0;
    enum sp_code rc;

    if (n > SP_GLOB_MOST)
        return sp_fail(
            e, SP_INVALID, SP_DOM_CONFIG, "it has %zu bytes; %d are the most", n, SP_GLOB_MOST);
    for (size_t i = 0; i < n; i++) {
        sets += pattern[i] == '[';
        slashes += pattern[i] == '/';
    }
    if ((g = calloc(1, sizeof *g)) == NULL ||
        (g->tokens = calloc(n + 1, sizeof *g->tokens)) == NULL ||
        (g->segments = calloc(slashes + 1, sizeof *g->segments)) == NULL ||
        (g->sets = calloc(sets + 1, sizeof *g->sets)) == NULL) {
        rc = sp_fail_nomem(e);
        goto out;
    }
    g->fold = fold;
    for (;;) {
        if ((rc = compile_segment(g, pattern + at, n - at, &len, e)) != SP_OK)
            goto out;
        at += len;
        if (at == n)
            break;
        at++;
    }
    *ret = g;
    g = NULL;
out:
    sp_glob_free(g);
    return rc;
}

void
sp_glob_free(struct sp_glob *g)
{
    if (g == NULL)
        return;
    free(g->tokens);
    free(g->segments);
    free(g->sets);
    free(g);
}

static bool
matches_byte(const struct sp_glob *g, const struct token *t, uint8_t c)
{
    switch ((enum token_kind)t->kind) {
    case TOKEN_BYTE:
        return t->byte == (g->fold ? lower(c) : c);
    case TOKEN_ANY:
        return true;
    case TOKEN_SET:
        return set_has(&g->sets[t->set], c);
    case TOKEN_STAR:
        break;
    }
    return false;
}

/* Only the last star is ever moved: what an earlier one could take more, the last one can take too.
 */
static bool
matches_segment(const struct sp_glob *g, const struct segment *seg, const uint8_t *s, size_t n)
{
    const struct token *t = g->tokens + seg->first;
    size_t i = 0, at = 0, star = SIZE_MAX, mark = 0;

    while (at < n) {
        if (i < seg->count && t[i].kind == TOKEN_STAR) {
            star = i++;
            mark = at;
        } else if (i < seg->count && matches_byte(g, &t[i], s[at])) {
            i++;
            at++;
        } else if (star != SIZE_MAX) {
            i = star + 1;
            at = ++mark;
        } else {
            return false;
        }
    }
    while (i < seg->count && t[i].kind == TOKEN_STAR)
        i++;
    return i == seg->count;
}

bool
sp_glob_matches_name(const struct sp_glob *g, const void *name, size_t n)
{
    return g->nsegments == 1 && matches_segment(g, &g->segments[0], name, n);
}

/* The end of the component that starts at `at`. */
static size_t
component_end(const uint8_t *key, size_t n, size_t at)
{
    const uint8_t *nul = memchr(key + at, 0, n - at);

    return nul != NULL ? (size_t)(nul - key) : n;
}

bool
sp_glob_matches(const struct sp_glob *g, const void *key, size_t n)
{
    const uint8_t *k = key;
    size_t i = 0, at = 0, deep = SIZE_MAX, mark = 0;

    if (n == 0)
        return false; /* no component: nothing matches that */
    /* `at` stands on a component, or behind the last one (n + 1). The same way back as in a
     * segment. */
    while (at <= n) {
        size_t end = component_end(k, n, at);

        if (i < g->nsegments && g->segments[i].deep) {
            deep = i++;
            mark = at;
        } else if (i < g->nsegments && matches_segment(g, &g->segments[i], k + at, end - at)) {
            i++;
            at = end + 1;
        } else if (deep != SIZE_MAX) {
            i = deep + 1;
            at = mark = component_end(k, n, mark) + 1;
        } else {
            return false;
        }
    }
    return i == g->nsegments;
}

/* The segments first … last - 1, none of which is `**`, one by one from the component at `at`;
 * *ret_end: behind the last of these and its zero. */
static bool
matches_run(const struct sp_glob *g, size_t first, size_t last, const uint8_t *k, size_t n,
    size_t at, size_t *ret_end)
{
    for (; first < last; first++) {
        size_t end;

        if (at > n)
            return false;
        end = component_end(k, n, at);
        if (!matches_segment(g, &g->segments[first], k + at, end - at))
            return false;
        at = end + 1;
    }
    *ret_end = at;
    return true;
}

/* The runs of segments between the `**` are taken where they come first, as for one key; only where
 * the last of them comes last makes the difference, and that is seen in one more pass. */
size_t
sp_glob_deepest(const struct sp_glob *g, const void *key, size_t n)
{
    const uint8_t *k = key;
    size_t i = 0, at = 0, end = 0, deepest = 0;

    for (bool anchored = true; n > 0; anchored = false) {
        size_t last = i;

        while (last < g->nsegments && !g->segments[last].deep)
            last++;
        if (last == g->nsegments) {
            if (i == last) /* behind `**`, which takes one component or more */
                return at <= n ? n : 0;
            for (; at <= n; at = component_end(k, n, at) + 1) {
                if (matches_run(g, i, last, k, n, at, &end))
                    deepest = end - 1;
                if (anchored)
                    break;
            }
            return deepest;
        }
        while (!matches_run(g, i, last, k, n, at, &end)) {
            if (anchored || at > n)
                return 0;
            at = component_end(k, n, at) + 1;
        }
        at = end;
        i = last + 1;
    }
    return 0;
}

bool
sp_glob_may_match_below(const struct sp_glob *g, const void *key, size_t n)
{
    const uint8_t *k = key;
    size_t at = n > 0 ? 0 : 1;

    for (size_t i = 0; i < g->nsegments; i++) {
        size_t end;

        if (g->segments[i].deep || at > n)
            return true;
        end = component_end(k, n, at);
        if (!matches_segment(g, &g->segments[i], k + at, end - at))
            return false;
        at = end + 1;
    }
    return false;
}
