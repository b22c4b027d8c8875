#include "tests/fuzz/seed.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

static const char *out;

void
seed_put(const char *target, const char *name, struct sp_buf *b)
{
    char path[4096];
    FILE *f;

    FUZZ_MUST(!b->failed);
    (void)snprintf(path, sizeof(path), "%s/%s", out, target);
    FUZZ_MUST(mkdir(path, 0777) == 0 || errno == EEXIST);
    (void)snprintf(path, sizeof(path), "%s/%s/%s", out, target, name);
    f = fopen(path, "wb");
    FUZZ_MUST(f != NULL && fwrite(b->data, 1, b->len, f) == b->len);
    FUZZ_MUST(fclose(f) == 0);
    sp_buf_free(b);
}

void
seed_part(struct sp_buf *b, const void *p, size_t n)
{
    FUZZ_MUST(n <= UINT16_MAX);
    sp_buf_put_u16(b, (uint16_t)n);
    sp_buf_put(b, p, n);
}

int
main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: %s GOLDEN OUT\n", argv[0]);
        return 1;
    }
    out = argv[2];
    FUZZ_MUST(mkdir(out, 0777) == 0 || errno == EEXIST);
    seed_golden(argv[1]);
    seed_nodes();
    seed_talk();
    seed_local();
    return 0;
}
