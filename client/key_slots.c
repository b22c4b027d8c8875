#include <stdlib.h>
#include <string.h>

#include "client/key_cmds.h"

static enum sp_code
take(void *arg, const uint8_t *slot, size_t n, struct sp_err *e)
{
    struct key_slots *s = arg;
    struct key_slot *more;
    struct sp_slot_info info;
    struct sp_err ignored = {0};

    if (sp_slot_parse(slot, n, &info, &ignored) != SP_OK) /* check tells of it */
        return SP_OK;
    if ((more = realloc(s->v, (s->n + 1) * sizeof(*more))) == NULL)
        return sp_fail_nomem(e);
    s->v = more;
    if ((more[s->n].bytes = malloc(n)) == NULL)
        return sp_fail_nomem(e);
    memcpy(more[s->n].bytes, slot, n);
    more[s->n].n = n;
    more[s->n++].info = info;
    return SP_OK;
}

static int
oldest_first(const void *a, const void *b)
{
    const struct key_slot *x = a, *y = b;

    return (x->info.created_ns > y->info.created_ns) - (x->info.created_ns < y->info.created_ns);
}

enum sp_code
key_slots_read(struct sp_store *s, const uint8_t group[16], struct key_slots *ret, struct sp_err *e)
{
    struct key_slots all = {NULL, 0};
    enum sp_code rc = sp_store_slots(s, group, take, &all, e);

    if (rc != SP_OK) {
        key_slots_clear(&all);
        return rc;
    }
    if (all.n > 1)
        qsort(all.v, all.n, sizeof(*all.v), oldest_first);
    *ret = all;
    return SP_OK;
}

void
key_slots_clear(struct key_slots *s)
{
    size_t i;

    for (i = 0; i < s->n; i++)
        free(s->v[i].bytes);
    free(s->v);
    memset(s, 0, sizeof(*s));
}

enum sp_code
key_slots_keep(
    struct sp_cli *c, struct sp_store *store, const struct sp_profile *p, struct sp_err *e)
{
    struct key_slots all = {NULL, 0};
    struct sp_buf copy = SP_BUF_INIT;
    size_t i;
    enum sp_code rc;

    if ((rc = key_slots_read(store, sp_keys_group(p->keys), &all, e)) != SP_OK)
        return rc;
    for (i = 0; i < all.n; i++) {
        sp_buf_put_u32(&copy, (uint32_t)all.v[i].n);
        sp_buf_put(&copy, all.v[i].bytes, all.v[i].n);
    }
    if ((rc = sp_buf_ok(&copy, e)) == SP_OK)
        rc = sp_profile_save_slots(c->env, p, copy.data, copy.len, e);
    sp_buf_free(&copy);
    key_slots_clear(&all);
    return rc;
}

enum sp_code
key_slot_put(
    struct sp_cli *c, struct sp_opened_store *o, const struct sp_buf *slot, struct sp_err *e)
{
    enum sp_code rc;

    if ((rc = sp_store_put_slot(o->store, slot->data, slot->len, e)) != SP_OK)
        return rc;
    return key_slots_keep(c, o->store, o->profile, e);
}

enum sp_code
key_ask_passphrase(struct sp_cli *c, struct sp_buf *ret, struct sp_err *e)
{
    struct sp_buf again = SP_BUF_INIT;
    enum sp_code rc;

    if (c->passphrase_file != NULL) {
        rc = sp_cli_read_secret_file(c, c->passphrase_file, ret, e);
    } else if ((rc = sp_cli_ask_secret(c, "the new passphrase", ret, e)) == SP_OK &&
               (rc = sp_cli_ask_secret(c, "once more", &again, e)) == SP_OK &&
               strcmp(sp_buf_str(ret), sp_buf_str(&again)) != 0) {
        rc = sp_fail(e, SP_INVALID, SP_DOM_CONFIG, "the two are not the same; nothing was done");
    }
    if (rc == SP_OK && ret->len == 0)
        rc = sp_fail(e, SP_INVALID, SP_DOM_CONFIG, "the passphrase is empty");
    sp_buf_wipe(&again);
    return rc;
}

const char *
key_slot_kind(enum sp_slot_kind k)
{
    switch (k) {
    case SP_SLOT_PASSPHRASE:
        return "passphrase";
    case SP_SLOT_RECOVERY:
        return "recovery";
    case SP_SLOT_INVITATION:
        return "invitation";
    }
    return "unknown";
}
