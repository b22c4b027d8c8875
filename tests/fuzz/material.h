#ifndef SP_TESTS_FUZZ_MATERIAL_H
#define SP_TESTS_FUZZ_MATERIAL_H

/* Keys that every run of every target has alike, and the seal over whatever the fuzzer gives: so
 * that it reaches the parsers behind. */

#include "storage/block_format.h"
#include "storage/compress.h"
#include "storage/crypto.h"
#include "storage/keys.h"

#define FUZZ_EPOCH 2

const struct sp_keys *fuzz_keys(void);
struct sp_hasher *fuzz_hasher(void);
struct sp_opener *fuzz_opener(void);
struct sp_compressor *fuzz_compressor(void);
extern const uint8_t fuzz_signing[32];
/* With the public key of fuzz_signing. */
const struct sp_host *fuzz_host(void);

/* The i-th of ids that rise with i. */
struct sp_id fuzz_id(unsigned i);

/* Appends a block over the plaintext as it stands: its length has to be a PADMÉ length. The ids are
 * taken as given; nrefs (NULL: zeros) and refs count in kind 3. */
void fuzz_seal(enum sp_block_kind kind, const struct sp_id *ids, size_t nids, const uint32_t *nrefs,
    const struct sp_id *refs, const void *plain, size_t n, struct sp_buf *ret);

#endif
