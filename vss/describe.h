#ifndef SP_VSS_DESCRIBE_H
#define SP_VSS_DESCRIBE_H

/* What a component is to an administrator: knowledge of single writers, as data in describe.c with Microsoft's page
 * for each row. Hyper-V {66841cd4-6ded-4f4b-8f17-fd23f8ddc3de}: a VM, its name and method from the caption, in both styles
 * ("Backup Using Child Partition Snapshot\web01", "Online\web01"; captions may be localised, so what stands before the
 * first backslash is the method in any words); its host component. SQL Server
 * {a65faa63-5ea8-4ebc-9dbd-a0c4db26912a}: "SERVER\INSTANCE/DB1". Exchange {76fe1ac4-15f7-4bcd-987e-8e1acb462fb7}: mailbox
 * stores. System State: System {e8132975-6f93-4464-a53e-1050253ae220}, ASR {be000cbe-11fe-4426-9c58-531aa6355fc4} and the
 * other writers that Microsoft counts to it (bootable system state). Any other by its own metadata. */

#include "base/verdict.h"
#include "vss/metadata.h"

struct sp_unit {
    enum sp_unit_kind kind;
    char *name;   /* never NULL after success */
    char *method; /* NULL: it has none */
};
enum sp_code sp_vss_describe(const struct sp_vss_writer *w, const struct sp_vss_component *c,
    struct sp_unit *ret, struct sp_err *e);
void sp_unit_clear(struct sp_unit *u);
/* The best that a method can be: APPLICATION for NULL, "Online" and "Child Partition Snapshot" (in any case), CRASH for
 * all else: "Offline", "Saved State", and words that are not known (a VM without any has the method "unknown"). */
enum sp_level sp_vss_method_cap(const char *method);
bool sp_vss_is_hyper_v(const char *class_id);

#endif
