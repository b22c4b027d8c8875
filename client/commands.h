#ifndef SP_CLIENT_COMMANDS_H
#define SP_CLIENT_COMMANDS_H

/* All commands, one file each (cmd_<name>.c). */

#include "client/cli.h"

extern const struct sp_command sp_cmd_init, sp_cmd_enroll, sp_cmd_backup, sp_cmd_list, sp_cmd_show,
    sp_cmd_find, sp_cmd_diff, sp_cmd_restore, sp_cmd_verify, sp_cmd_check, sp_cmd_key, sp_cmd_login, sp_cmd_service,
    sp_cmd_doctor, sp_cmd_vss, sp_cmd_copy;

#endif
