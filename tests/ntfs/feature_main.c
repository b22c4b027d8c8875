#include "tests/ntfs/double.h"
#include "tests/ntfs/feature_tree.h"

#include <stdlib.h>
#include <string.h>

#include "base/os.h"

/* ntfstree make FOLDER             makes the tree of all features, says which the place has: held
 * against the same tree in the double, since some places take what they do not keep ntfstree
 * compare FOLDER FOLDER   what a restore has not brought back: one line a feature
 *
 * "FEATURE<TAB>made|not here" and "FEATURE<TAB>same|N differences"; details go to standard error.
 * Exit 1: make made nothing at all, or compare found differences. */

static int
fail(const struct sp_err *e)
{
    (void)fprintf(stderr, "ntfstree: %s\n", e->text);
    return 2;
}

static int
make(const struct sp_ntfs *fs, const char *path)
{
    enum feature_state made[FEATURE_COUNT], there[FEATURE_COUNT];
    unsigned differences[FEATURE_COUNT];
    struct ntfs_double *d = ntfs_double_new();
    struct sp_err e = {0};
    int count = 0;
    enum sp_code rc;

    ntfs_double_volume(d, "C:/", NTFS_DOUBLE_NTFS);
    ntfs_double_folder(d, "C:/tree");
    rc = feature_tree_make(ntfs_double_table(d), "C:/tree", there, stderr, &e);
    if (rc == SP_OK)
        rc = feature_tree_make(fs, path, made, stderr, &e);
    if (rc == SP_OK)
        rc = feature_tree_compare(
            ntfs_double_table(d), "C:/tree", fs, path, FEATURE_MADE_ONLY, differences, stderr, &e);
    for (int f = 0; rc == SP_OK && f < FEATURE_COUNT; f++) {
        const bool is = made[f] == FEATURE_MADE && differences[f] == 0;

        count += is;
        (void)printf("%s\t%s\n", feature_name((enum feature)f), is ? "made" : "not here");
    }
    ntfs_double_free(d);
    return rc != SP_OK ? fail(&e) : count > 0 ? 0 : 1;
}

static int
compare(const struct sp_ntfs *fs, const char *a, const char *b, enum feature_how how)
{
    unsigned differences[FEATURE_COUNT], all = 0;
    struct sp_err e = {0};

    if (feature_tree_compare(fs, a, fs, b, how, differences, stderr, &e) != SP_OK)
        return fail(&e);
    for (int f = 0; f < FEATURE_COUNT; f++) {
        all += differences[f];
        if (differences[f] == 0)
            (void)printf("%s\tsame\n", feature_name((enum feature)f));
        else
            (void)printf("%s\t%u differences\n", feature_name((enum feature)f), differences[f]);
    }
    return all > 0;
}

/* The inside form of a path: absolute, '/'. */
static char *
absolute(const char *path)
{
    struct sp_err e = {0};
    char *ret = NULL;

    if (sp_os_absolute(path, &ret, &e) != SP_OK)
        exit(fail(&e));
    return ret;
}

int
main(int argc, char **argv)
{
    const struct sp_ntfs *fs = &sp_ntfs_system;
    char *a, *b;
    int rc;

    if (argc == 3 && strcmp(argv[1], "make") == 0) {
        a = absolute(argv[2]);
        rc = make(fs, a);
        free(a);
        return rc;
    }
    if (argc == 4 && (strcmp(argv[1], "compare") == 0 || strcmp(argv[1], "compare-made") == 0)) {
        a = absolute(argv[2]);
        b = absolute(argv[3]);
        rc = compare(fs, a, b, strcmp(argv[1], "compare") == 0 ? FEATURE_EXACT : FEATURE_MADE_ONLY);
        free(a);
        free(b);
        return rc;
    }
    (void)fprintf(stderr, "usage: ntfstree make FOLDER | compare[-made] FOLDER FOLDER\n");
    return 5;
}
