#ifndef SP_CLIENT_KEY_CMDS_H
#define SP_CLIENT_KEY_CMDS_H

/* The subcommands of `stillpoint key`, and what they share. */

#include "client/report.h"

struct key_args {
    struct sp_report *r;
    struct sp_cli *c;
    const char *name, *sheet, *label, *invitation;
    char **words; /* behind the subcommand */
    size_t nwords;
};

/* key_cmds_add.c */
enum sp_code key_add_passphrase(struct key_args *a, struct sp_err *e);
enum sp_code key_add_recovery(struct key_args *a, struct sp_err *e); /* words[0]: the public key */
enum sp_code key_sheet(struct key_args *a, struct sp_err *e);
enum sp_code key_invite(struct key_args *a, struct sp_err *e);
enum sp_code key_recovery_create(struct key_args *a, struct sp_err *e);
/* key_cmds_join.c */
enum sp_code key_join(struct key_args *a, struct sp_err *e);
/* key_cmds_rotate.c */
enum sp_code key_rotate(struct key_args *a, struct sp_err *e);

/* key_slots.c */
struct key_slot {
    struct sp_slot_info info;
    uint8_t *bytes;
    size_t n;
};
struct key_slots {
    struct key_slot *v; /* oldest first */
    size_t n;
};
/* The slots of one group. */
enum sp_code key_slots_read(
    struct sp_store *s, const uint8_t group[16], struct key_slots *ret, struct sp_err *e);
void key_slots_clear(struct key_slots *s);
/* Puts a slot into the store, and keeps copies of all in the profile. */
enum sp_code key_slot_put(
    struct sp_cli *c, struct sp_opened_store *o, const struct sp_buf *slot, struct sp_err *e);
enum sp_code key_slots_keep(
    struct sp_cli *c, struct sp_store *store, const struct sp_profile *p, struct sp_err *e);
/* The file's, or asked for twice; not empty. */
enum sp_code key_ask_passphrase(struct sp_cli *c, struct sp_buf *ret, struct sp_err *e);
const char *key_slot_kind(enum sp_slot_kind k);

#endif
