#ifndef SP_CLIENT_INVITATION_H
#define SP_CLIENT_INVITATION_H

/* An invitation into a key group as text: "spi." and 32 secret bytes in base32 (docs/format.md §11). */

#include "base/buf.h"

void sp_invitation_print(const uint8_t secret[32], struct sp_buf *ret);
enum sp_code sp_invitation_parse(const char *text, uint8_t ret_secret[32], struct sp_err *e);

#endif
