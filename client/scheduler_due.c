#include <stdio.h>
#include <string.h>

#include "client/scheduler_impl.h"

/* Which of a job's times has come, and what becomes of those that were missed. */

bool
sp_task_next(const struct sp_scheduler *s, const struct sp_task *t, int64_t *ret)
{
    int64_t at;

    if (t->job == NULL || !sp_schedule_next(&t->schedule, &s->t->local, t->decided_ns, &at))
        return false;
    *ret = at + t->delay_ns;
    return true;
}

static void
tell_missed(struct sp_scheduler *s, const struct sp_task *t, int64_t at, const char *then)
{
    char when[32];

    sp_time_local(at, when);
    sp_scheduler_tell(s, SP_EVENT_NOTE, t->name,
        "the time of %s passed while this machine was off, asleep or without its service; %s", when,
        then);
}

void
sp_task_decide(struct sp_scheduler *s, struct sp_task *t, int64_t now)
{
    int64_t at, recent;
    bool on_time;

    if (t->job == NULL)
        return;
    if (t->decided_ns > now + SP_SET_BACK) {
        sp_scheduler_tell(s, SP_EVENT_NOTE, t->name,
            "the clock was set back by more than three hours; the schedule is followed from the "
            "new "
            "time on");
        t->decided_ns = now - t->delay_ns;
        t->due = false;
        t->attempts = 0;
        s->dirty = true;
    }
    if (!sp_task_next(s, t, &at) || at > now)
        return;
    /* However many passed, they are one; the last of them says whether it is on time. */
    on_time = sp_schedule_next(&t->schedule, &s->t->local, now - t->delay_ns - SP_LATE, &recent) &&
              recent + t->delay_ns <= now;
    t->decided_ns = now - t->delay_ns;
    s->dirty = true;
    if (t->child != NULL) /* the run of the time before is the run of this one */
        return;
    if (!on_time && !t->job->catch_up) {
        tell_missed(s, t, at, "catch-up = no, so the next time is waited for");
        t->missed_ns = at;
        return;
    }
    if (!on_time)
        tell_missed(s, t, at, "it is made up for now");
    t->due = true;
    t->told_held = false;
    t->due_ns = on_time ? recent + t->delay_ns : at;
    t->attempts = 0;
    t->not_before_ns = 0;
}

bool
sp_task_allowed(struct sp_scheduler *s, struct sp_task *t, int64_t now)
{
    const char *why = NULL;

    /* A platform that does not know holds nothing back. */
    if (!t->job->on_battery && s->t->on_battery(s->t->self) == SP_KNOWN_YES)
        why = "this machine runs on its battery (on-battery = no)";
    else if (!t->job->on_metered && s->t->on_metered(s->t->self) == SP_KNOWN_YES)
        why = "the network is metered (on-metered = no)";
    if (why == NULL)
        return true;
    if (!t->job->catch_up && now - t->due_ns > SP_LATE) {
        sp_scheduler_tell(
            s, SP_EVENT_NOTE, t->name, "%s, and catch-up = no: the next time is waited for", why);
        t->due = false;
        t->missed_ns = t->due_ns;
        s->dirty = true;
    } else if (!t->told_held) {
        sp_scheduler_tell(s, SP_EVENT_NOTE, t->name, "it waits: %s", why);
        t->told_held = true;
    }
    return false;
}
