#include "client/job_impl.h"

#include <stdlib.h>
#include <string.h>

#include "storage/compress.h"

/* After the commit (R2): the writers hear that there is a set, and what they say to that becomes
 * the set's completion. Nothing here takes anything from the set; what fails is told, and without a
 * completion the set shows its applications as unconfirmed. */

#define DOCUMENTS_MOST ((size_t)8 << 20)
#define SESSION "backup-" /* what the documents of sessions are called (vss/requester.h) */

struct documents {
    struct sp_completion_sealed *to;
    size_t bytes, left_out;
};

static enum sp_code
keep_document(void *arg, const char *name, const void *p, size_t n, struct sp_err *e)
{
    struct documents *d = arg;
    struct sp_completion_document *more, one = {0};

    if (strncmp(name, SESSION, strlen(SESSION)) != 0) /* those of the writers are in the set */
        return SP_OK;
    if (n > DOCUMENTS_MOST - d->bytes) {
        d->left_out++;
        return SP_OK;
    }
    more = realloc(d->to->documents, (d->to->ndocuments + 1) * sizeof *more);
    if (more == NULL)
        return sp_fail_nomem(e);
    d->to->documents = more;
    one.name = strdup(name);
    one.p = malloc(n + 1);
    if (one.name == NULL || one.p == NULL) {
        free(one.name);
        free(one.p);
        return sp_fail_nomem(e);
    }
    memcpy(one.p, p, n);
    one.n = n;
    more[d->to->ndocuments++] = one;
    d->bytes += n;
    return SP_OK;
}

static enum sp_code
seal(struct run *r, const struct sp_completion *clear, const struct sp_completion_sealed *sealed,
    struct sp_buf *to, struct sp_err *e)
{
    struct sp_sealer *sealer = NULL;
    struct sp_compressor *compressor = NULL;
    struct sp_opener *opener = NULL;
    struct sp_hasher *hasher = NULL;
    enum sp_code rc;

    if ((rc = sp_sealer_new(r->store.keys, r->c->env->random, &sealer, e)) == SP_OK &&
        (rc = sp_compressor_new(3, &compressor, e)) == SP_OK &&
        (rc = sp_opener_new(r->store.keys, &opener, e)) == SP_OK &&
        (rc = sp_hasher_new(r->store.keys, &hasher, e)) == SP_OK)
        rc = sp_completion_encode(clear, sealed, sealer, compressor, opener, hasher,
            r->store.profile->signing_secret, to, e);
    sp_hasher_free(hasher);
    sp_opener_free(opener);
    sp_compressor_free(compressor);
    sp_sealer_free(sealer);
    return rc;
}

/* The verdict is lent to the sealed part. */
static enum sp_code
publish(struct run *r, struct sp_err *e)
{
    struct sp_completion clear = {.applications = sp_verdict_applications(&r->verdict)};
    struct sp_completion_sealed sealed = {0};
    struct documents documents = {.to = &sealed};
    struct sp_buf object = SP_BUF_INIT;
    enum sp_code rc;

    memcpy(clear.set_id, r->result.set_id, 16);
    memcpy(clear.host, r->store.profile->host, 16);
    memcpy(clear.record, r->result.record_hash, 32);
    memcpy(sealed.set_id, r->result.set_id, 16);
    rc = sp_shadow_documents(r->shadow, keep_document, &documents, e);
    if (rc == SP_OK && documents.left_out > 0)
        rc = sp_verdict_note(&r->verdict, e,
            "%zu documents of VSS sessions were too large to be kept", documents.left_out);
    sealed.verdict = r->verdict;
    if (rc == SP_OK)
        rc = seal(r, &clear, &sealed, &object, e);
    if (rc == SP_OK)
        rc = sp_store_complete(r->store.store, object.data, object.len, e);
    sp_buf_free(&object);
    sealed.verdict = (struct sp_verdict){0};
    sp_completion_sealed_clear(&sealed);
    return rc;
}

void
job_finish(struct run *r)
{
    struct sp_err e = {0};
    bool vss = r->has_verdict && r->verdict.vss;

    r->committed = true;
    r->taken = false;
    if (sp_shadow_finish(r->shadow, true, &e) != SP_OK) {
        sp_cli_warn(r->c, "%s: the set is made, but the applications could not be told: %s",
            r->job->name, e.text);
        r->unclean = true;
        return;
    }
    if (!vss)
        return;
    if (job_make_verdict(r, JOB_FINISHED, &e) != SP_OK || publish(r, &e) != SP_OK) {
        sp_cli_warn(r->c,
            "%s: the set is made, but what its applications said in the end cannot be kept: it "
            "shows as unconfirmed. %s",
            r->job->name, e.text);
        r->unclean = true;
    }
}
