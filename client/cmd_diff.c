#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/path.h"
#include "client/commands.h"
#include "client/present.h"
#include "client/report.h"
#include "client/select.h"
#include "client/set_reader.h"

static const char usage[] =
    "usage: stillpoint diff SET1 SET2 [PATH]\n\n"
    "Lists what differs from SET1 to SET2: + added, - removed, M changed (and in what). Only what\n"
    "differs is read, so it is quick however large the sets are. With PATH only that and below.\n";

struct diff {
    struct sp_report *r;
    struct sp_buf within; /* key; "": all */
    uint64_t added, removed, changed, bytes_added, bytes_removed;
};

/* What is not the same, in words; at least one. */
static void
reasons(
    const struct sp_entry *old, const struct sp_entry *now, struct sp_strings *ret, bool *ret_ok)
{
    struct sp_err ignored = {0};
    struct {
        bool differs;
        const char *word;
    } all[] = {
        {old->type != now->type, "type"},
        {old->size != now->size, "size"},
        {old->type == now->type && !sp_entry_same_content(old, now), "content"},
        {old->extra != now->extra, "streams"},
        {((old->flags ^ now->flags) & SP_ENTRY_AWAY) != 0, "placeholder"},
        {old->target_len != now->target_len ||
                (old->target_len > 0 && memcmp(old->target, now->target, old->target_len) != 0),
            "target"},
        {old->mode != now->mode, "mode"},
        {old->uid != now->uid || old->gid != now->gid || strcmp(old->user, now->user) != 0 ||
                strcmp(old->group, now->group) != 0,
            "owner"},
        {old->mtime_ns != now->mtime_ns, "mtime"},
        {old->links != now->links && old->type != SP_ENTRY_DIR, "links"},
        {old->rdev != now->rdev, "device"},
        {((old->flags ^ now->flags) & (SP_ENTRY_UNREADABLE | SP_ENTRY_CHANGED)) != 0, "readable"},
    };
    size_t i;

    *ret_ok = true;
    for (i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        if (all[i].differs && sp_strings_add(ret, all[i].word, &ignored) != SP_OK)
            *ret_ok = false;
    }
    if (ret->n == 0 && sp_strings_add(ret, "attributes", &ignored) != SP_OK)
        *ret_ok = false;
}

static void
text_line(const struct sp_entry *old, const struct sp_entry *now, const struct sp_strings *why)
{
    const struct sp_entry *en = now != NULL ? now : old;
    size_t i;

    (void)printf("%c ", old == NULL ? '+' : now == NULL ? '-' : 'M');
    sp_present_print_key(en->key, en->key_len);
    if (en->type == SP_ENTRY_DIR && en->key_len > 0)
        (void)putchar('/');
    for (i = 0; i < why->n; i++) {
        (void)printf("%s%s", i == 0 ? " (" : ", ", why->s[i]);
        if (strcmp(why->s[i], "size") == 0)
            (void)printf(" %" PRIu64 " to %" PRIu64, old->size, now->size);
    }
    (void)fputs(why->n > 0 ? ")\n" : "\n", stdout);
}

static void
json_line(struct sp_report *r, const struct sp_entry *old, const struct sp_entry *now,
    const struct sp_strings *why)
{
    const struct sp_entry *either = now != NULL ? now : old;
    size_t i;

    sp_json_object(r->j);
    sp_json_kstr(r->j, "change", old == NULL ? "added" : now == NULL ? "removed" : "changed");
    // cppcheck-suppress nullPointerRedundantCheck ; one of the two is there
    sp_present_json_key(r->j, "path", either->key, either->key_len);
    if (why->n > 0) {
        sp_json_key(r->j, "differs");
        sp_json_array(r->j);
        for (i = 0; i < why->n; i++)
            sp_json_str(r->j, why->s[i]);
        sp_json_array_end(r->j);
    }
    if (old != NULL) {
        sp_json_key(r->j, "old");
        sp_present_json_entry(r->j, old);
    }
    if (now != NULL) {
        sp_json_key(r->j, "new");
        sp_present_json_entry(r->j, now);
    }
    sp_json_object_end(r->j);
    sp_report_flow(r);
}

/* A folder on the way to what was backed up: it was not asked for. */
static bool
is_above(const struct sp_entry *old, const struct sp_entry *now)
{
    return (old == NULL || (old->flags & SP_ENTRY_IMPLIED) != 0) &&
           (now == NULL || (now->flags & SP_ENTRY_IMPLIED) != 0);
}

static enum sp_code
differs(void *arg, const struct sp_entry *old, const struct sp_entry *now, struct sp_err *e)
{
    struct diff *d = arg;
    const struct sp_entry *en = now != NULL ? now : old;
    struct sp_strings why = {NULL, 0};
    bool ok = true;

    // cppcheck-suppress nullPointerRedundantCheck ; one of the two is there
    if (!sp_key_within(d->within.data, d->within.len, en->key, en->key_len) || is_above(old, now))
        return SP_OK;
    if (old != NULL && now != NULL) {
        d->changed++;
        reasons(old, now, &why, &ok);
    } else if (old == NULL) {
        d->added++;
        d->bytes_added += now->size;
    } else {
        d->removed++;
        d->bytes_removed += old->size;
    }
    if (d->r->j != NULL)
        json_line(d->r, old, now, &why);
    else
        text_line(old, now, &why);
    sp_strings_clear(&why);
    return ok ? SP_OK : sp_fail_nomem(e);
}

static void
end(struct diff *d, const struct sp_found_set *a, const struct sp_found_set *b)
{
    if (d->r->j != NULL) {
        sp_json_kstr(d->r->j, "from", sp_hex16(a->set.set_id).s);
        sp_json_kstr(d->r->j, "to", sp_hex16(b->set.set_id).s);
        sp_json_ku64(d->r->j, "added", d->added);
        sp_json_ku64(d->r->j, "removed", d->removed);
        sp_json_ku64(d->r->j, "changed", d->changed);
        sp_json_ku64(d->r->j, "bytes_added", d->bytes_added);
        sp_json_ku64(d->r->j, "bytes_removed", d->bytes_removed);
        return;
    }
    sp_cli_say(d->r->c, "from set %s to %s: %s added (%s), %s removed (%s), %s changed",
        sp_present_id(a->set.set_id).s, sp_present_id(b->set.set_id).s, sp_text_count(d->added).s,
        sp_text_bytes(d->bytes_added).s, sp_text_count(d->removed).s,
        sp_text_bytes(d->bytes_removed).s, sp_text_count(d->changed).s);
}

/* SP_ABSENT when it is not there; a part of the catalog that is damaged may hold it. */
static enum sp_code
look_for(const struct diff *d, const struct sp_node_source *source, const struct sp_id *root,
    struct sp_err *e)
{
    struct sp_catalog *catalog = NULL;
    const struct sp_entry *en;
    enum sp_code rc;

    if ((rc = sp_catalog_open(source, root, &catalog, e)) != SP_OK)
        return rc;
    rc = sp_catalog_find(catalog, d->within.data, d->within.len, &en, e);
    sp_catalog_free(catalog);
    return rc;
}

/* A path that neither set has is a mistake, not a path without a difference. */
static enum sp_code
check_path(const struct diff *d, const char *path, const struct sp_node_source *source,
    const struct sp_found_set *a, const struct sp_found_set *b, struct sp_err *e)
{
    struct sp_err ignored = {0};

    if (d->within.len == 0 || look_for(d, source, &a->set.root, &ignored) != SP_ABSENT ||
        look_for(d, source, &b->set.root, &ignored) != SP_ABSENT)
        return SP_OK;
    return sp_fail(e, SP_ABSENT, SP_DOM_CONFIG, "%s is in neither set", path);
}

static enum sp_code
compare(struct diff *d, struct sp_opened_store *o, const struct sp_found_set *a,
    const struct sp_found_set *b, const char *path, struct sp_err *e)
{
    struct sp_set_reader reader;
    enum sp_code rc;

    if (memcmp(a->set.group, b->set.group, 16) != 0)
        return sp_fail(e, SP_INVALID, SP_DOM_CONFIG,
            "the two sets are of different key groups and cannot be compared");
    if ((rc = sp_found_set_need_key(a, e)) != SP_OK || (rc = sp_found_set_need_key(b, e)) != SP_OK)
        return rc;
    if ((rc = sp_set_reader_open(d->r->c, o, &a->set, true, &reader, e)) != SP_OK)
        return rc;
    if ((rc = check_path(d, path, &reader.source, a, b, e)) != SP_OK) {
        sp_set_reader_close(&reader);
        return rc;
    }
    if (d->r->j != NULL) {
        sp_json_key(d->r->j, "changes");
        sp_json_array(d->r->j);
    }
    rc = sp_catalog_diff(&reader.source, &a->set.root, &b->set.root, differs, d, e);
    rc = sp_set_reader_damage(rc, e);
    if (d->r->j != NULL)
        sp_json_array_end(d->r->j);
    if (rc == SP_OK)
        end(d, a, b);
    sp_set_reader_close(&reader);
    return rc;
}

static enum sp_code
diff(struct diff *d, const char *one, const char *two, const char *path, struct sp_err *e)
{
    struct sp_opened_store o;
    struct sp_found_set a = {0}, b = {0};
    enum sp_code rc;

    if (path != NULL && (rc = sp_select_key(path, &d->within, e)) != SP_OK)
        return rc;
    if ((rc = sp_cli_open(d->r->c, NULL, SP_OPEN_READ, &o, e)) != SP_OK)
        return rc;
    if ((rc = sp_cli_find_set(d->r->c, &o, one, &a, e)) == SP_OK &&
        (rc = sp_cli_find_set(d->r->c, &o, two, &b, e)) == SP_OK)
        rc = compare(d, &o, &a, &b, path, e);
    sp_found_set_clear(&a);
    sp_found_set_clear(&b);
    sp_cli_close(&o);
    return rc;
}

static enum sp_exit
run(struct sp_cli *c)
{
    static const struct option longs[] = {{NULL, 0, NULL, 0}};
    struct sp_report r;
    struct diff d = {.r = &r, .within = SP_BUF_INIT};
    struct sp_err e = {0};
    enum sp_code rc;
    int opt;

    while ((opt = sp_cli_getopt(c, "", longs)) != -1)
        return SP_EXIT_USAGE;
    if (optind + 2 > c->argc)
        return sp_cli_usage(c, "two sets are needed, as in: stillpoint diff JOB~1 JOB");
    if (optind + 3 < c->argc)
        return sp_cli_usage(c, "'%s' is too much: two sets and one path", c->argv[optind + 3]);
    sp_report_begin(&r, c);
    rc = diff(&d, c->argv[optind], c->argv[optind + 1],
        optind + 2 < c->argc ? c->argv[optind + 2] : NULL, &e);
    sp_buf_free(&d.within);
    return sp_report_end(&r, rc, &e, SP_EXIT_DONE);
}

const struct sp_command sp_cmd_diff = {"diff", "what differs between two sets", usage, run};
