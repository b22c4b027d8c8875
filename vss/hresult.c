#include "vss/hresult.h"

#include <stddef.h>

/* Names and meanings: learn.microsoft.com/windows/win32/vss/volume-shadow-copy-error-codes, the
 * pages of IVssBackupComponents' methods (…/win32/api/vsbackup) and, for writers, …/api/vswriter/
 * nf-vswriter-cvsswriterex2-setwriterfailureex; the rest: …/win32/com/com-error-codes and
 * …/openspecs/windows_protocols/ms-erref. The advice is ours. In the order of the codes, for
 * people. */

/* Sentences that several rows share. */
#define SERVICES                                                                                   \
    "Look into the Application event log for source VSS; restart the service \"Volume Shadow "     \
    "Copy\"."
#define REPORT "Report this to Stillpoint's makers, with the log: it should not happen."
#define REPEAT                                                                                     \
    "Run the job again; when it comes back, look into the Application and System event logs."
#define WRITER_LOG                                                                                 \
    "The writer's own messages are in the Application event log at the time of the backup."
#define RIGHTS                                                                                     \
    "Run Stillpoint elevated, as a member of Administrators or Backup Operators or as its "        \
    "service;"                                                                                     \
    " event 8194 of source VSS names an account that may not call back."
#define STORAGE "Free space on the volume, or give its shadows more: vssadmin resize shadowstorage."
#define BUSY_DISKS                                                                                 \
    "Run the job at a quieter time, and not together with other backups of the same disks."
#define OTHER_JOB "Let the other backup end, or plan the two at different times."
#define RESTORING "Restore to other disks, or change the disks' layout as the meaning says."
#define RPC_SERVICE                                                                                \
    "See that the services \"Volume Shadow Copy\" and \"COM+ Event System\" can run, and run the " \
    "job"                                                                                          \
    " again; a writer's service that ended is named in the System event log."

static const struct sp_vss_hresult table[] = {
    {0x00000000u, "S_OK", "all went well", "Nothing has to be done."},
    {0x00000001u, "S_FALSE", "there was nothing to do", "Nothing has to be done."},
    {0x00042309u, "VSS_S_ASYNC_PENDING", "the operation is still running",
        "Wait; when this is the end of a wait, the operation took longer than its "
        "deadline: " SERVICES},
    {0x0004230Au, "VSS_S_ASYNC_FINISHED", "the operation is done", "Nothing has to be done."},
    {0x0004230Bu, "VSS_S_ASYNC_CANCELLED", "the operation was cancelled", "Run the job again."},
    {0x00042321u, "VSS_S_SOME_SNAPSHOTS_NOT_IMPORTED", "some shadows of the set were not imported",
        REPEAT},

    {0x80004001u, "E_NOTIMPL", "this system does not have the function",
        "VSS needs Windows itself: Wine and stripped-down systems have none. Make the job do "
        "without"
        " shadows (shadow = none) or run it on the Windows machine."},
    {0x80004002u, "E_NOINTERFACE", "this system's VSS is too old for the call",
        "Update Windows; what needs the newer call is left out otherwise."},
    {0x80004003u, "E_POINTER", "a call was made with a bad address", REPORT},
    {0x80004004u, "E_ABORT", "the operation was ended before it was done", REPEAT},
    {0x80004005u, "E_FAIL", "it failed without saying why", SERVICES},
    {0x8000FFFFu, "E_UNEXPECTED", "VSS met an error that it does not name", SERVICES},
    {0x80010105u, "RPC_E_SERVERFAULT", "the process called made a fault", RPC_SERVICE},
    {0x80010106u, "RPC_E_CHANGED_MODE", "COM was set up in another way in this process", REPORT},
    {0x80010108u, "RPC_E_DISCONNECTED", "the process called is gone", RPC_SERVICE},
    {0x8001010Du, "RPC_E_CANTCALLOUT_ININPUTSYNCCALL",
        "a call came at a time when none may be made", REPORT},
    {0x80010119u, "RPC_E_TOO_LATE", "COM's security was set before by other code of this process",
        REPORT},
    {0x8001011Bu, "RPC_E_ACCESS_DENIED", "the call was refused by the process called", RIGHTS},
    {0x8001011Fu, "RPC_E_TIMEOUT", "the call was not answered in time", RPC_SERVICE},
    {0x80040154u, "REGDB_E_CLASSNOTREG", "the component is not registered on this system",
        "VSS is not installed completely (or this is no Windows). Repair the system's files with"
        " sfc /scannow; a provider of hardware shadows must be installed again by its setup."},
    {0x800401F0u, "CO_E_NOTINITIALIZED", "COM was not set up in this thread", REPORT},

    {0x80042301u, "VSS_E_BAD_STATE", "the call came at a time when VSS does not take it", REPORT},
    {0x80042302u, "VSS_E_UNEXPECTED", "VSS met an error that it does not name", SERVICES},
    {0x80042303u, "VSS_E_PROVIDER_ALREADY_REGISTERED", "the shadow provider is registered already",
        "Nothing has to be done."},
    {0x80042304u, "VSS_E_PROVIDER_NOT_REGISTERED", "there is no shadow provider for the volume",
        "See with vssadmin list providers that \"Microsoft Software Shadow Copy provider\" is "
        "there;"
        " repair the system's files with sfc /scannow when it is not."},
    {0x80042306u, "VSS_E_PROVIDER_VETO", "the shadow provider refused",
        "Its reason is in the System event log, source VolSnap, or the provider's own. Often there "
        "is"
        " too little room for shadows: vssadmin list shadowstorage."},
    {0x80042307u, "VSS_E_PROVIDER_IN_USE", "the shadow provider is in use", OTHER_JOB},
    {0x80042308u, "VSS_E_OBJECT_NOT_FOUND",
        "the volume, shadow or component is not there (any more)",
        "A volume may have been taken offline, or a shadow deleted for lack of room during the "
        "backup:"
        " look into the System event log for source VolSnap, and give shadows more room."},
    {0x8004230Cu, "VSS_E_VOLUME_NOT_SUPPORTED", "no shadow provider supports the volume",
        "Shadows need NTFS or ReFS on a fixed disk. Leave the volume out of the job, or accept "
        "that it"
        " is read live (shadow = auto)."},
    {0x8004230Du, "VSS_E_OBJECT_ALREADY_EXISTS", "the volume or component was added before",
        REPORT},
    {0x8004230Eu, "VSS_E_VOLUME_NOT_SUPPORTED_BY_PROVIDER",
        "the shadow provider chosen does not support the volume",
        "Shadows need NTFS or ReFS on a fixed disk; a provider of hardware shadows serves its own"
        " disks only."},
    {0x8004230Fu, "VSS_E_UNEXPECTED_PROVIDER_ERROR",
        "the shadow provider failed without saying why",
        "Look into the System event log for source VolSnap and that of the disks; see with"
        " vssadmin list providers whether another product's provider is in use."},
    {0x80042310u, "VSS_E_CORRUPT_XML_DOCUMENT", "a document of VSS is damaged", SERVICES},
    {0x80042311u, "VSS_E_INVALID_XML_DOCUMENT", "a document of VSS is not as it should be",
        "A writer may have given a bad description of itself: see with vssadmin list writers which"
        " third-party writers there are, and update them."},
    {0x80042312u, "VSS_E_MAXIMUM_NUMBER_OF_VOLUMES_REACHED",
        "a shadow set cannot have so many volumes (64 at most)", "Make two jobs of the one."},
    {0x80042313u, "VSS_E_FLUSH_WRITES_TIMEOUT",
        "the volumes could not be flushed in time, because they are too busy", BUSY_DISKS},
    {0x80042314u, "VSS_E_HOLD_WRITES_TIMEOUT",
        "writing to the volumes could not be held for as long as the shadow took (10 seconds at "
        "most)",
        BUSY_DISKS},
    {0x80042315u, "VSS_E_UNEXPECTED_WRITER_ERROR", "VSS could not talk to the writers", SERVICES},
    {0x80042316u, "VSS_E_SNAPSHOT_SET_IN_PROGRESS", "another shadow set is being made",
        "Another backup is at work. " OTHER_JOB},
    {0x80042317u, "VSS_E_MAXIMUM_NUMBER_OF_SNAPSHOTS_REACHED",
        "the volume has as many shadows as it can",
        "See them with vssadmin list shadows, and delete what is no longer needed."},
    {0x80042318u, "VSS_E_WRITER_INFRASTRUCTURE",
        "VSS's part that talks to the writers does not work",
        "See that the services \"COM+ Event System\" and \"Volume Shadow Copy\" can run, and start "
        "the"
        " machine anew when it stays so."},
    {0x80042319u, "VSS_E_WRITER_NOT_RESPONDING", "the writer does not answer",
        "Restart the application's service, then see with vssadmin list writers that it is "
        "there. " WRITER_LOG},
    {0x8004231Au, "VSS_E_WRITER_ALREADY_SUBSCRIBED", "the writer has registered itself before",
        "Restart the application's service."},
    {0x8004231Bu, "VSS_E_UNSUPPORTED_CONTEXT", "the provider does not make shadows of this kind",
        "See with vssadmin list providers which provider is in use, and update it."},
    {0x8004231Du, "VSS_E_VOLUME_IN_USE", "the volume is in use", OTHER_JOB},
    {0x8004231Eu, "VSS_E_MAXIMUM_DIFFAREA_ASSOCIATIONS_REACHED",
        "the volume has as many places for shadows as it can",
        "See them with vssadmin list shadowstorage, and delete one."},
    {0x8004231Fu, "VSS_E_INSUFFICIENT_STORAGE", "there is no room for the shadow", STORAGE},
    {0x80042320u, "VSS_E_NO_SNAPSHOTS_IMPORTED", "no shadow of the set was imported", REPEAT},
    {0x80042321u, "VSS_E_SOME_SNAPSHOTS_NOT_IMPORTED", "some shadows of the set were not imported",
        REPEAT},
    {0x80042322u, "VSS_E_MAXIMUM_NUMBER_OF_REMOTE_MACHINES_REACHED",
        "volumes of too many other machines are in the shadow set", "Make two jobs of the one."},
    {0x80042323u, "VSS_E_REMOTE_SERVER_UNAVAILABLE", "the file server does not answer",
        "Back up the share where it lies, with Stillpoint on that machine."},
    {0x80042324u, "VSS_E_REMOTE_SERVER_UNSUPPORTED", "the file server makes no shadows for others",
        "Back up the share where it lies, with Stillpoint on that machine."},
    {0x80042325u, "VSS_E_REVERT_IN_PROGRESS", "the volume is being put back to one of its shadows",
        "Let that end, and run the job again."},
    {0x80042326u, "VSS_E_REVERT_VOLUME_LOST", "the volume that is being put back is gone",
        "Bring the disk online, and see that the volume is as it should be."},
    {0x80042327u, "VSS_E_REBOOT_REQUIRED", "the machine has to be started anew first",
        "Start it anew, and run the job again."},
    {0x80042328u, "VSS_E_TRANSACTION_FREEZE_TIMEOUT", "transactions could not be frozen in time",
        BUSY_DISKS},
    {0x80042329u, "VSS_E_TRANSACTION_THAW_TIMEOUT",
        "too much time passed between freezing and thawing transactions", BUSY_DISKS},
    {0x8004232Au, "VSS_E_UNSELECTED_VOLUME", "a volume needed was not chosen",
        "Add the volume to the job."},
    {0x8004232Bu, "VSS_E_SNAPSHOT_NOT_IN_SET", "the shadow is not of this shadow set", REPORT},
    {0x8004232Cu, "VSS_E_NESTED_VOLUME_LIMIT",
        "the volume lies in a virtual disk, nested too deep for shadows",
        "Back up the file of the virtual disk, or the volume in the machine that uses it."},
    {0x8004232Du, "VSS_E_VOLUME_NOT_LOCAL", "the volume is owned by another node of the cluster",
        "Move the volume to this node, or run the job on the node that owns it."},
    {0x8004232Eu, "VSS_E_CLUSTER_TIMEOUT", "the cluster did not answer in time",
        "See in the Failover Cluster Manager that all nodes are up, and run the job again."},
    {0x8004232Fu, "VSS_E_NOT_SUPPORTED", "this writer or provider cannot do that",
        "Update the application or the provider that is named."},
    {0x80042336u, "VSS_E_WRITERERROR_PARTIAL_FAILURE", "some of the writer's components failed",
        WRITER_LOG " The components concerned are named each."},

    {0x800423F0u, "VSS_E_WRITERERROR_INCONSISTENTSNAPSHOT",
        "the shadow has only some of the volumes that the application needs",
        "Add the volumes to the job on which the rest of the application's files lies."},
    {0x800423F1u, "VSS_E_WRITERERROR_OUTOFRESOURCES",
        "the writer ran out of memory or other resources",
        "Wait ten minutes and run the job again (writer-attempts, writer-pause); when it comes "
        "back,"
        " the machine has too little memory for what runs on it."},
    {0x800423F2u, "VSS_E_WRITERERROR_TIMEOUT",
        "too much time passed between freeze and thaw (60 seconds at most)",
        "The disks were too busy at the time. Wait ten minutes and run the job again"
        " (writer-attempts, writer-pause), at a quieter time; fewer volumes in a job help, too."},
    {0x800423F3u, "VSS_E_WRITERERROR_RETRYABLE",
        "the writer failed in a way that may pass when all is started again",
        "Wait ten minutes and run the job again (writer-attempts, writer-pause); restart the"
        " application's service when it comes back. " WRITER_LOG},
    {0x800423F4u, "VSS_E_WRITERERROR_NONRETRYABLE",
        "the writer failed in a way that may well come again",
        WRITER_LOG
        " Mend what they tell, restart the application's service, and run the job again."},
    {0x800423F5u, "VSS_E_WRITERERROR_RECOVERY_FAILED",
        "the application could not bring its files in the shadow to rest", WRITER_LOG},
    {0x800423F6u, "VSS_E_BREAK_REVERT_ID_FAILED",
        "the disk signatures could not be put back when the shadow set was broken", REPEAT},
    {0x800423F7u, "VSS_E_LEGACY_PROVIDER", "the shadow provider is too old for this",
        "Update the provider that vssadmin list providers names."},
    {0x800423F8u, "VSS_E_MISSING_DISK", "a disk that is needed is not there", RESTORING},
    {0x800423F9u, "VSS_E_MISSING_HIDDEN_VOLUME", "a hidden volume that is needed is not there",
        RESTORING},
    {0x800423FAu, "VSS_E_MISSING_VOLUME", "a volume that is needed is not there", RESTORING},
    {0x800423FBu, "VSS_E_AUTORECOVERY_FAILED",
        "the shadow could not be mounted for the applications to bring their files to rest",
        "Look into the System event log for sources VolSnap, Disk and partmgr; see with mountvol "
        "that"
        " new volumes are mounted by themselves (mountvol /E)."},
    {0x800423FCu, "VSS_E_DYNAMIC_DISK_ERROR", "dynamic disks are in the way",
        "Shadows inside a VM, and those of hardware providers, need basic disks."},
    {0x800423FDu, "VSS_E_NONTRANSPORTABLE_BCD",
        "the boot configuration cannot be moved to another disk", RESTORING},
    {0x800423FEu, "VSS_E_CANNOT_REVERT_DISKID", "a disk's signature could not be put back", REPEAT},
    {0x800423FFu, "VSS_E_RESYNC_IN_PROGRESS", "disks are being brought back from a shadow",
        "Let that end, and run the job again."},
    {0x80042400u, "VSS_E_CLUSTER_ERROR", "the cluster's service failed",
        "See in the Failover Cluster Manager that all nodes are up, and run the job again."},
    {0x80042409u, "VSS_E_WRITER_STATUS_NOT_AVAILABLE",
        "the writer has no status for this backup (it may have as many sessions as it can)",
        "Let other backups end, restart the application's service, and run the job again."},
    {0x80042417u, "VSS_E_FSS_TIMEOUT", "the file server's shadow took too long",
        "Back up the share where it lies, with Stillpoint on that machine."},

    {0x80070002u, "ERROR_FILE_NOT_FOUND", "a file is missing",
        "When it is VSS's own: repair the system's files with sfc /scannow. Else a writer names a "
        "file"
        " that is gone: see vssadmin list writers."},
    {0x80070005u, "E_ACCESSDENIED", "access was refused", RIGHTS},
    {0x80070008u, "ERROR_NOT_ENOUGH_MEMORY", "there was too little memory",
        "End other programs, or give the machine more memory."},
    {0x8007000Eu, "E_OUTOFMEMORY", "there was too little memory",
        "End other programs, or give the machine more memory."},
    {0x80070015u, "ERROR_NOT_READY", "a device is not ready",
        "See that all disks of the job are online and have no errors."},
    {0x80070057u, "E_INVALIDARG", "VSS did not take an argument of the call", REPORT},
    {0x80070070u, "ERROR_DISK_FULL", "a disk is full", STORAGE},
    {0x800700AAu, "ERROR_BUSY", "something that is needed is in use", OTHER_JOB},
    {0x80070102u, "WAIT_TIMEOUT", "it took longer than its deadline", SERVICES},
    {0x8007041Du, "ERROR_SERVICE_REQUEST_TIMEOUT", "a service did not start in time", RPC_SERVICE},
    {0x80070420u, "ERROR_SERVICE_ALREADY_RUNNING", "the service runs already",
        "Nothing has to be done."},
    {0x80070422u, "ERROR_SERVICE_DISABLED", "the service is disabled",
        "Set the service \"Volume Shadow Copy\" (and \"Microsoft Software Shadow Copy Provider\") "
        "to"
        " Manual: sc config VSS start= demand."},
    {0x80070424u, "ERROR_SERVICE_DOES_NOT_EXIST", "the service is not installed",
        "VSS is not part of this system. Make the job do without shadows (shadow = none)."},
    {0x8007042Cu, "ERROR_SERVICE_DEPENDENCY_FAIL", "a service that it needs did not start",
        RPC_SERVICE},
    {0x80070437u, "ERROR_SERVICE_START_HANG", "a service hung while it started", RPC_SERVICE},
    {0x8007045Bu, "ERROR_SHUTDOWN_IN_PROGRESS", "the machine is being shut down",
        "Run the job again when it is up."},
    {0x800705AAu, "ERROR_NO_SYSTEM_RESOURCES", "the system ran out of resources",
        "End other programs, or give the machine more memory."},
    {0x800705B4u, "ERROR_TIMEOUT", "it took longer than its deadline", SERVICES},
    {0x800706BAu, "RPC_S_SERVER_UNAVAILABLE", "the process called is not there", RPC_SERVICE},
    {0x800706BEu, "RPC_S_CALL_FAILED", "the process called ended during the call", RPC_SERVICE},
    {0x800706BFu, "RPC_S_CALL_FAILED_DNE", "the process called ended before the call", RPC_SERVICE},
    {0x80080005u, "CO_E_SERVER_EXEC_FAILURE", "the service could not be started", RPC_SERVICE},
};
#define ROWS (sizeof table / sizeof table[0])

const struct sp_vss_hresult *
sp_vss_hresult_find(uint32_t code)
{
    for (size_t i = 0; i < ROWS; i++) {
        if (table[i].code == code)
            return &table[i];
    }
    return NULL;
}

const struct sp_vss_hresult *
sp_vss_hresults(unsigned *ret_n)
{
    *ret_n = ROWS;
    return table;
}

bool
sp_vss_failed(uint32_t code)
{
    return (code & 0x80000000u) != 0;
}

bool
sp_vss_retryable(uint32_t code)
{
    return code == SP_VSS_E_WRITER_RESOURCES || code == SP_VSS_E_WRITER_TIMEOUT ||
           code == SP_VSS_E_WRITER_RETRYABLE;
}

bool
sp_vss_silent(uint32_t code)
{
    return code == SP_VSS_E_WRITER_SILENT || code == SP_VSS_E_STATUS_UNAVAILABLE;
}

uint32_t
sp_vss_failure(uint32_t hresult, uint32_t app_hresult)
{
    if (sp_vss_failed(hresult))
        return hresult;
    return sp_vss_failed(app_hresult) ? app_hresult : 0;
}

const char *
sp_vss_state_word(uint32_t state)
{
    static const char *const words[] = {"unknown", "stable", "waiting for freeze",
        "waiting for thaw", "waiting for post-snapshot", "waiting for backup complete",
        "failed at identify", "failed at prepare backup", "failed at prepare snapshot",
        "failed at freeze", "failed at thaw", "failed at post-snapshot",
        "failed at backup complete", "failed at pre-restore", "failed at post-restore",
        "failed at backup shutdown"};

    return state < sizeof words / sizeof words[0] ? words[state] : "an unknown state";
}
