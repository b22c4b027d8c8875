#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/clock.h"
#include "client/job_files.h"

/* One run at a time, by flock(2): it belongs to the open file, which no child inherits. */

struct sp_run_lock {
    int fd;
};

static void
read_note(int fd, struct sp_buf *ret)
{
    char note[400];
    ssize_t n = pread(fd, note, sizeof(note), 0);

    if (n > 0)
        sp_buf_put(ret, note, (size_t)n);
}

enum sp_code
sp_run_lock_try(const char *path, const char *note, struct sp_run_lock **ret,
    struct sp_buf *ret_note, struct sp_err *e)
{
    struct sp_run_lock *l = calloc(1, sizeof(*l));
    int fd, why;

    if (l == NULL)
        return sp_fail_nomem(e);
    fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        why = errno;
        free(l);
        return sp_fail_os(e, SP_DOM_SELF, why, "cannot open %s", path);
    }
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        why = errno;
        if (why == EWOULDBLOCK)
            read_note(fd, ret_note);
        (void)close(fd);
        free(l);
        if (why == EWOULDBLOCK)
            return sp_fail(e, SP_BUSY, SP_DOM_SELF, "%s is held by another run", path);
        if (why == ENOLCK || why == EOPNOTSUPP || why == ENOSYS)
            return sp_fail(e, SP_UNSUPPORTED, SP_DOM_SELF, "%s: no locks are possible there", path);
        return sp_fail_os(e, SP_DOM_SELF, why, "cannot lock %s", path);
    }
    /* The note is for messages: without it the lock holds as well. */
    if (ftruncate(fd, 0) == 0)
        (void)!pwrite(fd, note, strlen(note), 0); /* read only while it is held */
    l->fd = fd;
    *ret = l;
    return SP_OK;
}

void
sp_run_lock_free(struct sp_run_lock *l)
{
    if (l == NULL)
        return;
    (void)close(l->fd);
    free(l);
}

void
sp_run_lock_self(char to[64])
{
    char now[32];

    sp_time_local(sp_clock_wall(&sp_clock_system), now);
    (void)snprintf(to, 64, "%ld since %s", (long)getpid(), now);
}
