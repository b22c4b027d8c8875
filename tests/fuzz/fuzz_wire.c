#include "base/wire.h"
#include "tests/fuzz/fuzz.h"

/* Nodes come from the store: fields end, and stay inside the buffer. */

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sp_cur c = sp_cur_of(data, size);
    struct sp_wire_field f;
    size_t fields = 0;
    while (sp_wire_next(&c, &f)) {
        FUZZ_MUST(++fields <= size); /* each takes at least one byte */
        FUZZ_MUST(f.number >= 1 && f.number < 1u << 29);
        if (f.type == SP_WIRE_BYTES)
            FUZZ_MUST(sp_cur_left(&f.bytes) < size);
    }
    return 0;
}
