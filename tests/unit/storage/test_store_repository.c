/* The repository as a store, over memory and over a folder, against the contract of store.h. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "expect.h"
#include "place.h"

struct fixture {
    bool folder;
    struct place place;
};

static void
begin(void *arg)
{
    struct fixture *f = arg;

    place_begin(&f->place, f->folder);
}

static void
end(void *arg)
{
    place_end(&((struct fixture *)arg)->place);
}

static void
admit(void *arg, const struct party *p)
{
    place_admit(&((struct fixture *)arg)->place, p);
}

static struct sp_store *
open_store(void *arg, const struct party *p)
{
    return place_store(&((struct fixture *)arg)->place, p, "cache");
}

static struct sp_backend *
below(void *arg)
{
    return ((struct fixture *)arg)->place.below;
}

int
main(void)
{
    struct fixture memory = {.folder = false}, folder = {.folder = true};
    struct store_conformance c = {.kind = "repository in memory",
        .begin = begin,
        .end = end,
        .admit = admit,
        .open = open_store,
        .below = below,
        .arg = &memory};
    int failed = store_conformance_run(&c);

    c.kind = "repository in a folder";
    c.arg = &folder;
    return failed + store_conformance_run(&c);
}
