#include <dirent.h>
#include <stdlib.h>

#include "base/path.h"
#include "storage/pack_format.h"
#include "base/wire.h"
#include "storage/record_impl.h"
#include "tests/fuzz/files.h"
#include "tests/fuzz/material.h"
#include "tests/fuzz/seed.h"

/* From a golden repository, whose passphrase is "golden": its objects as they lie there, and what
 * is sealed in them. */

#define LONGEST 60000 /* a data pack of content teaches the fuzzer nothing */

struct golden {
    struct sp_keys *keys;
    struct sp_opener *opener;
    struct sp_buf all; /* the target `repository` */
    unsigned number;
};

typedef void (*object_fn)(struct golden *g, const uint8_t *p, size_t n);

static void
each_file(struct golden *g, const char *folder, object_fn fn)
{
    struct dirent *entry;
    DIR *d = opendir(folder);

    FUZZ_MUST(d != NULL);
    while ((entry = readdir(d)) != NULL) {
        char *path = sp_path_join(folder, entry->d_name);
        struct sp_err e = {0};
        uint8_t *p = NULL;
        size_t n = 0;

        FUZZ_MUST(path != NULL);
        if (entry->d_name[0] != '.' && entry->d_type == DT_DIR) {
            each_file(g, path, fn);
        } else if (entry->d_name[0] != '.') {
            FUZZ_OK(sp_os_read_file(&sp_os_system, path, 4u << 20, &p, &n, &e));
            g->number++;
            if (n <= LONGEST)
                fn(g, p, n);
            free(p);
        }
        free(path);
    }
    (void)closedir(d);
}

static void
put(struct golden *g, const char *target, struct sp_buf *b)
{
    char name[32];

    (void)snprintf(name, sizeof(name), "golden-%u-%zu", g->number++, b->len);
    seed_put(target, name, b);
}

static void
put_with(struct golden *g, const char *target, uint8_t first, const void *p, size_t n)
{
    struct sp_buf b = SP_BUF_INIT;

    sp_buf_put_u8(&b, first);
    sp_buf_put(&b, p, n);
    put(g, target, &b);
}

static void
in_repository(struct golden *g, uint8_t kind, const void *p, size_t n)
{
    sp_buf_put_u8(&g->all, kind);
    seed_part(&g->all, p, n);
}

/* --- keys ----------------------------------------------------------------------------------------
 */

static void
open_slot(struct golden *g, const uint8_t *p, size_t n)
{
    struct sp_err e = {0};

    if (g->keys == NULL)
        (void)sp_slot_open_passphrase(p, n, "golden", &g->keys, &e);
}

static void
slot(struct golden *g, const uint8_t *p, size_t n)
{
    in_repository(g, 4, p, n);
    put_with(g, "slot", 0, p, n);
}

/* A slot for an invitation of the fuzzer's keys, in its two parts. */
static void
wrapped(struct golden *g)
{
    static const uint8_t invitation[32] = {3, 1, 4};
    struct sp_random_seeded seeded = {4};
    struct sp_random random = sp_random_seeded_of(&seeded);
    struct sp_buf slot = SP_BUF_INIT, secrets = SP_BUF_INIT, b = SP_BUF_INIT;
    struct sp_err e = {0};
    size_t clear;

    FUZZ_OK(sp_slot_seal_invitation(fuzz_keys(), invitation, "desk", 5, &random, &slot, &e));
    FUZZ_OK(sp_keys_encode(fuzz_keys(), &secrets, &e));
    clear = slot.len - (secrets.len + SP_GCM_TAG) - 3; /* tag and length of the last field */
    sp_buf_put_u8(&b, 1);
    seed_part(&b, slot.data, clear);
    sp_buf_put(&b, secrets.data, secrets.len);
    put(g, "slot", &b);
    put_with(g, "slot", 2, secrets.data, secrets.len);
    sp_buf_free(&slot);
    sp_buf_free(&secrets);
}

static void
host(struct golden *g, const uint8_t *p, size_t n)
{
    struct sp_buf b = SP_BUF_INIT;
    struct sp_err e = {0};

    in_repository(g, 5, p, n);
    put_with(g, "slot", 3, p, n);
    FUZZ_OK(sp_host_encode(fuzz_host(), fuzz_keys(), &b, &e));
    put_with(g, "slot", 4, b.data, b.len - 34);
    sp_buf_free(&b);
}

/* --- packs and what is in them
 * --------------------------------------------------------------------- */

static void
block(struct golden *g, const uint8_t *p, size_t n)
{
    struct sp_opened *opened = NULL;
    struct sp_err e = {0};

    put_with(g, "block", 0, p, n);
    FUZZ_OK(sp_block_open(g->opener, p, n, &opened, &e));
    for (size_t i = 0; i < sp_opened_count(opened); i++) {
        struct sp_buf b = SP_BUF_INIT;
        struct sp_chunk c;

        sp_opened_get(opened, i, &c);
        sp_buf_put_u8(&b, c.kind == SP_CHUNK_LIST);
        sp_buf_put_u16(&b, (uint16_t)c.nrefs);
        sp_buf_put(&b, c.data, c.len);
        if (c.kind == SP_CHUNK_TREE || c.kind == SP_CHUNK_LIST)
            put(g, "node", &b);
        sp_buf_reset(&b); /* kind, ids, refs, form; then the table of one chunk and it */
        sp_buf_put(&b, "\x02\x00\x00\x01", 4);
        sp_buf_put_u16(&b, 0);
        sp_buf_put_u16(&b, (uint16_t)c.kind);
        sp_buf_put_u32(&b, (uint32_t)c.len);
        sp_buf_put(&b, c.data, c.len);
        put_with(g, "block", 1, b.data, b.len);
        sp_buf_free(&b);
    }
    sp_opened_free(opened);
}

static void
pack(struct golden *g, const uint8_t *p, size_t n)
{
    bool nodes = p[5] == SP_PACK_NODES;
    size_t end = n - PACK_FOOTER - sp_le32(p + n - 16), length;
    struct sp_err e = {0};

    in_repository(g, nodes ? 1 : 0, p, n);
    for (uint8_t mend = 0; mend < 8; mend += 2)
        put_with(g, "pack", (uint8_t)(mend | nodes), p, n);
    for (size_t at = PACK_HEADER; at < end; at += length) {
        FUZZ_OK(sp_block_length(p + at, end - at, &length, &e));
        block(g, p + at, length);
    }
}

static void
index_segment(struct golden *g, const uint8_t *p, size_t n)
{
    in_repository(g, 2, p, n);
    put_with(g, "index", 0, p, n);
    put_with(g, "index", 1, p, n);
}

/* --- records
 * ------------------------------------------------------------------------------------------ */

/* Everything that a verdict has, once. */
static void
judge(struct sp_verdict *v)
{
    static const char id[] = "66841cd4-6ded-4f4b-8f17-fd23f8ddc3de";
    struct sp_verdict_component *c;
    struct sp_verdict_writer *w;
    struct sp_verdict_shadow *s;
    struct sp_verdict_event *event;
    struct sp_err e = {0};

    v->vss = v->confirmed = true;
    FUZZ_OK(sp_verdict_add_writer(v, &w, &e));
    memcpy(w->class_id, id, sizeof(id));
    FUZZ_MUST((w->name = strdup("Microsoft Hyper-V VSS Writer")) != NULL);
    w->stages[SP_STAGE_COMPLETE] = (struct sp_verdict_status){.asked = true, .state = 1};
    w->why = SP_WHY_TOOK_PART;
    w->level = SP_LEVEL_APPLICATION;
    FUZZ_OK(sp_verdict_add_shadow(v, &s, &e));
    memcpy(s->id, id, sizeof(id));
    for (uint32_t i = 0; i < 2; i++) {
        FUZZ_OK(sp_verdict_add_component(v, &c, &e));
        c->writer = c->shadow = 0;
        c->parent = i == 0 ? SP_NO_INDEX : 0;
        FUZZ_MUST((c->unit = strdup("web01")) != NULL && (c->depends = malloc(4)) != NULL &&
                  (c->paths = calloc(1, sizeof(char *))) != NULL &&
                  (c->paths[0] = strdup("C:\\a.vhdx")) != NULL);
        c->depends[0] = 1 - i;
        c->ndepends = c->npaths = 1;
        c->level = SP_LEVEL_CRASH;
        c->why = SP_WHY_METHOD;
    }
    FUZZ_OK(sp_verdict_add_event(v, &event, &e));
    FUZZ_MUST((event->text = strdup("an event")) != NULL);
    FUZZ_OK(sp_verdict_note(v, &e, "a note"));
}

/* With and without a document (fuzz_record.c). */
static void
completion(struct golden *g, const struct sp_set *set, const struct sp_set_sealed *judged)
{
    struct sp_buf plain = SP_BUF_INIT;
    struct sp_err e = {0};
    struct sp_id id;

    FUZZ_OK(sp_hasher_id(fuzz_hasher(), SP_CHUNK_DOCUMENT, NULL, 0, "document", 8, &id, &e));
    FUZZ_OK(sp_set_sealed_encode(judged, set->set_id, &plain, &e));
    for (int with = 0; with < 2; with++) {
        struct sp_buf b = SP_BUF_INIT, clear = SP_BUF_INIT, sealed = SP_BUF_INIT,
                      document = SP_BUF_INIT;
        struct sp_cur c = sp_cur_of(plain.data, plain.len);
        struct sp_wire_field f;

        sp_wire_put_uint(&clear, 1, 1);
        sp_wire_put_bytes(&clear, 2, set->set_id, 16);
        sp_wire_put_bytes(&clear, 3, set->host, 16);
        sp_wire_put_bytes(&clear, 4, id.b, 32);
        sp_wire_put_uint(&clear, 5, SP_LEVEL_CRASH);
        sp_wire_put_bytes(&sealed, 1, set->set_id, 16);
        while (sp_wire_next(&c, &f))
            if (f.number == 20)
                sp_wire_put_bytes(&sealed, 2, f.bytes.p, f.bytes.left);
        sp_wire_put_bytes(&document, 1, "session.xml", 11);
        sp_wire_put_uint(&document, 2, 8);
        sp_wire_put_item(&document, 3, id.b, 32);
        if (with)
            sp_wire_put_item(&sealed, 3, document.data, document.len);
        sp_buf_put_u8(&b, with ? 4 | 2 | 8 : 4 | 2);
        seed_part(&b, clear.data, clear.len);
        sp_buf_put(&b, sealed.data, sealed.len);
        put(g, "record", &b);
        sp_buf_free(&clear);
        sp_buf_free(&sealed);
        sp_buf_free(&document);
    }
    sp_buf_free(&plain);
}

static void
record(struct golden *g, const uint8_t *p, size_t n)
{
    struct sp_set_sealed sealed = {.nroots = 0};
    struct sp_buf clear = SP_BUF_INIT, plain = SP_BUF_INIT, b = SP_BUF_INIT;
    struct sp_set set;
    struct sp_err e = {0};

    sp_buf_put_u8(&b, 0);
    sp_buf_put(&b, p, n);
    in_repository(g, 3, b.data, b.len);
    put(g, "record", &b);
    FUZZ_OK(sp_set_record_decode(p, n, &set, &e));
    FUZZ_OK(sp_set_record_open(p, n, g->opener, &sealed, &e));
    memcpy(set.host, fuzz_host()->id, sizeof(set.host));
    memcpy(set.group, fuzz_host()->group, sizeof(set.group));
    FUZZ_OK(sp_set_encode(&set, &clear, &e));
    FUZZ_OK(sp_set_sealed_encode(&sealed, set.set_id, &plain, &e));
    sp_buf_put_u8(&b, 4);
    seed_part(&b, clear.data, clear.len);
    sp_buf_put(&b, plain.data, plain.len);
    put(g, "record", &b);
    sealed.has_verdict = true;
    judge(&sealed.verdict);
    sp_buf_reset(&plain);
    FUZZ_OK(sp_set_sealed_encode(&sealed, set.set_id, &plain, &e));
    sp_buf_put_u8(&b, 4);
    seed_part(&b, clear.data, clear.len);
    sp_buf_put(&b, plain.data, plain.len);
    put(g, "record", &b);
    completion(g, &set, &sealed);
    sp_set_sealed_clear(&sealed);
    sp_buf_free(&clear);
    sp_buf_free(&plain);
}

/* --- all
 * ---------------------------------------------------------------------------------------------- */

static void
conf(struct golden *g, const uint8_t *p, size_t n)
{
    put_with(g, "conf", 0, p, n);
    put_with(g, "conf", 1, p, n - 74); /* without the line of the hash */
}

static void
sheet(struct golden *g, const uint8_t *p, size_t n)
{
    struct sp_buf b = SP_BUF_INIT;

    sp_buf_put(&b, p, n);
    put(g, "sheet", &b);
}

/* proved ‖ packs ‖ nodes ‖ one node */
static void
known(struct golden *g)
{
    struct sp_buf b = SP_BUF_INIT;

    sp_buf_put_u64(&b, (uint64_t)(FUZZ_NOW_NS - 1000000000));
    sp_buf_put_u64(&b, 0);
    sp_buf_put_u64(&b, 1);
    sp_buf_put(&b, "one node's first", 16);
    in_repository(g, 7, b.data, b.len);
    sp_buf_free(&b);
}

static void
one(struct golden *g, const char *folder, const char *name, object_fn fn)
{
    char *path = sp_path_join(folder, name);
    struct sp_err e = {0};
    uint8_t *p = NULL;
    size_t n;

    FUZZ_MUST(path != NULL);
    FUZZ_OK(sp_os_read_file(&sp_os_system, path, 1u << 20, &p, &n, &e));
    fn(g, p, n);
    free(p);
    free(path);
}

void
seed_golden(const char *folder)
{
    static const struct {
        const char *name;
        object_fn fn;
    } folders[] = {{"sets", record}, {"keys", slot}, {"hosts", host}, {"nodes", pack},
        {"packs", pack}, {"index", index_segment}};
    char *repository = sp_path_join(folder, "repository"), *path;
    struct golden g = {.all = SP_BUF_INIT};
    struct sp_err e = {0};

    FUZZ_MUST(repository != NULL && (path = sp_path_join(repository, "keys")) != NULL);
    each_file(&g, path, open_slot);
    free(path);
    FUZZ_MUST(g.keys != NULL);
    FUZZ_OK(sp_opener_new(g.keys, &g.opener, &e));
    sp_buf_put_u8(&g.all, 1);
    for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
        FUZZ_MUST((path = sp_path_join(repository, folders[i].name)) != NULL);
        each_file(&g, path, folders[i].fn);
        free(path);
    }
    known(&g);
    put(&g, "repository", &g.all);
    wrapped(&g);
    one(&g, repository, "repository.conf", conf);
    one(&g, folder, "sheet.txt", sheet);
    sp_opener_free(g.opener);
    sp_keys_free(g.keys);
    free(repository);
}
