#include "server/config.h"

#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "base/ini.h"
#include "base/path.h"
#include "base/text.h"
#include "proto/token.h"

#define FILE_MAX (1u << 20)
#define DAYS_MAX 3650
#define SESSIONS_LIMIT 1000 /* below the listener's own (SP_CONNECTIONS_MAX) */

void
sp_server_config_clear(struct sp_server_config *c)
{
    free(c->repository);
    free(c->listen);
    free(c->name);
    memset(c, 0, sizeof(*c));
}

/* What a socket can be bound to: no names. */
static bool
is_numeric(const char *address)
{
    struct sockaddr_in four;
    struct sockaddr_in6 six;

    return uv_ip4_addr(address, 0, &four) == 0 || uv_ip6_addr(address, 0, &six) == 0;
}

enum sp_code
sp_listen_parse(const char *text, char **ret_address, uint16_t *ret_port, struct sp_err *e)
{
    char host[256] = "";
    uint16_t port = SP_PORT_DEFAULT;
    uint64_t number;
    const char *every = NULL; /* what follows "every address" */
    enum sp_code rc;

    if (text[0] == ':')
        every = text + 1;
    else if (strncmp(text, "*:", 2) == 0)
        every = text + 2;
    if (every != NULL) {
        if (!sp_text_parse_u64(every, &number) || number > UINT16_MAX)
            return sp_fail(
                e, SP_INVALID, SP_DOM_CONFIG, "\"%.100s\" is no port to listen on", every);
        port = (uint16_t)number;
    } else if (strcmp(text, "*") != 0) {
        /* The grammar of addresses has no port 0, which here means any free one. */
        size_t n = strlen(text);
        char *copy = strdup(text);

        if (copy == NULL)
            return sp_fail_nomem(e);
        if (n > 2 && strcmp(text + n - 2, ":0") == 0) {
            copy[n - 2] = '\0';
            port = 0;
        }
        number = port;
        rc = sp_address_parse(copy, host, &port, e);
        free(copy);
        if (rc != SP_OK)
            return rc;
        if (!is_numeric(host))
            return sp_fail(e, SP_INVALID, SP_DOM_CONFIG,
                "\"%.100s\" is no address to listen on: one of this machine's in numbers, as "
                "192.0.2.1:7878, [2001:db8::1]:7878, or :7878 for all of them",
                text);
        if (number == 0)
            port = 0;
    }
    if ((*ret_address = strdup(host)) == NULL)
        return sp_fail_nomem(e);
    *ret_port = port;
    return SP_OK;
}

/* --- reading
 * ---------------------------------------------------------------------------------------- */

static enum sp_code
set_text(char **to, const char *value, struct sp_err *e)
{
    char *copy = strdup(value);

    if (copy == NULL)
        return sp_fail_nomem(e);
    free(*to);
    *to = copy;
    return SP_OK;
}

static enum sp_code
set_number(unsigned *to, const char *key, const char *value, unsigned max, struct sp_err *e)
{
    uint64_t n;

    if (!sp_text_parse_u64(value, &n) || n < 1 || n > max)
        return sp_fail(e, SP_INVALID, SP_DOM_CONFIG, "%s is a number from 1 to %u", key, max);
    *to = (unsigned)n;
    return SP_OK;
}

static enum sp_code
set_name(struct sp_server_config *c, const char *value, struct sp_err *e)
{
    char host[256];
    uint16_t port;
    enum sp_code rc = sp_address_parse(value, host, &port, e);

    return rc != SP_OK ? rc : set_text(&c->name, value, e);
}

static enum sp_code
set_server(struct sp_server_config *c, const char *key, const char *value, struct sp_err *e)
{
    if (strcmp(key, "repository") == 0) {
        struct sp_buf ignored = SP_BUF_INIT;
        enum sp_code rc = sp_key_from_path(value, &ignored, e);

        sp_buf_free(&ignored);
        /* A path from wherever the server happens to be started is no place for backups. */
        if (rc != SP_OK)
            return rc == SP_NOMEM ? rc
                                  : sp_fail(e, SP_INVALID, SP_DOM_CONFIG,
                                        "repository is the path of a folder, from the root on");
        return set_text(&c->repository, value, e);
    }
    if (strcmp(key, "listen") == 0) {
        char *address;
        enum sp_code rc = sp_listen_parse(value, &address, &c->port, e);

        if (rc == SP_OK) {
            free(c->listen);
            c->listen = address;
        }
        return rc;
    }
    if (strcmp(key, "name") == 0)
        return set_name(c, value, e);
    if (strcmp(key, "certificate-days") == 0)
        return set_number(&c->certificate_days, key, value, DAYS_MAX, e);
    return sp_fail(e, SP_INVALID, SP_DOM_CONFIG, "there is no key \"%.60s\" in [server]", key);
}

static enum sp_code
set_limit(struct sp_server_config *c, const char *key, const char *value, struct sp_err *e)
{
    if (strcmp(key, "sessions") == 0)
        return set_number(&c->sessions_max, key, value, SESSIONS_LIMIT, e);
    if (strcmp(key, "sessions-per-host") == 0)
        return set_number(&c->host_sessions_max, key, value, SESSIONS_LIMIT, e);
    if (strcmp(key, "host-quota") == 0) {
        if (!sp_text_parse_bytes(value, &c->host_quota))
            return sp_fail(e, SP_INVALID, SP_DOM_CONFIG,
                "host-quota is a number of bytes (500G, 2T); 0 is no limit");
        return SP_OK;
    }
    return sp_fail(e, SP_INVALID, SP_DOM_CONFIG, "there is no key \"%.60s\" in [limits]", key);
}

static enum sp_code
set(void *arg, const char *section, const char *key, const char *value, unsigned line,
    struct sp_err *e)
{
    struct sp_server_config *c = arg;
    bool server = strcmp(section, "server") == 0, limits = strcmp(section, "limits") == 0;

    (void)line;
    if (!server && !limits)
        return sp_fail(e, SP_INVALID, SP_DOM_CONFIG,
            "there is no section [%.60s]; there are [server] and [limits]", section);
    if (key == NULL)
        return SP_OK;
    return server ? set_server(c, key, value, e) : set_limit(c, key, value, e);
}

enum sp_code
sp_server_config_load(
    const struct sp_env *env, const char *file, struct sp_server_config *ret, struct sp_err *e)
{
    struct sp_server_config c = {
        .port = SP_PORT_DEFAULT,
        .certificate_days = SP_CONFIG_CERTIFICATE_DAYS,
        .sessions_max = SP_CONFIG_SESSIONS,
        .host_sessions_max = SP_CONFIG_HOST_SESSIONS,
    };
    uint8_t *text = NULL;
    size_t n;
    enum sp_code rc;

    if ((rc = sp_os_read_file(env->os, file, FILE_MAX, &text, &n, e)) != SP_OK) {
        if (rc == SP_ABSENT)
            rc = sp_fail(e, SP_ABSENT, SP_DOM_CONFIG,
                "%s is not there; a server is set up with: stillpointd init", file);
        return rc;
    }
    if ((rc = set_text(&c.listen, "", e)) == SP_OK)
        rc = sp_ini_parse(file, (const char *)text, n, set, &c, e);
    free(text);
    if (rc == SP_OK && (c.repository == NULL || c.name == NULL))
        rc = sp_fail(e, SP_INVALID, SP_DOM_CONFIG, "%s: [server] has no %s", file,
            c.repository == NULL ? "repository" : "name");
    if (rc != SP_OK) {
        sp_server_config_clear(&c);
        return rc;
    }
    *ret = c;
    return SP_OK;
}

/* --- writing
 * ---------------------------------------------------------------------------------------- */

static void
put_quoted(struct sp_buf *b, const char *s)
{
    sp_buf_put_u8(b, '"');
    for (; *s != '\0'; s++) {
        if (*s == '"' || *s == '\\')
            sp_buf_put_u8(b, '\\');
        sp_buf_put_u8(b, (uint8_t)*s);
    }
    sp_buf_put_u8(b, '"');
}

enum sp_code
sp_server_config_write(
    const struct sp_env *env, const char *file, const struct sp_server_config *c, struct sp_err *e)
{
    struct sp_buf b = SP_BUF_INIT;
    bool v6 = strchr(c->listen, ':') != NULL;
    enum sp_code rc;

    if (strpbrk(c->repository, "\n\r") != NULL)
        return sp_fail(e, SP_INVALID, SP_DOM_CONFIG, "the repository's path has a line end in it");
    sp_buf_put_str(&b, "# stillpointd. Restart it after a change.\n[server]\nrepository = ");
    put_quoted(&b, c->repository);
    sp_buf_printf(
        &b, "\nlisten = %s%s%s:%u\n", v6 ? "[" : "", c->listen, v6 ? "]" : "", (unsigned)c->port);
    sp_buf_printf(
        &b, "# how hosts reach this server; stands in their tokens\nname = %s\n", c->name);
    sp_buf_printf(&b, "certificate-days = %u\n\n[limits]\nsessions = %u\nsessions-per-host = %u\n",
        c->certificate_days, c->sessions_max, c->host_sessions_max);
    sp_buf_printf(&b,
        "# bytes that one host may store (500G, 2T); 0 is no limit\nhost-quota = %llu\n",
        (unsigned long long)c->host_quota);
    if ((rc = sp_buf_ok(&b, e)) == SP_OK)
        rc = sp_os_write_file(env->os, file, b.data, b.len, e);
    sp_buf_free(&b);
    return rc;
}
