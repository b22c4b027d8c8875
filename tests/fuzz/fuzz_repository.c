#include <stdlib.h>

#include "base/clock.h"
#include "base/text.h"
#include "storage/repository_impl.h"
#include "tests/conformance/packname.h"
#include "tests/fuzz/files.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/material.h"

/* `u8 flags ‖ (u8 kind ‖ u16 length ‖ bytes) …`: a whole repository, object by object, and what
 * lies in the local cache beside it. It is opened, listed, checked, read and walked; what is wrong
 * in it is told and stops nothing. */

enum { WRITE = 1 };
enum { DATA, NODES, INDEX, RECORD, SLOT, HOST, OWNER, KNOWN, BAD, OTHER, KINDS };

#define ID "00112233445566778899aabbccddeeff"
#define CACHE "/cache"

struct world {
    struct sp_backend *b;
    struct fuzz_files *files;
    unsigned sets;
    struct sp_set set; /* the last that made sense */
    bool has_set;
};

static void
put(struct world *w, const char *name, const struct fuzz_in *in)
{
    struct sp_err e = {0};
    enum sp_code rc = FUZZ_TRY(sp_backend_put(w->b, name, in->p, in->n, &e));

    FUZZ_MUST(rc == SP_OK || rc == SP_EXISTS || rc == SP_INVALID);
}

static void
put_record(struct world *w, struct fuzz_in *in)
{
    enum sp_record_type type = (enum sp_record_type)(SP_RECORD_SET + fuzz_u8(in) % 4);
    uint8_t host[16], set_id[16] = {0};
    struct sp_set set;
    struct sp_err e = {0};
    char name[160];

    memcpy(host, fuzz_host()->id, 16);
    set_id[0] = (uint8_t)w->sets;
    if (sp_set_record_decode(in->p, in->n, &set, &e) == SP_OK) {
        memcpy(host, set.host, 16);
        memcpy(set_id, set.set_id, 16);
        w->set = set;
        w->has_set = true;
    }
    sp_record_object_name(type, host, FUZZ_NOW_NS + w->sets++ * 1000 * SP_SECOND, set_id, name);
    put(w, name, in);
}

/* With the hash at its end. */
static void
put_known(struct world *w, const struct fuzz_in *in)
{
    struct sp_buf b = SP_BUF_INIT;
    struct sp_err e = {0};
    uint8_t hash[32], id[16];
    char path[200];

    FUZZ_MUST(sp_hex_parse(ID, id, 16));
    sp_buf_put(&b, "SPKNOWN1", 8);
    sp_buf_put(&b, id, 16);
    sp_buf_put(&b, in->p, in->n);
    FUZZ_OK(sp_sha256(b.data, b.len, hash, &e));
    sp_buf_put(&b, hash, 32);
    (void)snprintf(path, sizeof(path), CACHE "/" ID "/known-%.32s-%.32s",
        sp_hex16(w->has_set ? w->set.host : fuzz_host()->id).s,
        sp_hex16(w->has_set ? w->set.group : fuzz_host()->group).s);
    fuzz_files_put(w->files, path, b.data, b.len);
    sp_buf_free(&b);
}

static void
put_bad(struct world *w, const struct fuzz_in *in)
{
    char path[300];

    if (in->n > 0 && in->n < 200 && memchr(in->p, 0, in->n) == NULL &&
        memchr(in->p, '/', in->n) == NULL) {
        (void)snprintf(path, sizeof(path), CACHE "/" ID "/bad-%.*s", (int)in->n, in->p);
        fuzz_files_put(w->files, path, "", 0);
    }
}

static void
put_object(struct world *w, unsigned kind, struct fuzz_in *in)
{
    uint8_t hash[32];
    struct sp_err e = {0};
    char name[200];

    FUZZ_OK(sp_sha256(in->p, in->n, hash, &e));
    switch (kind) {
    case DATA:
    case NODES:
        pack_name_of(kind == DATA ? SP_PACK_DATA : SP_PACK_NODES, in->p, in->n, hash);
        sp_pack_object_name(kind == DATA ? SP_PACK_DATA : SP_PACK_NODES, hash, name);
        put(w, name, in);
        break;
    case INDEX:
        sp_index_object_name(hash, name);
        put(w, name, in);
        break;
    case RECORD:
        put_record(w, in);
        break;
    case SLOT:
        (void)snprintf(name, sizeof(name), "keys/%.32s/%.32s",
            sp_hex16(w->has_set ? w->set.group : fuzz_host()->group).s, sp_hex16(hash).s);
        put(w, name, in);
        break;
    case HOST:
        (void)snprintf(name, sizeof(name), "hosts/%.32s",
            sp_hex16(w->has_set ? w->set.host : fuzz_host()->id).s);
        put(w, name, in);
        break;
    case OWNER:
        put(w, "owner", in);
        break;
    case KNOWN:
        put_known(w, in);
        break;
    case BAD:
        put_bad(w, in);
        break;
    default: { /* a name of its own */
        struct fuzz_in part = fuzz_take(in, fuzz_u8(in));

        if (part.n > 0 && memchr(part.p, 0, part.n) == NULL) {
            (void)snprintf(name, sizeof(name), "%.*s", (int)(part.n < 199 ? part.n : 199), part.p);
            if (strcmp(name, SP_CONF_NAME) != 0)
                put(w, name, in);
        }
        break;
    }
    }
}

static enum sp_code
see_finding(void *arg, const struct sp_check_finding *f, struct sp_err *e)
{
    (void)e;
    FUZZ_MUST(memchr(f->text, 0, sizeof(f->text)) != NULL && f->text[0] != '\0');
    FUZZ_MUST(memchr(f->object, 0, sizeof(f->object)) != NULL);
    *(uint64_t *)arg += f->severity == SP_FINDING_FAULT;
    return SP_OK;
}

static enum sp_code
see_set(void *arg, const struct sp_set_info *i, struct sp_err *e)
{
    (void)arg;
    (void)e;
    FUZZ_MUST(i->record_len > 0);
    return SP_OK;
}

static enum sp_code
see_slot(void *arg, const uint8_t *slot, size_t n, struct sp_err *e)
{
    struct sp_slot_info info;

    (void)arg;
    (void)sp_slot_parse(slot, n, &info, e);
    return SP_OK;
}

static enum sp_code
see_block(void *arg, const uint8_t *block, size_t n, const uint32_t *wanted, size_t nwanted,
    struct sp_err *e)
{
    struct sp_block_header h;

    (void)arg;
    FUZZ_MUST(sp_block_header_parse(block, n, &h, e) == SP_OK && nwanted > 0 && wanted[0] < 1);
    return SP_OK;
}

static void
use(struct world *w, struct sp_repository *r)
{
    const struct sp_check_options all = {.depth = SP_CHECK_DATA};
    struct sp_reader_scope scope = {w->set.host, w->set.group};
    struct sp_check_totals totals = {0};
    struct sp_store_head head = {.has_set = false};
    struct sp_id *missing = NULL;
    struct sp_err e = {0};
    uint64_t faults = 0;
    size_t n = 0, lost = 0;
    uint8_t *record = NULL;
    bool more;

    FUZZ_OK(sp_repository_list(r, NULL, true, see_set, NULL, &e));
    FUZZ_OK(sp_repository_slots(r, NULL, see_slot, NULL, &e));
    if (FUZZ_TRY(sp_repository_host(r, w->set.host, &record, &n, &e)) == SP_OK)
        free(record);
    if (w->has_set) {
        if (FUZZ_TRY(sp_repository_head(r, w->set.host, w->set.group, w->set.job, &head, &e)) ==
            SP_OK)
            FUZZ_MUST(head.nmissing <= 65536);
        sp_store_head_clear(&head);
        FUZZ_OK(sp_repository_closure(r, &scope, &w->set.root, &missing, &n, &more, &e));
        for (size_t i = 1; i < n; i++)
            FUZZ_MUST(sp_id_cmp(&missing[i - 1], &missing[i]) < 0);
        free(missing);
        FUZZ_OK(sp_repository_get(r, &scope, &w->set.root, 1, 0, see_block, NULL, &e));
    }
    FUZZ_OK(sp_repository_check(r, NULL, &all, see_finding, &faults, &totals, &e));
    FUZZ_MUST(totals.faults == faults);
    FUZZ_OK(sp_repository_refresh(r, &lost, &e));
    FUZZ_MUST(lost == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sp_repository_conf conf = {.pack_size = 64u << 10};
    struct world w = {.files = fuzz_files_new()};
    struct fuzz_in in = {data, size};
    unsigned flags = fuzz_u8(&in);
    struct sp_repository_options o = {.cache_dir = CACHE, .write = (flags & WRITE) != 0};
    struct sp_repository *r = NULL;
    struct sp_err e = {0};

    FUZZ_OK(sp_backend_memory_new(&w.b, &e));
    FUZZ_MUST(sp_hex_parse(ID, conf.id, 16));
    FUZZ_OK(sp_repository_create(w.b, fuzz_files_env(w.files), &conf, NULL, &e));
    for (unsigned i = 0; in.n > 0 && i < 200; i++) {
        unsigned kind = fuzz_u8(&in) % KINDS;
        struct fuzz_in part = fuzz_part(&in);

        put_object(&w, kind, &part);
    }
    if (FUZZ_TRY(sp_repository_open(w.b, fuzz_files_env(w.files), &o, &r, &e)) == SP_OK) {
        use(&w, r);
        sp_repository_free(r);
    } else {
        FUZZ_MUST(e.code == SP_REFUSED && o.write); /* a server fronts it */
    }
    fuzz_files_free(w.files);
    return 0;
}
