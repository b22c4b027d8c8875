/* Packets in any fragmentation. The bytes of a READ go straight to where they belong, also while
 * their packet is still coming in; any other packet is looked at where it lies when it arrives
 * whole. */

#include "storage/sftp_session_impl.h"

#include <string.h>

/* --- the beginning -------------------------------------------------------------------------- */

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
        return sp_sftp_broken(e, "its first packet is too short");
    if (number != 3)
        return sp_fail(e, SP_UNSUPPORTED, SP_DOM_STORE,
            "the SFTP server speaks version %u of the protocol, and version 3 is needed",
            (unsigned)number);
    while (sp_cur_left(c) > 0) {
        struct sp_cur name = sp_sftp_string(c), value = sp_sftp_string(c);

        if (!sp_cur_ok(c))
            return sp_sftp_broken(e, "the list of its extensions is cut");
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
    uint64_t packet, read, write, handles;

    if (!sp_cur_ok(c) || id != s->limits_id || s->out_sent < s->out.len)
        return sp_sftp_broken(e, "it answers what nobody asked");
    if (type == SP_FXP_EXTENDED_REPLY) {
        packet = sp_sftp_u64(c);
        read = sp_sftp_u64(c);
        write = sp_sftp_u64(c);
        handles = sp_sftp_u64(c);
        if (!sp_cur_ok(c))
            return sp_sftp_broken(e, "its answer about limits is cut");
        s->handles_max = handles < UINT32_MAX ? (size_t)handles : UINT32_MAX;
        packet = packet > 1024 ? packet - 1024 : 0; /* room for what is around the bytes */
        s->read_max = within(read < packet ? read : packet);
        s->write_max = within(write < packet ? write : packet);
    } else if (type != SP_FXP_STATUS) {
        return sp_sftp_broken(e, "an answer is of another type than is due");
    }
    s->state = SESSION_READY;
    return SP_OK;
}

/* A packet other than DATA, from its type on. */
static enum sp_code
packet(struct sp_sftp_session *s, const uint8_t *p, size_t n, struct sp_err *e)
{
    struct sp_cur c = sp_cur_of(p + 1, n - 1);

    if (s->state == SESSION_HELLO)
        return p[0] == SP_FXP_VERSION && s->out_sent == s->out.len
                   ? version(s, &c, e)
                   : sp_sftp_broken(e,
                         "its first packet is not its version; does the account's shell "
                         "print something?");
    if (s->state == SESSION_LIMITS)
        return limits(s, p[0], &c, e);
    return sp_sftp_session_answer(s, p[0], &c, e);
}

/* --- bytes ---------------------------------------------------------------------------------- */

static enum sp_code
data_begins(struct sp_sftp_session *s, const uint8_t header[SESSION_DATA_HEADER], struct sp_err *e)
{
    struct sp_cur c = sp_cur_of(header, SESSION_DATA_HEADER);
    uint32_t length = sp_sftp_u32(&c), id, n;
    struct sp_sftp_request *q;

    (void)sp_cur_u8(&c);
    id = sp_sftp_u32(&c);
    n = sp_sftp_u32(&c);
    if ((q = sp_sftp_session_find(s, id)) == NULL)
        return sp_sftp_broken(e, "it answers what nobody asked");
    if (q->type != SP_SFTP_READ)
        return sp_sftp_broken(e, "an answer is of another type than is due");
    if (n > q->n)
        return sp_sftp_broken(e, "it sends more bytes than were asked for");
    if (length != SESSION_DATA_HEADER - 4 + (size_t)n)
        return sp_sftp_broken(e, "a packet is longer or shorter than the bytes in it");
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

/* How many bytes are wanted before something can be done with the packet of which `have` are here:
 * its length and type, the beginning of DATA, or all of it. */
static enum sp_code
measure(const struct sp_sftp_session *s, const uint8_t *head, size_t have, size_t *ret_want,
    struct sp_err *e)
{
    struct sp_cur c = sp_cur_of(head, have);
    size_t length = sp_sftp_u32(&c);

    if (have < 5) {
        *ret_want = 5;
        return SP_OK;
    }
    if (length < 5 || length > SESSION_IN_MAX)
        return sp_sftp_broken(
            e, s->state == SESSION_HELLO
                   ? "its first packet is none; does the account's shell print something?"
                   : "a packet has an impossible length");
    *ret_want =
        head[4] == SP_FXP_DATA && s->state == SESSION_READY ? SESSION_DATA_HEADER : 4 + length;
    return SP_OK;
}

/* Takes up to n bytes, n > 0 unless empty DATA is due: *ret_used. */
static enum sp_code
advance(struct sp_sftp_session *s, const uint8_t *p, size_t n, size_t *ret_used, struct sp_err *e)
{
    const uint8_t *head = s->in.len > 0 ? s->in.data : p;
    size_t have = s->in.len > 0 ? s->in.len : n, want;
    enum sp_code rc;

    if (s->data != NULL) {
        *ret_used = data_comes(s, p, n);
        return SP_OK;
    }
    if ((rc = measure(s, head, have, &want, e)) != SP_OK)
        return rc;
    if (have < want || s->in.len > 0) {
        *ret_used = want - s->in.len < n ? want - s->in.len : n;
        sp_buf_put(&s->in, p, *ret_used);
        if ((rc = sp_buf_ok(&s->in, e)) != SP_OK ||
            (rc = measure(s, s->in.data, s->in.len, &want, e)) != SP_OK || s->in.len < want)
            return rc;
        head = s->in.data;
    } else {
        *ret_used = want;
    }
    s->in.len = 0; /* its bytes stay until the next are put */
    if (head[4] == SP_FXP_DATA && s->state == SESSION_READY)
        return data_begins(s, head, e);
    return packet(s, head + 4, want - 4, e);
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
