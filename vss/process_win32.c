#include <windows.h>

#include "vss/journal.h"

/* When a process was made, in 100 ns since 1601; 0: that cannot be said. */
static uint64_t
start_of(HANDLE process)
{
    FILETIME made, ended, kernel, user;

    if (!GetProcessTimes(process, &made, &ended, &kernel, &user))
        return 0;
    return (uint64_t)made.dwHighDateTime << 32 | made.dwLowDateTime;
}

void
sp_process_self(uint64_t *ret_pid, uint64_t *ret_start)
{
    *ret_pid = GetCurrentProcessId();
    *ret_start = start_of(GetCurrentProcess());
}

bool
sp_process_alive(uint64_t pid, uint64_t start)
{
    HANDLE process;
    bool alive;

    if (pid == 0 || start == 0 || pid > UINT32_MAX)
        return false;
    process = OpenProcess(PROCESS_QUERY_LIMITED_INFORMATION | SYNCHRONIZE, FALSE, (DWORD)pid);
    /* Denied: there is one, and not of this user. It may be the one, so its shadows stay. */
    if (process == NULL)
        return GetLastError() == ERROR_ACCESS_DENIED;
    /* Who holds a handle keeps the number of an ended process: ended it is signalled. */
    alive = start_of(process) == start && WaitForSingleObject(process, 0) == WAIT_TIMEOUT;
    (void)CloseHandle(process);
    return alive;
}
