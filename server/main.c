/* The server's entry: finds the command, takes out the options that all commands share, runs it. */

#include <stdio.h>
#include <string.h>

#include "base/start.h"
#include "server/cmd.h"
#include "storage/crypto.h"

static const struct sp_command *const commands[] = {
    &sp_cmd_init, &sp_cmd_run, &sp_cmd_host, &sp_cmd_sets, &sp_cmd_status, &sp_cmd_copy};
#define NCOMMANDS (sizeof(commands) / sizeof(commands[0]))

static void
print_help(FILE *to)
{
    (void)fputs("stillpointd: the server that keeps the backup sets of many hosts\n\n"
                "usage: stillpointd COMMAND [OPTIONS]\n\n",
        to);
    for (size_t i = 0; i < NCOMMANDS; i++)
        (void)fprintf(to, "  %-7s %s\n", commands[i]->name, commands[i]->summary);
    (void)fprintf(to,
        "\nEvery command takes:\n"
        "  -D, --dir DIR   the server's folder (keys, hosts, settings), on local disk;\n"
        "                  default %s\n"
        "      --json      results as JSON on standard output\n"
        "  -v, --verbose   --version   -h, --help\n\n"
        "stillpointd COMMAND --help tells more. Exit codes: 0 done, 2 failed, 3 damage found,\n"
        "4 refused for safety, 5 usage or configuration, 6 repository unreachable.\n",
        sp_platform_dir());
}

static const struct sp_command *
find_command(const char *name)
{
    for (size_t i = 0; i < NCOMMANDS; i++)
        if (strcmp(commands[i]->name, name) == 0)
            return commands[i];
    return NULL;
}

struct shared {
    bool help, version, no_value;
};

static bool
is(const char *arg, const char *brief, const char *name)
{
    return strcmp(arg, name) == 0 || (brief != NULL && strcmp(arg, brief) == 0);
}

/* Takes the shared options out of argv, in place; what follows "--" is not looked at. */
static void
take_shared(struct sp_cmd *c, struct shared *s)
{
    int to = 1;
    bool rest = false;

    for (int i = 1; i < c->argc; i++) {
        char *arg = c->argv[i];

        rest = rest || strcmp(arg, "--") == 0;
        if (!rest && is(arg, "-D", "--dir")) {
            if (i + 1 < c->argc)
                c->dir = c->argv[++i];
            else
                s->no_value = true;
        } else if (!rest && strncmp(arg, "--dir=", 6) == 0) {
            c->dir = arg + 6;
        } else if (!rest && is(arg, NULL, "--json")) {
            c->json = true;
        } else if (!rest && is(arg, "-v", "--verbose")) {
            c->verbose = true;
        } else if (!rest && is(arg, "-h", "--help")) {
            s->help = true;
        } else if (!rest && is(arg, NULL, "--version")) {
            s->version = true;
        } else {
            c->argv[to++] = arg;
        }
    }
    c->argc = to;
    c->argv[to] = NULL;
}

static enum sp_exit
dispatch(struct sp_cmd *c, const struct shared *s)
{
    const struct sp_command *command;
    struct sp_err e = {0};

    if (s->version) {
        (void)printf("stillpointd %s\n", SP_VERSION);
        return SP_EXIT_DONE;
    }
    if (c->argc < 2) {
        print_help(s->help ? stdout : stderr);
        return s->help ? SP_EXIT_DONE : SP_EXIT_USAGE;
    }
    if ((command = find_command(c->argv[1])) == NULL) {
        (void)fprintf(
            stderr, "stillpointd: there is no command '%s'; see stillpointd --help\n", c->argv[1]);
        return SP_EXIT_USAGE;
    }
    if (s->help) {
        (void)fputs(command->usage, stdout);
        return SP_EXIT_DONE;
    }
    c->argc--;
    c->argv++;
    if (s->no_value)
        return sp_cmd_usage(c, "option -D needs a value");
    if (c->dir == sp_platform_dir() && sp_platform_dir_safe(c->dir, &e) != SP_OK)
        return sp_cmd_fail(c, &e);
    return command->run(c);
}

int
main(int argc, char **argv)
{
    struct sp_cmd c = {.env = &sp_env_system, .wall = true};
    struct shared shared = {0};
    enum sp_exit code;

    sp_start(&argc, &argv);
    sp_crypto_wipe_freed();
    sp_platform_start();
    c.dir = sp_platform_dir();
    c.argc = argc;
    c.argv = argv;
    take_shared(&c, &shared);
    code = dispatch(&c, &shared);
    if (fflush(stdout) != 0 && code == SP_EXIT_DONE) {
        (void)fprintf(stderr, "stillpointd: the output could not be written\n");
        code = SP_EXIT_FAILED;
    }
    return (int)code;
}
