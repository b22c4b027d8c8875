#ifndef SP_VSS_VMWARE_H
#define SP_VSS_VMWARE_H

/* The files of a virtual machine of VMware's hosted products (Workstation, Player, Server, Fusion), out of those of them
 * that are texts. Pure: bytes in, names out, as they are written there: relative to the folder of the file they are
 * in, or absolute. Everything is bounded; what is no sense is passed over.
 *
 * Which files there are: "Virtual Machine Files" in VMware's manuals (techdocs.broadcom.com, Workstation Pro). The
 * descriptor of a disk: VMware's "Virtual Disk Format 5.0". */

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

enum sp_vmware_part {
    SP_VMWARE_DISK,   /* descriptor, or a disk in one file; a parent of one */
    SP_VMWARE_EXTENT, /* bytes of a disk */
    SP_VMWARE_STATE,  /* suspended, or of a snapshot: .vmss, .vmsn, .vmem */
    SP_VMWARE_OTHER,  /* nvram, .vmxf, .vmsd */
    SP_VMWARE_DEVICE  /* no file: a disk of the host, passed through */
};
struct sp_vmware_file {
    enum sp_vmware_part part;
    bool optional; /* a machine may be without it */
    char *name;
};
#define SP_VMWARE_FILES_MAX 4096 /* of a machine */
struct sp_vmware {
    char *name;  /* displayName; NULL: it has none */
    char *tools; /* version of VMware Tools; NULL: not told */
    bool suspended;
    struct sp_vmware_file *files; /* each name once */
    size_t nfiles;
    bool more; /* than SP_VMWARE_FILES_MAX */
};
void sp_vmware_clear(struct sp_vmware *v);
/* Each adds to *v what its file says. A .vmx: `base` is its own name without ".vmx", after which files are called that
 * it does not name. */
enum sp_code sp_vmware_config(
    struct sp_vmware *v, const char *base, const void *p, size_t n, struct sp_err *e);
enum sp_code sp_vmware_snapshots(struct sp_vmware *v, const void *p, size_t n, struct sp_err *e); /* .vmsd */
/* The first 64 KiB of a .vmdk are enough: a text, or a disk that has its descriptor inside. */
enum sp_code sp_vmware_disk(struct sp_vmware *v, const void *p, size_t n, struct sp_err *e);
/* vmware.log, or the end of it: only the version of Tools is looked for, the last one counts. */
enum sp_code sp_vmware_log(struct sp_vmware *v, const void *p, size_t n, struct sp_err *e);

#endif
