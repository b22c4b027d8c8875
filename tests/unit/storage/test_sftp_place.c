/* Addresses of SFTP accounts: what they mean, what they are written as again, and what is wrong
 * with those that are refused. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "expect.h"
#include "storage/backend_sftp.h"

static void
same(const char *got, const char *want, const char *url)
{
    if ((got == NULL) != (want == NULL) || (got != NULL && strcmp(got, want) != 0))
        fail_msg("%s: \"%s\", not \"%s\"", url, got != NULL ? got : "(none)",
            want != NULL ? want : "(none)");
}

static void
addresses_are_taken_apart(void **state)
{
    static const struct {
        const char *url, *user, *host, *path;
        unsigned port;
        const char *text; /* NULL: as it was */
    } cases[] = {
        {"sftp://anna@nas/backup", "anna", "nas", "/backup", 0, NULL},
        {"sftp://nas/backup", NULL, "nas", "/backup", 0, NULL},
        {"sftp://anna@nas.example:2222/volume1/back-up_1.x", "anna", "nas.example",
            "/volume1/back-up_1.x", 2222, NULL},
        {"sftp://anna@nas:22/backup", "anna", "nas", "/backup", 22, NULL},
        {"sftp://anna@nas:65535/b", "anna", "nas", "/b", 65535, NULL},
        /* The login's own folder. */
        {"sftp://anna@nas/~/backup/office", "anna", "nas", "backup/office", 0, NULL},
        {"sftp://anna@nas/~", "anna", "nas", ".", 0, "sftp://anna@nas/~/"},
        {"sftp://anna@nas/~/", "anna", "nas", ".", 0, NULL},
        {"sftp://anna@nas/~//x", "anna", "nas", "x", 0, "sftp://anna@nas/~/x"},
        {"sftp://anna@nas/%7e/x", "anna", "nas", "/~/x", 0, NULL},
        {"sftp://anna@nas/a/~/x", "anna", "nas", "/a/~/x", 0, NULL},
        /* Slashes that mean nothing. */
        {"sftp://anna@nas/backup/", "anna", "nas", "/backup", 0, "sftp://anna@nas/backup"},
        {"sftp://anna@nas//a///b//", "anna", "nas", "/a/b", 0, "sftp://anna@nas/a/b"},
        /* %XX */
        {"sftp://anna@nas/my%20files%2f%25", "anna", "nas", "/my files/%", 0,
            "sftp://anna@nas/my%20files/%25"},
        {"sftp://anna@nas/a%3Fb%23c", "anna", "nas", "/a?b#c", 0, "sftp://anna@nas/a%3fb%23c"},
        {"sftp://an%3ana@nas/b", "an:na", "nas", "/b", 0, NULL},
        {"sftp://anna@nas/caf\xc3\xa9", "anna", "nas", "/caf\xc3\xa9", 0, NULL},
        /* Users of hosted accounts have an @ of their own. */
        {"sftp://anna@firm.example@box.example/b", "anna@firm.example", "box.example", "/b", 0,
            NULL},
        {"sftp://anna%40firm@box/b", "anna@firm", "box", "/b", 0, "sftp://anna@firm@box/b"},
        /* IPv6 */
        {"sftp://anna@[2001:db8::1]/b", "anna", "2001:db8::1", "/b", 0, NULL},
        {"sftp://[::1]:2200/b", NULL, "::1", "/b", 2200, NULL},
        {"sftp://[::ffff:10.0.0.1]/b", NULL, "::ffff:10.0.0.1", "/b", 0, NULL},
        {"sftp://[fe80::1%25eth0]/b", NULL, "fe80::1%eth0", "/b", 0, NULL},
        {"sftp://anna@10.0.0.1/b", "anna", "10.0.0.1", "/b", 0, NULL},
        /* Windows */
        {"sftp://anna@pc/C:/backup", "anna", "pc", "/C:/backup", 0, NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *url = cases[i].url;
        struct sp_sftp_place p, again;
        char *text = NULL;

        check_code(sp_sftp_place_parse(url, &p, &err), SP_OK, url, __LINE__);
        same(p.user, cases[i].user, url);
        same(p.host, cases[i].host, url);
        same(p.path, cases[i].path, url);
        assert_int_equal(p.port, cases[i].port);
        ok(sp_sftp_place_text(&p, &text, &err));
        same(text, cases[i].text != NULL ? cases[i].text : url, url);
        /* What was written means the same. */
        check_code(sp_sftp_place_parse(text, &again, &err), SP_OK, text, __LINE__);
        same(again.user, p.user, text);
        same(again.host, p.host, text);
        same(again.path, p.path, text);
        assert_int_equal(again.port, p.port);
        sp_sftp_place_free(&again);
        sp_sftp_place_free(&p);
        assert_null(p.host);
        free(text);
    }
}

static void
wrong_ones_say_what_is_wrong(void **state)
{
    static const struct {
        const char *url, *word;
    } cases[] = {
        {"", "sftp://user@host[:port]/path"},
        {"/backup", "sftp://user@host[:port]/path"},
        {"ssh://anna@nas/b", "sftp://user@host[:port]/path"},
        {"SFTP//nas/b", "sftp://user@host[:port]/path"},
        {"sftp://anna:secret@nas/b", "must not hold a password"},
        {"sftp://anna:@nas/b", "must not hold a password"},
        {"sftp://:secret@nas/b", "must not hold a password"},
        {"sftp://anna;fingerprint=x@nas/b", "\";\""},
        {"sftp://@nas/b", "no user"},
        {"sftp:///b", "no host"},
        {"sftp://anna@/b", "no host"},
        {"sftp://anna@:22/b", "no host"},
        {"sftp://anna@nas", "ends before a folder"},
        {"sftp://anna@nas/", "ends before a folder"},
        {"sftp://anna@nas:/b", "no port"},
        {"sftp://anna@nas:0/b", "from 1 to 65535"},
        {"sftp://anna@nas:65536/b", "from 1 to 65535"},
        {"sftp://anna@nas:22x/b", "from 1 to 65535"},
        {"sftp://anna@nas:99999999999999999999/b", "from 1 to 65535"},
        {"sftp://anna@nas: 22/b", "from 1 to 65535"},
        {"sftp://anna@2001:db8::1/b", "in brackets"},
        {"sftp://anna@[2001:db8::1/b", "closed by"},
        {"sftp://anna@[2001:db8::1]22/b", "closed by"},
        {"sftp://anna@[]/b", "IPv6 address"},
        {"sftp://anna@[nas]/b", "IPv6 address"},
        {"sftp://anna@[2001:db8::x]/b", "IPv6 address"},
        {"sftp://anna@na s/b", "no name of a host"},
        {"sftp://anna@-oProxyCommand=x/b", "no name of a host"},
        {"sftp://anna@na%2fs/b", "no name of a host"},
        {"sftp://anna@nas/b%2", "two hexadecimal digits"},
        {"sftp://anna@nas/b%2g", "two hexadecimal digits"},
        {"sftp://anna@nas/%", "two hexadecimal digits"},
        {"sftp://anna@nas/b%00c", "control character"},
        {"sftp://anna@nas/b%0ac", "control character"},
        {"sftp://an\x1bna@nas/b", "control character"},
        {"sftp://anna@nas/b?x", "%3f"},
        {"sftp://anna@nas/b#x", "%23"},
        {"sftp://anna@nas/~bob/b", "/~/path"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct sp_sftp_place p = {.port = 77};

        check_code(sp_sftp_place_parse(cases[i].url, &p, &err), SP_INVALID, cases[i].url, __LINE__);
        if (strstr(err.text, cases[i].word) == NULL)
            fail_msg("%s: \"%s\" without \"%s\"", cases[i].url, err.text, cases[i].word);
        assert_null(strstr(err.text, "secret")); /* the sentence may be logged */
        assert_int_equal(p.port, 77);
    }
}

static void
lengths_are_bounded(void **state)
{
    char url[5000];
    struct sp_sftp_place p;

    (void)state;
    strcpy(url, "sftp://anna@nas/");
    memset(url + 16, 'p', 4500);
    url[16 + 4500] = '\0';
    gives(SP_INVALID, sp_sftp_place_parse(url, &p, &err));
    assert_non_null(strstr(err.text, "at most"));
    url[16 + 3999] = '\0';
    ok(sp_sftp_place_parse(url, &p, &err));
    sp_sftp_place_free(&p);
    memset(url + 7, 'u', 300);
    strcpy(url + 307, "@nas/b");
    gives(SP_INVALID, sp_sftp_place_parse(url, &p, &err));
    strcpy(url, "sftp://anna@");
    memset(url + 12, 'h', 300);
    strcpy(url + 312, "/b");
    gives(SP_INVALID, sp_sftp_place_parse(url, &p, &err));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_are_taken_apart),
        cmocka_unit_test(wrong_ones_say_what_is_wrong),
        cmocka_unit_test(lengths_are_bounded),
    };

    return cmocka_run_group_tests_name("sftp place", tests, NULL, NULL);
}
