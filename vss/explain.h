#ifndef SP_VSS_EXPLAIN_H
#define SP_VSS_EXPLAIN_H

/* A verdict in an administrator's words. One hand-written sentence per reason (explain.c), completed with what is known:
 * the HRESULT's name, meaning and advice, the application's own words, the method, the file. */

#include "base/buf.h"
#include "base/verdict.h"

/* "VM web01 is crash-consistent: its writer (Microsoft Hyper-V VSS Writer) reported …. <what it means>. <what to do>" */
void sp_vss_explain_component(const struct sp_verdict *v, size_t component, struct sp_buf *to);
/* One line: "VM web01: crash (0x800423f4 VSS_E_WRITERERROR_NONRETRYABLE)". */
void sp_vss_summary_component(const struct sp_verdict *v, size_t component, struct sp_buf *to);
/* The evidence, line by line, with raw states: for `show --consistency --verbose`. */
void sp_vss_evidence_component(const struct sp_verdict *v, size_t component, struct sp_buf *to);
/* The set as a whole: "application-consistent", "application, unconfirmed: …", "crash-consistent: 1 of 8 …". */
void sp_vss_explain_set(const struct sp_verdict *v, struct sp_buf *to);
/* A failed call of VSS as an error of domain SHADOW: "VSS: DoSnapshotSet: 0x80042306 VSS_E_PROVIDER_VETO: <meaning>.
 * <advice>"; the code by the number (ACCESSDENIED: SP_DENIED, OUTOFMEMORY: SP_NOMEM, SET_IN_PROGRESS: SP_BUSY,
 * VOLUME_UNSUPPORTED…: SP_UNSUPPORTED, else SP_IO). */
enum sp_code sp_vss_fail(struct sp_err *e, uint32_t hresult, const char *call);

#endif
