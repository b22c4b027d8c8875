#include "proto/message.h"
#include "tests/fuzz/fuzz.h"

/* The header of a frame. What is understood is written in one way, which is understood alike. */

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sp_msg m, other;
    struct sp_buf once = SP_BUF_INIT, twice = SP_BUF_INIT;
    struct sp_err e = {0};
    uint32_t total = 0, total2 = 0;
    bool part = false, part2 = false;

    memset(&m, 0, sizeof(m));
    memset(&other, 0, sizeof(other));
    if (FUZZ_TRY(sp_msg_decode(data, size, &m, &total, &part, &e)) != SP_OK)
        return 0;
    if (part)
        return 0;
    if (total <= SP_FRAME_PAYLOAD_MAX) /* which frame.c refuses unless it is 0 */
        total = 0;
    FUZZ_MUST(sp_msg_valid(&m) && m.type > SP_MSG_NONE && m.type < SP_MSG_TYPES);
    FUZZ_MUST(m.last == (sp_msg_info(m.type)->kind == SP_KIND_REPLY) || m.type == SP_MSG_ERROR);
    FUZZ_OK(sp_msg_encode(&m, total, 0, &once, &e));
    FUZZ_OK(sp_msg_decode(once.data, once.len, &other, &total2, &part2, &e));
    FUZZ_MUST(total2 == total && !part2);
    FUZZ_MUST(memcmp(&m, &other, sizeof(m)) == 0);
    FUZZ_OK(sp_msg_encode(&other, total, 0, &twice, &e));
    FUZZ_MUST(once.len == twice.len && memcmp(once.data, twice.data, once.len) == 0);
    sp_buf_free(&once);
    sp_buf_free(&twice);
    return 0;
}
