/* The configuration file: what it means, and what a wrong line is told. */

#include "tests/unit/base/support.h"

#include <unistd.h>

#include "base/clock.h"
#include "base/path.h"
#include "client/config.h"

static void
write_file(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

static char *
conf_path(void **state)
{
    char *path = sp_path_join(*state, "stillpoint.conf");

    assert_non_null(path);
    return path;
}

static struct sp_config *
load(void **state, const char *text)
{
    struct sp_config *c = NULL;
    char *path = conf_path(state);

    write_file(path, text);
    assert_ok(sp_config_load(&sp_env_system, path, &c, e));
    assert_string_equal(c->file, path);
    free(path);
    return c;
}

/* The sentence must hold every one of `words`, separated by '|'. */
static void
refuses(void **state, const char *text, const char *words)
{
    struct sp_config *c = NULL;
    struct sp_err e = {0};
    char *path = conf_path(state), *copy = strdup(words), *word, *save = NULL;

    write_file(path, text);
    assert_int_equal(sp_config_load(&sp_env_system, path, &c, &e), SP_INVALID);
    assert_int_equal(e.domain, SP_DOM_CONFIG);
    assert_null(c);
    assert_non_null(copy);
    for (word = strtok_r(copy, "|", &save); word != NULL; word = strtok_r(NULL, "|", &save)) {
        if (strstr(e.text, word) == NULL)
            fail_msg("no '%s' in: %s", word, e.text);
    }
    free(copy);
    free(path);
}

static void
a_whole_file(void **state)
{
    struct sp_config *c = load(state, "# ours\n"
                                      "[defaults]\n"
                                      "exclude = *.tmp\n"
                                      "    /var/cache/\n"
                                      "compression = 7\n"
                                      "\n"
                                      "[files]\n"
                                      "path = /home\n"
                                      "path = /etc\n"
                                      "exclude = .cache/\n"
                                      "one-file-system = yes\n"
                                      "cachedir-tag = no\n"
                                      "change-journal = no\n"
                                      "shadow = require\n"
                                      "require = crash\n"
                                      "require = application for vm:web* else leave-out\n"
                                      "if-below = keep\n"
                                      "application = vm:web*\n"
                                      "application = database:*\n"
                                      "application-exclude = writer:Slow*\n"
                                      "backup-type = full\n"
                                      "writer-attempts = 2\n"
                                      "writer-pause = 30s\n"
                                      "second-shadow = no\n"
                                      "before = stop it\n"
                                      "after = start it\n"
                                      "on-success = echo good\n"
                                      "on-failure = echo bad\n"
                                      "command-timeout = 90s\n"
                                      "ping-url = https://example.org/ping\n"
                                      "bandwidth = 08:00-18:00 2M, 18:00-08:00 none\n"
                                      "audit = 0\n"
                                      "checkpoint = 1h\n"
                                      "repository = /mnt/nas\n"
                                      "[other]\n"
                                      "path = /srv\n");
    const struct sp_job *j = NULL;

    assert_int_equal(c->njobs, 2);
    assert_ok(sp_config_job(c, "files", &j, e));
    assert_int_equal(j->paths.n, 2);
    assert_string_equal(j->paths.s[0], "/home");
    assert_string_equal(j->paths.s[1], "/etc");
    assert_int_equal(j->exclude.n, 3); /* the defaults' first */
    assert_string_equal(j->exclude.s[0], "*.tmp");
    assert_string_equal(j->exclude.s[1], "/var/cache/");
    assert_string_equal(j->exclude.s[2], ".cache/");
    assert_true(j->one_file_system);
    assert_false(j->cachedir_tag);
    assert_false(j->change_journal);
    assert_int_equal(j->shadow, SP_SHADOW_REQUIRE);
    assert_int_equal(j->require.n, 2);
    assert_string_equal(j->require.s[0], "crash");
    assert_string_equal(j->require.s[1], "application for vm:web* else leave-out");
    assert_int_equal(sp_job_demands_most(j), SP_LEVEL_APPLICATION);
    assert_int_equal(j->if_below, SP_BELOW_KEEP);
    assert_int_equal(j->application.n, 2);
    assert_string_equal(j->application.s[1], "database:*");
    assert_int_equal(j->application_exclude.n, 1);
    assert_int_equal(j->backup_type, 1);
    assert_int_equal(j->writer_attempts, 2);
    assert_int_equal(j->writer_pause_ns, 30 * SP_SECOND);
    assert_false(j->second_shadow);
    assert_string_equal(j->before, "stop it");
    assert_string_equal(j->after, "start it");
    assert_string_equal(j->on_success, "echo good");
    assert_string_equal(j->on_failure, "echo bad");
    assert_int_equal(j->command_timeout_ns, 90 * SP_SECOND);
    assert_string_equal(j->ping_url, "https://example.org/ping");
    assert_string_equal(j->bandwidth, "08:00-18:00 2M, 18:00-08:00 none");
    assert_int_equal(j->compression, 7);
    assert_int_equal(j->audit, 0);
    assert_int_equal(j->checkpoint_ns, 3600 * SP_SECOND);
    assert_string_equal(j->repository, "/mnt/nas");

    assert_ok(sp_config_job(c, "other", &j, e));
    assert_int_equal(j->exclude.n, 2);
    assert_int_equal(j->compression, 7);
    assert_false(j->one_file_system);
    assert_true(j->cachedir_tag);
    assert_true(j->change_journal);
    assert_int_equal(j->shadow, SP_SHADOW_AUTO);
    assert_int_equal(j->require.n, 0);
    assert_int_equal(sp_job_demands_most(j), SP_LEVEL_LIVE);
    assert_int_equal(j->if_below, SP_BELOW_DEFAULT);
    assert_int_equal(j->application.n, 0);
    assert_int_equal(j->backup_type, 0);
    assert_true(j->second_shadow);
    assert_int_equal(j->audit, 90);
    assert_int_equal(j->command_timeout_ns, 300 * SP_SECOND);
    assert_string_equal(j->before, "");
    assert_string_equal(j->repository, "");
    sp_config_free(c);
}

static void
wrong_lines(void **state)
{
    refuses(
        state, "[a]\npath = /x\ncolour = red\n", "stillpoint.conf:3: |'colour'|repository path");
    refuses(state, "[a]\npath = /x\nshadow = maybe\n", ":3: |shadow = maybe|auto, none or require");
    refuses(state, "[a]\npath = /x\nrequire = much\n", ":3: |application, crash or live");
    refuses(state, "[a]\npath = /x\nrequire = crash for x\n", ":3: |crash for x");
    refuses(state, "[a]\npath = /x\nif-below = burn\n", ":3: |discard, keep or leave-out");
    refuses(state, "[a]\npath = /x\napplication = vm\n", ":3: |application = vm");
    refuses(state, "[a]\npath = /x\napplication-exclude = vm\n", ":3: |application-exclude = vm");
    refuses(state, "[a]\npath = /x\nbackup-type = half\n", ":3: |copy, full, incremental");
    refuses(state, "[a]\npath = /x\nwriter-attempts = 0\n", ":3: |from 1 to 10");
    refuses(state, "[a]\npath = /x\nwriter-pause = 2h\n", ":3: |at most 1h");
    refuses(state, "[a]\npath = /x\nsecond-shadow = si\n", ":3: |yes or no");
    refuses(state, "[a]\npath = /x\none-file-system = si\n", ":3: |yes or no");
    refuses(state, "[a]\npath = /x\ncompression = 20\n", ":3: |from 1 to 19");
    refuses(state, "[a]\npath = /x\naudit = -1\n", ":3: |a number from 0");
    refuses(state, "[a]\npath = /x\ncommand-timeout = soon\n", ":3: |90s, 15m");
    refuses(state, "[a]\npath = /x\ncommand-timeout = 0\n", ":3: |a duration");
    refuses(state, "[a]\npath = /x\nbandwidth = fast\n", ":3: |'fast'");
    refuses(state, "[a]\npath = /x\n[a]\npath = /y\n", ":3: |[a] is there twice");
    refuses(state, "[a/b]\npath = /x\n", ":1: |without / \\ and :");
    refuses(state, "[]\npath = /x\n", ":1: ");
    refuses(state, "path = /x\n", ":1: |before the first section");
    refuses(state, "[a]\npath = /x\n[defaults]\naudit = 1\n", ":3: |before the first job");
    refuses(state, "[a]\n", "[a] has no path");
    refuses(state, "[a\npath = /x\n", ":1: ");
}

static void
an_exclude_file(void **state)
{
    char *list = sp_path_join(*state, "list"), text[512];
    struct sp_config *c;

    assert_non_null(list);
    write_file(list, "# what is not needed\n*.o\n\n!keep.o\r\n/build\n");
    (void)snprintf(
        text, sizeof(text), "[a]\npath = /x\nexclude = first\nexclude-file = %s\n", list);
    c = load(state, text);
    assert_int_equal(c->jobs[0].exclude.n, 4);
    assert_string_equal(c->jobs[0].exclude.s[1], "*.o");
    assert_string_equal(c->jobs[0].exclude.s[2], "!keep.o");
    assert_string_equal(c->jobs[0].exclude.s[3], "/build");
    sp_config_free(c);
    free(list);
}

static void
files_that_are_not_there(void **state)
{
    struct sp_config *c = NULL;
    const struct sp_job *j = NULL;
    struct sp_err why = {0};
    char *path = sp_path_join(*state, "absent.conf"), text[600];

    assert_non_null(path);
    assert_code(SP_ABSENT, sp_config_load(&sp_env_system, path, &c, e));
    assert_null(c);
    free(path);

    /* the usual place may be empty */
    assert_int_equal(setenv("STILLPOINT_CONFIG_DIR", *state, 1), 0);
    path = conf_path(state);
    (void)unlink(path);
    assert_ok(sp_config_load(&sp_env_system, NULL, &c, e));
    assert_null(c->file);
    assert_int_equal(c->njobs, 0);
    assert_int_equal(sp_config_job(c, "nightly", &j, &why), SP_ABSENT);
    assert_non_null(strstr(why.text, "./nightly"));
    sp_config_free(c);
    write_file(path, "[a]\npath = /x\n[b]\npath = /y\n");
    assert_ok(sp_config_load(&sp_env_system, NULL, &c, e));
    assert_int_equal(sp_config_job(c, "nightly", &j, &why), SP_ABSENT);
    assert_non_null(strstr(why.text, "a, b"));
    assert_int_equal(why.domain, SP_DOM_CONFIG);
    sp_config_free(c);
    free(path);

    (void)snprintf(text, sizeof(text), "[a]\npath = /x\nexclude-file = %s/none\n", (char *)*state);
    path = conf_path(state);
    write_file(path, text);
    assert_int_equal(sp_config_load(&sp_env_system, path, &c, &why), SP_ABSENT);
    assert_int_equal(why.domain, SP_DOM_CONFIG);
    assert_non_null(strstr(why.text, ":3: "));
    free(path);
    assert_int_equal(unsetenv("STILLPOINT_CONFIG_DIR"), 0);
}

/* A copy shares nothing with what it was made from. */
static void
copies(void **state)
{
    struct sp_config *c = load(state, "[a]\npath = /x\nexclude = e\nbefore = b\n");
    struct sp_job *copy = NULL;

    assert_ok(sp_job_copy(&c->jobs[0], &copy, e));
    assert_ok(sp_job_set(copy, "path", "/y", e));
    assert_ok(sp_job_set(copy, "before", "other", e));
    assert_int_equal(c->jobs[0].paths.n, 1);
    assert_string_equal(c->jobs[0].before, "b");
    sp_config_free(c);
    assert_int_equal(copy->paths.n, 2);
    assert_string_equal(copy->paths.s[0], "/x");
    assert_string_equal(copy->exclude.s[0], "e");
    assert_string_equal(copy->before, "other");
    assert_string_equal(copy->name, "a");
    sp_job_free(copy);
    sp_job_free(NULL);
    sp_config_free(NULL);
}

/* Where absolute paths begin with a drive, too. */
static void
is_file(const char *path, const char *end)
{
    assert_true(strlen(path) >= strlen(end));
    assert_string_equal(path + strlen(path) - strlen(end), end);
}

static void
an_sftp_section(void **state)
{
    struct sp_config *c = load(state, "[sftp]\n"
                                      "key = /k/one\n"
                                      "key = /k/two\n"
                                      "login = key, agent\n"
                                      "password-file = /k/password\n"
                                      "known-hosts = /k/hosts\n"
                                      "connections = 2\n"
                                      "patience = 1h\n"
                                      "old-algorithms = no\n"
                                      "[files]\n"
                                      "path = /home\n");

    assert_int_equal(c->njobs, 1);
    assert_int_equal(c->sftp.keys.n, 2);
    is_file(c->sftp.keys.s[1], "/k/two");
    assert_int_equal(c->sftp.methods, 3);
    is_file(c->sftp.password_file, "/k/password");
    assert_null(c->sftp.passphrase_file);
    is_file(c->sftp.known_hosts.s[0], "/k/hosts");
    assert_int_equal(c->sftp.connections, 2);
    assert_int_equal(c->sftp.patience_ns, 3600 * SP_SECOND);
    assert_int_equal(c->sftp.old_algorithms, SP_SFTP_NO);
    sp_config_free(c);
    refuses(
        state, "[sftp]\npath = /home\n", "stillpoint.conf:2|no key 'path'|[sftp] has: key login");
    refuses(state, "[sftp]\nlogin = keys\n", "login = keys|agent, key and password");
    refuses(state, "[sftp]\nlogin = \n", "agent, key and password");
    refuses(state, "[sftp]\nconnections = 17\n", "from 1 to 16");
    refuses(state, "[sftp]\npatience = 100ms\n", "patience");
    refuses(state, "[sftp]\npatience = 2d\n", "1s to 24h");
    refuses(state, "[sftp]\nkey =\n", "a file");
    refuses(state, "[sftp]\nhost-key = SHA256:x\n", "host-key is of one server");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_whole_file, tmp_setup, tmp_teardown),
        cmocka_unit_test_setup_teardown(wrong_lines, tmp_setup, tmp_teardown),
        cmocka_unit_test_setup_teardown(an_exclude_file, tmp_setup, tmp_teardown),
        cmocka_unit_test_setup_teardown(files_that_are_not_there, tmp_setup, tmp_teardown),
        cmocka_unit_test_setup_teardown(copies, tmp_setup, tmp_teardown),
        cmocka_unit_test_setup_teardown(an_sftp_section, tmp_setup, tmp_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
