#ifndef SP_CLIENT_SCHEDULE_PARSE_H
#define SP_CLIENT_SCHEDULE_PARSE_H

/* Between schedule.c, which reads words, and schedule_cron.c, which reads cron's fields. */

#include "client/schedule.h"

#define SP_ALL_DAYS UINT32_C(0xfffffffe)
#define SP_ALL_MONTHS UINT16_C(0x1ffe)
#define SP_ALL_WEEKDAYS UINT8_C(0x7f)

/* 0 (sun, sunday) … 6 from the first three letters or the whole name; -1. */
int sp_schedule_weekday(const char *word, size_t n);
void sp_schedule_minute(struct sp_schedule *s, unsigned minute); /* sets the bit */
enum sp_code sp_schedule_bad(struct sp_err *e, const char *text, const char *why);
/* `fields` is behind the word cron: five fields or @daily and its like, lower case, single spaces.
 */
enum sp_code sp_schedule_parse_cron(const char *fields, struct sp_schedule *s, struct sp_err *e);

#endif
