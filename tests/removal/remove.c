/* remove FOLDER STEP …: a removal on a repository in a folder (the folder of an account on a server
 * of the tests, too: it is the same files), for suites that stop an uploader meanwhile with
 * SIGSTOP.
 *
 *   remove FOLDER mark                     prints the mark's id and how many packs it names; "none
 * 0" remove FOLDER take ID GRACE            moves what no set needs to trash/ ; exit 75 while the
 * grace, in seconds, is not over by the folder's clock remove FOLDER expire ID GRACE          what
 * a set needs comes back; the rest of trash/, and the mark, go remove FOLDER all GRACE the three,
 * waiting as long as they take remove FOLDER broken                   names each set of which
 * something is gone; exit 1 when there is one
 *
 * So a suite: forget a set's record (rm sets/…/<its>.set), start `stillpoint backup` of another job
 * with the same content, kill -STOP it anywhere, `remove FOLDER all 2`, kill -CONT. Whatever the
 * backup says then, `remove FOLDER broken` must find nothing, and the next backup must succeed. A
 * short grace sweeps the temporary files of an uploader that was not stopped as well: it fails, and
 * may. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "remover.h"

static int
failed(enum sp_code rc, const struct sp_err *e)
{
    (void)fprintf(stderr, "remove: %s\n", e->text);
    return rc == SP_BUSY ? 75 : 2;
}

static int
usage(void)
{
    (void)fputs(
        "usage: remove FOLDER mark | take ID GRACE | expire ID GRACE | all GRACE | broken\n",
        stderr);
    return 64;
}

static bool
number(const char *s, struct remover *x)
{
    uint64_t v;

    if (!sp_text_parse_u64(s, &v) || v > 1000000000)
        return false;
    x->grace_ns = (int64_t)v * SP_SECOND;
    return true;
}

/* Until the grace is over. */
static enum sp_code
wait_for(enum sp_code (*step)(const struct remover *, const uint8_t *, size_t *, struct sp_err *),
    const struct remover *x, const uint8_t *id, size_t *ret_n, struct sp_err *e)
{
    enum sp_code rc;

    while ((rc = step(x, id, ret_n, e)) == SP_BUSY)
        sp_sleep_ms(100);
    return rc;
}

static int
all(const struct remover *x, struct sp_err *e)
{
    uint8_t id[16];
    size_t marked = 0, taken = 0, back = 0;
    enum sp_code rc = remover_mark(x, id, &marked, e);

    if (rc == SP_OK && marked > 0 &&
        ((rc = wait_for(remover_take, x, id, &taken, e)) != SP_OK ||
            (rc = wait_for(remover_expire, x, id, &back, e)) != SP_OK))
        return failed(rc, e);
    if (rc != SP_OK)
        return failed(rc, e);
    (void)printf("marked %zu, taken %zu, back %zu\n", marked, taken, back);
    return 0;
}

static int
run(struct remover *x, int argc, char **argv)
{
    struct sp_err e = {0};
    uint8_t id[16];
    size_t n = 0, sets = 0;
    enum sp_code rc;

    if (argc == 3 && strcmp(argv[2], "mark") == 0) {
        if ((rc = remover_mark(x, id, &n, &e)) != SP_OK)
            return failed(rc, &e);
        (void)printf("%s %zu\n", n == 0 ? "none" : sp_hex16(id).s, n);
        return 0;
    }
    if (argc == 3 && strcmp(argv[2], "broken") == 0) {
        if ((rc = remover_broken(x, "broken", &n, &sets, &e)) != SP_OK)
            return failed(rc, &e);
        (void)printf("%zu of %zu sets are not whole\n", n, sets);
        return n == 0 ? 0 : 1;
    }
    if (argc == 4 && strcmp(argv[2], "all") == 0 && number(argv[3], x))
        return all(x, &e);
    if (argc != 5 || !sp_hex_parse(argv[3], id, sizeof(id)) || !number(argv[4], x))
        return usage();
    if (strcmp(argv[2], "take") == 0)
        rc = remover_take(x, id, &n, &e);
    else if (strcmp(argv[2], "expire") == 0)
        rc = remover_expire(x, id, &n, &e);
    else
        return usage();
    if (rc != SP_OK)
        return failed(rc, &e);
    (void)printf("%zu\n", n);
    return 0;
}

int
main(int argc, char **argv)
{
    struct remover x = {.b = NULL};
    struct sp_err e = {0};
    enum sp_code rc;
    int code;

    if (argc < 3)
        return usage();
    if ((rc = sp_backend_dir_open(&sp_env_system, argv[1], false, &x.b, &e)) != SP_OK)
        return failed(rc, &e);
    code = run(&x, argc, argv);
    sp_backend_free(x.b);
    return code;
}
