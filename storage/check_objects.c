/* Check: every object's name, and the small ones' content. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "storage/ahead.h"
#include "storage/check_impl.h"

#define SEGMENT_MAX (512u << 20) /* as in index_cache.c: larger ones are not taken */
#define PIECE (1u << 20)

struct object {
    char name[192];
    uint64_t size;
    bool segment, mark, skip;
};

struct listing { /* objects whose content is looked at here */
    struct sp_check *c;
    struct object *v;
    size_t n, cap;
};

static bool
below(const char *name, const char *folder)
{
    size_t n = strlen(folder);

    return strncmp(name, folder, n) == 0 && name[n] == '/';
}

static bool
ends_with(const char *name, const char *end)
{
    size_t n = strlen(name), m = strlen(end);

    return n >= m && strcmp(name + n - m, end) == 0;
}

static enum sp_code
keep(struct listing *l, const char *name, uint64_t size, struct sp_err *e)
{
    uint8_t id[32];

    if (l->n == l->cap) {
        size_t cap = l->cap == 0 ? 64 : l->cap * 2;
        struct object *more = realloc(l->v, cap * sizeof(*more));

        if (more == NULL)
            return sp_fail_nomem(e);
        l->v = more;
        l->cap = cap;
    }
    (void)snprintf(l->v[l->n].name, sizeof(l->v[l->n].name), "%s", name);
    l->v[l->n].segment = sp_index_object_parse(name, id);
    l->v[l->n].mark = sp_mark_object_parse(name, id);
    l->v[l->n].skip = false;
    l->v[l->n++].size = size;
    return SP_OK;
}

static enum sp_code
see(void *arg, const char *name, uint64_t size, struct sp_err *e)
{
    struct listing *l = arg;
    struct sp_check *c = l->c;
    enum sp_pack_kind kind;
    enum sp_record_type type;
    uint8_t id[32], host[16];
    int64_t at_ns;
    bool index = sp_index_object_parse(name, id), mark = sp_mark_object_parse(name, id);
    enum sp_code rc;

    if ((rc = sp_check_live(c, e)) != SP_OK)
        return rc;
    c->totals.objects++;
    if (below(name, "leases") || below(name, "trash") ||
        below(name, "gaps")) /* looked at where there is a gap */
        return SP_OK;
    if (mark) /* also an empty one: nobody writes anything while it is there */
        return keep(l, name, size, e);
    if (ends_with(name, ".bad"))
        return sp_check_tell(c, false, name, NULL, NULL, 0, e, "it was set aside as bad");
    if (sp_pack_object_parse(name, &kind, id))
        return size >= SP_PACK_MIN_SIZE
                   ? SP_OK
                   : sp_check_tell(c, true, name, NULL, NULL, 0, e,
                         "it has %llu bytes, too few for a pack, and counts as absent",
                         (unsigned long long)size);
    if (sp_record_object_parse(name, &type, host, &at_ns, id))
        return size > 0
                   ? (c->r->backend->ahead > 0 ? sp_records_see(&c->names, name, size, e) : SP_OK)
                   : sp_check_tell(
                         c, true, name, id, NULL, 0, e, "the record is empty and counts as absent");
    if (strcmp(name, SP_CONF_NAME) == 0 || strcmp(name, SP_OWNER_NAME) == 0 || index ||
        below(name, "keys") || below(name, "hosts"))
        return size > 0 ? keep(l, name, size, e)
                        : sp_check_tell(c, !index, name, NULL, NULL, 0, e,
                              "it is empty and counts as absent");
    return sp_check_tell(c, false, name, NULL, NULL, 0, e, "it is no object that we know");
}

/* What reading it came to. */
static enum sp_code
check_small(struct sp_check *c, const struct object *o, enum sp_code rc, const uint8_t *p, size_t n,
    const struct sp_err *failed, struct sp_err *e)
{
    struct sp_repository_conf conf;
    struct sp_slot_info slot;
    struct sp_host host;
    struct sp_err why = *failed;
    uint8_t owner[16];
    char hex[48] = "", want[128] = "";
    bool named = true, read = rc == SP_OK;

    if (rc == SP_OK && strcmp(o->name, SP_CONF_NAME) == 0) {
        rc = sp_repository_conf_decode(p, n, &conf, &why);
        named = rc != SP_OK || memcmp(conf.id, c->r->conf.id, sizeof(conf.id)) == 0;
    } else if (rc == SP_OK && strcmp(o->name, SP_OWNER_NAME) == 0) {
        if (n == 40 && memcmp(p, "server ", 7) == 0 && p[39] == '\n')
            memcpy(hex, p + 7, 32);
        if (!sp_hex_parse(hex, owner, sizeof(owner)))
            rc = sp_fail(&why, SP_CORRUPT, SP_DOM_STORE, "it does not name a server");
    } else if (rc == SP_OK && below(o->name, "keys")) {
        if ((rc = sp_slot_parse(p, n, &slot, &why)) == SP_OK)
            (void)snprintf(want, sizeof(want), "keys/%.32s/%.32s", sp_hex16(slot.group).s,
                sp_hex16(slot.id).s);
        named = rc != SP_OK || strcmp(want, o->name) == 0;
    } else if (rc == SP_OK) {
        if ((rc = sp_host_decode(p, n, NULL, &host, &why)) == SP_OK)
            (void)snprintf(want, sizeof(want), "hosts/%.32s", sp_hex16(host.id).s);
        named = rc != SP_OK || strncmp(want, o->name, strlen(want)) == 0;
        if (rc == SP_OK)
            sp_kept_put(c->r, o->name, p, n); /* asked for again: who signs the sets */
    }
    /* Of a later version than this program: that says nothing about the store, nor that it is bad.
     */
    if (read && rc == SP_UNSUPPORTED)
        return sp_check_tell(c, false, o->name, NULL, NULL, 0, e, "%.380s", why.text);
    if (rc != SP_OK)
        return sp_check_bad(c, true, o->name, NULL, rc, &why, e);
    if (!named)
        return sp_check_tell(
            c, true, o->name, NULL, NULL, 0, e, "its content belongs to another name");
    return SP_OK;
}

/* Nothing is backed up while there is a mark that cannot be understood: a fault. */
static enum sp_code
check_mark(struct sp_check *c, const struct object *o, enum sp_code rc, const uint8_t *p, size_t n,
    const struct sp_err *failed, struct sp_err *e)
{
    struct sp_mark mark;
    struct sp_err why = *failed;
    uint8_t id[16];

    if (rc == SP_ABSENT) /* the removal was over meanwhile */
        return SP_OK;
    if (sp_store_fatal(rc)) {
        *e = why;
        return rc;
    }
    if (rc == SP_OK && (rc = sp_mark_decode(p, n, &mark, &why)) == SP_OK) {
        (void)sp_mark_object_parse(o->name, id);
        if (memcmp(id, mark.id, sizeof(id)) != 0)
            rc = sp_fail(&why, SP_CORRUPT, SP_DOM_STORE, "the mark has another one's name");
        sp_mark_free(&mark);
    }
    if (rc == SP_OK)
        return SP_OK;
    return sp_check_tell(c, true, o->name, NULL, NULL, 0, e,
        "%.200s; nobody knows which packs a removal is going to take, so no backup is made here. When "
        "no prune is under way, remove this object",
        why.text);
}

/* A segment's bytes must have the hash that it is named by. It is only a hint: a note. */
static enum sp_code
check_segment_hash(
    struct sp_check *c, const struct object *o, struct sp_sha256 *h, struct sp_err *e)
{
    uint8_t name[32], hash[32];
    enum sp_code rc;

    (void)sp_index_object_parse(o->name, name);
    if ((rc = sp_sha256_end(h, hash, e)) != SP_OK || memcmp(hash, name, sizeof(hash)) == 0)
        return rc;
    return sp_check_tell(c, false, o->name, NULL, NULL, 0, e,
        "the index segment does not have the hash that it is named by; it is not used, and "
        "the next backup writes what it said anew");
}

static enum sp_code
tell_large(struct sp_check *c, struct object *o, struct sp_err *e)
{
    if (!o->segment)
        return SP_OK;
    /* A file of a terabyte costs who puts it there nothing. */
    if (o->size > SEGMENT_MAX) {
        o->skip = true;
        return sp_check_tell(c, false, o->name, NULL, NULL, 0, e,
            "it has %llu bytes, too many for an index segment, and is not used",
            (unsigned long long)o->size);
    }
    return SP_OK;
}

struct reading { /* of what was listed, side by side where the store is far */
    struct listing *l;
    size_t next; /* to ask for, */
    uint64_t at; /* and from where on */
    struct sp_sha256 *hash;
};

static bool
next_piece(void *arg, struct sp_ahead_read *ret)
{
    struct reading *d = arg;
    const struct object *o;

    while (d->next < d->l->n && d->l->v[d->next].skip) {
        d->next++;
        d->at = 0;
    }
    if (d->next == d->l->n)
        return false;
    o = &d->l->v[d->next];
    (void)snprintf(ret->name, sizeof(ret->name), "%s", o->name);
    ret->tag = d->next;
    ret->whole = !o->segment;
    ret->limit = o->mark ? SP_MARK_MAX : SP_SMALL_OBJECT;
    ret->offset = d->at;
    ret->n = o->size - d->at < PIECE ? (size_t)(o->size - d->at) : PIECE;
    d->at += ret->n;
    if (ret->whole || d->at == o->size) {
        d->next++;
        d->at = 0;
    }
    return true;
}

static enum sp_code
take_piece(struct reading *d, const struct sp_ahead_read *read, enum sp_code got, const uint8_t *p,
    size_t n, const struct sp_err *why, struct sp_err *e)
{
    struct sp_check *c = d->l->c;
    struct object *o = &d->l->v[read->tag];
    enum sp_code rc;

    if (o->mark)
        return check_mark(c, o, got, p, n, why, e);
    if (!o->segment)
        return check_small(c, o, got, p, n, why, e);
    if (o->skip)
        return SP_OK;
    if (got != SP_OK) {
        o->skip = true;
        /* Merged and removed since it was listed? Then its going is no finding. */
        return got == SP_ABSENT ? SP_OK : sp_check_bad(c, false, o->name, NULL, got, why, e);
    }
    if (read->offset == 0) {
        sp_sha256_free(d->hash);
        d->hash = NULL;
        if ((rc = sp_sha256_new(&d->hash, e)) != SP_OK)
            return rc;
    }
    if ((rc = sp_sha256_add(d->hash, p, n, e)) != SP_OK || read->offset + n < o->size)
        return rc;
    return check_segment_hash(c, o, d->hash, e);
}

static enum sp_code
read_all(struct listing *l, struct sp_err *e)
{
    struct reading d = {.l = l};
    struct sp_ahead *ahead = NULL;
    const struct sp_ahead_read *read;
    const uint8_t *p;
    size_t n;
    enum sp_code rc, got;

    if ((rc = sp_ahead_new(l->c->r->backend, next_piece, &d, &ahead, e)) != SP_OK)
        return rc;
    while (rc == SP_OK && (rc = sp_check_live(l->c, e)) == SP_OK) {
        struct sp_err why = {0};

        got = sp_ahead_take(ahead, &read, &p, &n, &why);
        if (read == NULL)
            break;
        rc = take_piece(&d, read, got, p, n, &why, e);
    }
    sp_ahead_free(ahead);
    sp_sha256_free(d.hash);
    return rc;
}

enum sp_code
sp_check_objects(struct sp_check *c, struct sp_err *e)
{
    struct listing l = {c, NULL, 0, 0};
    size_t i;
    enum sp_code rc;

    if (c->host != NULL) /* one host sees nothing of what is not its own */
        return SP_OK;
    rc = sp_backend_list(c->r->backend, "", see, &l, e);
    for (i = 0; i < l.n && rc == SP_OK; i++)
        rc = tell_large(c, &l.v[i], e);
    c->has_names = rc == SP_OK && c->r->backend->ahead > 0;
    if (rc == SP_OK)
        rc = read_all(&l, e);
    free(l.v);
    return rc;
}
