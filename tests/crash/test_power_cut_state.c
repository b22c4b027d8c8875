/* Power cuts under local state: small files, what a machine knows of its repositories, the making
 * of a repository. Old bytes or new bytes, never others; what was reported done stays; what was cut
 * says how to go on. */

#include "tests/unit/base/support.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <unistd.h>

#include "base/clock.h"
#include "client/commands.h"
#include "client/profile.h"
#include "proto/cert.h"
#include "storage/backend.h"
#include "storage/keys.h"
#include "sweep.h"

#define must(condition, ...)                                                                       \
    do {                                                                                           \
        if (!(condition))                                                                          \
            return sweep_wrong(why, __VA_ARGS__);                                                  \
    } while (0)

static struct sp_env
env_on(struct memdisk *d)
{
    struct sp_env env = sp_env_system;

    env.os = memdisk_os(d);
    return env;
}

static void
folder(struct memdisk *d, const char *path)
{
    assert_ok(sp_os_mkdirs(memdisk_os(d), path, e));
}

/* --- one small file ------------------------------------------------------------------------------
 */

#define VERSIONS 4

struct small {
    bool first; /* the file was there before the first of them */
    size_t size;
    size_t done[VERSIONS]; /* operations, when version i was reported written */
    enum sp_code codes[VERSIONS];
};

static void
version_bytes(uint8_t *p, const struct small *s, size_t version)
{
    for (size_t i = 0; i < s->size; i++)
        p[i] = (uint8_t)(version * 50 + 1 + i % 40);
}

static bool
small_verify(void *arg, struct memdisk *found, size_t k, char why[512])
{
    const struct small *s = arg;
    const struct sp_os *os = memdisk_os(found);
    const bool proven = strcmp(memdisk_mode_of(found), "ordered") == 0 ||
                        strcmp(memdisk_mode_of(found), "posix") == 0;
    size_t oldest = 0, newest = 0, n = 0, got = VERSIONS;
    uint8_t *p = NULL, *want = malloc(s->size + 1);
    struct sp_err err = {0};
    enum sp_code rc = sp_os_read_file(os, "/state/f", 1u << 20, &p, &n, &err);

    assert_non_null(want);
    /* Versions before the last one that was reported are gone; the one being written may be there.
     */
    for (size_t i = 1; i < VERSIONS; i++)
        if (k >= s->done[i] && proven && s->codes[i] == SP_OK)
            oldest = i;
    while (newest + 1 < VERSIONS && (newest == 0 || k >= s->done[newest]))
        newest++;
    for (size_t i = 0; i < VERSIONS && rc == SP_OK; i++) {
        version_bytes(want, s, i);
        if (n == s->size && memcmp(p, want, n) == 0)
            got = i;
    }
    if (rc == SP_ABSENT && !s->first)
        got = 0;
    free(want);
    free(p);
    must(got < VERSIONS, "the file is neither old nor new: %s, %zu bytes", sp_code_word(rc), n);
    must(got >= oldest && got <= newest, "version %zu, where %zu to %zu may be", got, oldest,
        newest);
    return true;
}

static void
small_play(struct sweep *sweep, enum memdisk_mode mode, bool first, size_t size, size_t fault)
{
    struct memdisk *d = memdisk_new(mode);
    const struct sp_os *os = memdisk_os(d);
    struct small s = {.first = first, .size = size};
    uint8_t *p = malloc(size + 1);
    size_t from;

    assert_non_null(p);
    folder(d, "/state");
    if (first) {
        struct sp_file *f;

        version_bytes(p, &s, 0);
        assert_ok(os->create(os->self, "/state/f", &f, e));
        assert_ok(os->write_at(os->self, f, 0, p, size, e));
        assert_ok(os->close(os->self, f, e));
    }
    memdisk_settle(d);
    from = memdisk_ops(d);
    if (fault > 0)
        memdisk_fail_flush(d, from + fault, EIO);
    for (size_t i = 1; i < VERSIONS; i++) {
        struct sp_err err = {0};

        version_bytes(p, &s, i);
        s.codes[i] = sp_os_write_file(os, "/state/f", p, size, &err);
        s.done[i] = memdisk_ops(d);
        /* A journal that could not be written is the end; else the next time is another chance. */
        if (s.codes[i] != SP_OK && i > 1)
            assert_true(mode == MEMDISK_NO_FLUSH || (mode == MEMDISK_ORDERED && fault == 4));
    }
    /* The flush that failed was told, also where nothing can be flushed. */
    assert_int_equal(s.codes[1] != SP_OK, fault > 0 || mode == MEMDISK_NO_FLUSH);
    sweep_all(sweep, d, from, 1, 1, small_verify, &s);
    memdisk_free(d);
    free(p);
}

static void
a_small_file_is_old_or_new(void **state)
{
    struct sweep s = sweep_begin(10, 400);

    (void)state;
    for (enum memdisk_mode mode = 0; mode < MEMDISK_MODES; mode++)
        for (int first = 0; first < 2; first++) {
            small_play(&s, mode, first, 40, 0);
            small_play(&s, mode, first, 9000, 0);
        }
    sweep_end(&s, "small files");
}

/* The flush of the bytes, and the one of the folder. */
static void
a_flush_that_failed_is_told(void **state)
{
    struct sweep s = sweep_begin(10, 400);

    (void)state;
    for (enum memdisk_mode mode = 0; mode <= MEMDISK_POSIX; mode++) {
        small_play(&s, mode, true, 9000, 2);
        small_play(&s, mode, true, 9000, 4);
    }
    sweep_end(&s, "small files with a flush that fails");
}

/* --- a profile -----------------------------------------------------------------------------------
 */

enum { MADE, SLOTS, DEFAULT, HEAD_1, HEAD_OTHER, HEAD_2, ROTATED, RENEWED, STEPS };

struct known {
    size_t done[STEPS];
    struct sp_keys *keys[2];
    char *key[2], *chain[2], *authority;
};

static char *
copy(const char *s)
{
    char *c = strdup(s);

    assert_non_null(c);
    return c;
}

static struct sp_profile *
profile_of(const struct known *w, int rotated, int renewed)
{
    struct sp_profile *p = calloc(1, sizeof(*p));
    struct sp_buf secrets = SP_BUF_INIT;

    assert_non_null(p);
    p->address = copy("stillpoint://server");
    p->host_name = copy("here");
    memset(p->repository, 7, 16);
    memset(p->host, 8, 16);
    memset(p->signing_secret, 9, 32);
    assert_ok(sp_keys_encode(w->keys[rotated], &secrets, e));
    assert_ok(sp_keys_decode(secrets.data, secrets.len, &p->keys, e));
    sp_buf_free(&secrets);
    p->conf = (uint8_t *)copy("conf");
    p->conf_len = 4;
    p->is_server = true;
    p->tls_key = copy(w->key[renewed]);
    p->tls_chain = copy(w->chain[renewed]);
    p->tls_authority = copy(w->authority);
    return p;
}

static bool
done(const struct known *w, int step, size_t k)
{
    return k >= w->done[step];
}

static bool
began(const struct known *w, int step, size_t k)
{
    return step == 0 || k > w->done[step - 1];
}

static bool
head_verify(const struct known *w, const struct sp_env *env, const struct sp_profile *p, size_t k,
    char why[512])
{
    uint64_t sequence = 99;
    uint8_t hash[32] = {0};
    struct sp_err err = {0};
    enum sp_code rc = sp_profile_head(env, p, "job", &sequence, hash, &err);

    must(rc == SP_OK, "the head cannot be read: %s", err.text);
    must(sequence == 0 || hash[0] == 0x50 + sequence, "a head with a foreign hash");
    must(sequence >= (done(w, HEAD_2, k)      ? 2U
                         : done(w, HEAD_1, k) ? 1U
                                              : 0U),
        "head %d was remembered, %d is there", done(w, HEAD_2, k) ? 2 : 1, (int)sequence);
    must(sequence <= (began(w, HEAD_2, k)      ? 2U
                         : began(w, HEAD_1, k) ? 1U
                                               : 0U),
        "a head of the future: %d", (int)sequence);
    rc = sp_profile_head(env, p, "another", &sequence, hash, &err);
    must(rc == SP_OK && sequence <= 5, "the other head cannot be read: %s", err.text);
    must(sequence == 5 || !done(w, HEAD_OTHER, k), "the other job's head is lost");
    return true;
}

static bool
profile_verify(void *arg, struct memdisk *found, size_t k, char why[512])
{
    const struct known *w = arg;
    struct sp_env env = env_on(found);
    struct sp_profile *p = NULL;
    struct sp_err err = {0};
    bool good, chosen = done(w, DEFAULT, k);
    enum sp_code rc = sp_profile_load(&env, NULL, &p, &err);
    uint32_t epoch;

    if (rc == SP_ABSENT && !done(w, MADE, k))
        return true;
    must(rc == SP_OK, "the profile does not load: %s", err.text);
    epoch = sp_keys_epoch(p->keys);
    good = (epoch == sp_keys_epoch(w->keys[1]) || !done(w, ROTATED, k)) &&
           (epoch == sp_keys_epoch(w->keys[0]) || began(w, ROTATED, k));
    if (!good)
        (void)sweep_wrong(why, "keys of epoch %u", (unsigned)epoch);
    if (good && sp_cert_matches(p->tls_chain, p->tls_key, &err) != SP_OK) {
        good = false;
        (void)sweep_wrong(why, "the certificate has another key: %s", err.text);
    }
    if (good && done(w, RENEWED, k) && strcmp(p->tls_chain, w->chain[1]) != 0) {
        good = false;
        (void)sweep_wrong(why, "the certificate is the old one");
    }
    good = good && head_verify(w, &env, p, k, why);
    if (good && chosen && memcmp(p->repository, "\7\7\7\7", 4) != 0) {
        good = false;
        (void)sweep_wrong(why, "the default is another");
    }
    /* Going on: the next head is kept. */
    if (good && sp_profile_set_head(&env, p, "job", 3, (const uint8_t[32]){0x53}, &err) != SP_OK) {
        good = false;
        (void)sweep_wrong(why, "the next head: %s", err.text);
    }
    sp_profile_free(p);
    return good;
}

static void
make_certificates(struct known *w)
{
    const struct sp_validity valid = {sp_clock_wall(&sp_clock_system) - 60 * SP_SECOND,
        sp_clock_wall(&sp_clock_system) + 86400 * SP_SECOND};
    const char *names[] = {"here"};
    char *authority_key = NULL;

    assert_ok(sp_cert_authority(valid, &w->authority, &authority_key, e));
    for (int i = 0; i < 2; i++)
        assert_ok(sp_cert_server(
            w->authority, authority_key, names, 1, valid, &w->chain[i], &w->key[i], e));
    sp_pem_free(authority_key);
}

static void
profile_play(struct known *w, struct memdisk *d)
{
    const struct sp_env env = env_on(d);
    struct sp_profile *p = profile_of(w, 0, 0);

    assert_ok(sp_profile_save(&env, p, e));
    w->done[MADE] = memdisk_ops(d);
    assert_ok(sp_profile_save_slots(&env, p, "slots", 5, e));
    w->done[SLOTS] = memdisk_ops(d);
    assert_ok(sp_profile_set_default(&env, p, e));
    w->done[DEFAULT] = memdisk_ops(d);
    assert_ok(sp_profile_set_head(&env, p, "job", 1, (const uint8_t[32]){0x51}, e));
    w->done[HEAD_1] = memdisk_ops(d);
    assert_ok(sp_profile_set_head(&env, p, "another", 5, (const uint8_t[32]){0x55}, e));
    w->done[HEAD_OTHER] = memdisk_ops(d);
    assert_ok(sp_profile_set_head(&env, p, "job", 2, (const uint8_t[32]){0x52}, e));
    w->done[HEAD_2] = memdisk_ops(d);
    sp_profile_free(p);
    p = profile_of(w, 1, 0);
    assert_ok(sp_profile_save(&env, p, e));
    w->done[ROTATED] = memdisk_ops(d);
    sp_profile_free(p);
    p = profile_of(w, 1, 1);
    assert_ok(sp_profile_save(&env, p, e));
    w->done[RENEWED] = memdisk_ops(d);
    sp_profile_free(p);
}

static void
a_profile_is_never_torn(void **state)
{
    struct sweep s = sweep_begin(2, 200);
    struct known w = {.authority = NULL};

    (void)state;
    assert_int_equal(setenv("STILLPOINT_STATE_DIR", "/home/state", 1), 0);
    assert_ok(sp_keys_generate(&sp_random_system, &w.keys[0], e));
    assert_ok(sp_keys_rotate(w.keys[0], &sp_random_system, &w.keys[1], e));
    make_certificates(&w);
    for (enum memdisk_mode mode = 0; mode <= MEMDISK_POSIX; mode++) {
        struct memdisk *d = memdisk_new(mode);

        folder(d, "/home");
        memdisk_settle(d);
        profile_play(&w, d);
        sweep_all(&s, d, 2, s.lasting ? 1 : 3, 1, profile_verify, &w);
        memdisk_free(d);
    }
    for (int i = 0; i < 2; i++) {
        sp_keys_free(w.keys[i]);
        sp_pem_free(w.key[i]);
        sp_pem_free(w.chain[i]);
    }
    sp_pem_free(w.authority);
    sweep_end(&s, "profiles");
}

/* --- making a repository -------------------------------------------------------------------------
 */

/* What a command said on standard error. */
struct heard {
    int kept, file;
};

static struct heard
listen_begin(void)
{
    char name[] = "/tmp/sp-heard-XXXXXX";
    struct heard h;

    (void)fflush(NULL);
    h.kept = dup(2);
    h.file = mkstemp(name);
    assert_true(h.kept >= 0 && h.file >= 0);
    assert_int_equal(unlink(name), 0);
    assert_true(dup2(h.file, 2) >= 0);
    return h;
}

static void
listen_end(struct heard *h, char text[1024])
{
    ssize_t n;

    (void)fflush(NULL);
    assert_true(dup2(h->kept, 2) >= 0);
    n = pread(h->file, text, 1023, 0);
    text[n > 0 ? n : 0] = '\0';
    assert_int_equal(close(h->kept), 0);
    assert_int_equal(close(h->file), 0);
}

static enum sp_exit
run_init(struct memdisk *d, const char *sheet, char text[1024])
{
    const struct sp_env env = env_on(d);
    char *argv[] = {
        (char *)(uintptr_t) "init", (char *)(uintptr_t) "--sheet", (char *)(uintptr_t)sheet, NULL};
    struct sp_cli c = {
        .env = &env, .repository = "/disk/repo", .quiet = true, .argc = 3, .argv = argv};
    struct heard heard = listen_begin();
    enum sp_exit code;

    optind = 0;
    code = sp_cmd_init.run(&c);
    listen_end(&heard, text);
    return code;
}

/* The store opens for writing, with what this machine knows. */
static bool
opens(struct memdisk *d, char why[512])
{
    const struct sp_env env = env_on(d);
    struct sp_cli c = {.env = &env, .quiet = true};
    struct sp_opened_store o = {0};
    struct sp_err err = {0};
    enum sp_code rc = sp_cli_open(&c, NULL, SP_OPEN_WRITE, &o, &err);

    if (rc == SP_OK)
        sp_cli_close(&o);
    must(rc == SP_OK, "the new repository does not open: %s", err.text);
    return true;
}

struct making {
    size_t done;
    uint8_t *sheet;
    size_t sheet_n;
};

/* Told that it is done: everything is there. */
static bool
made_verify(const struct making *m, struct memdisk *found, char why[512])
{
    uint8_t *p = NULL;
    size_t n = 0;
    struct sp_err err = {0};
    bool same;

    if (!opens(found, why))
        return false;
    must(sp_os_read_file(memdisk_os(found), "/papers/sheet", 1u << 16, &p, &n, &err) == SP_OK,
        "the recovery sheet is lost: %s", err.text);
    same = n == m->sheet_n && memcmp(p, m->sheet, n) == 0;
    free(p);
    must(same, "the recovery sheet is torn");
    return true;
}

static bool
making_verify(void *arg, struct memdisk *found, size_t k, char why[512])
{
    const struct making *m = arg;
    char text[1024];
    struct sp_err err = {0};
    enum sp_exit code;

    if (k >= m->done && !made_verify(m, found, why))
        return false;
    code = run_init(found, "/papers/sheet-2", text);
    if (code == SP_EXIT_DONE) {
        must(k < m->done, "a repository was made over one that was there");
        return opens(found, why);
    }
    /* It says what it found, and how to go on; that works. */
    must(strstr(text, "/disk/repo") != NULL && strstr(text, "init") != NULL,
        "no word of how to go on: %.300s", text);
    must(sp_os_remove_tree(memdisk_os(found), "/disk/repo", &err) == SP_OK, "%s", err.text);
    code = run_init(found, "/papers/sheet-3", text);
    must(code == SP_EXIT_DONE, "it was removed, and still: %.300s", text);
    return opens(found, why);
}

static void
making_play(struct sweep *s, enum memdisk_mode mode, bool folder_there)
{
    struct memdisk *d = memdisk_new(mode);
    struct making m = {0};
    char text[1024];
    size_t from;

    folder(d, "/disk");
    folder(d, "/home");
    folder(d, "/papers");
    memdisk_settle(d);
    from = memdisk_ops(d);
    if (folder_there) /* by its owner, just before */
        assert_ok(memdisk_os(d)->mkdir(d, "/disk/repo", e));
    if (run_init(d, "/papers/sheet", text) != SP_EXIT_DONE)
        fail_msg("init: %s", text);
    m.done = memdisk_ops(d);
    assert_ok(sp_os_read_file(memdisk_os(d), "/papers/sheet", 1u << 16, &m.sheet, &m.sheet_n, e));
    sweep_all(s, d, from, s->lasting ? 1 : 3, 1, making_verify, &m);
    free(m.sheet);
    memdisk_free(d);
}

static void
a_repository_whose_making_was_cut_is_made_again(void **state)
{
    struct sweep s = sweep_begin(1, 60);

    (void)state;
    assert_int_equal(setenv("STILLPOINT_STATE_DIR", "/home/state", 1), 0);
    assert_int_equal(setenv("STILLPOINT_CACHE_DIR", "/home/cache", 1), 0);
    for (enum memdisk_mode mode = 0; mode <= MEMDISK_POSIX; mode++) {
        making_play(&s, mode, false);
        making_play(&s, mode, true);
    }
    sweep_end(&s, "repositories in the making");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_small_file_is_old_or_new),
        cmocka_unit_test(a_flush_that_failed_is_told),
        cmocka_unit_test(a_profile_is_never_torn),
        cmocka_unit_test(a_repository_whose_making_was_cut_is_made_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
