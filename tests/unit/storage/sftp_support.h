#ifndef SP_TESTS_SFTP_SUPPORT_H
#define SP_TESTS_SFTP_SUPPORT_H

/* A fake server, a connection to it, and bytes. Include after cmocka.h. */

#include <stdlib.h>

#include "base/random.h"
#include "expect.h"
#include "sftp_fake.h"
#include "storage/sftp_ops.h"

enum { BIG = 3000001, WINDOW = 1 << 20 };

static struct fake_server *server;
static struct sp_sftp_conn *conn;
static uint8_t *big;

static inline int
set_up(void **state)
{
    struct sp_random_seeded seed = {7};
    struct sp_random r = sp_random_seeded_of(&seed);

    (void)state;
    if ((big = malloc(BIG)) == NULL || sp_random_fill(&r, big, BIG, &err) != SP_OK)
        return -1;
    server = fake_new("/r");
    conn = fake_conn(server);
    return 0;
}

static inline int
tear_down(void **state)
{
    (void)state;
    sp_sftp_conn_free(conn);
    fake_free(server);
    free(big);
    return 0;
}

static inline void
set(struct fake_options o)
{
    fake_set(server, &o);
}

static inline void
again(void)
{
    sp_sftp_conn_free(conn);
    conn = fake_conn(server);
}

/* The servers of which the answers must be the same. */
static const struct fake_options kinds[] = {{0}, {.reorder = true, .delay_ms = 5},
    {.fragment = 999, .reorder = true}, {.short_reads = 10007}, {.no_limits = true},
    {.short_reads = 40000, .reorder = true, .delay_ms = 2, .short_listings = 3},
    {.short_listings = 1}};

enum { KINDS = sizeof(kinds) / sizeof(kinds[0]) };

#define TEST(x) cmocka_unit_test_setup_teardown(x, set_up, tear_down)

#endif
