/* Configuration files: see ini.h.
 *
 * Settled here: a comment may be indented; empty lines mean nothing; `key =` with nothing behind it
 * is an empty value, unless items follow on lines of their own, which then are the whole list;
 * inside quotes a backslash before any other character is itself. */

#include "base/ini.h"

#include <stdbool.h>
#include <string.h>

#include "base/buf.h"
#include "base/path.h"

struct parser {
    sp_ini_fn fn;
    void *arg;
    unsigned line;
    struct sp_buf section, key, value;
    bool have_key;      /* an indented line can go on */
    bool empty_pending; /* `key =` was seen and not yet given out */
    unsigned key_line;
    struct sp_err *e;
};

static bool
is_space(char c)
{
    return c == ' ' || c == '\t';
}

static enum sp_code
bad(struct parser *p, const char *what)
{
    return sp_fail(p->e, SP_INVALID, SP_DOM_CONFIG, "%s", what);
}

static void
set(struct sp_buf *b, const char *s, size_t n)
{
    sp_buf_reset(b);
    sp_buf_put(b, s, n);
}

static enum sp_code
give(struct parser *p, unsigned line)
{
    enum sp_code rc;

    (void)sp_buf_str(&p->section);
    (void)sp_buf_str(&p->key);
    (void)sp_buf_str(&p->value);
    if ((rc = sp_buf_ok(&p->section, p->e)) != SP_OK || (rc = sp_buf_ok(&p->key, p->e)) != SP_OK ||
        (rc = sp_buf_ok(&p->value, p->e)) != SP_OK)
        return rc;
    return p->fn(
        p->arg, sp_buf_str(&p->section), sp_buf_str(&p->key), sp_buf_str(&p->value), line, p->e);
}

/* `key =` had no items after it: it is an empty value. */
static enum sp_code
settle(struct parser *p)
{
    unsigned at = p->line;
    enum sp_code rc;

    if (!p->empty_pending)
        return SP_OK;
    p->empty_pending = false;
    sp_buf_reset(&p->value);
    p->line = p->key_line;
    if ((rc = give(p, p->key_line)) == SP_OK)
        p->line = at;
    return rc;
}

/* A value in quotes, from the quote to the end of the line. */
static enum sp_code
unquote(struct parser *p, const char *s, size_t n)
{
    size_t i = 1;

    sp_buf_reset(&p->value);
    for (; i < n && s[i] != '"'; i++) {
        if (s[i] == '\\' && i + 1 < n && (s[i + 1] == '"' || s[i + 1] == '\\'))
            i++;
        sp_buf_put_u8(&p->value, (uint8_t)s[i]);
    }
    if (i >= n)
        return bad(p, "the quote that begins the value is not closed");
    if (i + 1 < n)
        return bad(p, "there is text after the closing quote");
    return SP_OK;
}

/* `s` has no white space at its ends and is not empty. */
static enum sp_code
take_value(struct parser *p, const char *s, size_t n)
{
    enum sp_code rc;

    p->empty_pending = false;
    if (s[0] != '"')
        set(&p->value, s, n);
    else if ((rc = unquote(p, s, n)) != SP_OK)
        return rc;
    return give(p, p->line);
}

static size_t
trim_end(const char *s, size_t n)
{
    while (n > 0 && is_space(s[n - 1]))
        n--;
    return n;
}

static size_t
skip_space(const char *s, size_t n)
{
    size_t i = 0;

    while (i < n && is_space(s[i]))
        i++;
    return i;
}

static enum sp_code
take_section(struct parser *p, const char *s, size_t n)
{
    size_t skip;

    if (s[n - 1] != ']')
        return bad(p, "a section must end with ']' and nothing after it");
    skip = 1 + skip_space(s + 1, n - 2);
    s += skip;
    n = trim_end(s, n - 1 - skip);
    if (n == 0)
        return bad(p, "a section without a name");
    if (memchr(s, ']', n) != NULL)
        return bad(p, "the name of a section has a ']'");
    p->have_key = false;
    set(&p->section, s, n);
    (void)sp_buf_str(&p->section);
    if (p->section.failed)
        return sp_fail_nomem(p->e);
    return p->fn(p->arg, sp_buf_str(&p->section), NULL, NULL, p->line, p->e);
}

static enum sp_code
take_pair(struct parser *p, const char *s, size_t n)
{
    const char *equals = memchr(s, '=', n);
    size_t key_n, at;

    if (equals == NULL)
        return bad(p, "expected 'key = value', a [section] or a comment");
    key_n = trim_end(s, (size_t)(equals - s));
    if (key_n == 0)
        return bad(p, "a value without a key");
    set(&p->key, s, key_n);
    p->have_key = true;
    at = (size_t)(equals - s) + 1;
    at += skip_space(s + at, n - at);
    if (at < n)
        return take_value(p, s + at, n - at);
    p->empty_pending = true;
    p->key_line = p->line;
    return SP_OK;
}

static enum sp_code
take_line(struct parser *p, const char *s, size_t n)
{
    size_t indent;
    enum sp_code rc;

    if (n > 0 && s[n - 1] == '\r')
        n--;
    if (memchr(s, '\0', n) != NULL || !sp_utf8_valid(s, n))
        return bad(p, "the line is not UTF-8 text");
    n = trim_end(s, n);
    indent = skip_space(s, n);
    if (indent == n || s[indent] == '#' || s[indent] == ';')
        return SP_OK;
    if (indent > 0) {
        if (!p->have_key)
            return bad(p, "an indented line goes on with the value above, but there is none");
        return take_value(p, s + indent, n - indent);
    }
    if ((rc = settle(p)) != SP_OK)
        return rc;
    return s[0] == '[' ? take_section(p, s, n) : take_pair(p, s, n);
}

enum sp_code
sp_ini_parse(
    const char *file, const char *text, size_t n, sp_ini_fn fn, void *arg, struct sp_err *e)
{
    struct parser p = {.fn = fn, .arg = arg, .line = 1, .e = e};
    enum sp_code rc = SP_OK;

    if (n >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) {
        text += 3;
        n -= 3;
    }
    while (rc == SP_OK && n > 0) {
        const char *end = memchr(text, '\n', n);
        size_t len = end != NULL ? (size_t)(end - text) : n;

        rc = take_line(&p, text, len);
        if (end != NULL)
            len++;
        text += len;
        n -= len;
        if (rc == SP_OK)
            p.line++;
    }
    if (rc == SP_OK)
        rc = settle(&p);
    if (rc != SP_OK)
        sp_err_context(e, "%s:%u", file, p.line);
    sp_buf_free(&p.section);
    sp_buf_free(&p.key);
    sp_buf_free(&p.value);
    return rc;
}
