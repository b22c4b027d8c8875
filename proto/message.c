/* Messages as headers of frames: Protocol Buffers by protobuf-c, which shows nowhere else. See
 * message.h, docs/protocol.md §3 and stillpoint.proto. */

#include "proto/message.h"

#include <stdlib.h>
#include <string.h>

#include "proto/stillpoint.pb-c.h"
#include "base/text.h"
#include "proto/text.h"

/* Type, field of Header, message of the .proto in both spellings. */
#define BODIES(X)                                                                                  \
    X(SERVER_HELLO, server_hello, ServerHello, server_hello)                                       \
    X(CLIENT_HELLO, client_hello, ClientHello, client_hello)                                       \
    X(GOODBYE, goodbye, Failure, failure)                                                          \
    X(PING, ping, Echo, echo)                                                                      \
    X(PONG, pong, Echo, echo)                                                                      \
    X(PUT, put, Put, put)                                                                          \
    X(CREDIT, credit, Credit, credit)                                                              \
    X(CANCEL, cancel, Empty, empty)                                                                \
    X(ACK, ack, Ack, ack)                                                                          \
    X(FLUSH, flush, Empty, empty)                                                                  \
    X(HAVE, have, Have, have)                                                                      \
    X(HEAD, head, Head, head)                                                                      \
    X(COMMIT, commit, Commit, commit)                                                              \
    X(GET, get, Get, get)                                                                          \
    X(LIST, list, List, list)                                                                      \
    X(MISSING, missing, Missing, missing)                                                          \
    X(SLOTS, slots, Slots, slots)                                                                  \
    X(PUT_SLOT, put_slot, Empty, empty)                                                            \
    X(HOST, host, Host, host)                                                                      \
    X(HOST_PUT, host_put, Empty, empty)                                                            \
    X(CHECK, check, Check, check)                                                                  \
    X(RENEW, renew, Empty, empty)                                                                  \
    X(ENROLL, enroll, Enroll, enroll)                                                              \
    X(ENROLL_END, enroll_end, EnrollEnd, enroll_end)                                               \
    X(COMPLETE, complete, Empty, empty)                                                            \
    X(ERROR, error, Failure, failure)                                                              \
    X(DONE, done, Empty, empty)                                                                    \
    X(FLUSHED, flushed, Ack, ack)                                                                  \
    X(HAVE_REPLY, have_reply, Empty, empty)                                                        \
    X(HEAD_REPLY, head_reply, HeadReply, head_reply)                                               \
    X(COMMIT_REPLY, commit_reply, CommitReply, commit_reply)                                       \
    X(MISSING_REPLY, missing_reply, MissingReply, missing_reply)                                   \
    X(HOST_REPLY, host_reply, Empty, empty)                                                        \
    X(CHECK_DONE, check_done, CheckDone, check_done)                                               \
    X(RENEW_REPLY, renew_reply, Empty, empty)                                                      \
    X(ENROLL_REPLY, enroll_reply, EnrollReply, enroll_reply)                                       \
    X(BLOCK, block, Block, block)                                                                  \
    X(LIST_ITEM, list_item, ListItem, list_item)                                                   \
    X(SLOT, slot, Empty, empty)                                                                    \
    X(FINDING, finding, Finding, finding)

/* The codes and domains of err.h in the order of the .proto's numbers: the wire must not change
 * when err.h does. */
static const enum sp_code codes[] = {SP_OK, SP_ABSENT, SP_EXISTS, SP_CORRUPT, SP_IO, SP_FULL,
    SP_DENIED, SP_AUTH, SP_UNREACHABLE, SP_TIMEOUT, SP_INVALID, SP_UNSUPPORTED, SP_REFUSED,
    SP_CHANGED, SP_BUSY, SP_CANCELLED, SP_NOMEM, SP_PROTOCOL, SP_INTERNAL};
static const enum sp_domain domains[] = {SP_DOM_NONE, SP_DOM_SOURCE, SP_DOM_DESTINATION,
    SP_DOM_STORE, SP_DOM_NET, SP_DOM_CRYPTO, SP_DOM_SHADOW, SP_DOM_CONFIG, SP_DOM_SELF};
#define NCODES (sizeof(codes) / sizeof(codes[0]))
#define NDOMAINS (sizeof(domains) / sizeof(domains[0]))

/* --- to the wire --------------------------------------------------------------------------- */

struct body { /* what the header points to while it is packed */
    union {
#define X(type, field, message, snake) Sp__Wire__##message field;
        BODIES(X)
#undef X
    };
    char *features[SP_FEATURES_MAX];
};

static ProtobufCBinaryData
bytes(const uint8_t *p, size_t n)
{
    return (ProtobufCBinaryData){n, (uint8_t *)(uintptr_t)p};
}

static ProtobufCBinaryData
bytes_if(bool there, const uint8_t *p, size_t n)
{
    return there ? bytes(p, n) : bytes(NULL, 0);
}

static char **
features_of(struct sp_features *f, struct body *b)
{
    for (size_t i = 0; i < f->n; i++)
        b->features[i] = f->name[i];
    return b->features;
}

static void
failure_of(const struct sp_msg *m, Sp__Wire__Failure *w)
{
    w->code = SP__WIRE__CODE__INTERNAL;
    for (size_t i = 0; i < NCODES; i++)
        if (codes[i] == m->error.code)
            w->code = (Sp__Wire__Code)i;
    for (size_t i = 0; i < NDOMAINS; i++)
        if (domains[i] == m->error.domain)
            w->domain = (Sp__Wire__Domain)i;
    w->text = (char *)(uintptr_t)m->error.text;
}

static void
ack_of(const struct sp_msg *m, Sp__Wire__Ack *w)
{
    w->data = m->ack.data;
    w->nodes = m->ack.nodes;
    w->credit = m->ack.credit;
}

/* The bodies of the hellos; strings and bytes are views into *m. */
static void
hello_of(struct sp_msg *m, struct body *b)
{
    if (m->type == SP_MSG_SERVER_HELLO) {
        b->server_hello.major = m->server_hello.major;
        b->server_hello.minor = m->server_hello.minor;
        b->server_hello.n_features = m->server_hello.features.n;
        b->server_hello.features = features_of(&m->server_hello.features, b);
        b->server_hello.program = m->server_hello.program;
        b->server_hello.time_ns = m->server_hello.time_ns;
        b->server_hello.host = bytes(m->server_hello.host, 16);
        b->server_hello.host_name = m->server_hello.host_name;
        b->server_hello.group = bytes_if(m->server_hello.has_group, m->server_hello.group, 16);
        b->server_hello.writable = m->server_hello.writable;
        b->server_hello.reason = m->server_hello.reason;
        b->server_hello.renew_only = m->server_hello.renew_only;
        b->server_hello.put_credit = m->server_hello.put_credit;
        return;
    }
    b->client_hello.major = m->client_hello.major;
    b->client_hello.minor = m->client_hello.minor;
    b->client_hello.n_features = m->client_hello.features.n;
    b->client_hello.features = features_of(&m->client_hello.features, b);
    b->client_hello.program = m->client_hello.program;
    b->client_hello.group = bytes_if(m->client_hello.has_group, m->client_hello.group, 16);
    b->client_hello.reply_credit = m->client_hello.reply_credit;
}

static void
enrolment_of(struct sp_msg *m, struct body *b)
{
    if (m->type == SP_MSG_ENROLL) {
        b->enroll.token_id = bytes(m->enroll.token_id, 8);
        b->enroll.secret = bytes(m->enroll.secret, m->enroll.secret_len);
        b->enroll.host_name = m->enroll.host_name;
        b->enroll.identity = bytes(m->enroll.identity, 32);
        b->enroll.invitation_id = bytes_if(m->enroll.has_invitation, m->enroll.invitation_id, 16);
        b->enroll.invitation_proof =
            bytes_if(m->enroll.has_invitation, m->enroll.invitation_proof, 32);
        return;
    }
    b->enroll_reply.host = bytes(m->enroll_reply.host, 16);
    b->enroll_reply.host_name = m->enroll_reply.host_name;
    b->enroll_reply.group = bytes_if(m->enroll_reply.has_group, m->enroll_reply.group, 16);
    b->enroll_reply.chain_len = m->enroll_reply.chain_len;
    b->enroll_reply.authority_len = m->enroll_reply.authority_len;
    b->enroll_reply.conf_len = m->enroll_reply.conf_len;
    b->enroll_reply.slot_len = m->enroll_reply.slot_len;
    b->enroll_reply.record_len = m->enroll_reply.record_len;
}

/* Everything with a body that is not empty; the body was initialised by its type. */
static void
fill(struct sp_msg *m, struct body *b)
{
    switch (m->type) {
    case SP_MSG_SERVER_HELLO:
    case SP_MSG_CLIENT_HELLO:
        hello_of(m, b);
        break;
    case SP_MSG_GOODBYE:
        failure_of(m, &b->goodbye);
        break;
    case SP_MSG_ERROR:
        failure_of(m, &b->error);
        break;
    case SP_MSG_PING:
        b->ping.nonce = m->ping.nonce;
        break;
    case SP_MSG_PONG:
        b->pong.nonce = m->ping.nonce;
        break;
    case SP_MSG_PUT:
        b->put.nodes = m->put.nodes;
        break;
    case SP_MSG_CREDIT:
        b->credit.bytes = m->credit.bytes;
        break;
    case SP_MSG_ACK:
        ack_of(m, &b->ack);
        break;
    case SP_MSG_FLUSHED:
        ack_of(m, &b->flushed);
        break;
    case SP_MSG_HAVE:
        b->have.nodes = m->have.nodes;
        break;
    case SP_MSG_HEAD:
        b->head.job = m->head.job;
        break;
    case SP_MSG_HEAD_REPLY:
        b->head_reply.has_set = m->head_reply.has_set;
        b->head_reply.set_whole = m->head_reply.set_whole;
        b->head_reply.has_checkpoint = m->head_reply.has_checkpoint;
        b->head_reply.checkpoint_whole = m->head_reply.checkpoint_whole;
        b->head_reply.set_len = m->head_reply.set_len;
        b->head_reply.checkpoint_len = m->head_reply.checkpoint_len;
        b->head_reply.more = m->head_reply.more;
        break;
    case SP_MSG_COMMIT:
        b->commit.type = m->commit.type;
        break;
    case SP_MSG_COMMIT_REPLY:
        b->commit_reply.published_ns = m->commit_reply.published_ns;
        b->commit_reply.more = m->commit_reply.more;
        break;
    case SP_MSG_GET:
        b->get.copy = m->get.copy;
        break;
    case SP_MSG_BLOCK:
        b->block.wanted = m->block.wanted;
        break;
    case SP_MSG_LIST:
        b->list.all_hosts = m->list.all_hosts;
        b->list.checkpoints = m->list.checkpoints;
        break;
    case SP_MSG_LIST_ITEM:
        b->list_item.type = m->list_item.type;
        b->list_item.published_ns = m->list_item.published_ns;
        b->list_item.host = bytes(m->list_item.host, 16);
        b->list_item.set_id = bytes(m->list_item.set_id, 16);
        break;
    case SP_MSG_MISSING:
        b->missing.set_id = bytes(m->missing.set_id, 16);
        break;
    case SP_MSG_MISSING_REPLY:
        b->missing_reply.more = m->missing_reply.more;
        break;
    case SP_MSG_SLOTS:
        b->slots.group = bytes_if(m->slots.has_group, m->slots.group, 16);
        break;
    case SP_MSG_HOST:
        b->host.host = bytes(m->host.host, 16);
        break;
    case SP_MSG_CHECK:
        b->check.depth = m->check.depth;
        b->check.part = m->check.part;
        b->check.parts = m->check.parts;
        break;
    case SP_MSG_FINDING:
        b->finding.severity = m->finding.severity;
        b->finding.object = m->finding.object;
        b->finding.set_id = bytes(m->finding.set_id, 16);
        b->finding.text = m->finding.text;
        break;
    case SP_MSG_CHECK_DONE:
        b->check_done.objects = m->check_done.objects;
        b->check_done.packs = m->check_done.packs;
        b->check_done.packs_read = m->check_done.packs_read;
        b->check_done.bytes_read = m->check_done.bytes_read;
        b->check_done.sets = m->check_done.sets;
        b->check_done.chunks = m->check_done.chunks;
        b->check_done.faults = m->check_done.faults;
        break;
    case SP_MSG_ENROLL:
    case SP_MSG_ENROLL_REPLY:
        enrolment_of(m, b);
        break;
    case SP_MSG_ENROLL_END:
        b->enroll_end.record_len = m->enroll_end.record_len;
        b->enroll_end.n_slot_len = m->enroll_end.nslots;
        b->enroll_end.slot_len = m->enroll_end.slot_len;
        break;
    default: /* the others say nothing */
        break;
    }
}

/* Sentences are made presentable; names are not touched. */
static void
clean_texts(const struct sp_msg *from, struct sp_msg *m)
{
#define CLEAN(field) sp_text_clean(from->field, sizeof(from->field), m->field, sizeof(m->field))
    switch (m->type) {
    case SP_MSG_SERVER_HELLO:
        CLEAN(server_hello.reason);
        break;
    case SP_MSG_GOODBYE:
    case SP_MSG_ERROR:
        CLEAN(error.text);
        break;
    case SP_MSG_FINDING:
        CLEAN(finding.object);
        CLEAN(finding.text);
        break;
    default:
        break;
    }
#undef CLEAN
}

enum sp_code
sp_msg_encode(
    const struct sp_msg *m, size_t total, size_t offset, struct sp_buf *ret, struct sp_err *e)
{
    Sp__Wire__Header h = SP__WIRE__HEADER__INIT;
    Sp__Wire__Part part = SP__WIRE__PART__INIT;
    struct sp_msg copy = *m;
    struct body body;
    size_t n;

    clean_texts(m, &copy);
    if (!sp_msg_valid(&copy))
        return sp_fail(e, SP_INVALID, SP_DOM_SELF, "a %s that the protocol does not allow",
            sp_msg_info(m->type)->name);
    h.tag = copy.tag;
    if (offset > 0) {
        h.body_case = SP__WIRE__HEADER__BODY_PART;
        h.part = &part;
    } else {
        h.last = sp_msg_info(copy.type)->kind == SP_KIND_REPLY && copy.tag != 0;
        h.total = total > SP_FRAME_PAYLOAD_MAX ? (uint32_t)total : 0;
        memset(&body, 0, sizeof(body));
        switch (copy.type) {
#define X(type, field, message, snake)                                                             \
    case SP_MSG_##type:                                                                            \
        sp__wire__##snake##__init(&body.field);                                                    \
        h.body_case = SP__WIRE__HEADER__BODY_##type;                                               \
        h.field = &body.field;                                                                     \
        break;
            BODIES(X)
#undef X
        default:
            return sp_fail(e, SP_INTERNAL, SP_DOM_SELF, "a message of no type");
        }
        fill(&copy, &body);
    }
    n = sp__wire__header__get_packed_size(&h);
    if (n > SP_FRAME_HEADER_MAX)
        return sp_fail(e, SP_INTERNAL, SP_DOM_SELF, "the header of a %s is too long",
            sp_msg_info(m->type)->name);
    if (!sp_buf_reserve(ret, n))
        return sp_fail_nomem(e);
    ret->len += sp__wire__header__pack(&h, ret->data + ret->len);
    sp_wipe(&copy, sizeof(copy)); /* an enrolment's secret */
    return SP_OK;
}

/* --- from the wire ------------------------------------------------------------------------- */

/* protobuf-c allocates as the bytes tell it to: a header of 64 KiB could ask for some megabytes.
 * What an honest one needs is a few kilobytes. */
struct allowance {
    size_t left;
};
#define UNPACK_MEMORY_MAX ((size_t)256 << 10)

static void *
allow(void *arg, size_t n)
{
    struct allowance *a = arg;

    if (n > a->left)
        return NULL;
    a->left -= n;
    return malloc(n > 0 ? n : 1);
}

static void
release(void *arg, void *p)
{
    (void)arg;
    free(p);
}

static bool
get_text(char *to, size_t cap, const char *from)
{
    size_t n = from != NULL ? strlen(from) : 0;

    if (n >= cap)
        return false;
    if (n > 0)
        memcpy(to, from, n);
    to[n] = '\0';
    return true;
}
#define GET_TEXT(field, from) get_text(field, sizeof(field), from)

static bool
get_bytes(uint8_t *to, size_t n, const ProtobufCBinaryData *from)
{
    if (from->len != n)
        return false;
    if (n > 0)
        memcpy(to, from->data, n);
    return true;
}

/* n bytes or none. */
static bool
get_bytes_if(bool *ret_there, uint8_t *to, size_t n, const ProtobufCBinaryData *from)
{
    *ret_there = from->len > 0;
    return from->len == 0 || get_bytes(to, n, from);
}

static bool
get_features(struct sp_features *f, size_t n, char **from)
{
    if (n > SP_FEATURES_MAX)
        return false;
    f->n = n;
    for (size_t i = 0; i < n; i++)
        if (!GET_TEXT(f->name[i], from[i]))
            return false;
    return true;
}

/* A newer peer's codes are ours that say least. */
static bool
get_failure(struct sp_msg *m, const Sp__Wire__Failure *w)
{
    size_t code = (size_t)w->code, domain = (size_t)w->domain;

    m->error.code = code < NCODES ? codes[code] : SP_INTERNAL;
    m->error.domain = domain < NDOMAINS ? domains[domain] : SP_DOM_NONE;
    return GET_TEXT(m->error.text, w->text);
}

static bool
get_ack(struct sp_msg *m, const Sp__Wire__Ack *w)
{
    m->ack.data = w->data;
    m->ack.nodes = w->nodes;
    m->ack.credit = w->credit;
    return true;
}

static bool
get_hello(struct sp_msg *m, const Sp__Wire__Header *h)
{
    if (m->type == SP_MSG_SERVER_HELLO) {
        const Sp__Wire__ServerHello *w = h->server_hello;

        m->server_hello.major = w->major;
        m->server_hello.minor = w->minor;
        m->server_hello.time_ns = w->time_ns;
        m->server_hello.writable = w->writable;
        m->server_hello.renew_only = w->renew_only;
        m->server_hello.put_credit = w->put_credit;
        return get_features(&m->server_hello.features, w->n_features, w->features) &&
               GET_TEXT(m->server_hello.program, w->program) &&
               get_bytes(m->server_hello.host, 16, &w->host) &&
               GET_TEXT(m->server_hello.host_name, w->host_name) &&
               get_bytes_if(&m->server_hello.has_group, m->server_hello.group, 16, &w->group) &&
               GET_TEXT(m->server_hello.reason, w->reason);
    }
    m->client_hello.major = h->client_hello->major;
    m->client_hello.minor = h->client_hello->minor;
    m->client_hello.reply_credit = h->client_hello->reply_credit;
    return get_features(
               &m->client_hello.features, h->client_hello->n_features, h->client_hello->features) &&
           GET_TEXT(m->client_hello.program, h->client_hello->program) &&
           get_bytes_if(
               &m->client_hello.has_group, m->client_hello.group, 16, &h->client_hello->group);
}

static bool
get_enroll(struct sp_msg *m, const Sp__Wire__Enroll *w)
{
    bool has_proof;

    if (w->secret.len > sizeof(m->enroll.secret))
        return false;
    m->enroll.secret_len = (uint32_t)w->secret.len;
    return get_bytes(m->enroll.token_id, 8, &w->token_id) &&
           get_bytes(m->enroll.secret, w->secret.len, &w->secret) &&
           GET_TEXT(m->enroll.host_name, w->host_name) &&
           get_bytes(m->enroll.identity, 32, &w->identity) &&
           get_bytes_if(
               &m->enroll.has_invitation, m->enroll.invitation_id, 16, &w->invitation_id) &&
           get_bytes_if(&has_proof, m->enroll.invitation_proof, 32, &w->invitation_proof) &&
           has_proof == m->enroll.has_invitation;
}

static bool
get_enroll_reply(struct sp_msg *m, const Sp__Wire__EnrollReply *w)
{
    m->enroll_reply.chain_len = w->chain_len;
    m->enroll_reply.authority_len = w->authority_len;
    m->enroll_reply.conf_len = w->conf_len;
    m->enroll_reply.slot_len = w->slot_len;
    m->enroll_reply.record_len = w->record_len;
    return get_bytes(m->enroll_reply.host, 16, &w->host) &&
           GET_TEXT(m->enroll_reply.host_name, w->host_name) &&
           get_bytes_if(&m->enroll_reply.has_group, m->enroll_reply.group, 16, &w->group);
}

static bool
get_enroll_end(struct sp_msg *m, const Sp__Wire__EnrollEnd *w)
{
    if (w->n_slot_len > SP_ENROLL_SLOTS_MAX)
        return false;
    m->enroll_end.record_len = w->record_len;
    m->enroll_end.nslots = (uint32_t)w->n_slot_len;
    for (size_t i = 0; i < w->n_slot_len; i++)
        m->enroll_end.slot_len[i] = w->slot_len[i];
    return true;
}

/* false: a field is of the wrong length. */
static bool
get_body(struct sp_msg *m, const Sp__Wire__Header *h)
{
    switch (m->type) {
    case SP_MSG_SERVER_HELLO:
    case SP_MSG_CLIENT_HELLO:
        return get_hello(m, h);
    case SP_MSG_GOODBYE:
        return get_failure(m, h->goodbye);
    case SP_MSG_ERROR:
        return get_failure(m, h->error);
    case SP_MSG_PING:
        m->ping.nonce = h->ping->nonce;
        return true;
    case SP_MSG_PONG:
        m->ping.nonce = h->pong->nonce;
        return true;
    case SP_MSG_PUT:
        m->put.nodes = h->put->nodes;
        return true;
    case SP_MSG_CREDIT:
        m->credit.bytes = h->credit->bytes;
        return true;
    case SP_MSG_ACK:
        return get_ack(m, h->ack);
    case SP_MSG_FLUSHED:
        return get_ack(m, h->flushed);
    case SP_MSG_HAVE:
        m->have.nodes = h->have->nodes;
        return true;
    case SP_MSG_HEAD:
        return GET_TEXT(m->head.job, h->head->job);
    case SP_MSG_HEAD_REPLY:
        m->head_reply.has_set = h->head_reply->has_set;
        m->head_reply.set_whole = h->head_reply->set_whole;
        m->head_reply.has_checkpoint = h->head_reply->has_checkpoint;
        m->head_reply.checkpoint_whole = h->head_reply->checkpoint_whole;
        m->head_reply.set_len = h->head_reply->set_len;
        m->head_reply.checkpoint_len = h->head_reply->checkpoint_len;
        m->head_reply.more = h->head_reply->more;
        return true;
    case SP_MSG_COMMIT:
        m->commit.type = h->commit->type;
        return true;
    case SP_MSG_COMMIT_REPLY:
        m->commit_reply.published_ns = h->commit_reply->published_ns;
        m->commit_reply.more = h->commit_reply->more;
        return true;
    case SP_MSG_GET:
        m->get.copy = h->get->copy;
        return true;
    case SP_MSG_BLOCK:
        m->block.wanted = h->block->wanted;
        return true;
    case SP_MSG_LIST:
        m->list.all_hosts = h->list->all_hosts;
        m->list.checkpoints = h->list->checkpoints;
        return true;
    case SP_MSG_LIST_ITEM:
        m->list_item.type = h->list_item->type;
        m->list_item.published_ns = h->list_item->published_ns;
        return get_bytes(m->list_item.host, 16, &h->list_item->host) &&
               get_bytes(m->list_item.set_id, 16, &h->list_item->set_id);
    case SP_MSG_MISSING:
        return get_bytes(m->missing.set_id, 16, &h->missing->set_id);
    case SP_MSG_MISSING_REPLY:
        m->missing_reply.more = h->missing_reply->more;
        return true;
    case SP_MSG_SLOTS:
        return get_bytes_if(&m->slots.has_group, m->slots.group, 16, &h->slots->group);
    case SP_MSG_HOST:
        return get_bytes(m->host.host, 16, &h->host->host);
    case SP_MSG_CHECK:
        m->check.depth = h->check->depth;
        m->check.part = h->check->part;
        m->check.parts = h->check->parts;
        return true;
    case SP_MSG_FINDING:
        m->finding.severity = h->finding->severity;
        return GET_TEXT(m->finding.object, h->finding->object) &&
               get_bytes(m->finding.set_id, 16, &h->finding->set_id) &&
               GET_TEXT(m->finding.text, h->finding->text);
    case SP_MSG_CHECK_DONE:
        m->check_done.objects = h->check_done->objects;
        m->check_done.packs = h->check_done->packs;
        m->check_done.packs_read = h->check_done->packs_read;
        m->check_done.bytes_read = h->check_done->bytes_read;
        m->check_done.sets = h->check_done->sets;
        m->check_done.chunks = h->check_done->chunks;
        m->check_done.faults = h->check_done->faults;
        return true;
    case SP_MSG_ENROLL:
        return get_enroll(m, h->enroll);
    case SP_MSG_ENROLL_REPLY:
        return get_enroll_reply(m, h->enroll_reply);
    case SP_MSG_ENROLL_END:
        return get_enroll_end(m, h->enroll_end);
    default:
        return true;
    }
}

static enum sp_msg_type
type_of(const Sp__Wire__Header *h)
{
    switch (h->body_case) {
#define X(type, field, message, snake)                                                             \
    case SP__WIRE__HEADER__BODY_##type:                                                            \
        return h->field != NULL ? SP_MSG_##type : SP_MSG_NONE;
        BODIES(X)
#undef X
    default:
        return SP_MSG_NONE;
    }
}

enum sp_code
sp_msg_decode(const void *header, size_t n, struct sp_msg *ret, uint32_t *ret_total, bool *ret_part,
    struct sp_err *e)
{
    struct allowance memory = {UNPACK_MEMORY_MAX};
    ProtobufCAllocator allocator = {allow, release, &memory};
    Sp__Wire__Header *h = NULL;
    struct sp_msg m;
    bool part;
    enum sp_code rc = SP_OK;

    memset(&m, 0, sizeof(m));
    if (n > SP_FRAME_HEADER_MAX || (h = sp__wire__header__unpack(&allocator, n, header)) == NULL) {
        rc = sp_fail(e, SP_PROTOCOL, SP_DOM_NET, "a frame whose header cannot be read");
        goto out;
    }
    m.tag = h->tag;
    part = h->body_case == SP__WIRE__HEADER__BODY_PART;
    if (!part) {
        m.type = type_of(h);
        m.last = h->last;
        if (m.type == SP_MSG_NONE) {
            rc = sp_fail(e, SP_PROTOCOL, SP_DOM_NET, "a frame of an unknown type");
            goto out;
        }
        if (!get_body(&m, h) || !sp_msg_valid(&m) ||
            m.last != (sp_msg_info(m.type)->kind == SP_KIND_REPLY && m.tag != 0)) {
            rc = sp_fail(e, SP_PROTOCOL, SP_DOM_NET, "a %s with a field that cannot be",
                sp_msg_info(m.type)->name);
            goto out;
        }
    }
    *ret = m;
    *ret_total = h->total;
    *ret_part = part;
out:
    sp__wire__header__free_unpacked(h, &allocator);
    sp_wipe(&m, sizeof(m));
    return rc;
}
