#ifndef SP_TESTS_CLIENT_FAKE_SOURCE_H
#define SP_TESTS_CLIENT_FAKE_SOURCE_H

/* A source (client/source.h) of made-up objects in the place of this system's, for what no POSIX
 * file has: content behind the content, files that are elsewhere, listings that come late. A
 * program that has fake_source.c takes all of source.h from it. */

#include "base/os.h"
#include "client/source.h"

struct fake_extent {
    uint64_t length;
    bool hole;
};

struct fake_object { /* below the run's first root; folders before what is in them, sorted by key */
    const char *path;
    enum sp_entry_type type;
    uint32_t flags, links;
    uint64_t size, extra, file_id;
    int64_t mtime_ns, btime_ns, atime_ns;
    const struct fake_extent *extents; /* of the content, parts included; NULL: all data */
    size_t nextents;
    const struct sp_attribute *attributes;
    size_t nattributes;
    uint64_t seed, extra_seed; /* of its bytes, and of those behind them */
    uint64_t own_gone,
        extra_gone; /* so many bytes less at the end than it said when it was opened */
    const struct fake_object *now; /* what it is when it is looked at itself; NULL: as listed */
    bool gone;                     /* then it is not there at all */
    enum sp_code unreadable;       /* opening fails with this */
    bool shadow;                   /* it is read from one */
    unsigned refreshed, opened;    /* how often */
    bool fetched;                  /* a byte was read that is elsewhere */
};

/* What the next runs find. */
void fake_source_set(struct fake_object *v, size_t n);
/* What is at `offset` of its content, holes as zeros. */
void fake_bytes(const struct fake_object *o, uint64_t offset, uint8_t *to, size_t n);

/* What the source says once a run; NULL: nothing. */
void fake_source_note(const char *sentence);

#endif
