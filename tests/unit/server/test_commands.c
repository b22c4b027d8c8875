/* Configuration, the server's folder, and the commands as an administrator uses them. */

#include "support.h"

struct fixture {
    struct place place;
};

static int
setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    place_make(&f->place);
    *state = f;
    return 0;
}

static int
teardown(void **state)
{
    struct fixture *f = *state;

    place_remove(&f->place);
    free(f);
    return 0;
}

static void
test_listen(void **state)
{
    static const struct {
        const char *text, *address;
        uint16_t port;
    } good[] = {
        {":7878", "", 7878},
        {"*:1", "", 1},
        {"*", "", SP_PORT_DEFAULT},
        {":0", "", 0},
        {"127.0.0.1", "127.0.0.1", SP_PORT_DEFAULT},
        {"127.0.0.1:0", "127.0.0.1", 0},
        {"127.0.0.1:65535", "127.0.0.1", 65535},
        {"[::1]:7", "::1", 7},
        {"[::1]:0", "::1", 0},
        {"[::1]", "::1", SP_PORT_DEFAULT},
    };
    static const char *const bad[] = {
        ":", ":x", "nonsense", "localhost:7878", ":65536", "*:-1", "127.0.0.1:65536", "[::1", "a b", ""};
    char *address = NULL;
    uint16_t port;
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_ok(sp_listen_parse(good[i].text, &address, &port, e));
        assert_string_equal(address, good[i].address);
        assert_int_equal(port, good[i].port);
        free(address);
    }
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_code(SP_INVALID, sp_listen_parse(bad[i], &address, &port, e));
}

static enum sp_code
load(struct place *p, const char *text, struct sp_server_config *c, struct sp_err *err)
{
    char file[400];

    (void)snprintf(file, sizeof(file), "%s/test.conf", p->dir);
    assert_ok(sp_os_write_file(&sp_os_system, file, text, strlen(text), e));
    return sp_server_config_load(&p->env, file, c, err);
}

static void
test_config(void **state)
{
    struct fixture *f = *state;
    const char *repository = SP_OS_WINDOWS ? "D:\\srv\\back up" : "/srv/back up";
    struct sp_server_config c, back;
    char file[400], text[400];

    (void)snprintf(text, sizeof(text),
        "[server]\nrepository = %s\nname = b.example.org\nlisten = [::]:7000\n"
        "certificate-days = 30\n[limits]\nsessions = 5\nsessions-per-host = 2\nhost-quota = 1G\n",
        repository);
    assert_ok(load(&f->place, text, &c, e));
    assert_string_equal(c.repository, repository);
    assert_string_equal(c.listen, "::");
    assert_int_equal(c.port, 7000);
    assert_int_equal(c.certificate_days, 30);
    assert_int_equal(c.sessions_max, 5);
    assert_int_equal(c.host_sessions_max, 2);
    assert_int_equal(c.host_quota, 1u << 30);
    /* There and back, with what has to be escaped. */
    free(c.repository);
    c.repository = strdup(SP_OS_WINDOWS ? "C:/a \"b\" \\c/# d " : "/a \"b\" \\c/# d ");
    assert_non_null(c.repository);
    (void)snprintf(file, sizeof(file), "%s/back.conf", f->place.dir);
    assert_ok(sp_server_config_write(&f->place.env, file, &c, e));
    assert_ok(sp_server_config_load(&f->place.env, file, &back, e));
    assert_string_equal(back.repository, c.repository);
    assert_string_equal(back.name, c.name);
    assert_string_equal(back.listen, c.listen);
    assert_int_equal(back.port, c.port);
    assert_int_equal(back.certificate_days, 30);
    assert_int_equal(back.host_quota, c.host_quota);
    sp_server_config_clear(&c);
    sp_server_config_clear(&back);
}

static void
test_bad_config(void **state)
{
    static const char *const bad[] = {
        "",
        "[server]\nrepository = /x\n",
        "[server]\nname = x\n",
        "repository = /x\n",
        "[server]\nrepository = x\nname = x\n",
        "[server]\nrepository = /x\nname = x\ncolour = red\n",
        "[server]\nrepository = /x\nname = x\n[colours]\n",
        "[server]\nrepository = /x\nname = x:0\n",
        "[server]\nrepository = /x\nname = x\nlisten = x:y\n",
        "[server]\nrepository = /x\nname = x\ncertificate-days = 0\n",
        "[server]\nrepository = /x\nname = x\n[limits]\nsessions = 100000\n",
        "[server]\nrepository = /x\nname = x\n[limits]\nhost-quota = much\n",
        "[server\n",
    };
    struct fixture *f = *state;
    struct sp_server_config c;
    size_t i;

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct sp_err e = {0};

        if (load(&f->place, bad[i], &c, &e) != SP_INVALID)
            fail_msg("taken: %s", bad[i]);
        assert_int_equal(e.domain, SP_DOM_CONFIG);
        assert_int_equal(sp_cmd_exit_code(&e), SP_EXIT_USAGE);
    }
}

static void
test_address(void **state)
{
    static const struct {
        const char *name;
        uint16_t port, running;
        const char *want; /* NULL: refused */
    } table[] = {
        {"b.example.org", 7878, 0, "b.example.org:7878"},
        {"b.example.org", 4270, 0, "b.example.org:4270"},
        {"b.example.org:443", 4270, 0, "b.example.org:443"},
        {"b.example.org", 0, 5000, "b.example.org:5000"},
        {"b.example.org:443", 0, 0, "b.example.org:443"},
        {"b.example.org", 0, 0, NULL},
        {"[::1]", 9, 0, "[::1]:9"},
        {"[::1]:8", 9, 0, "[::1]:8"},
    };
    struct sp_home h = {.dir = NULL};
    char got[256], name[64];
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        (void)snprintf(name, sizeof(name), "%s", table[i].name);
        h.config.name = name;
        h.config.port = table[i].port;
        if (table[i].want == NULL) {
            assert_code(SP_REFUSED, sp_home_address(&h, table[i].running, got, e));
            continue;
        }
        assert_ok(sp_home_address(&h, table[i].running, got, e));
        assert_string_equal(got, table[i].want);
    }
}

static void
test_init(void **state)
{
    struct fixture *f = *state;
    struct place *p = &f->place;
    struct sp_home h;
    char out[4096], other[400];

    place_init(p);
    assert_ok(sp_home_open(&p->env, p->home, &h, e));
    assert_string_equal(h.config.repository, p->repository);
    assert_string_equal(h.config.name, "127.0.0.1");
    assert_memory_equal(h.server_id, h.fingerprint, 16);
    sp_home_close(&h);
    /* Once more: refused. */
    assert_int_equal(place_run(p, out, sizeof(out), "init", "-r", p->repository), SP_EXIT_REFUSED);
    /* Another server on the same repository: refused. */
    (void)snprintf(p->home, sizeof(p->home), "%s/other", p->dir);
    assert_int_equal(place_run(p, out, sizeof(out), "init", "-r", p->repository), SP_EXIT_REFUSED);
    /* A folder with something else in it: refused. */
    assert_int_equal(place_run(p, out, sizeof(out), "init", "-r", p->dir), SP_EXIT_REFUSED);
    /* A repository that hosts write to directly: refused. */
    (void)snprintf(other, sizeof(other), "%s/direct", p->dir);
    {
        const struct sp_repository_conf conf = {.pack_size = 0};
        struct sp_backend *b = NULL;

        assert_ok(sp_backend_dir_open(&p->env, other, true, &b, e));
        assert_ok(sp_repository_create(b, &p->env, &conf, NULL, e));
        sp_backend_free(b);
    }
    assert_int_equal(place_run(p, out, sizeof(out), "init", "-r", other), SP_EXIT_REFUSED);
    assert_int_equal(place_run(p, out, sizeof(out), "init"), SP_EXIT_USAGE);
    assert_int_equal(
        place_run(p, out, sizeof(out), "init", "-r", other, "--listen", "x:y"), SP_EXIT_USAGE);
}

/* An init that was cut before its last step is made again, with the authority and the repository
 * that are there. */
static void
test_init_again(void **state)
{
    struct fixture *f = *state;
    struct place *p = &f->place;
    struct sp_home h;
    char file[400], out[4096];
    uint8_t fingerprint[32];

    place_init(p);
    assert_ok(sp_home_open(&p->env, p->home, &h, e));
    memcpy(fingerprint, h.fingerprint, 32);
    sp_home_close(&h);
    (void)snprintf(file, sizeof(file), "%s/stillpointd.conf", p->home);
    assert_ok(sp_os_system.remove(sp_os_system.self, file, e));
    assert_int_equal(
        place_run(p, out, sizeof(out), "init", "-r", p->repository, "--json"), SP_EXIT_DONE);
    assert_non_null(strstr(out, "\"repository_made\":false"));
    assert_ok(sp_home_open(&p->env, p->home, &h, e));
    assert_memory_equal(fingerprint, h.fingerprint, 32);
    sp_home_close(&h);
    /* A server without its authority is nobody. */
    (void)snprintf(file, sizeof(file), "%s/authority.crt", p->home);
    assert_ok(sp_os_system.remove(sp_os_system.self, file, e));
    assert_code(SP_CORRUPT, sp_home_open(&p->env, p->home, &h, e));
}

/* The server's certificate: renewed when it is due, made anew when it is torn. */
static void
test_server_certificate(void **state)
{
    struct fixture *f = *state;
    struct place *p = &f->place;
    struct sp_home h;
    char file[400], first[8192];
    bool renewed;

    place_init(p);
    assert_ok(sp_home_open(&p->env, p->home, &h, e));
    (void)snprintf(first, sizeof(first), "%s", h.chain);
    assert_ok(sp_home_renew(&p->env, &h, &renewed, e));
    assert_false(renewed);
    atomic_store(&p->ahead_ns, SP_VALID_SERVER_NS / 4 * 3);
    assert_ok(sp_home_renew(&p->env, &h, &renewed, e));
    assert_true(renewed);
    assert_string_not_equal(h.chain, first);
    assert_ok(sp_cert_matches(h.chain, h.key, e));
    sp_home_close(&h);
    (void)snprintf(file, sizeof(file), "%s/server.key", p->home);
    assert_ok(sp_os_system.remove(sp_os_system.self, file, e));
    assert_ok(sp_home_open(&p->env, p->home, &h, e));
    assert_ok(sp_cert_matches(h.chain, h.key, e));
    sp_home_close(&h);
}

static void
test_hosts(void **state)
{
    struct fixture *f = *state;
    struct place *p = &f->place;
    struct sp_token t, again;
    char out[4096];

    place_init(p);
    /* Any free port, and no server runs: there is no address to give. */
    assert_int_equal(place_run(p, out, sizeof(out), "host", "add", "desk"), SP_EXIT_REFUSED);
    {
        struct sp_state *s = NULL;
        struct sp_state_beat b = {.port = 4711, .address = "127.0.0.1"};
        char path[400];

        (void)snprintf(path, sizeof(path), "%s/state.db", p->home);
        assert_ok(sp_state_open(path, false, &s, e));
        assert_ok(sp_state_beat_write(s, &b, e));
        sp_state_close(s);
    }
    place_token(p, "add", "desk", &t);
    assert_string_equal(t.address, "127.0.0.1:4711");
    assert_false(t.has_recovery);
    assert_int_equal(t.secret_len, 16);
    place_token(p, "add", "desk", &again);
    assert_memory_not_equal(t.id, again.id, sizeof(t.id));
    assert_memory_not_equal(t.secret, again.secret, 16);
    assert_int_equal(place_run(p, out, sizeof(out), "host", "list", "--json"), SP_EXIT_DONE);
    assert_non_null(strstr(out, "\"tokens\":[{\"name\":\"desk\",\"replaces\":false"));
    assert_null(strstr(strstr(out, "\"desk\"") + 1, "\"desk\"")); /* the older token is void */
    assert_int_equal(
        place_run(p, out, sizeof(out), "host", "add", "lap", "--recovery",
            "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f", "--valid", "90s"),
        SP_EXIT_DONE);
    assert_ok(sp_token_parse(last_line(out), &t, e));
    assert_true(t.has_recovery);
    assert_int_equal(t.recovery[31], 0x1f);
    assert_int_equal(place_run(p, out, sizeof(out), "host", "add", "lap", "--recovery", "nonsense"),
        SP_EXIT_USAGE);
    assert_int_equal(
        place_run(p, out, sizeof(out), "host", "add", "lap", "--valid", "31d"), SP_EXIT_USAGE);
    assert_int_equal(place_run(p, out, sizeof(out), "host", "add", "a b"), SP_EXIT_USAGE);
    assert_int_equal(place_run(p, out, sizeof(out), "host", "add"), SP_EXIT_USAGE);
    assert_int_equal(place_run(p, out, sizeof(out), "host", "mend"), SP_EXIT_USAGE);
    assert_int_equal(place_run(p, out, sizeof(out), "host", "replace", "nobody"), SP_EXIT_USAGE);
    assert_int_equal(place_run(p, out, sizeof(out), "host", "revoke", "desk"), SP_EXIT_DONE);
    assert_int_equal(place_run(p, out, sizeof(out), "host", "revoke", "desk"), SP_EXIT_USAGE);
    assert_int_equal(place_run(p, out, sizeof(out), "host", "list"), SP_EXIT_DONE);
    assert_null(strstr(out, "desk"));
    assert_string_equal(last_line(out), "0 hosts");
}

static void
test_sets_and_status(void **state)
{
    struct fixture *f = *state;
    struct place *p = &f->place;
    char out[4096], away[400];

    assert_int_equal(place_run(p, out, sizeof(out), "status"), SP_EXIT_USAGE);
    place_init(p);
    assert_int_equal(place_run(p, out, sizeof(out), "sets"), SP_EXIT_DONE);
    assert_string_equal(out, "0 sets\n");
    assert_int_equal(place_run(p, out, sizeof(out), "sets", "--json"), SP_EXIT_DONE);
    assert_string_equal(out, "[]\n");
    assert_int_equal(place_run(p, out, sizeof(out), "sets", "nobody"), SP_EXIT_USAGE);
    assert_int_equal(place_run(p, out, sizeof(out), "status"), SP_EXIT_DONE);
    assert_non_null(strstr(out, "not running"));
    assert_int_equal(place_run(p, out, sizeof(out), "status", "--json"), SP_EXIT_DONE);
    assert_non_null(strstr(out, "\"running\":false"));
    /* The share is not mounted: said so, and no empty list. */
    (void)snprintf(away, sizeof(away), "%s/away", p->dir);
    assert_int_equal(rename(p->repository, away), 0);
    assert_int_equal(place_run(p, out, sizeof(out), "sets"), SP_EXIT_UNREACHABLE);
    assert_int_equal(place_run(p, out, sizeof(out), "run"), SP_EXIT_UNREACHABLE);
    assert_ok(sp_os_mkdirs(&sp_os_system, p->repository, e)); /* the mount point */
    assert_int_equal(place_run(p, out, sizeof(out), "sets"), SP_EXIT_UNREACHABLE);
    assert_int_equal(place_run(p, out, sizeof(out), "run"), SP_EXIT_UNREACHABLE);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_listen),
        cmocka_unit_test_setup_teardown(test_config, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bad_config, setup, teardown),
        cmocka_unit_test(test_address),
        cmocka_unit_test_setup_teardown(test_init, setup, teardown),
        cmocka_unit_test_setup_teardown(test_init_again, setup, teardown),
        cmocka_unit_test_setup_teardown(test_server_certificate, setup, teardown),
        cmocka_unit_test_setup_teardown(test_hosts, setup, teardown),
        cmocka_unit_test_setup_teardown(test_sets_and_status, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
