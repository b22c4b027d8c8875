#ifndef SP_VSS_VOLUMES_WIN32_H
#define SP_VSS_VOLUMES_WIN32_H

/* Which volumes a run reads: those that its roots lie on, and those mounted in folders below. */

#include <windows.h>

#include "vss/volumes.h"

/* Adds them all to `s`, live and without a reason, sorted. A volume mounted below a root has the
 * root's key before the rest of its own, so that keys are written as the walk will write them. */
enum sp_code volumes_find(struct sp_shadow *s, const struct sp_shadow_options *o, struct sp_err *e);
/* A share or a mapped drive: its shadows would be its server's. */
bool volume_is_remote(const struct volume *v);

/* The mount point that covers a path, as Windows says it (with a backslash at the end); malloc'd.
 */
enum sp_code mount_covering(const char *path, wchar_t **ret, struct sp_err *e);
/* The same for people and keys: "C:\", "C:\mnt", "\\server\share". */
enum sp_code mount_path(const wchar_t *mount, char **ret, struct sp_err *e);
/* "\\?\Volume{…}\" of a mount point; "" where it has none (a share, a drive made by subst). */
enum sp_code mount_volume(const wchar_t *mount, char **ret, struct sp_err *e);
/* "NTFS"; "unknown" of a volume that does not tell (a locked one, a drive without a disc). */
enum sp_code mount_file_system(const wchar_t *mount, char **ret, struct sp_err *e);
bool mount_is_remote(const char *path);
/* All mount points below a path. `path` begins as `root` does, in whatever case that is written. */
typedef enum sp_code
mount_each(void *arg, const wchar_t *mount, const char *path, struct sp_err *e);
enum sp_code mounts_below(const char *root, mount_each *each, void *arg, struct sp_err *e);

/* Cluster shared volumes (cluster_win32.c): folders of %SystemDrive%\ClusterStorage, which the
 * calls for mount points know only through the cluster's own
 * (learn.microsoft.com/windows/win32/vss/using-the-volume-shadow-copy-service, "cluster shared
 * volumes"). Paths are without \\?\. false: it is none, or there is no cluster. */
bool cluster_mount_of(const wchar_t *path, wchar_t *ret, DWORD n);
bool cluster_volume_of(const wchar_t *mount, wchar_t *ret, DWORD n);
/* The folder that they are in, with a backslash at the end; false: there is none. */
bool cluster_folder(wchar_t *ret, DWORD n);

#endif
