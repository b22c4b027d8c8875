#ifndef SP_VSS_WORDS_H
#define SP_VSS_WORDS_H

/* What the sentences of explain.c and the lines of evidence.c have in common. What others wrote
 * (writers, captions, the application's own text) is escaped for terminals; nothing known is
 * "(unnamed)". */

#include "base/buf.h"
#include "base/verdict.h"

void
sp_vss_put_text(struct sp_buf *to, const char *text); /* escaped; "(unnamed)" for NULL and "" */
void sp_vss_put_unit(struct sp_buf *to, const struct sp_verdict_component *c); /* "VM web01" */
void
sp_vss_put_code(struct sp_buf *to, uint32_t code); /* "0x800423f4 VSS_E_WRITERERROR_NONRETRYABLE" */
/* "the writer \"SqlServerWriter\"" */
void sp_vss_put_writer(
    struct sp_buf *to, const struct sp_verdict *v, const struct sp_verdict_component *c);
const char *sp_vss_stage_word(enum sp_stage stage); /* "after PrepareForBackup", … */
/* Whether its level is still only what it will be if BackupComplete goes well. */
bool sp_vss_unconfirmed(const struct sp_verdict *v, const struct sp_verdict_component *c);

#endif
