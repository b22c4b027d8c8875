#include "tests/fault/trap.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

struct shared {
    atomic_flag lock;
    atomic_int mode;
    struct trap_case wanted;
    uint64_t wanted_hash, seen;
    bool on; /* everything fails from now on */
    uint64_t fired;
    char fired_op[16], fired_path[200];
    size_t n;
    uint32_t buckets[4 * TRAP_SITES]; /* index and one of a site, by its hash */
    struct trap_site sites[TRAP_SITES];
};

static struct shared *shared;
static unsigned depth;
static _Thread_local int immune;
static _Thread_local const char *stack_end;

void
trap_init(unsigned frames)
{
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED || frames > TRAP_FRAMES)
        abort();
    depth = frames;
    atomic_flag_clear(&shared->lock);
}

static void
take(void)
{
    while (atomic_flag_test_and_set(&shared->lock))
        ;
}

static void
give(void)
{
    atomic_flag_clear(&shared->lock);
}

void
trap_forget(void)
{
    memset(shared->sites, 0, shared->n * sizeof shared->sites[0]);
    memset(shared->buckets, 0, sizeof shared->buckets);
    shared->n = 0;
}

static void
begin(enum trap_mode mode)
{
    /* A process that was ended may have left it taken. */
    atomic_flag_clear(&shared->lock);
    shared->seen = shared->fired = 0;
    shared->on = false;
    shared->fired_op[0] = shared->fired_path[0] = '\0';
    atomic_store(&shared->mode, mode);
}

void
trap_count(void)
{
    begin(TRAP_COUNT);
}

void
trap_fail(const struct trap_case *c)
{
    shared->wanted = *c;
    shared->wanted_hash = shared->sites[c->site].hash;
    begin(TRAP_FAIL);
}

void
trap_off(void)
{
    atomic_store(&shared->mode, TRAP_OFF);
}

uint64_t
trap_fired(const char **ret_op, const char **ret_path)
{
    *ret_op = shared->fired_op;
    *ret_path = shared->fired_path;
    return shared->fired;
}

size_t
trap_nsites(void)
{
    return shared->n;
}

const struct trap_site *
trap_site(size_t i)
{
    return &shared->sites[i];
}

void
trap_immune(bool on)
{
    immune += on ? 1 : -1;
}

/* --- call sites ----------------------------------------------------------------------------------
 */

static const char *
end_of_stack(void)
{
    pthread_attr_t attr;
    void *low = NULL;
    size_t n = 0;

    if (stack_end == NULL && pthread_getattr_np(pthread_self(), &attr) == 0) {
        if (pthread_attr_getstack(&attr, &low, &n) == 0)
            stack_end = (const char *)low + n;
        pthread_attr_destroy(&attr);
    }
    return stack_end;
}

/* Along the frame pointers, which our own code keeps in this build; a caller that keeps none ends
 * the walk or lends its own caller's frame, the same one each time. */
__attribute__((noinline, no_sanitize("address"), no_sanitize("undefined"))) static size_t
frames(void *ret[TRAP_FRAMES])
{
    const char *end = end_of_stack();
    void **frame = __builtin_frame_address(0);
    size_t n = 0, skip = 2; /* this function and trap_call */

    while (end != NULL && n < TRAP_FRAMES && (const char *)(frame + 2) <= end) {
        void **up = frame[0];

        if (skip > 0)
            skip--;
        else
            ret[n++] = frame[1];
        if (up <= frame || ((uintptr_t)up & 7) != 0)
            break;
        frame = up;
    }
    return n;
}

static uint64_t
hash_of(const char *op, void *const *pc, size_t n)
{
    uint64_t h = 0xcbf29ce484222325u;

    for (; *op != '\0'; op++)
        h = (h ^ (uint8_t)*op) * 0x100000001b3u;
    for (size_t i = 0; i < n; i++)
        h = ((h ^ (uintptr_t)pc[i]) * 0x9e3779b97f4a7c15u) ^ (h >> 29);
    return h;
}

static void
count(uint64_t hash, const char *op, const char *path, void *const *pc, size_t n)
{
    struct trap_site *s;
    size_t at = hash % (4 * TRAP_SITES);

    while (shared->buckets[at] != 0 && shared->sites[shared->buckets[at] - 1].hash != hash)
        at = (at + 1) % (4 * TRAP_SITES);
    if (shared->buckets[at] == 0) {
        if (shared->n == TRAP_SITES)
            abort();
        shared->buckets[at] = (uint32_t)++shared->n;
        s = &shared->sites[shared->n - 1];
        s->hash = hash;
        (void)snprintf(s->op, sizeof s->op, "%s", op);
        (void)snprintf(s->path, sizeof s->path, "%s", path);
        memcpy(s->pc, pc, n * sizeof pc[0]);
    }
    shared->sites[shared->buckets[at] - 1].count++;
}

static bool
its_turn(uint64_t hash, bool writes)
{
    if (shared->on)
        return shared->wanted.span == TRAP_ON || writes;
    if (hash != shared->wanted_hash || ++shared->seen != shared->wanted.nth)
        return false;
    shared->on = shared->wanted.span != TRAP_ONCE;
    return true;
}

int
trap_call(const char *op, const char *path, bool writes)
{
    void *pc[TRAP_FRAMES] = {NULL};
    uint64_t hash;
    size_t n;
    int ret = 0;

    if (shared == NULL || immune > 0 || atomic_load(&shared->mode) == TRAP_OFF)
        return 0;
    immune++;
    n = frames(pc);
    hash = hash_of(op, pc, n < depth ? n : depth);
    take();
    if (atomic_load(&shared->mode) == TRAP_COUNT) {
        count(hash, op, path, pc, n);
    } else if (its_turn(hash, writes)) {
        if (shared->fired++ == 0) {
            (void)snprintf(shared->fired_op, sizeof shared->fired_op, "%s", op);
            (void)snprintf(shared->fired_path, sizeof shared->fired_path, "%s", path);
        }
        ret = shared->wanted.os_errno;
    }
    give();
    immune--;
    return ret;
}

/* --- words ---------------------------------------------------------------------------------------
 */

#if defined(__SANITIZE_ADDRESS__)
void __sanitizer_symbolize_pc(void *pc, const char *fmt, char *to, size_t n);
#endif

bool
trap_within(size_t i, const char *function)
{
    bool found = false;
#if defined(__SANITIZE_ADDRESS__)
    const struct trap_site *s = &shared->sites[i];

    for (size_t k = 0; k < TRAP_FRAMES && s->pc[k] != NULL && !found; k++) {
        char name[200] = "";

        __sanitizer_symbolize_pc((char *)s->pc[k] - 1, "%f", name, sizeof name);
        found = strcmp(name, function) == 0;
    }
#else
    (void)i;
    (void)function;
#endif
    return found;
}

void
trap_print(size_t i)
{
    const struct trap_site *s = &shared->sites[i];

    (void)printf("  %s %s, %llu times, from:", s->op, s->path, (unsigned long long)s->count);
#if defined(__SANITIZE_ADDRESS__)
    for (size_t k = 0; k < TRAP_FRAMES && s->pc[k] != NULL; k++) {
        char name[300] = "";

        __sanitizer_symbolize_pc((char *)s->pc[k] - 1, "%f %s:%l", name, sizeof name);
        (void)printf("\n    %s", name);
    }
#endif
    (void)printf("\n");
}
