#ifndef SP_CLIENT_UNITS_LINUX_H
#define SP_CLIENT_UNITS_LINUX_H

/* The text of systemd's units, made from the configuration; nothing is written here. */

#include "client/service.h"

/* The first line of every file of ours. */
#define SP_UNIT_MARK "# Made by 'stillpoint service install'"

struct sp_unit {
    char *name; /* "stillpoint-backup@files.timer" */
    char *text;
    const char *wanted_by; /* "timers.target"; NULL: started by its timer */
};
struct sp_units {
    struct sp_unit *u;
    size_t n;
};
/* `program` is the path of stillpoint. SP_UNSUPPORTED names the job whose schedule a timer cannot
 * say exactly. */
enum sp_code sp_units_make(
    const struct sp_service_ask *a, const char *program, struct sp_units *ret, struct sp_err *e);
void sp_units_clear(struct sp_units *u);

/* systemd-escape(1) of one component of a unit's name. */
void sp_unit_escape(const char *text, struct sp_buf *ret);
/* One argument of ExecStart=: in quotes, without specifiers and variables. */
void sp_unit_quote(const char *text, struct sp_buf *ret);
/* The lines of a crontab that do the same, `root` as the user's field when it is the machine's. */
enum sp_code sp_units_cron(
    const struct sp_service_ask *a, const char *program, struct sp_buf *ret, struct sp_err *e);

#endif
