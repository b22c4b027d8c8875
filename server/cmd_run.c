#include <stdio.h>

#include "server/cmd.h"
#include "server/server.h"

static const char usage[] =
    "usage: stillpointd run [-D DIR] [--verbose]\n\n"
    "Serves the hosts until SIGTERM or SIGINT: then no new work is taken, what came is made "
    "durable,\n"
    "and it ends within ten seconds; a second signal ends it at once, and nothing acknowledged is\n"
    "lost. One line an event goes to standard error.\n";

static enum sp_code
serve(struct sp_cmd *c, struct sp_err *e)
{
    struct sp_server_options o = {.env = c->env, .dir = c->dir, .signals = true, .wall = c->wall};
    struct sp_server *s = NULL;
    enum sp_code rc;

    rc = sp_log_new(c->verbose ? SP_LOG_DEBUG : SP_LOG_INFO, true, NULL, NULL, &o.log, e);
    if (rc == SP_OK && (rc = sp_server_new(&o, &s, e)) == SP_OK)
        rc = sp_server_run(s, e);
    sp_server_free(s);
    sp_log_free(o.log);
    return rc;
}

static enum sp_exit
run(struct sp_cmd *c)
{
    struct sp_err e = {0};

    if (c->argc > 1)
        return sp_cmd_usage(c, "'%s' is too much", c->argv[1]);
    return serve(c, &e) != SP_OK ? sp_cmd_fail(c, &e) : SP_EXIT_DONE;
}

const struct sp_command sp_cmd_run = {"run", "serve the hosts", usage, run};
