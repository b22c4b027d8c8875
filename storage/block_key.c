/* The keys of blocks (docs/format.md §6.2; rules R22, R27). */

#include <string.h>

#include "storage/block_format.h"
#include "storage/crypto.h"

enum sp_code
sp_block_conn_key(const uint8_t seal[32], const uint8_t salt[16], uint8_t ret[32], struct sp_err *e)
{
    static const char info[] = "stillpoint 1 seal";

    return sp_hkdf(seal, 32, salt, 16, info, sizeof(info) - 1, ret, 32, e);
}

/* The ids are in the key: should a machine be cloned with a live sealer inside, salt and counter
 * would come again, but no key would seal two contents. */
enum sp_code
sp_block_key(const uint8_t conn[32], uint64_t counter, enum sp_block_kind kind, const uint8_t *ids,
    size_t nids, uint8_t ret[32], struct sp_err *e)
{
    static const char label[] = "stillpoint 1 block";
    enum { LABEL = sizeof(label) - 1 };
    uint8_t info[LABEL + 8 + 32];
    uint8_t head[3] = {(uint8_t)kind, (uint8_t)nids, (uint8_t)(nids >> 8)};
    struct sp_sha256 *h = NULL;
    enum sp_code rc;

    memcpy(info, label, LABEL);
    sp_store_le64(info + LABEL, counter);
    if ((rc = sp_sha256_new(&h, e)) == SP_OK &&
        (rc = sp_sha256_add(h, head, sizeof(head), e)) == SP_OK &&
        (rc = sp_sha256_add(h, ids, nids * SP_ID_SIZE, e)) == SP_OK &&
        (rc = sp_sha256_end(h, info + LABEL + 8, e)) == SP_OK)
        rc = sp_hkdf_expand(conn, info, sizeof(info), ret, e);
    sp_sha256_free(h);
    return rc;
}
