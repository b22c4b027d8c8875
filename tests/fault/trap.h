#ifndef SP_TESTS_FAULT_TRAP_H
#define SP_TESTS_FAULT_TRAP_H

/* Which call fails. Every call that can is asked for here; a call site is where the call comes
 * from: its operation, and who called whom above it. A first run counts how often each site is
 * passed, so that a later one can name the call that fails: the n-th of a site (the n-th of all is
 * another one each time where threads work side by side). The table lies in memory that is shared
 * with the processes which the cases run in. Any thread. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TRAP_SITES 16384
#define TRAP_FRAMES 8

struct trap_site {
    uint64_t hash;
    uint64_t count;
    char op[16];
    char path[200];        /* of the first call; "" for memory */
    void *pc[TRAP_FRAMES]; /* innermost first */
};

enum trap_mode { TRAP_OFF, TRAP_COUNT, TRAP_FAIL };

/* Once, or everything from then on; `trap_writes`: only what makes or lengthens something does, as
 * on a disk that is full. */
enum trap_span { TRAP_ONCE, TRAP_ON, TRAP_ON_WRITES };

struct trap_case {
    size_t site;  /* index into the table of the counting run */
    uint64_t nth; /* from 1 */
    int os_errno;
    enum trap_span span;
};

void trap_init(unsigned depth); /* frames that tell sites apart */
void trap_forget(void);
void trap_count(void);
void trap_fail(const struct trap_case *c);
void trap_off(void);
/* Has its call come? How many failed, and the first. */
uint64_t trap_fired(const char **ret_op, const char **ret_path);
size_t trap_nsites(void);
const struct trap_site *trap_site(size_t i);
/* Whether one of the functions above a site has this name. */
bool trap_within(size_t i, const char *function);
/* The functions above a site, for people. */
void trap_print(size_t i);

/* The errno when this call must fail, else 0. `writes`: it makes or lengthens something. */
int trap_call(const char *op, const char *path, bool writes);
/* Of this thread: calls that are the test's own are neither counted nor failed. */
void trap_immune(bool on);

#endif
