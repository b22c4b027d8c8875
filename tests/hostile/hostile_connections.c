/* Connections that do nothing, or are too many. */

#include "hostile_client.h"

void
test_half_open(void **state)
{
    struct stage *s = *state;
    unsigned many = hostile_long() ? 800 : 300, open = 0, lines = s->heard.lines;
    struct wire *w = calloc(many, sizeof(*w));
    unsigned let_in = atomic_load(&s->honest.connects);
    size_t before = heap_now();

    assert_non_null(w);
    for (unsigned i = 0; i < many; i++) {
        assert_true(wire_connect(&w[i], s->r.port, 250));
        open++;
        if (i % 64 == 63)
            sp_sleep_ms(20);
    }
    cases += many;
    /* Honest ones are let in while they all are there: at least two new connections. */
    for (int64_t end = now_ms() + 15000; atomic_load(&s->honest.connects) < let_in + 2;) {
        if (now_ms() > end)
            fail_msg("%u half-open connections keep the honest ones out", open);
        sp_sleep_ms(10);
    }
    if (heap_now() > before && heap_now() - before > (24u << 20))
        fail_msg("%zu bytes for half-open connections", heap_now() - before);
    for (unsigned i = 0; i < many; i++)
        wire_close(&w[i]);
    free(w);
    assert_true(s->heard.lines < lines + many / 4 + 40);
    stage_goes_on(s, 1, 10000);
    stage_memory(s, 4u << 20, "half-open connections");
    stage_passed++;
}

/* The enrolment service wants no certificate: who sits there takes no place from others. */
void
test_squatters(void **state)
{
    struct stage *s = *state;
    enum { MANY = 160 };
    static struct wire w[MANY];
    unsigned let_in, seated = 0;
    size_t before = heap_now();

    memset(w, 0, sizeof(w));
    for (unsigned i = 0; i < MANY; i++) {
        w[i].fd = -1;
        if (wire_try_open(&w[i], &s->r, NULL, 200 + i % 4))
            seated++;
    }
    cases += MANY;
    let_in = atomic_load(&s->honest.connects);
    for (int64_t end = now_ms() + 15000; atomic_load(&s->honest.connects) < let_in + 2;) {
        if (now_ms() > end)
            fail_msg("%u who pretend to enrol keep the honest ones out", seated);
        sp_sleep_ms(10);
    }
    /* A new host comes in, too. */
    {
        struct member fresh = {.keys = NULL};

        peer_enroll(&s->r, "fresh", &fresh);
        member_clear(&fresh);
    }
    for (unsigned i = 0, there = 0; i < MANY; i++) {
        while (w[i].fd >= 0 && wire_fill(&w[i], 0) && !w[i].eof)
            continue;
        there += w[i].fd >= 0 && !w[i].eof;
        if (i == MANY - 1 && there > SP_HALF_OPEN_MAX)
            fail_msg("%u strangers sit there at once", there);
    }
    if (heap_now() > before && heap_now() - before > (48u << 20))
        fail_msg("%zu bytes for strangers", heap_now() - before);
    for (unsigned i = 0; i < MANY; i++)
        wire_close(&w[i]);
    stage_goes_on(s, 1, 10000);
    stage_passed++;
}

/* One address that comes too often is turned away; the others are not. */
void
test_flood(void **state)
{
    struct stage *s = *state;
    unsigned many = 400, turned_away = 0, let_in = atomic_load(&s->honest.connects);
    unsigned warnings = heard_warnings(&s->heard);

    for (unsigned i = 0; i < many; i++) {
        struct wire w;

        assert_true(wire_connect(&w, s->r.port, 251));
        (void)wire_send_raw(&w, "\x16\x03\x01\x00\x05hello", 10, 500);
        if (wire_fill(&w, 1000) && w.eof)
            turned_away++; /* without an alert */
        wire_close(&w);
    }
    cases += many;
    print_message("a flood of %u: %u turned away at once\n", many, turned_away);
    assert_true(turned_away > many / 2); /* 100 at once, 10 a second */
    assert_true(turned_away <= many - 50);
    for (int64_t end = now_ms() + 15000; atomic_load(&s->honest.connects) < let_in + 1;) {
        assert_true(now_ms() < end);
        sp_sleep_ms(10);
    }
    if (heard_warnings(&s->heard) - warnings > 40)
        fail_msg("%u warnings of one flood", heard_warnings(&s->heard) - warnings);
    stage_passed++;
}
