#include "client/place.h"

#include <string.h>

#include "client/cli.h"
#include "client/place_sftp.h"

static const char scheme[] = "sftp://";

bool
sp_address_is_sftp(const char *address)
{
    return strncmp(address, scheme, sizeof(scheme) - 1) == 0;
}

enum sp_code
sp_place_open(struct sp_cli *c, const char *address, const struct sp_profile *p, bool create,
    struct sp_backend **ret, struct sp_err *e)
{
    return sp_address_is_sftp(address) ? place_sftp_open(c, address, p, create, ret, e)
                                       : sp_backend_dir_open(c->env, address, create, ret, e);
}

enum sp_code
sp_place_remarks(struct sp_backend *b, void (*each)(void *arg, const struct sp_place_remark *r),
    void *arg, struct sp_err *e)
{
    static const struct sp_place_remark
        read_only = {false, "writing", "this login cannot write there; reading works",
            "give it the right to write in that folder"},
        writes = {true, "writing", "this login can write there", NULL},
        removes = {true, "removing",
            "this login can delete what it wrote: whoever takes over this machine can delete its "
            "backups as well",
            "an append-only account, or snapshots that the provider keeps: docs/sftp.md"},
        keeps = {true, "removing", "this login cannot delete what it wrote", NULL},
        no_flush = {false, "flushing",
            "the server offers no flush (fsync@openssh.com): a new set is stored, and not proven "
            "to survive a power failure there until a later run has read it back",
            "after a power failure of the server run 'stillpoint check'"},
        flushes = {true, "flushing", "files are flushed", NULL},
        replaces = {false, "names",
            "its rename replaces a file of that name, so a name that is taken is only looked for",
            "an OpenSSH server of today refuses instead; let only one machine at a time back up "
            "to this folder"},
        no_space = {true, "space", "the server does not tell how much is free", NULL};
    struct sp_sftp_gaps g = {0};
    enum sp_code rc;

    if (strcmp(b->ops->kind, "sftp") != 0)
        return SP_OK;
    if ((rc = sp_backend_sftp_gaps(b, &g, e)) != SP_OK)
        return rc;
    each(arg, g.read_only ? &read_only : &writes);
    if (!g.read_only) {
        each(arg, g.no_remove ? &keeps : &removes);
        each(arg, g.no_flush ? &no_flush : &flushes);
        if (g.replaces)
            each(arg, &replaces);
    }
    if (g.no_space)
        each(arg, &no_space);
    return SP_OK;
}
