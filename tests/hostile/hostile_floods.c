/* Floods over one session. */

#include "hostile_client.h"

/* The smallest frames there are, as fast as they go; and the dearest headers. */
void
test_tiny_frames(void **state)
{
    struct stage *s = *state;
    struct sp_buf b = SP_BUF_INIT;
    struct sp_msg m = any_of(SP_MSG_CANCEL);
    struct wire w;
    unsigned total = hostile_long() ? 1000000 : 120000, n = 0;
    size_t before = heap_now(), most = 0;
    int64_t began = now_ms();

    while (b.len < 60000) {
        frame_put(&b, &m, NULL, 0);
        n++;
    }
    wire_open(&w, &s->r, &s->mallory, stage_from(s));
    for (unsigned sent = 0; sent < total; sent += n) {
        assert_true(wire_send(&w, b.data, b.len, 10000));
        note_heap(before, &most);
    }
    stage_goes_on(s, 1, 10000);
    served(&w, "tiny frames");
    print_message("%u tiny frames in %d ms, at most %zu KiB more in use\n", total,
        (int)(now_ms() - began), most >> 10);
    assert_true(most < (8u << 20));

    sp_buf_reset(&b);
    a_thousand_unknown_fields(&b);
    began = now_ms();
    wire_open(&w, &s->r, &s->mallory, stage_from(s));
    for (int i = 0; i < (hostile_long() ? 5000 : 300); i++) {
        struct sp_frame f;

        assert_true(wire_send(&w, b.data, b.len, 10000));
        assert_true(wire_frame(&w, &f, 10000));
        assert_int_equal(f.msg.type, SP_MSG_FLUSHED);
        sp_frame_clear(&f);
        note_heap(before, &most);
    }
    print_message("dear headers: %d ms\n", (int)(now_ms() - began));
    assert_true(most < (12u << 20));
    served(&w, "dear headers");
    sp_buf_free(&b);
    stage_goes_on(s, 1, 10000);
    stage_memory(s, 4u << 20, "tiny frames");
    stage_passed++;
}

/* Requests that fail, thousands of them: few lines in the log. */
void
test_log_is_bounded(void **state)
{
    struct stage *s = *state;
    struct sp_buf b = SP_BUF_INIT;
    struct sp_msg m = any_of(SP_MSG_PUT_SLOT);
    unsigned before = heard_warnings(&s->heard);
    struct wire w;

    frame_put(&b, &m, "noise", 5);
    wire_open(&w, &s->r, &s->mallory, stage_from(s));
    for (int i = 0; i < 1000; i++) {
        struct sp_frame f;

        assert_true(wire_send(&w, b.data, b.len, 5000));
        assert_true(wire_frame(&w, &f, 5000));
        assert_int_equal(f.msg.type, SP_MSG_ERROR);
        sp_frame_clear(&f);
    }
    served(&w, "refusals");
    if (heard_warnings(&s->heard) > before + 20)
        fail_msg("%u warnings of 1000 refusals", heard_warnings(&s->heard) - before);
    assert_true(heard_warnings(&s->heard) > before);
    sp_buf_free(&b);
    stage_passed++;
}

/* Never reads: its answers wait, bounded; nobody else waits. */
void
test_never_reads(void **state)
{
    struct stage *s = *state;
    struct sp_buf block = SP_BUF_INIT, b = SP_BUF_INIT;
    struct sp_msg put = any_of(SP_MSG_PUT), get = any_of(SP_MSG_GET), flush = any_of(SP_MSG_FLUSH);
    struct sp_msg head = any_of(SP_MSG_HEAD);
    struct sp_id ids[24];
    struct sp_frame f;
    struct wire w;
    size_t before, most = 0;

    wire_open(&w, &s->r, &s->mallory, stage_from(s));
    for (size_t i = 0; i < 24; i++) {
        sp_buf_reset(&block);
        sp_buf_reset(&b);
        member_block(&s->mallory, SP_BLOCK_FILES, NULL, 0, NULL, 900000, &block, &ids[i]);
        frame_put(&b, &put, block.data, block.len);
        assert_true(wire_send(&w, b.data, b.len, 10000));
    }
    sp_buf_reset(&b);
    frame_put(&b, &flush, NULL, 0);
    assert_true(wire_send(&w, b.data, b.len, 10000));
    while (wire_frame(&w, &f, 10000) && f.msg.type != SP_MSG_FLUSHED)
        sp_frame_clear(&f);
    assert_int_equal(f.msg.type, SP_MSG_FLUSHED);
    sp_frame_clear(&f);
    before = heap_now();
    sp_buf_reset(&b);
    for (get.tag = 1; get.tag <= 20; get.tag++)
        frame_put(&b, &get, ids, sizeof(ids));
    for (head.tag = 21; head.tag <= SP_REQUESTS_MAX; head.tag++)
        frame_put(&b, &head, NULL, 0);
    assert_true(wire_send(&w, b.data, b.len, 5000));
    for (int64_t end = now_ms() + 1200; now_ms() < end; sp_sleep_ms(5))
        note_heap(before, &most);
    stage_goes_on(s, 3, 10000); /* it puts, commits, gets meanwhile */
    print_message("never reads: at most %zu KiB more in use\n", most >> 10);
    assert_true(most > (1u << 20)); /* there is something to bound */
    if (most > (24u << 20))
        fail_msg("%zu bytes wait for who never reads", most);
    cases++;
    wire_close(&w);

    /* Its requests wait for it: no more of them are taken than the protocol allows. */
    {
        uint8_t *many = calloc(SP_IDS_MAX, 32);

        assert_non_null(many);
        wire_open(&w, &s->r, &s->mallory, stage_from(s));
        sp_buf_reset(&b);
        get.tag = 1;
        frame_put(&b, &get, ids, sizeof(ids));
        for (get.tag = 2; get.tag <= 10; get.tag++)
            frame_put(&b, &get, many, 32 * SP_IDS_MAX);
        (void)wire_send(&w, b.data, b.len, 5000);
        closed_with(&w, "18 MiB of requests", "requests in flight with more than");
        free(many);
    }
    sp_buf_free(&block);
    sp_buf_free(&b);
    stage_memory(s, 4u << 20, "who never reads");
    stage_passed++;
}
