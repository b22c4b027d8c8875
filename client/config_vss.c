#include <string.h>

#include "base/clock.h"
#include "client/config_impl.h"

/* The keys of applications and of what is demanded (docs/vss.md). */

/* An empty value takes back what the defaults said. */
static bool
emptied(struct sp_strings *l, const char *value)
{
    if (value[0] == '\0')
        sp_strings_clear(l);
    return value[0] == '\0';
}

static enum sp_code
add_demand(struct sp_job *j, const char *value, struct sp_err *e)
{
    struct sp_demands d = {0};
    enum sp_code rc;

    if (emptied(&j->require, value))
        return SP_OK;
    if ((rc = sp_demand_add(&d, value, e)) ==
        SP_OK) /* said now, not when the backup starts at night */
        rc = sp_strings_add(&j->require, value, e);
    sp_demands_clear(&d);
    return rc;
}

static enum sp_code
add_pattern(struct sp_strings *to, const char *key, const char *value, struct sp_err *e)
{
    struct sp_vss_pattern *p = NULL;
    enum sp_code rc;

    if (emptied(to, value))
        return SP_OK;
    if ((rc = sp_vss_pattern_new(value, &p, e)) != SP_OK) {
        sp_err_context(e, "%s = %.200s", key, value);
        return rc;
    }
    sp_vss_pattern_free(p);
    return sp_strings_add(to, value, e);
}

static enum sp_code
set_below(struct sp_job *j, const char *key, const char *value, struct sp_err *e)
{
    struct sp_err why = {0};

    return sp_demand_parse_below(value, &j->if_below, &why) == SP_OK
               ? SP_OK
               : sp_config_bad_value(e, key, value, "discard, keep or leave-out");
}

/* learn.microsoft.com/windows/win32/api/vss/ne-vss-vss_backup_type */
static enum sp_code
set_backup_type(struct sp_job *j, const char *key, const char *value, struct sp_err *e)
{
    static const struct {
        const char *word;
        uint32_t type;
    } types[] = {{"copy", 5}, {"full", 1}, {"incremental", 2}, {"differential", 3}, {"log", 4}};

    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        if (strcmp(value, types[i].word) == 0) {
            j->backup_type = types[i].type;
            return SP_OK;
        }
    }
    return sp_config_bad_value(e, key, value, "copy, full, incremental, differential or log");
}

static enum sp_code
set_attempts(struct sp_job *j, const char *key, const char *value, struct sp_err *e)
{
    uint64_t v = 0;
    enum sp_code rc = sp_config_number(&v, key, value, 1, 10, e);

    if (rc == SP_OK)
        j->writer_attempts = (unsigned)v;
    return rc;
}

static enum sp_code
set_pause(struct sp_job *j, const char *key, const char *value, struct sp_err *e)
{
    int64_t ns = 0;
    enum sp_code rc = sp_config_duration(&ns, key, value, e);

    if (rc == SP_OK && ns > 3600 * SP_SECOND)
        return sp_config_bad_value(e, key, value, "a duration as 30s or 2m, at most 1h");
    if (rc == SP_OK)
        j->writer_pause_ns = ns;
    return rc;
}

enum sp_code
sp_config_vss_key(struct sp_job *j, const char *key, const char *value, struct sp_err *e)
{
    if (strcmp(key, "require") == 0)
        return add_demand(j, value, e);
    if (strcmp(key, "if-below") == 0)
        return set_below(j, key, value, e);
    if (strcmp(key, "application") == 0)
        return add_pattern(&j->application, key, value, e);
    if (strcmp(key, "application-exclude") == 0)
        return add_pattern(&j->application_exclude, key, value, e);
    if (strcmp(key, "backup-type") == 0)
        return set_backup_type(j, key, value, e);
    if (strcmp(key, "writer-attempts") == 0)
        return set_attempts(j, key, value, e);
    if (strcmp(key, "writer-pause") == 0)
        return set_pause(j, key, value, e);
    if (strcmp(key, "second-shadow") == 0)
        return sp_config_bool(&j->second_shadow, key, value, e);
    return SP_ABSENT;
}

enum sp_code
sp_job_demands(const struct sp_job *j, struct sp_demands *ret, struct sp_err *e)
{
    struct sp_demands d = {.below = j->if_below};
    enum sp_code rc = SP_OK;

    for (size_t i = 0; i < j->require.n && rc == SP_OK; i++)
        rc = sp_demand_add(&d, j->require.s[i], e);
    if (rc != SP_OK)
        sp_demands_clear(&d);
    else
        *ret = d;
    return rc;
}

enum sp_level
sp_job_demands_most(const struct sp_job *j)
{
    enum sp_level most = SP_LEVEL_LIVE;
    struct sp_demands d = {0};
    struct sp_err ignored = {0};

    if (sp_job_demands(j, &d, &ignored) != SP_OK)
        return most;
    for (size_t i = 0; i < d.n; i++)
        if (d.v[i].level > most)
            most = d.v[i].level;
    sp_demands_clear(&d);
    return most;
}
