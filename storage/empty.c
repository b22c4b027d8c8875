/* What a folder for a new repository holds: see empty.h. */

#include "storage/empty.h"

#include <stdio.h>
#include <string.h>

#include "base/path.h"

static bool
one_of(const char *name, const char *const *names)
{
    while (*names != NULL && strcmp(*names, name) != 0)
        names++;
    return *names != NULL;
}

void
sp_found_note(struct sp_found *f, const char *name)
{
    static const char *const small[] = {SP_FOLDER_CONF, "owner", "keys", "hosts", NULL};
    static const char *const filled[] = {"packs", "nodes", "index", "sets", NULL};
    struct sp_buf shown = SP_BUF_INIT;

    if (one_of(name, small)) {
        f->begun = true;
    } else if (one_of(name, filled)) {
        f->filled = true;
    } else if (strcmp(name, SP_FOLDER_TMP) != 0 && f->other[0] == '\0') {
        sp_path_show(name, strlen(name), &shown);
        (void)snprintf(f->other, sizeof(f->other), "%s", sp_buf_str(&shown));
        if (f->other[0] == '\0') /* no memory, and it is there */
            (void)snprintf(f->other, sizeof(f->other), "?");
        sp_buf_free(&shown);
    }
}

enum sp_code
sp_found_judge(const struct sp_found *f, const char *where, struct sp_err *e)
{
    if (f->filled)
        return sp_fail(e, SP_EXISTS, SP_DOM_STORE,
            "%s is not empty: there is a repository in it already; a new one needs a folder of its "
            "own",
            where);
    /* Before any word of removing it: "keys" and "hosts" are names that others give, too. */
    if (f->other[0] != '\0')
        return sp_fail(e, SP_EXISTS, SP_DOM_STORE,
            "%s is not empty (it holds \"%s\"); a new repository needs a folder of its own", where,
            f->other);
    if (f->begun)
        return sp_fail(e, SP_EXISTS, SP_DOM_STORE,
            "%s is not empty: it holds the beginning of a repository and no backup. If 'init' was "
            "interrupted there, remove the folder and run 'init' again; else give another folder",
            where);
    return SP_OK;
}
