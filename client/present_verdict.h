#ifndef SP_CLIENT_PRESENT_VERDICT_H
#define SP_CLIENT_PRESENT_VERDICT_H

/* A verdict as structured data: the same in `show --json`, `backup --json` and `vss test --json`.
 *
 *   {"vss": true, "confirmed": true, "applications": "crash", "text": "crash-consistent: 1 of 8 …",
 *    "components": [{"unit": "web01", "kind": "vm", "level": "crash", "why": "writer-failed", "text": …, "writer": 0,
 *      "hresult": {…}, "parent": null, "depends": [], "shadow": 0, …}],
 *    "writers": [{"name": …, "level": …, "stages": {"prepared": {"state": 1, "state_text": "stable", …}, …}}],
 *    "shadows": […], "events": […], "notes": […]}
 *
 * Indices ("writer", "parent", "depends", "shadow") are into the verdict's own lists. What is not known is null. An
 * HRESULT is null where there is none, else {"code": "0x800423f4", "name": …, "meaning": …, "advice": …}, the last three null
 * for one that the table does not have. */

#include "base/json.h"
#include "base/verdict.h"

/* One object; the caller has written its key. */
void sp_present_json_verdict(struct sp_json *j, const struct sp_verdict *v);
/* A member: an HRESULT as above. */
void sp_present_json_hresult(struct sp_json *j, const char *key, uint32_t code);
/* "copy", "full", "incremental", "differential", "log": of VSS_BACKUP_TYPE; "type 7". */
void sp_present_backup_type(uint32_t type, char to[24]);

#endif
