#ifndef SP_VSS_HRESULT_H
#define SP_VSS_HRESULT_H

/* HRESULTs of VSS and of its writers: name, meaning, advice, in one table (hresult.c;
 * learn.microsoft.com/windows/win32/vss/volume-shadow-copy-error-codes and the pages of the methods). Portable: the
 * numbers are ours, so that verdicts are made and shown anywhere. */

#include <stdbool.h>
#include <stdint.h>

#define SP_VSS_S_OK 0u
#define SP_VSS_S_ASYNC_FINISHED 0x0004230Au
#define SP_VSS_S_ASYNC_PENDING 0x00042309u
#define SP_VSS_S_ASYNC_CANCELLED 0x0004230Bu
#define SP_VSS_S_FALSE 1u
#define SP_VSS_E_NOTIMPL 0x80004001u
#define SP_VSS_E_OUTOFMEMORY 0x8007000Eu
#define SP_VSS_E_ACCESSDENIED 0x80070005u
#define SP_VSS_E_INVALIDARG 0x80070057u
#define SP_VSS_E_UNEXPECTED 0x8000FFFFu
#define SP_VSS_E_BAD_STATE 0x80042301u
#define SP_VSS_E_NO_PROVIDER 0x80042304u
#define SP_VSS_E_PROVIDER_VETO 0x80042306u
#define SP_VSS_E_NOT_FOUND 0x80042308u
#define SP_VSS_E_VOLUME_UNSUPPORTED 0x8004230Cu
#define SP_VSS_E_EXISTS 0x8004230Du
#define SP_VSS_E_PROVIDER_ERROR 0x8004230Fu
#define SP_VSS_E_SET_IN_PROGRESS 0x80042316u
#define SP_VSS_E_WRITER_SILENT 0x80042319u
#define SP_VSS_E_NO_STORAGE 0x8004231Fu
#define SP_VSS_E_PARTIAL_FAILURE 0x80042336u
#define SP_VSS_E_WRITER_INCONSISTENT 0x800423F0u
#define SP_VSS_E_WRITER_RESOURCES 0x800423F1u
#define SP_VSS_E_WRITER_TIMEOUT 0x800423F2u
#define SP_VSS_E_WRITER_RETRYABLE 0x800423F3u
#define SP_VSS_E_WRITER_NOT_RETRYABLE 0x800423F4u
#define SP_VSS_E_WRITER_RECOVERY 0x800423F5u
#define SP_VSS_E_STATUS_UNAVAILABLE 0x80042409u

struct sp_vss_hresult {
    uint32_t code;
    const char *name;    /* "VSS_E_WRITERERROR_TIMEOUT" */
    const char *meaning; /* a clause: "the writer did not finish within 60 seconds" */
    const char *advice;  /* a sentence: what an administrator can do */
};
/* NULL: not in the table. */
const struct sp_vss_hresult *sp_vss_hresult_find(uint32_t code);
/* All of them, for docs and tests; *ret_n is their number. */
const struct sp_vss_hresult *sp_vss_hresults(unsigned *ret_n);
bool sp_vss_failed(uint32_t code); /* FAILED() */
/* OUTOFRESOURCES, TIMEOUT, RETRYABLE: the writer may do better in a new shadow set. */
bool sp_vss_retryable(uint32_t code);
/* WRITER_NOT_RESPONDING, STATUS_NOT_AVAILABLE: what VSS says in a writer's name when that says nothing
 * (learn.microsoft.com/windows/win32/api/vsbackup/nf-vsbackup-ivssbackupcomponentsex3-getwriterstatusex). */
bool sp_vss_silent(uint32_t code);
/* The code that tells of a failure: the writer's, else the application's own; 0: neither fails. */
uint32_t sp_vss_failure(uint32_t hresult, uint32_t app_hresult);

/* VSS_WRITER_STATE (learn.microsoft.com/windows/win32/api/vss/ne-vss-vss_writer_state). */
enum sp_vss_state {
    SP_VSS_UNKNOWN = 0,
    SP_VSS_STABLE = 1,
    SP_VSS_WAITING_FOR_FREEZE = 2,
    SP_VSS_WAITING_FOR_THAW = 3,
    SP_VSS_WAITING_FOR_POST_SNAPSHOT = 4,
    SP_VSS_WAITING_FOR_BACKUP_COMPLETE = 5,
    SP_VSS_FAILED_AT_IDENTIFY = 6,
    SP_VSS_FAILED_AT_PREPARE_BACKUP = 7,
    SP_VSS_FAILED_AT_PREPARE_SNAPSHOT = 8,
    SP_VSS_FAILED_AT_FREEZE = 9,
    SP_VSS_FAILED_AT_THAW = 10,
    SP_VSS_FAILED_AT_POST_SNAPSHOT = 11,
    SP_VSS_FAILED_AT_BACKUP_COMPLETE = 12,
    SP_VSS_FAILED_AT_PRE_RESTORE = 13,
    SP_VSS_FAILED_AT_POST_RESTORE = 14,
    SP_VSS_FAILED_AT_BACKUPSHUTDOWN = 15
};
const char *sp_vss_state_word(uint32_t state); /* "waiting for backup complete"; "state 99" is "an unknown state" */

#endif
