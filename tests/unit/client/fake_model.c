/* What the fake server keeps and answers: see fake_server.h. */

#include "fake_server.h"

#include "base/clock.h"
#include "proto/cert.h"
#include "proto/session_impl.h"
#include "storage/record.h"

struct fake_get { /* a GET that waits for credit */
    struct fake_get *next;
    uint32_t tag;
    uint8_t *ids;
    uint32_t *left; /* indices of ids that are to be answered */
    size_t nleft;
    bool cancelled;
};

/* --- answers ---------------------------------------------------------------------------------- */

void
fake_reply(struct fake_session *s, const struct sp_msg *m, const void *p, size_t n)
{
    uint8_t *copy = NULL;
    struct sp_err e = {0};

    if (n > 0) {
        copy = malloc(n);
        sure(copy != NULL);
        memcpy(copy, p, n);
    }
    /* The session may be over by now. */
    if (sp_session_reply(sp_channel_session(s->channel), m, copy, n, &e) != SP_OK) {
        free(copy);
        if (e.code != SP_REFUSED)
            fake_fail("a reply of the fake server: %s", e.text);
    }
    sp_channel_flush(s->channel);
}

void
fake_error(struct fake_session *s, uint32_t tag, enum sp_code code, const char *text)
{
    struct sp_err why = {0}, e = {0};

    (void)sp_fail(&why, code, SP_DOM_STORE, "%s", text);
    if (tag == 0)
        (void)sp_session_fail_puts(sp_channel_session(s->channel), &why, &e);
    else
        (void)sp_session_reply_error(sp_channel_session(s->channel), tag, &why, &e);
    sp_channel_flush(s->channel);
}

/* --- the model: blocks ------------------------------------------------------------------------ */

void
fake_settle(struct fake_session *s, unsigned lane)
{
    struct fake *f = s->f;

    for (size_t i = 0; i < s->put[lane] - s->durable[lane]; i++) {
        struct fake_block *b = &f->blocks[s->waiting[lane][i]];

        if (!b->durable) {
            b->durable = true;
            b->durable_in = s->number;
        }
    }
    s->durable[lane] = s->put[lane];
    s->waiting_bytes[lane] = 0;
}

static void
take_put(struct fake_session *s, struct sp_event *ev)
{
    struct fake *f = s->f;
    unsigned lane = ev->frame.msg.put.nodes;
    struct sp_block_header h;
    struct sp_err err = {0};
    struct fake_block *b;
    uint32_t number;
    size_t n = (size_t)(s->put[lane] - s->durable[lane]);

    if (sp_block_header_parse(ev->frame.payload, ev->frame.payload_len, &h, &err) != SP_OK)
        fake_fail("a broken block came: %s", err.text);
    sure((h.kind == SP_BLOCK_NODES) == (lane));
    number = fake_number(h.ids);
    sure(number < FAKE_BLOCKS);
    b = &f->blocks[number];
    b->times++;
    if (b->durable && b->durable_in < s->number)
        b->sent_in_vain++;
    if (b->bytes == NULL) {
        b->bytes = ev->frame.payload;
        b->n = ev->frame.payload_len;
        b->nodes = lane == 1;
        ev->frame.payload = NULL;
    } else {
        sure(b->n == ev->frame.payload_len);
        sure(memcmp(b->bytes, ev->frame.payload, b->n) == 0);
    }
    if (n == s->cap[lane]) {
        s->cap[lane] = 2 * n + 64;
        s->waiting[lane] = realloc(s->waiting[lane], s->cap[lane] * sizeof(uint32_t));
        sure(s->waiting[lane] != NULL);
    }
    s->waiting[lane][n] = number;
    s->put[lane]++;
    s->waiting_bytes[lane] += b->n;
    if (s->waiting_bytes[lane] < f->pack_bytes)
        return;
    fake_settle(s, lane);
    if (f->ack_too_much > 0) { /* a session of ours has no call for such a thing */
        struct sp_msg m = {.type = SP_MSG_ACK};

        m.ack.data = s->put[0] + f->ack_too_much;
        m.ack.nodes = s->put[1];
        assert_ok(sp_session_queue(sp_channel_session(s->channel), &m, NULL, 0, e));
        sp_channel_flush(s->channel);
        return;
    }
    (void)sp_session_ack(sp_channel_session(s->channel), s->durable[0], s->durable[1], &err);
    sp_channel_flush(s->channel);
}

static bool
has_id(const struct fake *f, const struct fake_session *s, bool nodes, const uint8_t *id)
{
    uint32_t number = fake_number(id);
    const struct fake_block *b = &f->blocks[number < FAKE_BLOCKS ? number : 0];

    if (number >= FAKE_BLOCKS || b->bytes == NULL || b->nodes != nodes)
        return false;
    if (b->durable)
        return true;
    for (size_t i = 0; i < s->put[nodes] - s->durable[nodes]; i++)
        if (s->waiting[nodes][i] == number)
            return true;
    return false;
}

struct delayed {
    uv_timer_t timer;
    struct fake *f;
    unsigned session;
    uint32_t tag;
    uint8_t *answers;
    size_t n;
};

static void
free_delayed(uv_handle_t *h)
{
    struct delayed *d = h->data;

    free(d->answers);
    free(d);
}

static void
send_delayed(uv_timer_t *t)
{
    struct delayed *d = t->data;
    struct sp_msg m = {.type = SP_MSG_HAVE_REPLY, .tag = d->tag};

    sp_mutex_lock(&d->f->lock);
    for (struct fake_session *s = d->f->sessions; s != NULL; s = s->next)
        if (s->number == d->session)
            fake_reply(s, &m, d->answers, d->n);
    sp_mutex_unlock(&d->f->lock);
    uv_close((uv_handle_t *)t, free_delayed);
}

static void
answer_have(struct fake_session *s, const struct sp_frame *f)
{
    struct sp_msg m = {.type = SP_MSG_HAVE_REPLY, .tag = f->msg.tag};
    size_t n = f->payload_len / 32;
    uint8_t *answers = malloc(n);
    struct delayed *d;

    sure(answers != NULL);
    for (size_t i = 0; i < n; i++)
        answers[i] = has_id(s->f, s, f->msg.have.nodes, f->payload + 32 * i) ? SP_HAVE_MINE : 0;
    if (s->f->delay_ms == 0) {
        fake_reply(s, &m, answers, n);
        free(answers);
        return;
    }
    d = calloc(1, sizeof(*d));
    sure(d != NULL);
    *d =
        (struct delayed){.f = s->f, .session = s->number, .tag = m.tag, .answers = answers, .n = n};
    uv_timer_init(&s->f->loop, &d->timer);
    d->timer.data = d;
    uv_timer_start(&d->timer, send_delayed, s->f->delay_ms, 0);
}

/* --- the model: get --------------------------------------------------------------------------- */

/* The blocks in the order of their numbers: that of the packs. false: no credit. */
static bool
send_block(struct fake_session *s, struct fake_get *g)
{
    struct sp_msg m = {.type = SP_MSG_BLOCK, .tag = g->tag};
    uint32_t first = UINT32_MAX;
    struct fake_block *b;
    struct sp_buf p = SP_BUF_INIT;
    size_t kept = 0;

    for (size_t i = 0; i < g->nleft; i++)
        if (fake_number(g->ids + 32 * (size_t)g->left[i]) < first)
            first = fake_number(g->ids + 32 * (size_t)g->left[i]);
    b = &s->f->blocks[first];
    if (!sp_session_reply_fits(
            sp_channel_session(s->channel), b->n + 4 * g->nleft)) /* never more */
        return false;
    for (size_t i = 0; i < g->nleft; i++) {
        if (fake_number(g->ids + 32 * (size_t)g->left[i]) == first) {
            sp_buf_put_u32(&p, g->left[i]);
            m.block.wanted++;
        } else {
            g->left[kept++] = g->left[i];
        }
    }
    g->nleft = kept;
    sp_buf_put(&p, b->bytes, b->n);
    fake_reply(s, &m, p.data, p.len);
    sp_buf_free(&p);
    return true;
}

void
fake_pump_gets(struct fake_session *s)
{
    struct fake_get **at = &s->gets;

    while (*at != NULL) {
        struct fake_get *g = *at;
        struct sp_msg m = {.type = SP_MSG_DONE, .tag = g->tag};

        while (g->nleft > 0 && !g->cancelled && send_block(s, g))
            ;
        if (g->nleft > 0 && !g->cancelled)
            return;
        fake_reply(s, &m, NULL, 0);
        *at = g->next;
        free(g->ids);
        free(g->left);
        free(g);
    }
}

static void
begin_get(struct fake_session *s, struct sp_frame *f)
{
    struct fake_get *g = calloc(1, sizeof(*g)), **at = &s->gets;
    size_t n = f->payload_len / 32;

    sure(g != NULL);
    g->tag = f->msg.tag;
    g->left = calloc(n, sizeof(*g->left));
    sure(g->left != NULL);
    for (size_t i = 0; i < n; i++) {
        uint32_t number = fake_number(f->payload + 32 * i);

        if (f->msg.get.copy == 0 && number < FAKE_BLOCKS && s->f->blocks[number].durable)
            g->left[g->nleft++] = (uint32_t)i;
    }
    g->ids = f->payload;
    f->payload = NULL;
    while (*at != NULL)
        at = &(*at)->next;
    *at = g;
    fake_pump_gets(s);
}

/* --- the model: records ----------------------------------------------------------------------- */

static const struct sp_buf *
last_record(const struct fake *f, uint32_t type)
{
    for (size_t i = f->nrecords; i > 0; i--)
        if (f->record_type[i - 1] == type)
            return &f->records[i - 1];
    return NULL;
}

static void
answer_commit(struct fake_session *s, const struct sp_frame *fr)
{
    struct fake *f = s->f;
    struct sp_msg m = {.type = SP_MSG_COMMIT_REPLY, .tag = fr->msg.tag};
    const struct sp_buf *before = last_record(f, SP_RECORD_SET);
    struct sp_set clear;
    uint8_t hash[32] = {0};
    struct sp_err err = {0};

    if (sp_set_record_decode(fr->payload, fr->payload_len, &clear, &err) != SP_OK)
        fake_fail("a broken record came: %s", err.text);
    if (before != NULL)
        assert_ok(sp_record_hash(before->data, before->len, hash, e));
    if (clear.has_previous != (before != NULL) ||
        (before != NULL && memcmp(clear.previous, hash, 32) != 0)) {
        fake_error(s, fr->msg.tag, SP_REFUSED, "another run of this job finished");
        return;
    }
    fake_settle(s, 0);
    fake_settle(s, 1);
    sure(f->nrecords < 64);
    sp_buf_put(&f->records[f->nrecords], fr->payload, fr->payload_len);
    f->record_type[f->nrecords++] = fr->msg.commit.type;
    f->commits++;
    m.commit_reply.published_ns = 1000 + (int64_t)f->nrecords;
    (void)sp_session_ack(sp_channel_session(s->channel), s->durable[0], s->durable[1], &err);
    fake_reply(s, &m, NULL, 0);
}

static void
answer_head(struct fake_session *s, const struct sp_frame *fr)
{
    struct fake *f = s->f;
    struct sp_msg m = {.type = SP_MSG_HEAD_REPLY, .tag = fr->msg.tag};
    const struct sp_buf *set = last_record(f, SP_RECORD_SET),
                        *checkpoint = last_record(f, SP_RECORD_CHECKPOINT);
    struct sp_buf p = SP_BUF_INIT;

    if (set != NULL) {
        m.head_reply.has_set = m.head_reply.set_whole = true;
        m.head_reply.set_len = (uint32_t)set->len;
        sp_buf_put(&p, set->data, set->len);
    }
    if (checkpoint != NULL) {
        m.head_reply.has_checkpoint = true;
        m.head_reply.checkpoint_len = (uint32_t)checkpoint->len;
        m.head_reply.more = true;
        sp_buf_put(&p, checkpoint->data, checkpoint->len);
        sp_buf_put(&p, fake_id(7, 7).b, 32); /* something is missing below it */
    }
    fake_reply(s, &m, p.data, p.len);
    sp_buf_free(&p);
}

static void
answer_list(struct fake_session *s, const struct sp_frame *fr)
{
    struct fake *f = s->f;
    struct sp_msg done = {.type = SP_MSG_DONE, .tag = fr->msg.tag};

    for (size_t i = f->nrecords; i > 0; i--) {
        struct sp_msg m = {.type = SP_MSG_LIST_ITEM, .tag = fr->msg.tag};
        struct sp_set clear;

        if (f->record_type[i - 1] == SP_RECORD_CHECKPOINT && !fr->msg.list.checkpoints)
            continue;
        assert_ok(sp_set_record_decode(f->records[i - 1].data, f->records[i - 1].len, &clear, e));
        m.list_item.type = f->record_type[i - 1];
        m.list_item.published_ns = 1000 + (int64_t)i;
        memcpy(m.list_item.host, clear.host, 16);
        memcpy(m.list_item.set_id, clear.set_id, 16);
        fake_reply(s, &m, f->records[i - 1].data, f->records[i - 1].len);
    }
    fake_reply(s, &done, NULL, 0);
}

/* --- the model: requests ---------------------------------------------------------------------- */

static void
answer_flush(struct fake_session *s, uint32_t tag)
{
    struct sp_msg m = {.type = SP_MSG_FLUSHED, .tag = tag};

    fake_settle(s, 0);
    fake_settle(s, 1);
    m.ack.data = s->durable[0];
    m.ack.nodes = s->durable[1];
    fake_reply(s, &m, NULL, 0);
}

static void
answer_slots(struct fake_session *s, uint32_t tag)
{
    struct sp_msg item = {.type = SP_MSG_SLOT, .tag = tag};
    struct sp_msg done = {.type = SP_MSG_DONE, .tag = tag};

    fake_reply(s, &item, "the first slot", 14);
    fake_reply(s, &item, "the second slot", 15);
    fake_reply(s, &done, NULL, 0);
}

static void
answer_check(struct fake_session *s, const struct sp_frame *f)
{
    struct sp_msg item = {.type = SP_MSG_FINDING, .tag = f->msg.tag};
    struct sp_msg done = {.type = SP_MSG_CHECK_DONE, .tag = f->msg.tag};

    item.finding.severity = 1;
    strcpy(item.finding.object, "packs/ab/cd");
    strcpy(item.finding.text, "a pack is short");
    fake_reply(s, &item, fake_id(3, 0).b, 32);
    done.check_done.packs = 10 + f->msg.check.part;
    done.check_done.faults = 1;
    fake_reply(s, &done, NULL, 0);
}

static void
answer_renew(struct fake_session *s, const struct sp_frame *f)
{
    struct sp_msg m = {.type = SP_MSG_RENEW_REPLY, .tag = f->msg.tag};
    struct sp_validity v = sp_validity_of(sp_clock_wall(&sp_clock_system), SP_VALID_HOST_NS);
    char *chain = NULL;

    assert_ok(sp_cert_issue(s->f->authority, s->f->authority_key, f->payload, f->payload_len,
        s->f->host, v, &chain, NULL, e));
    fake_reply(s, &m, chain, strlen(chain));
    sp_pem_free(chain);
}

void
fake_handle(struct fake_session *s, struct sp_event *ev)
{
    struct sp_frame *f = &ev->frame;
    struct sp_msg m = {.tag = f->msg.tag};

    switch (f->msg.type) {
    case SP_MSG_PUT:
        take_put(s, ev);
        break;
    case SP_MSG_HAVE:
        answer_have(s, f);
        break;
    case SP_MSG_FLUSH:
        answer_flush(s, f->msg.tag);
        break;
    case SP_MSG_COMMIT:
        answer_commit(s, f);
        break;
    case SP_MSG_HEAD:
        answer_head(s, f);
        break;
    case SP_MSG_GET:
        begin_get(s, f);
        break;
    case SP_MSG_LIST:
        answer_list(s, f);
        break;
    case SP_MSG_SLOTS:
        answer_slots(s, f->msg.tag);
        break;
    case SP_MSG_CHECK:
        answer_check(s, f);
        break;
    case SP_MSG_RENEW:
        answer_renew(s, f);
        break;
    case SP_MSG_PUT_SLOT:
    case SP_MSG_HOST_PUT:
        m.type = SP_MSG_DONE;
        fake_reply(s, &m, NULL, 0);
        break;
    case SP_MSG_MISSING:
        m.type = SP_MSG_MISSING_REPLY;
        m.missing_reply.more = true;
        fake_reply(s, &m, fake_id(5, 0).b, 32);
        break;
    case SP_MSG_HOST:
        if (memcmp(f->msg.host.host, s->f->host, 16) != 0) {
            fake_error(s, f->msg.tag, SP_ABSENT, "no such host");
            break;
        }
        m.type = SP_MSG_HOST_REPLY;
        fake_reply(s, &m, "a host record", 13);
        break;
    case SP_MSG_CANCEL:
        for (struct fake_get *g = s->gets; g != NULL; g = g->next)
            g->cancelled = g->cancelled || g->tag == f->msg.tag;
        fake_pump_gets(s);
        break;
    default:
        fake_fail("an unexpected %s", sp_msg_info(f->msg.type)->name);
    }
}

void
fake_drop_gets(struct fake_session *s)
{
    while (s->gets != NULL) {
        struct fake_get *g = s->gets;

        s->gets = g->next;
        free(g->ids);
        free(g->left);
        free(g);
    }
}
