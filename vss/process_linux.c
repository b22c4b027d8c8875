#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "vss/journal.h"

/* Field 22 of /proc/<pid>/stat: the start time in clock ticks since boot (proc(5)). 0: no such
 * process. */
static uint64_t
start_of(uint64_t pid)
{
    char path[64], text[1024];
    const char *p;
    uint64_t start = 0;
    unsigned field;
    size_t n;
    FILE *f;

    (void)snprintf(path, sizeof(path), "/proc/%" PRIu64 "/stat", pid);
    f = fopen(path, "re");
    if (f == NULL)
        return 0;
    n = fread(text, 1, sizeof(text) - 1, f);
    (void)fclose(f);
    text[n] = '\0';
    p = strrchr(text, ')'); /* the name may hold anything */
    for (field = 2; p != NULL && field < 22; field++)
        p = strchr(p + 1, ' ');
    if (p == NULL || sscanf(p + 1, "%" SCNu64, &start) != 1)
        return 0;
    return start;
}

void
sp_process_self(uint64_t *ret_pid, uint64_t *ret_start)
{
    *ret_pid = (uint64_t)getpid();
    *ret_start = start_of(*ret_pid);
}

bool
sp_process_alive(uint64_t pid, uint64_t start)
{
    return pid != 0 && start != 0 && start_of(pid) == start;
}
