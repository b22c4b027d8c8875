#include "client/backup_run.h"

#include "client/present.h"
#include "client/present_windows.h"

/* Files whose content is not on this machine: they are recorded, never recalled (which would fetch
 * what may be more than the disk holds), and the user is told. */

enum sp_code
backup_note_away(struct backup *b, const struct sp_entry *en, struct sp_err *e)
{
    if (!sp_windows_is_elsewhere(en))
        return SP_OK;
    if (b->files_away++ > 0)
        return SP_OK;
    sp_buf_reset(&b->away);
    sp_present_key(en->key, en->key_len, &b->away);
    return sp_buf_ok(&b->away, e);
}

void
backup_tell_away(struct backup *b)
{
    uint64_t n = b->files_away;
    struct sp_buf text = SP_BUF_INIT;

    if (n == 0)
        return;
    sp_buf_printf(&text,
        "%s kept in the cloud (%s) and %s recorded without %s content: a restore brings back %s. "
        "%s%s. To "
        "have the content in the next set, let Windows keep it on this device before the backup "
        "runs",
        sp_present_count(n, "file is", "files are").s, n == 1 ? "a placeholder" : "placeholders",
        n == 1 ? "was" : "were", n == 1 ? "its" : "their",
        n == 1 ? "the placeholder" : "the placeholders", n == 1 ? "It is " : "The first is ",
        sp_buf_str(&b->away));
    if (!text.failed)
        backup_note(b, sp_buf_str(&text));
    sp_buf_free(&text);
}
