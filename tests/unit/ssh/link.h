#ifndef SP_TESTS_SSH_LINK_H
#define SP_TESTS_SSH_LINK_H

/* What the tests of the SSH link share: options with which a login works, a host key's judge that
 * writes down what it saw, secrets from a list, and a file that goes there and comes back. Include
 * after cmocka.h. */

#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "tests/unit/ssh/sshd.h"
#include "tests/unit/storage/expect.h"

struct judge {
    enum sp_code verdict;
    unsigned asked, secrets_asked;
    int known;
    unsigned line;
    char type[64], fingerprint[64], what[400];
    const char *secrets[4]; /* one after the other; NULL: nothing is known */
    void (*then)(void *arg);
    void *then_arg;
    unsigned stops_after; /* stop() says true after so many questions; 0: never */
    unsigned stops;
};

static inline enum sp_code
judge_key(void *arg, const struct sp_ssh_hostkey *k, struct sp_err *e)
{
    struct judge *j = arg;

    j->asked++;
    j->known = (int)k->known;
    j->line = k->known_line;
    (void)snprintf(j->type, sizeof(j->type), "%s", k->type);
    (void)snprintf(j->fingerprint, sizeof(j->fingerprint), "%s", k->fingerprint);
    if (j->then != NULL)
        j->then(j->then_arg);
    if (j->verdict != SP_OK)
        return sp_fail(e, j->verdict, SP_DOM_NET, "the judge says no");
    return SP_OK;
}

static inline enum sp_code
give_secret(
    void *arg, enum sp_ssh_method m, const char *what, struct sp_buf *secret, struct sp_err *e)
{
    struct judge *j = arg;
    const char *s = j->secrets_asked < 4 ? j->secrets[j->secrets_asked] : NULL;

    (void)m;
    j->secrets_asked++;
    (void)snprintf(j->what, sizeof(j->what), "%s", what);
    if (s == NULL)
        return sp_fail(e, SP_CANCELLED, SP_DOM_CONFIG, "nobody answers");
    sp_buf_put_str(secret, s);
    return SP_OK;
}

static inline bool
judge_stop(void *arg)
{
    struct judge *j = arg;

    j->stops++;
    return j->stops_after != 0 && j->stops >= j->stops_after;
}

static inline const char *
my_name(void)
{
    return getpwuid(geteuid())->pw_name;
}

/* `key`: one file, alive as long as the options. */
static inline struct sp_ssh_options
options(uint16_t port, const char *const *key, struct judge *j)
{
    return (struct sp_ssh_options){.host = "127.0.0.1",
        .port = port,
        .user = my_name(),
        .key_files = key,
        .nkey_files = key != NULL ? 1 : 0,
        .methods = SP_SSH_KEY | SP_SSH_PASSWORD,
        .secret = give_secret,
        .hostkey = judge_key,
        .stop = judge_stop,
        .arg = j,
        .connect_ms = 10000};
}

static inline void
has(const char *text, const char *part)
{
    if (strstr(text, part) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", text, part);
}

static inline int64_t
ms_since(int64_t before)
{
    return (sp_clock_mono(&sp_clock_system) - before) / 1000000;
}

static inline void
open_file(struct sp_sftp_conn *c, const char *path, uint32_t flags, struct sp_sftp_request *ret)
{
    *ret =
        (struct sp_sftp_request){.type = SP_SFTP_OPEN, .path = path, .flags = flags, .mode = 0600};
    ok(sp_sftp_conn_call(c, ret, &err));
}

static inline void
call_at(struct sp_sftp_conn *c, const struct sp_sftp_request *file, enum sp_sftp_type type,
    uint64_t at, uint8_t *p, size_t n)
{
    struct sp_sftp_request q = {.type = type, .offset = at, .n = n, .handle_len = file->handle_len};

    memcpy(q.handle, file->handle, file->handle_len);
    if (type == SP_SFTP_READ)
        q.to = p;
    else
        q.from = p;
    ok(sp_sftp_conn_call(c, &q, &err));
    if (type == SP_SFTP_READ)
        assert_int_equal(q.got, n);
}

/* n bytes there in pieces of odd sizes, and back in others. */
static inline void
there_and_back(struct sp_sftp_conn *c, const char *path, size_t n)
{
    uint8_t *out = malloc(n), *in = malloc(n);
    struct sp_sftp_request file;
    size_t piece;

    assert_true(out != NULL && in != NULL);
    for (size_t i = 0; i < n; i++)
        out[i] = (uint8_t)((i * 2654435761u) >> 13);
    open_file(c, path, SP_SFTP_F_WRITE | SP_SFTP_F_CREATE | SP_SFTP_F_TRUNC, &file);
    piece = 1;
    for (size_t at = 0; at < n; at += piece, piece = piece * 7 % 32749 + 1) {
        if (piece > n - at)
            piece = n - at;
        call_at(c, &file, SP_SFTP_WRITE, at, out + at, piece);
    }
    open_file(c, path, SP_SFTP_F_READ, &file);
    piece = 32768;
    for (size_t at = 0; at < n; at += piece, piece = piece * 3 % 32749 + 1) {
        if (piece > n - at)
            piece = n - at;
        call_at(c, &file, SP_SFTP_READ, at, in + at, piece);
    }
    assert_memory_equal(out, in, n);
    free(out);
    free(in);
}

#endif
