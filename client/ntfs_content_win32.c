/* Content: reading with the next piece on its way, writing.
 * learn.microsoft.com/en-us/windows/win32/fileio/ synchronous-and-asynchronous-i-o */
#include <stdlib.h>
#include <string.h>

#include "client/ntfs_nt_win32.h"

#define AHEAD_MAX ((size_t)1 << 20)

/* One request, to its end. *ret_n 0: behind the end of the file. */
static NTSTATUS
finish(struct sp_ntfs_handle *h, NTSTATUS status, IO_STATUS_BLOCK *io, HANDLE event, size_t *ret_n)
{
    if (status == STATUS_PENDING) {
        WaitForSingleObject(event != NULL ? event : h->h, INFINITE);
        status = io->Status;
    }
    *ret_n = status >= 0 ? io->Information : 0;
    return status == NT_END_OF_FILE ? 0 : status;
}

static NTSTATUS
read_now(struct sp_ntfs_handle *h, uint64_t offset, void *to, size_t n, size_t *ret_n)
{
    LARGE_INTEGER at = {.QuadPart = (LONGLONG)offset};
    IO_STATUS_BLOCK io = {0};

    const NTSTATUS status = NtReadFile(
        h->h, h->waits ? NULL : h->ahead.event, NULL, NULL, &io, to, (ULONG)n, &at, NULL);
    return finish(h, status, &io, h->waits ? NULL : h->ahead.event, ret_n);
}

/* Asks for what will be wanted next; nothing lost where it cannot. */
static void
ahead_start(struct sp_ntfs_handle *h, uint64_t offset, size_t n)
{
    struct ahead *a = &h->ahead;
    LARGE_INTEGER at = {.QuadPart = (LONGLONG)offset};
    const ULONG size = (ULONG)(n < AHEAD_MAX ? n : AHEAD_MAX);

    if (a->size < size) {
        free(a->data);
        a->size = (a->data = malloc(size)) != NULL ? size : 0;
    }
    if (a->data == NULL)
        return;
    memset(&a->io, 0, sizeof a->io);
    const NTSTATUS status =
        NtReadFile(h->h, a->event, NULL, NULL, &a->io, a->data, size, &at, NULL);
    a->offset = offset;
    a->pending = status >= 0; /* pending or already there */
}

/* What was asked for ahead, when it begins at `offset`; else it is waited for and thrown away. */
static NTSTATUS
ahead_take(struct sp_ntfs_handle *h, uint64_t offset, uint8_t *to, size_t n, size_t *ret_n)
{
    struct ahead *a = &h->ahead;
    NTSTATUS status;
    size_t got;

    *ret_n = 0;
    if (!a->pending)
        return 0;
    if (a->offset != offset)
        CancelIoEx(h->h, NULL);
    WaitForSingleObject(a->event, INFINITE);
    a->pending = false;
    status = a->io.Status;
    got = status >= 0 ? a->io.Information : 0;
    if (a->offset != offset || status < 0)
        return 0; /* asked anew, and that answer counts */
    *ret_n = got < n ? got : n;
    memcpy(to, a->data, *ret_n);
    return 0;
}

enum sp_code
nt_read(void *self, struct sp_ntfs_handle *h, uint64_t offset, void *to, size_t n, size_t *ret_n,
    struct sp_err *e)
{
    const bool overlapped = !h->waits;
    NTSTATUS status = 0;
    size_t done = 0, got = 1;

    (void)self;
    if (h->removed || (h->granted & FILE_READ_DATA) == 0)
        return nt_fail_os(e, ERROR_ACCESS_DENIED, "reading");
    if (n == 0) {
        *ret_n = 0;
        return SP_OK;
    }
    AcquireSRWLockExclusive(&h->lock);
    if (overlapped && h->ahead.event == NULL) {
        h->ahead.event = CreateEventW(NULL, TRUE, FALSE, NULL);
        h->ahead.expected = UINT64_MAX;
        if (h->ahead.event == NULL) {
            ReleaseSRWLockExclusive(&h->lock);
            return nt_fail_os(e, GetLastError(), "reading");
        }
    }
    if (overlapped)
        status = ahead_take(h, offset, to, n, &done);
    while (status >= 0 && done < n && got > 0) {
        const size_t most = n - done < (size_t)64 << 20 ? n - done : (size_t)64 << 20;
        status = read_now(h, offset + done, (uint8_t *)to + done, most, &got);
        done += got;
    }
    if (status >= 0 && overlapped && done == n && offset == h->ahead.expected)
        ahead_start(h, offset + n, n);
    h->ahead.expected = offset + done;
    ReleaseSRWLockExclusive(&h->lock);
    if (status < 0)
        return nt_fail(e, status, "reading");
    *ret_n = done;
    return SP_OK;
}

void
nt_read_stop(struct sp_ntfs_handle *h)
{
    if (h->ahead.pending) {
        CancelIoEx(h->h, NULL);
        WaitForSingleObject(h->ahead.event, INFINITE);
    }
    if (h->ahead.event != NULL)
        CloseHandle(h->ahead.event);
    free(h->ahead.data);
}

enum sp_code
nt_write(void *self, struct sp_ntfs_handle *h, uint64_t offset, const void *p, size_t n,
    struct sp_err *e)
{
    size_t done = 0, got;

    (void)self;
    if (h->removed || (h->granted & FILE_WRITE_DATA) == 0)
        return nt_fail_os(e, ERROR_ACCESS_DENIED, "writing");
    while (done < n) {
        LARGE_INTEGER at = {.QuadPart = (LONGLONG)(offset + done)};
        IO_STATUS_BLOCK io = {0};
        const size_t most = n - done < (size_t)64 << 20 ? n - done : (size_t)64 << 20;
        NTSTATUS status = NtWriteFile(
            h->h, NULL, NULL, NULL, &io, (const uint8_t *)p + done, (ULONG)most, &at, NULL);
        status = finish(h, status, &io, NULL, &got);
        if (status < 0)
            return nt_fail(e, status, "writing");
        if (got == 0)
            return nt_fail_os(e, ERROR_HANDLE_DISK_FULL, "writing");
        done += got;
    }
    return SP_OK;
}

enum sp_code
nt_resize(void *self, struct sp_ntfs_handle *h, uint64_t size, struct sp_err *e)
{
    const int64_t end = (int64_t)size;

    (void)self;
    if (h->removed || (h->granted & FILE_WRITE_DATA) == 0)
        return nt_fail_os(e, ERROR_ACCESS_DENIED, "the size");
    const NTSTATUS status = nt_set(h, CLASS_END_OF_FILE, &end, sizeof end);
    return status < 0 ? nt_fail(e, status, "the size") : SP_OK;
}

enum sp_code
nt_flush(void *self, struct sp_ntfs_handle *h, struct sp_err *e)
{
    (void)self;
    if (h->removed || (h->granted & FILE_WRITE_DATA) == 0)
        return nt_fail_os(e, ERROR_ACCESS_DENIED, "flushing");
    return FlushFileBuffers(h->h) ? SP_OK : nt_fail_os(e, GetLastError(), "flushing");
}
