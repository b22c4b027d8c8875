#ifndef SP_VSS_VOLUMES_WIN32_H
#define SP_VSS_VOLUMES_WIN32_H

/* Which volumes a run reads: those that its roots lie on, and those mounted in folders below. */

#include "vss/volumes.h"

/* Adds them all to `s`, live and without a reason, sorted. A volume mounted below a root has the
 * root's key before the rest of its own, so that keys are written as the walk will write them. */
enum sp_code volumes_find(struct sp_shadow *s, const struct sp_shadow_options *o, struct sp_err *e);
/* A share or a mapped drive: its shadows would be its server's. */
bool volume_is_remote(const struct volume *v);

#endif
