#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/compare/make.h"

/* maketree DIR: a tree with everything POSIX knows, the same for the same seed; the sections are
 * folders of it. The plainer half of them is here, the odder one in maketree_special.c. */

static const struct section {
    const char *name;
    void (*make)(struct make *m);
} sections[] = {
    {"names", section_names},
    {"deep", section_deep},
    {"content", section_content},
    {"many", section_many},
    {"times", section_times},
    {"sparse", section_sparse},
    {"links", section_links},
    {"special", section_special},
    {"modes", section_modes},
    {"owners", section_owners},
    {"acl", section_acl},
    {"xattr", section_xattr},
};

#define N_SECTIONS (sizeof sections / sizeof sections[0])

void
section_names(struct make *m)
{
    static const char *const odd[] = {" ", "  two  ", "-rf", "--help", "*", "?[a-z]", "$(true)",
        "`id`", "~", "#", "%s%n", "a\\b", "a:b", "trailing.", "trailing ", "...", "new\nline",
        "tab\tbell\a", "\033[31mred", "\r", "\x7f", "quote\"quote", "quote'quote", "CON", "nul.txt",
        "case", "CASE", "Case", "\xc3\xbc-nfc", "u\xcc\x88-nfd", "\xe6\x97\xa5\xe6\x9c\xac",
        "\xf0\x9f\x8c\x8d", "\xff\xfe-latin", "\xc3-cut", "\xed\xa0\x80-surrogate",
        "\xc0\xaf-overlong", "\xef\xbb\xbf-bom", "\xe2\x80\xae-rtl", "stillpoint.conf", ".hidden",
        ".git"};
    char name[256];
    for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++)
        make_text(m, odd[i], odd[i]);
    /* Every byte that a name can hold. */
    for (int first = 1; first < 256; first += 64) {
        size_t n = 0;
        for (int b = first; b < first + 64 && b < 256; b++)
            if (b != '/')
                name[n++] = (char)b;
        name[n] = 0;
        make_text(m, name, "bytes");
    }
    memset(name, 'n', 255);
    name[255] = 0;
    make_text(m, name, "255 bytes");
    memset(name, 0xfe, 255);
    dir_in(name);
    make_text(m, name, "a 255 byte name in a 255 byte folder");
    dir_out(m, name, 0755);
    dir_in("empty folder");
    dir_out(m, "empty folder", 0755);
}

/* Levels of folders with something at the bottom and half way. */
static void
dig(struct make *m, const char *name, int levels)
{
    for (int i = 0; i < levels; i++) {
        dir_in(name);
        if (i == levels / 2)
            make_text(m, "half way", "half way");
    }
    make_text(m, "bottom", "the bottom");
    make_symlink(m, "bottom", "symlink");
    make_link(m, "bottom", "linked");
    for (int i = 0; i < levels; i++)
        dir_out(m, name, 0755);
}

void
section_deep(struct make *m)
{
    char name[201];
    memset(name, 'd', 200);
    name[200] = 0;
    dig(m, name, 60);                   /* 12 000 bytes: beyond PATH_MAX */
    dig(m, "d", m->small ? 300 : 3000); /* many levels: beyond a stack or a table of handles */
}

void
section_content(struct make *m)
{
    static const size_t sizes[] = {
        0, 1, 2, 4095, 4096, 4097, 65535, 65536, 65537, 1048575, 1048576, 1048577, 3000000};
    char name[64];
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        snprintf(name, sizeof name, "random-%zu", sizes[i]);
        make_random_file(m, name, sizes[i]);
    }
    make_random_file(m, "random-big", m->small ? 5000000 : 40000000);

    size_t n = m->small ? 2000000 : 20000000;
    char *text = malloc(n);
    if (!text)
        make_die("no memory for", "text");
    for (size_t at = 0; at < n;) {
        char line[80];
        int k = snprintf(line, sizeof line, "%zu: the quick brown fox %u\n", at,
            (unsigned)(make_random(m) % 100));
        size_t take = (size_t)k < n - at ? (size_t)k : n - at;
        memcpy(text + at, line, take);
        at += take;
    }
    make_file(m, "compressible", text, n, 0644);
    make_file(m, "compressible, again", text, n, 0600);
    make_file(m, "compressible, shifted", text + 1, n - 1, 0644);
    memset(text, 0, n);
    make_file(m, "written zeros", text, n / 4, 0644);
    free(text);
}

void
section_many(struct make *m)
{
    char name[32], text[64];
    for (int d = 0; d < 20; d++) {
        char folder[32];
        snprintf(folder, sizeof folder, "folder-%d", d);
        dir_in(folder);
        for (int f = 0; f < (m->small ? 20 : 100); f++) {
            snprintf(name, sizeof name, "file-%d", f);
            snprintf(text, sizeof text, "%d %llu", f, (unsigned long long)make_random(m) % 1000);
            make_text(m, name, text);
        }
        dir_out(m, folder, 0755);
    }
}

void
section_times(struct make *m)
{
    static const struct {
        const char *name;
        int64_t sec;
        long nsec;
    } times[] = {{"1970", 0, 0}, {"1970 and a nanosecond", 0, 1}, {"1969", -1, 999999999},
        {"1969 and a half", -2, 500000000}, {"1901", -2147483648, 0},
        {"2038", 2147483647, 999999999}, {"2038 and more", 2147483648, 1},
        {"2106", 4294967296, 123456789}, {"2200", 7258118400, 999999999}};
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        char name[64];
        make_text(m, times[i].name, "time");
        make_stamp_at(times[i].name, times[i].sec, times[i].nsec);
        snprintf(name, sizeof name, "symlink %s", times[i].name);
        make_symlink(m, "nowhere", name);
        make_stamp_at(name, times[i].sec, times[i].nsec);
        snprintf(name, sizeof name, "folder %s", times[i].name);
        dir_in(name);
        dir_out(m, name, 0755);
        make_stamp_at(name, times[i].sec, times[i].nsec);
    }
}

static int
usage(void)
{
    fputs("usage: maketree [--seed N] [--small] [--without SECTION]... DIR\nsections:", stderr);
    for (size_t i = 0; i < N_SECTIONS; i++)
        fprintf(stderr, " %s", sections[i].name);
    fputs("\n", stderr);
    return 5;
}

int
main(int argc, char **argv)
{
    struct make m = {.root = geteuid() == 0};
    uint64_t seed = 1;
    bool without[N_SECTIONS] = {false};
    int i;
    for (i = 1; i < argc && strncmp(argv[i], "--", 2) == 0; i++) {
        if (strcmp(argv[i], "--small") == 0) {
            m.small = true;
        } else if (strcmp(argv[i], "--seed") == 0 && i + 1 < argc) {
            seed = strtoull(argv[++i], NULL, 10);
        } else if (strcmp(argv[i], "--without") == 0 && i + 1 < argc) {
            size_t s = 0;
            while (s < N_SECTIONS && strcmp(sections[s].name, argv[i + 1]) != 0)
                s++;
            if (s == N_SECTIONS)
                return usage();
            without[s] = true;
            i++;
        } else {
            return usage();
        }
    }
    if (argc - i != 1)
        return usage();
    dir_in(argv[i]);
    for (size_t s = 0; s < N_SECTIONS; s++) {
        if (without[s])
            continue;
        /* Leaving a section out changes nothing in the others. */
        m.state = (seed << 8) + s;
        dir_in(sections[s].name);
        sections[s].make(&m);
        dir_out(&m, sections[s].name, 0755);
    }
    if (chmod(".", 0755) != 0)
        make_die("cannot set the mode of", argv[i]);
    m.state = seed;
    make_stamp(&m, ".");
    return 0;
}
