/* Blocks that are not what they say. */

#include "hostile_client.h"

/* Puts one block and flushes; the code that the uploads failed with, SP_OK: it was taken. */
static enum sp_code
put_as(struct stage *s, const struct member *who, bool nodes, const void *p, size_t n)
{
    struct sp_msg put = {.type = SP_MSG_PUT, .put = {.nodes = nodes}}, flush = any_of(SP_MSG_FLUSH);
    struct sp_buf b = SP_BUF_INIT;
    struct sp_frame f;
    struct wire w;
    enum sp_code rc = SP_OK;
    bool over = false;

    cases++;
    wire_open(&w, &s->r, who, stage_from(s));
    frame_put(&b, &put, p, n);
    frame_put(&b, &flush, NULL, 0);
    assert_true(wire_send(&w, b.data, b.len, 2000));
    while (!over && wire_frame(&w, &f, 8000)) {
        if (f.msg.type == SP_MSG_ERROR && f.msg.tag == 0)
            rc = f.msg.error.code;
        over = f.msg.tag == flush.tag;
        sp_frame_clear(&f);
    }
    assert_true(over);
    sp_buf_free(&b);
    wire_close(&w);
    return rc;
}

/* Whatever is changed in the clear part of a block that the server can know: refused. */
void
test_blocks(void **state)
{
    struct stage *s = *state;
    struct sp_buf data = SP_BUF_INIT, node = SP_BUF_INIT, b = SP_BUF_INIT;
    struct sp_id id, root;
    /* magic, suite, kind, ids, lengths, group, epoch, zero, and an id out of order by its nature */
    static const unsigned at[] = {0, 3, 4, 5, 6, 7, 8, 10, 11, 12, 14, 15, 16, 24, 31};

    member_block(&s->mallory, SP_BLOCK_FILES, NULL, 0, NULL, 1000, &data, &id);
    member_block(&s->mallory, SP_BLOCK_NODES, &id, 1, NULL, 100, &node, &root);
    for (size_t i = 0; i < sizeof(at) / sizeof(at[0]); i++) {
        sp_buf_reset(&b);
        sp_buf_put(&b, data.data, data.len);
        b.data[at[i]] ^= 0x50;
        if (put_as(s, &s->mallory, false, b.data, b.len) == SP_OK)
            fail_msg("a block with byte %u changed was taken", at[i]);
    }
    for (size_t n = 1; n < data.len; n = n * 2 + 1)
        if (put_as(s, &s->mallory, false, data.data, n) == SP_OK)
            fail_msg("the first %zu bytes of a block were taken", n);
    sp_buf_reset(&b); /* more behind it */
    sp_buf_put(&b, data.data, data.len);
    sp_buf_put_zero(&b, 100);
    assert_true(put_as(s, &s->mallory, false, b.data, b.len) != SP_OK);
    assert_true(put_as(s, &s->mallory, true, data.data, data.len) != SP_OK);
    assert_true(put_as(s, &s->mallory, false, node.data, node.len) != SP_OK);
    sp_buf_reset(&b); /* refs: more than are there */
    sp_buf_put(&b, node.data, node.len);
    b.data[64 + 32] ^= 0x7f;
    assert_true(put_as(s, &s->mallory, true, b.data, b.len) != SP_OK);
    assert_int_equal(put_as(s, &s->mate, false, data.data, data.len), SP_REFUSED); /* other group */
    assert_int_equal(put_as(s, &s->mallory, false, data.data, data.len), SP_OK);
    sp_buf_free(&data);
    sp_buf_free(&node);
    sp_buf_free(&b);
    stage_passed++;
}

/* A block that claims an id it does not have: the server cannot know. It hurts nobody but who sent
 * it, not even in the same key group. */
void
test_false_ids(void **state)
{
    struct stage *s = *state;
    struct sp_buf data = SP_BUF_INIT, p = SP_BUF_INIT;
    struct sp_id id, theirs = s->honest.first.data;
    struct member *who[2] = {&s->mallory, &s->mate};
    struct sp_msg m;
    unsigned items;

    for (int i = 0; i < 2; i++) {
        sp_buf_reset(&data);
        member_block(who[i], SP_BLOCK_FILES, NULL, 0, NULL, 1000, &data, &id);
        memcpy(data.data + 64, theirs.b, 32);
        assert_int_equal(put_as(s, who[i], false, data.data, data.len), SP_OK);
        m = any_of(SP_MSG_HAVE);
        assert_int_equal(ask_as(s, who[i], &m, theirs.b, 32, &p, &items), SP_OK);
        assert_int_equal(p.len, 1);
        assert_int_equal(p.data[0], 1); /* "mine": of its own garbage */
    }
    /* The honest host reads its own. */
    {
        struct sp_buf b = SP_BUF_INIT;
        struct sp_frame f;
        struct sp_opener *opener = NULL;
        struct sp_opened *opened = NULL;
        struct sp_chunk c;
        struct wire w;

        m = any_of(SP_MSG_GET);
        frame_put(&b, &m, theirs.b, 32);
        wire_open(&w, &s->r, &s->honest.m, 0);
        assert_true(wire_send(&w, b.data, b.len, 2000));
        assert_true(wire_frame(&w, &f, 8000));
        assert_int_equal(f.msg.type, SP_MSG_BLOCK);
        assert_ok(sp_opener_new(s->honest.m.keys, &opener, e));
        assert_ok(sp_block_open(opener, f.payload + 4, f.payload_len - 4, &opened, e));
        assert_true(sp_opened_find(opened, &theirs, &c));
        sp_opened_free(opened);
        sp_opener_free(opener);
        sp_frame_clear(&f);
        wire_close(&w);
        sp_buf_free(&b);
    }
    sp_buf_free(&data);
    sp_buf_free(&p);
    stage_goes_on(s, 1, 10000);
    stage_passed++;
}
