#include "client/cli.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "base/path.h"

/* What all commands share: options, errors and their exit codes, output. */

#define SECRET_MAX 65536u

int
sp_cli_getopt(struct sp_cli *c, const char *shorts, const struct option *longs)
{
    char
        missing_told[64]; /* getopt tells a missing value apart when the list begins with a colon */
    const char *arg;
    int got;

    opterr = 0;
    (void)snprintf(missing_told, sizeof(missing_told), ":%s", shorts);
    arg = optind < c->argc && optind > 0 ? c->argv[optind] : "";
    if (optind == 0 || (optind == 1 && c->argc > 1))
        arg = c->argv[1];
    got = getopt_long(c->argc, c->argv, missing_told, longs, NULL);
    if (got != '?' && got != ':')
        return got;
    if (optind > 1 && optind <= c->argc && arg[0] != '-') /* behind words that getopt passed over */
        arg = c->argv[optind - 1];
    if (got == ':')
        (void)sp_cli_usage(c, "option %s needs a value", arg);
    else if (arg[0] == '-' && arg[1] == '-' && optopt != 0)
        (void)sp_cli_usage(c, "option %.*s takes no value", (int)strcspn(arg, "="), arg);
    else
        (void)sp_cli_usage(c, "unknown option %s", arg);
    return '?';
}

enum sp_exit
sp_cli_exit_code(const struct sp_err *e)
{
    switch (e->code) {
    case SP_OK:
        return SP_EXIT_DONE;
    case SP_CORRUPT:
        return e->domain == SP_DOM_STORE || e->domain == SP_DOM_CRYPTO ? SP_EXIT_DAMAGE
                                                                       : SP_EXIT_FAILED;
    case SP_AUTH:
        return SP_EXIT_UNREACHABLE;
    case SP_UNREACHABLE: /* the share that is gone may be what was to be backed up */
        return e->domain == SP_DOM_SOURCE || e->domain == SP_DOM_DESTINATION ? SP_EXIT_FAILED
                                                                             : SP_EXIT_UNREACHABLE;
    case SP_ABSENT:
        return e->domain == SP_DOM_STORE    ? SP_EXIT_UNREACHABLE
               : e->domain == SP_DOM_CONFIG ? SP_EXIT_USAGE
                                            : SP_EXIT_FAILED;
    case SP_TIMEOUT: /* a share that answers no more says so as well */
        return e->domain == SP_DOM_NET || e->domain == SP_DOM_STORE ? SP_EXIT_UNREACHABLE
                                                                    : SP_EXIT_FAILED;
    case SP_REFUSED:
        return SP_EXIT_REFUSED;
    case SP_UNSUPPORTED: /* a peer with which there is nothing to talk */
        if (e->domain == SP_DOM_NET)
            return SP_EXIT_UNREACHABLE;
        /* fallthrough */
    case SP_INVALID:
        return e->domain == SP_DOM_CONFIG ? SP_EXIT_USAGE : SP_EXIT_FAILED;
    case SP_CANCELLED:
        return sp_signals_which() == 0 ? SP_EXIT_FAILED : (enum sp_exit)(128 + sp_signals_which());
    default:
        return SP_EXIT_FAILED;
    }
}

const char *
sp_cli_way_out(const struct sp_err *e)
{
    bool ours = e->domain == SP_DOM_STORE;

    if (e->code == SP_FULL && ours)
        return "make room there, or allow more, and run it again: the sets that are there are not "
               "harmed, and what was stored is not sent again";
    if (e->code == SP_FULL && e->domain == SP_DOM_DESTINATION)
        return "make room there and run it again: what is there already is not written again";
    if (e->os == 0 || !ours) /* the sentence says all that is known */
        return NULL;
    if (e->code == SP_UNREACHABLE || e->code == SP_TIMEOUT)
        return "when it is back (is it mounted? does the server behind it answer?) run it again";
    if (sp_os_reason(e->os) == SP_OS_READ_ONLY)
        return "make it writable again and run it again; a file system that became read-only by "
               "itself met an error, and the system's log tells which";
    if (e->code == SP_IO)
        return "look after the store (its disk, its connection, its log), then run it again; "
               "'stillpoint check --read-data' tells whether anything was damaged";
    return NULL;
}

enum sp_exit
sp_cli_fail(struct sp_cli *c, const struct sp_err *e)
{
    struct sp_buf b = SP_BUF_INIT;
    struct sp_json j;

    if (c->json) {
        sp_json_init(&j, &b);
        sp_json_object(&j);
        sp_json_kstr(&j, "error", e->text);
        sp_json_kstr(&j, "code", sp_code_word(e->code));
        sp_json_kstr(&j, "domain", sp_domain_word(e->domain));
        sp_json_ku64(&j, "exit", (uint64_t)sp_cli_exit_code(e));
        sp_json_object_end(&j);
        (void)printf("%s\n", sp_buf_str(&b));
        sp_buf_free(&b);
    }
    sp_cli_tell_error(NULL, e);
    return sp_cli_exit_code(e);
}

/* The line, or, when there was no memory to write it, something that needs none. */
static const char *
said(struct sp_buf *line)
{
    const char *text = sp_buf_str(line);

    return line->failed ? "out of memory, and none to say more" : text;
}

/* One line in which nothing is obeyed by a terminal, whoever wrote the names in it. */
static void
put_line(FILE *to, const char *before, const char *fmt, va_list ap, const char *behind)
{
    struct sp_buf line = SP_BUF_INIT;
    char text[4096];

    (void)vsnprintf(text, sizeof(text), fmt, ap);
    sp_text_show(text, &line);
    (void)fprintf(to, "%s%s%s\n", before, said(&line), behind);
    sp_buf_free(&line);
}

void
sp_cli_tell_error(const char *what, const struct sp_err *e)
{
    struct sp_buf line = SP_BUF_INIT;
    const char *way_out = sp_cli_way_out(e);

    if (what != NULL) {
        sp_text_show(what, &line);
        sp_buf_put_str(&line, ": ");
    }
    sp_text_show(e->text, &line);
    (void)fprintf(stderr, "stillpoint: %s\n", said(&line));
    if (way_out != NULL)
        (void)fprintf(stderr, "  -> %s\n", way_out);
    sp_buf_free(&line);
}

enum sp_exit
sp_cli_usage(struct sp_cli *c, const char *fmt, ...)
{
    char before[64], behind[64];
    va_list ap;

    (void)snprintf(before, sizeof(before), "stillpoint %.40s: ", c->argv[0]);
    (void)snprintf(behind, sizeof(behind), "; see stillpoint %.30s --help", c->argv[0]);
    va_start(ap, fmt);
    put_line(stderr, before, fmt, ap, behind);
    va_end(ap);
    return SP_EXIT_USAGE;
}

void
sp_cli_warn(struct sp_cli *c, const char *fmt, ...)
{
    va_list ap;

    (void)c;
    va_start(ap, fmt);
    put_line(stderr, "stillpoint: warning: ", fmt, ap, "");
    va_end(ap);
}

void
sp_cli_notice(struct sp_cli *c, const char *fmt, ...)
{
    va_list ap;

    if (c->quiet)
        return;
    va_start(ap, fmt);
    put_line(stderr, "stillpoint: ", fmt, ap, "");
    va_end(ap);
}

void
sp_cli_say(struct sp_cli *c, const char *fmt, ...)
{
    va_list ap;

    if (c->quiet || c->json)
        return;
    va_start(ap, fmt);
    put_line(stdout, "", fmt, ap, "");
    va_end(ap);
}

void
sp_cli_print_json(struct sp_buf *b)
{
    (void)fwrite(b->data, 1, b->len, stdout);
    (void)fputc('\n', stdout);
    sp_buf_reset(b);
}

bool
sp_cli_is_path(const char *word)
{
    return strpbrk(word, "/\\:") != NULL || strcmp(word, ".") == 0 || strcmp(word, "..") == 0;
}

enum sp_code
sp_cli_config(struct sp_cli *c, struct sp_err *e)
{
    if (c->config != NULL)
        return SP_OK;
    return sp_config_load(c->env, c->config_file, &c->config, e);
}

/* By stdio, not the OS layer: a secret may come out of a pipe or a process substitution. */
enum sp_code
sp_cli_read_secret_file(struct sp_cli *c, const char *file, struct sp_buf *ret, struct sp_err *e)
{
    char buffer[4096];
    size_t n;
    FILE *f;
    enum sp_code rc;

    (void)c;
    if ((rc = sp_os_stream(file, &f, e)) != SP_OK)
        return rc;
    if (!sp_buf_reserve(ret, SECRET_MAX)) { /* at once: growing would leave copies behind */
        (void)fclose(f);
        return sp_fail_nomem(e);
    }
    while ((n = fread(buffer, 1, sizeof(buffer), f)) > 0 && ret->len + n <= SECRET_MAX)
        sp_buf_put(ret, buffer, n);
    rc = ferror(f) ? sp_fail(e, SP_IO, SP_DOM_CONFIG, "%s could not be read", file)
         : n > 0   ? sp_fail(e, SP_INVALID, SP_DOM_CONFIG, "%s is too long for a secret", file)
                   : SP_OK;
    (void)fclose(f);
    sp_wipe(buffer, sizeof(buffer));
    while (ret->len > 0 && (ret->data[ret->len - 1] == '\n' || ret->data[ret->len - 1] == '\r'))
        ret->len--;
    return rc == SP_OK ? sp_buf_ok(ret, e) : rc;
}
