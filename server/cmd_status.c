#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "server/cmd.h"

static const char usage[] = "usage: stillpointd status\n\n"
                            "Whether the server runs, who is connected, the hosts, the last runs, "
                            "the repository's space.\n";

#define RUNS_SHOWN 10

struct counting {
    unsigned active, revoked;
};

static enum sp_code
count(void *arg, const struct sp_state_host *h, struct sp_err *e)
{
    struct counting *n = arg;

    (void)e;
    if (h->revoked_ns != 0)
        n->revoked++;
    else
        n->active++;
    return SP_OK;
}

struct status {
    struct sp_cmd *c;
    struct sp_home home;
    bool running, has_beat;
    struct sp_state_beat beat;
    struct counting hosts;
    struct sp_buf b;
    struct sp_json j;
};

/* It runs when its lock is held, whatever the clock says. */
static enum sp_code
ask_running(struct status *t, struct sp_err *e)
{
    struct sp_state_lock *l = NULL;
    char *path = NULL;
    enum sp_code rc = sp_home_path(&t->home, "run.lock", &path, e);

    if (rc != SP_OK)
        return rc;
    rc = sp_state_lock(path, &l, e);
    sp_state_unlock(l);
    free(path);
    t->running = rc == SP_BUSY;
    return rc == SP_BUSY ? SP_OK : rc;
}

static enum sp_code
show_run(void *arg, const struct sp_state_run *r, struct sp_err *e)
{
    struct status *t = arg;

    if (t->c->json) {
        sp_json_object(&t->j);
        sp_json_kstr(&t->j, "host", r->host_name);
        sp_json_kstr(&t->j, "job", r->job);
        sp_json_kstr(&t->j, "set", sp_hex16(r->set_id).s);
        sp_json_kbool(&t->j, "complete", r->complete);
        sp_cmd_json_time(&t->j, "started", r->started_ns);
        sp_cmd_json_time(&t->j, "published", r->published_ns);
        sp_json_ku64(&t->j, "files", r->files);
        sp_json_ku64(&t->j, "bytes", r->bytes);
        sp_json_ku64(&t->j, "bytes_new", r->bytes_new);
        sp_json_object_end(&t->j);
    } else {
        sp_buf_printf(&t->b, "  %-19s %-16s %-12s %-10s %10s, %s new\n",
            sp_cmd_time(r->published_ns, "").s, r->host_name, sp_cmd_shown(r->job).s,
            r->complete ? "complete" : "incomplete", sp_text_bytes(r->bytes).s,
            sp_text_bytes(r->bytes_new).s);
    }
    return sp_buf_ok(&t->b, e);
}

static void
head_json(struct status *t)
{
    struct sp_json *j = &t->j;

    sp_json_init(j, &t->b);
    sp_json_object(j);
    sp_json_kbool(j, "running", t->running);
    sp_json_kstr(j, "repository", t->home.config.repository);
    sp_json_kstr(j, "fingerprint", sp_hex32(t->home.fingerprint).s);
    sp_json_ku64(j, "hosts", t->hosts.active);
    sp_json_ku64(j, "hosts_revoked", t->hosts.revoked);
    sp_json_ku64(j, "sessions", t->running && t->has_beat ? t->beat.sessions : 0);
    if (t->has_beat) {
        sp_cmd_json_time(j, "started", t->beat.started_ns);
        sp_cmd_json_time(j, "heartbeat", t->beat.beat_ns);
        sp_json_kstr(j, "address", t->beat.address);
        sp_json_ku64(j, "port", t->beat.port);
        sp_json_ku64(j, "free_bytes", t->beat.free_bytes);
        sp_json_ku64(j, "total_bytes", t->beat.total_bytes);
        sp_json_kstr(j, "trouble", t->beat.trouble);
    }
    sp_json_key(j, "runs");
    sp_json_array(j);
}

static void
head_text(struct status *t)
{
    const struct sp_state_beat *beat = &t->beat;
    bool v6 = strchr(beat->address, ':') != NULL;

    if (t->running && t->has_beat)
        sp_buf_printf(&t->b, "running since %s on %s%s%s:%u, %u session%s\n",
            sp_cmd_time(beat->started_ns, "").s, v6 ? "[" : "", beat->address, v6 ? "]" : "",
            (unsigned)beat->port, beat->sessions, beat->sessions == 1 ? "" : "s");
    else if (t->running)
        sp_buf_put_str(&t->b, "starting\n");
    else
        sp_buf_printf(&t->b, "not running%s%s\n", t->has_beat ? "; last heard of " : "",
            t->has_beat ? sp_cmd_time(beat->beat_ns, "").s : "");
    if (t->has_beat && beat->trouble[0] != '\0')
        sp_buf_printf(&t->b, "trouble: %s\n", beat->trouble);
    sp_buf_printf(&t->b, "repository  %s", t->home.config.repository);
    if (t->has_beat && beat->total_bytes > 0)
        sp_buf_printf(&t->b, ", %s free of %s", sp_text_bytes(beat->free_bytes).s,
            sp_text_bytes(beat->total_bytes).s);
    sp_buf_printf(
        &t->b, "\nhosts       %u, and %u revoked\nlast sets\n", t->hosts.active, t->hosts.revoked);
}

static enum sp_code
status(struct sp_cmd *c, struct sp_err *e)
{
    struct status t = {.c = c, .b = SP_BUF_INIT};
    struct sp_state *s = NULL;
    struct sp_err none = {0};
    enum sp_code rc;

    if ((rc = sp_cmd_open(c, &t.home, &s, e)) != SP_OK)
        return rc;
    if ((rc = ask_running(&t, e)) != SP_OK)
        goto out;
    rc = sp_state_beat_read(s, &t.beat, &none);
    t.has_beat = rc == SP_OK;
    if (rc != SP_OK && rc != SP_ABSENT) {
        *e = none;
        goto out;
    }
    if ((rc = sp_state_hosts(s, count, &t.hosts, e)) != SP_OK)
        goto out;
    if (c->json)
        head_json(&t);
    else
        head_text(&t);
    if ((rc = sp_state_runs(s, RUNS_SHOWN, show_run, &t, e)) != SP_OK)
        goto out;
    if (c->json) {
        sp_json_array_end(&t.j);
        sp_json_object_end(&t.j);
    } else if (t.b.len > 0) {
        t.b.len--; /* the line feed that sp_cmd_print gives */
    }
    if ((rc = sp_buf_ok(&t.b, e)) == SP_OK)
        sp_cmd_print(&t.b);
out:
    sp_buf_free(&t.b);
    sp_state_close(s);
    sp_home_close(&t.home);
    return rc;
}

static enum sp_exit
run(struct sp_cmd *c)
{
    struct sp_err e = {0};

    if (c->argc > 1)
        return sp_cmd_usage(c, "'%s' is too much", c->argv[1]);
    return status(c, &e) != SP_OK ? sp_cmd_fail(c, &e) : SP_EXIT_DONE;
}

const struct sp_command sp_cmd_status = {"status", "what the server does and holds", usage, run};
