#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fault/sweep.h"

const struct scenario scenarios[] = {
    {"backup, the first", "made", BACKUP, {"backup", "@/files", NULL}},
    {"backup, with changes", "one", BACKUP, {"backup", "@/files", NULL}},
    {"backup, resumed", "checkpoint", BACKUP, {"backup", "@/files", NULL}},
    {"backup, packs lost", "lost", BACKUP, {"backup", "@/files", NULL}},
    {"backup, index merged", "many", BACKUP, {"backup", "@/files", NULL}},
    {"restore", "one", RESTORE, {"restore", "latest", "--target", "@/live/out", NULL}},
    {"restore, no caches", "cold", RESTORE, {"restore", "latest", "--target", "@/live/out", NULL}},
    {"list", "two", LOOK, {"list", NULL}},
    {"show", "two", LOOK, {"show", "latest", "-R", "@/files", NULL}},
    {"find", "two", LOOK, {"find", "*.txt", "--all-sets", NULL}},
    {"diff", "two", LOOK, {"diff", "paths~1", "paths", NULL}},
    {"verify", "two", CHECK, {"verify", NULL}},
    {"check", "two", CHECK, {"check", NULL}},
    {"check --read-data", "two", CHECK, {"check", "--read-data", NULL}},
    {"init", "bare", INIT,
        {"init", "-r", "@/live/repository", "--name", "here", "--sheet", "@/live/sheet", NULL}},
    {"key sheet", "two", KEYS, {"key", "sheet", "--sheet", "@/live/sheet2", NULL}},
    {"key add-passphrase", "two", KEYS,
        {"key", "add-passphrase", "--passphrase-file", "@/passphrase", NULL}},
    {"key rotate", "two", KEYS, {"key", "rotate", NULL}},
    {"key list", "two", LOOK, {"key", "list", NULL}},
};
const size_t nscenarios = sizeof scenarios / sizeof scenarios[0];

/* --- what they begin with ------------------------------------------------------------------------
 */

static void
must(bool good, const char *why)
{
    if (!good)
        fail_msg("%s", why);
}

/* A run that is killed when it has all but its set's name. */
static void
make_checkpoint(struct sweep *s)
{
    const char *const argv[] = {"backup", "@/files", NULL};
    struct ending end;

    world_die_at = ".set";
    world_run(&s->w, argv, false, &end);
    world_die_at = NULL;
    if (world_count(&s->w, "@/live/repository/sets", ".checkpoint") == 0)
        fail_msg("no checkpoint: exit %d\n%s", end.code, end.err);
}

static void
write_text(struct world *w, const char *path, const char *text)
{
    char *p = world_path(w, path);
    FILE *f = fopen(p, "w");

    assert_non_null(f);
    assert_true(fputs(text, f) >= 0 && fclose(f) == 0);
    free(p);
}

void
sweep_prepare(struct sweep *s)
{
    static char why[WORLD_TEXT];
    struct world *w = &s->w;
    char path[32];

    trap_off();
    world_files(w);
    write_text(w, "@/passphrase", "correct horse\n");
    world_keep(w, "bare");
    must(world_does(w, why, "init", "-r", "@/live/repository", "--name", "here", "--sheet",
             "@/live/sheet", NULL),
        why);
    world_keep(w, "made");
    must(world_does(w, why, "backup", "@/files", NULL), why);
    world_keep(w, "one");
    world_change_files(w);
    make_checkpoint(s);
    world_keep(w, "checkpoint");
    world_reset(w, "one");
    world_remove(w, "@/live/cache");
    world_keep(w, "cold");
    world_reset(w, "one");
    must(world_does(w, why, "backup", "@/files", NULL), why);
    world_keep(w, "two");
    world_remove(w, "@/live/repository/packs");
    world_keep(w, "lost");
    world_reset(w, "one");
    for (int i = 0; i < 9; i++) { /* more segments of the index than are let be */
        (void)snprintf(path, sizeof path, "@/more%d", i);
        write_text(w, path, path);
        must(world_does(w, why, "backup", path, "--job", "more", NULL), why);
    }
    world_keep(w, "many");
}
