#ifndef SP_STORAGE_AHEAD_H
#define SP_STORAGE_AHEAD_H

/* Many reads of a backend, given out in the order in which they were asked for. Of a store far away
 * more of them are asked for while the first is under way: as many bytes as the backend says
 * (struct sp_backend, `ahead`), and never more than READS. A near store is read one by one, when
 * each is taken, into one buffer.
 *
 * One thread's. Whatever is under way is waited for before a buffer goes: also after a failure or
 * when the caller ends early. */

#include "storage/backend.h"

#define SP_AHEAD_READS 64u
#define SP_AHEAD_NAME 192u

struct sp_ahead_read {
    char name[SP_AHEAD_NAME];
    bool whole; /* the whole object, at most `limit` bytes of it; n: how many it may have, for the
                   bound */
    uint64_t offset; /* … else n bytes from there */
    size_t n, limit;
    uint64_t tag; /* the caller's */
};

/* The next read to ask for; false: there is none for now. It is asked again with every take: what
 * was taken may lead to another one. */
typedef bool (*sp_ahead_next_fn)(void *arg, struct sp_ahead_read *ret);

struct sp_ahead;
enum sp_code sp_ahead_new(struct sp_backend *b, sp_ahead_next_fn next, void *arg,
    struct sp_ahead **ret, struct sp_err *e);
/* The oldest read: *ret_read NULL at the end (SP_OK), else what was asked for, with the code and
 * *why of just that read; bytes and read are valid until the next call. */
enum sp_code sp_ahead_take(struct sp_ahead *a, const struct sp_ahead_read **ret_read,
    const uint8_t **ret, size_t *ret_n, struct sp_err *why);
/* The bytes taken last become the caller's, who frees them. Not of a part: SP_INVALID. */
enum sp_code sp_ahead_keep(struct sp_ahead *a, uint8_t **ret, struct sp_err *e);
void sp_ahead_free(struct sp_ahead *a); /* NULL is harmless */

#endif
