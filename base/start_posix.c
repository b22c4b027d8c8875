/* See start.h. */

#include "base/start.h"

void
sp_start(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
}
