#ifndef SP_SERVER_CMD_H
#define SP_SERVER_CMD_H

/* The command line's frame: main.c finds the command, this carries what all commands share. One
 * file a command, cmd_<name>.c. Results go to standard output (text, or one JSON document with
 * --json), errors to standard error. Exit codes are those of design §8. */

#include "base/json.h"
#include "base/log.h"
#include "base/os.h"
#include "server/home.h"
#include "server/state.h"

struct sp_backend;

enum sp_exit {
    SP_EXIT_DONE = 0,
    SP_EXIT_FAILED = 2,
    SP_EXIT_DAMAGE = 3,
    SP_EXIT_REFUSED = 4,
    SP_EXIT_USAGE = 5,
    SP_EXIT_UNREACHABLE = 6
};

struct sp_cmd {
    const struct sp_env *env;
    const char *dir; /* -D */
    bool json, verbose;
    bool wall; /* the process is ours: confine it (wall.h) before it serves */
    int argc;  /* of the command; argv[0] is its name, shared options are taken out */
    char **argv;
};

struct sp_command {
    const char *name, *summary, *usage;
    enum sp_exit (*run)(struct sp_cmd *c);
};
extern const struct sp_command sp_cmd_init, sp_cmd_run, sp_cmd_host, sp_cmd_sets, sp_cmd_status,
    sp_cmd_copy;

/* Like getopt_long over the command's arguments, but the error is ours: '?' after it was told. */
struct option;
int sp_cmd_getopt(struct sp_cmd *c, const char *shorts, const struct option *longs);
enum sp_exit sp_cmd_usage(struct sp_cmd *c, const char *fmt, ...) SP_PRINTF(2, 3);
/* Tells the error (with --json also as a document) and gives its exit code. */
enum sp_exit sp_cmd_fail(struct sp_cmd *c, const struct sp_err *e);
enum sp_exit sp_cmd_exit_code(const struct sp_err *e);
/* "stillpointd: text" to standard error, shown as sp_text_show does: it may hold what hosts sent.
 */
void sp_cmd_tell(const char *text);
/* What a host named, for a terminal: a name can hold what moves the cursor or looks like a line. */
struct sp_cmd_shown {
    char s[1100];
};
struct sp_cmd_shown sp_cmd_shown(const char *text);
/* The buffer and a line feed to standard output; empties it. */
void sp_cmd_print(struct sp_buf *b);
/* DIR with its configuration and state; close both with sp_home_close and sp_state_close. */
enum sp_code sp_cmd_open(
    struct sp_cmd *c, struct sp_home *ret_home, struct sp_state **ret_state, struct sp_err *e);
/* The folder of the configuration, as a backend. */
enum sp_code sp_cmd_backend(
    struct sp_cmd *c, const struct sp_home *h, struct sp_backend **ret, struct sp_err *e);
/* A time for people, or `none` when it is 0. */
struct sp_cmd_time {
    char s[32];
};
struct sp_cmd_time sp_cmd_time(int64_t wall_ns, const char *none);
/* The member `key` as a time, or null when it is 0. */
void sp_cmd_json_time(struct sp_json *j, const char *key, int64_t wall_ns);

/* --- platform_posix.c, platform_win32.c ------------------------------------------------------- */

/* Signals that must not end the program, rights of new files, memory and threads. */
void sp_platform_start(void);
/* Where the server's folder is when nobody says; lives as long as the program. */
const char *sp_platform_dir(void);
/* SP_REFUSED: another than the administrators may have made that folder. */
enum sp_code sp_platform_dir_safe(const char *dir, struct sp_err *e);

#endif
