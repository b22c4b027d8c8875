/* What is asked for but not due: of other hosts, of other groups. */

#include "hostile_client.h"

void
test_foreign_things(void **state)
{
    struct stage *s = *state;
    const struct peer_set *set = &s->honest.first;
    struct sp_buf p = SP_BUF_INIT, record = SP_BUF_INIT;
    struct sp_id ids[2] = {set->data, set->root};
    struct member liar;
    struct sp_msg m;
    unsigned items;
    uint8_t set_id[16];

    m = any_of(SP_MSG_GET);
    assert_int_equal(ask_as(s, &s->mallory, &m, ids, sizeof(ids), NULL, &items), SP_OK);
    assert_int_equal(items, 0);
    for (int nodes = 0; nodes < 2; nodes++) {
        m = any_of(SP_MSG_HAVE);
        m.have.nodes = nodes;
        assert_int_equal(ask_as(s, &s->mallory, &m, ids, sizeof(ids), &p, &items), SP_OK);
        assert_int_equal(p.len, 2);
        assert_true(p.data[0] == 0 && p.data[1] == 0);
    }
    m = any_of(SP_MSG_MISSING);
    memcpy(m.missing.set_id, set->set_id, 16);
    assert_int_equal(ask_as(s, &s->mallory, &m, NULL, 0, NULL, &items), SP_ABSENT);
    assert_int_equal(ask_as(s, &s->mate, &m, NULL, 0, NULL, &items), SP_ABSENT);
    m = any_of(SP_MSG_HOST);
    memcpy(m.host.host, s->honest.m.host, 16);
    assert_int_equal(ask_as(s, &s->mallory, &m, NULL, 0, NULL, &items), SP_ABSENT);
    m = any_of(SP_MSG_SLOTS);
    m.slots.has_group = true;
    memcpy(m.slots.group, s->honest.m.group, 16);
    assert_int_equal(ask_as(s, &s->mallory, &m, NULL, 0, NULL, &items), SP_DENIED);
    m = any_of(SP_MSG_LIST);
    m.list.all_hosts = true;
    assert_int_equal(ask_as(s, &s->mallory, &m, NULL, 0, NULL, &items), SP_OK);
    assert_int_equal(items, 0);
    assert_int_equal(ask_as(s, &s->mate, &m, NULL, 0, NULL, &items), SP_OK);
    assert_int_equal(items, 0);
    m = any_of(SP_MSG_HEAD); /* of another host's job: there is no such thing */
    strcpy(m.head.job, "first");
    assert_int_equal(ask_as(s, &s->mate, &m, NULL, 0, &p, &items), SP_OK);
    assert_int_equal(p.len, 0);

    /* Records: of another host, of another group, not signed by the host, of a root that is another
     * host's, without anything below them. */
    m = any_of(SP_MSG_COMMIT);
    liar = s->mate; /* keys of the group; says that it is the honest host */
    memcpy(liar.host, s->honest.m.host, 16);
    member_set(&liar, SP_RECORD_SET, "files", 1, NULL, &set->root, &record, set_id);
    assert_int_equal(ask_as(s, &s->mate, &m, record.data, record.len, NULL, &items), SP_REFUSED);
    sp_buf_reset(&record);
    member_set(&s->mate, SP_RECORD_SET, "files", 1, NULL, &set->root, &record, set_id);
    assert_int_equal(ask_as(s, &s->mate, &m, record.data, record.len, &p, &items), SP_OK);
    assert_int_equal(p.len, 32); /* nodes of others are not its own: missing */
    assert_memory_equal(p.data, set->root.b, 32);
    assert_true(ask_as(s, &s->mallory, &m, record.data, record.len, NULL, &items) != SP_OK);
    sp_buf_reset(&record);
    liar = s->mallory;
    memcpy(liar.group, s->honest.m.group, 16);
    member_set(&liar, SP_RECORD_SET, "files", 1, NULL, &set->root, &record, set_id);
    assert_true(ask_as(s, &s->mallory, &m, record.data, record.len, NULL, &items) != SP_OK);
    sp_buf_reset(&record);
    liar = s->mallory;
    memset(liar.secret, 7, 32);
    member_set(&liar, SP_RECORD_SET, "files", 1, NULL, &set->root, &record, set_id);
    assert_true(
        ask_as(s, &s->mallory, &m, record.data, record.len, &p, &items) != SP_OK || p.len == 32);
    /* Commit of a set that says it is a checkpoint, of half a record, of noise. */
    m.commit.type = 2;
    assert_true(ask_as(s, &s->mallory, &m, record.data, record.len, NULL, &items) != SP_OK);
    m.commit.type = 1;
    assert_true(ask_as(s, &s->mallory, &m, record.data, record.len / 2, NULL, &items) != SP_OK);
    assert_true(ask_as(s, &s->mallory, &m, "noise", 5, NULL, &items) != SP_OK);
    /* A chain that begins in the middle. */
    sp_buf_reset(&record);
    member_set(&s->mallory, SP_RECORD_SET, "files", 7, set->hash, &set->root, &record, set_id);
    assert_true(
        ask_as(s, &s->mallory, &m, record.data, record.len, &p, &items) != SP_OK || p.len == 32);
    /* Nothing of it is there. */
    m = any_of(SP_MSG_LIST);
    assert_int_equal(ask_as(s, &s->mallory, &m, NULL, 0, NULL, &items), SP_OK);
    assert_int_equal(items, 0);
    assert_int_equal(ask_as(s, &s->mate, &m, NULL, 0, NULL, &items), SP_OK);
    assert_int_equal(items, 0);
    /* Keys and certificates. */
    m = any_of(SP_MSG_PUT_SLOT);
    assert_int_equal(ask_as(s, &s->mallory, &m, "noise", 5, NULL, &items), SP_INVALID);
    m = any_of(SP_MSG_HOST_PUT);
    assert_int_equal(ask_as(s, &s->mallory, &m, "noise", 5, NULL, &items), SP_INVALID);
    sp_buf_reset(&record);
    member_record(&s->mate, &record);
    assert_int_equal(ask_as(s, &s->mallory, &m, record.data, record.len, NULL, &items), SP_INVALID);
    m = any_of(SP_MSG_RENEW);
    assert_true(ask_as(s, &s->mallory, &m, "noise", 5, NULL, &items) != SP_OK);
    sp_buf_free(&p);
    sp_buf_free(&record);
    stage_goes_on(s, 1, 10000);
    stage_passed++;
}
