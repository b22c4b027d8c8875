/* What is true of each message: who sends it, when, with how much payload, and which values its
 * fields may have. See message.h; how it looks on the wire is in message.c. */

#include "proto/message.h"

#include <string.h>

#include "base/utf.h"
#include "proto/text.h"

#define ID 32
#define IDS (ID * SP_IDS_MAX)

enum { CLIENT = 1, SERVER = 2, BOTH = CLIENT | SERVER };
enum { NORMAL = 1, ENROLLING = 2, ANY = NORMAL | ENROLLING };

#define ROW(name_, kind_, from_, when_, min_, max_, unit_)                                         \
    {                                                                                              \
        name_, SP_KIND_##kind_, ((from_)&CLIENT) != 0, ((from_)&SERVER) != 0,                      \
            ((when_)&ENROLLING) != 0, ((when_)&NORMAL) != 0, min_, max_, unit_                     \
    }

static const struct sp_msg_info table[SP_MSG_TYPES] = {
    [SP_MSG_NONE] = {"", SP_KIND_NONE, false, false, false, false, 0, 0, 1},
    [SP_MSG_SERVER_HELLO] = ROW("ServerHello", HELLO, SERVER, ANY, 0, SP_CONF_MAX, 1),
    [SP_MSG_CLIENT_HELLO] = ROW("ClientHello", HELLO, CLIENT, ANY, 0, 0, 1),
    [SP_MSG_GOODBYE] = ROW("Goodbye", CONTROL, BOTH, ANY, 0, 0, 1),
    [SP_MSG_PING] = ROW("Ping", CONTROL, BOTH, ANY, 0, 0, 1),
    [SP_MSG_PONG] = ROW("Pong", CONTROL, BOTH, ANY, 0, 0, 1),
    [SP_MSG_PUT] = ROW("Put", CONTROL, CLIENT, NORMAL, 1, SP_BLOCK_MAX, 1),
    [SP_MSG_CREDIT] = ROW("Credit", CONTROL, CLIENT, NORMAL, 0, 0, 1),
    [SP_MSG_CANCEL] = ROW("Cancel", CONTROL, CLIENT, NORMAL, 0, 0, 1),
    [SP_MSG_ACK] = ROW("Ack", CONTROL, SERVER, NORMAL, 0, 0, 1),

    [SP_MSG_FLUSH] = ROW("Flush", REQUEST, CLIENT, NORMAL, 0, 0, 1),
    [SP_MSG_HAVE] = ROW("Have", REQUEST, CLIENT, NORMAL, ID, IDS, ID),
    [SP_MSG_HEAD] = ROW("Head", REQUEST, CLIENT, NORMAL, 0, 0, 1),
    [SP_MSG_COMMIT] = ROW("Commit", REQUEST, CLIENT, NORMAL, 1, SP_RECORD_MAX, 1),
    [SP_MSG_GET] = ROW("Get", REQUEST, CLIENT, NORMAL, ID, IDS, ID),
    [SP_MSG_LIST] = ROW("List", REQUEST, CLIENT, NORMAL, 0, 0, 1),
    [SP_MSG_MISSING] = ROW("Missing", REQUEST, CLIENT, NORMAL, 0, 0, 1),
    [SP_MSG_SLOTS] = ROW("Slots", REQUEST, CLIENT, NORMAL, 0, 0, 1),
    [SP_MSG_PUT_SLOT] = ROW("PutSlot", REQUEST, CLIENT, NORMAL, 1, SP_SLOT_MAX, 1),
    [SP_MSG_HOST] = ROW("Host", REQUEST, CLIENT, NORMAL, 0, 0, 1),
    [SP_MSG_HOST_PUT] = ROW("HostPut", REQUEST, CLIENT, NORMAL, 1, SP_HOST_RECORD_MAX, 1),
    [SP_MSG_CHECK] = ROW("Check", REQUEST, CLIENT, NORMAL, 0, 0, 1),
    [SP_MSG_RENEW] = ROW("Renew", REQUEST, CLIENT, NORMAL, 1, SP_CSR_MAX, 1),
    [SP_MSG_ENROLL] = ROW("Enroll", REQUEST, CLIENT, ENROLLING, 1, SP_CSR_MAX, 1),
    [SP_MSG_ENROLL_END] = ROW("EnrollEnd", REQUEST, CLIENT, ENROLLING, 1,
        SP_HOST_RECORD_MAX + SP_ENROLL_SLOTS_MAX * SP_SLOT_MAX, 1),
    [SP_MSG_COMPLETE] = ROW("Complete", REQUEST, CLIENT, NORMAL, 1, SP_RECORD_MAX, 1),

    [SP_MSG_ERROR] = ROW("Error", REPLY, SERVER, ANY, 0, 0, 1),
    [SP_MSG_DONE] = ROW("Done", REPLY, SERVER, ANY, 0, 0, 1),
    [SP_MSG_FLUSHED] = ROW("Flushed", REPLY, SERVER, NORMAL, 0, 0, 1),
    [SP_MSG_HAVE_REPLY] = ROW("HaveReply", REPLY, SERVER, NORMAL, 1, SP_IDS_MAX, 1),
    [SP_MSG_HEAD_REPLY] = ROW("HeadReply", REPLY, SERVER, NORMAL, 0, 2 * SP_RECORD_MAX + IDS, 1),
    [SP_MSG_COMMIT_REPLY] = ROW("CommitReply", REPLY, SERVER, NORMAL, 0, IDS, ID),
    [SP_MSG_MISSING_REPLY] = ROW("MissingReply", REPLY, SERVER, NORMAL, 0, IDS, ID),
    [SP_MSG_HOST_REPLY] = ROW("HostReply", REPLY, SERVER, NORMAL, 1, SP_HOST_RECORD_MAX, 1),
    [SP_MSG_CHECK_DONE] = ROW("CheckDone", REPLY, SERVER, NORMAL, 0, 0, 1),
    [SP_MSG_RENEW_REPLY] = ROW("RenewReply", REPLY, SERVER, NORMAL, 1, SP_CHAIN_MAX, 1),
    [SP_MSG_ENROLL_REPLY] = ROW("EnrollReply", REPLY, SERVER, ENROLLING, 1,
        2 * SP_CHAIN_MAX + SP_CONF_MAX + SP_SLOT_MAX + SP_HOST_RECORD_MAX, 1),

    [SP_MSG_BLOCK] = ROW("Block", ITEM, SERVER, NORMAL, 5, 4 * SP_IDS_MAX + SP_BLOCK_MAX, 1),
    [SP_MSG_LIST_ITEM] = ROW("ListItem", ITEM, SERVER, NORMAL, 1, SP_RECORD_MAX, 1),
    [SP_MSG_SLOT] = ROW("Slot", ITEM, SERVER, NORMAL, 1, SP_SLOT_MAX, 1),
    [SP_MSG_FINDING] = ROW("Finding", ITEM, SERVER, NORMAL, 0, IDS, ID),
};

_Static_assert(2 * SP_RECORD_MAX + IDS <= SP_PAYLOAD_MAX, "every payload has its bound");
/* A client may hold back an eighth. */
_Static_assert(SP_RECORD_MAX <= SP_REPLY_CREDIT_MIN - SP_REPLY_CREDIT_MIN / 8, "a record fits");
_Static_assert(
    4 * SP_IDS_MAX + SP_BLOCK_MAX <= SP_RECORD_MAX, "a block is no longer than a record");
_Static_assert(SP_BLOCK_MAX <= SP_PUT_CREDIT_MIN, "every block fits into the least credit");
_Static_assert(SP_BLOCK_MAX <= SP_FRAME_PAYLOAD_MAX, "a put is one frame");

/* Request → what may answer it beside ERROR: the reply, and the item when it is streamed. */
static const struct {
    enum sp_msg_type request, reply, item;
} answers[] = {
    {SP_MSG_FLUSH, SP_MSG_FLUSHED, SP_MSG_NONE},
    {SP_MSG_HAVE, SP_MSG_HAVE_REPLY, SP_MSG_NONE},
    {SP_MSG_HEAD, SP_MSG_HEAD_REPLY, SP_MSG_NONE},
    {SP_MSG_COMMIT, SP_MSG_COMMIT_REPLY, SP_MSG_NONE},
    {SP_MSG_GET, SP_MSG_DONE, SP_MSG_BLOCK},
    {SP_MSG_LIST, SP_MSG_DONE, SP_MSG_LIST_ITEM},
    {SP_MSG_MISSING, SP_MSG_MISSING_REPLY, SP_MSG_NONE},
    {SP_MSG_SLOTS, SP_MSG_DONE, SP_MSG_SLOT},
    {SP_MSG_PUT_SLOT, SP_MSG_DONE, SP_MSG_NONE},
    {SP_MSG_HOST, SP_MSG_HOST_REPLY, SP_MSG_NONE},
    {SP_MSG_HOST_PUT, SP_MSG_DONE, SP_MSG_NONE},
    {SP_MSG_CHECK, SP_MSG_CHECK_DONE, SP_MSG_FINDING},
    {SP_MSG_RENEW, SP_MSG_RENEW_REPLY, SP_MSG_NONE},
    {SP_MSG_ENROLL, SP_MSG_ENROLL_REPLY, SP_MSG_NONE},
    {SP_MSG_ENROLL_END, SP_MSG_DONE, SP_MSG_NONE},
    {SP_MSG_COMPLETE, SP_MSG_DONE, SP_MSG_NONE},
};

const struct sp_msg_info *
sp_msg_info(enum sp_msg_type type)
{
    return &table[(unsigned)type < SP_MSG_TYPES ? type : SP_MSG_NONE];
}

bool
sp_msg_answers(enum sp_msg_type request, enum sp_msg_type reply)
{
    if (sp_msg_info(request)->kind != SP_KIND_REQUEST || reply == SP_MSG_NONE)
        return false;
    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++)
        if (answers[i].request == request)
            return reply == SP_MSG_ERROR || reply == answers[i].reply || reply == answers[i].item;
    return false;
}

/* --- fields -------------------------------------------------------------------------------- */

static bool
features_valid(const struct sp_features *f)
{
    if (f->n > SP_FEATURES_MAX)
        return false;
    for (size_t i = 0; i < f->n; i++)
        if (f->name[i][0] == '\0' || !sp_text_word(f->name[i], sizeof(f->name[i])))
            return false;
    return true;
}

static bool
record_type_valid(uint32_t type)
{
    return type == 1 || type == 2;
}

#define TEXT(field) sp_text_plain(field, sizeof(field))

static bool
fields_valid(const struct sp_msg *m)
{
    switch (m->type) {
    case SP_MSG_SERVER_HELLO:
        return features_valid(&m->server_hello.features) && TEXT(m->server_hello.program) &&
               TEXT(m->server_hello.host_name) && TEXT(m->server_hello.reason);
    case SP_MSG_CLIENT_HELLO:
        return features_valid(&m->client_hello.features) && TEXT(m->client_hello.program);
    case SP_MSG_GOODBYE:
        return TEXT(m->error.text);
    case SP_MSG_ERROR:
        return m->error.code != SP_OK && TEXT(m->error.text);
    case SP_MSG_HEAD:
        return m->head.job[0] != '\0' && TEXT(m->head.job);
    case SP_MSG_HEAD_REPLY:
        return m->head_reply.has_set == (m->head_reply.set_len > 0) &&
               m->head_reply.has_checkpoint == (m->head_reply.checkpoint_len > 0);
    case SP_MSG_COMMIT:
        return record_type_valid(m->commit.type);
    case SP_MSG_BLOCK:
        return m->block.wanted >= 1 && m->block.wanted <= SP_IDS_MAX;
    case SP_MSG_LIST_ITEM:
        return record_type_valid(m->list_item.type) || m->list_item.type == 3;
    case SP_MSG_CHECK:
        return m->check.depth <= 1 && m->check.part <= m->check.parts &&
               (m->check.part == 0) == (m->check.parts == 0);
    case SP_MSG_FINDING:
        return m->finding.severity <= 1 && TEXT(m->finding.object) && TEXT(m->finding.text);
    case SP_MSG_ENROLL:
        return m->enroll.secret_len >= SP_TOKEN_SECRET_MIN &&
               m->enroll.secret_len <= SP_TOKEN_SECRET_MAX && m->enroll.host_name[0] != '\0' &&
               TEXT(m->enroll.host_name);
    case SP_MSG_ENROLL_REPLY:
        return m->enroll_reply.host_name[0] != '\0' && TEXT(m->enroll_reply.host_name);
    case SP_MSG_ENROLL_END:
        return m->enroll_end.nslots <= SP_ENROLL_SLOTS_MAX;
    default:
        return true;
    }
}

bool
sp_msg_valid(const struct sp_msg *m)
{
    const struct sp_msg_info *info = sp_msg_info(m->type);

    if (info->kind == SP_KIND_NONE)
        return false;
    /* An error without a tag speaks of the uploads. */
    if (m->type != SP_MSG_ERROR) {
        bool tagged = info->kind == SP_KIND_REQUEST || info->kind == SP_KIND_REPLY ||
                      info->kind == SP_KIND_ITEM || m->type == SP_MSG_CANCEL;
        if (tagged != (m->tag != 0))
            return false;
    }
    return fields_valid(m);
}

/* --- payload ------------------------------------------------------------------------------- */

/* The parts that the message names are within their own limits, and the payload is made of them. */
static bool
parts_valid(const struct sp_msg *m, uint64_t n)
{
    uint64_t sum = 0;

    switch (m->type) {
    case SP_MSG_HEAD_REPLY:
        if (m->head_reply.set_len > SP_RECORD_MAX || m->head_reply.checkpoint_len > SP_RECORD_MAX)
            return false;
        sum = (uint64_t)m->head_reply.set_len + m->head_reply.checkpoint_len;
        return sum <= n && (n - sum) % ID == 0 && (n - sum) / ID <= SP_IDS_MAX;
    case SP_MSG_BLOCK:
        sum = (uint64_t)m->block.wanted * 4;
        return sum < n && n - sum <= SP_BLOCK_MAX;
    case SP_MSG_ENROLL_REPLY:
        if (m->enroll_reply.chain_len == 0 || m->enroll_reply.chain_len > SP_CHAIN_MAX ||
            m->enroll_reply.authority_len == 0 || m->enroll_reply.authority_len > SP_CHAIN_MAX ||
            m->enroll_reply.conf_len > SP_CONF_MAX || m->enroll_reply.slot_len > SP_SLOT_MAX ||
            m->enroll_reply.record_len > SP_HOST_RECORD_MAX)
            return false;
        return n == (uint64_t)m->enroll_reply.chain_len + m->enroll_reply.authority_len +
                        m->enroll_reply.conf_len + m->enroll_reply.slot_len +
                        m->enroll_reply.record_len;
    case SP_MSG_ENROLL_END:
        if (m->enroll_end.record_len == 0 || m->enroll_end.record_len > SP_HOST_RECORD_MAX)
            return false;
        sum = m->enroll_end.record_len;
        for (uint32_t i = 0; i < m->enroll_end.nslots; i++) {
            if (m->enroll_end.slot_len[i] == 0 || m->enroll_end.slot_len[i] > SP_SLOT_MAX)
                return false;
            sum += m->enroll_end.slot_len[i];
        }
        return n == sum;
    default:
        return true;
    }
}

enum sp_code
sp_msg_check_payload(const struct sp_msg *m, size_t payload_len, struct sp_err *e)
{
    const struct sp_msg_info *info = sp_msg_info(m->type);

    if (payload_len < info->payload_min || payload_len > info->payload_max)
        return sp_fail(e, SP_PROTOCOL, SP_DOM_NET,
            "a %s with a payload of %zu bytes; it has %u to %u", info->name, payload_len,
            (unsigned)info->payload_min, (unsigned)info->payload_max);
    if (payload_len % info->payload_unit != 0 || !parts_valid(m, payload_len))
        return sp_fail(e, SP_PROTOCOL, SP_DOM_NET,
            "the payload of a %s is not made of the parts that it names", info->name);
    return SP_OK;
}

/* --- features and errors ------------------------------------------------------------------- */

bool
sp_features_have(const struct sp_features *f, const char *name)
{
    for (size_t i = 0; i < f->n && i < SP_FEATURES_MAX; i++)
        if (strcmp(f->name[i], name) == 0)
            return true;
    return false;
}

enum sp_code
sp_features_add(struct sp_features *f, const char *name, struct sp_err *e)
{
    size_t n = strlen(name);

    if (n == 0 || n > SP_FEATURE_MAX || !sp_text_word(name, n + 1))
        return sp_fail(e, SP_INVALID, SP_DOM_SELF, "a feature's name must be a short word");
    if (sp_features_have(f, name))
        return SP_OK;
    if (f->n >= SP_FEATURES_MAX)
        return sp_fail(e, SP_INVALID, SP_DOM_SELF, "more than %d features", SP_FEATURES_MAX);
    memcpy(f->name[f->n++], name, n + 1);
    return SP_OK;
}

_Static_assert(SP_TEXT_MAX + 1 == SP_ERR_TEXT, "a sentence of the protocol is one of err.h");

void
sp_msg_set_error(struct sp_msg *m, enum sp_msg_type type, const struct sp_err *from)
{
    uint32_t tag = m->tag;

    memset(m, 0, sizeof(*m));
    m->type = type;
    m->tag = tag;
    m->error.code = from->code;
    m->error.domain = from->domain;
    memcpy(m->error.text, from->text, sizeof(m->error.text));
    m->error.text[SP_TEXT_MAX] = '\0';
}

enum sp_code
sp_msg_get_error(const struct sp_msg *m, struct sp_err *ret)
{
    /* Foreign text is data, never a format. */
    return sp_fail(ret, m->error.code, m->error.domain, "%s", m->error.text);
}
