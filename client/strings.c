#include "client/strings.h"

#include <stdlib.h>
#include <string.h>

enum sp_code
sp_strings_add(struct sp_strings *l, const char *s, struct sp_err *e)
{
    char **more = realloc(l->s, (l->n + 1) * sizeof(*more));

    if (more == NULL)
        return sp_fail_nomem(e);
    l->s = more;
    if ((l->s[l->n] = strdup(s)) == NULL)
        return sp_fail_nomem(e);
    l->n++;
    return SP_OK;
}

void
sp_strings_clear(struct sp_strings *l)
{
    size_t i;

    for (i = 0; i < l->n; i++)
        free(l->s[i]);
    free(l->s);
    l->s = NULL;
    l->n = 0;
}
