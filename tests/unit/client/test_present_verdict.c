/* A verdict as JSON, whole; and in words. */

#include "tests/unit/base/support.h"

#include "base/clock.h"
#include "client/present_verdict.h"
#include "vss/hresult.h"

/* Eight things to say: a VM that took part, one that failed, a child, a document without a writer.
 */
static void
fill(struct sp_verdict *v)
{
    struct sp_verdict_writer *w;
    struct sp_verdict_component *c;
    struct sp_verdict_shadow *s;
    struct sp_verdict_event *ev;

    v->vss = true;
    v->confirmed = true;
    assert_ok(sp_verdict_add_writer(v, &w, e));
    strcpy(w->class_id, "66841cd4-6ded-4f4b-8f17-fd23f8ddc3de");
    strcpy(w->instance_id, "11111111-2222-4333-8444-000000000001");
    w->name = strdup("Microsoft Hyper-V VSS Writer");
    w->concerned = true;
    w->level = SP_LEVEL_CRASH;
    w->why = SP_WHY_COMPONENT_FAILED;
    w->hresult = SP_VSS_E_PARTIAL_FAILURE;
    w->stages[SP_STAGE_SNAPSHOT] = (struct sp_verdict_status){.asked = true,
        .answered = true,
        .state = SP_VSS_WAITING_FOR_BACKUP_COMPLETE,
        .hresult = SP_VSS_E_PARTIAL_FAILURE,
        .app_hresult = 0x80070020u,
        .app_text = strdup("web02 said \"no\"\n")};
    w->stages[SP_STAGE_COMPLETE] = (struct sp_verdict_status){.asked = true, .answered = false};
    assert_ok(sp_verdict_add_shadow(v, &s, e));
    strcpy(s->id, "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee");
    s->instant_ns = INT64_C(1763800000) * SP_SECOND;
    s->took_ns = UINT64_C(2500000000);
    s->attempts = 2;
    s->retried_for = SP_VSS_E_WRITER_TIMEOUT;
    s->backup_type = 5;
    s->completed = true;
    assert_ok(sp_verdict_add_component(v, &c, e));
    c->writer = 0;
    c->type = 2;
    c->name = strdup("0001");
    c->caption = strdup("Online\\web01");
    c->kind = SP_UNIT_VM;
    c->unit = strdup("web01");
    c->method = strdup("Online");
    c->version = strdup("10.0.20341");
    c->added = true;
    c->shadow = 0;
    c->level = SP_LEVEL_APPLICATION;
    c->why = SP_WHY_TOOK_PART;
    assert_ok(sp_verdict_add_component(v, &c, e));
    c->writer = 0;
    c->unit = strdup("web02");
    c->kind = SP_UNIT_VM;
    c->added = true;
    c->shadow = 0;
    c->failure_known = true;
    c->failure = c->hresult = 0x800423f4u;
    c->level = SP_LEVEL_CRASH;
    c->why = SP_WHY_COMPONENT_FAILED;
    c->paths = calloc(1, sizeof(*c->paths));
    c->paths[0] = strdup("D:\\vms\\web02");
    c->npaths = 1;
    c->depends = calloc(1, sizeof(*c->depends));
    c->depends[0] = 0;
    c->ndepends = 1;
    assert_ok(sp_verdict_add_component(v, &c, e));
    c->unit = strdup("D:\\books.accdb");
    c->kind = SP_UNIT_DOCUMENT;
    c->level = SP_LEVEL_CRASH;
    c->why = SP_WHY_NO_WRITER;
    c->files_live = 3;
    assert_ok(sp_verdict_add_event(v, &ev, e));
    ev->log = strdup("Application");
    ev->source = strdup("VSS");
    ev->id = 8193;
    ev->severity = 2;
    ev->at_ns = INT64_C(1763800001) * SP_SECOND;
    ev->text = strdup("something");
    assert_ok(sp_verdict_note(v, e, "a note"));
}

static char *
written(const struct sp_verdict *v)
{
    static char text[65536];
    struct sp_buf b = SP_BUF_INIT;
    struct sp_json j;

    sp_json_init(&j, &b);
    sp_present_json_verdict(&j, v);
    assert_ok(sp_buf_ok(&b, e));
    assert_int_equal(j.depth, 0);
    assert_true(b.len < sizeof(text));
    (void)snprintf(text, sizeof(text), "%s", sp_buf_str(&b));
    sp_buf_free(&b);
    return text;
}

static void
has(const char *text, const char *part)
{
    if (strstr(text, part) == NULL)
        fail_msg("no %s in %s", part, text);
}

static void
all_of_it(void **state)
{
    struct sp_verdict v = {0};
    const char *t;

    (void)state;
    fill(&v);
    t = written(&v);
    has(t, "{\"vss\":true,\"confirmed\":true,\"applications\":\"crash\",");
    has(t, "\"unit\":\"web01\",\"kind\":\"vm\",\"level\":\"application\",\"why\":\"took-part\"");
    has(t, "\"caption\":\"Online\\\\web01\",\"method\":\"Online\",\"version\":\"10.0.20341\","
           "\"added\":true,"
           "\"parent\":null,\"depends\":[],\"shadow\":0,\"instant\":\"2025-11-22T08:26:40Z\"");
    has(t, "\"unit\":\"web02\",\"kind\":\"vm\",\"level\":\"crash\",\"why\":\"component-failed\"");
    has(t, "\"failure_known\":true,\"failure\":{\"code\":\"0x800423f4\",\"name\":\"VSS_E_"
           "WRITERERROR_NONRETRYABLE\"");
    has(t, "\"depends\":[0]");
    has(t, "\"paths\":[\"D:\\\\vms\\\\web02\"]");
    has(t, "\"kind\":\"document\",\"level\":\"crash\",\"why\":\"no-writer\"");
    has(t, "\"writer\":null,\"type\":null");
    has(t, "\"files_live\":3");
    has(t, "\"stages\":{\"prepared\":null,\"snapshot\":{\"answered\":true,\"state\":5,"
           "\"state_text\":\"waiting for backup complete\",\"hresult\":{\"code\":\"0x80042336\"");
    has(t, "\"application_text\":\"web02 said \\\"no\\\"\\n\"");
    has(t, "\"complete\":{\"answered\":false,\"hresult\":null");
    has(t, "\"shadows\":[{\"id\":\"aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee\",\"instant\":"
           "\"2025-11-22T08:26:40Z\",\"took_ms\":2500,\"attempts\":2,\"retried_for\":{\"code\":"
           "\"0x800423f2\"");
    has(t, "\"backup_type\":\"copy\",\"completed\":true,\"complete_hresult\":null}]");
    has(t, "\"events\":[{\"at\":\"2025-11-22T08:26:41Z\",\"log\":\"Application\",\"source\":"
           "\"VSS\",\"id\":8193,"
           "\"severity\":2,\"text\":\"something\"}]");
    has(t, "\"notes\":[\"a note\"]}");
    sp_verdict_clear(&v);
}

/* A code that the table does not have is told by its number; an index out of range breaks nothing.
 */
static void
what_nobody_knows(void **state)
{
    struct sp_verdict v = {0};
    struct sp_verdict_component *c;

    (void)state;
    assert_ok(sp_verdict_add_component(&v, &c, e));
    c->hresult = 0x87654321u;
    c->writer = 77;
    c->shadow = 77;
    c->level = (enum sp_level)9;
    c->why = (enum sp_why)999;
    has(written(&v),
        "\"hresult\":{\"code\":\"0x87654321\",\"name\":null,\"meaning\":null,\"advice\":null}");
    has(written(&v), "\"why\":\"unknown\"");
    sp_verdict_clear(&v);
    has(written(&v), "\"components\":[],\"writers\":[],\"shadows\":[],\"events\":[],\"notes\":[]}");
}

static void
types(void **state)
{
    char to[24];

    (void)state;
    sp_present_backup_type(5, to);
    assert_string_equal(to, "copy");
    sp_present_backup_type(1, to);
    assert_string_equal(to, "full");
    sp_present_backup_type(0, to);
    assert_string_equal(to, "type 0");
    sp_present_backup_type(4000000000u, to);
    assert_string_equal(to, "type 4000000000");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_of_it), cmocka_unit_test(what_nobody_knows), cmocka_unit_test(types)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
