/* What the numbers of Windows mean: see err.h. The numbers are those of
 * learn.microsoft.com/windows/win32/debug/system-error-codes. */

#include "base/err.h"

#include <stdio.h>
#include <stdlib.h>
#include <windows.h>

#include "base/path.h"

/* What the headers of the cross compiler do not know yet. */
#define DISK_QUOTA_EXCEEDED 1295
#define DISK_RESOURCES_EXHAUSTED 314
#define VIRUS_INFECTED 225
#define VIRUS_DELETED 226
#define STOPPED_ON_SYMLINK 681
#define NO_SUCH_DEVICE 433
#define CLOUD_FILE_PROVIDER_NOT_RUNNING 362
#define CLOUD_FILE_NETWORK_UNAVAILABLE 388

static const struct {
    DWORD os;
    enum sp_code code;
} os_codes[] = {
    {ERROR_FILE_NOT_FOUND, SP_ABSENT},
    {ERROR_PATH_NOT_FOUND, SP_ABSENT}, /* a folder above is missing, or is a file */
    {ERROR_INVALID_DRIVE, SP_ABSENT},  /* no such letter: as a mount point that is not there */
    {ERROR_NO_MORE_FILES, SP_ABSENT},
    {ERROR_FILE_EXISTS, SP_EXISTS},    /* CREATE_NEW */
    {ERROR_ALREADY_EXISTS, SP_EXISTS}, /* MoveFileEx, CreateDirectory */
    {ERROR_DIR_NOT_EMPTY, SP_EXISTS},  /* as ENOTEMPTY */
    {ERROR_DISK_FULL, SP_FULL},
    {ERROR_HANDLE_DISK_FULL, SP_FULL}, /* the same, of a write */
    {DISK_QUOTA_EXCEEDED, SP_FULL},
    {DISK_RESOURCES_EXHAUSTED, SP_FULL}, /* a thin volume has no ground left */
    {ERROR_ACCESS_DENIED, SP_DENIED},
    {ERROR_PRIVILEGE_NOT_HELD, SP_DENIED},
    {ERROR_WRITE_PROTECT, SP_DENIED},
    {ERROR_NETWORK_ACCESS_DENIED, SP_DENIED},
    {ERROR_LOGON_FAILURE, SP_DENIED}, /* the share does not know this user */
    {ERROR_ACCOUNT_RESTRICTION, SP_DENIED},
    {ERROR_INVALID_PASSWORD, SP_DENIED},
    {ERROR_SESSION_CREDENTIAL_CONFLICT, SP_DENIED}, /* the server is used by another name */
    {VIRUS_INFECTED, SP_DENIED},                    /* the scanner keeps the file to itself */
    {VIRUS_DELETED, SP_DENIED},
    {ERROR_SHARING_VIOLATION, SP_BUSY},
    {ERROR_LOCK_VIOLATION, SP_BUSY},
    {ERROR_BUSY, SP_BUSY},
    {ERROR_PATH_BUSY, SP_BUSY},
    {ERROR_DELETE_PENDING, SP_BUSY}, /* gone as soon as its last reader closes it */
    {ERROR_USER_MAPPED_FILE, SP_BUSY},
    {ERROR_OPLOCK_NOT_GRANTED, SP_BUSY},
    {ERROR_NOT_ENOUGH_MEMORY, SP_NOMEM},
    {ERROR_OUTOFMEMORY, SP_NOMEM},
    {ERROR_COMMITMENT_LIMIT, SP_NOMEM},
    {ERROR_NOT_SUPPORTED, SP_UNSUPPORTED},
    {ERROR_INVALID_FUNCTION, SP_UNSUPPORTED}, /* the file system's word for "not offered" */
    {ERROR_CALL_NOT_IMPLEMENTED, SP_UNSUPPORTED},
    {ERROR_INVALID_NAME, SP_INVALID}, /* a character that this file system does not take */
    {ERROR_BAD_PATHNAME, SP_INVALID},
    {ERROR_FILENAME_EXCED_RANGE, SP_INVALID},
    {ERROR_CANT_ACCESS_FILE, SP_REFUSED},      /* a reparse point of an unknown kind */
    {ERROR_CANT_RESOLVE_FILENAME, SP_REFUSED}, /* links in a circle */
    {STOPPED_ON_SYMLINK, SP_REFUSED},
    {ERROR_OPERATION_ABORTED, SP_CANCELLED},
    {ERROR_CANCELLED, SP_CANCELLED},
    {ERROR_SEM_TIMEOUT, SP_TIMEOUT}, /* "the semaphore timeout period": a share that went silent */
    {ERROR_TIMEOUT, SP_TIMEOUT},
    {WAIT_TIMEOUT, SP_TIMEOUT},
    /* A share that went away, a device that was pulled, a host that does not answer. */
    {ERROR_NOT_READY, SP_UNREACHABLE},
    {ERROR_BAD_NETPATH, SP_UNREACHABLE},
    {ERROR_BAD_NET_NAME, SP_UNREACHABLE},
    {ERROR_REM_NOT_LIST, SP_UNREACHABLE},
    {ERROR_DEV_NOT_EXIST, SP_UNREACHABLE},
    {ERROR_NETNAME_DELETED, SP_UNREACHABLE},
    {ERROR_UNEXP_NET_ERR, SP_UNREACHABLE},
    {ERROR_BAD_NET_RESP, SP_UNREACHABLE},
    {ERROR_ADAP_HDW_ERR, SP_UNREACHABLE},
    {ERROR_NETWORK_BUSY, SP_UNREACHABLE},
    {ERROR_VC_DISCONNECTED, SP_UNREACHABLE},
    {ERROR_NO_NETWORK, SP_UNREACHABLE},
    {ERROR_NO_NET_OR_BAD_PATH, SP_UNREACHABLE},
    {ERROR_NOT_CONNECTED, SP_UNREACHABLE},
    {ERROR_CONNECTION_UNAVAIL, SP_UNREACHABLE},
    {ERROR_CONNECTION_REFUSED, SP_UNREACHABLE},
    {ERROR_CONNECTION_ABORTED, SP_UNREACHABLE},
    {ERROR_GRACEFUL_DISCONNECT, SP_UNREACHABLE},
    {ERROR_NETWORK_UNREACHABLE, SP_UNREACHABLE},
    {ERROR_HOST_UNREACHABLE, SP_UNREACHABLE},
    {ERROR_HOST_DOWN, SP_UNREACHABLE},
    {ERROR_DEVICE_NOT_CONNECTED, SP_UNREACHABLE},
    {NO_SUCH_DEVICE, SP_UNREACHABLE},
    {ERROR_DEVICE_REMOVED, SP_UNREACHABLE},
    {ERROR_NO_MEDIA_IN_DRIVE, SP_UNREACHABLE},
    {ERROR_WRONG_DISK, SP_UNREACHABLE},
    {ERROR_BROKEN_PIPE, SP_UNREACHABLE},
    {ERROR_NO_DATA, SP_UNREACHABLE}, /* a pipe that its reader is closing */
    {CLOUD_FILE_PROVIDER_NOT_RUNNING, SP_UNREACHABLE},
    {CLOUD_FILE_NETWORK_UNAVAILABLE, SP_UNREACHABLE},
};

enum sp_code
sp_os_code(int os)
{
    for (size_t i = 0; i < sizeof(os_codes) / sizeof(os_codes[0]); i++)
        if (os_codes[i].os == (DWORD)os)
            return os_codes[i].code;
    return SP_IO;
}

enum sp_os_reason
sp_os_reason(int os)
{
    switch (os) {
    case ERROR_WRITE_PROTECT:
        return SP_OS_READ_ONLY;
    case ERROR_DIRECTORY:
        return SP_OS_NOT_FOLDER;
    case ERROR_INVALID_PARAMETER:
        return SP_OS_BAD_REQUEST;
    case ERROR_PRIVILEGE_NOT_HELD:
        return SP_OS_NOT_PERMITTED;
    default:
        return SP_OS_NO_REASON;
    }
}

/* In English, as all our sentences, where that language is installed. */
static DWORD
message(DWORD os, wchar_t *to, DWORD room)
{
    const DWORD flags =
        FORMAT_MESSAGE_FROM_SYSTEM | FORMAT_MESSAGE_IGNORE_INSERTS | FORMAT_MESSAGE_MAX_WIDTH_MASK;
    DWORD n = FormatMessageW(
        flags, NULL, os, MAKELANGID(LANG_ENGLISH, SUBLANG_ENGLISH_US), to, room, NULL);

    return n > 0 ? n : FormatMessageW(flags, NULL, os, 0, to, room, NULL);
}

struct sp_os_text
sp_os_text(int os)
{
    struct sp_os_text t;
    struct sp_err ignored;
    wchar_t wide[160];
    char *text = NULL;
    size_t n = message((DWORD)os, wide, sizeof(wide) / sizeof(wide[0]));

    while (n > 0 && (wide[n - 1] <= L' ' || wide[n - 1] == L'.'))
        n--;
    if (n > 0 && sp_utf16_to_wtf8(wide, n, &text, &n, &ignored) == SP_OK)
        (void)snprintf(
            t.s, sizeof(t.s), "%.*s (Windows error %d)", (int)(n < 200 ? n : 200), text, os);
    else
        (void)snprintf(t.s, sizeof(t.s), "Windows error %d", os);
    free(text);
    return t;
}
