/* What came from the server. See remote_impl.h. */

#include <stdlib.h>
#include <string.h>

#include "client/remote_impl.h"

static void
item_came(struct remote *r, struct call *c, struct sp_frame *f)
{
    struct sp_session *s = sp_remote_session(r);
    size_t len = f->payload_len;
    struct sp_err e = {0};
    struct item *it;
    bool drop = c == NULL || c->ending;

    if (!drop && c->came != NULL && c->came(c, f, &drop, &e) != SP_OK) {
        sp_remote_fail(r, &e);
        return;
    }
    if (drop) {
        if (s != NULL && sp_session_consumed(s, len, &e) != SP_OK)
            sp_remote_fail(r, &e);
        return;
    }
    if ((it = calloc(1, sizeof(*it))) == NULL) {
        (void)sp_fail_nomem(&e);
        sp_remote_fail(r, &e);
        return;
    }
    it->connection = r->connection;
    it->len = len;
    it->frame = *f;
    memset(f, 0, sizeof(*f));
    *c->items_end = it;
    c->items_end = &it->next;
    sp_remote_forward(r);
    sp_cond_signal(&c->changed);
}

static void
answer_came(struct remote *r, struct call *c, struct sp_frame *f)
{
    struct sp_err err = {0};

    if (c == NULL) /* its caller left */
        return;
    sp_remote_forward(r);
    if (f->msg.type == SP_MSG_ERROR) {
        (void)sp_msg_get_error(&f->msg, &err);
        sp_call_finish(r, c, &err);
        return;
    }
    c->answer = *f;
    memset(f, 0, sizeof(*f));
    sp_call_finish(r, c, NULL);
}

/* Of a request of our own. */
static void
own_answer_came(struct remote *r, struct sp_frame *f)
{
    struct sp_err err = {0};

    if (f->msg.type == SP_MSG_ERROR) {
        (void)sp_msg_get_error(&f->msg, &err);
        sp_remote_fail(r, &err);
    } else if (f->msg.tag == r->have_tag) {
        sp_remote_resumed(r, f);
    } else {
        r->flush_tag = 0;
    }
}

void
sp_remote_message(struct remote *r, struct sp_event *ev)
{
    struct sp_frame *f = &ev->frame;
    struct sp_err err = {0};
    struct call *c;

    if (f->msg.type == SP_MSG_ACK || f->msg.type == SP_MSG_FLUSHED)
        sp_remote_acked(r, f->msg.ack.data, f->msg.ack.nodes);
    if (f->msg.tag == 0) {
        if (f->msg.type == SP_MSG_ERROR) { /* puts failed for good */
            (void)sp_msg_get_error(&f->msg, &err);
            sp_remote_fail(r, &err);
        }
        return;
    }
    if (f->msg.tag == r->have_tag || f->msg.tag == r->flush_tag) {
        own_answer_came(r, f);
        return;
    }
    c = sp_call_find(r, f->msg.tag);
    if (sp_msg_info(f->msg.type)->kind == SP_KIND_ITEM)
        item_came(r, c, f);
    else
        answer_came(r, c, f);
}
