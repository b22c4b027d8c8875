#ifndef SP_CLIENT_VSS_CMDS_H
#define SP_CLIENT_VSS_CMDS_H

/* What the parts of `stillpoint vss` share. cmd_vss.c takes the command line apart; vss_writers.c, vss_plan.c and vss_try.c
 * are its three words; vss_subject.c says what each is asked of. */

#include "client/report.h"
#include "vss/requester.h"

struct vss_command {
    struct sp_cli *c;
    struct sp_report r;
    const struct sp_vss_api *api; /* never NULL */
    char **words;                 /* JOB… or PATH… */
    size_t nwords;
};

enum sp_code vss_writers(struct vss_command *v, struct sp_err *e);
/* *ret_code: what the command ends with unless it fails. */
enum sp_code vss_plan(struct vss_command *v, enum sp_exit *ret_code, struct sp_err *e);
enum sp_code vss_try(struct vss_command *v, enum sp_exit *ret_code, struct sp_err *e);

/* --- what is asked about (vss_subject.c) ------------------------------------------------------ */

struct vss_subject { /* one job, the paths, or this machine */
    char *name;      /* for people: "[nightly]", "the paths", "this machine" */
    struct sp_job *job;
    struct sp_buf *keys; /* of the job's paths */
    struct sp_vss_key *roots;
    size_t nroots;
    struct sp_vss_pattern **asked;
    size_t nasked;
    struct sp_vss_pattern **excluded;
    size_t nexcluded;
    char *journal_dir;
};
struct vss_subjects {
    struct vss_subject *v;
    size_t n;
};
/* Of JOB…, or of all PATH…s together; without any: every application that this machine has. */
enum sp_code vss_subjects_find(struct vss_command *v, struct vss_subjects *ret, struct sp_err *e);
void vss_subjects_clear(struct vss_subjects *s);
/* What a run of the job would ask of the requester; borrowed from `s` and `v`. */
void vss_subject_options(
    struct vss_command *v, const struct vss_subject *s, struct sp_requester_options *ret);
/* "vm:web01": a unit as a job's patterns name it (vss/pattern.h). */
void vss_unit_pattern(enum sp_unit_kind kind, const char *unit, struct sp_buf *to);
/* Members of the object that is open: name, kind, … of what a writer offers. */
void vss_json_component(
    struct sp_json *j, const struct sp_vss_writer *w, const struct sp_vss_component *c);
/* The path's volume as a text for a line: "C:\ (NTFS)". */
void vss_volume_text(const struct sp_requester_volume *v, struct sp_buf *to);

#endif
