#ifndef SP_CLIENT_REPORT_H
#define SP_CLIENT_REPORT_H

/* What a command gives as its result: with --json one object, written out as it grows; without,
 * text. A command that fails half-way closes what it opened and ends the report with the error in
 * it, so that standard output is one valid document in every case. */

#include "client/cli.h"

struct sp_report {
    struct sp_cli *c;
    struct sp_buf out;
    struct sp_json json;
    struct sp_json *j; /* NULL: text is wanted */
};

void sp_report_begin(struct sp_report *r, struct sp_cli *c);
/* Between the items of a list: writes out what has gathered. */
void sp_report_flow(struct sp_report *r);
/* Ends the object with "exit" and, when rc is not SP_OK, "error", "code" and "domain" out of e; the
 * sentence goes to standard error too. Gives the exit code: that of the error, or `code`. */
enum sp_exit
sp_report_end(struct sp_report *r, enum sp_code rc, const struct sp_err *e, enum sp_exit code);

#endif
