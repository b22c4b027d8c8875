#include "server/invite.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "storage/crypto.h"
#include "storage/keys.h"

#define SLOT_MAX (64u << 10)
#define SWEPT 64 /* at a time */

struct search {
    char id[33];
    char object[128]; /* "" until it is found */
};

static enum sp_code
look(void *arg, const char *name, uint64_t size, struct sp_err *e)
{
    struct search *s = arg;
    const char *last = strrchr(name, '/');

    (void)e;
    if (size > 0 && last != NULL && strcmp(last + 1, s->id) == 0 &&
        strlen(name) < sizeof(s->object))
        memcpy(s->object, name, strlen(name) + 1);
    return SP_OK;
}

static enum sp_code
not_there(struct sp_err *e)
{
    return sp_fail(e, SP_AUTH, SP_DOM_STORE,
        "this invitation is not known to the server: it was used, or is older than seven days; ask "
        "for a new one");
}

/* The slot of that id, whose group only the repository knows. */
static enum sp_code
read_slot(struct sp_repository *r, const uint8_t id[16], struct sp_invitation *to,
    struct sp_slot_info *info, struct sp_err *e)
{
    struct search s = {.object = ""};
    struct sp_backend *b = sp_repository_backend(r);
    enum sp_code rc;

    memcpy(s.id, sp_hex16(id).s, sizeof(s.id));
    if ((rc = sp_backend_list(b, "keys", look, &s, e)) != SP_OK)
        return rc;
    if (s.object[0] == '\0')
        return not_there(e);
    rc = sp_backend_get_all(b, s.object, SLOT_MAX, &to->slot, &to->slot_len, e);
    if (rc == SP_ABSENT)
        return not_there(e);
    if (rc != SP_OK || (rc = sp_slot_parse(to->slot, to->slot_len, info, e)) != SP_OK)
        return rc;
    if (info->kind != SP_SLOT_INVITATION || memcmp(info->id, id, sizeof(info->id)) != 0)
        return not_there(e);
    memcpy(to->slot_id, info->id, sizeof(to->slot_id));
    memcpy(to->group, info->group, sizeof(to->group));
    return SP_OK;
}

enum sp_code
sp_invitation_find(struct sp_repository *r, struct sp_state *s, const uint8_t id[16],
    const uint8_t proof[32], int64_t now_ns, struct sp_invitation *ret, struct sp_err *e)
{
    struct sp_invitation i = {.slot = NULL};
    struct sp_slot_info info;
    struct sp_err ignored = {0};
    uint8_t hash[32];
    int64_t seen_ns;
    enum sp_code rc;

    if ((rc = read_slot(r, id, &i, &info, e)) != SP_OK ||
        (rc = sp_sha256(proof, 32, hash, e)) != SP_OK)
        goto out;
    if (!sp_equal_const(hash, info.proof_hash, sizeof(hash))) {
        rc = sp_fail(e, SP_AUTH, SP_DOM_STORE, "the invitation's proof is wrong");
        goto out;
    }
    if ((rc = sp_state_invitation(s, i.slot_id, i.group, now_ns, &seen_ns, e)) != SP_OK)
        goto out;
    if (now_ns - seen_ns > SP_INVITATION_NS) {
        /* The hourly sweep tries again what does not work now. */
        if (sp_repository_remove_slot(r, i.group, i.slot_id, &ignored) == SP_OK)
            (void)sp_state_invitation_remove(s, i.slot_id, &ignored);
        rc = sp_fail(e, SP_AUTH, SP_DOM_STORE,
            "this invitation was used or is older than seven days; ask for a new one");
        goto out;
    }
    *ret = i;
    i.slot = NULL;
out:
    sp_invitation_clear(&i);
    return rc;
}

void
sp_invitation_clear(struct sp_invitation *i)
{
    free(i->slot);
    i->slot = NULL;
    i->slot_len = 0;
}

enum sp_code
sp_invitation_sweep(struct sp_repository *r, struct sp_state *s, int64_t now_ns,
    size_t *ret_removed, struct sp_err *e)
{
    struct sp_state_invitation old[SWEPT];
    size_t n = 0;
    enum sp_code rc;

    rc = sp_state_invitations_before(s, now_ns - SP_INVITATION_NS, old, SWEPT, &n, e);
    for (size_t i = 0; rc == SP_OK && i < n; i++) {
        rc = sp_repository_remove_slot(r, old[i].group, old[i].slot, e);
        if (rc == SP_OK || rc == SP_ABSENT)
            rc = sp_state_invitation_remove(s, old[i].slot, e);
    }
    if (rc == SP_OK)
        *ret_removed = n;
    return rc;
}
