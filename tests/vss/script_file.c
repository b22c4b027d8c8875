#include "tests/vss/script_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct text {
    char *p;
    size_t n;
};

static void
add(struct text *t, const char *p, size_t n)
{
    t->p = realloc(t->p, t->n + n + 1);
    assert_non_null(t->p);
    memcpy(t->p + t->n, p, n);
    t->n += n;
    t->p[t->n] = '\0';
}

static void
add_file(struct text *t, const char *name)
{
    char path[512], buf[4096];
    size_t n;
    FILE *f;

    snprintf(path, sizeof path, SP_SCRIPTS "/%s.vss", name);
    f = fopen(path, "rb");
    if (!f)
        fail_msg("%s cannot be read", path);
    while ((n = fread(buf, 1, sizeof buf, f)) > 0)
        add(t, buf, n);
    fclose(f);
}

static const char *
place(const char *name, size_t n, const struct script_place *places, unsigned nplaces)
{
    for (unsigned i = 0; i < nplaces; i++)
        if (strlen(places[i].name) == n && memcmp(places[i].name, name, n) == 0)
            return places[i].value;
    fail_msg("@%.*s@ has no value", (int)n, name);
    return "";
}

char *
script_make(const char *const *parts, const struct script_place *places, unsigned nplaces)
{
    struct text all = {0}, ret = {0};
    const char *at, *end;

    for (; *parts; parts++) {
        if (strchr(*parts, ' '))
            add(&all, *parts, strlen(*parts));
        else
            add_file(&all, *parts);
        add(&all, "\n", 1);
    }
    for (const char *from = all.p; from; from = end) {
        const char *value;

        at = strchr(from, '@');
        end = at ? strchr(at + 1, '@') : NULL;
        if (!end) {
            add(&ret, from, strlen(from));
            break;
        }
        add(&ret, from, (size_t)(at - from));
        value = place(at + 1, (size_t)(end - at - 1), places, nplaces);
        add(&ret, value, strlen(value));
        end++;
    }
    free(all.p);
    return ret.p;
}
