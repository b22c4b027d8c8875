#include "base/wire.h"
#include "storage/node_field.h"
#include "tests/fuzz/fuzz.h"

/* Nodes come from the store: fields end, and stay inside the buffer. The quick reader of nodes says
 * the same as the thorough one. */

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sp_cur c = sp_cur_of(data, size), quick = c;
    struct sp_wire_field f = {0}, q = {0};
    size_t fields = 0;
    bool more;

    do {
        more = sp_wire_next(&c, &f);
        FUZZ_MUST(sp_node_next(&quick, &q) == more);
        FUZZ_MUST(quick.bad == c.bad && sp_cur_left(&quick) == sp_cur_left(&c));
        if (!more)
            break;
        FUZZ_MUST(++fields <= size); /* each takes at least one byte */
        FUZZ_MUST(f.number >= 1 && f.number < 1u << 29);
        FUZZ_MUST(q.number == f.number && q.type == f.type);
        if (f.type == SP_WIRE_BYTES) {
            FUZZ_MUST(sp_cur_left(&f.bytes) < size);
            FUZZ_MUST(q.bytes.p == f.bytes.p && q.bytes.left == f.bytes.left);
        } else {
            FUZZ_MUST(q.value == f.value);
        }
    } while (more);
    return 0;
}
