/* Whom an SFTP account is believed to be, and what it is told: over a fake of ssh that logs what
 * happens in which order. */

#include "tests/unit/base/support.h"

#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/path.h"
#include "client/sftp_login.h"

#define ONE "SHA256:1111111111111111111111111111111111111111111"
#define TWO "SHA256:2222222222222222222222222222222222222222222"

/* --- a server, and who sits at the terminal --------------------------------------------------- */

struct world {
    struct sp_ssh_hostkey key;     /* what the server shows */
    const char *questions[4];      /* what it then asks; NULL ends */
    enum sp_ssh_method methods[4]; /* … of which method */
    const char *right[4];          /* … and what is right */
    bool again;                    /* a wrong answer is asked for again, up to three times */
    bool terminal;
    const char *line, *secret; /* what is typed */
    char log[4096];            /* what happened: K key, S:what, L:, F:file, ! a login was sent */
    char shown[2048];          /* the last text of a question with echo */
    struct sp_ssh_options last;
    char last_keys[4][256], last_known[256];
    unsigned links;
};

static struct world w;

static void
note(const char *fmt, ...)
{
    size_t n = strlen(w.log);
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(w.log + n, sizeof(w.log) - n, fmt, ap);
    va_end(ap);
}

static bool
can(void *arg)
{
    (void)arg;
    return w.terminal;
}

static enum sp_code
ask_secret(void *arg, const char *what, struct sp_buf *ret, struct sp_err *e)
{
    (void)arg;
    note("S:%s ", what);
    sp_buf_put_str(ret, w.secret);
    return sp_buf_ok(ret, e);
}

static enum sp_code
ask_line(void *arg, const char *text, struct sp_buf *ret, struct sp_err *e)
{
    (void)arg;
    note("L ");
    (void)snprintf(w.shown, sizeof(w.shown), "%s", text);
    sp_buf_put_str(ret, w.line);
    return sp_buf_ok(ret, e);
}

static enum sp_code
read_file(void *arg, const char *file, struct sp_buf *ret, struct sp_err *e)
{
    (void)arg;
    note("F:%s ", file);
    sp_buf_put_str(ret, strcmp(file, "/password") == 0 ? "right" : "wrong");
    return sp_buf_ok(ret, e);
}

static const struct sp_sftp_asker asker = {can, ask_secret, ask_line, read_file, NULL};

static void
link_free(struct sp_sftp_link *l)
{
    w.links--;
    free(l);
}
static const struct sp_sftp_link_ops link_ops = {.free = link_free};

static enum sp_code
fake_open(const struct sp_env *env, const struct sp_ssh_options *o, struct sp_sftp_link **ret,
    struct sp_err *e)
{
    enum sp_code rc;
    size_t i;

    (void)env;
    w.last = *o;
    for (i = 0; i < o->nkey_files && i < 4; i++)
        (void)snprintf(w.last_keys[i], sizeof(w.last_keys[i]), "%s", o->key_files[i]);
    (void)snprintf(w.last_known, sizeof(w.last_known), "%s", o->known_hosts[0]);
    note("K ");
    if ((rc = o->hostkey(o->arg, &w.key, e)) != SP_OK)
        return rc;
    note("! ");
    for (i = 0; i < 4 && w.questions[i] != NULL; i++) {
        bool good = false, more = true;
        unsigned tries;

        for (tries = 0; tries < (w.again ? 3 : 1) && !good && more; tries++) {
            struct sp_buf secret = SP_BUF_INIT;
            struct sp_err none = {0};

            more = o->secret(o->arg, w.methods[i], w.questions[i], &secret, &none) == SP_OK;
            good = more && strcmp(sp_buf_str(&secret), w.right[i]) == 0;
            sp_buf_wipe(&secret);
        }
        if (!good)
            return sp_fail(e, SP_AUTH, SP_DOM_NET, "nas refuses the login of me");
    }
    assert_non_null(*ret = calloc(1, sizeof(**ret)));
    (*ret)->ops = &link_ops;
    w.links++;
    return SP_OK;
}

static struct sp_ssh_facts facts;
static const struct sp_ssh_facts *
fake_facts(const struct sp_sftp_link *l)
{
    (void)l;
    (void)snprintf(facts.key_type, sizeof(facts.key_type), "%s", w.key.type);
    (void)snprintf(facts.fingerprint, sizeof(facts.fingerprint), "%s", w.key.fingerprint);
    return &facts;
}

static struct sp_sftp_settings said, configured;

static int
setup(void **state)
{
    char *ssh;

    memset(&w, 0, sizeof(w));
    sp_sftp_clear(&said);
    sp_sftp_clear(&configured);
    w.key.host = "nas";
    w.key.port = 22;
    w.key.type = "ssh-ed25519";
    (void)snprintf(w.key.fingerprint, sizeof(w.key.fingerprint), ONE);
    if (tmp_setup(state) != 0 || setenv("HOME", *state, 1) != 0 ||
        (ssh = sp_path_join(*state, ".ssh")) == NULL)
        return -1;
    return mkdir(ssh, 0700) == 0 ? (free(ssh), 0) : -1;
}

static int
teardown(void **state)
{
    sp_sftp_clear(&said);
    sp_sftp_clear(&configured);
    return w.links == 0 ? tmp_teardown(state) : -1;
}

static struct sp_sftp_login *
login(void)
{
    const struct sp_sftp_login_from from = {.address = "sftp://me@nas/b",
        .host = "nas",
        .user = "me",
        .said = &said,
        .configured = &configured,
        .asker = asker,
        .open = fake_open,
        .facts = fake_facts};
    struct sp_sftp_login *l = NULL;

    assert_ok(sp_sftp_login_new(&sp_env_system, &from, &l, e));
    return l;
}

static void
connects(struct sp_sftp_login *l)
{
    struct sp_sftp_link *link = NULL;

    assert_ok(sp_sftp_login_connect(l, &link, e));
    link->ops->free(link);
}

/* The sentence must hold every one of `words`, separated by '|'. */
static void
refuses(struct sp_sftp_login *l, enum sp_code code, const char *words)
{
    struct sp_sftp_link *link = NULL;
    struct sp_err e = {0};
    char *copy = strdup(words), *word, *save = NULL;

    assert_int_equal(sp_sftp_login_connect(l, &link, &e), code);
    assert_non_null(copy);
    for (word = strtok_r(copy, "|", &save); word != NULL; word = strtok_r(NULL, "|", &save)) {
        if (strstr(e.text, word) == NULL)
            fail_msg("no '%s' in: %s", word, e.text);
    }
    free(copy);
}

static void
put(struct sp_sftp_settings *s, const char *key, const char *value)
{
    assert_ok(sp_sftp_set(s, key, value, e));
}

static void
asks(unsigned i, enum sp_ssh_method m, const char *what, const char *right)
{
    w.methods[i] = m;
    w.questions[i] = what;
    w.right[i] = right;
}

/* --- the server's key --------------------------------------------------------------------------
 */

/* Nothing is sent to a server whose key nobody answers for. */
static void
a_new_key(void **state)
{
    struct sp_sftp_login *l = login();

    (void)state;
    refuses(
        l, SP_REFUSED, "nas|" ONE "|no terminal|ssh-keyscan -p 22 nas | --sftp-host-key SHA256:");
    assert_string_equal(w.log, "K ");
    w.terminal = true;
    w.line = "y";
    refuses(l, SP_REFUSED, "not trusted|no 'yes'|nothing was sent");
    w.line = "";
    refuses(l, SP_REFUSED, "not trusted");
    w.line = TWO;
    refuses(l, SP_REFUSED, "another fingerprint was typed");
    assert_null(strchr(w.log, '!'));
    assert_non_null(strstr(w.shown, "ssh-ed25519 " ONE));
    w.line = ONE;
    connects(l);
    w.log[0] = '\0';
    connects(l); /* asked once in a run */
    assert_string_equal(w.log, "K ! ");
    (void)snprintf(w.key.fingerprint, sizeof(w.key.fingerprint), TWO);
    refuses(l, SP_REFUSED, TWO); /* … and for this key; a connection made again asks nobody */
    assert_string_equal(w.log, "K ! K ");
    sp_sftp_login_free(l);
    (void)snprintf(w.key.fingerprint, sizeof(w.key.fingerprint), ONE);
    l = login();
    w.line = "yes";
    connects(l);
    sp_sftp_login_free(l);
}

static void
known_hosts(void **state)
{
    struct sp_sftp_login *l = login();

    (void)state;
    w.terminal = true;
    w.line = "yes";
    w.key.known_file = "/etc/ssh/ssh_known_hosts";
    w.key.known_line = 7;
    w.key.known = SP_HOSTKEY_KNOWN;
    connects(l);
    assert_string_equal(w.log, "K ! ");
    w.key.known = SP_HOSTKEY_CHANGED; /* not asked: it would be answered with yes */
    w.key.port = 2222;
    refuses(l, SP_REFUSED,
        "nas:2222 has changed|/etc/ssh/ssh_known_hosts line 7|" ONE "|ssh-keygen -R '[nas]:2222'");
    w.key.known = SP_HOSTKEY_REVOKED;
    refuses(l, SP_REFUSED, "revoked|line 7|nothing was sent");
    assert_string_equal(w.log, "K ! K K ");
    sp_sftp_login_free(l);
}

/* The server was asked for the type that is known, and shows another one: whoever is in between has
 * no other way. */
static void
known_by_another_type(void **state)
{
    struct sp_sftp_login *l = login();

    (void)state;
    w.terminal = true;
    w.line = "no";
    w.key.known_file = "/home/me/.ssh/known_hosts";
    w.key.known_line = 7;
    refuses(l, SP_REFUSED, "not trusted");
    assert_non_null(strstr(w.shown, "/home/me/.ssh/known_hosts line 7"));
    sp_sftp_login_free(l);
    l = login();
    w.terminal = false;
    refuses(l, SP_REFUSED, "/home/me/.ssh/known_hosts line 7");
    sp_sftp_login_free(l);
}

static void
told(void **state)
{
    struct sp_sftp_login *l;

    (void)state;
    w.terminal = true;
    w.line = "yes";
    w.key.known = SP_HOSTKEY_CHANGED;
    w.key.known_file = "/h";
    put(&said, "host-key", ONE);
    l = login();
    connects(l);
    (void)snprintf(w.key.fingerprint, sizeof(w.key.fingerprint), TWO);
    w.key.known = SP_HOSTKEY_KNOWN;
    refuses(l, SP_REFUSED, ONE "|" TWO "|--sftp-host-key");
    w.key.known = SP_HOSTKEY_REVOKED; /* no word makes that good */
    (void)snprintf(w.key.fingerprint, sizeof(w.key.fingerprint), ONE);
    refuses(l, SP_REFUSED, "revoked");
    sp_sftp_login_free(l);
}

/* What was pinned at the set-up is all that counts, until `login` says otherwise. */
static void
pinned(void **state)
{
    struct sp_profile p = {.folder = *state};
    struct sp_sftp_login *l = login();

    w.terminal = true;
    w.line = "yes";
    put(&p.sftp, "host-key", "ssh-ed25519 " ONE);
    assert_ok(sp_sftp_login_know(l, &p, e));
    connects(l);
    assert_string_equal(w.log, "K ! ");
    assert_string_equal(w.last.pinned_type, "ssh-ed25519");
    (void)snprintf(w.key.fingerprint, sizeof(w.key.fingerprint), TWO);
    w.key.known = SP_HOSTKEY_KNOWN;
    w.key.known_file = "/h";
    refuses(l, SP_REFUSED,
        "nas has changed|" ONE "|" TWO
        "|/profile has|stillpoint login -r sftp://me@nas/b --sftp-host-key " TWO);
    assert_string_equal(w.log, "K ! K ");
    sp_sftp_login_free(l);

    l = login();
    assert_ok(sp_sftp_login_know(l, &p, e));
    sp_sftp_login_anew(l, false, false);
    w.key.known = SP_HOSTKEY_NEW;
    connects(l);
    assert_non_null(strstr(w.shown, "So far it had:\n  ssh-ed25519 " ONE));
    assert_ok(sp_sftp_login_keep(l, false, false, &p, e));
    assert_string_equal(p.sftp.host_key, TWO);
    sp_sftp_login_free(l);
    sp_sftp_clear(&p.sftp);
}

/* A certificate is another one the next time: what it was signed by decides then, too. */
static void
certificates(void **state)
{
    struct sp_profile p = {0};
    struct sp_sftp_login *l = login();

    (void)state;
    w.key.known = SP_HOSTKEY_KNOWN;
    w.key.known_file = "/h";
    w.key.type = "ssh-ed25519-cert-v01@openssh.com";
    connects(l);
    assert_ok(sp_sftp_login_keep(l, false, false, &p, e));
    assert_null(p.sftp.host_key);
    sp_sftp_login_free(l);
}

/* --- secrets ------------------------------------------------------------------------------------
 */

static void
nobody_there(void **state)
{
    struct sp_sftp_login *l;

    (void)state;
    put(&said, "host-key", ONE);
    l = login();
    asks(0, SP_SSH_PASSWORD, "the password of me@nas", "right");
    refuses(l, SP_AUTH,
        "refuses the login|no terminal|--sftp-password-file|stillpoint login -r sftp://me@nas/b "
        "--sftp-keep-password");
    asks(0, SP_SSH_KEY, "the passphrase of the key /k", "right");
    refuses(
        l, SP_AUTH, "a key's passphrase|no terminal|--sftp-passphrase-file|--sftp-keep-passphrase");
    assert_string_equal(w.log, "K ! K ! ");
    sp_sftp_login_free(l);
    put(&said, "passphrase-file", "/wrong");
    w.again = true;
    l = login();
    refuses(l, SP_AUTH, "the passphrase that a file gave, or that is kept, was wrong");
    sp_sftp_login_free(l);
}

static void
asked_once(void **state)
{
    struct sp_sftp_login *l;
    struct sp_profile p = {0};

    (void)state;
    put(&said, "host-key", ONE);
    w.terminal = true;
    w.secret = "right";
    l = login();
    asks(0, SP_SSH_KEY, "the passphrase of /k", "right");
    asks(1, SP_SSH_PASSWORD, "the password", "right");
    connects(l);
    assert_string_equal(w.log, "K ! S:the passphrase of /k S:the password ");
    w.log[0] = '\0';
    connects(l);
    connects(l);
    assert_string_equal(w.log, "K ! K ! ");
    assert_int_equal(sp_sftp_login_unattended(l, &p), SP_SSH_KEY | SP_SSH_PASSWORD);
    /* Kept are the server's key and what was said, and no secret. */
    assert_ok(sp_sftp_login_keep(l, false, false, &p, e));
    assert_null(p.sftp_password);
    assert_null(p.sftp_passphrase);
    assert_string_equal(p.sftp.host_key, ONE);
    assert_ok(sp_sftp_login_keep(l, true, false, &p, e));
    assert_string_equal(p.sftp_password, "right");
    assert_null(p.sftp_passphrase);
    assert_ok(sp_sftp_login_keep(l, false, true, &p, e));
    assert_string_equal(p.sftp_passphrase, "right");
    /* The server has another password now: a connection made again asks nobody. */
    w.right[1] = "other";
    w.secret = "other";
    w.log[0] = '\0';
    refuses(l, SP_AUTH, "refuses");
    assert_string_equal(w.log, "K ! ");
    sp_sftp_login_free(l);
    sp_sftp_clear(&p.sftp);
    free(p.sftp_password);
    free(p.sftp_passphrase);
}

/* Said, kept, configured, typed: where ssh asks again, the next. */
static void
sources(void **state)
{
    struct sp_profile p = {.sftp_password = strdup("kept")};
    struct sp_sftp_login *l;

    (void)state;
    put(&said, "host-key", ONE);
    put(&said, "password-file", "/said");
    put(&configured, "password-file", "/configured");
    w.terminal = true;
    w.secret = "typed";
    w.again = true;
    asks(0, SP_SSH_PASSWORD, "the password", "kept");
    l = login();
    assert_ok(sp_sftp_login_know(l, &p, e));
    connects(l);
    assert_string_equal(w.log, "K ! F:/said ");
    assert_int_equal(sp_sftp_login_unattended(l, &p), 0);
    sp_sftp_login_free(l);

    l = login();
    assert_ok(sp_sftp_login_know(l, &p, e));
    sp_sftp_login_anew(l, true, false); /* it is to be kept anew: what is kept is not tried */
    w.right[0] = "typed";
    w.log[0] = '\0';
    connects(l);
    assert_string_equal(w.log, "K ! F:/said F:/configured S:the password ");
    assert_ok(sp_sftp_login_keep(l, true, false, &p, e));
    assert_string_equal(p.sftp_password, "typed");
    sp_sftp_login_free(l);
    sp_sftp_clear(&p.sftp);
    free(p.sftp_password);
}

/* A code of this minute is not answered with the password. */
static void
two_questions(void **state)
{
    struct sp_sftp_login *l;

    (void)state;
    put(&said, "host-key", ONE);
    put(&said, "password-file", "/password");
    asks(0, SP_SSH_PASSWORD, "Password:", "right");
    asks(1, SP_SSH_PASSWORD, "Code:", "123456");
    l = login();
    refuses(l, SP_AUTH, "no terminal");
    w.terminal = true;
    w.secret = "123456";
    w.log[0] = '\0';
    connects(l);
    assert_string_equal(w.log, "K ! F:/password S:Code: ");
    sp_sftp_login_free(l);
}

/* A file's name is kept, unless the secret is, or a shell made the file for this command. */
static void
files_of_secrets(void **state)
{
    struct sp_profile p = {0};
    struct sp_sftp_login *l;

    (void)state;
    put(&said, "host-key", ONE);
    put(&said, "password-file", "/password");
    asks(0, SP_SSH_PASSWORD, "the password", "right");
    l = login();
    connects(l);
    assert_ok(sp_sftp_login_keep(l, false, false, &p, e));
    assert_string_equal(p.sftp.password_file, "/password");
    assert_null(p.sftp_password);
    assert_int_equal(sp_sftp_login_unattended(l, &p), 0);
    sp_sftp_login_free(l);

    sp_sftp_clear(&said); /* as at night */
    l = login();
    assert_ok(sp_sftp_login_know(l, &p, e));
    w.log[0] = '\0';
    connects(l);
    assert_string_equal(w.log, "K ! F:/password ");
    assert_ok(sp_sftp_login_keep(l, true, false, &p, e));
    assert_null(p.sftp.password_file);
    assert_string_equal(p.sftp_password, "right");
    sp_sftp_login_free(l);
    sp_sftp_clear(&p.sftp);
    free(p.sftp_password);
    p.sftp_password = NULL;

    put(&said, "host-key", ONE);
    put(&said, "password-file", "/dev/fd/63");
    w.right[0] = "wrong"; /* what that file says */
    l = login();
    connects(l);
    assert_ok(sp_sftp_login_keep(l, false, false, &p, e));
    assert_null(p.sftp.password_file);
    assert_int_equal(sp_sftp_login_unattended(l, &p), SP_SSH_PASSWORD);
    sp_sftp_login_free(l);
    sp_sftp_clear(&p.sftp);
}

static void
nothing_to_keep(void **state)
{
    struct sp_profile p = {0};
    struct sp_sftp_login *l;
    struct sp_err e = {0};

    (void)state;
    put(&said, "host-key", ONE);
    l = login();
    connects(l);
    assert_int_equal(sp_sftp_login_keep(l, true, false, &p, &e), SP_INVALID);
    assert_int_equal(e.domain, SP_DOM_CONFIG);
    assert_non_null(strstr(e.text, "--sftp-keep-password"));
    sp_sftp_login_free(l);
}

/* --- what is used --------------------------------------------------------------------------------
 */

static void
touch(const char *folder, const char *name)
{
    char *path = sp_path_join(folder, name);
    FILE *f;

    assert_non_null(path);
    assert_non_null(f = fopen(path, "w"));
    assert_int_equal(fclose(f), 0);
    free(path);
}

static void
usual_files(void **state)
{
    struct sp_sftp_login *l;
    struct sp_profile p = {0};

    put(&said, "host-key", ONE);
    l = login();
    connects(l);
    assert_int_equal(w.last.nkey_files, 0);
    assert_non_null(strstr(w.last_known, "/.ssh/known_hosts"));
    assert_int_equal(w.last.nknown_hosts, 4);
    assert_false(w.last.old_algorithms);
    sp_sftp_login_free(l);

    touch(*state, ".ssh/id_rsa");
    touch(*state, ".ssh/id_ed25519");
    l = login();
    connects(l);
    assert_int_equal(w.last.nkey_files, 2);
    assert_non_null(strstr(w.last_keys[0], "/.ssh/id_ed25519"));
    assert_non_null(strstr(w.last_keys[1], "/.ssh/id_rsa"));
    /* What is kept goes before what is configured, and what is said before both. */
    put(&configured, "key", w.last_keys[1]);
    put(&configured, "old-algorithms", "yes");
    put(&p.sftp, "key", w.last_keys[0]);
    put(&p.sftp, "old-algorithms", "no");
    put(&p.sftp, "connections", "2");
    put(&said, "connections", "5");
    sp_sftp_login_free(l);
    l = login();
    assert_ok(sp_sftp_login_know(l, &p, e));
    connects(l);
    assert_int_equal(w.last.nkey_files, 1);
    assert_non_null(strstr(w.last_keys[0], "id_ed25519"));
    assert_false(w.last.old_algorithms);
    assert_int_equal(sp_sftp_login_settings(l)->connections, 5);
    sp_sftp_login_free(l);
    sp_sftp_clear(&p.sftp);
}

/* A key that was named and is not there is no reason to try another login. */
static void
no_such_key(void **state)
{
    const struct sp_sftp_login_from from = {.address = "a",
        .host = "nas",
        .user = "me",
        .said = &said,
        .configured = &configured,
        .open = fake_open,
        .facts = fake_facts};
    struct sp_sftp_login *l = NULL;
    struct sp_err e = {0};

    (void)state;
    put(&said, "key", "/nowhere/key");
    assert_int_equal(sp_sftp_login_new(&sp_env_system, &from, &l, &e), SP_INVALID);
    assert_int_equal(e.domain, SP_DOM_CONFIG);
    assert_non_null(strstr(e.text, "/nowhere/key is not there"));
    assert_null(l);
}

static void
the_first_one(void **state)
{
    struct sp_sftp_login *l;

    (void)state;
    put(&said, "host-key", ONE);
    l = login();
    assert_null(sp_sftp_login_facts(l));
    assert_ok(sp_sftp_login_first(l, e));
    assert_ok(sp_sftp_login_first(l, e));
    assert_string_equal(sp_sftp_login_facts(l)->fingerprint, ONE);
    connects(l);
    assert_string_equal(w.log, "K ! ");
    connects(l);
    assert_string_equal(w.log, "K ! K ! ");
    assert_ok(sp_sftp_login_first(l, e)); /* freed with the login */
    sp_sftp_login_free(l);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_new_key, setup, teardown),
        cmocka_unit_test_setup_teardown(known_hosts, setup, teardown),
        cmocka_unit_test_setup_teardown(known_by_another_type, setup, teardown),
        cmocka_unit_test_setup_teardown(told, setup, teardown),
        cmocka_unit_test_setup_teardown(pinned, setup, teardown),
        cmocka_unit_test_setup_teardown(certificates, setup, teardown),
        cmocka_unit_test_setup_teardown(nobody_there, setup, teardown),
        cmocka_unit_test_setup_teardown(asked_once, setup, teardown),
        cmocka_unit_test_setup_teardown(sources, setup, teardown),
        cmocka_unit_test_setup_teardown(two_questions, setup, teardown),
        cmocka_unit_test_setup_teardown(files_of_secrets, setup, teardown),
        cmocka_unit_test_setup_teardown(nothing_to_keep, setup, teardown),
        cmocka_unit_test_setup_teardown(usual_files, setup, teardown),
        cmocka_unit_test_setup_teardown(no_such_key, setup, teardown),
        cmocka_unit_test_setup_teardown(the_first_one, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
