#ifndef SP_TESTS_VSS_STEPS_H
#define SP_TESTS_VSS_STEPS_H

/* A session of the model driven by letters, one a call (step() lists them): "IXSMBVCPGfDGfUKGf" is a whole backup. For the
 * model's own tests. */

#include "tests/vss/model_calls.h"
#include "vss/hresult.h"

#define CLASS "a65faa63-5ea8-4ebc-9dbd-a0c4db26912a"
#define INSTANCE "11111111-2222-4333-8444-00000000000a"
#define VOLUME "\\\\?\\Volume{1}\\"

extern uint64_t steps_clock_ms;
extern const struct model_host steps_host; /* its clock is steps_clock_ms; it has no disk */

struct run {
    struct model *m;
    struct model_session *s;
    struct model_async *a; /* the one that was begun last and not waited for */
    char shadow[37], set[37];
    uint32_t status; /* of the last wait */
};
typedef uint32_t async_call(struct model_session *s, struct model_async **ret);

/* A machine of two volumes and a writer with the components One, Two, Two\Child; `more` lines of a script follow. */
struct run begun(const char *more);
void ended(struct run *r);
uint32_t waited(struct run *r, async_call *call, bool wait);
/* Capitals of asyncs wait to the end, small ones do not. */
uint32_t step(struct run *r, char letter);
/* All but the last letter, which are in order: fails the test otherwise. */
void walk(struct run *r, const char *letters);

#endif
