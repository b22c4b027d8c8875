#include "base/spare.h"

#include <stdlib.h>

size_t
sp_spare_size(void *p)
{
    return _msize(p);
}
