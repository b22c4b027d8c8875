#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"

/* Stands in for libFuzzer where that is not linked: one call for every file of a folder, in exact
 * memory, so that the sanitizers see each byte read too far; and one for the empty input. */

static void
run_file(const char *dir, const char *name)
{
    char path[4096];
    long n;
    int len = snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *f = len > 0 && (size_t)len < sizeof path ? fopen(path, "rb") : NULL;
    if (!f || fseek(f, 0, SEEK_END) != 0 || (n = ftell(f)) < 0 || fseek(f, 0, SEEK_SET) != 0) {
        fprintf(stderr, "%s/%s: cannot be read\n", dir, name);
        exit(1);
    }
    uint8_t *p = malloc((size_t)n);
    if ((!p && n > 0) || fread(p, 1, (size_t)n, f) != (size_t)n) {
        fprintf(stderr, "%s: short read\n", path);
        exit(1);
    }
    fclose(f);
    printf("%s\n", name);
    fflush(stdout); /* the last name printed is the one that crashed */
    LLVMFuzzerTestOneInput(p, (size_t)n);
    free(p);
}

int
main(int argc, char **argv)
{
    unsigned files = 0;
    struct dirent *entry;
    DIR *d = argc == 2 ? opendir(argv[1]) : NULL;
    if (!d) {
        fprintf(stderr, "usage: %s CORPUS-FOLDER\n", argv[0]);
        return 1;
    }
    while ((entry = readdir(d)) != NULL) {
        if (entry->d_name[0] == '.')
            continue;
        run_file(argv[1], entry->d_name);
        files++;
    }
    closedir(d);
    LLVMFuzzerTestOneInput((const uint8_t *)"", 0);
    printf("%u inputs\n", files);
    return files ? 0 : 1; /* an empty corpus tests nothing */
}
