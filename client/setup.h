#ifndef SP_CLIENT_SETUP_H
#define SP_CLIENT_SETUP_H

/* What init, enroll and key join have in common: a host's identity, the slots of a new key group, the recovery
 * sheet. */

#include "client/cli.h"

struct setup {
    struct sp_profile *profile; /* owned; filled step by step */
    uint8_t identity_public[32];
    uint8_t recovery_secret[32]; /* goes onto the sheet and nowhere else */
    struct sp_buf slots;         /* one after the other */
    size_t slot_lens[8];
    size_t nslots;
    struct sp_buf host_record;
    const struct sp_os *os; /* the sheet's file, made and not written yet; NULL: none */
    struct sp_file *sheet;
    char *sheet_path;
};

/* SP_INVALID for what does not fit on one line of the profile and the sheet. */
enum sp_code setup_check_line(const char *what, const char *text, struct sp_err *e);
/* A fresh identity (host name: `name`, or the machine's) in an empty profile. */
enum sp_code setup_begin(struct sp_cli *c, const char *name, struct setup *s, struct sp_err *e);
/* New keys for a group of its own; a recovery key for the sheet; a slot for the administrator's recovery key
 * (NULL: none) and for the passphrase (NULL: none). */
enum sp_code setup_new_group(struct sp_cli *c, struct setup *s, const uint8_t *administrator,
    const char *passphrase, struct sp_err *e);
/* The host record under the profile's host id, name and keys. `before`: the host's record so far, whose keys
 * stay in front of ours (this machine takes the host over); NULL, 0 for a new host. */
enum sp_code setup_host_record(struct setup *s, const uint8_t *before, size_t before_n,
    struct sp_err *e);
/* Saves the profile, its slots, and makes it the default. */
enum sp_code setup_save(struct sp_cli *c, struct setup *s, struct sp_err *e);
/* Makes the sheet's file, new and for its owner only, before anything is made that needs a sheet.
 * file NULL: it will be printed. */
enum sp_code
setup_sheet_open(struct sp_cli *c, struct setup *s, const char *file, struct sp_err *e);
/* Prints the recovery sheet, or writes it to the file that was opened. */
enum sp_code setup_sheet(struct sp_cli *c, struct setup *s, struct sp_err *e);
/* Removes the file if the sheet was not written. */
void setup_sheet_drop(struct setup *s);
/* A new file that only its owner reads; SP_EXISTS when the name is taken. */
enum sp_code setup_write_secret(struct sp_cli *c, const char *file, const struct sp_buf *text,
    struct sp_err *e);
/* What was made, as members of a JSON object. */
void setup_json(const struct setup *s, struct sp_json *j);
void setup_clear(struct setup *s); /* wipes */

#endif
