#ifndef SP_BASE_UTF_H
#define SP_BASE_UTF_H

/* The decoder under path.c and json.c; what others need of the encodings is in path.h. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The length of the character at p and its value; 0 when the first byte begins no well-formed
 * sequence within n bytes. `surrogates` lets U+D800..U+DFFF through (WTF-8). */
size_t sp_utf8_next(const uint8_t *p, size_t n, bool surrogates, uint32_t *ret);

/* A character that a terminal obeys or that changes how the rest of a line is laid out: control
 * characters (C0, delete, C1), separators of lines, controls of direction. */
bool sp_utf8_misleads(uint32_t v);

#endif
