/* cut_sftp KIND…: four threads write, read and list objects in an account of a real server while
 * the line to it is cut again and again. No call fails, every object is what was written, nothing
 * is there twice, and nothing unfinished stays. SP_SEED chooses the sizes; STILLPOINT_LONG=1: ten
 * times as much. */

#include "account.h"
#include "base/thread.h"

#include <inttypes.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define THREADS 4
#define LARGEST (3U << 20)

static struct sp_backend *backend;
static atomic_uint failures, done;
static unsigned objects = 12; /* of each thread */
static uint64_t seed = 1;

static void
failed(const char *what, const char *name, enum sp_code rc, const struct sp_err *e)
{
    atomic_fetch_add(&failures, 1);
    (void)fprintf(stderr, "FAILED: %s %s: %s: %s\n", what, name, sp_code_word(rc), e->text);
}

/* xorshift64*: the bytes of an object follow from its number. */
static size_t
content(unsigned number, uint8_t *to)
{
    uint64_t x = seed * UINT64_C(0x9e3779b97f4a7c15) + number + 1;
    size_t i, n;

    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    x ^= x >> 31;
    n = (size_t)(x % LARGEST) + 1;
    if (number % 3 == 0)
        n = n % 3000 + 1;
    for (i = 0; i < n; i++) {
        if (i % 8 == 0) {
            x ^= x >> 12;
            x ^= x << 25;
            x ^= x >> 27;
        }
        to[i] = (uint8_t)((x * UINT64_C(2685821657736338717)) >> (i % 8 * 8));
    }
    return n;
}

static void
look_again(const char *name, uint8_t *bytes, size_t n, uint8_t *got)
{
    struct sp_err e = {0};
    enum sp_code rc = sp_backend_get(backend, name, 0, got, n, &e);

    if (rc != SP_OK)
        failed("reading", name, rc, &e);
    else if (memcmp(got, bytes, n) != 0)
        failed("other bytes in", name, SP_CORRUPT, &e);
    /* Other bytes: the same ones may count as a first time whose answer was lost. */
    bytes[n / 2] ^= 1;
    if ((rc = sp_backend_put(backend, name, bytes, n, &e)) != SP_EXISTS)
        failed("writing a second time", name, rc, &e);
    bytes[n / 2] ^= 1;
    if ((rc = sp_backend_get(backend, name, 0, got, n, &e)) != SP_OK || memcmp(got, bytes, n) != 0)
        failed("reading behind a second writing", name, rc, &e);
}

static void
work(void *arg)
{
    unsigned first = *(unsigned *)arg, k;
    uint8_t *bytes = malloc(LARGEST), *got = malloc(LARGEST);
    struct sp_err e = {0};
    enum sp_code rc;
    char name[40];
    size_t n;

    for (k = 0; bytes != NULL && got != NULL && k < objects; k++) {
        (void)snprintf(name, sizeof(name), "packs/%02x/o%u", (first + k) % 5, first + k);
        n = content(first + k, bytes);
        if ((rc = sp_backend_put(backend, name, bytes, n, &e)) != SP_OK)
            failed("writing", name, rc, &e);
        else
            look_again(name, bytes, n, got);
        if (k % 4 == 3 && (rc = sp_backend_sync(backend, &e)) != SP_OK)
            failed("the barrier behind", name, rc, &e);
    }
    free(bytes);
    free(got);
    atomic_fetch_add(&done, 1);
}

static enum sp_code
count(void *arg, const char *name, uint64_t size, struct sp_err *e)
{
    (void)name;
    (void)size;
    (void)e;
    ++*(unsigned *)arg;
    return SP_OK;
}

static bool
never(void *arg, const uint8_t run[16], int64_t written_ns)
{
    (void)run;
    (void)written_ns;
    ++*(unsigned *)arg;
    return false;
}

static unsigned
cut_until_done(pid_t line)
{
    unsigned cuts = 0, seen;
    struct sp_err e = {0};
    enum sp_code rc;

    while (atomic_load(&done) < THREADS) {
        (void)usleep(300000);
        (void)kill(line, SIGUSR1);
        cuts++;
        seen = 0;
        if ((rc = sp_backend_list(backend, "packs", count, &seen, &e)) != SP_OK)
            failed("listing", "packs", rc, &e);
    }
    return cuts;
}

static void
run_kind(const char *kind)
{
    struct sp_thread *t[THREADS];
    unsigned firsts[THREADS], i, cuts, seen = 0, unfinished = 0;
    char name[64];
    const char *address, *line;
    struct sp_err e = {0};
    enum sp_code rc;

    (void)snprintf(name, sizeof(name), "%.40s_line", kind);
    address = account_address(name);
    (void)snprintf(name, sizeof(name), "%.40s_line_pid", kind);
    line = account_address(name);
    if (address == NULL || line == NULL) {
        (void)printf("%s: this machine has no such account, or no line to it\n", kind);
        return;
    }
    if ((rc = account_open(address, 9000, true, &backend, &e)) != SP_OK) {
        failed("opening", address, rc, &e);
        return;
    }
    atomic_store(&done, 0);
    for (i = 0; i < THREADS; i++) {
        firsts[i] = i * objects;
        if (sp_thread_start("cut", work, &firsts[i], &t[i], &e) != SP_OK)
            abort();
    }
    cuts = cut_until_done((pid_t)strtol(line, NULL, 10));
    for (i = 0; i < THREADS; i++)
        sp_thread_join(t[i]);
    if ((rc = sp_backend_list(backend, "packs", count, &seen, &e)) != SP_OK ||
        seen != THREADS * objects)
        failed("in the end other than all objects are listed in", "packs", rc, &e);
    if ((rc = sp_backend_sweep(backend, never, &unfinished, &e)) != SP_OK)
        failed("sweeping", "tmp", rc, &e);
    sp_backend_free(backend);
    (void)printf("cut_sftp: %s: %u objects, cut %u times, %u unfinished files, %u failures\n", kind,
        seen, cuts, unfinished, atomic_load(&failures));
    if (cuts < 3)
        failed("too few cuts: this shows nothing about", kind, SP_OK, &e);
}

int
main(int argc, char **argv)
{
    const char *s = getenv("SP_SEED"), *is_long = getenv("STILLPOINT_LONG");
    int i;

    if (argc < 2 || account_address("key") == NULL) {
        (void)fputs("usage: with.sh cut_sftp KIND…\n", stderr);
        return 2;
    }
    if (s != NULL)
        seed = strtoull(s, NULL, 10);
    if (is_long != NULL && strcmp(is_long, "1") == 0)
        objects *= 10;
    (void)printf("cut_sftp: seed %" PRIu64 "\n", seed);
    for (i = 1; i < argc; i++)
        run_kind(argv[i]);
    return atomic_load(&failures) != 0;
}
