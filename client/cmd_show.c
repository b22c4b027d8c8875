#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/path.h"
#include "client/commands.h"
#include "client/present.h"
#include "client/report.h"
#include "client/select.h"
#include "client/set_reader.h"
#include "client/show_verdict.h"

static const char usage[] =
    "usage: stillpoint show SET [-R] [PATH]\n"
    "       stillpoint show SET --consistency [--verbose]\n\n"
    "Shows all that a backup set says of itself; with PATH what is in that folder of it.\n"
    "SET is an id (or its beginning), 'latest', JOB, or JOB~1 for the one before the last.\n\n"
    "  -R, --recursive   with all that is below\n"
    "      --consistency how consistent each application, virtual machine and volume is, why, "
    "and\n"
    "                    what to do about it; with --verbose all the evidence: what each VSS "
    "writer\n"
    "                    answered and when, the shadow sets, what the system's logs say\n";

/* --- the record ------------------------------------------------------------------------------- */

#define FIELD_WIDTH 14

static void field(const char *name, const char *fmt, ...) SP_PRINTF(2, 3);

static void
field(const char *name, const char *fmt, ...)
{
    va_list ap;

    (void)printf("%-*s", FIELD_WIDTH, name);
    va_start(ap, fmt);
    (void)vprintf(fmt, ap);
    va_end(ap);
    (void)putchar('\n');
}

static void
shown_field(const char *name, const char *text)
{
    struct sp_buf b = SP_BUF_INIT;

    sp_path_show(text, strlen(text), &b);
    field(name, "%s", sp_buf_str(&b));
    sp_buf_free(&b);
}

static void
text_clear_part(const struct sp_found_set *f)
{
    const struct sp_set *s = &f->set;
    char started[32], ended[32], published[32];

    sp_time_local(s->started_ns, started);
    sp_time_local(s->ended_ns, ended);
    sp_time_local(f->published_ns, published);
    field("set", "%s", sp_hex16(s->set_id).s);
    shown_field("job", s->job);
    if (f->has_sealed)
        shown_field("host", f->sealed.host_name);
    field("host id", "%s", sp_hex16(s->host).s);
    field("key group", "%s", sp_hex16(s->group).s);
    field("state", "%s", sp_present_state(s->state));
    field("signed", "%s",
        f->signed_ok              ? "by its host"
        : f->unread.code != SP_OK ? "cannot be told: the host's record cannot be read"
                                  : "NOT BY ITS HOST: forged or damaged");
    field("started", "%s", started);
    /* Whoever wrote the record chose both. */
    if (s->ended_ns >= s->started_ns &&
        (uint64_t)s->ended_ns - (uint64_t)s->started_ns <= INT64_MAX)
        field("ended", "%s (%s)", ended, sp_text_duration(s->ended_ns - s->started_ns).s);
    else
        field("ended", "%s", ended);
    field("published", "%s", published);
    field("chain", "number %" PRIu64 "%s%s", s->sequence,
        s->has_previous ? " after " : ", the first",
        s->has_previous ? sp_hex32(s->previous).s : "");
    field("catalog", "%s", sp_hex32(s->root.b).s);
    field("files", "%s, %s; %s entries", sp_text_count(s->files).s, sp_text_bytes(s->bytes).s,
        sp_text_count(s->entries).s);
    if (s->files_away > 0)
        field("elsewhere", "%s without content: placeholders of what is in the cloud",
            sp_present_count(s->files_away, "file", "files").s);
    field("transfer", "read %s, new %s, stored %s", sp_text_bytes(s->bytes_read).s,
        sp_text_bytes(s->bytes_new).s, sp_text_bytes(s->bytes_stored).s);
    field("consistency", "files: %s; applications: %s%s", sp_level_word(s->files_level),
        sp_level_word(f->applications),
        f->unconfirmed ? ", unconfirmed ('stillpoint show SET --consistency' tells more)" : "");
    if (f->completed == SP_COMPLETED_DISTRUST)
        field("completion", "NOT BELIEVED: not signed by the host, damaged, or of another record");
    else if (f->completed == SP_COMPLETED_UNKNOWN)
        field("completion", "not believed: who signed it cannot be told");
    shown_field("made by", s->program);
}

static void
text_sealed_part(const struct sp_set_sealed *s)
{
    struct sp_buf b = SP_BUF_INIT;
    size_t i;

    shown_field("platform", s->platform);
    field("changes", "%s new, %s changed", sp_text_count(s->files_new).s,
        sp_text_count(s->files_changed).s);
    for (i = 0; i < s->nroots; i++) {
        sp_buf_reset(&b);
        sp_present_key(s->roots[i].p, s->roots[i].n, &b);
        field(i == 0 ? "paths" : "", "%s", sp_buf_str(&b));
    }
    for (i = 0; i < s->nexcludes; i++)
        shown_field(i == 0 ? "excluded" : "", s->excludes[i]);
    for (i = 0; i < s->nvolumes; i++) {
        const struct sp_volume *v = &s->volumes[i];
        char instant[32] = "";

        if (v->instant_ns != 0)
            sp_time_local(v->instant_ns, instant);
        sp_buf_reset(&b);
        sp_path_show(v->path, strlen(v->path), &b);
        sp_buf_put_str(&b, " (");
        sp_path_show(v->file_system, strlen(v->file_system), &b);
        sp_buf_printf(&b, "): %s, by ", sp_level_word(v->consistency));
        sp_path_show(v->source, strlen(v->source), &b);
        sp_buf_printf(&b, "%s%s%s", instant[0] != '\0' ? " at " : "", instant,
            v->reason[0] != '\0' ? ": " : "");
        sp_path_show(v->reason, strlen(v->reason), &b);
        field(i == 0 ? "volumes" : "", "%s", sp_buf_str(&b));
    }
    if (s->faults_total > 0)
        field("faults", "%s%s", sp_text_count(s->faults_total).s,
            s->faults_total > s->nfaults ? ", of which the first are kept:" : ":");
    for (i = 0; i < s->nfaults; i++) {
        sp_buf_reset(&b);
        sp_present_key(s->faults[i].key, s->faults[i].key_len, &b);
        (void)printf("  %-10s %s: ", sp_present_fault(s->faults[i].kind), sp_buf_str(&b));
        sp_buf_reset(&b);
        sp_path_show(s->faults[i].text, strlen(s->faults[i].text), &b);
        (void)printf("%s\n", sp_buf_str(&b));
    }
    sp_buf_free(&b);
}

static void
json_faults(struct sp_report *r, const struct sp_set_sealed *s)
{
    size_t i;

    sp_json_ku64(r->j, "faults_total", s->faults_total);
    sp_json_key(r->j, "faults");
    sp_json_array(r->j);
    for (i = 0; i < s->nfaults; i++) {
        sp_json_object(r->j);
        sp_present_json_key(r->j, "path", s->faults[i].key, s->faults[i].key_len);
        sp_json_kstr(r->j, "kind", sp_present_fault(s->faults[i].kind));
        sp_json_kstr(r->j, "text", s->faults[i].text);
        sp_json_object_end(r->j);
        sp_report_flow(r);
    }
    sp_json_array_end(r->j);
}

/* Of the completion: what a restore of an application may need beside its files. */
static void
json_documents(struct sp_json *j, const struct sp_found_set *f)
{
    sp_json_key(j, "documents");
    sp_json_array(j);
    for (size_t i = 0; i < f->final.ndocuments; i++) {
        sp_json_object(j);
        sp_json_kstr(j, "name", f->final.documents[i].name);
        sp_json_ku64(j, "bytes", f->final.documents[i].n);
        sp_json_object_end(j);
    }
    sp_json_array_end(j);
}

static void
json_record(struct sp_report *r, const struct sp_found_set *f)
{
    const struct sp_set_sealed *s = &f->sealed;
    size_t i;

    sp_present_json_set(r->j, &f->set, f->published_ns);
    sp_present_json_applications(r->j, f->applications, f->unconfirmed, f->completed);
    sp_json_kbool(r->j, "signed", f->signed_ok);
    sp_json_kstr(r->j, "root", sp_hex32(f->set.root.b).s);
    sp_json_key(r->j, "previous");
    if (f->set.has_previous)
        sp_json_hex(r->j, f->set.previous, 32);
    else
        sp_json_null(r->j);
    if (!f->has_sealed)
        return;
    sp_json_kstr(r->j, "host", s->host_name);
    sp_json_kstr(r->j, "platform", s->platform);
    sp_json_ku64(r->j, "files_new", s->files_new);
    sp_json_ku64(r->j, "files_changed", s->files_changed);
    sp_json_key(r->j, "paths");
    sp_json_array(r->j);
    for (i = 0; i < s->nroots; i++) {
        struct sp_buf path = SP_BUF_INIT;

        sp_key_to_path(s->roots[i].p, s->roots[i].n, &path);
        sp_json_strn(r->j, path.data, path.len);
        sp_buf_free(&path);
    }
    sp_json_array_end(r->j);
    sp_json_key(r->j, "excludes");
    sp_json_array(r->j);
    for (i = 0; i < s->nexcludes; i++)
        sp_json_str(r->j, s->excludes[i]);
    sp_json_array_end(r->j);
    sp_show_json_volumes(r->j, s->volumes, s->nvolumes);
    sp_show_json_verdict(r->j, sp_found_set_verdict(f));
    json_documents(r->j, f);
    json_faults(r, s);
}

static void
show_record(struct sp_report *r, const struct sp_found_set *f)
{
    if (r->j != NULL)
        json_record(r, f);
    else
        text_clear_part(f);
    if (r->j == NULL && f->has_sealed) {
        text_sealed_part(&f->sealed);
        if (sp_found_set_verdict(f) != NULL)
            sp_show_units(sp_found_set_verdict(f), "applications", FIELD_WIDTH);
    }
    if (!f->has_sealed)
        sp_cli_warn(r->c,
            "the sealed part of the record (paths, volumes, faults) does not open with "
            "the key that is here");
}

/* --- how consistent it is ---------------------------------------------------------------------- */

static void
text_consistency(struct sp_cli *c, const struct sp_found_set *f)
{
    struct sp_show_subject s = {.verdict = sp_found_set_verdict(f),
        .volumes = f->sealed.volumes,
        .nvolumes = f->sealed.nvolumes};
    char published[32];
    size_t i;

    sp_time_local(f->published_ns, published);
    field("set", "%s", sp_hex16(f->set.set_id).s);
    shown_field("job", f->set.job);
    shown_field("host", f->sealed.host_name);
    field("published", "%s", published);
    field("files", "%s", sp_level_word(f->set.files_level));
    field("applications", "%s%s", sp_level_word(f->applications),
        f->unconfirmed ? ", unconfirmed" : "");
    (void)putchar('\n');
    sp_show_consistency(&s, c->verbose);
    if (c->verbose && f->final.ndocuments > 0)
        (void)puts("Documents of VSS, kept with the set");
    for (i = 0; c->verbose && i < f->final.ndocuments; i++) {
        (void)fputs("  ", stdout);
        sp_present_print_text(f->final.documents[i].name);
        (void)printf(", %s\n", sp_text_bytes(f->final.documents[i].n).s);
    }
}

static enum sp_code
show_consistency(struct sp_report *r, const struct sp_found_set *f, struct sp_err *e)
{
    enum sp_code rc;

    if ((rc = sp_found_set_need_key(f, e)) != SP_OK)
        return rc;
    if (r->j != NULL) {
        sp_present_json_set(r->j, &f->set, f->published_ns);
        sp_present_json_applications(r->j, f->applications, f->unconfirmed, f->completed);
        sp_json_kbool(r->j, "signed", f->signed_ok);
        sp_json_kstr(r->j, "host", f->sealed.host_name);
        sp_show_json_volumes(r->j, f->sealed.volumes, f->sealed.nvolumes);
        sp_show_json_verdict(r->j, sp_found_set_verdict(f));
        json_documents(r->j, f);
    } else {
        text_consistency(r->c, f);
    }
    if (f->completed == SP_COMPLETED_DISTRUST)
        sp_cli_warn(r->c,
            "what says that the applications were told of this set is not believed: it is not "
            "signed by the set's host, damaged, or of another record; 'stillpoint check' tells "
            "more");
    return SP_OK;
}

/* --- a folder of it --------------------------------------------------------------------------- */

struct listing {
    struct sp_report *r;
    struct sp_set_reader reader;
    struct sp_buf dir, last; /* keys; last: a folder whose inside is passed over */
    bool recursive;
    uint64_t entries, bytes;
};

static void
show_entry(struct listing *l, const struct sp_entry *en)
{
    size_t skip = l->dir.len + (l->dir.len > 0 ? 1 : 0);

    l->entries++;
    l->bytes += en->size;
    if (l->r->j != NULL) {
        sp_present_json_entry(l->r->j, en);
        sp_report_flow(l->r);
    } else if (l->recursive || en->key_len <= skip) {
        sp_present_entry(en, NULL, 0);
    } else {
        sp_present_entry(en, (const char *)en->key + skip, en->key_len - skip);
    }
}

static enum sp_code
list_inside(struct listing *l, struct sp_err *e)
{
    const struct sp_entry *en;
    enum sp_code rc;

    for (;;) {
        if ((rc = sp_set_reader_next(&l->reader, &en, e)) != SP_OK)
            return rc;
        if (en == NULL || !sp_key_within(l->dir.data, l->dir.len, en->key, en->key_len))
            return SP_OK;
        show_entry(l, en);
        if (l->recursive || en->type != SP_ENTRY_DIR)
            continue;
        sp_buf_reset(&l->last);
        sp_buf_put(&l->last, en->key, en->key_len);
        if ((rc = sp_buf_ok(&l->last, e)) != SP_OK)
            return rc;
        if ((rc = sp_set_reader_leave(&l->reader, l->last.data, l->last.len, e)) != SP_OK)
            return rc;
    }
}

static enum sp_code
list_path(struct listing *l, const char *path, struct sp_err *e)
{
    const struct sp_entry *en;
    enum sp_code rc;

    if ((rc = sp_select_key(path, &l->dir, e)) != SP_OK)
        return rc;
    rc = sp_catalog_find(l->reader.catalog, l->dir.data, l->dir.len, &en, e);
    if (rc == SP_ABSENT)
        return sp_fail(e, SP_ABSENT, SP_DOM_SOURCE, "%s is not in the set", path);
    if (rc != SP_OK)
        return rc;
    if (en->type != SP_ENTRY_DIR) {
        show_entry(l, en);
        return SP_OK;
    }
    return list_inside(l, e);
}

static enum sp_code
show_path(struct sp_report *r, struct sp_opened_store *o, const struct sp_found_set *f,
    const char *path, bool recursive, struct sp_err *e)
{
    struct listing l = {.r = r, .recursive = recursive, .dir = SP_BUF_INIT, .last = SP_BUF_INIT};
    enum sp_code rc;

    if ((rc = sp_set_reader_open(r->c, o, &f->set, true, &l.reader, e)) != SP_OK)
        return rc;
    if (r->j != NULL) {
        sp_json_kstr(r->j, "set", sp_hex16(f->set.set_id).s);
        sp_json_key(r->j, "entries");
        sp_json_array(r->j);
    }
    if ((rc = list_path(&l, path, e)) == SP_OK)
        rc = sp_set_reader_verdict(&l.reader, e);
    if (r->j != NULL)
        sp_json_array_end(r->j);
    else if (rc == SP_OK)
        sp_cli_say(r->c, "%s, %s, in set %s", sp_present_count(l.entries, "entry", "entries").s,
            sp_text_bytes(l.bytes).s, sp_present_id(f->set.set_id).s);
    sp_set_reader_close(&l.reader);
    sp_buf_free(&l.dir);
    sp_buf_free(&l.last);
    return rc;
}

struct asked {
    const char *spec, *path; /* path NULL: the set itself */
    bool recursive, consistency;
};

static enum sp_code
show(struct sp_report *r, const struct asked *a, struct sp_err *e)
{
    struct sp_opened_store o;
    struct sp_found_set f;
    enum sp_code rc;

    if ((rc = sp_cli_open(r->c, NULL, SP_OPEN_READ, &o, e)) != SP_OK)
        return rc;
    if ((rc = sp_cli_find_set(r->c, &o, a->spec, &f, e)) == SP_OK) {
        if (a->path != NULL && (rc = sp_found_set_need_key(&f, e)) == SP_OK)
            rc = show_path(r, &o, &f, a->path, a->recursive, e);
        else if (a->consistency)
            rc = show_consistency(r, &f, e);
        else if (a->path == NULL)
            show_record(r, &f);
        if ((a->path != NULL || a->consistency) && !f.signed_ok)
            sp_cli_warn(r->c, "%s",
                f.unread.code != SP_OK ? f.unread.text
                                       : "this set is not signed by its host: forged or damaged");
        sp_found_set_clear(&f);
    }
    sp_cli_close(&o);
    return rc;
}

static enum sp_exit
run(struct sp_cli *c)
{
    static const struct option longs[] = {{"recursive", no_argument, NULL, 'R'},
        {"consistency", no_argument, NULL, 'C'}, {NULL, 0, NULL, 0}};
    struct asked a = {0};
    struct sp_report r;
    struct sp_err e = {0};
    int opt;

    while ((opt = sp_cli_getopt(c, "R", longs)) != -1) {
        if (opt == 'R')
            a.recursive = true;
        else if (opt == 'C')
            a.consistency = true;
        else
            return SP_EXIT_USAGE;
    }
    if (optind == c->argc)
        return sp_cli_usage(c, "say which set: its id, 'latest', or a job");
    if (optind + 2 < c->argc)
        return sp_cli_usage(c, "'%s' is too much: one set and one path", c->argv[optind + 2]);
    if (a.consistency && (a.recursive || optind + 1 < c->argc))
        return sp_cli_usage(c, "--consistency is of the whole set: it goes with no PATH and no -R");
    if (a.recursive && optind + 1 == c->argc)
        return sp_cli_usage(c, "-R lists what is below a PATH; which?");
    a.spec = c->argv[optind];
    a.path = optind + 1 < c->argc ? c->argv[optind + 1] : NULL;
    sp_report_begin(&r, c);
    return sp_report_end(&r, show(&r, &a, &e), &e, SP_EXIT_DONE);
}

const struct sp_command sp_cmd_show = {"show", "show one set, or what is in it", usage, run};
