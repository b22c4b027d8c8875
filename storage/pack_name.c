/* Names of packs: see pack.h. */

#include "storage/pack_format.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"

void
sp_pack_object_name(enum sp_pack_kind kind, const uint8_t name[32], char to[96])
{
    struct sp_hex hex = sp_hex32(name);

    (void)snprintf(to, 96, "%s/%.2s/%s", kind == SP_PACK_NODES ? "nodes" : "packs", hex.s, hex.s);
}

void
sp_pack_header(enum sp_pack_kind kind, uint8_t to[PACK_HEADER])
{
    memcpy(to, "SPP1\1\0\0\0", PACK_HEADER);
    to[5] = (uint8_t)kind;
}

enum sp_code
sp_pack_name(
    enum sp_pack_kind kind, const uint8_t *end, size_t n, uint8_t ret[32], struct sp_err *e)
{
    uint8_t header[PACK_HEADER];
    struct sp_sha256 *h = NULL;
    enum sp_code rc;

    sp_pack_header(kind, header);
    if ((rc = sp_sha256_new(&h, e)) == SP_OK &&
        (rc = sp_sha256_add(h, header, sizeof(header), e)) == SP_OK &&
        (rc = sp_sha256_add(h, end, n, e)) == SP_OK)
        rc = sp_sha256_end(h, ret, e);
    sp_sha256_free(h);
    return rc;
}

bool
sp_pack_object_parse(const char *object, enum sp_pack_kind *ret_kind, uint8_t ret_name[32])
{
    enum sp_pack_kind kind = strncmp(object, "nodes/", 6) == 0 ? SP_PACK_NODES : SP_PACK_DATA;
    uint8_t name[32];
    char same[96];

    if (strlen(object) <= 9 || !sp_hex_parse(object + 9, name, sizeof(name)))
        return false;
    /* One object, one spelling: also the folder must be the right one. */
    sp_pack_object_name(kind, name, same);
    if (strcmp(object, same) != 0)
        return false;
    *ret_kind = kind;
    memcpy(ret_name, name, sizeof(name));
    return true;
}

enum sp_pack_kind
sp_pack_kind_of(enum sp_block_kind kind)
{
    return kind == SP_BLOCK_NODES ? SP_PACK_NODES : SP_PACK_DATA;
}
