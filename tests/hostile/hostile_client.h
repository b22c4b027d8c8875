#ifndef SP_TESTS_HOSTILE_CLIENT_H
#define SP_TESTS_HOSTILE_CLIENT_H

/* What the attacks of test_hostile_client.c share, and the tests that they are. */

#include "stage.h"

/* Attacks that were made. */
extern unsigned long cases;

/* The largest growth of the heap since `before`. */
void note_heap(size_t before, size_t *most);
/* The server ends this connection with a goodbye of SP_PROTOCOL that says `reason`. */
void closed_with(struct wire *w, const char *name, const char *reason);
/* The server still answers over this connection, and ends it in order. */
void served(struct wire *w, const char *name);

/* Bodies of a header, by their field. */
enum {
    B_HELLO = 11,
    B_PUT = 15,
    B_CANCEL = 17,
    B_FLUSH = 20,
    B_HAVE = 21,
    B_HEAD = 22,
    B_COMMIT = 23,
    B_GET = 24,
    B_MISSING = 26,
    B_SLOTS = 27,
    B_HOST = 29,
    B_PART = 9
};

/* Header with a tag and one body. */
void header(struct sp_buf *b, uint64_t tag, unsigned body, const void *p, size_t n);
/* A message of this type that is in order by itself; and its frame. */
struct sp_msg any_of(enum sp_msg_type type);
void put_any(struct sp_buf *b, enum sp_msg_type type);
/* The reply to one request, as code (SP_OK: no Error). */
enum sp_code ask_as(struct stage *s, const struct member *who, const struct sp_msg *m,
    const void *p, size_t n, struct sp_buf *ret_payload, unsigned *ret_items);

struct raw_case {
    const char *name;
    void (*make)(struct sp_buf *b);
    const char *reason; /* NULL: it is served */
};

extern const struct raw_case raw_cases[];
extern const size_t raw_cases_len;
/* One of them: a header that is dear to read, and allowed. */
void a_thousand_unknown_fields(struct sp_buf *b);

void test_frames(void **state);
void test_frames_in_pieces(void **state);
void test_wrong_places(void **state);
void test_hellos(void **state);
void test_order(void **state);
void test_put_beyond_credit(void **state);
void test_foreign_things(void **state);
void test_blocks(void **state);
void test_false_ids(void **state);
void test_tiny_frames(void **state);
void test_log_is_bounded(void **state);
void test_never_reads(void **state);
void test_half_open(void **state);
void test_squatters(void **state);
void test_flood(void **state);
void test_tls(void **state);
void test_tls_oddities(void **state);
void test_enrolment(void **state);

#endif
