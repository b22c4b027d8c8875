#ifndef SP_PROTO_TOKEN_H
#define SP_PROTO_TOKEN_H

/* The enrolment token: one line that an administrator hands to a new host. "sp1." and then the
 * base32 of base/text.h (which notices typing errors) over
 *
 *   u8 flags (1: recovery key) ‖ u8 length ‖ address ‖ fingerprint (32) ‖ token id (8) ‖
 *   u8 length ‖ secret ‖ [recovery public key (32)]
 *
 * Whoever holds it can enrol one host while it is valid: it is a secret, wiped when done with. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "proto/limits.h"

#define SP_PORT_DEFAULT 7878

struct sp_token {
    char address[256];     /* host:port; [v6]:port */
    uint8_t authority[32]; /* SHA-256 of the authority's certificate */
    uint8_t id[8];         /* names the token; not secret */
    uint8_t secret[SP_TOKEN_SECRET_MAX];
    size_t secret_len; /* SP_TOKEN_SECRET_MIN … MAX */
    bool has_recovery;
    uint8_t recovery[32]; /* X25519 public key: a key slot is made for it */
};

/* Appends the line, without a line feed. SP_INVALID: no such token. The caller wipes the buffer. */
enum sp_code sp_token_print(const struct sp_token *t, struct sp_buf *ret, struct sp_err *e);
/* White space around and inside is ignored. SP_INVALID: mistyped or cut, SP_UNSUPPORTED: of a newer
 * version; both with a sentence for the user that never shows the secret. */
enum sp_code sp_token_parse(const char *text, struct sp_token *ret, struct sp_err *e);

/* "host", "host:port", "[v6]", "[v6]:port" → host (without brackets) and port (SP_PORT_DEFAULT when
 * it is not said). SP_INVALID. */
enum sp_code
sp_address_parse(const char *address, char ret_host[256], uint16_t *ret_port, struct sp_err *e);

#endif
