/* What a copy did, for programs: see copy.h. */

#include "storage/copy.h"

const char *
sp_copy_word(enum sp_copy_what what)
{
    switch (what) {
    case SP_COPY_SET_COPIED:
        return "copied";
    case SP_COPY_SET_THERE:
        return "there";
    case SP_COPY_SET_HEALED:
        return "healed";
    case SP_COPY_SET_REFUSED:
        return "refused";
    case SP_COPY_NOTE:
        return "note";
    case SP_COPY_DAMAGE:
        return "damage";
    case SP_COPY_SET_FAILED:
        break;
    }
    return "failed";
}

void
sp_copy_totals_json(struct sp_json *j, const struct sp_copy_totals *t, bool dry_run)
{
    sp_json_kbool(j, "dry_run", dry_run);
    sp_json_ku64(j, "sets_copied", t->sets_copied);
    sp_json_ku64(j, "sets_there", t->sets_there);
    sp_json_ku64(j, "sets_healed", t->sets_healed);
    sp_json_ku64(j, "sets_failed", t->sets_failed);
    sp_json_ku64(j, "sets_refused", t->sets_refused);
    sp_json_ku64(j, "blocks_sent", t->blocks);
    sp_json_ku64(j, "bytes_sent", t->bytes);
    sp_json_ku64(j, "chunks_there", t->chunks_there);
    sp_json_ku64(j, "bad_blocks", t->damaged);
}
