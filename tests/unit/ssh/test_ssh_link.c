/* The link to servers that are slow, silent, gone or no SSH servers; and every cipher. */

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <signal.h>
#include <stdio.h>

#include "tests/unit/ssh/link.h"

static char world[64];

static int
begin(void **state)
{
    (void)state;
    sshd_world(world);
    return 0;
}

static int
finish(void **state)
{
    (void)state;
    sshd_world_end(world);
    return 0;
}

static void
connect_to(
    const struct sshd *s, struct sp_ssh_options *o, struct judge *j, struct sp_sftp_conn **ret)
{
    static const char *key[1];
    struct sp_sftp_link *link;

    key[0] = sshd_path(world, "key_ed25519");
    if (o->host == NULL)
        *o = options(s->port, key, j);
    ok(sp_ssh_open(&sp_env_system, o, &link, &err));
    ok(sp_sftp_conn_new(link, 10000, ret, &err));
}

/* --- algorithms ---------------------------------------------------------------------------- */

/* Bytes there and back, while the server wants new keys again and again. */
static void
with_config(const char *config, bool old, const char *algorithms)
{
    const char *key[] = {sshd_path(world, "key_ed25519")};
    struct judge j = {0};
    struct sp_sftp_conn *c;
    struct sp_ssh_options o;
    struct sp_sftp_link *link;
    struct sshd s;

    sshd_start(&s, world, "ed25519", config);
    o = options(s.port, key, &j);
    o.old_algorithms = old;
    ok(sp_ssh_open(&sp_env_system, &o, &link, &err));
    has(sp_ssh_facts(link)->algorithms, algorithms);
    ok(sp_sftp_conn_new(link, 10000, &c, &err));
    there_and_back(c, sshd_path(world, "file"), 3000017);
    sp_sftp_conn_free(c);
    sshd_end(&s);
}

static void
test_ciphers(void **state)
{
    (void)state;
    with_config("Ciphers aes256-gcm@openssh.com\nRekeyLimit 300K", false, "aes256-gcm@openssh.com");
    with_config("Ciphers aes128-gcm@openssh.com", false, "aes128-gcm@openssh.com");
    with_config("Ciphers chacha20-poly1305@openssh.com\nRekeyLimit 300K", false,
        "chacha20-poly1305@openssh.com");
    with_config("Ciphers aes256-ctr\nMACs hmac-sha2-256-etm@openssh.com\nRekeyLimit 300K", false,
        "aes256-ctr");
    with_config("Ciphers aes128-ctr\nMACs hmac-sha2-512", false, "aes128-ctr");
}

static void
test_key_exchanges(void **state)
{
    (void)state;
    with_config("KexAlgorithms ecdh-sha2-nistp256", false, "ecdh-sha2-nistp256");
    with_config("KexAlgorithms ecdh-sha2-nistp521", false, "ecdh-sha2-nistp521");
    with_config(
        "KexAlgorithms diffie-hellman-group14-sha256", false, "diffie-hellman-group14-sha256");
    with_config(
        "KexAlgorithms diffie-hellman-group16-sha512", false, "diffie-hellman-group16-sha512");
}

static void
old_server(const char *config)
{
    const char *key[] = {sshd_path(world, "key_ed25519")};
    struct judge j = {0};
    struct sp_ssh_options o;
    struct sp_sftp_link *link;
    struct sshd s;

    sshd_start(&s, world, "ed25519 rsa", config);
    o = options(s.port, key, &j);
    gives(SP_UNSUPPORTED, sp_ssh_open(&sp_env_system, &o, &link, &err));
    has(err.text, "no algorithm");
    has(err.text, "old-algorithms");
    assert_int_equal(j.asked, 0);
    o.old_algorithms = true;
    ok(sp_ssh_open(&sp_env_system, &o, &link, &err));
    link->ops->free(link);
    sshd_end(&s);
}

static void
test_old_algorithms(void **state)
{
    (void)state;
    old_server("KexAlgorithms diffie-hellman-group14-sha1");
    old_server("Ciphers aes256-cbc");
    old_server("Ciphers aes256-ctr\nMACs hmac-sha1");
    old_server("HostKeyAlgorithms ssh-rsa");
    with_config("Ciphers aes128-cbc\nMACs hmac-sha1\nRekeyLimit 300K", true, "aes128-cbc");
}

/* --- servers that do not do their part ------------------------------------------------------- */

static enum sp_code
open_within(uint32_t ms, uint16_t port, struct judge *j, int64_t *ret_ms)
{
    const char *key[] = {sshd_path(world, "key_ed25519")};
    struct sp_ssh_options o = options(port, key, j);
    struct sp_sftp_link *link = NULL;
    int64_t before = sp_clock_mono(&sp_clock_system);
    enum sp_code rc;

    o.connect_ms = ms;
    rc = sp_ssh_open(&sp_env_system, &o, &link, &err);
    *ret_ms = ms_since(before);
    if (rc == SP_OK)
        link->ops->free(link);
    return rc;
}

static void
from_listener(const char *say, bool endless, bool close_then, enum sp_code want, const char *says)
{
    struct judge j = {0};
    struct listener l;
    int64_t ms;

    listener_start(&l, say, endless, close_then);
    gives(want, open_within(endless ? 20000 : 500, l.port, &j,
                    &ms)); /* before the deadline, when it pours */
    has(err.text, says);
    has(err.text, "@127.0.0.1:");
    assert_int_equal(j.asked, 0);
    assert_true(ms < (endless ? 19000 : 5000));
    if (want == SP_TIMEOUT)
        assert_true(ms >= 400);
    listener_end(&l);
}

static void
test_no_ssh_servers(void **state)
{
    (void)state;
    from_listener(NULL, false, false, SP_TIMEOUT, "stopped answering during the key exchange");
    from_listener(NULL, false, true, SP_UNREACHABLE, "during the key exchange");
    from_listener("SSH-2.0-silent\r\n", false, false, SP_TIMEOUT,
        "stopped answering during the key exchange");
    from_listener(
        "HTTP/1.1 400 Bad Request\r\n\r\n", false, false, SP_TIMEOUT, "stopped answering");
    from_listener("no line ", true, false, SP_PROTOCOL, "is it an SSH server");
    from_listener(
        "one more line of a greeting\r\n", true, false, SP_PROTOCOL, "is it an SSH server");
    from_listener("SSH-2.0-x\r\n\377\377\377\377\377\377\377\377\377", true, false, SP_PROTOCOL,
        "the key exchange failed");
    from_listener(
        "SSH-2.0-x\r\n\001\001\001\001", false, true, SP_UNREACHABLE, "during the key exchange");
}

static void
test_nobody_there(void **state)
{
    struct judge j = {0};
    struct sp_ssh_options o = options(free_port(), NULL, &j);
    struct sp_sftp_link *link;
    int64_t ms;

    (void)state;
    gives(SP_UNREACHABLE, open_within(500, o.port, &j, &ms));
    has(err.text, "cannot connect to ");
    has(err.text, "refused");
    o.host = "no-such-host.invalid";
    gives(SP_UNREACHABLE, sp_ssh_open(&sp_env_system, &o, &link, &err));
    has(err.text, "no-such-host.invalid");
    has(err.text, "name cannot be resolved");
}

static void
freeze(void *arg)
{
    (void)sshd_signal_sessions(arg, SIGSTOP);
}

/* It stops after it has shown its key: the login does not wait for ever. */
static void
test_silent_during_the_login(void **state)
{
    struct sshd s;
    struct judge j = {.then = freeze, .then_arg = &s};
    int64_t ms;

    (void)state;
    sshd_start(&s, world, "ed25519", "");
    gives(SP_TIMEOUT, open_within(500, s.port, &j, &ms));
    has(err.text, "stopped answering during the login");
    assert_true(ms >= 400 && ms < 5000);
    sshd_end(&s);
}

static void
test_no_sftp(void **state)
{
    const char *key[] = {sshd_path(world, "key_ed25519")};
    struct judge j = {0};
    struct sp_ssh_options o;
    struct sp_sftp_link *link;
    struct sshd s;

    (void)state;
    sshd_start(&s, world, "ed25519", "Subsystem other internal-sftp");
    o = options(s.port, key, &j);
    gives(SP_UNSUPPORTED, sp_ssh_open(&sp_env_system, &o, &link, &err));
    has(err.text, "offers no SFTP");
    sshd_end(&s);
}

static void
test_stopped_by_the_user(void **state)
{
    struct judge j = {.stops_after = 3};
    const char *key[] = {sshd_path(world, "key_ed25519")};
    struct sp_ssh_options o;
    struct sp_sftp_link *link;
    struct listener l;
    int64_t before = sp_clock_mono(&sp_clock_system);

    (void)state;
    listener_start(&l, NULL, false, false);
    o = options(l.port, key, &j);
    gives(SP_CANCELLED, sp_ssh_open(&sp_env_system, &o, &link, &err));
    assert_true(ms_since(before) < 3000);
    listener_end(&l);
}

/* --- once it runs -------------------------------------------------------------------------- */

struct many {
    struct sp_sftp_conn *c;
    struct sp_sftp_request q[64];
    unsigned left;
    enum sp_code first;
};

static void
one_less(struct sp_sftp_request *q)
{
    struct many *m = q->arg;

    if (m->first == SP_OK)
        m->first = q->error.code;
    m->left--;
    sp_sftp_conn_wake(m->c);
}

/* 64 writes of 32 KB under way. */
static void
submit_many(struct many *m, struct sp_sftp_conn *c, const struct sp_sftp_request *file,
    const uint8_t *bytes)
{
    *m = (struct many){.c = c, .left = 64};
    sp_sftp_conn_lock(c);
    for (unsigned i = 0; i < 64; i++) {
        m->q[i] = (struct sp_sftp_request){.type = SP_SFTP_WRITE,
            .offset = i * UINT64_C(32768),
            .from = bytes,
            .n = 32768,
            .handle_len = file->handle_len,
            .done = one_less,
            .arg = m};
        memcpy(m->q[i].handle, file->handle, file->handle_len);
        sp_sftp_conn_submit(c, &m->q[i]);
    }
    sp_sftp_conn_unlock(c);
}

static void
wait_many(struct many *m)
{
    sp_sftp_conn_lock(m->c);
    while (m->left > 0)
        sp_sftp_conn_wait(m->c);
    sp_sftp_conn_unlock(m->c);
}

static uint8_t block[32768];

static void
test_cut_in_the_middle(void **state)
{
    struct judge j = {0};
    struct sp_ssh_options o = {0};
    struct sp_sftp_request file;
    struct sp_sftp_conn *c;
    struct sshd s;
    struct many m;

    (void)state;
    sshd_start(&s, world, "ed25519", "");
    connect_to(&s, &o, &j, &c);
    open_file(c, sshd_path(world, "file"), SP_SFTP_F_WRITE | SP_SFTP_F_CREATE, &file);
    freeze(&s);
    submit_many(&m, c, &file, block);
    assert_true(sshd_signal_sessions(&s, SIGKILL) > 0);
    wait_many(&m);
    assert_int_equal(m.first, SP_UNREACHABLE);
    gives(SP_UNREACHABLE, sp_sftp_conn_state(c, &err));
    has(err.text, "@127.0.0.1:");
    sp_sftp_conn_free(c);
    sshd_end(&s);
}

static void
test_stalled(void **state)
{
    struct judge j = {0};
    struct sp_ssh_options o;
    const char *key[] = {sshd_path(world, "key_ed25519")};
    struct sp_sftp_request file;
    struct sp_sftp_conn *c;
    struct sshd s;
    struct many m;
    int64_t before;

    (void)state;
    sshd_start(&s, world, "ed25519", "");
    o = options(s.port, key, &j);
    o.stall_ms = 700;
    connect_to(&s, &o, &j, &c);
    open_file(c, sshd_path(world, "file"), SP_SFTP_F_WRITE | SP_SFTP_F_CREATE, &file);
    sp_sleep_ms(1500); /* nothing is due: no stall */
    ok(sp_sftp_conn_state(c, &err));
    freeze(&s);
    before = sp_clock_mono(&sp_clock_system);
    submit_many(&m, c, &file, block);
    wait_many(&m);
    assert_true(ms_since(before) >= 600 && ms_since(before) < 6000);
    gives(SP_TIMEOUT, sp_sftp_conn_state(c, &err));
    has(err.text, "owes an answer");
    sp_sftp_conn_free(c);
    sshd_end(&s);
}

/* Closing waits for nobody: not for the server, not for what is under way. */
static void
test_closing_does_not_wait(void **state)
{
    struct judge j = {0};
    struct sp_ssh_options o = {0};
    struct sp_sftp_request file;
    struct sp_sftp_conn *c;
    struct sshd s;
    struct many m;
    int64_t before;

    (void)state;
    sshd_start(&s, world, "ed25519", "");
    connect_to(&s, &o, &j, &c);
    open_file(c, sshd_path(world, "file"), SP_SFTP_F_WRITE | SP_SFTP_F_CREATE, &file);
    freeze(&s);
    submit_many(&m, c, &file, block);
    before = sp_clock_mono(&sp_clock_system);
    sp_sftp_conn_free(c);
    assert_true(ms_since(before) < 2000);
    assert_int_equal(m.left, 0);
    assert_int_equal(m.first, SP_CANCELLED);
    sshd_end(&s);
}

/* More under way than the windows hold, both ways at once. */
static void
test_more_than_the_windows(void **state)
{
    enum { N = 24 << 20, PIECE = 32768 };
    uint8_t *in = malloc(N), *out = malloc(N);
    struct sp_sftp_request *q = calloc(N / PIECE, sizeof(*q)), file;
    struct judge j = {0};
    struct sp_ssh_options o = {0};
    struct sp_sftp_conn *c;
    struct sshd s;
    struct many m;

    (void)state;
    assert_true(in != NULL && out != NULL && q != NULL);
    for (size_t i = 0; i < N; i++)
        out[i] = (uint8_t)((i * 2654435761u) >> 11);
    sshd_start(&s, world, "ed25519", "");
    connect_to(&s, &o, &j, &c);
    open_file(c, sshd_path(world, "file"),
        SP_SFTP_F_READ | SP_SFTP_F_WRITE | SP_SFTP_F_CREATE | SP_SFTP_F_TRUNC, &file);
    m = (struct many){.c = c};
    for (unsigned pass = 0; pass < 2; pass++) {
        sp_sftp_conn_lock(c);
        for (unsigned i = 0; i < N / PIECE; i++) {
            q[i] = (struct sp_sftp_request){.type = pass == 0 ? SP_SFTP_WRITE : SP_SFTP_READ,
                .offset = i * (uint64_t)PIECE,
                .from = out + (size_t)i * PIECE,
                .to = in + (size_t)i * PIECE,
                .n = PIECE,
                .handle_len = file.handle_len,
                .done = one_less,
                .arg = &m};
            memcpy(q[i].handle, file.handle, file.handle_len);
            m.left++;
            sp_sftp_conn_submit(c, &q[i]);
        }
        sp_sftp_conn_unlock(c);
        wait_many(&m);
        assert_int_equal(m.first, SP_OK);
    }
    assert_memory_equal(in, out, N);
    sp_sftp_conn_free(c);
    sshd_end(&s);
    free(in);
    free(out);
    free(q);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ciphers),
        cmocka_unit_test(test_key_exchanges),
        cmocka_unit_test(test_old_algorithms),
        cmocka_unit_test(test_no_ssh_servers),
        cmocka_unit_test(test_nobody_there),
        cmocka_unit_test(test_silent_during_the_login),
        cmocka_unit_test(test_no_sftp),
        cmocka_unit_test(test_stopped_by_the_user),
        cmocka_unit_test(test_cut_in_the_middle),
        cmocka_unit_test(test_stalled),
        cmocka_unit_test(test_closing_does_not_wait),
        cmocka_unit_test(test_more_than_the_windows),
    };

    (void)signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, begin, finish);
}
