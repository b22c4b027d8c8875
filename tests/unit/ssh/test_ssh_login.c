/* Logging in to a real sshd, in every way that needs no password of the system, and wrongly. */

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>

#include "tests/unit/ssh/link.h"

static char world[64];
static struct sshd server;

static int
begin(void **state)
{
    (void)state;
    sshd_world(world);
    sshd_start(&server, world, "ed25519 ecdsa rsa", "MaxAuthTries 4");
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

static void
login(const char *name, const char *secret, enum sp_ssh_method by)
{
    const char *key[] = {sshd_path(world, name)};
    struct judge j = {.secrets = {secret}};
    struct sp_ssh_options o = options(server.port, key, &j);
    struct sp_sftp_link *link;
    struct sp_sftp_conn *c;

    ok(sp_ssh_open(&sp_env_system, &o, &link, &err));
    assert_int_equal(sp_ssh_facts(link)->method, by);
    assert_int_equal(j.secrets_asked, secret != NULL);
    assert_int_equal(j.asked, 1);
    ok(sp_sftp_conn_new(link, 10000, &c, &err));
    there_and_back(c, sshd_path(world, "file"), 100001);
    sp_sftp_conn_free(c);
}

static void
test_keys_of_each_kind(void **state)
{
    (void)state;
    login("key_ed25519", NULL, SP_SSH_KEY);
    login("key_ecdsa", NULL, SP_SSH_KEY);
    login("key_rsa", NULL, SP_SSH_KEY);
    login("key_rsa_pem", NULL, SP_SSH_KEY);
}

static void
test_encrypted_keys(void **state)
{
    (void)state;
    login("key_locked", "open sesame", SP_SSH_KEY);
    login("key_locked_ecdsa", "open sesame", SP_SSH_KEY);
    login("key_locked_pem", "open sesame", SP_SSH_KEY);
}

static void
test_what_is_asked_names_the_key(void **state)
{
    const char *key[] = {sshd_path(world, "key_locked")};
    struct judge j = {.secrets = {"wrong", "open sesame"}};
    struct sp_ssh_options o = options(server.port, key, &j);
    struct sp_sftp_link *link;

    (void)state;
    ok(sp_ssh_open(&sp_env_system, &o, &link, &err));
    assert_int_equal(j.secrets_asked, 2);
    has(j.what, "the passphrase of the key ");
    has(j.what, key[0]);
    link->ops->free(link); /* never started */
}

static void
refused(struct judge *j, const char *name, const char *says)
{
    const char *key[] = {sshd_path(world, name)};
    struct sp_ssh_options o = options(server.port, key, j);
    struct sp_sftp_link *link;

    o.methods = SP_SSH_KEY;
    gives(SP_AUTH, sp_ssh_open(&sp_env_system, &o, &link, &err));
    has(err.text, my_name());
    has(err.text, "@127.0.0.1:");
    has(err.text, "publickey");
    has(err.text, says);
}

static void
test_refusals_say_what_was_tried(void **state)
{
    char text[300];

    (void)state;
    (void)snprintf(text, sizeof(text), "tried: the key %s", sshd_path(world, "stranger"));
    refused(&(struct judge){0}, "stranger", text);
    refused(&(struct judge){0}, "key_locked", "its passphrase was not given");
    refused(
        &(struct judge){.secrets = {"a", "b", "c", "d"}}, "key_locked", "its passphrase was wrong");
    refused(
        &(struct judge){.secrets = {"a", "a", "a", "a"}}, "key_locked", "its passphrase was wrong");
    refused(&(struct judge){0}, "absent", "cannot be read");
    refused(&(struct judge){0}, "config", "no private key of a kind that is known");
}

static void
test_a_wrong_secret_is_not_repeated(void **state)
{
    struct judge j = {.secrets = {"a", "a", "a", "a"}};

    (void)state;
    refused(&j, "key_locked", "its passphrase was wrong");
    assert_int_equal(j.secrets_asked, 2);
}

static void
test_too_many_tries(void **state)
{
    const char *stranger = sshd_path(world, "stranger");
    const char *const keys[] = {
        stranger, stranger, stranger, stranger, stranger, stranger, stranger};
    struct judge j = {0};
    struct sp_ssh_options o = options(server.port, keys, &j);
    struct sp_sftp_link *link;

    (void)state;
    o.nkey_files = 7;
    gives(SP_AUTH, sp_ssh_open(&sp_env_system, &o, &link, &err));
    has(err.text, "Too many authentication failures");
}

static void
test_nothing_was_given(void **state)
{
    struct judge j = {0};
    struct sp_ssh_options o = options(server.port, NULL, &j);
    struct sp_sftp_link *link;

    (void)state;
    o.secret = NULL;
    gives(SP_AUTH, sp_ssh_open(&sp_env_system, &o, &link, &err));
    has(err.text, "nothing was given");
    assert_int_equal(j.secrets_asked, 0);
}

static void
test_a_wrong_password(void **state)
{
    struct judge j = {.secrets = {"surely not", "nor this"}};
    struct sp_ssh_options o = options(server.port, NULL, &j);
    struct sp_sftp_link *link;

    (void)state;
    gives(SP_AUTH, sp_ssh_open(&sp_env_system, &o, &link, &err));
    has(err.text, "the password");
    has(j.what, "the password of ");
}

/* --- the agent ----------------------------------------------------------------------------- */

static void
test_the_agent(void **state)
{
    struct judge j = {0};
    struct sp_ssh_options o = options(server.port, NULL, &j);
    const char *socket = sshd_path(world, "agent");
    struct sp_sftp_link *link;
    struct sp_sftp_conn *c;

    (void)state;
    o.methods = SP_SSH_AGENT;
    run_command("ssh-agent -a %s > %s", socket, sshd_path(world, "agent.env"));
    (void)setenv("SSH_AUTH_SOCK", socket, 1);
    gives(SP_AUTH, sp_ssh_open(&sp_env_system, &o, &link, &err));
    has(err.text, "the agent's 0 keys");
    run_command("ssh-add -q %s", sshd_path(world, "stranger"));
    gives(SP_AUTH, sp_ssh_open(&sp_env_system, &o, &link, &err));
    has(err.text, "the agent's 1 key");
    run_command("ssh-add -q %s %s", sshd_path(world, "key_rsa"), sshd_path(world, "key_ed25519"));
    ok(sp_ssh_open(&sp_env_system, &o, &link, &err));
    assert_int_equal(sp_ssh_facts(link)->method, SP_SSH_AGENT);
    ok(sp_sftp_conn_new(link, 10000, &c, &err));
    sp_sftp_conn_free(c);
    run_command(". %s >/dev/null; kill $SSH_AGENT_PID", sshd_path(world, "agent.env"));
    gives(SP_AUTH, sp_ssh_open(&sp_env_system, &o, &link, &err));
    has(err.text, "agent, which cannot be reached");
    (void)unsetenv("SSH_AUTH_SOCK");
}

static void
test_an_agent_that_hangs_up(void **state)
{
    struct judge j = {0};
    struct sp_ssh_options o = options(server.port, NULL, &j);
    struct sp_sftp_link *link;
    int64_t before = sp_clock_mono(&sp_clock_system);
    pid_t pid;

    (void)state;
    o.methods = SP_SSH_AGENT;
    pid = fork();
    if (pid == 0) {
        execlp("python3", "python3", "-c",
            "import socket,sys\ns=socket.socket(socket.AF_UNIX)\ns.bind(sys.argv[1])\ns.listen()\n"
            "while True: s.accept()[0].close()",
            sshd_path(world, "bad-agent"), (char *)NULL);
        _exit(127);
    }
    for (unsigned i = 0; i < 250 && access(sshd_path(world, "bad-agent"), F_OK) != 0; i++)
        sp_sleep_ms(20);
    sp_sleep_ms(50);
    (void)setenv("SSH_AUTH_SOCK", sshd_path(world, "bad-agent"), 1);
    gives(SP_AUTH, sp_ssh_open(&sp_env_system, &o, &link, &err));
    has(err.text, "agent, which cannot be reached");
    assert_true(ms_since(before) < 20000);
    (void)unsetenv("SSH_AUTH_SOCK");
    (void)kill(pid, SIGKILL);
    (void)waitpid(pid, NULL, 0);
}

static void
test_facts(void **state)
{
    const char *key[] = {sshd_path(world, "key_ed25519")};
    struct judge j = {0};
    struct sp_ssh_options o = options(server.port, key, &j);
    struct sp_sftp_link *link;
    const struct sp_ssh_facts *f;

    (void)state;
    ok(sp_ssh_open(&sp_env_system, &o, &link, &err));
    f = sp_ssh_facts(link);
    assert_string_equal(f->algorithms, "aes256-gcm@openssh.com, curve25519-sha256");
    assert_memory_equal(f->greeting, "SSH-2.0-OpenSSH", 15);
    assert_string_equal(f->key_type, "ssh-ed25519");
    assert_string_equal(f->fingerprint, j.fingerprint);
    has(sp_ssh_library(), "libssh2 1.");
    link->ops->free(link);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keys_of_each_kind),
        cmocka_unit_test(test_encrypted_keys),
        cmocka_unit_test(test_what_is_asked_names_the_key),
        cmocka_unit_test(test_refusals_say_what_was_tried),
        cmocka_unit_test(test_a_wrong_secret_is_not_repeated),
        cmocka_unit_test(test_too_many_tries),
        cmocka_unit_test(test_nothing_was_given),
        cmocka_unit_test(test_a_wrong_password),
        cmocka_unit_test(test_the_agent),
        cmocka_unit_test(test_an_agent_that_hangs_up),
        cmocka_unit_test(test_facts),
    };

    (void)signal(
        SIGPIPE, SIG_IGN); /* as the program does: the loop runs on this thread while it opens */
    return cmocka_run_group_tests(tests, begin, finish);
}
