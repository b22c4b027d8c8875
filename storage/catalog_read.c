#include "storage/catalog.h"

#include <stdlib.h>

#include "base/path.h"
#include "base/text.h"
#include "storage/catalog_walk.h"

#define READ_AHEAD 32 /* leaves, of about 32 KiB each */

struct sp_catalog {
    struct sp_walk *walk;
    bool given;  /* the entry where walk is was given: the next call goes behind it */
    bool failed; /* walk is before a node that could not be read */
};

enum sp_code
sp_catalog_open(const struct sp_node_source *source, const struct sp_id *root,
    struct sp_catalog **ret, struct sp_err *e)
{
    struct sp_catalog *c = calloc(1, sizeof *c);
    enum sp_code rc;

    if (c == NULL)
        return sp_fail_nomem(e);
    if ((rc = sp_walk_new(source, root, READ_AHEAD, &c->walk, e)) != SP_OK) {
        sp_err_context(e, "catalog %s", sp_hex8(root->b).s);
        free(c);
        return rc;
    }
    *ret = c;
    return SP_OK;
}

void
sp_catalog_free(struct sp_catalog *c)
{
    if (c == NULL)
        return;
    sp_walk_free(c->walk);
    free(c);
}

/* Says which part of the tree is out of reach. */
static void
name_place(const struct sp_walk *w, struct sp_err *e)
{
    struct sp_buf path = SP_BUF_INIT, shown = SP_BUF_INIT;
    struct sp_walk_place p;

    if (!sp_walk_at(w, &p))
        return;
    sp_key_to_path(p.key, p.key_len < 256 ? p.key_len : 256, &path);
    sp_path_show(path.data, path.len, &shown);
    sp_err_context(e, "catalog from %s", p.key_len > 0 ? sp_buf_str(&shown) : "its beginning");
    sp_buf_free(&path);
    sp_buf_free(&shown);
}

enum sp_code
sp_catalog_next(struct sp_catalog *c, const struct sp_entry **ret, struct sp_err *e)
{
    struct sp_walk_place p;
    enum sp_code rc;

    if (c->given && (rc = sp_walk_pass(c->walk, e)) != SP_OK)
        return rc;
    c->given = c->failed = false;
    while (sp_walk_at(c->walk, &p)) {
        if (p.entry != NULL) {
            c->given = true;
            *ret = p.entry;
            return SP_OK;
        }
        if ((rc = sp_walk_enter(c->walk, e)) != SP_OK) {
            c->failed = true;
            name_place(c->walk, e);
            return rc;
        }
    }
    *ret = NULL;
    return SP_OK;
}

enum sp_code
sp_catalog_skip(struct sp_catalog *c, struct sp_err *e)
{
    if (!c->failed)
        return sp_fail(e, SP_INVALID, SP_DOM_SELF, "no node of the catalog has failed");
    c->failed = false;
    return sp_walk_pass(c->walk, e);
}

enum sp_code
sp_catalog_seek(struct sp_catalog *c, const void *key, size_t n, struct sp_err *e)
{
    enum sp_code rc;

    c->given = c->failed = false;
    if ((rc = sp_walk_seek(c->walk, key, n, e)) != SP_OK) {
        c->failed = true;
        name_place(c->walk, e);
    }
    return rc;
}

enum sp_code
sp_catalog_find(
    struct sp_catalog *c, const void *key, size_t n, const struct sp_entry **ret, struct sp_err *e)
{
    const struct sp_entry *en = NULL;
    struct sp_walk_place p;
    enum sp_code rc;

    if ((rc = sp_catalog_seek(c, key, n, e)) != SP_OK) {
        /* A node that is gone must not look like a file that never was. */
        if (rc == SP_ABSENT)
            e->code = rc = SP_CORRUPT;
        return rc;
    }
    /* A seek ends on an entry, or before a node that begins behind the key, or at the end. */
    if (sp_walk_at(c->walk, &p))
        en = p.entry;
    if (en == NULL || sp_key_cmp(en->key, en->key_len, key, n) != 0)
        return sp_fail(e, SP_ABSENT, SP_DOM_STORE, "there is no such path in the backup set");
    c->given = true;
    *ret = en;
    return SP_OK;
}

enum sp_code
sp_catalog_totals(struct sp_catalog *c, struct sp_catalog_totals *ret, struct sp_err *e)
{
    struct sp_catalog_totals t = {0, 0, 0};
    enum sp_code rc;

    if ((rc = sp_walk_totals(c->walk, &t.entries, &t.bytes, e)) == SP_OK)
        *ret = t;
    return rc;
}
