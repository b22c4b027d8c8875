/* The version of a VM's guest services, which Hyper-V's WMI provider tells while the VM runs: see
 * api.h (learn.microsoft.com/windows/win32/hyperv_v2/msvm-kvpexchangecomponent). What cannot be had
 * is not known, and no failure: a machine without Hyper-V, a VM that is off, a guest without the
 * services. */

#include "vss/api_win32.h"

#include <stdlib.h>
#include <string.h>
#include <wbemidl.h>
#include <wchar.h>

#define ANSWER_MS 10000 /* for WMI to answer */

static IWbemServices *
connect_to(const wchar_t *space)
{
    IWbemLocator *locator = NULL;
    IWbemServices *services = NULL;
    BSTR name = SysAllocString(space);

    if (name == NULL || FAILED(CoCreateInstance(&CLSID_WbemLocator, NULL, CLSCTX_INPROC_SERVER,
                            &IID_IWbemLocator, (void **)&locator)))
        goto out;
    /* At most two minutes, however the service is. */
    if (FAILED(IWbemLocator_ConnectServer(locator, name, NULL, NULL, NULL,
            WBEM_FLAG_CONNECT_USE_MAX_WAIT, NULL, NULL, &services)))
        services = NULL;
    else if (FAILED(CoSetProxyBlanket((IUnknown *)(void *)services, RPC_C_AUTHN_WINNT,
                 RPC_C_AUTHZ_NONE, NULL, RPC_C_AUTHN_LEVEL_PKT_PRIVACY, RPC_C_IMP_LEVEL_IMPERSONATE,
                 NULL, EOAC_NONE))) {
        (void)IWbemServices_Release(services);
        services = NULL;
    }
out:
    if (locator != NULL)
        (void)IWbemLocator_Release(locator);
    SysFreeString(name);
    return services;
}

/* The value of <PROPERTY NAME="name"…><VALUE>…</VALUE>; [*ret, *ret + *ret_n) in `xml`. */
static bool
property(const wchar_t *xml, const wchar_t *name, const wchar_t **ret, size_t *ret_n)
{
    wchar_t start[80];
    const wchar_t *p, *end, *close;

    (void)_snwprintf(start, 80, L"<PROPERTY NAME=\"%ls\"", name);
    if ((p = wcsstr(xml, start)) == NULL || (close = wcsstr(p, L"</PROPERTY>")) == NULL ||
        (p = wcsstr(p, L"<VALUE>")) == NULL || p > close)
        return false;
    p += 7;
    if ((end = wcsstr(p, L"</VALUE>")) == NULL || end > close)
        return false;
    *ret = p;
    *ret_n = (size_t)(end - p);
    return true;
}

/* Each item is an Msvm_KvpExchangeDataItem as XML
 * (learn.microsoft.com/windows/win32/hyperv_v2/msvm-kvpexchangedataitem). */
static bool
item_is(const wchar_t *xml, const wchar_t *wanted, const wchar_t **ret, size_t *ret_n)
{
    const wchar_t *name;
    size_t n;

    return property(xml, L"Name", &name, &n) && n == wcslen(wanted) &&
           wcsncmp(name, wanted, n) == 0 && property(xml, L"Data", ret, ret_n) && *ret_n > 0;
}

/* A version is figures and dots. */
static HRESULT
version_of(const VARIANT *items, char **ret)
{
    SAFEARRAY *all = items->parray;
    LONG low = 0, high = -1;
    HRESULT hr = S_OK;

    if (items->vt != (VT_ARRAY | VT_BSTR) || FAILED(SafeArrayGetLBound(all, 1, &low)) ||
        FAILED(SafeArrayGetUBound(all, 1, &high)))
        return S_OK;
    for (LONG i = low; i <= high && *ret == NULL && SUCCEEDED(hr); i++) {
        BSTR item = NULL;
        const wchar_t *data;
        wchar_t version[64];
        size_t n;

        if (FAILED(SafeArrayGetElement(all, &i, &item)))
            continue;
        if (item != NULL && item_is(item, L"IntegrationServicesVersion", &data, &n) && n < 64 &&
            wcsspn(data, L"0123456789.") >= n) {
            wmemcpy(version, data, n);
            version[n] = 0;
            hr = vss_text(version, ret);
        }
        SysFreeString(item);
    }
    return hr;
}

/* The first answer to the query. */
static HRESULT
ask(IWbemServices *services, const wchar_t *query, char **ret)
{
    BSTR language = SysAllocString(L"WQL"), text = SysAllocString(query);
    IEnumWbemClassObject *found = NULL;
    IWbemClassObject *one = NULL;
    VARIANT items;
    ULONG n = 0;
    HRESULT hr = S_OK;

    VariantInit(&items);
    if (language != NULL && text != NULL &&
        SUCCEEDED(IWbemServices_ExecQuery(services, language, text,
            WBEM_FLAG_FORWARD_ONLY | WBEM_FLAG_RETURN_IMMEDIATELY, NULL, &found)) &&
        IEnumWbemClassObject_Next(found, ANSWER_MS, 1, &one, &n) == WBEM_S_NO_ERROR && n == 1 &&
        SUCCEEDED(IWbemClassObject_Get(one, L"GuestIntrinsicExchangeItems", 0, &items, NULL, NULL)))
        hr = version_of(&items, ret);
    (void)VariantClear(&items);
    if (one != NULL)
        (void)IWbemClassObject_Release(one);
    if (found != NULL)
        (void)IEnumWbemClassObject_Release(found);
    SysFreeString(language);
    SysFreeString(text);
    return hr;
}

/* A VM's component is named by its GUID, which is the system's name to WMI. */
enum sp_code
vss_guest_version(void *self, const char *component_name, char **ret, struct sp_err *e)
{
    ULONGLONG began = GetTickCount64();
    wchar_t query[160];
    IWbemServices *services;
    char *version = NULL, id[37];
    GUID vm;
    HRESULT hr = S_OK;

    (void)self;
    if (FAILED(vss_id_parse(component_name, &vm))) {
        *ret = NULL;
        return SP_OK;
    }
    vss_id_text(&vm, id);
    (void)_snwprintf(query, 160,
        L"SELECT GuestIntrinsicExchangeItems FROM Msvm_KvpExchangeComponent WHERE SystemName='%hs'",
        id);
    if ((services = connect_to(L"root\\virtualization\\v2")) != NULL) {
        hr = ask(services, query, &version);
        (void)IWbemServices_Release(services);
    }
    if (FAILED(hr))
        return sp_fail_nomem(e);
    if (version == NULL && GetTickCount64() - began >= ANSWER_MS)
        return sp_fail(e, SP_TIMEOUT, SP_DOM_SHADOW,
            "Hyper-V's management (WMI, root\\virtualization\\v2) does not answer: see whether its "
            "services \"Windows Management Instrumentation\" and \"Hyper-V Virtual Machine "
            "Management\" run");
    *ret = version;
    return SP_OK;
}
