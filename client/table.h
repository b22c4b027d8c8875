#ifndef SP_CLIENT_TABLE_H
#define SP_CLIENT_TABLE_H

/* A short table for people: columns as wide as their widest cell. For lists that are bounded (sets,
 * slots); what may be endless is printed line by line. */

#include "base/err.h"
#include "client/config.h"

struct sp_column {
    const char *title;
    bool right; /* numbers */
};

struct sp_table {
    const struct sp_column *columns;
    size_t ncolumns;
    struct sp_strings cells; /* row after row */
    bool failed;
};

void sp_table_init(struct sp_table *t, const struct sp_column *columns, size_t n);
/* The next cell, row by row. */
void sp_table_cell(struct sp_table *t, const char *fmt, ...) SP_PRINTF(2, 3);
/* To standard output, with the titles; SP_NOMEM when a cell could not be kept. */
enum sp_code sp_table_print(const struct sp_table *t, struct sp_err *e);
void sp_table_clear(struct sp_table *t);

#endif
