#include <windows.h>

#include <dpapi.h>

#include "base/os.h"
#include "base/text.h"
#include "client/keystore.h"

/* DPAPI: learn.microsoft.com/en-us/windows/win32/api/dpapi/nf-dpapi-cryptprotectdata. What an
 * administrator or the service keeps is bound to the machine, because the two are different users
 * of one profile; its file lets only them in. What a user keeps is bound to the user. A disk in
 * another machine gives neither away. */

static DATA_BLOB
blob_of(const void *p, size_t n)
{
    return (DATA_BLOB){.cbData = (DWORD)n, .pbData = (BYTE *)(uintptr_t)p};
}

/* Other programs of the same user that ask DPAPI for everything they find do not get ours by that.
 */
static DATA_BLOB
purpose(void)
{
    static const char text[] = "stillpoint profile";

    return blob_of(text, sizeof text - 1);
}

static enum sp_code
take(DATA_BLOB *out, struct sp_buf *ret, struct sp_err *e)
{
    sp_buf_put(ret, out->pbData, out->cbData);
    sp_wipe(out->pbData, out->cbData);
    (void)LocalFree(out->pbData);
    return sp_buf_ok(ret, e);
}

enum sp_code
sp_keystore_wrap(const void *p, size_t n, struct sp_buf *ret, struct sp_err *e)
{
    DATA_BLOB in = blob_of(p, n), why = purpose(), out = {0};
    DWORD flags = CRYPTPROTECT_UI_FORBIDDEN;

    if (n > UINT32_MAX)
        return sp_fail(e, SP_INVALID, SP_DOM_SELF, "a secret of %zu bytes", n);
    if (sp_os_is_admin())
        flags |= CRYPTPROTECT_LOCAL_MACHINE;
    if (!CryptProtectData(&in, L"Stillpoint", &why, NULL, NULL, flags, &out))
        return sp_fail_os(
            e, SP_DOM_SELF, (int)GetLastError(), "Windows cannot keep the key (DPAPI)");
    return take(&out, ret, e);
}

enum sp_code
sp_keystore_unwrap(const void *p, size_t n, struct sp_buf *ret, struct sp_err *e)
{
    DATA_BLOB in = blob_of(p, n), why = purpose(), out = {0};

    if (n > UINT32_MAX)
        return sp_fail(e, SP_CORRUPT, SP_DOM_CONFIG, "a wrapped secret of %zu bytes", n);
    if (!CryptUnprotectData(&in, NULL, &why, NULL, NULL, CRYPTPROTECT_UI_FORBIDDEN, &out))
        return sp_fail(e, SP_AUTH, SP_DOM_CONFIG,
            "Windows does not give back the key that it keeps (DPAPI, error %lu): it was kept by "
            "another user or on another machine; run this as who set it up, or open the repository "
            "with the recovery sheet",
            (unsigned long)GetLastError());
    return take(&out, ret, e);
}
