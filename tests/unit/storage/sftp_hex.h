#ifndef SP_TESTS_SFTP_HEX_H
#define SP_TESTS_SFTP_HEX_H

/* A session without a connection, fed with bytes that are written down by hand. Include after
 * cmocka.h. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "expect.h"
#include "storage/sftp_packet.h"

static struct sp_sftp_session *session;
static struct sp_buf sent; /* all that was taken */

static inline void
take_all(void)
{
    struct sp_span v;

    while ((v = sp_sftp_take(session)).n > 0) {
        sp_buf_put(&sent, v.p, v.n);
        sp_sftp_sent(session, v.n);
    }
}

static inline void
put_hex(struct sp_buf *b, const char *hex)
{
    for (; *hex != '\0'; hex++) {
        char two[3] = {hex[0], hex[1], '\0'};

        if (*hex == ' ')
            continue;
        sp_buf_put_u8(b, (uint8_t)strtoul(two, NULL, 16));
        hex++;
    }
}

static inline enum sp_code
feed_hex(const char *hex)
{
    struct sp_buf b = SP_BUF_INIT;
    enum sp_code rc;

    put_hex(&b, hex);
    rc = sp_sftp_feed(session, b.data, b.len, &err);
    sp_buf_free(&b);
    return rc;
}

static inline void
sent_is(const char *hex)
{
    struct sp_buf b = SP_BUF_INIT;

    take_all();
    put_hex(&b, hex);
    assert_int_equal(sent.len, b.len);
    if (b.len > 0)
        assert_memory_equal(sent.data, b.data, b.len);
    sp_buf_reset(&sent);
    sp_buf_free(&b);
}

static inline int
set_up(void **state)
{
    (void)state;
    ok(sp_sftp_session_new(&session, &err));
    return 0;
}

static inline int
set_up_ready(void **state)
{
    (void)set_up(state);
    sent_is("00000005 01 00000003");
    ok(feed_hex("00000005 02 00000003"));
    assert_true(sp_sftp_ready(session));
    return 0;
}

static inline int
tear_down(void **state)
{
    struct sp_err why = {0};

    (void)state;
    sp_fail(&why, SP_CANCELLED, SP_DOM_SELF, "over");
    sp_sftp_session_end(session, &why);
    sp_sftp_sent(session, 0);
    sp_sftp_session_free(session);
    sp_buf_free(&sent);
    return 0;
}

static unsigned order[64], norder;

static inline void
note(struct sp_sftp_request *q)
{
    if (norder < 64)
        order[norder] = *(const unsigned *)q->arg;
    norder++;
}

static unsigned numbers[64];

static inline struct sp_sftp_request
request(enum sp_sftp_type type, const char *path, unsigned number)
{
    struct sp_sftp_request q = {.type = type, .path = path, .done = note, .arg = &numbers[number]};

    numbers[number] = number;
    norder = 0;
    return q;
}

/* The id of the n-th packet that was sent, all of which are as long as the first. */
static inline void
id_of(const struct sp_sftp_request *q, char hex[9])
{
    snprintf(hex, 9, "%08x", (unsigned)q->id);
}

static inline enum sp_code
answer(const struct sp_sftp_request *q, const char *length_and_type, const char *rest)
{
    char text[600], id[9];

    id_of(q, id);
    snprintf(text, sizeof(text), "%s %s %s", length_and_type, id, rest);
    return feed_hex(text);
}

#define BEGINS(x) cmocka_unit_test_setup_teardown(x, set_up, tear_down)
#define READY(x) cmocka_unit_test_setup_teardown(x, set_up_ready, tear_down)

#endif
