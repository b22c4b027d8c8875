#ifndef SP_TESTS_ACCOUNT_H
#define SP_TESTS_ACCOUNT_H

/* The SFTP backend over accounts of real servers, of which tests/sftp/with.sh tells in the
 * environment. */

#include "storage/backend_sftp.h"

/* What is said of a kind: account_address("plain_line") gives SP_SFTP_PLAIN_LINE; NULL: this
 * machine has none. */
const char *account_address(const char *kind);
/* At that address with `number` behind its path. */
enum sp_code account_open(
    const char *address, unsigned number, bool create, struct sp_backend **ret, struct sp_err *e);

#endif
