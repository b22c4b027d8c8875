#ifndef SP_STORAGE_RECORD_H
#define SP_STORAGE_RECORD_H

/* Set records: what makes a catalog a backup set (docs/format.md §9). Encoded by protobuf-c, sealed as a
 * block, signed by the host. A server checks signature and chain with the clear part alone. */

#include "base/buf.h"
#include "base/verdict.h"
#include "storage/block.h"
#include "storage/keys.h"

enum sp_record_type {
    SP_RECORD_SET = 1,
    SP_RECORD_CHECKPOINT = 2,
    SP_RECORD_COMPLETION = 3,
    SP_RECORD_REMOVAL = 4
};
enum sp_set_state { SP_SET_CHECKPOINT = 1, SP_SET_COMPLETE = 2, SP_SET_INCOMPLETE = 3 };

struct sp_set { /* the clear part; plain values */
    uint8_t set_id[16], host[16], group[16];
    char job[256];
    uint64_t sequence;
    bool has_previous;
    uint8_t previous[32];
    enum sp_set_state state;
    int64_t started_ns, ended_ns;
    struct sp_id root;
    uint64_t entries, files, bytes, bytes_read, bytes_new, bytes_stored;
    uint64_t files_away; /* placeholders: recorded without their content */
    enum sp_level applications, files_level;
    char program[64];
};

struct sp_volume {
    char *path, *file_system, *source, *reason;
    enum sp_level consistency;
    int64_t instant_ns;
};
enum sp_fault_kind {
    SP_FAULT_UNREADABLE = 1,
    SP_FAULT_CHANGED = 2,
    SP_FAULT_ATTRIBUTES = 3,
    SP_FAULT_VANISHED = 4,
    SP_FAULT_FOLDER = 5
};
struct sp_fault {
    uint8_t *key;
    size_t key_len;
    enum sp_fault_kind kind;
    char *text;
};
struct sp_bytes {
    uint8_t *p;
    size_t n;
};
#define SP_RECORD_MAX_FAULTS 10000
struct sp_set_sealed { /* owns what it points to; empty with = {0} */
    uint8_t set_id[16];
    char *host_name, *platform;
    struct sp_bytes *roots;
    size_t nroots;
    struct sp_volume *volumes;
    size_t nvolumes;
    struct sp_fault *faults;
    size_t nfaults;
    uint64_t faults_total;
    char **excludes;
    size_t nexcludes;
    uint8_t *last_key;
    size_t last_key_len;
    uint64_t files_changed, files_new;
    bool has_verdict;
    struct sp_verdict verdict; /* owned */
};
void sp_set_sealed_clear(struct sp_set_sealed *s);

/* Appends the whole object. `type` SET or CHECKPOINT. */
enum sp_code sp_set_record_encode(enum sp_record_type type, const struct sp_set *clear,
    const struct sp_set_sealed *sealed, struct sp_sealer *sealer, struct sp_compressor *c,
    struct sp_opener *verify, struct sp_hasher *hasher, const uint8_t signing_secret[32],
    struct sp_buf *ret, struct sp_err *e);
/* Grammar and bounds only (an object is at most 16 MiB): SP_CORRUPT otherwise, SP_UNSUPPORTED for a newer
 * version. */
enum sp_code sp_set_record_decode(const void *p, size_t n, struct sp_set *ret, struct sp_err *e);
/* SP_CORRUPT unless one of the host's keys signed it and it names that host. */
enum sp_code sp_record_check_signature(enum sp_record_type type, const void *p, size_t n,
    const struct sp_host *host, struct sp_err *e);
/* Opens the sealed part; SP_CORRUPT when it belongs to another set. */
enum sp_code sp_set_record_open(const void *p, size_t n, struct sp_opener *o,
    struct sp_set_sealed *ret, struct sp_err *e);
/* Completions: what the VSS writers said after the set was committed (format.md §9). Signed by the host like
 * its set, never part of the chain; one a set, the first counts. */
struct sp_completion { /* the clear part */
    uint8_t set_id[16], host[16];
    uint8_t record[32]; /* SHA-256 of the set's object */
    enum sp_level applications; /* final */
};
struct sp_completion_sealed { /* owns what it points to; empty with = {0} */
    uint8_t set_id[16];
    struct sp_verdict verdict; /* final: takes the place of the set's */
    struct sp_completion_document { /* of a session, after BackupComplete; at most 8 MiB in all */
        char *name;
        uint8_t *p;
        size_t n;
    } *documents;
    size_t ndocuments;
};
void sp_completion_sealed_clear(struct sp_completion_sealed *s);
enum sp_code sp_completion_encode(const struct sp_completion *clear, const struct sp_completion_sealed *sealed,
    struct sp_sealer *sealer, struct sp_compressor *c, struct sp_opener *verify, struct sp_hasher *hasher,
    const uint8_t signing_secret[32], struct sp_buf *ret, struct sp_err *e);
enum sp_code sp_completion_decode(const void *p, size_t n, struct sp_completion *ret, struct sp_err *e);
/* SP_CORRUPT when it belongs to another set. The signature: sp_record_check_signature(SP_RECORD_COMPLETION, …). */
enum sp_code sp_completion_open(const void *p, size_t n, struct sp_opener *o,
    struct sp_completion_sealed *ret, struct sp_err *e);

/* SHA-256 of the whole object: what the next set's `previous` says. */
enum sp_code sp_record_hash(const void *p, size_t n, uint8_t ret[32], struct sp_err *e);

/* "sets/<host>/<yyyy-mm>/<time>-<id>.<type>"; to has room for 160 bytes. */
void sp_record_object_name(enum sp_record_type type, const uint8_t host[16], int64_t published_ns,
    const uint8_t set_id[16], char to[160]);
bool sp_record_object_parse(const char *object, enum sp_record_type *ret_type, uint8_t ret_host[16],
    int64_t *ret_published_ns, uint8_t ret_set_id[16]);

#endif
