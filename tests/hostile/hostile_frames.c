/* The frames of hostile_raw.c, in one piece and byte by byte. */

#include "hostile_client.h"

void
test_frames(void **state)
{
    struct stage *s = *state;
    struct sp_buf b = SP_BUF_INIT;

    for (size_t i = 0; i < raw_cases_len; i++) {
        const struct raw_case *c = &raw_cases[i];
        unsigned before = heard_with(&s->heard, "broke the protocol");
        struct wire w;

        sp_buf_reset(&b);
        c->make(&b);
        wire_open(&w, &s->r, &s->mallory, stage_from(s));
        /* It may close before it took all. */
        (void)wire_send(&w, b.data, b.len, 2000);
        if (c->reason == NULL) {
            served(&w, c->name);
            continue;
        }
        closed_with(&w, c->name, c->reason);
        for (int k = 0; k < 200 && heard_with(&s->heard, "broke the protocol") == before; k++)
            sp_sleep_ms(5);
        if (heard_with(&s->heard, "broke the protocol") != before + 1)
            fail_msg("%s: not one line in the log", c->name);
    }
    sp_buf_free(&b);
    stage_goes_on(s, 2, 10000);
    stage_memory(s, 4u << 20, "frames");
    stage_passed++;
}

/* Byte by byte it is the same. */
void
test_frames_in_pieces(void **state)
{
    struct stage *s = *state;
    struct sp_buf b = SP_BUF_INIT;

    for (size_t i = 0; i < raw_cases_len; i++) {
        const struct raw_case *c = &raw_cases[i];
        struct wire w;

        sp_buf_reset(&b);
        c->make(&b);
        if (b.len > (hostile_long() ? 4096u : 32u))
            continue;
        wire_open(&w, &s->r, &s->mallory, stage_from(s));
        for (size_t at = 0; at < b.len; at++)
            if (!wire_send(&w, b.data + at, 1, 2000))
                break;
        if (c->reason == NULL)
            served(&w, c->name);
        else
            closed_with(&w, c->name, c->reason);
    }
    sp_buf_free(&b);
    stage_passed++;
}
