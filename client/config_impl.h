#ifndef SP_CLIENT_CONFIG_IMPL_H
#define SP_CLIENT_CONFIG_IMPL_H

/* Between config.c, which reads the file and owns the jobs, and config_keys.c, which knows the
 * keys. */

#include "client/config.h"

#define SP_CONFIG_FILE_LIMIT (4u << 20)

/* A copy of the value in the place of what was there. */
enum sp_code sp_config_text(char **to, const char *value, struct sp_err *e);

#endif
