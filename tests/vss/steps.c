#include "tests/vss/steps.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char plain[] = "volume \"" VOLUME "\" /nowhere\n"
                            "volume \"\\\\?\\Volume{2}\\\" /nowhere/else unsupported\n"
                            "writer " CLASS " " INSTANCE " Writer\n"
                            "component database \"\" One\n"
                            "stamp\n"
                            "component database \"\" Two\n"
                            "component filegroup \"Two\" Child unselectable\n";

static uint64_t
now(void *arg)
{
    return *(uint64_t *)arg;
}

static void
pass(void *arg, uint32_t ms)
{
    *(uint64_t *)arg += ms;
}

uint64_t steps_clock_ms;
const struct model_host steps_host = {
    .now_ms = now, .sleep_ms = pass, .separator = '/', .arg = &steps_clock_ms};

static const struct model_ref one = {CLASS, INSTANCE, 1, "", "One"};

struct run
begun(const char *more)
{
    struct run r = {0};
    char why[256] = "", script[2048];

    snprintf(script, sizeof script, "%s%s", plain, more);
    steps_clock_ms = 1000;
    r.m = model_new(script, &steps_host, why);
    if (!r.m)
        fail_msg("%s", why);
    assert_int_equal(model_create(r.m, &r.s), 0);
    return r;
}

void
ended(struct run *r)
{
    model_release_async(r->a);
    model_release(r->s);
    model_free(r->m);
}

uint32_t
waited(struct run *r, async_call *call, bool wait)
{
    struct model_async *a;
    uint32_t hr = call(r->s, &a);

    if (hr)
        return hr;
    if (!wait) {
        r->a = a;
        return 0;
    }
    assert_int_equal(model_wait(a, 1000, &r->status), 0);
    model_release_async(a);
    return 0;
}

/* One letter a call; capitals of asyncs wait to the end, small ones do not. */
uint32_t
step(struct run *r, char letter)
{
    uint32_t n;
    int32_t deleted;
    bool yes;
    const struct model_writer *w;
    struct model_status st;
    struct model_report report;
    struct model_shadow shadow;
    const char *p;
    size_t len;

    switch (letter) {
    case 'I':
        return model_initialize_for_backup(r->s);
    case 'X':
        return model_set_context(r->s, 0);
    case 'S':
    case 's':
        return model_set_backup_state(r->s, letter == 'S', true, 5, false);
    case 'M':
    case 'm':
        return waited(r, model_gather_metadata, letter == 'M');
    case 'N':
        return model_metadata_count(r->s, &n);
    case 'n':
        return model_metadata(r->s, 0, &w);
    case 'F':
        return model_free_metadata(r->s);
    case 'B':
        return model_start_set(r->s, r->set);
    case 'v':
        return model_volume_supported(r->s, VOLUME, &yes);
    case 'V':
        return model_add_volume(r->s, VOLUME, r->shadow);
    case 'C':
        return model_add_component(r->s, &one);
    case 'P':
    case 'p':
        return waited(r, model_prepare, letter == 'P');
    case 'G':
    case 'g':
        return waited(r, model_gather_status, letter == 'G');
    case 'T':
        return model_status_count(r->s, &n);
    case 't':
        return model_status(r->s, 0, &st);
    case 'f':
        return model_free_status(r->s);
    case 'R':
        return model_component_report(r->s, &one, &report);
    case 'D':
    case 'd':
        return waited(r, model_do_snapshot, letter == 'D');
    case 'Q':
        return model_properties(r->s, r->shadow, &shadow);
    case 'U':
        return model_set_succeeded(r->s, &one, true);
    case 'K':
    case 'k':
        return waited(r, model_complete, letter == 'K');
    case 'A':
        return model_abort(r->s);
    case 'O':
        return model_document(r->s, &p, &len);
    case 'Z':
        return model_delete_set(r->s, r->set, &deleted);
    case 'w':
        assert_int_equal(model_wait(r->a, 1000, &r->status), 0);
        return r->status == SP_VSS_S_ASYNC_FINISHED ? 0 : r->status;
    case 'c':
        return model_cancel(r->a);
    case 'L':
        model_release(r->s);
        r->s = NULL;
        return SP_VSS_E_BAD_STATE; /* it cannot say so itself */
    default:
        fail_msg("no step %c", letter);
        return 0;
    }
}

/* All but the last are in order. */
void
walk(struct run *r, const char *letters)
{
    for (size_t i = 0; i + 1 < strlen(letters); i++) {
        uint32_t hr = step(r, letters[i]);

        if (hr)
            fail_msg(
                "%s: %c gave 0x%08x\n%s", letters, letters[i], (unsigned)hr, model_trace(r->m));
    }
}
