/* Lies about sets: the chain (R21), lists; and a server that does not want. */

#include "hostile_server.h"

#include "base/clock.h"
#include "base/random.h"
#include "client/cli.h"
#include "client/sets.h"
#include "storage/compress.h"

struct remembered {
    uint64_t sequence;
    uint8_t hash[32];
};

static enum sp_code
keep_record(void *arg, const struct sp_set_info *i, struct sp_err *e)
{
    struct sp_buf *b = arg;

    (void)e;
    sp_buf_reset(b); /* the oldest comes last */
    sp_buf_put(b, i->record, i->record_len);
    return SP_OK;
}

/* A record with a high number that another key signed. */
static void
forge(struct liar *l)
{
    struct sp_set clear = site_sets(&l->site).newest;
    struct sp_set_sealed sealed = {.host_name = (char *)"here", .platform = (char *)"test"};
    struct sp_sealer *sealer = NULL;
    struct sp_compressor *c = NULL;
    struct sp_opener *o = NULL;
    struct sp_hasher *h = NULL;
    struct sp_keys *other = NULL;
    uint8_t secret[32] = {3};

    clear.sequence += 1000;
    clear.has_previous = true;
    memset(clear.previous, 9, 32);
    memset(clear.set_id, 5, 16);
    memcpy(sealed.set_id, clear.set_id, 16);
    assert_ok(sp_keys_generate(&sp_random_system, &other, e)); /* it has no keys of the group */
    assert_ok(sp_sealer_new(other, &sp_random_system, &sealer, e));
    assert_ok(sp_compressor_new(3, &c, e));
    assert_ok(sp_opener_new(other, &o, e));
    assert_ok(sp_hasher_new(other, &h, e));
    sp_buf_reset(&l->forged);
    assert_ok(sp_set_record_encode(
        SP_RECORD_SET, &clear, &sealed, sealer, c, o, h, secret, &l->forged, e));
    sp_hasher_free(h);
    sp_opener_free(o);
    sp_compressor_free(c);
    sp_sealer_free(sealer);
    sp_keys_free(other);
}

void
test_rolled_back(void **state)
{
    static const enum lie lies[] = {HEAD_FORGED, HEAD_OLD, HEAD_NONE};
    struct liar *l = *state;
    struct outcome o;

    tell_lie(l, TRUTH);
    site_run_well(&l->site, "first", &o);
    site_random_file(&l->site, "two", 20000, 22);
    site_run_well(&l->site, "second", &o);
    l->site.o.known_sequence = o.result.sequence;
    memcpy(l->site.o.known_hash, o.result.record_hash, 32);
    assert_ok(sp_store_list(truth(l), false, false, keep_record, &l->old_head, e));
    forge(l);
    site_run_well(&l->site, "third", &o); /* no alarm without a reason */
    assert_false(o.result.chain_broken);
    l->site.o.known_sequence = o.result.sequence;
    memcpy(l->site.o.known_hash, o.result.record_hash, 32);
    /* A store may lag: the client asks for seconds before it gives an alarm. */
    for (size_t i = 0; i < (getenv("STILLPOINT_LONG") != NULL ? 3 : 2); i++) {
        tell_lie(l, lies[i]);
        site_run(&l->site, "rolled back", &o);
        if (o.code != SP_OK || !o.result.chain_broken)
            fail_msg("lie %d: no alarm; %s %s", (int)lies[i], sp_code_word(o.code), o.err.text);
        reconnect(l);
    }
    tell_lie(l, HEAD_NOISE);
    site_run(&l->site, "noise for a head", &o);
    assert_true(o.code == SP_CORRUPT || o.code == SP_PROTOCOL);
    reconnect(l);
    tell_lie(l, TRUTH);
    site_run_well(&l->site, "truth", &o);
    assert_false(o.result.chain_broken);
    site_assert_equal(&l->site);
}

void
test_lists(void **state)
{
    struct liar *l = *state;
    struct sp_opened_store opened = {.keys = l->site.keys};
    struct sp_sets sets;
    struct outcome o;

    memset(&sets, 0, sizeof(sets));
    tell_lie(l, TRUTH);
    site_run_well(&l->site, "truth", &o);
    opened.store = l->remote;
    assert_ok(sp_sets_list(&opened, true, false, NULL, &sets, e));
    assert_int_equal(sets.n, 1);
    assert_int_equal(sets.v[0].sign, SP_SIGNED_BY_HOST);
    sp_sets_clear(&sets);
    tell_lie(l, LIST_FOREIGN);
    assert_ok(sp_sets_list(&opened, true, false, NULL, &sets, e));
    assert_int_equal(sets.n + sets.unreadable, 2000);
    for (size_t i = 0; i < sets.n; i++)
        assert_int_equal(sets.v[i].sign, SP_SIGNED_NOT);
    sp_sets_clear(&sets);
}

void
test_refuses(void **state)
{
    static const struct {
        enum sp_code code;
        int exit;
    } rows[] = {{SP_FULL, SP_EXIT_FAILED}, {SP_AUTH, SP_EXIT_UNREACHABLE},
        {SP_INTERNAL, SP_EXIT_FAILED}, {SP_REFUSED, SP_EXIT_REFUSED}};
    struct liar *l = *state;
    struct outcome o;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        l->code = rows[i].code;
        tell_lie(l, ERROR_ALWAYS);
        site_run(&l->site, "an error", &o);
        ends_with(&o, rows[i].code, "because I say so");
        if (exit_of(o.code, o.err.domain) != rows[i].exit)
            fail_msg("%s: exit %d", sp_code_word(o.code), exit_of(o.code, o.err.domain));
        reconnect(l);
    }
    tell_lie(l, CLOSE_ALWAYS);
    site_run(&l->site, "closed", &o);
    ends_with(&o, SP_UNREACHABLE, "could not be had again");
    assert_int_equal(exit_of(o.code, o.err.domain), SP_EXIT_UNREACHABLE);
    assert_int_equal(site_sets(&l->site).sets, 0);
}

static void
cancel_soon(void *arg)
{
    sp_sleep_ms(300);
    sp_store_cancel(arg);
}

/* It answers pings and nothing else: the user's signal ends it. */
void
test_silent(void **state)
{
    struct liar *l = *state;
    struct sp_thread *t = NULL;
    struct outcome o;
    int64_t began = sp_clock_mono(&sp_clock_system);

    tell_lie(l, SILENT);
    assert_ok(sp_thread_start("cancel", cancel_soon, l->remote, &t, e));
    site_run(&l->site, "silent", &o);
    sp_thread_join(t);
    assert_int_equal(o.code, SP_CANCELLED);
    assert_true(sp_clock_mono(&sp_clock_system) - began < 10 * SP_SECOND);
}
