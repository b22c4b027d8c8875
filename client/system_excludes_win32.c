#include <windows.h>

#include <stdlib.h>
#include <string.h>

#include "base/path.h"
#include "client/system_excludes.h"

#define WHERE L"SYSTEM\\CurrentControlSet\\Control\\BackupRestore\\FilesNotToBackup"
#define NAME_MAX_UNITS 16384 /* the system's limit of a value's name, its NUL among them */
#define DATA_MAX (64u << 10)

/* What every Windows has, whatever its registry says. */
static const struct {
    const char *pattern, *why;
} always[] = {
    {"/?:/pagefile.sys", "the page file: rebuilt at every start"},
    {"/?:/hiberfil.sys", "the hibernation file: memory, not data"},
    {"/?:/swapfile.sys", "the swap file: rebuilt at every start"},
    {"/?:/System Volume Information/",
        "the system's own bookkeeping of this volume, its shadow copies "
        "among it"},
    {"/?:/$RECYCLE.BIN/", "what was deleted"},
    {"/?:/Windows/Temp/*", "temporary files of the system"},
    {"/?:/Users/*/AppData/Local/Temp/*", "temporary files of a user"},
};

static enum sp_code
narrow(const WCHAR *s, size_t n, char **ret, struct sp_err *e)
{
    size_t got;

    return sp_utf16_to_wtf8((const uint16_t *)s, n, ret, &got, e);
}

/* One line of one value. What cannot be understood is left in the backup: too much is no loss. */
static enum sp_code
add_line(struct sp_system_excludes *l, const WCHAR *name, size_t name_n, const WCHAR *line,
    struct sp_err *e)
{
    struct sp_err ignored = {0};
    WCHAR full[4096];
    char *value = NULL, *why = NULL, *pattern = NULL;
    struct sp_buf text = SP_BUF_INIT;
    DWORD n = ExpandEnvironmentStringsW(line, full, sizeof full / sizeof full[0]);
    enum sp_code rc;

    if (n == 0 || n > sizeof full / sizeof full[0])
        return SP_OK;
    if ((rc = narrow(full, n - 1, &value, e)) != SP_OK ||
        (rc = narrow(name, name_n, &why, e)) != SP_OK)
        goto out;
    /* "$UserProfile$\…": for every user. */
    if (_strnicmp(value, "$UserProfile$\\", 14) == 0)
        sp_buf_printf(&text, "\\Users\\*\\%s", value + 14);
    else
        sp_buf_put_str(&text, value);
    if ((rc = sp_buf_ok(&text, e)) != SP_OK)
        goto out;
    rc = sp_system_exclude_pattern(sp_buf_str(&text), &pattern, &ignored);
    if (rc == SP_UNSUPPORTED) {
        rc = SP_OK;
        goto out;
    }
    if (rc != SP_OK) {
        *e = ignored;
        goto out;
    }
    sp_buf_reset(&text);
    sp_buf_printf(&text, "FilesNotToBackup, %s", why);
    if ((rc = sp_buf_ok(&text, e)) == SP_OK)
        rc = sp_system_excludes_add(l, pattern, sp_buf_str(&text), why, e);
out:
    sp_buf_free(&text);
    free(pattern);
    free(value);
    free(why);
    return rc;
}

static enum sp_code
add_value(struct sp_system_excludes *l, const WCHAR *name, size_t name_n, DWORD type, WCHAR *data,
    size_t n, struct sp_err *e)
{
    enum sp_code rc = SP_OK;

    if (type != REG_MULTI_SZ && type != REG_SZ && type != REG_EXPAND_SZ)
        return SP_OK;
    for (size_t at = 0; at < n && data[at] != 0 && rc == SP_OK;) {
        size_t len = 0;

        while (at + len < n && data[at + len] != 0)
            len++;
        if (at + len == n)
            break; /* not ended as it should be */
        rc = add_line(l, name, name_n, data + at, e);
        at += len + 1;
    }
    return rc;
}

static enum sp_code
add_registered(struct sp_system_excludes *l, HKEY key, struct sp_err *e)
{
    WCHAR *name = malloc(NAME_MAX_UNITS * sizeof *name);
    WCHAR *data = malloc(DATA_MAX);
    enum sp_code rc = name == NULL || data == NULL ? sp_fail_nomem(e) : SP_OK;

    for (DWORD i = 0; rc == SP_OK; i++) {
        DWORD name_n = NAME_MAX_UNITS, type = 0, n = DATA_MAX;
        LSTATUS got = RegEnumValueW(key, i, name, &name_n, NULL, &type, (BYTE *)data, &n);

        if (got == ERROR_MORE_DATA)
            continue;
        if (got != ERROR_SUCCESS)
            break;
        rc = add_value(l, name, name_n, type, data, n / sizeof *data, e);
    }
    free(name);
    free(data);
    return rc;
}

enum sp_code
sp_system_excludes_get(struct sp_system_excludes *l, struct sp_err *e)
{
    HKEY key;
    enum sp_code rc = SP_OK;

    for (size_t i = 0; i < sizeof always / sizeof always[0] && rc == SP_OK; i++)
        rc = sp_system_excludes_add(l, always[i].pattern, always[i].why, NULL, e);
    if (rc != SP_OK || RegOpenKeyExW(HKEY_LOCAL_MACHINE, WHERE, 0, KEY_READ | KEY_WOW64_64KEY,
                           &key) != ERROR_SUCCESS)
        return rc;
    rc = add_registered(l, key, e);
    (void)RegCloseKey(key);
    return rc;
}
