/* Completions: the clear part and the sealed one, which is a block as that of a set, and behind it
 * the documents, each chunk in a block of its own (docs/format.md §9.2). */

#include <stdlib.h>
#include <string.h>

#include "base/path.h"
#include "storage/record_pb.h"

void
sp_completion_sealed_clear(struct sp_completion_sealed *s)
{
    sp_verdict_clear(&s->verdict);
    for (size_t i = 0; i < s->ndocuments; i++) {
        free(s->documents[i].name);
        free(s->documents[i].p);
    }
    free(s->documents);
    memset(s, 0, sizeof *s);
}

/* --- the clear part --------------------------------------------------------------------------- */

static enum sp_code
put_clear(const struct sp_completion *c, struct sp_buf *ret, struct sp_err *e)
{
    Sp__Format__Completion m = SP__FORMAT__COMPLETION__INIT;

    if (c->applications > SP_LEVEL_APPLICATION)
        return sp_fail(e, SP_INVALID, SP_DOM_SELF, "a completion with an unknown consistency");
    m.version = SP_RECORD_VERSION;
    m.set_id = sp_pb_view(c->set_id, sizeof c->set_id);
    m.host = sp_pb_view(c->host, sizeof c->host);
    m.record = sp_pb_view(c->record, sizeof c->record);
    m.applications = (uint32_t)c->applications;
    return sp_pb_pack(&m.base, SP_RECORD_MAX_CLEAR, ret, e);
}

static enum sp_code
take_clear(const struct sp_cur *clear, struct sp_completion *ret, struct sp_err *e)
{
    ProtobufCMessage *m = NULL;
    const Sp__Format__Completion *from;
    struct sp_completion c = {.applications = SP_LEVEL_NONE};
    enum sp_code rc;

    rc = sp_pb_unpack(&sp__format__completion__descriptor, clear->p, clear->left, &m, e);
    if (rc != SP_OK)
        return rc;
    from = (const Sp__Format__Completion *)m;
    if ((rc = sp_pb_check_version(from->version, e)) != SP_OK)
        goto out;
    if (!sp_pb_take(&from->set_id, c.set_id, sizeof c.set_id) ||
        !sp_pb_take(&from->host, c.host, sizeof c.host) ||
        !sp_pb_take(&from->record, c.record, sizeof c.record) ||
        from->applications > SP_LEVEL_APPLICATION) {
        rc = sp_fail(e, SP_CORRUPT, SP_DOM_STORE,
            "the completion has an id of the wrong length or an unknown consistency");
        goto out;
    }
    c.applications = (enum sp_level)from->applications;
    *ret = c;
out:
    sp_pb_release(m);
    return rc;
}

enum sp_code
sp_completion_decode(const void *p, size_t n, struct sp_completion *ret, struct sp_err *e)
{
    struct sp_record_parts parts;
    enum sp_code rc = sp_record_split(p, n, &parts, e);

    return rc != SP_OK ? rc : take_clear(&parts.clear, ret, e);
}

/* --- to an object ----------------------------------------------------------------------------- */

struct sealing {
    struct sp_sealer *sealer;
    struct sp_compressor *c;
    struct sp_opener *verify;
    struct sp_hasher *hasher;
    struct sp_loan loan;
    struct sp_buf blocks; /* of the documents */
    Sp__Format__CompletionSealed m;
    size_t left_out;
};

static bool
is_name(const char *s)
{
    size_t n = strlen(s);

    return n > 0 && n <= SP_DOCUMENT_MAX_NAME && sp_utf8_valid(s, n);
}

static enum sp_code
put_document(struct sealing *s, const struct sp_completion_document *from, Sp__Format__Document *to,
    struct sp_err *e)
{
    size_t nchunks = (from->n + SP_DOCUMENT_CHUNK - 1) / SP_DOCUMENT_CHUNK;
    struct sp_id *ids = sp_loan_take(&s->loan, nchunks * sizeof *ids);
    enum sp_code rc;

    sp__format__document__init(to);
    to->name = from->name;
    to->size = from->n;
    to->chunks = sp_loan_take(&s->loan, nchunks * sizeof to->chunks[0]);
    if (ids == NULL || to->chunks == NULL)
        return sp_fail_nomem(e);
    for (size_t i = 0; i < nchunks; i++) {
        size_t at = i * SP_DOCUMENT_CHUNK;
        size_t n = from->n - at < SP_DOCUMENT_CHUNK ? from->n - at : SP_DOCUMENT_CHUNK;

        rc = sp_record_seal(SP_BLOCK_DOCUMENTS, SP_CHUNK_DOCUMENT, from->p + at, n, s->sealer, s->c,
            s->verify, s->hasher, &ids[i], &s->blocks, e);
        if (rc != SP_OK)
            return rc;
        to->chunks[to->n_chunks++] = sp_pb_view(ids[i].b, SP_ID_SIZE);
    }
    return SP_OK;
}

/* Those that fit, in their order: a backup does not fail for its evidence. */
static enum sp_code
put_documents(struct sealing *s, const struct sp_completion_sealed *from, struct sp_err *e)
{
    size_t most = from->ndocuments < SP_DOCUMENTS_MAX ? from->ndocuments : SP_DOCUMENTS_MAX;
    size_t room = SP_DOCUMENTS_MAX_BYTES;
    Sp__Format__Document *to = sp_loan_take(&s->loan, most * sizeof *to);
    enum sp_code rc;

    s->m.documents = sp_loan_take(&s->loan, most * sizeof(Sp__Format__Document *));
    if (to == NULL || s->m.documents == NULL)
        return sp_fail_nomem(e);
    for (size_t i = 0; i < from->ndocuments; i++) {
        const struct sp_completion_document *d = &from->documents[i];

        if (d->name == NULL || !is_name(d->name))
            return sp_fail(e, SP_INVALID, SP_DOM_SELF, "a document without a proper name");
        if (s->m.n_documents == most || d->n > room) {
            s->left_out++;
            continue;
        }
        if ((rc = put_document(s, d, to, e)) != SP_OK)
            return rc;
        room -= d->n;
        s->m.documents[s->m.n_documents++] = to++;
    }
    return SP_OK;
}

static enum sp_code
put_verdict(
    struct sealing *s, const struct sp_verdict *from, struct sp_verdict *copy, struct sp_err *e)
{
    const char *problem = sp_verdict_problem(from);
    enum sp_code rc;

    if (problem != NULL)
        return sp_fail(e, SP_INVALID, SP_DOM_SELF, "a completion with %s", problem);
    if (s->left_out > 0) {
        if ((rc = sp_verdict_copy(from, copy, e)) != SP_OK ||
            (rc = sp_verdict_note(copy, e,
                 "%zu of the documents that VSS and its writers made were too long for the set's "
                 "record "
                 "and are not in it.",
                 s->left_out)) != SP_OK)
            return rc;
        from = copy;
    }
    s->m.verdict = sp_verdict_message(&s->loan, from, SP_VERDICT_MAX);
    return s->m.verdict == NULL ? sp_fail_nomem(e) : SP_OK;
}

enum sp_code
sp_completion_encode(const struct sp_completion *clear, const struct sp_completion_sealed *sealed,
    struct sp_sealer *sealer, struct sp_compressor *c, struct sp_opener *verify,
    struct sp_hasher *hasher, const uint8_t signing_secret[32], struct sp_buf *ret,
    struct sp_err *e)
{
    struct sealing s = {.sealer = sealer,
        .c = c,
        .verify = verify,
        .hasher = hasher,
        .blocks = SP_BUF_INIT,
        .m = SP__FORMAT__COMPLETION_SEALED__INIT};
    struct sp_buf open = SP_BUF_INIT, plain = SP_BUF_INIT, blocks = SP_BUF_INIT;
    struct sp_verdict copy = {0};
    struct sp_id id;
    enum sp_code rc;

    s.m.set_id = sp_pb_view(clear->set_id, sizeof clear->set_id);
    if ((rc = put_clear(clear, &open, e)) != SP_OK ||
        (rc = put_documents(&s, sealed, e)) != SP_OK ||
        (rc = put_verdict(&s, &sealed->verdict, &copy, e)) != SP_OK ||
        (rc = sp_pb_pack(&s.m.base, SP_RECORD_MAX_SEALED, &plain, e)) != SP_OK ||
        (rc = sp_record_seal(SP_BLOCK_RECORD, SP_CHUNK_RECORD, plain.data, plain.len, sealer, c,
             verify, hasher, &id, &blocks, e)) != SP_OK)
        goto out;
    sp_buf_put(&blocks, s.blocks.data, s.blocks.len);
    if ((rc = sp_buf_ok(&blocks, e)) == SP_OK)
        rc = sp_record_put(SP_RECORD_COMPLETION, &open, &blocks, signing_secret, ret, e);
out:
    sp_verdict_clear(&copy);
    sp_loan_free(&s.loan);
    sp_buf_free(&s.blocks);
    sp_buf_free(&blocks);
    sp_buf_free(&plain);
    sp_buf_free(&open);
    return rc;
}

/* --- from an object --------------------------------------------------------------------------- */

static enum sp_code
corrupt(struct sp_err *e, const char *what)
{
    return sp_fail(e, SP_CORRUPT, SP_DOM_STORE, "the completion has %s", what);
}

/* The next block, and behind it. */
static enum sp_code
cut_block(struct sp_cur *rest, struct sp_cur *ret, struct sp_err *e)
{
    size_t n = 0;
    enum sp_code rc = sp_block_length(rest->p, rest->left, &n, e);

    if (rc != SP_OK)
        return rc;
    if (n > rest->left)
        return corrupt(e, "a block that is cut off");
    *ret = sp_cur_of(rest->p, n);
    (void)sp_cur_bytes(rest, n);
    return SP_OK;
}

static enum sp_code
take_chunk(struct sp_cur *rest, const ProtobufCBinaryData *id, struct sp_opener *o,
    struct sp_completion_document *to, size_t size, struct sp_err *e)
{
    struct sp_opened *opened = NULL;
    struct sp_chunk chunk = {0};
    struct sp_cur block;
    enum sp_code rc;

    if ((rc = cut_block(rest, &block, e)) != SP_OK ||
        (rc = sp_record_open_block(block.p, block.left, SP_BLOCK_DOCUMENTS, SP_CHUNK_DOCUMENT, o,
             &opened, &chunk, e)) != SP_OK)
        return rc;
    if (id->len != SP_ID_SIZE || memcmp(id->data, chunk.id->b, SP_ID_SIZE) != 0 ||
        chunk.len > size - to->n)
        rc = corrupt(e, "a document that is not the one it names");
    else if (chunk.len > 0)
        memcpy(to->p + to->n, chunk.data, chunk.len);
    to->n += rc == SP_OK ? chunk.len : 0;
    sp_opened_free(opened);
    return rc;
}

/* The chunks come in the order of the documents, each in a block. */
static enum sp_code
take_documents(const Sp__Format__CompletionSealed *m, struct sp_cur *rest, struct sp_opener *o,
    struct sp_completion_sealed *s, struct sp_err *e)
{
    uint64_t room = SP_DOCUMENTS_MAX_BYTES;
    enum sp_code rc;

    if (m->n_documents > SP_DOCUMENTS_MAX)
        return corrupt(e, "too many documents");
    if ((s->documents = calloc(m->n_documents + 1, sizeof s->documents[0])) == NULL)
        return sp_fail_nomem(e);
    for (size_t i = 0; i < m->n_documents; i++) {
        const Sp__Format__Document *from = m->documents[i];
        struct sp_completion_document *to = &s->documents[s->ndocuments];

        if (from->size > room || !is_name(from->name))
            return corrupt(e, "an impossible document");
        room -= from->size;
        to->name = strdup(from->name);
        to->p = malloc((size_t)from->size + 1);
        s->ndocuments++;
        if (to->name == NULL || to->p == NULL)
            return sp_fail_nomem(e);
        for (size_t k = 0; k < from->n_chunks; k++)
            if ((rc = take_chunk(rest, &from->chunks[k], o, to, (size_t)from->size, e)) != SP_OK)
                return rc;
        if (to->n != from->size)
            return corrupt(e, "a document that is not whole");
    }
    return rest->left == 0 ? SP_OK : corrupt(e, "more blocks than documents");
}

static enum sp_code
take_sealed(const struct sp_chunk *chunk, struct sp_cur *rest, struct sp_opener *o,
    const struct sp_completion *clear, struct sp_completion_sealed *ret, struct sp_err *e)
{
    struct sp_completion_sealed s = {.ndocuments = 0};
    const Sp__Format__CompletionSealed *from;
    const char *problem = NULL;
    ProtobufCMessage *m = NULL;
    enum sp_code rc;

    rc = sp_pb_unpack(&sp__format__completion_sealed__descriptor, chunk->data, chunk->len, &m, e);
    if (rc != SP_OK)
        return rc;
    from = (const Sp__Format__CompletionSealed *)m;
    if (!sp_pb_take(&from->set_id, s.set_id, sizeof s.set_id) ||
        memcmp(s.set_id, clear->set_id, sizeof s.set_id) != 0)
        rc = corrupt(e, "a sealed part that belongs to another set");
    else if (from->verdict == NULL)
        rc = corrupt(e, "no verdict");
    else if (!sp_verdict_take(from->verdict, &s.verdict, &problem))
        rc = sp_fail_nomem(e);
    else if (problem != NULL)
        rc = corrupt(e, problem);
    else
        rc = take_documents(from, rest, o, &s, e);
    if (rc == SP_OK)
        *ret = s;
    else
        sp_completion_sealed_clear(&s);
    sp_pb_release(m);
    return rc;
}

enum sp_code
sp_completion_open(const void *p, size_t n, struct sp_opener *o, struct sp_completion_sealed *ret,
    struct sp_err *e)
{
    struct sp_opened *opened = NULL;
    struct sp_chunk chunk = {0};
    struct sp_record_parts parts;
    struct sp_completion clear;
    struct sp_cur block;
    enum sp_code rc;

    if ((rc = sp_record_split(p, n, &parts, e)) != SP_OK ||
        (rc = take_clear(&parts.clear, &clear, e)) != SP_OK ||
        (rc = cut_block(&parts.sealed, &block, e)) != SP_OK ||
        (rc = sp_record_open_block(block.p, block.left, SP_BLOCK_RECORD, SP_CHUNK_RECORD, o,
             &opened, &chunk, e)) != SP_OK)
        return rc;
    rc = take_sealed(&chunk, &parts.sealed, o, &clear, ret, e);
    sp_opened_free(opened);
    return rc;
}
