#include "client/usn_state.h"

#include <stdlib.h>
#include <string.h>

#include "storage/crypto.h"

#define MAGIC UINT32_C(0x4e535553) /* "SUSN" */
#define VERSION 1u
#define FILE_MOST (SP_USN_CARRIED_MOST * 8 + 512)

void
sp_usn_state_clear(struct sp_usn_state *s)
{
    free(s->carried);
    memset(s, 0, sizeof *s);
}

enum sp_code
sp_usn_state_encode(const struct sp_usn_state *s, struct sp_buf *ret, struct sp_err *e)
{
    uint8_t hash[32];
    enum sp_code rc;

    if (s->ncarried > SP_USN_CARRIED_MOST)
        return sp_fail(
            e, SP_FULL, SP_DOM_NONE, "more than %zu files are open", SP_USN_CARRIED_MOST);
    sp_buf_put_u32(ret, MAGIC);
    sp_buf_put_u32(ret, VERSION);
    sp_buf_put_u64(ret, s->serial);
    sp_buf_put_u64(ret, s->journal);
    sp_buf_put_u64(ret, s->next);
    sp_buf_put_u8(ret, s->has_last);
    sp_buf_put_u64(ret, s->last_usn);
    sp_buf_put_u64(ret, s->last_id);
    sp_buf_put_u64(ret, s->last_time);
    sp_buf_put_u8(ret, s->settled);
    sp_buf_put_u64(ret, (uint64_t)s->mono_ns);
    sp_buf_put(ret, s->scope, 32);
    sp_buf_put_u64(ret, s->sequence);
    sp_buf_put(ret, s->record_hash, 32);
    sp_buf_put_u32(ret, (uint32_t)s->ncarried);
    for (size_t i = 0; i < s->ncarried; i++)
        sp_buf_put_u64(ret, s->carried[i]);
    if ((rc = sp_buf_ok(ret, e)) != SP_OK ||
        (rc = sp_sha256(ret->data, ret->len, hash, e)) != SP_OK)
        return rc;
    sp_buf_put(ret, hash, 32);
    return sp_buf_ok(ret, e);
}

static bool
take_bool(struct sp_cur *c)
{
    uint8_t v = sp_cur_u8(c);

    if (v > 1)
        sp_cur_fail(c);
    return v == 1;
}

static bool
makes_sense(const struct sp_usn_state *s)
{
    if (s->next > INT64_MAX || (s->has_last && s->last_usn >= s->next) ||
        (!s->has_last && (s->last_usn != 0 || s->last_id != 0 || s->last_time != 0)))
        return false;
    for (size_t i = 1; i < s->ncarried; i++)
        if (s->carried[i] <= s->carried[i - 1])
            return false;
    return true;
}

enum sp_code
sp_usn_state_decode(const void *p, size_t n, struct sp_usn_state *ret, struct sp_err *e)
{
    struct sp_usn_state s = {0};
    uint8_t hash[32];
    struct sp_cur c;
    enum sp_code rc;

    if (n < 32)
        return sp_fail(e, SP_CORRUPT, SP_DOM_SELF, "what is remembered of it is cut off");
    if ((rc = sp_sha256(p, n - 32, hash, e)) != SP_OK)
        return rc;
    if (memcmp(hash, (const uint8_t *)p + n - 32, 32) != 0)
        return sp_fail(e, SP_CORRUPT, SP_DOM_SELF, "what is remembered of it is damaged");
    c = sp_cur_of(p, n - 32);
    if (sp_cur_u32(&c) != MAGIC || sp_cur_u32(&c) != VERSION)
        sp_cur_fail(&c);
    s.serial = sp_cur_u64(&c);
    s.journal = sp_cur_u64(&c);
    s.next = sp_cur_u64(&c);
    s.has_last = take_bool(&c);
    s.last_usn = sp_cur_u64(&c);
    s.last_id = sp_cur_u64(&c);
    s.last_time = sp_cur_u64(&c);
    s.settled = take_bool(&c);
    s.mono_ns = (int64_t)sp_cur_u64(&c);
    sp_cur_copy(&c, s.scope, 32);
    s.sequence = sp_cur_u64(&c);
    sp_cur_copy(&c, s.record_hash, 32);
    s.ncarried = sp_cur_u32(&c);
    if (!sp_cur_ok(&c) || s.ncarried > SP_USN_CARRIED_MOST || s.ncarried * 8 != sp_cur_left(&c))
        goto bad;
    if ((s.carried = calloc(s.ncarried + 1, sizeof *s.carried)) == NULL)
        return sp_fail_nomem(e);
    for (size_t i = 0; i < s.ncarried; i++)
        s.carried[i] = sp_cur_u64(&c);
    if (!sp_cur_done(&c) || !makes_sense(&s))
        goto bad;
    *ret = s;
    return SP_OK;
bad:
    sp_usn_state_clear(&s);
    return sp_fail(
        e, SP_CORRUPT, SP_DOM_SELF, "what is remembered of it is of another version, or damaged");
}

enum sp_code
sp_usn_state_load(
    const struct sp_env *env, const char *path, struct sp_usn_state *ret, struct sp_err *e)
{
    uint8_t *p = NULL;
    size_t n = 0;
    enum sp_code rc = sp_os_read_file(env->os, path, FILE_MOST, &p, &n, e);

    if (rc == SP_OK)
        rc = sp_usn_state_decode(p, n, ret, e);
    free(p);
    return rc;
}

enum sp_code
sp_usn_state_save(
    const struct sp_env *env, const char *path, const struct sp_usn_state *s, struct sp_err *e)
{
    struct sp_buf b = SP_BUF_INIT;
    enum sp_code rc = sp_usn_state_encode(s, &b, e);

    if (rc == SP_OK)
        rc = sp_os_write_file(env->os, path, b.data, b.len, e);
    sp_buf_free(&b);
    return rc;
}
