/* Frames made byte by byte: what is malformed, and what is odd but allowed. */

#include "hostile_client.h"

static void
prefix(struct sp_buf *b, uint32_t head, uint32_t payload)
{
    sp_buf_put_u32(b, head);
    sp_buf_put_u32(b, payload);
}

#define CASE(name) static void name(struct sp_buf *b)
#define BODY(body, bytes)                                                                          \
    do {                                                                                           \
        struct sp_buf h_ = SP_BUF_INIT;                                                            \
        header(&h_, 5, body, bytes, sizeof(bytes) - 1);                                            \
        frame_raw(b, h_.data, h_.len, 0);                                                          \
        sp_buf_free(&h_);                                                                          \
    } while (0)
#define CLAIM(body, bytes, payload)                                                                \
    do {                                                                                           \
        struct sp_buf h_ = SP_BUF_INIT;                                                            \
        header(&h_, 5, body, bytes, sizeof(bytes) - 1);                                            \
        frame_raw(b, h_.data, h_.len, payload);                                                    \
        sp_buf_free(&h_);                                                                          \
    } while (0)

CASE(header_of_nothing)
{
    prefix(b, 0, 0);
}
CASE(header_of_4g)
{
    prefix(b, UINT32_MAX, 0);
}
CASE(header_one_over)
{
    prefix(b, SP_FRAME_HEADER_MAX + 1, 0);
}
CASE(payload_of_4g)
{
    prefix(b, 1, UINT32_MAX);
}
CASE(payload_one_over)
{
    prefix(b, 4, SP_FRAME_PAYLOAD_MAX + 1);
}
CASE(sum_overflows)
{
    prefix(b, 0x80000000u, 0x80000008u);
}
CASE(put_one_over)
{
    struct sp_buf h = SP_BUF_INIT;

    pb_bytes(&h, B_PUT, "", 0);
    frame_raw(b, h.data, h.len, SP_BLOCK_MAX + 1);
    sp_buf_free(&h);
}
CASE(put_of_nothing)
{
    struct sp_buf h = SP_BUF_INIT;

    pb_bytes(&h, B_PUT, "", 0);
    frame_raw(b, h.data, h.len, 0);
    sp_buf_free(&h);
}
CASE(put_with_a_tag)
{
    CLAIM(B_PUT, "", 10);
}
CASE(have_of_2_32_ids)
{
    CLAIM(B_HAVE, "", 0xffffffe0u);
}
CASE(have_one_too_many)
{
    CLAIM(B_HAVE, "", 32 * (SP_IDS_MAX + 1));
}
CASE(have_of_none)
{
    BODY(B_HAVE, "");
}
CASE(half_an_id)
{
    CLAIM(B_HAVE, "", 48);
}
CASE(get_of_none)
{
    BODY(B_GET, "");
}
CASE(record_too_long)
{
    struct sp_buf h = SP_BUF_INIT;

    pb_varint(&h, 1, 5);
    pb_varint(&h, 3, UINT32_MAX); /* total */
    pb_bytes(&h, B_COMMIT, "\x08\x01", 2);
    frame_raw(b, h.data, h.len, SP_FRAME_PAYLOAD_MAX);
    sp_buf_free(&h);
}
CASE(cut_too_early)
{
    struct sp_buf h = SP_BUF_INIT;

    pb_varint(&h, 1, 5);
    pb_varint(&h, 3, 10u << 20);
    pb_bytes(&h, B_COMMIT, "\x08\x01", 2);
    frame_raw(b, h.data, h.len, 4096);
    sp_buf_free(&h);
}
CASE(a_part_of_nothing)
{
    BODY(B_PART, "");
}
CASE(a_message_in_a_message)
{
    struct sp_buf h = SP_BUF_INIT;

    pb_varint(&h, 1, 5);
    pb_varint(&h, 3, 10u << 20);
    pb_bytes(&h, B_COMMIT, "\x08\x01", 2);
    frame_raw(b, h.data, h.len, SP_FRAME_PAYLOAD_MAX);
    sp_buf_put_zero(b, SP_FRAME_PAYLOAD_MAX);
    sp_buf_free(&h);
    BODY(B_FLUSH, "");
}
CASE(no_body)
{
    struct sp_buf h = SP_BUF_INIT;

    pb_varint(&h, 1, 5);
    frame_raw(b, h.data, h.len, 0);
    sp_buf_free(&h);
}
CASE(body_of_tomorrow)
{
    BODY(999, "");
}
CASE(body_zero_field)
{
    BODY(0, "");
}
CASE(varint_without_end)
{
    frame_raw(b, "\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 14, 0);
}
CASE(length_beyond_the_header)
{
    frame_raw(b, "\x08\x05\xb2\x01\x7f\x0a", 6, 0);
}
CASE(length_of_2_63)
{
    frame_raw(b, "\x08\x05\xb2\x01\xff\xff\xff\xff\xff\xff\xff\xff\x7f", 13, 0);
}
CASE(groups_of_old)
{
    frame_raw(b, "\x08\x05\xa3\x01\xa4\x01", 6, 0);
}
CASE(tag_as_a_string)
{
    frame_raw(b, "\x0a\x01\x05\xa2\x01\x00", 6, 0);
}
CASE(tag_zero)
{
    struct sp_buf h = SP_BUF_INIT;

    header(&h, 0, B_FLUSH, "", 0);
    frame_raw(b, h.data, h.len, 0);
    sp_buf_free(&h);
}
CASE(a_request_that_is_the_last)
{
    struct sp_buf h = SP_BUF_INIT;

    pb_varint(&h, 2, 1);
    header(&h, 5, B_FLUSH, "", 0);
    frame_raw(b, h.data, h.len, 0);
    sp_buf_free(&h);
}
CASE(host_of_15_bytes)
{
    BODY(B_HOST, "\x0a\x0f"
                 "123456789012345");
}
CASE(host_of_17_bytes)
{
    BODY(B_HOST, "\x0a\x11"
                 "12345678901234567");
}
CASE(group_of_4_bytes)
{
    BODY(B_SLOTS, "\x0a\x04"
                  "1234");
}
CASE(job_of_nothing)
{
    BODY(B_HEAD, "");
}
CASE(job_with_a_nul)
{
    BODY(B_HEAD, "\x0a\x03"
                 "a\0b");
}
CASE(job_with_an_escape)
{
    BODY(B_HEAD, "\x0a\x06"
                 "\x1b[31mx");
}
CASE(job_that_is_no_utf8)
{
    BODY(B_HEAD, "\x0a\x04"
                 "\xff\xfe\xc0\x80");
}
CASE(job_with_a_bidi_control)
{
    BODY(B_HEAD, "\x0a\x05"
                 "a\xe2\x80\xae"
                 "b");
}
CASE(job_of_256_bytes)
{
    struct sp_buf h = SP_BUF_INIT, job = SP_BUF_INIT;
    uint8_t text[256];

    memset(text, 'j', sizeof(text));
    pb_bytes(&job, 1, text, sizeof(text));
    header(&h, 5, B_HEAD, job.data, job.len);
    frame_raw(b, h.data, h.len, 0);
    sp_buf_free(&h);
    sp_buf_free(&job);
}
CASE(commit_of_no_type)
{
    CLAIM(B_COMMIT, "", 10);
}
CASE(commit_of_type_minus_1)
{
    CLAIM(B_COMMIT, "\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 10);
}
CASE(check_of_depth_9)
{
    BODY(31, "\x08\x09");
}
CASE(check_of_part_3_of_2)
{
    BODY(31, "\x10\x03\x18\x02");
}
CASE(a_second_hello)
{
    BODY(B_HELLO, "\x08\x01\x30\x80\x80\x80\x0a");
}
CASE(random_bytes)
{
    uint64_t seed = hostile_seed();

    for (int i = 0; i < 1000; i++)
        sp_buf_put_u8(b, (uint8_t)hostile_random(&seed));
    b->data[3] = 0xee; /* whatever the seed: no header is so long */
}
/* What is odd, but allowed. */
CASE(a_field_a_million_times)
{
    struct sp_buf h = SP_BUF_INIT;

    while (h.len < SP_FRAME_HEADER_MAX - 16)
        pb_varint(&h, 1, 1 + h.len);
    header(&h, 5, B_FLUSH, "", 0);
    frame_raw(b, h.data, h.len, 0);
    sp_buf_free(&h);
}
CASE(a_body_ten_thousand_times)
{
    struct sp_buf h = SP_BUF_INIT;

    pb_varint(&h, 1, 5);
    while (h.len < SP_FRAME_HEADER_MAX - 16)
        pb_bytes(&h, B_HEAD, "\x0a\x01j", 3);
    frame_raw(b, h.data, h.len, 0);
    sp_buf_free(&h);
}
CASE(ten_thousand_unknown_fields)
{
    struct sp_buf h = SP_BUF_INIT;

    header(&h, 5, B_FLUSH, "", 0);
    while (h.len < SP_FRAME_HEADER_MAX - 16)
        pb_bytes(&h, 15000, "x", 1);
    frame_raw(b, h.data, h.len, 0);
    sp_buf_free(&h);
}
void
a_thousand_unknown_fields(struct sp_buf *b)
{
    struct sp_buf h = SP_BUF_INIT;

    header(&h, 5, B_FLUSH, "", 0);
    for (int i = 0; i < 1000; i++)
        pb_bytes(&h, 15000, "x", 1);
    frame_raw(b, h.data, h.len, 0);
    sp_buf_free(&h);
}
CASE(a_field_five_hundred_times)
{
    struct sp_buf h = SP_BUF_INIT;

    for (uint64_t i = 0; i < 500; i++)
        pb_varint(&h, 1, 1 + i);
    header(&h, 5, B_FLUSH, "", 0);
    frame_raw(b, h.data, h.len, 0);
    sp_buf_free(&h);
}
CASE(two_bodies)
{
    struct sp_buf h = SP_BUF_INIT;

    header(&h, 5, B_FLUSH, "", 0);
    pb_bytes(&h, B_HEAD, "\x0a\x01j", 3);
    frame_raw(b, h.data, h.len, 0);
    sp_buf_free(&h);
}
CASE(copy_of_2_32)
{
    struct sp_buf h = SP_BUF_INIT;
    header(&h, 5, B_GET, "\x08\xff\xff\xff\xff\x0f", 6);
    frame_raw(b, h.data, h.len, 32);
    sp_buf_put_zero(b, 32);
    sp_buf_free(&h);
}
CASE(job_with_a_path)
{
    BODY(B_HEAD, "\x0a\x11"
                 "../../../etc/pass");
}
CASE(job_that_is_dots)
{
    BODY(B_HEAD, "\x0a\x02"
                 "..");
}
CASE(cancel_of_nothing)
{
    BODY(B_CANCEL, "");
}
CASE(missing_of_nothing)
{
    BODY(B_MISSING, "\x0a\x10"
                    "1234567890123456");
}

const struct raw_case raw_cases[] = {
    {"header_of_nothing", header_of_nothing, "a header of 0 bytes"},
    {"header_of_4g", header_of_4g, "a header of 4294967295 bytes"},
    {"header_one_over", header_one_over, "a header of 65537 bytes"},
    {"payload_of_4g", payload_of_4g, "a payload of 4294967295 bytes"},
    {"payload_one_over", payload_one_over, "a payload of 9437185 bytes"},
    {"sum_overflows", sum_overflows, "a header of 2147483648 bytes"},
    {"put_one_over", put_one_over, "a payload of 8392705 bytes"},
    {"put_of_nothing", put_of_nothing, "a payload of 0 bytes"},
    {"put_with_a_tag", put_with_a_tag, "Put"},
    {"have_of_2_32_ids", have_of_2_32_ids, "a payload of 4294967264 bytes"},
    {"have_one_too_many", have_one_too_many, "a payload of 2097184 bytes"},
    {"have_of_none", have_of_none, "a payload of 0 bytes"},
    {"half_an_id", half_an_id, "not made of the parts"},
    {"get_of_none", get_of_none, "a payload of 0 bytes"},
    {"record_too_long", record_too_long, "a payload of 4294967295 bytes"},
    {"cut_too_early", cut_too_early, "cut at the wrong place"},
    {"a_part_of_nothing", a_part_of_nothing, "the continuation of no message"},
    {"a_message_in_a_message", a_message_in_a_message, "a Flush inside another message"},
    {"no_body", no_body, "an unknown type"},
    {"body_of_tomorrow", body_of_tomorrow, "an unknown type"},
    {"body_zero_field", body_zero_field, ""},
    {"varint_without_end", varint_without_end, "cannot be read"},
    {"length_beyond_the_header", length_beyond_the_header, "cannot be read"},
    {"length_of_2_63", length_of_2_63, "cannot be read"},
    {"groups_of_old", groups_of_old, ""},
    {"tag_as_a_string", tag_as_a_string, ""},
    {"tag_zero", tag_zero, "a Flush with a field"},
    {"a_request_that_is_the_last", a_request_that_is_the_last, "a Flush with a field"},
    {"host_of_15_bytes", host_of_15_bytes, "a Host with a field"},
    {"host_of_17_bytes", host_of_17_bytes, "a Host with a field"},
    {"group_of_4_bytes", group_of_4_bytes, "a Slots with a field"},
    {"job_of_nothing", job_of_nothing, "a Head with a field"},
    {"job_with_a_nul", job_with_a_nul, NULL}, /* a job named by what stands before it */
    {"job_with_an_escape", job_with_an_escape, "a Head with a field"},
    {"job_that_is_no_utf8", job_that_is_no_utf8, ""},
    {"job_with_a_bidi_control", job_with_a_bidi_control, "a Head with a field"},
    {"job_of_256_bytes", job_of_256_bytes, "a Head with a field"},
    {"commit_of_no_type", commit_of_no_type, "a Commit with a field"},
    {"commit_of_type_minus_1", commit_of_type_minus_1, "a Commit with a field"},
    {"check_of_depth_9", check_of_depth_9, "a Check with a field"},
    {"check_of_part_3_of_2", check_of_part_3_of_2, "a Check with a field"},
    {"a_second_hello", a_second_hello, "a ClientHello with a field"},
    {"random_bytes", random_bytes, "a header of "},
    {"a_field_a_million_times", a_field_a_million_times, "cannot be read"},
    {"a_body_ten_thousand_times", a_body_ten_thousand_times, "cannot be read"},
    {"ten_thousand_unknown_fields", ten_thousand_unknown_fields, "cannot be read"},
    {"a_thousand_unknown_fields", a_thousand_unknown_fields, NULL},
    {"a_field_five_hundred_times", a_field_five_hundred_times, NULL},
    {"two_bodies", two_bodies, NULL},
    {"copy_of_2_32", copy_of_2_32, NULL},
    {"job_with_a_path", job_with_a_path, NULL},
    {"job_that_is_dots", job_that_is_dots, NULL},
    {"cancel_of_nothing", cancel_of_nothing, NULL},
    {"missing_of_nothing", missing_of_nothing, NULL},
};

const size_t raw_cases_len = sizeof(raw_cases) / sizeof(raw_cases[0]);
