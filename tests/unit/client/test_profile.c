/* What a machine knows of repositories, and the heads of its chains (R21, R25). */

#include "tests/unit/base/support.h"

#include <sys/stat.h>
#include <unistd.h>

#include "base/path.h"
#include "base/text.h"
#include "client/profile.h"

static int
setup(void **state)
{
    return tmp_setup(state) != 0 || setenv("STILLPOINT_STATE_DIR", *state, 1) != 0 ||
                   setenv("STILLPOINT_CACHE_DIR", "/cache", 1) != 0
               ? -1
               : 0;
}

static char *
copy(const char *s)
{
    char *c = strdup(s);

    assert_non_null(c);
    return c;
}

static struct sp_profile *
make(uint8_t number, const char *address)
{
    struct sp_profile *p = calloc(1, sizeof(*p));

    assert_non_null(p);
    p->address = copy(address);
    p->host_name = copy("a \"host\" \\ with spaces ");
    memset(p->repository, number, 16);
    memset(p->host, number + 1, 16);
    memset(p->signing_secret, number + 2, 32);
    assert_ok(sp_keys_generate(&sp_random_system, &p->keys, e));
    p->conf = (uint8_t *)copy("conf");
    p->conf_len = 4;
    return p;
}

static void
save(struct sp_profile *p)
{
    assert_ok(sp_profile_save(&sp_env_system, p, e));
}

static void
assert_same(const struct sp_profile *a, const struct sp_profile *b)
{
    assert_string_equal(a->folder, b->folder);
    assert_string_equal(a->address, b->address);
    assert_string_equal(a->host_name, b->host_name);
    assert_memory_equal(a->repository, b->repository, 16);
    assert_memory_equal(a->host, b->host, 16);
    assert_memory_equal(a->signing_secret, b->signing_secret, 32);
    assert_memory_equal(sp_keys_group(a->keys), sp_keys_group(b->keys), 16);
    assert_memory_equal(sp_keys_id(a->keys), sp_keys_id(b->keys), 32);
    assert_int_equal(a->conf_len, b->conf_len);
    assert_memory_equal(a->conf, b->conf, a->conf_len);
    assert_int_equal(a->is_server, b->is_server);
}

static void
comes_back(void **state)
{
    struct sp_profile *p = make(1, "/mnt/na\"s # not a comment"), *back = NULL;

    (void)state;
    save(p);
    assert_ok(sp_profile_load(&sp_env_system, p->address, &back, e));
    assert_same(p, back);
    sp_profile_free(back);
    assert_ok(sp_profile_load_id(&sp_env_system, p->repository, &back, e));
    assert_same(p, back);
    sp_profile_free(back);
    assert_ok(sp_profile_load(&sp_env_system, sp_hex16(p->repository).s, &back, e));
    sp_profile_free(back);
    sp_profile_free(p);
    sp_profile_free(NULL);
}

/* A profile that cannot be read takes only its own repository with it (R11). */
static void
a_bad_one(void **state)
{
    struct sp_profile *good = make(1, "/mnt/one"), *bad = make(2, "/mnt/two"), *back = NULL;
    struct sp_err err = {0};
    char *path;

    (void)state;
    save(good);
    save(bad);
    assert_ok(sp_profile_set_default(&sp_env_system, good, e));
    path = sp_path_join(bad->folder, "profile");
    assert_non_null(path);
    assert_ok(sp_os_write_file(&sp_os_system, path, "host-name = \"a\nb\"\n", 18, e));
    free(path);
    assert_ok(sp_profile_load(&sp_env_system, NULL, &back, e));
    assert_same(good, back);
    sp_profile_free(back);
    assert_ok(sp_profile_load(&sp_env_system, "/mnt/one", &back, e));
    sp_profile_free(back);
    assert_int_equal(sp_profile_load(&sp_env_system, "/mnt/two", &back, &err), SP_INVALID);
    assert_non_null(strstr(err.text, bad->folder));
    sp_profile_free(good);
    sp_profile_free(bad);
}

static void
a_server(void **state)
{
    struct sp_profile *p = make(1, "stillpoint://nas:7878"), *back = NULL;

    (void)state;
    p->is_server = true;
    memset(p->authority_fingerprint, 9, 32);
    p->tls_key = copy("key\n");
    p->tls_chain = copy("chain\n");
    p->tls_authority = copy("authority\n");
    save(p);
    assert_ok(sp_profile_load(&sp_env_system, "stillpoint://nas:7878", &back, e));
    assert_same(p, back);
    assert_memory_equal(p->authority_fingerprint, back->authority_fingerprint, 32);
    assert_string_equal(back->tls_key, "key\n");
    assert_string_equal(back->tls_chain, "chain\n");
    assert_string_equal(back->tls_authority, "authority\n");
    sp_profile_free(back);
    sp_profile_free(p);
}

/* What was said at the set-up comes back; a secret is there only when it was put there. */
static void
an_sftp_account(void **state)
{
    static const char fingerprint[] = "SHA256:abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNO+/";
    struct sp_profile *p = make(1, "sftp://me@nas:2222/backup"), *back = NULL;

    (void)state;
    assert_ok(sp_sftp_set(&p->sftp, "key", "/k/a \"key\"", e));
    assert_ok(sp_sftp_set(&p->sftp, "key", "/k/two", e));
    assert_ok(sp_sftp_set(&p->sftp, "login", "password key", e));
    assert_ok(sp_sftp_set(&p->sftp, "known-hosts", "/k/hosts", e));
    assert_ok(sp_sftp_set(&p->sftp, "host-key",
        "ssh-ed25519 "
        "SHA256:abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNO+/",
        e));
    assert_ok(sp_sftp_set(&p->sftp, "connections", "3", e));
    assert_ok(sp_sftp_set(&p->sftp, "patience", "90s", e));
    assert_ok(sp_sftp_set(&p->sftp, "old-algorithms", "yes", e));
    assert_ok(sp_sftp_set(&p->sftp, "password-file", "/k/password", e));
    save(p);
    assert_ok(sp_profile_load(&sp_env_system, p->address, &back, e));
    assert_same(p, back);
    assert_int_equal(back->sftp.keys.n, 2);
    assert_string_equal(back->sftp.keys.s[0], "/k/a \"key\"");
    assert_int_equal(back->sftp.methods, p->sftp.methods);
    assert_string_equal(back->sftp.known_hosts.s[0], "/k/hosts");
    assert_string_equal(back->sftp.host_key, fingerprint);
    assert_string_equal(back->sftp.host_key_type, "ssh-ed25519");
    assert_int_equal(back->sftp.connections, 3);
    assert_int_equal(back->sftp.patience_ns, p->sftp.patience_ns);
    assert_int_equal(back->sftp.old_algorithms, SP_SFTP_YES);
    assert_string_equal(back->sftp.password_file, "/k/password");
    assert_null(back->sftp_password);
    assert_null(back->sftp_passphrase);
    sp_profile_free(back);
    p->sftp_password = copy("pass \"word\"");
    p->sftp_passphrase = copy("");
    save(p);
    assert_ok(sp_profile_load(&sp_env_system, p->address, &back, e));
    assert_string_equal(back->sftp_password, "pass \"word\"");
    assert_string_equal(back->sftp_passphrase, "");
    sp_profile_free(back);
    sp_profile_free(p);
}

/* Nobody else reads what holds keys, whatever the umask. */
static void
rights(void **state)
{
    static const char *const names[] = {"profile", "conf", "slots", "heads"};
    struct sp_profile *p = make(1, "/r");
    uint8_t hash[32] = {0};
    mode_t before = umask(0);
    struct stat st;
    size_t i;

    (void)state;
    save(p);
    assert_ok(sp_profile_save_slots(&sp_env_system, p, "slots", 5, e));
    assert_ok(sp_profile_set_head(&sp_env_system, p, "job", 1, hash, e));
    (void)umask(before);
    assert_int_equal(stat(p->folder, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char *path = sp_path_join(p->folder, names[i]);

        assert_non_null(path);
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_mode & 0777, 0600);
        free(path);
    }
    sp_profile_free(p);
}

/* The same repository, enrolled for anew: the chains of the host before are not this one's. */
static void
another_host(void **state)
{
    struct sp_profile *p = make(1, "/r");
    const uint8_t hash[32] = {1};
    uint8_t got[32];
    uint64_t sequence = 9;

    (void)state;
    save(p);
    assert_ok(sp_profile_set_head(&sp_env_system, p, "job", 5, hash, e));
    save(p);
    assert_ok(sp_profile_head(&sp_env_system, p, "job", &sequence, got, e));
    assert_int_equal(sequence, 5); /* the same host */
    p->host[0]++;
    save(p);
    assert_ok(sp_profile_head(&sp_env_system, p, "job", &sequence, got, e));
    assert_int_equal(sequence, 0);
    sp_profile_free(p);
}

static enum sp_code
count(void *arg, const struct sp_profile *p, bool is_default, struct sp_err *e)
{
    unsigned *n = arg;

    (void)e;
    n[0]++;
    if (is_default)
        n[1] = p->repository[0];
    return SP_OK;
}

static void
which_is_meant(void **state)
{
    struct sp_profile *a = make(1, "/a"), *b = make(2, "/b/"), *got = NULL;
    struct sp_err why = {0};
    unsigned seen[2] = {0, 0};

    (void)state;
    assert_int_equal(sp_profile_load(&sp_env_system, NULL, &got, &why), SP_ABSENT);
    assert_non_null(strstr(why.text, "stillpoint init"));
    assert_non_null(strstr(why.text, "stillpoint enroll"));
    save(a);
    assert_ok(sp_profile_load(&sp_env_system, NULL, &got, e)); /* the only one */
    assert_string_equal(got->address, "/a");
    sp_profile_free(got);
    save(b);
    assert_code(SP_ABSENT, sp_profile_load(&sp_env_system, NULL, &got, e)); /* which of two? */
    assert_ok(sp_profile_set_default(&sp_env_system, b, e));
    assert_ok(sp_profile_load(&sp_env_system, NULL, &got, e));
    assert_string_equal(got->address, "/b/");
    sp_profile_free(got);
    assert_ok(sp_profile_load(&sp_env_system, "/b", &got, e)); /* a slash more or less */
    sp_profile_free(got);
    assert_code(SP_ABSENT, sp_profile_load(&sp_env_system, "/c", &got, e));
    assert_ok(sp_profile_list(&sp_env_system, count, seen, e));
    assert_int_equal(seen[0], 2);
    assert_int_equal(seen[1], 2);
    sp_profile_free(a);
    sp_profile_free(b);
}

static void
damage(void **state)
{
    struct sp_profile *p = make(1, "/a"), *got = NULL;
    struct sp_err why = {0};
    char *file;
    FILE *f;

    (void)state;
    save(p);
    file = sp_path_join(p->folder, "profile");
    assert_non_null(file);
    assert_non_null(f = fopen(file, "a"));
    assert_true(fputs("secrets = 00\n", f) >= 0);
    assert_int_equal(fclose(f), 0);
    assert_int_not_equal(sp_profile_load_id(&sp_env_system, p->repository, &got, &why), SP_OK);
    assert_non_null(strstr(why.text, p->folder));
    assert_non_null(f = fopen(file, "w"));
    assert_true(fputs("address = /a\n", f) >= 0);
    assert_int_equal(fclose(f), 0);
    assert_int_equal(sp_profile_load_id(&sp_env_system, p->repository, &got, &why), SP_CORRUPT);
    assert_non_null(strstr(why.text, "not complete"));
    assert_null(got);
    assert_int_equal(unlink(file), 0); /* a set-up that did not finish counts as none */
    assert_code(SP_ABSENT, sp_profile_load(&sp_env_system, NULL, &got, e));
    free(file);
    sp_profile_free(p);
}

static void
assert_head(const struct sp_profile *p, const char *job, uint64_t want, uint8_t byte)
{
    uint64_t sequence = 99;
    uint8_t hash[32], wanted[32];

    memset(wanted, byte, 32);
    memset(hash, 0, 32);
    assert_ok(sp_profile_head(&sp_env_system, p, job, &sequence, hash, e));
    assert_int_equal(sequence, want);
    if (want > 0)
        assert_memory_equal(hash, wanted, 32);
}

static void
heads(void **state)
{
    struct sp_profile *p = make(1, "/a");
    uint8_t hash[32];
    char *file;
    FILE *f;

    (void)state;
    save(p);
    assert_head(p, "files", 0, 0);
    memset(hash, 7, 32);
    assert_ok(sp_profile_set_head(&sp_env_system, p, "files", 1, hash, e));
    memset(hash, 8, 32);
    assert_ok(sp_profile_set_head(&sp_env_system, p, "my files and more", 5, hash, e));
    assert_head(p, "files", 1, 7);
    assert_head(p, "my files and more", 5, 8);
    assert_head(p, "my", 0, 0);
    memset(hash, 9, 32);
    assert_ok(sp_profile_set_head(&sp_env_system, p, "files", 2, hash, e));
    assert_head(p, "files", 2, 9);
    assert_head(p, "my files and more", 5, 8);
    assert_code(SP_INVALID, sp_profile_set_head(&sp_env_system, p, "a\nb", 1, hash, e));

    /* a line that makes no sense costs nothing but itself */
    file = sp_path_join(p->folder, "heads");
    assert_non_null(file);
    assert_non_null(f = fopen(file, "a"));
    assert_true(fputs("what is this\n3 abc files\n", f) >= 0);
    assert_int_equal(fclose(f), 0);
    assert_head(p, "files", 2, 9);
    assert_ok(sp_profile_set_head(&sp_env_system, p, "files", 3, hash, e));
    assert_head(p, "files", 3, 9);
    free(file);
    save(p); /* saving the rest does not forget them */
    assert_head(p, "files", 3, 9);
    sp_profile_free(p);
}

static void
caches(void **state)
{
    uint8_t id[16];
    char *a = NULL, *b = NULL, *c = NULL;

    (void)state;
    memset(id, 0xab, 16);
    assert_ok(sp_profile_cache(&sp_env_system, id, NULL, &a, e));
    assert_string_equal(a, "/cache/abababababababababababababababab");
    assert_ok(
        sp_profile_cache(&sp_env_system, id, "../../etc", &b, e)); /* a name is never a path */
    assert_ok(sp_profile_cache(&sp_env_system, id, "other", &c, e));
    assert_int_equal(strncmp(b, a, strlen(a)), 0);
    assert_null(strstr(b, ".."));
    assert_string_not_equal(b, c);
    free(a);
    free(b);
    free(c);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(comes_back, setup, tmp_teardown),
        cmocka_unit_test_setup_teardown(a_bad_one, setup, tmp_teardown),
        cmocka_unit_test_setup_teardown(a_server, setup, tmp_teardown),
        cmocka_unit_test_setup_teardown(an_sftp_account, setup, tmp_teardown),
        cmocka_unit_test_setup_teardown(rights, setup, tmp_teardown),
        cmocka_unit_test_setup_teardown(which_is_meant, setup, tmp_teardown),
        cmocka_unit_test_setup_teardown(damage, setup, tmp_teardown),
        cmocka_unit_test_setup_teardown(heads, setup, tmp_teardown),
        cmocka_unit_test_setup_teardown(another_host, setup, tmp_teardown),
        cmocka_unit_test_setup_teardown(caches, setup, tmp_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
