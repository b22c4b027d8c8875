#ifndef SP_CLIENT_DEMAND_H
#define SP_CLIENT_DEMAND_H

/* What a job, or a restore, demands of the consistency of what it gets (docs/vss.md).
 *
 *   require = LEVEL [for PATTERN] [else keep|discard|leave-out]       in a job, any number of times
 *   if-below = keep|discard|leave-out                                  what holds where a demand does not say
 *   restore --require "LEVEL [for PATTERN]"
 *
 * LEVEL is application, crash or live; PATTERN as vss/pattern.h. Without PATTERN it is of the whole set: every application in
 * it must be at that level (a set without applications has none that could be below), and all files at crash or better for
 * `application` and `crash`. With a pattern of an application: of what matches; one that nothing matches is below. With
 * a path: the applications with files there, and the volume that it lies on (at crash, for `application`, where no
 * application has files there).
 *
 * Below: `discard` (the default; R30) makes no set and ends with 2; `keep` makes it, names it, ends with 1; `leave-out`
 * makes it without the files of the component that is below, names it, ends with 1 (for what is no component: as
 * discard). What falls below only at BackupComplete, when the set is committed, is named and ends with 1 in every case. */

#include "storage/record.h"
#include "vss/pattern.h"

enum sp_if_below { SP_BELOW_DEFAULT, SP_BELOW_DISCARD, SP_BELOW_KEEP, SP_BELOW_LEAVE_OUT };

struct sp_demand {
    enum sp_level level;
    struct sp_vss_pattern *pattern; /* NULL: the whole set */
    enum sp_if_below below;
};
struct sp_demands {
    struct sp_demand *v;
    size_t n;
    enum sp_if_below below; /* of those that say DEFAULT */
};
/* Appends. SP_INVALID shows the form. */
enum sp_code sp_demand_add(struct sp_demands *d, const char *text, struct sp_err *e);
enum sp_code sp_demand_parse_below(const char *word, enum sp_if_below *ret, struct sp_err *e);
void sp_demands_clear(struct sp_demands *d);

struct sp_demand_finding { /* one thing below one demand */
    const struct sp_demand *demand;
    size_t component;  /* of the verdict; SIZE_MAX: a volume, the files, or nothing matched */
    enum sp_if_below below; /* resolved: never DEFAULT */
    char *text;        /* a sentence: what is demanded, of what, what it is, why */
};
struct sp_demand_findings {
    struct sp_demand_finding *v;
    size_t n;
};
/* What a set is held against. */
struct sp_demand_subject {
    const struct sp_verdict *verdict; /* NULL: the record has none */
    enum sp_level files_level;
    const struct sp_volume *volumes;
    size_t nvolumes;
};
enum sp_code sp_demands_check(const struct sp_demands *d, const struct sp_demand_subject *s,
    struct sp_demand_findings *ret, struct sp_err *e);
void sp_demand_findings_clear(struct sp_demand_findings *f);

#endif
