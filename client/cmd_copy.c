#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/path.h"
#include "client/commands.h"
#include "client/copy_init.h"
#include "client/copy_select.h"
#include "client/present.h"
#include "client/report.h"
#include "client/run_turn.h"
#include "storage/copy.h"

static const char usage[] =
    "usage: stillpoint copy FROM TO [SET…] [--job JOB] [--host HOST] [--all]\n\n"
    "Copies backup sets from one repository to another, a path, an SFTP account or a server each: "
    "the\n"
    "copy outside of the house. Blocks go over as they are, so no key is needed; each is held "
    "against\n"
    "the hash that was stored with it. What TO has is not sent again: a copy that was cut goes on\n"
    "where it was, and a second one sends nothing. Make TO with 'stillpoint init --like FROM -r "
    "TO'.\n"
    "Without SET, --job and --host all sets are copied that may be seen in FROM.\n\n"
    "  SET                an id or its beginning, 'latest', JOB, JOB~1 (the one before), HOST:JOB\n"
    "      --job JOB      all sets of one job\n"
    "      --host HOST    all sets of one host, by name or id\n"
    "      --all          all sets (as without any of these)\n"
    "      --open         open every block and recompute every id as well: needs the key, and "
    "about\n"
    "                     as much of a processor as a restore; always so where FROM is a server\n"
    "      --accept-gaps  copy jobs whose chain in FROM has a gap that no removal record explains\n"
    "      --accept-host-keys  take in signing keys of hosts that TO knows without them, which "
    "only\n"
    "                     --open can prove: after a host was set up anew\n"
    "      --add-keys     TO has other keys, and takes in those (and the hosts) of FROM beside "
    "them\n"
    "      --dry-run      say what would be sent, and write nothing\n\n"
    "Exit code 3 when something in FROM is damaged: the sets concerned are named and the others\n"
    "copied. 4 when a job was not copied because its chain has a gap or forks.\n";

struct copy {
    struct sp_report r;
    struct sp_copy_asked asked;
    struct sp_copy_options o;
    struct sp_copy_totals totals;
    struct sp_opened_store from, to;
    struct sp_sets sets; /* of FROM */
    uint8_t (*ids)[16];
    size_t nids;
    bool *held; /* of `sets`: TO has it */
    bool open;
    struct sp_progress *progress;
    int64_t started_ns;
};

/* --- what comes of it ------------------------------------------------------------------------- */

static bool
wanted(void *arg, const struct sp_set *set, int64_t published_ns)
{
    const struct copy *k = arg;

    (void)published_ns;
    return sp_copy_selected((const uint8_t(*)[16])k->ids, k->nids, set->set_id);
}

static const struct sp_listed *
listed(const struct copy *k, const struct sp_set *set, size_t *ret_at)
{
    for (size_t i = 0; i < k->sets.n; i++)
        if (memcmp(k->sets.v[i].set.set_id, set->set_id, 16) == 0) {
            *ret_at = i;
            return &k->sets.v[i];
        }
    return NULL;
}

static void
json_event(struct copy *k, const struct sp_copy_event *ev, const struct sp_listed *l)
{
    struct sp_json *j = k->r.j;

    sp_json_object(j);
    sp_json_kstr(j, "result", sp_copy_word(ev->what));
    if (ev->set != NULL) {
        sp_json_kstr(j, "set", sp_hex16(ev->set->set_id).s);
        sp_json_kstr(j, "host_id", sp_hex16(ev->set->host).s);
        sp_json_kstr(j, "host", l != NULL ? l->host_name : "");
        sp_json_kstr(j, "job", ev->set->job);
        sp_json_ku64(j, "sequence", ev->set->sequence);
    }
    if (ev->text[0] != '\0')
        sp_json_kstr(j, "text", ev->text);
    sp_json_object_end(j);
    sp_report_flow(&k->r);
}

static void
text_event(struct copy *k, const struct sp_copy_event *ev, const struct sp_listed *l)
{
    char time[32] = "";

    sp_progress_clear(k->progress);
    if (ev->set == NULL) {
        sp_cli_warn(k->r.c, "%s", ev->text);
        return;
    }
    sp_time_local(ev->published_ns, time);
    if (ev->what == SP_COPY_SET_FAILED || ev->what == SP_COPY_SET_REFUSED)
        sp_cli_warn(k->r.c, "set %s%s%s (%s) is not copied: %s", sp_present_id(ev->set->set_id).s,
            ev->set->job[0] != '\0' ? " of job " : "", ev->set->job, time, ev->text);
    else if (ev->what == SP_COPY_SET_HEALED)
        sp_cli_say(k->r.c, "%s  %s  %s  %s  was there and lacked something: sent again",
            sp_present_id(ev->set->set_id).s, time, l != NULL ? l->host_name : "?", ev->set->job);
    else if (ev->what == SP_COPY_SET_COPIED)
        sp_cli_say(k->r.c, "%s  %s  %s  %s", sp_present_id(ev->set->set_id).s, time,
            l != NULL ? l->host_name : "?", ev->set->job);
}

static void
on_event(void *arg, const struct sp_copy_event *ev)
{
    struct copy *k = arg;
    const struct sp_listed *l;
    size_t at = 0;

    l = ev->set != NULL ? listed(k, ev->set, &at) : NULL;
    if (l != NULL && (ev->what == SP_COPY_SET_COPIED || ev->what == SP_COPY_SET_THERE ||
                         ev->what == SP_COPY_SET_HEALED))
        k->held[at] = true;
    if (k->r.j != NULL)
        json_event(k, ev, l);
    if (k->r.j == NULL || ev->set == NULL || ev->what == SP_COPY_SET_FAILED)
        text_event(k, ev, l);
}

static void
on_progress(void *arg, const struct sp_copy_totals *t)
{
    struct copy *k = arg;
    int64_t took_ns = sp_clock_mono(k->r.c->env->clock) - k->started_ns;
    uint64_t rate = took_ns > SP_SECOND
                        ? (uint64_t)((double)t->bytes * (double)SP_SECOND / (double)took_ns)
                        : 0;

    sp_progress_tell(k->progress, t->sets, t->sets_total, "set %s of %s, %s sent, %s/s",
        sp_text_count(t->sets + (t->sets < t->sets_total)).s, sp_text_count(t->sets_total).s,
        sp_text_bytes(t->bytes).s, sp_text_bytes(rate).s);
}

static bool
stop(void *arg)
{
    (void)arg;
    return sp_signals_stop(NULL);
}

/* --- the end ---------------------------------------------------------------------------------- */

/* "12 sets copied, 3 were there; 1.2 GB sent". */
static void
say_totals(const struct copy *k)
{
    const struct sp_copy_totals *t = &k->totals;
    const char *would = k->o.dry_run ? "would be " : "";
    struct sp_buf b = SP_BUF_INIT;

    sp_buf_printf(&b, "%s %scopied, %s %s there", sp_present_count(t->sets_copied, "set", "sets").s,
        would, sp_text_count(t->sets_there + t->sets_healed).s,
        t->sets_there + t->sets_healed == 1 ? "was" : "were");
    if (t->sets_healed > 0)
        sp_buf_printf(&b, " (%s lacked something, which %ssent again)",
            sp_text_count(t->sets_healed).s, k->o.dry_run ? "would be " : "was ");
    if (t->sets_failed + t->sets_refused > 0)
        sp_buf_printf(&b, ", %s not copied", sp_text_count(t->sets_failed + t->sets_refused).s);
    if (t->sets_copied + t->sets_healed == 0 && t->bytes == 0)
        sp_buf_printf(&b, "; nothing %ssent", would);
    else if (!k->o.dry_run || t->bytes_known)
        sp_buf_printf(&b, "; %s%s %ssent to %s", k->o.dry_run ? "about " : "",
            sp_text_bytes(t->bytes).s, would, k->to.address);
    sp_cli_say(k->r.c, "%s", sp_buf_str(&b));
    sp_buf_free(&b);
}

static enum sp_code
verdict(const struct copy *k, struct sp_err *e)
{
    const struct sp_copy_totals *t = &k->totals;

    if (t->sets_failed > 0)
        return sp_fail(e, SP_CORRUPT, SP_DOM_STORE,
            "%s of %s could not be copied from %s: what they need is damaged there, or missing "
            "('stillpoint check --read-data -r %s' tells more); the others are at %s",
            sp_text_count(t->sets_failed).s, sp_present_count(t->sets_total, "set", "sets").s,
            k->from.address, k->from.address, k->to.address);
    if (t->sets_refused > 0)
        return sp_fail(e, SP_REFUSED, SP_DOM_STORE, "%s of %s not copied; see above why",
            sp_text_count(t->sets_refused).s, sp_present_count(t->sets_total, "set", "sets").s);
    if (t->damaged > 0)
        return sp_fail(e, SP_CORRUPT, SP_DOM_STORE,
            "all sets were copied, but %s in %s are bad, and another copy of them served: the next "
            "backup stores them again",
            sp_present_count(t->damaged, "block", "blocks").s, k->from.address);
    return SP_OK;
}

/* What this machine may expect to find at TO from now on (R21): the newest of its own sets. */
static enum sp_code
remember(const struct copy *k, struct sp_err *e)
{
    const struct sp_profile *p = k->to.profile;
    struct sp_cli *c = k->r.c;
    uint8_t hash[32];
    uint64_t sequence;
    enum sp_code rc = SP_OK;

    if (p == NULL || k->o.dry_run || k->held == NULL)
        return SP_OK;
    for (size_t i = 0; i < k->sets.n && rc == SP_OK; i++) {
        const struct sp_listed *l = &k->sets.v[i];

        if (!k->held[i] || memcmp(l->set.host, p->host, 16) != 0)
            continue;
        rc = sp_profile_head(c->env, p, l->set.job, &sequence, hash, e);
        if (rc == SP_OK && l->set.sequence > sequence)
            rc = sp_profile_set_head(c->env, p, l->set.job, l->set.sequence, l->hash, e);
    }
    return rc;
}

/* --- the command ------------------------------------------------------------------------------ */

static enum sp_code
open_both(struct copy *k, const char *from, const char *to, struct sp_err *e)
{
    struct sp_cli *c = k->r.c;
    enum sp_code rc;

    if ((rc = sp_cli_open(c, from, k->open ? SP_OPEN_READ : SP_OPEN_LOOK, &k->from, e)) != SP_OK)
        return rc;
    if ((rc = sp_cli_open(c, to, k->o.dry_run ? SP_OPEN_LOOK : SP_OPEN_COPY, &k->to, e)) != SP_OK)
        return rc;
    if (k->open || sp_store_repository(k->from.store) == NULL)
        k->o.keys = k->from.keys;
    return SP_OK;
}

static enum sp_code
choose(struct copy *k, struct sp_err *e)
{
    enum sp_code rc = sp_sets_list(&k->from, true, false, NULL, &k->sets, e);

    if (rc != SP_OK)
        return rc;
    if ((k->held = calloc(k->sets.n + 1, sizeof(*k->held))) == NULL)
        return sp_fail_nomem(e);
    if (k->asked.nspecs == 0 && k->asked.job == NULL && k->asked.host == NULL)
        return SP_OK;
    k->o.wanted = wanted;
    k->o.wanted_arg = k;
    return sp_copy_select(&k->from, &k->asked, &k->sets, &k->ids, &k->nids, e);
}

static enum sp_code
copy(struct copy *k, const char *from, const char *to, struct sp_err *e)
{
    struct sp_cli *c = k->r.c;
    struct sp_copy_side source, target;
    struct sp_run_lock *turn = NULL;
    struct sp_err why = {0};
    enum sp_code rc;

    if ((rc = open_both(k, from, to, e)) != SP_OK || (rc = choose(k, e)) != SP_OK ||
        (rc = sp_copy_side_of(&k->from, &source, e)) != SP_OK ||
        (rc = sp_copy_side_of(&k->to, &target, e)) != SP_OK)
        goto out;
    if (k->to.profile != NULL && !k->o.dry_run &&
        (rc = sp_run_lock_wait(c, k->to.profile->folder, "copy", &turn, e)) != SP_OK)
        goto out;
    k->o.stop = stop;
    k->o.event = on_event;
    k->o.progress = on_progress;
    k->o.arg = k;
    k->started_ns = sp_clock_mono(c->env->clock);
    k->progress = sp_progress_new(c, "copying");
    if (k->r.j != NULL) {
        sp_json_key(k->r.j, "events");
        sp_json_array(k->r.j);
    }
    rc = sp_copy(&source, &target, &k->o, &k->totals, e);
    sp_progress_free(k->progress);
    k->progress = NULL;
    if (k->r.j != NULL) {
        sp_json_array_end(k->r.j);
        sp_copy_totals_json(k->r.j, &k->totals, k->o.dry_run);
    }
    if (rc == SP_OK || k->totals.sets > 0)
        say_totals(k);
    if (remember(k, &why) != SP_OK)
        sp_cli_warn(c, "what is at %s now could not be remembered here: %s", to, why.text);
    if (rc == SP_OK)
        rc = verdict(k, e);
out:
    sp_run_lock_free(turn);
    sp_cli_close(&k->to);
    sp_cli_close(&k->from);
    sp_sets_clear(&k->sets);
    free(k->held);
    free(k->ids);
    return rc;
}

static enum sp_exit
run(struct sp_cli *c)
{
    static const struct option longs[] = {{"job", required_argument, NULL, 'j'},
        {"host", required_argument, NULL, 'h'}, {"all", no_argument, NULL, 'a'},
        {"open", no_argument, NULL, 'o'}, {"accept-gaps", no_argument, NULL, 'g'},
        {"accept-host-keys", no_argument, NULL, 'K'}, {"add-keys", no_argument, NULL, 'k'},
        {"dry-run", no_argument, NULL, 'd'}, {NULL, 0, NULL, 0}};
    struct copy k;
    struct sp_err e = {0};
    bool all = false;
    enum sp_exit code;
    enum sp_code rc;
    int opt;

    memset(&k, 0, sizeof(k));
    while ((opt = sp_cli_getopt(c, "", longs)) != -1) {
        if (opt == 'j')
            k.asked.job = optarg;
        else if (opt == 'h')
            k.asked.host = optarg;
        else if (opt == 'a')
            all = true;
        else if (opt == 'o')
            k.open = true;
        else if (opt == 'g')
            k.o.accept_gaps = true;
        else if (opt == 'K')
            k.o.hosts_proven = true;
        else if (opt == 'k')
            k.o.add_groups = true;
        else if (opt == 'd')
            k.o.dry_run = true;
        else
            return SP_EXIT_USAGE;
    }
    if (c->repository != NULL)
        return sp_cli_usage(c, "say both repositories as words, not with -r: copy FROM TO");
    if (c->argc - optind < 2)
        return sp_cli_usage(c, "say from where and to where: copy FROM TO");
    k.asked.specs = c->argv + optind + 2;
    k.asked.nspecs = (size_t)(c->argc - optind - 2);
    if (all && (k.asked.nspecs > 0 || k.asked.job != NULL || k.asked.host != NULL))
        return sp_cli_usage(c, "--all is all sets; give it, or which");
    sp_report_begin(&k.r, c);
    rc = copy(&k, c->argv[optind], c->argv[optind + 1], &e);
    code = sp_report_end(&k.r, rc, &e, SP_EXIT_DONE);
    return code;
}

const struct sp_command sp_cmd_copy = {"copy", "copy sets to another repository", usage, run};
