/* What happens when memory runs out (nomem.h). Every operation is repeated with its first, second,
 * ... allocation failing until it needs no more; each time it must say so, touch nothing and lose
 * nothing (the leak check is the sanitizer's). */

#include "nomem.h"
#include "support.h"

#include <stdatomic.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/ini.h"
#include "base/log.h"
#include "base/path.h"
#include "base/queue.h"
#include "base/text.h"
#include "base/thread.h"

static const char *folder;

/* Each gives the code of one operation and cleans up after a success. */

static enum sp_code
op_buf(struct sp_err *e)
{
    struct sp_buf b = SP_BUF_INIT;
    enum sp_code rc;

    for (int i = 0; i < 100; i++)
        sp_buf_printf(&b, "%d", i);
    sp_buf_put_zero(&b, 500);
    if ((rc = sp_buf_ok(&b, e)) != SP_OK)
        assert_string_equal(sp_buf_str(&b), "");
    sp_buf_free(&b);
    return rc;
}

static enum sp_code
op_take_nothing(struct sp_err *e)
{
    struct sp_buf b = SP_BUF_INIT;
    uint8_t *p = NULL;
    size_t n = 0;
    enum sp_code rc = sp_buf_take(&b, &p, &n, e);

    assert_int_equal(p != NULL, rc == SP_OK);
    sp_buf_free(&b);
    free(p);
    return rc;
}

static enum sp_code
op_base32(struct sp_err *e)
{
    struct sp_buf b = SP_BUF_INIT;
    enum sp_code rc = sp_base32_parse("64S36-D1N6R-VKGE8-HK", &b, e);

    assert_int_equal(b.len, rc == SP_OK ? 9 : 0);
    sp_buf_free(&b);
    return rc;
}

static enum sp_code
op_utf16(struct sp_err *e)
{
    uint16_t *units = NULL;
    char *text = NULL;
    size_t n;
    enum sp_code rc = sp_wtf8_to_utf16("abc", 3, &units, &n, e);

    if (rc == SP_OK)
        rc = sp_utf16_to_wtf8(units, n, &text, &n, e);
    assert_int_equal(text != NULL, rc == SP_OK);
    free(units);
    free(text);
    return rc;
}

static enum sp_code
op_key(struct sp_err *e)
{
    struct sp_buf b = SP_BUF_INIT;
    enum sp_code rc = sp_key_from_path(SP_OS_WINDOWS ? "C:\\a\\b" : "/a/b", &b, e);

    sp_buf_free(&b);
    return rc;
}

static enum sp_code
op_absolute(struct sp_err *e)
{
    char *p = NULL;
    enum sp_code rc = sp_os_absolute("a/b", &p, e);

    assert_int_equal(p != NULL, rc == SP_OK);
    free(p);
    return rc;
}

static enum sp_code
op_place(struct sp_err *e)
{
    char *p = NULL;
    enum sp_code rc = sp_os_place(SP_PLACE_STATE, &p, e);

    assert_int_equal(p != NULL, rc == SP_OK);
    free(p);
    return rc;
}

static enum sp_code
op_hostname(struct sp_err *e)
{
    char *p = NULL;
    enum sp_code rc = sp_os_hostname(&p, e);

    free(p);
    return rc;
}

static enum sp_code
op_files(struct sp_err *e)
{
    char path[4200];
    uint8_t *p = NULL;
    size_t n;
    enum sp_code rc;

    (void)snprintf(path, sizeof(path), "%s/f", folder);
    rc = sp_os_write_file(&sp_os_system, path, "abc", 3, e);
    if (rc == SP_OK)
        rc = sp_os_read_file(&sp_os_system, path, 100, &p, &n, e);
    free(p);
    return rc;
}

static enum sp_code
op_trees(struct sp_err *e)
{
    char path[4200];
    enum sp_code rc;

    (void)snprintf(path, sizeof(path), "%s/a/b/c", folder);
    rc = sp_os_mkdirs(&sp_os_system, path, e);
    (void)snprintf(path, sizeof(path), "%s/a", folder);
    if (rc == SP_OK)
        rc = sp_os_remove_tree(&sp_os_system, path, e);
    return rc;
}

static enum sp_code
take_all(void *arg, const char *section, const char *key, const char *value, unsigned line,
    struct sp_err *e)
{
    (void)arg;
    (void)section;
    (void)key;
    (void)value;
    (void)line;
    (void)e;
    return SP_OK;
}

static enum sp_code
op_ini(struct sp_err *e)
{
    static const char text[] = "[a section with a name]\nkey = \"a\\\"b\"\n more\nlast =\n";

    return sp_ini_parse("conf", text, sizeof(text) - 1, take_all, NULL, e);
}

static enum sp_code
op_queue(struct sp_err *e)
{
    struct sp_queue *q = NULL;
    enum sp_code rc = sp_queue_new(10, 1, NULL, &q, e);

    assert_int_equal(q != NULL, rc == SP_OK);
    sp_queue_free(q);
    return rc;
}

static enum sp_code
op_log(struct sp_err *e)
{
    struct sp_log *l = NULL;
    enum sp_code rc = sp_log_new(SP_LOG_INFO, false, NULL, NULL, &l, e);

    sp_log_free(l);
    return rc;
}

static void
do_nothing(void *arg)
{
    (void)arg;
}

static enum sp_code
op_thread(struct sp_err *e)
{
    struct sp_thread *t = NULL;
    enum sp_code rc = sp_thread_start("t", do_nothing, NULL, &t, e);

    assert_int_equal(t != NULL, rc == SP_OK);
    sp_thread_join(t);
    return rc;
}

static void
every_allocation_may_fail(void **state)
{
    static const struct {
        enum sp_code (*op)(struct sp_err *);
        bool words; /* some allocations are only for words that nobody reads: it succeeds */
    } ops[] = {{op_buf, false}, {op_take_nothing, false}, {op_base32, false}, {op_utf16, false},
        {op_key, false}, {op_absolute, false}, {op_place, SP_OS_WINDOWS}, {op_hostname, false},
        {op_files, SP_OS_WINDOWS}, {op_trees, true}, {op_ini, false}, {op_queue, false},
        {op_log, false}, {op_thread, false}};

    folder = *state;
    for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
        unsigned failures = 0;

        for (int n = 1;; n++) {
            struct sp_err err = {0};
            enum sp_code rc;

            assert_true(n < 1000);
            nomem_at(n);
            rc = ops[i].op(&err);
            if (!nomem_came()) {
                assert_int_equal(rc, SP_OK);
                break;
            }
            if (rc == SP_OK && ops[i].words)
                continue;
            if (rc != SP_NOMEM)
                fail_msg("operation %zu, allocation %d: %s", i, n, sp_code_word(rc));
            assert_int_equal(err.code, SP_NOMEM);
            assert_string_equal(strstr(err.text, "out of memory"), "out of memory");
            failures++;
        }
        assert_true(failures > 0);
    }
}

static void
keep(void *arg, enum sp_log_level level, const char *line)
{
    (void)level;
    assert_string_equal(line, "(no memory for a message)");
    ++*(int *)arg;
}

static void
the_log_still_says_something(void **state)
{
    struct sp_log *l;
    int lines = 0;

    (void)state;
    assert_ok(sp_log_new(SP_LOG_INFO, false, keep, &lines, &l, e));
    nomem_all(true);
    sp_log(l, SP_LOG_ERROR, "text");
    nomem_all(false);
    assert_int_equal(lines, 1);
    sp_log_free(l);
}

struct pusher {
    struct sp_queue *q;
    int item;
    atomic_bool ready, go, returned;
};

static void
push(void *arg)
{
    struct pusher *p = arg;

    atomic_store(&p->ready, true);
    while (!atomic_load(&p->go))
        sp_sleep_ms(1);
    atomic_store(&p->returned, sp_queue_push(p->q, &p->item, 0));
}

/* A queue that cannot get room for one more is a full queue, not a failure. */
static void
a_queue_without_memory_waits(void **state)
{
    struct pusher p = {.item = 1};
    struct sp_thread *t;
    int others;

    (void)state;
    assert_ok(sp_queue_new(1000, 2, NULL, &p.q, e));
    /* As many as the ring begins with. */
    for (int i = 0; i < 16; i++)
        assert_true(sp_queue_push(p.q, &others, 0));
    /* The thread's own memory comes first; then there is none. */
    assert_ok(sp_thread_start("push", push, &p, &t, e));
    while (!atomic_load(&p.ready))
        sp_sleep_ms(1);
    nomem_all(true);
    atomic_store(&p.go, true);
    sp_sleep_ms(50);
    assert_false(atomic_load(&p.returned));
    assert_ptr_equal(sp_queue_pop(p.q), &others);
    sp_thread_join(t);
    nomem_all(false);
    assert_true(atomic_load(&p.returned));
    for (int i = 0; i < 15; i++)
        assert_ptr_equal(sp_queue_pop(p.q), &others);
    assert_ptr_equal(sp_queue_pop(p.q), &p.item);
    sp_queue_free(p.q);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_allocation_may_fail, tmp_setup, tmp_teardown),
        cmocka_unit_test(the_log_still_says_something),
        cmocka_unit_test(a_queue_without_memory_waits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
