/* Enrolment tokens: see token.h. */

#include "proto/token.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

#define PREFIX "sp1."
#define HAS_RECOVERY 1

static enum sp_code
check(const struct sp_token *t, struct sp_err *e)
{
    char host[256];
    uint16_t port;

    if (t->secret_len < SP_TOKEN_SECRET_MIN || t->secret_len > SP_TOKEN_SECRET_MAX)
        return sp_fail(e, SP_INVALID, SP_DOM_CONFIG,
            "an enrolment token with a secret of %zu bytes", t->secret_len);
    return sp_address_parse(t->address, host, &port, e);
}

enum sp_code
sp_token_print(const struct sp_token *t, struct sp_buf *ret, struct sp_err *e)
{
    struct sp_buf b = SP_BUF_INIT;
    size_t n = strnlen(t->address, sizeof(t->address));
    enum sp_code rc;

    if ((rc = check(t, e)) != SP_OK)
        return rc;
    sp_buf_reserve(&b, 512); /* at once: growing would leave copies of the secret */
    sp_buf_put_u8(&b, t->has_recovery ? HAS_RECOVERY : 0);
    sp_buf_put_u8(&b, (uint8_t)n);
    sp_buf_put(&b, t->address, n);
    sp_buf_put(&b, t->authority, sizeof(t->authority));
    sp_buf_put(&b, t->id, sizeof(t->id));
    sp_buf_put_u8(&b, (uint8_t)t->secret_len);
    sp_buf_put(&b, t->secret, t->secret_len);
    if (t->has_recovery)
        sp_buf_put(&b, t->recovery, sizeof(t->recovery));
    if ((rc = sp_buf_ok(&b, e)) == SP_OK) {
        sp_buf_put_str(ret, PREFIX);
        sp_base32_put(ret, b.data, b.len);
        rc = sp_buf_ok(ret, e);
    }
    sp_buf_wipe(&b);
    return rc;
}

/* The token without white space, at most `cap` bytes with the NUL. */
static bool
squeeze(const char *text, char *to, size_t cap)
{
    size_t n = 0;

    for (; *text != '\0'; text++) {
        if (isspace((unsigned char)*text))
            continue;
        if (n + 1 >= cap)
            return false;
        to[n++] = *text;
    }
    to[n] = '\0';
    return true;
}

static enum sp_code
decode(const struct sp_buf *b, struct sp_token *ret, struct sp_err *e)
{
    struct sp_cur c = sp_cur_of(b->data, b->len);
    struct sp_token t;
    uint8_t flags;
    size_t n;
    enum sp_code rc = SP_OK;

    memset(&t, 0, sizeof(t));
    flags = sp_cur_u8(&c);
    n = sp_cur_u8(&c); /* at most 255: fits with its NUL */
    sp_cur_copy(&c, t.address, n);
    sp_cur_copy(&c, t.authority, sizeof(t.authority));
    sp_cur_copy(&c, t.id, sizeof(t.id));
    t.secret_len = sp_cur_u8(&c);
    if (t.secret_len > sizeof(t.secret))
        sp_cur_fail(&c);
    else
        sp_cur_copy(&c, t.secret, t.secret_len);
    t.has_recovery = (flags & HAS_RECOVERY) != 0;
    if (t.has_recovery)
        sp_cur_copy(&c, t.recovery, sizeof(t.recovery));
    if ((flags & ~HAS_RECOVERY) != 0)
        rc = sp_fail(e, SP_UNSUPPORTED, SP_DOM_CONFIG,
            "this enrolment token was made by a newer server: update stillpoint on this machine");
    else if (!sp_cur_done(&c) || memchr(t.address, 0, n) != NULL)
        rc = sp_fail(e, SP_INVALID, SP_DOM_CONFIG,
            "this is no whole enrolment token: copy the line from \"stillpointd host add\" again");
    else if ((rc = check(&t, e)) == SP_OK)
        *ret = t;
    sp_wipe(&t, sizeof(t));
    return rc;
}

enum sp_code
sp_token_parse(const char *text, struct sp_token *ret, struct sp_err *e)
{
    char line[1200] = "";
    struct sp_buf b = SP_BUF_INIT;
    enum sp_code rc;

    if (!squeeze(text, line, sizeof(line))) {
        rc = sp_fail(e, SP_INVALID, SP_DOM_CONFIG, "this is too long for an enrolment token");
        goto out;
    }
    if (strncmp(line, PREFIX, strlen(PREFIX)) != 0) {
        bool newer = strncmp(line, "sp", 2) == 0 && isdigit((unsigned char)line[2]) &&
                     strchr(line, '.') != NULL;

        rc = newer ? sp_fail(e, SP_UNSUPPORTED, SP_DOM_CONFIG,
                         "this enrolment token was made by a newer server: update stillpoint on "
                         "this machine")
                   : sp_fail(e, SP_INVALID, SP_DOM_CONFIG,
                         "this is no enrolment token: it is the line from \"stillpointd host add\" "
                         "that begins with %s",
                         PREFIX);
        goto out;
    }
    sp_buf_reserve(&b, sizeof(line));
    if (sp_base32_parse(line + strlen(PREFIX), &b, e) != SP_OK) {
        /* Its own words might name a character of the secret. */
        rc = sp_fail(e, SP_INVALID, SP_DOM_CONFIG,
            "the enrolment token was mistyped or cut: copy the line from \"stillpointd host add\" "
            "again");
        goto out;
    }
    rc = decode(&b, ret, e);
out:
    sp_wipe(line, sizeof(line));
    sp_buf_wipe(&b);
    return rc;
}

/* --- addresses ----------------------------------------------------------------------------- */

static enum sp_code
bad_address(const char *address, struct sp_err *e)
{
    return sp_fail(e, SP_INVALID, SP_DOM_CONFIG,
        "\"%.80s\" is no address of a server: write host, host:port or [IPv6 address]:port",
        address);
}

enum sp_code
sp_address_parse(const char *address, char ret_host[256], uint16_t *ret_port, struct sp_err *e)
{
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_:%";
    const char *host = address, *end, *port = NULL;
    uint64_t number = SP_PORT_DEFAULT;
    size_t n;

    if (address[0] == '[') {
        host = address + 1;
        if ((end = strchr(host, ']')) == NULL || (end[1] != '\0' && end[1] != ':'))
            return bad_address(address, e);
        port = end[1] == ':' ? end + 2 : NULL;
    } else if ((end = strchr(address, ':')) == NULL || strchr(end + 1, ':') != NULL) {
        end = address + strlen(address); /* no port, or an IPv6 address without brackets */
    } else {
        port = end + 1;
    }
    n = (size_t)(end - host);
    if (n == 0 || n >= 256 || strspn(host, allowed) < n)
        return bad_address(address, e);
    if (port != NULL && (!sp_text_parse_u64(port, &number) || number == 0 || number > 65535))
        return bad_address(address, e);
    memcpy(ret_host, host, n);
    ret_host[n] = '\0';
    *ret_port = (uint16_t)number;
    return SP_OK;
}
