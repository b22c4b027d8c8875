/* A run's lease, and the thread that keeps it: see lease.h. */

#include "storage/lease.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "base/thread.h"

#define FOLDER "leases/"
#define CONTENT "stillpoint lease 1\n" /* its name and its time say everything */
#define TRIES 8                        /* names that are taken: a run of the same id was cut off */

struct sp_lease {
    struct sp_backend *b;
    const struct sp_env *env;
    bool far;

    struct sp_mutex lock; /* guards all below; never held over I/O */
    struct sp_cond changed;
    struct sp_thread *keeper; /* NULL: none */
    bool ending;
    bool left; /* what is there of it stays */
    size_t holders;
    bool writing;                  /* by one thread at a time */
    bool there;                    /* the object of `n` */
    uint64_t n, next;              /* its number; that of the next */
    int64_t due_mono_ns;           /* when it is to be renewed */
    bool asked;                    /* for the store's clock, by the keeper */
    int64_t since_ns;              /* what it said; 0: nothing */
    int64_t told_ns, told_mono_ns; /* the last time that it told, and when that was; 0: never */
};

void
sp_lease_object_name(const uint8_t run[16], uint64_t n, char to[96])
{
    (void)snprintf(to, 96, FOLDER "%.32s-%" PRIu64, sp_hex16(run).s, n);
}

bool
sp_lease_object_parse(const char *object, uint8_t ret_run[16], uint64_t *ret_n)
{
    size_t n = strlen(FOLDER);
    char run[33];

    if (strncmp(object, FOLDER, n) != 0 || strlen(object) < n + 34 || object[n + 32] != '-')
        return false;
    memcpy(run, object + n, 32);
    run[32] = '\0';
    return sp_hex_parse(run, ret_run, 16) && sp_text_parse_u64(object + n + 33, ret_n);
}

/* --- writing ------------------------------------------------------------------------------- */

/* The lock is held. */
static void
told(struct sp_lease *l, int64_t ns)
{
    l->told_ns = ns;
    l->told_mono_ns = sp_clock_mono(l->env->clock);
}

/* Whether it is to be written; the lock is held. */
static bool
due(const struct sp_lease *l)
{
    return l->holders > 0 && !l->writing && !l->left && l->b->caps.remove &&
           sp_clock_mono(l->env->clock) >= l->due_mono_ns;
}

static void
remove_object(struct sp_lease *l, uint64_t n)
{
    struct sp_err ignored = {0};
    char object[96];

    sp_lease_object_name(l->b->run, n, object);
    (void)sp_backend_remove(l->b, object, &ignored); /* one that stays is swept when it is dead */
}

/* Writes the next and removes the one before. The lock is held, and released meanwhile. */
static void
renew(struct sp_lease *l)
{
    struct sp_err ignored = {0};
    uint64_t n = l->next, old = l->n;
    bool had = l->there;
    char object[96];
    int64_t at_ns = 0;
    enum sp_code rc = SP_EXISTS;

    l->writing = true;
    sp_mutex_unlock(&l->lock);
    for (unsigned i = 0; i < TRIES && rc == SP_EXISTS; i++, n++) {
        sp_lease_object_name(l->b->run, n, object);
        rc = sp_backend_put(l->b, object, CONTENT, strlen(CONTENT), &ignored);
    }
    if (rc == SP_OK && had)
        remove_object(l, old);
    if (rc == SP_OK && sp_backend_written(l->b, object, &at_ns, &ignored) != SP_OK)
        at_ns = 0;
    sp_mutex_lock(&l->lock);
    l->writing = false;
    l->next = n;
    if (rc == SP_OK) {
        l->there = !l->left;
        l->n = n - 1;
    }
    if (at_ns != 0)
        told(l, at_ns);
    /* Also when it failed: it is advice, and nobody is held up by it again and again. */
    l->due_mono_ns = sp_clock_mono(l->env->clock) + SP_LEASE_RENEW;
    sp_cond_broadcast(&l->changed);
}

/* --- the keeper ---------------------------------------------------------------------------- */

static void
keep(void *arg)
{
    struct sp_lease *l = arg;
    struct sp_err ignored = {0};
    bool swept = !l->far; /* a near one was swept when it was opened */
    int64_t now_ns;

    sp_mutex_lock(&l->lock);
    while (!l->ending) {
        if (l->far && !l->asked) {
            sp_mutex_unlock(&l->lock);
            if (sp_backend_now(l->b, &now_ns, &ignored) != SP_OK)
                now_ns = 0;
            sp_mutex_lock(&l->lock);
            l->asked = true;
            l->since_ns = now_ns;
            if (now_ns != 0)
                told(l, now_ns);
            sp_cond_broadcast(&l->changed);
        } else if (due(l)) {
            renew(l);
        } else if (l->holders > 0 && !swept) {
            swept = true;
            sp_mutex_unlock(&l->lock);
            sp_lease_sweep(l->b);
            sp_mutex_lock(&l->lock);
        } else if (l->holders > 0) {
            (void)sp_cond_wait_ms(&l->changed, &l->lock, (uint32_t)(SP_LEASE_RENEW / 1000000));
        } else {
            sp_cond_wait(&l->changed, &l->lock);
        }
    }
    sp_mutex_unlock(&l->lock);
}

/* Without one the run renews it itself. The lock is held. */
static void
start_keeper(struct sp_lease *l)
{
    struct sp_err ignored = {0};

    if (l->keeper == NULL && sp_thread_start("lease", keep, l, &l->keeper, &ignored) != SP_OK)
        l->keeper = NULL;
}

/* --- what a run asks of it ----------------------------------------------------------------- */

enum sp_code
sp_lease_new(
    struct sp_backend *b, const struct sp_env *env, struct sp_lease **ret, struct sp_err *e)
{
    struct sp_lease *l = calloc(1, sizeof(*l));

    if (l == NULL)
        return sp_fail_nomem(e);
    l->b = b;
    l->env = env;
    l->far = b->ahead > 0;
    l->due_mono_ns = INT64_MIN;
    sp_mutex_init(&l->lock);
    sp_cond_init(&l->changed);
    if (l->far) {
        sp_mutex_lock(&l->lock);
        start_keeper(l);
        sp_mutex_unlock(&l->lock);
    }
    *ret = l;
    return SP_OK;
}

void
sp_lease_renew(struct sp_lease *l)
{
    sp_mutex_lock(&l->lock);
    if (due(l)) {
        if (l->far && l->keeper != NULL)
            sp_cond_broadcast(&l->changed);
        else
            renew(l);
    }
    sp_mutex_unlock(&l->lock);
}

void
sp_lease_hold(struct sp_lease *l)
{
    sp_mutex_lock(&l->lock);
    l->holders++;
    sp_mutex_unlock(&l->lock);
    sp_lease_renew(l);
    sp_mutex_lock(&l->lock);
    if (l->b->caps.remove)
        start_keeper(l);
    sp_mutex_unlock(&l->lock);
}

/* The lock is held, and released meanwhile. */
static void
give_up(struct sp_lease *l)
{
    uint64_t n;

    while (l->writing)
        sp_cond_wait(&l->changed, &l->lock);
    if (!l->there || l->holders > 0)
        return;
    n = l->n;
    l->there = false;
    l->due_mono_ns = INT64_MIN; /* the next run's first is due at once */
    sp_mutex_unlock(&l->lock);
    remove_object(l, n);
    sp_mutex_lock(&l->lock);
}

void
sp_lease_release(struct sp_lease *l)
{
    sp_mutex_lock(&l->lock);
    if (--l->holders == 0)
        give_up(l);
    sp_mutex_unlock(&l->lock);
}

enum sp_code
sp_lease_ask(struct sp_lease *l, int64_t *ret_ns, struct sp_err *e)
{
    int64_t now_ns;
    enum sp_code rc = sp_backend_now(l->b, &now_ns, e);

    if (rc != SP_OK)
        return rc;
    sp_mutex_lock(&l->lock);
    l->since_ns = now_ns;
    told(l, now_ns);
    sp_mutex_unlock(&l->lock);
    *ret_ns = now_ns;
    return SP_OK;
}

enum sp_code
sp_lease_since(struct sp_lease *l, int64_t *ret_ns, struct sp_err *e)
{
    int64_t ns = 0;

    sp_mutex_lock(&l->lock);
    while (l->far && l->keeper != NULL && !l->asked)
        sp_cond_wait(&l->changed, &l->lock);
    if (l->far)
        ns = l->since_ns;
    sp_mutex_unlock(&l->lock);
    if (ns == 0)
        return sp_lease_ask(l, ret_ns, e);
    *ret_ns = ns;
    return SP_OK;
}

int64_t
sp_lease_store_now(struct sp_lease *l)
{
    int64_t ns;

    sp_mutex_lock(&l->lock);
    ns = l->told_ns == 0 ? 0 : l->told_ns + sp_clock_mono(l->env->clock) - l->told_mono_ns;
    sp_mutex_unlock(&l->lock);
    return ns;
}

void
sp_lease_leave(struct sp_lease *l)
{
    if (l == NULL)
        return;
    sp_mutex_lock(&l->lock);
    l->left = true;
    l->there = false;
    sp_mutex_unlock(&l->lock);
}

void
sp_lease_free(struct sp_lease *l)
{
    if (l == NULL)
        return;
    sp_mutex_lock(&l->lock);
    l->ending = true;
    l->holders = 0;
    sp_cond_broadcast(&l->changed);
    sp_mutex_unlock(&l->lock);
    sp_thread_join(l->keeper);
    sp_mutex_lock(&l->lock);
    give_up(l);
    sp_mutex_unlock(&l->lock);
    sp_cond_destroy(&l->changed);
    sp_mutex_destroy(&l->lock);
    free(l);
}
