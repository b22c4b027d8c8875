#include "vss/pattern.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/fold.h"
#include "base/path.h"
#include "vss/glob.h"

#define TEXT_MAX 4096
#define PARTS_MAX 63 /* states of the matcher are bits of a word, with one more for the end */

struct part {
    const char *p;
    size_t n;
    bool any; /* "**" of component: any number of parts */
};
enum form { OF_UNIT, OF_WRITER, OF_COMPONENT, OF_PATH };
struct sp_vss_pattern {
    char *text;
    enum form form;
    enum sp_unit_kind kind; /* of OF_UNIT */
    const char *value;      /* in text: behind the colon, a class id without its braces */
    size_t value_len;
    bool windows; /* OF_PATH: of the form of Windows, which knows no case */
    struct part parts[PARTS_MAX];
    size_t nparts;
};

/* --- parts ------------------------------------------------------------------------------------ */

static size_t
part_length(const char *p, size_t n, bool backslash)
{
    size_t i = 0;

    while (i < n && p[i] != '/' && !(backslash && p[i] == '\\'))
        i++;
    return i;
}

/* How far a pattern of parts has come: bit i is set where part i is the next to be matched. */
struct progress {
    const struct sp_vss_pattern *pattern;
    bool fold;
    uint64_t at;
};

static uint64_t
over_any(const struct sp_vss_pattern *p, uint64_t at)
{
    for (size_t i = 0; i < p->nparts; i++)
        if (p->parts[i].any && (at >> i & 1) != 0)
            at |= (uint64_t)1 << (i + 1);
    return at;
}

static struct progress
begin(const struct sp_vss_pattern *p, bool fold)
{
    return (struct progress){.pattern = p, .fold = fold, .at = over_any(p, 1)};
}

static bool
at_end(const struct progress *g)
{
    return (g->at >> g->pattern->nparts & 1) != 0;
}

static void
feed(struct progress *g, const char *s, size_t n)
{
    uint64_t next = 0;

    for (size_t i = 0; i < g->pattern->nparts; i++) {
        const struct part *part = &g->pattern->parts[i];

        if ((g->at >> i & 1) == 0)
            continue;
        if (part->any)
            next |= (uint64_t)1 << i;
        else if (sp_vss_glob(part->p, part->n, s, n, g->fold))
            next |= (uint64_t)1 << (i + 1);
    }
    g->at = over_any(g->pattern, next);
}

static void
feed_all(struct progress *g, const char *s)
{
    size_t left = s != NULL ? strlen(s) : 0;

    while (left > 0) {
        size_t n = part_length(s, left, true);

        if (n > 0)
            feed(g, s, n);
        n += n < left;
        s += n;
        left -= n;
    }
}

/* --- paths ------------------------------------------------------------------------------------ */

static bool
is_separator(char c)
{
    return c == '/' || c == '\\';
}

/* Where the parts of an absolute path begin, and of which system's form it is. "\\?\" says only
 * that nothing is to be done to the rest (learn.microsoft.com/windows/win32/fileio/naming-a-file).
 */
struct start {
    const char *p; /* NULL: the path is not absolute */
    bool windows, share;
};

static struct start
start_of(const char *s)
{
    if (s[0] == '/')
        return (struct start){.p = s};
    if (strncmp(s, "\\\\?\\UNC\\", 8) == 0)
        return (struct start){.p = s + 8, .windows = true, .share = true};
    if (strncmp(s, "\\\\?\\", 4) == 0)
        return (struct start){.p = s + 4, .windows = true};
    if (s[0] == '\\' && s[1] == '\\' && s[2] != '\0' && !is_separator(s[2]))
        return (struct start){.p = s + 2, .windows = true, .share = true};
    if (((s[0] >= 'A' && s[0] <= 'Z') || (s[0] >= 'a' && s[0] <= 'z')) && s[1] == ':' &&
        (s[2] == '\0' || is_separator(s[2])))
        return (struct start){.p = s, .windows = true};
    return (struct start){0};
}

static const char share_mark[] = "\\\\"; /* no folder is called that */

bool
sp_vss_pattern_covers(const struct sp_vss_pattern *p, const char *path, bool above)
{
    struct start at = start_of(path);
    struct progress g = begin(p, p->windows);
    size_t left;

    if (p->form != OF_PATH || at.p == NULL || at.windows != p->windows)
        return false;
    if (at.share)
        feed(&g, share_mark, 2);
    for (left = strlen(at.p); left > 0 && !at_end(&g);) {
        size_t n = part_length(at.p, left, at.windows);

        if (n > 0)
            feed(&g, at.p, n);
        n += n < left;
        at.p += n;
        left -= n;
    }
    return at_end(&g) || (above && g.at != 0);
}

/* --- made of a text --------------------------------------------------------------------------- */

static enum sp_code
fail_form(struct sp_err *e, const char *text, const char *what)
{
    struct sp_buf shown = SP_BUF_INIT;
    enum sp_code rc;

    sp_path_show(text, strnlen(text, 200), &shown);
    rc = sp_fail(e, SP_INVALID, SP_DOM_CONFIG,
        "'%s' %s: write vm:NAME, database:SERVER\\INSTANCE/NAME, mailboxes:NAME, system:*, "
        "writer:NAME, "
        "component:WRITER/PATH/NAME or an absolute path; * and ? stand for anything",
        sp_buf_str(&shown), what);
    sp_buf_free(&shown);
    return rc;
}

static bool
add_part(struct sp_vss_pattern *p, const char *s, size_t n)
{
    if (p->nparts == PARTS_MAX)
        return false;
    p->parts[p->nparts++] = (struct part){
        .p = s, .n = n, .any = p->form == OF_COMPONENT && n == 2 && memcmp(s, "**", 2) == 0};
    return true;
}

static enum sp_code
split(struct sp_vss_pattern *p, const char *s, bool backslash, struct sp_err *e)
{
    size_t left = strlen(s);

    while (left > 0) {
        size_t n = part_length(s, left, backslash);

        if (p->form == OF_PATH && ((n == 1 && *s == '.') || (n == 2 && s[0] == '.' && s[1] == '.')))
            return fail_form(e, p->text, "has a folder . or ..");
        if (n > 0 && !add_part(p, s, n))
            return fail_form(e, p->text, "has too many parts");
        n += n < left;
        s += n;
        left -= n;
    }
    return SP_OK;
}

/* "{a65faa63-…}" is written by most tools, "a65faa63-…" by ours. */
static void
without_braces(const char **p, size_t *n)
{
    if (*n == 38 && **p == '{' && (*p)[37] == '}') {
        ++*p;
        *n = 36;
    }
}

static bool
is_word(const char *p, size_t n, const char *word)
{
    return sp_fold_equal(p, n, word, strlen(word));
}

static enum sp_code
parse_name(struct sp_vss_pattern *p, struct sp_err *e)
{
    size_t n = strcspn(p->text, ":");
    bool known = false;
    enum sp_code rc = SP_OK;

    if (p->text[n] == '\0')
        return fail_form(e, p->text, "names no application");
    p->value = p->text + n + 1;
    p->value_len = strlen(p->value);
    if (p->value_len == 0)
        return fail_form(e, p->text, "has nothing behind the colon");
    for (int k = SP_UNIT_OTHER; k <= SP_UNIT_DOCUMENT && !known; k++) {
        p->kind = (enum sp_unit_kind)k;
        known = is_word(p->text, n, sp_unit_kind_word(p->kind));
    }
    p->form = OF_UNIT;
    if (known)
        return SP_OK;
    if (is_word(p->text, n, "writer")) {
        p->form = OF_WRITER;
        without_braces(&p->value, &p->value_len);
        return SP_OK;
    }
    if (!is_word(p->text, n, "component"))
        return fail_form(e, p->text, "begins with no word that is known here");
    p->form = OF_COMPONENT;
    rc = split(p, p->value, true, e);
    if (rc == SP_OK && p->nparts < 2 && (p->nparts == 0 || !p->parts[0].any))
        rc = fail_form(e, p->text, "has no component behind the writer");
    if (rc == SP_OK)
        without_braces(&p->parts[0].p, &p->parts[0].n);
    return rc;
}

enum sp_code
sp_vss_pattern_new(const char *text, struct sp_vss_pattern **ret, struct sp_err *e)
{
    struct start at = start_of(text);
    struct sp_vss_pattern *p = NULL;
    enum sp_code rc;

    if (strnlen(text, TEXT_MAX + 1) > TEXT_MAX)
        return fail_form(e, text, "(and more) is too long");
    if ((p = calloc(1, sizeof *p)) == NULL || (p->text = strdup(text)) == NULL) {
        rc = sp_fail_nomem(e);
        goto out;
    }
    if (at.p == NULL) {
        rc = parse_name(p, e);
    } else {
        p->form = OF_PATH;
        p->windows = at.windows;
        if (at.share)
            (void)add_part(p, share_mark, 2);
        rc = split(p, p->text + (at.p - text), at.windows, e);
    }
    if (rc != SP_OK)
        goto out;
    *ret = p;
    p = NULL;
out:
    sp_vss_pattern_free(p);
    return rc;
}

void
sp_vss_pattern_free(struct sp_vss_pattern *p)
{
    if (p == NULL)
        return;
    free(p->text);
    free(p);
}

const char *
sp_vss_pattern_text(const struct sp_vss_pattern *p)
{
    return p->text;
}

bool
sp_vss_pattern_is_path(const struct sp_vss_pattern *p)
{
    return p->form == OF_PATH;
}

/* --- compared --------------------------------------------------------------------------------- */

static bool
value_is(const struct sp_vss_pattern *p, const char *s)
{
    return s != NULL && sp_vss_glob(p->value, p->value_len, s, strlen(s), true);
}

static bool
component_is(const struct sp_vss_pattern *p, const char *writer, const struct sp_vss_subject *s)
{
    struct progress g = begin(p, true);

    if (writer == NULL)
        return false;
    feed_all(&g, writer);
    feed_all(&g, s->logical_path);
    feed_all(&g, s->name);
    return at_end(&g);
}

bool
sp_vss_pattern_match(const struct sp_vss_pattern *p, const struct sp_vss_subject *s)
{
    switch (p->form) {
    case OF_UNIT:
        return p->kind == s->kind && value_is(p, s->unit);
    case OF_WRITER:
        return value_is(p, s->writer) || value_is(p, s->writer_id);
    case OF_COMPONENT:
        return component_is(p, s->writer, s) || component_is(p, s->writer_id, s);
    case OF_PATH:
        for (size_t i = 0; i < s->npaths; i++)
            if (sp_vss_pattern_covers(p, s->paths[i], false))
                return true;
        return false;
    }
    return false;
}

bool
sp_vss_pattern_match_component(
    const struct sp_vss_pattern *p, const struct sp_verdict *v, size_t component)
{
    const struct sp_verdict_component *c = &v->components[component];
    const struct sp_verdict_writer *w = c->writer < v->nwriters ? &v->writers[c->writer] : NULL;
    struct sp_vss_subject s = {
        .writer = w != NULL ? w->name : NULL,
        .writer_id = w != NULL ? w->class_id : NULL,
        .logical_path = c->logical_path,
        .name = c->name,
        .kind = c->kind,
        .unit = c->unit,
        .paths = (const char *const *)c->paths,
        .npaths = c->npaths,
    };

    return sp_vss_pattern_match(p, &s);
}
