#ifndef SP_BASE_ERR_H
#define SP_BASE_ERR_H

/* Errors. Every function that can fail returns `enum sp_code` and takes `struct sp_err *e` last
 * (never NULL). The code tells the caller what it may do; the domain tells whose fault it is; the
 * text is one sentence for the user, made where the fault is seen and given context on the way up
 * ("pack 12ab…: ..."). On failure all `ret_*` parameters are untouched. "Absent", "corrupt" and
 * "failed" (I/O) are three different answers, never mixed. */

#include <stdarg.h>
#include <stdbool.h>

enum sp_code {
    SP_OK = 0,
    SP_ABSENT,      /* the thing does not exist, and the owner of the answer said so */
    SP_EXISTS,      /* create-only: it is already there */
    SP_CORRUPT,     /* it is there and its bytes are wrong (hash, seal, grammar) */
    SP_IO,          /* it could not be read or written; nothing is known about it */
    SP_FULL,        /* no space or quota left */
    SP_DENIED,      /* the operating system or the store refused for lack of rights */
    SP_AUTH,        /* a password, key, certificate or token is wrong, expired or revoked */
    SP_UNREACHABLE, /* host not found, refused, cut, unmounted */
    SP_TIMEOUT,     /* a deadline passed */
    SP_INVALID,     /* the caller's or user's input is wrong */
    SP_UNSUPPORTED, /* asked for something that this platform, store or version cannot do */
    SP_REFUSED,     /* possible, but refused for safety */
    SP_CHANGED,     /* the thing changed while it was read */
    SP_BUSY,        /* in use; trying again may help */
    SP_CANCELLED,   /* interrupted by the user, or a queue was aborted because another part failed */
    SP_NOMEM,       /* no memory */
    SP_PROTOCOL,    /* a peer broke the protocol */
    SP_INTERNAL     /* our own mistake */
};

enum sp_domain {
    SP_DOM_NONE = 0,
    SP_DOM_SOURCE,      /* the files being backed up */
    SP_DOM_DESTINATION, /* the files being restored */
    SP_DOM_STORE,       /* the repository or the server that fronts it */
    SP_DOM_NET,
    SP_DOM_CRYPTO,
    SP_DOM_SHADOW,
    SP_DOM_CONFIG, /* configuration or command line */
    SP_DOM_SELF
};

#define SP_ERR_TEXT 640

struct sp_err {
    enum sp_code code;
    enum sp_domain domain;
    int os; /* errno or GetLastError(); 0 when there is none */
    char text[SP_ERR_TEXT];
};

/* gcc takes `printf` for the printf of the target's C library, which on Windows once knew no %zu; ours
 * is the standard's everywhere. clang has only the one word, and means the standard's. */
#if defined(__GNUC__) && !defined(__clang__)
#define SP_PRINTF(a, b) __attribute__((format(gnu_printf, a, b)))
#else
#define SP_PRINTF(a, b) __attribute__((format(printf, a, b)))
#endif

/* Sets *e and returns `code`: `return sp_fail(e, SP_CORRUPT, SP_DOM_STORE, "block of %zu bytes", n)`. */
enum sp_code sp_fail(struct sp_err *e, enum sp_code code, enum sp_domain domain, const char *fmt,
    ...) SP_PRINTF(4, 5);

/* The same from a number of the platform (errno, GetLastError()): picks the code (ENOENT → SP_ABSENT,
 * EEXIST → SP_EXISTS, ENOSPC/EDQUOT → SP_FULL, EACCES/EPERM/EROFS → SP_DENIED, ENOMEM → SP_NOMEM,
 * ENOTCONN/ENODEV/ESTALE… → see err_posix.c and err_win32.c; all else SP_IO), appends ": " and the
 * platform's sentence. */
enum sp_code sp_fail_os(struct sp_err *e, enum sp_domain domain, int os, const char *fmt, ...)
    SP_PRINTF(4, 5);

/* What the platform means by a number: its code, its sentence, and what a caller may have to know where
 * the code is too coarse. */
enum sp_os_reason {
    SP_OS_NO_REASON = 0,
    SP_OS_READ_ONLY,    /* the medium takes no writes: EROFS, ERROR_WRITE_PROTECT */
    SP_OS_NOT_FOLDER,   /* a file where a folder should be: ENOTDIR, ERROR_DIRECTORY */
    SP_OS_BAD_REQUEST,  /* not offered in this form: EINVAL, ERROR_INVALID_PARAMETER */
    SP_OS_NOT_PERMITTED /* trying again does not help: EPERM, ERROR_PRIVILEGE_NOT_HELD */
};
struct sp_os_text {
    char s[256];
};
enum sp_code sp_os_code(int os);
enum sp_os_reason sp_os_reason(int os);
struct sp_os_text sp_os_text(int os);

enum sp_code sp_fail_nomem(struct sp_err *e);

/* Puts "<context>: " before the text; keeps code and domain. Truncates at the end, never overflows. */
void sp_err_context(struct sp_err *e, const char *fmt, ...) SP_PRINTF(2, 3);

/* Clears (code SP_OK, empty text). `struct sp_err e = {0}` is the same. */
void sp_err_clear(struct sp_err *e);

/* Whether bytes that could not be parsed or checked may still be good: the failure was this process's
 * own (no memory, a mistake of ours), and nothing is known about them. */
bool sp_code_is_ours(enum sp_code code);

/* A short stable word for logs and --json: "absent", "corrupt", "io", ... */
const char *sp_code_word(enum sp_code code);
const char *sp_domain_word(enum sp_domain domain);

#endif
