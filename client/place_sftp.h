#ifndef SP_CLIENT_PLACE_SFTP_H
#define SP_CLIENT_PLACE_SFTP_H

/* Between place.c, which knows what kinds of places there are, and place_sftp.c. */

#include "client/place.h"

enum sp_code place_sftp_open(struct sp_cli *c, const char *address, const struct sp_profile *p,
    bool create, struct sp_backend **ret, struct sp_err *e);

#endif
