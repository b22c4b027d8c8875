/* The table of HRESULTs: complete, well-formed, and what an error of VSS becomes. */

#include "tests/unit/base/support.h"

#include <ctype.h>

#include "vss/explain.h"
#include "vss/hresult.h"

/* Written by hand from Microsoft's page (volume-shadow-copy-error-codes): what an administrator
 * meets must be known, by that name. */
static const struct {
    uint32_t code;
    const char *name;
} must[] = {
    {0x80042301u, "VSS_E_BAD_STATE"},
    {0x80042304u, "VSS_E_PROVIDER_NOT_REGISTERED"},
    {0x80042306u, "VSS_E_PROVIDER_VETO"},
    {0x80042308u, "VSS_E_OBJECT_NOT_FOUND"},
    {0x8004230Cu, "VSS_E_VOLUME_NOT_SUPPORTED"},
    {0x8004230Du, "VSS_E_OBJECT_ALREADY_EXISTS"},
    {0x8004230Fu, "VSS_E_UNEXPECTED_PROVIDER_ERROR"},
    {0x80042310u, "VSS_E_CORRUPT_XML_DOCUMENT"},
    {0x80042311u, "VSS_E_INVALID_XML_DOCUMENT"},
    {0x80042312u, "VSS_E_MAXIMUM_NUMBER_OF_VOLUMES_REACHED"},
    {0x80042313u, "VSS_E_FLUSH_WRITES_TIMEOUT"},
    {0x80042314u, "VSS_E_HOLD_WRITES_TIMEOUT"},
    {0x80042316u, "VSS_E_SNAPSHOT_SET_IN_PROGRESS"},
    {0x80042317u, "VSS_E_MAXIMUM_NUMBER_OF_SNAPSHOTS_REACHED"},
    {0x80042318u, "VSS_E_WRITER_INFRASTRUCTURE"},
    {0x80042319u, "VSS_E_WRITER_NOT_RESPONDING"},
    {0x8004231Bu, "VSS_E_UNSUPPORTED_CONTEXT"},
    {0x8004231Fu, "VSS_E_INSUFFICIENT_STORAGE"},
    {0x8004232Cu, "VSS_E_NESTED_VOLUME_LIMIT"},
    {0x8004232Du, "VSS_E_VOLUME_NOT_LOCAL"},
    {0x80042336u, "VSS_E_WRITERERROR_PARTIAL_FAILURE"},
    {0x800423F0u, "VSS_E_WRITERERROR_INCONSISTENTSNAPSHOT"},
    {0x800423F1u, "VSS_E_WRITERERROR_OUTOFRESOURCES"},
    {0x800423F2u, "VSS_E_WRITERERROR_TIMEOUT"},
    {0x800423F3u, "VSS_E_WRITERERROR_RETRYABLE"},
    {0x800423F4u, "VSS_E_WRITERERROR_NONRETRYABLE"},
    {0x800423F5u, "VSS_E_WRITERERROR_RECOVERY_FAILED"},
    {0x800423FBu, "VSS_E_AUTORECOVERY_FAILED"},
    {0x80042409u, "VSS_E_WRITER_STATUS_NOT_AVAILABLE"},
    {0x80070005u, "E_ACCESSDENIED"},
    {0x8007000Eu, "E_OUTOFMEMORY"},
    {0x80040154u, "REGDB_E_CLASSNOTREG"},
    {0x80070422u, "ERROR_SERVICE_DISABLED"},
    {0x80010119u, "RPC_E_TOO_LATE"},
    {0x800706BAu, "RPC_S_SERVER_UNAVAILABLE"},
    {0x8000FFFFu, "E_UNEXPECTED"},
};

static void
what_is_met_is_known(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof must / sizeof must[0]; i++) {
        const struct sp_vss_hresult *h = sp_vss_hresult_find(must[i].code);

        if (h == NULL)
            fail_msg("0x%08x %s is not in the table", (unsigned)must[i].code, must[i].name);
        assert_int_equal(h->code, must[i].code);
        assert_string_equal(h->name, must[i].name);
    }
    assert_null(sp_vss_hresult_find(0xDEADBEEFu));
}

static void
rows_are_well_formed(void **state)
{
    unsigned n = 0;
    const struct sp_vss_hresult *t = sp_vss_hresults(&n);

    (void)state;
    assert_true(n >= 100);
    for (unsigned i = 0; i < n; i++) {
        struct sp_err err = {0};
        size_t meaning = strlen(t[i].meaning), advice = strlen(t[i].advice);

        for (unsigned k = 0; k < i; k++) {
            assert_int_not_equal(t[i].code, t[k].code);
            assert_string_not_equal(t[i].name, t[k].name);
        }
        assert_true(strlen(t[i].name) > 3);
        assert_int_equal(strspn(t[i].name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_"), strlen(t[i].name));
        /* A clause within a sentence; then sentences of their own. */
        assert_true(meaning > 10 && t[i].meaning[meaning - 1] != '.');
        assert_true(islower((unsigned char)t[i].meaning[0]) ||
                    strncmp(t[i].meaning, "VSS", 3) == 0 || strncmp(t[i].meaning, "COM", 3) == 0);
        assert_true(advice > 10 && t[i].advice[advice - 1] == '.');
        assert_true(isupper((unsigned char)t[i].advice[0]));
        /* As an error it fits, whole. */
        (void)sp_vss_fail(&err, t[i].code, "a rather long name of a call");
        assert_non_null(strstr(err.text, t[i].advice));
    }
}

static void
only_three_may_pass_by_themselves(void **state)
{
    unsigned n = 0, retryable = 0;
    const struct sp_vss_hresult *t = sp_vss_hresults(&n);

    (void)state;
    for (unsigned i = 0; i < n; i++)
        retryable += sp_vss_retryable(t[i].code) ? 1 : 0;
    assert_int_equal(retryable, 3);
    assert_true(sp_vss_retryable(0x800423F1u));
    assert_true(sp_vss_retryable(0x800423F2u));
    assert_true(sp_vss_retryable(0x800423F3u));
    assert_false(sp_vss_retryable(0x800423F4u));
}

static void
failures_are_told_from_success(void **state)
{
    (void)state;
    assert_false(sp_vss_failed(0));
    assert_false(sp_vss_failed(1));
    assert_false(sp_vss_failed(0x0004230Au));
    assert_true(sp_vss_failed(0x80004005u));
    assert_int_equal(sp_vss_failure(0, 0), 0);
    assert_int_equal(sp_vss_failure(1, 5), 0);
    assert_int_equal(sp_vss_failure(0x800423F4u, 0x80004005u), 0x800423F4u);
    assert_int_equal(sp_vss_failure(0, 0x80004005u), 0x80004005u);
    assert_true(sp_vss_silent(0x80042319u));
    assert_true(sp_vss_silent(0x80042409u));
    assert_false(sp_vss_silent(0x80042318u));
    assert_false(sp_vss_silent(0));
}

static void
states_have_words(void **state)
{
    (void)state;
    assert_string_equal(sp_vss_state_word(0), "unknown");
    assert_string_equal(sp_vss_state_word(1), "stable");
    assert_string_equal(sp_vss_state_word(5), "waiting for backup complete");
    assert_string_equal(sp_vss_state_word(6), "failed at identify");
    assert_string_equal(sp_vss_state_word(9), "failed at freeze");
    assert_string_equal(sp_vss_state_word(12), "failed at backup complete");
    assert_string_equal(sp_vss_state_word(15), "failed at backup shutdown");
    assert_string_equal(sp_vss_state_word(16), "an unknown state");
    assert_string_equal(sp_vss_state_word(UINT32_MAX), "an unknown state");
}

static void
errors_by_number(void **state)
{
    static const struct {
        uint32_t hresult;
        enum sp_code code;
    } rows[] = {
        {0x80070005u, SP_DENIED},
        {0x8001011Bu, SP_DENIED},
        {0x8007000Eu, SP_NOMEM},
        {0x80042316u, SP_BUSY},
        {0x8004230Cu, SP_UNSUPPORTED},
        {0x8004230Eu, SP_UNSUPPORTED},
        {0x80042304u, SP_UNSUPPORTED},
        {0x80004001u, SP_UNSUPPORTED},
        {0x80040154u, SP_UNSUPPORTED},
        {0x80070422u, SP_UNSUPPORTED},
        {0x8004232Cu, SP_UNSUPPORTED},
        {0x80042306u, SP_IO},
        {0x8004231Fu, SP_IO},
        {0x80042301u, SP_IO},
        {0xDEADBEEFu, SP_IO},
    };
    struct sp_err err = {0};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(sp_vss_fail(&err, rows[i].hresult, "call"), rows[i].code);
        assert_int_equal(err.code, rows[i].code);
        assert_int_equal(err.domain, SP_DOM_SHADOW);
    }
    (void)sp_vss_fail(&err, 0x80042316u, "StartSnapshotSet");
    assert_string_equal(err.text,
        "VSS: StartSnapshotSet: 0x80042316 VSS_E_SNAPSHOT_SET_IN_PROGRESS: another shadow set is"
        " being made. Another backup is at work. Let the other backup end, or plan the two at"
        " different times.");
    (void)sp_vss_fail(&err, 0xDEADBEEFu, "DoSnapshotSet");
    assert_string_equal(err.text,
        "VSS: DoSnapshotSet: 0xdeadbeef, a code that Stillpoint does not know. Look it up at"
        " learn.microsoft.com, and look into the Application event log for source VSS.");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_met_is_known),
        cmocka_unit_test(rows_are_well_formed),
        cmocka_unit_test(only_three_may_pass_by_themselves),
        cmocka_unit_test(failures_are_told_from_success),
        cmocka_unit_test(states_have_words),
        cmocka_unit_test(errors_by_number),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
