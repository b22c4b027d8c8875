/* conformance_sftp KIND…: the contract of all backends over accounts of real servers, of which
 * tests/sftp/with.sh tells in the environment. Every test has a repository of its own there. */

#include "storage/backend_sftp.h"
#include "tests/unit/storage/conformance.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct sp_sftp_place account;
static unsigned made;

/* The key is in the known_hosts of the fixture. */
static enum sp_code
only_known(void *arg, const struct sp_ssh_hostkey *k, struct sp_err *e)
{
    (void)arg;
    if (k->known == SP_HOSTKEY_KNOWN)
        return SP_OK;
    return sp_fail(
        e, SP_REFUSED, SP_DOM_STORE, "the key %s of %s is not known", k->fingerprint, k->host);
}

static enum sp_code
link_up(void *arg, struct sp_sftp_link **ret, struct sp_err *e)
{
    const char *key = getenv("SP_SFTP_KEY"), *known = getenv("SP_SFTP_KNOWN_HOSTS");
    struct sp_ssh_options o = {
        .host = account.host,
        .port = account.port,
        .user = account.user,
        .methods = SP_SSH_KEY,
        .key_files = &key,
        .nkey_files = 1,
        .hostkey = only_known,
        .known_hosts = &known,
        .nknown_hosts = 1,
    };

    (void)arg;
    return sp_ssh_open(&sp_env_system, &o, ret, e);
}

static enum sp_code
open_account(bool create, struct sp_backend **ret, struct sp_err *e)
{
    char path[500];
    struct sp_sftp_backend_options o = {
        .connect = link_up,
        .path = path,
        .address = "the account of the test",
        .connections = 2,
        .patience_ms = 20000,
    };

    (void)snprintf(path, sizeof path, "%s-%u", account.path, made);
    return sp_backend_sftp_open(&sp_env_system, &o, create, ret, e);
}

static enum sp_code
make(void *arg, struct sp_backend **ret, struct sp_err *e)
{
    (void)arg;
    made++;
    return open_account(true, ret, e);
}

static enum sp_code
again(void *arg, struct sp_backend **ret, struct sp_err *e)
{
    (void)arg;
    return open_account(false, ret, e);
}

static int
run_kind(const char *kind)
{
    struct conformance c = {.kind = kind, .make = make, .again = again};
    char name[64] = "SP_SFTP_";
    const char *address;
    struct sp_err e = {0};
    size_t i;
    int failed;

    for (i = 0; kind[i] != '\0' && i < 40; i++)
        name[8 + i] = (char)toupper((unsigned char)kind[i]);
    if ((address = getenv(name)) == NULL) {
        (void)printf("%s: this machine has no such account\n", kind);
        return 0;
    }
    if (sp_sftp_place_parse(address, &account, &e) != SP_OK) {
        (void)fprintf(stderr, "%s: %s\n", address, e.text);
        return 1;
    }
    failed = conformance_run(&c);
    sp_sftp_place_free(&account);
    return failed;
}

int
main(int argc, char **argv)
{
    int i, failed = 0;

    if (argc < 2 || getenv("SP_SFTP_KEY") == NULL) {
        (void)fputs("usage: with.sh conformance_sftp KIND…\n", stderr);
        return 2;
    }
    for (i = 1; i < argc; i++)
        failed += run_kind(argv[i]);
    return failed != 0;
}
