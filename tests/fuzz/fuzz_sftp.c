#include <stdlib.h>

#include "storage/sftp_session_impl.h"
#include "tests/fuzz/fuzz.h"

/* `u8 flags ‖ u8 n ‖ n × u8 request ‖ stream`: what an SFTP server sends, at once and in pieces:
 * the same answers, each request done once, and not a byte behind what was asked for. Flags: 1: the
 * stream begins with VERSION, and nothing was sent; 2: the requests were not sent; 4: the server
 * offered limits@openssh.com. The ids of the requests are 0x1000, 0x1001 … */

enum { MOST = 24, ASKED = 40 };

struct run {
    struct sp_sftp_session *s;
    struct sp_sftp_request q[MOST];
    uint8_t *to[MOST]; /* exact memory */
    bool done[MOST];
    size_t n, ndone;
    struct sp_buf log;
};

static bool
name(struct sp_sftp_request *q, const char *text, const struct sp_sftp_attrs *a)
{
    struct run *r = q->arg;
    size_t n = strlen(text);

    FUZZ_MUST(n > 0 && n <= 255 && strchr(text, '/') == NULL);
    sp_buf_put(&r->log, text, n + 1);
    sp_buf_put_u64(&r->log, a->size);
    sp_buf_put_u32(&r->log, a->mode);
    return n != 3; /* some callers stop */
}

static void
done(struct sp_sftp_request *q)
{
    struct run *r = q->arg;
    size_t i = (size_t)(q - r->q);

    FUZZ_MUST(!r->done[i]);
    r->done[i] = true;
    r->ndone++;
    FUZZ_MUST(q->handle_len <= SP_SFTP_HANDLE_MAX);
    FUZZ_MUST((q->error.code == SP_OK) == (q->error.text[0] == '\0'));
    sp_buf_put_u32(&r->log, (uint32_t)i);
    sp_buf_put_u32(&r->log, (uint32_t)q->error.code);
    sp_buf_put_str(&r->log, q->error.text);
    sp_buf_put_u32(&r->log, q->status);
    sp_buf_put_u64(&r->log, q->got);
    if (q->error.code != SP_OK)
        return;
    if (q->type == SP_SFTP_READ) {
        FUZZ_MUST(q->got <= q->n);
        sp_buf_put(&r->log, q->to, q->got);
    } else if (q->type == SP_SFTP_OPEN || q->type == SP_SFTP_OPENDIR) {
        FUZZ_MUST(q->handle_len > 0);
        sp_buf_put(&r->log, q->handle, q->handle_len);
    } else if (q->type == SP_SFTP_REALPATH) {
        FUZZ_MUST(q->resolved != NULL);
        sp_buf_put_str(&r->log, q->resolved);
    } else if (q->type == SP_SFTP_STATVFS) {
        sp_buf_put_u64(&r->log, q->space.free_bytes);
    } else if (q->type == SP_SFTP_STAT || q->type == SP_SFTP_LSTAT || q->type == SP_SFTP_FSTAT) {
        sp_buf_put_u64(&r->log, q->attrs.size);
        sp_buf_put_u32(&r->log, q->attrs.mtime);
    }
}

static void
take_all(struct run *r)
{
    struct sp_span v;

    while ((v = sp_sftp_take(r->s)).n > 0)
        sp_sftp_sent(r->s, v.n);
}

static void
begin(struct run *r, uint8_t flags)
{
    static const uint8_t plain[] = {0, 0, 0, 5, SP_FXP_VERSION, 0, 0, 0, 3};
    static const uint8_t offer[] = "\0\0\0\x20\x02\0\0\0\x03\0\0\0\x12limits@openssh.com\0\0\0\x01"
                                   "1";
    static const uint8_t told[] = "\0\0\0\x25\xc9\0\0\0\x01\0\0\0\0\0\4\0\0\0\0\0\0\0\3\xfc\0\0\0\0"
                                  "\0\0\3\xfc\0\0\0\0\0\0\0\0\x64";
    struct sp_err e = {0};

    FUZZ_OK(sp_sftp_session_new(&r->s, &e));
    take_all(r);
    if ((flags & 1) != 0)
        return;
    if ((flags & 4) != 0) {
        FUZZ_OK(sp_sftp_feed(r->s, offer, sizeof(offer) - 1, &e));
        take_all(r);
        FUZZ_OK(sp_sftp_feed(r->s, told, sizeof(told) - 1, &e));
        FUZZ_MUST(sp_sftp_read_max(r->s) == SESSION_IO_MAX);
    } else {
        FUZZ_OK(sp_sftp_feed(r->s, plain, sizeof(plain), &e));
    }
    FUZZ_MUST(sp_sftp_ready(r->s));
}

static void
ask(struct run *r, uint8_t type)
{
    struct sp_sftp_request *q = &r->q[r->n];

    *q = (struct sp_sftp_request){.type = (enum sp_sftp_type)(type % SP_SFTP_TYPES),
        .path = "p",
        .path2 = "q",
        .handle_len = 1,
        .n = ASKED,
        .from = "0123456789012345678901234567890123456789",
        .name = name,
        .done = done,
        .arg = r};
    if (q->type == SP_SFTP_READ) {
        r->to[r->n] = malloc(ASKED);
        FUZZ_MUST(r->to[r->n] != NULL);
        q->to = r->to[r->n];
    }
    r->n++;
    sp_sftp_submit(r->s, q);
}

static void
run(struct run *r, uint8_t flags, struct fuzz_in asked, const uint8_t *p, size_t n,
    struct fuzz_dice *dice)
{
    struct sp_err e = {0}, why = {0};
    enum sp_code rc = SP_OK;

    begin(r, flags);
    while (asked.n > 0 && r->n < MOST)
        ask(r, fuzz_u8(&asked));
    if ((flags & 2) == 0)
        take_all(r);
    for (size_t at = 0; at < n && rc == SP_OK;) {
        size_t piece = n - at;

        if (dice != NULL && piece > 1)
            piece = 1 + fuzz_below(dice, piece < 40 ? piece : 40);
        rc = FUZZ_TRY(sp_sftp_feed(r->s, p + at, piece, &e));
        at += piece;
    }
    FUZZ_MUST((rc == SP_OK) == (sp_sftp_session_ended(r->s) == NULL));
    FUZZ_MUST(sp_sftp_read_max(r->s) >= SESSION_LEAST && sp_sftp_read_max(r->s) <= SESSION_IO_MAX);
    FUZZ_MUST(rc == SP_OK || r->ndone == r->n);
    FUZZ_MUST(sp_sftp_under_way(r->s) == r->n - r->ndone);
    sp_fail(&why, SP_CANCELLED, SP_DOM_SELF, "over");
    sp_sftp_session_end(r->s, &why);
    FUZZ_MUST(r->ndone == r->n);
    sp_sftp_session_free(r->s);
    for (size_t i = 0; i < r->n; i++) {
        free(r->to[i]);
        free(r->q[i].resolved);
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_dice dice = fuzz_dice_of(data, size);
    struct fuzz_in in = {data, size}, asked;
    static struct run whole, pieces;
    uint8_t flags = fuzz_u8(&in);

    memset(&whole, 0, sizeof(whole));
    memset(&pieces, 0, sizeof(pieces));
    asked = fuzz_take(&in, fuzz_u8(&in));
    run(&whole, flags, asked, in.p, in.n, NULL);
    run(&pieces, flags, asked, in.p, in.n, &dice);
    FUZZ_MUST(whole.log.len == pieces.log.len);
    FUZZ_MUST(whole.log.len == 0 || memcmp(whole.log.data, pieces.log.data, whole.log.len) == 0);
    sp_buf_free(&whole.log);
    sp_buf_free(&pieces.log);
    return 0;
}
