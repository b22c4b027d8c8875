#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "client/commands.h"
#include "client/present.h"
#include "client/report.h"
#include "client/seen.h"
#include "client/select.h"
#include "client/set_reader.h"
#include "client/sets.h"
#include "storage/crypto.h"

static const char usage[] = "usage: stillpoint find PATTERN… [--set SET | --all-sets]\n\n"
                            "Finds files in the newest set of each job: '*.odt' by name wherever "
                            "it is, '/home/**/letter*'\n"
                            "by path; the patterns are gitignore's, the last that matches decides, "
                            "'!' takes back. What is\n"
                            "inside a folder that matches is found too.\n\n"
                            "      --set SET     in this set alone\n"
                            "      --all-sets    in all sets of this machine: each version once, "
                            "with the newest set that has\n"
                            "                    it\n";

#define VERSIONS_REMEMBERED (1u << 19) /* 16 MiB; beyond that one may be named again */

struct find {
    struct sp_report *r;
    struct sp_filter *filter;
    struct sp_seen *seen;     /* versions told; NULL: one set, each comes once */
    const struct sp_set *set; /* being searched */
    uint64_t found, bytes, damaged_sets;
    struct sp_err first;
};

/* Path, kind, content and time make a version: whether it was told before. */
static enum sp_code
is_new(struct find *f, const struct sp_entry *en, bool *ret, struct sp_err *e)
{
    struct sp_buf b = SP_BUF_INIT;
    uint8_t hash[32];
    enum sp_code rc;

    if (f->seen == NULL) {
        *ret = true;
        return SP_OK;
    }
    if ((rc = sp_entry_content_hash(en, hash, e)) != SP_OK)
        return rc;
    sp_buf_put(&b, hash, sizeof(hash));
    sp_buf_put(&b, f->set->host, 16);
    sp_buf_put_u8(&b, (uint8_t)en->type);
    sp_buf_put_u64(&b, (uint64_t)en->mtime_ns);
    sp_buf_put(&b, en->target, en->target_len);
    sp_buf_put_u8(&b, 0);
    sp_buf_put(&b, en->key, en->key_len);
    if ((rc = sp_buf_ok(&b, e)) == SP_OK)
        rc = sp_sha256(b.data, b.len, hash, e);
    sp_buf_free(&b);
    if (rc != SP_OK)
        return rc;
    *ret = !sp_seen_has(f->seen, hash);
    sp_seen_add(f->seen, hash);
    return SP_OK;
}

static enum sp_code
consider(struct find *f, const struct sp_entry *en, struct sp_err *e)
{
    char time[32];
    bool tell = false;
    enum sp_code rc;

    if ((en->flags & SP_ENTRY_IMPLIED) != 0 ||
        !sp_filter_selects(f->filter, en->key, en->key_len, en->type == SP_ENTRY_DIR))
        return SP_OK;
    if ((rc = is_new(f, en, &tell, e)) != SP_OK || !tell)
        return rc;
    f->found++;
    f->bytes += en->size;
    if (f->r->j != NULL) {
        sp_json_object(f->r->j);
        sp_json_kstr(f->r->j, "set", sp_hex16(f->set->set_id).s);
        sp_json_key(f->r->j, "entry");
        sp_present_json_entry(f->r->j, en);
        sp_json_object_end(f->r->j);
        sp_report_flow(f->r);
        return SP_OK;
    }
    sp_time_local(en->mtime_ns, time);
    (void)printf("%s %13" PRIu64 " %s ", sp_present_id(f->set->set_id).s, en->size, time);
    sp_present_print_key(en->key, en->key_len);
    (void)fputs(en->type == SP_ENTRY_DIR ? "/\n" : "\n", stdout);
    return SP_OK;
}

static enum sp_code
walk(struct find *f, struct sp_set_reader *reader, struct sp_err *e)
{
    const struct sp_entry *en;
    struct sp_buf key = SP_BUF_INIT;
    enum sp_code rc;

    while ((rc = sp_set_reader_next(reader, &en, e)) == SP_OK && en != NULL) {
        if ((rc = consider(f, en, e)) != SP_OK)
            break;
        if (en->type != SP_ENTRY_DIR || sp_filter_may_select_below(f->filter, en->key, en->key_len))
            continue;
        sp_buf_reset(&key);
        sp_buf_put(&key, en->key, en->key_len);
        if ((rc = sp_buf_ok(&key, e)) != SP_OK ||
            (rc = sp_set_reader_leave(reader, key.data, key.len, e)) != SP_OK)
            break;
    }
    sp_buf_free(&key);
    return rc;
}

static enum sp_code
older_version(
    void *arg, const struct sp_entry *newer, const struct sp_entry *older, struct sp_err *e)
{
    (void)newer;
    return older == NULL ? SP_OK : consider(arg, older, e);
}

/* `newer`: the set of the same job that was searched before, or NULL: then only what differs has to
 * be looked at. */
static enum sp_code
search(struct find *f, struct sp_opened_store *o, const struct sp_set *set,
    const struct sp_set *newer, struct sp_err *e)
{
    struct sp_set_reader reader;
    struct sp_err why = {0};
    enum sp_code rc;

    f->set = set;
    if ((rc = sp_set_reader_open(f->r->c, o, set, true, &reader, &why)) == SP_OK) {
        if (newer != NULL)
            rc = sp_catalog_diff(&reader.source, &newer->root, &set->root, older_version, f, &why);
        if (newer == NULL ||
            sp_set_reader_goes_on(rc)) { /* or a node that the difference needs is gone */
            sp_err_clear(&why);
            rc = walk(f, &reader, &why);
        }
        if (rc == SP_OK)
            rc = sp_set_reader_verdict(&reader, &why);
        sp_set_reader_close(&reader);
    }
    if (rc == SP_OK || !sp_set_reader_goes_on(rc)) {
        if (rc != SP_OK)
            *e = why;
        return rc;
    }
    (void)sp_set_reader_damage(rc, &why);
    sp_err_context(&why, "set %s", sp_present_id(set->set_id).s);
    sp_cli_warn(f->r->c, "%s", why.text);
    if (f->damaged_sets++ == 0)
        f->first = why;
    return SP_OK;
}

static bool
same_job(const struct sp_set *a, const struct sp_set *b)
{
    return memcmp(a->host, b->host, 16) == 0 && strcmp(a->job, b->job) == 0;
}

static enum sp_code
search_many(struct find *f, struct sp_opened_store *o, bool all, struct sp_err *e)
{
    struct sp_sets sets;
    size_t i, k;
    enum sp_code rc;

    if ((rc = sp_sets_list(o, false, false, NULL, &sets, e)) != SP_OK)
        return rc;
    for (i = sets.n; i-- > 0 && rc == SP_OK;) {
        for (k = i + 1; k < sets.n && !same_job(&sets.v[k].set, &sets.v[i].set); k++)
            continue;
        if (k == sets.n)
            rc = search(f, o, &sets.v[i].set, NULL, e);
        else if (all)
            rc = search(f, o, &sets.v[i].set, &sets.v[k].set, e);
    }
    if (sets.unreadable > 0)
        sp_cli_warn(f->r->c,
            "%s be read, so what is in it was not searched; 'stillpoint check' tells more",
            sp_present_count(sets.unreadable, "record cannot", "records cannot").s);
    if (rc == SP_OK && sets.n == 0)
        rc = sp_fail(e, SP_ABSENT, SP_DOM_CONFIG, "there are no sets in %s", o->address);
    sp_sets_clear(&sets);
    return rc;
}

static enum sp_code
find(struct find *f, const char *spec, bool all, struct sp_err *e)
{
    struct sp_opened_store o;
    struct sp_found_set one;
    enum sp_code rc;

    if (spec == NULL && (rc = sp_seen_new(VERSIONS_REMEMBERED, &f->seen, e)) != SP_OK)
        return rc;
    if ((rc = sp_cli_open(f->r->c, NULL, SP_OPEN_READ, &o, e)) != SP_OK)
        return rc;
    if (f->r->j != NULL) {
        sp_json_key(f->r->j, "found");
        sp_json_array(f->r->j);
    }
    if (spec == NULL) {
        rc = search_many(f, &o, all, e);
    } else if ((rc = sp_cli_find_set(f->r->c, &o, spec, &one, e)) == SP_OK) {
        if ((rc = sp_found_set_need_key(&one, e)) == SP_OK)
            rc = search(f, &o, &one.set, NULL, e);
        f->set = NULL;
        sp_found_set_clear(&one);
    }
    if (f->r->j != NULL) {
        sp_json_array_end(f->r->j);
        sp_json_ku64(f->r->j, "count", f->found);
        sp_json_ku64(f->r->j, "bytes", f->bytes);
    } else if (rc == SP_OK) {
        sp_cli_say(f->r->c, "found %s, %s", sp_text_count(f->found).s, sp_text_bytes(f->bytes).s);
    }
    sp_cli_close(&o);
    if (rc == SP_OK && f->damaged_sets > 0)
        rc = sp_fail(e, f->first.code, f->first.domain,
            "%" PRIu64 " sets could not be searched whole", f->damaged_sets);
    return rc;
}

static enum sp_exit
run(struct sp_cli *c)
{
    static const struct option longs[] = {{"set", required_argument, NULL, 's'},
        {"all-sets", no_argument, NULL, 'a'}, {NULL, 0, NULL, 0}};
    struct sp_report r;
    struct find f = {.r = &r};
    struct sp_err e = {0};
    const char *spec = NULL;
    bool all = false;
    enum sp_code rc;
    int opt;

    while ((opt = sp_cli_getopt(c, "", longs)) != -1) {
        if (opt == 's')
            spec = optarg;
        else if (opt == 'a')
            all = true;
        else
            return SP_EXIT_USAGE;
    }
    if (optind == c->argc)
        return sp_cli_usage(c, "say what to find: '*.odt', or a path");
    if (spec != NULL && all)
        return sp_cli_usage(c, "--set and --all-sets exclude each other");
    if (sp_filter_new((const char *const *)c->argv + optind, (size_t)(c->argc - optind), false,
            &f.filter, &e) != SP_OK)
        return sp_cli_fail(c, &e);
    sp_report_begin(&r, c);
    rc = find(&f, spec, all, &e);
    sp_seen_free(f.seen);
    sp_filter_free(f.filter);
    return sp_report_end(&r, rc, &e, SP_EXIT_DONE);
}

const struct sp_command sp_cmd_find = {"find", "find files in sets", usage, run};
