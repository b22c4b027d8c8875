/* GUIDs, strings and DLLs: see api_win32.h. */

#include "vss/api_win32.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

const GUID vss_id_null = {0, 0, 0, {0, 0, 0, 0, 0, 0, 0, 0}};

void
vss_id_text(const GUID *id, char ret[37])
{
    (void)snprintf(ret, 37, "%08lx-%04x-%04x-%02x%02x-%02x%02x%02x%02x%02x%02x",
        (unsigned long)id->Data1, id->Data2, id->Data3, id->Data4[0], id->Data4[1], id->Data4[2],
        id->Data4[3], id->Data4[4], id->Data4[5], id->Data4[6], id->Data4[7]);
}

HRESULT
vss_id_parse(const char *text, GUID *ret)
{
    wchar_t braced[40];

    if (strlen(text) != 36)
        return E_INVALIDARG;
    braced[0] = L'{';
    for (size_t i = 0; i < 36; i++)
        braced[i + 1] = (unsigned char)text[i];
    braced[37] = L'}';
    braced[38] = 0;
    return FAILED(CLSIDFromString(braced, ret)) ? E_INVALIDARG : S_OK;
}

HRESULT
vss_of_code(enum sp_code rc)
{
    return rc == SP_OK ? S_OK : rc == SP_NOMEM ? E_OUTOFMEMORY : E_INVALIDARG;
}

HRESULT
vss_text(const wchar_t *from, char **ret)
{
    struct sp_err e;

    return vss_of_code(sp_win32_narrow(from != NULL ? from : L"", ret, &e));
}

HRESULT
vss_take_text(BSTR from, char **ret)
{
    HRESULT hr = vss_text(from, ret);

    SysFreeString(from);
    return hr;
}

/* Writers name folders as "%SystemRoot%\System32\"
 * (learn.microsoft.com/windows/win32/api/vswriter/nf-vswriter-ivsswmfiledesc-getpath). What no
 * variable is called stays as it is. */
static HRESULT
expand(const wchar_t *from, wchar_t **ret)
{
    DWORD n = ExpandEnvironmentStringsW(from, NULL, 0);
    wchar_t *to;

    if (n == 0)
        return HRESULT_FROM_WIN32(GetLastError());
    if ((to = calloc(n, sizeof(*to))) == NULL)
        return E_OUTOFMEMORY;
    if (ExpandEnvironmentStringsW(from, to, n) != n) {
        free(to);
        return E_UNEXPECTED;
    }
    *ret = to;
    return S_OK;
}

HRESULT
vss_take_path(BSTR from, char **ret)
{
    wchar_t *whole = NULL;
    HRESULT hr = expand(from != NULL ? from : L"", &whole);

    if (SUCCEEDED(hr)) {
        size_t n = wcslen(whole);

        while (n > 1 && whole[n - 1] == L'\\' && !(n == 3 && whole[1] == L':'))
            whole[--n] = 0;
        hr = vss_text(whole, ret);
    }
    free(whole);
    SysFreeString(from);
    return hr;
}

HRESULT
vss_wide(const char *from, wchar_t **ret)
{
    struct sp_err e;

    return vss_of_code(sp_win32_wide(from, ret, &e));
}

HRESULT
vss_wide_or_null(const char *from, wchar_t **ret)
{
    if (from != NULL && *from != '\0')
        return vss_wide(from, ret);
    *ret = NULL;
    return S_OK;
}

struct vss_words
vss_words(HRESULT hr)
{
    const struct sp_vss_hresult *known = sp_vss_hresult_find((uint32_t)hr);
    struct vss_words w;

    if (known != NULL)
        (void)snprintf(
            w.s, sizeof(w.s), "0x%08lx (%s: %s)", (unsigned long)hr, known->name, known->meaning);
    else
        (void)snprintf(w.s, sizeof(w.s), "0x%08lx (%s)", (unsigned long)hr, sp_os_text((int)hr).s);
    return w;
}

HMODULE
vss_system_dll(const wchar_t *name)
{
    wchar_t path[MAX_PATH + 64];
    UINT n = GetSystemDirectoryW(path, MAX_PATH);

    if (n == 0 || n >= MAX_PATH)
        return NULL;
    (void)_snwprintf(path + n, 64, L"\\%ls", name);
    path[MAX_PATH + 63] = 0;
    return LoadLibraryExW(path, NULL, LOAD_LIBRARY_SEARCH_SYSTEM32);
}
