/* The recovery sheet: what a person keeps on paper. The key is on a line of its own, so that it is
 * found again in a sheet that was scanned, mailed or typed. */

#include <stdbool.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "storage/crypto.h"
#include "storage/keys.h"

#define COLUMNS 72
#define KEY_SIZE 32
#define KEY_CHARS 54 /* 52 for 256 bits, 2 of checksum */

/* Text from elsewhere must not look like lines of the sheet. */
static bool
one_line(const char *s)
{
    for (; *s != '\0'; s++)
        if ((unsigned char)*s < 0x20 || *s == 0x7f)
            return false;
    return true;
}

static void
put_fact(struct sp_buf *b, const char *name, const char *value)
{
    size_t n = strlen(value);

    /* On one line where that stays within the columns; a value is never broken: it is typed again.
     */
    if (n <= COLUMNS - 22)
        sp_buf_printf(b, "  %-20s%s\n", name, value);
    else
        sp_buf_printf(b, "  %s\n%s%s\n", name, n <= COLUMNS - 4 ? "    " : "", value);
}

/* How to restore: from a folder with the key alone; with a server, as the host that the sheet is
 * of. */
static void
put_instructions(struct sp_buf *b, const struct sp_sheet *s)
{
    const char *folder = s->fingerprint != NULL ? "FOLDER" : s->store;

    sp_buf_put_str(
        b, "To restore, install Stillpoint (program \"stillpoint\") on any machine.\n\n");
    if (s->fingerprint != NULL)
        sp_buf_printf(b,
            "  Through the server: its administrator makes a token with\n"
            "  \"stillpointd host replace %s\"; then, with this sheet in a file:\n\n"
            "       stillpoint enroll TOKEN --recovery-key-file SHEET\n"
            "       stillpoint list\n"
            "       stillpoint restore latest --target EMPTY-FOLDER\n\n"
            "  Without the server: from its repository's folder, on its disk or\n"
            "  NAS, mounted or copied anywhere:\n\n",
            s->host_name);
    else
        sp_buf_put_str(b,
            "  From the repository's folder, wherever it is mounted or copied to; the\n"
            "  key is asked for, or taken from a file with this sheet:\n\n");
    sp_buf_printf(b, "       stillpoint list -r %s\n", folder);
    sp_buf_printf(b, "       stillpoint restore latest -r %s --target EMPTY-FOLDER\n\n", folder);
    if (s->host_key != NULL)
        sp_buf_put_str(b, "  A machine that does not know the SSH server asks whether its key is the\n"
                          "  right one: compare it with the one above.\n\n");
    sp_buf_put_str(b,
        "\"stillpoint restore --help\" tells how to choose. The format is open;\n"
        "docs/format.md describes it byte by byte.\n");
}

enum sp_code
sp_sheet_print(const struct sp_sheet *s, int64_t now_ns, struct sp_buf *ret, struct sp_err *e)
{
    struct sp_buf b = SP_BUF_INIT;
    uint8_t public_key[32];
    size_t before = ret->len;
    char now[32];
    enum sp_code rc;

    if (!one_line(s->store) || !one_line(s->host_name) ||
        (s->fingerprint != NULL && !one_line(s->fingerprint)) ||
        (s->host_key != NULL && !one_line(s->host_key)))
        return sp_fail(e, SP_INVALID, SP_DOM_CONFIG,
            "a store's address, its fingerprint and a host's name have no control characters");
    if ((rc = sp_x25519_public(s->recovery, public_key, e)) != SP_OK)
        return rc;
    /* All at once: growing with the key inside would leave copies behind in freed memory. */
    size_t most = 4096 + strlen(s->store) * 3 + strlen(s->host_name) +
                  (s->fingerprint != NULL ? strlen(s->fingerprint) : 0) +
                  (s->host_key != NULL ? strlen(s->host_key) : 0);
    if (!sp_buf_reserve(&b, most) || !sp_buf_reserve(ret, most)) {
        rc = sp_fail_nomem(e);
        goto out;
    }

    sp_time_utc(now_ns, now);
    sp_buf_put_str(&b, "STILLPOINT RECOVERY SHEET\n"
                       "=========================\n\n"
                       "Keep this sheet on paper or in a password manager, away from the\n"
                       "machine and from the store. Who has it and the store can read the\n"
                       "backups. Without it, and without the machine or a passphrase, no one\n"
                       "can: not the store's owner, and not the makers of Stillpoint.\n\n");
    put_fact(&b, "Host", s->host_name);
    put_fact(&b, "Store", s->store);
    if (s->fingerprint != NULL)
        put_fact(&b, "Server fingerprint", s->fingerprint);
    if (s->host_key != NULL)
        put_fact(&b, "SSH server's key", s->host_key);
    put_fact(&b, "Repository", sp_hex16(s->repository).s);
    put_fact(&b, "Key group", sp_hex16(s->group).s);
    put_fact(&b, "Recovery key id", sp_hex8(public_key).s);
    put_fact(&b, "Printed", now);
    sp_buf_put_str(&b, "\nRecovery key (upper or lower case; dashes and spaces do not matter):\n\n"
                       "    ");
    sp_base32_put(&b, s->recovery, KEY_SIZE);
    sp_buf_put_str(&b, "\n\n");
    put_instructions(&b, s);
    if ((rc = sp_buf_ok(&b, e)) != SP_OK)
        goto out;
    sp_buf_put(ret, b.data, b.len);
    if ((rc = sp_buf_ok(ret, e)) != SP_OK)
        ret->len = before;
out:
    sp_buf_wipe(&b);
    return rc;
}

/* Is this a key, apart from its checksum? Letters are copied to `to` without spaces and dashes. */
static bool
looks_like_key(const char *s, size_t n, char to[KEY_CHARS + 1])
{
    static const char alphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZILO";
    size_t len = 0;

    for (size_t i = 0; i < n; i++) {
        char c = s[i];

        if (c == '-' || c == ' ' || c == '\t' || c == '\r' || c == '\n')
            continue;
        if (c >= 'a' && c <= 'z')
            c = (char)(c - 'a' + 'A');
        if (c == '\0' || strchr(alphabet, c) == NULL || len == KEY_CHARS)
            return false;
        to[len++] = c;
    }
    to[len] = '\0';
    return len == KEY_CHARS;
}

/* SP_ABSENT: it does not look like a key. */
static enum sp_code
parse_candidate(const char *s, size_t n, uint8_t ret[KEY_SIZE], struct sp_err *e)
{
    struct sp_buf key = SP_BUF_INIT;
    char chars[KEY_CHARS + 1];
    enum sp_code rc = SP_ABSENT;

    if (!looks_like_key(s, n, chars))
        goto out;
    if (!sp_buf_reserve(&key, 64)) {
        rc = sp_fail_nomem(e);
        goto out;
    }
    if ((rc = sp_base32_parse(chars, &key, e)) != SP_OK)
        goto out;
    if (key.len != KEY_SIZE) {
        rc = SP_ABSENT;
        goto out;
    }
    memcpy(ret, key.data, KEY_SIZE);
out:
    sp_wipe(chars, sizeof(chars));
    sp_buf_wipe(&key);
    return rc;
}

/* The key alone may be typed over several lines; in a sheet it is on one, or, where a program broke
 * the line, on two. */
enum sp_code
sp_sheet_parse_key(const char *text, uint8_t ret_recovery[32], struct sp_err *e)
{
    struct sp_err mistyped = {.code = SP_OK};
    uint8_t key[KEY_SIZE];
    enum sp_code rc = parse_candidate(text, strlen(text), key, e);

    if (rc == SP_INVALID)
        mistyped = *e;
    for (const char *line = text; (rc == SP_ABSENT || rc == SP_INVALID) && *line != '\0';) {
        size_t one = strcspn(line, "\n");
        size_t two = line[one] == '\0' ? one : one + 1 + strcspn(line + one + 1, "\n");

        rc = parse_candidate(line, one, key, e);
        if (rc == SP_ABSENT && two > one)
            rc = parse_candidate(line, two, key, e);
        if (rc == SP_INVALID)
            mistyped = *e;
        line += line[one] == '\0' ? one : one + 1;
    }
    if (rc == SP_OK) {
        memcpy(ret_recovery, key, KEY_SIZE);
    } else if (rc == SP_ABSENT || rc == SP_INVALID) {
        if (mistyped.code != SP_OK)
            *e = mistyped;
        rc = mistyped.code != SP_OK
                 ? mistyped.code
                 : sp_fail(e, SP_INVALID, SP_DOM_CONFIG,
                       "there is no recovery key here: it is a line of %d letters and digits",
                       KEY_CHARS);
    }
    sp_wipe(key, sizeof(key));
    return rc;
}
