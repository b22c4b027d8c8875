#ifndef SP_TESTS_NTFS_SOURCE_JOURNALED_H
#define SP_TESTS_NTFS_SOURCE_JOURNALED_H

/* A Windows volume with a change journal, and whole runs of the backup pipeline that may use it.
 * Whatever goes wrong fails the test. */

#include "base/clock.h"
#include "client/usn.h"
#include "tests/ntfs/double.h"
#include "tests/unit/client/site.h"

struct journaled {
    struct site site;
    struct ntfs_double *d;
    char volume[64], files[128], path[512], folder[256];
    struct sp_clock clock;
    struct sp_env env;
    int64_t mono_ns; /* an hour a run; 0 again: the machine was restarted */
    const char *patterns[1];
    struct sp_usn_options options;
    struct sp_view_map views[2];
    void (*between)(
        struct journaled *j, void *arg); /* the journals are begun; a shadow is made here */
    void *arg;
    const struct sp_ntfs *table; /* NULL: the double's */
};

void journaled_new(struct journaled *j); /* a journal with the id 7, and nothing in `files` */
void journaled_free(struct journaled *j);
/* Another double in the place of this one, with the same paths and serial number. */
void journaled_exchange(struct journaled *j);
/* a, b, db; the audit lets them be. */
void journaled_three(struct journaled *j);
const char *journaled_at(struct journaled *j, const char *name);
void journaled_run(struct journaled *j, const char *what, struct outcome *ret);
void
journaled_well(struct journaled *j, const char *what, struct outcome *ret); /* and it is complete */
/* Three runs and a restart: from now on the journal is believed. */
void journaled_settle(struct journaled *j);
void journaled_restart(struct journaled *j);
/* Holds a file open, and writes without closing it. */
struct sp_ntfs_handle *journaled_open(struct journaled *j, const char *name);
void journaled_write(struct journaled *j, struct sp_ntfs_handle *h, const char *text);
void journaled_close(struct journaled *j, struct sp_ntfs_handle *h);
bool journaled_told(const struct outcome *o, const char *what); /* a note has these words */
/* What is remembered: the one file in the folder; false: there is none. */
bool journaled_state(struct journaled *j, char path[512]);

#endif
