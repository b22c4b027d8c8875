#ifndef SP_CLIENT_OWNER_POSIX_H
#define SP_CLIENT_OWNER_POSIX_H

/* Names of users and groups, with a small cache over the system's databases, which may be slow
 * (LDAP). Unknown numbers are remembered too. Any thread. */

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

#define SP_OWNER_MOST                                                                              \
    256 /* bytes of a name that is kept, its NUL among them; a longer one is unknown */

struct sp_owners;
enum sp_code sp_owners_new(struct sp_owners **ret, struct sp_err *e);
void sp_owners_free(struct sp_owners *o); /* NULL is harmless */
/* "" when there is none, or when the database does not answer. */
void sp_owner_name(struct sp_owners *o, bool group, uint32_t id, char to[SP_OWNER_MOST]);

#endif
