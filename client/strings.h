#ifndef SP_CLIENT_STRINGS_H
#define SP_CLIENT_STRINGS_H

/* A list of strings, each malloc'd. */

#include <stddef.h>

#include "base/err.h"

struct sp_strings {
    char **s;
    size_t n;
};
enum sp_code sp_strings_add(struct sp_strings *l, const char *s, struct sp_err *e);
void sp_strings_clear(struct sp_strings *l);

#endif
