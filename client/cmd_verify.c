#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/path.h"
#include "client/commands.h"
#include "client/content_check.h"
#include "client/live_compare.h"
#include "client/present.h"
#include "client/report.h"
#include "client/select.h"
#include "client/set_reader.h"

static const char usage[] =
    "usage: stillpoint verify [SET]\n"
    "       stillpoint verify [SET] --live\n"
    "       stillpoint verify [SET] PATH…      (anything with a / )\n\n"
    "Reads all content of a set (default: the latest) from the repository, opens every block and\n"
    "recomputes every id: what passes can be restored. With --live, or with PATHs, the set is "
    "held\n"
    "against the files of this machine instead and what differs is listed: + here only, - in the "
    "set\n"
    "only, M changed, ? could not be read. Exit code 3 when the set is damaged, 1 when files "
    "differ.\n";

#define SHOWN 1000 /* damaged files on a terminal */

struct verify {
    struct sp_report r;
    struct sp_progress *progress;
    uint64_t total_bytes, damaged;
    uint64_t damaged_catalog;
};

/* --- the content ------------------------------------------------------------------------------ */

static void
on_damaged(void *arg, const void *key, size_t n, const char *why)
{
    struct verify *v = arg;

    v->damaged++;
    if (v->r.j != NULL) {
        sp_json_object(v->r.j);
        sp_present_json_key(v->r.j, "path", key, n);
        sp_json_kstr(v->r.j, "text", why);
        sp_json_object_end(v->r.j);
        sp_report_flow(&v->r);
    } else if (v->damaged <= SHOWN) {
        sp_progress_clear(v->progress);
        (void)fputs("damaged ", stdout);
        sp_present_print_key(key, n);
        (void)fputs(": ", stdout);
        sp_present_print_text(why);
        (void)putchar('\n');
    }
}

static void
on_progress(void *arg, const struct sp_content_stats *s, const void *key, size_t n)
{
    struct verify *v = arg;

    sp_progress_show(v->progress, s->files, s->bytes, v->total_bytes, key, n);
}

static enum sp_code
check_entries(struct sp_set_reader *reader, struct sp_content_check *check, struct sp_err *e)
{
    const struct sp_entry *en;
    enum sp_code rc;

    while ((rc = sp_set_reader_next(reader, &en, e)) == SP_OK && en != NULL) {
        if ((rc = sp_content_check_add(check, en, e)) != SP_OK)
            break;
    }
    return rc;
}

static enum sp_code
content_result(struct verify *v, const struct sp_found_set *f, const struct sp_set_reader *reader,
    const struct sp_content_stats *s, struct sp_err *e)
{
    v->damaged_catalog = reader->damaged;
    if (v->r.j != NULL) {
        sp_json_kstr(v->r.j, "set", sp_hex16(f->set.set_id).s);
        sp_json_ku64(v->r.j, "files", s->files);
        sp_json_ku64(v->r.j, "bytes", s->bytes);
        sp_json_ku64(v->r.j, "chunks", s->chunks);
        sp_json_ku64(v->r.j, "bytes_fetched", s->bytes_fetched);
        sp_json_ku64(v->r.j, "damaged_files", s->damaged);
        sp_json_ku64(v->r.j, "damaged_catalog_parts", reader->damaged);
    }
    if (v->r.j == NULL && s->damaged > SHOWN)
        (void)printf("and %s more damaged files\n", sp_text_count(s->damaged - SHOWN).s);
    if (s->damaged > 0 || reader->damaged > 0)
        return sp_fail(e, SP_CORRUPT, SP_DOM_STORE,
            "set %s is damaged: %s of %s%s%s; 'stillpoint check --read-data' tells which objects "
            "are bad",
            sp_present_id(f->set.set_id).s, sp_text_count(s->damaged).s,
            sp_present_count(s->files, "file", "files").s,
            reader->damaged > 0 ? ", and parts of its catalog: " : "",
            reader->damaged > 0 ? reader->first.text : "");
    sp_cli_say(v->r.c, "set %s is good: %s, %s; %s chunks proven, %s read",
        sp_present_id(f->set.set_id).s, sp_present_count(s->files, "file", "files").s,
        sp_text_bytes(s->bytes).s, sp_text_count(s->chunks).s, sp_text_bytes(s->bytes_fetched).s);
    return SP_OK;
}

static enum sp_code
verify_content(
    struct verify *v, struct sp_opened_store *o, const struct sp_found_set *f, struct sp_err *e)
{
    struct sp_content_events events = {.damaged = on_damaged, .progress = on_progress, .arg = v};
    struct sp_content_check *check = NULL;
    struct sp_content_stats stats;
    struct sp_set_reader reader;
    enum sp_code rc;

    memset(&stats, 0, sizeof(stats));
    if ((rc = sp_set_reader_open(v->r.c, o, &f->set, false, &reader, e)) != SP_OK)
        return rc;
    v->total_bytes = f->set.bytes;
    v->progress = sp_progress_new(v->r.c, "verifying");
    if (v->r.j != NULL) {
        sp_json_key(v->r.j, "damaged");
        sp_json_array(v->r.j);
    }
    rc = sp_content_check_new(o->store, o->keys, &reader.source, &events, &check, e);
    if (rc == SP_OK)
        rc = check_entries(&reader, check, e);
    if (rc == SP_OK)
        rc = sp_content_check_finish(check, &stats, e);
    if (v->r.j != NULL)
        sp_json_array_end(v->r.j);
    sp_progress_free(v->progress);
    v->progress = NULL;
    sp_content_check_free(check);
    if (rc == SP_OK)
        rc = content_result(v, f, &reader, &stats, e);
    sp_set_reader_close(&reader);
    return rc;
}

/* --- the live source -------------------------------------------------------------------------- */

static void
on_difference(void *arg, char what, const void *key, size_t n, bool is_dir, const char *text)
{
    struct verify *v = arg;

    if (v->r.j != NULL) {
        sp_json_object(v->r.j);
        sp_present_json_key(v->r.j, "path", key, n);
        sp_json_kstr(v->r.j, "difference",
            what == '+'   ? "live only"
            : what == '-' ? "set only"
            : what == 'M' ? "changed"
                          : "unreadable");
        sp_json_kstr(v->r.j, "text", text);
        sp_json_object_end(v->r.j);
        sp_report_flow(&v->r);
        return;
    }
    sp_progress_clear(v->progress);
    (void)printf("%c ", what);
    sp_present_print_key(key, n);
    (void)printf("%s%s", is_dir && n > 0 ? "/" : "", text[0] != '\0' ? " (" : "");
    sp_present_print_text(text);
    (void)fputs(text[0] != '\0' ? ")\n" : "\n", stdout);
}

static void
on_live_progress(void *arg, const struct sp_live_stats *s, const void *key, size_t n)
{
    struct verify *v = arg;

    sp_progress_show(v->progress, s->files, s->bytes, v->total_bytes, key, n);
}

static bool
cachedir_tag_of(struct sp_cli *c, const char *job)
{
    const struct sp_job *j;
    struct sp_err ignored = {0};

    return sp_cli_config(c, &ignored) != SP_OK ||
           sp_config_job(c->config, job, &j, &ignored) != SP_OK || j->cachedir_tag;
}

static int
by_key(const void *a, const void *b)
{
    const struct sp_bytes *x = a, *y = b;

    return sp_key_cmp(x->p, x->n, y->p, y->n);
}

/* The paths as keys, sorted, none within another, each within the set. */
static enum sp_code
make_roots(const struct sp_set_sealed *sealed, char **paths, size_t n, struct sp_bytes *roots,
    size_t *ret_n, struct sp_err *e)
{
    struct sp_buf key = SP_BUF_INIT;
    size_t i, k, kept = 0;
    bool inside;
    enum sp_code rc = SP_OK;

    for (i = 0; i < n && rc == SP_OK; i++) {
        if ((rc = sp_select_key(paths[i], &key, e)) != SP_OK)
            break;
        inside = false;
        for (k = 0; k < sealed->nroots && !inside; k++)
            inside = sp_key_within(sealed->roots[k].p, sealed->roots[k].n, key.data, key.len);
        if (!inside)
            rc = sp_fail(e, SP_INVALID, SP_DOM_CONFIG,
                "%s is not among the paths of this set; 'stillpoint show SET' lists them",
                paths[i]);
        else if ((rc = sp_buf_take(&key, &roots[*ret_n].p, &roots[*ret_n].n, e)) == SP_OK)
            (*ret_n)++;
    }
    sp_buf_free(&key);
    qsort(roots, *ret_n, sizeof(*roots), by_key);
    for (i = 0; i < *ret_n; i++) {
        if (kept > 0 && sp_key_within(roots[kept - 1].p, roots[kept - 1].n, roots[i].p, roots[i].n))
            free(roots[i].p);
        else
            roots[kept++] = roots[i];
    }
    *ret_n = kept;
    return rc;
}

static enum sp_code
live_result(struct verify *v, const struct sp_found_set *f, const struct sp_live_stats *s,
    struct sp_set_reader *reader, enum sp_exit *code, struct sp_err *e)
{
    if (s->added + s->removed + s->changed + s->unreadable > 0)
        *code = SP_EXIT_PARTLY;
    if (v->r.j != NULL) {
        sp_json_kstr(v->r.j, "set", sp_hex16(f->set.set_id).s);
        sp_json_ku64(v->r.j, "files", s->files);
        sp_json_ku64(v->r.j, "bytes", s->bytes);
        sp_json_ku64(v->r.j, "live_only", s->added);
        sp_json_ku64(v->r.j, "set_only", s->removed);
        sp_json_ku64(v->r.j, "changed", s->changed);
        sp_json_ku64(v->r.j, "unreadable", s->unreadable);
    }
    sp_cli_say(v->r.c,
        "compared %s, %s, with set %s: %s here only, %s in the set only, %s changed, "
        "%s unreadable",
        sp_present_count(s->files, "file", "files").s, sp_text_bytes(s->bytes).s,
        sp_present_id(f->set.set_id).s, sp_text_count(s->added).s, sp_text_count(s->removed).s,
        sp_text_count(s->changed).s, sp_text_count(s->unreadable).s);
    return sp_set_reader_verdict(reader, e);
}

static enum sp_code
verify_live(struct verify *v, struct sp_opened_store *o, const struct sp_found_set *f, char **paths,
    size_t npaths, enum sp_exit *code, struct sp_err *e)
{
    struct sp_live_events events = {
        .difference = on_difference, .progress = on_live_progress, .arg = v};
    struct sp_live_options options = {.sealed = &f->sealed};
    struct sp_live_stats stats;
    struct sp_set_reader reader;
    struct sp_bytes *roots = NULL;
    size_t nroots = 0, i;
    enum sp_code rc;

    memset(&stats, 0, sizeof(stats));
    if ((rc = sp_set_reader_open(v->r.c, o, &f->set, true, &reader, e)) != SP_OK)
        return rc;
    if (npaths > 0 && (roots = calloc(npaths, sizeof(*roots))) == NULL)
        rc = sp_fail_nomem(e);
    if (rc == SP_OK && npaths > 0)
        rc = make_roots(&f->sealed, paths, npaths, roots, &nroots, e);
    options.roots = npaths > 0 ? roots : f->sealed.roots;
    options.nroots = npaths > 0 ? nroots : f->sealed.nroots;
    options.cachedir_tag = cachedir_tag_of(v->r.c, f->set.job);
    if (v->r.j != NULL) {
        sp_json_key(v->r.j, "differences");
        sp_json_array(v->r.j);
    }
    v->total_bytes = npaths > 0 ? 0 : f->set.bytes;
    v->progress = sp_progress_new(v->r.c, "comparing");
    if (rc == SP_OK)
        rc = sp_live_compare(v->r.c, o->keys, &reader, &options, &events, &stats, e);
    sp_progress_free(v->progress);
    v->progress = NULL;
    if (v->r.j != NULL)
        sp_json_array_end(v->r.j);
    if (rc == SP_OK)
        rc = live_result(v, f, &stats, &reader, code, e);
    for (i = 0; i < nroots; i++)
        free(roots[i].p);
    free(roots);
    sp_set_reader_close(&reader);
    return rc;
}

/* --- the command ------------------------------------------------------------------------------ */

static enum sp_code
verify(struct verify *v, const char *spec, char **paths, size_t npaths, bool live,
    enum sp_exit *ret_code, struct sp_err *e)
{
    struct sp_opened_store o;
    struct sp_found_set f;
    enum sp_code rc;

    if ((rc = sp_cli_open(v->r.c, NULL, SP_OPEN_READ, &o, e)) != SP_OK)
        return rc;
    if ((rc = sp_cli_find_set(v->r.c, &o, spec, &f, e)) == SP_OK) {
        if ((rc = sp_found_set_need_key(&f, e)) == SP_OK)
            rc = live || npaths > 0 ? verify_live(v, &o, &f, paths, npaths, ret_code, e)
                                    : verify_content(v, &o, &f, e);
        if (rc == SP_OK && f.unread.code != SP_OK) {
            *e = f.unread;
            rc = e->code;
        }
        if (rc == SP_OK && !f.signed_ok)
            rc = sp_fail(e, SP_CORRUPT, SP_DOM_STORE,
                "set %s is not signed by the host that it names: forged or damaged",
                sp_present_id(f.set.set_id).s);
        sp_found_set_clear(&f);
    }
    sp_cli_close(&o);
    return rc;
}

static enum sp_exit
run(struct sp_cli *c)
{
    static const struct option longs[] = {{"live", no_argument, NULL, 'l'}, {NULL, 0, NULL, 0}};
    struct verify v;
    struct sp_err e = {0};
    const char *spec = "latest";
    bool live = false;
    enum sp_exit code = SP_EXIT_DONE;
    enum sp_code rc;
    int opt, i;

    while ((opt = sp_cli_getopt(c, "", longs)) != -1) {
        if (opt != 'l')
            return SP_EXIT_USAGE;
        live = true;
    }
    if (optind < c->argc && strpbrk(c->argv[optind], "/\\") == NULL)
        spec = c->argv[optind++];
    for (i = optind; i < c->argc; i++) {
        if (strpbrk(c->argv[i], "/\\") == NULL && strcmp(c->argv[i], ".") != 0)
            return sp_cli_usage(
                c, "one set at a time; if '%s' is a path, write ./%s", c->argv[i], c->argv[i]);
    }
    memset(&v, 0, sizeof(v));
    sp_report_begin(&v.r, c);
    rc = verify(&v, spec, c->argv + optind, (size_t)(c->argc - optind), live, &code, &e);
    return sp_report_end(&v.r, rc, &e, code);
}

const struct sp_command sp_cmd_verify = {
    "verify", "prove a set's content, or compare it with the live files", usage, run};
