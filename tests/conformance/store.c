/* The store suite: running it, and what its tests share. See store.h. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "store.h"
#include "unit/storage/expect.h"

const struct store_conformance *suite;

void
put_block(struct sp_store *s, uint8_t *block, size_t n)
{
    ok(sp_store_put(s, block, n, &err));
}

struct sp_id
put_data(struct sp_store *s, struct party *p, size_t n)
{
    struct sp_id id;
    size_t len;
    uint8_t *block = party_data(p, n, &id, &len);

    put_block(s, block, len);
    return id;
}

struct sp_id
put_node(struct sp_store *s, struct party *p, const struct sp_id *refs, size_t nrefs)
{
    struct sp_id id;
    size_t len;
    uint8_t *block = party_node(p, refs, nrefs, &id, &len);

    put_block(s, block, len);
    return id;
}

enum sp_have
have_one(struct sp_store *s, bool nodes, const struct sp_id *id)
{
    uint8_t answer = 77;

    ok(sp_store_have(s, nodes, id, 1, &answer, &err));
    return (enum sp_have)answer;
}

void
commit(struct sp_store *s, enum sp_record_type type, const struct made_record *r)
{
    struct sp_commit_result result;

    memset(&result, 0, sizeof(result));
    ok(sp_store_commit(s, type, r->object.data, r->object.len, &result, &err));
    assert_int_equal(result.nmissing, 0);
    assert_true(result.published_ns > 0);
    sp_commit_result_clear(&result);
}

void
make_set(struct sp_store *s, struct party *p, const char *job, const struct made_record *previous,
    size_t n, struct sp_id *ret_ids, struct made_record *ret)
{
    for (size_t i = 0; i < n; i++)
        ret_ids[i] = put_data(s, p, 4096);
    ret_ids[n] = put_node(s, p, ret_ids, n);
    party_record(p, SP_RECORD_SET, job, previous, &ret_ids[n], ret);
    commit(s, SP_RECORD_SET, ret);
}

struct names {
    char v[256][192];
    uint64_t size[256];
    size_t n;
};

static enum sp_code
collect(void *arg, const char *name, uint64_t size, struct sp_err *e)
{
    struct names *l = arg;

    (void)e;
    assert_true(l->n < 256);
    l->size[l->n] = size;
    (void)snprintf(l->v[l->n++], sizeof(l->v[0]), "%s", name);
    return SP_OK;
}

size_t
count_objects(struct sp_backend *b, const char *prefix)
{
    struct names l = {.n = 0};

    ok(sp_backend_list(b, prefix, collect, &l, &err));
    return l.n;
}

size_t
remove_all(struct sp_backend *b, const char *prefix)
{
    struct names l = {.n = 0};

    ok(sp_backend_list(b, prefix, collect, &l, &err));
    for (size_t i = 0; i < l.n; i++)
        ok(sp_backend_remove(b, l.v[i], &err));
    return l.n;
}

void
first_object(struct sp_backend *b, const char *prefix, char to[192], uint64_t *ret_size)
{
    struct names l = {.n = 0};

    ok(sp_backend_list(b, prefix, collect, &l, &err));
    assert_true(l.n > 0);
    memcpy(to, l.v[0], 192);
    if (ret_size != NULL)
        *ret_size = l.size[0];
}

void
overwrite(struct sp_backend *b, const char *name, const void *p, size_t n)
{
    ok(sp_backend_remove(b, name, &err));
    ok(sp_backend_put(b, name, p, n, &err));
}

bool
among(const struct sp_id *ids, size_t n, const struct sp_id *id)
{
    for (size_t i = 0; i < n; i++)
        if (memcmp(&ids[i], id, sizeof(*id)) == 0)
            return true;
    return false;
}

void
session_begin(struct session *x, const char *name, const struct party *like)
{
    party_init(&x->p, name, like);
    suite->admit(suite->arg, &x->p);
    x->s = suite->open(suite->arg, &x->p);
}

void
session_end(struct session *x)
{
    sp_store_free(x->s);
    party_free(&x->p);
}

void
session_again(struct session *x)
{
    sp_store_free(x->s);
    x->s = suite->open(suite->arg, &x->p);
}

int
store_conformance_run(const struct store_conformance *c)
{
    char name[128];
    int failed;

    suite = c;
    (void)snprintf(name, sizeof(name), "%s: blocks", c->kind);
    failed = _cmocka_run_group_tests(name, store_tests_blocks, store_tests_blocks_n, NULL, NULL);
    (void)snprintf(name, sizeof(name), "%s: commit", c->kind);
    failed += _cmocka_run_group_tests(name, store_tests_commit, store_tests_commit_n, NULL, NULL);
    (void)snprintf(name, sizeof(name), "%s: completions", c->kind);
    failed +=
        _cmocka_run_group_tests(name, store_tests_complete, store_tests_complete_n, NULL, NULL);
    (void)snprintf(name, sizeof(name), "%s: damage", c->kind);
    failed += _cmocka_run_group_tests(name, store_tests_damage, store_tests_damage_n, NULL, NULL);
    return failed;
}
