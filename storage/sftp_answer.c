/* What the server answers, held against what was asked (R18, R28). */

#include "storage/sftp_session_impl.h"

#include <stdlib.h>
#include <string.h>

#define MODE_TYPE 0170000u

enum sp_code
sp_sftp_broken(struct sp_err *e, const char *what)
{
    return sp_fail(e, SP_PROTOCOL, SP_DOM_STORE, "the SFTP server breaks the protocol: %s", what);
}

struct sp_sftp_request *
sp_sftp_session_find(struct sp_sftp_session *s, uint32_t id)
{
    struct sp_sftp_request *q = s->slots[id % SESSION_SLOTS].q;

    /* Wholly sent: the difference is how many bytes have gone out behind it. */
    return q != NULL && q->id == id && s->sent - q->sent <= SIZE_MAX / 2 ? q : NULL;
}

static enum sp_code
status(struct sp_sftp_session *s, struct sp_sftp_request *q, struct sp_cur *c, struct sp_err *e)
{
    struct sp_cur text = sp_cur_of("", 0);

    q->status = sp_sftp_u32(c);
    if (!sp_cur_ok(c))
        return sp_sftp_broken(e, "a status is cut");
    if (sp_cur_left(c) > 0) /* old servers leave out the text, and some the language behind it */
        text = sp_sftp_string(c);
    if (!sp_cur_ok(c))
        return sp_sftp_broken(e, "a text is longer than its packet");
    if (q->status == SP_FX_OK && sp_sftp_answer_of(q->type) != SP_FXP_STATUS)
        return sp_sftp_broken(e, "it says that all is well where it owes an answer");
    /* The end of a file or a listing is no failure: got is 0. */
    if (q->status != SP_FX_OK &&
        (q->status != SP_FX_EOF || (q->type != SP_SFTP_READ && q->type != SP_SFTP_READDIR)))
        sp_sftp_status_error(q, q->status, text, &q->error);
    sp_sftp_session_done(s, q);
    return SP_OK;
}

static enum sp_code
handle(struct sp_sftp_request *q, struct sp_cur *c, struct sp_err *e)
{
    struct sp_cur h = sp_sftp_string(c);

    if (!sp_cur_done(c) || h.left == 0 || h.left > SP_SFTP_HANDLE_MAX)
        return sp_sftp_broken(e, "a handle is empty, too long, or cut");
    q->handle_len = h.left;
    memcpy(q->handle, h.p, h.left);
    return SP_OK;
}

/* A name with a slash or a NUL, an empty one or one of over 255 bytes is nobody's file: passed
 * over. */
static bool
nameable(struct sp_cur n)
{
    return n.left > 0 && n.left <= 255 && memchr(n.p, '/', n.left) == NULL &&
           memchr(n.p, 0, n.left) == NULL;
}

/* "drwxr-xr-x …", meant for people: the one place where servers that send no type, or permissions
 * without one, say what a name is. */
static void
type_of_line(struct sp_cur line, struct sp_sftp_attrs *a)
{
    uint32_t type = line.left == 0     ? 0
                    : line.p[0] == 'd' ? 0040000
                    : line.p[0] == '-' ? 0100000
                    : line.p[0] == 'l' ? 0120000
                                       : 0;

    a->mode = (a->has_mode ? a->mode : 0) | type;
    a->has_mode = a->has_mode || type != 0;
}

static enum sp_code
names(struct sp_sftp_request *q, struct sp_cur *c, struct sp_err *e)
{
    uint32_t n = sp_sftp_u32(c);
    struct sp_cur look = *c;
    struct sp_sftp_attrs a;
    char name[256];
    bool more = true;

    if (!sp_cur_ok(c) || n > sp_cur_left(c) / 12) /* two strings and flags each */
        return sp_sftp_broken(e, "a listing says that it has more names than it can have");
    for (uint32_t i = 0; i < n; i++) { /* first whether it is whole, then to the caller */
        (void)sp_sftp_string(&look);
        (void)sp_sftp_string(&look);
        sp_sftp_attrs(&look, &a);
    }
    if (!sp_cur_done(&look))
        return sp_sftp_broken(e, "a listing is cut, or has more than its names");
    for (uint32_t i = 0; i < n && more; i++) {
        struct sp_cur s = sp_sftp_string(c), line = sp_sftp_string(c);

        sp_sftp_attrs(c, &a);
        if (!a.has_mode || (a.mode & MODE_TYPE) == 0)
            type_of_line(line, &a);
        if (!nameable(s))
            continue;
        memcpy(name, s.p, s.left);
        name[s.left] = '\0';
        more = q->name(q, name, &a);
    }
    q->got = n;
    return SP_OK;
}

static enum sp_code
resolved(struct sp_sftp_request *q, struct sp_cur *c, struct sp_err *e)
{
    uint32_t n = sp_sftp_u32(c);
    struct sp_cur s = sp_sftp_string(c);
    struct sp_sftp_attrs a;

    (void)sp_sftp_string(c);
    sp_sftp_attrs(c, &a);
    if (!sp_cur_done(c) || n != 1)
        return sp_sftp_broken(e, "it resolves a path to none, or to several");
    if (s.left == 0 || s.left > SESSION_PATH_MAX || memchr(s.p, 0, s.left) != NULL)
        return sp_sftp_broken(e, "it resolves a path to what is none");
    if ((q->resolved = malloc(s.left + 1)) == NULL)
        return sp_fail_nomem(e);
    memcpy(q->resolved, s.p, s.left);
    q->resolved[s.left] = '\0';
    return SP_OK;
}

static uint64_t
times(uint64_t a, uint64_t b)
{
    return b != 0 && a > UINT64_MAX / b ? UINT64_MAX : a * b;
}

static enum sp_code
space(struct sp_sftp_request *q, struct sp_cur *c, struct sp_err *e)
{
    uint64_t v[11]; /* of struct statvfs, in its order: … f_frsize, f_blocks, f_bfree, f_bavail … */

    for (size_t i = 0; i < 11; i++)
        v[i] = sp_sftp_u64(c);
    if (!sp_cur_done(c))
        return sp_sftp_broken(e, "its answer about space is not of its length");
    q->space.total_bytes = times(v[1], v[2]);
    q->space.free_bytes = times(v[1], v[4]);
    return SP_OK;
}

enum sp_code
sp_sftp_session_answer(struct sp_sftp_session *s, uint8_t type, struct sp_cur *c, struct sp_err *e)
{
    struct sp_sftp_request *q = sp_sftp_session_find(s, sp_sftp_u32(c));
    enum sp_code rc = SP_OK;

    if (!sp_cur_ok(c) || q == NULL)
        return sp_sftp_broken(e, "it answers what nobody asked");
    if (type == SP_FXP_STATUS)
        return status(s, q, c, e);
    if (type != sp_sftp_answer_of(q->type))
        return sp_sftp_broken(e, "an answer is of another type than is due");
    switch (type) {
    case SP_FXP_HANDLE:
        rc = handle(q, c, e);
        break;
    case SP_FXP_NAME:
        rc = q->type == SP_SFTP_READDIR ? names(q, c, e) : resolved(q, c, e);
        break;
    case SP_FXP_ATTRS:
        sp_sftp_attrs(c, &q->attrs);
        if (!sp_cur_done(c))
            rc = sp_sftp_broken(e, "attributes are cut, or have more than they say");
        break;
    default:
        rc = space(q, c, e);
        break;
    }
    if (rc == SP_OK)
        sp_sftp_session_done(s, q);
    return rc;
}
