/* Enrolling without a token, with half of one, twice. */

#include "hostile_client.h"

/* Sends one Enroll (and `end` after it); gives the code of the answer. The connection stays open in
 * w. */
static enum sp_code
enroll_with(struct stage *s, struct wire *w, struct member *m, const struct sp_token *t,
    struct sp_msg *ret_reply, struct sp_buf *ret_payload)
{
    struct sp_buf b = SP_BUF_INIT;
    struct sp_msg msg;
    struct sp_frame f;
    char *csr = NULL;
    enum sp_code rc;

    cases++;
    member_csr(m, &csr);
    member_enroll_message(m, t, NULL, &msg);
    frame_put(&b, &msg, csr, strlen(csr));
    wire_open(w, &s->r, NULL, stage_from(s));
    assert_true(wire_send(w, b.data, b.len, 2000));
    assert_true(wire_frame(w, &f, 8000));
    rc = f.msg.type == SP_MSG_ERROR ? f.msg.error.code : SP_OK;
    if (rc == SP_OK) {
        assert_int_equal(f.msg.type, SP_MSG_ENROLL_REPLY);
        *ret_reply = f.msg;
        if (ret_payload != NULL) {
            sp_buf_reset(ret_payload);
            sp_buf_put(ret_payload, f.payload, f.payload_len);
        }
    }
    sp_frame_clear(&f);
    sp_buf_free(&b);
    sp_pem_free(csr);
    return rc;
}

void
test_enrolment(void **state)
{
    struct stage *s = *state;
    struct sp_buf b = SP_BUF_INIT, payload = SP_BUF_INIT, end_payload = SP_BUF_INIT;
    struct sp_token t, wrong;
    struct sp_msg reply, msg;
    struct member m, other;
    struct wire w;
    struct sp_frame f;
    char *csr = NULL;
    char out[4096];

    member_make(&m, NULL);
    member_make(&other, NULL);
    place_token(&s->place, "add", "victim", &t);
    wrong = t;
    wrong.id[3] ^= 1;
    assert_int_equal(enroll_with(s, &w, &m, &wrong, &reply, NULL), SP_AUTH);
    wire_close(&w);
    /* A token that is guessed at: after ten wrong secrets the right one is void. */
    wrong = t;
    for (int i = 0; i < 10; i++) {
        wrong.secret[0]++;
        assert_int_equal(enroll_with(s, &w, &m, &wrong, &reply, NULL), SP_AUTH);
        wire_close(&w);
    }
    assert_int_equal(enroll_with(s, &w, &m, &t, &reply, NULL), SP_AUTH);
    wire_close(&w);

    /* A second Enroll on one connection, also a right one. */
    place_token(&s->place, "add", "victim", &t);
    wrong = t;
    wrong.secret[0]++;
    assert_int_equal(enroll_with(s, &w, &m, &wrong, &reply, NULL), SP_AUTH);
    member_csr(&m, &csr);
    member_enroll_message(&m, &t, NULL, &msg);
    msg.tag = 2;
    frame_put(&b, &msg, csr, strlen(csr));
    assert_true(wire_send(&w, b.data, b.len, 2000));
    closed_with(&w, "a second Enroll", "a second Enroll");
    /* Two at once. */
    sp_buf_reset(&b);
    msg.tag = 1;
    frame_put(&b, &msg, csr, strlen(csr));
    msg.tag = 2;
    frame_put(&b, &msg, csr, strlen(csr));
    wire_open(&w, &s->r, NULL, stage_from(s));
    assert_true(wire_send(&w, b.data, b.len, 2000));
    closed_with(&w, "two Enrolls", "a second Enroll");
    /* EnrollEnd without Enroll, and after a refused one. */
    sp_buf_reset(&b);
    put_any(&b, SP_MSG_ENROLL_END);
    wire_open(&w, &s->r, NULL, stage_from(s));
    assert_true(wire_send(&w, b.data, b.len, 2000));
    closed_with(&w, "an EnrollEnd", "does not follow a granted Enroll");
    assert_int_equal(enroll_with(s, &w, &m, &wrong, &reply, NULL), SP_AUTH);
    assert_true(wire_send(&w, b.data, b.len, 2000));
    closed_with(&w, "an EnrollEnd", "does not follow a granted Enroll");
    /* Requests that are noise: a request that is no certificate request; a secret too short, too
     * long. */
    sp_buf_reset(&b);
    msg.tag = 1;
    frame_put(&b, &msg, "noise", 5);
    wire_open(&w, &s->r, NULL, stage_from(s));
    assert_true(wire_send(&w, b.data, b.len, 2000));
    assert_true(wire_frame(&w, &f, 8000));
    assert_int_equal(f.msg.type, SP_MSG_ERROR);
    sp_frame_clear(&f);
    wire_close(&w);
    for (size_t n = 0; n <= 60000; n = n == 0 ? 15 : n == 15 ? 65 : n == 65 ? 60000 : 60001) {
        struct sp_buf h = SP_BUF_INIT, e_ = SP_BUF_INIT;
        uint8_t *secret = calloc(1, n + 1);

        assert_non_null(secret);
        pb_bytes(&e_, 1, t.id, 8);
        pb_bytes(&e_, 2, secret, n);
        pb_bytes(&e_, 3, "../../../etc", 12);
        pb_bytes(&e_, 4, m.identity, 32);
        header(&h, 1, 33, e_.data, e_.len);
        sp_buf_reset(&b);
        frame_raw(&b, h.data, h.len, 10);
        sp_buf_put_zero(&b, 10);
        wire_open(&w, &s->r, NULL, stage_from(s));
        assert_true(wire_send(&w, b.data, b.len, 2000));
        closed_with(&w, "a secret", "a Enroll with a field");
        sp_buf_free(&h);
        sp_buf_free(&e_);
        free(secret);
    }
    /* The right one is used once. */
    place_token(&s->place, "add", "victim", &t);
    assert_int_equal(enroll_with(s, &w, &m, &t, &reply, &payload), SP_OK);
    member_take_reply(&m, &reply, payload.data, payload.len);
    { /* not with the record of another host */
        struct member liar = m;

        memcpy(liar.host, s->honest.m.host, 16);
        sp_buf_reset(&b);
        sp_buf_reset(&end_payload);
        member_end_message(&liar, 1, &msg, &end_payload);
        frame_put(&b, &msg, end_payload.data, end_payload.len);
        assert_true(wire_send(&w, b.data, b.len, 2000));
        assert_true(wire_frame(&w, &f, 8000));
        assert_int_equal(f.msg.type, SP_MSG_ERROR);
        sp_frame_clear(&f);
        wire_close(&w);
    }
    { /* not into the group of another host */
        struct member liar = m;

        assert_int_equal(enroll_with(s, &w, &m, &t, &reply, &payload), SP_OK);
        member_take_reply(&m, &reply, payload.data, payload.len);
        liar = m;
        liar.keys = s->mate.keys; /* known to mallory or not: there is no invitation */
        memcpy(liar.group, s->mate.group, 16);
        sp_buf_reset(&b);
        sp_buf_reset(&end_payload);
        member_end_message(&liar, 0, &msg, &end_payload);
        frame_put(&b, &msg, end_payload.data, end_payload.len);
        assert_true(wire_send(&w, b.data, b.len, 2000));
        assert_true(wire_frame(&w, &f, 8000));
        assert_int_equal(f.msg.type, SP_MSG_ERROR);
        sp_frame_clear(&f);
        wire_close(&w);
    }
    assert_int_equal(enroll_with(s, &w, &m, &t, &reply, &payload), SP_OK);
    member_take_reply(&m, &reply, payload.data, payload.len);
    sp_buf_reset(&b);
    sp_buf_reset(&end_payload);
    member_end_message(&m, 1, &msg, &end_payload);
    frame_put(&b, &msg, end_payload.data, end_payload.len);
    assert_true(wire_send(&w, b.data, b.len, 2000));
    assert_true(wire_frame(&w, &f, 8000));
    assert_int_equal(f.msg.type, SP_MSG_DONE);
    sp_frame_clear(&f);
    wire_close(&w);
    assert_int_equal(enroll_with(s, &w, &other, &t, &reply, NULL), SP_AUTH);
    wire_close(&w);
    assert_int_equal(place_run(&s->place, out, sizeof(out), "host", "list"), SP_EXIT_DONE);
    assert_non_null(strstr(out, "victim"));
    assert_null(strstr(out, "etc"));
    sp_pem_free(csr);
    sp_buf_free(&b);
    sp_buf_free(&payload);
    sp_buf_free(&end_payload);
    member_clear(&m);
    member_clear(&other);
    stage_goes_on(s, 1, 10000);
    stage_passed++;
}
