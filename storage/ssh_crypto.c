/* What known_hosts needs of OpenSSL: see ssh_impl.h. HMAC-SHA1 hides the names in the file, it
 * authenticates nothing. */

#include "storage/ssh_impl.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

enum sp_code
sp_ssh_hmac_sha1(struct sp_span key, const char *text, size_t n, uint8_t ret[20], struct sp_err *e)
{
    unsigned int len = 20;

    if (key.n > INT32_MAX ||
        HMAC(EVP_sha1(), key.p, (int)key.n, (const uint8_t *)text, n, ret, &len) == NULL)
        return sp_fail(e, SP_UNSUPPORTED, SP_DOM_CRYPTO,
            "OpenSSL on this machine does not allow SHA-1, which hides the names in known_hosts");
    return SP_OK;
}
