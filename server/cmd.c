#include "server/cmd.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/path.h"
#include "storage/backend.h"

int
sp_cmd_getopt(struct sp_cmd *c, const char *shorts, const struct option *longs)
{
    const char *arg = optind > 0 && optind < c->argc ? c->argv[optind] : "";
    int got;

    opterr = 0;
    got = getopt_long(c->argc, c->argv, shorts, longs, NULL);
    if (got == ':')
        (void)sp_cmd_usage(c, "option %s needs a value", arg);
    else if (got == '?')
        (void)sp_cmd_usage(c, "unknown or incomplete option %s", arg);
    return got == ':' ? '?' : got;
}

enum sp_exit
sp_cmd_usage(struct sp_cmd *c, const char *fmt, ...)
{
    va_list ap;

    (void)fprintf(stderr, "stillpointd %s: ", c->argv[0]);
    va_start(ap, fmt);
    (void)vfprintf(stderr, fmt, ap);
    va_end(ap);
    (void)fprintf(stderr, "; see stillpointd %s --help\n", c->argv[0]);
    return SP_EXIT_USAGE;
}

enum sp_exit
sp_cmd_exit_code(const struct sp_err *e)
{
    switch (e->code) {
    case SP_OK:
        return SP_EXIT_DONE;
    case SP_CORRUPT:
        return SP_EXIT_DAMAGE;
    case SP_REFUSED:
        return SP_EXIT_REFUSED;
    case SP_AUTH:
    case SP_UNREACHABLE:
        return SP_EXIT_UNREACHABLE;
    case SP_ABSENT:
        return e->domain == SP_DOM_STORE    ? SP_EXIT_UNREACHABLE
               : e->domain == SP_DOM_CONFIG ? SP_EXIT_USAGE
                                            : SP_EXIT_FAILED;
    case SP_INVALID:
    case SP_EXISTS:
        return e->domain == SP_DOM_CONFIG ? SP_EXIT_USAGE : SP_EXIT_FAILED;
    default:
        return SP_EXIT_FAILED;
    }
}

enum sp_exit
sp_cmd_fail(struct sp_cmd *c, const struct sp_err *e)
{
    enum sp_exit code = sp_cmd_exit_code(e);
    struct sp_buf b = SP_BUF_INIT;
    struct sp_json j;

    if (c->json) {
        sp_json_init(&j, &b);
        sp_json_object(&j);
        sp_json_kstr(&j, "error", e->text);
        sp_json_kstr(&j, "code", sp_code_word(e->code));
        sp_json_kstr(&j, "domain", sp_domain_word(e->domain));
        sp_json_ku64(&j, "exit", (uint64_t)code);
        sp_json_object_end(&j);
        sp_cmd_print(&b);
        sp_buf_free(&b);
    }
    sp_cmd_tell(e->text);
    return code;
}

void
sp_cmd_tell(const char *text)
{
    struct sp_buf line = SP_BUF_INIT;

    sp_text_show(text, &line);
    (void)fprintf(stderr, "stillpointd: %s\n", sp_buf_str(&line));
    sp_buf_free(&line);
}

struct sp_cmd_shown
sp_cmd_shown(const char *text)
{
    struct sp_cmd_shown shown;
    struct sp_buf b = SP_BUF_INIT;

    sp_text_show(text, &b);
    (void)snprintf(shown.s, sizeof(shown.s), "%s", sp_buf_str(&b));
    sp_buf_free(&b);
    return shown;
}

void
sp_cmd_print(struct sp_buf *b)
{
    /* That the output could not be written is seen by the flush at the end of main. */
    (void)puts(sp_buf_str(b));
    sp_buf_reset(b);
}

enum sp_code
sp_cmd_open(
    struct sp_cmd *c, struct sp_home *ret_home, struct sp_state **ret_state, struct sp_err *e)
{
    struct sp_home h = {0};
    char *path = NULL;
    enum sp_code rc;

    if ((rc = sp_home_open(c->env, c->dir, &h, e)) != SP_OK)
        return rc;
    if ((rc = sp_home_path(&h, "state.db", &path, e)) == SP_OK)
        rc = sp_state_open(path, false, ret_state, e);
    free(path);
    if (rc != SP_OK) {
        sp_home_close(&h);
        return rc;
    }
    *ret_home = h;
    return SP_OK;
}

enum sp_code
sp_cmd_backend(struct sp_cmd *c, const struct sp_home *h, struct sp_backend **ret, struct sp_err *e)
{
    enum sp_code rc = sp_backend_dir_open(c->env, h->config.repository, false, ret, e);

    if (rc ==
        SP_ABSENT) /* the folder, or what it should hold: both are a store that is not there */
        e->domain = SP_DOM_STORE;
    if (rc != SP_OK)
        sp_err_context(e, "repository %s", h->config.repository);
    return rc;
}

struct sp_cmd_time
sp_cmd_time(int64_t wall_ns, const char *none)
{
    struct sp_cmd_time t;

    if (wall_ns == 0)
        (void)snprintf(t.s, sizeof(t.s), "%s", none);
    else
        sp_time_local(wall_ns, t.s);
    return t;
}

void
sp_cmd_json_time(struct sp_json *j, const char *key, int64_t wall_ns)
{
    sp_json_key(j, key);
    if (wall_ns == 0)
        sp_json_null(j);
    else
        sp_json_time(j, wall_ns);
}
