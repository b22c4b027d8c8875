/* Listings: folders side by side in the connection's thread, names handed over to the waiting one.
 *
 * Two READDIRs of a folder are under way at once, so that its last names and its end come in one
 * round; behind an answer of few names, which is nearly always the last one, no third is sent while
 * the second is under way. The answers are those of one after the other:
 * draft-ietf-secsh-filexfer-02 §6, "the results in the responses will be the same as if it had sent
 * the requests one at a time".
 *
 * Bounded (R18, R28): folders under way, names waiting to be taken (the READDIRs then wait),
 * entries of a folder, folders in all, and depth. */

#include "storage/sftp_ops.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/path.h"

enum {
    SIDE_BY_SIDE = 64, /* folders under way, with a server that says nothing of how many it can */
    MOST_SIDE_BY_SIDE = 256,
    AHEAD = 2, /* READDIRs of each */
    LOOKS = 2,
    FEW = 64, /* names of an answer; OpenSSH gives 100 */
    DEPTH = 6,
    NAME_MAX_BYTES = 90,     /* one part of 80, and more than that to see what is too long */
    WAITING = 4 << 20,       /* bytes of names; then no more is asked for */
    MOST_WAITING = 64 << 20, /* what was asked for before comes on top */
    ENTRIES = 1000000,       /* of one folder */
    FOLDERS = 100000         /* a repository has some hundreds */
};

enum { S_TYPE = 0170000, S_FOLDER = 0040000, S_FILE = 0100000 };

struct folder {
    struct folder *next; /* to do, or resting */
    struct listing *l;
    char *path, *name; /* name: below the root, "" for itself */
    unsigned depth;
    size_t entries, under_way;
    bool open, end, resting;
    struct sp_sftp_request handle, read[AHEAD];
};

struct listing {
    struct sp_sftp_conn *c;
    const char *root;
    struct folder *todo, *resting;
    size_t active, most, folders;
    struct sp_buf names; /* u64 size ‖ name ‖ NUL, little endian, … */
    bool stop;
    struct sp_err error;

    /* Whether it is all still there, looked at behind the last answer to an OPENDIR, beside the
     * READDIRs: one that says "no such folder" may speak of a volume that has gone (R20). */
    size_t opening, looking;
    bool looks, look_due, there;
    struct sp_sftp_request look[LOOKS];
};

static void
fail_listing(struct listing *l, const struct sp_err *why)
{
    if (l->error.code == SP_OK)
        l->error = *why;
    l->stop = true;
}

static void
wrong(struct folder *f, enum sp_code code, const char *what)
{
    struct sp_buf path = SP_BUF_INIT;
    struct sp_err e = {0};

    sp_path_show(f->path, strlen(f->path), &path);
    sp_fail(&e, code, SP_DOM_STORE, "listing %.300s: %s", sp_buf_str(&path), what);
    sp_buf_free(&path);
    fail_listing(f->l, &e);
}

static void
folder_free(struct folder *f)
{
    if (f != NULL) {
        free(f->path);
        free(f->name);
    }
    free(f);
}

/* --- in the connection's thread -------------------------------------------------------------- */

static void opened(struct sp_sftp_request *q);
static void was_read(struct sp_sftp_request *q);
static bool entry(struct sp_sftp_request *q, const char *name, const struct sp_sftp_attrs *a);

static char *
below(const char *folder, const char *name)
{
    return folder[0] == '\0' ? strdup(name)
           : name[0] == '\0' ? strdup(folder)
                             : sp_path_join(folder, name);
}

static enum sp_code
add_folder(struct listing *l, const char *above, const char *name, unsigned depth, struct sp_err *e)
{
    struct folder *f = calloc(1, sizeof(*f));

    if (f == NULL || (f->name = below(above, name)) == NULL ||
        (f->path = below(l->root, f->name)) == NULL) {
        folder_free(f);
        return sp_fail_nomem(e);
    }
    f->l = l;
    f->depth = depth;
    f->handle = (struct sp_sftp_request){
        .type = SP_SFTP_OPENDIR, .path = f->path, .done = opened, .arg = f};
    for (size_t i = 0; i < AHEAD; i++)
        f->read[i] = (struct sp_sftp_request){
            .type = SP_SFTP_READDIR, .path = f->path, .done = was_read, .name = entry, .arg = f};
    f->next = l->todo; /* the newest first: depth before breadth keeps the list short */
    l->todo = f;
    l->folders++;
    return SP_OK;
}

static void
look(struct listing *l)
{
    if (!l->looks || !l->look_due || l->opening > 0 || l->looking > 0 || l->todo != NULL || l->stop)
        return;
    l->look_due = l->there = false;
    l->looking = LOOKS;
    for (size_t i = 0; i < LOOKS; i++)
        sp_sftp_conn_submit(l->c, &l->look[i]);
}

static void
looked(struct sp_sftp_request *q)
{
    struct listing *l = q->arg;

    l->looking--;
    l->there = l->there || q->error.code == SP_OK;
    if (q->error.code != SP_OK && q->error.code != SP_ABSENT)
        fail_listing(l, &q->error);
    look(l);
    sp_sftp_conn_wake(l->c);
}

static void
start_folders(struct listing *l)
{
    struct folder *f;

    while (l->active < l->most && !l->stop && (f = l->todo) != NULL) {
        l->todo = f->next;
        l->active++;
        f->under_way = 1;
        l->opening++;
        sp_sftp_conn_submit(l->c, &f->handle);
    }
}

static void
closed(struct sp_sftp_request *q)
{
    folder_free(q->arg);
}

/* Nothing of it is under way. Nobody waits for its CLOSE, which outlives the listing: a round less.
 */
static void
folder_over(struct folder *f)
{
    struct listing *l = f->l;

    l->active--;
    f->l = NULL;
    if (f->open) {
        f->handle.type = SP_SFTP_CLOSE;
        f->handle.done = closed;
        sp_sftp_conn_submit(l->c, &f->handle);
    } else {
        folder_free(f);
    }
    start_folders(l);
    sp_sftp_conn_wake(l->c);
}

static void
read_on(struct folder *f, struct sp_sftp_request *q)
{
    memcpy(q->handle, f->handle.handle, f->handle.handle_len);
    q->handle_len = f->handle.handle_len;
    f->under_way++;
    sp_sftp_conn_submit(f->l->c, q);
}

static void
opened(struct sp_sftp_request *q)
{
    struct folder *f = q->arg;
    struct listing *l = f->l;

    f->under_way--;
    l->opening--;
    l->look_due = true;
    f->open = q->error.code == SP_OK;
    if (!f->open && q->error.code != SP_ABSENT)
        fail_listing(l, &q->error);
    if (!f->open || l->stop) {
        folder_over(f);
        look(l);
        return;
    }
    f->under_way++; /* this: a READDIR that fails at once must not free it below */
    for (size_t i = 0; i < AHEAD; i++)
        read_on(f, &f->read[i]);
    if (--f->under_way == 0)
        folder_over(f);
    look(l);
}

static void
was_read(struct sp_sftp_request *q)
{
    struct folder *f = q->arg;
    struct listing *l = f->l;

    f->under_way--;
    f->entries += q->got;
    if (q->error.code != SP_OK)
        fail_listing(l, &q->error);
    else if (q->got == 0)
        f->end = true;
    else if (f->entries > ENTRIES)
        wrong(f, SP_CORRUPT, "it has more than a million entries, or the server never ends");
    else if (l->names.len > MOST_WAITING)
        wrong(f, SP_CORRUPT, "the server sends more names at once than any folder has");
    if (!f->end && !l->stop && l->names.len < WAITING) {
        if (q->got >= FEW || f->under_way == 0)
            read_on(f, q);
    } else if (f->under_way == 0 && (f->end || l->stop)) {
        folder_over(f);
    } else if (f->under_way == 0) {
        f->resting = true; /* until names were taken */
        f->next = l->resting;
        l->resting = f;
    }
    if (l->names.len > 0 || l->stop)
        sp_sftp_conn_wake(l->c);
}

/* What others laid there ("lost+found", "#recycle") is passed over, whoever may open it; tmp/ as
 * well. */
static bool
may_hold_objects(const struct folder *f, const char *name)
{
    char path[NAME_MAX_BYTES]; /* only the last part counts here, and whether it is the first */
    int n = snprintf(path, sizeof(path), "%s%s", f->name[0] == '\0' ? "" : "x/", name);

    return n > 0 && (size_t)n < sizeof(path) && sp_object_name_valid(path);
}

static bool
entry(struct sp_sftp_request *q, const char *name, const struct sp_sftp_attrs *a)
{
    struct folder *f = q->arg;
    struct listing *l = f->l;
    uint32_t type = a->has_mode ? a->mode & S_TYPE : 0;
    struct sp_err e = {0};

    if (!may_hold_objects(f, name))
        return true;
    if (type == S_FOLDER && f->depth < DEPTH) {
        if (l->folders >= FOLDERS)
            wrong(f, SP_CORRUPT, "there are more folders than a repository has");
        else if (add_folder(l, f->name, name, f->depth + 1, &e) != SP_OK)
            fail_listing(l, &e);
        else
            start_folders(l);
    } else if (type == S_FILE && a->has_size) {
        if (!sp_buf_reserve(&l->names, 8 + strlen(f->name) + 1 + strlen(name) + 1)) {
            sp_fail_nomem(&e); /* no entry in part: it would be handed over */
            fail_listing(l, &e);
            return false;
        }
        sp_buf_put_u64(&l->names, a->size);
        sp_buf_put_str(&l->names, f->name);
        if (f->name[0] != '\0')
            sp_buf_put_u8(&l->names, '/');
        sp_buf_put(&l->names, name, strlen(name) + 1);
    } else if (type == 0 || type == S_FILE) {
        wrong(f, SP_UNSUPPORTED, "the server does not say what is a file, or how long it is");
    }
    return !l->stop;
}

/* --- the caller's side ----------------------------------------------------------------------- */

/* Without the lock. */
static enum sp_code
hand_over(const struct sp_buf *names, sp_backend_list_fn each, void *arg, struct sp_err *e)
{
    struct sp_cur c = sp_cur_of(names->data, names->len);
    enum sp_code rc = SP_OK;

    while (rc == SP_OK && sp_cur_left(&c) > 0) {
        uint64_t size = sp_cur_u64(&c);
        const char *name = (const char *)c.p;

        (void)sp_cur_bytes(&c, strlen(name) + 1);
        rc = each(arg, name, size, e);
    }
    return rc;
}

static void
wake_resting(struct listing *l)
{
    struct folder *f;

    while ((f = l->resting) != NULL) {
        l->resting = f->next;
        f->resting = false;
        if (l->stop) {
            folder_over(f);
            continue;
        }
        f->under_way++;
        for (size_t i = 0; i < AHEAD; i++)
            read_on(f, &f->read[i]);
        if (--f->under_way == 0)
            folder_over(f);
    }
}

static enum sp_code
pump(struct listing *l, sp_backend_list_fn each, void *arg, struct sp_err *e)
{
    struct sp_buf taken = SP_BUF_INIT;
    enum sp_code rc = SP_OK;

    start_folders(l);
    for (;;) {
        if (l->names.len > 0 && rc == SP_OK) {
            struct sp_buf swap = l->names;

            l->names = taken;
            sp_buf_reset(&l->names);
            taken = swap;
            sp_sftp_conn_unlock(l->c);
            rc = hand_over(&taken, each, arg, e);
            sp_sftp_conn_lock(l->c);
            l->stop = l->stop || rc != SP_OK;
        }
        wake_resting(l);
        if (l->active == 0 && l->looking == 0 && (l->todo == NULL || l->stop) &&
            (l->names.len == 0 || l->stop))
            break;
        if (l->names.len == 0 || rc != SP_OK)
            sp_sftp_conn_wait(l->c);
    }
    sp_buf_free(&taken);
    return rc;
}

/* A quarter of what the server says that it holds open; others of this connection need some too. */
static size_t
side_by_side(const struct sp_sftp_session *s)
{
    size_t n = sp_sftp_handles_max(s) / 4;

    return n < SIDE_BY_SIDE ? SIDE_BY_SIDE : n > MOST_SIDE_BY_SIDE ? MOST_SIDE_BY_SIDE : n;
}

enum sp_code
sp_sftp_list(struct sp_sftp_conn *c, const char *root, const char *const *folders, size_t n,
    sp_backend_list_fn each, void *arg, struct sp_err *e)
{
    return sp_sftp_list_there(c, root, folders, n, NULL, NULL, each, arg, e);
}

enum sp_code
sp_sftp_list_there(struct sp_sftp_conn *c, const char *root, const char *const *folders, size_t n,
    const char *const paths[2], bool *ret_there, sp_backend_list_fn each, void *arg,
    struct sp_err *e)
{
    struct listing l = {.c = c, .root = root, .looks = paths != NULL};
    enum sp_code rc = SP_OK;
    struct folder *f;

    for (size_t i = 0; l.looks && i < LOOKS; i++)
        l.look[i] = (struct sp_sftp_request){
            .type = SP_SFTP_LSTAT, .path = paths[i], .done = looked, .arg = &l};
    for (size_t i = n; i > 0 && rc == SP_OK; i--)
        rc = add_folder(&l, "", folders[i - 1], 1, e);
    if (rc == SP_OK) {
        sp_sftp_conn_lock(c);
        l.most = side_by_side(sp_sftp_conn_session(c));
        rc = pump(&l, each, arg, e);
        sp_sftp_conn_unlock(c);
    }
    if (rc == SP_OK && (rc = l.error.code) != SP_OK)
        *e = l.error;
    if (l.looks)
        *ret_there = l.there && !l.look_due;
    while ((f = l.todo) != NULL) {
        l.todo = f->next;
        folder_free(f);
    }
    sp_buf_free(&l.names);
    return rc;
}
