/* Set records for the tests of the remote store: see fake_server.h. */

#include "fake_server.h"

#include "base/random.h"
#include "storage/compress.h"
#include "storage/record.h"

void
fake_record(
    enum sp_record_type type, uint8_t number, const struct sp_buf *previous, struct sp_buf *ret)
{
    struct sp_keys *k = NULL;
    struct sp_sealer *sealer = NULL;
    struct sp_compressor *c = NULL;
    struct sp_opener *o = NULL;
    struct sp_hasher *h = NULL;
    struct sp_set clear = {.state = SP_SET_COMPLETE, .sequence = previous != NULL ? 2 : 1};
    struct sp_set_sealed sealed = {.host_name = (char *)"the host", .platform = (char *)"test"};
    uint8_t secret[32] = {9};

    if (type == SP_RECORD_CHECKPOINT)
        clear.state = SP_SET_CHECKPOINT;
    strcpy(clear.job, "the job");
    strcpy(clear.program, "stillpoint test");
    memset(clear.set_id, number, 16);
    memcpy(sealed.set_id, clear.set_id, 16);
    memset(clear.host, 0x11, 16);
    clear.root = fake_id(1, 0);
    if (previous != NULL) {
        clear.has_previous = true;
        assert_ok(sp_record_hash(previous->data, previous->len, clear.previous, e));
    }
    assert_ok(sp_keys_generate(&sp_random_system, &k, e));
    memcpy(clear.group, sp_keys_group(k), 16);
    assert_ok(sp_sealer_new(k, &sp_random_system, &sealer, e));
    assert_ok(sp_compressor_new(3, &c, e));
    assert_ok(sp_opener_new(k, &o, e));
    assert_ok(sp_hasher_new(k, &h, e));
    assert_ok(sp_set_record_encode(type, &clear, &sealed, sealer, c, o, h, secret, ret, e));
    sp_hasher_free(h);
    sp_opener_free(o);
    sp_compressor_free(c);
    sp_sealer_free(sealer);
    sp_keys_free(k);
}
