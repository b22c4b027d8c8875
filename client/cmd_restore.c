#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/path.h"
#include "client/commands.h"
#include "client/present.h"
#include "client/report.h"
#include "client/require.h"
#include "client/restore.h"
#include "client/select.h"
#include "client/set_reader.h"

static const char usage[] =
    "usage: stillpoint restore SET --target DIR [OPTIONS] [PATH…]\n"
    "       stillpoint restore SET --in-place [OPTIONS] [PATH…]\n\n"
    "Restores a whole set, or the PATHs of it that are named (as they were on the machine). Below "
    "the\n"
    "target the whole path is kept: DIR/home/me/letter. What is there already and equal is not\n"
    "written again, so a restore that was interrupted goes on when it is repeated.\n"
    "SET is an id (or its beginning), 'latest', JOB, or JOB~1 for the one before the last.\n\n"
    "      --target DIR        restore into this folder\n"
    "      --in-place          restore to where it came from\n"
    "      --include PATTERN   only what matches (gitignore's patterns); may be repeated\n"
    "      --if-exists replace|keep|newer   what to do with files that are there and differ:\n"
    "                          make them as in the set (default), leave them alone, or replace "
    "only\n"
    "                          those that are older than in the set\n"
    "      --strip N           leave out the first N components of each path below the target\n"
    "      --numeric-owner     owners by number, not by name\n"
    "      --dry-run           say what would be done, write nothing\n"
    "      --require 'LEVEL [for PATTERN]'   restore nothing unless the set is that consistent:\n"
    "                          application, crash or live; of all of it, or of what is named:\n"
    "                          'application for vm:web01', 'crash for D:\\data'. May be repeated\n"
    "      --accept-unsigned   restore a set that its host has not signed (forged or damaged)\n";

#define FAULTS_SHOWN 20

enum {
    OPT_TARGET = 1000,
    OPT_IN_PLACE,
    OPT_INCLUDE,
    OPT_IF_EXISTS,
    OPT_STRIP,
    OPT_NUMERIC,
    OPT_DRY_RUN,
    OPT_REQUIRE,
    OPT_UNSIGNED
};

struct restore {
    struct sp_report r;
    struct sp_restore_options o;
    struct sp_strings patterns;
    struct sp_demands demands;
    struct sp_filter *filter;
    bool in_place, accept_unsigned;
    char *temp, *target;
    struct sp_store *store;
    uint64_t total_bytes;
    struct sp_progress *progress;
    uint64_t faults;
    char *const *paths; /* as named */
    size_t npaths, absent;
};

/* --- events ----------------------------------------------------------------------------------- */

static void
on_fault(void *arg, const void *key, size_t n, const struct sp_err *why)
{
    struct restore *s = arg;
    struct sp_buf shown = SP_BUF_INIT;

    if (s->faults++ < FAULTS_SHOWN) {
        sp_progress_clear(s->progress);
        sp_present_key(key, n, &shown);
        sp_cli_warn(s->r.c, "%s: %s", sp_buf_str(&shown), why->text);
        sp_buf_free(&shown);
    }
    if (s->r.j == NULL)
        return;
    sp_json_object(s->r.j);
    sp_json_kstr(s->r.j, "event", "fault");
    sp_present_json_key(s->r.j, "path", key, n);
    sp_json_kstr(s->r.j, "text", why->text);
    sp_json_kstr(s->r.j, "code", sp_code_word(why->code));
    sp_json_object_end(s->r.j);
    sp_report_flow(&s->r);
}

static void
tell_absent(
    struct restore *s, const struct sp_found_set *f, const char *path, const struct sp_buf *key)
{
    struct sp_buf shown = SP_BUF_INIT;

    s->absent++;
    sp_path_show(path, strlen(path), &shown);
    sp_cli_warn(s->r.c, "%s is not in set %s", sp_buf_str(&shown), sp_present_id(f->set.set_id).s);
    sp_buf_free(&shown);
    if (s->r.j == NULL)
        return;
    sp_json_object(s->r.j);
    sp_json_kstr(s->r.j, "event", "fault");
    sp_present_json_key(s->r.j, "path", key->data, key->len);
    sp_json_kstr(s->r.j, "text", "it is not in the set");
    sp_json_kstr(s->r.j, "code", sp_code_word(SP_ABSENT));
    sp_json_object_end(s->r.j);
    sp_report_flow(&s->r);
}

static void
on_note(void *arg, const char *sentence)
{
    struct restore *s = arg;

    sp_progress_clear(s->progress);
    sp_cli_warn(s->r.c, "%s", sentence);
    if (s->r.j == NULL)
        return;
    sp_json_object(s->r.j);
    sp_json_kstr(s->r.j, "event", "note");
    sp_json_kstr(s->r.j, "text", sentence);
    sp_json_object_end(s->r.j);
}

static void
on_would(void *arg, const struct sp_entry *en, const char *what)
{
    struct restore *s = arg;

    if (s->r.j != NULL) {
        sp_json_object(s->r.j);
        sp_json_kstr(s->r.j, "event", "would");
        sp_json_kstr(s->r.j, "action", what);
        sp_json_key(s->r.j, "entry");
        sp_present_json_entry(s->r.j, en);
        sp_json_object_end(s->r.j);
        sp_report_flow(&s->r);
        return;
    }
    if (strcmp(what, "equal") == 0 && !s->r.c->verbose)
        return;
    sp_progress_clear(s->progress);
    (void)printf("%-10s ", what);
    sp_present_print_key(en->key, en->key_len);
    (void)fputs(en->type == SP_ENTRY_DIR && en->key_len > 0 ? "/\n" : "\n", stdout);
}

static void
on_progress(void *arg, const struct sp_restore_stats *so_far)
{
    struct restore *s = arg;

    sp_progress_show(s->progress, so_far->files, so_far->bytes, s->total_bytes, NULL, 0);
    if (sp_signals_stop(NULL)) /* what is under way ends there; the next restore goes on */
        sp_store_cancel(s->store);
}

/* --- the end ---------------------------------------------------------------------------------- */

static void
json_result(struct restore *s, const struct sp_found_set *f, const struct sp_restore_stats *t)
{
    struct sp_json *j = s->r.j;

    sp_json_kstr(j, "set", sp_hex16(f->set.set_id).s);
    sp_json_kstr(j, "job", f->set.job);
    sp_json_kbool(j, "dry_run", s->o.dry_run);
    sp_json_ku64(j, "entries", t->entries);
    sp_json_ku64(j, "files", t->files);
    sp_json_ku64(j, "bytes", t->bytes);
    sp_json_ku64(j, "files_equal", t->files_equal);
    sp_json_ku64(j, "bytes_equal", t->bytes_equal);
    sp_json_ku64(j, "bytes_fetched", t->bytes_fetched);
    sp_json_ku64(j, "kept", t->kept);
    sp_json_ku64(j, "faults", t->faults);
    sp_json_ku64(j, "not_supported", t->not_supported);
    sp_json_ku64(j, "absent", s->absent);
}

static void
say_result(struct restore *s, const struct sp_found_set *f, const struct sp_restore_stats *t)
{
    char kept[64] = "", faults[64] = "";

    if (t->kept > 0)
        (void)snprintf(kept, sizeof(kept), ", left %s alone", sp_text_count(t->kept).s);
    if (t->faults > 0)
        (void)snprintf(
            faults, sizeof(faults), "; %s NOT AS IN THE SET", sp_text_count(t->faults).s);
    if (t->faults > FAULTS_SHOWN)
        sp_cli_warn(s->r.c, "and %s more like these", sp_text_count(t->faults - FAULTS_SHOWN).s);
    sp_cli_say(s->r.c, "%s set %s %s %s: %s, %s, %s (%s, %s there already)%s%s",
        s->o.dry_run ? "would restore" : "restored", sp_present_id(f->set.set_id).s,
        s->in_place ? "in" : "to", s->in_place ? "place" : s->o.target,
        sp_present_count(t->entries, "entry", "entries").s,
        sp_present_count(t->files, "file", "files").s, sp_text_bytes(t->bytes).s,
        sp_present_count(t->files_equal, "file", "files").s, sp_text_bytes(t->bytes_equal).s, kept,
        faults);
    if (f->set.state == SP_SET_INCOMPLETE)
        sp_cli_warn(s->r.c,
            "the set itself is incomplete: %s files or folders could not be read as they were when "
            "it "
            "was made; 'stillpoint show %s' names them",
            sp_text_count(f->sealed.faults_total).s, sp_present_id(f->set.set_id).s);
}

/* --- the run ---------------------------------------------------------------------------------- */

static enum sp_code
check_set(const struct restore *s, const struct sp_found_set *f, struct sp_err *e)
{
    if (f->signed_ok)
        return SP_OK;
    if (f->unread.code != SP_OK && !s->accept_unsigned) {
        *e = f->unread;
        return sp_fail(e, SP_IO, SP_DOM_STORE,
            "%.700s; with --accept-unsigned it is restored all the same", f->unread.text);
    }
    if (!s->accept_unsigned)
        return sp_fail(e, SP_REFUSED, SP_DOM_STORE,
            "set %s is not signed by the host that it names: someone forged it, or the host's "
            "record "
            "is damaged or missing ('stillpoint check' tells more). With --accept-unsigned it is "
            "restored all the same; its content is then whatever a holder of the key put into it",
            sp_present_id(f->set.set_id).s);
    sp_cli_warn(s->r.c, f->unread.code != SP_OK
                            ? "who signed this set cannot be told; its content may be anyone's"
                            : "this set is not signed by its host; its content may be anyone's");
    return SP_OK;
}

static enum sp_code
make_temp(struct restore *s, struct sp_err *e)
{
    char *cache = NULL;
    enum sp_code rc;

    if ((rc = sp_os_place(SP_PLACE_CACHE, &cache, e)) == SP_OK &&
        (s->temp = sp_path_join(cache, "tmp")) == NULL)
        rc = sp_fail_nomem(e);
    if (rc == SP_OK)
        rc = sp_os_mkdirs(s->r.c->env->os, s->temp, e);
    free(cache);
    s->o.temp_dir = s->temp;
    return rc;
}

/* Each path that was named and is not there is told: what else was named is restored all the same.
 * A part of the catalog that cannot be read is the restore's own fault, told already. */
static enum sp_code
find_absent(
    struct restore *s, struct sp_opened_store *o, const struct sp_found_set *f, struct sp_err *e)
{
    struct sp_set_reader reader;
    struct sp_buf key = SP_BUF_INIT;
    struct sp_err ignored = {0};
    const struct sp_entry *en;
    enum sp_code rc;

    if (s->npaths == 0)
        return SP_OK;
    if ((rc = sp_set_reader_open(s->r.c, o, &f->set, true, &reader, e)) != SP_OK)
        return rc;
    for (size_t i = 0; i < s->npaths && rc == SP_OK; i++) {
        sp_buf_reset(&key);
        if ((rc = sp_select_key(s->paths[i], &key, e)) == SP_OK && key.len > 0 &&
            sp_catalog_find(reader.catalog, key.data, key.len, &en, &ignored) == SP_ABSENT)
            tell_absent(s, f, s->paths[i], &key);
    }
    sp_buf_free(&key);
    sp_set_reader_close(&reader);
    return rc;
}

static enum sp_code
run_set(struct restore *s, struct sp_opened_store *o, const struct sp_found_set *f,
    struct sp_restore_stats *ret, struct sp_err *e)
{
    struct sp_restore_events events = {
        .fault = on_fault, .note = on_note, .would = on_would, .progress = on_progress, .arg = s};
    enum sp_code rc;

    if ((rc = check_set(s, f, e)) != SP_OK || (rc = sp_found_set_need_key(f, e)) != SP_OK)
        return rc;
    if ((rc = sp_require_set(&s->demands, f, &s->r, e)) != SP_OK)
        return rc;
    s->store = o->store;
    s->total_bytes = s->filter == NULL ? f->set.bytes : 0;
    s->progress = sp_progress_new(s->r.c, s->o.dry_run ? "looking at" : "restoring");
    if (s->r.j != NULL) {
        sp_json_key(s->r.j, "events");
        sp_json_array(s->r.j);
    }
    rc = sp_restore_run(s->r.c->env, o->store, o->keys, &f->set.root, &s->o, &events, ret, e);
    rc = sp_set_reader_damage(rc, e);
    sp_progress_free(s->progress);
    s->progress = NULL;
    if (rc == SP_OK && ret->matched > 0)
        rc = find_absent(s, o, f, e);
    if (s->r.j != NULL)
        sp_json_array_end(s->r.j);
    if (rc != SP_OK)
        return rc;
    if (ret->matched == 0 && s->filter != NULL)
        return sp_fail(e, SP_ABSENT, SP_DOM_SOURCE,
            "nothing in set %s is what you named, so nothing was restored; 'stillpoint show %s "
            "PATH' and "
            "'stillpoint find PATTERN' show what there is (a path goes by its own name, not by a "
            "link to "
            "it)",
            sp_present_id(f->set.set_id).s, sp_present_id(f->set.set_id).s);
    if (s->r.j != NULL)
        json_result(s, f, ret);
    else
        say_result(s, f, ret);
    return SP_OK;
}

static enum sp_code
restore(struct restore *s, const char *spec, enum sp_exit *ret_code, struct sp_err *e)
{
    struct sp_opened_store o;
    struct sp_found_set f;
    struct sp_restore_stats stats;
    enum sp_code rc;

    memset(&stats, 0, sizeof(stats));
    if ((rc = make_temp(s, e)) != SP_OK ||
        (rc = sp_select_filter(&s->patterns, &s->filter, e)) != SP_OK)
        return rc;
    s->o.select = s->filter;
    if ((rc = sp_cli_open(s->r.c, NULL, SP_OPEN_READ, &o, e)) != SP_OK)
        return rc;
    if ((rc = sp_cli_find_set(s->r.c, &o, spec, &f, e)) == SP_OK) {
        rc = run_set(s, &o, &f, &stats, e);
        sp_found_set_clear(&f);
    }
    sp_cli_close(&o);
    *ret_code = stats.faults > 0 || s->absent > 0 ? SP_EXIT_PARTLY : SP_EXIT_DONE;
    return rc;
}

/* --- the command line ------------------------------------------------------------------------- */

static enum sp_exit
add_demand(struct restore *s, struct sp_cli *c, const char *text, struct sp_err *e)
{
    if (sp_demand_add(&s->demands, text, e) != SP_OK)
        return sp_cli_fail(c, e);
    if (s->demands.v[s->demands.n - 1].below != SP_BELOW_DEFAULT)
        return sp_cli_usage(c,
            "--require '%s': 'else' is for a backup; a restore of what is below writes nothing", text);
    return SP_EXIT_DONE;
}

static bool
set_if_exists(struct restore *s, const char *word)
{
    if (strcmp(word, "replace") == 0)
        s->o.if_exists = SP_IF_EXISTS_REPLACE;
    else if (strcmp(word, "keep") == 0)
        s->o.if_exists = SP_IF_EXISTS_KEEP;
    else if (strcmp(word, "newer") == 0)
        s->o.if_exists = SP_IF_EXISTS_NEWER;
    else
        return false;
    return true;
}

static enum sp_exit
parse(struct restore *s, struct sp_cli *c, struct sp_err *e)
{
    static const struct option longs[] = {{"target", required_argument, NULL, OPT_TARGET},
        {"in-place", no_argument, NULL, OPT_IN_PLACE},
        {"include", required_argument, NULL, OPT_INCLUDE},
        {"if-exists", required_argument, NULL, OPT_IF_EXISTS},
        {"strip", required_argument, NULL, OPT_STRIP},
        {"numeric-owner", no_argument, NULL, OPT_NUMERIC},
        {"dry-run", no_argument, NULL, OPT_DRY_RUN},
        {"require", required_argument, NULL, OPT_REQUIRE},
        {"accept-unsigned", no_argument, NULL, OPT_UNSIGNED}, {NULL, 0, NULL, 0}};
    const char *target = NULL;
    enum sp_exit code;
    uint64_t strip = 0;
    int opt, i;

    while ((opt = sp_cli_getopt(c, "", longs)) != -1) {
        if (opt == OPT_TARGET)
            target = optarg;
        else if (opt == OPT_IN_PLACE)
            s->in_place = true;
        else if (opt == OPT_NUMERIC)
            s->o.numeric_owner = true;
        else if (opt == OPT_DRY_RUN)
            s->o.dry_run = true;
        else if (opt == OPT_UNSIGNED)
            s->accept_unsigned = true;
        else if (opt == OPT_REQUIRE) {
            if ((code = add_demand(s, c, optarg, e)) != SP_EXIT_DONE)
                return code;
        } else if (opt == OPT_INCLUDE) {
            if (sp_strings_add(&s->patterns, optarg, e) != SP_OK)
                return sp_cli_fail(c, e);
        } else if (opt == OPT_IF_EXISTS) {
            if (!set_if_exists(s, optarg))
                return sp_cli_usage(
                    c, "--if-exists takes replace, keep or newer, not '%s'", optarg);
        } else if (opt == OPT_STRIP) {
            if (!sp_text_parse_u64(optarg, &strip) || strip > 1000)
                return sp_cli_usage(c, "--strip takes a number of components, not '%s'", optarg);
            s->o.strip = (size_t)strip;
        } else
            return SP_EXIT_USAGE;
    }
    if (optind == c->argc)
        return sp_cli_usage(c, "say which set: its id, 'latest', or a job");
    if ((target != NULL) == s->in_place)
        return sp_cli_usage(
            c, "say where to: --target DIR, or --in-place to where it came from (not both)");
    if (s->in_place && s->o.strip > 0)
        return sp_cli_usage(c, "--strip goes with --target only");
    s->paths = c->argv + optind + 1;
    s->npaths = (size_t)(c->argc - optind - 1);
    for (i = optind + 1; i < c->argc; i++) {
        if (sp_select_path(&s->patterns, c->argv[i], e) != SP_OK)
            return sp_cli_fail(c, e);
    }
    if (target != NULL && sp_os_absolute(target, &s->target, e) != SP_OK)
        return sp_cli_fail(c, e);
    s->o.target = s->target;
    return SP_EXIT_DONE;
}

static enum sp_exit
run(struct sp_cli *c)
{
    struct restore s;
    struct sp_err e = {0};
    enum sp_exit code;
    enum sp_code rc;

    memset(&s, 0, sizeof(s));
    if ((code = parse(&s, c, &e)) == SP_EXIT_DONE) {
        sp_signals_install();
        sp_report_begin(&s.r, c);
        rc = restore(&s, c->argv[optind], &code, &e);
        code = sp_report_end(&s.r, rc, &e, code);
    }
    sp_filter_free(s.filter);
    sp_strings_clear(&s.patterns);
    sp_demands_clear(&s.demands);
    free(s.temp);
    free(s.target);
    return code;
}

const struct sp_command sp_cmd_restore = {"restore", "restore from a set", usage, run};
