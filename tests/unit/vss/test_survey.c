/* What VSS says of itself: writers, what they have, how they are; and nothing is made or left. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "tests/unit/storage/expect.h"
#include "tests/vss/double.h"

#include "vss/survey.h"

#define HYPER_V "66841cd4-6ded-4f4b-8f17-fd23f8ddc3de"
#define SQL "a65faa63-5ea8-4ebc-9dbd-a0c4db26912a"
#define FIRST "11111111-2222-4333-8444-000000000001"
#define SECOND "11111111-2222-4333-8444-000000000002"

static const char machine[] =
    "volume \"\\\\?\\Volume{1}\\\" /d\n"
    "writer " HYPER_V " " FIRST " \"Microsoft Hyper-V VSS Writer\"\n"
    "  component filegroup \"\" 00000001-0000 caption=\"Online\\web01\"\n"
    "    file /d/vms/web01 * recursive\n"
    "writer " SQL " " SECOND " SqlServerWriter instance-name=\"SQL Server: SQLWriter\"\n"
    "  component filegroup \"SRV\\A\" DB1\n"
    "    database /d/sql DB1.mdf\n";

static struct model *model;
static const struct sp_vss_api *api;

static enum sp_code
survey(const char *script, const struct sp_vss_survey_options *options, struct sp_vss_survey *ret)
{
    struct sp_vss_survey_options o = {0};
    enum sp_code rc;

    if (options != NULL)
        o = *options;
    api = double_new(script, &model);
    o.env = &sp_env_system;
    o.api = api;
    rc = sp_vss_survey(&o, ret, &err);
    assert_int_equal(model_illegal(model), 0);
    assert_int_equal(model_sessions_open(model), 0);
    assert_int_equal(model_asyncs_open(model), 0);
    assert_int_equal(model_count(model, "prepare"), 0);
    assert_int_equal(model_count(model, "do_snapshot"), 0);
    return rc;
}

static void
end(struct sp_vss_survey *s)
{
    sp_vss_survey_clear(s);
    double_free(api);
}

static void
who_is_there_and_how(void **state)
{
    struct sp_vss_survey s = {0};
    char script[2048];

    (void)state;
    (void)snprintf(script, sizeof(script),
        "%s  status idle 9 0x800423f4 app=0x80004005 text=\"no luck\"\n", machine);
    ok(survey(script, NULL, &s));
    assert_int_equal(s.n, 2);
    assert_int_equal(s.metadata.nwriters, 2);
    assert_string_equal(s.v[0].writer->name, "Microsoft Hyper-V VSS Writer");
    assert_int_equal(s.v[0].writer->ncomponents, 1);
    assert_string_equal(s.v[0].writer->components[0].caption, "Online\\web01");
    assert_true(s.v[0].answered);
    assert_int_equal(s.v[0].status.state, SP_VSS_STABLE);
    assert_false(sp_vss_survey_failed(&s.v[0]));
    assert_string_equal(s.v[1].writer->instance_id, SECOND);
    assert_true(s.v[1].answered);
    assert_int_equal(s.v[1].status.state, SP_VSS_FAILED_AT_FREEZE);
    assert_int_equal(s.v[1].status.hresult, SP_VSS_E_WRITER_NOT_RETRYABLE);
    assert_int_equal(s.v[1].status.app_hresult, 0x80004005u);
    assert_string_equal(s.v[1].status.app_text, "no luck");
    assert_true(sp_vss_survey_failed(&s.v[1]));
    end(&s);
}

/* One that gives no answer is not failed, and the other's answer is not taken for its. */
static void
silence_is_no_answer(void **state)
{
    struct sp_vss_survey s = {0};
    char script[2048];

    (void)state;
    (void)snprintf(script, sizeof(script), "%s  gone idle\n", machine);
    ok(survey(script, NULL, &s));
    assert_int_equal(s.n, 2);
    assert_true(s.v[0].answered);
    assert_false(s.v[1].answered);
    assert_false(sp_vss_survey_failed(&s.v[1]));
    end(&s);
}

/* A failure code counts whatever the state says. */
static void
a_code_is_a_failure(void **state)
{
    struct sp_vss_survey s = {0};
    char script[2048];

    (void)state;
    (void)snprintf(script, sizeof(script), "%s  status idle 1 0x800423f2\n", machine);
    ok(survey(script, NULL, &s));
    assert_true(sp_vss_survey_failed(&s.v[1]));
    end(&s);
}

/* Each call that can fail does: a sentence with the call's name, and nothing stays open. */
static void
whatever_fails(void **state)
{
    static const char *const calls[] = {"create", "initialize_for_backup", "set_context",
        "set_backup_state", "gather_metadata", "gather_metadata.async", "metadata_count",
        "gather_status", "gather_status.async", "status_count", "status"};
    char script[2048];

    (void)state;
    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
        struct sp_vss_survey s = {0};

        (void)snprintf(script, sizeof(script), "%sfail %s 0x80042302\n", machine, calls[i]);
        assert_int_not_equal(survey(script, NULL, &s), SP_OK);
        assert_non_null(strstr(err.text, "0x80042302"));
        assert_int_equal(err.domain, SP_DOM_SHADOW);
        assert_int_equal(s.n, 0);
        end(&s);
    }
}

/* Metadata of one writer that cannot be read hide no other; it still answers. */
static void
one_that_cannot_be_read(void **state)
{
    struct sp_vss_survey s = {0};
    char script[2048];

    (void)state;
    (void)snprintf(script, sizeof(script), "%sfail metadata 0x80042302\n", machine);
    ok(survey(script, NULL, &s));
    assert_int_equal(s.n, 2);
    assert_int_equal(s.metadata.nwriters, 1);
    assert_string_equal(s.v[0].writer->name, "SqlServerWriter");
    assert_null(s.v[1].writer);
    assert_true(s.v[1].answered);
    assert_string_equal(s.v[1].status.name, "Microsoft Hyper-V VSS Writer");
    end(&s);
}

static void
deadlines(void **state)
{
    struct sp_vss_survey_options o = {.metadata_ms = 30, .status_ms = 30};
    static const char *const calls[] = {"gather_metadata.async", "gather_status.async"};
    char script[2048];

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct sp_vss_survey s = {0};

        (void)snprintf(script, sizeof(script), "%spend %s forever\n", machine, calls[i]);
        gives(SP_TIMEOUT, survey(script, &o, &s));
        end(&s);
    }
}

static bool
enough(void *arg)
{
    (void)arg;
    return true;
}

static void
interrupted(void **state)
{
    struct sp_vss_survey_options o = {.cancelled = enough};
    struct sp_vss_survey s = {0};
    char script[2048];

    (void)state;
    (void)snprintf(script, sizeof(script), "%spend gather_metadata.async forever\n", machine);
    gives(SP_CANCELLED, survey(script, &o, &s));
    end(&s);
}

static void
no_start(void **state)
{
    struct sp_vss_survey s = {0};

    (void)state;
    gives(SP_DENIED, survey("no-start \"run it as administrator\" denied\n", NULL, &s));
    assert_non_null(strstr(err.text, "as administrator"));
    end(&s);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_is_there_and_how),
        cmocka_unit_test(silence_is_no_answer),
        cmocka_unit_test(a_code_is_a_failure),
        cmocka_unit_test(whatever_fails),
        cmocka_unit_test(one_that_cannot_be_read),
        cmocka_unit_test(deadlines),
        cmocka_unit_test(interrupted),
        cmocka_unit_test(no_start),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
