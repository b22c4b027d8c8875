#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/clock.h"
#include "entries.h"
#include "storage/record.h"

#define HOST "000102030405060708090a0b0c0d0e0f"
#define ID "f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff"
#define GOOD "sets/" HOST "/2026-11/20261122t101227z-" ID ".set"

static void
a_name_as_the_format_has_it(void **state)
{
    static const char *const endings[] = {"set", "checkpoint", "completion", "removal"};
    uint8_t host[16], id[16];
    char want[200], got[160];
    int64_t at = 0;

    (void)state;
    for (unsigned i = 0; i < 16; i++) {
        host[i] = (uint8_t)i;
        id[i] = (uint8_t)(0xf0 + i);
    }
    assert_int_equal(sp_time_parse("2026-11-22T10:12:27Z", &at), 0);
    for (unsigned i = 0; i < 4; i++) {
        strcpy(want, "sets/" HOST "/2026-11/20261122t101227z-" ID ".");
        strcat(want, endings[i]);
        sp_record_object_name((enum sp_record_type)(i + 1), host, at + 999999999, id, got);
        assert_string_equal(got, want);
    }
}

static void
names_come_back(void **state)
{
    struct draws d = {new_seed()};

    (void)state;
    for (int i = 0; i < 2000; i++) {
        enum sp_record_type type = (enum sp_record_type)(draw_below(&d, 4) + 1), got_type = 0;
        struct sp_id a = draw_id(&d);
        uint8_t host[16], id[16];
        int64_t at = (int64_t)(draw_below(&d, 4000000000) * 1000000000), got_at = 0;
        char name[160];

        sp_record_object_name(type, a.b, at, a.b + 16, name);
        assert_true(sp_record_object_parse(name, &got_type, host, &got_at, id));
        assert_true(got_type == type && got_at == at);
        assert_memory_equal(host, a.b, 16);
        assert_memory_equal(id, a.b + 16, 16);
    }
}

static void
other_names_are_refused(void **state)
{
    static const char *const bad[] = {"", "sets", "sets/", "sets/" HOST, "x" GOOD, GOOD "x",
        GOOD ".bad", "Sets/" HOST "/2026-11/20261122t101227z-" ID ".set",
        "sets/" HOST "/2026-12/20261122t101227z-" ID ".set",
        "sets/" HOST "/2026-13/20261322t101227z-" ID ".set",
        "sets/" HOST "/2026-11/20261131t101227z-" ID ".set",
        "sets/" HOST "/2026-11/20261122t251227z-" ID ".set",
        "sets/" HOST "/2026-11/20261122T101227Z-" ID ".set",
        "sets/" HOST "/2026-11/20261122t101227z_" ID ".set",
        "sets/" HOST "/2026-11/20261122t101227z-" ID ".SET",
        "sets/" HOST "/2026-11/20261122t101227z-" ID ".",
        "sets/" HOST "/2026-11/20261122t101227z-" ID,
        "sets/" HOST "/2026-11/20261122t101227z-F0f1f2f3f4f5f6f7f8f9fafbfcfdfeff.set",
        "sets/0001/2026-11/20261122t101227z-" ID ".set",
        "sets/" HOST "/2026-11/20261122t101227z-" ID ".set/" HOST HOST HOST HOST HOST HOST};
    enum sp_record_type type;
    uint8_t host[16], id[16];
    char spoiled[160];
    int64_t at;

    (void)state;
    assert_true(sp_record_object_parse(GOOD, &type, host, &at, id));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (sp_record_object_parse(bad[i], &type, host, &at, id))
            fail_msg("%s was taken", bad[i]);
    }
    /* Shortened, or with another byte anywhere that is no digit there. */
    for (size_t i = 0; i < sizeof GOOD - 1; i++) {
        memcpy(spoiled, GOOD, sizeof GOOD);
        spoiled[i] = '\0';
        assert_false(sp_record_object_parse(spoiled, &type, host, &at, id));
        memcpy(spoiled, GOOD, sizeof GOOD);
        spoiled[i] = '~';
        assert_false(sp_record_object_parse(spoiled, &type, host, &at, id));
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_as_the_format_has_it),
        cmocka_unit_test(names_come_back),
        cmocka_unit_test(other_names_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
