/* What tests call of the fake server. */

#include "sftp_fake_impl.h"

#include <stdio.h>
#include <string.h>

#include "base/os.h"

struct fake_server *
fake_new(const char *home)
{
    struct fake_server *f = fake_must(calloc(1, sizeof(*f)));

    sp_mutex_init(&f->lock);
    sp_cond_init(&f->changed);
    f->now = 1800000000;
    f->dice = 1;
    f->home = fake_must(strdup(""));
    fake_make(f, "/", FAKE_FOLDER);
    free(f->home);
    f->home = fake_must(strdup(home));
    if (strcmp(home, "/") != 0) { /* with what is above it */
        char name[] = "/.fake";
        char *path = fake_must(malloc(strlen(home) + sizeof(name)));

        sprintf(path, "%s%s", home, name);
        fake_put(f, path, "", 0);
        fake_delete(f, path);
        free(path);
    }
    return f;
}

void
fake_free(struct fake_server *f)
{
    if (f == NULL)
        return;
    if (f->links != NULL)
        fake_broken("a link outlives its server");
    while (f->n > 0)
        fake_drop(f, f->n - 1);
    free(f->nodes);
    free(f->home);
    sp_cond_destroy(&f->changed);
    sp_mutex_destroy(&f->lock);
    free(f);
}

void
fake_set(struct fake_server *f, const struct fake_options *o)
{
    sp_mutex_lock(&f->lock);
    f->o = *o;
    sp_mutex_unlock(&f->lock);
}

struct fake_options
fake_get(struct fake_server *f)
{
    struct fake_options o;

    sp_mutex_lock(&f->lock);
    o = f->o;
    sp_mutex_unlock(&f->lock);
    return o;
}

struct sp_sftp_conn *
fake_conn(struct fake_server *f)
{
    struct sp_sftp_link *l;
    struct sp_sftp_conn *c;
    struct sp_err e = {0};

    if (fake_connect(f, &l, &e) != SP_OK || sp_sftp_conn_new(l, 10000, &c, &e) != SP_OK) {
        fprintf(stderr, "no connection to the fake server: %s\n", e.text);
        abort();
    }
    return c;
}

/* --- cuts ------------------------------------------------------------------------------------ */

void
fake_cut(struct fake_server *f, uint8_t type, unsigned n, bool after, bool all)
{
    sp_mutex_lock(&f->lock);
    f->cut.type = type;
    f->cut.n = n;
    f->cut.after = after;
    f->cut.all = all;
    f->cut.happened = false;
    sp_mutex_unlock(&f->lock);
}

bool
fake_was_cut(struct fake_server *f)
{
    bool cut;

    sp_mutex_lock(&f->lock);
    cut = f->cut.happened;
    sp_mutex_unlock(&f->lock);
    return cut;
}

static void
cut_links(struct fake_server *f)
{
    for (struct fake_link *l = f->links; l != NULL; l = l->next)
        l->cut = true;
    sp_cond_broadcast(&f->changed);
}

void
fake_cut_now(struct fake_server *f)
{
    sp_mutex_lock(&f->lock);
    cut_links(f);
    sp_mutex_unlock(&f->lock);
}

void
fake_crash(struct fake_server *f, uint64_t lost)
{
    sp_mutex_lock(&f->lock);
    cut_links(f);
    for (size_t i = 0; i < f->n; i++) {
        struct fake_node *x = f->nodes[i];
        size_t n = x->bytes.len > lost ? x->bytes.len - (size_t)lost : 0;

        if (x->kind == FAKE_FILE && x->bytes.len > x->safe)
            fake_resize(f, x, n > x->safe ? n : x->safe);
    }
    sp_mutex_unlock(&f->lock);
}

/* --- the clock ------------------------------------------------------------------------------- */

void
fake_clock(struct fake_server *f, uint32_t seconds)
{
    sp_mutex_lock(&f->lock);
    f->now = seconds;
    sp_mutex_unlock(&f->lock);
}

uint32_t
fake_now(struct fake_server *f)
{
    uint32_t now;

    sp_mutex_lock(&f->lock);
    now = f->now;
    sp_mutex_unlock(&f->lock);
    return now;
}

/* --- files ----------------------------------------------------------------------------------- */

/* The file or folder of a path, with the lock taken; NULL: absent. */
static struct fake_node *
lock_node(struct fake_server *f, const char *path, char **ret_path)
{
    struct fake_node *x;

    sp_mutex_lock(&f->lock);
    *ret_path = fake_path(f, path, strlen(path));
    x = fake_find(f, *ret_path);
    return x;
}

static void
unlock(struct fake_server *f, char *path)
{
    free(path);
    sp_mutex_unlock(&f->lock);
}

void
fake_touch(struct fake_server *f, const char *path, uint32_t mtime)
{
    char *full;
    struct fake_node *x = lock_node(f, path, &full);

    if (x != NULL)
        x->mtime = mtime;
    unlock(f, full);
}

static void
make_above(struct fake_server *f, char *path)
{
    for (char *p = strchr(path + 1, '/'); p != NULL; p = strchr(p + 1, '/')) {
        *p = '\0';
        if (fake_find(f, path) == NULL)
            fake_make(f, path, FAKE_FOLDER);
        *p = '/';
    }
}

void
fake_put(struct fake_server *f, const char *path, const void *p, size_t n)
{
    char *full;
    struct fake_node *x = lock_node(f, path, &full);

    make_above(f, full);
    if (x == NULL)
        x = fake_make(f, full, FAKE_FILE);
    fake_resize(f, x, n);
    if (n > 0)
        memcpy(x->bytes.data, p, n);
    x->safe = n;
    unlock(f, full);
}

void
fake_link_file(struct fake_server *f, const char *path)
{
    char *full;
    struct fake_node *x = lock_node(f, path, &full);

    make_above(f, full);
    if (x == NULL)
        fake_make(f, full, FAKE_LINK);
    unlock(f, full);
}

bool
fake_read(struct fake_server *f, const char *path, struct sp_buf *ret)
{
    char *full;
    struct fake_node *x = lock_node(f, path, &full);

    if (x != NULL)
        sp_buf_put(ret, x->bytes.data, x->bytes.len);
    unlock(f, full);
    return x != NULL;
}

bool
fake_there(struct fake_server *f, const char *path)
{
    char *full;
    bool there = lock_node(f, path, &full) != NULL;

    unlock(f, full);
    return there;
}

bool
fake_delete(struct fake_server *f, const char *path)
{
    char *full;
    struct fake_node *x = lock_node(f, path, &full);
    size_t end, at = fake_below(f, full, &end);
    bool found;

    while (end-- > at)
        fake_drop(f, end);
    if (x != NULL)
        fake_drop(f, fake_at(f, full, &found));
    unlock(f, full);
    return x != NULL;
}

bool
fake_flip(struct fake_server *f, const char *path, uint64_t offset)
{
    char *full;
    struct fake_node *x = lock_node(f, path, &full);
    bool there = x != NULL && offset < x->bytes.len;

    if (there)
        x->bytes.data[offset] ^= 1;
    unlock(f, full);
    return there;
}

bool
fake_cut_file(struct fake_server *f, const char *path, uint64_t size)
{
    char *full;
    struct fake_node *x = lock_node(f, path, &full);
    bool there = x != NULL && size <= x->bytes.len;

    if (there)
        fake_resize(f, x, (size_t)size);
    unlock(f, full);
    return there;
}

void
fake_each(struct fake_server *f, const char *folder,
    void (*each)(void *arg, const char *name, uint64_t size), void *arg)
{
    char *full;
    size_t end, at, n;

    (void)lock_node(f, folder, &full);
    n = strcmp(full, "/") == 0 ? 0 : strlen(full);
    for (at = fake_below(f, full, &end); at < end; at++)
        if (f->nodes[at]->kind == FAKE_FILE)
            each(arg, f->nodes[at]->path + n + 1, f->nodes[at]->bytes.len);
    unlock(f, full);
}

static void
count_one(void *arg, const char *name, uint64_t size)
{
    (void)name;
    (void)size;
    ++*(size_t *)arg;
}

size_t
fake_count(struct fake_server *f, const char *folder)
{
    size_t n = 0;

    fake_each(f, folder, count_one, &n);
    return n;
}

/* --- figures --------------------------------------------------------------------------------- */

size_t
fake_requests(struct fake_server *f, uint8_t type)
{
    size_t n;

    sp_mutex_lock(&f->lock);
    n = f->requests[type];
    sp_mutex_unlock(&f->lock);
    return n;
}

size_t
fake_handles(struct fake_server *f)
{
    size_t n = 0;

    sp_mutex_lock(&f->lock);
    for (struct fake_link *l = f->links; l != NULL; l = l->next)
        for (struct fake_handle *h = l->handles; h != NULL; h = h->next)
            n++;
    sp_mutex_unlock(&f->lock);
    return n;
}

size_t
fake_links(struct fake_server *f)
{
    size_t n = 0;

    sp_mutex_lock(&f->lock);
    for (struct fake_link *l = f->links; l != NULL; l = l->next)
        n++;
    sp_mutex_unlock(&f->lock);
    return n;
}

size_t
fake_most_waiting(struct fake_server *f)
{
    size_t n;

    sp_mutex_lock(&f->lock);
    n = f->most_waiting;
    sp_mutex_unlock(&f->lock);
    return n;
}

size_t
fake_rounds(struct fake_server *f)
{
    size_t n;

    sp_mutex_lock(&f->lock);
    n = f->rounds;
    sp_mutex_unlock(&f->lock);
    return n;
}
