/* See account.h. */

#include "account.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *
account_address(const char *kind)
{
    char name[64] = "SP_SFTP_";
    size_t i;

    for (i = 0; kind[i] != '\0' && i < 40; i++)
        name[8 + i] = (char)toupper((unsigned char)kind[i]);
    return getenv(name);
}

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
    const struct sp_sftp_place *place = arg;
    const char *key = getenv("SP_SFTP_KEY"), *known = getenv("SP_SFTP_KNOWN_HOSTS");
    struct sp_ssh_options o = {
        .host = place->host,
        .port = place->port,
        .user = place->user,
        .methods = SP_SSH_KEY,
        .key_files = &key,
        .nkey_files = 1,
        .hostkey = only_known,
        .known_hosts = &known,
        .nknown_hosts = 1,
    };

    return sp_ssh_open(&sp_env_system, &o, ret, e);
}

static void
release(void *arg)
{
    sp_sftp_place_free(arg);
    free(arg);
}

enum sp_code
account_open(
    const char *address, unsigned number, bool create, struct sp_backend **ret, struct sp_err *e)
{
    struct sp_sftp_place *place = calloc(1, sizeof(*place));
    char path[500];
    struct sp_sftp_backend_options o = {
        .connect = link_up,
        .arg = place,
        .release = release,
        .path = path,
        .address = "the account of the test",
        .patience_ms = 30000,
    };
    enum sp_code rc;

    if (place == NULL)
        return sp_fail_nomem(e);
    if ((rc = sp_sftp_place_parse(address, place, e)) != SP_OK) {
        free(place);
        return rc;
    }
    (void)snprintf(path, sizeof(path), "%s-%u", place->path, number);
    if ((rc = sp_backend_sftp_open(&sp_env_system, &o, create, ret, e)) != SP_OK)
        release(place); /* ours until it is open */
    return rc;
}
