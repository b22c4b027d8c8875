#ifndef SP_TESTS_HISTORY_IMPL_H
#define SP_TESTS_HISTORY_IMPL_H

/* What history.c (playing) and history_verify.c share; nobody else includes it. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "history.h"
#include "localdisk.h"
#include "machine.h"

#define HISTORY_PACK (64u << 10)
#define HISTORY_CACHE "/cache"
#define NEVER UINT64_MAX

struct said { /* a record that was to be committed */
    unsigned host;
    enum sp_record_type type;
    uint8_t set_id[16];
    uint64_t sequence;
    struct sp_id root;
    uint64_t done; /* operations when the store said so; NEVER */
};

struct lasting { /* an id that was said to be durable */
    struct sp_id id;
    unsigned host;
    bool node;
    uint64_t since;
};

struct history {
    enum history_scenario scenario;
    uint64_t seed;
    struct history_world world; /* while it is played */
    struct cast *cast;
    unsigned hosts;
    bool server; /* its programs are a server's */
    uint8_t server_id[16];
    struct localdisk *disk;
    struct sp_clock clock;
    int64_t now_ns;
    struct sp_env env;
    struct tree trees[CAST_HOSTS]; /* at the end */

    uint64_t made;     /* operations when the repository and its hosts were said to be there */
    uint64_t idles[4]; /* … and when hours passed */
    unsigned nidles;
    struct said *said;
    size_t nsaid, said_cap;
    struct lasting *lasting;
    size_t nlasting, lasting_cap;
    bool ended;
};

/* Another version of some files of the host: `turn` makes it a function. */
void history_change(struct tree *t, uint64_t turn, unsigned files);
const char *history_job(unsigned host);
struct sp_env history_env(struct history *h, struct localdisk *d);

struct verify {
    const struct history *h;
    struct history *mine; /* clock and cast, which a verification uses up */
    const struct history_world *w;
    const struct history_cut *cut;
    struct localdisk *disk;
    struct sp_env env;
    struct said made[CAST_HOSTS]; /* by the next runs */
    struct tree next[CAST_HOSTS];
    struct sp_repository *losing; /* loses a pack before the next commit; NULL: nothing */
    bool lost;
    const char *when;
    char *why;
};

/* Says what is wrong; false. */
bool verify_wrong(struct verify *v, const char *fmt, ...) SP_PRINTF(2, 3);
/* A store that keeps what a barrier covered, whole. */
bool verify_promised(const struct verify *v);
/* Whether what was said after `done` operations must hold now. */
bool verify_holds(const struct verify *v, uint64_t done);
/* All that is listed, and that all that must be is. */
bool verify_look(struct verify *v, struct sp_repository *r);
bool verify_heads(struct verify *v, struct sp_repository *r);
bool verify_lasting(struct verify *v, struct sp_repository *r);

#endif
