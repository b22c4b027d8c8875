#ifndef SP_CLIENT_UNIT_FILES_LINUX_H
#define SP_CLIENT_UNIT_FILES_LINUX_H

/* Where systemd's units lie, which of them are ours, and systemctl. */

#include "client/service.h"
#include "client/units_linux.h"

#define SP_UNIT_SCHEDULER "stillpoint.service"

struct sp_installer {
    const struct sp_service_ask *a;
    const struct sp_os *os;
    char *folder;  /* of the units */
    char *program; /* our own path */
    bool live;     /* systemd is here and is to be talked to */
    struct sp_units wanted;
    struct sp_strings there; /* names of ours in the folder */
};
enum sp_code
sp_installer_open(struct sp_installer *in, const struct sp_service_ask *a, struct sp_err *e);
void sp_installer_clear(struct sp_installer *in); /* also after a failed open */

/* *ret NUL-terminated, malloc'd. */
enum sp_code
sp_unit_read(const struct sp_installer *in, const char *name, char **ret, struct sp_err *e);
/* Writes and enables it; SP_REFUSED when one of that name is not ours. */
enum sp_code sp_unit_write(
    const struct sp_installer *in, const struct sp_unit *u, bool *ret_changed, struct sp_err *e);
/* Removes the links to it; a folder that is left empty goes with the last. */
enum sp_code sp_unit_disable(const struct sp_installer *in, const char *name, struct sp_err *e);
bool sp_ends_with(const char *s, const char *end);

/* systemctl [--user] VERB NAME…; its words go to standard error unless quiet. */
enum sp_code sp_systemctl(const struct sp_installer *in, const char *verb,
    const struct sp_strings *names, bool quiet, int *ret_status, struct sp_err *e);
/* The same, and it has to succeed; nothing when systemd is not here, or there are no names. */
enum sp_code sp_systemctl_must(const struct sp_installer *in, const char *verb,
    const struct sp_strings *names, struct sp_err *e);

#endif
