#ifndef SP_CLIENT_CANONICAL_H
#define SP_CLIENT_CANONICAL_H

/* A path as the user gave it to the one name that it has: absolute, links followed (also the last), the case
 * that the disk has (Windows). Only a job's roots are made so. *ret malloc'd. SP_ABSENT (source) when there is
 * nothing. */

#include <stdbool.h>

#include "base/err.h"

/* Names that differ in the case of ASCII letters only are meant as one by who writes a pattern here. */
extern const bool sp_paths_fold;

enum sp_code sp_path_canonical(const char *path, char **ret, struct sp_err *e);

#endif
