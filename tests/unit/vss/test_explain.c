/* A verdict in words: every reason's paragraph as an administrator reads it, written out by hand.
 */

#include "tests/unit/base/support.h"

#include "vss/explain.h"
#include "vss/hresult.h"
#include "vss/sentences.h"

#define LEN(a) (sizeof(a) / sizeof(a)[0])

enum { P = SP_STAGE_PREPARED, S = SP_STAGE_SNAPSHOT, C = SP_STAGE_COMPLETE };

static const enum sp_why whys[] = {SP_WHY_TOOK_PART, SP_WHY_EVIDENCE, SP_WHY_RULE, SP_WHY_STABLE,
    SP_WHY_WRITER_FAILED, SP_WHY_COMPONENT_FAILED, SP_WHY_PARTIAL_UNKNOWN, SP_WHY_SILENT,
    SP_WHY_METHOD, SP_WHY_COMPLETE_FAILED, SP_WHY_PARTLY_OUTSIDE, SP_WHY_NO_WRITER,
    SP_WHY_NOT_CHOSEN, SP_WHY_DEPENDENCY, SP_WHY_UNEXPECTED, SP_WHY_UNFINISHED, SP_WHY_NO_SHADOW,
    SP_WHY_NOT_ASKED, SP_WHY_LEFT_OUT};

/* SQL Server with one database, and one that it needs. */
struct machine {
    struct sp_verdict v;
    struct sp_verdict_writer writer;
    struct sp_verdict_component c[2];
    struct sp_verdict_shadow shadow;
    uint32_t depends[1];
};

static void
make(struct machine *m)
{
    *m = (struct machine){
        .writer = {.class_id = "a65faa63-5ea8-4ebc-9dbd-a0c4db26912a",
            .instance_id = "00000000-0000-0000-0000-000000000001",
            .name = (char *)"SqlServerWriter"},
        .shadow = {.id = "11111111-2222-3333-4444-555555555555",
            .took_ns = 12300000000,
            .attempts = 1,
            .backup_type = 5,
            .completed = true},
        .depends = {1},
    };
    for (int i = 0; i < SP_STAGES; i++)
        m->writer.stages[i] =
            (struct sp_verdict_status){.asked = true, .answered = true, .state = i == S ? 5 : 1};
    for (int i = 0; i < 2; i++)
        m->c[i] = (struct sp_verdict_component){.kind = SP_UNIT_DATABASE,
            .unit = (char *)(i == 0 ? "SRV\\INST/DB1" : "SRV\\INST/master"),
            .name = (char *)(i == 0 ? "DB1" : "master"),
            .logical_path = (char *)"SRV\\INST",
            .type = 1,
            .added = true,
            .parent = SP_NO_INDEX,
            .level = SP_LEVEL_APPLICATION,
            .why = SP_WHY_TOOK_PART};
    m->v = (struct sp_verdict){.vss = true,
        .confirmed = true,
        .writers = &m->writer,
        .nwriters = 1,
        .components = m->c,
        .ncomponents = 2,
        .shadows = &m->shadow,
        .nshadows = 1};
}

static void
below(struct machine *m, enum sp_level level, enum sp_why why, uint32_t hresult)
{
    m->c[0].level = level;
    m->c[0].why = why;
    m->c[0].hresult = hresult;
}

static void
says(const struct machine *m, const char *want)
{
    struct sp_buf b = SP_BUF_INIT;

    sp_vss_explain_component(&m->v, 0, &b);
    assert_string_equal(sp_buf_str(&b), want);
    sp_buf_free(&b);
}

#define POWER_CUT                                                                                  \
    " A restore gives it as after a power cut: it is recovered from its logs when it is brought "  \
    "up."
#define OF_NO_USE                                                                                  \
    " Its files were read one after another while in use and may not fit together: do not rely "   \
    "on a"                                                                                         \
    " restore of them."
#define EXPORT                                                                                     \
    "have a command before the shadow (before = …) export its data or bring it to rest "         \
    "(docs/vss.md)."

static void
what_took_part(void **state)
{
    struct machine m;

    (void)state;
    make(&m);
    says(&m,
        "Database SRV\\INST/DB1 is application-consistent: the writer \"SqlServerWriter\" prepared"
        " it for the shadow and reported no failure. A restore gives what the application had"
        " written out for that instant.");
    m.v.confirmed = false;
    says(&m,
        "Database SRV\\INST/DB1 is application-consistent, unconfirmed: the writer"
        " \"SqlServerWriter\" prepared it for the shadow and reported no failure. A restore gives"
        " what the application had written out for that instant. Unconfirmed: the run ended"
        " before the application's answer to the end of the backup (BackupComplete) was"
        " recorded. The files are whole; the application may not have truncated its logs nor"
        " moved the base of its differential backups. The next backup sets that right.");
    m.v.confirmed = true;
    m.c[0].why = SP_WHY_EVIDENCE;
    says(&m,
        "Database SRV\\INST/DB1 is application-consistent: the writer \"SqlServerWriter\" reported"
        " no failure and, though it called itself stable after the shadow, had marked this"
        " component as backed up during this run. A restore gives what the application had"
        " written out for that instant.");
    m.c[0].why = SP_WHY_RULE;
    m.writer.rule = (char *)"a-rule";
    says(&m,
        "Database SRV\\INST/DB1 is application-consistent: the writer \"SqlServerWriter\" reported"
        " no failure, and the state that it had after the shadow is known to mean that it took"
        " part (a-rule). A restore gives what the application had written out for that instant.");
}

static void
what_failed(void **state)
{
    struct machine m;

    (void)state;
    make(&m);
    below(&m, SP_LEVEL_CRASH, SP_WHY_STABLE, 0);
    says(&m,
        "Database SRV\\INST/DB1 is crash-consistent: the writer \"SqlServerWriter\" did not show"
        " that it took part: after the shadow it called itself stable (1), which is what one that"
        " is done says, and one that was never asked." POWER_CUT
        " See with vssadmin list writers whether the writer is there and without a failure,"
        " restart the application's service, and run the job again. Where the writer is always"
        " stable after a shadow, no more can be shown: " EXPORT);

    below(&m, SP_LEVEL_CRASH, SP_WHY_WRITER_FAILED, 0x800423F2u);
    m.writer.stages[S] = (struct sp_verdict_status){.asked = true,
        .answered = true,
        .state = 9,
        .hresult = 0x800423F2u,
        .app_hresult = 0x80070070u,
        .app_text = (char *)"no room\x1b[31m\nat all"};
    says(&m,
        "Database SRV\\INST/DB1 is crash-consistent: the writer \"SqlServerWriter\" failed: it was"
        " in state 9 (failed at freeze) after DoSnapshotSet: 0x800423f2"
        " VSS_E_WRITERERROR_TIMEOUT, too much time passed between freeze and thaw (60 seconds at"
        " most). The application says: \"no room\\x1b[31m\\nat all\", 0x80070070"
        " ERROR_DISK_FULL, a disk is full." POWER_CUT
        " The disks were too busy at the time. Wait ten minutes and run the job again"
        " (writer-attempts, writer-pause), at a quieter time; fewer volumes in a job help, too.");
    /* A code that nobody knows: our own advice. A state alone has no code. */
    m.c[0].hresult = 0x80DEAD00u;
    m.writer.stages[S].hresult = 0x80DEAD00u;
    m.writer.stages[S].app_hresult = 0;
    m.writer.stages[S].app_text = NULL;
    says(&m,
        "Database SRV\\INST/DB1 is crash-consistent: the writer \"SqlServerWriter\" failed: it was"
        " in state 9 (failed at freeze) after DoSnapshotSet: 0x80dead00." POWER_CUT
        " Look into the Application event log at the time of the backup, restart the"
        " application's service, and run the job again.");
    m.c[0].hresult = 0;
    m.writer.stages[S].hresult = 0;
    says(&m,
        "Database SRV\\INST/DB1 is crash-consistent: the writer \"SqlServerWriter\" failed: it was"
        " in state 9 (failed at freeze) after DoSnapshotSet." POWER_CUT
        " Look into the Application event log at the time of the backup, restart the"
        " application's service, and run the job again.");
    /* Failed in an attempt before, whose states are gone. */
    m.writer.stages[S].state = 5;
    m.c[0].hresult = 0x800423F0u;
    says(&m,
        "Database SRV\\INST/DB1 is crash-consistent: the writer \"SqlServerWriter\" failed: in an"
        " earlier attempt of this run: 0x800423f0 VSS_E_WRITERERROR_INCONSISTENTSNAPSHOT, the"
        " shadow has only some of the volumes that the application needs." POWER_CUT
        " Add the volumes to the job on which the rest of the application's files lies.");

    make(&m);
    below(&m, SP_LEVEL_CRASH, SP_WHY_COMPONENT_FAILED, 0x800423F0u);
    m.c[0].failure_text = (char *)"log on F: \xff";
    m.c[0].app_failure = 42;
    says(&m,
        "Database SRV\\INST/DB1 is crash-consistent: the writer \"SqlServerWriter\" reported that"
        " this component failed: 0x800423f0 VSS_E_WRITERERROR_INCONSISTENTSNAPSHOT, the shadow has"
        " only some of the volumes that the application needs. The application says: \"log on F:"
        " \\xff\", 0x0000002a." POWER_CUT
        " Add the volumes to the job on which the rest of the application's files lies.");

    make(&m);
    below(&m, SP_LEVEL_CRASH, SP_WHY_PARTIAL_UNKNOWN, 0x80042336u);
    says(&m,
        "Database SRV\\INST/DB1 is crash-consistent: the writer \"SqlServerWriter\" reported that"
        " some of its components failed and did not tell which, so this one may be among them:"
        " 0x80042336 VSS_E_WRITERERROR_PARTIAL_FAILURE, some of the writer's components"
        " failed." POWER_CUT
        " The writer's own messages are in the Application event log at the time of the backup."
        " The components concerned are named each.");

    below(&m, SP_LEVEL_CRASH, SP_WHY_SILENT, 0);
    m.writer.stages[S].answered = false;
    says(&m,
        "Database SRV\\INST/DB1 is crash-consistent: the writer \"SqlServerWriter\" gave no status"
        " after DoSnapshotSet." POWER_CUT
        " Its service ended, hung or was restarted during the backup: see with vssadmin list"
        " writers that it is there, look into the Application event log, and run the job again.");
    m.writer.stages[S].answered = true;
    m.writer.stages[S].hresult = m.c[0].hresult = 0x80042319u;
    says(&m,
        "Database SRV\\INST/DB1 is crash-consistent: the writer \"SqlServerWriter\" gave no status"
        " after DoSnapshotSet (0x80042319 VSS_E_WRITER_NOT_RESPONDING, the writer does not"
        " answer)." POWER_CUT
        " Restart the application's service, then see with vssadmin list writers that it is"
        " there. The writer's own messages are in the Application event log at the time of the"
        " backup.");

    make(&m);
    below(&m, SP_LEVEL_CRASH, SP_WHY_UNEXPECTED, 0);
    m.writer.stages[S].state = 3;
    says(&m,
        "Database SRV\\INST/DB1 is crash-consistent: the writer \"SqlServerWriter\" was in a state"
        " that it could not have had after taking part: it was in state 3 (waiting for thaw) after"
        " DoSnapshotSet." POWER_CUT
        " Restart the application's service, update the application, and run the job again.");

    make(&m);
    below(&m, SP_LEVEL_CRASH, SP_WHY_COMPLETE_FAILED, 0x80042301u);
    says(&m,
        "Database SRV\\INST/DB1 is crash-consistent: it was prepared for the shadow, but the end of"
        " the backup failed: BackupComplete did not succeed: 0x80042301 VSS_E_BAD_STATE, the call"
        " came at a time when VSS does not take it." POWER_CUT
        " Report this to Stillpoint's makers, with the log: it should not happen. The application"
        " may not know of this backup: do not count on truncated logs, nor on a moved base of its"
        " differential backups.");
    m.writer.stages[C].state = 12;
    m.c[0].hresult = 0;
    says(&m,
        "Database SRV\\INST/DB1 is crash-consistent: it was prepared for the shadow, but the end of"
        " the backup failed: it was in state 12 (failed at backup complete) after"
        " BackupComplete." POWER_CUT
        " The application may not know of this backup: do not count on truncated logs, nor on a"
        " moved base of its differential backups.");
    below(&m, SP_LEVEL_CRASH, SP_WHY_UNFINISHED, 0);
    says(&m,
        "Database SRV\\INST/DB1 is crash-consistent: it was prepared for the shadow, but what it "
        "did"
        " at the end of the backup could not be learned." POWER_CUT
        " Run the job again; when it comes back, look into the Application event log for source"
        " VSS.");
}

static void
what_was_not_told(void **state)
{
    struct machine m;

    (void)state;
    make(&m);
    below(&m, SP_LEVEL_CRASH, SP_WHY_PARTLY_OUTSIDE, 0);
    m.c[0].detail = (char *)"E:\\logs\\db1.ldf";
    says(&m,
        "Database SRV\\INST/DB1 is crash-consistent: the writer \"SqlServerWriter\" prepared it for the"
        " shadow, but the set is without some of its files: E:\\logs\\db1.ldf. The writer was not told of"
        " a good backup." POWER_CUT " Take the pattern that leaves them out from the job, or mend what"
        " kept them from being read, and run the job again.");
    m.c[0].added = false;
    says(&m,
        "Database SRV\\INST/DB1 is crash-consistent: it was not told of the backup, because some of"
        " its files are not in the set or on no shadow: E:\\logs\\db1.ldf." POWER_CUT
        " Add the missing files to the job, or name the application in it (application = …): all"
        " its files come with it then.");
    m.c[0].added = true;
    below(&m, SP_LEVEL_CRASH, SP_WHY_NOT_CHOSEN, 0);
    says(&m, "Database SRV\\INST/DB1 is crash-consistent: the job leaves it out of VSS's part"
             " (application-exclude)." POWER_CUT
             " Take the pattern that names it out of the job to have the application take part.");
    below(&m, SP_LEVEL_CRASH, SP_WHY_DEPENDENCY, 0);
    m.c[0].depends = m.depends;
    m.c[0].ndepends = 1;
    m.c[1].level = SP_LEVEL_LIVE;
    says(&m,
        "Database SRV\\INST/DB1 is crash-consistent: its own writer reported no failure, but it"
        " needs Database SRV\\INST/master, which was read live." POWER_CUT
        " Mend that one; see what is said of it.");
    below(&m, SP_LEVEL_LIVE, SP_WHY_NO_SHADOW, 0);
    m.c[0].detail = (char *)"F: is FAT32";
    says(&m,
        "Database SRV\\INST/DB1 was read live: its volume has no shadow: F: is FAT32." OF_NO_USE
        " Shadows need NTFS or ReFS on a local, fixed disk with room for them (vssadmin list"
        " shadowstorage). Else stop the application, or " EXPORT);
    m.c[0].detail = NULL;
    m.c[0].files_live = 1;
    says(&m, "Database SRV\\INST/DB1 was read live: one of its files was read live, outside the"
             " shadow." OF_NO_USE
             " Shadows need NTFS or ReFS on a local, fixed disk with room for them (vssadmin list"
             " shadowstorage). Else stop the application, or " EXPORT);
    below(&m, SP_LEVEL_LIVE, SP_WHY_NOT_CHOSEN, 0);
    m.c[0].files_live = 12;
    says(&m, "Database SRV\\INST/DB1 was read live: the job leaves it out of VSS's part"
             " (application-exclude). Besides, 12 of its files were read live, outside the"
             " shadow." OF_NO_USE
             " Take the pattern that names it out of the job to have the application take part.");
    m.c[0].files_live = 0;
    below(&m, SP_LEVEL_LIVE, SP_WHY_NOT_ASKED, 0);
    says(&m, "Database SRV\\INST/DB1 was read live: the job does without shadows (shadow = none), "
             "or this"
             " system has no VSS." OF_NO_USE
             " Take that line out of the job; else stop the application, or " EXPORT);
    below(&m, SP_LEVEL_NONE, SP_WHY_LEFT_OUT, 0);
    says(&m,
        "Database SRV\\INST/DB1 is not in the set: the job leaves out what is below its demand. A"
        " restore of this set does not give it. Mend what is named, and run the job again; or"
        " have it kept (if-below = keep).");
    below(&m, SP_LEVEL_CRASH, (enum sp_why)999, 0);
    says(&m,
        "Database SRV\\INST/DB1 is crash-consistent: for a reason that this version of Stillpoint"
        " does not know." POWER_CUT " Update Stillpoint to have it explained.");
}

#define VM_CUT                                                                                     \
    " A restored VM starts as after a power cut: most systems and databases in it recover by"      \
    " themselves, and it may say that it was not shut down properly."
#define ONLINE                                                                                     \
    " For \"Online\" the VM must be running, with the guest service of backups (Integration"       \
    " Services: \"Hyper-V Volume Shadow Copy Requestor\") enabled, running and current, basic "    \
    "disks"                                                                                        \
    " with NTFS and room for shadows in it, and its own checkpoint files on the volume of its "    \
    "disks;"                                                                                       \
    " pass-through and shared disks, and those that the guest reaches by iSCSI, cannot take "      \
    "part. A"                                                                                      \
    " VM that was switched off is whole as it is."

static void
machines_and_documents(void **state)
{
    struct machine m;

    (void)state;
    make(&m);
    m.writer.name = (char *)"Microsoft Hyper-V VSS Writer";
    m.c[0].kind = SP_UNIT_VM;
    m.c[0].unit = (char *)"web01";
    m.c[0].method = (char *)"Offline";
    below(&m, SP_LEVEL_CRASH, SP_WHY_METHOD, 0);
    says(&m, "VM web01 is crash-consistent: it can only be taken by the method \"Offline\". Hyper-V"
             " could not ask the applications in the VM." VM_CUT ONLINE);
    m.c[0].method = (char *)"Saved State";
    says(&m,
        "VM web01 is crash-consistent: it can only be taken by the method \"Saved State\". Hyper-V"
        " saved the VM's memory and let it stand still for the shadow, instead of asking the"
        " applications in it." VM_CUT ONLINE);
    below(&m, SP_LEVEL_CRASH, SP_WHY_COMPONENT_FAILED, 0x800423F4u);
    says(&m,
        "VM web01 is crash-consistent: the writer \"Microsoft Hyper-V VSS Writer\" reported that"
        " this component failed: 0x800423f4 VSS_E_WRITERERROR_NONRETRYABLE, the writer failed in"
        " a way that may well come again." VM_CUT
        " The writer's own messages are in the Application event log at the time of the backup."
        " Mend what they tell, restart the application's service, and run the job again. For a"
        " VM look also into the host's event log Hyper-V-VMMS and into the logs inside the VM:"
        " its guest service of backups must run, and its own writers be well.");
    m.c[0].writer = SP_NO_INDEX;
    below(&m, SP_LEVEL_CRASH, SP_WHY_NO_WRITER, 0);
    m.c[0].detail = (char *)"VMware Tools 12.1";
    says(&m,
        "VM web01 is crash-consistent: no VSS writer of its hypervisor speaks for it, so it was not"
        " told of the backup: VMware Tools 12.1." VM_CUT
        " To have more, have a command before the shadow (before = …) suspend it or shut it down"
        " (docs/vss.md).");
    m.c[0].kind = SP_UNIT_DOCUMENT;
    m.c[0].unit = (char *)"C:\\data\\orders.accdb";
    m.c[0].detail = NULL;
    says(&m,
        "File C:\\data\\orders.accdb is crash-consistent: the program that had it open knows "
        "nothing"
        " of VSS, so it was not told of the backup. A restore gives the file as after a power"
        " cut, perhaps in the middle of a change: have the program check it. Close it before the"
        " backup, or " EXPORT);
    m.c[0].kind = SP_UNIT_OTHER;
    m.c[0].unit = (char *)"\xe2\x80\xaegnp"; /* a name that would be shown backwards */
    says(&m, "Component \\u{202e}gnp is crash-consistent: no VSS writer speaks for it, so it was "
             "not told"
             " of the backup. A restore gives its files as after a power cut: most applications"
             " recover, some do not. To have more, stop it or " EXPORT);
    m.c[0].unit = NULL;
    m.c[0].name = (char *)"";
    m.c[0].level = SP_LEVEL_APPLICATION;
    m.c[0].why = SP_WHY_TOOK_PART;
    says(&m,
        "Component (unnamed) is application-consistent: its writer prepared it for the shadow and"
        " reported no failure. A restore gives what the application had written out for that"
        " instant.");
}

static void
every_reason_is_told(void **state)
{
    const struct sp_vss_sentence *unknown = sp_vss_sentence(SP_WHY_UNKNOWN, SP_UNIT_OTHER);

    (void)state;
    for (size_t i = 0; i < LEN(whys); i++) {
        for (int kind = SP_UNIT_OTHER; kind <= SP_UNIT_DOCUMENT; kind++) {
            const struct sp_vss_sentence *s = sp_vss_sentence(whys[i], (enum sp_unit_kind)kind);
            bool application = whys[i] <= SP_WHY_RULE;
            struct machine m;
            struct sp_buf b = SP_BUF_INIT;

            assert_ptr_not_equal(s, unknown);
            assert_int_equal(s->why, whys[i]);
            /* What is below says what to do; what is well has nothing to do. */
            if (whys[i] != SP_WHY_METHOD && whys[i] != SP_WHY_PARTIAL_UNKNOWN)
                assert_int_equal(s->next[0] == '\0', application);
            /* With nothing known, and nothing to index: no gap is left, no sentence ends twice. */
            make(&m);
            m.v.nwriters = m.v.nshadows = 0;
            m.c[0].kind = (enum sp_unit_kind)kind;
            below(&m, application ? SP_LEVEL_APPLICATION : SP_LEVEL_CRASH, whys[i], 0);
            sp_vss_explain_component(&m.v, 0, &b);
            assert_null(strpbrk(sp_buf_str(&b), "{}"));
            assert_null(strstr(sp_buf_str(&b), ".."));
            assert_null(strstr(sp_buf_str(&b), "  "));
            assert_int_equal(sp_buf_str(&b)[b.len - 1], '.');
            sp_buf_reset(&b);
            sp_vss_summary_component(&m.v, 0, &b);
            assert_null(strstr(sp_buf_str(&b), "()"));
            sp_buf_reset(&b);
            sp_vss_evidence_component(&m.v, 0, &b);
            assert_true(b.len > 0);
            sp_buf_free(&b);
        }
    }
}

static void
summary_is(const struct machine *m, const char *want)
{
    struct sp_buf b = SP_BUF_INIT;

    sp_vss_summary_component(&m->v, 0, &b);
    assert_string_equal(sp_buf_str(&b), want);
    sp_buf_free(&b);
}

static void
summaries(void **state)
{
    struct machine m;

    (void)state;
    make(&m);
    summary_is(&m, "Database SRV\\INST/DB1: application");
    m.v.confirmed = false;
    summary_is(&m, "Database SRV\\INST/DB1: application, unconfirmed");
    below(&m, SP_LEVEL_CRASH, SP_WHY_WRITER_FAILED, 0x800423F4u);
    summary_is(&m, "Database SRV\\INST/DB1: crash (0x800423f4 VSS_E_WRITERERROR_NONRETRYABLE)");
    m.c[0].hresult = 0x80DEAD00u;
    summary_is(&m, "Database SRV\\INST/DB1: crash (0x80dead00)");
    below(&m, SP_LEVEL_CRASH, SP_WHY_STABLE, 0);
    summary_is(&m, "Database SRV\\INST/DB1: crash (did not show that it took part)");
    below(&m, SP_LEVEL_CRASH, SP_WHY_METHOD, 0);
    m.c[0].method = (char *)"Saved State";
    summary_is(&m, "Database SRV\\INST/DB1: crash (Saved State)");
    below(&m, SP_LEVEL_LIVE, SP_WHY_NO_SHADOW, 0);
    summary_is(&m, "Database SRV\\INST/DB1: live (no shadow)");
    m.c[0].files_live = 7;
    summary_is(&m, "Database SRV\\INST/DB1: live (7 of its files read live)");
    below(&m, SP_LEVEL_NONE, SP_WHY_LEFT_OUT, 0);
    summary_is(&m, "Database SRV\\INST/DB1: not in the set (left out by the job's demand)");
}

/* The set as a whole: the eight VMs of the task, with letters for their levels. */
static void
sets(void **state)
{
    static const struct {
        const char *levels; /* a, c, l, n; one a VM */
        bool confirmed;
        const char *want;
    } rows[] = {
        {"", true, "no applications in the set"},
        {"a", true, "application-consistent"},
        {"aaaaaaaa", true, "application-consistent: all 8 applications took part"},
        {"aaaaaaaa", false,
            "application, unconfirmed: the run ended before the applications' answers to the end "
            "of the"
            " backup were recorded; the files are whole"},
        {"aaaaaaca", true, "crash-consistent: 1 of 8 applications is no more than that (VM web07)"},
        {"aaaaaaca", false,
            "crash-consistent: 1 of 8 applications is no more than that (VM web07); the others are"
            " unconfirmed"},
        {"cccccaaa", true,
            "crash-consistent: 5 of 8 applications are no more than that (VM web01, VM web02, VM "
            "web03"
            " and 2 more)"},
        {"alcaaaaa", true,
            "live: 1 of 8 applications was read while in use (VM web02); 1 of 8 is only"
            " crash-consistent (VM web03)"},
        {"ll", true, "live: 2 of 2 applications were read while in use (VM web01, VM web02)"},
        {"aaaaaaan", true,
            "application-consistent: all 7 applications took part; left out: 1 (VM web08)"},
        {"nn", true, "no applications in the set; left out: 2 (VM web01, VM web02)"},
        {"cc", false,
            "crash-consistent: 2 of 2 applications are no more than that (VM web01, VM web02)"},
    };

    (void)state;
    for (size_t i = 0; i < LEN(rows); i++) {
        struct sp_verdict_component c[8] = {0};
        struct sp_verdict v = {.vss = true, .confirmed = rows[i].confirmed, .components = c};
        char names[8][8];
        struct sp_buf b = SP_BUF_INIT;

        for (; rows[i].levels[v.ncomponents] != '\0'; v.ncomponents++) {
            size_t k = v.ncomponents;

            (void)snprintf(names[k], sizeof names[k], "web%02zu", k + 1);
            c[k].kind = SP_UNIT_VM;
            c[k].unit = names[k];
            c[k].level = (enum sp_level)(strchr("nlca", rows[i].levels[k]) - "nlca");
        }
        sp_vss_explain_set(&v, &b);
        assert_string_equal(sp_buf_str(&b), rows[i].want);
        sp_buf_free(&b);
    }
}

static void
evidence(void **state)
{
    struct machine m;
    struct sp_buf b = SP_BUF_INIT;
    char *paths[] = {(char *)"D:\\db1.mdf", (char *)"E:\\db1\x07.ldf"};

    (void)state;
    make(&m);
    m.writer.instance_name = (char *)"SRV\\INST";
    m.writer.stages[P].asked = false;
    m.writer.stages[S].hresult = 0x80042336u;
    m.writer.stages[S].app_hresult = 7;
    m.writer.stages[S].app_text = (char *)"bad\nline";
    m.writer.stages[C].answered = false;
    below(&m, SP_LEVEL_CRASH, SP_WHY_COMPONENT_FAILED, 0x800423F4u);
    m.c[0].caption = (char *)"DB1 of INST";
    m.c[0].stamped = true;
    m.c[0].failure_known = true;
    m.c[0].failure = 0x800423F4u;
    m.c[0].failure_text = (char *)"why";
    m.c[0].version = (char *)"10.0.20348.1";
    m.c[0].method = (char *)"Online";
    m.c[0].depends = m.depends;
    m.c[0].ndepends = 1;
    m.c[0].files_live = 12345;
    m.c[0].detail = (char *)"more";
    m.c[0].paths = paths;
    m.c[0].npaths = 2;
    m.shadow.attempts = 3;
    m.shadow.retried_for = 0x800423F2u;
    m.shadow.completed = false;
    m.shadow.complete_hresult = 0x8000FFFFu;
    sp_vss_evidence_component(&m.v, 0, &b);
    assert_string_equal(sp_buf_str(&b),
        "level: crash (component-failed, 0x800423f4 VSS_E_WRITERERROR_NONRETRYABLE)\n"
        "component: SRV\\INST \\ DB1, \"DB1 of INST\", database, added, marked by its writer "
        "during the"
        " run\n"
        "its own failure: 0x800423f4 VSS_E_WRITERERROR_NONRETRYABLE; it says \"why\"\n"
        "method: Online\n"
        "guest services: 10.0.20348.1\n"
        "writer: SqlServerWriter {a65faa63-5ea8-4ebc-9dbd-a0c4db26912a}, SRV\\INST, instance"
        " {00000000-0000-0000-0000-000000000001}\n"
        "after PrepareForBackup: not asked\n"
        "after DoSnapshotSet: state 5 (waiting for backup complete), 0x80042336"
        " VSS_E_WRITERERROR_PARTIAL_FAILURE; the application's own code 0x00000007; it says"
        " \"bad\\nline\"\n"
        "after BackupComplete: no answer\n"
        "shadow set: {11111111-2222-3333-4444-555555555555} of 1970-01-01T00:00:00Z, made in 12.3 s"
        " (freeze and thaw lie within), 3 attempts, tried again for 0x800423f2"
        " VSS_E_WRITERERROR_TIMEOUT, backup type copy\n"
        "BackupComplete: 0x8000ffff E_UNEXPECTED\n"
        "needs: Database SRV\\INST/master (application)\n"
        "read live: 12 345\n"
        "detail: more\n"
        "file: D:\\db1.mdf\n"
        "file: E:\\db1\\x07.ldf\n");
    sp_buf_reset(&b);
    make(&m);
    m.v.confirmed = false;
    m.shadow.completed = false;
    m.c[0].added = false;
    m.c[0].parent = 1;
    m.c[0].shadow = SP_NO_INDEX; /* its parent's */
    m.c[0].logical_path = NULL;
    m.c[0].type = 2;
    sp_vss_evidence_component(&m.v, 0, &b);
    assert_string_equal(sp_buf_str(&b),
        "level: application (took-part), unconfirmed\n"
        "component: DB1, file group, came with Database SRV\\INST/master\n"
        "writer: SqlServerWriter {a65faa63-5ea8-4ebc-9dbd-a0c4db26912a}, instance"
        " {00000000-0000-0000-0000-000000000001}\n"
        "after PrepareForBackup: state 1 (stable), 0x00000000 S_OK\n"
        "after DoSnapshotSet: state 5 (waiting for backup complete), 0x00000000 S_OK\n"
        "after BackupComplete: state 1 (stable), 0x00000000 S_OK\n"
        "shadow set: {11111111-2222-3333-4444-555555555555} of 1970-01-01T00:00:00Z, made in 12.3 s"
        " (freeze and thaw lie within), 1 attempt, backup type copy\n"
        "BackupComplete: not recorded\n");
    sp_buf_free(&b);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_took_part),
        cmocka_unit_test(what_failed),
        cmocka_unit_test(what_was_not_told),
        cmocka_unit_test(machines_and_documents),
        cmocka_unit_test(every_reason_is_told),
        cmocka_unit_test(summaries),
        cmocka_unit_test(sets),
        cmocka_unit_test(evidence),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
