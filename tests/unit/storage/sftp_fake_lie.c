/* Packets of the fake server, and what a lie makes of them. */

#include "sftp_fake_impl.h"

#include <string.h>

void
fake_begin(struct sp_buf *b, uint8_t type, uint32_t id)
{
    sp_sftp_put_u32(b, 0);
    sp_buf_put_u8(b, type);
    sp_sftp_put_u32(b, id);
}

static void
set_u32(struct sp_buf *b, size_t at, uint32_t v)
{
    for (size_t i = 0; i < 4 && at + 4 <= b->len; i++)
        b->data[at + i] = (uint8_t)(v >> (24 - 8 * i) & 0xff);
}

void
fake_end(struct sp_buf *b)
{
    if (b->failed)
        abort();
    set_u32(b, 0, (uint32_t)b->len - 4);
}

void
fake_text(struct sp_buf *b, const char *s)
{
    sp_sftp_put_string(b, s, strlen(s));
}

void
fake_status(struct sp_buf *b, uint32_t id, uint32_t status, const char *text)
{
    fake_begin(b, SP_FXP_STATUS, id);
    sp_sftp_put_u32(b, status);
    fake_text(b, text);
    fake_text(b, "en");
    fake_end(b);
}

void
fake_version(const struct fake_options *o, struct sp_buf *b)
{
    static const char *const pairs[][2] = {{"posix-rename@openssh.com", "1"},
        {"statvfs@openssh.com", "2"}, {"fstatvfs@openssh.com", "2"}, {"hardlink@openssh.com", "1"},
        {"fsync@openssh.com", "1"}, {"lsetstat@openssh.com", "1"}, {"limits@openssh.com", "1"}};

    sp_sftp_put_u32(b, 0);
    sp_buf_put_u8(b, SP_FXP_VERSION);
    sp_sftp_put_u32(b, 3);
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]) && !o->no_extension_names; i++) {
        if ((i == 1 && o->no_statvfs) || (i == 4 && o->no_fsync) || (i == 6 && o->no_limits))
            continue;
        fake_text(b, pairs[i][0]);
        fake_text(b, pairs[i][1]);
    }
    fake_end(b);
}

/* --- lies ------------------------------------------------------------------------------------ */

bool
fake_lies(struct fake_link *l, uint8_t asked, enum fake_lie lie)
{
    struct fake_options *o = &l->f->o;

    if (o->lie != lie || (o->lie_on != 0 && o->lie_on != asked))
        return false;
    if (o->lie_after > 0) {
        o->lie_after--;
        return false;
    }
    return true;
}

static void
another(struct sp_buf *b, uint32_t id, uint8_t due)
{
    sp_buf_reset(b);
    fake_begin(b, due == SP_FXP_HANDLE ? SP_FXP_DATA : SP_FXP_HANDLE, id);
    fake_text(b, "h");
    fake_end(b);
}

static void
noise(struct fake_server *f, struct sp_buf *b)
{
    sp_buf_reset(b);
    while (b->len < 4096)
        sp_buf_put_u32(b, fake_dice(f) ^ fake_dice(f) << 16);
}

static void
speak(struct sp_buf *b, uint32_t id)
{
    struct sp_buf text = SP_BUF_INIT;

    while (text.len < 100000)
        sp_buf_put_str(&text, "\x1b[2J\x1b]0;x\a\npassword: \r\x80");
    sp_buf_reset(b);
    fake_status(b, id, SP_FX_FAILURE, sp_buf_str(&text));
    sp_buf_free(&text);
}

static void
cut(struct sp_buf *b, size_t n)
{
    b->len -= n;
    fake_end(b);
}

/* Lies that fit an answer of any kind. */
static void
of_any(struct fake_link *l, enum fake_lie lie, struct sp_buf *b, uint32_t id)
{
    const uint8_t type = b->data[4];

    switch (lie) {
    case FAKE_UNKNOWN_ID:
        set_u32(b, 5, id + 0x00770000);
        break;
    case FAKE_WRONG_TYPE:
        another(b, id, type);
        break;
    case FAKE_NO_TYPE:
    case FAKE_REQUEST_TYPE:
        b->data[4] = lie == FAKE_NO_TYPE ? 77 : SP_FXP_OPEN;
        break;
    case FAKE_LENGTH_HUGE:
        set_u32(b, 0, UINT32_MAX);
        break;
    case FAKE_LENGTH_OVER:
        set_u32(b, 0, (256 << 10) + 1024 + 1);
        break;
    case FAKE_LENGTH_ZERO:
        set_u32(b, 0, 0);
        break;
    case FAKE_LENGTH_SHORT:
        set_u32(b, 0, 3);
        break;
    case FAKE_TRUNCATED:
        cut(b, type == SP_FXP_STATUS ? 8 : 1); /* of the text, not of the language behind it */
        break;
    case FAKE_TRAILING:
        sp_buf_put_zero(b, 3);
        fake_end(b);
        break;
    case FAKE_STRING_OVER:
        set_u32(b, type == SP_FXP_STATUS || type == SP_FXP_NAME ? 13 : 9, 0x7fffffff);
        break;
    case FAKE_GARBAGE:
        noise(l->f, b);
        break;
    case FAKE_STATUS_UNKNOWN:
    case FAKE_STATUS_OK:
        sp_buf_reset(b);
        fake_status(b, id, lie == FAKE_STATUS_OK ? SP_FX_OK : 0xdeadbeef, "");
        break;
    case FAKE_STATUS_SPEAKS:
        speak(b, id);
        break;
    default:
        break;
    }
}

static void
of_handle(enum fake_lie lie, struct sp_buf *b, uint32_t id)
{
    char h[SP_SFTP_HANDLE_MAX + 1];

    memset(h, 'h', sizeof(h));
    if (lie != FAKE_HANDLE_LONG && lie != FAKE_HANDLE_EMPTY)
        return;
    sp_buf_reset(b);
    fake_begin(b, SP_FXP_HANDLE, id);
    sp_sftp_put_string(b, h, lie == FAKE_HANDLE_LONG ? sizeof(h) : 0);
    fake_end(b);
}

static void
of_data(enum fake_lie lie, struct sp_buf *b, uint32_t id)
{
    if (lie == FAKE_DATA_EMPTY) {
        sp_buf_reset(b);
        fake_begin(b, SP_FXP_DATA, id);
        fake_text(b, "");
        fake_end(b);
    } else if (lie == FAKE_DATA_LONG) {
        sp_buf_put_u8(b, 'x');
        set_u32(b, 9, (uint32_t)(b->len - 13));
        fake_end(b);
    }
}

static void
of_attrs(enum fake_lie lie, struct sp_buf *b)
{
    if (lie == FAKE_SIZE_HUGE)
        set_u32(b, 13, 0x80000000);
    if (lie == FAKE_ATTRS_EXTENDED) {
        set_u32(b, 9, 0x8000000f);
        sp_sftp_put_u32(b, UINT32_MAX);
        fake_end(b);
    }
}

static void
of_names(enum fake_lie lie, uint8_t asked, struct sp_buf *b)
{
    if (lie == FAKE_NAME_COUNT_HUGE)
        set_u32(b, 9, UINT32_MAX);
    if (lie == FAKE_REALPATH_MANY && asked == SP_FXP_REALPATH) {
        set_u32(b, 9, 2);
        if (sp_buf_reserve(b, b->len))
            sp_buf_put(b, b->data + 13, b->len - 13);
        fake_end(b);
    }
}

static void
of_version(enum fake_lie lie, struct sp_buf *b)
{
    if (lie == FAKE_VERSION_GARBAGE) {
        sp_buf_reset(b);
        sp_buf_put_str(b, "Welcome to this account!\r\nLast login: never\r\n");
    } else if (lie == FAKE_VERSION_2) {
        set_u32(b, 5, 2);
    } else if (lie == FAKE_VERSION_ENDLESS_PAIRS) {
        while (b->len < 200000)
            fake_text(b, "vendor-id@example.com");
        if (b->len % 50 == 0)
            fake_text(b, "");
        fake_end(b);
    }
}

static bool
one_of(enum fake_lie lie, enum fake_lie first, enum fake_lie last)
{
    return lie >= first && lie <= last;
}

/* Whether the lie is one about this answer. */
static bool
about(enum fake_lie lie, uint8_t asked, uint8_t type)
{
    if (one_of(lie, FAKE_VERSION_GARBAGE, FAKE_VERSION_ENDLESS_PAIRS))
        return asked == SP_FXP_INIT;
    if (asked == SP_FXP_INIT)
        return false;
    if (lie == FAKE_HANDLE_LONG || lie == FAKE_HANDLE_EMPTY)
        return type == SP_FXP_HANDLE;
    if (lie == FAKE_DATA_LONG || lie == FAKE_DATA_EMPTY)
        return type == SP_FXP_DATA;
    if (lie == FAKE_ATTRS_EXTENDED || lie == FAKE_SIZE_HUGE)
        return type == SP_FXP_ATTRS;
    if (lie == FAKE_NAME_COUNT_HUGE || lie == FAKE_REALPATH_MANY)
        return type == SP_FXP_NAME;
    if (lie == FAKE_STATUS_OK)
        return type != SP_FXP_STATUS;
    return one_of(lie, FAKE_UNKNOWN_ID, FAKE_STATUS_SPEAKS);
}

void
fake_say(struct fake_link *l, uint8_t asked, struct sp_buf *b)
{
    enum fake_lie lie = l->f->o.lie;
    uint32_t id = (uint32_t)b->data[5] << 24 | (uint32_t)b->data[6] << 16 |
                  (uint32_t)b->data[7] << 8 | b->data[8];
    struct sp_buf more = SP_BUF_INIT;

    if (!about(lie, asked, b->data[4]) || !fake_lies(l, asked, lie)) {
        fake_push(l, b);
        return;
    }
    if (lie == FAKE_SILENT) {
        sp_buf_free(b);
        return;
    }
    if (lie == FAKE_VERSION_AGAIN)
        fake_version(&l->f->o, &more);
    if (lie == FAKE_TWICE)
        sp_buf_put(&more, b->data, b->len);
    of_any(l, lie, b, id);
    of_handle(lie, b, id);
    of_data(lie, b, id);
    of_attrs(lie, b);
    of_names(lie, asked, b);
    of_version(lie, b);
    fake_push(l, b);
    if (more.len > 0)
        fake_push(l, &more);
}
