#include "support.h"

#include "base/random.h"

struct chance
chance_new(const char *test)
{
    struct chance c;
    const char *said = getenv("SP_SEED");
    struct sp_err e = {0};

    if (said != NULL)
        c.state = strtoull(said, NULL, 0);
    else if (sp_random_fill(&sp_random_system, &c.state, sizeof(c.state), &e) != SP_OK)
        fail_msg("%s", e.text);
    print_message("%s: SP_SEED=0x%llx\n", test, (unsigned long long)c.state);
    return c;
}

uint64_t
chance_u64(struct chance *c)
{
    uint64_t v;

    chance_fill(c, &v, sizeof(v));
    return v;
}

size_t
chance_below(struct chance *c, size_t n)
{
    return (size_t)(chance_u64(c) % n);
}

void
chance_fill(struct chance *c, void *to, size_t n)
{
    struct sp_random_seeded seeded = {c->state};
    struct sp_random r = sp_random_seeded_of(&seeded);
    struct sp_err e = {0};

    assert_int_equal(sp_random_fill(&r, to, n, &e), SP_OK);
    c->state = seeded.state;
}

/* A name of 1 … cap - 1 bytes, with a letter of two bytes in it now and then. */
static void
any_text(struct chance *c, char *to, size_t cap)
{
    size_t n = 1 + chance_below(c, cap - 1);

    for (size_t i = 0; i < n; i++)
        to[i] = (char)('a' + chance_below(c, 26));
    if (n > 2 && chance_below(c, 2) == 0)
        memcpy(to, "\xc3\xa4", 2);
    to[n] = '\0';
}
#define ANY_TEXT(field) any_text(c, field, sizeof(field))
#define ANY_BYTES(field) chance_fill(c, field, sizeof(field))
#define ANY_BOOL() (chance_below(c, 2) == 1)
#define ANY_U32() ((uint32_t)chance_u64(c))

static void
any_features(struct chance *c, struct sp_features *f)
{
    size_t n = chance_below(c, SP_FEATURES_MAX + 1);
    struct sp_err e = {0};
    char name[32];

    for (size_t i = 0; i < n; i++) {
        (void)snprintf(name, sizeof(name), "f-%zu", i);
        assert_int_equal(sp_features_add(f, name, &e), SP_OK);
    }
}

static void
any_hello(struct chance *c, struct sp_msg *m)
{
    if (m->type == SP_MSG_SERVER_HELLO) {
        m->server_hello.major = ANY_U32();
        m->server_hello.minor = ANY_U32();
        any_features(c, &m->server_hello.features);
        ANY_TEXT(m->server_hello.program);
        m->server_hello.time_ns = (int64_t)chance_u64(c);
        ANY_BYTES(m->server_hello.host);
        ANY_TEXT(m->server_hello.host_name);
        if ((m->server_hello.has_group = ANY_BOOL()))
            ANY_BYTES(m->server_hello.group);
        if (!(m->server_hello.writable = ANY_BOOL()))
            ANY_TEXT(m->server_hello.reason);
        m->server_hello.renew_only = ANY_BOOL();
        m->server_hello.put_credit = ANY_U32();
        return;
    }
    m->client_hello.major = ANY_U32();
    m->client_hello.minor = ANY_U32();
    any_features(c, &m->client_hello.features);
    ANY_TEXT(m->client_hello.program);
    if ((m->client_hello.has_group = ANY_BOOL()))
        ANY_BYTES(m->client_hello.group);
    m->client_hello.reply_credit = ANY_U32();
}

/* The parts of an ENROLL_REPLY or ENROLL_END; gives their sum. */
static size_t
any_enrolment(struct chance *c, struct sp_msg *m)
{
    size_t sum;

    if (m->type == SP_MSG_ENROLL_REPLY) {
        ANY_BYTES(m->enroll_reply.host);
        ANY_TEXT(m->enroll_reply.host_name);
        if ((m->enroll_reply.has_group = ANY_BOOL()))
            ANY_BYTES(m->enroll_reply.group);
        m->enroll_reply.chain_len = 1 + (uint32_t)chance_below(c, 2000);
        m->enroll_reply.authority_len = 1 + (uint32_t)chance_below(c, 1000);
        m->enroll_reply.conf_len = (uint32_t)chance_below(c, 300);
        m->enroll_reply.slot_len = ANY_BOOL() ? (uint32_t)chance_below(c, 300) : 0;
        m->enroll_reply.record_len = ANY_BOOL() ? (uint32_t)chance_below(c, 300) : 0;
        return (size_t)m->enroll_reply.chain_len + m->enroll_reply.authority_len +
               m->enroll_reply.conf_len + m->enroll_reply.slot_len + m->enroll_reply.record_len;
    }
    sum = m->enroll_end.record_len = 1 + (uint32_t)chance_below(c, 500);
    m->enroll_end.nslots = (uint32_t)chance_below(c, SP_ENROLL_SLOTS_MAX + 1);
    for (uint32_t i = 0; i < m->enroll_end.nslots; i++)
        sum += m->enroll_end.slot_len[i] = 1 + (uint32_t)chance_below(c, 300);
    return sum;
}

void
any_message(
    struct chance *c, enum sp_msg_type type, size_t most, struct sp_msg *ret, size_t *ret_payload)
{
    const struct sp_msg_info *info = sp_msg_info(type);
    struct sp_msg *m = ret;
    size_t max = info->payload_max < most ? info->payload_max : most, n;

    memset(m, 0, sizeof(*m));
    m->type = type;
    if (info->kind == SP_KIND_REQUEST || info->kind == SP_KIND_REPLY ||
        info->kind == SP_KIND_ITEM || type == SP_MSG_CANCEL)
        m->tag = 1 + ANY_U32() % 1000000;
    m->last = info->kind == SP_KIND_REPLY;
    if (max < info->payload_min)
        max = info->payload_min;
    n = info->payload_min + chance_below(c, max - info->payload_min + 1);
    n -= n % info->payload_unit;
    switch (type) {
    case SP_MSG_SERVER_HELLO:
    case SP_MSG_CLIENT_HELLO:
        any_hello(c, m);
        break;
    case SP_MSG_GOODBYE:
    case SP_MSG_ERROR:
        m->error.code = (enum sp_code)(1 + chance_below(c, SP_INTERNAL));
        m->error.domain = (enum sp_domain)chance_below(c, SP_DOM_SELF + 1);
        ANY_TEXT(m->error.text);
        break;
    case SP_MSG_PING:
    case SP_MSG_PONG:
        m->ping.nonce = chance_u64(c);
        break;
    case SP_MSG_PUT:
        m->put.nodes = ANY_BOOL();
        break;
    case SP_MSG_CREDIT:
        m->credit.bytes = ANY_U32();
        break;
    case SP_MSG_ACK:
    case SP_MSG_FLUSHED:
        m->ack.data = chance_u64(c);
        m->ack.nodes = chance_u64(c);
        m->ack.credit = ANY_U32();
        break;
    case SP_MSG_HAVE:
        m->have.nodes = ANY_BOOL();
        break;
    case SP_MSG_HEAD:
        ANY_TEXT(m->head.job);
        break;
    case SP_MSG_HEAD_REPLY:
        if ((m->head_reply.has_set = ANY_BOOL()))
            m->head_reply.set_len = 1 + (uint32_t)chance_below(c, 1000);
        if ((m->head_reply.has_checkpoint = ANY_BOOL()))
            m->head_reply.checkpoint_len = 1 + (uint32_t)chance_below(c, 1000);
        m->head_reply.set_whole = ANY_BOOL();
        m->head_reply.checkpoint_whole = ANY_BOOL();
        m->head_reply.more = ANY_BOOL();
        n = m->head_reply.set_len + m->head_reply.checkpoint_len + 32 * chance_below(c, 5);
        break;
    case SP_MSG_COMMIT:
        m->commit.type = 1 + (uint32_t)chance_below(c, 2);
        break;
    case SP_MSG_COMMIT_REPLY:
        m->commit_reply.published_ns = (int64_t)chance_u64(c);
        m->commit_reply.more = ANY_BOOL();
        break;
    case SP_MSG_GET:
        m->get.copy = ANY_U32();
        break;
    case SP_MSG_BLOCK:
        m->block.wanted = 1 + (uint32_t)chance_below(c, 50);
        n = 4 * (size_t)m->block.wanted + 1 + chance_below(c, most);
        break;
    case SP_MSG_LIST:
        m->list.all_hosts = ANY_BOOL();
        m->list.checkpoints = ANY_BOOL();
        break;
    case SP_MSG_LIST_ITEM:
        m->list_item.type = 1 + (uint32_t)chance_below(c, 2);
        m->list_item.published_ns = (int64_t)chance_u64(c);
        ANY_BYTES(m->list_item.host);
        ANY_BYTES(m->list_item.set_id);
        break;
    case SP_MSG_MISSING:
        ANY_BYTES(m->missing.set_id);
        break;
    case SP_MSG_MISSING_REPLY:
        m->missing_reply.more = ANY_BOOL();
        break;
    case SP_MSG_SLOTS:
        if ((m->slots.has_group = ANY_BOOL()))
            ANY_BYTES(m->slots.group);
        break;
    case SP_MSG_HOST:
        ANY_BYTES(m->host.host);
        break;
    case SP_MSG_CHECK:
        m->check.depth = (uint32_t)chance_below(c, 2);
        if (ANY_BOOL()) {
            m->check.parts = 1 + (uint32_t)chance_below(c, 100);
            m->check.part = 1 + (uint32_t)chance_below(c, m->check.parts);
        }
        break;
    case SP_MSG_FINDING:
        m->finding.severity = (uint32_t)chance_below(c, 2);
        ANY_TEXT(m->finding.object);
        ANY_BYTES(m->finding.set_id);
        ANY_TEXT(m->finding.text);
        break;
    case SP_MSG_CHECK_DONE:
        m->check_done.objects = chance_u64(c);
        m->check_done.packs = chance_u64(c);
        m->check_done.packs_read = chance_u64(c);
        m->check_done.bytes_read = chance_u64(c);
        m->check_done.sets = chance_u64(c);
        m->check_done.chunks = chance_u64(c);
        m->check_done.faults = chance_u64(c);
        break;
    case SP_MSG_ENROLL:
        ANY_BYTES(m->enroll.token_id);
        m->enroll.secret_len =
            SP_TOKEN_SECRET_MIN +
            (uint32_t)chance_below(c, SP_TOKEN_SECRET_MAX - SP_TOKEN_SECRET_MIN + 1);
        chance_fill(c, m->enroll.secret, m->enroll.secret_len);
        ANY_TEXT(m->enroll.host_name);
        ANY_BYTES(m->enroll.identity);
        if ((m->enroll.has_invitation = ANY_BOOL())) {
            ANY_BYTES(m->enroll.invitation_id);
            ANY_BYTES(m->enroll.invitation_proof);
        }
        break;
    case SP_MSG_ENROLL_REPLY:
    case SP_MSG_ENROLL_END:
        n = any_enrolment(c, m);
        break;
    default:
        break;
    }
    *ret_payload = n;
}

uint8_t *
any_payload(size_t n)
{
    uint8_t *p = n > 0 ? malloc(n) : NULL;

    if (n > 0)
        assert_non_null(p);
    for (size_t i = 0; i < n; i++)
        p[i] = (uint8_t)(i * 7 + (i >> 8));
    return p;
}

/* The messages come from memory that was zeroed, and the encoder fills in nothing but `last`: so
 * all their bytes are equal when all their fields are. */
void
assert_same_message(const struct sp_msg *a, const struct sp_msg *b)
{
    assert_memory_equal(a, b, sizeof(*a));
}
