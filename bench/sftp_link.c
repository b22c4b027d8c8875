/* How fast the bare SFTP link is: storage/ssh.h and storage/sftp_conn.h alone, one file, one
 * connection.
 *
 *   sftp_link put|get HOST PORT USER KEY FILE-THERE BYTES
 *
 * put writes random bytes, get reads and forgets. Prints MB/s, the processor's seconds, and what
 * the connection uses. Any key of the server is taken: this is for loopback. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/random.h"
#include "storage/ssh.h"

#define OUTSTANDING 64u /* requests; 255 KiB each with OpenSSH */

struct run {
    struct sp_sftp_conn *conn;
    uint8_t handle[SP_SFTP_HANDLE_MAX];
    size_t handle_len, piece;
    uint64_t next, end, over;
    unsigned under_way;
    bool put;
    uint8_t *bytes;
    struct sp_err error;
    struct sp_sftp_request *requests;
};

static enum sp_code
trust(void *arg, const struct sp_ssh_hostkey *k, struct sp_err *e)
{
    (void)arg;
    (void)k;
    (void)e;
    return SP_OK;
}

static void done(struct sp_sftp_request *q);

/* The lock is held. */
static void
submit(struct run *r, struct sp_sftp_request *q)
{
    size_t n = r->end - r->next < r->piece ? (size_t)(r->end - r->next) : r->piece;
    uint8_t *to = q->to;

    if (n == 0 || r->error.code != SP_OK)
        return;
    memset(q, 0, sizeof(*q));
    q->type = r->put ? SP_SFTP_WRITE : SP_SFTP_READ;
    memcpy(q->handle, r->handle, r->handle_len);
    q->handle_len = r->handle_len;
    q->offset = r->next;
    q->n = n;
    q->to = to;
    q->from = r->bytes;
    q->done = done;
    q->arg = r;
    r->next += n;
    r->under_way++;
    sp_sftp_conn_submit(r->conn, q);
}

static void
done(struct sp_sftp_request *q)
{
    struct run *r = q->arg;

    r->under_way--;
    if (q->error.code != SP_OK && r->error.code == SP_OK)
        r->error = q->error;
    r->over += r->put ? q->n : q->got;
    submit(r, q);
    if (r->under_way == 0)
        sp_sftp_conn_wake(r->conn);
}

static enum sp_code
transfer(struct run *r, struct sp_err *e)
{
    sp_sftp_conn_lock(r->conn);
    r->piece = r->put ? sp_sftp_write_max(sp_sftp_conn_session(r->conn))
                      : sp_sftp_read_max(sp_sftp_conn_session(r->conn));
    for (unsigned i = 0; i < OUTSTANDING; i++)
        submit(r, &r->requests[i]);
    while (r->under_way > 0)
        sp_sftp_conn_wait(r->conn);
    sp_sftp_conn_unlock(r->conn);
    if (r->error.code != SP_OK)
        *e = r->error;
    return r->error.code;
}

static enum sp_code
run(char **args, struct run *r, struct sp_err *e)
{
    const char *const keys[] = {args[4]};
    struct sp_ssh_options o = {.host = args[1],
        .port = (uint16_t)atoi(args[2]),
        .user = args[3],
        .key_files = keys,
        .nkey_files = 1,
        .hostkey = trust};
    struct sp_sftp_request q = {.type = SP_SFTP_OPEN, .path = args[5], .mode = 0600};
    struct sp_sftp_link *link;
    struct sp_random_seeded seed = {1};
    struct sp_random random = sp_random_seeded_of(&seed);
    int64_t began;
    double seconds;
    enum sp_code rc;

    r->put = strcmp(args[0], "put") == 0;
    r->end = strtoull(args[6], NULL, 10);
    r->bytes = malloc(SP_SFTP_PACKET_MAX);
    r->requests = calloc(OUTSTANDING, sizeof(*r->requests));
    if (r->bytes == NULL || r->requests == NULL)
        return sp_fail_nomem(e);
    for (unsigned i = 0; i < OUTSTANDING; i++)
        if ((r->requests[i].to = malloc(SP_SFTP_PACKET_MAX)) == NULL)
            return sp_fail_nomem(e);
    if ((rc = sp_random_fill(&random, r->bytes, SP_SFTP_PACKET_MAX, e)) != SP_OK ||
        (rc = sp_ssh_open(&sp_env_system, &o, &link, e)) != SP_OK)
        return rc;
    printf("%s, %s: ", sp_ssh_facts(link)->algorithms, sp_ssh_facts(link)->greeting);
    if ((rc = sp_sftp_conn_new(link, 30000, &r->conn, e)) != SP_OK)
        return rc;
    q.flags = r->put ? SP_SFTP_F_WRITE | SP_SFTP_F_CREATE | SP_SFTP_F_TRUNC : SP_SFTP_F_READ;
    if ((rc = sp_sftp_conn_call(r->conn, &q, e)) != SP_OK)
        return rc;
    memcpy(r->handle, q.handle, q.handle_len);
    r->handle_len = q.handle_len;
    began = sp_clock_mono(&sp_clock_system);
    rc = transfer(r, e);
    seconds = (double)(sp_clock_mono(&sp_clock_system) - began) / 1e9;
    printf("%.0f MB/s over %.2f s in pieces of %zu, %.2f s of processor\n",
        (double)r->over / 1e6 / seconds, seconds, r->piece, (double)clock() / CLOCKS_PER_SEC);
    return rc;
}

int
main(int argc, char **argv)
{
    struct run r = {0};
    struct sp_err e = {0};
    enum sp_code rc;

    if (argc != 8) {
        fprintf(stderr, "usage: sftp_link put|get HOST PORT USER KEY FILE-THERE BYTES\n");
        return 5;
    }
    if ((rc = run(argv + 1, &r, &e)) != SP_OK)
        fprintf(stderr, "sftp_link: %s\n", e.text);
    sp_sftp_conn_free(r.conn);
    for (unsigned i = 0; r.requests != NULL && i < OUTSTANDING; i++)
        free(r.requests[i].to);
    free(r.requests);
    free(r.bytes);
    return rc != SP_OK;
}
