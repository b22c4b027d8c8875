#ifndef SP_BASE_SYS_WIN32_H
#define SP_BASE_SYS_WIN32_H

/* What all Windows files share: names to and from UTF-16, paths of any length, errors that name a path,
 * times, and who may touch what we make.
 *
 * Inside, a path is WTF-8 with '/': "C:/x", "//server/share/x", and for volumes without a letter
 * "//?/Volume{…}/x" and "//?/GLOBALROOT/Device/HarddiskVolumeShadowCopy1/x". Windows gets it as \\?\…,
 * which goes to the file system as it is: up to 32767 characters, and names that Win32 would bend
 * (a dot or a space at the end, CON) stay what they are
 * (learn.microsoft.com/windows/win32/fileio/naming-a-file). So nothing may be left in it that only
 * Win32 resolves: no . and .., no repeated separators. */

#include <windows.h>

#include "base/buf.h"
#include "base/err.h"

/* *ret malloc'd. SP_INVALID: no WTF-8. */
enum sp_code sp_win32_wide(const char *text, wchar_t **ret, struct sp_err *e);
enum sp_code sp_win32_narrow(const wchar_t *text, char **ret, struct sp_err *e);
/* Any path of the user or of ours, made absolute, as \\?\…; a volume's root ends in a backslash. */
enum sp_code sp_win32_path(const char *path, wchar_t **ret, struct sp_err *e);
/* The inside form, and how long its root is ("C:", "//server/share"): all behind it are components. */
enum sp_code
sp_win32_absolute(const char *path, struct sp_buf *ret, size_t *ret_root, struct sp_err *e);
/* "cannot <what> <path>: <why>"; the path in the inside form. */
enum sp_code sp_win32_fail(
    struct sp_err *e, enum sp_domain domain, DWORD number, const char *what, const char *path);
/* 100 ns since 1601 to ns since 1970; out of range goes to the ends. */
int64_t sp_win32_time_ns(uint64_t filetime);
/* A symbolic link, a mount point, or another of the tags that stand for another name
 * (learn.microsoft.com/windows/win32/fileio/reparse-point-tags). Deduplicated, compressed and cloud
 * files carry tags too, and are files. */
bool sp_win32_is_link(DWORD attributes, DWORD tag);
/* Whether the path (\\?\ form) lies on a share: its rights are the share's business. */
bool sp_win32_is_remote(const wchar_t *path);

/* A security descriptor for new files and folders: full access for this user, SYSTEM and
 * Administrators, nothing inherited from above (R25). Free with LocalFree. */
enum sp_code sp_win32_tight(bool folder, PSECURITY_DESCRIPTOR *ret, struct sp_err *e);
/* Whether the owner of a file or folder is this user, SYSTEM, Administrators or TrustedInstaller. */
enum sp_code sp_win32_owner_trusted(const wchar_t *path, bool *ret, struct sp_err *e);
/* Every user may make folders in %ProgramData%: one that another made there before us is his, and what
 * lies in it (configuration, hooks, keys) would be obeyed with our rights (R25). SP_REFUSED: the folder
 * is a stranger's, or a link, or one that others may put files into (as one made there by hand is); one that is
 * not there is fine. */
enum sp_code sp_win32_check_ours(const char *path, struct sp_err *e);

#endif
