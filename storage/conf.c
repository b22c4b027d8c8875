/* repository.conf as text (docs/format.md §2): see repository.h. */

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/text.h"
#include "storage/crypto.h"
#include "storage/repository.h"

#define FIRST_LINE "stillpoint repository"
#define HASH_KEY "sha256 = "
#define VERSION 1
#define CONF_MAX 65536u
#define PACK_SIZE_DEFAULT (16u << 20)
#define PACK_SIZE_MIN (64u << 10)
#define PACK_SIZE_MAX (512u << 20)

enum { HAVE_ID = 1, HAVE_FILE = 2, HAVE_IMAGE = 4, HAVE_PACK = 8, HAVE_ALL = 15 };

static bool
pack_size_valid(uint64_t n)
{
    return n >= PACK_SIZE_MIN && n <= PACK_SIZE_MAX;
}

static bool
split_unset(const struct sp_split_params *s)
{
    return s->file_min == 0 && s->file_avg == 0 && s->file_max == 0 && s->image_chunk == 0;
}

enum sp_code
sp_repository_conf_encode(const struct sp_repository_conf *c, struct sp_buf *ret, struct sp_err *e)
{
    struct sp_split_params split = split_unset(&c->split) ? sp_split_defaults : c->split;
    uint32_t pack_size = c->pack_size == 0 ? PACK_SIZE_DEFAULT : c->pack_size;
    struct sp_buf b = SP_BUF_INIT;
    uint8_t hash[32];
    enum sp_code rc;

    if (!sp_split_params_valid(&split))
        return sp_fail(e, SP_INVALID, SP_DOM_CONFIG, "the chunk sizes are impossible");
    if (!pack_size_valid(pack_size))
        return sp_fail(e, SP_INVALID, SP_DOM_CONFIG,
            "the pack size must be between %u and %u bytes", PACK_SIZE_MIN, PACK_SIZE_MAX);
    sp_buf_printf(&b, "%s\nversion = %d\nid = ", FIRST_LINE, VERSION);
    sp_buf_put_hex(&b, c->id, sizeof(c->id));
    sp_buf_printf(&b, "\nfile-chunk = %u %u %u\nimage-chunk = %u\npack-size = %u\n", split.file_min,
        split.file_avg, split.file_max, split.image_chunk, pack_size);
    if ((rc = sp_buf_ok(&b, e)) != SP_OK)
        goto out;
    if ((rc = sp_sha256(b.data, b.len, hash, e)) != SP_OK)
        goto out;
    sp_buf_printf(&b, "%s%s\n", HASH_KEY, sp_hex32(hash).s);
    if ((rc = sp_buf_ok(&b, e)) != SP_OK)
        goto out;
    sp_buf_put(ret, b.data, b.len);
    rc = sp_buf_ok(ret, e);
out:
    sp_buf_free(&b);
    return rc;
}

static enum sp_code
corrupt(struct sp_err *e, const char *what)
{
    return sp_fail(e, SP_CORRUPT, SP_DOM_STORE, "repository.conf: %s", what);
}

/* The next line into `line` (NUL-terminated); false at the end. A line without a line feed is none.
 */
static bool
next_line(const char **p, const char *end, char *line, size_t room)
{
    const char *lf = memchr(*p, '\n', (size_t)(end - *p));
    size_t n;

    if (lf == NULL)
        return false;
    n = (size_t)(lf - *p);
    if (n >= room) /* longer than any value we know: its beginning names the key */
        n = room - 1;
    memcpy(line, *p, n);
    line[n] = '\0';
    *p = lf + 1;
    return true;
}

/* Decimal numbers, one blank between; exactly `count`. */
static bool
parse_numbers(const char *s, uint32_t *to, size_t count)
{
    char word[16];
    size_t i, n;
    uint64_t v;

    for (i = 0; i < count; i++) {
        n = strcspn(s, " ");
        if (n == 0 || n >= sizeof(word))
            return false;
        memcpy(word, s, n);
        word[n] = '\0';
        if (!sp_text_parse_u64(word, &v) || v > UINT32_MAX)
            return false;
        to[i] = (uint32_t)v;
        s += n;
        if (*s == ' ')
            s++;
    }
    return *s == '\0';
}

/* The last line, and whether the bytes before it have the hash that it says. */
static enum sp_code
check_hash(const char *text, size_t n, size_t *ret_body, struct sp_err *e)
{
    const size_t line = strlen(HASH_KEY) + 64 + 1;
    uint8_t said[32], is[32];
    char digits[65];
    enum sp_code rc;

    if (n < line || text[n - 1] != '\n' || memcmp(text + n - line, HASH_KEY, strlen(HASH_KEY)) != 0)
        return corrupt(e, "the last line, its hash, is missing");
    memcpy(digits, text + n - 65, 64);
    digits[64] = '\0';
    if (!sp_hex_parse(digits, said, sizeof(said)))
        return corrupt(e, "the last line, its hash, is malformed");
    if ((rc = sp_sha256(text, n - line, is, e)) != SP_OK)
        return rc;
    if (memcmp(said, is, sizeof(is)) != 0)
        return corrupt(e, "its bytes do not have the hash that its last line says");
    *ret_body = n - line;
    return SP_OK;
}

static enum sp_code
parse_line(const char *line, struct sp_repository_conf *c, unsigned *seen, struct sp_err *e)
{
    static const struct {
        const char *key;
        unsigned bit;
    } keys[] = {{"id = ", HAVE_ID}, {"file-chunk = ", HAVE_FILE}, {"image-chunk = ", HAVE_IMAGE},
        {"pack-size = ", HAVE_PACK}};
    uint32_t v[3];
    const char *value;
    size_t i;
    bool good = false;

    for (i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
        if (strncmp(line, keys[i].key, strlen(keys[i].key)) == 0)
            break;
    if (i == sizeof(keys) / sizeof(keys[0]))
        return SP_OK; /* a key of a later minor form */
    value = line + strlen(keys[i].key);
    if ((*seen & keys[i].bit) != 0)
        return sp_fail(e, SP_CORRUPT, SP_DOM_STORE, "repository.conf: a second line \"%s\"", line);
    *seen |= keys[i].bit;
    switch (keys[i].bit) {
    case HAVE_ID:
        good = sp_hex_parse(value, c->id, sizeof(c->id));
        break;
    case HAVE_FILE:
        if ((good = parse_numbers(value, v, 3))) {
            c->split.file_min = v[0];
            c->split.file_avg = v[1];
            c->split.file_max = v[2];
        }
        break;
    case HAVE_IMAGE:
        good = parse_numbers(value, &c->split.image_chunk, 1);
        break;
    default:
        good = parse_numbers(value, &c->pack_size, 1) && pack_size_valid(c->pack_size);
        break;
    }
    if (!good)
        return sp_fail(e, SP_CORRUPT, SP_DOM_STORE, "repository.conf: bad line \"%s\"", line);
    return SP_OK;
}

enum sp_code
sp_repository_conf_decode(const void *p, size_t n, struct sp_repository_conf *ret, struct sp_err *e)
{
    struct sp_repository_conf c;
    const char *at = p, *end;
    char line[128];
    unsigned seen = 0;
    uint64_t version;
    size_t body = 0;
    enum sp_code rc;

    memset(&c, 0, sizeof(c));
    if (n > CONF_MAX)
        return corrupt(e, "it is larger than such a file may be");
    if (n <= strlen(FIRST_LINE) || memcmp(at, FIRST_LINE "\n", strlen(FIRST_LINE) + 1) != 0)
        return corrupt(e, "the first line is not \"" FIRST_LINE "\"");
    if ((rc = check_hash(at, n, &body, e)) != SP_OK)
        return rc;
    end = at + body;
    (void)next_line(&at, end, line, sizeof(line));
    if (!next_line(&at, end, line, sizeof(line)) || strncmp(line, "version = ", 10) != 0 ||
        !sp_text_parse_u64(line + 10, &version))
        return corrupt(e, "the second line does not say the version");
    if (version != VERSION)
        return sp_fail(e, SP_UNSUPPORTED, SP_DOM_STORE,
            "this repository has format version %llu and this program knows version %d; use a "
            "program that knows version %llu",
            (unsigned long long)version, VERSION, (unsigned long long)version);
    while (next_line(&at, end, line, sizeof(line)))
        if ((rc = parse_line(line, &c, &seen, e)) != SP_OK)
            return rc;
    if (seen != HAVE_ALL)
        return corrupt(e, (seen & HAVE_ID) == 0      ? "the line \"id\" is missing"
                          : (seen & HAVE_FILE) == 0  ? "the line \"file-chunk\" is missing"
                          : (seen & HAVE_IMAGE) == 0 ? "the line \"image-chunk\" is missing"
                                                     : "the line \"pack-size\" is missing");
    if (!sp_split_params_valid(&c.split))
        return corrupt(e, "its chunk sizes are impossible");
    *ret = c;
    return SP_OK;
}
