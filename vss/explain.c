#include "vss/explain.h"

#include <string.h>

#include "vss/hresult.h"
#include "vss/judge.h"
#include "vss/words.h"

/* The sentences. In `because`: {writer} the writer with its name, {status} what it reported and
 * when, {code} an HRESULT with its name and meaning, {method}, {detail}, {lean} what it depends on
 * and that one's level, {live} how many files were read live, {rule}. `next` is what to do, after
 * the HRESULT's own advice where `coded`. */
struct sentence {
    enum sp_why why;
    const char *because;
    const char *next;
    bool coded; /* the advice of the HRESULT comes first, and is enough when there is one */
};

#define EXPORT                                                                                     \
    "have a command before the shadow (before = …) export its data or bring it to rest "         \
    "(docs/vss.md)."

static const struct sentence sentences[] = {
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
        "{writer} did not show that it took part: it called itself stable (1) after the shadow, as "
        "one"
        " that is done does, and one that was never asked",
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
        "The application may not know of this backup: it has truncated no logs, and the base of its"
        " differential backups has not moved. Run the job again.",
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

static const struct sentence *
sentence_of(enum sp_why why)
{
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

static const char *
method_text(const char *method)
{
    if (method == NULL)
        return "";
    if (strstr(method, "aved") != NULL)
        return " Hyper-V saved the VM's memory and let it stand still for the shadow, instead of "
               "asking"
               " the applications in it.";
    return " Hyper-V could not ask the applications in the VM.";
}

/* --- what goes into the gaps ------------------------------------------------------------------ */

/* The gathering that `why` is about; SP_STAGES: none of them. */
static int
stage_of(const struct sp_verdict_writer *w, enum sp_why why)
{
    int first = why == SP_WHY_COMPLETE_FAILED ? SP_STAGE_COMPLETE : SP_STAGE_PREPARED;

    for (int i = first; i < SP_STAGES; i++) {
        const struct sp_verdict_status *s = &w->stages[i];
        uint32_t code = sp_vss_failure(s->hresult, s->app_hresult);
        bool failed_state = s->state >= SP_VSS_FAILED_AT_IDENTIFY;

        if (!s->asked)
            continue;
        switch (why) {
        case SP_WHY_SILENT:
            if (!s->answered || sp_vss_silent(code))
                return i;
            break;
        case SP_WHY_UNEXPECTED:
            if (s->state == SP_VSS_UNKNOWN || s->state > SP_VSS_FAILED_AT_BACKUPSHUTDOWN ||
                (i != SP_STAGE_PREPARED && s->state > SP_VSS_STABLE &&
                    s->state < SP_VSS_WAITING_FOR_BACKUP_COMPLETE))
                return i;
            break;
        default:
            if (s->answered && (failed_state || code != 0))
                return i;
        }
    }
    return SP_STAGES;
}

static void
put_status(
    struct sp_buf *to, const struct sp_verdict *v, const struct sp_verdict_component *c, int stage)
{
    if (stage == SP_STAGES) {
        if (c->why == SP_WHY_SILENT)
            sp_buf_put_str(to, "when it was asked");
        else if (c->why == SP_WHY_COMPLETE_FAILED)
            sp_buf_put_str(to, "BackupComplete did not succeed");
        else
            sp_buf_put_str(to, "in an earlier attempt of this run");
        return;
    }
    if (c->why == SP_WHY_SILENT) {
        sp_buf_put_str(to, sp_vss_stage_word((enum sp_stage)stage));
        return;
    }
    uint32_t state = v->writers[c->writer].stages[stage].state;
    sp_buf_printf(to, "it was in state %u (%s) %s", (unsigned)state, sp_vss_state_word(state),
        sp_vss_stage_word((enum sp_stage)stage));
}

static void
put_meaning(struct sp_buf *to, uint32_t code, const char *before)
{
    const struct sp_vss_hresult *h = sp_vss_hresult_find(code);

    if (code == 0)
        return;
    sp_buf_put_str(to, before);
    sp_vss_put_code(to, code);
    if (h != NULL)
        sp_buf_printf(to, ", %s", h->meaning);
}

static void
put_lean(struct sp_buf *to, const struct sp_verdict *v, const struct sp_verdict_component *c)
{
    for (size_t i = 0; i < c->ndepends; i++) {
        const struct sp_verdict_component *d;

        if (c->depends[i] >= v->ncomponents)
            continue;
        d = &v->components[c->depends[i]];
        if (d->level == SP_LEVEL_APPLICATION)
            continue;
        sp_vss_put_unit(to, d);
        sp_buf_put_str(to, d->level == SP_LEVEL_NONE   ? ", which is not in the set"
                           : d->level == SP_LEVEL_LIVE ? ", which was read live"
                                                       : ", which is only crash-consistent");
        return;
    }
    sp_buf_put_str(to, "another component that is not application-consistent");
}

static void
put_live(struct sp_buf *to, const struct sp_verdict_component *c)
{
    if (c->files_live == 1)
        sp_buf_put_str(to, "one of its files was read live, outside the shadow");
    else if (c->files_live > 1)
        sp_buf_printf(to, "%llu of its files were read live, outside the shadow",
            (unsigned long long)c->files_live);
    else
        sp_buf_put_str(to, "its volume has no shadow");
}

static void
put_gap(struct sp_buf *to, const struct sp_verdict *v, const struct sp_verdict_component *c,
    const char *name, size_t n)
{
    const struct sp_verdict_writer *w = c->writer < v->nwriters ? &v->writers[c->writer] : NULL;
    int stage = w != NULL ? stage_of(w, c->why) : SP_STAGES;

    if (strncmp(name, "writer", n) == 0) {
        sp_vss_put_writer(to, v, c);
    } else if (strncmp(name, "status", n) == 0) {
        put_status(to, v, c, stage);
    } else if (strncmp(name, "code", n) == 0) {
        put_meaning(to, c->hresult, c->why == SP_WHY_SILENT ? " (" : ": ");
        if (c->why == SP_WHY_SILENT && c->hresult != 0)
            sp_buf_put_str(to, ")");
    } else if (strncmp(name, "method", n) == 0) {
        sp_vss_put_text(to, c->method);
    } else if (strncmp(name, "lean", n) == 0) {
        put_lean(to, v, c);
    } else if (strncmp(name, "live", n) == 0) {
        put_live(to, c);
    } else if (strncmp(name, "rule", n) == 0) {
        sp_vss_put_text(to, w != NULL ? w->rule : NULL);
    } else if (c->detail != NULL && c->detail[0] != '\0') { /* detail */
        sp_buf_put_str(to, ": ");
        sp_vss_put_text(to, c->detail);
    }
}

static void
fill(struct sp_buf *to, const struct sp_verdict *v, const struct sp_verdict_component *c,
    const char *text)
{
    while (*text != '\0') {
        size_t n = strcspn(text, "{");

        sp_buf_put(to, text, n);
        text += n;
        if (*text == '{') {
            n = strcspn(++text, "}");
            put_gap(to, v, c, text, n);
            text += n + 1;
        }
    }
}

/* --- the rest of the paragraph ---------------------------------------------------------------- */

/* What the application itself said, where it is about this. */
static void
put_own_words(struct sp_buf *to, const struct sp_verdict *v, const struct sp_verdict_component *c)
{
    const char *text = c->failure_text;
    uint32_t code = c->app_failure;
    int stage;

    if (c->why == SP_WHY_WRITER_FAILED || c->why == SP_WHY_COMPLETE_FAILED ||
        c->why == SP_WHY_PARTIAL_UNKNOWN || c->why == SP_WHY_SILENT) {
        if (c->writer >= v->nwriters)
            return;
        if ((stage = stage_of(&v->writers[c->writer], c->why)) == SP_STAGES)
            return;
        text = v->writers[c->writer].stages[stage].app_text;
        code = v->writers[c->writer].stages[stage].app_hresult;
    } else if (c->why != SP_WHY_COMPONENT_FAILED) {
        return;
    }
    if (text != NULL && text[0] != '\0') {
        sp_buf_put_str(to, " The application says: \"");
        sp_vss_put_text(to, text);
        sp_buf_put_str(to, "\"");
        if (code != 0 && code != c->hresult)
            put_meaning(to, code, ", ");
        sp_buf_put_str(to, ".");
    } else if (code != 0 && code != c->hresult) {
        put_meaning(to, code, " The application's own code is ");
        sp_buf_put_str(to, ".");
    }
}

static const char *
means(const struct sp_verdict_component *c)
{
    switch (c->level) {
    case SP_LEVEL_APPLICATION:
        return "A restore gives what the application had written out for that instant.";
    case SP_LEVEL_CRASH:
        if (c->kind == SP_UNIT_VM)
            return "A restored VM starts as after a power cut: most systems and databases in it "
                   "recover"
                   " by themselves, and it may say that it was not shut down properly.";
        if (c->kind == SP_UNIT_DATABASE || c->kind == SP_UNIT_MAILBOXES)
            return "A restore gives it as after a power cut: it is recovered from its logs when it "
                   "is"
                   " brought up.";
        if (c->kind == SP_UNIT_DOCUMENT)
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

static bool
failed(enum sp_why why)
{
    return why == SP_WHY_WRITER_FAILED || why == SP_WHY_COMPONENT_FAILED ||
           why == SP_WHY_PARTIAL_UNKNOWN || why == SP_WHY_SILENT || why == SP_WHY_COMPLETE_FAILED ||
           why == SP_WHY_STABLE;
}

static void
put_next(struct sp_buf *to, const struct sp_verdict *v, const struct sp_verdict_component *c,
    const struct sentence *s)
{
    const struct sp_vss_hresult *h = s->coded ? sp_vss_hresult_find(c->hresult) : NULL;

    if (h != NULL)
        sp_buf_printf(to, " %s", h->advice);
    if (s->next[0] != '\0' && (h == NULL || c->why == SP_WHY_COMPLETE_FAILED))
        sp_buf_printf(to, " %s", s->next);
    if (c->why == SP_WHY_METHOD)
        sp_buf_put_str(to, online);
    if (c->kind == SP_UNIT_VM && failed(c->why))
        sp_buf_put_str(to,
            " For a VM look also into the host's event log Hyper-V-VMMS and into the logs inside "
            "the"
            " VM: its guest service of backups must run, and its own writers be well.");
    if (sp_vss_unconfirmed(v, c))
        sp_buf_put_str(to,
            " Unconfirmed: the run ended before the application's answer to the end of the backup"
            " (BackupComplete) was recorded. The files are whole; the application may not have"
            " truncated its logs nor moved the base of its differential backups. The next backup"
            " sets that right.");
}

void
sp_vss_explain_component(const struct sp_verdict *v, size_t component, struct sp_buf *to)
{
    static const char *const levels[] = {" is not in the set", " was read live",
        " is crash-consistent", " is application-consistent"};
    const struct sp_verdict_component *c = &v->components[component];
    const struct sentence *s = sentence_of(c->why);

    sp_vss_put_unit(to, c);
    sp_buf_put_str(to, levels[c->level <= SP_LEVEL_APPLICATION ? c->level : SP_LEVEL_LIVE]);
    if (sp_vss_unconfirmed(v, c))
        sp_buf_put_str(to, ", unconfirmed");
    sp_buf_put_str(to, ": ");
    fill(to, v, c, s->because);
    sp_buf_put_str(to, ".");
    if (c->why == SP_WHY_METHOD)
        sp_buf_put_str(to, method_text(c->method));
    put_own_words(to, v, c);
    if (c->files_live > 0 && c->why != SP_WHY_NO_SHADOW) {
        sp_buf_put_str(to, " Besides, ");
        put_live(to, c);
        sp_buf_put_str(to, ".");
    }
    sp_buf_printf(to, " %s", means(c));
    put_next(to, v, c, s);
}
