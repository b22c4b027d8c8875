#ifndef SP_CLIENT_SHOW_VERDICT_H
#define SP_CLIENT_SHOW_VERDICT_H

/* What a set, or a shadow set that was only tried, says of the consistency of what is in it, in an administrator's words:
 * `show`, `show --consistency` and `vss test`. Text goes to standard output, escaped for a terminal. */

#include "client/report.h"
#include "storage/record.h"

struct sp_show_subject {
    const struct sp_verdict *verdict; /* NULL: there is none */
    const struct sp_volume *volumes;
    size_t nvolumes;
};
/* One line a unit: "VM web01: crash (…)". `lead` comes before the first one, as wide as blanks before the others. */
void sp_show_units(const struct sp_verdict *v, const char *lead, int width);
/* Writer by writer, component by component, volume by volume; `evidence`: with all that is known. */
void sp_show_consistency(const struct sp_show_subject *s, bool evidence);

/* "volumes": […], a member of the object that is open. */
void sp_show_json_volumes(struct sp_json *j, const struct sp_volume *v, size_t n);
/* "consistency": {…} (present_verdict.h), or null. */
void sp_show_json_verdict(struct sp_json *j, const struct sp_verdict *v);

#endif
