/* Streaming JSON writer: see json.h. */

#include "base/json.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "base/utf.h"

#define MOST_DEEP 32

void
sp_json_init(struct sp_json *j, struct sp_buf *out)
{
    *j = (struct sp_json){.out = out};
}

/* What comes before a value or a key: the comma, when it is due. */
static void
before(struct sp_json *j)
{
    uint32_t bit;

    if (j->after_key) {
        j->after_key = false;
        return;
    }
    if (j->depth == 0)
        return;
    bit = UINT32_C(1) << (j->depth - 1);
    if ((j->more & bit) != 0)
        sp_buf_put_u8(j->out, ',');
    j->more |= bit;
}

static void
open_level(struct sp_json *j, char c)
{
    before(j);
    assert(j->depth < MOST_DEEP);
    j->depth++;
    j->more &= ~(UINT32_C(1) << (j->depth - 1));
    sp_buf_put_u8(j->out, (uint8_t)c);
}

static void
close_level(struct sp_json *j, char c)
{
    assert(j->depth > 0 && !j->after_key);
    j->depth--;
    sp_buf_put_u8(j->out, (uint8_t)c);
}

void
sp_json_object(struct sp_json *j)
{
    open_level(j, '{');
}

void
sp_json_object_end(struct sp_json *j)
{
    close_level(j, '}');
}

void
sp_json_array(struct sp_json *j)
{
    open_level(j, '[');
}

void
sp_json_array_end(struct sp_json *j)
{
    close_level(j, ']');
}

static void
put_string(struct sp_buf *out, const uint8_t *p, size_t n)
{
    sp_buf_put_u8(out, '"');
    while (n > 0) {
        uint32_t v = 0;
        size_t len = sp_utf8_next(p, n, false, &v);

        if (len == 0) {
            sp_buf_printf(out, "\\udc%02x", p[0]);
            len = 1;
        } else if (v == '"' || v == '\\') {
            sp_buf_put_u8(out, '\\');
            sp_buf_put_u8(out, p[0]);
        } else if (v == '\n') {
            sp_buf_put_str(out, "\\n");
        } else if (v == '\t') {
            sp_buf_put_str(out, "\\t");
        } else if (v == '\r') {
            sp_buf_put_str(out, "\\r");
        } else if (sp_utf8_misleads(v)) { /* a document may be shown on a terminal */
            sp_buf_printf(out, "\\u%04x", (unsigned)v);
        } else {
            sp_buf_put(out, p, len);
        }
        p += len;
        n -= len;
    }
    sp_buf_put_u8(out, '"');
}

void
sp_json_key(struct sp_json *j, const char *key)
{
    assert(j->depth > 0 && !j->after_key);
    before(j);
    put_string(j->out, (const uint8_t *)key, strlen(key));
    sp_buf_put_u8(j->out, ':');
    j->after_key = true;
}

void
sp_json_str(struct sp_json *j, const char *s)
{
    sp_json_strn(j, s, strlen(s));
}

void
sp_json_strn(struct sp_json *j, const void *s, size_t n)
{
    before(j);
    put_string(j->out, s, n);
}

void
sp_json_u64(struct sp_json *j, uint64_t v)
{
    before(j);
    sp_buf_printf(j->out, "%" PRIu64, v);
}

void
sp_json_i64(struct sp_json *j, int64_t v)
{
    before(j);
    sp_buf_printf(j->out, "%" PRId64, v);
}

void
sp_json_bool(struct sp_json *j, bool v)
{
    before(j);
    sp_buf_put_str(j->out, v ? "true" : "false");
}

void
sp_json_null(struct sp_json *j)
{
    before(j);
    sp_buf_put_str(j->out, "null");
}

void
sp_json_hex(struct sp_json *j, const void *p, size_t n)
{
    before(j);
    sp_buf_put_u8(j->out, '"');
    sp_buf_put_hex(j->out, p, n);
    sp_buf_put_u8(j->out, '"');
}

void
sp_json_time(struct sp_json *j, int64_t wall_ns)
{
    char s[32];

    sp_time_utc(wall_ns, s);
    sp_json_str(j, s);
}

void
sp_json_kstr(struct sp_json *j, const char *key, const char *s)
{
    sp_json_key(j, key);
    sp_json_str(j, s);
}

void
sp_json_ku64(struct sp_json *j, const char *key, uint64_t v)
{
    sp_json_key(j, key);
    sp_json_u64(j, v);
}

void
sp_json_kbool(struct sp_json *j, const char *key, bool v)
{
    sp_json_key(j, key);
    sp_json_bool(j, v);
}
