#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/path.h"
#include "client/commands.h"
#include "client/last_success.h"
#include "client/present.h"
#include "client/report.h"
#include "client/recall.h"
#include "client/sets.h"
#include "client/table.h"

static const char usage[] =
    "usage: stillpoint list [--all] [--job JOB] [--checkpoints]\n\n"
    "Lists the backup sets of this machine, the newest last, and when each job last made a complete\n"
    "one.\n\n"
    "      --all           of every machine that may be seen here\n"
    "      --job JOB       of one job\n"
    "      --checkpoints   also where a run that goes on, or died, has got to\n";

struct totals {
    uint64_t sets, checkpoints, bytes, stored, unsigned_sets, distrusted;
};

static const char *
sign_word(enum sp_signed s)
{
    return s == SP_SIGNED_BY_HOST ? "host" : s == SP_SIGNED_FOREIGN ? "foreign" : "none";
}

static void
count(struct totals *t, const struct sp_listed *l)
{
    if (l->type == SP_RECORD_CHECKPOINT) {
        t->checkpoints++;
        return;
    }
    t->sets++;
    t->bytes += l->set.bytes;
    t->stored += l->set.bytes_stored;
    t->unsigned_sets += l->sign == SP_SIGNED_NOT;
    t->distrusted += l->completed == SP_COMPLETED_DISTRUST;
}

static void
json_sets(struct sp_report *r, const struct sp_sets *s)
{
    size_t i;

    sp_json_key(r->j, "sets");
    sp_json_array(r->j);
    for (i = 0; i < s->n; i++) {
        sp_json_object(r->j);
        sp_present_json_set(r->j, &s->v[i].set, s->v[i].published_ns);
        sp_present_json_applications(
            r->j, s->v[i].applications, s->v[i].unconfirmed, s->v[i].completed);
        sp_json_kstr(r->j, "host", s->v[i].host_name);
        sp_json_kstr(r->j, "signed", sign_word(s->v[i].sign));
        sp_json_object_end(r->j);
        sp_report_flow(r);
    }
    sp_json_array_end(r->j);
}

static enum sp_code
text_sets(struct sp_cli *c, const struct sp_sets *s, struct sp_err *e)
{
    static const struct sp_column columns[] = {{"SET", false}, {"TIME", false}, {"AGE", true},
        {"JOB", false}, {"HOST", false}, {"STATE", false}, {"FILES ARE", false}, {"FILES", true},
        {"SIZE", true}, {"NEW", true}, {"STORED", true}, {"", false}};
    int64_t now = sp_clock_wall(c->env->clock);
    struct sp_table t;
    char time[32];
    size_t i;
    enum sp_code rc;

    sp_table_init(&t, columns, sizeof(columns) / sizeof(columns[0]));
    for (i = 0; i < s->n; i++) {
        const struct sp_listed *l = &s->v[i];
        struct sp_buf job = SP_BUF_INIT, host = SP_BUF_INIT;

        sp_time_local(l->published_ns, time);
        sp_path_show(l->set.job, strlen(l->set.job), &job);
        sp_path_show(l->host_name, strlen(l->host_name), &host);
        sp_table_cell(&t, "%s", sp_present_id(l->set.set_id).s);
        sp_table_cell(&t, "%s", time);
        sp_table_cell(&t, "%s", sp_present_age(l->published_ns, now).s);
        sp_table_cell(&t, "%s", sp_buf_str(&job));
        sp_table_cell(&t, "%s", l->host_name[0] != '\0' ? sp_buf_str(&host) : "?");
        sp_table_cell(&t, "%s", sp_present_state(l->set.state));
        sp_table_cell(&t, "%s",
            sp_present_levels(l->set.files_level, l->applications, l->unconfirmed).s);
        sp_table_cell(&t, "%s", sp_text_count(l->set.files).s);
        sp_table_cell(&t, "%s", sp_text_bytes(l->set.bytes).s);
        sp_table_cell(&t, "%s", sp_text_bytes(l->set.bytes_new).s);
        sp_table_cell(&t, "%s", sp_text_bytes(l->set.bytes_stored).s);
        sp_table_cell(&t, "%s", l->sign == SP_SIGNED_NOT ? "NOT SIGNED BY ITS HOST" : "");
        sp_buf_free(&job);
        sp_buf_free(&host);
    }
    rc = s->n > 0 ? sp_table_print(&t, e) : SP_OK;
    sp_table_clear(&t);
    return rc;
}

static void
say_totals(struct sp_cli *c, const struct totals *t, const char *address)
{
    char ratio[48] = "";

    if (t->sets == 0) {
        sp_cli_say(c, "no sets in %s%s", address,
            t->checkpoints > 0 ? ", only checkpoints" : " yet; make one with 'stillpoint backup'");
        return;
    }
    if (t->stored > 0)
        (void)snprintf(
            ratio, sizeof(ratio), ", a ratio of %.1f", (double)t->bytes / (double)t->stored);
    sp_cli_say(c, "%s with %s of files in %s; stored %s%s",
        sp_present_count(t->sets, "set", "sets").s, sp_text_bytes(t->bytes).s, address,
        sp_text_bytes(t->stored).s, ratio);
}

static void
on_missing(void *arg, const struct sp_check_finding *f)
{
    sp_cli_warn(arg, "%s", f->text);
}

static enum sp_code
list(struct sp_report *r, bool all, const char *job, bool checkpoints, struct sp_err *e)
{
    struct sp_opened_store o;
    struct sp_sets sets = {0};
    struct sp_last_success *jobs = NULL;
    struct totals t = {0};
    int64_t now = sp_clock_wall(r->c->env->clock);
    size_t i, njobs = 0;
    enum sp_code rc;

    if ((rc = sp_cli_open(r->c, NULL, SP_OPEN_READ, &o, e)) != SP_OK)
        return rc;
    if ((rc = sp_sets_list(&o, all, checkpoints, job, &sets, e)) != SP_OK)
        goto out;
    if ((rc = sp_last_successes(&sets, &jobs, &njobs, e)) != SP_OK)
        goto out;
    for (i = 0; i < sets.n; i++)
        count(&t, &sets.v[i]);
    if (r->j != NULL) {
        json_sets(r, &sets);
        sp_last_success_json(r->j, jobs, njobs, now);
        sp_json_ku64(r->j, "count", t.sets);
        sp_json_ku64(r->j, "bytes", t.bytes);
        sp_json_ku64(r->j, "bytes_stored", t.stored);
        sp_json_ku64(r->j, "unreadable_records", sets.unreadable);
    } else if ((rc = text_sets(r->c, &sets, e)) == SP_OK && (njobs == 0 || putchar('\n') != EOF) &&
               (rc = sp_last_success_print(jobs, njobs, now, e)) == SP_OK) {
        say_totals(r->c, &t, o.address);
    }
    /* Of one job, or of no host of this machine's, it would miss what was not asked for. */
    if (rc == SP_OK && job == NULL)
        rc = sp_recall_heads(r->c, &o, &sets, on_missing, r->c, e);
    if (t.unsigned_sets > 0)
        sp_cli_warn(r->c,
            "%s signed by the host it names: forged, damaged, or the host's record is missing; "
            "'stillpoint check' tells more, restore refuses it",
            sp_present_count(t.unsigned_sets, "set is not", "sets are not").s);
    if (t.distrusted > 0)
        sp_cli_warn(r->c,
            "%s not believed: not signed by the host of its set, damaged, or of another record; "
            "'stillpoint check' tells more",
            sp_present_count(t.distrusted, "completion is", "completions are").s);
    if (sets.unreadable > 0)
        sp_cli_warn(r->c, "%s be understood; 'stillpoint check' tells more",
            sp_present_count(sets.unreadable, "record cannot", "records cannot").s);
out:
    free(jobs);
    sp_sets_clear(&sets);
    sp_cli_close(&o);
    return rc;
}

static enum sp_exit
run(struct sp_cli *c)
{
    static const struct option longs[] = {{"all", no_argument, NULL, 'a'},
        {"job", required_argument, NULL, 'j'}, {"checkpoints", no_argument, NULL, 'c'},
        {NULL, 0, NULL, 0}};
    bool all = false, checkpoints = false;
    const char *job = NULL;
    struct sp_report r;
    struct sp_err e = {0};
    int opt;

    while ((opt = sp_cli_getopt(c, "", longs)) != -1) {
        if (opt == 'a')
            all = true;
        else if (opt == 'j')
            job = optarg;
        else if (opt == 'c')
            checkpoints = true;
        else
            return SP_EXIT_USAGE;
    }
    if (optind < c->argc)
        return sp_cli_usage(
            c, "'%s' is too much; to see one set: stillpoint show SET", c->argv[optind]);
    sp_report_begin(&r, c);
    return sp_report_end(&r, list(&r, all, job, checkpoints, &e), &e, SP_EXIT_DONE);
}

const struct sp_command sp_cmd_list = {"list", "list backup sets", usage, run};
