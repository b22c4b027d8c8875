/* What the server says: packets in any fragmentation, each held against what was asked (R18, R28).
 * The bytes of a READ go straight to where they belong, also while their packet is still coming in;
 * any other packet is looked at where it lies when it arrives whole. */

#include "storage/sftp_session_impl.h"

#include <stdlib.h>
#include <string.h>

static enum sp_code
broken(struct sp_err *e, const char *what)
{
    return sp_fail(e, SP_PROTOCOL, SP_DOM_STORE, "the SFTP server breaks the protocol: %s", what);
}

static struct sp_sftp_request *
find(struct sp_sftp_session *s, uint32_t id)
{
    struct sp_sftp_request *q = s->slots[id % SESSION_SLOTS].q;

    /* Wholly sent: the difference is how many bytes have gone out behind it. */
    return q != NULL && q->id == id && s->sent - q->sent <= SIZE_MAX / 2 ? q : NULL;
}

/* --- the beginning -------------------------------------------------------------------------------
 */

static bool
is(struct sp_cur c, const char *text)
{
    size_t n = strlen(text);

    return c.left == n && memcmp(c.p, text, n) == 0;
}

static enum sp_code
version(struct sp_sftp_session *s, struct sp_cur *c, struct sp_err *e)
{
    uint32_t number = sp_sftp_u32(c);
    bool limits = false;

    if (!sp_cur_ok(c))
        return broken(e, "its first packet is too short");
    if (number != 3)
        return sp_fail(e, SP_UNSUPPORTED, SP_DOM_STORE,
            "the SFTP server speaks version %u of the protocol, and version 3 is needed",
            (unsigned)number);
    while (sp_cur_left(c) > 0) {
        struct sp_cur name = sp_sftp_string(c), value = sp_sftp_string(c);

        if (!sp_cur_ok(c))
            return broken(e, "the list of its extensions is cut");
        if (is(name, "fsync@openssh.com") && is(value, "1"))
            s->offers[SP_SFTP_FSYNC] = true;
        else if (is(name, "statvfs@openssh.com") && is(value, "2"))
            s->offers[SP_SFTP_STATVFS] = true;
        else if (is(name, "limits@openssh.com") && is(value, "1"))
            limits = true;
    }
    s->state = limits ? SESSION_LIMITS : SESSION_READY;
    if (limits) { /* INIT has gone out: its answer is here */
        sp_buf_reset(&s->out);
        s->out_sent = 0;
        sp_sftp_put_limits(&s->out, s->limits_id);
    }
    return SP_OK;
}

static size_t
within(uint64_t told)
{
    return told < SESSION_LEAST    ? SESSION_LEAST
           : told > SESSION_IO_MAX ? SESSION_IO_MAX
                                   : (size_t)told;
}

static enum sp_code
limits(struct sp_sftp_session *s, uint8_t type, struct sp_cur *c, struct sp_err *e)
{
    uint32_t id = sp_sftp_u32(c);
    uint64_t packet, read, write;

    if (!sp_cur_ok(c) || id != s->limits_id || s->out_sent < s->out.len)
        return broken(e, "it answers what nobody asked");
    if (type == SP_FXP_EXTENDED_REPLY) {
        packet = sp_sftp_u64(c);
        read = sp_sftp_u64(c);
        write = sp_sftp_u64(c);
        (void)sp_sftp_u64(c); /* open handles: far fewer are used than any server has */
        if (!sp_cur_ok(c))
            return broken(e, "its answer about limits is cut");
        packet = packet > 1024 ? packet - 1024 : 0; /* room for what is around the bytes */
        s->read_max = within(read < packet ? read : packet);
        s->write_max = within(write < packet ? write : packet);
    } else if (type != SP_FXP_STATUS) {
        return broken(e, "an answer is of another type than is due");
    }
    s->state = SESSION_READY;
    return SP_OK;
}

/* --- answers to requests -------------------------------------------------------------------------
 */

static enum sp_code
status(struct sp_sftp_session *s, struct sp_sftp_request *q, struct sp_cur *c, struct sp_err *e)
{
    struct sp_cur text = {NULL, 0, false};

    q->status = sp_sftp_u32(c);
    if (!sp_cur_ok(c))
        return broken(e, "a status is cut");
    if (sp_cur_left(c) > 0) /* old servers leave out the text, and some the language behind it */
        text = sp_sftp_string(c);
    if (!sp_cur_ok(c))
        return broken(e, "a text is longer than its packet");
    if (q->status == SP_FX_OK && sp_sftp_answer_of(q->type) != SP_FXP_STATUS)
        return broken(e, "it says that all is well where it owes an answer");
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
        return broken(e, "a handle is empty, too long, or cut");
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

static enum sp_code
names(struct sp_sftp_request *q, struct sp_cur *c, struct sp_err *e)
{
    uint32_t n = sp_sftp_u32(c);
    struct sp_cur look = *c;
    struct sp_sftp_attrs a;
    char name[256];
    bool more = true;

    if (!sp_cur_ok(c) || n > sp_cur_left(c) / 12) /* two strings and flags each */
        return broken(e, "a listing says that it has more names than it can have");
    for (uint32_t i = 0; i < n; i++) { /* first whether it is whole, then to the caller */
        (void)sp_sftp_string(&look);
        (void)sp_sftp_string(&look);
        sp_sftp_attrs(&look, &a);
    }
    if (!sp_cur_done(&look))
        return broken(e, "a listing is cut, or has more than its names");
    for (uint32_t i = 0; i < n && more; i++) {
        struct sp_cur s = sp_sftp_string(c);

        (void)sp_sftp_string(c); /* "-rw-r--r-- …", for people */
        sp_sftp_attrs(c, &a);
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
        return broken(e, "it resolves a path to none, or to several");
    if (s.left == 0 || s.left > SESSION_PATH_MAX || memchr(s.p, 0, s.left) != NULL)
        return broken(e, "it resolves a path to what is none");
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
        return broken(e, "its answer about space is not of its length");
    q->space.total_bytes = times(v[1], v[2]);
    q->space.free_bytes = times(v[1], v[4]);
    return SP_OK;
}

static enum sp_code
answer(struct sp_sftp_session *s, uint8_t type, struct sp_cur *c, struct sp_err *e)
{
    struct sp_sftp_request *q = find(s, sp_sftp_u32(c));
    enum sp_code rc = SP_OK;

    if (!sp_cur_ok(c) || q == NULL)
        return broken(e, "it answers what nobody asked");
    if (type == SP_FXP_STATUS)
        return status(s, q, c, e);
    if (type != sp_sftp_answer_of(q->type))
        return broken(e, "an answer is of another type than is due");
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
            rc = broken(e, "attributes are cut, or have more than they say");
        break;
    default:
        rc = space(q, c, e);
        break;
    }
    if (rc == SP_OK)
        sp_sftp_session_done(s, q);
    return rc;
}

/* A packet other than DATA, from its type on. */
static enum sp_code
packet(struct sp_sftp_session *s, const uint8_t *p, size_t n, struct sp_err *e)
{
    struct sp_cur c = sp_cur_of(p + 1, n - 1);

    if (s->state == SESSION_HELLO)
        return p[0] == SP_FXP_VERSION && s->out_sent == s->out.len
                   ? version(s, &c, e)
                   : broken(e, "its first packet is not its version; does the account's shell "
                               "print something?");
    if (s->state == SESSION_LIMITS)
        return limits(s, p[0], &c, e);
    return answer(s, p[0], &c, e);
}

/* --- bytes ---------------------------------------------------------------------------------------
 */

static enum sp_code
data_begins(struct sp_sftp_session *s, const uint8_t header[SESSION_DATA_HEADER], struct sp_err *e)
{
    struct sp_cur c = sp_cur_of(header, SESSION_DATA_HEADER);
    uint32_t length = sp_sftp_u32(&c), id, n;
    struct sp_sftp_request *q;

    (void)sp_cur_u8(&c);
    id = sp_sftp_u32(&c);
    n = sp_sftp_u32(&c);
    if ((q = find(s, id)) == NULL)
        return broken(e, "it answers what nobody asked");
    if (q->type != SP_SFTP_READ)
        return broken(e, "an answer is of another type than is due");
    if (n > q->n)
        return broken(e, "it sends more bytes than were asked for");
    if (length != SESSION_DATA_HEADER - 4 + (size_t)n)
        return broken(e, "a packet is longer or shorter than the bytes in it");
    s->data = q;
    s->data_left = n;
    return SP_OK;
}

static size_t
data_comes(struct sp_sftp_session *s, const uint8_t *p, size_t n)
{
    struct sp_sftp_request *q = s->data;

    if (n > s->data_left)
        n = s->data_left;
    if (n > 0)
        memcpy((uint8_t *)q->to + q->got, p, n);
    q->got += n;
    s->data_left -= n;
    if (s->data_left == 0) {
        s->data = NULL;
        sp_sftp_session_done(s, q);
    }
    return n;
}

/* Takes up to n bytes, n > 0 unless empty DATA is due: *ret_used. */
static enum sp_code
advance(struct sp_sftp_session *s, const uint8_t *p, size_t n, size_t *ret_used, struct sp_err *e)
{
    const uint8_t *head = s->in.len > 0 ? s->in.data : p;
    size_t have = s->in.len > 0 ? s->in.len : n, want = 5, length = 0;
    enum sp_code rc;

    if (s->data != NULL) {
        *ret_used = data_comes(s, p, n);
        return SP_OK;
    }
    if (have >= 5) {
        struct sp_cur c = sp_cur_of(head, 4);

        length = sp_sftp_u32(&c);
        if (length < 5 || length > SESSION_IN_MAX)
            return broken(
                e, s->state == SESSION_HELLO
                       ? "its first packet is none; does the account's shell print something?"
                       : "a packet has an impossible length");
        want =
            head[4] == SP_FXP_DATA && s->state == SESSION_READY ? SESSION_DATA_HEADER : 4 + length;
    }
    if (have < want || s->in.len > 0) {
        *ret_used = want - s->in.len < n ? want - s->in.len : n;
        sp_buf_put(&s->in, p, *ret_used);
        if ((rc = sp_buf_ok(&s->in, e)) != SP_OK || s->in.len < want || length == 0)
            return rc;
        head = s->in.data;
    } else {
        *ret_used = want;
    }
    s->in.len = 0; /* its bytes stay until the next are put */
    if (head[4] == SP_FXP_DATA && s->state == SESSION_READY)
        return data_begins(s, head, e);
    return packet(s, head + 4, length, e);
}

enum sp_code
sp_sftp_feed(struct sp_sftp_session *s, const void *p, size_t n, struct sp_err *e)
{
    const uint8_t *at = p;
    enum sp_code rc = SP_OK;
    size_t used;

    while (rc == SP_OK && s->state != SESSION_ENDED &&
           (n > 0 || (s->data != NULL && s->data_left == 0))) {
        if ((rc = advance(s, at, n, &used, e)) != SP_OK)
            break;
        at += used;
        n -= used;
    }
    if (rc != SP_OK)
        sp_sftp_session_end(s, e);
    if (s->state == SESSION_ENDED) {
        sp_sftp_sent(s, 0); /* who fed it sends no more */
        *e = s->why;
        rc = e->code;
    }
    return rc;
}
