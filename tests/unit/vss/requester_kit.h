#ifndef SP_TESTS_UNIT_VSS_REQUESTER_KIT_H
#define SP_TESTS_UNIT_VSS_REQUESTER_KIT_H

/* A machine of the model with two volumes, C and D, plain folders; a requester on it; and what must
 * be left of both in the end. Everything is counted after each test: nothing open, nothing unended,
 * nothing out of order. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "tests/vss/double.h"
#include "vss/requester.h"

struct kit {
    char top[64], c[80], d[80], shadows[80], journal[80];
    struct sp_os os; /* the system's, but for flushing */
    struct sp_env env;
    const struct sp_vss_api *api;
    struct model *m;
    struct sp_requester *r;
    struct sp_requester_options o;
    struct sp_vss_key roots[2];
    struct sp_buf keys[2];
    char *said;       /* all sentences, a line each */
    unsigned asked;   /* how often `cancelled` was */
    unsigned stop_at; /* it says yes from then on; 0: never */
    bool abort_fails; /* the script says so: what was called is counted elsewhere */
    struct sp_err err;
};

/* Folders and options; roots C and D; limits of a few milliseconds. */
void kit_new(struct kit *k);
/* The machine, as script_make puts it together (machine.vss comes first). */
void kit_machine(struct kit *k, const char *const *parts);
#define KIT_MACHINE(k, ...) kit_machine(k, (const char *const[]){__VA_ARGS__, NULL})
enum sp_code kit_plan(struct kit *k);
enum sp_code kit_take(struct kit *k);           /* plan and take */
enum sp_code kit_run(struct kit *k, bool made); /* plan, take, finish */
void kit_check(struct kit *k);                  /* frees the requester; nothing is left */
void kit_free(struct kit *k);                   /* kit_check and all the rest */

const struct sp_verdict *kit_verdict(const struct kit *k);
/* A component by its unit's name. Fails the test when it is not there. */
const struct sp_verdict_component *kit_component(const struct kit *k, const char *unit);
bool kit_said(const struct kit *k, const char *part);
unsigned kit_count(const struct kit *k, const char *call);
void kit_write(const char *folder, const char *name, const char *text); /* makes the folder */
void kit_expect(const char *folder, const char *name, const char *text);
unsigned kit_files_in(const char *folder);

/* One writer: a database on both volumes, and a file group. */
#define SMALL                                                                                      \
    "writer aaaaaaaa-0000-4000-8000-000000000001 11111111-0000-4000-8000-000000000001 Small\n"     \
    "  component database \"\" DB\n"                                                               \
    "    database @D@/db data.mdf\n"                                                               \
    "    log @C@/logs data.ldf\n"                                                                  \
    "  component filegroup \"\" Files\n"                                                           \
    "    file @C@/files * recursive\n"

#endif
