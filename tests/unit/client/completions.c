#include "completions.h"

#include "client/sets.h"

static void
signer_init(struct signer *m, uint64_t seed)
{
    struct sp_random_seeded s = {seed};
    struct sp_random r = sp_random_seeded_of(&s);

    assert_ok(sp_keys_generate(&r, &m->keys, e));
    assert_ok(sp_sealer_new(m->keys, &r, &m->sealer, e));
    assert_ok(sp_compressor_new(3, &m->compressor, e));
    assert_ok(sp_opener_new(m->keys, &m->opener, e));
    assert_ok(sp_hasher_new(m->keys, &m->hasher, e));
    assert_ok(sp_random_fill(&r, m->secret, sizeof(m->secret), e));
    assert_ok(sp_random_fill(&r, m->host.id, sizeof(m->host.id), e));
    memcpy(m->host.group, sp_keys_group(m->keys), 16);
    strcpy(m->host.name, "hv1");
    m->host.nkeys = 1;
    assert_ok(sp_ed25519_public(m->secret, m->host.keys[0], e));
}

static void
signer_free(struct signer *m)
{
    sp_hasher_free(m->hasher);
    sp_opener_free(m->opener);
    sp_compressor_free(m->compressor);
    sp_sealer_free(m->sealer);
    sp_keys_free(m->keys);
}

static void
verdict_of(struct sp_verdict *v, enum sp_level level, bool confirmed)
{
    struct sp_verdict_component *c;

    v->vss = true;
    v->confirmed = confirmed;
    assert_ok(sp_verdict_add_component(v, &c, e));
    c->unit = strdup("web01");
    c->kind = SP_UNIT_VM;
    c->level = level;
    c->why = level == SP_LEVEL_APPLICATION ? SP_WHY_TOOK_PART : SP_WHY_STABLE;
}

/* --- the store -------------------------------------------------------------------------------- */

static enum sp_code
get_host(
    struct sp_store *st, const uint8_t id[16], uint8_t **ret, size_t *ret_n, struct sp_err *err)
{
    struct shelf *s = (struct shelf *)st;

    (void)id;
    if (s->host.len == 0)
        return sp_fail(err, SP_ABSENT, SP_DOM_STORE, "no host");
    *ret = malloc(s->host.len);
    assert_non_null(*ret);
    memcpy(*ret, s->host.data, s->host.len);
    *ret_n = s->host.len;
    return SP_OK;
}

static enum sp_code
list(struct sp_store *st, bool all, bool checkpoints,
    enum sp_code (*each)(void *arg, const struct sp_set_info *i, struct sp_err *err), void *arg,
    struct sp_err *err)
{
    struct shelf *s = (struct shelf *)st;
    struct sp_set_info i = {.type = SP_RECORD_SET,
        .published_ns = 1,
        .record = s->record.data,
        .record_len = s->record.len};

    (void)all;
    (void)checkpoints;
    memcpy(i.host, s->set.host, 16);
    memcpy(i.set_id, s->set.set_id, 16);
    if (s->completion.len > 0) {
        i.completion = s->completion.data;
        i.completion_len = s->completion.len;
    }
    return each(arg, &i, err);
}

static const struct sp_store_ops ops = {.kind = "shelf", .host = get_host, .list = list};

void
shelf_init(struct shelf *s, enum sp_level level, bool vss)
{
    memset(s, 0, sizeof(*s));
    s->store.ops = &ops;
    signer_init(&s->own, 1);
    signer_init(&s->stranger, 2);
    memset(s->set.set_id, 5, 16);
    memcpy(s->set.host, s->own.host.id, 16);
    memcpy(s->set.group, s->own.host.group, 16);
    strcpy(s->set.job, "nightly");
    strcpy(s->set.program, "stillpoint 0.1.0 test");
    s->set.sequence = 1;
    s->set.state = SP_SET_COMPLETE;
    s->set.files_level = SP_LEVEL_CRASH;
    s->set.applications = vss ? level : SP_LEVEL_NONE;
    memcpy(s->sealed.set_id, s->set.set_id, 16);
    s->sealed.host_name = strdup("hv1");
    s->sealed.platform = strdup("test");
    s->sealed.has_verdict = vss;
    if (vss)
        verdict_of(&s->sealed.verdict, level, false);
    assert_ok(sp_set_record_encode(SP_RECORD_SET, &s->set, &s->sealed, s->own.sealer,
        s->own.compressor, s->own.opener, s->own.hasher, s->own.secret, &s->record, e));
    assert_ok(sp_record_hash(s->record.data, s->record.len, s->hash, e));
    assert_ok(sp_host_encode(&s->own.host, s->own.keys, &s->host, e));
    memcpy(s->profile.host, s->own.host.id, 16);
    s->opened.store = &s->store;
    s->opened.keys = s->own.keys;
    s->opened.profile = &s->profile;
    s->opened.address = (char *)(uintptr_t) "the shelf";
}

struct sp_completion
shelf_clear(const struct shelf *s, enum sp_level level)
{
    struct sp_completion c = {.applications = level};

    memcpy(c.set_id, s->set.set_id, 16);
    memcpy(c.host, s->set.host, 16);
    memcpy(c.record, s->hash, 32);
    return c;
}

void
shelf_complete(struct shelf *s, enum sp_level level, const struct signer *with,
    const struct sp_completion *clear)
{
    struct sp_completion own = shelf_clear(s, level);
    struct sp_completion_sealed sealed = {{0}, {0}, NULL, 0};

    if (clear == NULL)
        clear = &own;
    memcpy(sealed.set_id, clear->set_id, 16);
    verdict_of(&sealed.verdict, level, true);
    sp_buf_reset(&s->completion);
    assert_ok(sp_completion_encode(clear, &sealed, with->sealer, with->compressor, with->opener,
        with->hasher, with->secret, &s->completion, e));
    sp_completion_sealed_clear(&sealed);
}

void
shelf_free(struct shelf *s)
{
    sp_buf_free(&s->record);
    sp_buf_free(&s->completion);
    sp_buf_free(&s->host);
    sp_set_sealed_clear(&s->sealed);
    signer_free(&s->own);
    signer_free(&s->stranger);
}
