#include "client/completed.h"

#include <string.h>

const char *
sp_completed_word(enum sp_completed c)
{
    static const char *const words[] = {"none", "good", "not believed", "unknown"};

    return words[c];
}

enum sp_code
sp_completed_look(const struct sp_set *set, const uint8_t record_hash[32],
    const struct sp_host *host, const void *p, size_t n, enum sp_completed *ret,
    struct sp_completion *ret_clear, struct sp_err *e)
{
    struct sp_completion c;
    struct sp_err why = {0};
    enum sp_code rc;

    if (p == NULL) {
        *ret = SP_COMPLETED_NOT;
        return SP_OK;
    }
    if (host == NULL) {
        *ret = SP_COMPLETED_UNKNOWN;
        return SP_OK;
    }
    rc = sp_completion_decode(p, n, &c, &why);
    if (rc == SP_OK)
        rc = sp_record_check_signature(SP_RECORD_COMPLETION, p, n, host, &why);
    if (sp_code_is_ours(rc)) {
        *e = why;
        return rc;
    }
    /* A good signature shows who wrote it; that it is of this set the hash of the record alone
     * does. */
    if (rc != SP_OK || memcmp(c.host, set->host, 16) != 0 ||
        memcmp(c.set_id, set->set_id, 16) != 0 || memcmp(c.record, record_hash, 32) != 0) {
        *ret = SP_COMPLETED_DISTRUST;
        return SP_OK;
    }
    *ret = SP_COMPLETED_WELL;
    *ret_clear = c;
    return SP_OK;
}

enum sp_level
sp_completed_level(const struct sp_set *set, enum sp_completed c, const struct sp_completion *clear)
{
    return c == SP_COMPLETED_WELL ? clear->applications : set->applications;
}

bool
sp_completed_lacks(const struct sp_set *set, enum sp_completed c)
{
    return set->state != SP_SET_CHECKPOINT && set->applications == SP_LEVEL_APPLICATION &&
           c != SP_COMPLETED_WELL;
}
