#include "client/last_success.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/path.h"
#include "client/present.h"
#include "client/table.h"

static struct sp_last_success *
find(struct sp_last_success *v, size_t n, const struct sp_listed *l)
{
    size_t i;

    for (i = 0; i < n; i++)
        if (memcmp(v[i].host, l->set.host, 16) == 0 && strcmp(v[i].job, l->set.job) == 0)
            return &v[i];
    return NULL;
}

enum sp_code
sp_last_successes(
    const struct sp_sets *s, struct sp_last_success **ret, size_t *ret_n, struct sp_err *e)
{
    struct sp_last_success *v = calloc(s->n + 1, sizeof(*v)), *one;
    size_t i, n = 0;

    if (v == NULL)
        return sp_fail_nomem(e);
    for (i = 0; i < s->n; i++) { /* oldest first */
        const struct sp_listed *l = &s->v[i];

        if (l->type == SP_RECORD_CHECKPOINT)
            continue;
        if ((one = find(v, n, l)) == NULL) {
            one = &v[n++];
            one->job = l->set.job;
            one->host_name = l->host_name;
            memcpy(one->host, l->set.host, 16);
        }
        one->set_ns = l->published_ns;
        if (l->set.state == SP_SET_COMPLETE && l->sign != SP_SIGNED_NOT)
            one->success_ns = l->published_ns;
    }
    *ret = v;
    *ret_n = n;
    return SP_OK;
}

enum sp_code
sp_last_success_print(const struct sp_last_success *v, size_t n, int64_t now_ns, struct sp_err *e)
{
    static const struct sp_column columns[] = {
        {"JOB", false}, {"HOST", false}, {"LAST SUCCESS", false}, {"AGE", true}, {"", false}};
    struct sp_table t;
    char time[32];
    size_t i;
    enum sp_code rc;

    sp_table_init(&t, columns, sizeof(columns) / sizeof(columns[0]));
    for (i = 0; i < n; i++) {
        struct sp_buf job = SP_BUF_INIT, host = SP_BUF_INIT;

        sp_path_show(v[i].job, strlen(v[i].job), &job);
        sp_path_show(v[i].host_name, strlen(v[i].host_name), &host);
        sp_time_local(v[i].success_ns, time);
        sp_table_cell(&t, "%s", sp_buf_str(&job));
        sp_table_cell(&t, "%s", v[i].host_name[0] != '\0' ? sp_buf_str(&host) : "?");
        sp_table_cell(&t, "%s", v[i].success_ns != 0 ? time : "never");
        sp_table_cell(
            &t, "%s", v[i].success_ns != 0 ? sp_present_age(v[i].success_ns, now_ns).s : "");
        sp_table_cell(
            &t, "%s", v[i].set_ns != v[i].success_ns ? "the last set is not complete" : "");
        sp_buf_free(&job);
        sp_buf_free(&host);
    }
    rc = n > 0 ? sp_table_print(&t, e) : SP_OK;
    sp_table_clear(&t);
    return rc;
}

void
sp_last_success_json(struct sp_json *j, const struct sp_last_success *v, size_t n, int64_t now_ns)
{
    size_t i;

    sp_json_key(j, "jobs");
    sp_json_array(j);
    for (i = 0; i < n; i++) {
        sp_json_object(j);
        sp_json_kstr(j, "job", v[i].job);
        sp_json_kstr(j, "host", v[i].host_name);
        sp_json_kstr(j, "host_id", sp_hex16(v[i].host).s);
        sp_json_key(j, "last_set");
        sp_json_time(j, v[i].set_ns);
        sp_json_key(j, "last_success");
        if (v[i].success_ns != 0)
            sp_json_time(j, v[i].success_ns);
        else
            sp_json_null(j);
        sp_json_key(j, "last_success_age_seconds");
        if (v[i].success_ns != 0)
            sp_json_i64(j, (now_ns - v[i].success_ns) / SP_SECOND);
        else
            sp_json_null(j);
        sp_json_object_end(j);
    }
    sp_json_array_end(j);
}
