/* Names over SFTP: giving, moving and taking them; see backend_sftp.h.
 *
 * RENAME of version 3 must not replace (OpenSSH links and unlinks); where the probe saw that it
 * does, it is looked first whether the name is taken. An answer is often no more than "failure",
 * and may be lost with its connection: what was done is then found out by looking. */

#include "storage/backend_sftp_impl.h"

#include <stdlib.h>
#include <string.h>

#define PIECE ((size_t)1 << 20)
#define TRIES 3u /* of making folders that go again */

struct naming {
    struct sp_sftp_store *s;
    const char *from; /* paths */
    char *to, *folder;
    const char *name;
    uint64_t size;
    bool lost; /* the answer to the last RENAME */
};

static enum sp_code
rename_once(struct naming *n, struct sp_err *e)
{
    struct sp_sftp_request q = {.type = SP_SFTP_RENAME, .path = n->from, .path2 = n->to};
    struct sp_sftp_lane *lane;
    enum sp_code rc = sp_sftp_lane_get(n->s, &lane, e);

    n->lost = false;
    if (rc != SP_OK)
        return rc;
    rc = sp_sftp_conn_call(lane->c, &q, e);
    n->lost = rc != SP_OK && sp_sftp_lane_lost(n->s, lane, e);
    sp_sftp_lane_put(n->s, lane, !n->lost);
    return rc == SP_OK ? SP_OK : e->code;
}

static enum sp_code
compare(struct naming *n, uint8_t *a, uint8_t *b, bool *ret, struct sp_err *e)
{
    enum sp_code rc = SP_OK;

    *ret = true;
    for (uint64_t at = 0; rc == SP_OK && *ret && at < n->size;) {
        size_t some = n->size - at < PIECE ? (size_t)(n->size - at) : PIECE;

        if ((rc = sp_sftp_read_path(n->s, n->from, at, a, some, e)) == SP_OK &&
            (rc = sp_sftp_read_path(n->s, n->to, at, b, some, e)) == SP_OK)
            *ret = memcmp(a, b, some) == 0;
        at += some;
    }
    return rc;
}

/* Both names are there after an answer was lost. A server that links and then unlinks may have died
 * in between: then they are one file, and what is left to do is the second half. */
static enum sp_code
settle_both(struct naming *n, const struct sp_sftp_seen *seen, struct sp_err *e)
{
    uint8_t *a = malloc(PIECE), *b = malloc(PIECE);
    bool same = false;
    enum sp_code rc = SP_OK;

    if (a == NULL || b == NULL)
        rc = sp_fail_nomem(e);
    else if (seen[0].size == n->size && seen[1].size == n->size)
        rc = compare(n, a, b, &same, e);
    free(a);
    free(b);
    if (rc == SP_OK && same)
        sp_sftp_drop(n->s, n->from);
    else if (rc == SP_OK)
        rc = SP_EXISTS;
    return rc;
}

static enum sp_code
fail_exists(const struct naming *n, struct sp_err *e)
{
    return sp_fail(e, SP_EXISTS, SP_DOM_STORE, "%s is there already, in %s on %s", n->name,
        n->s->root, n->s->o.address);
}

/* After a RENAME that did not say that it was done. *ret_again: it was not, and may be now. */
static enum sp_code
settle(struct naming *n, enum sp_code rc, unsigned made, bool *ret_again, struct sp_err *e)
{
    const char *const paths[] = {n->from, n->to, n->folder};
    struct sp_sftp_seen seen[3];
    struct sp_err why = *e;
    enum sp_code look_rc = sp_sftp_look(n->s, paths, 3, seen, e);
    bool from, to;

    if (look_rc != SP_OK)
        return look_rc;
    from = seen[0].kind != SP_SFTP_NOTHING;
    to = seen[1].kind != SP_SFTP_NOTHING;
    /* "Failure" is also said of what was done, when what came after it failed. */
    if ((n->lost || rc == SP_IO) && !from && seen[1].kind == SP_SFTP_FILE &&
        seen[1].size == n->size)
        return SP_OK;
    if (n->lost && from && to && (rc = settle_both(n, seen, e)) != SP_EXISTS)
        return rc;
    if (to)
        return fail_exists(n, e);
    if (!from)
        return sp_fail(
            e, SP_ABSENT, SP_DOM_STORE, "there is no file %s on %s", n->from, n->s->o.address);
    if (n->lost) {
        *ret_again = true;
        return SP_OK;
    }
    /* Without its folder; somebody else may have made that meanwhile. */
    if ((rc == SP_ABSENT || (rc == SP_IO && seen[2].kind == SP_SFTP_NOTHING)) && made < TRIES) {
        *ret_again = true;
        return seen[2].kind == SP_SFTP_NOTHING ? sp_sftp_make_folders(n->s, n->name, e) : SP_OK;
    }
    *e = why;
    if (rc == SP_ABSENT) /* said of objects only */
        rc = e->code = SP_IO;
    return sp_sftp_full(n->s, PIECE, rc, e);
}

static enum sp_code
give_name(struct naming *n, struct sp_err *e)
{
    const char *const to[] = {n->to};
    struct sp_sftp_seen seen;
    bool again = true;
    enum sp_code rc = SP_OK;

    for (unsigned made = 0; again; made += !n->lost) {
        again = false;
        if (n->s->look_first && (rc = sp_sftp_look(n->s, to, 1, &seen, e)) == SP_OK &&
            seen.kind != SP_SFTP_NOTHING && !n->lost)
            return fail_exists(n, e);
        if (rc == SP_OK && (rc = rename_once(n, e)) != SP_OK &&
            (n->lost ? e->code != SP_CANCELLED : rc != SP_CANCELLED && rc != SP_UNREACHABLE))
            rc = settle(n, rc, made, &again, e);
        if (rc != SP_OK)
            break;
    }
    return rc;
}

enum sp_code
sp_sftp_name(
    struct sp_sftp_store *s, const char *from, uint64_t size, const char *to, struct sp_err *e)
{
    struct naming n = {.s = s, .from = from, .name = to, .size = size};
    const char *slash = strrchr(to, '/');
    char *folder = slash != NULL ? strdup(to) : strdup("");
    struct sp_err why = {0};
    enum sp_code rc;

    if (folder == NULL)
        return sp_fail_nomem(e);
    if (slash != NULL)
        folder[slash - to] = '\0';
    if ((rc = sp_sftp_path(s, to, &n.to, e)) != SP_OK ||
        (rc = sp_sftp_path(s, folder, &n.folder, e)) != SP_OK)
        goto out;
    if (s->look_first)
        sp_mutex_lock(&s->naming);
    rc = give_name(&n, e);
    if (s->look_first)
        sp_mutex_unlock(&s->naming);
    /* Also when it was there: who named it may have been killed before the barrier, and it is
     * relied on now. */
    if (rc == SP_OK || rc == SP_EXISTS) {
        enum sp_code noted = sp_sftp_folder_given(s, to, &why);

        if (rc == SP_OK && (rc = noted) != SP_OK)
            *e = why;
    }
out:
    free(folder);
    free(n.to);
    free(n.folder);
    return rc;
}

enum sp_code
sp_sftp_move(struct sp_backend *b, const char *from, const char *to, struct sp_err *e)
{
    struct sp_sftp_store *s = (struct sp_sftp_store *)b;
    char *path = NULL;
    uint64_t size;
    enum sp_code rc;

    if ((rc = sp_sftp_check_writable(s, e)) != SP_OK)
        return rc;
    /* Also so that no folder is moved under the name of an object. */
    if ((rc = sp_sftp_size(b, from, &size, e)) != SP_OK ||
        (rc = sp_sftp_probe_wait(s, SP_SFTP_NAMES_PROBED, e)) != SP_OK)
        return rc;
    if (strcmp(from, to) == 0)
        return sp_fail(e, SP_EXISTS, SP_DOM_STORE, "%s is there already", to);
    if ((rc = sp_sftp_path(s, from, &path, e)) != SP_OK)
        return rc;
    rc = sp_sftp_name(s, path, size, to, e);
    if (rc == SP_ABSENT)
        rc = sp_sftp_absent(s, from, e);
    if (rc == SP_OK)
        rc = sp_sftp_folder_named(s, from, e);
    free(path);
    return rc;
}

/* --- removing -------------------------------------------------------------------------------- */

enum sp_code
sp_sftp_remove(struct sp_backend *b, const char *name, struct sp_err *e)
{
    struct sp_sftp_store *s = (struct sp_sftp_store *)b;
    struct sp_sftp_request q;
    struct sp_sftp_lane *lane;
    bool lost = false, before;
    char *path;
    enum sp_code rc;

    if ((rc = sp_sftp_check_writable(s, e)) != SP_OK ||
        (rc = sp_sftp_path(s, name, &path, e)) != SP_OK)
        return rc;
    do {
        if ((rc = sp_sftp_lane_get(s, &lane, e)) != SP_OK)
            goto out;
        q = (struct sp_sftp_request){.type = SP_SFTP_REMOVE, .path = path};
        rc = sp_sftp_conn_call(lane->c, &q, e);
        before = lost;
        lost = rc != SP_OK && sp_sftp_lane_lost(s, lane, e);
        sp_sftp_lane_put(s, lane, !lost);
    } while (lost);
    /* A lost answer may have been the one that it was removed. */
    if (rc == SP_ABSENT && before)
        rc = sp_sftp_present(s, e);
    else
        rc = sp_sftp_settle(s, name, rc, e);
    if (rc == SP_OK)
        rc = sp_sftp_folder_named(s, name, e);
out:
    free(path);
    return rc;
}
