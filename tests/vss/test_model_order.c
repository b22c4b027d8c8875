/* Each row of the model's order is refused when it is broken, and no other. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/vss/model_order.h"
#include "tests/vss/steps.h"

static const struct {
    const char *letters; /* the last one is out of order */
    enum model_call call;
    enum model_fact fact;
    bool wanted;
} breaches[] = {
#define WITHOUT(letters, call, fact)                                                               \
    {                                                                                              \
        letters, MODEL_##call, FACT_##fact, true                                                   \
    }
#define AFTER(letters, call, fact)                                                                 \
    {                                                                                              \
        letters, MODEL_##call, FACT_##fact, false                                                  \
    }
    WITHOUT("X", set_context, INITIALIZED),
    WITHOUT("S", set_backup_state, INITIALIZED),
    WITHOUT("m", gather_metadata, INITIALIZED),
    WITHOUT("N", metadata_count, INITIALIZED),
    WITHOUT("n", metadata, INITIALIZED),
    WITHOUT("F", free_metadata, INITIALIZED),
    WITHOUT("B", start_set, INITIALIZED),
    WITHOUT("v", volume_supported, INITIALIZED),
    WITHOUT("V", add_volume, INITIALIZED),
    WITHOUT("C", add_component, INITIALIZED),
    WITHOUT("p", prepare, INITIALIZED),
    WITHOUT("g", gather_status, INITIALIZED),
    WITHOUT("T", status_count, INITIALIZED),
    WITHOUT("t", status, INITIALIZED),
    WITHOUT("f", free_status, INITIALIZED),
    WITHOUT("R", component_report, INITIALIZED),
    WITHOUT("d", do_snapshot, INITIALIZED),
    WITHOUT("Q", properties, INITIALIZED),
    WITHOUT("U", succeeded, INITIALIZED),
    WITHOUT("k", complete, INITIALIZED),
    WITHOUT("A", abort, INITIALIZED),
    WITHOUT("O", document, INITIALIZED),
    WITHOUT("Z", delete_set, INITIALIZED),
    AFTER("II", initialize_for_backup, INITIALIZED),
    /* while an async is at work */
    AFTER("IXSmX", set_context, RUNNING),
    AFTER("ImS", set_backup_state, RUNNING),
    AFTER("ImN", metadata_count, RUNNING),
    AFTER("ImB", start_set, RUNNING),
    AFTER("IXSMBVCpG", gather_status, RUNNING),
    AFTER("IXSMBVCpd", do_snapshot, RUNNING),
    AFTER("IXSMBVCPGfdQ", properties, RUNNING),
    AFTER("IXSMBVCPGfdU", succeeded, RUNNING),
    AFTER("IXSMBVCPgT", status_count, RUNNING),
    AFTER("IXSMBVCPGfDGfUkO", document, RUNNING),
    AFTER("ImL", release, RUNNING),
    /* once aborted */
    AFTER("IXSMBVCPAd", do_snapshot, ABORTED),
    AFTER("IXSMBVCPGfDAQ", properties, ABORTED),
    AFTER("IXSMBVCPGfDAU", succeeded, ABORTED),
    AFTER("IXSMBVCPGfDAk", complete, ABORTED),
    AFTER("IXSMAB", start_set, ABORTED),
    AFTER("IXSMBAV", add_volume, ABORTED),
    AFTER("IXSMBVAp", prepare, ABORTED),
    AFTER("IXSMAC", add_component, ABORTED),
    AFTER("IAX", set_context, ABORTED),
    AFTER("IAS", set_backup_state, ABORTED),

    AFTER("IXX", set_context, CONTEXT),
    AFTER("IMX", set_context, META_BEGUN),
    AFTER("IXSMBVPS", set_backup_state, PREPARE_BEGUN),
    AFTER("IMm", gather_metadata, META_BEGUN),
    WITHOUT("IN", metadata_count, META),
    WITHOUT("In", metadata, META),
    WITHOUT("IF", free_metadata, META),
    AFTER("IMFN", metadata_count, META_FREED),
    AFTER("IMFF", free_metadata, META_FREED),
    WITHOUT("IXSB", start_set, META),
    AFTER("IXSMBB", start_set, SET),
    WITHOUT("IXSMV", add_volume, SET),
    AFTER("IXSMBVPV", add_volume, PREPARE_BEGUN),
    WITHOUT("IXSC", add_component, META),
    WITHOUT("IXMC", add_component, BY_COMPONENTS),
    WITHOUT("IXsMC", add_component, BY_COMPONENTS),
    AFTER("IXSMBVPC", add_component, PREPARE_BEGUN),
    WITHOUT("IXMBVp", prepare, STATE),
    WITHOUT("IXSMp", prepare, SET),
    WITHOUT("IXSMBp", prepare, VOLUME),
    AFTER("IXSMBVPp", prepare, PREPARE_BEGUN),
    WITHOUT("IXSMBVCd", do_snapshot, PREPARED),
    WITHOUT("IXSMBVCPd", do_snapshot, PREPARED_ASKED),
    AFTER("IXSMBVCPGfDd", do_snapshot, SNAP_BEGUN),
    AFTER("IXSMBVCPGg", gather_status, STATUS),
    WITHOUT("IXSMBVCPT", status_count, STATUS),
    WITHOUT("IXSMBVCPGft", status, STATUS),
    WITHOUT("If", free_status, ASKED),
    WITHOUT("IR", component_report, META),
    WITHOUT("IXSMBVCPGfQ", properties, SNAP),
    WITHOUT("IXSMBVCPGfU", succeeded, SNAP),
    WITHOUT("IXSMBVCPGfk", complete, SNAP),
    AFTER("IXSMBVCPGfDGfKU", succeeded, COMPLETE_BEGUN),
    WITHOUT("IXSMBVCPGfDUk", complete, SNAP_ASKED),
    AFTER("IXSMBVCPGfDGfUKk", complete, COMPLETE_BEGUN),
    AFTER("IXSMBVCPGfDGfUKGfA", abort, COMPLETED),
    WITHOUT("IXSMBVCPGfDGfUKL", release, COMPLETE_ASKED),
};

static void
test_each_row_is_refused(void **state)
{
    size_t n;
    const struct model_row *rows = model_rows(&n);
    bool *seen = calloc(n, sizeof *seen);

    (void)state;
    assert_non_null(seen);
    for (size_t i = 0; i < sizeof breaches / sizeof breaches[0]; i++) {
        const char *letters = breaches[i].letters;
        struct run r = begun("");
        size_t row = 0;

        walk(&r, letters);
        if (model_illegal(r.m))
            fail_msg("%s: out of order too early\n%s", letters, model_trace(r.m));
        assert_int_equal(step(&r, letters[strlen(letters) - 1]), SP_VSS_E_BAD_STATE);
        while (row < n && !model_row_hits(r.m, row))
            row++;
        if (row == n || !(rows[row].calls & MODEL_BIT(breaches[i].call)) ||
            rows[row].fact != breaches[i].fact || rows[row].wanted != breaches[i].wanted)
            fail_msg("%s: another row than was meant\n%s", letters, model_trace(r.m));
        assert_non_null(strstr(model_trace(r.m), "illegal"));
        assert_non_null(strstr(model_trace(r.m), rows[row].page));
        seen[row] = true;
        ended(&r);
    }
    for (size_t i = 0; i < n; i++)
        if (!seen[i])
            fail_msg("no case breaks row %zu: %s", i, rows[i].why);
    free(seen);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_each_row_is_refused)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
