/* Passwords and questions, which need accounts: run by tests/sftp/with.sh beside its servers. */

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <signal.h>
#include <stdio.h>

#include "tests/unit/ssh/link.h"

static const char *
environment(const char *name)
{
    const char *value = getenv(name);

    if (value == NULL)
        fail_msg("%s is not set: this runs under tests/sftp/with.sh", name);
    return value;
}

static void
try_account(const char *port_name, const char *asks, const char *refusal)
{
    const char *password = environment("SP_SFTP_PASSWORD");
    const char *port = getenv(port_name);
    struct judge j = {.secrets = {password}};
    struct sp_ssh_options o;
    struct sp_sftp_link *link;
    struct sp_sftp_conn *c;

    if (port == NULL)
        skip(); /* an account that only root can make */
    o = options((uint16_t)atoi(port), NULL, &j);
    o.user = environment("SP_SFTP_USER");
    o.methods = SP_SSH_PASSWORD;
    ok(sp_ssh_open(&sp_env_system, &o, &link, &err));
    assert_int_equal(sp_ssh_facts(link)->method, SP_SSH_PASSWORD);
    assert_int_equal(j.secrets_asked, 1);
    has(j.what, asks);
    ok(sp_sftp_conn_new(link, 10000, &c, &err));
    sp_sftp_conn_free(c);

    j = (struct judge){.secrets = {"wrong", "wrong", "wrong", "wrong"}};
    gives(SP_AUTH, sp_ssh_open(&sp_env_system, &o, &link, &err));
    has(err.text, refusal);
    has(err.text, o.user);
    assert_true(j.secrets_asked <= 3);

    o.methods = SP_SSH_KEY; /* then the password is not even asked for */
    j = (struct judge){.secrets = {password}};
    gives(SP_AUTH, sp_ssh_open(&sp_env_system, &o, &link, &err));
    assert_int_equal(j.secrets_asked, 0);
}

static void
test_password(void **state)
{
    (void)state;
    try_account("SP_SFTP_PORT_PASSWORD", "the password of ", "tried: the password");
}

static void
test_keyboard_interactive(void **state)
{
    (void)state;
    try_account("SP_SFTP_PORT_KBD", "asks: Password:", "answers to the server's questions");
}

static void
test_another_server(void **state)
{
    (void)state;
    try_account("SP_SFTP_PORT_PROFTPD", "the password of ", "tried: the password");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_password),
        cmocka_unit_test(test_keyboard_interactive),
        cmocka_unit_test(test_another_server),
    };

    (void)signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
