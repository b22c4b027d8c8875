#include "client/sftp_settings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "client/config_impl.h"
#include "storage/ssh.h"

#define CONNECTIONS_MOST 16
#define PATIENCE_MOST (24 * 3600 * SP_SECOND)

static const char keys[] = "key login passphrase-file password-file known-hosts host-key "
                           "connections patience old-algorithms";

static const struct {
    const char *word;
    unsigned method;
} methods[] = {{"agent", SP_SSH_AGENT}, {"key", SP_SSH_KEY}, {"password", SP_SSH_PASSWORD}};
#define NMETHODS (sizeof(methods) / sizeof(methods[0]))

static enum sp_code
set_methods(unsigned *to, const char *value, struct sp_err *e)
{
    static const char separators[] = " ,\t";
    const char *p = value + strspn(value, separators);
    unsigned got = 0;
    size_t i, n;

    for (; *p != '\0'; p += n, p += strspn(p, separators)) {
        n = strcspn(p, separators);
        for (i = 0; i < NMETHODS; i++)
            if (strlen(methods[i].word) == n && memcmp(methods[i].word, p, n) == 0)
                break;
        if (i == NMETHODS)
            break;
        got |= methods[i].method;
    }
    if (*p != '\0' || got == 0)
        return sp_config_bad_value(
            e, "login", value, "agent, key and password, one of them or more");
    *to = got;
    return SP_OK;
}

/* As ssh-keygen -lf shows it: 256 bits in base64 without padding. */
static bool
is_fingerprint(const char *s)
{
    static const char prefix[] = "SHA256:";
    static const char base64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *digits = s + sizeof(prefix) - 1;

    return strncmp(s, prefix, sizeof(prefix) - 1) == 0 && strlen(digits) == 43 &&
           strspn(digits, base64) == 43;
}

static enum sp_code
set_host_key(struct sp_sftp_settings *s, const char *value, struct sp_err *e)
{
    const char *space = strchr(value, ' '), *fingerprint = space != NULL ? space + 1 : value;
    char *type = NULL;
    enum sp_code rc;

    if (!is_fingerprint(fingerprint) || (space != NULL && (space == value || space - value > 63)))
        return sp_config_bad_value(e, "host-key", value,
            "SHA256: and 43 letters and digits, as 'ssh-keygen -lf' shows it");
    if (space != NULL && (type = sp_text_copy(value, (size_t)(space - value))) == NULL)
        return sp_fail_nomem(e);
    if ((rc = sp_config_text(&s->host_key, fingerprint, e)) != SP_OK) {
        free(type);
        return rc;
    }
    free(s->host_key_type);
    s->host_key_type = type;
    return SP_OK;
}

static enum sp_code
absolute(const char *key, const char *value, char **ret, struct sp_err *e)
{
    const unsigned char *p;

    if (*value == '\0')
        return sp_config_bad_value(e, key, value, "a file");
    for (p = (const unsigned char *)value; *p != '\0'; p++)
        if (*p < 0x20 || *p == 0x7f) /* it would be no line of a profile */
            return sp_fail(e, SP_INVALID, SP_DOM_CONFIG,
                "%s: a file whose name has control characters cannot be kept", key);
    return sp_os_absolute(value, ret, e);
}

static enum sp_code
add_file(struct sp_strings *to, const char *key, const char *value, struct sp_err *e)
{
    char *path = NULL;
    enum sp_code rc;

    if ((rc = absolute(key, value, &path, e)) == SP_OK)
        rc = sp_strings_add(to, path, e);
    free(path);
    return rc;
}

static enum sp_code
set_file(char **to, const char *key, const char *value, struct sp_err *e)
{
    char *path = NULL;
    enum sp_code rc;

    if ((rc = absolute(key, value, &path, e)) == SP_OK) {
        free(*to);
        *to = path;
    }
    return rc;
}

enum sp_code
sp_sftp_set(struct sp_sftp_settings *s, const char *key, const char *value, struct sp_err *e)
{
    uint64_t number = 0;
    int64_t ns = 0;
    bool yes = false;
    enum sp_code rc;

    if (strcmp(key, "key") == 0)
        return add_file(&s->keys, key, value, e);
    if (strcmp(key, "known-hosts") == 0)
        return add_file(&s->known_hosts, key, value, e);
    if (strcmp(key, "login") == 0)
        return set_methods(&s->methods, value, e);
    if (strcmp(key, "passphrase-file") == 0)
        return set_file(&s->passphrase_file, key, value, e);
    if (strcmp(key, "password-file") == 0)
        return set_file(&s->password_file, key, value, e);
    if (strcmp(key, "host-key") == 0)
        return set_host_key(s, value, e);
    if (strcmp(key, "connections") == 0) {
        if ((rc = sp_config_number(&number, key, value, 1, CONNECTIONS_MOST, e)) == SP_OK)
            s->connections = (unsigned)number;
        return rc;
    }
    if (strcmp(key, "patience") == 0) {
        if ((rc = sp_config_duration(&ns, key, value, e)) != SP_OK)
            return rc;
        if (ns < SP_SECOND || ns > PATIENCE_MOST)
            return sp_config_bad_value(e, key, value, "1s to 24h");
        s->patience_ns = ns;
        return SP_OK;
    }
    if (strcmp(key, "old-algorithms") == 0) {
        if ((rc = sp_config_bool(&yes, key, value, e)) == SP_OK)
            s->old_algorithms = yes ? SP_SFTP_YES : SP_SFTP_NO;
        return rc;
    }
    return sp_fail(e, SP_INVALID, SP_DOM_CONFIG, "there is no key '%s'; [sftp] has: %s", key, keys);
}

enum sp_code
sp_sftp_configure(struct sp_sftp_settings *s, const char *key, const char *value, struct sp_err *e)
{
    if (strcmp(key, "host-key") == 0)
        return sp_fail(e, SP_INVALID, SP_DOM_CONFIG,
            "host-key is of one server and [sftp] of all: give --sftp-host-key to 'stillpoint "
            "init' or 'stillpoint login', which keep it");
    return sp_sftp_set(s, key, value, e);
}

static enum sp_code
add_list(struct sp_strings *to, const struct sp_strings *from, struct sp_err *e)
{
    enum sp_code rc = SP_OK;
    size_t i;

    if (to->n > 0)
        return SP_OK;
    for (i = 0; i < from->n && rc == SP_OK; i++)
        rc = sp_strings_add(to, from->s[i], e);
    return rc;
}

static enum sp_code
add_text(char **to, const char *from, struct sp_err *e)
{
    return *to != NULL || from == NULL ? SP_OK : sp_config_text(to, from, e);
}

enum sp_code
sp_sftp_add(struct sp_sftp_settings *to, const struct sp_sftp_settings *from, struct sp_err *e)
{
    bool has_key = to->host_key != NULL; /* key and type are one thing */
    enum sp_code rc;

    if ((rc = add_list(&to->keys, &from->keys, e)) != SP_OK ||
        (rc = add_list(&to->known_hosts, &from->known_hosts, e)) != SP_OK ||
        (rc = add_text(&to->passphrase_file, from->passphrase_file, e)) != SP_OK ||
        (rc = add_text(&to->password_file, from->password_file, e)) != SP_OK ||
        (rc = add_text(&to->host_key, from->host_key, e)) != SP_OK ||
        (!has_key && (rc = add_text(&to->host_key_type, from->host_key_type, e)) != SP_OK))
        return rc;
    if (to->methods == 0)
        to->methods = from->methods;
    if (to->connections == 0)
        to->connections = from->connections;
    if (to->patience_ns == 0)
        to->patience_ns = from->patience_ns;
    if (to->old_algorithms == SP_SFTP_UNSAID)
        to->old_algorithms = from->old_algorithms;
    return SP_OK;
}

void
sp_sftp_each(const struct sp_sftp_settings *s,
    void (*each)(void *arg, const char *key, const char *value), void *arg)
{
    char text[128];
    size_t i, at;

    for (i = 0; i < s->keys.n; i++)
        each(arg, "key", s->keys.s[i]);
    for (i = 0; i < s->known_hosts.n; i++)
        each(arg, "known-hosts", s->known_hosts.s[i]);
    for (i = at = 0; i < NMETHODS; i++)
        if ((s->methods & methods[i].method) != 0)
            at += (size_t)snprintf(
                text + at, sizeof(text) - at, "%s%s", at > 0 ? " " : "", methods[i].word);
    if (at > 0)
        each(arg, "login", text);
    if (s->host_key != NULL) {
        (void)snprintf(text, sizeof(text), "%.63s%s%.60s",
            s->host_key_type != NULL ? s->host_key_type : "", s->host_key_type != NULL ? " " : "",
            s->host_key);
        each(arg, "host-key", text);
    }
    if (s->passphrase_file != NULL)
        each(arg, "passphrase-file", s->passphrase_file);
    if (s->password_file != NULL)
        each(arg, "password-file", s->password_file);
    if (s->connections != 0) {
        (void)snprintf(text, sizeof(text), "%u", s->connections);
        each(arg, "connections", text);
    }
    if (s->patience_ns != 0) {
        (void)snprintf(text, sizeof(text), "%llds", (long long)(s->patience_ns / SP_SECOND));
        each(arg, "patience", text);
    }
    if (s->old_algorithms != SP_SFTP_UNSAID)
        each(arg, "old-algorithms", s->old_algorithms == SP_SFTP_YES ? "yes" : "no");
}

void
sp_sftp_clear(struct sp_sftp_settings *s)
{
    sp_strings_clear(&s->keys);
    sp_strings_clear(&s->known_hosts);
    free(s->passphrase_file);
    free(s->password_file);
    free(s->host_key_type);
    free(s->host_key);
    memset(s, 0, sizeof(*s));
}
