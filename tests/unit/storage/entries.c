#include "entries.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/path.h"

uint64_t
draw(struct draws *d)
{
    uint64_t z = d->state += UINT64_C(0x9E3779B97F4A7C15);

    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

uint64_t
draw_below(struct draws *d, uint64_t n)
{
    return draw(d) % n;
}

struct sp_id
draw_id(struct draws *d)
{
    struct sp_id id;

    for (size_t i = 0; i < SP_ID_SIZE; i += 8)
        sp_store_le64(id.b + i, draw(d));
    return id;
}

uint64_t
new_seed(void)
{
    struct timespec t = {0};
    uint64_t seed;

    timespec_get(&t, TIME_UTC);
    seed = (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
    printf("seed %llu\n", (unsigned long long)seed);
    return seed;
}

static void
draw_content(struct draws *d, struct sp_entry *en, struct sp_segment *segments)
{
    uint64_t kind = draw_below(d, 20);

    en->segments = segments;
    if (kind == 0) {
        en->has_list = true;
        en->list = draw_id(d);
        en->size = draw(d) >> 20;
        return;
    }
    /* Mostly one chunk, sometimes none or many. */
    en->nsegments = (size_t)(kind == 1 ? draw_below(d, 33) : kind < 4 ? 0 : 1);
    for (size_t i = 0; i < en->nsegments; i++) {
        segments[i] = (struct sp_segment){.length = draw_below(d, 300000) + 1};
        segments[i].hole = draw_below(d, 8) == 0;
        if (!segments[i].hole)
            segments[i].id = draw_id(d);
        en->size += segments[i].length;
    }
}

static void
draw_attributes(
    struct draws *d, struct sp_entry *en, struct sp_attribute *attributes, const uint8_t *value)
{
    static const char *const names[] = {
        "security.selinux", "system.posix_acl_access", "user.a", "user.b"};

    en->attributes = attributes;
    for (size_t i = 0; i < 4; i++) {
        struct sp_attribute a = {.name = names[i]};

        if (draw_below(d, 3) != 0)
            continue;
        a.external = draw_below(d, 4) == 0;
        if (a.external) {
            a.id = draw_id(d);
        } else {
            a.value = value;
            a.len = (size_t)draw_below(d, 60);
        }
        attributes[en->nattributes++] = a;
    }
}

/* Some of what it holds is not the file's own. */
static void
draw_windows(struct draws *d, struct sp_entry *en)
{
    en->flags |= SP_ENTRY_WINDOWS;
    en->atime_ns = (int64_t)draw(d);
    if (en->type != SP_ENTRY_FILE)
        return;
    if (draw_below(d, 4) == 0)
        en->flags |= SP_ENTRY_AWAY;
    en->extra = draw_below(d, en->size + 1);
    en->size -= en->extra;
}

struct sp_entry *
entry_draw(struct draws *d, const void *key, size_t key_len)
{
    static const char *const people[] = {"", "root", "johann", "someone"};
    struct sp_segment segments[32];
    struct sp_attribute attributes[4];
    uint8_t value[64];
    struct sp_entry en = {.key = key, .key_len = key_len}, *ret = NULL;
    struct sp_err e = {0};
    enum sp_code rc;
    uint64_t type = draw_below(d, 40);

    for (size_t i = 0; i < sizeof value; i += 8)
        sp_store_le64(value + i, draw(d));
    en.type = type < 6 ? (enum sp_entry_type)(type + 2) : SP_ENTRY_FILE;
    en.flags = (uint32_t)(draw_below(d, 10) == 0 ? draw_below(d, 16) : 0);
    en.mtime_ns = (int64_t)draw_below(d, UINT64_C(2000000000000000000)) - 1000000000;
    en.ctime_ns = (int64_t)draw(d);
    en.btime_ns = draw_below(d, 2) == 0 ? 0 : en.mtime_ns;
    en.file_id = draw(d) >> 30;
    en.device = (uint32_t)draw_below(d, 4);
    en.links = (uint32_t)draw_below(d, 3) + 1;
    en.mode = (uint32_t)draw_below(d, 010000);
    en.uid = (uint32_t)draw_below(d, 70000);
    en.gid = (uint32_t)draw(d);
    en.user = people[draw_below(d, 4)];
    en.group = people[draw_below(d, 4)];
    if (en.type == SP_ENTRY_CHAR || en.type == SP_ENTRY_BLOCK)
        en.rdev = draw(d);
    if (en.type == SP_ENTRY_LINK) {
        en.target = (const uint8_t *)"../some/where";
        en.target_len = (size_t)draw_below(d, 14);
    }
    if (en.type == SP_ENTRY_FILE)
        draw_content(d, &en, segments);
    if (draw_below(d, 4) == 0)
        draw_windows(d, &en);
    if (draw_below(d, 5) == 0)
        draw_attributes(d, &en, attributes, value);
    rc = sp_entry_copy(&en, &ret, &e);
    assert(rc == SP_OK);
    (void)rc;
    return ret;
}

static int
key_cmp(const void *a, const void *b)
{
    const struct sp_entry *x = *(struct sp_entry *const *)a, *y = *(struct sp_entry *const *)b;

    return sp_key_cmp(x->key, x->key_len, y->key, y->key_len);
}

static struct sp_entry *
draw_one(struct draws *d)
{
    static const char *const words[] = {"usr", "share", "lib", "doc", "python", "home"};
    struct sp_buf key = SP_BUF_INIT;
    size_t depth = (size_t)draw_below(d, 5);
    struct sp_entry *en;
    char name[32];
    int n;

    for (size_t i = 0; i < depth; i++) {
        const char *word = words[draw_below(d, 6)];

        sp_key_push(&key, word, strlen(word));
    }
    n = snprintf(name, sizeof name, "%llx.txt", (unsigned long long)draw_below(d, 1u << 30));
    sp_key_push(&key, name, (size_t)n);
    en = entry_draw(d, key.data, key.len);
    sp_buf_free(&key);
    return en;
}

struct sp_entry **
entries_draw(struct draws *d, size_t n)
{
    struct sp_entry **all = calloc(n + 1, sizeof(struct sp_entry *));
    size_t kept = 0;

    assert(all != NULL);
    while (kept < n) {
        size_t unique = 0;

        while (kept < n)
            all[kept++] = draw_one(d);
        qsort(all, n, sizeof(struct sp_entry *), key_cmp);
        for (size_t i = 0; i < n; i++) {
            if (unique > 0 && key_cmp(&all[unique - 1], &all[i]) == 0)
                free(all[i]);
            else
                all[unique++] = all[i];
        }
        kept = unique;
    }
    return all;
}

void
entries_free(struct sp_entry **all, size_t n)
{
    for (size_t i = 0; i < n; i++)
        free(all[i]);
    free(all);
}

size_t
entries_at(struct sp_entry *const *all, size_t n, const void *key, size_t key_len)
{
    size_t low = 0, high = n;

    while (low < high) {
        size_t mid = low + (high - low) / 2;

        if (sp_key_cmp(all[mid]->key, all[mid]->key_len, key, key_len) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

bool
entry_equal(const struct sp_entry *a, const struct sp_entry *b)
{
    return sp_entry_same(a, b) && a->flags == b->flags && a->ctime_ns == b->ctime_ns &&
           a->file_id == b->file_id && a->device == b->device && a->atime_ns == b->atime_ns &&
           a->extra == b->extra;
}
