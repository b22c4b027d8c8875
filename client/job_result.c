#include "client/job_impl.h"

#include <stdio.h>

#include "base/clock.h"
#include "client/present_verdict.h"
#include "vss/explain.h"

/* What a run tells in the end: the closing line, and all figures in JSON. */

#define APPLICATIONS_SHOWN 50
#define DOCUMENTS_SHOWN 5

/* Documents may be many: a few are named. */
static void
say_documents(struct run *r)
{
    const struct sp_verdict *v = &r->verdict;
    struct sp_buf text = SP_BUF_INIT;
    size_t n = 0;

    for (size_t i = 0; i < v->ncomponents; i++) {
        if (v->components[i].kind != SP_UNIT_DOCUMENT)
            continue;
        if (n++ < DOCUMENTS_SHOWN)
            sp_buf_printf(&text, "%s%s", n > 1 ? ", " : "", v->components[i].unit);
    }
    if (n > 0)
        sp_cli_say(r->c,
            "%s: open meanwhile, in applications that know nothing of VSS: %s%s; 'stillpoint show "
            "%s --consistency' tells "
            "more",
            r->job->name, sp_buf_str(&text), n > DOCUMENTS_SHOWN ? " and others" : "",
            sp_hex8(r->result.set_id).s);
    sp_buf_free(&text);
}

/* What an administrator must know without asking: which of the applications are not as consistent
 * as can be, and what to do about those that failed. */
static void
say_applications(struct run *r)
{
    const struct sp_verdict *v = &r->verdict;
    struct sp_buf text = SP_BUF_INIT;
    size_t said = 0, others = 0;

    if (!r->has_verdict || v->ncomponents == 0)
        return;
    sp_vss_explain_set(v, &text);
    sp_cli_say(r->c, "%s: applications: %s", r->job->name, sp_buf_str(&text));
    for (size_t i = 0; i < v->ncomponents; i++) {
        if (v->components[i].level == SP_LEVEL_APPLICATION ||
            v->components[i].kind == SP_UNIT_DOCUMENT)
            continue;
        if (said == APPLICATIONS_SHOWN) {
            others++;
            continue;
        }
        said++;
        sp_buf_reset(&text);
        sp_vss_explain_component(v, i, &text);
        sp_cli_say(r->c, "%s: %s", r->job->name, sp_buf_str(&text));
    }
    if (others > 0)
        sp_cli_say(r->c, "%s: and %zu more; 'stillpoint show %s --consistency' names all",
            r->job->name, others, sp_hex8(r->result.set_id).s);
    sp_buf_free(&text);
    say_documents(r);
}

void
job_say_result(struct run *r)
{
    const struct sp_backup_result *b = &r->result;
    const struct sp_backup_stats *s = &b->stats;

    (void)snprintf(r->closing, sizeof(r->closing),
        "%s: set %s, %s files, %s (%s new, %s changed, %s unchanged); read %s, new %s, stored %s "
        "in "
        "%s; files are %s%s%s%s",
        r->job->name, sp_hex8(b->set_id).s, sp_text_count(s->files).s, sp_text_bytes(s->bytes).s,
        sp_text_count(s->files_new).s, sp_text_count(s->files_changed).s,
        sp_text_count(s->files_unchanged + s->files_audited).s, sp_text_bytes(s->bytes_read).s,
        sp_text_bytes(s->bytes_new).s, sp_text_bytes(s->bytes_stored).s,
        sp_text_duration(b->ended_ns - b->started_ns).s,
        sp_level_word(sp_shadow_weakest(r->shadow)),
        sp_shadow_weakest(r->shadow) == SP_LEVEL_LIVE ? " (read while in use)" : "-consistent",
        b->from_checkpoint ? ", went on from a checkpoint" : "",
        b->state == SP_SET_INCOMPLETE ? ", INCOMPLETE" : "");
    sp_cli_say(r->c, "%s", r->closing);
    say_applications(r);
    if (b->state == SP_SET_INCOMPLETE)
        sp_cli_say(r->c,
            "%s: %s files or folders could not be read as they are; 'stillpoint show %s' "
            "names them",
            r->job->name, sp_text_count(s->faults).s, sp_hex8(b->set_id).s);
    if (s->files_vouched + s->journal_audited > 0)
        sp_cli_say(r->c,
            "%s: %s files were not looked at, because the change journal says that they did not "
            "change; %s "
            "others of those were looked at all the same, %s of which had changed",
            r->job->name, sp_text_count(s->files_vouched).s, sp_text_count(s->journal_audited).s,
            sp_text_count(s->journal_differences).s);
    if (s->files_vanished > 0 && r->c->verbose)
        sp_cli_say(r->c, "%s: %s files vanished before they could be read", r->job->name,
            sp_text_count(s->files_vanished).s);
}

void
job_json_result(const struct run *r, struct sp_json *j)
{
    const struct sp_backup_result *b = &r->result;
    const struct sp_backup_stats *s = &b->stats;

    sp_json_kstr(j, "set", sp_hex16(b->set_id).s);
    sp_json_ku64(j, "sequence", b->sequence);
    sp_json_kstr(j, "state", b->state == SP_SET_COMPLETE ? "complete" : "incomplete");
    sp_json_kstr(j, "files_consistency", sp_level_word(sp_shadow_weakest(r->shadow)));
    sp_json_ku64(j, "entries", s->entries);
    sp_json_ku64(j, "files", s->files);
    sp_json_ku64(j, "bytes", s->bytes);
    sp_json_ku64(j, "files_new", s->files_new);
    sp_json_ku64(j, "files_changed", s->files_changed);
    sp_json_ku64(j, "files_unchanged", s->files_unchanged);
    sp_json_ku64(j, "files_audited", s->files_audited);
    sp_json_ku64(j, "files_vanished", s->files_vanished);
    sp_json_ku64(j, "files_away", s->files_away);
    sp_json_ku64(j, "audit_differences", s->audit_differences);
    sp_json_ku64(j, "files_vouched", s->files_vouched);
    sp_json_ku64(j, "journal_audited", s->journal_audited);
    sp_json_ku64(j, "journal_differences", s->journal_differences);
    sp_json_ku64(j, "bytes_read", s->bytes_read);
    sp_json_ku64(j, "bytes_new", s->bytes_new);
    sp_json_ku64(j, "bytes_stored", s->bytes_stored);
    sp_json_ku64(j, "faults", s->faults);
    sp_json_ku64(j, "excluded", s->excluded);
    sp_json_ku64(j, "mounts_not_entered", s->crossed);
    sp_json_kbool(j, "from_checkpoint", b->from_checkpoint);
    sp_json_kbool(j, "chain_broken", b->chain_broken);
    sp_json_key(j, "published");
    sp_json_time(j, b->published_ns);
    sp_json_key(j, "seconds");
    sp_json_u64(j, (uint64_t)((b->ended_ns - b->started_ns) / SP_SECOND));
    job_json_consistency(r, j);
}

void
job_json_consistency(const struct run *r, struct sp_json *j)
{
    sp_json_key(j, "consistency");
    if (r->has_verdict)
        sp_present_json_verdict(j, &r->verdict);
    else
        sp_json_null(j);
}
