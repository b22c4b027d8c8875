#ifndef SP_CLIENT_WATCH_H
#define SP_CLIENT_WATCH_H

/* What the walk sees that says more than a file: virtual machines of VMware (.vmx), and documents of applications that
 * know nothing of VSS and are open at the time (Access: .mdb beside .ldb, .accdb beside .laccdb; Outlook: .pst and .ost that
 * cannot be opened alone; others in watch.c's table, each with its source). The walk tells every name that ends like one of
 * them (cheap); at its end, before the commit, the units are made of what was seen and added to the verdict:
 *
 *  - a VM of VMware is one unit: configuration, descriptors of disks and their extents, nvram, suspended state (vss/vmware.h).
 *    It is `application` only where a component of a VMware writer that took part has its files; else NO_WRITER, at the
 *    level of the weakest volume of its files. What it needs that is not in the set is named. Tools and their version where
 *    vmware.log or the configuration tells;
 *  - a document that was open: kind DOCUMENT, NO_WRITER, at its volume's level. Closed ones are no units. A database
 *    of SQLite with a journal is one only where it is read live: from one instant it recovers.
 *
 * What is read live has NO_SHADOW for its reason, so that it stays live when the verdict is judged again; what is read
 * from a shadow is told to be of the verdict's first one. */

#include "client/source.h"
#include "base/verdict.h"

struct sp_watch;
enum sp_code sp_watch_new(struct sp_watch **ret, struct sp_err *e);
void sp_watch_free(struct sp_watch *w); /* NULL is harmless */
/* By the walking thread, for every file with a content in the set. Never fails: what there is no memory for is told by
 * finish. */
void sp_watch_see(struct sp_watch *w, const void *key, size_t n);
/* Where the bytes of a key are read, and whether from a shadow: the run's views. */
struct sp_watch_place {
    enum sp_code (*read_path)(void *arg, const void *key, size_t n, struct sp_buf *ret, struct sp_err *e);
    /* Level of the volume of a key; NONE: it is not in the set. */
    enum sp_level (*level)(void *arg, const void *key, size_t n);
    bool (*in_set)(void *arg, const void *key, size_t n); /* roots and filter */
    bool (*in_use)(void *arg, const void *key, size_t n); /* the live file cannot be opened alone just now */
    void *arg;
};
/* Adds components (and notes) to the verdict. At most 10000 documents are named; a note tells of more. */
enum sp_code sp_watch_finish(struct sp_watch *w, const struct sp_watch_place *place,
    struct sp_verdict *v, struct sp_err *e);

#endif
