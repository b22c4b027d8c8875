#include "base/spare.h"

#include <malloc.h>

size_t
sp_spare_size(void *p)
{
    return malloc_usable_size(p);
}
