#include "journaled.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HOUR (INT64_C(3600) * SP_SECOND)

static int64_t
wall(void *self)
{
    (void)self;
    return sp_clock_wall(&sp_clock_system);
}

static int64_t
mono(void *self)
{
    const struct journaled *j = self;

    return j->mono_ns;
}

static void
double_new(struct journaled *j)
{
    j->d = ntfs_double_new();
    ntfs_double_set_here(j->d);
    ntfs_double_volume(j->d, j->volume, NTFS_DOUBLE_NTFS);
    ntfs_double_journal(j->d, j->volume, 7);
    ntfs_double_folder(j->d, j->files);
}

/* The first component of the site's folder is a volume here. */
void
journaled_new(struct journaled *j)
{
    char *folder;

    memset(j, 0, sizeof *j);
    site_new(&j->site, false);
    (void)snprintf(j->files, sizeof j->files, "%s/files", j->site.tree.path + 1);
    (void)snprintf(j->volume, sizeof j->volume, "%.*s/", (int)strcspn(j->files, "/"), j->files);
    double_new(j);
    tree_dir(&j->site.tree, "usn");
    assert_true(asprintf(&folder, "%s/usn", j->site.tree.path) > 0);
    (void)snprintf(j->folder, sizeof j->folder, "%s", folder);
    free(folder);
    j->clock = (struct sp_clock){wall, mono, j};
    j->env = sp_env_system;
    j->env.clock = &j->clock;
    j->mono_ns = 100 * HOUR;
    j->patterns[0] = "*.tmp";
    j->options = (struct sp_usn_options){
        .folder = j->folder, .job = "job", .patterns = j->patterns, .npatterns = 1};
}

void
journaled_free(struct journaled *j)
{
    assert_int_equal(ntfs_double_handles(j->d), 0);
    site_free(&j->site);
    ntfs_double_free(j->d);
}

void
journaled_exchange(struct journaled *j)
{
    ntfs_double_free(j->d);
    double_new(j);
}

const char *
journaled_at(struct journaled *j, const char *name)
{
    (void)snprintf(j->path, sizeof j->path, "%s/%s", j->files, name);
    return j->path;
}

void
journaled_three(struct journaled *j)
{
    ntfs_double_text(j->d, journaled_at(j, "a"), "aaa");
    ntfs_double_text(j->d, journaled_at(j, "b"), "bbb");
    ntfs_double_text(j->d, journaled_at(j, "db"), "old");
    j->site.o.usn_audit = 1000003; /* none of these has its turn */
}

static struct sp_bytes
root_of(struct journaled *j)
{
    struct sp_bytes key = {.n = strlen(j->files)};

    assert_non_null(key.p = malloc(key.n));
    for (size_t i = 0; i < key.n; i++)
        key.p[i] = j->files[i] == '/' ? 0 : (uint8_t)j->files[i];
    return key;
}

void
journaled_run(struct journaled *j, const char *what, struct outcome *ret)
{
    struct sp_bytes root = root_of(j);
    struct sp_usn *u = NULL;
    struct sp_err e = {0};

    j->mono_ns += HOUR;
    j->options.roots = &root;
    j->options.nroots = 1;
    assert_int_equal(sp_usn_begin(&j->env, j->table != NULL ? j->table : ntfs_double_table(j->d),
                         &j->options, &u, &e),
        SP_OK);
    if (j->between != NULL)
        j->between(j, j->arg);
    j->site.o.usn = u;
    site_run(&j->site, what, ret);
    j->site.o.usn = NULL;
    sp_usn_free(u);
    free(root.p);
}

void
journaled_well(struct journaled *j, const char *what, struct outcome *ret)
{
    journaled_run(j, what, ret);
    if (ret->code != SP_OK)
        fail_msg("%s: %s", what, ret->err.text);
    assert_int_equal(ret->result.state, SP_SET_COMPLETE);
}

void
journaled_restart(struct journaled *j)
{
    j->mono_ns = 0;
}

void
journaled_settle(struct journaled *j)
{
    struct outcome o;

    journaled_well(j, "first", &o);
    assert_true(journaled_told(&o, "first run that reads it"));
    journaled_restart(j);
    journaled_well(j, "after a restart", &o);
    assert_true(journaled_told(&o, "restarted"));
    assert_int_equal(o.result.stats.files_vouched, 0);
}

struct sp_ntfs_handle *
journaled_open(struct journaled *j, const char *name)
{
    const struct sp_ntfs *t = ntfs_double_table(j->d);
    struct sp_ntfs_handle *dir = NULL, *h = NULL;
    struct sp_err e = {0};

    assert_int_equal(t->open_path(t->self, j->files, NTFS_LIST, &dir, &e), SP_OK);
    assert_int_equal(t->open_at(t->self, dir, name, NTFS_FILE, NTFS_WRITE, &h, &e), SP_OK);
    assert_int_equal(t->close(t->self, dir, &e), SP_OK);
    return h;
}

void
journaled_write(struct journaled *j, struct sp_ntfs_handle *h, const char *text)
{
    const struct sp_ntfs *t = ntfs_double_table(j->d);
    struct sp_err e = {0};

    assert_int_equal(t->write(t->self, h, 0, text, strlen(text), &e), SP_OK);
}

void
journaled_close(struct journaled *j, struct sp_ntfs_handle *h)
{
    const struct sp_ntfs *t = ntfs_double_table(j->d);
    struct sp_err e = {0};

    assert_int_equal(t->close(t->self, h, &e), SP_OK);
}

bool
journaled_told(const struct outcome *o, const char *what)
{
    for (size_t i = 0; i < o->nnotes && i < 8; i++)
        if (strstr(o->notes[i], what) != NULL)
            return true;
    return false;
}

bool
journaled_state(struct journaled *j, char path[512])
{
    DIR *d = opendir(j->folder);
    const struct dirent *e;
    size_t n = 0;

    assert_non_null(d);
    while ((e = readdir(d)) != NULL)
        if (e->d_name[0] != '.') {
            assert_true(snprintf(path, 512, "%s/%s", j->folder, e->d_name) < 512);
            n++;
        }
    (void)closedir(d);
    assert_true(n <= 1);
    return n == 1;
}
