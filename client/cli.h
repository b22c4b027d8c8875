#ifndef SP_CLIENT_CLI_H
#define SP_CLIENT_CLI_H

/* The command line's frame: main.c finds the command, this carries what all commands share. One file per
 * command, cmd_<name>.c, exporting one `const struct sp_command sp_cmd_<name>`. The exit codes are those of
 * design §8, the same for every command; sp_cli_exit_code maps an error to one.
 *
 * Output: results go to standard output (text, or one JSON document with --json; items of long lists as they
 * come), progress, warnings and errors to standard error. One closing line says what was done. Names are shown
 * escaped. An error says what happened, to what, why, and what to do next. */

#include <stdio.h>

#include "base/json.h"
#include "base/log.h"
#include "base/os.h"
#include "base/text.h"
#include "client/completed.h"
#include "client/config.h"
#include "client/profile.h"
#include "storage/store.h"

enum sp_exit {
    SP_EXIT_DONE = 0,
    SP_EXIT_PARTLY = 1,   /* partly, or below the consistency required */
    SP_EXIT_FAILED = 2,   /* nothing made */
    SP_EXIT_DAMAGE = 3,   /* damage found in the repository */
    SP_EXIT_REFUSED = 4,  /* for safety */
    SP_EXIT_USAGE = 5,    /* or configuration */
    SP_EXIT_UNREACHABLE = 6, /* store, or login refused */
    SP_EXIT_INTERRUPTED = 130, /* 143 for SIGTERM */
};

struct sp_places;

struct sp_cli {
    const struct sp_env *env;
    struct sp_config *config; /* loaded on demand by sp_cli_config */
    const char *config_file;  /* --config */
    const char *repository;   /* -r; NULL: the default profile */
    const char *passphrase_file, *recovery_key_file; /* how to open a repository without a profile */
    struct sp_sftp_settings sftp; /* --sftp-… */
    bool sftp_keep_password, sftp_keep_passphrase;
    struct sp_places *places; /* client/place.h */
    bool json, quiet, verbose;
    bool terminal;  /* standard error is one, and progress is wanted */
    int argc;       /* of the command, options behind the command's name included */
    char **argv;    /* argv[0] is the command's name */
};

struct sp_command {
    const char *name, *summary; /* one line */
    const char *usage;          /* the whole help text */
    enum sp_exit (*run)(struct sp_cli *c);
};

/* Options that every command takes (-r, --config, --json, -q, -v, --passphrase-file, --recovery-key-file,
 * --help) are taken out of argv by main.c before run; a command parses the rest with getopt_long through
 * this: like getopt_long, but the error is ours ("backup: unknown option --foo; see stillpoint backup --help"). */
struct option;
int sp_cli_getopt(struct sp_cli *c, const char *shorts, const struct option *longs);
/* Prints "stillpoint: <text>" and gives the exit code for it. What these five print is one line each,
 * shown as sp_text_show does: names in it may be anyone's. */
enum sp_exit sp_cli_fail(struct sp_cli *c, const struct sp_err *e);
enum sp_exit sp_cli_exit_code(const struct sp_err *e);
enum sp_exit sp_cli_usage(struct sp_cli *c, const char *fmt, ...) SP_PRINTF(2, 3);
void sp_cli_warn(struct sp_cli *c, const char *fmt, ...) SP_PRINTF(2, 3);
/* What is going on, to standard error; not when quiet. Any thread. */
void sp_cli_notice(struct sp_cli *c, const char *fmt, ...) SP_PRINTF(2, 3);
void sp_cli_say(struct sp_cli *c, const char *fmt, ...) SP_PRINTF(2, 3); /* stdout; not when quiet or json */
/* What the user can do about it; NULL when the error's text says all that is known. */
const char *sp_cli_way_out(const struct sp_err *e);
/* To standard error: "stillpoint: WHAT: " (NULL: not said) and the error's text, and below it the way out. */
void sp_cli_tell_error(const char *what, const struct sp_err *e);
void sp_cli_print_json(struct sp_buf *b); /* the buffer and a line feed, to stdout; empties it */
enum sp_code sp_cli_config(struct sp_cli *c, struct sp_err *e);
/* A file's content without the line end; the caller wipes the buffer. */
enum sp_code sp_cli_read_secret_file(struct sp_cli *c, const char *file, struct sp_buf *ret,
    struct sp_err *e);
/* Of the platform: limits, locale, whether standard error is a terminal (terminal_posix.c). */
void sp_cli_platform_start(struct sp_cli *c);
/* Asks on the terminal without echo; SP_INVALID when there is none ("give --passphrase-file"). */
enum sp_code sp_cli_ask_secret(struct sp_cli *c, const char *prompt, struct sp_buf *ret,
    struct sp_err *e);

/* The same, shown while it is typed; `prompt` may be of several lines. */
enum sp_code sp_cli_ask_line(struct sp_cli *c, const char *prompt, struct sp_buf *ret,
    struct sp_err *e);
/* Whether somebody is there to be asked: a terminal, and this program in its foreground. */
bool sp_cli_can_ask(void);

/* --- signals (signals_posix.c) ---------------------------------------------------------------------- */

/* SIGINT/SIGTERM: the first asks the run to stop, the second cancels the store's waiting calls, the third
 * ends the process. */
void sp_signals_install(void);
/* For commands that make nothing: the first signal cancels the store's waiting calls already. */
void sp_signals_at_once(void);
bool sp_signals_stop(void *unused);    /* for sp_backup_run's `cancelled` */
/* Whether the store's waiting calls are cancelled: also for a store that is waited for in other ways. */
bool sp_signals_cancel(void *unused);
int sp_signals_which(void);            /* 0, SIGINT or SIGTERM */
int sp_signals_times(void);            /* how many came */
void sp_signals_store(struct sp_store *s); /* the store to cancel; NULL: none any more */

/* --- opening ----------------------------------------------------------------------------------------- */

enum sp_open_mode {
    SP_OPEN_READ,
    SP_OPEN_WRITE,
    SP_OPEN_LOOK, /* as READ, but a folder without a profile opens without a key when none is given */
    SP_OPEN_COPY /* as LOOK, for writing copies: as no host, and whether this machine knows it or not */
};
struct sp_opened_store {
    struct sp_store *store;
    struct sp_keys *keys;       /* owned; NULL only with SP_OPEN_LOOK */
    struct sp_profile *profile; /* owned; NULL when opened by passphrase or recovery key alone */
    char *address;
    uint8_t repository[16];
};
/* By the profile (no secret needed), or, for a path that has none on this machine, with a passphrase or
 * recovery key given or asked for (reading only). A folder whose id differs from the profile's is SP_REFUSED
 * ("another repository is mounted there"), a missing repository.conf says that the folder may be an unmounted
 * mount point. `address` NULL: c->repository. */
enum sp_code sp_cli_open(struct sp_cli *c, const char *address, enum sp_open_mode mode,
    struct sp_opened_store *ret, struct sp_err *e);
void sp_cli_close(struct sp_opened_store *o);
/* Whether a word names a path, and not a job: anything with a separator or a drive, "." and "..". */
bool sp_cli_is_path(const char *word);
bool sp_address_is_server(const char *address);
/* What the user typed as an address: a server's as it is, a folder's made absolute, an SFTP account's with
 * its user. *ret malloc'd. */
enum sp_code sp_cli_address(const char *given, char **ret, struct sp_err *e);
/* The keys of a store by passphrase or recovery key, from the files given or asked for. SP_AUTH when none opens
 * it. */
enum sp_code sp_cli_unlock(struct sp_cli *c, struct sp_store *store, const char *address,
    struct sp_keys **ret, struct sp_err *e);
/* The same from slots as an enrolment brings them: u32le length and slot, each. */
enum sp_code sp_cli_unlock_slots(struct sp_cli *c, const uint8_t *slots, size_t n,
    const char *address, struct sp_keys **ret, struct sp_err *e);

/* Finds a set: its id or a unique beginning of it (at least 4 digits), "latest" (of this host's newest),
 * "JOB", "JOB~1" (the one before), or HOST:… . The record is malloc'd. */
struct sp_found_set {
    struct sp_set set;
    struct sp_set_sealed sealed;
    int64_t published_ns;
    uint8_t *record;
    size_t record_len;
    uint8_t *completion; /* NULL: none */
    size_t completion_len;
    enum sp_completed completed;
    struct sp_completion_sealed final; /* of one that counts */
    enum sp_level applications;        /* final where `completed` is WELL, else as the record has it */
    bool unconfirmed;                  /* sp_completed_lacks */
    bool has_sealed; /* keys opened it */
    bool same_group; /* as the keys */
    bool signed_ok;  /* the host's record is there and its key signed this */
    struct sp_err unread; /* why the host's record could not be read, so that nobody can tell; SP_OK: it was */
};
enum sp_code sp_cli_find_set(struct sp_cli *c, struct sp_opened_store *o, const char *spec,
    struct sp_found_set *ret, struct sp_err *e);
/* SP_AUTH when the key that is here does not open the set. */
enum sp_code sp_found_set_need_key(const struct sp_found_set *f, struct sp_err *e);
/* The completion's, else the record's; NULL: it has none, or it is sealed. */
const struct sp_verdict *sp_found_set_verdict(const struct sp_found_set *f);
void sp_found_set_clear(struct sp_found_set *f);

/* --- progress ---------------------------------------------------------------------------------------- */

/* One line on a terminal, rewritten at most ten times a second: what, share done, rate, time left. */
struct sp_progress;
struct sp_progress *sp_progress_new(struct sp_cli *c, const char *what); /* NULL is harmless */
void sp_progress_show(struct sp_progress *p, uint64_t files, uint64_t bytes, uint64_t total_bytes,
    const void *key, size_t key_len);
/* The same of anything else that takes time: `done` of `total` (0: unknown), and in words. */
void sp_progress_tell(struct sp_progress *p, uint64_t done, uint64_t total, const char *fmt, ...)
    SP_PRINTF(4, 5);
/* Before anything else is written where the line stands; under the same lock as what shows it. */
void sp_progress_clear(struct sp_progress *p);
void sp_progress_free(struct sp_progress *p); /* clears the line */

#endif
