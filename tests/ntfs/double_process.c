/* The process, its time, and what is injected. */
#include "double_tree.h"

#define SET(function, type, field)                                                                 \
    void function(struct ntfs_double *d, type value)                                               \
    {                                                                                              \
        sp_mutex_lock(&d->lock);                                                                   \
        d->field = value;                                                                          \
        sp_mutex_unlock(&d->lock);                                                                 \
    }
#define GET(function, type, field)                                                                 \
    type function(struct ntfs_double *d)                                                           \
    {                                                                                              \
        sp_mutex_lock(&d->lock);                                                                   \
        const type value = d->field;                                                               \
        sp_mutex_unlock(&d->lock);                                                                 \
        return value;                                                                              \
    }

SET(ntfs_double_privileges, unsigned, may)
SET(ntfs_double_key, bool, key)
SET(ntfs_double_set_now, int64_t, now)
GET(ntfs_double_now, int64_t, now)
GET(ntfs_double_calls, uint64_t, calls)
GET(ntfs_double_handles, uint64_t, handles)
GET(ntfs_double_recalls, uint64_t, recalls)

void
ntfs_double_fail(struct ntfs_double *d, uint64_t nth, enum sp_code code)
{
    sp_mutex_lock(&d->lock);
    d->fail_at = nth == 0 ? 0 : d->calls + nth;
    d->fail_code = code;
    sp_mutex_unlock(&d->lock);
}

void
ntfs_double_hook(struct ntfs_double *d, ntfs_double_hook_fn fn, void *arg)
{
    sp_mutex_lock(&d->lock);
    d->hook = fn;
    d->hook_arg = arg;
    sp_mutex_unlock(&d->lock);
}
