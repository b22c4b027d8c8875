#ifndef SP_TESTS_CLIENT_STORE_WRAP_H
#define SP_TESTS_CLIENT_STORE_WRAP_H

/* A store that stands on another one: counts what is asked of it, makes the n-th call of a kind
 * fail, slows answers down, and lets a test do something in the middle of a call. Any thread. */

#include "base/thread.h"
#include "storage/store.h"

enum wrap_call {
    WRAP_INFO,
    WRAP_HOST,
    WRAP_HEAD,
    WRAP_HAVE,
    WRAP_PUT,
    WRAP_COMMIT,
    WRAP_GET,
    WRAP_CALLS
};
extern const char *const wrap_names[WRAP_CALLS];

struct store_wrap {
    struct sp_store store;
    struct sp_store *below; /* not owned */
    struct sp_mutex lock;
    size_t calls[WRAP_CALLS];
    size_t ids_asked, bytes_put;
    enum wrap_call fail_call; /* this call, for the fail_at-th time, fails with fail_code; */
    size_t fail_at;           /* 0: none */
    enum sp_code fail_code;
    struct sp_err failed; /* and all writing calls after it, as the contract says */
    unsigned delay_ms;    /* at most, of each call that asks or sends */
    uint64_t random;
    /* Before the call: `nth` from 1. */
    void (*before)(void *arg, enum wrap_call call, size_t nth);
    void *arg;
};

void wrap_init(struct store_wrap *w, struct sp_store *below);
void wrap_reset(struct store_wrap *w); /* counts, failures, hooks */
void wrap_clear(struct store_wrap *w);

#endif
