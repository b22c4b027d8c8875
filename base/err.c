/* Errors: see err.h. */

#include "base/err.h"

#include <stdio.h>
#include <string.h>

/* Copies into the error, and when the text is too long drops a UTF-8 sequence that was cut. */
static void
set_text(struct sp_err *e, const char *text)
{
    size_t n = strlen(text);

    if (n >= SP_ERR_TEXT) {
        n = SP_ERR_TEXT - 1;
        for (int i = 0; i < 3 && n > 0 && ((unsigned char)text[n] & 0xc0) == 0x80; i++)
            n--;
    }
    memcpy(e->text, text, n);
    e->text[n] = '\0';
}

/* Room for a text, a context and one more, so that nothing is cut before set_text looks at it. The
 * arguments may point into e->text: formatting goes through a copy. */
struct draft {
    char s[3 * SP_ERR_TEXT];
};

static void
format(struct draft *d, const char *fmt, va_list ap)
{
    if (vsnprintf(d->s, sizeof(d->s), fmt, ap) < 0)
        strcpy(d->s, "(a message that could not be formatted)");
}

enum sp_code
sp_fail(struct sp_err *e, enum sp_code code, enum sp_domain domain, const char *fmt, ...)
{
    struct draft d;
    va_list ap;

    va_start(ap, fmt);
    format(&d, fmt, ap);
    va_end(ap);
    e->code = code;
    e->domain = domain;
    e->os = 0;
    set_text(e, d.s);
    return code;
}

enum sp_code
sp_fail_os(struct sp_err *e, enum sp_domain domain, int os, const char *fmt, ...)
{
    struct draft d;
    size_t n;
    va_list ap;

    va_start(ap, fmt);
    format(&d, fmt, ap);
    va_end(ap);
    n = strlen(d.s);
    (void)snprintf(d.s + n, sizeof(d.s) - n, ": %s", sp_os_text(os).s);
    e->code = sp_os_code(os);
    e->domain = domain;
    e->os = os;
    set_text(e, d.s);
    return e->code;
}

enum sp_code
sp_fail_nomem(struct sp_err *e)
{
    return sp_fail(e, SP_NOMEM, SP_DOM_SELF, "out of memory");
}

void
sp_err_context(struct sp_err *e, const char *fmt, ...)
{
    struct draft d;
    size_t n;
    va_list ap;

    va_start(ap, fmt);
    format(&d, fmt, ap);
    va_end(ap);
    n = strlen(d.s);
    (void)snprintf(d.s + n, sizeof(d.s) - n, ": %s", e->text);
    set_text(e, d.s);
}

void
sp_err_clear(struct sp_err *e)
{
    e->code = SP_OK;
    e->domain = SP_DOM_NONE;
    e->os = 0;
    e->text[0] = '\0';
}

bool
sp_code_is_ours(enum sp_code code)
{
    return code == SP_NOMEM || code == SP_INTERNAL;
}

const char *
sp_code_word(enum sp_code code)
{
    switch (code) {
    case SP_OK:
        return "ok";
    case SP_ABSENT:
        return "absent";
    case SP_EXISTS:
        return "exists";
    case SP_CORRUPT:
        return "corrupt";
    case SP_IO:
        return "io";
    case SP_FULL:
        return "full";
    case SP_DENIED:
        return "denied";
    case SP_AUTH:
        return "auth";
    case SP_UNREACHABLE:
        return "unreachable";
    case SP_TIMEOUT:
        return "timeout";
    case SP_INVALID:
        return "invalid";
    case SP_UNSUPPORTED:
        return "unsupported";
    case SP_REFUSED:
        return "refused";
    case SP_CHANGED:
        return "changed";
    case SP_BUSY:
        return "busy";
    case SP_CANCELLED:
        return "cancelled";
    case SP_NOMEM:
        return "nomem";
    case SP_PROTOCOL:
        return "protocol";
    case SP_INTERNAL:
        return "internal";
    }
    return "unknown";
}

const char *
sp_domain_word(enum sp_domain domain)
{
    switch (domain) {
    case SP_DOM_NONE:
        return "none";
    case SP_DOM_SOURCE:
        return "source";
    case SP_DOM_DESTINATION:
        return "destination";
    case SP_DOM_STORE:
        return "store";
    case SP_DOM_NET:
        return "net";
    case SP_DOM_CRYPTO:
        return "crypto";
    case SP_DOM_SHADOW:
        return "shadow";
    case SP_DOM_CONFIG:
        return "config";
    case SP_DOM_SELF:
        return "self";
    }
    return "unknown";
}
