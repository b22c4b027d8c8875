#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "server/cmd.h"
#include "storage/backend.h"
#include "storage/record.h"

static const char usage[] =
    "usage: stillpointd sets [HOST]\n\n"
    "The backup sets in the repository, newest first, of one host or of all.\n";

#define RECORD_MAX (16u << 20)
#define CLEAR_ENOUGH 1024u /* sets shown at once */

struct entry {
    char object[160];
    uint8_t host[16], set_id[16];
    int64_t published_ns;
};

struct gathering {
    struct entry *v;
    size_t n, cap;
};

static enum sp_code
gather(void *arg, const char *name, uint64_t size, struct sp_err *e)
{
    struct gathering *g = arg;
    struct entry *at;
    enum sp_record_type type;

    if (size == 0) /* the store lost it: absent */
        return SP_OK;
    if (g->n == g->cap) {
        size_t cap = g->cap == 0 ? 256 : g->cap * 2;
        struct entry *more = realloc(g->v, cap * sizeof(*more));

        if (more == NULL)
            return sp_fail_nomem(e);
        g->v = more;
        g->cap = cap;
    }
    at = &g->v[g->n];
    if (strlen(name) < sizeof(at->object) &&
        sp_record_object_parse(name, &type, at->host, &at->published_ns, at->set_id) &&
        type == SP_RECORD_SET) {
        memcpy(at->object, name, strlen(name) + 1);
        g->n++;
    }
    return SP_OK;
}

static int
newest_first(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;

    if (x->published_ns != y->published_ns)
        return x->published_ns > y->published_ns ? -1 : 1;
    return memcmp(x->set_id, y->set_id, sizeof(x->set_id));
}

static const char *
state_word(enum sp_set_state state)
{
    return state == SP_SET_COMPLETE ? "complete" : "incomplete";
}

struct names { /* of hosts, by id */
    struct sp_state *state;
    struct sp_state_host last;
    bool known;
};

static const char *
host_name(struct names *n, const uint8_t id[16])
{
    struct sp_err none = {0};

    if (!n->known || memcmp(n->last.id, id, sizeof(n->last.id)) != 0) {
        n->known = true;
        if (sp_state_host(n->state, id, &n->last, &none) != SP_OK) {
            memset(&n->last, 0, sizeof(n->last));
            memcpy(n->last.id, id, sizeof(n->last.id));
            memcpy(n->last.name, sp_hex8(id).s, 17);
        }
    }
    return n->last.name;
}

/* One set; a record that cannot be read is named and the others are shown all the same (R11). */
static bool
show(struct sp_cmd *c, struct sp_backend *b, struct names *names, const struct entry *at,
    struct sp_json *j, struct sp_buf *out)
{
    struct sp_set set;
    struct sp_err e = {0};
    uint8_t *p = NULL;
    size_t n;
    bool good;

    good = sp_backend_get_all(b, at->object, RECORD_MAX, &p, &n, &e) == SP_OK &&
           sp_set_record_decode(p, n, &set, &e) == SP_OK;
    if (good && memcmp(set.set_id, at->set_id, 16) != 0)
        good = sp_fail(&e, SP_CORRUPT, SP_DOM_STORE, "it is the record of another set") == SP_OK;
    free(p);
    if (!good) {
        (void)fprintf(stderr, "stillpointd: %s: %s\n", at->object, e.text);
        return false;
    }
    if (c->json) {
        sp_json_object(j);
        sp_json_kstr(j, "host", host_name(names, at->host));
        sp_json_kstr(j, "host_id", sp_hex16(at->host).s);
        sp_json_kstr(j, "job", set.job);
        sp_json_kstr(j, "id", sp_hex16(at->set_id).s);
        sp_json_ku64(j, "sequence", set.sequence);
        sp_cmd_json_time(j, "published", at->published_ns);
        sp_cmd_json_time(j, "started", set.started_ns);
        sp_cmd_json_time(j, "ended", set.ended_ns);
        sp_json_kstr(j, "state", state_word(set.state));
        sp_json_kstr(j, "applications", sp_level_word(set.applications));
        sp_json_kstr(j, "files_level", sp_level_word(set.files_level));
        sp_json_ku64(j, "files", set.files);
        sp_json_ku64(j, "bytes", set.bytes);
        sp_json_ku64(j, "bytes_new", set.bytes_new);
        sp_json_ku64(j, "bytes_stored", set.bytes_stored);
        sp_json_object_end(j);
        return true;
    }
    sp_buf_printf(out, "%-19s %-16s %-12s %-16s %-10s %10s %10s new\n",
        sp_cmd_time(at->published_ns, "").s, host_name(names, at->host), sp_cmd_shown(set.job).s,
        sp_hex8(at->set_id).s, state_word(set.state), sp_text_bytes(set.bytes).s,
        sp_text_bytes(set.bytes_stored).s);
    if (out->len > CLEAR_ENOUGH * 64) {
        (void)fwrite(out->data, 1, out->len, stdout);
        sp_buf_reset(out);
    }
    return true;
}

static enum sp_code
show_all(struct sp_cmd *c, struct sp_backend *b, struct sp_state *s, const struct gathering *g,
    size_t *ret_bad, struct sp_err *e)
{
    struct names names = {.state = s};
    struct sp_buf out = SP_BUF_INIT;
    struct sp_json j;
    enum sp_code rc;

    sp_json_init(&j, &out);
    if (c->json)
        sp_json_array(&j);
    *ret_bad = 0;
    for (size_t i = 0; i < g->n; i++)
        if (!show(c, b, &names, &g->v[i], &j, &out))
            ++*ret_bad;
    if (c->json)
        sp_json_array_end(&j);
    else
        sp_buf_printf(&out, "%zu set%s", g->n, g->n == 1 ? "" : "s");
    if ((rc = sp_buf_ok(&out, e)) == SP_OK)
        sp_cmd_print(&out);
    sp_buf_free(&out);
    return rc;
}

static enum sp_code
sets(struct sp_cmd *c, const char *host, struct sp_err *e)
{
    struct gathering g = {NULL, 0, 0};
    struct sp_state_host h;
    struct sp_home home = {0};
    struct sp_state *s = NULL;
    struct sp_backend *b = NULL;
    char prefix[80] = "sets";
    size_t bad;
    enum sp_code rc;

    if ((rc = sp_cmd_open(c, &home, &s, e)) != SP_OK)
        return rc;
    if (host != NULL) {
        if ((rc = sp_state_host_named(s, host, &h, e)) != SP_OK)
            goto out;
        (void)snprintf(prefix, sizeof(prefix), "sets/%s", sp_hex16(h.id).s);
    }
    if ((rc = sp_cmd_backend(c, &home, &b, e)) != SP_OK ||
        (rc = sp_backend_list(b, prefix, gather, &g, e)) != SP_OK)
        goto out;
    if (g.n > 0)
        qsort(g.v, g.n, sizeof(*g.v), newest_first);
    rc = show_all(c, b, s, &g, &bad, e);
    if (rc == SP_OK && bad > 0)
        rc =
            sp_fail(e, SP_CORRUPT, SP_DOM_STORE, "%zu of %zu set records cannot be read", bad, g.n);
out:
    free(g.v);
    sp_backend_free(b);
    sp_state_close(s);
    sp_home_close(&home);
    return rc;
}

static enum sp_exit
run(struct sp_cmd *c)
{
    struct sp_err e = {0};

    if (c->argc > 2)
        return sp_cmd_usage(c, "give at most one HOST");
    if (c->argc == 2 && c->argv[1][0] == '-')
        return sp_cmd_usage(c, "unknown option %s", c->argv[1]);
    return sets(c, c->argc == 2 ? c->argv[1] : NULL, &e) != SP_OK ? sp_cmd_fail(c, &e)
                                                                  : SP_EXIT_DONE;
}

const struct sp_command sp_cmd_sets = {"sets", "list the backup sets", usage, run};
