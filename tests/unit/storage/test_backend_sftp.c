/* The sftp backend against the contract of all backends, over a server that has everything, and
 * over those that lack something. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "conformance.h"
#include "expect.h"
#include "remote.h"

struct place {
    struct fake_options options;
    const char *path;
    struct remote r; /* of the last make */
    bool made;
};

static enum sp_code
make(void *arg, struct sp_backend **ret, struct sp_err *e)
{
    struct place *p = arg;

    if (p->made)
        remote_end(&p->r);
    remote_init(&p->r);
    p->made = true;
    p->r.o.path = p->path;
    fake_set(p->r.f, &p->options);
    return sp_backend_sftp_open(&sp_env_system, &p->r.o, true, ret, e);
}

static enum sp_code
again(void *arg, struct sp_backend **ret, struct sp_err *e)
{
    struct place *p = arg;

    return sp_backend_sftp_open(&sp_env_system, &p->r.o, false, ret, e);
}

int
main(void)
{
    static const struct {
        const char *kind, *path;
        struct fake_options options;
    } servers[] = {
        {"sftp", REMOTE_ROOT, {.read_only = false}},
        {"sftp: a path below the login's own", "repo", {.read_only = false}},
        {"sftp: without fsync", REMOTE_ROOT, {.no_fsync = true}},
        {"sftp: without statvfs", REMOTE_ROOT, {.no_statvfs = true}},
        {"sftp: without limits", REMOTE_ROOT, {.no_limits = true}},
        {"sftp: rename replaces", REMOTE_ROOT, {.rename_replaces = true}},
        {"sftp: short reads", REMOTE_ROOT, {.short_reads = 30000, .short_listings = 3}},
        {"sftp: answers in another order", REMOTE_ROOT, {.reorder = true}},
        {"sftp: pieces of 1000 bytes", REMOTE_ROOT, {.fragment = 1000}},
        {"sftp: rename is done and said to have failed", REMOTE_ROOT, {.rename_untold = true}},
    };
    int failed = 0;

    for (size_t i = 0; i < sizeof(servers) / sizeof(servers[0]); i++) {
        struct place p = {.options = servers[i].options, .path = servers[i].path};
        const struct conformance c = {
            .kind = servers[i].kind, .make = make, .again = again, .arg = &p};

        failed += conformance_run(&c);
        if (p.made)
            remote_end(&p.r);
    }
    return failed;
}
