#include "stage.h"

#include <unistd.h>

#include "base/clock.h"
#include "storage/crypto.h"

#define ROUND_BYTES 20000

unsigned stage_passed;
bool stage_alone;

/* --- the honest host -----------------------------------------------------------------------------
 */

struct round {
    uint8_t bytes[ROUND_BYTES];
    struct sp_id data, root;
    uint8_t set_id[16], hash[32];
};

static void
empty_inbox(struct peer *p)
{
    for (size_t i = 0; i < p->n; i++)
        sp_frame_clear(&p->inbox[i]);
    p->n = 0;
}

static void
back_up(
    struct peer *p, struct member *m, uint64_t sequence, const uint8_t *previous, struct round *ret)
{
    struct sp_buf block = SP_BUF_INIT, record = SP_BUF_INIT;
    struct sp_msg msg = {.type = SP_MSG_COMMIT, .commit = {.type = 1}};
    struct sp_frame f;

    assert_ok(sp_random_fill(&m->random, ret->bytes, sizeof(ret->bytes), e));
    member_block(m, SP_BLOCK_FILES, NULL, 0, ret->bytes, sizeof(ret->bytes), &block, &ret->data);
    peer_put(p, false, &block);
    sp_buf_reset(&block);
    member_block(m, SP_BLOCK_NODES, &ret->data, 1, NULL, 300, &block, &ret->root);
    peer_put(p, true, &block);
    member_set(m, SP_RECORD_SET, "files", sequence, previous, &ret->root, &record, ret->set_id);
    assert_ok(sp_record_hash(record.data, record.len, ret->hash, e));
    peer_ask(p, &msg, record.data, record.len, SP_MSG_COMMIT_REPLY, &f);
    assert_int_equal(f.payload_len, 0);
    assert_true(f.msg.commit_reply.published_ns > 0);
    sp_buf_free(&block);
    sp_buf_free(&record);
}

/* Its content comes back as it was, and the set is whole. */
static void
restore(struct peer *p, struct member *m, const struct round *r)
{
    struct sp_msg get = {.type = SP_MSG_GET}, missing = {.type = SP_MSG_MISSING};
    struct sp_opened *opened = NULL;
    struct sp_chunk c;
    struct sp_frame f;
    bool found = false;

    peer_ask(p, &get, r->data.b, 32, SP_MSG_DONE, &f);
    assert_int_equal(peer_items(p, f.msg.tag), 1);
    for (size_t i = 0; i < p->n; i++) {
        const struct sp_frame *b = &p->inbox[i];

        if (b->msg.type != SP_MSG_BLOCK || b->msg.tag != f.msg.tag)
            continue;
        assert_ok(sp_block_open(m->opener, b->payload + 4, b->payload_len - 4, &opened, e));
        assert_true(sp_opened_find(opened, &r->data, &c));
        assert_int_equal(c.len, sizeof(r->bytes));
        assert_memory_equal(c.data, r->bytes, sizeof(r->bytes));
        sp_opened_free(opened);
        found = true;
    }
    assert_true(found);
    memcpy(missing.missing.set_id, r->set_id, 16);
    peer_ask(p, &missing, NULL, 0, SP_MSG_MISSING_REPLY, &f);
    assert_int_equal(f.payload_len, 0);
}

static void
be_honest(void *arg)
{
    struct honest *h = arg;
    struct round first, now;
    struct peer p;

    memset(&now, 0, sizeof(now));
    peer_open(&p, h->r, &h->m);
    assert_true(p.ready);
    for (uint64_t n = 1; !atomic_load(&h->stop); n++) {
        int64_t began = now_ms();

        back_up(&p, &h->m, n, n == 1 ? NULL : now.hash, &now);
        restore(&p, &h->m, &now);
        if (n == 1)
            first = now;
        restore(&p, &h->m, &first);
        if (n % 4 == 0) {
            peer_close(&p);
            peer_open(&p, h->r, &h->m);
            if (!p.ready)
                fail_msg("an honest client was not let in: %s", p.why.text);
            atomic_fetch_add(&h->connects, 1);
        } else {
            empty_inbox(&p);
        }
        if (now_ms() - began > atomic_load(&h->worst_ms))
            atomic_store(&h->worst_ms, (int)(now_ms() - began));
        atomic_fetch_add(&h->rounds, 1);
        sp_sleep_ms(20);
    }
    peer_close(&p);
}

void
stage_goes_on(struct stage *s, unsigned rounds, int ms)
{
    unsigned want = atomic_load(&s->honest.rounds) + rounds;
    int64_t end = now_ms() + ms;

    while (atomic_load(&s->honest.rounds) < want) {
        if (now_ms() > end)
            fail_msg("the honest host stands still: %u rounds, wanted %u",
                atomic_load(&s->honest.rounds), want);
        sp_sleep_ms(5);
    }
}

/* --- the others ----------------------------------------------------------------------------------
 */

/* A member of the group joins by invitation. */
static void
join(struct stage *s, struct member *of, struct member *ret)
{
    struct sp_buf buf = SP_BUF_INIT;
    struct sp_msg msg = {.type = SP_MSG_PUT_SLOT};
    struct sp_frame f;
    struct sp_token t;
    struct peer p;
    uint8_t secret[32];
    char *csr = NULL;

    assert_ok(sp_random_fill(&sp_random_system, secret, 32, e));
    assert_ok(sp_slot_seal_invitation(
        of->keys, secret, "mate", sp_clock_wall(&sp_clock_system), &sp_random_system, &buf, e));
    peer_open(&p, &s->r, of);
    peer_ask(&p, &msg, buf.data, buf.len, SP_MSG_DONE, &f);
    peer_close(&p);
    place_token(&s->place, "add", "mate", &t);
    member_make(ret, of);
    peer_open(&p, &s->r, NULL);
    member_csr(ret, &csr);
    member_enroll_message(ret, &t, secret, &msg);
    peer_ask(&p, &msg, csr, strlen(csr), SP_MSG_ENROLL_REPLY, &f);
    member_take_reply(ret, &f.msg, f.payload, f.payload_len);
    sp_buf_reset(&buf);
    member_end_message(ret, 0, &msg, &buf);
    peer_ask(&p, &msg, buf.data, buf.len, SP_MSG_DONE, &f);
    peer_close(&p);
    sp_buf_free(&buf);
    sp_pem_free(csr);
}

/* Attacks follow each other faster than sessions are written off. */
static void
allow_sessions(struct place *p)
{
    static const char more[] = "sessions-per-host = 40\n";
    struct sp_buf b = SP_BUF_INIT;
    char file[400];
    uint8_t *text = NULL;
    size_t n;

    (void)snprintf(file, sizeof(file), "%s/stillpointd.conf", p->home);
    assert_ok(sp_os_read_file(&sp_os_system, file, 65536, &text, &n, e));
    sp_buf_put(&b, text, n);
    sp_buf_put_str(&b, more);
    assert_ok(sp_os_write_file(&sp_os_system, file, b.data, b.len, e));
    sp_buf_free(&b);
    free(text);
}

int
stage_setup(void **state)
{
    struct stage *s = calloc(1, sizeof(*s));
    struct sp_log *log = NULL;
    struct peer p;
    char out[4096] = "";

    assert_non_null(s);
    /* Hundreds of commits: on a disk their barriers would be most of the time. */
    if (getenv("TMPDIR") == NULL && access("/dev/shm", W_OK) == 0)
        assert_int_equal(setenv("TMPDIR", "/dev/shm", 0), 0);
    place_make(&s->place);
    place_init(&s->place);
    allow_sessions(&s->place);
    heard_init(&s->heard);
    assert_ok(sp_log_new(SP_LOG_INFO, false, heard_line, &s->heard, &log, e));
    running_start_logged(&s->r, &s->place, log);
    for (int i = 0; i < 200 && strstr(out, "\"port\":") == NULL; i++) {
        sp_sleep_ms(10);
        assert_int_equal(place_run(&s->place, out, sizeof(out), "status", "--json"), SP_EXIT_DONE);
    }
    peer_enroll(&s->r, "desk", &s->honest.m);
    peer_enroll(&s->r, "mallory", &s->mallory);
    join(s, &s->honest.m, &s->mate);
    peer_open(&p, &s->r, &s->honest.m);
    peer_backup(&p, &s->honest.m, "first", 1, NULL, &s->honest.first);
    peer_close(&p);
    s->honest.r = &s->r;
    assert_ok(sp_thread_start("honest", be_honest, &s->honest, &s->honest.thread, e));
    *state = s;
    stage_goes_on(s, 5, 20000);
    s->heap = heap_now();
    return 0;
}

int
stage_teardown(void **state)
{
    struct stage *s = *state;

    if (stage_alone && stage_passed == 0)
        _exit(1);
    stage_goes_on(s, 2, 20000);
    atomic_store(&s->honest.stop, true);
    sp_thread_join(s->honest.thread);
    print_message(
        "honest: %u rounds, %u new connections, the longest round %d ms; %u lines logged, "
        "%u warnings\n",
        atomic_load(&s->honest.rounds), atomic_load(&s->honest.connects),
        atomic_load(&s->honest.worst_ms), s->heard.lines, s->heard.warnings);
    running_stop(&s->r);
    heard_free(&s->heard);
    place_remove(&s->place);
    member_clear(&s->honest.m);
    member_clear(&s->mallory);
    member_clear(&s->mate);
    free(s);
    return 0;
}

unsigned
stage_from(struct stage *s)
{
    s->from = s->from >= 240 ? 2 : s->from + 1;
    if (s->from < 2)
        s->from = 2;
    return s->from;
}

void
stage_memory(struct stage *s, size_t bytes, const char *what)
{
    int64_t end = now_ms() + 5000;

    while (heap_now() > s->heap + bytes) {
        if (now_ms() > end)
            fail_msg(
                "%s: %zu bytes more than in the beginning are in use", what, heap_now() - s->heap);
        sp_sleep_ms(10);
    }
}
