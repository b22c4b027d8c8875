#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "server/cmd.h"
#include "storage/copy.h"

static const char usage[] =
    "usage: stillpointd copy TO [--make] [--host HOST] [--accept-gaps] [--dry-run] [-D DIR]\n\n"
    "Copies the sets of all hosts, or of one, into another repository: the copy outside of the "
    "house,\n"
    "for a timer. Needs no key and reads only; the server may run meanwhile. What TO has is not "
    "sent\n"
    "again, and each block is held against the hash that was stored with it. New hosts and key "
    "slots\n"
    "go along. TO is a folder (a mounted disk or share); into an SFTP account, on this machine:\n"
    "stillpoint copy REPOSITORY sftp://USER@HOST/PATH\n\n"
    "      --make         TO is empty or absent: make the repository first\n"
    "      --host HOST    only the sets of one host\n"
    "      --accept-gaps  also jobs whose chain has a gap that no removal record explains\n"
    "      --dry-run      say what would be sent, and write nothing\n";

struct copy {
    struct sp_cmd *c;
    struct sp_home home;
    struct sp_state *state;
    const char *to, *host_name;
    bool make, told; /* told: the result was printed, with what is wrong in it */
    uint8_t host[16];
    struct sp_copy_options o;
    struct sp_copy_totals totals;
    struct sp_buf out;
    struct sp_json j;
};

static volatile sig_atomic_t stopped;

static void
on_signal(int which)
{
    (void)which;
    stopped = 1;
}

static bool
stop(void *arg)
{
    (void)arg;
    return stopped != 0;
}

static bool
of_host(void *arg, const struct sp_set *set, int64_t published_ns)
{
    const struct copy *k = arg;

    (void)published_ns;
    return memcmp(set->host, k->host, sizeof(k->host)) == 0;
}

static void
on_event(void *arg, const struct sp_copy_event *ev)
{
    struct copy *k = arg;
    char text[1024];

    if (k->c->json) {
        sp_json_object(&k->j);
        sp_json_kstr(&k->j, "result", sp_copy_word(ev->what));
        if (ev->set != NULL) {
            sp_json_kstr(&k->j, "set", sp_hex16(ev->set->set_id).s);
            sp_json_kstr(&k->j, "host_id", sp_hex16(ev->set->host).s);
            sp_json_kstr(&k->j, "job", ev->set->job);
        }
        if (ev->text[0] != '\0')
            sp_json_kstr(&k->j, "text", ev->text);
        sp_json_object_end(&k->j);
    }
    if (ev->text[0] == '\0')
        return;
    if (ev->set != NULL)
        (void)snprintf(text, sizeof(text), "set %s of job %s, host %s: %s",
            sp_hex8(ev->set->set_id).s, ev->set->job, sp_hex8(ev->set->host).s, ev->text);
    sp_cmd_tell(ev->set != NULL ? text : ev->text);
}

/* --- the two sides ---------------------------------------------------------------------------- */

static enum sp_code
open_source(struct copy *k, struct sp_repository **ret, struct sp_err *e)
{
    struct sp_repository_options o = {.write = false};
    struct sp_backend *b = NULL;
    char *cache = NULL;
    enum sp_code rc;

    if ((rc = sp_home_path(&k->home, "cache", &cache, e)) != SP_OK)
        return rc;
    o.cache_dir = cache;
    if ((rc = sp_cmd_backend(k->c, &k->home, &b, e)) == SP_OK)
        rc = sp_repository_open(b, k->c->env, &o, ret, e);
    free(cache);
    return rc;
}

/* --make: an empty repository like the server's own, with an id of its own. */
static enum sp_code
make(struct copy *k, const char *path, struct sp_repository *like, struct sp_err *e)
{
    struct sp_repository_conf conf = *sp_repository_conf(like);
    struct sp_backend *b = NULL;
    enum sp_code rc;

    if ((rc = sp_random_fill(k->c->env->random, conf.id, sizeof(conf.id), e)) != SP_OK ||
        (rc = sp_backend_dir_open(k->c->env, path, true, &b, e)) != SP_OK)
        return rc;
    rc = sp_repository_create(b, k->c->env, &conf, NULL, e);
    sp_backend_free(b);
    return rc;
}

static enum sp_code
open_target(
    struct copy *k, struct sp_repository *like, struct sp_repository **ret, struct sp_err *e)
{
    const struct sp_copy_side from = {.repository = like};
    struct sp_repository_options o = {.write = !k->o.dry_run};
    struct sp_backend *b = NULL;
    struct sp_repository *r = NULL;
    char *path = NULL, *cache = NULL;
    enum sp_code rc;

    if ((rc = sp_os_absolute(k->to, &path, e)) != SP_OK ||
        (rc = sp_home_path(&k->home, "cache", &cache, e)) != SP_OK)
        goto out;
    o.cache_dir = cache;
    if (k->make && (rc = make(k, path, like, e)) != SP_OK)
        goto out;
    if ((rc = sp_backend_dir_open(k->c->env, path, false, &b, e)) == SP_OK)
        rc = sp_repository_open(b, k->c->env, &o, &r, e);
    if (rc == SP_ABSENT) {
        e->domain = SP_DOM_STORE;
        sp_err_context(e, "no repository to copy into (--make makes one)");
    }
    if (rc == SP_OK && k->make)
        rc = sp_copy_keys(&from, r, e);
    if (rc != SP_OK) {
        sp_repository_free(r);
        goto out;
    }
    *ret = r;
out:
    free(cache);
    free(path);
    return rc;
}

/* --- the end ---------------------------------------------------------------------------------- */

static void
say(struct copy *k)
{
    const struct sp_copy_totals *t = &k->totals;
    const char *would = k->o.dry_run ? "would be " : "";

    if (k->c->json) {
        sp_json_array_end(&k->j);
        sp_copy_totals_json(&k->j, t, k->o.dry_run);
        sp_json_object_end(&k->j);
    } else {
        sp_buf_printf(&k->out, "%s sets %scopied, %s were there, %s not copied; %s %ssent",
            sp_text_count(t->sets_copied).s, would, sp_text_count(t->sets_there + t->sets_healed).s,
            sp_text_count(t->sets_failed + t->sets_refused).s, sp_text_bytes(t->bytes).s, would);
    }
    sp_cmd_print(&k->out);
    k->told = true;
}

static enum sp_code
copy(struct copy *k, struct sp_err *e)
{
    struct sp_state_host host;
    struct sp_repository *from = NULL, *to = NULL;
    struct sp_copy_side source = {.repository = NULL}, target = {.repository = NULL};
    enum sp_code rc;

    if ((rc = sp_cmd_open(k->c, &k->home, &k->state, e)) != SP_OK)
        return rc;
    if (k->host_name != NULL) {
        if ((rc = sp_state_host_named(k->state, k->host_name, &host, e)) != SP_OK)
            goto out;
        memcpy(k->host, host.id, sizeof(k->host));
        k->o.wanted = of_host;
        k->o.wanted_arg = k;
    }
    if ((rc = open_source(k, &from, e)) != SP_OK || (rc = open_target(k, from, &to, e)) != SP_OK)
        goto out;
    source.repository = from;
    target.repository = to;
    k->o.hosts_proven = true; /* by their certificates: conn_keys.c */
    k->o.stop = stop;
    k->o.event = on_event;
    k->o.arg = k;
    sp_json_init(&k->j, &k->out);
    if (k->c->json) {
        sp_json_object(&k->j);
        sp_json_key(&k->j, "events");
        sp_json_array(&k->j);
    }
    if ((rc = sp_copy(&source, &target, &k->o, &k->totals, e)) != SP_OK)
        goto out;
    say(k);
    if (k->totals.sets_failed > 0 || k->totals.damaged > 0)
        rc = sp_fail(e, SP_CORRUPT, SP_DOM_STORE,
            "there is damage in the repository: %s sets could not be copied; 'stillpoint check "
            "--read-data' tells more",
            sp_text_count(k->totals.sets_failed).s);
    else if (k->totals.sets_refused > 0)
        rc = sp_fail(e, SP_REFUSED, SP_DOM_STORE, "%s sets were not copied; see above why",
            sp_text_count(k->totals.sets_refused).s);
out:
    sp_repository_free(to);
    sp_repository_free(from);
    sp_buf_free(&k->out);
    sp_state_close(k->state);
    sp_home_close(&k->home);
    return rc;
}

static enum sp_exit
run(struct sp_cmd *c)
{
    static const struct option longs[] = {{"make", no_argument, NULL, 'm'},
        {"host", required_argument, NULL, 'h'}, {"accept-gaps", no_argument, NULL, 'g'},
        {"dry-run", no_argument, NULL, 'd'}, {NULL, 0, NULL, 0}};
    struct copy k;
    struct sp_err e = {0};
    int opt;

    memset(&k, 0, sizeof(k));
    k.c = c;
    while ((opt = sp_cmd_getopt(c, ":", longs)) != -1) {
        if (opt == 'm')
            k.make = true;
        else if (opt == 'h')
            k.host_name = optarg;
        else if (opt == 'g')
            k.o.accept_gaps = true;
        else if (opt == 'd')
            k.o.dry_run = true;
        else
            return SP_EXIT_USAGE;
    }
    if (optind + 1 != c->argc)
        return sp_cmd_usage(c, "say to where, once: stillpointd copy TO");
    k.to = c->argv[optind];
    if (strstr(k.to, "://") != NULL)
        return sp_cmd_usage(c,
            "'%s' is no folder; into an SFTP account goes, on this machine, "
            "stillpoint copy REPOSITORY %s",
            k.to, k.to);
    if (k.make && k.o.dry_run)
        return sp_cmd_usage(c, "--make writes, and --dry-run does not");
    (void)signal(SIGINT, on_signal);
    (void)signal(SIGTERM, on_signal);
    if (copy(&k, &e) == SP_OK)
        return SP_EXIT_DONE;
    if (!k.told)
        return sp_cmd_fail(c, &e);
    sp_cmd_tell(e.text);
    return sp_cmd_exit_code(&e);
}

const struct sp_command sp_cmd_copy = {"copy", "copy the sets to another repository", usage, run};
