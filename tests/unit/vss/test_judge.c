/* The judge over hand-written tables: from raw states to levels, and what the requester does about
 * a gathering. */

#include "tests/unit/base/support.h"

#include "tests/unit/vss/judge_rows.h"
#include "vss/hresult.h"
#include "vss/judge.h"

#define LEN(a) (sizeof(a) / sizeof(a)[0])

/* One machine as it should be: two writers, three components of the first and one of the second,
 * one shadow set. */
struct machine {
    struct sp_verdict v;
    struct sp_verdict_writer writers[2];
    struct sp_verdict_component c[4];
    struct sp_verdict_shadow shadow[2];
};

static struct machine
good(void)
{
    struct machine m = {.v = {.vss = true, .nwriters = 2, .ncomponents = 4, .nshadows = 1}};

    for (int i = 0; i < 2; i++) {
        for (int k = 0; k < SP_STAGES; k++)
            m.writers[i].stages[k] =
                (struct sp_verdict_status){.asked = true, .answered = true, .state = 1};
        m.writers[i].stages[S].state = 5;
        m.writers[i].concerned = true;
        (void)strcpy(m.writers[i].class_id, "66841cd4-6ded-4f4b-8f17-fd23f8ddc3de");
    }
    for (int i = 0; i < 4; i++)
        m.c[i] = (struct sp_verdict_component){
            .writer = i == 3 ? 1 : 0, .added = true, .parent = SP_NO_INDEX, .shadow = 0};
    m.shadow[0].completed = m.shadow[1].completed = true;
    return m;
}

static void
judge(struct machine *m, bool final)
{
    m->v.writers = m->writers;
    m->v.components = m->c;
    m->v.shadows = m->shadow;
    for (int round = 0; round < 2; round++) { /* the second changes nothing */
        struct machine before = *m;

        sp_vss_judge(&m->v, final);
        if (round == 0)
            continue;
        for (int i = 0; i < 4; i++) {
            assert_int_equal(m->c[i].level, before.c[i].level);
            assert_int_equal(m->c[i].why, before.c[i].why);
            assert_int_equal(m->c[i].hresult, before.c[i].hresult);
        }
    }
}

static void
expect_at(const struct machine *m, int component, enum sp_level level, enum sp_why why,
    uint32_t hresult, int line)
{
    const struct sp_verdict_component *c = &m->c[component];

    if (c->level != level || c->why != why || c->hresult != hresult)
        fail_msg("line %d: component %d is %s (%s, 0x%08x), not %s (%s, 0x%08x)", line, component,
            sp_level_word(c->level), sp_why_word(c->why), (unsigned)c->hresult,
            sp_level_word(level), sp_why_word(why), (unsigned)hresult);
}
#define EXPECT(m, component, level, why, hresult)                                                  \
    expect_at(m, component, level, why, hresult, __LINE__)
#define EXPECT_GOOD(m, component)                                                                  \
    expect_at(m, component, SP_LEVEL_APPLICATION, SP_WHY_TOOK_PART, 0, __LINE__)

/* --- the table -------------------------------------------------------------------------------- */

static void
run_row(const struct judge_row *r, bool final)
{
    struct machine m = good();
    enum sp_level level = (enum sp_level)r->level, writer_level;
    enum sp_why why = (enum sp_why)r->why;
    bool coded = r->why == FAIL || r->why == MUTE || r->why == PART || r->why == COMP;
    char method[40];

    (void)snprintf(method, sizeof method, "%s", r->method != NULL ? r->method : "");
    m.writers[0].stages[r->stage].state = r->state;
    m.writers[0].stages[r->stage].hresult = r->hresult;
    m.c[0].stamped = r->stamped;
    m.c[0].method = r->method != NULL ? method : NULL;
    judge(&m, final);
    if (r->stage == C && !final) { /* has not happened yet */
        EXPECT(&m, 0, r->why == METH ? SP_LEVEL_CRASH : SP_LEVEL_APPLICATION,
            r->why == METH ? SP_WHY_METHOD : SP_WHY_TOOK_PART, 0);
    } else {
        if (m.c[0].level != level || m.c[0].why != why ||
            m.c[0].hresult != (coded ? r->hresult : 0))
            fail_msg("stage %d, state %u, 0x%08x, %s, %s, %s: %s (%s, 0x%08x), not %s (%s)",
                r->stage, (unsigned)r->state, (unsigned)r->hresult,
                r->stamped ? "stamped" : "not stamped", r->method != NULL ? r->method : "no method",
                final ? "final" : "provisional", sp_level_word(m.c[0].level),
                sp_why_word(m.c[0].why), (unsigned)m.c[0].hresult, sp_level_word(level),
                sp_why_word(why));
        /* The writer allows what its components may still be. */
        writer_level = r->why == METH || r->why == PART ? m.writers[0].level : level;
        assert_int_equal(m.writers[0].level, writer_level);
    }
    /* Nobody else is touched: not another writer's component, whatever happened to this one's. */
    EXPECT_GOOD(&m, 3);
    assert_int_equal(m.writers[1].level, SP_LEVEL_APPLICATION);
    assert_int_equal(m.writers[1].why, SP_WHY_TOOK_PART);
}

static void
states_and_codes(void **state)
{
    (void)state;
    assert_true(LEN(judge_rows) >= 120);
    for (size_t i = 0; i < LEN(judge_rows); i++) {
        for (size_t k = 0; k < i; k++) /* no row twice */
            assert_false(judge_rows[i].stage == judge_rows[k].stage &&
                         judge_rows[i].state == judge_rows[k].state &&
                         judge_rows[i].hresult == judge_rows[k].hresult &&
                         judge_rows[i].stamped == judge_rows[k].stamped &&
                         judge_rows[i].method == judge_rows[k].method);
        run_row(&judge_rows[i], false);
        run_row(&judge_rows[i], true);
    }
    print_message("%zu rows, each provisional and final\n", LEN(judge_rows));
}

/* --- what a table of one deviation does not show ---------------------------------------------- */

static void
all_well(void **state)
{
    struct machine m = good();

    (void)state;
    judge(&m, false);
    for (int i = 0; i < 4; i++)
        EXPECT_GOOD(&m, i);
    judge(&m, true);
    for (int i = 0; i < 4; i++)
        EXPECT_GOOD(&m, i);
}

static void
not_asked_and_not_answered(void **state)
{
    struct machine m;

    (void)state;
    for (int stage = P; stage <= C; stage++) {
        m = good();
        m.writers[0].stages[stage].answered = false;
        judge(&m, true);
        EXPECT(&m, 0, SP_LEVEL_CRASH, SP_WHY_SILENT, 0);
        EXPECT_GOOD(&m, 3);
    }
    m = good();
    m.writers[0].stages[P].asked = false;
    judge(&m, true);
    EXPECT_GOOD(&m, 0);
    m = good();
    m.writers[0].stages[S].asked = false;
    judge(&m, false);
    EXPECT(&m, 0, SP_LEVEL_CRASH, SP_WHY_SILENT, 0);
    m = good();
    m.writers[0].stages[C].asked = false;
    judge(&m, false);
    EXPECT_GOOD(&m, 0);
    judge(&m, true);
    EXPECT(&m, 0, SP_LEVEL_CRASH, SP_WHY_UNFINISHED, 0);
}

static void
the_applications_own_code(void **state)
{
    struct machine m = good();

    (void)state;
    m.writers[0].stages[S].app_hresult = 0x80004005u;
    judge(&m, false);
    EXPECT(&m, 0, SP_LEVEL_CRASH, SP_WHY_WRITER_FAILED, 0x80004005u);
    m = good();
    m.writers[0].stages[S].app_hresult = 42;
    judge(&m, false);
    EXPECT_GOOD(&m, 0);
    m = good();
    m.writers[0].stages[S].hresult = 0x800423F3u;
    m.writers[0].stages[S].app_hresult = 0x80004005u;
    judge(&m, false);
    EXPECT(&m, 0, SP_LEVEL_CRASH, SP_WHY_WRITER_FAILED, 0x800423F3u);
}

static void
the_first_reason_wins(void **state)
{
    struct machine m = good();

    (void)state;
    m.writers[0].stages[P].hresult = 0x800423F1u;
    m.writers[0].stages[S].hresult = 0x800423F2u;
    m.writers[0].stages[C].hresult = 0x800423F3u;
    m.shadow[0].completed = false;
    m.shadow[0].complete_hresult = 0x8000FFFFu;
    judge(&m, true);
    EXPECT(&m, 0, SP_LEVEL_CRASH, SP_WHY_WRITER_FAILED, 0x800423F1u);
    m.writers[0].stages[P].hresult = 0;
    judge(&m, true);
    EXPECT(&m, 0, SP_LEVEL_CRASH, SP_WHY_WRITER_FAILED, 0x800423F2u);
    m.writers[0].stages[S].hresult = 0;
    judge(&m, true);
    EXPECT(&m, 0, SP_LEVEL_CRASH, SP_WHY_COMPLETE_FAILED, 0x8000FFFFu);
    m.shadow[0].completed = true;
    judge(&m, true);
    EXPECT(&m, 0, SP_LEVEL_CRASH, SP_WHY_COMPLETE_FAILED, 0x800423F3u);
}

/* A partial failure is of those that failed; of all that did not tell. At every gathering. */
static void
partial_failures(void **state)
{
    (void)state;
    for (int stage = P; stage <= C; stage++) {
        struct machine m = good();

        m.writers[0].stages[stage].hresult = 0x80042336u;
        m.c[0].failure_known = true;
        m.c[1].failure_known = true;
        m.c[1].failure = 0x800423F4u;
        judge(&m, true);
        EXPECT_GOOD(&m, 0);
        EXPECT(&m, 1, SP_LEVEL_CRASH, SP_WHY_COMPONENT_FAILED, 0x800423F4u);
        EXPECT(&m, 2, SP_LEVEL_CRASH, SP_WHY_PARTIAL_UNKNOWN, 0x80042336u);
        EXPECT_GOOD(&m, 3);
        /* All of it is what its components say, not a failure of the writer. */
        assert_int_equal(m.writers[0].level, SP_LEVEL_APPLICATION);
        assert_int_equal(m.writers[0].hresult, 0x80042336u);

        /* The application's own code is a failure, too. */
        m.c[1].failure = 0;
        m.c[1].app_failure = 0x80004005u;
        judge(&m, true);
        EXPECT(&m, 1, SP_LEVEL_CRASH, SP_WHY_COMPONENT_FAILED, 0x80004005u);

        /* Not shown to have taken part is not made good by not having failed. */
        m.writers[0].stages[S].state = 1;
        judge(&m, true);
        EXPECT(&m, 0, SP_LEVEL_CRASH, SP_WHY_STABLE, 0);

        /* Nor is a state that says that the writer was out of it. */
        m.writers[0].stages[S].state = 5;
        m.writers[0].stages[stage].state = 9;
        judge(&m, true);
        EXPECT(&m, 0, SP_LEVEL_CRASH, stage == C ? SP_WHY_COMPLETE_FAILED : SP_WHY_WRITER_FAILED,
            0x80042336u);
    }
    /* A known failure counts although the writer does not speak of one. */
    struct machine m = good();
    m.c[0].failure_known = true;
    m.c[0].failure = 0x800423F3u;
    m.c[1].failure = 0x800423F3u; /* not known: left from nowhere */
    judge(&m, false);
    EXPECT(&m, 0, SP_LEVEL_CRASH, SP_WHY_COMPONENT_FAILED, 0x800423F3u);
    EXPECT_GOOD(&m, 1);
}

static void
children_go_with_their_parent(void **state)
{
    struct machine m = good();

    (void)state;
    m.c[1].added = m.c[2].added = false;
    m.c[1].parent = m.c[2].parent = 0;
    m.c[2].shadow = SP_NO_INDEX; /* its parent's */
    judge(&m, true);
    EXPECT_GOOD(&m, 1);
    EXPECT_GOOD(&m, 2);

    m.writers[0].stages[S].state = 1;
    judge(&m, true);
    EXPECT(&m, 1, SP_LEVEL_CRASH, SP_WHY_STABLE, 0);
    m.c[0].stamped = true; /* the parent's stamp is for all of it */
    judge(&m, true);
    EXPECT(&m, 0, SP_LEVEL_APPLICATION, SP_WHY_EVIDENCE, 0);
    EXPECT(&m, 1, SP_LEVEL_APPLICATION, SP_WHY_EVIDENCE, 0);
    m.c[0].stamped = false;
    m.c[1].stamped = true; /* a child's is the child's */
    judge(&m, true);
    EXPECT(&m, 0, SP_LEVEL_CRASH, SP_WHY_STABLE, 0);
    EXPECT(&m, 1, SP_LEVEL_APPLICATION, SP_WHY_EVIDENCE, 0);
    EXPECT(&m, 2, SP_LEVEL_CRASH, SP_WHY_STABLE, 0);

    m = good();
    m.c[1].added = m.c[2].added = false;
    m.c[1].parent = 0;
    m.c[2].parent = 1; /* not an added one: it came with nobody */
    m.writers[0].stages[S].hresult = 0x80042336u;
    m.c[0].failure_known = true;
    judge(&m, true);
    EXPECT_GOOD(&m, 1);
    EXPECT(&m, 2, SP_LEVEL_CRASH, SP_WHY_NOT_CHOSEN, 0);
    m.c[0].failure = 0x800423F4u;
    judge(&m, true);
    EXPECT(&m, 1, SP_LEVEL_CRASH, SP_WHY_COMPONENT_FAILED, 0x800423F4u);
}

static void
dependencies(void **state)
{
    struct machine m = good();
    uint32_t on3[] = {3}, on0[] = {0}, on1[] = {1}, on12[] = {2, 1}, far[] = {99};

    (void)state;
    /* 2 needs 1, 1 needs 0, 0 needs the other writer's. */
    m.c[0].depends = on3;
    m.c[1].depends = on0;
    m.c[2].depends = on12 + 1;
    m.c[0].ndepends = m.c[1].ndepends = m.c[2].ndepends = 1;
    judge(&m, true);
    for (int i = 0; i < 4; i++)
        EXPECT_GOOD(&m, i);
    m.writers[1].stages[S].hresult = 0x800423F4u;
    judge(&m, true);
    EXPECT(&m, 3, SP_LEVEL_CRASH, SP_WHY_WRITER_FAILED, 0x800423F4u);
    for (int i = 0; i < 3; i++)
        EXPECT(&m, i, SP_LEVEL_CRASH, SP_WHY_DEPENDENCY, 0);
    /* Its own reason comes first. */
    m.writers[0].stages[C].state = 12;
    judge(&m, true);
    EXPECT(&m, 0, SP_LEVEL_CRASH, SP_WHY_COMPLETE_FAILED, 0);

    /* The chain the other way round: each is looked at before what it needs. */
    m = good();
    m.c[0].depends = on1;
    m.c[1].depends = on12;
    m.c[2].depends = on3;
    m.c[0].ndepends = m.c[1].ndepends = m.c[2].ndepends = 1;
    m.writers[1].stages[S].hresult = 0x800423F4u;
    judge(&m, true);
    for (int i = 0; i < 3; i++)
        EXPECT(&m, i, SP_LEVEL_CRASH, SP_WHY_DEPENDENCY, 0);

    /* Two that need each other do no harm; nor does an index that is none. */
    m = good();
    m.c[0].depends = far;
    m.c[1].depends = on12;
    m.c[2].depends = on12;
    m.c[0].ndepends = 1;
    m.c[1].ndepends = m.c[2].ndepends = 2;
    judge(&m, true);
    for (int i = 0; i < 4; i++)
        EXPECT_GOOD(&m, i);

    /* What was left out is not there for it. */
    m = good();
    m.c[1].depends = on0;
    m.c[1].ndepends = 1;
    m.c[0].why = SP_WHY_LEFT_OUT;
    judge(&m, true);
    EXPECT(&m, 0, SP_LEVEL_NONE, SP_WHY_LEFT_OUT, 0);
    EXPECT(&m, 1, SP_LEVEL_CRASH, SP_WHY_DEPENDENCY, 0);
}

static void
a_writer_nothing_belongs_to(void **state)
{
    struct machine m = good();

    (void)state;
    m.c[3].writer = 0;
    m.writers[1].concerned = false;
    m.writers[1].stages[S].state = 9;
    m.writers[1].stages[S].hresult = 0x800423F4u;
    judge(&m, true);
    for (int i = 0; i < 4; i++)
        EXPECT_GOOD(&m, i);
    /* It is recorded. */
    assert_int_equal(m.writers[1].level, SP_LEVEL_CRASH);
    assert_int_equal(m.writers[1].why, SP_WHY_WRITER_FAILED);
    assert_int_equal(m.writers[1].hresult, 0x800423F4u);
}

static void
files_and_shadows(void **state)
{
    struct machine m = good();

    (void)state;
    m.c[0].files_live = 1;
    m.c[1].shadow = SP_NO_INDEX;
    m.c[2].shadow = 1; /* there is only one */
    judge(&m, true);
    EXPECT(&m, 0, SP_LEVEL_LIVE, SP_WHY_NO_SHADOW, 0);
    EXPECT(&m, 1, SP_LEVEL_LIVE, SP_WHY_NO_SHADOW, 0);
    EXPECT(&m, 2, SP_LEVEL_LIVE, SP_WHY_NO_SHADOW, 0);
    EXPECT_GOOD(&m, 3);
    /* What failed is the reason; what was read live the level. */
    m.writers[0].stages[S].hresult = 0x800423F4u;
    judge(&m, true);
    EXPECT(&m, 0, SP_LEVEL_LIVE, SP_WHY_WRITER_FAILED, 0x800423F4u);
    /* It is found out only at the end, and taken back with the cause. */
    m = good();
    m.c[0].files_live = 3;
    judge(&m, true);
    EXPECT(&m, 0, SP_LEVEL_LIVE, SP_WHY_NO_SHADOW, 0);
    m.c[0].files_live = 0;
    judge(&m, true);
    EXPECT_GOOD(&m, 0);
}

/* Each component goes by its own shadow set. */
static void
two_shadow_sets(void **state)
{
    struct machine m = good();

    (void)state;
    m.v.nshadows = 2;
    m.c[3].shadow = 1;
    m.shadow[1].completed = false;
    judge(&m, false);
    EXPECT_GOOD(&m, 3);
    judge(&m, true);
    EXPECT_GOOD(&m, 0);
    EXPECT(&m, 3, SP_LEVEL_CRASH, SP_WHY_UNFINISHED, 0);
    m.shadow[1].complete_hresult = 0x80042301u;
    judge(&m, true);
    EXPECT(&m, 3, SP_LEVEL_CRASH, SP_WHY_COMPLETE_FAILED, 0x80042301u);
}

static void
reasons_that_were_set_before(void **state)
{
    static const enum sp_why whys[] = {SP_WHY_PARTLY_OUTSIDE, SP_WHY_NOT_CHOSEN,
        SP_WHY_WRITER_FAILED, SP_WHY_COMPONENT_FAILED, SP_WHY_PARTIAL_UNKNOWN, SP_WHY_SILENT,
        SP_WHY_UNEXPECTED};

    (void)state;
    for (size_t i = 0; i < LEN(whys); i++) {
        struct machine m = good();

        m.c[0].added = false;
        m.c[0].why = whys[i];
        m.c[0].hresult = 0x800423F4u;
        m.c[1].why = whys[i]; /* of an attempt before: it was added again */
        m.c[1].hresult = 0x800423F4u;
        judge(&m, true);
        EXPECT(&m, 0, SP_LEVEL_CRASH, whys[i], 0x800423F4u);
        if (whys[i] == SP_WHY_PARTLY_OUTSIDE) /* the run read it, and the set is without some of it */
            EXPECT(&m, 1, SP_LEVEL_CRASH, SP_WHY_PARTLY_OUTSIDE, 0);
        else
            EXPECT_GOOD(&m, 1);
        m.c[0].files_live = 1;
        judge(&m, true);
        EXPECT(&m, 0, SP_LEVEL_LIVE, whys[i], 0x800423F4u);
    }
    struct machine m = good();
    m.c[0].added = false;
    m.c[0].failure_known = true;
    m.c[0].failure = 0x800423F4u;
    m.c[1].added = false;
    judge(&m, true);
    EXPECT(&m, 0, SP_LEVEL_CRASH, SP_WHY_COMPONENT_FAILED, 0x800423F4u);
    EXPECT(&m, 1, SP_LEVEL_CRASH, SP_WHY_NOT_CHOSEN, 0);
}

static void
without_a_writer(void **state)
{
    struct machine m = good();

    (void)state;
    for (int i = 0; i < 4; i++)
        m.c[i].writer = SP_NO_INDEX;
    m.c[1].files_live = 2;
    m.c[2].shadow = SP_NO_INDEX;
    judge(&m, true);
    EXPECT(&m, 0, SP_LEVEL_CRASH, SP_WHY_NO_WRITER, 0);
    EXPECT(&m, 1, SP_LEVEL_LIVE, SP_WHY_NO_WRITER, 0);
    EXPECT(&m, 2, SP_LEVEL_LIVE, SP_WHY_NO_SHADOW, 0);

    /* Whoever found them has said where they lie; what was read live is live all the same. */
    m.c[2].level = SP_LEVEL_CRASH;
    m.c[2].why = SP_WHY_NO_WRITER;
    m.c[1].level = SP_LEVEL_CRASH;
    judge(&m, true);
    EXPECT(&m, 2, SP_LEVEL_CRASH, SP_WHY_NO_WRITER, 0);
    EXPECT(&m, 1, SP_LEVEL_LIVE, SP_WHY_NO_WRITER, 0);

    for (int i = 0; i < 4; i++)
        m.c[i].level = SP_LEVEL_NONE;
    /* No VSS: another kind of shadow, or none, and whoever put them in says so. */
    m.v.vss = false;
    m.v.nshadows = 0;
    m.c[1].files_live = 0;
    m.c[1].why = SP_WHY_NO_SHADOW;
    m.c[2].why = SP_WHY_NOT_ASKED;
    m.c[3].writer = 0;
    judge(&m, true);
    EXPECT(&m, 0, SP_LEVEL_CRASH, SP_WHY_NO_WRITER, 0);
    EXPECT(&m, 1, SP_LEVEL_LIVE, SP_WHY_NO_SHADOW, 0);
    EXPECT(&m, 2, SP_LEVEL_LIVE, SP_WHY_NOT_ASKED, 0);
    EXPECT(&m, 3, SP_LEVEL_LIVE, SP_WHY_NOT_ASKED, 0);
}

/* Each exception is for one writer and one state, and names a page that can be looked up. */
static void
rules_have_sources(void **state)
{
    size_t n = 1;
    const struct sp_vss_rule *rules = sp_vss_rules(&n);

    (void)state;
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(strlen(rules[i].class_id), 36);
        assert_true(strlen(rules[i].name) > 0);
        assert_non_null(strstr(rules[i].source, "learn.microsoft.com/"));
        assert_true(rules[i].state > 0 && rules[i].state < 6);
    }
}

/* --- what to do next -------------------------------------------------------------------------- */

static enum sp_vss_next
next(struct machine *m, enum sp_stage stage, uint8_t marks[4])
{
    m->v.writers = m->writers;
    m->v.components = m->c;
    m->v.shadows = m->shadow;
    memset(marks, 0xEE, 4);
    return sp_vss_next_step(&m->v, stage, marks);
}

static void
what_one_writer_says(void **state)
{
    static const struct {
        uint32_t state, hresult;
        bool answered;
        enum sp_vss_next want;
    } rows[] = {
        {5, 0, true, SP_VSS_GO_ON},
        {1, 0, true, SP_VSS_GO_ON}, /* trying again would show no more */
        {5, 0, false, SP_VSS_RETRY},
        {9, 0x800423F1u, true, SP_VSS_RETRY},
        {9, 0x800423F2u, true, SP_VSS_RETRY},
        {8, 0x800423F3u, true, SP_VSS_RETRY},
        {5, 0x800423F3u, true, SP_VSS_RETRY},
        {5, 0x80042319u, true, SP_VSS_RETRY},
        {5, 0x80042409u, true, SP_VSS_RETRY},
        {9, 0x800423F4u, true,
            SP_VSS_GO_ON}, /* for good, and all of it: no shadow set mends that */
        {9, 0x800423F0u, true, SP_VSS_GO_ON},
        {9, 0, true, SP_VSS_GO_ON},
        {5, 0x80042336u, true, SP_VSS_GO_ON}, /* who failed is not known: nobody to go without */
        {3, 0, true, SP_VSS_GO_ON},
        {5, 1, true, SP_VSS_GO_ON},
    };
    static const uint8_t nobody[4] = {0};
    uint8_t marks[4];

    (void)state;
    for (size_t i = 0; i < LEN(rows); i++) {
        for (int stage = P; stage <= C; stage++) {
            struct machine m = good();
            enum sp_vss_next got;

            m.writers[0].stages[stage].state = rows[i].state;
            m.writers[0].stages[stage].hresult = rows[i].hresult;
            m.writers[0].stages[stage].answered = rows[i].answered;
            got = next(&m, (enum sp_stage)stage, marks);
            /* After BackupComplete nothing can be done any more. */
            if (got != (stage == C ? SP_VSS_GO_ON : rows[i].want))
                fail_msg("row %zu, stage %d: %d", i, stage, (int)got);
            assert_memory_equal(marks, nobody, 4);
            /* Of other gatherings it is not asked. */
            assert_int_equal(
                next(&m, stage == P ? SP_STAGE_SNAPSHOT : SP_STAGE_PREPARED, marks), SP_VSS_GO_ON);
            /* A writer none of whose components take part changes nothing. */
            m.c[0].added = m.c[1].added = m.c[2].added = false;
            assert_int_equal(next(&m, (enum sp_stage)stage, marks), SP_VSS_GO_ON);
        }
    }
    struct machine m = good();
    m.writers[0].stages[S].asked = false;
    m.writers[0].stages[S].answered = false;
    assert_int_equal(next(&m, SP_STAGE_SNAPSHOT, marks), SP_VSS_GO_ON);
}

static void
going_without(void **state)
{
    struct machine m = good();
    uint32_t on0[] = {0}, on1[] = {1};
    uint8_t marks[4];

    (void)state;
    m.writers[0].stages[S].hresult = 0x80042336u;
    m.c[0].failure_known = m.c[1].failure_known = m.c[2].failure_known = true;
    m.c[0].failure = 0x800423F4u;
    assert_int_equal(next(&m, SP_STAGE_SNAPSHOT, marks), SP_VSS_GO_WITHOUT);
    assert_memory_equal(marks, "\1\0\0\0", 4);
    m.writers[0].stages[S].state = 9; /* also where the state is a failed one */
    assert_int_equal(next(&m, SP_STAGE_SNAPSHOT, marks), SP_VSS_GO_WITHOUT);

    /* Two failed, the third can do without them. */
    m.c[1].failure = 0x800423F0u;
    assert_int_equal(next(&m, SP_STAGE_SNAPSHOT, marks), SP_VSS_GO_WITHOUT);
    assert_memory_equal(marks, "\1\1\0\0", 4);
    /* It cannot: it needs one of them, over another. */
    m.c[1].failure = 0;
    m.c[1].depends = on0;
    m.c[2].depends = on1;
    m.c[1].ndepends = m.c[2].ndepends = 1;
    assert_int_equal(next(&m, SP_STAGE_SNAPSHOT, marks), SP_VSS_GO_ON);
    assert_memory_equal(marks, "\1\0\0\0", 4);

    /* All failed. */
    m.c[1].ndepends = m.c[2].ndepends = 0;
    m.c[1].failure = m.c[2].failure = 0x800423F4u;
    assert_int_equal(next(&m, SP_STAGE_SNAPSHOT, marks), SP_VSS_GO_ON);
    assert_memory_equal(marks, "\1\1\1\0", 4);

    /* One that may do better next time: again first, with all of them. Those to go without after
     * the last time are marked. */
    m.c[1].failure = 0;
    m.c[2].failure = 0x800423F3u;
    assert_int_equal(next(&m, SP_STAGE_SNAPSHOT, marks), SP_VSS_RETRY);
    assert_memory_equal(marks, "\1\0\1\0", 4);

    /* Another writer's silence is a reason to try again, too. */
    m.c[2].failure = 0;
    m.writers[1].stages[S].answered = false;
    assert_int_equal(next(&m, SP_STAGE_SNAPSHOT, marks), SP_VSS_RETRY);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(states_and_codes),
        cmocka_unit_test(all_well),
        cmocka_unit_test(not_asked_and_not_answered),
        cmocka_unit_test(the_applications_own_code),
        cmocka_unit_test(the_first_reason_wins),
        cmocka_unit_test(partial_failures),
        cmocka_unit_test(children_go_with_their_parent),
        cmocka_unit_test(dependencies),
        cmocka_unit_test(a_writer_nothing_belongs_to),
        cmocka_unit_test(files_and_shadows),
        cmocka_unit_test(two_shadow_sets),
        cmocka_unit_test(reasons_that_were_set_before),
        cmocka_unit_test(without_a_writer),
        cmocka_unit_test(rules_have_sources),
        cmocka_unit_test(what_one_writer_says),
        cmocka_unit_test(going_without),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
