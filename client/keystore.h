#ifndef SP_CLIENT_KEYSTORE_H
#define SP_CLIENT_KEYSTORE_H

/* What the platform has for keeping a program's secrets (R25). POSIX has nothing that a service could use
 * unattended: the secret is kept as it is, in a file that only its owner reads. */

#include "base/buf.h"

enum sp_code sp_keystore_wrap(const void *p, size_t n, struct sp_buf *ret, struct sp_err *e);
enum sp_code sp_keystore_unwrap(const void *p, size_t n, struct sp_buf *ret, struct sp_err *e);

#endif
