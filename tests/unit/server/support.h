#ifndef SP_TESTS_SERVER_SUPPORT_H
#define SP_TESTS_SERVER_SUPPORT_H

/* What the tests of server/ share: a folder of its own, a clock that can be set, commands run as a
 * user would run them, and keys as a client has them. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/os.h"
#include "base/random.h"
#include "base/text.h"
#include "proto/token.h"
#include "server/cmd.h"
#include "server/home.h"
#include "server/state.h"
#include "storage/keys.h"
#include "storage/repository.h"

#define assert_ok(call)                                                                            \
    do {                                                                                           \
        struct sp_err ok_err = {0};                                                                \
        struct sp_err *e = &ok_err;                                                                \
        if ((call) != SP_OK)                                                                       \
            fail_msg("%s: %s", #call, ok_err.text);                                                \
    } while (0)

#define assert_code(want, call)                                                                    \
    do {                                                                                           \
        struct sp_err code_err = {0};                                                              \
        struct sp_err *e = &code_err;                                                              \
        enum sp_code code_got = (call);                                                            \
        if (code_got != (want))                                                                    \
            fail_msg("%s: %s, wanted %s: %s", #call, sp_code_word(code_got), sp_code_word(want),   \
                code_err.text);                                                                    \
        assert_int_equal(code_err.code, want);                                                     \
        assert_true(code_err.text[0] != '\0');                                                     \
    } while (0)

#define DAY_NS (86400 * SP_SECOND)

struct place {
    char dir[256]; /* everything lies below */
    char home[300], repository[300];
    struct sp_env env; /* the system's, with a clock that runs `ahead` of it */
    struct sp_clock clock;
    atomic_int_fast64_t ahead_ns;
};
/* A new folder; nothing in it yet. */
void place_make(struct place *p);
void place_remove(struct place *p);
/* `stillpointd init` there, listening on any free port of 127.0.0.1. */
void place_init(struct place *p);

/* Runs a command: place_run(p, out, cap, "host", "add", "desk"). What it printed is in `out` (cut
 * to fit). */
#define place_run(p, out, cap, ...)                                                                \
    place_run_words(p, out, cap, (const char *const[]){__VA_ARGS__, NULL})
enum sp_exit place_run_words(struct place *p, char *out, size_t cap, const char *const *words);
/* `host add` or `host replace`, with or without options. */
void place_token(struct place *p, const char *verb, const char *name, struct sp_token *ret);

/* The last line of a text without its end; cuts the text. */
char *last_line(char *text);

#endif
