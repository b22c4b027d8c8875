/* The linker sends our own calls for memory through here (--wrap). OpenSSL asks
 * ours (storage/crypto.c), and so comes here as well.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fault/trap.h"

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
char *__real_strdup(const char *s);
char *__real_strndup(const char *s, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);
char *__wrap_strdup(const char *s);
char *__wrap_strndup(const char *s, size_t n);

static bool
none(const char *op)
{
    int number = trap_call(op, "", true);

    if (number != 0)
        errno = number;
    return number != 0;
}

void *
__wrap_malloc(size_t n)
{
    return none("malloc") ? NULL : __real_malloc(n);
}

void *
__wrap_calloc(size_t n, size_t size)
{
    return none("calloc") ? NULL : __real_calloc(n, size);
}

void *
__wrap_realloc(void *p, size_t n)
{
    return none("realloc") ? NULL : __real_realloc(p, n);
}

char *
__wrap_strdup(const char *s)
{
    return none("strdup") ? NULL : __real_strdup(s);
}

char *
__wrap_strndup(const char *s, size_t n)
{
    return none("strndup") ? NULL : __real_strndup(s, n);
}
