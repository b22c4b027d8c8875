#include "client/sftp_options.h"

#include <string.h>

static const char prefix[] = "--sftp-";

const char sp_sftp_options_help[] =
    "      --sftp-key FILE       a private key to log in with (repeatable; default ~/.ssh/id_*)\n"
    "      --sftp-login METHODS  of agent, key, password: only these\n"
    "      --sftp-passphrase-file F, --sftp-password-file F   instead of asking\n"
    "      --sftp-host-key SHA256:…   the server's key, and no other\n"
    "      --sftp-known-hosts FILE, --sftp-connections N, --sftp-patience 15m,\n"
    "      --sftp-old-algorithms\n"
    "      --sftp-keep-password, --sftp-keep-passphrase   init, key join, login: keep it for runs\n"
    "                            that nobody is there for\n";

static const char *const valued[] = {"key", "login", "passphrase-file", "password-file", "host-key",
    "known-hosts", "connections", "patience", NULL};

/* The one of `valued` that the option's name is; NULL: none. *ret_value: behind a '='. */
static const char *
which(const char *name, const char **ret_value)
{
    size_t n = strcspn(name, "=");
    const char *const *v;

    *ret_value = name[n] == '=' ? name + n + 1 : NULL;
    for (v = valued; *v != NULL; v++)
        if (strlen(*v) == n && memcmp(*v, name, n) == 0)
            return *v;
    return NULL;
}

bool
sp_sftp_option(struct sp_cli *c, int *i, struct sp_err *e)
{
    const char *arg = c->argv[*i], *name, *value, *key;
    struct sp_err why = {0};

    if (strncmp(arg, prefix, sizeof(prefix) - 1) != 0)
        return false;
    name = arg + sizeof(prefix) - 1;
    if (strcmp(name, "keep-password") == 0) {
        c->sftp_keep_password = true;
    } else if (strcmp(name, "keep-passphrase") == 0) {
        c->sftp_keep_passphrase = true;
    } else if (strcmp(name, "old-algorithms") == 0) {
        c->sftp.old_algorithms = SP_SFTP_YES;
    } else if ((key = which(name, &value)) != NULL) {
        if (value == NULL && *i + 1 < c->argc)
            value = c->argv[++*i];
        if (value == NULL)
            (void)sp_fail(&why, SP_INVALID, SP_DOM_CONFIG, "option %s needs a value", arg);
        else if (sp_sftp_set(&c->sftp, key, value, &why) != SP_OK)
            sp_err_context(&why, "--sftp-%s", key);
        if (why.code != SP_OK && e->code == SP_OK)
            *e = why;
    } else {
        return false;
    }
    return true;
}
