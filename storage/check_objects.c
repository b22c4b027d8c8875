/* Check: every object's name, and the small ones' content. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "storage/check_impl.h"

#define SEGMENT_MAX (512u << 20) /* as in index_cache.c: larger ones are not taken */
#define PIECE (1u << 20)

struct object {
    char name[192];
    uint64_t size;
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
    if (l->n == l->cap) {
        size_t cap = l->cap == 0 ? 64 : l->cap * 2;
        struct object *more = realloc(l->v, cap * sizeof(*more));

        if (more == NULL)
            return sp_fail_nomem(e);
        l->v = more;
        l->cap = cap;
    }
    (void)snprintf(l->v[l->n].name, sizeof(l->v[l->n].name), "%s", name);
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
    bool index = sp_index_object_parse(name, id);
    enum sp_code rc;

    if ((rc = sp_check_live(c, e)) != SP_OK)
        return rc;
    c->totals.objects++;
    if (below(name, "leases") || below(name, "marks") || below(name, "trash") ||
        below(name, "gaps")) /* looked at where there is a gap */
        return SP_OK;
    if (ends_with(name, ".bad"))
        return sp_check_tell(c, false, name, NULL, NULL, 0, e, "it was set aside as bad");
    if (sp_pack_object_parse(name, &kind, id))
        return size >= SP_PACK_MIN_SIZE
                   ? SP_OK
                   : sp_check_tell(c, true, name, NULL, NULL, 0, e,
                         "it has %llu bytes, too few for a pack, and counts as absent",
                         (unsigned long long)size);
    if (sp_record_object_parse(name, &type, host, &at_ns, id))
        return size > 0 ? SP_OK
                        : sp_check_tell(c, true, name, id, NULL, 0, e,
                              "the record is empty and counts as absent");
    if (strcmp(name, SP_CONF_NAME) == 0 || strcmp(name, SP_OWNER_NAME) == 0 || index ||
        below(name, "keys") || below(name, "hosts"))
        return size > 0 ? keep(l, name, size, e)
                        : sp_check_tell(c, !index, name, NULL, NULL, 0, e,
                              "it is empty and counts as absent");
    return sp_check_tell(c, false, name, NULL, NULL, 0, e, "it is no object that we know");
}

static enum sp_code
check_small(struct sp_check *c, const struct object *o, struct sp_err *e)
{
    struct sp_repository_conf conf;
    struct sp_slot_info slot;
    struct sp_host host;
    struct sp_err why = {0};
    uint8_t *p = NULL, owner[16];
    char hex[48] = "", want[128] = "";
    bool named = true;
    size_t n = 0;
    enum sp_code rc = sp_backend_get_all(c->r->backend, o->name, SP_SMALL_OBJECT, &p, &n, &why);
    bool read = rc == SP_OK;

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
    }
    free(p);
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

/* A segment's bytes must have the hash that it is named by. It is only a hint: a note. */
static enum sp_code
check_segment(struct sp_check *c, const struct object *o, struct sp_err *e)
{
    struct sp_sha256 *h = NULL;
    struct sp_err why = {0};
    uint8_t *piece = malloc(o->size < PIECE ? (size_t)o->size + 1 : PIECE), name[32], hash[32];
    uint64_t at;
    enum sp_code rc;

    (void)sp_index_object_parse(o->name, name);
    if (piece == NULL)
        return sp_fail_nomem(e);
    /* A file of a terabyte costs who puts it there nothing. */
    if (o->size > SEGMENT_MAX) {
        rc = sp_check_tell(c, false, o->name, NULL, NULL, 0, e,
            "it has %llu bytes, too many for an index segment, and is not used",
            (unsigned long long)o->size);
        goto out;
    }
    if ((rc = sp_sha256_new(&h, e)) != SP_OK)
        goto out;
    for (at = 0; at < o->size;) {
        size_t n = o->size - at < PIECE ? (size_t)(o->size - at) : PIECE;

        if ((rc = sp_check_live(c, e)) != SP_OK)
            goto out;
        if ((rc = sp_backend_get(c->r->backend, o->name, at, piece, n, &why)) != SP_OK) {
            /* Merged and removed since it was listed? Then its going is no finding. */
            rc = rc == SP_ABSENT ? SP_OK : sp_check_bad(c, false, o->name, NULL, rc, &why, e);
            goto out;
        }
        if ((rc = sp_sha256_add(h, piece, n, e)) != SP_OK)
            goto out;
        at += n;
    }
    if ((rc = sp_sha256_end(h, hash, e)) != SP_OK)
        goto out;
    if (memcmp(hash, name, sizeof(hash)) != 0)
        rc = sp_check_tell(c, false, o->name, NULL, NULL, 0, e,
            "the index segment does not have the hash that it is named by; it is not used, and "
            "the next backup writes what it said anew");
out:
    sp_sha256_free(h);
    free(piece);
    return rc;
}

enum sp_code
sp_check_objects(struct sp_check *c, struct sp_err *e)
{
    struct listing l = {c, NULL, 0, 0};
    uint8_t name[32];
    size_t i;
    enum sp_code rc;

    if (c->host != NULL) /* one host sees nothing of what is not its own */
        return SP_OK;
    rc = sp_backend_list(c->r->backend, "", see, &l, e);
    for (i = 0; i < l.n && rc == SP_OK; i++)
        rc = sp_index_object_parse(l.v[i].name, name) ? check_segment(c, &l.v[i], e)
                                                      : check_small(c, &l.v[i], e);
    free(l.v);
    return rc;
}
