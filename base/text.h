#ifndef SP_BASE_TEXT_H
#define SP_BASE_TEXT_H

/* Bytes as text and numbers as people read them. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

struct sp_hex {
    char s[72];
};
struct sp_hex sp_hex8(const uint8_t *p);  /* the first 8 bytes, for messages: 16 digits */
struct sp_hex sp_hex16(const uint8_t *p); /* 16 bytes, 32 digits */
struct sp_hex sp_hex32(const uint8_t *p); /* 32 bytes, 64 digits */
void sp_buf_put_hex(struct sp_buf *b, const void *p, size_t n);
/* Exactly 2*n lower-case digits and then the end of the string; false otherwise. */
bool sp_hex_parse(const char *s, void *to, size_t n);

/* Base32 as people copy it by hand (Crockford's alphabet, https://www.crockford.com/base32.html: no
 * I L O U, case and '-' and spaces ignored, O→0, I,L→1), in groups of 5 with '-', the last two
 * characters a checksum (SHA-free CRC-10 over the bytes; see text.c) so that a typing mistake is told
 * from a wrong key. */
void sp_base32_put(struct sp_buf *b, const void *p, size_t n);
/* Appends the bytes to `ret`; SP_INVALID when a character is not of the alphabet or the checksum
 * differs. */
enum sp_code sp_base32_parse(const char *s, struct sp_buf *ret, struct sp_err *e);

/* "1.23 GB" style with decimal units; "12 B". */
struct sp_text {
    char s[32];
};
struct sp_text sp_text_bytes(uint64_t n);
struct sp_text sp_text_count(uint64_t n);      /* 155 857 */
struct sp_text sp_text_duration(int64_t ns);   /* "0.42 s", "3 min 12 s", "2 h 05 min" */
/* "64K", "1.5G", "100M", "1GiB" (powers of 1024 for K/M/G/T/KiB…; kB/MB/GB decimal). */
bool sp_text_parse_bytes(const char *s, uint64_t *ret);
/* "90s", "15m", "8h", "3d", "2w"; plain numbers are seconds. */
bool sp_text_parse_duration(const char *s, int64_t *ret_ns);
bool sp_text_parse_u64(const char *s, uint64_t *ret);

/* n bytes as a string of their own, malloc'd; NULL when there is no memory. */
char *sp_text_copy(const char *s, size_t n);

/* Overwrites memory so that the compiler cannot leave it out; compares without telling where. */
void sp_wipe(void *p, size_t n);
bool sp_equal_const(const void *a, const void *b, size_t n);

#endif
