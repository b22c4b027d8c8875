#ifndef SP_BASE_INI_H
#define SP_BASE_INI_H

/* Configuration files: sections in brackets, `key = value` lines, whole-line comments with '#' or ';',
 * values run to the end of the line (trailing spaces dropped; in double quotes, \" and \\ are escapes;
 * no other escapes, so Windows paths need none), a repeated key makes a list, a line that starts with
 * white space goes on with the value above (one more item of a list). UTF-8, a BOM is skipped; lines of
 * any length. Every error names file and line. Own code because the known small parsers cut long lines
 * in silence, and a path may be long. */

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* Called for every value in the order of the file; `section` is "" before the first. A code other than
 * SP_OK ends the parse; its text is given "FILE:LINE: " as context. */
typedef enum sp_code (*sp_ini_fn)(void *arg, const char *section, const char *key, const char *value,
    unsigned line, struct sp_err *e);
/* Called with key NULL and value NULL when a section starts (so that empty ones are seen). */

enum sp_code sp_ini_parse(const char *file, const char *text, size_t n, sp_ini_fn fn, void *arg,
    struct sp_err *e);

#endif
