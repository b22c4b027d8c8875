#ifndef SP_CLIENT_IN_USE_H
#define SP_CLIENT_IN_USE_H

/* Whether a file is held by a program just now, so that nobody else may open it alone. Looks at the live file; nothing is
 * changed, and nothing is fetched from elsewhere. What cannot be known is no. */

#include <stdbool.h>

bool sp_file_in_use(const char *path);

#endif
