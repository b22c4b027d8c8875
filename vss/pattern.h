#ifndef SP_VSS_PATTERN_H
#define SP_VSS_PATTERN_H

/* How a job names applications (docs/vss.md):
 *
 *   vm:web01   database:SRV\INST/DB1   mailboxes:*   system:*      by the administrator's name of the unit
 *   writer:SqlServerWriter                                        everything of a writer, by name or class id
 *   component:SqlServerWriter/SRV\INST/DB1                        writer, logical path, name
 *   D:\VMs\web01   /srv/vm                                        (absolute) whatever has files at or below it
 *
 * Compared without regard to case. `*` and `?` are wildcards; in `component:` they and in paths they stay within one part
 * (parts end at / and \), and in `component:` ** is any number of parts; elsewhere `*` matches anything, and / and \ are
 * one. So `database:*\DB1` is not `DB10`. A path is of the form of Windows (a drive, \\server\share, \\?\…) or begins with /;
 * only the former knows no case, on every system: sets of the other kind are asked about, too. Class ids may be
 * written with their braces. */

#include "base/verdict.h"

struct sp_vss_pattern;
/* SP_INVALID: the sentence says what is wrong and shows the forms. */
enum sp_code sp_vss_pattern_new(const char *text, struct sp_vss_pattern **ret, struct sp_err *e);
void sp_vss_pattern_free(struct sp_vss_pattern *p);
const char *sp_vss_pattern_text(const struct sp_vss_pattern *p);
bool sp_vss_pattern_is_path(const struct sp_vss_pattern *p);

struct sp_vss_subject { /* what is compared; strings may be NULL */
    const char *writer, *writer_id;
    const char *logical_path, *name;
    enum sp_unit_kind kind;
    const char *unit;
    const char *const *paths; /* native */
    size_t npaths;
};
bool sp_vss_pattern_match(const struct sp_vss_pattern *p, const struct sp_vss_subject *s);
/* Of a component of a verdict (with the writer it belongs to). */
bool sp_vss_pattern_match_component(
    const struct sp_vss_pattern *p, const struct sp_verdict *v, size_t component);
/* A path pattern: whether `path` lies at or below it (or, `above`, it lies below `path`). Folded on Windows. */
bool sp_vss_pattern_covers(const struct sp_vss_pattern *p, const char *path, bool above);

#endif
