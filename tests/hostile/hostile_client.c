/* What the attacks of a client share. */

#include "hostile_client.h"

unsigned long cases;

void
note_heap(size_t before, size_t *most)
{
    size_t now = heap_now();

    if (now > before && now - before > *most)
        *most = now - before;
}

void
closed_with(struct wire *w, const char *name, const char *reason)
{
    struct ending end;

    wire_ending(w, &end, 5000);
    cases++;
    if (!end.closed)
        fail_msg("%s: the connection is open after %d ms", name, (int)end.took_ms);
    if (!end.goodbye)
        fail_msg("%s: no goodbye", name);
    if (end.bye.error.code != SP_PROTOCOL || strstr(end.bye.error.text, reason) == NULL)
        fail_msg("%s: %s: %s; wanted \"%s\"", name, sp_code_word(end.bye.error.code),
            end.bye.error.text, reason);
    wire_close(w);
}

/* The server still answers over this connection, and ends it in order. */
void
served(struct wire *w, const char *name)
{
    struct sp_msg flush = {.type = SP_MSG_FLUSH, .tag = 77777}, bye = {.type = SP_MSG_GOODBYE};
    struct sp_buf b = SP_BUF_INIT;
    struct sp_frame f;
    struct ending end;
    bool found = false;

    cases++;
    frame_put(&b, &flush, NULL, 0);
    if (!wire_send(w, b.data, b.len, 2000))
        fail_msg("%s: nothing more is taken", name);
    while (!found && wire_frame(w, &f, 8000)) {
        if (f.msg.type == SP_MSG_GOODBYE)
            fail_msg("%s: goodbye: %s", name, f.msg.error.text);
        found = f.msg.tag == 77777;
        sp_frame_clear(&f);
    }
    if (!found)
        fail_msg("%s: the server does not answer any more", name);
    sp_buf_reset(&b);
    frame_put(&b, &bye, NULL, 0);
    assert_true(wire_send(w, b.data, b.len, 2000));
    sp_buf_free(&b);
    wire_ending(w, &end, 5000);
    assert_true(end.closed);
    wire_close(w);
}

/* Header with a tag and one body. */
void
header(struct sp_buf *b, uint64_t tag, unsigned body, const void *p, size_t n)
{
    pb_varint(b, 1, tag);
    pb_bytes(b, body, p, n);
}

struct sp_msg
any_of(enum sp_msg_type type)
{
    struct sp_msg m;

    memset(&m, 0, sizeof(m));
    m.type = type;
    switch (sp_msg_info(type)->kind) {
    case SP_KIND_REQUEST:
    case SP_KIND_REPLY:
    case SP_KIND_ITEM:
        m.tag = 5;
        break;
    default:
        m.tag = type == SP_MSG_CANCEL ? 5 : 0;
    }
    if (type == SP_MSG_HEAD)
        strcpy(m.head.job, "j");
    if (type == SP_MSG_COMMIT || type == SP_MSG_LIST_ITEM)
        m.commit.type = m.list_item.type = 1;
    if (type == SP_MSG_BLOCK)
        m.block.wanted = 1;
    if (type == SP_MSG_ERROR)
        m.error.code = SP_FULL;
    if (type == SP_MSG_ENROLL) {
        m.enroll.secret_len = 16;
        strcpy(m.enroll.host_name, "x");
    }
    if (type == SP_MSG_ENROLL_REPLY) {
        strcpy(m.enroll_reply.host_name, "x");
        m.enroll_reply.chain_len = m.enroll_reply.authority_len = 16;
    }
    if (type == SP_MSG_ENROLL_END)
        m.enroll_end.record_len = 32;
    if (type == SP_MSG_CLIENT_HELLO) {
        m.client_hello.major = 1;
        m.client_hello.reply_credit = SP_REPLY_CREDIT;
    }
    return m;
}

void
put_any(struct sp_buf *b, enum sp_msg_type type)
{
    struct sp_msg m = any_of(type);
    uint8_t payload[64] = {0};
    const struct sp_msg_info *info = sp_msg_info(type);
    size_t n = info->payload_min;

    if (type == SP_MSG_ENROLL_REPLY || type == SP_MSG_ENROLL_END)
        n = 32;
    frame_put(b, &m, payload, n);
}

/* The reply to one request, as code (SP_OK: no Error). */
enum sp_code
ask_as(struct stage *s, const struct member *who, const struct sp_msg *m, const void *p, size_t n,
    struct sp_buf *ret_payload, unsigned *ret_items)
{
    struct sp_buf b = SP_BUF_INIT;
    struct sp_frame f;
    struct wire w;
    enum sp_code rc = SP_TIMEOUT;

    *ret_items = 0;
    cases++;
    wire_open(&w, &s->r, who, stage_from(s));
    frame_put(&b, m, p, n);
    assert_true(wire_send(&w, b.data, b.len, 2000));
    while (rc == SP_TIMEOUT && wire_frame(&w, &f, 8000)) {
        if (f.msg.type == SP_MSG_ERROR && f.msg.tag == m->tag) {
            rc = f.msg.error.code;
            assert_true(f.msg.error.text[0] != '\0');
        } else if (f.msg.type == SP_MSG_GOODBYE) {
            fail_msg("%s: %s", sp_msg_info(m->type)->name, f.msg.error.text);
        } else if (f.msg.tag == m->tag && !f.msg.last) {
            (*ret_items)++;
        } else if (f.msg.tag == m->tag) {
            rc = SP_OK;
            if (ret_payload != NULL) {
                sp_buf_reset(ret_payload);
                sp_buf_put(ret_payload, f.payload, f.payload_len);
            }
        }
        sp_frame_clear(&f);
    }
    sp_buf_free(&b);
    wire_close(&w);
    assert_true(rc != SP_TIMEOUT);
    return rc;
}
