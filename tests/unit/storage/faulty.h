#ifndef SP_TESTS_FAULTY_H
#define SP_TESTS_FAULTY_H

/* A table of file operations that stands on another, writes down what is asked of it, and fails
 * when it is told to. Any thread. */

#include "base/buf.h"
#include "base/os.h"
#include "base/thread.h"

struct faulty {
    struct sp_os os; /* what the code under test gets */
    const struct sp_os *below;

    /* Asked before every operation, with its name in the table and its path (publish and replace:
     * the new one); anything but SP_OK fails it. NULL: nothing fails. */
    enum sp_code (*before)(void *arg, const char *op, const char *path, struct sp_err *e);
    void *arg;

    bool publish_replaces;
    bool tear_writes;     /* half of what a failing write was given is in the file */
    bool flip_reads;      /* one bit of what is read at an even offset */
    int64_t stat_skew_ns; /* added to the times that stat gives, not to those of list */

    bool silent;          /* nothing is written down */
    struct sp_mutex lock; /* of the log */
    struct sp_buf log;    /* "op path\n" */
};

void faulty_init(struct faulty *f, const struct sp_os *below);
void faulty_free(struct faulty *f);
void faulty_reset_log(struct faulty *f);
/* Lines of the log that begin with `text`. */
size_t faulty_count(struct faulty *f, const char *text);

#endif
