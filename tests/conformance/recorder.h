#ifndef SP_TESTS_RECORDER_H
#define SP_TESTS_RECORDER_H

/* A backend that stands on another one, writes down what is asked of it and can fail the n-th call.
 * Any thread. Each is an opening with a run of its own; temporary files are those of the run below. */

#include "base/buf.h"
#include "base/thread.h"
#include "storage/backend.h"

struct recorder {
    struct sp_backend head;
    struct sp_backend *below; /* outlives the recorder, unless it owns it */
    bool owns;
    struct sp_mutex lock;
    struct sp_buf log; /* a line a call: "publish packs", "sync", "remove sets", … */
    bool reads;        /* get, size and list are written down as well */
    uint64_t calls;    /* of those that may fail */
    uint64_t fail_at;  /* this one fails with `code`; 0: none */
    enum sp_code code;
    bool fail_on;                                                /* … and all after it */
    const char *refuse; /* this operation is denied; NULL: none */
    void (*before)(void *arg, const char *op, const char *name); /* may be NULL */
    void *arg;
};

struct recorder *recorder_new(struct sp_backend *below); /* freed as a backend */
void recorder_reset(struct recorder *r);
/* The log so far; valid until the next call. */
const char *recorder_log(struct recorder *r);

#endif
