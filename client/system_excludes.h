#ifndef SP_CLIENT_SYSTEM_EXCLUDES_H
#define SP_CLIENT_SYSTEM_EXCLUDES_H

/* What the system itself says does not belong into a backup: on Windows the page, hibernation and swap
 * files, System Volume Information, temporary folders and what programs registered under
 * HKLM\SYSTEM\CurrentControlSet\Control\BackupRestore\FilesNotToBackup
 * (learn.microsoft.com/en-us/windows/win32/backup/registry-keys-for-backup-and-restore). On POSIX nothing.
 * They stand before a job's own patterns, so that `!pattern` takes any of them back; `system-excludes = no`
 * does without. `stillpoint backup --explain` shows them all. */

#include "client/config.h"

struct sp_system_exclude {
    char *pattern; /* client/filter.h */
    char *why;     /* "FilesNotToBackup, Memory Page File" */
    char *value;   /* the name of the registry's value: "Memory Page File"; NULL: of no value */
};
struct sp_system_excludes {
    struct sp_system_exclude *v;
    size_t n;
};
enum sp_code sp_system_excludes_add(
    struct sp_system_excludes *l, const char *pattern, const char *why, const char *value, struct sp_err *e);
void sp_system_excludes_clear(struct sp_system_excludes *l);

/* Of the platform (system_excludes_posix.c, system_excludes_win32.c). */
enum sp_code sp_system_excludes_get(struct sp_system_excludes *l, struct sp_err *e);

/* One value of FilesNotToBackup, its environment variables expanded, as a pattern: "\Pagefile.sys" is on
 * every volume, "path\* /s" is everything below. SP_UNSUPPORTED: its form is not one that Microsoft
 * describes. *ret malloc'd. */
enum sp_code sp_system_exclude_pattern(const char *value, char **ret, struct sp_err *e);

/* What VSS's writers say of files (vss/shadow.h). A value of FilesNotToBackup that is named after a writer that is there
 * is left to that writer, which takes those files with its components or leaves them out itself
 * (learn.microsoft.com/windows/win32/vss/excluding-files-from-shadow-copies, and the page above). */
struct sp_writers_excludes {
    const char *const *patterns;
    size_t n;
    bool (*has_writer)(const void *arg, const char *name);
    const void *arg;
};
/* The system's patterns and the writers' (unless the job does without), then the job's own. writers NULL: no writer was
 * asked. */
enum sp_code sp_job_patterns(const struct sp_job *j, const struct sp_system_excludes *system,
    const struct sp_writers_excludes *writers, struct sp_strings *ret, struct sp_err *e);

#endif
