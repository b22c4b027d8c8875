/* A hostile server against the real client: a server with a true repository behind it that lies
 * about it, and one that speaks no sense at all. Whatever it says: the client ends, with a reason,
 * within a deadline; what it gives out as restored is what was backed up; what a client has to keep
 * to itself is not sent. */

#include "tests/unit/client/fake_server.h"
#include "tests/unit/client/site.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/path.h"
#include "base/random.h"
#include "client/cli.h"
#include "client/content_check.h"
#include "client/restore.h"
#include "client/sets.h"
#include "proto/session_impl.h"
#include "storage/catalog.h"
#include "storage/compress.h"
#include "storage/crypto.h"
#include "storage/entry.h"

static unsigned long cases;

/* --- the liar ------------------------------------------------------------------------------------
 */

enum lie {
    TRUTH,
    HAVE_ALL,           /* "mine" for everything, commits are true */
    HAVE_ALL_COMMIT,    /* and "published" for whatever is committed */
    HAVE_MEMBERS_ALL,   /* "a member has it", but Get gives nothing */
    HAVE_MEMBERS_NOISE, /* and Get gives blocks that claim the ids */
    HAVE_NONSENSE,      /* an answer that there is not */
    FORGET_PUTS,        /* acknowledges, stores nothing, "published" */
    ACK_TOO_MUCH,
    ACK_BACKWARDS,
    GET_FLIPPED, /* bytes of the sealed part changed */
    GET_OTHER,   /* another block under the index */
    GET_TWICE,   /* without end */
    GET_OUTSIDE, /* an index that was not asked for */
    GET_NOTHING,
    GET_HALF,    /* the block is cut short */
    HEAD_OLD,    /* an older set */
    HEAD_NONE,   /* no set at all */
    HEAD_FORGED, /* a newer one that this host did not sign */
    HEAD_NOISE,
    LIST_FOREIGN, /* thousands of records of other hosts, with this one's name on some */
    LIST_TWICE,   /* the same without end */
    ERROR_ALWAYS,
    CLOSE_ALWAYS,
    SILENT
};

struct liar {
    struct fake *f;
    struct site site;
    enum lie lie;
    enum sp_code code; /* of ERROR_ALWAYS */
    uint64_t put[2];
    unsigned session;
    struct sp_buf old_head; /* the first set's record */
    struct sp_buf forged;
    struct sp_buf seen; /* all payloads that came */
    struct sp_store *remote;
};

static struct sp_store *
truth(struct liar *l)
{
    return l->site.repository;
}

static void
count_session(struct liar *l, const struct fake_session *s)
{
    if (l->session == s->number)
        return;
    l->session = s->number;
    l->put[0] = l->put[1] = 0;
}

static void
take_put(struct liar *l, struct fake_session *s, struct sp_frame *f)
{
    struct sp_err err = {0};
    uint8_t *block = f->payload;

    l->put[f->msg.put.nodes]++;
    if (l->lie == FORGET_PUTS)
        return;
    f->payload = NULL;
    if (sp_store_put(truth(l), block, f->payload_len, &err) != SP_OK)
        fake_fail("a block of the client is refused: %s", err.text);
    if (l->lie == ACK_TOO_MUCH || l->lie == ACK_BACKWARDS) {
        struct sp_msg m = {.type = SP_MSG_ACK};

        m.ack.data = l->put[0] + (l->lie == ACK_TOO_MUCH);
        m.ack.nodes = l->put[1];
        assert_ok(sp_session_queue(sp_channel_session(s->channel), &m, NULL, 0, e));
        if (l->lie == ACK_BACKWARDS) {
            m.ack.data = 0;
            assert_ok(sp_session_queue(sp_channel_session(s->channel), &m, NULL, 0, e));
        }
        sp_channel_flush(s->channel);
    }
}

static void
flush(struct liar *l)
{
    struct sp_err e = {0};

    if (l->lie != FORGET_PUTS && sp_store_flush(truth(l), &e) != SP_OK)
        fake_fail("flush: %s", e.text);
}

static void
answer_have(struct liar *l, struct fake_session *s, const struct sp_frame *f)
{
    struct sp_msg m = {.type = SP_MSG_HAVE_REPLY, .tag = f->msg.tag};
    size_t n = f->payload_len / 32;
    uint8_t *answers = calloc(1, n);

    sure(answers != NULL);
    assert_ok(sp_store_have(
        truth(l), f->msg.have.nodes, (const struct sp_id *)f->payload, n, answers, e));
    for (size_t i = 0; i < n; i++) {
        if (l->lie == HAVE_ALL || l->lie == HAVE_ALL_COMMIT)
            answers[i] = SP_HAVE_MINE;
        if ((l->lie == HAVE_MEMBERS_ALL || l->lie == HAVE_MEMBERS_NOISE) && !f->msg.have.nodes &&
            answers[i] == SP_HAVE_NO)
            answers[i] = SP_HAVE_MEMBERS;
        if (l->lie == HAVE_NONSENSE)
            answers[i] = 200;
    }
    fake_reply(s, &m, answers, n);
    free(answers);
}

static void
answer_head(struct liar *l, struct fake_session *s, const struct sp_frame *f)
{
    struct sp_msg m = {.type = SP_MSG_HEAD_REPLY, .tag = f->msg.tag};
    struct sp_store_head h;
    struct sp_buf p = SP_BUF_INIT;

    memset(&h, 0, sizeof(h));
    assert_ok(sp_store_head(truth(l), f->msg.head.job, &h, e));
    m.head_reply.has_set = h.has_set;
    m.head_reply.set_whole = h.set_whole;
    m.head_reply.set_len = (uint32_t)h.set_len;
    sp_buf_put(&p, h.set, h.set_len);
    if (h.has_set && l->lie >= HEAD_OLD && l->lie <= HEAD_NOISE) {
        sp_buf_reset(&p);
        if (l->lie == HEAD_OLD)
            sp_buf_put(&p, l->old_head.data, l->old_head.len);
        else if (l->lie == HEAD_FORGED)
            sp_buf_put(&p, l->forged.data, l->forged.len);
        else if (l->lie == HEAD_NOISE)
            sp_buf_put_str(&p, "noise that is no record at all");
        m.head_reply.has_set = m.head_reply.set_whole = p.len > 0;
        m.head_reply.set_len = (uint32_t)p.len;
    }
    fake_reply(s, &m, p.data, p.len);
    sp_store_head_clear(&h);
    sp_buf_free(&p);
}

static void
answer_commit(struct liar *l, struct fake_session *s, const struct sp_frame *f)
{
    struct sp_msg m = {.type = SP_MSG_COMMIT_REPLY, .tag = f->msg.tag};
    struct sp_commit_result r;
    struct sp_err e = {0};

    memset(&r, 0, sizeof(r));
    flush(l);
    (void)sp_session_ack(sp_channel_session(s->channel), l->put[0], l->put[1], &e);
    if (l->lie >= HEAD_OLD && l->lie <= HEAD_FORGED) {
        r.published_ns = 1;
    } else if (l->lie == FORGET_PUTS || l->lie == HAVE_ALL_COMMIT) {
        r.published_ns = 1;
        sp_buf_reset(&l->old_head);
        sp_buf_put(&l->old_head, f->payload, f->payload_len);
    } else if (sp_store_commit(truth(l), (enum sp_record_type)f->msg.commit.type, f->payload,
                   f->payload_len, &r, &e) != SP_OK) {
        fake_error(s, f->msg.tag, e.code, e.text);
        return;
    }
    m.commit_reply.published_ns = r.nmissing > 0 ? 0 : r.published_ns;
    m.commit_reply.more = r.missing_more;
    fake_reply(s, &m, r.missing, r.nmissing * 32);
    sp_commit_result_clear(&r);
}

struct getting {
    struct liar *l;
    struct fake_session *s;
    const struct sp_frame *f;
    unsigned n;
    struct sp_buf before; /* the block before */
};

static enum sp_code
give_block(void *arg, const uint8_t *block, size_t n, const uint32_t *wanted, size_t nwanted,
    struct sp_err *unused)
{
    struct getting *g = arg;
    struct sp_msg m = {.type = SP_MSG_BLOCK, .tag = g->f->msg.tag};
    struct sp_buf p = SP_BUF_INIT;
    unsigned times = 1;

    (void)unused;
    g->n++;
    m.block.wanted = (uint32_t)nwanted;
    for (size_t i = 0; i < nwanted; i++)
        sp_buf_put_u32(
            &p, g->l->lie == GET_OUTSIDE ? (uint32_t)(g->f->payload_len / 32) : wanted[i]);
    if (g->l->lie == GET_OTHER && g->before.len > 0)
        sp_buf_put(&p, g->before.data, g->before.len);
    else
        sp_buf_put(&p, block, g->l->lie == GET_HALF ? n / 2 : n);
    if (g->l->lie == GET_FLIPPED && g->n % 2 == 0)
        p.data[p.len - 40] ^= 1;
    if (g->l->lie == GET_TWICE)
        times = 10;
    for (unsigned i = 0; i < times; i++) {
        uint8_t *copy = malloc(p.len);

        sure(copy != NULL);
        memcpy(copy, p.data, p.len);
        /* A session of ours would not send it twice: it does not look. */
        assert_ok(sp_session_queue(sp_channel_session(g->s->channel), &m, copy, p.len, e));
    }
    sp_channel_flush(g->s->channel);
    sp_buf_reset(&g->before);
    sp_buf_put(&g->before, block, n);
    sp_buf_free(&p);
    return SP_OK;
}

static void
answer_get(struct liar *l, struct fake_session *s, const struct sp_frame *f)
{
    struct sp_msg done = {.type = SP_MSG_DONE, .tag = f->msg.tag};
    struct getting g = {.l = l, .s = s, .f = f};

    if (l->lie == HAVE_MEMBERS_NOISE && f->msg.get.copy == 0) {
        for (uint32_t i = 0; i < f->payload_len / 32; i++) { /* a block for each, of noise */
            struct sp_msg m = {.type = SP_MSG_BLOCK, .tag = f->msg.tag, .block = {.wanted = 1}};
            size_t n;
            uint8_t *block = fake_block(1, false, 1, 100, &n);
            struct sp_buf p = SP_BUF_INIT;

            memcpy(block + 64, f->payload + 32 * i, 32);
            sp_buf_put_u32(&p, i);
            sp_buf_put(&p, block, n);
            fake_reply(s, &m, p.data, p.len);
            sp_buf_free(&p);
            free(block);
        }
    } else if (l->lie != GET_NOTHING) {
        assert_ok(sp_store_get(truth(l), (const struct sp_id *)f->payload, f->payload_len / 32,
            f->msg.get.copy, give_block, &g, e));
    }
    sp_buf_free(&g.before);
    fake_reply(s, &done, NULL, 0);
}

struct listing {
    struct liar *l;
    struct fake_session *s;
    uint32_t tag;
};

static enum sp_code
give_set(void *arg, const struct sp_set_info *i, struct sp_err *e)
{
    struct listing *g = arg;
    struct sp_msg m = {.type = SP_MSG_LIST_ITEM, .tag = g->tag};
    unsigned times = g->l->lie == LIST_FOREIGN ? 2000 : g->l->lie == LIST_TWICE ? 3000 : 1;

    (void)e;
    m.list_item.type = i->type;
    m.list_item.published_ns = i->published_ns;
    memcpy(m.list_item.host, i->host, 16);
    memcpy(m.list_item.set_id, i->set_id, 16);
    for (unsigned k = 0; k < times; k++) {
        struct sp_buf p = SP_BUF_INIT;

        sp_buf_put(&p, i->record, i->record_len);
        if (g->l->lie == LIST_FOREIGN) {
            m.list_item.set_id[0] = (uint8_t)k;
            m.list_item.set_id[1] = (uint8_t)(k >> 8);
            if (k % 2 == 1)
                p.data[p.len - 10 - k % 50] ^= 1; /* in the signature */
            else
                p.data[p.len / 2] ^= 1;
        }
        fake_reply(g->s, &m, p.data, p.len);
        sp_buf_free(&p);
    }
    return SP_OK;
}

static void
answer_list(struct liar *l, struct fake_session *s, const struct sp_frame *f)
{
    struct sp_msg done = {.type = SP_MSG_DONE, .tag = f->msg.tag};
    struct listing g = {l, s, f->msg.tag};

    assert_ok(sp_store_list(truth(l), true, f->msg.list.checkpoints, give_set, &g, e));
    fake_reply(s, &done, NULL, 0);
}

static void
answer_host(struct liar *l, struct fake_session *s, const struct sp_frame *f)
{
    struct sp_msg m = {.type = SP_MSG_HOST_REPLY, .tag = f->msg.tag};
    struct sp_err e = {0};
    uint8_t *p = NULL;
    size_t n = 0;

    if (sp_store_host(truth(l), f->msg.host.host, &p, &n, &e) != SP_OK) {
        fake_error(s, f->msg.tag, e.code, e.text);
        return;
    }
    fake_reply(s, &m, p, n);
    free(p);
}

static bool
serve(struct fake *f, struct fake_session *s, struct sp_event *ev)
{
    struct liar *l = f->on_arg;
    struct sp_frame *fr = &ev->frame;
    struct sp_msg m = {.tag = fr->msg.tag};

    sp_buf_put(&l->seen, fr->payload, fr->payload_len);
    count_session(l, s);
    if (fr->msg.type == SP_MSG_PUT) {
        take_put(l, s, fr);
        return true;
    }
    if (fr->msg.type == SP_MSG_CANCEL || l->lie == SILENT)
        return true;
    if (l->lie == ERROR_ALWAYS) {
        fake_error(s, fr->msg.tag, l->code, "because I say so");
        return true;
    }
    if (l->lie == CLOSE_ALWAYS) {
        sp_channel_abort(s->channel);
        return true;
    }
    switch (fr->msg.type) {
    case SP_MSG_HAVE:
        answer_have(l, s, fr);
        break;
    case SP_MSG_HEAD:
        answer_head(l, s, fr);
        break;
    case SP_MSG_COMMIT:
        answer_commit(l, s, fr);
        break;
    case SP_MSG_GET:
        answer_get(l, s, fr);
        break;
    case SP_MSG_LIST:
        answer_list(l, s, fr);
        break;
    case SP_MSG_HOST:
        answer_host(l, s, fr);
        break;
    case SP_MSG_FLUSH:
        flush(l);
        m.type = SP_MSG_FLUSHED;
        m.ack.data = l->put[0];
        m.ack.nodes = l->put[1];
        fake_reply(s, &m, NULL, 0);
        break;
    default:
        fake_fail("an unexpected %s", sp_msg_info(fr->msg.type)->name);
    }
    return true;
}

/* --- a stage -------------------------------------------------------------------------------------
 */

static void
tell_lie(struct liar *l, enum lie lie)
{
    sp_mutex_lock(&l->f->lock);
    l->lie = lie;
    sp_mutex_unlock(&l->f->lock);
    cases++;
}

static void
connect_site(struct liar *l)
{
    struct sp_remote_options o = fake_options(l->f);

    o.retry_ms = 400;
    assert_ok(fake_try(l->f, &o, &l->remote, e));
    wrap_clear(&l->site.wrap);
    wrap_init(&l->site.wrap, l->remote);
}

static void
reconnect(struct liar *l)
{
    sp_store_free(l->remote);
    connect_site(l);
}

static int
setup(void **state)
{
    struct liar *l = calloc(1, sizeof(*l));
    uint8_t *conf = NULL;
    size_t n;

    assert_non_null(l);
    site_new(&l->site, false);
    l->site.deadline_s = 30;
    site_random_file(&l->site, "one", 300000, 1);
    site_random_file(&l->site, "two", 20000, 2);
    site_many(&l->site, "many", 20, 3000);
    l->f = fake_new();
    assert_ok(sp_backend_get_all(l->site.below, "repository.conf", 65536, &conf, &n, e));
    sp_buf_reset(&l->f->conf);
    sp_buf_put(&l->f->conf, conf, n);
    free(conf);
    memcpy(l->f->hello.server_hello.host, l->site.host.id, 16);
    l->f->on = serve;
    l->f->on_arg = l;
    fake_run(l->f);
    connect_site(l);
    *state = l;
    return 0;
}

/* Whatever it asked for: no secret was among what the client sent. */
static void
assert_no_secret(struct liar *l)
{
    struct sp_buf secrets = SP_BUF_INIT;

    assert_ok(sp_keys_encode(l->site.keys, &secrets, e));
    assert_true(secrets.len >= 32);
    for (size_t at = 0; at + 24 <= secrets.len && l->seen.len > 0; at += 8) {
        static const uint8_t zeros[24];

        if (memcmp(secrets.data + at, zeros, 24) == 0 ||
            memcmp(secrets.data + at, sp_keys_group(l->site.keys), 8) == 0)
            continue;
        if (memmem(l->seen.data, l->seen.len, secrets.data + at, 24) != NULL)
            fail_msg("24 bytes of the group's secrets were sent");
    }
    if (l->seen.len > 0) {
        assert_null(memmem(l->seen.data, l->seen.len, l->site.secret, 32));
        assert_null(memmem(l->seen.data, l->seen.len, "PRIVATE KEY", 11));
    }
    sp_buf_wipe(&secrets);
}

static int
teardown(void **state)
{
    struct liar *l = *state;

    assert_no_secret(l);
    sp_store_free(l->remote);
    fake_free(l->f);
    site_free(&l->site);
    sp_buf_free(&l->old_head);
    sp_buf_free(&l->forged);
    sp_buf_free(&l->seen);
    free(l);
    return 0;
}

struct restored {
    enum sp_code code;
    struct sp_err err;
    struct sp_restore_stats stats;
};

/* Over the network, from a root. What is there afterwards must be as it was, file by file: the
 * target is then removed. */
static void
restore(struct liar *l, const struct sp_id *root, struct restored *ret)
{
    char *to = tree_path(&l->site.tree, "from-liar");
    struct sp_bytes key = tree_key(&l->site.tree, "files");
    const struct sp_restore_options o = {.target = to,
        .numeric_owner = true,
        .temp_dir = l->site.tree.path,
        .strip = sp_key_depth(key.p, key.n)};
    const struct sp_restore_events events = {.fault = NULL};
    char file[600], below[600];
    static const char *const names[] = {"one", "two", "many/000/00003"};

    memset(ret, 0, sizeof(*ret));
    ret->code = sp_restore_run(
        &sp_env_system, l->remote, l->site.keys, root, &o, &events, &ret->stats, &ret->err);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        uint8_t *is = NULL, *was = NULL;
        size_t n = 0, m = 0;
        struct sp_err err = {0};

        (void)snprintf(file, sizeof(file), "%s/%s", to, names[i]);
        (void)snprintf(below, sizeof(below), "%s/files/%s", l->site.tree.path, names[i]);
        if (sp_os_read_file(&sp_os_system, file, 1 << 20, &is, &n, &err) != SP_OK)
            continue;
        assert_ok(sp_os_read_file(&sp_os_system, below, 1 << 20, &was, &m, e));
        if (n != m || memcmp(is, was, n) != 0)
            fail_msg("%s was restored with other content", names[i]);
        free(is);
        free(was);
    }
    if (ret->code == SP_OK && ret->stats.faults == 0)
        assert_true(ret->stats.files >= 22);
    { /* it need not have begun */
        struct sp_err ignored = {0};

        (void)sp_os_remove_tree(&sp_os_system, to, &ignored);
    }
    free(key.p);
    free(to);
}

static void
ends_with(const struct outcome *o, enum sp_code code, const char *part)
{
    if (o->code != code || strstr(o->err.text, part) == NULL)
        fail_msg("%s: %s; wanted %s and \"%s\"", sp_code_word(o->code), o->err.text,
            sp_code_word(code), part);
}

static int
exit_of(enum sp_code code, enum sp_domain domain)
{
    struct sp_err e = {.code = code, .domain = domain};

    return (int)sp_cli_exit_code(&e);
}

/* --- cases: what it has --------------------------------------------------------------------------
 */

static void
test_truth(void **state)
{
    struct liar *l = *state;
    struct outcome o;
    struct site_sets sets;
    struct restored r;

    tell_lie(l, TRUTH);
    site_run_well(&l->site, "truth", &o);
    site_assert_equal(&l->site);
    sets = site_sets(&l->site);
    restore(l, &sets.newest.root, &r);
    assert_int_equal(r.code, SP_OK);
    assert_int_equal(r.stats.faults, 0);
}

/* It says that it has what it never had. An honest commit names it; one that lies, too, is found
 * out by whoever reads: restore and verify say it, and give out nothing else. */
static void
test_has_what_it_has_not(void **state)
{
    struct liar *l = *state;
    struct outcome o;
    struct restored r;
    struct sp_set set;

    tell_lie(l, HAVE_ALL);
    site_run(&l->site, "it has all", &o);
    assert_true(o.code != SP_OK);
    assert_true(o.err.text[0] != '\0');
    assert_int_equal(site_sets(&l->site).sets, 0);
    for (int i = 0; i < 2; i++) {
        reconnect(l);
        site_drop_cache(&l->site);
        tell_lie(l, i == 0 ? HAVE_ALL_COMMIT : FORGET_PUTS);
        site_run(&l->site, "it published", &o);
        if (o.code != SP_OK)
            continue;
        assert_ok(sp_set_record_decode(l->old_head.data, l->old_head.len, &set, e));
        tell_lie(l, TRUTH);
        restore(l, &set.root, &r);
        if (r.code == SP_OK && r.stats.faults == 0)
            fail_msg("what the server never had was restored?");
        assert_int_equal(site_sets(&l->site).sets, 0);
    }
    /* The next run with a server that tells the truth has everything. */
    reconnect(l);
    site_drop_cache(&l->site);
    tell_lie(l, TRUTH);
    site_run_well(&l->site, "truth after lies", &o);
    site_assert_equal(&l->site);
}

/* A member's chunk is believed only when it was fetched and opened. */
static void
test_members_that_are_none(void **state)
{
    struct liar *l = *state;
    struct outcome o;

    tell_lie(l, HAVE_MEMBERS_ALL);
    site_run_well(&l->site, "members have it", &o);
    site_assert_equal(&l->site);
}

static void
test_members_of_noise(void **state)
{
    struct liar *l = *state;
    struct outcome o;

    tell_lie(l, HAVE_MEMBERS_NOISE);
    site_run_well(&l->site, "members have noise", &o);
    site_assert_equal(&l->site);
}

static void
test_nonsense(void **state)
{
    static const struct {
        enum lie lie;
        const char *part;
    } rows[] = {
        {HAVE_NONSENSE, "an answer that a Have does not have"},
        {ACK_TOO_MUCH, "an acknowledgement of blocks that were not put"},
        {ACK_BACKWARDS, "an acknowledgement of blocks that were not put"},
    };
    struct liar *l = *state;
    struct outcome o;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        site_random_file(&l->site, "two", 20000, 100 + i); /* something to put */
        tell_lie(l, rows[i].lie);
        site_run(&l->site, "nonsense", &o);
        ends_with(&o, SP_PROTOCOL, rows[i].part);
        assert_int_equal(exit_of(o.code, o.err.domain), SP_EXIT_FAILED);
        reconnect(l);
    }
}

/* --- cases: what it gives ------------------------------------------------------------------------
 */

static void
test_gives_something_else(void **state)
{
    static const enum lie lies[] = {GET_FLIPPED, GET_OTHER, GET_NOTHING, GET_HALF};
    struct liar *l = *state;
    struct outcome o;
    struct restored r;
    struct sp_id root;

    tell_lie(l, TRUTH);
    site_run_well(&l->site, "truth", &o);
    root = site_sets(&l->site).newest.root;
    for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
        tell_lie(l, lies[i]);
        restore(l, &root, &r);
        if (r.code == SP_OK && r.stats.faults == 0 && lies[i] != GET_OTHER &&
            lies[i] != GET_FLIPPED)
            fail_msg("lie %d was not noticed", (int)lies[i]);
        if (r.code != SP_OK)
            assert_true(r.err.text[0] != '\0');
        reconnect(l);
    }
    tell_lie(l, TRUTH); /* and nothing of it is remembered */
    restore(l, &root, &r);
    assert_int_equal(r.code, SP_OK);
    assert_int_equal(r.stats.faults, 0);
}

static void
test_gives_too_much(void **state)
{
    static const struct {
        enum lie lie;
        const char *part;
    } rows[] = {
        {GET_TWICE, "more than was asked for"},
        {GET_OUTSIDE, "not asked for"},
    };
    struct liar *l = *state;
    struct outcome o;
    struct restored r;
    struct sp_id root;

    tell_lie(l, TRUTH);
    site_run_well(&l->site, "truth", &o);
    root = site_sets(&l->site).newest.root;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        tell_lie(l, rows[i].lie);
        restore(l, &root, &r);
        if (r.code != SP_PROTOCOL || strstr(r.err.text, rows[i].part) == NULL)
            fail_msg("%s: %s", sp_code_word(r.code), r.err.text);
        reconnect(l);
    }
}

/* --- cases: the chain (R21) ----------------------------------------------------------------------
 */

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

static void
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

/* --- cases: lists --------------------------------------------------------------------------------
 */

static void
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

/* --- cases: it does not want ---------------------------------------------------------------------
 */

static void
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
static void
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

/* --- no sense at all -----------------------------------------------------------------------------
 */

struct babble {
    const char *name;
    bool tls;
    const char *bytes;
    size_t n;
    bool hello; /* a right ServerHello before it */
    bool close; /* at the end; else it waits */
    enum sp_code code;
};

struct babbler {
    const struct babble *b;
    struct fake *f;
    struct sp_tls_context *tls;
    int fd;
};

static void
send_all(int fd, const void *p, size_t n)
{
    const char *in = p;

    while (n > 0) {
        ssize_t k = send(fd, in, n, MSG_NOSIGNAL);

        if (k <= 0)
            return;
        in += k;
        n -= (size_t)k;
    }
}

static void
pump(struct sp_tls *t, int fd)
{
    uint8_t bytes[16384];
    size_t n;

    while ((n = sp_tls_take(t, bytes, sizeof(bytes))) > 0)
        send_all(fd, bytes, n);
}

/* Reads for a while; false at the end. */
static bool
hear(struct sp_tls *t, int fd, int ms)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    uint8_t bytes[16384];
    struct sp_err err = {0};
    size_t got = 0;
    ssize_t n;

    if (poll(&p, 1, ms) != 1)
        return true;
    if ((n = recv(fd, bytes, sizeof(bytes), 0)) <= 0)
        return false;
    if (t != NULL && sp_tls_feed(t, bytes, (size_t)n, &err) == SP_OK) {
        while (sp_tls_read(t, bytes, sizeof(bytes), &got, &err) == SP_OK && got > 0)
            ;
        pump(t, fd);
    }
    return true;
}

static void
be_babbler(void *arg)
{
    struct babbler *x = arg;
    const struct babble *b = x->b;
    struct sp_tls *t = NULL;
    struct sp_err err = {0};
    int fd = accept(x->fd, NULL, NULL);
    struct sp_buf out = SP_BUF_INIT;
    size_t slice, used;

    if (fd < 0)
        return;
    if (b->tls) {
        sure(sp_tls_new(x->tls, &t, &err) == SP_OK);
        while (!sp_tls_ready(t) && hear(t, fd, 2000))
            ;
        if (b->hello) {
            struct sp_msg m = x->f->hello;

            m.server_hello.major = 1;
            m.server_hello.put_credit = SP_PUT_CREDIT;
            sure(sp_frame_encode(&m, x->f->conf.len, 0, &out, &slice, &err) == SP_OK);
            sp_buf_put(&out, x->f->conf.data, x->f->conf.len);
        }
        sp_buf_put(&out, b->bytes, b->n);
        (void)sp_tls_write(t, out.data, out.len, &used, &err);
        pump(t, fd);
    } else {
        send_all(fd, b->bytes, b->n);
    }
    for (int i = 0; !b->close && i < 100; i++)
        if (!hear(t, fd, 100))
            break;
    (void)close(fd);
    sp_tls_free(t);
    sp_buf_free(&out);
}

static enum sp_code
admit_all(void *arg, const struct sp_tls_peer *p, struct sp_err *e)
{
    (void)arg;
    (void)p;
    (void)e;
    return SP_OK;
}

static void
test_babble(void **state)
{
#define B(s) s, sizeof(s) - 1
    static const struct babble rows[] = {
        {"closed at once", false, B(""), false, true, SP_UNREACHABLE},
        {"HTTP", false, B("HTTP/1.1 301 Moved\r\nLocation: https://evil/\r\n\r\n"), false, false,
            SP_PROTOCOL},
        {"zeros", false, B("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"), false, false, SP_PROTOCOL},
        {"an alert", false, B("\x15\x03\x03\x00\x02\x02\x28"), false, false, SP_PROTOCOL},
        {"nothing after TLS", true, B(""), false, true, SP_UNREACHABLE},
        {"silence after TLS", true, B(""), false, false, SP_TIMEOUT},
        {"a header of 4 GiB", true, B("\xff\xff\xff\xff\0\0\0\0"), false, false, SP_PROTOCOL},
        {"a payload of 4 GiB", true, B("\x04\0\0\0\xff\xff\xff\xff"), false, false, SP_PROTOCOL},
        {"a request", true, B("\x05\0\0\0\0\0\0\0\x08\x05\xa2\x01\x00"), false, false, SP_PROTOCOL},
        {"an answer before the hello", true, B("\x06\0\0\0\0\0\0\0\x08\x01\x9a\x03\x00\x00"), false,
            false, SP_PROTOCOL},
        {"half a hello", true, B("\x40\0\0\0\0\0\0\0\x52"), false, true, SP_UNREACHABLE},
        {"noise", true, B("\x10\0\0\0\x20\0\0\0qwertzuiopasdfghjklyxcvbnmqwertz"), false, false,
            SP_PROTOCOL},
    };
#undef B
    struct fake *f = fake_new();
    struct sp_tls_server t = {.chain_pem = f->server_chain,
        .key_pem = f->server_key,
        .authority_pem = f->authority,
        .enrolment = true,
        .admit = admit_all,
        .clock = &sp_clock_system};
    struct sockaddr_in at = {.sin_family = AF_INET};
    socklen_t len = sizeof(at);
    struct babbler x = {.f = f};

    (void)state;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    x.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(x.fd >= 0);
    assert_int_equal(bind(x.fd, (struct sockaddr *)&at, sizeof(at)), 0);
    assert_int_equal(listen(x.fd, 8), 0);
    assert_int_equal(getsockname(x.fd, (struct sockaddr *)&at, &len), 0);
    (void)snprintf(f->address, sizeof(f->address), "127.0.0.1:%u", (unsigned)ntohs(at.sin_port));
    assert_ok(sp_tls_server_new(&t, &x.tls, e));
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct sp_remote_options o = fake_options(f);
        struct sp_thread *thread = NULL;
        struct sp_store *s = NULL;
        struct sp_err err = {0};
        int64_t began = sp_clock_mono(&sp_clock_system);
        enum sp_code rc;

        cases++;
        o.connect_ms = 700;
        x.b = &rows[i];
        assert_ok(sp_thread_start("babbler", be_babbler, &x, &thread, e));
        rc = fake_try(f, &o, &s, &err);
        if (rc == SP_OK) {
            fail_msg("%s: a store?", rows[i].name);
            sp_store_free(s);
        }
        if (rc != rows[i].code && !(rows[i].code == SP_TIMEOUT && rc == SP_UNREACHABLE))
            fail_msg("%s: %s: %s", rows[i].name, sp_code_word(rc), err.text);
        assert_true(strlen(err.text) > 10);
        began = sp_clock_mono(&sp_clock_system) - began;
        if (began > 9 * SP_SECOND)
            fail_msg("%s: it took too long", rows[i].name);
        if (getenv("SP_TEST_LOG") != NULL)
            print_message("%s: %d ms: %s\n", rows[i].name, (int)(began / 1000000), err.text);
        sp_thread_join(thread);
    }
    (void)close(x.fd);
    sp_tls_context_free(x.tls);
    fake_free(f);
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_truth, setup, teardown),
        cmocka_unit_test_setup_teardown(test_has_what_it_has_not, setup, teardown),
        cmocka_unit_test_setup_teardown(test_members_that_are_none, setup, teardown),
        cmocka_unit_test_setup_teardown(test_members_of_noise, setup, teardown),
        cmocka_unit_test_setup_teardown(test_nonsense, setup, teardown),
        cmocka_unit_test_setup_teardown(test_gives_something_else, setup, teardown),
        cmocka_unit_test_setup_teardown(test_gives_too_much, setup, teardown),
        cmocka_unit_test_setup_teardown(test_rolled_back, setup, teardown),
        cmocka_unit_test_setup_teardown(test_lists, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refuses, setup, teardown),
        cmocka_unit_test_setup_teardown(test_silent, setup, teardown),
        cmocka_unit_test(test_babble),
    };
    int64_t began = sp_clock_mono(&sp_clock_system);
    int failed;

    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    began = (sp_clock_mono(&sp_clock_system) - began) / 1000000;
    print_message("hostile server: %lu cases, no seed, %lld.%lld s\n", cases,
        (long long)(began / 1000), (long long)(began % 1000 / 100));
    return failed;
}
