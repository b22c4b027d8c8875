#include "tests/unit/client/site.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/path.h"
#include "client/nodes.h"
#include "client/restore.h"
#include "storage/catalog.h"
#include "storage/crypto.h"
#include "storage/repository.h"
#include "tests/unit/base/support.h"

/* --- deadlines -----------------------------------------------------------------------------------
 */

static const char *volatile running = "";

static void
too_long(int sig)
{
    const char *what = running;

    (void)sig;
    if (write(2, "DEADLINE PASSED: ", 17) > 0 && write(2, what, strlen(what)) > 0 &&
        write(2, "\n", 1) > 0)
        abort();
    abort();
}

static void
deadline(const char *what, unsigned seconds)
{
    struct sigaction a = {.sa_handler = too_long};

    running = what;
    assert_int_equal(sigaction(SIGALRM, &a, NULL), 0);
    (void)alarm(seconds);
}

/* --- the site ------------------------------------------------------------------------------------
 */

static void
open_over(struct site *s, const char *cache, struct recorder **ret_recorder, struct sp_store **ret)
{
    struct recorder *recorder = recorder_new(s->below);
    char *folder = tree_path(&s->tree, cache);
    const struct sp_repository_options o = {
        .cache_dir = folder, .write = true, .host = s->host.id};
    struct sp_repository *r = NULL;

    assert_ok(sp_repository_open(&recorder->head, &sp_env_system, &o, &r, e));
    assert_ok(sp_store_repository_new(r, "test", s->host.id, sp_keys_group(s->keys), ret, e));
    if (ret_recorder != NULL)
        *ret_recorder = recorder;
    free(folder);
}

static void
admit(struct site *s)
{
    struct recorder *recorder = recorder_new(s->below);
    char *folder = tree_path(&s->tree, "admit");
    const struct sp_repository_options o = {.cache_dir = folder, .write = true};
    struct sp_repository *r = NULL;
    struct sp_buf record = SP_BUF_INIT;

    assert_ok(sp_repository_open(&recorder->head, &sp_env_system, &o, &r, e));
    assert_ok(sp_host_encode(&s->host, s->keys, &record, e));
    assert_ok(sp_repository_put_host(r, record.data, record.len, e));
    sp_buf_free(&record);
    sp_repository_free(r);
    free(folder);
}

static void
make_identity(struct site *s, const char *name)
{
    assert_ok(sp_random_fill(&sp_random_system, s->secret, sizeof s->secret, e));
    assert_ok(sp_random_fill(&sp_random_system, s->host.id, sizeof s->host.id, e));
    memcpy(s->host.group, sp_keys_group(s->keys), sizeof s->host.group);
    strcpy(s->host.name, name);
    s->host.nkeys = 1;
    assert_ok(sp_ed25519_public(s->secret, s->host.keys[0], e));
}

static void
make_repository(struct site *s)
{
    const struct sp_repository_conf conf = {
        .pack_size = s->pack_size > 0 ? s->pack_size : 1u << 20, .split = s->split};
    char *path;

    if (s->folder) {
        path = tree_path(&s->tree, "repository");
        assert_ok(sp_backend_dir_open(&sp_env_system, path, true, &s->below, e));
        free(path);
    } else {
        assert_ok(sp_backend_memory_new(&s->below, e));
    }
    assert_ok(sp_repository_create(s->below, &sp_env_system, &conf, NULL, e));
    admit(s);
}

static void
make_machine(struct site *s)
{
    memset(s, 0, sizeof *s);
    tree_new(&s->tree);
    tree_dir(&s->tree, "files");
    s->job = "job";
    s->settled = true;
    s->o.audit = UINT32_MAX;
    s->deadline_s = 60;
}

void
site_new(struct site *s, bool folder)
{
    make_machine(s);
    assert_ok(sp_keys_generate(&sp_random_system, &s->keys, e));
    make_identity(s, "here");
    s->folder = folder;
    make_repository(s);
    site_reopen(s);
}

void
site_guest(struct site *s, const struct site *at, bool member)
{
    struct sp_buf secrets = SP_BUF_INIT;

    make_machine(s);
    if (member) {
        assert_ok(sp_keys_encode(at->keys, &secrets, e));
        assert_ok(sp_keys_decode(secrets.data, secrets.len, &s->keys, e));
    } else {
        assert_ok(sp_keys_generate(&sp_random_system, &s->keys, e));
    }
    sp_buf_wipe(&secrets);
    make_identity(s, member ? "member" : "stranger");
    s->guest = true;
    s->below = at->below;
    admit(s);
    site_reopen(s);
}

static void
remove_folder(struct site *s, const char *name)
{
    char *path = tree_path(&s->tree, name);

    assert_ok(sp_os_remove_tree(&sp_os_system, path, e));
    free(path);
}

void
site_renew(struct site *s)
{
    static const char *const local[] = {"repository", "cache", "other", "admit", "nodes"};

    sp_store_free(s->repository);
    wrap_clear(&s->wrap);
    sp_backend_free(s->below);
    s->opens = 0;
    for (size_t i = 0; i < sizeof local / sizeof local[0]; i++)
        remove_folder(s, local[i]);
    make_repository(s);
    site_reopen(s);
}

void
site_free(struct site *s)
{
    sp_store_free(s->repository);
    wrap_clear(&s->wrap);
    if (!s->guest)
        sp_backend_free(s->below);
    sp_keys_free(s->keys);
    tree_free(&s->tree);
}

void
site_reopen(struct site *s)
{
    if (s->opens++ > 0) {
        sp_store_free(s->repository);
        wrap_clear(&s->wrap);
    }
    open_over(s, "cache", &s->recorder, &s->repository);
    wrap_init(&s->wrap, s->repository);
}

/* --- running -------------------------------------------------------------------------------------
 */

struct telling {
    struct outcome *o;
    size_t skip;
    const struct sp_backup_events *more; /* NULL: none */
};

static void
on_fault(void *arg, const struct sp_fault *f)
{
    struct telling *t = arg;
    struct outcome *o = t->o;
    char *to;
    size_t i, n = f->key_len > t->skip ? f->key_len - t->skip : 0;

    if (o->nfaults < 32) {
        to = o->fault_paths[o->nfaults];
        o->faults[o->nfaults].kind = f->kind;
        if (n > 255)
            n = 255;
        for (i = 0; i < n; i++)
            to[i] = (char)(f->key[t->skip + i] == 0 ? '/' : f->key[t->skip + i]);
        to[n] = '\0';
    }
    o->nfaults++;
}

static void
on_audit(void *arg, const void *key, size_t n)
{
    (void)key;
    (void)n;
    ((struct telling *)arg)->o->naudits++;
}

static void
on_progress(void *arg, const struct sp_backup_stats *s, const void *key, size_t n)
{
    (void)s;
    (void)key;
    (void)n;
    ((struct telling *)arg)->o->nprogress++;
}

static void
on_checkpoint(void *arg, const struct sp_backup_stats *s)
{
    (void)s;
    ((struct telling *)arg)->o->ncheckpoints++;
}

static void
on_note(void *arg, const char *sentence)
{
    struct outcome *o = ((struct telling *)arg)->o;

    if (o->nnotes < 8)
        (void)snprintf(o->notes[o->nnotes], sizeof o->notes[0], "%s", sentence);
    o->nnotes++;
}

static void
on_seen(void *arg, const void *key, size_t n)
{
    const struct telling *t = arg;

    if (t->more->seen != NULL)
        t->more->seen(t->more->arg, (const uint8_t *)key + t->skip, n - t->skip);
}

static enum sp_code
on_before_commit(void *arg, const struct sp_verdict **ret_verdict, enum sp_level *ret_applications,
    enum sp_level *ret_files, struct sp_err *e)
{
    const struct sp_backup_events *more = ((struct telling *)arg)->more;

    return more->before_commit == NULL
               ? SP_OK
               : more->before_commit(more->arg, ret_verdict, ret_applications, ret_files, e);
}

void
site_run(struct site *s, const char *what, struct outcome *ret)
{
    struct sp_bytes root = tree_key(&s->tree, "files");
    char *cache = tree_path(&s->tree, "nodes"), *temp = tree_path(&s->tree, "temp");
    const struct sp_view_map view = {.key = (const uint8_t *)""};
    struct telling telling = {ret, root.n + 1, s->more};
    const struct sp_backup_events events = {.fault = on_fault,
        .audit = on_audit,
        .progress = on_progress,
        .checkpoint = on_checkpoint,
        .note = on_note,
        .seen = s->more != NULL ? on_seen : NULL,
        .before_commit = s->more != NULL ? on_before_commit : NULL,
        .arg = &telling};
    struct sp_backup_options o = s->o;

    memset(ret, 0, sizeof *ret);
    o.job = s->job;
    memcpy(o.host, s->host.id, sizeof o.host);
    o.host_name = "here";
    o.signing_secret = s->secret;
    o.source.roots = &root;
    o.source.nroots = 1;
    if (o.source.nviews == 0) {
        o.source.views = &view;
        o.source.nviews = 1;
    }
    o.source.started_ns = sp_clock_wall(&sp_clock_system) + (s->settled ? 60 * SP_SECOND : 0);
    o.source.temp_dir = o.temp_dir = temp;
    o.cache_dir = cache;
    deadline(what, s->deadline_s);
    if (s->around != NULL)
        s->around(true);
    ret->code = sp_backup_run(&sp_env_system, &s->wrap.store, s->keys, &o, &events, s->cancelled,
        s->cancelled_arg, &ret->result, &ret->err);
    if (s->around != NULL)
        s->around(false);
    deadline("", 0);
    if (ret->code != SP_OK)
        assert_int_equal(ret->code, ret->err.code);
    free(root.p);
    free(cache);
    free(temp);
}

void
site_run_well(struct site *s, const char *what, struct outcome *ret)
{
    site_run(s, what, ret);
    if (ret->code != SP_OK)
        fail_msg("%s: %s", what, ret->err.text);
    if (ret->nfaults > 0)
        fail_msg(
            "%s: a fault of kind %d of '%s'", what, (int)ret->faults[0].kind, ret->fault_paths[0]);
    assert_int_equal(ret->result.state, SP_SET_COMPLETE);
}

const struct sp_fault *
outcome_fault(const struct outcome *o, const char *path)
{
    for (size_t i = 0; i < o->nfaults && i < 32; i++)
        if (strcmp(o->fault_paths[i], path) == 0)
            return &o->faults[i];
    return NULL;
}

/* --- looking -------------------------------------------------------------------------------------
 */

static enum sp_code
see_set(void *arg, const struct sp_set_info *i, struct sp_err *e)
{
    struct site_sets *s = arg;

    if (i->type == SP_RECORD_CHECKPOINT) {
        s->checkpoints++;
        return SP_OK;
    }
    if (s->sets++ > 0)
        return SP_OK;
    return sp_set_record_decode(i->record, i->record_len, &s->newest, e);
}

struct site_sets
site_sets(struct site *s)
{
    struct site_sets ret = {0};
    struct sp_store *store = NULL;

    open_over(s, "other", NULL, &store);
    assert_ok(sp_store_list(store, false, true, see_set, &ret, e));
    sp_store_free(store);
    return ret;
}

struct sp_entry *
site_entry(struct site *s, const char *path)
{
    struct site_sets sets = site_sets(s);
    struct sp_store *store = NULL;
    struct sp_nodes *nodes = NULL;
    struct sp_catalog *c = NULL;
    const struct sp_entry *en = NULL;
    struct sp_entry *ret = NULL;
    struct sp_err err = {0};
    char *below = NULL;
    struct sp_bytes key;
    struct sp_node_source source;
    enum sp_code rc;

    assert_true(sets.sets > 0);
    assert_true(asprintf(&below, "files%s%s", *path != '\0' ? "/" : "", path) > 0);
    key = tree_key(&s->tree, below);
    open_over(s, "other", NULL, &store);
    assert_ok(sp_nodes_new(&sp_env_system, store, s->keys, NULL, &nodes, e));
    source = sp_nodes_source(nodes);
    assert_ok(sp_catalog_open(&source, &sets.newest.root, &c, e));
    rc = sp_catalog_find(c, key.p, key.n, &en, &err);
    if (rc == SP_OK)
        assert_ok(sp_entry_copy(en, &ret, e));
    else
        assert_int_equal(rc, SP_ABSENT);
    sp_catalog_free(c);
    sp_nodes_free(nodes);
    sp_store_free(store);
    free(key.p);
    free(below);
    return ret;
}

static void
restore_fault(void *arg, const void *key, size_t n, const struct sp_err *why)
{
    (void)arg;
    print_message("restore: %.*s: %s\n", (int)n, (const char *)key, why->text);
}

static void
compare(const char *a, const char *b)
{
    char *const argv[] = {
        (char *)(uintptr_t)SP_COMPARE, (char *)(uintptr_t)a, (char *)(uintptr_t)b, NULL};
    pid_t child = fork();
    int status = 0;

    if (child == 0) {
        execv(SP_COMPARE, argv);
        _exit(127);
    }
    assert_true(child > 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        fail_msg("%s and %s differ: status %d", a, b, status);
}

void
site_assert_equal(struct site *s)
{
    struct site_sets sets = site_sets(s);
    char *files = tree_path(&s->tree, "files"), *to = tree_path(&s->tree, "restored");
    struct sp_bytes key = tree_key(&s->tree, "files");
    const struct sp_restore_events events = {.fault = restore_fault};
    const struct sp_restore_options o = {.target = to,
        .numeric_owner = true,
        .temp_dir = s->tree.path,
        .strip = sp_key_depth(key.p, key.n)};
    struct sp_restore_stats stats = {0};
    struct sp_store *store = NULL;

    assert_true(sets.sets > 0);
    open_over(s, "other", NULL, &store);
    deadline("restore", s->deadline_s);
    assert_ok(
        sp_restore_run(&sp_env_system, store, s->keys, &sets.newest.root, &o, &events, &stats, e));
    deadline("", 0);
    assert_int_equal(stats.faults, 0);
    compare(files, to);
    tree_remove(&s->tree, "restored");
    sp_store_free(store);
    free(key.p);
    free(files);
    free(to);
}

void
site_drop_cache(struct site *s)
{
    remove_folder(s, "nodes");
}

struct losing {
    const char *prefix;
    char names[64][160];
    size_t n, most;
};

static enum sp_code
lose_one(void *arg, const char *name, uint64_t size, struct sp_err *e)
{
    struct losing *l = arg;

    (void)size;
    (void)e;
    if (l->n < l->most && l->n < 64 && strncmp(name, l->prefix, strlen(l->prefix)) == 0)
        (void)snprintf(l->names[l->n++], sizeof l->names[0], "%s", name);
    return SP_OK;
}

size_t
site_lose(struct site *s, const char *prefix, size_t most)
{
    struct losing l = {.prefix = prefix, .most = most};

    assert_ok(sp_backend_list(s->below, "", lose_one, &l, e));
    for (size_t i = 0; i < l.n; i++)
        assert_ok(sp_backend_remove(s->below, l.names[i], e));
    return l.n;
}

/* --- files ---------------------------------------------------------------------------------------
 */

void
site_file(struct site *s, const char *path, const void *p, size_t n)
{
    char *below = NULL;

    assert_true(asprintf(&below, "files/%s", path) > 0);
    tree_file(&s->tree, below, p, n);
    free(below);
}

void
site_random_file(struct site *s, const char *path, size_t n, uint64_t seed)
{
    uint64_t *p = malloc(n + 8);

    assert_non_null(p);
    for (size_t i = 0; i < n / 8 + 1; i++)
        p[i] = test_random(&seed);
    site_file(s, path, p, n);
    free(p);
}

void
site_many(struct site *s, const char *folder, size_t n, size_t size)
{
    char path[300];

    for (size_t i = 0; i < n; i++) {
        (void)snprintf(path, sizeof path, "%s/%03zu/%05zu", folder, i / 500, i);
        site_random_file(s, path, size, i + 1);
    }
}
