/* Reasons, methods and levels in an administrator's words. */

#include "vss/sentences.h"

#include <string.h>

#define EXPORT                                                                                     \
    "have a command before the shadow (before = …) export its data or bring it to rest "         \
    "(docs/vss.md)."

static const struct sp_vss_sentence sentences[] = {
    {SP_WHY_UNKNOWN, "for a reason that this version of Stillpoint does not know",
        "Update Stillpoint to have it explained.", false},
    {SP_WHY_TOOK_PART, "{writer} prepared it for the shadow and reported no failure", "", false},
    {SP_WHY_EVIDENCE,
        "{writer} reported no failure and, though it called itself stable after the shadow, had "
        "marked"
        " this component as backed up during this run",
        "", false},
    {SP_WHY_RULE,
        "{writer} reported no failure, and the state that it had after the shadow is known to mean "
        "that"
        " it took part ({rule})",
        "", false},
    {SP_WHY_STABLE,
        "{writer} did not show that it took part: after the shadow it called itself stable (1), "
        "which"
        " is what one that is done says, and one that was never asked",
        "See with vssadmin list writers whether the writer is there and without a failure, restart "
        "the"
        " application's service, and run the job again. Where the writer is always stable after a"
        " shadow, no more can be shown: " EXPORT,
        false},
    {SP_WHY_WRITER_FAILED, "{writer} failed: {status}{code}",
        "Look into the Application event log at the time of the backup, restart the application's"
        " service, and run the job again.",
        true},
    {SP_WHY_COMPONENT_FAILED, "{writer} reported that this component failed{code}",
        "Look into the Application event log at the time of the backup, mend what it tells, and run"
        " the job again.",
        true},
    {SP_WHY_PARTIAL_UNKNOWN,
        "{writer} reported that some of its components failed and did not tell which, so this one "
        "may"
        " be among them{code}",
        "", true},
    {SP_WHY_SILENT, "{writer} gave no status {status}{code}",
        "Its service ended, hung or was restarted during the backup: see with vssadmin list writers"
        " that it is there, look into the Application event log, and run the job again.",
        true},
    {SP_WHY_METHOD, "it can only be taken by the method \"{method}\"", "", false},
    {SP_WHY_COMPLETE_FAILED,
        "it was prepared for the shadow, but the end of the backup failed: {status}{code}",
        "The application may not know of this backup: do not count on truncated logs, nor on a "
        "moved"
        " base of its differential backups.",
        true},
    {SP_WHY_PARTLY_OUTSIDE,
        "it was not told of the backup, because some of its files are not in the set or on no "
        "shadow"
        "{detail}",
        "Add the missing files to the job, or name the application in it (application = …): all its"
        " files come with it then.",
        false},
    {SP_WHY_NO_WRITER, "no VSS writer speaks for it, so it was not told of the backup{detail}",
        "To have more, stop it or " EXPORT, false},
    {SP_WHY_NOT_CHOSEN, "the job leaves it out of VSS's part (application-exclude)",
        "Take the pattern that names it out of the job to have the application take part.", false},
    {SP_WHY_DEPENDENCY, "its own writer reported no failure, but it needs {lean}",
        "Mend that one; see what is said of it.", false},
    {SP_WHY_UNEXPECTED,
        "{writer} was in a state that it could not have had after taking part: {status}",
        "Restart the application's service, update the application, and run the job again.", false},
    {SP_WHY_UNFINISHED,
        "it was prepared for the shadow, but what it did at the end of the backup could not be "
        "learned",
        "Run the job again; when it comes back, look into the Application event log for source "
        "VSS.",
        false},
    {SP_WHY_NO_SHADOW, "{live}{detail}",
        "Shadows need NTFS or ReFS on a local, fixed disk with room for them (vssadmin list"
        " shadowstorage). Else stop the application, or " EXPORT,
        false},
    {SP_WHY_NOT_ASKED, "the job does without shadows (shadow = none), or this system has no VSS",
        "Take that line out of the job; else stop the application, or " EXPORT, false},
    {SP_WHY_LEFT_OUT, "the job leaves out what is below its demand{detail}",
        "Mend what is named, and run the job again; or have it kept (if-below = keep).", false},
};

/* What is told otherwise of such a unit. */
static const struct {
    enum sp_unit_kind kind;
    struct sp_vss_sentence sentence;
} special[] = {
    {SP_UNIT_DOCUMENT, {SP_WHY_NO_WRITER,
                           "the program that had it open knows nothing of VSS, so it was not told "
                           "of the backup{detail}",
                           "Close it before the backup, or " EXPORT, false}},
    {SP_UNIT_VM,
        {SP_WHY_NO_WRITER,
            "no VSS writer of its hypervisor speaks for it, so it was not told of the "
            "backup{detail}",
            "To have more, have a command before the shadow (before = …) suspend it or shut it down"
            " (docs/vss.md).",
            false}},
};

const struct sp_vss_sentence *
sp_vss_sentence(enum sp_why why, enum sp_unit_kind kind)
{
    for (size_t i = 0; i < sizeof special / sizeof special[0]; i++) {
        if (special[i].kind == kind && special[i].sentence.why == why)
            return &special[i].sentence;
    }
    for (size_t i = 0; i < sizeof sentences / sizeof sentences[0]; i++) {
        if (sentences[i].why == why)
            return &sentences[i];
    }
    return &sentences[0];
}

/* --- methods ---------------------------------------------------------------------------------- */

/* Of Hyper-V (docs/vss.md has the table): how it is taken, and what the better one needs. */
static const char online[] =
    " For \"Online\" the VM must be running, with the guest service of backups (Integration "
    "Services:"
    " \"Hyper-V Volume Shadow Copy Requestor\") enabled, running and current, basic disks with NTFS"
    " and room for shadows in it, and its own checkpoint files on the volume of its disks;"
    " pass-through and shared disks, and those that the guest reaches by iSCSI, cannot take part. A"
    " VM that was switched off is whole as it is.";

const char *
sp_vss_method_is(const char *method)
{
    if (method == NULL)
        return "";
    if (strstr(method, "aved") != NULL)
        return " Hyper-V saved the VM's memory and let it stand still for the shadow, instead of "
               "asking"
               " the applications in it.";
    if (strstr(method, "ffline") != NULL)
        return " Hyper-V could not ask the applications in the VM.";
    return " That is no method of Hyper-V that this program knows to ask the applications in the VM "
           "(on a system in"
           " another language it may be called otherwise), so it is not taken for one.";
}

const char *
sp_vss_method_needs(void)
{
    return online;
}

/* --- levels ---------------------------------------------------------------------------------- */

const char *
sp_vss_level_means(enum sp_level level, enum sp_unit_kind kind)
{
    switch (level) {
    case SP_LEVEL_APPLICATION:
        return "A restore gives what the application had written out for that instant.";
    case SP_LEVEL_CRASH:
        if (kind == SP_UNIT_VM)
            return "A restored VM starts as after a power cut: most systems and databases in it "
                   "recover"
                   " by themselves, and it may say that it was not shut down properly.";
        if (kind == SP_UNIT_DATABASE || kind == SP_UNIT_MAILBOXES)
            return "A restore gives it as after a power cut: it is recovered from its logs when it "
                   "is"
                   " brought up.";
        if (kind == SP_UNIT_DOCUMENT)
            return "A restore gives the file as after a power cut, perhaps in the middle of a "
                   "change:"
                   " have the program check it.";
        return "A restore gives its files as after a power cut: most applications recover, some do"
               " not.";
    case SP_LEVEL_LIVE:
        return "Its files were read one after another while in use and may not fit together: do not"
               " rely on a restore of them.";
    case SP_LEVEL_NONE:
        break;
    }
    return "A restore of this set does not give it.";
}
