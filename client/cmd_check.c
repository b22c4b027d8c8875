#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/path.h"
#include "client/commands.h"
#include "client/lost_paths.h"
#include "client/present.h"
#include "client/recall.h"
#include "client/report.h"

static const char usage[] =
    "usage: stillpoint check [--read-data | --read-data-subset N/M | --read-data-subset auto]\n\n"
    "Looks for damage in a repository, and never changes anything: that every object is what its\n"
    "name says, that the index agrees with the packs, that the chains of sets have no gaps, and "
    "that\n"
    "every set has all that it refers to. Needs no key for a folder; with one it names the files "
    "that\n"
    "a damage concerns, and on a machine that backs up there it knows which sets and key slots "
    "have "
    "to\n"
    "be there. Exit code 3 when there is damage.\n\n"
    "      --read-data                read every byte of every pack as well\n"
    "      --read-data-subset N/M     read the N-th of M parts\n"
    "      --read-data-subset auto    read the next of 30 parts, and remember it: run daily, it "
    "reads\n"
    "                                 everything once a month\n";

#define AUTO_PARTS 30
#define AUTO_FILE "check"

struct check {
    struct sp_report r;
    struct sp_check_options o;
    bool automatic;
    struct sp_check_totals totals;
    struct sp_lost_ids lost;
    uint64_t notes;
    struct sp_progress *progress;
    bool headed; /* the set whose paths are being named was named itself */
    const struct sp_listed *set;
};

/* --- parts ------------------------------------------------------------------------------------ */

/* "7/30"; false when it is not that. */
static bool
parse_part(const char *text, uint32_t *ret_part, uint32_t *ret_parts)
{
    const char *slash = strchr(text, '/');
    char first[16];
    uint64_t part, parts;
    size_t n;

    if (slash == NULL || (n = (size_t)(slash - text)) == 0 || n >= sizeof(first))
        return false;
    memcpy(first, text, n);
    first[n] = '\0';
    if (!sp_text_parse_u64(first, &part) || !sp_text_parse_u64(slash + 1, &parts) || part == 0 ||
        part > parts || parts > 100000)
        return false;
    *ret_part = (uint32_t)part;
    *ret_parts = (uint32_t)parts;
    return true;
}

static enum sp_code
auto_file(const struct sp_opened_store *o, char **ret, struct sp_err *e)
{
    if (o->profile == NULL)
        return sp_fail(e, SP_INVALID, SP_DOM_CONFIG,
            "'auto' is remembered with what this machine knows of a repository, and it knows "
            "nothing of "
            "%s; say which part: --read-data-subset 1/%d",
            o->address, AUTO_PARTS);
    *ret = sp_path_join(o->profile->folder, AUTO_FILE);
    return *ret == NULL ? sp_fail_nomem(e) : SP_OK;
}

/* The part that is due. A file that makes no sense counts as none: it is a hint. */
static enum sp_code
resolve_auto(struct check *k, const struct sp_opened_store *o, struct sp_err *e)
{
    struct sp_err ignored = {0};
    char *file = NULL, text[32] = "";
    uint8_t *p = NULL;
    size_t n = 0;
    enum sp_code rc;

    k->o.part = 1;
    k->o.parts = AUTO_PARTS;
    if ((rc = auto_file(o, &file, e)) != SP_OK)
        return rc;
    if (sp_os_read_file(k->r.c->env->os, file, sizeof(text) - 1, &p, &n, &ignored) == SP_OK) {
        memcpy(text, p, n);
        text[n] = '\0';
        text[strcspn(text, "\n")] = '\0';
        if (!parse_part(text, &k->o.part, &k->o.parts) || k->o.parts != AUTO_PARTS) {
            k->o.part = 1;
            k->o.parts = AUTO_PARTS;
        }
    }
    free(p);
    free(file);
    return SP_OK;
}

static enum sp_code
remember_next(struct check *k, const struct sp_opened_store *o, struct sp_err *e)
{
    char *file = NULL, text[32];
    enum sp_code rc;

    if ((rc = auto_file(o, &file, e)) != SP_OK)
        return rc;
    (void)snprintf(text, sizeof(text), "%" PRIu32 "/%d\n", k->o.part % AUTO_PARTS + 1, AUTO_PARTS);
    rc = sp_os_write_file(k->r.c->env->os, file, text, strlen(text), e);
    free(file);
    return rc;
}

/* --- findings --------------------------------------------------------------------------------- */

static enum sp_code
on_finding(void *arg, const struct sp_check_finding *f, struct sp_err *e)
{
    static const uint8_t none[16];
    struct check *k = arg;
    bool has_set = memcmp(f->set_id, none, 16) != 0;
    struct sp_buf text = SP_BUF_INIT;

    k->notes += f->severity == SP_FINDING_NOTE;
    sp_progress_clear(k->progress);
    if (k->r.j != NULL) {
        sp_json_object(k->r.j);
        sp_json_kstr(k->r.j, "severity", f->severity == SP_FINDING_FAULT ? "fault" : "note");
        sp_json_kstr(k->r.j, "object", f->object);
        if (has_set)
            sp_json_kstr(k->r.j, "set", sp_hex16(f->set_id).s);
        sp_json_kstr(k->r.j, "text", f->text);
        sp_json_ku64(k->r.j, "chunks_lost", f->nids);
        sp_json_object_end(k->r.j);
        sp_report_flow(&k->r);
    } else if (f->severity == SP_FINDING_FAULT || !k->r.c->quiet) {
        sp_path_show(f->text, strlen(f->text), &text);
        (void)printf("%s ", f->severity == SP_FINDING_FAULT ? "FAULT" : "note ");
        if (has_set)
            (void)printf("set %s: ", sp_present_id(f->set_id).s);
        (void)printf("%s%s%s\n", f->object, f->object[0] != '\0' ? ": " : "", sp_buf_str(&text));
        sp_buf_free(&text);
    }
    return sp_lost_ids_take(&k->lost, f, e);
}

/* --- the files concerned ---------------------------------------------------------------------- */

/* A set is named when something of it is: one that is none the worse for the damage is not. */
static void
head(struct check *k)
{
    const struct sp_listed *l = k->set;

    if (k->headed)
        return;
    k->headed = true;
    if (k->r.j != NULL) {
        sp_json_object(k->r.j);
        sp_json_kstr(k->r.j, "set", sp_hex16(l->set.set_id).s);
        sp_json_kstr(k->r.j, "job", l->set.job);
        sp_json_kstr(k->r.j, "host", l->host_name);
        sp_json_key(k->r.j, "paths");
        sp_json_array(k->r.j);
    } else {
        (void)printf("set %s (", sp_present_id(l->set.set_id).s);
        sp_present_print_text(l->set.job);
        (void)fputs(" of ", stdout);
        sp_present_print_text(l->host_name);
        (void)fputs("):\n", stdout);
    }
}

static void
on_path(void *arg, const void *key, size_t n, const char *text)
{
    struct check *k = arg;

    head(k);
    if (k->r.j != NULL) {
        sp_json_object(k->r.j);
        if (n > 0)
            sp_present_json_key(k->r.j, "path", key, n);
        sp_json_kstr(k->r.j, "text", text);
        sp_json_object_end(k->r.j);
        sp_report_flow(&k->r);
        return;
    }
    (void)fputs("  ", stdout);
    if (n > 0)
        sp_present_print_key(key, n);
    (void)fputs(n > 0 ? ": " : "part of the catalog: ", stdout);
    sp_present_print_text(text);
    (void)putchar('\n');
}

static enum sp_code
name_in_set(struct check *k, struct sp_opened_store *o, const struct sp_listed *l, struct sp_err *e)
{
    uint64_t total = 0, parts = 0;
    enum sp_code rc;

    k->set = l;
    k->headed = false;
    rc = sp_lost_paths(k->r.c, o, &l->set, &k->lost, on_path, k, &total, &parts, e);
    if (!k->headed)
        return rc;
    if (k->r.j != NULL) {
        sp_json_array_end(k->r.j);
        sp_json_ku64(k->r.j, "files_damaged", total);
        sp_json_ku64(k->r.j, "catalog_parts_damaged", parts);
        sp_json_object_end(k->r.j);
    } else if (rc == SP_OK) {
        (void)printf("  %s damaged%s\n", sp_present_count(total, "file is", "files are").s,
            parts > 0 ? ", and what the damaged parts of the catalog hold" : "");
    }
    return rc;
}

/* Opens the repository anew: after a check it mistrusts whole packs in which one block was bad. */
static enum sp_code
name_paths(struct check *k, struct sp_err *e)
{
    struct sp_opened_store o;
    struct sp_sets sets;
    size_t i;
    enum sp_code rc;

    sp_lost_ids_sort(&k->lost);
    if (k->r.j != NULL) {
        sp_json_ku64(k->r.j, "chunks_lost", k->lost.n);
        sp_json_key(k->r.j, "sets_damaged");
        sp_json_array(k->r.j);
    }
    if ((rc = sp_cli_open(k->r.c, NULL, SP_OPEN_LOOK, &o, e)) != SP_OK)
        goto out;
    if ((rc = sp_sets_list(&o, true, false, NULL, &sets, e)) == SP_OK) {
        for (i = sets.n; i-- > 0 && rc == SP_OK;) { /* the newest first */
            if (memcmp(sets.v[i].set.group, sp_keys_group(o.keys), 16) == 0)
                rc = name_in_set(k, &o, &sets.v[i], e);
        }
        sp_sets_clear(&sets);
    }
    sp_cli_close(&o);
    if (k->lost.more)
        sp_cli_warn(k->r.c, "more chunks are lost than are named here");
out:
    if (k->r.j != NULL)
        sp_json_array_end(k->r.j);
    return rc;
}

/* --- the command ------------------------------------------------------------------------------ */

static void
end(struct check *k)
{
    const struct sp_check_totals *t = &k->totals;
    char read[96] = "";

    if (k->r.j != NULL) {
        sp_json_ku64(k->r.j, "objects", t->objects);
        sp_json_ku64(k->r.j, "packs", t->packs);
        sp_json_ku64(k->r.j, "packs_read", t->packs_read);
        sp_json_ku64(k->r.j, "bytes_read", t->bytes_read);
        sp_json_ku64(k->r.j, "sets", t->sets);
        sp_json_ku64(k->r.j, "chunks", t->chunks);
        sp_json_ku64(k->r.j, "faults", t->faults);
        sp_json_ku64(k->r.j, "notes", k->notes);
        if (k->o.parts > 0) {
            sp_json_ku64(k->r.j, "part", k->o.part);
            sp_json_ku64(k->r.j, "parts", k->o.parts);
        }
        return;
    }
    if (k->o.depth == SP_CHECK_DATA && k->o.parts > 0)
        (void)snprintf(read, sizeof(read), "; part %" PRIu32 " of %" PRIu32 ": %s read", k->o.part,
            k->o.parts, sp_present_count(t->packs_read, "pack", "packs").s);
    else if (k->o.depth == SP_CHECK_DATA)
        (void)snprintf(read, sizeof(read), "; %s read", sp_text_bytes(t->bytes_read).s);
    sp_cli_say(k->r.c, "%s: checked %s, %s%s", t->faults == 0 ? "no damage found" : "DAMAGE FOUND",
        sp_present_count(t->packs, "pack", "packs").s, sp_present_count(t->sets, "set", "sets").s,
        read);
}

static void
on_recall(void *arg, const struct sp_check_finding *f)
{
    struct check *k = arg;
    struct sp_err ignored = {0};

    k->totals.faults++;
    (void)on_finding(k, f, &ignored); /* it names no chunks, so it needs no memory */
}

/* What only this machine can miss. */
static enum sp_code
recall(struct check *k, struct sp_opened_store *o, struct sp_err *e)
{
    struct sp_sets sets;
    enum sp_code rc;

    if (o->keys == NULL)
        return SP_OK;
    if ((rc = sp_sets_list(o, true, false, NULL, &sets, e)) != SP_OK)
        return rc;
    if ((rc = sp_recall_hosts(o, &sets, on_recall, k, e)) == SP_OK &&
        (rc = sp_recall_heads(k->r.c, o, &sets, on_recall, k, e)) == SP_OK)
        rc = sp_recall_slots(k->r.c, o, on_recall, k, e);
    sp_sets_clear(&sets);
    return rc;
}

static void
on_progress(void *arg, const struct sp_check_progress *s)
{
    struct check *k = arg;

    if (s->sets_total > 0)
        sp_progress_tell(k->progress, s->sets, s->sets_total, "%s of %s records",
            sp_text_count(s->sets).s, sp_text_count(s->sets_total).s);
    else if (s->bytes_total > 0)
        sp_progress_tell(k->progress, s->bytes, s->bytes_total, "%s of %s packs, %s read",
            sp_text_count(s->packs).s, sp_text_count(s->packs_total).s, sp_text_bytes(s->bytes).s);
    else
        sp_progress_tell(k->progress, s->packs, s->packs_total, "%s of %s packs",
            sp_text_count(s->packs).s, sp_text_count(s->packs_total).s);
}

static bool
stop(void *arg)
{
    (void)arg;
    return sp_signals_stop(NULL);
}

static enum sp_code
check(struct check *k, struct sp_err *e)
{
    struct sp_opened_store o;
    bool has_keys;
    enum sp_code rc;

    if ((rc = sp_cli_open(k->r.c, NULL, SP_OPEN_LOOK, &o, e)) != SP_OK)
        return rc;
    has_keys = o.keys != NULL;
    if (k->automatic && (rc = resolve_auto(k, &o, e)) != SP_OK)
        goto out;
    if (k->r.j != NULL) {
        sp_json_key(k->r.j, "findings");
        sp_json_array(k->r.j);
    }
    k->o.stop = stop;
    k->o.progress = on_progress;
    k->o.arg = k;
    k->progress = sp_progress_new(k->r.c, "check");
    rc = sp_store_check(o.store, &k->o, on_finding, k, &k->totals, e);
    if (rc == SP_OK)
        rc = recall(k, &o, e);
    sp_progress_free(k->progress);
    k->progress = NULL;
    if (k->r.j != NULL)
        sp_json_array_end(k->r.j);
    if (rc == SP_OK && k->automatic)
        rc = remember_next(k, &o, e);
out:
    sp_cli_close(&o);
    if (rc == SP_OK && k->totals.faults > 0 && k->lost.n > 0 && has_keys)
        rc = name_paths(k, e);
    if (rc == SP_OK)
        end(k);
    return rc;
}

static enum sp_exit
run(struct sp_cli *c)
{
    static const struct option longs[] = {{"read-data", no_argument, NULL, 'd'},
        {"read-data-subset", required_argument, NULL, 's'}, {NULL, 0, NULL, 0}};
    struct check k;
    struct sp_err e = {0};
    enum sp_exit code;
    enum sp_code rc;
    bool all = false, subset = false;
    int opt;

    memset(&k, 0, sizeof(k));
    while ((opt = sp_cli_getopt(c, "", longs)) != -1) {
        if (opt == 'd') {
            all = true;
        } else if (opt == 's') {
            subset = true;
            k.automatic = strcmp(optarg, "auto") == 0;
            if (!k.automatic && !parse_part(optarg, &k.o.part, &k.o.parts))
                return sp_cli_usage(
                    c, "--read-data-subset takes N/M, as 3/10, or auto; not '%s'", optarg);
        } else {
            return SP_EXIT_USAGE;
        }
    }
    if (all && subset)
        return sp_cli_usage(c, "--read-data and --read-data-subset exclude each other");
    if (optind < c->argc)
        return sp_cli_usage(c,
            "'%s' is too much: the whole repository is checked; one set's content: "
            "stillpoint verify SET",
            c->argv[optind]);
    if (all || subset)
        k.o.depth = SP_CHECK_DATA;
    sp_signals_install();
    sp_signals_at_once();
    sp_report_begin(&k.r, c);
    rc = check(&k, &e);
    code = k.totals.faults > 0 ? SP_EXIT_DAMAGE : SP_EXIT_DONE;
    sp_lost_ids_clear(&k.lost);
    return sp_report_end(&k.r, rc, &e, code);
}

const struct sp_command sp_cmd_check = {"check", "look for damage in the repository", usage, run};
