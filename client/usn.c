#include "client/usn.h"

#include <stdlib.h>
#include <string.h>

#include "base/path.h"
#include "base/text.h"
#include "client/usn_impl.h"
#include "storage/crypto.h"

#define IDS_MOST ((size_t)4 << 20) /* 36 MiB */

struct sp_usn {
    struct sp_env env;
    uint8_t scope[32];
    struct sp_usn_volume *volumes;
    size_t n;
};

static void
put_bytes(struct sp_buf *b, const void *p, size_t n)
{
    sp_buf_put_u64(b, n);
    sp_buf_put(b, p, n);
}

/* What the job takes: a set of other files is compared with at one's peril. */
static enum sp_code
scope_of(const struct sp_usn_options *o, uint8_t ret[32], struct sp_err *e)
{
    struct sp_buf b = SP_BUF_INIT;
    enum sp_code rc;

    put_bytes(&b, o->job, strlen(o->job));
    sp_buf_put_u64(&b, o->nroots);
    for (size_t i = 0; i < o->nroots; i++)
        put_bytes(&b, o->roots[i].p, o->roots[i].n);
    for (size_t i = 0; i < o->npatterns; i++)
        put_bytes(&b, o->patterns[i], strlen(o->patterns[i]));
    sp_buf_put_u8(&b, o->one_file_system);
    sp_buf_put_u8(&b, o->cachedir_tag);
    if ((rc = sp_buf_ok(&b, e)) == SP_OK)
        rc = sp_sha256(b.data, b.len, ret, e);
    sp_buf_free(&b);
    return rc;
}

static size_t
first_of(const void *key, size_t n)
{
    return strnlen(key, n);
}

static bool
is_of(const struct sp_usn_volume *v, const void *key, size_t n)
{
    size_t first = first_of(key, n);

    return strlen(v->name) == first && memcmp(v->name, key, first) == 0;
}

/* "<hash of job and volume's name>-<serial number>": two drives may have the same number (a clone).
 */
static enum sp_code
name_state(struct sp_usn_volume *v, const struct sp_usn_options *o, struct sp_err *e)
{
    struct sp_buf b = SP_BUF_INIT;
    uint8_t hash[32];
    enum sp_code rc;

    put_bytes(&b, o->job, strlen(o->job));
    put_bytes(&b, v->name, strlen(v->name));
    if ((rc = sp_buf_ok(&b, e)) == SP_OK && (rc = sp_sha256(b.data, b.len, hash, e)) == SP_OK) {
        sp_buf_reset(&b);
        sp_buf_printf(&b, "%s-%016llx", sp_hex8(hash).s, (unsigned long long)v->serial);
        (void)sp_buf_str(&b);
        if (b.failed || (v->path = sp_path_join(o->folder, sp_buf_str(&b))) == NULL)
            rc = sp_fail_nomem(e);
    }
    sp_buf_free(&b);
    return rc;
}

static enum sp_code
add_volume(struct sp_usn *u, const struct sp_ntfs *t, const struct sp_usn_options *o,
    const struct sp_bytes *root, struct sp_err *e)
{
    struct sp_usn_volume *v = &u->volumes[u->n];
    size_t first;

    if (root->n == 0 || (u->n > 0 && is_of(v - 1, root->p, root->n)))
        return SP_OK;
    first = first_of(root->p, root->n);
    if ((v->name = calloc(1, first + 1)) == NULL)
        return sp_fail_nomem(e);
    memcpy(v->name, root->p, first);
    u->n++;
    v->t = t;
    sp_usn_ids_init(&v->ids, o->ids_most != 0 ? o->ids_most : IDS_MOST);
    sp_usn_volume_begin(v, &u->env);
    return name_state(v, o, e);
}

enum sp_code
sp_usn_begin(const struct sp_env *env, const struct sp_ntfs *t, const struct sp_usn_options *o,
    struct sp_usn **ret, struct sp_err *e)
{
    struct sp_usn *u = calloc(1, sizeof *u);
    enum sp_code rc = SP_OK;

    if (u == NULL || (u->volumes = calloc(o->nroots + 1, sizeof *u->volumes)) == NULL) {
        free(u);
        return sp_fail_nomem(e);
    }
    u->env = *env;
    rc = scope_of(o, u->scope, e);
    for (size_t i = 0; i < o->nroots && rc == SP_OK; i++)
        rc = add_volume(u, t, o, &o->roots[i], e);
    if (rc == SP_OK)
        *ret = u;
    else
        sp_usn_free(u);
    return rc;
}

void
sp_usn_free(struct sp_usn *u)
{
    if (u == NULL)
        return;
    for (size_t i = 0; i < u->n; i++)
        sp_usn_volume_clear(&u->volumes[i]);
    free(u->volumes);
    free(u);
}

void
sp_usn_compare(struct sp_usn *u, const struct sp_usn_parent *p)
{
    for (size_t i = 0; i < u->n; i++)
        sp_usn_volume_compare(&u->volumes[i], &u->env, u->scope, p);
}

bool
sp_usn_note(const struct sp_usn *u, size_t i, struct sp_buf *ret)
{
    for (size_t k = 0; k < u->n; k++) {
        const struct sp_usn_volume *v = &u->volumes[k];

        if (v->why.code == SP_OK || i-- > 0)
            continue;
        sp_buf_put_str(ret, "the change journal of ");
        sp_path_show(v->name, strlen(v->name), ret);
        sp_buf_printf(ret, " is not used, and every file is looked at: %s", v->why.text);
        return true;
    }
    return false;
}

static struct sp_usn_volume *
volume_of(const struct sp_usn *u, const void *key, size_t n)
{
    for (size_t i = 0; i < u->n; i++)
        if (is_of(&u->volumes[i], key, n))
            return &u->volumes[i];
    return NULL;
}

bool
sp_usn_vouches(const struct sp_usn *u, const void *key, size_t n, uint64_t serial, uint64_t file_id)
{
    const struct sp_usn_volume *v = volume_of(u, key, n);

    /* 0 and all ones: the file system has no such number. */
    return v != NULL && v->vouches && v->serial == serial && file_id != 0 &&
           file_id != UINT64_MAX && !sp_usn_ids_has(&v->ids, file_id);
}

bool
sp_usn_still_vouches(struct sp_usn *u, const void *key, size_t n, uint64_t serial, uint64_t file_id)
{
    struct sp_usn_volume *v = volume_of(u, key, n);

    return v != NULL && sp_usn_volume_go_on(v) && sp_usn_vouches(u, key, n, serial, file_id);
}

void
sp_usn_distrust(struct sp_usn *u, const void *key, size_t n)
{
    struct sp_usn_volume *v = volume_of(u, key, n);
    struct sp_err ignored = {0};

    if (v == NULL)
        return;
    v->vouches = false;
    v->readable = false;
    /* Where it stays, it is of a set that is the last one no more. */
    (void)u->env.os->remove(u->env.os->self, v->path, &ignored);
}

enum sp_code
sp_usn_finish(struct sp_usn *u, uint64_t sequence, const uint8_t record_hash[32], struct sp_err *e)
{
    struct sp_err why = {0};
    enum sp_code rc = SP_OK;

    for (size_t i = 0; i < u->n; i++) {
        struct sp_usn_volume *v = &u->volumes[i];

        if (!v->readable)
            continue;
        v->next.sequence = sequence;
        memcpy(v->next.record_hash, record_hash, 32);
        if (sp_usn_volume_finish(v, &u->env, &why) != SP_OK && rc == SP_OK) {
            *e = why;
            rc = why.code;
        }
    }
    return rc;
}
