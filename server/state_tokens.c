/* Enrolment tokens, and when invitations were first seen: see state.h. */

#include <string.h>

#include "base/text.h"
#include "server/state_sql.h"

static enum sp_code
add_token(struct sp_state *s, const struct sp_state_token *t, struct sp_err *e)
{
    struct sp_sql *q;
    enum sp_code rc;

    if ((rc = sp_sql_new(s, "UPDATE tokens SET void = 1 WHERE name = ?1 AND used_ns = 0", &q, e)) !=
        SP_OK)
        return rc;
    sp_sql_bind_text(q, 1, t->name);
    if ((rc = sp_sql_run(q, NULL, e)) != SP_OK)
        return rc;
    rc = sp_sql_new(s,
        "INSERT INTO tokens (id, secret_hash, name, host, created_ns, expires_ns)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        &q, e);
    if (rc != SP_OK)
        return rc;
    sp_sql_bind_blob(q, 1, t->id, sizeof(t->id));
    sp_sql_bind_blob(q, 2, t->secret_hash, sizeof(t->secret_hash));
    sp_sql_bind_text(q, 3, t->name);
    sp_sql_bind_blob(q, 4, t->replaces ? t->host : NULL, sizeof(t->host));
    sp_sql_bind_int(q, 5, t->created_ns);
    sp_sql_bind_int(q, 6, t->expires_ns);
    return sp_sql_run(q, NULL, e);
}

enum sp_code
sp_state_token_add(struct sp_state *s, const struct sp_state_token *t, struct sp_err *e)
{
    enum sp_code rc;

    sp_state_enter(s);
    if ((rc = sp_state_begin(s, e)) == SP_OK)
        rc = sp_state_end(s, add_token(s, t, e), e);
    sp_state_leave(s);
    return rc;
}

#define TOKEN_COLUMNS                                                                              \
    "SELECT id, secret_hash, name, host IS NOT NULL, host, created_ns, expires_ns, used_ns,"       \
    " failures, void FROM tokens "

static void
take_token(struct sp_sql *q, struct sp_state_token *t)
{
    memset(t, 0, sizeof(*t));
    sp_sql_blob(q, 0, t->id, sizeof(t->id));
    sp_sql_blob(q, 1, t->secret_hash, sizeof(t->secret_hash));
    sp_sql_text(q, 2, t->name, sizeof(t->name));
    t->replaces = sp_sql_int(q, 3) != 0;
    sp_sql_blob(q, 4, t->host, sizeof(t->host));
    t->created_ns = sp_sql_int(q, 5);
    t->expires_ns = sp_sql_int(q, 6);
    t->used_ns = sp_sql_int(q, 7);
    t->failures = (unsigned)sp_sql_int(q, 8);
    t->is_void = sp_sql_int(q, 9) != 0;
}

enum sp_code
sp_state_token(
    struct sp_state *s, const uint8_t id[8], struct sp_state_token *ret, struct sp_err *e)
{
    struct sp_sql *q = NULL;
    bool row = false;
    enum sp_code rc;

    sp_state_enter(s);
    if ((rc = sp_sql_new(s, TOKEN_COLUMNS "WHERE id = ?1", &q, e)) != SP_OK)
        goto out;
    sp_sql_bind_blob(q, 1, id, 8);
    if ((rc = sp_sql_step(q, &row, e)) != SP_OK)
        goto out;
    if (row)
        take_token(q, ret);
    else
        rc = sp_fail(e, SP_ABSENT, SP_DOM_STORE, "there is no such enrolment token");
out:
    sp_sql_free(q);
    sp_state_leave(s);
    return rc;
}

enum sp_code
sp_state_token_failed(struct sp_state *s, const uint8_t id[8], struct sp_err *e)
{
    struct sp_sql *q;
    enum sp_code rc;

    sp_state_enter(s);
    rc = sp_sql_new(s, "UPDATE tokens SET failures = failures + 1 WHERE id = ?1", &q, e);
    if (rc == SP_OK) {
        sp_sql_bind_blob(q, 1, id, 8);
        rc = sp_sql_run(q, NULL, e);
    }
    sp_state_leave(s);
    return rc;
}

enum sp_code
sp_state_tokens(
    struct sp_state *s, int64_t now_ns, sp_state_token_fn each, void *arg, struct sp_err *e)
{
    struct sp_state_token t;
    struct sp_sql *q = NULL;
    bool row = true;
    enum sp_code rc;

    sp_state_enter(s);
    rc = sp_sql_new(s,
        TOKEN_COLUMNS "WHERE used_ns = 0 AND void = 0 AND expires_ns > ?1 AND failures < ?2"
                      " ORDER BY name",
        &q, e);
    if (rc != SP_OK)
        goto out;
    sp_sql_bind_int(q, 1, now_ns);
    sp_sql_bind_int(q, 2, SP_STATE_TOKEN_TRIES);
    while ((rc = sp_sql_step(q, &row, e)) == SP_OK && row) {
        take_token(q, &t);
        if ((rc = each(arg, &t, e)) != SP_OK)
            break;
    }
out:
    sp_sql_free(q);
    sp_state_leave(s);
    return rc;
}

/* --- invitations
 * ------------------------------------------------------------------------------------ */

static enum sp_code
see_invitation(struct sp_state *s, const uint8_t slot[16], const uint8_t group[16], int64_t now_ns,
    int64_t *ret_ns, struct sp_err *e)
{
    struct sp_sql *q;
    bool row = false;
    enum sp_code rc;

    rc = sp_sql_new(s,
        "INSERT INTO invitations (slot, grp, seen_ns) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
        &q, e);
    if (rc != SP_OK)
        return rc;
    sp_sql_bind_blob(q, 1, slot, 16);
    sp_sql_bind_blob(q, 2, group, 16);
    sp_sql_bind_int(q, 3, now_ns);
    if ((rc = sp_sql_run(q, NULL, e)) != SP_OK ||
        (rc = sp_sql_new(s, "SELECT seen_ns FROM invitations WHERE slot = ?1", &q, e)) != SP_OK)
        return rc;
    sp_sql_bind_blob(q, 1, slot, 16);
    if ((rc = sp_sql_step(q, &row, e)) == SP_OK)
        *ret_ns = row ? sp_sql_int(q, 0) : now_ns;
    sp_sql_free(q);
    return rc;
}

enum sp_code
sp_state_invitation(struct sp_state *s, const uint8_t slot[16], const uint8_t group[16],
    int64_t now_ns, int64_t *ret_ns, struct sp_err *e)
{
    enum sp_code rc;

    sp_state_enter(s);
    rc = see_invitation(s, slot, group, now_ns, ret_ns, e);
    sp_state_leave(s);
    return rc;
}

enum sp_code
sp_state_invitation_remove(struct sp_state *s, const uint8_t slot[16], struct sp_err *e)
{
    struct sp_sql *q;
    enum sp_code rc;

    sp_state_enter(s);
    if ((rc = sp_sql_new(s, "DELETE FROM invitations WHERE slot = ?1", &q, e)) == SP_OK) {
        sp_sql_bind_blob(q, 1, slot, 16);
        rc = sp_sql_run(q, NULL, e);
    }
    sp_state_leave(s);
    return rc;
}

enum sp_code
sp_state_invitations_before(struct sp_state *s, int64_t before_ns, struct sp_state_invitation *to,
    size_t cap, size_t *ret_n, struct sp_err *e)
{
    struct sp_sql *q = NULL;
    bool row = true;
    size_t n = 0;
    enum sp_code rc;

    sp_state_enter(s);
    rc = sp_sql_new(s, "SELECT slot, grp FROM invitations WHERE seen_ns < ?1", &q, e);
    if (rc != SP_OK)
        goto out;
    sp_sql_bind_int(q, 1, before_ns);
    while (n < cap && (rc = sp_sql_step(q, &row, e)) == SP_OK && row) {
        sp_sql_blob(q, 0, to[n].slot, sizeof(to[n].slot));
        sp_sql_blob(q, 1, to[n].group, sizeof(to[n].group));
        n++;
    }
    if (rc == SP_OK)
        *ret_n = n;
out:
    sp_sql_free(q);
    sp_state_leave(s);
    return rc;
}
