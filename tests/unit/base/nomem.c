/* See nomem.h. */

#include "nomem.h"

#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>

#include "base/spare.h"

static atomic_long until; /* the allocation that brings it to zero fails; at zero none does */
static atomic_long count;
static atomic_bool all;
static bool (*_Atomic spared)(void); /* no variable of a thread here: mingw's need malloc */

void
nomem_at(long n)
{
    sp_spare_empty(); /* what waits there would be no allocation */
    atomic_store(&count, 0);
    atomic_store(&until, n);
}

bool
nomem_came(void)
{
    return atomic_exchange(&until, 0) <= 0;
}

long
nomem_count(void)
{
    return atomic_load(&count);
}

void
nomem_all(bool on)
{
    atomic_store(&all, on);
}

void
nomem_unless(bool (*own)(void))
{
    atomic_store(&spared, own);
}

static bool
fails(void)
{
    bool (*own)(void) = atomic_load(&spared);

    if (own != NULL && own())
        return false;
    atomic_fetch_add(&count, 1);
    if (!atomic_load(&all) && (atomic_load(&until) <= 0 || atomic_fetch_sub(&until, 1) != 1))
        return false;
    errno = ENOMEM;
    return true;
}

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
char *__real_strdup(const char *s);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);
char *__wrap_strdup(const char *s);

void *
__wrap_malloc(size_t n)
{
    return fails() ? NULL : __real_malloc(n);
}

void *
__wrap_calloc(size_t n, size_t size)
{
    return fails() ? NULL : __real_calloc(n, size);
}

void *
__wrap_realloc(void *p, size_t n)
{
    return fails() ? NULL : __real_realloc(p, n);
}

char *
__wrap_strdup(const char *s)
{
    return fails() ? NULL : __real_strdup(s);
}
