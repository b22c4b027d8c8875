/* The clear part of a removal record (docs/format.md §9), as far as presence and chain need it: see
 * repository_impl.h. */

#include <string.h>

#include "base/wire.h"
#include "storage/repository_impl.h"

enum { RECORD_CLEAR = 1 };
enum { SET_ID = 2, HOST = 3, JOB = 4, SEQUENCE = 5, RECORD = 7 };

static enum sp_code
malformed(struct sp_err *e)
{
    return sp_fail(e, SP_CORRUPT, SP_DOM_STORE, "the removal record is malformed");
}

enum sp_code
sp_removal_decode(const void *p, size_t n, struct sp_removal *ret, struct sp_err *e)
{
    struct sp_cur object = sp_cur_of(p, n), clear = sp_cur_of(NULL, 0);
    struct sp_wire_field f;
    struct sp_removal r;
    bool has_set = false, has_host = false, has_record = false, good = true;

    memset(&r, 0, sizeof(r));
    while (sp_wire_next(&object, &f))
        if (f.number == RECORD_CLEAR && f.type == SP_WIRE_BYTES)
            clear = f.bytes;
    while (good && sp_wire_next(&clear, &f)) {
        switch (f.number) {
        case SET_ID:
            good = has_set = sp_wire_take(&f, r.set_id, sizeof(r.set_id));
            break;
        case HOST:
            good = has_host = sp_wire_take(&f, r.host, sizeof(r.host));
            break;
        case JOB:
            good = sp_wire_take_text(&f, r.job, sizeof(r.job));
            break;
        case SEQUENCE:
            good = f.type == SP_WIRE_VARINT;
            r.sequence = f.value;
            break;
        case RECORD:
            good = has_record = sp_wire_take(&f, r.record, sizeof(r.record));
            break;
        default:
            break;
        }
    }
    if (!good || !sp_cur_done(&object) || !sp_cur_done(&clear) || !has_set || !has_host ||
        !has_record || r.sequence == 0)
        return malformed(e);
    *ret = r;
    return SP_OK;
}
