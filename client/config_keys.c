#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/path.h"
#include "base/text.h"
#include "client/config_impl.h"
#include "client/ratelimit.h"

/* What each key of a job means. */

#define RANDOM_DELAY_MOST (24 * 3600 * SP_SECOND)

enum sp_code
sp_config_text(char **to, const char *value, struct sp_err *e)
{
    char *copy = strdup(value);

    if (copy == NULL)
        return sp_fail_nomem(e);
    free(*to);
    *to = copy;
    return SP_OK;
}

enum sp_code
sp_config_bad_value(struct sp_err *e, const char *key, const char *value, const char *possible)
{
    return sp_fail(
        e, SP_INVALID, SP_DOM_CONFIG, "%s = %s makes no sense: %s", key, value, possible);
}

enum sp_code
sp_config_bool(bool *to, const char *key, const char *value, struct sp_err *e)
{
    if (strcmp(value, "yes") == 0 || strcmp(value, "true") == 0 || strcmp(value, "1") == 0)
        *to = true;
    else if (strcmp(value, "no") == 0 || strcmp(value, "false") == 0 || strcmp(value, "0") == 0)
        *to = false;
    else
        return sp_config_bad_value(e, key, value, "yes or no");
    return SP_OK;
}

enum sp_code
sp_config_number(
    uint64_t *to, const char *key, const char *value, uint64_t min, uint64_t max, struct sp_err *e)
{
    char possible[64];
    uint64_t v;

    (void)snprintf(possible, sizeof(possible), "a number from %llu to %llu",
        (unsigned long long)min, (unsigned long long)max);
    if (!sp_text_parse_u64(value, &v) || v < min || v > max)
        return sp_config_bad_value(e, key, value, possible);
    *to = v;
    return SP_OK;
}

static enum sp_code
set_shadow(struct sp_job *j, const char *key, const char *value, struct sp_err *e)
{
    if (strcmp(value, "auto") == 0)
        j->shadow = SP_SHADOW_AUTO;
    else if (strcmp(value, "none") == 0)
        j->shadow = SP_SHADOW_NONE;
    else if (strcmp(value, "require") == 0)
        j->shadow = SP_SHADOW_REQUIRE;
    else
        return sp_config_bad_value(e, key, value, "auto, none or require");
    return SP_OK;
}

static enum sp_code
add_exclude_file(struct sp_job *j, const char *file, struct sp_err *e)
{
    uint8_t *bytes = NULL;
    char *text, *line, *save = NULL;
    size_t n;
    enum sp_code rc;

    if ((rc = sp_os_read_file(&sp_os_system, file, SP_CONFIG_FILE_LIMIT, &bytes, &n, e)) != SP_OK) {
        struct sp_err ignored = {0};
        char *inside = sp_path_join(file, ".");
        struct sp_os_stat st;

        e->domain = SP_DOM_CONFIG;
        if (inside != NULL && /* through a link too */
            sp_os_system.stat(sp_os_system.self, inside, &st, &ignored) == SP_OK &&
            st.type == SP_OS_DIR)
            rc = sp_fail(e, SP_INVALID, SP_DOM_CONFIG,
                "%s is a folder, and exclude-file takes a file of patterns", file);
        free(inside);
        return rc;
    }
    text = malloc(n + 1);
    if (text == NULL) {
        free(bytes);
        return sp_fail_nomem(e);
    }
    memcpy(text, bytes, n);
    text[n] = '\0';
    free(bytes);
    for (line = strtok_r(text, "\n", &save); line != NULL && rc == SP_OK;
         line = strtok_r(NULL, "\n", &save)) {
        size_t len = strlen(line);

        if (len > 0 && line[len - 1] == '\r')
            line[len - 1] = '\0';
        if (line[0] != '\0' && line[0] != '#')
            rc = sp_strings_add(&j->exclude, line, e);
    }
    free(text);
    return rc;
}

enum sp_code
sp_config_duration(int64_t *to, const char *key, const char *value, struct sp_err *e)
{
    if (!sp_text_parse_duration(value, to) || *to <= 0)
        return sp_config_bad_value(e, key, value, "a duration as 90s, 15m, 8h or 2d");
    return SP_OK;
}

static enum sp_code
set_random_delay(struct sp_job *j, const char *key, const char *value, struct sp_err *e)
{
    int64_t ns;

    if (!sp_text_parse_duration(value, &ns) || ns < 0 || ns > RANDOM_DELAY_MOST)
        return sp_config_bad_value(e, key, value, "a duration as 20m or 2h, at most 24h; 0: none");
    j->random_delay_ns = ns;
    return SP_OK;
}

static enum sp_code
set_bandwidth(struct sp_job *j, const char *value, struct sp_err *e)
{
    struct sp_ratelimit *l = NULL;
    enum sp_code rc;

    if (value[0] != '\0') { /* said now, not when the backup starts at night */
        if ((rc = sp_ratelimit_new(value, &sp_clock_system, &l, e)) != SP_OK)
            return rc;
        sp_ratelimit_free(l);
    }
    return sp_config_text(&j->bandwidth, value, e);
}

enum sp_code
sp_job_set(struct sp_job *j, const char *key, const char *value, struct sp_err *e)
{
    uint64_t v = 0;
    enum sp_code rc;

    if (strcmp(key, "repository") == 0)
        return sp_config_text(&j->repository, value, e);
    if (strcmp(key, "path") == 0)
        return sp_strings_add(&j->paths, value, e);
    if (strcmp(key, "exclude") == 0)
        return sp_strings_add(&j->exclude, value, e);
    if (strcmp(key, "exclude-file") == 0)
        return add_exclude_file(j, value, e);
    if (strcmp(key, "one-file-system") == 0)
        return sp_config_bool(&j->one_file_system, key, value, e);
    if (strcmp(key, "cachedir-tag") == 0)
        return sp_config_bool(&j->cachedir_tag, key, value, e);
    if (strcmp(key, "change-journal") == 0)
        return sp_config_bool(&j->change_journal, key, value, e);
    if (strcmp(key, "system-excludes") == 0)
        return sp_config_bool(&j->system_excludes, key, value, e);
    if (strcmp(key, "shadow") == 0)
        return set_shadow(j, key, value, e);
    if (strcmp(key, "before") == 0)
        return sp_config_text(&j->before, value, e);
    if (strcmp(key, "after") == 0)
        return sp_config_text(&j->after, value, e);
    if (strcmp(key, "on-success") == 0)
        return sp_config_text(&j->on_success, value, e);
    if (strcmp(key, "on-failure") == 0)
        return sp_config_text(&j->on_failure, value, e);
    if (strcmp(key, "command-timeout") == 0)
        return sp_config_duration(&j->command_timeout_ns, key, value, e);
    if (strcmp(key, "ping-url") == 0)
        return sp_config_text(&j->ping_url, value, e);
    if (strcmp(key, "bandwidth") == 0)
        return set_bandwidth(j, value, e);
    if (strcmp(key, "checkpoint") == 0)
        return sp_config_duration(&j->checkpoint_ns, key, value, e);
    if (strcmp(key, "schedule") == 0)
        return sp_schedule_parse(value, &j->schedule, e);
    if (strcmp(key, "catch-up") == 0)
        return sp_config_bool(&j->catch_up, key, value, e);
    if (strcmp(key, "random-delay") == 0)
        return set_random_delay(j, key, value, e);
    if (strcmp(key, "on-battery") == 0)
        return sp_config_bool(&j->on_battery, key, value, e);
    if (strcmp(key, "on-metered") == 0)
        return sp_config_bool(&j->on_metered, key, value, e);
    if (strcmp(key, "compression") == 0) {
        if ((rc = sp_config_number(&v, key, value, 1, 19, e)) == SP_OK)
            j->compression = (int)v;
        return rc;
    }
    if (strcmp(key, "audit") == 0) {
        if ((rc = sp_config_number(&v, key, value, 0, 1000000, e)) == SP_OK)
            j->audit = (unsigned)v;
        return rc;
    }
    if ((rc = sp_config_vss_key(j, key, value, e)) != SP_ABSENT)
        return rc;
    return sp_fail(e, SP_INVALID, SP_DOM_CONFIG,
        "there is no key '%s'; a job has: repository path exclude exclude-file one-file-system "
        "cachedir-tag change-journal system-excludes shadow require if-below application application-exclude "
        "backup-type writer-attempts writer-pause second-shadow before after on-success on-failure "
        "command-timeout ping-url "
        "bandwidth compression audit checkpoint schedule catch-up random-delay on-battery "
        "on-metered",
        key);
}
