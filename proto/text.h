#ifndef SP_PROTO_TEXT_H
#define SP_PROTO_TEXT_H

/* Which strings may cross the wire: what a peer says ends up on terminals and in logs. Inside
 * proto/ only. */

#include <stdbool.h>
#include <stddef.h>

/* UTF-8 without control characters and bidirectional controls, ended within `cap` bytes. */
bool sp_text_plain(const char *s, size_t cap);
/* Only [a-z0-9-], ended within `cap` bytes. */
bool sp_text_word(const char *s, size_t cap);
/* Copies and replaces what sp_text_plain refuses by '?'; a text that is too long is cut between
 * characters. */
void sp_text_clean(const char *from, size_t from_cap, char *to, size_t to_cap);

#endif
