#ifndef SP_TESTS_FUZZ_CONVERSATION_H
#define SP_TESTS_FUZZ_CONVERSATION_H

/* The two sides of a connection as the target `session` plays them, one at a time, and the maker of
 * its first inputs both together. */

#include "base/clock.h"
#include "proto/session.h"

enum { TALK_CLIENT = 1, TALK_ENROLLING = 2, TALK_READ_ONLY = 4, TALK_RENEWING = 8, TALK_LAZY = 16 };

#define TALK_NOW (1000 * SP_SECOND)
#define TALK_PUT 250 /* from here on: a block */

struct sp_session *talk_session(unsigned flags);
/* Client: sends the request of this number, or a block. */
void talk_ask(struct sp_session *s, uint8_t number);

struct talk_server {
    struct sp_session *s;
    unsigned flags;
    uint64_t data, nodes; /* blocks that were put */
};
/* Server: answers a message. */
void talk_answer(struct talk_server *t, const struct sp_frame *f);

#endif
