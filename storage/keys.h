#ifndef SP_STORAGE_KEYS_H
#define SP_STORAGE_KEYS_H

/* A key group's secrets, what is derived from them, and the slots that wrap them (docs/format.md §3,
 * §4). Secrets are wiped when freed. A `struct sp_keys` is immutable once made and may be shared by
 * threads. */

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/random.h"

#define SP_GROUP_SIZE 16

struct sp_keys;

enum sp_code sp_keys_generate(const struct sp_random *r, struct sp_keys **ret, struct sp_err *e);
enum sp_code sp_keys_decode(const void *secrets, size_t n, struct sp_keys **ret, struct sp_err *e);
/* Appends the secrets (format.md §3) for the machine's own key store; the caller wipes the buffer. */
enum sp_code sp_keys_encode(const struct sp_keys *k, struct sp_buf *ret, struct sp_err *e);
/* The same group with one epoch more. */
enum sp_code sp_keys_rotate(const struct sp_keys *k, const struct sp_random *r, struct sp_keys **ret,
    struct sp_err *e);
void sp_keys_free(struct sp_keys *k);

const uint8_t *sp_keys_group(const struct sp_keys *k); /* 16 bytes */
const uint8_t *sp_keys_id(const struct sp_keys *k);    /* 32 each */
const uint8_t *sp_keys_split(const struct sp_keys *k);
const uint8_t *sp_keys_mac(const struct sp_keys *k);
uint32_t sp_keys_epoch(const struct sp_keys *k); /* the highest */
/* NULL when that epoch is not known. */
const uint8_t *sp_keys_seal(const struct sp_keys *k, uint32_t epoch);

/* --- slots ------------------------------------------------------------------------------------- */

enum sp_slot_kind { SP_SLOT_PASSPHRASE = 1, SP_SLOT_RECOVERY = 2, SP_SLOT_INVITATION = 3 };

struct sp_slot_info { /* what a slot says in clear */
    uint8_t group[16], id[16];
    enum sp_slot_kind kind;
    uint32_t epoch;
    int64_t created_ns;
    char label[128];
    uint64_t work;          /* passphrase: bytes that scrypt goes through; 0: it is refused */
    uint8_t recipient[32];  /* recovery */
    uint8_t proof_hash[32]; /* invitation */
};

/* Each appends an encoded KeySlot to `ret`. */
enum sp_code sp_slot_seal_passphrase(const struct sp_keys *k, const char *passphrase,
    const char *label, int64_t now_ns, const struct sp_random *r, struct sp_buf *ret, struct sp_err *e);
enum sp_code sp_slot_seal_recovery(const struct sp_keys *k, const uint8_t recipient[32],
    const char *label, int64_t now_ns, const struct sp_random *r, struct sp_buf *ret, struct sp_err *e);
enum sp_code sp_slot_seal_invitation(const struct sp_keys *k, const uint8_t invitation[32],
    const char *label, int64_t now_ns, const struct sp_random *r, struct sp_buf *ret, struct sp_err *e);

enum sp_code sp_slot_parse(const void *slot, size_t n, struct sp_slot_info *ret, struct sp_err *e);
/* SP_AUTH when the secret is wrong (or the slot was altered: the two cannot be told apart, and the
 * sentence says so); SP_INVALID when the slot is of another kind. */
enum sp_code sp_slot_open_passphrase(const void *slot, size_t n, const char *passphrase,
    struct sp_keys **ret, struct sp_err *e);
enum sp_code sp_slot_open_recovery(const void *slot, size_t n, const uint8_t secret[32],
    struct sp_keys **ret, struct sp_err *e);
enum sp_code sp_slot_open_invitation(const void *slot, size_t n, const uint8_t invitation[32],
    struct sp_keys **ret, struct sp_err *e);

/* What an invitation shows to a server: its slot's id and the proof. */
enum sp_code sp_invitation_public(const uint8_t invitation[32], uint8_t ret_id[16],
    uint8_t ret_proof[32], struct sp_err *e);

/* --- host records (docs/format.md §5) --------------------------------------------------------- */

struct sp_host {
    uint8_t id[16], group[16];
    char name[256];
    size_t nkeys; /* 1 … 16 */
    uint8_t keys[16][32];
};

enum sp_code sp_host_encode(const struct sp_host *h, const struct sp_keys *k, struct sp_buf *ret,
    struct sp_err *e);
/* k NULL: the MAC is not checked (a server has no keys). SP_CORRUPT when it is wrong. */
enum sp_code sp_host_decode(const void *p, size_t n, const struct sp_keys *k, struct sp_host *ret,
    struct sp_err *e);

/* --- the recovery sheet -------------------------------------------------------------------------- */

struct sp_sheet {
    const char *store;       /* address as the user would type it */
    const char *fingerprint; /* of the server; NULL without one */
    const char *host_key;    /* "SHA256:…" of the SSH server that has it; NULL: none is known */
    const char *host_name;
    uint8_t repository[16], group[16];
    uint8_t recovery[32]; /* the private key */
};
/* Plain text, 72 columns, one page, with how to restore; the only place where the private key is. */
enum sp_code sp_sheet_print(const struct sp_sheet *s, int64_t now_ns, struct sp_buf *ret,
    struct sp_err *e);
/* Finds the private key in a whole sheet, or in the key alone as typed. */
enum sp_code sp_sheet_parse_key(const char *text, uint8_t ret_recovery[32], struct sp_err *e);

#endif
