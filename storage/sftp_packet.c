#include "storage/sftp_packet.h"

#include <string.h>

#include "base/path.h"

#define VERSION 3u
#define ATTR_SIZE 1u
#define ATTR_UIDGID 2u
#define ATTR_PERMISSIONS 4u
#define ATTR_ACMODTIME 8u
#define ATTR_EXTENDED 0x80000000u
/* The mode of what is made: for its owner alone (R25). */
#define MODE_FILE 0600u
#define MODE_FOLDER 0700u

static const struct shape {
    uint8_t type, answer;
    const char *verb;      /* of a sentence */
    const char *extension; /* with SP_FXP_EXTENDED */
} shapes[SP_SFTP_TYPES] = {
    [SP_SFTP_OPEN] = {SP_FXP_OPEN, SP_FXP_HANDLE, "opening", NULL},
    [SP_SFTP_CLOSE] = {SP_FXP_CLOSE, SP_FXP_STATUS, "closing", NULL},
    [SP_SFTP_READ] = {SP_FXP_READ, SP_FXP_DATA, "reading", NULL},
    [SP_SFTP_WRITE] = {SP_FXP_WRITE, SP_FXP_STATUS, "writing", NULL},
    [SP_SFTP_FSTAT] = {SP_FXP_FSTAT, SP_FXP_ATTRS, "looking at", NULL},
    [SP_SFTP_LSTAT] = {SP_FXP_LSTAT, SP_FXP_ATTRS, "looking at", NULL},
    [SP_SFTP_STAT] = {SP_FXP_STAT, SP_FXP_ATTRS, "looking at", NULL},
    [SP_SFTP_OPENDIR] = {SP_FXP_OPENDIR, SP_FXP_HANDLE, "opening the folder", NULL},
    [SP_SFTP_READDIR] = {SP_FXP_READDIR, SP_FXP_NAME, "listing", NULL},
    [SP_SFTP_REMOVE] = {SP_FXP_REMOVE, SP_FXP_STATUS, "removing", NULL},
    [SP_SFTP_MKDIR] = {SP_FXP_MKDIR, SP_FXP_STATUS, "making the folder", NULL},
    [SP_SFTP_RMDIR] = {SP_FXP_RMDIR, SP_FXP_STATUS, "removing the folder", NULL},
    [SP_SFTP_REALPATH] = {SP_FXP_REALPATH, SP_FXP_NAME, "resolving", NULL},
    [SP_SFTP_RENAME] = {SP_FXP_RENAME, SP_FXP_STATUS, "renaming", NULL},
    [SP_SFTP_STATVFS] = {SP_FXP_EXTENDED, SP_FXP_EXTENDED_REPLY, "asking for the space of",
        "statvfs@openssh.com"},
    [SP_SFTP_FSYNC] = {SP_FXP_EXTENDED, SP_FXP_STATUS, "flushing", "fsync@openssh.com"},
};

void
sp_sftp_put_u32(struct sp_buf *b, uint32_t v)
{
    const uint8_t p[4] = {(uint8_t)(v >> 24), (uint8_t)(v >> 16 & 0xff), (uint8_t)(v >> 8 & 0xff),
        (uint8_t)(v & 0xff)};

    sp_buf_put(b, p, sizeof(p));
}

void
sp_sftp_put_u64(struct sp_buf *b, uint64_t v)
{
    sp_sftp_put_u32(b, (uint32_t)(v >> 32));
    sp_sftp_put_u32(b, (uint32_t)(v & UINT32_MAX));
}

void
sp_sftp_put_string(struct sp_buf *b, const void *p, size_t n)
{
    sp_sftp_put_u32(b, (uint32_t)n);
    sp_buf_put(b, p, n);
}

static void
put_text(struct sp_buf *b, const char *s)
{
    sp_sftp_put_string(b, s, strlen(s));
}

uint32_t
sp_sftp_u32(struct sp_cur *c)
{
    const uint8_t *p = sp_cur_bytes(c, 4);

    return p == NULL ? 0 : (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

uint64_t
sp_sftp_u64(struct sp_cur *c)
{
    uint64_t high = sp_sftp_u32(c);

    return high << 32 | sp_sftp_u32(c);
}

struct sp_cur
sp_sftp_string(struct sp_cur *c)
{
    return sp_cur_sub(c, sp_sftp_u32(c));
}

/* --- requests ------------------------------------------------------------------------------- */

static size_t
begin(struct sp_buf *b, uint8_t type)
{
    sp_sftp_put_u32(b, 0);
    sp_buf_put_u8(b, type);
    return b->len;
}

/* The length counts all after itself, and `payload` bytes that come from elsewhere. */
static void
end(struct sp_buf *b, size_t after_type, size_t payload)
{
    size_t n, at = after_type - 5;

    if (b->failed)
        return;
    n = b->len - at - 4 + payload;
    b->data[at] = (uint8_t)(n >> 24 & 0xff);
    b->data[at + 1] = (uint8_t)(n >> 16 & 0xff);
    b->data[at + 2] = (uint8_t)(n >> 8 & 0xff);
    b->data[at + 3] = (uint8_t)(n & 0xff);
}

void
sp_sftp_put_init(struct sp_buf *b)
{
    size_t at = begin(b, SP_FXP_INIT);

    sp_sftp_put_u32(b, VERSION);
    end(b, at, 0);
}

void
sp_sftp_put_limits(struct sp_buf *b, uint32_t id)
{
    size_t at = begin(b, SP_FXP_EXTENDED);

    sp_sftp_put_u32(b, id);
    put_text(b, "limits@openssh.com");
    end(b, at, 0);
}

static void
put_mode(struct sp_buf *b, uint32_t mode)
{
    sp_sftp_put_u32(b, ATTR_PERMISSIONS);
    sp_sftp_put_u32(b, mode);
}

void
sp_sftp_put_request(struct sp_buf *b, const struct sp_sftp_request *q)
{
    const struct shape *s = &shapes[q->type];
    size_t payload = 0, at = begin(b, s->type);

    sp_sftp_put_u32(b, q->id);
    if (s->extension != NULL)
        put_text(b, s->extension);
    switch (q->type) {
    case SP_SFTP_OPEN:
        put_text(b, q->path);
        sp_sftp_put_u32(b, q->flags);
        if ((q->flags & SP_SFTP_F_CREATE) != 0)
            put_mode(b, q->mode != 0 ? q->mode : MODE_FILE);
        else
            sp_sftp_put_u32(b, 0);
        break;
    case SP_SFTP_MKDIR:
        put_text(b, q->path);
        put_mode(b, q->mode != 0 ? q->mode : MODE_FOLDER);
        break;
    case SP_SFTP_LSTAT:
    case SP_SFTP_STAT:
    case SP_SFTP_OPENDIR:
    case SP_SFTP_REMOVE:
    case SP_SFTP_RMDIR:
    case SP_SFTP_REALPATH:
    case SP_SFTP_STATVFS:
        put_text(b, q->path);
        break;
    case SP_SFTP_RENAME:
        put_text(b, q->path);
        put_text(b, q->path2);
        break;
    case SP_SFTP_READ:
    case SP_SFTP_WRITE:
        sp_sftp_put_string(b, q->handle, q->handle_len);
        sp_sftp_put_u64(b, q->offset);
        sp_sftp_put_u32(b, (uint32_t)q->n);
        payload = q->type == SP_SFTP_WRITE ? q->n : 0;
        break;
    case SP_SFTP_CLOSE:
    case SP_SFTP_FSTAT:
    case SP_SFTP_READDIR:
    case SP_SFTP_FSYNC:
        sp_sftp_put_string(b, q->handle, q->handle_len);
        break;
    case SP_SFTP_TYPES:
        break;
    }
    end(b, at, payload);
}

/* --- answers -------------------------------------------------------------------------------- */

uint8_t
sp_sftp_answer_of(enum sp_sftp_type type)
{
    return shapes[type].answer;
}

void
sp_sftp_attrs(struct sp_cur *c, struct sp_sftp_attrs *ret)
{
    uint32_t flags = sp_sftp_u32(c);

    memset(ret, 0, sizeof(*ret));
    if ((flags & ATTR_SIZE) != 0) {
        ret->has_size = true;
        ret->size = sp_sftp_u64(c);
    }
    if ((flags & ATTR_UIDGID) != 0)
        (void)sp_sftp_u64(c);
    if ((flags & ATTR_PERMISSIONS) != 0) {
        ret->has_mode = true;
        ret->mode = sp_sftp_u32(c);
    }
    if ((flags & ATTR_ACMODTIME) != 0) {
        ret->has_times = true;
        (void)sp_sftp_u32(c);
        ret->mtime = sp_sftp_u32(c);
    }
    if ((flags & ATTR_EXTENDED) != 0) {
        uint32_t n = sp_sftp_u32(c);

        if (n > sp_cur_left(c) / 8) /* two lengths each */
            sp_cur_fail(c);
        for (uint32_t i = 0; i < n && sp_cur_ok(c); i++) {
            (void)sp_sftp_string(c);
            (void)sp_sftp_string(c);
        }
    }
}

static enum sp_code
status_code(uint32_t status)
{
    switch (status) {
    case SP_FX_NO_SUCH_FILE:
        return SP_ABSENT;
    case SP_FX_PERMISSION_DENIED:
        return SP_DENIED;
    case SP_FX_NO_CONNECTION:
    case SP_FX_CONNECTION_LOST:
        return SP_UNREACHABLE;
    case SP_FX_OP_UNSUPPORTED:
        return SP_UNSUPPORTED;
    default:
        return SP_IO;
    }
}

static const char *
status_word(uint32_t status)
{
    static const char *const words[] = {"no reason given", "end of file", "no such file",
        "permission denied", "failure", "bad message", "no connection", "connection lost",
        "operation unsupported"};

    return status < sizeof(words) / sizeof(words[0]) ? words[status] : "a status unknown here";
}

void
sp_sftp_status_error(
    const struct sp_sftp_request *q, uint32_t status, struct sp_cur text, struct sp_err *ret)
{
    /* The server's own words, of which no more than fit into a sentence. */
    const size_t most = 200;
    struct sp_buf words = SP_BUF_INIT, path = SP_BUF_INIT;
    size_t n = sp_cur_left(&text) < most ? sp_cur_left(&text) : most;
    const char *said;

    sp_path_show(sp_cur_bytes(&text, n), n, &words);
    if (q->path != NULL)
        sp_path_show(q->path, strlen(q->path), &path);
    said = sp_buf_str(&words); /* "" also where there was no memory for it */
    sp_fail(ret, status_code(status), SP_DOM_STORE, "%s %.300s: the server says: %.200s (%u)",
        shapes[q->type].verb, path.len > 0 ? sp_buf_str(&path) : "a file",
        said[0] != '\0' ? said : status_word(status), (unsigned)status);
    sp_buf_free(&words);
    sp_buf_free(&path);
}
