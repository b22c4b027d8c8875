#ifndef SP_TESTS_REMOTE_H
#define SP_TESTS_REMOTE_H

/* A repository on the fake SFTP server, and the backend over it, for tests of the sftp backend.
 * Include after cmocka.h and expect.h. */

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/thread.h"
#include "sftp_fake.h"
#include "storage/backend_sftp.h"

#define REMOTE_ROOT "/home/anna/repo"

struct remote {
    struct fake_server *f;
    struct sp_backend *b;
    struct sp_sftp_backend_options o;
    atomic_bool stop;
    atomic_int connects, released;
    struct sp_mutex lock;
    struct sp_buf notices; /* a line each */
};

static enum sp_code
remote_connect(void *arg, struct sp_sftp_link **ret, struct sp_err *e)
{
    struct remote *r = arg;

    atomic_fetch_add(&r->connects, 1);
    return fake_connect(r->f, ret, e);
}

static void
remote_notice(void *arg, const char *sentence)
{
    struct remote *r = arg;

    sp_mutex_lock(&r->lock);
    sp_buf_printf(&r->notices, "%s\n", sentence);
    sp_mutex_unlock(&r->lock);
}

static bool
remote_stop(void *arg)
{
    return atomic_load(&((struct remote *)arg)->stop);
}

static void
remote_release(void *arg)
{
    atomic_fetch_add(&((struct remote *)arg)->released, 1);
}

static inline void
remote_init(struct remote *r)
{
    memset(r, 0, sizeof(*r));
    r->f = fake_new("/home/anna");
    sp_mutex_init(&r->lock);
    r->o = (struct sp_sftp_backend_options){.connect = remote_connect,
        .arg = r,
        .release = remote_release,
        .path = REMOTE_ROOT,
        .address = "anna@nas",
        .patience_ms = 20000,
        .notice = remote_notice,
        .stop = remote_stop};
}

static inline void
remote_end(struct remote *r)
{
    sp_backend_free(r->b);
    fake_free(r->f);
    sp_buf_free(&r->notices);
    sp_mutex_destroy(&r->lock);
}

static inline enum sp_code
remote_open(struct remote *r, bool create)
{
    sp_backend_free(r->b);
    r->b = NULL;
    return sp_backend_sftp_open(&sp_env_system, &r->o, create, &r->b, &err);
}

/* Created, with repository.conf. */
static inline void
remote_make(struct remote *r)
{
    remote_init(r);
    ok(remote_open(r, true));
    ok(sp_backend_put(r->b, "repository.conf", "conf", 4, &err));
}

static inline bool
remote_noticed(struct remote *r, const char *word)
{
    bool is;

    sp_mutex_lock(&r->lock);
    is = strstr(sp_buf_str(&r->notices), word) != NULL;
    sp_mutex_unlock(&r->lock);
    return is;
}

static inline bool
remote_there(struct remote *r, const char *name)
{
    char path[300];

    (void)snprintf(path, sizeof(path), "%s/%s", REMOTE_ROOT, name);
    return fake_there(r->f, path);
}

static inline size_t
remote_count(struct remote *r, const char *folder)
{
    char path[300];

    (void)snprintf(path, sizeof(path), "%s/%s", REMOTE_ROOT, folder);
    return fake_count(r->f, path);
}

/* The file behind an object, past the protocol. */
static inline void
remote_holds(struct remote *r, const char *name, const void *p, size_t n)
{
    struct sp_buf got = SP_BUF_INIT;
    char path[300];

    (void)snprintf(path, sizeof(path), "%s/%s", REMOTE_ROOT, name);
    assert_true(fake_read(r->f, path, &got));
    assert_int_equal(got.len, n);
    if (n > 0)
        assert_memory_equal(got.data, p, n);
    sp_buf_free(&got);
}

#endif
