/* known_hosts, against files that ssh-keygen hashes; and a real server's key, judged before
 * anything else is said to it. */

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <signal.h>
#include <stdio.h>

#include "storage/ssh_impl.h"
#include "tests/unit/ssh/link.h"

static char world[64], a_key[400], b_key[400], rsa_key[1200];
static struct sshd server;

static void
read_public(const char *name, char *to, size_t cap)
{
    FILE *f = fopen(sshd_path(world, name), "r");

    assert_non_null(f);
    assert_non_null(fgets(to, (int)cap, f));
    (void)fclose(f);
    *strrchr(to, ' ') = '\0'; /* without the comment: "type base64" */
}

static int
begin(void **state)
{
    (void)state;
    sshd_world(world);
    read_public("host_ed25519.pub", a_key, sizeof(a_key));
    read_public("host_other.pub", b_key, sizeof(b_key));
    read_public("host_rsa.pub", rsa_key, sizeof(rsa_key));
    sshd_start(&server, world, "ed25519 rsa", "");
    return 0;
}

static int
finish(void **state)
{
    (void)state;
    sshd_end(&server);
    sshd_world_end(world);
    return 0;
}

static void write_hosts(const char *name, const char *format, ...) SP_PRINTF(2, 3);
static void
write_hosts(const char *name, const char *format, ...)
{
    FILE *f = fopen(sshd_path(world, name), "w");
    va_list ap;

    assert_non_null(f);
    va_start(ap, format);
    (void)vfprintf(f, format, ap);
    va_end(ap);
    assert_int_equal(fclose(f), 0);
}

/* What the file says of the server's ed25519 key under this name. */
static int
look(const char *host, uint16_t port, unsigned *line)
{
    const char *const files[] = {sshd_path(world, "absent"), sshd_path(world, "hosts")};
    struct sp_buf key = SP_BUF_INIT;
    struct sp_ssh_hostkey k = {.host = host, .port = port, .type = "ssh-ed25519"};
    const char *base64 = strchr(a_key, ' ') + 1;

    assert_true(sp_ssh_base64(base64, strlen(base64), &key));
    k.key = key.data;
    k.key_len = key.len;
    ok(sp_ssh_hostkeys_look(files, 2, &k, &err));
    sp_buf_free(&key);
    if (line != NULL)
        *line = k.known_line;
    return (int)k.known;
}

static void
test_plain_names(void **state)
{
    unsigned line;

    (void)state;
    write_hosts("hosts", "# a comment\n\nnas.local,192.168.1.5 %s of mine\n[nas.local]:2222 %s\n",
        a_key, b_key);
    assert_int_equal(look("nas.local", 22, &line), SP_HOSTKEY_KNOWN);
    assert_int_equal(line, 3);
    assert_int_equal(look("NAS.Local", 22, NULL), SP_HOSTKEY_KNOWN);
    assert_int_equal(look("192.168.1.5", 22, NULL), SP_HOSTKEY_KNOWN);
    assert_int_equal(look("192.168.1.50", 22, NULL), SP_HOSTKEY_NEW);
    assert_int_equal(look("nas.local", 2222, &line), SP_HOSTKEY_CHANGED);
    assert_int_equal(line, 4);
    assert_int_equal(look("nas.local", 2200, NULL), SP_HOSTKEY_NEW);
}

static void
test_hashed_names(void **state)
{
    unsigned line;

    (void)state;
    write_hosts(
        "hosts", "nas.local %s\n[nas.local]:2222 %s\nother.local %s\n", a_key, a_key, b_key);
    run_command("ssh-keygen -q -H -f %s 2>/dev/null && grep -q '^|1|' %s && ! grep -q nas %s",
        sshd_path(world, "hosts"), sshd_path(world, "hosts"), sshd_path(world, "hosts"));
    assert_int_equal(look("nas.local", 22, &line), SP_HOSTKEY_KNOWN);
    assert_int_equal(line, 1);
    assert_int_equal(look("nas.local", 2222, &line), SP_HOSTKEY_KNOWN);
    assert_int_equal(line, 2);
    assert_int_equal(look("other.local", 22, NULL), SP_HOSTKEY_CHANGED);
    assert_int_equal(look("nas.loca", 22, NULL), SP_HOSTKEY_NEW);
}

static void
test_patterns(void **state)
{
    (void)state;
    write_hosts("hosts", "*.local,!bad.local,b?x %s\n", a_key);
    assert_int_equal(look("nas.local", 22, NULL), SP_HOSTKEY_KNOWN);
    assert_int_equal(look("a.b.local", 22, NULL), SP_HOSTKEY_KNOWN);
    assert_int_equal(look("bad.local", 22, NULL), SP_HOSTKEY_NEW);
    assert_int_equal(look("box", 22, NULL), SP_HOSTKEY_KNOWN);
    assert_int_equal(look("bx", 22, NULL), SP_HOSTKEY_NEW);
    assert_int_equal(look("local", 22, NULL), SP_HOSTKEY_NEW);
    write_hosts("hosts", "* %s\n", a_key);
    assert_int_equal(look("anything", 22, NULL), SP_HOSTKEY_KNOWN);
    assert_int_equal(look("::1", 2222, NULL), SP_HOSTKEY_KNOWN);
}

static void
test_which_line_counts(void **state)
{
    unsigned line;

    (void)state;
    /* Another key of the type before the right one: known. Of another type only: new. */
    write_hosts("hosts", "nas %s\nnas %s\n", b_key, a_key);
    assert_int_equal(look("nas", 22, &line), SP_HOSTKEY_KNOWN);
    assert_int_equal(line, 2);
    write_hosts("hosts", "\nnas %s\n", rsa_key);
    assert_int_equal(look("nas", 22, &line), SP_HOSTKEY_NEW);
    assert_int_equal(line, 2); /* … but not of a server that nobody has ever seen */
    write_hosts("hosts", "nas %s\nnas %s\n", rsa_key, a_key);
    assert_int_equal(look("nas", 22, &line), SP_HOSTKEY_KNOWN);
    assert_int_equal(line, 2);
    write_hosts("hosts", "nas %s\nnas %s\n", rsa_key, b_key);
    assert_int_equal(look("nas", 22, &line), SP_HOSTKEY_CHANGED);
    assert_int_equal(line, 2);
    write_hosts("hosts", "nas %s\n@revoked * %s\n", a_key, a_key);
    assert_int_equal(look("nas", 22, &line), SP_HOSTKEY_REVOKED);
    assert_int_equal(line, 2);
    write_hosts("hosts", "@revoked * %s\nnas %s\n", a_key, a_key);
    assert_int_equal(look("nas", 22, NULL), SP_HOSTKEY_REVOKED);
    write_hosts("hosts", "@revoked * %s\nnas %s\n", b_key, a_key);
    assert_int_equal(look("nas", 22, NULL), SP_HOSTKEY_KNOWN);
    /* A certificate authority's key says nothing about this key, nor does a marker that is unknown.
     */
    write_hosts("hosts", "@cert-authority * %s\n@strange * %s\n", a_key, a_key);
    assert_int_equal(look("nas", 22, NULL), SP_HOSTKEY_NEW);
    write_hosts("hosts", "@cert-authority * %s\n", b_key);
    assert_int_equal(look("nas", 22, NULL), SP_HOSTKEY_NEW);
}

static void
test_damaged_lines_are_passed_over(void **state)
{
    (void)state;
    write_hosts("hosts",
        "nas\nnas ssh-ed25519\n|1||\n|1|AAAA|BBBB %s\n|1|no|base64! %s\nnas ssh-ed25519 "
        "%%%%%%\n@revoked\n@\n \t\n"
        "nas\t%s\r\n",
        a_key, a_key, a_key);
    assert_int_equal(look("nas", 22, NULL), SP_HOSTKEY_KNOWN);
    write_hosts("hosts", "nas %s", a_key); /* no end of the line */
    assert_int_equal(look("nas", 22, NULL), SP_HOSTKEY_KNOWN);
    write_hosts("hosts", "%s", "");
    assert_int_equal(look("nas", 22, NULL), SP_HOSTKEY_NEW);
}

static void
test_a_folder_is_no_file(void **state)
{
    const char *const files[] = {world};
    struct sp_ssh_hostkey k = {
        .host = "nas", .port = 22, .type = "x", .key = (const uint8_t *)"", .key_len = 0};

    (void)state;
    assert_int_not_equal(sp_ssh_hostkeys_look(files, 1, &k, &err), SP_OK);
    has(err.text, world);
}

/* --- a real server ------------------------------------------------------------------------- */

static enum sp_code
connect_with(struct judge *j, const char *pinned, const char *pinned_type)
{
    const char *key[] = {sshd_path(world, "key_ed25519")}, *const files[] = {
                                                               sshd_path(world, "hosts")};
    struct sp_ssh_options o = options(server.port, key, j);
    struct sp_sftp_link *link;
    enum sp_code rc;

    o.known_hosts = files;
    o.nknown_hosts = 1;
    o.pinned = pinned;
    o.pinned_type = pinned_type;
    if ((rc = sp_ssh_open(&sp_env_system, &o, &link, &err)) == SP_OK) {
        (void)snprintf(j->type, sizeof(j->type), "%s", sp_ssh_facts(link)->key_type);
        link->ops->free(link);
    }
    return rc;
}

static void
fingerprint(const char *name, char to[64])
{
    char command[300];
    FILE *p;

    (void)snprintf(command, sizeof(command), "ssh-keygen -l -f %s", sshd_path(world, name));
    p = popen(command, "r");
    assert_non_null(p);
    assert_int_equal(fscanf(p, "%*s %63s", to), 1);
    (void)pclose(p);
}

static void
test_the_judge_is_told(void **state)
{
    struct judge j = {0};
    char print[64];

    (void)state;
    write_hosts("hosts", "%s", "");
    ok(connect_with(&j, NULL, NULL));
    assert_int_equal(j.asked, 1);
    assert_int_equal(j.known, SP_HOSTKEY_NEW);
    assert_string_equal(j.type, "ssh-ed25519");
    fingerprint("host_ed25519", print);
    assert_string_equal(j.fingerprint, print);
    write_hosts("hosts", "[127.0.0.1]:%u %s\n", (unsigned)server.port, a_key);
    ok(connect_with(&j, NULL, NULL));
    assert_int_equal(j.known, SP_HOSTKEY_KNOWN);
    write_hosts("hosts", "[127.0.0.1]:%u %s\n", (unsigned)server.port, b_key);
    ok(connect_with(&j, NULL, NULL));
    assert_int_equal(j.known, SP_HOSTKEY_CHANGED);
}

/* The key that is known is asked for, though the server has one that would come first. */
static void
test_the_known_type_first(void **state)
{
    struct judge j = {0};

    (void)state;
    write_hosts("hosts", "[127.0.0.1]:%u %s\n", (unsigned)server.port, rsa_key);
    ok(connect_with(&j, NULL, NULL));
    assert_string_equal(j.type, "ssh-rsa");
    assert_int_equal(j.known, SP_HOSTKEY_KNOWN);
}

/* Not even the name of the user is sent to a server whose key is not trusted. */
static void
test_nothing_is_said_before_the_verdict(void **state)
{
    struct judge j = {.verdict = SP_REFUSED};
    char *log;

    (void)state;
    sshd_end(&server);
    sshd_start(&server, world, "ed25519 rsa", "");
    write_hosts("hosts", "%s", "");
    gives(SP_REFUSED, connect_with(&j, NULL, NULL));
    gives(SP_REFUSED, connect_with(&j, "SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", NULL));
    sp_sleep_ms(300);
    log = sshd_log(&server);
    has(log, "rekey out after"); /* the key exchange was done */
    assert_null(strstr(log, "userauth-request"));
    free(log);
    j.verdict = SP_OK;
    ok(connect_with(&j, NULL, NULL));
    log = sshd_log(&server);
    has(log, "userauth-request"); /* as the log calls it */
    free(log);
}

static void
test_pins(void **state)
{
    struct judge j = {.verdict = SP_REFUSED};
    char ed25519[64], rsa[64];

    (void)state;
    fingerprint("host_ed25519", ed25519);
    fingerprint("host_rsa", rsa);
    /* The pin decides, whatever known_hosts and the judge say. */
    write_hosts("hosts", "[127.0.0.1]:%u %s\n@revoked * %s\n", (unsigned)server.port, b_key, a_key);
    ok(connect_with(&j, ed25519, "ssh-ed25519"));
    ok(connect_with(&j, rsa, "ssh-rsa"));
    assert_string_equal(j.type, "ssh-rsa");
    assert_int_equal(j.asked, 0);
    gives(SP_REFUSED, connect_with(&j, rsa, "ssh-ed25519"));
    has(err.text, "another key than the one that was pinned");
    has(err.text, ed25519);
    has(err.text, rsa);
    j.verdict = SP_OK;
    write_hosts("hosts", "[127.0.0.1]:%u %s\n", (unsigned)server.port, a_key);
    gives(SP_REFUSED, connect_with(&j, "SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", NULL));
    assert_int_equal(j.asked, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain_names),
        cmocka_unit_test(test_hashed_names),
        cmocka_unit_test(test_patterns),
        cmocka_unit_test(test_which_line_counts),
        cmocka_unit_test(test_damaged_lines_are_passed_over),
        cmocka_unit_test(test_a_folder_is_no_file),
        cmocka_unit_test(test_the_judge_is_told),
        cmocka_unit_test(test_the_known_type_first),
        cmocka_unit_test(test_nothing_is_said_before_the_verdict),
        cmocka_unit_test(test_pins),
    };

    (void)signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, begin, finish);
}
