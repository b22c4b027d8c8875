/* Completions at the server: each host its own, and nothing of them to a client that does not know
 * them. */

#include "peer.h"

struct fixture {
    struct place place;
    struct running r;
    struct member m, other; /* of one key group */
};

/* A token can be had once the first heartbeat has said the port. */
static void
start(struct fixture *f)
{
    char out[4096], want[32];

    running_start(&f->r, &f->place);
    (void)snprintf(want, sizeof(want), "\"port\":%u,", (unsigned)f->r.port);
    for (int i = 0; i < 250; i++) {
        assert_int_equal(place_run(&f->place, out, sizeof(out), "status", "--json"), SP_EXIT_DONE);
        if (strstr(out, want) != NULL)
            return;
        sp_sleep_ms(20);
    }
    fail_msg("no heartbeat: %s", out);
}

static int
setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    place_make(&f->place);
    place_init(&f->place);
    start(f);
    peer_enroll(&f->r, "desk", &f->m);
    peer_enroll(&f->r, "lap", &f->other);
    *state = f;
    return 0;
}

static int
teardown(void **state)
{
    struct fixture *f = *state;

    running_stop(&f->r);
    member_clear(&f->m);
    member_clear(&f->other);
    place_remove(&f->place);
    free(f);
    return 0;
}

static struct sp_msg
request(enum sp_msg_type type)
{
    struct sp_msg m;

    memset(&m, 0, sizeof(m));
    m.type = type;
    return m;
}

/* The types of the items of a list, one digit each. */
static const char *
list(struct peer *p, char to[16])
{
    struct sp_msg m = request(SP_MSG_LIST);
    struct sp_frame r;
    uint32_t tag = peer_send(p, &m, NULL, 0);
    size_t n = 0;

    peer_reply(p, tag, &r);
    assert_int_equal(r.msg.type, SP_MSG_DONE);
    for (size_t i = 0; i < p->n; i++)
        if (p->inbox[i].msg.tag == tag && p->inbox[i].msg.type == SP_MSG_LIST_ITEM) {
            assert_true(n < 15);
            to[n++] = (char)('0' + p->inbox[i].msg.list_item.type);
        }
    to[n] = '\0';
    return to;
}

/* One who knows them sees each before its set; one who does not sees sets, as before. */
static void
test_shown_to_who_knows(void **state)
{
    struct fixture *f = *state;
    struct peer p, old;
    struct peer_set set, next;
    struct sp_buf c = SP_BUF_INIT;
    struct sp_msg m = request(SP_MSG_COMPLETE);
    struct sp_frame r;
    char types[16];

    peer_open_knowing(&p, &f->r, &f->m, SP_FEATURE_COMPLETIONS);
    peer_open(&old, &f->r, &f->m);
    peer_backup(&p, &f->m, "files", 1, NULL, &set);
    assert_string_equal(list(&p, types), "1");
    member_completion(&f->m, f->m.host, set.set_id, set.hash, &c);
    peer_ask(&p, &m, c.data, c.len, SP_MSG_DONE, &r);
    assert_string_equal(list(&p, types), "31");
    assert_string_equal(list(&old, types), "1");
    peer_backup(&old, &f->m, "files", 2, set.hash, &next);
    assert_string_equal(list(&p, types), "131");
    assert_string_equal(list(&old, types), "11");
    peer_close(&old);
    peer_close(&p);
    sp_buf_free(&c);
}

/* Who did not name the feature breaks the protocol with it. */
static void
test_without_the_feature(void **state)
{
    struct fixture *f = *state;
    struct peer p;
    struct peer_set set;
    struct sp_buf c = SP_BUF_INIT;
    struct sp_msg m = request(SP_MSG_COMPLETE);

    peer_open(&p, &f->r, &f->m);
    peer_backup(&p, &f->m, "files", 1, NULL, &set);
    member_completion(&f->m, f->m.host, set.set_id, set.hash, &c);
    (void)peer_send(&p, &m, c.data, c.len);
    assert_true(peer_wait(&p, peer_is_closed, 5000));
    assert_int_equal(p.why.code, SP_PROTOCOL);
    assert_non_null(strstr(p.why.text, "feature"));
    peer_close(&p);
    sp_buf_free(&c);
}

/* The host is who its certificate says, whatever a completion names and whoever signed it (R23). */
static void
test_of_others(void **state)
{
    struct fixture *f = *state;
    struct peer p, q;
    struct peer_set mine, theirs;
    struct sp_buf c = SP_BUF_INIT;
    struct sp_msg m = request(SP_MSG_COMPLETE);
    struct sp_frame r;
    char types[16];

    peer_open_knowing(&p, &f->r, &f->m, SP_FEATURE_COMPLETIONS);
    peer_open_knowing(&q, &f->r, &f->other, SP_FEATURE_COMPLETIONS);
    peer_backup(&p, &f->m, "files", 1, NULL, &mine);
    peer_backup(&q, &f->other, "files", 1, NULL, &theirs);

    member_completion(&f->m, f->m.host, mine.set_id, mine.hash, &c); /* true, by the wrong host */
    peer_refused(&q, &m, c.data, c.len, SP_REFUSED);
    sp_buf_reset(&c); /* mine, signed by another */
    member_completion(&f->other, f->m.host, mine.set_id, mine.hash, &c);
    peer_refused(&p, &m, c.data, c.len, SP_CORRUPT);
    peer_refused(&q, &m, c.data, c.len, SP_REFUSED);
    sp_buf_reset(&c); /* another's set, as if it were mine */
    member_completion(&f->m, f->m.host, theirs.set_id, theirs.hash, &c);
    peer_refused(&p, &m, c.data, c.len, SP_ABSENT);
    sp_buf_reset(&c); /* another record */
    member_completion(&f->m, f->m.host, mine.set_id, theirs.hash, &c);
    peer_refused(&p, &m, c.data, c.len, SP_ABSENT);
    peer_refused(&p, &m, "nonsense", 8, SP_CORRUPT);
    assert_string_equal(list(&p, types), "1");
    assert_string_equal(list(&q, types), "1");

    sp_buf_reset(&c);
    member_completion(&f->m, f->m.host, mine.set_id, mine.hash, &c);
    peer_ask(&p, &m, c.data, c.len, SP_MSG_DONE, &r);
    peer_ask(&p, &m, c.data, c.len, SP_MSG_DONE, &r); /* again */
    sp_buf_reset(&c);
    member_completion(&f->m, f->m.host, mine.set_id, mine.hash, &c); /* another one */
    peer_refused(&p, &m, c.data, c.len, SP_EXISTS);
    assert_string_equal(list(&p, types), "31");
    assert_string_equal(list(&q, types), "1");
    peer_close(&q);
    peer_close(&p);
    sp_buf_free(&c);
}

/* Revoked, and at once a completion. */
static void
test_of_revoked(void **state)
{
    struct fixture *f = *state;
    struct peer p;
    struct peer_set set;
    struct sp_buf c = SP_BUF_INIT;
    struct sp_msg m = request(SP_MSG_COMPLETE);
    char out[4096];
    uint32_t tag;

    peer_open_knowing(&p, &f->r, &f->m, SP_FEATURE_COMPLETIONS);
    peer_backup(&p, &f->m, "files", 1, NULL, &set);
    member_completion(&f->m, f->m.host, set.set_id, set.hash, &c);
    assert_int_equal(
        place_run(&f->place, out, sizeof(out), "host", "revoke", "desk"), SP_EXIT_DONE);
    tag = p.channel != NULL ? peer_send(&p, &m, c.data, c.len) : 0;
    assert_true(peer_wait(&p, peer_is_closed, 5000));
    for (size_t i = 0; i < p.n; i++)
        assert_true(p.inbox[i].msg.tag != tag || p.inbox[i].msg.type != SP_MSG_DONE);
    peer_close(&p);
    sp_buf_free(&c);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_shown_to_who_knows, setup, teardown),
        cmocka_unit_test_setup_teardown(test_without_the_feature, setup, teardown),
        cmocka_unit_test_setup_teardown(test_of_others, setup, teardown),
        cmocka_unit_test_setup_teardown(test_of_revoked, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
