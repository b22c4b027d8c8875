/* What all commands share: options, exit codes, secrets from files, paths as patterns, reports. */

#include "tests/unit/base/support.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/path.h"
#include "base/text.h"
#include "client/commands.h"
#include "client/invitation.h"
#include "client/present.h"
#include "client/report.h"
#include "client/select.h"
#include "client/table.h"

/* What is printed to a stream while a piece of code runs. */
struct captured {
    FILE *stream;
    int saved;
    char path[64];
    char text[65536];
};

static void
capture(struct captured *c, FILE *stream)
{
    int fd;

    (void)snprintf(c->path, sizeof(c->path), "/tmp/sp-test-out-XXXXXX");
    c->stream = stream;
    (void)fflush(stream);
    assert_true((fd = mkstemp(c->path)) >= 0);
    assert_true((c->saved = dup(fileno(stream))) >= 0);
    assert_true(dup2(fd, fileno(stream)) >= 0);
    assert_int_equal(close(fd), 0);
}

static const char *
captured(struct captured *c)
{
    FILE *f;
    size_t n;

    (void)fflush(c->stream);
    (void)dup2(c->saved, fileno(c->stream));
    (void)close(c->saved);
    assert_non_null(f = fopen(c->path, "r"));
    n = fread(c->text, 1, sizeof(c->text) - 1, f);
    c->text[n] = '\0';
    (void)fclose(f);
    (void)unlink(c->path);
    return c->text;
}

/* --- options --- */

static const struct option longs[] = {{"job", required_argument, NULL, 'j'},
    {"all", no_argument, NULL, 'a'}, {"strip", required_argument, NULL, 's'},
    {"status", no_argument, NULL, 't'}, {NULL, 0, NULL, 0}};

/* Letters of the options in order, then '.' for every word that is left; '?' ends it. `line` is cut
 * at spaces; *ret_said gets the sentence. */
static void
options(const char *line, const char *want, const char *want_said)
{
    char *argv[16], *copy = strdup(line), *save = NULL, *word, got[32] = "";
    struct sp_cli c = {.env = &sp_env_system, .argv = argv};
    struct captured said;
    size_t n = 0;
    int opt;

    assert_non_null(copy);
    for (word = strtok_r(copy, " ", &save); word != NULL; word = strtok_r(NULL, " ", &save))
        argv[c.argc++] = word;
    argv[c.argc] = NULL;
    optind = 0;
    capture(&said, stderr);
    while ((opt = sp_cli_getopt(&c, "Rx:", longs)) != -1) {
        got[n++] = (char)opt;
        if (opt == '?')
            break;
    }
    for (; opt == -1 && optind < c.argc; optind++)
        got[n++] = '.';
    (void)captured(&said);
    assert_string_equal(got, want);
    if (strstr(said.text, want_said) == NULL)
        fail_msg("'%s': no '%s' in: %s", line, want_said, said.text);
    if (want[0] == '\0' || want[strlen(want) - 1] != '?')
        assert_string_equal(said.text, "");
    free(copy);
}

static void
command_lines(void **state)
{
    (void)state;
    options("cmd", "", "");
    options("cmd a --job x -R b", "jR..", "");
    options("cmd -x v --job=y --all", "xja", "");
    options("cmd -- --job -R", "..", "");
    options("cmd --stri 3", "s", "");
    options("cmd --job", "?", "cmd: option --job needs a value; see stillpoint cmd --help");
    options("cmd a --job", "?", "option --job needs a value");
    options("cmd -x", "?", "option -x needs a value");
    options("cmd a --fast", "?", "unknown option --fast");
    options("cmd -q", "?", "unknown option -q");
    options("cmd --all=3", "?", "option --all takes no value");
    options("cmd --st", "?", "unknown option --st"); /* strip or status? */
}

/* --- exit codes --- */

static enum sp_exit
exit_of(enum sp_code code, enum sp_domain domain)
{
    struct sp_err e = {.code = code, .domain = domain};

    return sp_cli_exit_code(&e);
}

static void
exit_codes(void **state)
{
    (void)state;
    assert_int_equal(exit_of(SP_OK, SP_DOM_NONE), 0);
    assert_int_equal(exit_of(SP_CORRUPT, SP_DOM_STORE), 3);
    assert_int_equal(exit_of(SP_CORRUPT, SP_DOM_CRYPTO), 3);
    assert_int_equal(exit_of(SP_CORRUPT, SP_DOM_SOURCE), 2);
    assert_int_equal(exit_of(SP_REFUSED, SP_DOM_STORE), 4);
    assert_int_equal(exit_of(SP_REFUSED, SP_DOM_CONFIG), 4);
    assert_int_equal(exit_of(SP_INVALID, SP_DOM_CONFIG), 5);
    assert_int_equal(exit_of(SP_INVALID, SP_DOM_STORE), 2);
    assert_int_equal(exit_of(SP_UNSUPPORTED, SP_DOM_NET), 6);
    assert_int_equal(exit_of(SP_UNSUPPORTED, SP_DOM_CONFIG), 5);
    assert_int_equal(exit_of(SP_UNSUPPORTED, SP_DOM_STORE), 2);
    assert_int_equal(exit_of(SP_ABSENT, SP_DOM_CONFIG), 5);
    assert_int_equal(exit_of(SP_ABSENT, SP_DOM_STORE), 6);
    assert_int_equal(exit_of(SP_ABSENT, SP_DOM_SOURCE), 2);
    assert_int_equal(exit_of(SP_AUTH, SP_DOM_NET), 6);
    assert_int_equal(exit_of(SP_UNREACHABLE, SP_DOM_NET), 6);
    assert_int_equal(exit_of(SP_UNREACHABLE, SP_DOM_STORE), 6);
    assert_int_equal(exit_of(SP_UNREACHABLE, SP_DOM_SOURCE), 2);
    assert_int_equal(exit_of(SP_UNREACHABLE, SP_DOM_DESTINATION), 2);
    assert_int_equal(exit_of(SP_TIMEOUT, SP_DOM_NET), 6);
    assert_int_equal(exit_of(SP_TIMEOUT, SP_DOM_STORE), 6);
    assert_int_equal(exit_of(SP_TIMEOUT, SP_DOM_CONFIG), 2);
    assert_int_equal(exit_of(SP_FULL, SP_DOM_STORE), 2);
    assert_int_equal(exit_of(SP_IO, SP_DOM_DESTINATION), 2);
    assert_int_equal(exit_of(SP_NOMEM, SP_DOM_SELF), 2);
    assert_int_equal(exit_of(SP_CANCELLED, SP_DOM_SELF), 2); /* not by a signal */
}

static void
way_out(void **state)
{
    static const struct {
        struct sp_err e;
        const char *words; /* NULL: none */
    } cases[] = {{{SP_FULL, SP_DOM_STORE, 0, ""}, "make room"},
        {{SP_FULL, SP_DOM_DESTINATION, ENOSPC, ""}, "is there already"},
        {{SP_UNREACHABLE, SP_DOM_STORE, ESTALE, ""}, "is it mounted"},
        {{SP_TIMEOUT, SP_DOM_STORE, ETIMEDOUT, ""}, "is it mounted"},
        {{SP_UNREACHABLE, SP_DOM_SOURCE, ESTALE, ""}, NULL},
        {{SP_DENIED, SP_DOM_STORE, EROFS, ""}, "writable"},
        {{SP_DENIED, SP_DOM_STORE, EACCES, ""}, NULL},
        {{SP_IO, SP_DOM_STORE, EIO, ""}, "--read-data"}, {{SP_IO, SP_DOM_STORE, 0, ""}, NULL}};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *got = sp_cli_way_out(&cases[i].e);

        assert_true((got == NULL) == (cases[i].words == NULL));
        assert_true(got == NULL || strstr(got, cases[i].words) != NULL);
    }
}

static const struct sp_command *const all[] = {&sp_cmd_list, &sp_cmd_show, &sp_cmd_find,
    &sp_cmd_diff, &sp_cmd_restore, &sp_cmd_verify, &sp_cmd_check, &sp_cmd_key, &sp_cmd_doctor};

/* What is wrong with a command line is told before anything is opened. */
static void
usage_errors(void **state)
{
    static const struct {
        const struct sp_command *command;
        const char *line, *words;
    } cases[] = {
        {&sp_cmd_list, "list one", "stillpoint show SET"},
        {&sp_cmd_list, "list --job", "needs a value"},
        {&sp_cmd_show, "show", "say which set"},
        {&sp_cmd_show, "show a b c", "'c' is too much"},
        {&sp_cmd_show, "show a -R", "PATH"},
        {&sp_cmd_find, "find", "say what to find"},
        {&sp_cmd_find, "find x --set a --all-sets", "exclude each other"},
        {&sp_cmd_diff, "diff a", "two sets"},
        {&sp_cmd_diff, "diff a b c d", "'d' is too much"},
        {&sp_cmd_restore, "restore", "say which set"},
        {&sp_cmd_restore, "restore latest", "--target DIR, or --in-place"},
        {&sp_cmd_restore, "restore latest --target a --in-place", "not both"},
        {&sp_cmd_restore, "restore latest --target a --if-exists ask", "not 'ask'"},
        {&sp_cmd_restore, "restore latest --target a --strip x", "not 'x'"},
        {&sp_cmd_restore, "restore latest --in-place --strip 1", "--target only"},
        {&sp_cmd_restore, "restore latest --target a --force", "unknown option --force"},
        {&sp_cmd_verify, "verify a b", "./b"},
        {&sp_cmd_check, "check x", "'x' is too much"},
        {&sp_cmd_check, "check --read-data-subset 3", "not '3'"},
        {&sp_cmd_check, "check --read-data-subset 0/3", "not '0/3'"},
        {&sp_cmd_check, "check --read-data-subset 4/3", "not '4/3'"},
        {&sp_cmd_check, "check --read-data --read-data-subset 1/3", "exclude"},
        {&sp_cmd_key, "key", "say what"},
        {&sp_cmd_key, "key burn", "no 'key burn'"},
        {&sp_cmd_key, "key recovery", "key recovery create"},
        {&sp_cmd_key, "key add-recovery", "public half"},
        {&sp_cmd_key, "key join", "-r PATH"},
        {&sp_cmd_key, "key list more", "'more' is too much"},
        {&sp_cmd_key, "key rotate --invitation spi.x", "join"},
        {&sp_cmd_doctor, "doctor x", "'x' is too much"},
    };
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char *argv[16], *copy = strdup(cases[i].line), *save = NULL, *word;
        struct sp_cli c = {.env = &sp_env_system, .argv = argv};
        struct captured said;
        enum sp_exit code;

        assert_non_null(copy);
        for (word = strtok_r(copy, " ", &save); word != NULL; word = strtok_r(NULL, " ", &save))
            argv[c.argc++] = word;
        argv[c.argc] = NULL;
        optind = 0;
        capture(&said, stderr);
        code = cases[i].command->run(&c);
        (void)captured(&said);
        if (code != SP_EXIT_USAGE || strstr(said.text, cases[i].words) == NULL)
            fail_msg("'%s' gave %d and: %s", cases[i].line, (int)code, said.text);
        free(copy);
    }
    for (i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        assert_true(strlen(all[i]->summary) > 0);
        assert_int_equal(strncmp(all[i]->usage, "usage: stillpoint ", 18), 0);
        assert_int_equal(all[i]->usage[strlen(all[i]->usage) - 1], '\n');
    }
}

/* --- secrets --- */

static void
secret_files(void **state)
{
    struct sp_cli c = {.env = &sp_env_system};
    struct sp_buf b = SP_BUF_INIT;
    char *path = sp_path_join(*state, "secret");
    struct sp_err err = {0};
    FILE *f;

    assert_non_null(path);
    assert_int_equal(sp_cli_read_secret_file(&c, path, &b, &err), SP_ABSENT);
    assert_int_equal(err.domain, SP_DOM_CONFIG);
    assert_non_null(f = fopen(path, "w"));
    assert_true(fputs(" a pass phrase \r\n\n", f) >= 0);
    assert_int_equal(fclose(f), 0);
    assert_ok(sp_cli_read_secret_file(&c, path, &b, e));
    assert_string_equal(sp_buf_str(&b), " a pass phrase "); /* its line end alone goes */
    sp_buf_wipe(&b);
    free(path);
}

static void
addresses(void **state)
{
    char *address = NULL, *cwd = getcwd(NULL, 0), *want;

    (void)state;
    assert_non_null(cwd);
    assert_ok(sp_cli_address("stillpoint://nas:7878", &address, e));
    assert_string_equal(address, "stillpoint://nas:7878");
    free(address);
    assert_ok(sp_cli_address("/mnt//nas/../nas2/", &address, e));
    assert_string_equal(address, "/mnt/nas2");
    free(address);
    assert_ok(sp_cli_address("file:///mnt/nas", &address, e));
    assert_string_equal(address, "/mnt/nas");
    free(address);
    assert_ok(sp_cli_address("here", &address, e));
    want = sp_path_join(cwd, "here");
    assert_string_equal(address, want);
    free(address);
    free(want);
    free(cwd);
    assert_ok(sp_cli_address("sftp://u@h:2222/p/", &address, e));
    assert_string_equal(address, "sftp://u@h:2222/p");
    free(address);
    assert_ok(sp_cli_address("sftp://h/p", &address, e)); /* with who we are */
    assert_non_null(strstr(address, "@h/p"));
    free(address);
    assert_code(SP_INVALID, sp_cli_address("sftp://u:secret@h/p", &address, e));
    assert_code(SP_INVALID, sp_cli_address("sftp://", &address, e));
    assert_code(SP_UNSUPPORTED, sp_cli_address("ftp://h/p", &address, e));
    assert_code(SP_INVALID, sp_cli_address("", &address, e));
    assert_true(sp_address_is_server("stillpoint://x"));
    assert_false(sp_address_is_server("/stillpoint://x"));
}

/* --- named paths are exact, whatever is in them --- */

static bool
selects(struct sp_filter *f, const char *path, bool is_dir)
{
    struct sp_buf key = SP_BUF_INIT;
    bool yes;

    assert_ok(sp_key_from_path(path, &key, e));
    yes = sp_filter_selects(f, key.data, key.len, is_dir);
    sp_buf_free(&key);
    return yes;
}

static void
exact_paths(void **state)
{
    static const char *const names[] = {"/plain", "/with space/x ", "/star*", "/a?b", "/[x]",
        "/!no", "/#hash", "/back\\slash", "/trail\\", "/dir/sub/", "/\xff\xfe", "/**/x",
        "/new\nline"};
    static const char *const others[] = {"/plai", "/plain2", "/with space/x", "/starry", "/axb",
        "/x", "/no", "/hash", "/backslash", "/trail", "/dir/sub2", "/\xff", "/y/x", "/newline"};
    struct sp_strings patterns;
    struct sp_filter *f;
    size_t i, k;

    (void)state;
    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        memset(&patterns, 0, sizeof(patterns));
        f = NULL;
        assert_ok(sp_select_path(&patterns, names[i], e));
        assert_ok(sp_select_filter(&patterns, &f, e));
        if (!selects(f, names[i], true))
            fail_msg("%s is not selected by %s", names[i], patterns.s[0]);
        for (k = 0; k < sizeof(others) / sizeof(others[0]); k++) {
            if (selects(f, others[k], false))
                fail_msg("%s is selected by %s", others[k], patterns.s[0]);
        }
        sp_filter_free(f);
        sp_strings_clear(&patterns);
    }
    /* what is inside belongs to it; what only begins so does not */
    memset(&patterns, 0, sizeof(patterns));
    assert_ok(sp_select_path(&patterns, "/dir//./sub/", e));
    assert_ok(sp_select_path(&patterns, "/one", e));
    assert_ok(sp_select_filter(&patterns, &f, e));
    assert_true(selects(f, "/dir/sub/deep/file", false));
    assert_true(selects(f, "/one", false));
    assert_false(selects(f, "/dir", true));
    assert_false(selects(f, "/x/dir/sub", true));
    sp_filter_free(f);
    sp_strings_clear(&patterns);
    f = NULL;
    assert_ok(sp_select_filter(&patterns, &f, e)); /* nothing named: everything */
    assert_null(f);
    assert_ok(sp_select_path(&patterns, "/", e));
    assert_ok(sp_select_filter(&patterns, &f, e));
    assert_true(selects(f, "/any/thing", false));
    sp_filter_free(f);
    sp_strings_clear(&patterns);
}

static void
keys_of_paths(void **state)
{
    struct sp_buf key = SP_BUF_INIT;

    (void)state;
    assert_ok(sp_select_key("/usr/../usr//share/", &key, e));
    assert_int_equal(key.len, 9);
    assert_memory_equal(key.data, "usr\0share", 9);
    sp_buf_reset(&key);
    assert_ok(sp_select_key("/", &key, e));
    assert_int_equal(key.len, 0);
    sp_buf_free(&key);
}

/* --- invitations --- */

static void
invitations(void **state)
{
    uint8_t secret[32], back[32];
    struct sp_buf b = SP_BUF_INIT;
    struct sp_err err = {0};
    char text[128];

    (void)state;
    memset(secret, 0x5a, sizeof(secret));
    sp_invitation_print(secret, &b);
    (void)snprintf(text, sizeof(text), "%s", sp_buf_str(&b));
    assert_int_equal(strncmp(text, "spi.", 4), 0);
    assert_ok(sp_invitation_parse(text, back, e));
    assert_memory_equal(back, secret, 32);
    text[6] = text[6] == 'A' ? 'B' : 'A';
    assert_int_equal(sp_invitation_parse(text, back, &err), SP_INVALID);
    assert_int_equal(err.domain, SP_DOM_CONFIG);
    assert_code(SP_INVALID, sp_invitation_parse("sp1.XXXXX", back, e));
    assert_code(SP_INVALID, sp_invitation_parse("spi.", back, e));
    assert_code(SP_INVALID, sp_invitation_parse("", back, e));
    sp_buf_free(&b);
    sp_base32_put(&b, secret, 16); /* whole, but too short */
    (void)snprintf(text, sizeof(text), "spi.%s", sp_buf_str(&b));
    assert_code(SP_INVALID, sp_invitation_parse(text, back, e));
    sp_buf_free(&b);
}

/* --- reports --- */

static void
reports(void **state)
{
    struct sp_cli c = {.env = &sp_env_system, .json = true};
    struct sp_report r;
    struct sp_err err = {0};
    struct captured out, said;
    enum sp_exit code;

    (void)state;
    capture(&out, stdout);
    sp_report_begin(&r, &c);
    sp_json_ku64(r.j, "n", 1);
    code = sp_report_end(&r, SP_OK, &err, SP_EXIT_PARTLY);
    assert_string_equal(captured(&out), "{\"n\":1,\"exit\":1}\n");
    assert_int_equal(code, 1);

    (void)sp_fail(&err, SP_REFUSED, SP_DOM_STORE, "say \"no\"");
    capture(&out, stdout);
    capture(&said, stderr);
    sp_report_begin(&r, &c);
    code = sp_report_end(&r, SP_REFUSED, &err, SP_EXIT_DONE);
    (void)captured(&said);
    assert_string_equal(captured(&out),
        "{\"error\":\"say \\\"no\\\"\",\"code\":\"refused\",\"domain\":\"store\",\"exit\":4}\n");
    assert_string_equal(said.text, "stillpoint: say \"no\"\n");
    assert_int_equal(code, 4);

    /* what an error still holds of a try that did not matter is no failure */
    c.json = false;
    capture(&out, stdout);
    capture(&said, stderr);
    sp_report_begin(&r, &c);
    assert_null(r.j);
    sp_report_flow(&r);
    code = sp_report_end(&r, SP_OK, &err, SP_EXIT_DONE);
    (void)captured(&said);
    assert_string_equal(captured(&out), "");
    assert_string_equal(said.text, "");
    assert_int_equal(code, 0);
}

static void
tables(void **state)
{
    static const struct sp_column columns[] = {{"NAME", false}, {"N", true}, {"LAST", false}};
    struct sp_table t;
    struct captured out;
    struct sp_err e = {0};

    (void)state;
    sp_table_init(&t, columns, 3);
    sp_table_cell(&t, "%s", "caf\xc3\xa9");
    sp_table_cell(&t, "%d", 7);
    sp_table_cell(&t, "x");
    sp_table_cell(&t, "longer");
    sp_table_cell(&t, "%d", 1000);
    sp_table_cell(&t, "%s", "");
    capture(&out, stdout);
    assert_int_equal(sp_table_print(&t, &e), SP_OK);
    assert_string_equal(captured(&out), "NAME       N  LAST\n"
                                        "caf\xc3\xa9       7  x\n"
                                        "longer  1000  \n");
    sp_table_clear(&t);
}

static int64_t
hand(void *self)
{
    return *(int64_t *)self;
}

/* What is said while progress is shown stands on a line of its own. */
static void
progress_lines(void **state)
{
    int64_t now = SP_SECOND;
    const struct sp_clock clock = {hand, hand, &now};
    struct sp_env env = sp_env_system;
    struct sp_cli c = {.env = &env, .terminal = true};
    struct sp_progress *p;
    struct captured said;
    char want[512];

    (void)state;
    env.clock = &clock;
    assert_non_null(p = sp_progress_new(&c, "check"));
    capture(&said, stderr);
    sp_progress_clear(p); /* nothing is there yet */
    now += SP_SECOND;
    sp_progress_tell(p, 1, 4, "%u of %u packs", 1u, 4u);
    sp_progress_clear(p);
    sp_progress_clear(p);
    (void)fputs("FAULT\n", stderr);
    sp_progress_free(p);
    sp_progress_clear(NULL);
    (void)snprintf(
        want, sizeof(want), "\r%-78s\r%78s\rFAULT\n", "check 1 of 4 packs, 25 %, 3.00 s left", "");
    assert_string_equal(captured(&said), want);
}

static void
words(void **state)
{
    struct sp_entry en;
    char mode[11];

    (void)state;
    memset(&en, 0, sizeof(en));
    en.type = SP_ENTRY_DIR;
    en.mode = 0755;
    sp_present_mode(&en, mode);
    assert_string_equal(mode, "drwxr-xr-x");
    en.type = SP_ENTRY_FILE;
    en.mode = 06644;
    sp_present_mode(&en, mode);
    assert_string_equal(mode, "-rwSr-Sr--");
    en.type = SP_ENTRY_DIR;
    en.mode = 01777;
    sp_present_mode(&en, mode);
    assert_string_equal(mode, "drwxrwxrwt");
    en.type = (enum sp_entry_type)99;
    sp_present_mode(&en, mode);
    assert_int_equal(mode[0], '?');

    assert_string_equal(sp_present_age(0, 59 * SP_SECOND).s, "59 s");
    assert_string_equal(sp_present_age(0, 3599 * SP_SECOND).s, "59 min");
    assert_string_equal(sp_present_age(0, 47 * 3600 * SP_SECOND).s, "47 h");
    assert_string_equal(sp_present_age(0, 30 * 86400 * SP_SECOND).s, "30 days");
    assert_string_equal(sp_present_age(7200 * SP_SECOND, 0).s, "in 2 h");
    assert_string_equal(sp_present_count(1, "file", "files").s, "1 file");
    assert_string_equal(sp_present_count(0, "file", "files").s, "0 files");
    assert_string_equal(sp_present_levels(SP_LEVEL_CRASH, SP_LEVEL_NONE, false).s, "crash");
    assert_string_equal(
        sp_present_levels(SP_LEVEL_LIVE, SP_LEVEL_APPLICATION, false).s, "live/application");
    assert_string_equal(sp_present_levels(SP_LEVEL_CRASH, SP_LEVEL_APPLICATION, true).s,
        "crash/application, unconfirmed");
}

static unsigned cancels;

static void
on_cancel(struct sp_store *s)
{
    (void)s;
    cancels++;
}

/* check opens the repository twice: a signal between the two is not lost. The last test: from here
 * on this process is interrupted. */
static void
signal_before_store(void **state)
{
    static const struct sp_store_ops ops = {.kind = "none", .cancel = on_cancel};
    struct sp_store store = {&ops};
    unsigned i;

    (void)state;
    sp_signals_install();
    sp_signals_store(&store);
    assert_int_equal(cancels, 0);
    sp_signals_store(NULL);
    assert_int_equal(kill(getpid(), SIGTERM), 0);
    for (i = 0; i < 500 && !sp_signals_stop(NULL); i++)
        sp_sleep_ms(10);
    assert_int_equal(sp_signals_which(), SIGTERM);
    while (sp_signals_times() < 1)
        sp_sleep_ms(1);
    sp_signals_store(&store); /* a backup goes on to its end after one */
    assert_int_equal(cancels, 0);
    sp_signals_store(NULL);
    sp_signals_at_once();
    sp_signals_store(&store);
    assert_int_equal(cancels, 1);
    sp_signals_store(NULL);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(command_lines),
        cmocka_unit_test(exit_codes),
        cmocka_unit_test(way_out),
        cmocka_unit_test(usage_errors),
        cmocka_unit_test_setup_teardown(secret_files, tmp_setup, tmp_teardown),
        cmocka_unit_test(addresses),
        cmocka_unit_test(exact_paths),
        cmocka_unit_test(keys_of_paths),
        cmocka_unit_test(invitations),
        cmocka_unit_test(reports),
        cmocka_unit_test(tables),
        cmocka_unit_test(progress_lines),
        cmocka_unit_test(words),
        cmocka_unit_test(signal_before_store),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
