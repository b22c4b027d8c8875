#ifndef SP_TESTS_CLIENT_COMPLETIONS_H
#define SP_TESTS_CLIENT_COMPLETIONS_H

/* One set of a host that drives VSS, its completion, and a store that holds just these. */

#include "tests/unit/base/support.h"

#include "client/cli.h"
#include "storage/compress.h"
#include "storage/crypto.h"

struct signer { /* a host */
    struct sp_keys *keys;
    struct sp_sealer *sealer;
    struct sp_compressor *compressor;
    struct sp_opener *opener;
    struct sp_hasher *hasher;
    uint8_t secret[32];
    struct sp_host host;
};
struct shelf { /* the store */
    struct sp_store store;
    struct signer own, stranger;
    struct sp_set set;
    struct sp_set_sealed sealed;
    struct sp_buf record, completion, host; /* host: its record; empty: there is none */
    uint8_t hash[32];
    struct sp_opened_store opened;
    struct sp_profile profile;
};
/* The record's verdict: one VM at that level, not confirmed. `vss` false: none at all. */
void shelf_init(struct shelf *s, enum sp_level level, bool vss);
void shelf_free(struct shelf *s);
/* A completion with the VM at that level; signed with `with`; the set's own unless `clear` says otherwise. */
void shelf_complete(struct shelf *s, enum sp_level level, const struct signer *with,
    const struct sp_completion *clear);
struct sp_completion shelf_clear(const struct shelf *s, enum sp_level level);

#endif
