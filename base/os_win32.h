#ifndef SP_BASE_OS_WIN32_H
#define SP_BASE_OS_WIN32_H

/* The parts of the table of os_win32.c: one open file, and the listing of a folder. */

#include "base/os.h"
#include "base/sys_win32.h"

#define SP_WIN32_SHARE_ALL (FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE)

/* What an open handle is. */
enum sp_code sp_win32_stat(HANDLE h, const char *path, struct sp_os_stat *ret, struct sp_err *e);

enum sp_code win32_open_read(void *self, const char *path, struct sp_file **ret, struct sp_err *e);
enum sp_code win32_create(void *self, const char *path, struct sp_file **ret, struct sp_err *e);
enum sp_code win32_read_at(void *self, struct sp_file *f, uint64_t offset, void *to, size_t n,
    size_t *ret_n, struct sp_err *e);
enum sp_code win32_write_at(
    void *self, struct sp_file *f, uint64_t offset, const void *p, size_t n, struct sp_err *e);
enum sp_code
win32_file_stat(void *self, struct sp_file *f, struct sp_os_stat *ret, struct sp_err *e);
enum sp_code win32_sync(void *self, struct sp_file *f, struct sp_err *e);
enum sp_code win32_close(void *self, struct sp_file *f, struct sp_err *e);
enum sp_code win32_list(void *self, const char *path, bool want_stat,
    enum sp_code (*each)(
        void *arg, const char *name, const struct sp_os_stat *st, struct sp_err *e),
    void *arg, struct sp_err *e);

#endif
