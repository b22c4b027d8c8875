#ifndef SP_STORAGE_SFTP_PACKET_H
#define SP_STORAGE_SFTP_PACKET_H

/* The packets of SFTP version 3 (draft-ietf-secsh-filexfer-02; for the extensions OpenSSH's
 * PROTOCOL file): `u32 length ‖ u8 type ‖ u32 id ‖ …`, all numbers big endian, strings `u32 length
 * ‖ bytes`. Cursors carry their failure inside (base/buf.h); a string is never longer than its
 * packet. */

#include "base/buf.h"
#include "storage/sftp_session.h"

enum {
    SP_FXP_INIT = 1,
    SP_FXP_VERSION = 2,
    SP_FXP_OPEN = 3,
    SP_FXP_CLOSE = 4,
    SP_FXP_READ = 5,
    SP_FXP_WRITE = 6,
    SP_FXP_LSTAT = 7,
    SP_FXP_FSTAT = 8,
    SP_FXP_SETSTAT = 9,
    SP_FXP_FSETSTAT = 10,
    SP_FXP_OPENDIR = 11,
    SP_FXP_READDIR = 12,
    SP_FXP_REMOVE = 13,
    SP_FXP_MKDIR = 14,
    SP_FXP_RMDIR = 15,
    SP_FXP_REALPATH = 16,
    SP_FXP_STAT = 17,
    SP_FXP_RENAME = 18,
    SP_FXP_READLINK = 19,
    SP_FXP_SYMLINK = 20,
    SP_FXP_STATUS = 101,
    SP_FXP_HANDLE = 102,
    SP_FXP_DATA = 103,
    SP_FXP_NAME = 104,
    SP_FXP_ATTRS = 105,
    SP_FXP_EXTENDED = 200,
    SP_FXP_EXTENDED_REPLY = 201
};

enum {
    SP_FX_OK = 0,
    SP_FX_EOF = 1,
    SP_FX_NO_SUCH_FILE = 2,
    SP_FX_PERMISSION_DENIED = 3,
    SP_FX_FAILURE = 4,
    SP_FX_BAD_MESSAGE = 5,
    SP_FX_NO_CONNECTION = 6,
    SP_FX_CONNECTION_LOST = 7,
    SP_FX_OP_UNSUPPORTED = 8
};

/* Big endian, as everything in SSH. */
void sp_sftp_put_u32(struct sp_buf *b, uint32_t v);
void sp_sftp_put_u64(struct sp_buf *b, uint64_t v);
void sp_sftp_put_string(struct sp_buf *b, const void *p, size_t n);
uint32_t sp_sftp_u32(struct sp_cur *c);
uint64_t sp_sftp_u64(struct sp_cur *c);
struct sp_cur sp_sftp_string(struct sp_cur *c); /* a view */

void sp_sftp_put_init(struct sp_buf *b);
void sp_sftp_put_limits(struct sp_buf *b, uint32_t id); /* asks for them */
/* A request with q->id, whole but for the payload of a WRITE, which follows it. */
void sp_sftp_put_request(struct sp_buf *b, const struct sp_sftp_request *q);
/* Which packet answers it when all is well; STATUS is due always. */
uint8_t sp_sftp_answer_of(enum sp_sftp_type type);
/* ATTRS, with what it has beyond size, mode and times passed over. */
void sp_sftp_attrs(struct sp_cur *c, struct sp_sftp_attrs *ret);

/* What a STATUS other than OK says, as the sentence "<verb> <path>: <words>". */
void sp_sftp_status_error(
    const struct sp_sftp_request *q, uint32_t status, struct sp_cur text, struct sp_err *ret);

#endif
