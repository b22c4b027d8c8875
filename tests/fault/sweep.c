#include "tests/fault/sweep.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"

uint64_t
sweep_random(struct sweep *s)
{
    uint64_t x = s->seed += 0x9e3779b97f4a7c15u;

    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

/* --- what must be true afterwards ----------------------------------------------------------------
 */

struct judged {
    struct sweep *s;
    const struct trap_case *c;
    const struct ending *end;
    const char *op, *path;
    bool in_store; /* what failed first is an object of the repository, and no attempt at a file in
                      tmp/ */
    char first[40];
    size_t nsets;
    char sets[WORLD_SETS][40];
    char why[WORLD_TEXT];
};

static bool
wrong(struct judged *j, const char *text)
{
    (void)snprintf(j->why, sizeof j->why, "%s", text);
    return false;
}

static bool
said_so(struct judged *j)
{
    const struct ending *end = j->end;

    if (end->signal == SIGALRM)
        return wrong(j, "it does not end");
    if (end->signal != 0 || end->code < 0)
        return wrong(j, "it crashed");
    if (end->code > 6)
        return wrong(j, "an exit code that no command has");
    if (end->code != 0 && strstr(end->err, "stillpoint: ") == NULL &&
        strstr(end->out, "FAULT ") == NULL)
        return wrong(j, "it failed and said nothing");
    /* The system's own words, or ours for a record that sends to check and a store that was tried.
     */
    if (end->code != 0 && j->s->memory && strstr(end->err, "memory") == NULL)
        return wrong(j, "there was no memory, and it says something else");
    if (end->code != 0 && !j->s->memory && strstr(end->err, strerror(j->c->os_errno)) == NULL &&
        strstr(end->out, strerror(j->c->os_errno)) == NULL &&
        strstr(end->err, "cannot be read") == NULL &&
        strstr(end->err, "cannot be written to") == NULL)
        return wrong(j, "what it says is not what went wrong");
    return true;
}

/* A set that is there is whole: whichever it is, it restores to what it was made of. */
static bool
restores(struct judged *j, const char *set, const char *like)
{
    struct world *w = &j->s->w;
    char below[100];

    world_remove(w, "@/back");
    (void)snprintf(below, sizeof below, "@/back%s/files", w->dir);
    return world_does(w, j->why, "restore", set, "--target", "@/back", NULL) &&
           world_same(w, like, below, j->why);
}

static bool
heals(struct judged *j)
{
    struct world *w = &j->s->w;

    /* What was lost before stays lost: the older sets are not made whole again by a newer one. */
    return world_does(w, j->why, "backup", "@/files", NULL) && restores(j, "paths", "@/files") &&
           (strcmp(j->s->now->from, "lost") == 0 || world_does(w, j->why, "check", NULL));
}

/* A name that somebody seems to hold is given once more (storage/backend_dir_write.c), and a folder
 * above ours that may not be flushed was flushed by nobody before (base/os.c). */
static bool
passed_over(const struct judged *j)
{
    int why = j->c->os_errno;

    if (trap_within(j->c->site, "sp_dir_rename"))
        return j->c->span == TRAP_ONCE && (why == EACCES || why == EBUSY);
    return trap_within(j->c->site, "flush_name") &&
           (why == EACCES || why == EPERM || why == EINVAL || why == ENOTSUP);
}

/* What the run relies on was not written, flushed or named, in the store or in this machine's
 * state. Trying what a store can do, tidying up behind a set, caches, and the line that says how
 * the last run went (a hint: client/job_files.h) may fail; and so may a lease, which is advice, and
 * a look at the store's clock, which is taken for one that says nothing. */
static bool
relied_on(const struct judged *j)
{
    static const char *const ops[] = {
        "create", "write_at", "sync", "close", "publish", "sync_dir", "replace"};
    const char *below = strstr(j->path, "/live/");
    bool writes = false;

    for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++)
        writes = writes || strcmp(j->op, ops[i]) == 0;
    if (j->s->memory || !writes || below == NULL || strstr(j->path, "/probe-") != NULL ||
        strstr(j->path, "/now-") != NULL || strstr(j->path, "/leases/") != NULL ||
        (strncmp(below, "/live/repository", 16) != 0 && strncmp(below, "/live/state", 11) != 0))
        return false;
    return !passed_over(j) && !trap_within(j->c->site, "sp_index_tidy") &&
           !trap_within(j->c->site, "read_range") && !trap_within(j->c->site, "sp_os_read_file") &&
           !trap_within(j->c->site, "sp_dir_probe") &&
           !trap_within(j->c->site, "sp_last_run_write") &&
           !trap_within(j->c->site, "sp_lease_renew");
}

/* R1: the exit code says whether there is a set, and one that is there is whole. */
static bool
backup_judged(struct judged *j)
{
    const struct ending *end = j->end;
    size_t before = strcmp(j->s->now->from, "made") == 0   ? 0
                    : strcmp(j->s->now->from, "many") == 0 ? 10
                    : strcmp(j->s->now->from, "lost") == 0 ? 2
                                                           : 1;
    bool lost = strcmp(j->s->now->from, "lost") == 0;

    j->nsets = world_sets(&j->s->w, j->sets);
    if (end->code <= 1 && j->nsets != before + 1)
        return wrong(j, "it says that there is a set, and there is none");
    /* A store that takes nothing more cannot take a name back either. */
    if (end->code > 1 && j->nsets != before && j->c->span == TRAP_ONCE)
        return wrong(j, "it failed, and there is a set");
    if (before > 0 && !lost && !restores(j, j->sets[0], "@/was"))
        return false;
    if (j->nsets > before && !restores(j, "paths", "@/files"))
        return false;
    return heals(j);
}

static bool
restore_judged(struct judged *j)
{
    struct world *w = &j->s->w;
    char below[100];

    (void)snprintf(below, sizeof below, "@/live/out%s/files", w->dir);
    if (!world_whole(w, below, "@/was", j->why))
        return false;
    if (j->end->code == 0)
        return world_same(w, "@/was", below, j->why);
    return world_does(w, j->why, "restore", "paths", "--target", "@/live/out", NULL) &&
           world_same(w, "@/was", below, j->why);
}

static bool
look_judged(struct judged *j)
{
    if (j->end->code == 0 && strcmp(j->end->out, j->s->unfaulted.out) != 0 &&
        strstr(j->end->err, "cannot be ") == NULL)
        return wrong(j, "exit 0, and it does not say what it says without the fault");
    return true;
}

static bool
check_judged(struct judged *j)
{
    /* What was asked for again may have come; segments of the index are hints (R5) and noted. */
    if (j->end->code == 0 && j->in_store && strcmp(j->end->out, j->s->unfaulted.out) != 0 &&
        strstr(j->end->out, strerror(j->c->os_errno)) == NULL)
        return wrong(j, "exit 0, and not all could be read");
    if (j->end->code == 3 && j->s->memory)
        return wrong(j, "it calls damage what it had no memory for");
    return true;
}

/* Half of it may be there, but then in a folder that the user can remove and begin anew. */
static bool
init_judged(struct judged *j)
{
    struct world *w = &j->s->w;

    if (j->end->code != 0) {
        world_remove(w, "@/live/repository");
        if (j->c->span != TRAP_ONCE) /* its file could not be taken back */
            world_remove(w, "@/live/sheet");
        if (!world_does(w, j->why, "init", "-r", "@/live/repository", "--name", "here", "--sheet",
                "@/live/sheet", NULL))
            return false;
    }
    if (!heals(j))
        return false;
    world_as(w, "stranger");
    world_remove(w, "@/stranger");
    bool opens = world_does(w, j->why, "list", "--all", "-r", "@/live/repository",
        "--recovery-key-file", "@/live/sheet", NULL);

    world_as(w, "live");
    return opens;
}

static bool
keys_judged(struct judged *j)
{
    struct world *w = &j->s->w;
    bool opens;

    if (!restores(j, "paths~1", "@/was") || !heals(j))
        return false;
    world_as(w, "stranger");
    world_remove(w, "@/stranger");
    opens = world_does(w, j->why, "show", "here:latest", "-r", "@/live/repository",
        "--recovery-key-file", "@/live/sheet", NULL);
    if (opens && j->end->code == 0 && strcmp(j->s->now->argv[1], "sheet") == 0)
        opens = world_does(w, j->why, "show", "here:latest", "-r", "@/live/repository",
            "--recovery-key-file", "@/live/sheet2", NULL);
    if (opens && j->end->code == 0 && strcmp(j->s->now->argv[1], "add-passphrase") == 0)
        opens = world_does(w, j->why, "show", "here:latest", "-r", "@/live/repository",
            "--passphrase-file", "@/passphrase", NULL);
    world_as(w, "live");
    return opens;
}

static bool
judged(struct judged *j, uint64_t objects)
{
    enum command_kind kind = j->s->now->kind;

    if (!said_so(j))
        return false;
    if (j->end->code == 0 && (kind == BACKUP || kind == INIT || kind == KEYS) && relied_on(j))
        return wrong(j, "exit 0, and something it relies on was not written (R1)");
    if ((kind == LOOK || kind == CHECK || kind == RESTORE) && world_objects(&j->s->w) != objects)
        return wrong(j, "it only reads, and the repository is another one (R12)");
    switch (kind) {
    case BACKUP:
        return backup_judged(j);
    case RESTORE:
        return restore_judged(j);
    case LOOK:
        return look_judged(j);
    case CHECK:
        return check_judged(j);
    case INIT:
        return init_judged(j);
    case KEYS:
        return keys_judged(j);
    }
    return false;
}

/* --- the cases -----------------------------------------------------------------------------------
 */

static const char *const spans[] = {"once", "from then on", "from then on, what writes"};

static void
run_case(struct sweep *s, const struct trap_case *c)
{
    static struct judged j;
    static struct ending end;
    const struct scenario *now = s->now;
    char store[100];
    uint64_t objects;

    world_reset(&s->w, now->from);
    objects = world_objects(&s->w);
    trap_fail(c);
    world_run(&s->w, now->argv, false, &end);
    trap_off();
    memset(&j, 0, offsetof(struct judged, why));
    j = (struct judged){.s = s, .c = c, .end = &end};
    s->cases++;
    if (trap_fired(&j.op, &j.path) > 0)
        s->fired++;
    (void)snprintf(store, sizeof store, "%s/live/repository", s->w.dir);
    j.in_store = strncmp(j.path, store, strlen(store)) == 0 &&
                 strncmp(j.path + strlen(store), "/tmp", 4) != 0;
    if (end.code == 0)
        s->survived++;
    if (getenv("SP_TELL") != NULL)
        print_message("%s: %s %s: exit %d: %.200s\n", now->name, j.op, j.path, end.code, end.err);
    if (judged(&j, objects))
        return;
    s->failures++;
    print_message("WRONG: %s: %s\n  call %llu of this site (%s), %s, %s\n", now->name, j.why,
        (unsigned long long)c->nth, s->memory ? "memory" : j.path,
        s->memory ? "no memory" : strerror(c->os_errno), spans[c->span]);
    trap_print(c->site);
    print_message("  exit %d, signal %d\n  stdout: %.300s\n  stderr: %.6000s\n", end.code,
        end.signal, end.out, end.err);
}

static int
number_for(struct sweep *s, const char *op)
{
    static const int writing[] = {EIO, ENOSPC, EDQUOT, ESTALE}, reading[] = {EIO, ESTALE, EACCES};

    if (s->memory)
        return ENOMEM;
    if (strcmp(op, "create") == 0 || strcmp(op, "write_at") == 0 || strcmp(op, "mkdir") == 0 ||
        strcmp(op, "sync") == 0 || strcmp(op, "close") == 0)
        return writing[sweep_random(s) % 4];
    return reading[sweep_random(s) % 3];
}

#define MOST_OF_ONE 6u /* calls of one site in a long run: files in a loop are alike */

static void
one(struct sweep *s, size_t site, uint64_t nth)
{
    struct trap_case c = {.site = site, .nth = nth};

    c.os_errno = number_for(s, trap_site(site)->op);
    if (!s->first && sweep_random(s) % 3 == 0)
        c.span = c.os_errno == ENOSPC || c.os_errno == EDQUOT ? TRAP_ON_WRITES : TRAP_ON;
    run_case(s, &c);
}

void
sweep_scenario(struct sweep *s, const struct scenario *c, size_t most)
{
    size_t *order, n, i, all;

    s->now = c;
    s->w.now_ns = c->kind == LOOK ? sp_clock_wall(&sp_clock_system) : 0;
    trap_forget();
    world_reset(&s->w, c->from);
    trap_count();
    world_run(&s->w, c->argv, false, &s->unfaulted);
    trap_off();
    if (s->unfaulted.code != 0)
        fail_msg("%s: exit %d\n%s", c->name, s->unfaulted.code, s->unfaulted.err);
    n = trap_nsites();
    assert_true(n > 0);
    assert_non_null(order = calloc(n, sizeof *order));
    for (i = 0, all = n, n = 0; i < all; i++) {
        size_t k = sweep_random(s) % (n + 1);

        if ((s->op != NULL && strcmp(trap_site(i)->op, s->op) != 0) ||
            (s->within != NULL && !trap_within(i, s->within)))
            continue;
        order[n] = order[k];
        order[k] = i;
        n++;
    }
    if (n == 0)
        print_message("%s: no such site\n", c->name);
    if (most == 0)
        for (i = 0; i < n; i++)
            for (uint64_t k = 1; k <= trap_site(order[i])->count && k <= MOST_OF_ONE; k++)
                one(s, order[i], k);
    else
        for (i = 0; n > 0 && i < most && !(s->first && s->failures > 0); i++) {
            size_t site = order[i % n];
            uint64_t calls = trap_site(site)->count;

            if (i >= n && calls == 1)
                continue;
            one(s, site, i < n ? 1 : 2 + sweep_random(s) % (calls - 1));
        }
    free(order);
}

size_t
sweep_all(const char *name, bool memory, size_t cases, char **argv)
{
    static struct sweep s;
    const char *only = argv[0] == NULL ? NULL : argv[1], *seed = getenv("SP_SEED");
    const char *n = only == NULL ? NULL : argv[2];
    time_t start = time(NULL);
    size_t i, before, sites = 0, calls;

    memset(&s, 0, sizeof s);
    s.memory = memory;
    s.seed = seed != NULL ? strtoull(seed, NULL, 0) : (uint64_t)start;
    uint64_t first = s.seed;

    print_message("SP_SEED=%llu\n", (unsigned long long)first);
    s.first = n != NULL;
    s.op = n == NULL ? NULL : argv[3];
    s.within = s.op == NULL ? NULL : argv[4];
    if (n != NULL)
        cases = strtoull(n, NULL, 0);
    else if (getenv("STILLPOINT_LONG") != NULL)
        cases = 0;
    world_new(&s.w);
    s.w.plain = memory;
    sweep_prepare(&s);
    for (i = 0; i < nscenarios; i++) {
        if ((only != NULL && strncmp(only, scenarios[i].name, strlen(only)) != 0) ||
            (s.first && s.failures > 0))
            continue;
        before = s.cases;
        sweep_scenario(&s, &scenarios[i], cases);
        for (size_t k = calls = 0; k < trap_nsites(); k++)
            calls += trap_site(k)->count;
        sites += trap_nsites();
        print_message("%s: %zu call sites, %zu calls; %zu cases\n", scenarios[i].name,
            trap_nsites(), calls, s.cases - before);
    }
    world_free(&s.w);
    print_message("%s: %zu cases (%zu failed, %zu got over it, %zu sites), seed %llu, %lld "
                  "s\n",
        name, s.cases, s.cases - s.survived, s.survived, sites, (unsigned long long)first,
        (long long)(time(NULL) - start));
    assert_true(s.cases > 0 && s.fired > s.cases / 2);
    return s.failures;
}
