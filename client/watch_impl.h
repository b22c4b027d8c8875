#ifndef SP_CLIENT_WATCH_IMPL_H
#define SP_CLIENT_WATCH_IMPL_H

/* Inside watch*.c: what was seen, and how its bytes are had. */

#include "base/buf.h"
#include "client/watch.h"

enum watched {           /* why a name is remembered */
    WATCH_MACHINE,       /* a VM's configuration */
    WATCH_MACHINE_FILE,  /* what a VM may consist of */
    WATCH_LOCKED_BESIDE, /* a document, where a lock file beside it has its name with another end */
    WATCH_HELD,          /* a document that its application keeps for itself while it is open */
    WATCH_JOURNAL        /* lies beside a database while something is under way in it */
};
struct watch_row {
    const char *end; /* of the name, in any case */
    enum watched how;
    const char *other;       /* LOCKED_BESIDE: the lock's end instead of `end` */
    const char *application; /* for people */
    const char *source;
};
struct watch_seen {
    size_t at, n;               /* the key, in `keys` */
    size_t folded_at, folded_n; /* as names are compared here */
    const struct watch_row *row;
};
struct sp_watch {
    struct sp_buf keys;
    struct watch_seen *v;
    size_t n;
    bool lost; /* for lack of memory */
};
const uint8_t *watch_key(const struct sp_watch *w, const struct watch_seen *s);
/* Whether it was seen; once sorted. */
enum sp_code
watch_find(const struct sp_watch *w, const void *key, size_t n, bool *ret, struct sp_err *e);
/* At most `limit` bytes of a file, its first ones or its last ones. SP_ABSENT, SP_IO, SP_DENIED, …
 */
enum sp_code watch_read(const struct sp_watch_place *place, const void *key, size_t n, bool end,
    size_t limit, struct sp_buf *ret, struct sp_err *e);
enum sp_code watch_is_there(
    const struct sp_watch_place *place, const void *key, size_t n, bool *ret, struct sp_err *e);
char *watch_native(const void *key, size_t n); /* malloc'd; NULL: no memory */
/* A component without a writer, with one path; *ret is v's. */
enum sp_code watch_add(struct sp_verdict *v, enum sp_unit_kind kind, const char *unit,
    enum sp_level level, struct sp_verdict_component **ret, struct sp_err *e);
enum sp_code
watch_add_path(struct sp_verdict_component *c, const void *key, size_t n, struct sp_err *e);

/* watch_machine.c */
enum sp_code watch_machine(const struct sp_watch *w, const struct watch_seen *vmx,
    const struct sp_watch_place *place, struct sp_verdict *v, struct sp_err *e);

#endif
