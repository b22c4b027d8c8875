/* What vssapi.dll exports, the machine behind it, and the little that all objects share. */

#include "tests/vss/vssapi/vssapi.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct model *machine;
static char *machine_script; /* its name */
static int out;

void
dll_given(int n)
{
    out += n;
}

int
dll_out(void)
{
    return out;
}

/* malloc'd; NULL: not set. Not getenv: a test sets it while it runs. */
static char *
environment(const char *name)
{
    DWORD n = GetEnvironmentVariableA(name, NULL, 0);
    char *value = n > 0 ? malloc(n) : NULL;

    if (value != NULL && GetEnvironmentVariableA(name, value, n) >= n) {
        free(value);
        value = NULL;
    }
    return value;
}

bool
dll_old(void)
{
    char *old = environment("STILLPOINT_TEST_VSS_OLD");

    free(old);
    return old != NULL;
}

void
dll_breach(const char *what)
{
    if (machine != NULL)
        model_breach(machine, what);
}

static HRESULT STDMETHODCALLTYPE
unserved(void *This)
{
    (void)This;
    dll_breach("a call that no requester of a backup makes");
    return E_NOTIMPL;
}

void
dll_unserved(void *table, size_t size)
{
    HRESULT(STDMETHODCALLTYPE * call)(void *) = unserved;

    for (size_t at = 0; at + sizeof(call) <= size; at += sizeof(call))
        memcpy((char *)table + at, &call, sizeof(call));
}

wchar_t *
dll_wide(const char *text)
{
    int n = MultiByteToWideChar(CP_UTF8, 0, text, -1, NULL, 0);
    wchar_t *wide = calloc((size_t)n + 1, sizeof(*wide));

    if (wide == NULL)
        abort();
    (void)MultiByteToWideChar(CP_UTF8, 0, text, -1, wide, n);
    return wide;
}

char *
dll_narrow(const wchar_t *text)
{
    int n = text != NULL ? WideCharToMultiByte(CP_UTF8, 0, text, -1, NULL, 0, NULL, NULL) : 0;
    char *narrow = calloc((size_t)n + 1, 1);

    if (narrow == NULL)
        abort();
    if (n > 0)
        (void)WideCharToMultiByte(CP_UTF8, 0, text, -1, narrow, n, NULL, NULL);
    return narrow;
}

BSTR
dll_bstr(const char *text)
{
    wchar_t *wide;
    BSTR b;

    if (text == NULL || *text == '\0')
        return NULL;
    wide = dll_wide(text);
    b = SysAllocString(wide);
    free(wide);
    return b;
}

BSTR
dll_bstr_n(const char *text, size_t n)
{
    char *whole = calloc(n + 1, 1);
    BSTR b;

    if (whole == NULL)
        abort();
    memcpy(whole, text, n);
    b = dll_bstr(whole);
    free(whole);
    return b;
}

GUID
dll_id(const char *text)
{
    wchar_t braced[40] = L"{";
    GUID id;

    for (size_t i = 0; i < 36 && text[i] != '\0'; i++)
        braced[i + 1] = (unsigned char)text[i];
    braced[37] = L'}';
    if (FAILED(CLSIDFromString(braced, &id)))
        abort(); /* the script's reader has looked at it */
    return id;
}

void
dll_id_text(const GUID *id, char ret[37])
{
    wchar_t braced[40];

    (void)StringFromGUID2(id, braced, 40);
    for (size_t i = 0; i < 36; i++) {
        wchar_t c = braced[i + 1];

        ret[i] = (char)(c >= L'A' && c <= L'F' ? c - L'A' + L'a' : c);
    }
    ret[36] = '\0';
}

static char *
read_script(const char *name)
{
    FILE *f = fopen(name, "rb");
    char *text = calloc(1, 1 << 20);
    size_t n = 0;

    if (text == NULL)
        abort();
    if (f != NULL) {
        n = fread(text, 1, (1 << 20) - 1, f);
        fclose(f);
    }
    if (f != NULL && n > 0)
        return text;
    fprintf(stderr, "vssapi.dll of the tests: cannot read %s\n", name);
    abort();
}

static void
drop(void)
{
    char line[160];

    if (machine == NULL)
        return;
    model_end(machine);
    (void)snprintf(line, sizeof(line),
        "# end illegal=%u sessions=%u asyncs=%u shadows=%u unended=%u", model_illegal(machine),
        model_sessions_open(machine), model_asyncs_open(machine), model_shadows(machine),
        model_unended(machine));
    model_remark(machine, line);
    model_free(machine);
    free(machine_script);
    machine = NULL;
    machine_script = NULL;
}

/* E_NOTIMPL: there is no script, or it says that VSS does not start. */
static HRESULT
have_machine(void)
{
    char *name = environment("STILLPOINT_TEST_VSS"), *trace, *script, why[256];
    bool denied;

    if (name == NULL)
        return E_NOTIMPL;
    if (machine != NULL && strcmp(name, machine_script) != 0 && model_sessions_open(machine) == 0)
        drop();
    if (machine != NULL) {
        free(name);
        return S_OK;
    }
    script = read_script(name);
    if ((machine = model_new(script, &dll_host, why)) == NULL) {
        fprintf(stderr, "vssapi.dll of the tests: %s: %s\n", name, why);
        abort();
    }
    free(script);
    machine_script = name;
    if ((trace = environment("STILLPOINT_TEST_VSS_TRACE")) != NULL)
        model_trace_to(machine, trace);
    free(trace);
    if (model_start(machine, &denied) == NULL)
        return S_OK;
    drop();
    return denied ? E_ACCESSDENIED : E_NOTIMPL;
}

HRESULT STDAPICALLTYPE
CreateVssBackupComponentsInternal(IVssBackupComponents **ret)
{
    HRESULT hr = have_machine();

    return hr == S_OK ? dll_session_new(machine, ret) : hr;
}

void APIENTRY
VssFreeSnapshotPropertiesInternal(VSS_SNAPSHOT_PROP *p)
{
    CoTaskMemFree(p->m_pwszSnapshotDeviceObject);
    CoTaskMemFree(p->m_pwszOriginalVolumeName);
    p->m_pwszSnapshotDeviceObject = p->m_pwszOriginalVolumeName = NULL;
    dll_given(-1);
}

/* For tests in the same process: what model.h counts, and what is given out. */
void VssTestCounts(unsigned ret[6]);

void
VssTestCounts(unsigned ret[6])
{
    ret[0] = machine != NULL ? model_illegal(machine) : 0;
    ret[1] = machine != NULL ? model_sessions_open(machine) : 0;
    ret[2] = machine != NULL ? model_asyncs_open(machine) : 0;
    ret[3] = machine != NULL ? model_shadows(machine) : 0;
    ret[4] = machine != NULL ? model_unended(machine) : 0;
    ret[5] = (unsigned)out;
}

BOOL WINAPI DllMain(HINSTANCE dll, DWORD why, LPVOID reserved);

BOOL WINAPI
DllMain(HINSTANCE dll, DWORD why, LPVOID reserved)
{
    (void)dll;
    (void)reserved;
    if (why == DLL_PROCESS_DETACH)
        drop();
    return TRUE;
}
