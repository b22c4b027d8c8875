/* The address of a folder on an SFTP account, as people write it; see backend_sftp.h.
 *
 * The form is draft-ietf-secsh-scp-sftp-ssh-uri-04's: sftp://[user@]host[:port]/path, with %XX for
 * what would end a part. Its ";fingerprint=…" is not taken: a server's key is pinned by init. */

#include "storage/backend_sftp.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/path.h"
#include "base/text.h"

#define SCHEME "sftp://"
#define FORM "sftp://user@host[:port]/path"
#define PATH_MAX_BYTES 4000u /* SFTP's own names go below it, within its 4096 */
#define PART_MAX 255u        /* of a user or a host */

static int
digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* p[0..n) without its %XX; nothing that no name can have. */
static enum sp_code
decode(const char *what, const char *p, size_t n, size_t limit, char **ret, struct sp_err *e)
{
    char *text = malloc(n + 1);
    size_t len = 0;
    enum sp_code rc = SP_OK;

    if (text == NULL)
        return sp_fail_nomem(e);
    for (size_t i = 0; i < n && rc == SP_OK; i++) {
        char c = p[i];

        if (c == '%') {
            if (n - i < 3 || digit(p[i + 1]) < 0 || digit(p[i + 2]) < 0) {
                rc = sp_fail(e, SP_INVALID, SP_DOM_CONFIG,
                    "in the %s of an SFTP address, %% is followed by two hexadecimal digits (%%25 "
                    "for %% itself)",
                    what);
                break;
            }
            c = (char)(digit(p[i + 1]) * 16 + digit(p[i + 2]));
            i += 2;
        }
        if ((unsigned char)c < 0x20 || c == 0x7f)
            rc = sp_fail(e, SP_INVALID, SP_DOM_CONFIG,
                "the %s of an SFTP address holds a control character", what);
        text[len++] = c;
    }
    text[len] = '\0';
    if (rc == SP_OK && len > limit)
        rc = sp_fail(e, SP_INVALID, SP_DOM_CONFIG,
            "the %s of an SFTP address has %zu bytes; at most %zu are possible", what, len, limit);
    if (rc == SP_OK)
        *ret = text;
    else
        free(text);
    return rc;
}

static enum sp_code
parse_port(const char *p, size_t n, uint16_t *ret, struct sp_err *e)
{
    unsigned long port = 0;

    for (size_t i = 0; i < n && port <= 65535; i++) {
        if (p[i] < '0' || p[i] > '9') {
            port = 65536;
            break;
        }
        port = port * 10 + (unsigned long)(p[i] - '0');
    }
    if (n == 0 || port == 0 || port > 65535)
        return sp_fail(e, SP_INVALID, SP_DOM_CONFIG,
            "\"%.*s\" is no port; a port is a number from 1 to 65535", (int)(n < 40 ? n : 40), p);
    *ret = (uint16_t)port;
    return SP_OK;
}

/* user[:password]@ : a password there would stand in process lists, logs and shell histories. */
static enum sp_code
parse_user(const char *p, size_t n, struct sp_sftp_place *to, struct sp_err *e)
{
    if (memchr(p, ':', n) != NULL)
        return sp_fail(e, SP_INVALID, SP_DOM_CONFIG,
            "an address is seen by others and must not hold a password; write " FORM
            " and give the password when it is asked for, or in a file");
    if (memchr(p, ';', n) != NULL)
        return sp_fail(e, SP_INVALID, SP_DOM_CONFIG,
            "an SFTP address takes no \";\" with the user (%%3b when it is in the name)");
    if (n == 0)
        return sp_fail(e, SP_INVALID, SP_DOM_CONFIG,
            "there is no user before the \"@\"; an SFTP "
            "address is " FORM);
    return decode("user", p, n, PART_MAX, &to->user, e);
}

/* host, or [IPv6 address], and the port behind it. */
static enum sp_code
parse_host(const char *p, size_t n, struct sp_sftp_place *to, struct sp_err *e)
{
    const char *colon, *end = p + n;
    size_t host, plain;
    enum sp_code rc;

    if (n > 0 && p[0] == '[') {
        const char *close = memchr(p, ']', n);

        if (close == NULL || (close + 1 < end && close[1] != ':'))
            return sp_fail(e, SP_INVALID, SP_DOM_CONFIG,
                "the \"[\" of an IPv6 address is closed by \"]\", and only :port may follow");
        p++;
        plain = strspn(p, "0123456789abcdefABCDEF:.");
        host = (size_t)(close - p);
        colon = close + 1 < end ? close + 1 : NULL;
        /* fe80::1%25eth0: a zone follows a percent sign, which is itself written %25. */
        if (host == 0 || memchr(p, ':', host) == NULL ||
            (plain < host && strncmp(p + plain, "%25", 3) != 0))
            return sp_fail(
                e, SP_INVALID, SP_DOM_CONFIG, "between \"[\" and \"]\" stands an IPv6 address");
    } else {
        colon = memchr(p, ':', n);
        host = colon != NULL ? (size_t)(colon - p) : n;
        if (colon != NULL && memchr(colon + 1, ':', (size_t)(end - colon - 1)) != NULL)
            return sp_fail(e, SP_INVALID, SP_DOM_CONFIG,
                "an IPv6 address is written in brackets: sftp://user@[2001:db8::1]:22/path");
    }
    if (host == 0)
        return sp_fail(e, SP_INVALID, SP_DOM_CONFIG, "there is no host; an SFTP address is " FORM);
    if ((rc = decode("host", p, host, PART_MAX, &to->host, e)) != SP_OK)
        return rc;
    if (strpbrk(to->host, " /@\\[]") != NULL || to->host[0] == '-')
        return sp_fail(e, SP_INVALID, SP_DOM_CONFIG, "\"%.100s\" is no name of a host", to->host);
    return colon != NULL ? parse_port(colon + 1, (size_t)(end - colon - 1), &to->port, e) : SP_OK;
}

/* What follows the host, from its '/' on. */
static enum sp_code
parse_path(const char *p, struct sp_sftp_place *to, struct sp_err *e)
{
    size_t n = strlen(p);
    char *slash;
    enum sp_code rc;

    if (n <= 1)
        return sp_fail(e, SP_INVALID, SP_DOM_CONFIG,
            "the address ends before a folder; it is " FORM " (/~/path is below the login's own)");
    if (strpbrk(p, "?#") != NULL)
        return sp_fail(e, SP_INVALID, SP_DOM_CONFIG,
            "in the path of an SFTP address, ? is written %%3f and # is written %%23");
    if (p[1] == '~' && (p[2] == '/' || p[2] == '\0')) {
        p += p[2] == '/' ? 3 : 2;
        while (*p == '/')
            p++;
        if (*p == '\0')
            p = ".";
    } else if (p[1] == '~') {
        return sp_fail(e, SP_INVALID, SP_DOM_CONFIG,
            "only /~/path is understood, the login's own folder; \"~\" in a name is written %%7e");
    }
    if ((rc = decode("path", p, strlen(p), PATH_MAX_BYTES, &to->path, e)) != SP_OK)
        return rc;
    n = strlen(to->path);
    while (n > 1 && to->path[n - 1] == '/')
        to->path[--n] = '\0';
    /* "a//b" is one folder to a server and another to who compares addresses. */
    while ((slash = strstr(to->path, "//")) != NULL)
        memmove(slash, slash + 1, strlen(slash));
    return SP_OK;
}

enum sp_code
sp_sftp_place_parse(const char *url, struct sp_sftp_place *ret, struct sp_err *e)
{
    struct sp_sftp_place to = {.user = NULL};
    const char *host, *path, *at = NULL;
    enum sp_code rc = SP_OK;

    if (strncmp(url, SCHEME, strlen(SCHEME)) != 0)
        return sp_fail(e, SP_INVALID, SP_DOM_CONFIG, "an SFTP address is " FORM);
    host = url + strlen(SCHEME);
    path = host + strcspn(host, "/");
    /* The last one: "a@b" is a user on many hosted accounts. */
    for (const char *p = host; p < path; p++)
        if (*p == '@')
            at = p;
    if (at != NULL) {
        rc = parse_user(host, (size_t)(at - host), &to, e);
        host = at + 1;
    }
    if (rc == SP_OK)
        rc = parse_host(host, (size_t)(path - host), &to, e);
    if (rc == SP_OK)
        rc = parse_path(path, &to, e);
    if (rc == SP_OK)
        *ret = to;
    else
        sp_sftp_place_free(&to);
    return rc;
}

void
sp_sftp_place_free(struct sp_sftp_place *p)
{
    free(p->user);
    free(p->host);
    free(p->path);
    *p = (struct sp_sftp_place){.user = NULL};
}

/* --- as text --------------------------------------------------------------------------------- */

static void
encode(struct sp_buf *b, const char *p, const char *plain)
{
    for (; *p != '\0'; p++) {
        unsigned char c = (unsigned char)*p;
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');

        if (letter || c >= 0x80 || strchr(plain, *p) != NULL)
            sp_buf_put_u8(b, c);
        else
            sp_buf_printf(b, "%%%02x", c);
    }
}

enum sp_code
sp_sftp_place_text(const struct sp_sftp_place *p, char **ret, struct sp_err *e)
{
    bool v6 = strchr(p->host, ':') != NULL;
    struct sp_buf b = SP_BUF_INIT;
    uint8_t *bytes;
    size_t n;
    enum sp_code rc;

    sp_buf_put_str(&b, SCHEME);
    if (p->user != NULL) {
        encode(&b, p->user, "-._~!$&'()*+,=@");
        sp_buf_put_str(&b, "@");
    }
    sp_buf_put_str(&b, v6 ? "[" : "");
    encode(&b, p->host, "-._:");
    sp_buf_put_str(&b, v6 ? "]" : "");
    if (p->port != 0)
        sp_buf_printf(&b, ":%u", (unsigned)p->port);
    if (p->path[0] != '/')
        sp_buf_put_str(&b, "/~/");
    if (strcmp(p->path, ".") != 0) {
        const char *path = p->path;

        if (strncmp(path, "/~", 2) == 0) { /* a folder of that name, in the root */
            sp_buf_put_str(&b, "/%7e");
            path += 2;
        }
        encode(&b, path, "-._~!$&'()*+,=:@/");
    }
    sp_buf_put_u8(&b, 0);
    if ((rc = sp_buf_take(&b, &bytes, &n, e)) == SP_OK)
        *ret = (char *)bytes;
    sp_buf_free(&b);
    return rc;
}
