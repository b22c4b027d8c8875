/* IVssAsync. */

#include "tests/vss/vssapi/vssapi.h"

#include <stdlib.h>

struct async {
    IVssAsync com;
    LONG refs;
    struct model_async *async;
};

static struct async *
of(IVssAsync *This)
{
    return (struct async *)(void *)This;
}

static HRESULT STDMETHODCALLTYPE
query(IVssAsync *This, REFIID id, void **ret)
{
    if (!IsEqualGUID(id, &IID_IUnknown) && !IsEqualGUID(id, &IID_IVssAsync)) {
        *ret = NULL;
        return E_NOINTERFACE;
    }
    of(This)->refs++;
    *ret = This;
    return S_OK;
}

static ULONG STDMETHODCALLTYPE
add_ref(IVssAsync *This)
{
    return (ULONG)++of(This)->refs;
}

static ULONG STDMETHODCALLTYPE
release(IVssAsync *This)
{
    struct async *a = of(This);

    if (--a->refs > 0)
        return (ULONG)a->refs;
    model_release_async(a->async);
    free(a);
    return 0;
}

static HRESULT STDMETHODCALLTYPE
cancel(IVssAsync *This)
{
    return (HRESULT)model_cancel(of(This)->async);
}

/* Without an end a requester would wait for ever: that no wait is without a deadline is seen here.
 */
static HRESULT STDMETHODCALLTYPE
wait_for(IVssAsync *This, DWORD ms)
{
    uint32_t status;

    if (ms == INFINITE)
        dll_breach("a wait without a deadline");
    return (HRESULT)model_wait(of(This)->async, ms, &status);
}

static HRESULT STDMETHODCALLTYPE
status_of(IVssAsync *This, HRESULT *ret, INT *reserved)
{
    uint32_t status = 0;
    HRESULT hr = (HRESULT)model_wait(of(This)->async, 0, &status);

    if (reserved != NULL)
        *reserved = 0;
    *ret = (HRESULT)status;
    return hr;
}

static IVssAsyncVtbl table = {query, add_ref, release, cancel, wait_for, status_of};

HRESULT
dll_async_new(struct model_async *async, IVssAsync **ret)
{
    struct async *a = calloc(1, sizeof(*a));

    if (a == NULL)
        abort();
    a->com.lpVtbl = &table;
    a->refs = 1;
    a->async = async;
    *ret = &a->com;
    return S_OK;
}
