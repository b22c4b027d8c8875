#include <stdlib.h>

#include "base/path.h"
#include "base/text.h"
#include "client/canonical.h"
#include "client/job_run.h"
#include "client/system_excludes.h"

/* What a job would take and leave out, and why; makes nothing. */

static void
say_rule(struct sp_cli *c, struct sp_json *json, const char *pattern, const char *why)
{
    if (json == NULL) {
        sp_cli_say(c, "  %-44s %s", pattern, why);
        return;
    }
    sp_json_object(json);
    sp_json_kstr(json, "pattern", pattern);
    sp_json_kstr(json, "why", why);
    sp_json_object_end(json);
}

static enum sp_code
say_roots(struct sp_cli *c, const struct sp_job *j, struct sp_json *json, struct sp_err *e)
{
    struct sp_buf key = SP_BUF_INIT, path = SP_BUF_INIT, shown = SP_BUF_INIT;
    enum sp_code rc = SP_OK;

    for (size_t i = 0; i < j->paths.n && rc == SP_OK; i++) {
        char *real = NULL;

        sp_buf_reset(&key);
        sp_buf_reset(&path);
        sp_buf_reset(&shown);
        if ((rc = sp_path_canonical(j->paths.s[i], &real, e)) == SP_OK &&
            (rc = sp_key_from_path(real, &key, e)) == SP_OK) {
            sp_key_to_path(key.data, key.len, &path);
            sp_path_show(path.data, path.len, &shown);
            if (json == NULL)
                sp_cli_say(c, "  %s", sp_buf_str(&shown));
            else
                sp_json_str(json, sp_buf_str(&shown));
        }
        free(real);
    }
    sp_buf_free(&key);
    sp_buf_free(&path);
    sp_buf_free(&shown);
    return rc;
}

enum sp_exit
sp_job_explain(struct sp_cli *c, const struct sp_job *j, struct sp_json *json)
{
    struct sp_system_excludes system = {0};
    struct sp_err e = {0};
    enum sp_code rc;

    if ((rc = sp_system_excludes_get(&system, &e)) != SP_OK)
        goto out;
    if (json != NULL) {
        sp_json_object(json);
        sp_json_kstr(json, "job", j->name);
        sp_json_key(json, "paths");
        sp_json_array(json);
    } else {
        sp_cli_say(c, "%s would take", j->name);
    }
    rc = say_roots(c, j, json, &e);
    if (json != NULL) {
        sp_json_array_end(json);
        sp_json_key(json, "left_out");
        sp_json_array(json);
    } else if (rc == SP_OK) {
        sp_cli_say(c, "and leave out (the last pattern that matches decides; ! takes back)");
    }
    for (size_t i = 0; rc == SP_OK && j->system_excludes && i < system.n; i++)
        say_rule(c, json, system.v[i].pattern, system.v[i].why);
    for (size_t i = 0; rc == SP_OK && i < j->exclude.n; i++)
        say_rule(c, json, j->exclude.s[i], "this job");
    if (rc == SP_OK && j->cachedir_tag)
        say_rule(c, json, "**/CACHEDIR.TAG", "the content of folders that are marked as caches");
    if (json != NULL) {
        sp_json_array_end(json);
        sp_json_object_end(json);
    }
out:
    sp_system_excludes_clear(&system);
    return rc == SP_OK ? SP_EXIT_DONE : sp_cli_fail(c, &e);
}
