/* Hosts and their certificates: see state.h. */

#include <string.h>

#include "base/text.h"
#include "server/state_sql.h"

#define CERTIFICATES_KEPT 16 /* of one host */

enum sp_code
sp_state_check_name(const char *name, struct sp_err *e)
{
    static const char alnum[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    size_t n = strlen(name);

    if (n == 0 || n >= SP_STATE_NAME || strchr(alnum, name[0]) == NULL)
        goto bad;
    for (size_t i = 0; i < n; i++)
        if (strchr(alnum, name[i]) == NULL && strchr("._-", name[i]) == NULL)
            goto bad;
    return SP_OK;
bad:
    return sp_fail(e, SP_INVALID, SP_DOM_CONFIG,
        "a host's name has 1 to %d letters, digits, dots, dashes and underscores and begins with a "
        "letter or digit",
        SP_STATE_NAME - 1);
}

/* --- reading
 * ---------------------------------------------------------------------------------------- */

#define HOST_COLUMNS                                                                               \
    "SELECT h.id, h.name, h.grp, h.identity, h.enrolled_ns, h.seen_ns, h.revoked_ns, h.bytes,"     \
    " (SELECT max(to_ns) FROM certificates c WHERE c.host = h.id),"                                \
    " (SELECT max(published_ns) FROM runs r WHERE r.host = h.id) FROM hosts h "

static void
take_host(struct sp_sql *q, struct sp_state_host *h)
{
    memset(h, 0, sizeof(*h));
    sp_sql_blob(q, 0, h->id, sizeof(h->id));
    sp_sql_text(q, 1, h->name, sizeof(h->name));
    sp_sql_blob(q, 2, h->group, sizeof(h->group));
    sp_sql_blob(q, 3, h->identity, sizeof(h->identity));
    h->enrolled_ns = sp_sql_int(q, 4);
    h->seen_ns = sp_sql_int(q, 5);
    h->revoked_ns = sp_sql_int(q, 6);
    h->bytes = sp_sql_u64(q, 7);
    h->certificate_to_ns = sp_sql_int(q, 8);
    h->run_ns = sp_sql_int(q, 9);
}

enum sp_code
sp_state_hosts(struct sp_state *s, sp_state_host_fn each, void *arg, struct sp_err *e)
{
    struct sp_state_host h;
    struct sp_sql *q = NULL;
    bool row = true;
    enum sp_code rc;

    sp_state_enter(s);
    rc = sp_sql_new(s, HOST_COLUMNS "ORDER BY h.name", &q, e);
    while (rc == SP_OK && (rc = sp_sql_step(q, &row, e)) == SP_OK && row) {
        take_host(q, &h);
        rc = each(arg, &h, e);
    }
    sp_sql_free(q);
    sp_state_leave(s);
    return rc;
}

/* One row by the id (16 bytes) or the name; the lock is held. */
static enum sp_code
find_host(struct sp_state *s, const uint8_t *id, const char *name, struct sp_state_host *ret,
    struct sp_err *e)
{
    struct sp_sql *q = NULL;
    bool row = false;
    enum sp_code rc;

    rc = sp_sql_new(
        s, id != NULL ? HOST_COLUMNS "WHERE h.id = ?1" : HOST_COLUMNS "WHERE h.name = ?1", &q, e);
    if (rc != SP_OK)
        return rc;
    if (id != NULL)
        sp_sql_bind_blob(q, 1, id, 16);
    else
        sp_sql_bind_text(q, 1, name);
    if ((rc = sp_sql_step(q, &row, e)) == SP_OK) {
        if (row)
            take_host(q, ret);
        else
            rc = sp_fail(e, SP_ABSENT, SP_DOM_CONFIG, "there is no host %s",
                id != NULL ? sp_hex16(id).s : name);
    }
    sp_sql_free(q);
    return rc;
}

enum sp_code
sp_state_host(struct sp_state *s, const uint8_t id[16], struct sp_state_host *ret, struct sp_err *e)
{
    enum sp_code rc;

    sp_state_enter(s);
    rc = find_host(s, id, NULL, ret, e);
    sp_state_leave(s);
    return rc;
}

enum sp_code
sp_state_host_named(
    struct sp_state *s, const char *name, struct sp_state_host *ret, struct sp_err *e)
{
    enum sp_code rc;

    sp_state_enter(s);
    rc = find_host(s, NULL, name, ret, e);
    sp_state_leave(s);
    return rc;
}

enum sp_code
sp_state_host_active(struct sp_state *s, const uint8_t id[16], struct sp_err *e)
{
    struct sp_state_host h;
    enum sp_code rc = sp_state_host(s, id, &h, e);

    if (rc == SP_ABSENT)
        return sp_fail(e, SP_AUTH, SP_DOM_STORE, "this host is not known to the server");
    if (rc == SP_OK && h.revoked_ns != 0)
        return sp_fail(e, SP_AUTH, SP_DOM_STORE,
            "this host was revoked on the server; its sets are kept. The server's administrator "
            "lets it in again with: stillpointd host replace %s",
            h.name);
    return rc;
}

enum sp_code
sp_state_host_used(struct sp_state *s, const uint8_t id[16], uint64_t more_bytes, int64_t seen_ns,
    struct sp_err *e)
{
    struct sp_sql *q;
    enum sp_code rc;

    sp_state_enter(s);
    rc = sp_sql_new(
        s, "UPDATE hosts SET bytes = bytes + ?2, seen_ns = max(seen_ns, ?3) WHERE id = ?1", &q, e);
    if (rc == SP_OK) {
        sp_sql_bind_blob(q, 1, id, 16);
        sp_sql_bind_u64(q, 2, more_bytes);
        sp_sql_bind_int(q, 3, seen_ns);
        rc = sp_sql_run(q, NULL, e);
    }
    sp_state_leave(s);
    return rc;
}

/* --- changing
 * --------------------------------------------------------------------------------------- */

/* A statement of one blob (?1) and one time (?2). */
static enum sp_code
run_on(struct sp_state *s, const char *text, const void *blob, size_t n, int64_t now_ns,
    int *ret_changes, struct sp_err *e)
{
    struct sp_sql *q;
    enum sp_code rc = sp_sql_new(s, text, &q, e);

    if (rc != SP_OK)
        return rc;
    sp_sql_bind_blob(q, 1, blob, n);
    sp_sql_bind_int(q, 2, now_ns);
    return sp_sql_run(q, ret_changes, e);
}

static enum sp_code
void_tokens(struct sp_state *s, const char *name, int *ret_changes, struct sp_err *e)
{
    struct sp_sql *q;
    enum sp_code rc = sp_sql_new(
        s, "UPDATE tokens SET void = 1 WHERE name = ?1 AND used_ns = 0 AND void = 0", &q, e);

    if (rc != SP_OK)
        return rc;
    sp_sql_bind_text(q, 1, name);
    return sp_sql_run(q, ret_changes, e);
}

static enum sp_code
revoke(struct sp_state *s, const char *name, int64_t now_ns, struct sp_err *e)
{
    struct sp_state_host h;
    struct sp_err absent = {0};
    int voided = 0;
    enum sp_code found = find_host(s, NULL, name, &h, &absent), rc;

    if ((rc = void_tokens(s, name, &voided, e)) != SP_OK)
        return rc;
    if (found != SP_OK) {
        if (found == SP_ABSENT && voided > 0)
            return SP_OK;
        *e = absent;
        return found;
    }
    if (h.revoked_ns != 0)
        return voided > 0
                   ? SP_OK
                   : sp_fail(e, SP_EXISTS, SP_DOM_CONFIG, "host %s was revoked before", name);
    if ((rc = run_on(s,
             "UPDATE certificates SET revoked_ns = ?2 WHERE host = ?1 AND revoked_ns = 0", h.id, 16,
             now_ns, NULL, e)) != SP_OK)
        return rc;
    return run_on(s, "UPDATE hosts SET revoked_ns = ?2 WHERE id = ?1", h.id, 16, now_ns, NULL, e);
}

enum sp_code
sp_state_revoke(struct sp_state *s, const char *name, int64_t now_ns, struct sp_err *e)
{
    enum sp_code rc;

    sp_state_enter(s);
    if ((rc = sp_state_begin(s, e)) == SP_OK)
        rc = sp_state_end(s, revoke(s, name, now_ns, e), e);
    sp_state_leave(s);
    return rc;
}

static enum sp_code
add_certificate(struct sp_state *s, const uint8_t host[16], const struct sp_cert_info *c,
    int64_t now_ns, struct sp_err *e)
{
    struct sp_sql *q;
    enum sp_code rc = sp_sql_new(s,
        "INSERT INTO certificates (fingerprint, serial, host, from_ns, to_ns, issued_ns)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        &q, e);

    if (rc != SP_OK)
        return rc;
    sp_sql_bind_blob(q, 1, c->fingerprint, sizeof(c->fingerprint));
    sp_sql_bind_blob(q, 2, c->serial, sizeof(c->serial));
    sp_sql_bind_blob(q, 3, host, 16);
    sp_sql_bind_int(q, 4, c->valid.from_ns);
    sp_sql_bind_int(q, 5, c->valid.to_ns);
    sp_sql_bind_int(q, 6, now_ns);
    return sp_sql_run(q, NULL, e);
}

enum sp_code
sp_state_certificate_add(struct sp_state *s, const uint8_t host[16], const struct sp_cert_info *c,
    int64_t now_ns, struct sp_err *e)
{
    enum sp_code rc;

    sp_state_enter(s);
    if ((rc = sp_state_begin(s, e)) != SP_OK)
        goto out;
    rc = add_certificate(s, host, c, now_ns, e);
    if (rc == SP_OK)
        rc = run_on(s,
            "DELETE FROM certificates WHERE host = ?1 AND rowid NOT IN (SELECT rowid FROM"
            " certificates WHERE host = ?1 ORDER BY issued_ns DESC, rowid DESC LIMIT ?2)",
            host, 16, CERTIFICATES_KEPT, NULL, e);
    rc = sp_state_end(s, rc, e);
out:
    sp_state_leave(s);
    return rc;
}

/* Each statement of an enrolment that writes the host's row binds the same six. */
static enum sp_code
write_host(struct sp_state *s, const char *text, const struct sp_state_enrolment *n, int64_t now_ns,
    int *ret_changes, struct sp_err *e)
{
    struct sp_sql *q;
    enum sp_code rc = sp_sql_new(s, text, &q, e);

    if (rc != SP_OK)
        return rc;
    sp_sql_bind_blob(q, 1, n->host, sizeof(n->host));
    sp_sql_bind_text(q, 2, n->name);
    sp_sql_bind_blob(q, 3, n->group, sizeof(n->group));
    sp_sql_bind_blob(q, 4, n->identity, sizeof(n->identity));
    sp_sql_bind_int(q, 5, now_ns);
    return sp_sql_run(q, ret_changes, e);
}

static enum sp_code
enrol(struct sp_state *s, const struct sp_state_enrolment *n, int64_t now_ns, struct sp_err *e)
{
    int changes = 0;
    enum sp_code rc;

    rc = run_on(s, "UPDATE tokens SET used_ns = ?2 WHERE id = ?1 AND used_ns = 0 AND void = 0",
        n->token, sizeof(n->token), now_ns, &changes, e);
    if (rc == SP_OK && changes != 1)
        rc = sp_fail(e, SP_AUTH, SP_DOM_STORE,
            "this enrolment token was used meanwhile, or is no longer valid");
    if (rc != SP_OK)
        return rc;
    if (n->replaces) {
        rc = run_on(s, "UPDATE certificates SET revoked_ns = ?2 WHERE host = ?1 AND revoked_ns = 0",
            n->host, sizeof(n->host), now_ns, NULL, e);
        if (rc == SP_OK)
            rc = write_host(s,
                "UPDATE hosts SET identity = ?4, enrolled_ns = ?5, revoked_ns = 0"
                " WHERE id = ?1 AND name = ?2 AND grp = ?3",
                n, now_ns, &changes, e);
        if (rc == SP_OK && changes != 1)
            rc = sp_fail(e, SP_ABSENT, SP_DOM_STORE, "there is no host %s to replace", n->name);
    } else {
        rc = write_host(s,
            "INSERT INTO hosts (id, name, grp, identity, enrolled_ns) VALUES (?1, ?2, ?3, ?4, ?5)",
            n, now_ns, NULL, e);
        if (rc == SP_EXISTS)
            rc = sp_fail(e, SP_EXISTS, SP_DOM_STORE, "the server has a host %s already", n->name);
    }
    if (rc == SP_OK)
        rc = add_certificate(s, n->host, &n->certificate, now_ns, e);
    if (rc == SP_OK && n->has_invitation) {
        /* Zero is before every date: it stays used even if its slot cannot be removed. */
        rc = run_on(s,
            "UPDATE invitations SET seen_ns = 0 WHERE slot = ?1 AND seen_ns BETWEEN 1 AND ?2",
            n->invitation, sizeof(n->invitation), now_ns, &changes, e);
        if (rc == SP_OK && changes != 1)
            rc = sp_fail(e, SP_AUTH, SP_DOM_STORE, "this invitation was used meanwhile");
    }
    return rc;
}

enum sp_code
sp_state_enrol(
    struct sp_state *s, const struct sp_state_enrolment *n, int64_t now_ns, struct sp_err *e)
{
    enum sp_code rc;

    sp_state_enter(s);
    if ((rc = sp_state_begin(s, e)) == SP_OK)
        rc = sp_state_end(s, enrol(s, n, now_ns, e), e);
    sp_state_leave(s);
    return rc;
}

enum sp_code
sp_state_certificates(struct sp_state *s, sp_state_certificate_fn each, void *arg, struct sp_err *e)
{
    struct sp_state_certificate c;
    struct sp_sql *q = NULL;
    bool row = true;
    enum sp_code rc;

    sp_state_enter(s);
    rc = sp_sql_new(s,
        "SELECT c.fingerprint, h.id, h.grp, h.name, c.revoked_ns != 0 OR h.revoked_ns != 0"
        " FROM certificates c JOIN hosts h ON h.id = c.host ORDER BY c.fingerprint",
        &q, e);
    while (rc == SP_OK && (rc = sp_sql_step(q, &row, e)) == SP_OK && row) {
        sp_sql_blob(q, 0, c.fingerprint, sizeof(c.fingerprint));
        sp_sql_blob(q, 1, c.host, sizeof(c.host));
        sp_sql_blob(q, 2, c.group, sizeof(c.group));
        sp_sql_text(q, 3, c.name, sizeof(c.name));
        c.revoked = sp_sql_int(q, 4) != 0;
        rc = each(arg, &c, e);
    }
    sp_sql_free(q);
    sp_state_leave(s);
    return rc;
}
