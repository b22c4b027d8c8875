/* The fake server's listings, and what is done to names. */

#include "sftp_fake_impl.h"

#include <stdio.h>
#include <string.h>

enum { LISTED_AT_ONCE = 100 };

void
fake_do_opendir(struct fake_asked *a)
{
    char *path = fake_take_path(a);
    struct fake_node *x = fake_find(a->f, path);
    struct fake_handle *h;
    size_t end, n = strcmp(path, "/") == 0 ? 0 : strlen(path);

    if (x == NULL && a->f->o.lie == FAKE_FOLDERS_ENDLESS)
        x = fake_find(a->f, "/");
    if (x == NULL || x->kind != FAKE_FOLDER) {
        fake_say_status(a, x == NULL ? SP_FX_NO_SUCH_FILE : SP_FX_FAILURE);
        free(path);
        return;
    }
    h = fake_give_handle(a, x, 0);
    h->names = fake_must(calloc(a->f->n + 3, sizeof(char *)));
    h->names[h->nnames++] = fake_must(strdup("."));
    h->names[h->nnames++] = fake_must(strdup(".."));
    for (size_t i = fake_below(a->f, path, &end); i < end; i++)
        if (strchr(a->f->nodes[i]->path + n + 1, '/') == NULL)
            h->names[h->nnames++] = fake_must(strdup(a->f->nodes[i]->path + n + 1));
    free(path);
}

static void
put_name(struct fake_asked *a, const struct fake_node *folder, const char *name, size_t len)
{
    struct fake_node none = {
        .kind = strcmp(name, "deep") == 0 ? FAKE_FOLDER : FAKE_FILE, .mtime = a->f->now};
    char *path = fake_must(malloc(strlen(folder->path) + len + 2));
    const struct fake_node *x;

    sprintf(path, "%s/%s", strcmp(folder->path, "/") == 0 ? "" : folder->path, name);
    x = strcmp(name, ".") == 0 || strcmp(name, "..") == 0 ? folder : fake_find(a->f, path);
    sp_sftp_put_string(&a->out, name, len);
    fake_text(&a->out, "-rw------- 1 a a 0 Jan 1 00:00 x");
    fake_attrs(&a->out, x != NULL ? x : &none, !a->f->o.untold_times);
    free(path);
}

static bool
still_there(struct fake_asked *a, const struct fake_node *folder, const char *name)
{
    char *path = fake_must(malloc(strlen(folder->path) + strlen(name) + 2));
    bool is = strcmp(name, ".") == 0 || strcmp(name, "..") == 0;

    sprintf(path, "%s/%s", strcmp(folder->path, "/") == 0 ? "" : folder->path, name);
    is = is || fake_find(a->f, path) != NULL;
    free(path);
    return is;
}

/* Names that are not there. */
static bool
lie_names(struct fake_asked *a, struct fake_handle *h, uint32_t *n)
{
    char name[301];

    if (fake_lies(a->l, a->type, FAKE_NAME_NONE))
        return true;
    if (fake_lies(a->l, a->type, FAKE_LISTING_NEW_NAMES)) {
        for (; *n < 1000; (*n)++) {
            snprintf(name, sizeof(name), "n%zu", h->told++);
            put_name(a, h->node, name, strlen(name));
        }
        return true;
    }
    if (h->at > 0)
        return false;
    memset(name, 'x', 300);
    name[300] = '\0';
    *n = 1;
    if (fake_lies(a->l, a->type, FAKE_NAME_SLASH))
        put_name(a, h->node, "../../etc/passwd", 16);
    else if (fake_lies(a->l, a->type, FAKE_NAME_LONG))
        put_name(a, h->node, name, 300);
    else if (fake_lies(a->l, a->type, FAKE_NAME_NUL))
        put_name(a, h->node, "a\0b", 3);
    else if (fake_lies(a->l, a->type, FAKE_NAME_EMPTY))
        put_name(a, h->node, "", 0);
    else if (fake_lies(a->l, a->type, FAKE_FOLDERS_ENDLESS))
        put_name(a, h->node, "deep", 4);
    else
        *n = 0;
    return false;
}

void
fake_do_readdir(struct fake_asked *a)
{
    struct fake_handle *h = fake_take_handle(a);
    uint32_t most = a->f->o.short_listings ? a->f->o.short_listings : LISTED_AT_ONCE, n = 0;
    bool whole;

    if (h == NULL || h->names == NULL) {
        fake_say_status(a, SP_FX_FAILURE);
        return;
    }
    if (h->at == h->nnames && fake_lies(a->l, a->type, FAKE_LISTING_ENDLESS))
        h->at = 0;
    fake_begin(&a->out, SP_FXP_NAME, a->id);
    sp_sftp_put_u32(&a->out, 0);
    whole = lie_names(a, h, &n);
    for (uint32_t i = 0; i < most && h->at < h->nnames && !whole; h->at++) {
        if (!still_there(a, h->node, h->names[h->at]))
            continue; /* as OpenSSH passes over what has gone since */
        put_name(a, h->node, h->names[h->at], strlen(h->names[h->at]));
        i++, n++;
    }
    for (int i = 0; i < 4; i++)
        a->out.data[9 + i] = (uint8_t)(n >> (24 - 8 * i) & 0xff);
    if (n == 0 && !whole) {
        sp_buf_reset(&a->out);
        fake_say_status(a, SP_FX_EOF);
    }
}

void
fake_do_remove(struct fake_asked *a)
{
    char *path = fake_take_path(a);
    size_t at, end;
    bool found;

    at = fake_at(a->f, path, &found);
    if (a->f->o.remove_denied || a->f->o.read_only)
        fake_say_status(a, SP_FX_PERMISSION_DENIED);
    else if (!found)
        fake_say_status(a, SP_FX_NO_SUCH_FILE);
    else if ((a->f->nodes[at]->kind == FAKE_FOLDER) != (a->type == SP_FXP_RMDIR) ||
             fake_below(a->f, path, &end) != end)
        fake_say_status(a, SP_FX_FAILURE);
    else {
        fake_drop(a->f, at);
        fake_say_status(a, SP_FX_OK);
    }
    free(path);
}

void
fake_do_mkdir(struct fake_asked *a)
{
    char *path = fake_take_path(a);

    if (a->f->o.read_only)
        fake_say_status(a, SP_FX_PERMISSION_DENIED);
    else if (fake_find(a->f, path) != NULL)
        fake_say_status(a, SP_FX_FAILURE);
    else if (!fake_parent_there(a->f, path))
        fake_say_status(a, SP_FX_NO_SUCH_FILE);
    else {
        fake_make(a->f, path, FAKE_FOLDER);
        fake_say_status(a, SP_FX_OK);
    }
    free(path);
}

static void
move_nodes(struct fake_server *f, const char *from, const char *to)
{
    size_t n = 0, end, at = fake_below(f, from, &end);
    struct fake_node **moved = fake_must(calloc(end - at + 1, sizeof(*moved)));
    bool found;

    at = fake_at(f, from, &found);
    while (n < end - at) { /* itself, and what is below it */
        moved[n] = f->nodes[at + n];
        n++;
    }
    memmove(f->nodes + at, f->nodes + end, (f->n - end) * sizeof(struct fake_node *));
    f->n -= n;
    for (size_t i = 0; i < n; i++) {
        const char *rest = moved[i]->path + strlen(from);
        char *path = fake_must(malloc(strlen(to) + strlen(rest) + 1));

        sprintf(path, "%s%s", to, rest);
        free(moved[i]->path);
        moved[i]->path = path;
        at = fake_at(f, path, &found);
        memmove(f->nodes + at + 1, f->nodes + at, (f->n - at) * sizeof(struct fake_node *));
        f->nodes[at] = moved[i];
        f->n++;
    }
    free(moved);
}

void
fake_do_rename(struct fake_asked *a)
{
    char *from = fake_take_path(a), *to = fake_take_path(a);
    struct fake_node *old = fake_find(a->f, to);
    bool found;

    if (a->f->o.read_only || a->f->o.rename_denied)
        fake_say_status(a, SP_FX_PERMISSION_DENIED);
    else if (fake_find(a->f, from) == NULL || !fake_parent_there(a->f, to))
        fake_say_status(a, SP_FX_NO_SUCH_FILE);
    else if (old != NULL && (!a->f->o.rename_replaces || old->kind == FAKE_FOLDER))
        fake_say_status(a, SP_FX_FAILURE);
    else {
        if (old != NULL)
            fake_drop(a->f, fake_at(a->f, to, &found));
        move_nodes(a->f, from, to);
        fake_say_status(a, a->f->o.rename_untold ? SP_FX_FAILURE : SP_FX_OK);
    }
    free(from);
    free(to);
}

void
fake_do_realpath(struct fake_asked *a)
{
    char *path = fake_take_path(a);

    if (fake_find(a->f, path) == NULL && !fake_parent_there(a->f, path)) {
        fake_say_status(a, SP_FX_NO_SUCH_FILE);
    } else {
        fake_begin(&a->out, SP_FXP_NAME, a->id);
        sp_sftp_put_u32(&a->out, 1);
        fake_text(&a->out, path);
        fake_text(&a->out, path);
        sp_sftp_put_u32(&a->out, 0);
    }
    free(path);
}
