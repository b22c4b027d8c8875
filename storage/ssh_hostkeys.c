/* known_hosts, as sshd(8) of OpenSSH describes it under SSH_KNOWN_HOSTS FILE FORMAT: markers, lists
 * of patterns, negation, hashed names, [host]:port.
 *
 * A line of another form is passed over, as ssh does. @cert-authority is too: libssh2 asks for no
 * certificates of hosts, and a plain key is none. */

#include "storage/ssh_impl.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

#define FILE_MAX ((size_t)32 << 20)
#define SALT_MAX 64u

enum marker { PLAIN, REVOKED, AUTHORITY, UNKNOWN };

struct word {
    const char *s;
    size_t n;
};

struct line {
    enum marker marker;
    struct word hosts, type, key;
};

/* --- the file ------------------------------------------------------------------------------ */

static enum sp_code
read_file(const char *path, struct sp_buf *ret, struct sp_err *e)
{
    char part[8192];
    FILE *f = NULL;
    size_t n;
    enum sp_code rc;

    if ((rc = sp_os_stream(path, &f, e)) != SP_OK)
        return rc;
    while (ret->len <= FILE_MAX && (n = fread(part, 1, sizeof(part), f)) > 0)
        sp_buf_put(ret, part, n);
    if (ferror(f))
        rc = sp_fail_os(e, SP_DOM_CONFIG, errno, "cannot read %s", path);
    else if (ret->len > FILE_MAX)
        rc = sp_fail(e, SP_INVALID, SP_DOM_CONFIG, "%s is too large for a file of host keys", path);
    else
        rc = sp_buf_ok(ret, e);
    (void)fclose(f);
    return rc;
}

static bool
is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static struct word
next_word(struct word *rest)
{
    struct word w;

    while (rest->n > 0 && is_blank(*rest->s)) {
        rest->s++;
        rest->n--;
    }
    w = (struct word){rest->s, 0};
    while (rest->n > 0 && !is_blank(*rest->s)) {
        rest->s++;
        rest->n--;
        w.n++;
    }
    return w;
}

static bool
is(struct word w, const char *s)
{
    return w.n == strlen(s) && memcmp(w.s, s, w.n) == 0;
}

static bool
parse(struct word text, struct line *ret)
{
    struct word first = next_word(&text);

    ret->marker = PLAIN;
    if (first.n > 0 && *first.s == '@') {
        ret->marker = is(first, "@revoked")          ? REVOKED
                      : is(first, "@cert-authority") ? AUTHORITY
                                                     : UNKNOWN;
        first = next_word(&text);
    }
    ret->hosts = first;
    ret->type = next_word(&text);
    ret->key = next_word(&text);
    return first.n > 0 && *first.s != '#' && ret->key.n > 0 && ret->marker != UNKNOWN;
}

/* --- names --------------------------------------------------------------------------------- */

static char
lower(char c)
{
    return (char)tolower((unsigned char)c);
}

/* '*' any number, '?' one; as ssh's match_pattern, without recursion. */
static bool
pattern_matches(struct word p, const char *name)
{
    size_t i = 0, star = SIZE_MAX;
    const char *from = NULL;

    for (;;) {
        if (i < p.n && p.s[i] == '*') {
            star = ++i;
            from = name;
        } else if (*name == '\0' && i == p.n) {
            return true;
        } else if (*name != '\0' && i < p.n && (p.s[i] == '?' || lower(p.s[i]) == *name)) {
            i++;
            name++;
        } else if (star != SIZE_MAX && *from != '\0') {
            i = star;
            name = ++from;
        } else {
            return false;
        }
    }
}

/* "|1|salt|HMAC-SHA1(salt, name)", both in base64. */
static enum sp_code
hashed_matches(struct word w, const char *name, bool *ret, struct sp_err *e)
{
    struct sp_buf salt = SP_BUF_INIT, hash = SP_BUF_INIT;
    const char *bar = memchr(w.s + 3, '|', w.n - 3);
    uint8_t mine[20];
    enum sp_code rc = SP_OK;

    *ret = false;
    if (bar == NULL || !sp_ssh_base64(w.s + 3, (size_t)(bar - w.s) - 3, &salt) ||
        !sp_ssh_base64(bar + 1, w.n - (size_t)(bar + 1 - w.s), &hash) || salt.len == 0 ||
        salt.len > SALT_MAX || hash.len != sizeof(mine))
        goto out;
    rc = sp_ssh_hmac_sha1((struct sp_span){salt.data, salt.len}, name, strlen(name), mine, e);
    if (rc == SP_OK)
        *ret = memcmp(mine, hash.data, sizeof(mine)) == 0;
out:
    sp_buf_free(&salt);
    sp_buf_free(&hash);
    return rc;
}

static enum sp_code
hosts_match(struct word hosts, const char *name, bool *ret, struct sp_err *e)
{
    bool found = false;

    if (hosts.n > 3 && memcmp(hosts.s, "|1|", 3) == 0)
        return hashed_matches(hosts, name, ret, e);
    *ret = false;
    while (hosts.n > 0) {
        const char *comma = memchr(hosts.s, ',', hosts.n);
        struct word one = {hosts.s, comma != NULL ? (size_t)(comma - hosts.s) : hosts.n};
        bool no = one.n > 0 && *one.s == '!';

        hosts.s += one.n + (comma != NULL);
        hosts.n -= one.n + (comma != NULL);
        if (no) {
            one.s++;
            one.n--;
        }
        if (one.n > 0 && pattern_matches(one, name)) {
            if (no)
                return SP_OK;
            found = true;
        }
    }
    *ret = found;
    return SP_OK;
}

/* As the file names it: lower case; "[host]:port" unless the port is 22. */
static void
file_name(const char *host, uint16_t port, char *to, size_t cap)
{
    (void)snprintf(to, cap, port == 22 ? "%s" : "[%s]:%u", host, (unsigned)port);
    for (; *to != '\0'; to++)
        *to = lower(*to);
}

/* --- going through ------------------------------------------------------------------------- */

typedef void each_fn(void *arg, const struct line *line, const char *file, unsigned number);

static enum sp_code
go_through(const char *file, const char *name, each_fn *each, void *arg, struct sp_err *e)
{
    struct sp_buf text = SP_BUF_INIT;
    struct sp_err why = {0};
    unsigned number = 0;
    enum sp_code rc = read_file(file, &text, &why);

    if (rc != SP_OK) {
        if (rc != SP_ABSENT)
            *e = why;
        sp_buf_free(&text);
        return rc == SP_ABSENT ? SP_OK : rc;
    }
    for (size_t at = 0; rc == SP_OK && at < text.len;) {
        const char *s = (const char *)text.data + at;
        const char *end = memchr(s, '\n', text.len - at);
        struct word w = {s, end != NULL ? (size_t)(end - s) : text.len - at};
        struct line line;
        bool ours;

        at += w.n + 1;
        number++;
        if (!parse(w, &line))
            continue;
        if ((rc = hosts_match(line.hosts, name, &ours, e)) == SP_OK && ours)
            each(arg, &line, file, number);
    }
    sp_buf_free(&text);
    return rc;
}

static bool
has_key(const struct line *line, const struct sp_ssh_hostkey *k)
{
    struct sp_buf key = SP_BUF_INIT;
    bool same = sp_ssh_base64(line->key.s, line->key.n, &key) && key.len == k->key_len &&
                memcmp(key.data, k->key, key.len) == 0;

    sp_buf_free(&key);
    return same;
}

static void
found(struct sp_ssh_hostkey *k, enum sp_hostkey_known what, const char *file, unsigned number)
{
    k->known = what;
    k->known_file = file;
    k->known_line = number;
}

/* Whether servers are asked for keys of this type before those that are not known. */
static bool
is_asked_for(struct word type)
{
    static const char *const all[] = {"ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384",
        "ecdsa-sha2-nistp521", "ssh-rsa", NULL};

    for (size_t i = 0; all[i] != NULL; i++)
        if (is(type, all[i]))
            return true;
    return false;
}

/* Revoked before known, known before changed; the first line of its sort is named. */
static void
look_at(void *arg, const struct line *line, const char *file, unsigned number)
{
    struct sp_ssh_hostkey *k = arg;
    bool same = has_key(line, k);

    if (line->marker == AUTHORITY || k->known == SP_HOSTKEY_REVOKED)
        return;
    if (line->marker == REVOKED) {
        if (same)
            found(k, SP_HOSTKEY_REVOKED, file, number);
    } else if (same) {
        if (k->known != SP_HOSTKEY_KNOWN)
            found(k, SP_HOSTKEY_KNOWN, file, number);
    } else if (is(line->type, k->type) && k->known == SP_HOSTKEY_NEW) {
        found(k, SP_HOSTKEY_CHANGED, file, number);
    } else if (k->known == SP_HOSTKEY_NEW && k->known_line == 0 && is_asked_for(line->type)) {
        found(k, SP_HOSTKEY_NEW, file, number);
    }
}

enum sp_code
sp_ssh_hostkeys_look(const char *const *files, size_t n, struct sp_ssh_hostkey *k, struct sp_err *e)
{
    char name[300];
    enum sp_code rc = SP_OK;

    file_name(k->host, k->port, name, sizeof(name));
    found(k, SP_HOSTKEY_NEW, NULL, 0);
    for (size_t i = 0; rc == SP_OK && i < n; i++)
        rc = go_through(files[i], name, look_at, k, e);
    return rc;
}

static void
take_type(void *arg, const struct line *line, const char *file, unsigned number)
{
    struct sp_buf *types = arg;
    char type[64];

    (void)file;
    (void)number;
    if (line->marker != PLAIN || line->type.n >= sizeof(type))
        return;
    memcpy(type, line->type.s, line->type.n);
    type[line->type.n] = '\0';
    if (strstr(sp_buf_str(types), type) == NULL)
        sp_buf_printf(types, "%s%s", types->len > 0 ? "," : "", type);
}

enum sp_code
sp_ssh_hostkeys_types(const char *const *files, size_t n, const char *host, uint16_t port,
    struct sp_buf *ret, struct sp_err *e)
{
    char name[300];
    enum sp_code rc = SP_OK;

    file_name(host, port, name, sizeof(name));
    for (size_t i = 0; rc == SP_OK && i < n; i++)
        rc = go_through(files[i], name, take_type, ret, e);
    return rc != SP_OK ? rc : sp_buf_ok(ret, e);
}

/* --- keys ---------------------------------------------------------------------------------- */

bool
sp_ssh_key_type(struct sp_span key, char ret[64])
{
    const uint8_t *p = key.p;
    size_t n;

    if (key.n < 5 || p[0] != 0 || p[1] != 0 || p[2] != 0)
        return false;
    n = p[3];
    if (n == 0 || n >= 64 || n > key.n - 4)
        return false;
    for (size_t i = 0; i < n; i++)
        if (p[4 + i] <= ' ' || p[4 + i] > '~' || p[4 + i] == ',')
            return false;
    memcpy(ret, p + 4, n);
    ret[n] = '\0';
    return true;
}

enum sp_code
sp_ssh_fingerprint(const uint8_t *key, size_t n, char ret[64], struct sp_err *e)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    uint8_t hash[33] = {0};
    enum sp_code rc;
    char *to = ret;

    if ((rc = sp_sha256(key, n, hash, e)) != SP_OK)
        return rc;
    to += snprintf(to, 64, "SHA256:");
    for (unsigned i = 0; i < 33; i += 3) {
        uint32_t bits = (uint32_t)hash[i] << 16 | (uint32_t)hash[i + 1] << 8 | hash[i + 2];

        for (int shift = 18; shift >= 0; shift -= 6)
            *to++ = digits[bits >> shift & 63];
    }
    to[-1] = '\0'; /* 32 bytes are 43 digits, and ssh-keygen shows no padding */
    return SP_OK;
}
