#include <stdlib.h>
#include <string.h>

#include "base/start.h"
#include "client/cli.h"
#include "client/commands.h"
#include "client/place.h"
#include "client/sftp_options.h"
#include "storage/crypto.h"

/* The client's entry: finds the command, takes out the options that all commands share, runs it. */

static const struct sp_command *const commands[] = {&sp_cmd_init, &sp_cmd_enroll, &sp_cmd_backup,
    &sp_cmd_list, &sp_cmd_show, &sp_cmd_find, &sp_cmd_diff, &sp_cmd_restore, &sp_cmd_verify,
    &sp_cmd_check, &sp_cmd_copy, &sp_cmd_key, &sp_cmd_login, &sp_cmd_service, &sp_cmd_vss, &sp_cmd_doctor};
#define NCOMMANDS (sizeof(commands) / sizeof(commands[0]))

static void
print_help(FILE *to)
{
    size_t i;

    (void)fprintf(to, "stillpoint: application-consistent, encrypted backups to a server, an SFTP account, a NAS or\na path\n\n"
                      "usage: stillpoint COMMAND [OPTIONS]\n\n");
    for (i = 0; i < NCOMMANDS; i++)
        (void)fprintf(to, "  %-9s %s\n", commands[i]->name, commands[i]->summary);
    (void)fprintf(to,
        "\nEvery command takes:\n"
        "  -r, --repository ADDRESS  a path, sftp://[user@]host[:port]/path (/~/path: from where\n"
        "                            the login lands), or stillpoint://host[:port]; default: the\n"
        "                            last set up\n"
        "      --config FILE         instead of the usual stillpoint.conf\n"
        "      --passphrase-file F   open a repository that this machine does not know\n"
        "      --recovery-key-file F the same with the recovery sheet (or the key on it)\n"
        "      --json                results as JSON on standard output\n"
        "  -q, --quiet  -v, --verbose  --version  -h, --help\n\n"
        "For sftp:// (docs/sftp.md):\n%s\n"
        "stillpoint COMMAND --help tells more. Exit codes: 0 done, 1 partly, 2 failed, 3 damage found,\n"
        "4 refused for safety, 5 usage or configuration, 6 store unreachable or login refused.\n",
        sp_sftp_options_help);
}

static const struct sp_command *
find_command(const char *name)
{
    size_t i;

    for (i = 0; i < NCOMMANDS; i++) {
        if (strcmp(commands[i]->name, name) == 0)
            return commands[i];
    }
    return NULL;
}

/* `--name VALUE`, `--name=VALUE` or `-s VALUE` at argv[*i]: true when it is that option; *ret is NULL when the
 * value is missing. */
static bool
takes_value(char **argv, int argc, int *i, const char *name, const char *brief, const char **ret)
{
    size_t n = strlen(name);

    if (strncmp(argv[*i], name, n) == 0 && argv[*i][n] == '=') {
        *ret = argv[*i] + n + 1;
        return true;
    }
    if (strcmp(argv[*i], name) != 0 && (brief == NULL || strcmp(argv[*i], brief) != 0))
        return false;
    *ret = *i + 1 < argc ? argv[++*i] : NULL;
    return true;
}

static bool
is_flag(const char *arg, const char *name, const char *brief)
{
    return strcmp(arg, name) == 0 || (brief != NULL && strcmp(arg, brief) == 0);
}

/* Whether it writes what it is told into a profile. */
static bool
keeps(const struct sp_command *command)
{
    return command == &sp_cmd_init || command == &sp_cmd_key || command == &sp_cmd_login;
}

struct shared {
    bool help, version, bad;
    const char *missing; /* option without its value */
    struct sp_err sftp;  /* of the first --sftp-… that makes no sense */
};

/* Takes the shared options out of argv, in place. */
static void
take_shared(struct sp_cli *c, struct shared *s)
{
    int i, to = 1;
    bool rest = false;
    const char **value;
    const char *v, *arg;

    for (i = 1; i < c->argc; i++) {
        arg = c->argv[i];
        value = NULL;
        v = NULL;
        if (!rest && strcmp(arg, "--") == 0)
            rest = true;
        if (rest) {
            c->argv[to++] = c->argv[i];
            continue;
        }
        if (takes_value(c->argv, c->argc, &i, "--repository", "-r", &v))
            value = &c->repository;
        else if (takes_value(c->argv, c->argc, &i, "--config", NULL, &v))
            value = &c->config_file;
        else if (takes_value(c->argv, c->argc, &i, "--passphrase-file", NULL, &v))
            value = &c->passphrase_file;
        else if (takes_value(c->argv, c->argc, &i, "--recovery-key-file", NULL, &v))
            value = &c->recovery_key_file;
        if (value != NULL) {
            if (v == NULL && s->missing == NULL)
                s->missing = arg;
            *value = v;
        } else if (sp_sftp_option(c, &i, &s->sftp)) {
            continue;
        } else if (is_flag(arg, "--json", NULL)) {
            c->json = true;
        } else if (is_flag(arg, "--quiet", "-q")) {
            c->quiet = true;
        } else if (is_flag(arg, "--verbose", "-v")) {
            c->verbose = true;
        } else if (is_flag(arg, "--help", "-h")) {
            s->help = true;
        } else if (is_flag(arg, "--version", NULL)) {
            s->version = true;
        } else {
            c->argv[to++] = c->argv[i];
        }
    }
    c->argc = to;
    c->argv[to] = NULL;
}

int
main(int argc, char **argv)
{
    struct sp_cli c = {.env = &sp_env_system};
    struct shared shared = {0};
    const struct sp_command *command;
    enum sp_exit code;

    sp_start(&argc, &argv);
    c.argc = argc;
    c.argv = argv;
    sp_crypto_wipe_freed();
    sp_cli_platform_start(&c);
    take_shared(&c, &shared);
    if (shared.version || (c.argc == 2 && strcmp(c.argv[1], "version") == 0)) {
        (void)printf("stillpoint %s\n", SP_VERSION);
        return SP_EXIT_DONE;
    }
    if (c.argc < 2 || strcmp(c.argv[1], "help") == 0) {
        command = c.argc > 2 ? find_command(c.argv[2]) : NULL;
        if (command != NULL)
            (void)fputs(command->usage, stdout);
        else
            print_help(shared.help || c.argc >= 2 ? stdout : stderr);
        return shared.help || c.argc >= 2 ? SP_EXIT_DONE : SP_EXIT_USAGE;
    }
    command = find_command(c.argv[1]);
    if (command == NULL) {
        (void)fprintf(stderr, "stillpoint: there is no command '%s'; see stillpoint --help\n",
            c.argv[1]);
        return SP_EXIT_USAGE;
    }
    if (shared.help) {
        (void)fputs(command->usage, stdout);
        return SP_EXIT_DONE;
    }
    c.argc--;
    c.argv++;
    if (shared.missing != NULL)
        code = sp_cli_usage(&c, "option %s needs a value", shared.missing);
    else if (shared.sftp.code != SP_OK)
        code = sp_cli_usage(&c, "%s", shared.sftp.text);
    else if ((c.sftp_keep_password || c.sftp_keep_passphrase) && !keeps(command))
        code = sp_cli_usage(&c, "--sftp-keep-… is for init, key join and login");
    else
        code = command->run(&c);
    sp_places_free(&c);
    sp_sftp_clear(&c.sftp);
    sp_config_free(c.config);
    if (fflush(stdout) != 0 && code == SP_EXIT_DONE) {
        (void)fprintf(stderr, "stillpoint: the output could not be written\n");
        code = SP_EXIT_FAILED;
    }
    return (int)code;
}
