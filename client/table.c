#include "client/table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

#define MAX_COLUMNS 16
#define GAP 2

void
sp_table_init(struct sp_table *t, const struct sp_column *columns, size_t n)
{
    memset(t, 0, sizeof(*t));
    t->columns = columns;
    t->ncolumns = n;
}

void
sp_table_cell(struct sp_table *t, const char *fmt, ...)
{
    struct sp_err ignored = {0};
    char text[1024];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    if (sp_strings_add(&t->cells, text, &ignored) != SP_OK)
        t->failed = true;
}

/* In code points: what a terminal shows, but for wide and combining characters. */
static size_t
width(const char *s)
{
    size_t n = 0;

    for (; *s != '\0'; s++)
        n += ((unsigned char)*s & 0xc0) != 0x80;
    return n;
}

static void
print_cell(const char *s, size_t to, bool right, bool last)
{
    size_t pad = to - width(s);

    if (right)
        (void)printf("%*s%s", (int)pad, "", s);
    else if (last)
        (void)fputs(s, stdout);
    else
        (void)printf("%s%*s", s, (int)pad, "");
    if (!last)
        (void)printf("%*s", GAP, "");
}

enum sp_code
sp_table_print(const struct sp_table *t, struct sp_err *e)
{
    size_t widths[MAX_COLUMNS] = {0}, i, w;

    if (t->failed || t->ncolumns > MAX_COLUMNS)
        return sp_fail_nomem(e);
    if (t->ncolumns == 0)
        return SP_OK;
    for (i = 0; i < t->ncolumns; i++)
        widths[i] = width(t->columns[i].title);
    for (i = 0; i < t->cells.n; i++) {
        w = width(t->cells.s[i]);
        if (w > widths[i % t->ncolumns])
            widths[i % t->ncolumns] = w;
    }
    for (i = 0; i < t->ncolumns; i++)
        print_cell(t->columns[i].title, widths[i], t->columns[i].right, i + 1 == t->ncolumns);
    (void)putchar('\n');
    for (i = 0; i < t->cells.n; i++) {
        w = i % t->ncolumns;
        print_cell(t->cells.s[i], widths[w], t->columns[w].right, w + 1 == t->ncolumns);
        if (w + 1 == t->ncolumns)
            (void)putchar('\n');
    }
    return SP_OK;
}

void
sp_table_clear(struct sp_table *t)
{
    sp_strings_clear(&t->cells);
}
