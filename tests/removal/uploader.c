/* See uploader.h. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "expect.h"
#include "store.h"
#include "uploader.h"

#define CHUNK 2000
#define TRIES 4

void
uploader_init(struct uploader *u, const char *name, const struct uploader *member_of)
{
    memset(u, 0, sizeof(*u));
    party_init(&u->p, name, member_of == NULL ? NULL : &member_of->p);
}

static void
forget_blocks(struct uploader *u)
{
    for (size_t i = 0; i < UPLOADER_IDS; i++) {
        free(u->blocks[i]);
        u->blocks[i] = NULL;
    }
}

void
uploader_free(struct uploader *u)
{
    forget_blocks(u);
    party_free(&u->p);
}

/* The very block, as a connection that was cut or a copy sends it. */
static enum sp_code
send(struct uploader *u, struct sp_store *s, size_t i, struct sp_err *e)
{
    uint8_t *copy = malloc(u->sizes[i]);

    assert_non_null(copy);
    memcpy(copy, u->blocks[i], u->sizes[i]);
    return sp_store_put(s, copy, u->sizes[i], e);
}

void
uploader_old(struct uploader *u, struct sp_backend *b, struct sp_store *s)
{
    struct made_record r;
    struct sp_id root;
    uint8_t *node;
    size_t n;

    forget_blocks(u);
    for (size_t i = 0; i < UPLOADER_OLD; i++) {
        u->blocks[i] = party_data(&u->p, CHUNK, &u->ids[i], &u->sizes[i]);
        ok(send(u, s, i, &err));
    }
    node = party_node(&u->p, u->ids, UPLOADER_OLD, &root, &n);
    ok(sp_store_put(s, node, n, &err));
    party_record(&u->p, SP_RECORD_SET, "old", NULL, &root, &r);
    commit(s, SP_RECORD_SET, &r);
    sp_buf_free(&r.object);
    sp_store_free(s);
    assert_true(remove_all(b, "sets") == 1);
    u->old_made = true;
}

static void
fail_run(struct uploader *u, enum sp_code rc)
{
    if (u->rc == SP_OK)
        u->rc = rc;
    assert_true(u->e.code != SP_OK && u->e.text[0] != '\0');
}

void
uploader_begin(struct uploader *u, struct recorder *r, struct sp_store *s)
{
    uint8_t answers[UPLOADER_OLD] = {0};
    struct sp_store_head h;
    size_t i;
    enum sp_code rc;

    u->recorder = r;
    u->store = s;
    u->rc = SP_OK;
    u->e = (struct sp_err){0};
    u->healed = 0;
    for (i = UPLOADER_OLD; i < UPLOADER_IDS; i++) {
        free(u->blocks[i]);
        u->blocks[i] = i < UPLOADER_IDS - 1
                           ? party_data(&u->p, CHUNK, &u->ids[i], &u->sizes[i])
                           : party_node(&u->p, u->ids, UPLOADER_IDS - 1, &u->ids[i], &u->sizes[i]);
    }
    memset(&h, 0, sizeof(h));
    if ((rc = sp_store_head(s, "job", &h, &u->e)) != SP_OK)
        goto out;
    sp_store_head_clear(&h);
    if ((rc = sp_store_have(s, false, u->ids, UPLOADER_OLD, answers, &u->e)) != SP_OK)
        goto out;
    for (i = 0; i < UPLOADER_IDS; i++)
        if ((i >= UPLOADER_OLD || answers[i] != SP_HAVE_MINE) &&
            (rc = send(u, s, i, &u->e)) != SP_OK)
            goto out;
out:
    if (rc != SP_OK)
        fail_run(u, rc);
}

/* The newest set of the job, as far as a next one needs it. */
static enum sp_code
previous(struct uploader *u, struct made_record *ret, bool *ret_any)
{
    struct sp_store_head h;
    struct sp_set set;
    enum sp_code rc;

    memset(&h, 0, sizeof(h));
    if ((rc = sp_store_head(u->store, "job", &h, &u->e)) != SP_OK)
        return rc;
    *ret_any = h.has_set;
    if (h.has_set) {
        ok(sp_set_record_decode(h.set, h.set_len, &set, &err));
        memcpy(ret->hash, h.set_hash, sizeof(ret->hash));
        ret->sequence = set.sequence;
    }
    sp_store_head_clear(&h);
    return SP_OK;
}

static enum sp_code
commit_healing(struct uploader *u, enum sp_record_type type)
{
    struct made_record before, r;
    struct sp_commit_result result;
    bool any = false, done = false;
    enum sp_code rc;

    memset(&before, 0, sizeof(before));
    if ((rc = previous(u, &before, &any)) != SP_OK)
        return rc;
    party_record(&u->p, type, "job", any ? &before : NULL, &u->ids[UPLOADER_IDS - 1], &r);
    for (int i = 0; i < TRIES && rc == SP_OK && !done; i++) {
        memset(&result, 0, sizeof(result));
        rc = sp_store_commit(u->store, type, r.object.data, r.object.len, &result, &u->e);
        done = rc == SP_OK && result.nmissing == 0;
        u->healed += rc == SP_OK && !done;
        /* In the order in which they were sent the first time: so they make the same packs again.
         */
        for (size_t k = 0; k < UPLOADER_IDS && rc == SP_OK && !done; k++)
            if (among(result.missing, result.nmissing, &u->ids[k]))
                rc = send(u, u->store, k, &u->e);
        sp_commit_result_clear(&result);
    }
    sp_buf_free(&r.object);
    if (rc == SP_OK && !done)
        rc = sp_fail(&u->e, SP_BUSY, SP_DOM_STORE, "something is missing every time");
    return rc;
}

void
uploader_finish(struct uploader *u, bool checkpoint)
{
    enum sp_code rc = u->rc;

    if (rc == SP_OK)
        rc = sp_store_flush(u->store, &u->e);
    if (rc == SP_OK && checkpoint)
        rc = commit_healing(u, SP_RECORD_CHECKPOINT);
    if (rc == SP_OK)
        rc = commit_healing(u, SP_RECORD_SET);
    if (rc != SP_OK)
        fail_run(u, rc);
    sp_store_free(u->store);
    u->store = NULL;
}
