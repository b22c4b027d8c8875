/* A site and the liar it talks to, and what is looked at afterwards. */

#include "hostile_server.h"

#include "base/path.h"
#include "client/cli.h"

unsigned long cases;

void
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

void
reconnect(struct liar *l)
{
    sp_store_free(l->remote);
    connect_site(l);
}

int
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

int
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

void
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

void
ends_with(const struct outcome *o, enum sp_code code, const char *part)
{
    if (o->code != code || strstr(o->err.text, part) == NULL)
        fail_msg("%s: %s; wanted %s and \"%s\"", sp_code_word(o->code), o->err.text,
            sp_code_word(code), part);
}

int
exit_of(enum sp_code code, enum sp_domain domain)
{
    struct sp_err e = {.code = code, .domain = domain};

    return (int)sp_cli_exit_code(&e);
}
