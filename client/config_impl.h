#ifndef SP_CLIENT_CONFIG_IMPL_H
#define SP_CLIENT_CONFIG_IMPL_H

/* Between config.c, which reads the file and owns the jobs, and what knows the keys: config_keys.c, and
 * config_vss.c those of applications. */

#include "client/config.h"

#define SP_CONFIG_FILE_LIMIT (4u << 20)

/* A copy of the value in the place of what was there. */
enum sp_code sp_config_text(char **to, const char *value, struct sp_err *e);
/* "KEY = VALUE makes no sense: POSSIBLE". */
enum sp_code sp_config_bad_value(
    struct sp_err *e, const char *key, const char *value, const char *possible);
enum sp_code sp_config_bool(bool *to, const char *key, const char *value, struct sp_err *e);
enum sp_code sp_config_number(uint64_t *to, const char *key, const char *value, uint64_t min, uint64_t max,
    struct sp_err *e);
enum sp_code sp_config_duration(int64_t *to, const char *key, const char *value, struct sp_err *e);
/* SP_ABSENT (nothing is said): it is no such key. */
enum sp_code sp_config_vss_key(
    struct sp_job *j, const char *key, const char *value, struct sp_err *e);

#endif
