/* A server with a true repository behind it that lies about it. */

#include "hostile_server.h"

#include "proto/session_impl.h"

struct sp_store *
truth(struct liar *l)
{
    return l->site.repository;
}

static void
count_session(struct liar *l, const struct fake_session *s)
{
    if (l->session == s->number)
        return;
    l->session = s->number;
    l->put[0] = l->put[1] = 0;
}

static void
take_put(struct liar *l, struct fake_session *s, struct sp_frame *f)
{
    struct sp_err err = {0};
    uint8_t *block = f->payload;

    l->put[f->msg.put.nodes]++;
    if (l->lie == FORGET_PUTS)
        return;
    f->payload = NULL;
    if (sp_store_put(truth(l), block, f->payload_len, &err) != SP_OK)
        fake_fail("a block of the client is refused: %s", err.text);
    if (l->lie == ACK_TOO_MUCH || l->lie == ACK_BACKWARDS) {
        struct sp_msg m = {.type = SP_MSG_ACK};

        m.ack.data = l->put[0] + (l->lie == ACK_TOO_MUCH);
        m.ack.nodes = l->put[1];
        assert_ok(sp_session_queue(sp_channel_session(s->channel), &m, NULL, 0, e));
        if (l->lie == ACK_BACKWARDS) {
            m.ack.data = 0;
            assert_ok(sp_session_queue(sp_channel_session(s->channel), &m, NULL, 0, e));
        }
        sp_channel_flush(s->channel);
    }
}

static void
flush(struct liar *l)
{
    struct sp_err e = {0};

    if (l->lie != FORGET_PUTS && sp_store_flush(truth(l), &e) != SP_OK)
        fake_fail("flush: %s", e.text);
}

static void
answer_have(struct liar *l, struct fake_session *s, const struct sp_frame *f)
{
    struct sp_msg m = {.type = SP_MSG_HAVE_REPLY, .tag = f->msg.tag};
    size_t n = f->payload_len / 32;
    uint8_t *answers = calloc(1, n);

    sure(answers != NULL);
    assert_ok(sp_store_have(
        truth(l), f->msg.have.nodes, (const struct sp_id *)f->payload, n, answers, e));
    for (size_t i = 0; i < n; i++) {
        if (l->lie == HAVE_ALL || l->lie == HAVE_ALL_COMMIT)
            answers[i] = SP_HAVE_MINE;
        if ((l->lie == HAVE_MEMBERS_ALL || l->lie == HAVE_MEMBERS_NOISE) && !f->msg.have.nodes &&
            answers[i] == SP_HAVE_NO)
            answers[i] = SP_HAVE_MEMBERS;
        if (l->lie == HAVE_NONSENSE)
            answers[i] = 200;
    }
    fake_reply(s, &m, answers, n);
    free(answers);
}

static void
answer_head(struct liar *l, struct fake_session *s, const struct sp_frame *f)
{
    struct sp_msg m = {.type = SP_MSG_HEAD_REPLY, .tag = f->msg.tag};
    struct sp_store_head h;
    struct sp_buf p = SP_BUF_INIT;

    memset(&h, 0, sizeof(h));
    assert_ok(sp_store_head(truth(l), f->msg.head.job, &h, e));
    m.head_reply.has_set = h.has_set;
    m.head_reply.set_whole = h.set_whole;
    m.head_reply.set_len = (uint32_t)h.set_len;
    sp_buf_put(&p, h.set, h.set_len);
    if (h.has_set && l->lie >= HEAD_OLD && l->lie <= HEAD_NOISE) {
        sp_buf_reset(&p);
        if (l->lie == HEAD_OLD)
            sp_buf_put(&p, l->old_head.data, l->old_head.len);
        else if (l->lie == HEAD_FORGED)
            sp_buf_put(&p, l->forged.data, l->forged.len);
        else if (l->lie == HEAD_NOISE)
            sp_buf_put_str(&p, "noise that is no record at all");
        m.head_reply.has_set = m.head_reply.set_whole = p.len > 0;
        m.head_reply.set_len = (uint32_t)p.len;
    }
    fake_reply(s, &m, p.data, p.len);
    sp_store_head_clear(&h);
    sp_buf_free(&p);
}

static void
answer_commit(struct liar *l, struct fake_session *s, const struct sp_frame *f)
{
    struct sp_msg m = {.type = SP_MSG_COMMIT_REPLY, .tag = f->msg.tag};
    struct sp_commit_result r;
    struct sp_err e = {0};

    memset(&r, 0, sizeof(r));
    flush(l);
    (void)sp_session_ack(sp_channel_session(s->channel), l->put[0], l->put[1], &e);
    if (l->lie >= HEAD_OLD && l->lie <= HEAD_FORGED) {
        r.published_ns = 1;
    } else if (l->lie == FORGET_PUTS || l->lie == HAVE_ALL_COMMIT) {
        r.published_ns = 1;
        sp_buf_reset(&l->old_head);
        sp_buf_put(&l->old_head, f->payload, f->payload_len);
    } else if (sp_store_commit(truth(l), (enum sp_record_type)f->msg.commit.type, f->payload,
                   f->payload_len, &r, &e) != SP_OK) {
        fake_error(s, f->msg.tag, e.code, e.text);
        return;
    }
    m.commit_reply.published_ns = r.nmissing > 0 ? 0 : r.published_ns;
    m.commit_reply.more = r.missing_more;
    fake_reply(s, &m, r.missing, r.nmissing * 32);
    sp_commit_result_clear(&r);
}

struct getting {
    struct liar *l;
    struct fake_session *s;
    const struct sp_frame *f;
    unsigned n;
    struct sp_buf before; /* the block before */
};

static enum sp_code
give_block(void *arg, const uint8_t *block, size_t n, const uint32_t *wanted, size_t nwanted,
    struct sp_err *unused)
{
    struct getting *g = arg;
    struct sp_msg m = {.type = SP_MSG_BLOCK, .tag = g->f->msg.tag};
    struct sp_buf p = SP_BUF_INIT;
    unsigned times = 1;

    (void)unused;
    g->n++;
    m.block.wanted = (uint32_t)nwanted;
    for (size_t i = 0; i < nwanted; i++)
        sp_buf_put_u32(
            &p, g->l->lie == GET_OUTSIDE ? (uint32_t)(g->f->payload_len / 32) : wanted[i]);
    if (g->l->lie == GET_OTHER && g->before.len > 0)
        sp_buf_put(&p, g->before.data, g->before.len);
    else
        sp_buf_put(&p, block, g->l->lie == GET_HALF ? n / 2 : n);
    if (g->l->lie == GET_FLIPPED && g->n % 2 == 0)
        p.data[p.len - 40] ^= 1;
    if (g->l->lie == GET_TWICE)
        times = 10;
    for (unsigned i = 0; i < times; i++) {
        uint8_t *copy = malloc(p.len);

        sure(copy != NULL);
        memcpy(copy, p.data, p.len);
        /* A session of ours would not send it twice: it does not look. */
        assert_ok(sp_session_queue(sp_channel_session(g->s->channel), &m, copy, p.len, e));
    }
    sp_channel_flush(g->s->channel);
    sp_buf_reset(&g->before);
    sp_buf_put(&g->before, block, n);
    sp_buf_free(&p);
    return SP_OK;
}

static void
answer_get(struct liar *l, struct fake_session *s, const struct sp_frame *f)
{
    struct sp_msg done = {.type = SP_MSG_DONE, .tag = f->msg.tag};
    struct getting g = {.l = l, .s = s, .f = f};

    if (l->lie == HAVE_MEMBERS_NOISE && f->msg.get.copy == 0) {
        for (uint32_t i = 0; i < f->payload_len / 32; i++) { /* a block for each, of noise */
            struct sp_msg m = {.type = SP_MSG_BLOCK, .tag = f->msg.tag, .block = {.wanted = 1}};
            size_t n;
            uint8_t *block = fake_block(1, false, 1, 100, &n);
            struct sp_buf p = SP_BUF_INIT;

            memcpy(block + 64, f->payload + 32 * i, 32);
            sp_buf_put_u32(&p, i);
            sp_buf_put(&p, block, n);
            fake_reply(s, &m, p.data, p.len);
            sp_buf_free(&p);
            free(block);
        }
    } else if (l->lie != GET_NOTHING) {
        assert_ok(sp_store_get(truth(l), (const struct sp_id *)f->payload, f->payload_len / 32,
            f->msg.get.copy, give_block, &g, e));
    }
    sp_buf_free(&g.before);
    fake_reply(s, &done, NULL, 0);
}

struct listing {
    struct liar *l;
    struct fake_session *s;
    uint32_t tag;
};

static enum sp_code
give_set(void *arg, const struct sp_set_info *i, struct sp_err *e)
{
    struct listing *g = arg;
    struct sp_msg m = {.type = SP_MSG_LIST_ITEM, .tag = g->tag};
    unsigned times = g->l->lie == LIST_FOREIGN ? 2000 : g->l->lie == LIST_TWICE ? 3000 : 1;

    (void)e;
    m.list_item.type = i->type;
    m.list_item.published_ns = i->published_ns;
    memcpy(m.list_item.host, i->host, 16);
    memcpy(m.list_item.set_id, i->set_id, 16);
    for (unsigned k = 0; k < times; k++) {
        struct sp_buf p = SP_BUF_INIT;

        sp_buf_put(&p, i->record, i->record_len);
        if (g->l->lie == LIST_FOREIGN) {
            m.list_item.set_id[0] = (uint8_t)k;
            m.list_item.set_id[1] = (uint8_t)(k >> 8);
            if (k % 2 == 1)
                p.data[p.len - 10 - k % 50] ^= 1; /* in the signature */
            else
                p.data[p.len / 2] ^= 1;
        }
        fake_reply(g->s, &m, p.data, p.len);
        sp_buf_free(&p);
    }
    return SP_OK;
}

static void
answer_list(struct liar *l, struct fake_session *s, const struct sp_frame *f)
{
    struct sp_msg done = {.type = SP_MSG_DONE, .tag = f->msg.tag};
    struct listing g = {l, s, f->msg.tag};

    assert_ok(sp_store_list(truth(l), true, f->msg.list.checkpoints, give_set, &g, e));
    fake_reply(s, &done, NULL, 0);
}

static void
answer_host(struct liar *l, struct fake_session *s, const struct sp_frame *f)
{
    struct sp_msg m = {.type = SP_MSG_HOST_REPLY, .tag = f->msg.tag};
    struct sp_err e = {0};
    uint8_t *p = NULL;
    size_t n = 0;

    if (sp_store_host(truth(l), f->msg.host.host, &p, &n, &e) != SP_OK) {
        fake_error(s, f->msg.tag, e.code, e.text);
        return;
    }
    fake_reply(s, &m, p, n);
    free(p);
}

bool
serve(struct fake *f, struct fake_session *s, struct sp_event *ev)
{
    struct liar *l = f->on_arg;
    struct sp_frame *fr = &ev->frame;
    struct sp_msg m = {.tag = fr->msg.tag};

    sp_buf_put(&l->seen, fr->payload, fr->payload_len);
    count_session(l, s);
    if (fr->msg.type == SP_MSG_PUT) {
        take_put(l, s, fr);
        return true;
    }
    if (fr->msg.type == SP_MSG_CANCEL || l->lie == SILENT)
        return true;
    if (l->lie == ERROR_ALWAYS) {
        fake_error(s, fr->msg.tag, l->code, "because I say so");
        return true;
    }
    if (l->lie == CLOSE_ALWAYS) {
        sp_channel_abort(s->channel);
        return true;
    }
    switch (fr->msg.type) {
    case SP_MSG_HAVE:
        answer_have(l, s, fr);
        break;
    case SP_MSG_HEAD:
        answer_head(l, s, fr);
        break;
    case SP_MSG_COMMIT:
        answer_commit(l, s, fr);
        break;
    case SP_MSG_GET:
        answer_get(l, s, fr);
        break;
    case SP_MSG_LIST:
        answer_list(l, s, fr);
        break;
    case SP_MSG_HOST:
        answer_host(l, s, fr);
        break;
    case SP_MSG_FLUSH:
        flush(l);
        m.type = SP_MSG_FLUSHED;
        m.ack.data = l->put[0];
        m.ack.nodes = l->put[1];
        fake_reply(s, &m, NULL, 0);
        break;
    default:
        fake_fail("an unexpected %s", sp_msg_info(fr->msg.type)->name);
    }
    return true;
}
