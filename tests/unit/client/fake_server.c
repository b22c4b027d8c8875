/* See fake_server.h. */

#include "fake_server.h"

#include "base/clock.h"
#include "base/random.h"
#include "proto/cert.h"

const uint8_t fake_host[16] = {
    0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11};
const struct remote_pace fake_pace = {.first_ms = 2, .longest_ms = 20, .starved_ms = 50};

void
fake_fail(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    (void)vfprintf(stderr, fmt, ap);
    va_end(ap);
    (void)fputs("\n", stderr);
    abort();
}

uint64_t
fake_random(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9E3779B97F4A7C15));

    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

uint64_t
fake_seed(const char *test)
{
    const char *given = getenv("SP_SEED");
    uint64_t seed = 0;

    if (given != NULL)
        seed = strtoull(given, NULL, 10);
    else
        assert_ok(sp_random_fill(&sp_random_system, &seed, sizeof(seed), e));
    print_message("%s: SP_SEED=%llu\n", test, (unsigned long long)seed);
    return seed;
}

/* --- blocks ----------------------------------------------------------------------------------- */

struct sp_id
fake_id(uint32_t number, unsigned index)
{
    struct sp_id id;

    memset(&id, 0x5a, sizeof(id));
    for (unsigned i = 0; i < 4; i++)
        id.b[i] = (uint8_t)(number >> (24 - 8 * i));
    id.b[4] = (uint8_t)(index >> 8);
    id.b[5] = (uint8_t)index;
    return id;
}

uint32_t
fake_number(const uint8_t *id)
{
    return (uint32_t)id[0] << 24 | (uint32_t)id[1] << 16 | (uint32_t)id[2] << 8 | id[3];
}

uint8_t *
fake_block(uint32_t number, bool nodes, size_t nids, size_t body, size_t *ret_n)
{
    size_t header = 64 + 32 * nids + (nodes ? 4 * nids : 0), n;
    struct sp_block_header h;
    uint8_t *b;

    body = sp_padme(body < 64 ? 64 : body) + 16;
    n = header + body;
    b = calloc(1, n);
    sure(b != NULL);
    memcpy(b, "SPB1", 4);
    b[4] = 1;
    b[5] = nodes ? SP_BLOCK_NODES : SP_BLOCK_FILES;
    b[6] = (uint8_t)nids;
    b[7] = (uint8_t)(nids >> 8);
    sp_store_le32(b + 8, (uint32_t)header);
    sp_store_le32(b + 12, (uint32_t)body);
    memset(b + 16, 0x77, 16);
    sp_store_le32(b + 32, 1);
    for (unsigned i = 0; i < nids; i++) {
        struct sp_id id = fake_id(number, i);

        memcpy(b + 64 + 32 * i, id.b, 32);
    }
    memset(b + header, (int)(number & 0xff), body);
    assert_ok(sp_block_header_parse(b, n, &h, e));
    *ret_n = n;
    return b;
}

void
fake_has(struct fake *f, uint32_t number, bool nodes, size_t nids, size_t body)
{
    struct fake_block *b = &f->blocks[number];

    sure(number < FAKE_BLOCKS);
    b->bytes = fake_block(number, nodes, nids, body, &b->n);
    b->nodes = nodes;
    b->durable = true;
}

/* --- connections ------------------------------------------------------------------------------ */

/* Even: before it is handled, odd: after. true: the connection is gone. */
static bool
cut_here(struct fake_session *s, bool after)
{
    struct fake *f = s->f;
    uint64_t at = 2 * f->messages + after;

    if (f->cut_at == 0 || (f->cut_forever ? at < f->cut_at : at != f->cut_at))
        return false;
    f->cut_done++;
    sp_channel_abort(s->channel);
    return true;
}

static void
on_event(struct sp_channel *c, void *arg, struct sp_event *ev)
{
    struct fake_session *s = arg;
    struct fake *f = s->f;

    (void)c;
    sp_mutex_lock(&f->lock);
    if (ev->type == SP_EVENT_READY) {
        f->ready++;
        if (f->never_read)
            sp_channel_stop(s->channel, true);
    } else if (ev->type == SP_EVENT_ROOM) {
        fake_pump_gets(s);
    } else if (ev->type == SP_EVENT_MESSAGE) {
        f->messages++;
        f->types[ev->frame.msg.type]++;
        if (!cut_here(s, false)) {
            if (f->on == NULL || !f->on(f, s, ev))
                fake_handle(s, ev);
            (void)cut_here(s, true);
        }
    }
    sp_cond_broadcast(&f->changed);
    sp_mutex_unlock(&f->lock);
}

static void
on_closed(struct sp_channel *c, void *arg, const struct sp_err *why, bool by_peer)
{
    struct fake_session *s = arg, **at;
    struct fake *f = s->f;

    (void)c;
    (void)by_peer;
    sp_mutex_lock(&f->lock);
    memcpy(f->last_goodbye, why->text, sizeof(f->last_goodbye));
    f->last_code = why->code;
    for (at = &f->sessions; *at != s; at = &(*at)->next)
        ;
    *at = s->next;
    if (!f->lose_on_cut) {
        fake_settle(s, 0);
        fake_settle(s, 1);
    }
    fake_drop_gets(s);
    free(s->waiting[0]);
    free(s->waiting[1]);
    free(s);
    sp_cond_broadcast(&f->changed);
    sp_mutex_unlock(&f->lock);
}

static void
on_secured(struct sp_channel *c, void *arg)
{
    struct fake_session *s = arg;
    struct fake *f = s->f;
    struct sp_session_options o = {.role = SP_ROLE_SERVER, .major = f->major};
    struct sp_err e = {0};

    sp_mutex_lock(&f->lock);
    o.hello = f->hello;
    o.hello_payload = f->conf.data;
    o.hello_payload_len = f->conf.len;
    if (f->refuse_session > 0) {
        f->refuse_session--;
        sp_channel_abort(c);
    } else if (sp_channel_start(c, &o, &e) != SP_OK) {
        fake_fail("the fake server: %s", e.text);
    }
    sp_mutex_unlock(&f->lock);
}

static const struct sp_channel_ops channel_ops = {
    .secured = on_secured, .event = on_event, .closed = on_closed};

static bool
on_accept(void *arg, struct sp_channel *c, const struct sp_channel_ops **ret_ops, void **ret_arg)
{
    struct fake *f = arg;
    struct fake_session *s = calloc(1, sizeof(*s));

    sure(s != NULL);
    sp_mutex_lock(&f->lock);
    s->f = f;
    s->channel = c;
    s->number = ++f->connections;
    s->next = f->sessions;
    f->sessions = s;
    sp_mutex_unlock(&f->lock);
    *ret_ops = &channel_ops;
    *ret_arg = s;
    return true;
}

static enum sp_code
admit(void *arg, const struct sp_tls_peer *p, struct sp_err *e)
{
    struct fake *f = arg;
    enum sp_code code;

    sp_mutex_lock(&f->lock);
    code = f->admit_code;
    memcpy(f->serial, p->cert.serial, sizeof(f->serial));
    sp_mutex_unlock(&f->lock);
    return code == SP_OK ? SP_OK : sp_fail(e, code, SP_DOM_STORE, "not this one");
}

/* --- the thread ------------------------------------------------------------------------------- */

static void
stop(void *arg)
{
    struct fake *f = arg;

    sp_mutex_lock(&f->lock);
    for (struct fake_session *s = f->sessions; s != NULL; s = s->next)
        sp_channel_abort(s->channel);
    sp_mutex_unlock(&f->lock);
    sp_listener_close(f->listener, NULL, NULL);
    sp_loop_queue_close(f->queue);
}

static void
run(void *arg)
{
    struct fake *f = arg;

    (void)uv_run(&f->loop, UV_RUN_DEFAULT);
}

void
fake_certify(struct fake *f, struct sp_validity v)
{
    char *csr = NULL;

    sp_pem_free(f->host_key);
    sp_pem_free(f->host_chain);
    assert_ok(sp_cert_key(&f->host_key, e));
    assert_ok(sp_cert_request(f->host_key, &csr, e));
    assert_ok(sp_cert_issue(
        f->authority, f->authority_key, csr, strlen(csr), f->host, v, &f->host_chain, NULL, e));
    sp_pem_free(csr);
}

struct fake *
fake_new(void)
{
    struct fake *f = calloc(1, sizeof(*f));
    struct sp_repository_conf conf = {.pack_size = 16u << 20};
    struct sp_validity v = sp_validity_of(sp_clock_wall(&sp_clock_system), SP_VALID_HOST_NS);
    const char *names[] = {"127.0.0.1"};
    struct sp_cert_info info;

    sure(f != NULL);
    f->blocks = calloc(FAKE_BLOCKS, sizeof(*f->blocks));
    sure(f->blocks != NULL);
    sp_mutex_init(&f->lock);
    sp_cond_init(&f->changed);
    memcpy(f->host, fake_host, sizeof(f->host));
    f->pack_bytes = 4u << 20;
    f->hello.type = SP_MSG_SERVER_HELLO;
    strcpy(f->hello.server_hello.program, "stillpointd test");
    strcpy(f->hello.server_hello.host_name, "the host");
    memcpy(f->hello.server_hello.host, f->host, 16);
    f->hello.server_hello.writable = true;
    memset(conf.id, 0x42, sizeof(conf.id));
    conf.split = sp_split_defaults;
    assert_ok(sp_repository_conf_encode(&conf, &f->conf, e));
    assert_ok(sp_cert_authority(v, &f->authority, &f->authority_key, e));
    assert_ok(sp_cert_info(f->authority, &info, e));
    memcpy(f->fingerprint, info.fingerprint, 32);
    assert_ok(sp_cert_server(
        f->authority, f->authority_key, names, 1, v, &f->server_chain, &f->server_key, e));
    fake_certify(f, v);
    return f;
}

void
fake_run(struct fake *f)
{
    struct sp_tls_server t = {
        .chain_pem = f->server_chain,
        .key_pem = f->server_key,
        .authority_pem = f->authority,
        .enrolment = true,
        .admit = admit,
        .admit_arg = f,
        .clock = &sp_clock_system,
    };
    struct sp_listen l = {.address = "127.0.0.1",
        .port = f->port,
        .half_open_max = 1000,
        .rate_burst = 100000,
        .rate_per_minute = 100000,
        .accept = on_accept,
        .arg = f};

    sure((uv_loop_init(&f->loop)) == (0));
    assert_ok(sp_tls_server_new(&t, &f->tls, e));
    l.tls = f->tls;
    assert_ok(sp_loop_queue_new(&f->loop, &f->queue, e));
    assert_ok(sp_listener_new(&f->loop, &l, &f->listener, e));
    f->port = sp_listener_port(f->listener);
    (void)snprintf(f->address, sizeof(f->address), "127.0.0.1:%u", (unsigned)f->port);
    assert_ok(sp_thread_start("fake-server", run, f, &f->thread, e));
}

void
fake_free(struct fake *f)
{
    if (f->thread != NULL) {
        sure(sp_loop_post(f->queue, stop, f));
        sp_thread_join(f->thread);
        sure((uv_loop_close(&f->loop)) == (0));
        sp_tls_context_free(f->tls);
    }
    for (size_t i = 0; i < FAKE_BLOCKS; i++)
        free(f->blocks[i].bytes);
    free(f->blocks);
    for (size_t i = 0; i < f->nrecords; i++)
        sp_buf_free(&f->records[i]);
    sp_buf_free(&f->conf);
    sp_pem_free(f->authority);
    sp_pem_free(f->authority_key);
    sp_pem_free(f->server_chain);
    sp_pem_free(f->server_key);
    sp_pem_free(f->host_chain);
    sp_pem_free(f->host_key);
    sp_cond_destroy(&f->changed);
    sp_mutex_destroy(&f->lock);
    free(f);
}

struct sp_remote_options
fake_options(struct fake *f)
{
    struct sp_remote_options o = {
        .address = f->address,
        .tls_key = f->host_key,
        .tls_chain = f->host_chain,
        .tls_authority = f->authority,
        .connect_ms = 5000,
    };

    memcpy(o.authority_fingerprint, f->fingerprint, 32);
    return o;
}

enum sp_code
fake_try(struct fake *f, const struct sp_remote_options *o, struct sp_store **ret, struct sp_err *e)
{
    (void)f;
    return sp_remote_open_paced(&sp_env_system, o, &fake_pace, ret, e);
}

unsigned
fake_count(struct fake *f, enum sp_msg_type type)
{
    unsigned n;

    sp_mutex_lock(&f->lock);
    n = f->types[type];
    sp_mutex_unlock(&f->lock);
    return n;
}

struct sp_store *
fake_open(struct fake *f)
{
    struct sp_remote_options o = fake_options(f);
    struct sp_store *s = NULL;

    assert_ok(fake_try(f, &o, &s, e));
    return s;
}
