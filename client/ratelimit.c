#include "client/ratelimit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "base/thread.h"

#define MAX_SPANS 32
#define DAY_MINUTES (24 * 60)

struct span {
    unsigned from, to; /* minutes of the day; from > to goes over midnight; equal: all day */
    uint64_t rate;     /* bytes a second; 0: no limit */
};

struct sp_ratelimit {
    const struct sp_clock *clock;
    struct span spans[MAX_SPANS];
    size_t n;
    struct sp_mutex lock;
    double tokens;
    int64_t at; /* monotonic, when tokens were counted last */
};

static bool
parse_rate(const char *s, uint64_t *ret)
{
    if (strcmp(s, "none") == 0) {
        *ret = 0;
        return true;
    }
    return sp_text_parse_bytes(s, ret) && *ret >= 1024;
}

static bool
parse_span(const char *s, struct span *ret)
{
    unsigned h1, m1, h2, m2;
    char rate[33];
    int used = 0;

    if (sscanf(s, "%2u:%2u-%2u:%2u %32s%n", &h1, &m1, &h2, &m2, rate, &used) == 5) {
        if (h1 > 24 || h2 > 24 || m1 > 59 || m2 > 59 || (h1 == 24 && m1 > 0) ||
            (h2 == 24 && m2 > 0) || s[used] != '\0')
            return false;
        ret->from = (h1 * 60 + m1) % DAY_MINUTES;
        ret->to = (h2 * 60 + m2) % DAY_MINUTES;
        return parse_rate(rate, &ret->rate);
    }
    ret->from = ret->to = 0;
    return parse_rate(s, &ret->rate);
}

enum sp_code
sp_ratelimit_new(
    const char *rule, const struct sp_clock *clock, struct sp_ratelimit **ret, struct sp_err *e)
{
    struct sp_ratelimit *l = calloc(1, sizeof(*l));
    char *copy = strdup(rule), *part, *save = NULL;
    size_t n;
    enum sp_code rc = SP_OK;

    if (l == NULL || copy == NULL) {
        rc = sp_fail_nomem(e);
        goto out;
    }
    l->clock = clock;
    l->at = sp_clock_mono(clock);
    for (part = strtok_r(copy, ",", &save); part != NULL; part = strtok_r(NULL, ",", &save)) {
        while (*part == ' ')
            part++;
        for (n = strlen(part); n > 0 && part[n - 1] == ' '; n--)
            part[n - 1] = '\0';
        if (l->n == MAX_SPANS || !parse_span(part, &l->spans[l->n])) {
            rc = sp_fail(e, SP_INVALID, SP_DOM_CONFIG,
                "the bandwidth rule '%s' makes no sense: write '2M' (bytes a second, at least 1K) "
                "or "
                "'08:00-18:00 2M, 18:00-08:00 none'",
                part);
            goto out;
        }
        l->n++;
    }
    sp_mutex_init(&l->lock);
    *ret = l;
    l = NULL;
out:
    free(copy);
    free(l);
    return rc;
}

void
sp_ratelimit_free(struct sp_ratelimit *l)
{
    if (l == NULL)
        return;
    sp_mutex_destroy(&l->lock);
    free(l);
}

static bool
covers(const struct span *s, unsigned minute)
{
    if (s->from == s->to)
        return true;
    if (s->from < s->to)
        return minute >= s->from && minute < s->to;
    return minute >= s->from || minute < s->to;
}

uint64_t
sp_ratelimit_at(const struct sp_ratelimit *l, int64_t wall_ns)
{
    struct sp_civil now;
    unsigned minute;
    size_t i;

    if (!sp_civil_local(wall_ns / SP_SECOND, &now))
        return 0;
    minute = (unsigned)(now.hour * 60 + now.minute);
    for (i = 0; i < l->n; i++) {
        if (covers(&l->spans[i], minute))
            return l->spans[i].rate;
    }
    return 0;
}

void
sp_ratelimit_take(struct sp_ratelimit *l, uint64_t n)
{
    uint64_t rate;
    int64_t now;
    double wait;

    if (l == NULL)
        return;
    sp_mutex_lock(&l->lock);
    now = sp_clock_mono(l->clock);
    rate = sp_ratelimit_at(l, sp_clock_wall(l->clock));
    if (rate == 0) {
        l->tokens = 0;
        l->at = now;
        sp_mutex_unlock(&l->lock);
        return;
    }
    l->tokens += (double)(now - l->at) / (double)SP_SECOND * (double)rate;
    if (l->tokens > (double)rate)
        l->tokens = (double)rate;
    l->at = now;
    l->tokens -= (double)n; /* may go below zero: who comes next waits for this one too */
    wait = l->tokens < 0 ? -l->tokens / (double)rate : 0;
    sp_mutex_unlock(&l->lock);
    /* In pieces: the hour, and with it the rate, may change meanwhile. */
    if (wait > 0)
        sp_sleep_ms((uint32_t)((wait > 60 ? 60 : wait) * 1000));
}
