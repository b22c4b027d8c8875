#include <getopt.h>
#include <string.h>

#include "client/commands.h"
#include "client/vss_cmds.h"

static const char usage[] =
    "usage: stillpoint vss writers              who can take part, and how each is\n"
    "       stillpoint vss plan [JOB…|PATH…]    what would take part in a backup, what not and "
    "why\n"
    "       stillpoint vss test [JOB…|PATH…]    a shadow set with all that takes part, and "
    "nothing\n"
    "                                           else: no set is made, no log truncated\n\n"
    "The Volume Shadow Copy Service (VSS) of Windows asks the applications of this machine (their\n"
    "writers) to prepare themselves for a backup. Without a job or a path, plan and test are "
    "about\n"
    "every application there is. With --verbose more is told: files, raw states, results.\n\n"
    "test ends with 0 when every application took part, 1 when something was below that or what a\n"
    "job asks for is not there, and 2 when VSS failed or there is none.\n";

/* Windows says itself what is missing when VSS cannot be started. */
static enum sp_code
not_here(struct sp_err *e)
{
    return sp_fail(e, SP_UNSUPPORTED, SP_DOM_SHADOW,
        "there is no Volume Shadow Copy Service (VSS) on this machine: it is a part of Windows. "
        "Here files on btrfs are read from a snapshot (crash-consistent) without being told to; an "
        "application that has to take part is stopped, or its data exported, by the job's commands "
        "'before' and 'after'. 'stillpoint doctor' shows which paths can have snapshots");
}

static const struct word {
    const char *name;
    bool words; /* JOB… or PATH… may follow */
} words[] = {{"writers", false}, {"plan", true}, {"test", true}};

static enum sp_exit
run_word(struct vss_command *v, const struct word *w)
{
    enum sp_exit code = SP_EXIT_DONE;
    struct sp_err e = {0};
    enum sp_code rc;

    sp_report_begin(&v->r, v->c);
    if ((v->api = sp_vss_here()) == NULL)
        rc = not_here(&e);
    else if (strcmp(w->name, "writers") == 0)
        rc = vss_writers(v, &e);
    else if (strcmp(w->name, "plan") == 0)
        rc = vss_plan(v, &code, &e);
    else
        rc = vss_try(v, &code, &e);
    return sp_report_end(&v->r, rc, &e, code);
}

static enum sp_exit
run(struct sp_cli *c)
{
    static const struct option longs[] = {{NULL, 0, NULL, 0}};
    struct vss_command v = {.c = c};

    while (sp_cli_getopt(c, "", longs) != -1)
        return SP_EXIT_USAGE;
    if (optind == c->argc)
        return sp_cli_usage(c, "say what: writers, plan or test");
    v.words = c->argv + optind + 1;
    v.nwords = (size_t)(c->argc - optind - 1);
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strcmp(words[i].name, c->argv[optind]) != 0)
            continue;
        if (!words[i].words && v.nwords > 0)
            return sp_cli_usage(c, "%s: '%s' is too much", words[i].name, v.words[0]);
        sp_signals_install();
        return run_word(&v, &words[i]);
    }
    return sp_cli_usage(c, "there is no 'vss %s'; it is: writers, plan or test", c->argv[optind]);
}

const struct sp_command sp_cmd_vss = {
    "vss", "the applications that take part: writers, plan, test", usage, run};
