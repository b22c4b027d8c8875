/* True blocks and records for tests: see party.h. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/random.h"
#include "party.h"
#include "storage/crypto.h"

static struct sp_err err;

#define need(call)                                                                                 \
    do {                                                                                           \
        if ((call) != SP_OK)                                                                       \
            fail_msg("%s: %s", #call, err.text);                                                   \
    } while (0)

void
party_init_from(
    struct party *p, const char *name, const struct party *like, const struct sp_random *random)
{
    struct sp_buf secrets = SP_BUF_INIT;
    uint8_t recipient[32], seed[32];

    memset(p, 0, sizeof(*p));
    p->random = random;
    if (like == NULL) {
        need(sp_keys_generate(random, &p->keys, &err));
    } else {
        need(sp_keys_encode(like->keys, &secrets, &err));
        need(sp_keys_decode(secrets.data, secrets.len, &p->keys, &err));
        sp_buf_wipe(&secrets);
    }
    need(sp_random_fill(random, p->host, sizeof(p->host), &err));
    need(sp_random_fill(random, p->secret, sizeof(p->secret), &err));
    need(sp_random_fill(random, &p->next, sizeof(p->next), &err));
    memcpy(p->record.id, p->host, sizeof(p->record.id));
    memcpy(p->record.group, sp_keys_group(p->keys), sizeof(p->record.group));
    strcpy(p->record.name, name);
    p->record.nkeys = 1;
    need(sp_ed25519_public(p->secret, p->record.keys[0], &err));
    need(sp_host_encode(&p->record, p->keys, &p->encoded, &err));
    need(sp_random_fill(random, seed, sizeof(seed), &err));
    need(sp_x25519_public(seed, recipient, &err));
    need(sp_slot_seal_recovery(p->keys, recipient, "test", 1, random, &p->slot, &err));
    need(sp_sealer_new(p->keys, random, &p->sealer, &err));
    need(sp_compressor_new(3, &p->compressor, &err));
    need(sp_opener_new(p->keys, &p->opener, &err));
    need(sp_hasher_new(p->keys, &p->hasher, &err));
}

void
party_init(struct party *p, const char *name, const struct party *like)
{
    party_init_from(p, name, like, &sp_random_system);
}

void
party_new_run(struct party *p)
{
    sp_sealer_free(p->sealer);
    need(sp_sealer_new(p->keys, p->random, &p->sealer, &err));
}

void
party_free(struct party *p)
{
    sp_hasher_free(p->hasher);
    sp_opener_free(p->opener);
    sp_compressor_free(p->compressor);
    sp_sealer_free(p->sealer);
    sp_buf_free(&p->encoded);
    sp_buf_free(&p->slot);
    sp_keys_free(p->keys);
}

const uint8_t *
party_group(const struct party *p)
{
    return sp_keys_group(p->keys);
}

static uint8_t *
seal(struct party *p, struct sp_block_builder *b, size_t *ret_len)
{
    struct sp_buf block = SP_BUF_INIT;
    uint8_t *bytes;

    need(sp_block_seal(p->sealer, p->compressor, p->opener, b, &block, &err));
    need(sp_buf_take(&block, &bytes, ret_len, &err));
    sp_block_builder_free(b);
    return bytes;
}

uint8_t *
party_many(struct party *p, size_t count, size_t n, struct sp_id *ret_ids, size_t *ret_len)
{
    struct sp_random_seeded seed = {p->next++};
    struct sp_random random = sp_random_seeded_of(&seed);
    struct sp_block_builder *b;
    uint8_t *content = malloc(n + 1);

    assert_non_null(content);
    need(sp_block_builder_new(SP_BLOCK_FILES, &b, &err));
    for (size_t i = 0; i < count; i++) {
        need(sp_random_fill(&random, content, n, &err));
        need(sp_hasher_id(p->hasher, SP_CHUNK_DATA, NULL, 0, content, n, &ret_ids[i], &err));
        need(sp_block_builder_add(b, SP_CHUNK_DATA, &ret_ids[i], NULL, 0, content, n, &err));
    }
    free(content);
    return seal(p, b, ret_len);
}

uint8_t *
party_data(struct party *p, size_t n, struct sp_id *ret_id, size_t *ret_len)
{
    return party_many(p, 1, n, ret_id, ret_len);
}

uint8_t *
party_node(
    struct party *p, const struct sp_id *refs, size_t nrefs, struct sp_id *ret_id, size_t *ret_len)
{
    struct sp_id *sorted = malloc((nrefs + 1) * sizeof(*sorted));
    struct sp_block_builder *b;
    uint64_t content = p->next++;

    assert_non_null(sorted);
    if (nrefs > 0) {
        memcpy(sorted, refs, nrefs * sizeof(*refs));
        qsort(sorted, nrefs, sizeof(*sorted), sp_id_cmp);
    }
    need(sp_block_builder_new(SP_BLOCK_NODES, &b, &err));
    need(sp_hasher_id(
        p->hasher, SP_CHUNK_TREE, sorted, nrefs, &content, sizeof(content), ret_id, &err));
    need(sp_block_builder_add(
        b, SP_CHUNK_TREE, ret_id, sorted, nrefs, &content, sizeof(content), &err));
    free(sorted);
    return seal(p, b, ret_len);
}

void
party_record(struct party *p, enum sp_record_type type, const char *job,
    const struct made_record *previous, const struct sp_id *root, struct made_record *ret)
{
    struct sp_set set = {.sequence = 1};
    struct sp_set_sealed sealed;

    memset(ret, 0, sizeof(*ret));
    memset(&sealed, 0, sizeof(sealed));
    need(sp_random_fill(p->random, set.set_id, sizeof(set.set_id), &err));
    memcpy(sealed.set_id, set.set_id, sizeof(sealed.set_id));
    memcpy(set.host, p->host, sizeof(set.host));
    memcpy(set.group, party_group(p), sizeof(set.group));
    strcpy(set.job, job);
    if (previous != NULL) {
        set.sequence = previous->sequence + 1;
        set.has_previous = true;
        memcpy(set.previous, previous->hash, sizeof(set.previous));
    }
    set.state = type == SP_RECORD_CHECKPOINT ? SP_SET_CHECKPOINT : SP_SET_COMPLETE;
    set.started_ns = 1;
    set.ended_ns = 2;
    set.root = *root;
    strcpy(set.program, "test");
    need(sp_set_record_encode(type, &set, &sealed, p->sealer, p->compressor, p->opener, p->hasher,
        p->secret, &ret->object, &err));
    need(sp_record_hash(ret->object.data, ret->object.len, ret->hash, &err));
    memcpy(ret->set_id, set.set_id, sizeof(ret->set_id));
    ret->sequence = set.sequence;
}

void
party_completion(
    struct party *p, const struct made_record *of, enum sp_level level, struct sp_buf *ret)
{
    struct sp_completion clear = {.applications = level};
    struct sp_completion_document document = {(char[]){"session.xml"}, (uint8_t[]){"<x/>"}, 4};
    struct sp_completion_sealed sealed = {.documents = &document, .ndocuments = 1};
    struct sp_verdict_component component = {.writer = SP_NO_INDEX,
        .parent = SP_NO_INDEX,
        .shadow = SP_NO_INDEX,
        .unit = (char[]){"DB1"},
        .files_live = p->next++,
        .level = level,
        .why = SP_WHY_TOOK_PART};

    memcpy(clear.set_id, of->set_id, sizeof(clear.set_id));
    memcpy(clear.host, p->host, sizeof(clear.host));
    memcpy(clear.record, of->hash, sizeof(clear.record));
    sealed.verdict.vss = sealed.verdict.confirmed = true;
    sealed.verdict.components = &component; /* borrowed */
    sealed.verdict.ncomponents = 1;
    need(sp_completion_encode(
        &clear, &sealed, p->sealer, p->compressor, p->opener, p->hasher, p->secret, ret, &err));
}
