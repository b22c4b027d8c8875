#include "member.h"

#include "storage/compress.h"
#include "storage/crypto.h"

void
member_make(struct member *m, const struct member *group_of)
{
    struct sp_buf secrets = SP_BUF_INIT;

    memset(m, 0, sizeof(*m));
    assert_ok(sp_random_fill(&sp_random_system, m->secret, sizeof(m->secret), e));
    assert_ok(sp_ed25519_public(m->secret, m->identity, e));
    assert_ok(sp_cert_key(&m->tls_key, e));
    if (group_of == NULL) {
        assert_ok(sp_keys_generate(&sp_random_system, &m->keys, e));
    } else {
        assert_ok(sp_keys_encode(group_of->keys, &secrets, e));
        assert_ok(sp_keys_decode(secrets.data, secrets.len, &m->keys, e));
        sp_buf_wipe(&secrets);
    }
    memcpy(m->group, sp_keys_group(m->keys), 16);
    assert_ok(sp_sealer_new(m->keys, &sp_random_system, &m->sealer, e));
    assert_ok(sp_compressor_new(3, &m->compressor, e));
    assert_ok(sp_opener_new(m->keys, &m->opener, e));
    assert_ok(sp_hasher_new(m->keys, &m->hasher, e));
    m->seed.state = sp_le64(m->secret);
    m->random = sp_random_seeded_of(&m->seed);
}

void
member_clear(struct member *m)
{
    sp_hasher_free(m->hasher);
    sp_opener_free(m->opener);
    sp_compressor_free(m->compressor);
    sp_sealer_free(m->sealer);
    sp_keys_free(m->keys);
    sp_pem_free(m->tls_key);
    free(m->tls_chain);
    memset(m, 0, sizeof(*m));
}

void
member_csr(const struct member *m, char **ret)
{
    assert_ok(sp_cert_request(m->tls_key, ret, e));
}

void
member_enroll_message(
    const struct member *m, const struct sp_token *t, const uint8_t *invitation, struct sp_msg *ret)
{
    memset(ret, 0, sizeof(*ret));
    ret->type = SP_MSG_ENROLL;
    ret->tag = 1;
    memcpy(ret->enroll.token_id, t->id, sizeof(t->id));
    ret->enroll.secret_len = (uint32_t)t->secret_len;
    memcpy(ret->enroll.secret, t->secret, t->secret_len);
    memcpy(ret->enroll.host_name, "whatever", 9);
    memcpy(ret->enroll.identity, m->identity, 32);
    if (invitation != NULL) {
        ret->enroll.has_invitation = true;
        assert_ok(sp_invitation_public(
            invitation, ret->enroll.invitation_id, ret->enroll.invitation_proof, e));
    }
}

void
member_take_reply(struct member *m, const struct sp_msg *reply, const uint8_t *payload, size_t n)
{
    assert_int_equal(reply->type, SP_MSG_ENROLL_REPLY);
    assert_int_equal(n, (size_t)reply->enroll_reply.chain_len + reply->enroll_reply.authority_len +
                            reply->enroll_reply.conf_len + reply->enroll_reply.slot_len +
                            reply->enroll_reply.record_len);
    memcpy(m->host, reply->enroll_reply.host, 16);
    (void)snprintf(m->name, sizeof(m->name), "%.63s", reply->enroll_reply.host_name);
    free(m->tls_chain);
    m->tls_chain = strndup((const char *)payload, reply->enroll_reply.chain_len);
    assert_non_null(m->tls_chain);
    if (reply->enroll_reply.has_group)
        assert_memory_equal(m->group, reply->enroll_reply.group, 16);
}

void
member_record(const struct member *m, struct sp_buf *ret)
{
    struct sp_host h;

    memset(&h, 0, sizeof(h));
    memcpy(h.id, m->host, 16);
    memcpy(h.group, m->group, 16);
    (void)snprintf(h.name, sizeof(h.name), "%s", m->name);
    h.nkeys = 1;
    memcpy(h.keys[0], m->identity, 32);
    assert_ok(sp_host_encode(&h, m->keys, ret, e));
}

void
member_end_message(
    const struct member *m, unsigned slots, struct sp_msg *ret, struct sp_buf *payload)
{
    uint8_t recipient[32] = {9};
    size_t before;

    memset(ret, 0, sizeof(*ret));
    ret->type = SP_MSG_ENROLL_END;
    ret->tag = 2;
    member_record(m, payload);
    ret->enroll_end.record_len = (uint32_t)payload->len;
    for (; ret->enroll_end.nslots < slots; ret->enroll_end.nslots++) {
        before = payload->len;
        assert_ok(sp_slot_seal_recovery(m->keys, recipient, "test", sp_clock_wall(&sp_clock_system),
            &sp_random_system, payload, e));
        ret->enroll_end.slot_len[ret->enroll_end.nslots] = (uint32_t)(payload->len - before);
    }
}

void
member_block(struct member *m, enum sp_block_kind kind, const struct sp_id *refs, size_t nrefs,
    const void *p, size_t n, struct sp_buf *ret, struct sp_id *ret_id)
{
    enum sp_chunk_kind chunk = kind == SP_BLOCK_NODES ? SP_CHUNK_TREE : SP_CHUNK_DATA;
    struct sp_block_builder *b = NULL;
    uint8_t *bytes = NULL;

    if (p == NULL) {
        bytes = malloc(n + 1);
        assert_non_null(bytes);
        assert_ok(sp_random_fill(&m->random, bytes, n, e));
        p = bytes;
    }
    assert_ok(sp_hasher_id(m->hasher, chunk, refs, nrefs, p, n, ret_id, e));
    assert_ok(sp_block_builder_new(kind, &b, e));
    assert_ok(sp_block_builder_add(b, chunk, ret_id, refs, nrefs, p, n, e));
    assert_ok(sp_block_seal(m->sealer, m->compressor, m->opener, b, ret, e));
    sp_block_builder_free(b);
    free(bytes);
}

void
member_set(struct member *m, enum sp_record_type type, const char *job, uint64_t sequence,
    const uint8_t *previous, const struct sp_id *root, struct sp_buf *ret, uint8_t ret_set_id[16])
{
    struct sp_set clear;
    struct sp_set_sealed sealed;

    memset(&clear, 0, sizeof(clear));
    memset(&sealed, 0, sizeof(sealed));
    assert_ok(sp_random_fill(&m->random, clear.set_id, 16, e));
    memcpy(ret_set_id, clear.set_id, 16);
    memcpy(sealed.set_id, clear.set_id, 16);
    memcpy(clear.host, m->host, 16);
    memcpy(clear.group, m->group, 16);
    (void)snprintf(clear.job, sizeof(clear.job), "%s", job);
    clear.sequence = sequence;
    if (previous != NULL) {
        clear.has_previous = true;
        memcpy(clear.previous, previous, 32);
    }
    clear.state = type == SP_RECORD_SET ? SP_SET_COMPLETE : SP_SET_CHECKPOINT;
    clear.started_ns = clear.ended_ns = sp_clock_wall(&sp_clock_system);
    clear.root = *root;
    clear.files = 1;
    clear.entries = 1;
    clear.bytes = 1000;
    clear.files_level = SP_LEVEL_LIVE;
    (void)snprintf(clear.program, sizeof(clear.program), "test");
    sealed.host_name = m->name;
    sealed.platform = (char *)"test";
    assert_ok(sp_set_record_encode(
        type, &clear, &sealed, m->sealer, m->compressor, m->opener, m->hasher, m->secret, ret, e));
}

void
member_completion(const struct member *m, const uint8_t host[16], const uint8_t set_id[16],
    const uint8_t record[32], struct sp_buf *ret)
{
    struct sp_completion clear = {.applications = SP_LEVEL_APPLICATION};
    struct sp_completion_sealed sealed = {.ndocuments = 0};

    memcpy(clear.set_id, set_id, 16);
    memcpy(clear.host, host, 16);
    memcpy(clear.record, record, 32);
    assert_ok(sp_completion_encode(&clear, &sealed, m->sealer, m->compressor, m->opener, m->hasher,
        m->secret, ret, e));
}
