#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "base/path.h"
#include "client/commands.h"
#include "client/doctor.h"
#include "client/present.h"

static const char usage[] =
    "usage: stillpoint doctor\n\n"
    "Looks at everything that backups from this machine need, and says what is good, what is not,\n"
    "and what to do: the configuration and its paths, applications and their VSS writers, every\n"
    "repository that is known here (with -r that one), what its store can do, space, certificate,\n"
    "keys, how old the last sets are. Changes nothing. Exit code 0 when all is good, 1 with\n"
    "warnings, 2 or 6 when a repository cannot be used.\n";

void
sp_doctor_tell(struct sp_doctor *d, enum sp_health h, const char *subject, const char *advice,
    const char *fmt, ...)
{
    static const char *const words[] = {"good", "warning", "bad"};
    static const char *const marks[] = {"good", "WARN", "BAD "};
    char line[1024];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(line, sizeof(line), fmt, ap);
    va_end(ap);
    d->good += h == SP_HEALTH_GOOD;
    d->warnings += h == SP_HEALTH_WARNING;
    d->bad += h == SP_HEALTH_BAD;
    if (d->r.j != NULL) {
        sp_json_object(d->r.j);
        sp_json_kstr(d->r.j, "health", words[h]);
        sp_json_kstr(d->r.j, "subject", subject);
        sp_json_kstr(d->r.j, "text", line);
        if (advice != NULL)
            sp_json_kstr(d->r.j, "advice", advice);
        sp_json_object_end(d->r.j);
    } else if (h != SP_HEALTH_GOOD || !d->c->quiet) {
        (void)printf("%s  %-14s ", marks[h], subject);
        sp_present_print_text(line);
        (void)putchar('\n');
        if (advice != NULL)
            (void)printf("%21s-> %s\n", "", advice);
    }
}

void
sp_doctor_bad(struct sp_doctor *d, const char *subject, const char *advice, const struct sp_err *e)
{
    if (d->bad == 0)
        d->worst = sp_cli_exit_code(e);
    sp_doctor_tell(d, SP_HEALTH_BAD, subject, advice, "%s", e->text);
}

/* Profiles one by one: a broken one must not hide the others, so only ids are listed here. */
struct known {
    uint8_t (*ids)[16];
    size_t n;
};

static enum sp_code
add_known(void *arg, const char *name, const struct sp_os_stat *st, struct sp_err *e)
{
    struct known *k = arg;
    uint8_t id[16], (*more)[16];

    (void)st;
    if (!sp_hex_parse(name, id, 16))
        return SP_OK;
    if ((more = realloc(k->ids, (k->n + 1) * sizeof(*more))) == NULL)
        return sp_fail_nomem(e);
    k->ids = more;
    memcpy(more[k->n++], id, 16);
    return SP_OK;
}

static enum sp_code
list_known(const struct sp_os *os, struct known *ret, struct sp_err *e)
{
    char *state = NULL, *folder = NULL;
    enum sp_code rc;

    if ((rc = sp_os_place(SP_PLACE_STATE, &state, e)) == SP_OK &&
        (folder = sp_path_join(state, "stores")) == NULL)
        rc = sp_fail_nomem(e);
    if (rc == SP_OK)
        rc = os->list(os->self, folder, false, add_known, ret, e);
    free(folder);
    free(state);
    return rc == SP_ABSENT ? SP_OK : rc;
}

static bool
is_default(struct sp_doctor *d, const uint8_t id[16])
{
    struct sp_profile *p = NULL;
    struct sp_err ignored = {0};
    bool same = sp_profile_load(d->c->env, NULL, &p, &ignored) == SP_OK &&
                memcmp(p->repository, id, 16) == 0;

    sp_profile_free(p);
    return same;
}

static void
look_at_all(struct sp_doctor *d)
{
    struct known k = {NULL, 0};
    struct sp_profile *p = NULL;
    struct sp_err e = {0};
    size_t i, looked = 0;
    enum sp_code rc;

    if (list_known(d->c->env->os, &k, &e) != SP_OK) {
        sp_doctor_bad(d, "state", NULL, &e);
        goto out;
    }
    for (i = 0; i < k.n; i++) {
        p = NULL;
        rc = sp_profile_load_id(d->c->env, k.ids[i], &p, &e);
        if (rc == SP_ABSENT) { /* a set-up that did not finish */
            sp_doctor_tell(d, SP_HEALTH_WARNING, "known here",
                "delete that folder of the state folder",
                "stores/%s is not complete: a set-up did not finish", sp_hex16(k.ids[i]).s);
        } else if (rc != SP_OK) {
            sp_doctor_bad(
                d, "known here", "restore the state folder from a backup, or set up anew", &e);
        } else {
            sp_doctor_store(d, p, is_default(d, k.ids[i]));
            looked++;
        }
        sp_profile_free(p);
    }
    if (looked == 0 && d->bad == 0 && sp_profile_load(d->c->env, NULL, &p, &e) != SP_OK)
        sp_doctor_bad(d, "known here", NULL, &e);
out:
    free(k.ids);
}

static void
look_at_one(struct sp_doctor *d)
{
    struct sp_profile *p = NULL;
    struct sp_err e = {0};
    char *address = NULL;

    if (sp_cli_address(d->c->repository, &address, &e) != SP_OK ||
        sp_profile_load(d->c->env, address, &p, &e) != SP_OK)
        sp_doctor_bad(d, "known here", "without -r: all that this machine knows", &e);
    else
        sp_doctor_store(d, p, is_default(d, p->repository));
    sp_profile_free(p);
    free(address);
}

static enum sp_exit
run(struct sp_cli *c)
{
    static const struct option longs[] = {{NULL, 0, NULL, 0}};
    struct sp_doctor d;
    struct sp_err none = {0};
    enum sp_exit code;

    while (sp_cli_getopt(c, "", longs) != -1)
        return SP_EXIT_USAGE;
    if (optind < c->argc)
        return sp_cli_usage(c, "'%s' is too much", c->argv[optind]);
    memset(&d, 0, sizeof(d));
    d.c = c;
    sp_report_begin(&d.r, c);
    if (d.r.j != NULL) {
        sp_json_key(d.r.j, "checks");
        sp_json_array(d.r.j);
    }
    sp_doctor_jobs(&d);
    sp_doctor_applications(&d);
    if (c->repository != NULL)
        look_at_one(&d);
    else
        look_at_all(&d);
    sp_doctor_leftovers(&d);
    code = d.bad > 0 ? d.worst : d.warnings > 0 ? SP_EXIT_PARTLY : SP_EXIT_DONE;
    if (d.r.j != NULL) {
        sp_json_array_end(d.r.j);
        sp_json_ku64(d.r.j, "good", d.good);
        sp_json_ku64(d.r.j, "warnings", d.warnings);
        sp_json_ku64(d.r.j, "bad", d.bad);
    }
    sp_cli_say(c, "%s good, %s, %s bad", sp_text_count(d.good).s,
        sp_present_count(d.warnings, "warning", "warnings").s, sp_text_count(d.bad).s);
    return sp_report_end(&d.r, SP_OK, &none, code);
}

const struct sp_command sp_cmd_doctor = {"doctor", "what is good here and what is not", usage, run};
