#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "expect.h"

#include "base/wire.h"
#include "entries.h"
#include "storage/compress.h"
#include "storage/crypto.h"
#include "storage/record.h"

/* One member of a key group: all that sealing and signing take. */
struct member {
    struct sp_keys *keys;
    struct sp_sealer *sealer;
    struct sp_compressor *compressor;
    struct sp_opener *opener;
    struct sp_hasher *hasher;
    uint8_t secret[32];
    struct sp_host host;
};

static struct member me, stranger;

static void
member_init(struct member *m, uint64_t seed)
{
    struct sp_random_seeded s = {seed};
    struct sp_random r = sp_random_seeded_of(&s);

    ok(sp_keys_generate(&r, &m->keys, &err));
    ok(sp_sealer_new(m->keys, &r, &m->sealer, &err));
    ok(sp_compressor_new(3, &m->compressor, &err));
    ok(sp_opener_new(m->keys, &m->opener, &err));
    ok(sp_hasher_new(m->keys, &m->hasher, &err));
    ok(sp_random_fill(&r, m->secret, sizeof m->secret, &err));
    ok(sp_random_fill(&r, m->host.id, sizeof m->host.id, &err));
    memcpy(m->host.group, sp_keys_group(m->keys), 16);
    strcpy(m->host.name, "host");
    m->host.nkeys = 1;
    ok(sp_ed25519_public(m->secret, m->host.keys[0], &err));
}

static void
member_free(struct member *m)
{
    sp_hasher_free(m->hasher);
    sp_opener_free(m->opener);
    sp_compressor_free(m->compressor);
    sp_sealer_free(m->sealer);
    sp_keys_free(m->keys);
}

static int
group_setup(void **state)
{
    (void)state;
    member_init(&me, 1);
    member_init(&stranger, 2);
    return 0;
}

static int
group_teardown(void **state)
{
    (void)state;
    member_free(&me);
    member_free(&stranger);
    return 0;
}

static struct sp_set
set_draw(struct draws *d)
{
    struct sp_set s = {.sequence = 0};

    for (size_t i = 0; i < 16; i++)
        s.set_id[i] = (uint8_t)draw(d);
    memcpy(s.host, me.host.id, 16);
    memcpy(s.group, me.host.group, 16);
    snprintf(s.job, sizeof s.job, "job \xc3\xa4 %u", (unsigned)draw_below(d, 100));
    s.sequence = draw_below(d, 3) + 1;
    s.has_previous = s.sequence > 1;
    if (s.has_previous)
        memset(s.previous, 0x77, sizeof s.previous);
    s.state = draw_below(d, 2) == 0 ? SP_SET_COMPLETE : SP_SET_INCOMPLETE;
    s.started_ns = (int64_t)draw(d);
    s.ended_ns = (int64_t)draw(d);
    s.root = draw_id(d);
    s.entries = draw(d);
    s.files = draw(d) >> 60;
    s.bytes = draw(d);
    s.bytes_read = draw_below(d, 2);
    s.bytes_new = draw(d);
    s.bytes_stored = draw(d);
    s.applications = (enum sp_level)draw_below(d, 4);
    s.files_level = (enum sp_level)draw_below(d, 4);
    s.files_away = draw(d);
    strcpy(s.program, "stillpoint 0.1.0 linux");
    return s;
}

static char *
words(struct draws *d)
{
    char *s = malloc(64);

    assert_non_null(s);
    snprintf(s, 64, "wörd %llx", (unsigned long long)(draw(d) >> draw_below(d, 60)));
    return s;
}

static void
bytes_draw(struct draws *d, uint8_t **p, size_t *n)
{
    *n = (size_t)draw_below(d, 30);
    *p = malloc(*n + 1);
    assert_non_null(*p);
    memset(*p, (int)('a' + draw_below(d, 26)), *n);
}

static struct sp_set_sealed
sealed_draw(struct draws *d, const struct sp_set *set, size_t nfaults)
{
    struct sp_set_sealed s = {.host_name = words(d), .platform = words(d)};

    memcpy(s.set_id, set->set_id, 16);
    s.nroots = (size_t)draw_below(d, 4);
    s.roots = calloc(s.nroots + 1, sizeof *s.roots);
    s.nvolumes = (size_t)draw_below(d, 4);
    s.volumes = calloc(s.nvolumes + 1, sizeof *s.volumes);
    s.nfaults = nfaults;
    s.faults = calloc(nfaults + 1, sizeof *s.faults);
    s.nexcludes = (size_t)draw_below(d, 4);
    s.excludes = calloc(s.nexcludes + 1, sizeof *s.excludes);
    assert_true(s.roots && s.volumes && s.faults && s.excludes);
    for (size_t i = 0; i < s.nroots; i++)
        bytes_draw(d, &s.roots[i].p, &s.roots[i].n);
    for (size_t i = 0; i < s.nvolumes; i++)
        s.volumes[i] = (struct sp_volume){words(d), words(d), words(d), words(d),
            (enum sp_level)draw_below(d, 4), (int64_t)draw(d)};
    for (size_t i = 0; i < nfaults; i++) {
        bytes_draw(d, &s.faults[i].key, &s.faults[i].key_len);
        s.faults[i].kind = (enum sp_fault_kind)(draw_below(d, 5) + 1);
        s.faults[i].text = words(d);
    }
    s.faults_total = nfaults + draw_below(d, 3);
    for (size_t i = 0; i < s.nexcludes; i++)
        s.excludes[i] = words(d);
    bytes_draw(d, &s.last_key, &s.last_key_len);
    s.files_changed = draw(d);
    s.files_new = draw(d);
    return s;
}

static void
same_set(const struct sp_set *a, const struct sp_set *b)
{
    assert_memory_equal(a->set_id, b->set_id, 16);
    assert_memory_equal(a->host, b->host, 16);
    assert_memory_equal(a->group, b->group, 16);
    assert_string_equal(a->job, b->job);
    assert_string_equal(a->program, b->program);
    assert_true(a->sequence == b->sequence && a->has_previous == b->has_previous);
    if (a->has_previous)
        assert_memory_equal(a->previous, b->previous, 32);
    assert_true(a->state == b->state);
    assert_true(a->started_ns == b->started_ns && a->ended_ns == b->ended_ns);
    assert_memory_equal(a->root.b, b->root.b, SP_ID_SIZE);
    assert_true(a->entries == b->entries && a->files == b->files && a->bytes == b->bytes);
    assert_true(a->bytes_read == b->bytes_read && a->bytes_new == b->bytes_new);
    assert_true(a->bytes_stored == b->bytes_stored);
    assert_true(a->applications == b->applications && a->files_level == b->files_level);
    assert_true(a->files_away == b->files_away);
}

static void
same_sealed(const struct sp_set_sealed *a, const struct sp_set_sealed *b)
{
    assert_memory_equal(a->set_id, b->set_id, 16);
    assert_string_equal(a->host_name, b->host_name);
    assert_string_equal(a->platform, b->platform);
    assert_int_equal(a->nroots, b->nroots);
    for (size_t i = 0; i < a->nroots; i++) {
        assert_int_equal(a->roots[i].n, b->roots[i].n);
        assert_memory_equal(a->roots[i].p, b->roots[i].p, a->roots[i].n);
    }
    assert_int_equal(a->nvolumes, b->nvolumes);
    for (size_t i = 0; i < a->nvolumes; i++) {
        const struct sp_volume *x = &a->volumes[i], *y = &b->volumes[i];

        assert_string_equal(x->path, y->path);
        assert_string_equal(x->file_system, y->file_system);
        assert_string_equal(x->source, y->source);
        assert_string_equal(x->reason, y->reason);
        assert_true(x->consistency == y->consistency && x->instant_ns == y->instant_ns);
    }
    assert_int_equal(a->nfaults, b->nfaults);
    for (size_t i = 0; i < a->nfaults; i++) {
        assert_int_equal(a->faults[i].kind, b->faults[i].kind);
        assert_int_equal(a->faults[i].key_len, b->faults[i].key_len);
        assert_memory_equal(a->faults[i].key, b->faults[i].key, a->faults[i].key_len);
        assert_string_equal(a->faults[i].text, b->faults[i].text);
    }
    assert_true(a->faults_total == b->faults_total);
    assert_int_equal(a->nexcludes, b->nexcludes);
    for (size_t i = 0; i < a->nexcludes; i++)
        assert_string_equal(a->excludes[i], b->excludes[i]);
    assert_int_equal(a->last_key_len, b->last_key_len);
    assert_memory_equal(a->last_key, b->last_key, a->last_key_len);
    assert_true(a->files_changed == b->files_changed && a->files_new == b->files_new);
}

static enum sp_code
encode_as(const struct member *m, enum sp_record_type type, const struct sp_set *set,
    const struct sp_set_sealed *sealed, struct sp_buf *ret)
{
    return sp_set_record_encode(
        type, set, sealed, m->sealer, m->compressor, m->opener, m->hasher, m->secret, ret, &err);
}

static void
records_come_back(void **state)
{
    struct draws d = {new_seed()};

    (void)state;
    for (int i = 0; i < 60; i++) {
        enum sp_record_type type = i % 3 == 0 ? SP_RECORD_CHECKPOINT : SP_RECORD_SET;
        struct sp_set set = set_draw(&d), got;
        struct sp_set_sealed sealed = sealed_draw(&d, &set, (size_t)draw_below(&d, 50)), open = {0};
        struct sp_buf object = SP_BUF_INIT;

        if (type == SP_RECORD_CHECKPOINT)
            set.state = SP_SET_CHECKPOINT;
        sp_buf_put_str(&object, "before");
        ok(encode_as(&me, type, &set, &sealed, &object));
        assert_memory_equal(object.data, "before", 6);
        ok(sp_set_record_decode(object.data + 6, object.len - 6, &got, &err));
        same_set(&got, &set);
        ok(sp_record_check_signature(type, object.data + 6, object.len - 6, &me.host, &err));
        ok(sp_set_record_open(object.data + 6, object.len - 6, me.opener, &open, &err));
        same_sealed(&open, &sealed);
        sp_set_sealed_clear(&open);
        assert_true(open.host_name == NULL && open.nfaults == 0);
        sp_set_sealed_clear(&open);
        sp_set_sealed_clear(&sealed);
        sp_buf_free(&object);
    }
}

static void
an_empty_sealed_part_comes_back(void **state)
{
    struct draws d = {3};
    struct sp_set set = set_draw(&d);
    struct sp_set_sealed empty = {0}, open = {0};
    struct sp_buf object = SP_BUF_INIT;

    (void)state;
    ok(encode_as(&me, SP_RECORD_SET, &set, &empty, &object));
    ok(sp_set_record_open(object.data, object.len, me.opener, &open, &err));
    /* The set's id is put in by the record. */
    assert_memory_equal(open.set_id, set.set_id, 16);
    assert_string_equal(open.host_name, "");
    assert_true(open.nroots == 0 && open.nvolumes == 0 && open.nfaults == 0 && open.nexcludes == 0);
    sp_set_sealed_clear(&open);
    sp_buf_free(&object);
}

static void
what_is_not_signed_by_the_host(void **state)
{
    struct draws d = {4};
    struct sp_set set = set_draw(&d);
    struct sp_set_sealed sealed = sealed_draw(&d, &set, 3);
    struct sp_buf mine = SP_BUF_INIT, theirs = SP_BUF_INIT, object = SP_BUF_INIT;
    struct sp_host host = me.host;

    (void)state;
    ok(encode_as(&me, SP_RECORD_SET, &set, &sealed, &mine));
    ok(sp_record_check_signature(SP_RECORD_SET, mine.data, mine.len, &host, &err));
    /* Another type says another thing. */
    gives(SP_CORRUPT,
        sp_record_check_signature(SP_RECORD_CHECKPOINT, mine.data, mine.len, &host, &err));
    gives(SP_CORRUPT,
        sp_record_check_signature(SP_RECORD_COMPLETION, mine.data, mine.len, &host, &err));
    /* Another host's record, or another's key under this host's name. */
    gives(SP_CORRUPT,
        sp_record_check_signature(SP_RECORD_SET, mine.data, mine.len, &stranger.host, &err));
    host = stranger.host;
    memcpy(host.id, me.host.id, 16);
    gives(SP_CORRUPT, sp_record_check_signature(SP_RECORD_SET, mine.data, mine.len, &host, &err));
    ok(sp_set_record_encode(SP_RECORD_SET, &set, &sealed, me.sealer, me.compressor, NULL, me.hasher,
        stranger.secret, &theirs, &err));
    gives(SP_CORRUPT,
        sp_record_check_signature(SP_RECORD_SET, theirs.data, theirs.len, &me.host, &err));
    /* Any of the host's keys will do. */
    memcpy(host.keys[1], me.host.keys[0], 32);
    host.nkeys = 2;
    ok(sp_record_check_signature(SP_RECORD_SET, mine.data, mine.len, &host, &err));
    ok(sp_record_check_signature(SP_RECORD_SET, theirs.data, theirs.len, &host, &err));
    host.nkeys = 0;
    gives(SP_CORRUPT, sp_record_check_signature(SP_RECORD_SET, mine.data, mine.len, &host, &err));
    sp_set_sealed_clear(&sealed);
    sp_buf_free(&mine);
    sp_buf_free(&theirs);
    sp_buf_free(&object);
}

/* The three parts of a record, as bytes. */
struct parts {
    struct sp_cur part[4]; /* by field number */
};

static struct parts
parts_of(const struct sp_buf *object)
{
    struct sp_cur c = sp_cur_of(object->data, object->len);
    struct sp_wire_field f;
    struct parts p = {{{0}}};

    while (sp_wire_next(&c, &f)) {
        assert_in_range(f.number, 1, 3);
        p.part[f.number] = f.bytes;
    }
    assert_true(sp_cur_done(&c));
    return p;
}

static void
put_parts(struct sp_buf *to, const struct parts *p)
{
    sp_buf_reset(to);
    for (uint32_t i = 1; i <= 3; i++)
        sp_wire_put_bytes(to, i, p->part[i].p, p->part[i].left);
}

static void
the_signature_covers_what_the_format_says(void **state)
{
    struct draws d = {5};
    struct sp_set set = set_draw(&d);
    struct sp_set_sealed sealed = sealed_draw(&d, &set, 3);
    struct sp_buf object = SP_BUF_INIT, message = SP_BUF_INIT;
    struct parts p;

    (void)state;
    ok(encode_as(&me, SP_RECORD_SET, &set, &sealed, &object));
    p = parts_of(&object);
    sp_buf_put_str(&message, "stillpoint record 1");
    sp_buf_put_u8(&message, 1);
    sp_buf_put_u32(&message, (uint32_t)p.part[1].left);
    sp_buf_put(&message, p.part[1].p, p.part[1].left);
    sp_buf_put(&message, p.part[2].p, p.part[2].left);
    assert_int_equal(p.part[3].left, 64);
    ok(sp_ed25519_verify(me.host.keys[0], message.data, message.len, p.part[3].p, &err));
    sp_set_sealed_clear(&sealed);
    sp_buf_free(&object);
    sp_buf_free(&message);
}

static void
parts_of_two_records_do_not_mix(void **state)
{
    struct draws d = {6};
    struct sp_set a = set_draw(&d), b = set_draw(&d);
    struct sp_set_sealed sealed = {0}, open = {0};
    struct sp_buf x = SP_BUF_INIT, y = SP_BUF_INIT, mixed = SP_BUF_INIT;
    struct parts p, q;

    (void)state;
    ok(encode_as(&me, SP_RECORD_SET, &a, &sealed, &x));
    ok(encode_as(&me, SP_RECORD_SET, &b, &sealed, &y));
    p = parts_of(&x);
    q = parts_of(&y);
    /* The sealed part of another set: neither signed nor opened. */
    p.part[2] = q.part[2];
    put_parts(&mixed, &p);
    gives(SP_CORRUPT,
        sp_record_check_signature(SP_RECORD_SET, mixed.data, mixed.len, &me.host, &err));
    gives(SP_CORRUPT, sp_set_record_open(mixed.data, mixed.len, me.opener, &open, &err));
    /* None, and one of another key group. */
    p.part[2].left = 0;
    put_parts(&mixed, &p);
    gives(SP_CORRUPT, sp_set_record_open(mixed.data, mixed.len, me.opener, &open, &err));
    sp_buf_reset(&y);
    ok(encode_as(&stranger, SP_RECORD_SET, &a, &sealed, &y));
    p.part[2] = parts_of(&y).part[2];
    put_parts(&mixed, &p);
    gives(SP_CORRUPT, sp_set_record_open(mixed.data, mixed.len, me.opener, &open, &err));
    gives(SP_AUTH, sp_set_record_open(x.data, x.len, stranger.opener, &open, &err));
    sp_buf_free(&x);
    sp_buf_free(&y);
    sp_buf_free(&mixed);
}

/* A block of another kind where a record's should be: a chunk of a file is not opened as one. */
static void
a_block_of_another_kind(void **state)
{
    struct draws d = {7};
    struct sp_set set = set_draw(&d);
    struct sp_set_sealed sealed = {0}, open = {0};
    struct sp_buf object = SP_BUF_INIT, block = SP_BUF_INIT, mixed = SP_BUF_INIT;
    struct sp_block_builder *b = NULL;
    struct sp_id id;
    struct parts p;

    (void)state;
    ok(encode_as(&me, SP_RECORD_SET, &set, &sealed, &object));
    ok(sp_block_builder_new(SP_BLOCK_FILES, &b, &err));
    ok(sp_hasher_id(me.hasher, SP_CHUNK_DATA, NULL, 0, "x", 1, &id, &err));
    ok(sp_block_builder_add(b, SP_CHUNK_DATA, &id, NULL, 0, "x", 1, &err));
    ok(sp_block_seal(me.sealer, me.compressor, NULL, b, &block, &err));
    sp_block_builder_free(b);
    p = parts_of(&object);
    p.part[2] = sp_cur_of(block.data, block.len);
    put_parts(&mixed, &p);
    gives(SP_CORRUPT, sp_set_record_open(mixed.data, mixed.len, me.opener, &open, &err));
    sp_buf_free(&object);
    sp_buf_free(&block);
    sp_buf_free(&mixed);
}

static void
sets_form_a_chain(void **state)
{
    struct draws d = {8};
    struct sp_set set = set_draw(&d), got;
    struct sp_set_sealed sealed = {0};
    uint8_t hash[32] = {0}, want[32];

    (void)state;
    for (uint64_t sequence = 1; sequence < 5; sequence++) {
        struct sp_buf object = SP_BUF_INIT;

        set.sequence = sequence;
        set.has_previous = sequence > 1;
        memcpy(set.previous, hash, 32);
        ok(encode_as(&me, SP_RECORD_SET, &set, &sealed, &object));
        ok(sp_set_record_decode(object.data, object.len, &got, &err));
        assert_true(got.sequence == sequence && got.has_previous == (sequence > 1));
        assert_memory_equal(got.previous, hash, 32);
        ok(sp_record_hash(object.data, object.len, hash, &err));
        ok(sp_sha256(object.data, object.len, want, &err));
        assert_memory_equal(hash, want, 32);
        sp_buf_free(&object);
    }
}

static void
what_the_writer_refuses(void **state)
{
    struct draws d = {9};
    struct sp_set good = set_draw(&d), set;
    struct sp_set_sealed sealed = {0};
    struct sp_buf object = SP_BUF_INIT;
    struct sp_bytes root = {(uint8_t *)(uintptr_t) "a/b", 3};

    (void)state;
#define REFUSED(type, change)                                                                      \
    do {                                                                                           \
        set = good;                                                                                \
        sealed = (struct sp_set_sealed){0};                                                        \
        change;                                                                                    \
        gives(SP_INVALID, encode_as(&me, type, &set, &sealed, &object));                           \
        assert_int_equal(object.len, 0);                                                           \
    } while (0)
    REFUSED(SP_RECORD_CHECKPOINT, );
    REFUSED(SP_RECORD_COMPLETION, );
    REFUSED(SP_RECORD_REMOVAL, );
    REFUSED(SP_RECORD_SET, set.state = SP_SET_CHECKPOINT);
    REFUSED(SP_RECORD_SET, set.state = 0);
    REFUSED(SP_RECORD_SET, set.state = 4);
    REFUSED(SP_RECORD_SET, set.applications = 4);
    REFUSED(SP_RECORD_SET, set.files_level = 4);
    REFUSED(SP_RECORD_SET, set.sequence = 0);
    REFUSED(SP_RECORD_SET, set.sequence = 1; set.has_previous = true);
    REFUSED(SP_RECORD_SET, set.sequence = 2; set.has_previous = false);
    REFUSED(SP_RECORD_SET, set.job[0] = '\0');
    REFUSED(SP_RECORD_SET, memset(set.job, 'x', sizeof set.job));
    REFUSED(SP_RECORD_SET, memset(set.program, 'x', sizeof set.program));
    REFUSED(SP_RECORD_SET, strcpy(set.job, "\xff"));
    REFUSED(SP_RECORD_SET, sealed.roots = &root; sealed.nroots = 1);
    REFUSED(SP_RECORD_SET, sealed.last_key = root.p; sealed.last_key_len = 3);
#undef REFUSED
    sp_buf_free(&object);
}

/* More faults than a record holds: by number, then by length. All are counted, the first are named.
 */
static void
faults_are_bounded(void **state)
{
    struct draws d = {10};
    struct sp_set set = set_draw(&d);
    struct sp_set_sealed sealed = sealed_draw(&d, &set, 10100), open = {0};
    struct sp_buf object = SP_BUF_INIT;

    (void)state;
    sealed.faults_total = 0;
    ok(encode_as(&me, SP_RECORD_SET, &set, &sealed, &object));
    ok(sp_set_record_open(object.data, object.len, me.opener, &open, &err));
    assert_int_equal(open.nfaults, SP_RECORD_MAX_FAULTS);
    assert_true(open.faults_total == 10100);
    sealed.nfaults = SP_RECORD_MAX_FAULTS;
    sealed.faults_total = 10100;
    same_sealed(&open, &sealed);
    sealed.nfaults = 10100;
    sp_set_sealed_clear(&open);
    sp_buf_reset(&object);

    for (size_t i = 0; i < sealed.nfaults; i++) {
        free(sealed.faults[i].text);
        sealed.faults[i].text = malloc(1001);
        assert_non_null(sealed.faults[i].text);
        for (size_t k = 0; k < 1000; k++)
            sealed.faults[i].text[k] = (char)('!' + draw_below(&d, 90));
        sealed.faults[i].text[1000] = '\0';
    }
    ok(encode_as(&me, SP_RECORD_SET, &set, &sealed, &object));
    ok(sp_set_record_open(object.data, object.len, me.opener, &open, &err));
    assert_in_range(open.nfaults, 900, 1050);
    assert_true(open.faults_total == 10100);
    assert_string_equal(open.faults[800].text, sealed.faults[800].text);
    sp_set_sealed_clear(&open);
    sp_set_sealed_clear(&sealed);
    sp_buf_free(&object);
}

static void
names_that_are_no_text_are_shown(void **state)
{
    struct draws d = {11};
    struct sp_set set = set_draw(&d);
    struct sp_set_sealed sealed = sealed_draw(&d, &set, 1), open = {0};
    struct sp_buf object = SP_BUF_INIT;

    (void)state;
    strcpy(sealed.faults[0].text, "caf\xe9");
    strcpy(sealed.host_name, "\xff");
    ok(encode_as(&me, SP_RECORD_SET, &set, &sealed, &object));
    ok(sp_set_record_open(object.data, object.len, me.opener, &open, &err));
    assert_string_equal(open.faults[0].text, "caf\\xe9");
    assert_string_equal(open.host_name, "\\xff");
    sp_set_sealed_clear(&open);
    sp_set_sealed_clear(&sealed);
    sp_buf_free(&object);
}

static void
levels_have_words(void **state)
{
    (void)state;
    assert_string_equal(sp_level_word(SP_LEVEL_NONE), "none");
    assert_string_equal(sp_level_word(SP_LEVEL_LIVE), "live");
    assert_string_equal(sp_level_word(SP_LEVEL_CRASH), "crash");
    assert_string_equal(sp_level_word(SP_LEVEL_APPLICATION), "application");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_come_back),
        cmocka_unit_test(an_empty_sealed_part_comes_back),
        cmocka_unit_test(what_is_not_signed_by_the_host),
        cmocka_unit_test(the_signature_covers_what_the_format_says),
        cmocka_unit_test(parts_of_two_records_do_not_mix),
        cmocka_unit_test(a_block_of_another_kind),
        cmocka_unit_test(sets_form_a_chain),
        cmocka_unit_test(what_the_writer_refuses),
        cmocka_unit_test(faults_are_bounded),
        cmocka_unit_test(names_that_are_no_text_are_shown),
        cmocka_unit_test(levels_have_words),
    };

    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
