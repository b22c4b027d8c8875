#include "client/streams_win32.h"

#include <stdlib.h>
#include <string.h>

/* What the system's own compression keeps beside a file is its content in another form:
 * learn.microsoft.com/en-us/windows-hardware/drivers/ddi/ntifs/ns-ntifs-_wof_external_info */
#define WOF_STREAM "WofCompressedData"
#define PART_BYTES 13 /* of a part in the table, without its name */
#define TABLE_MOST WINDOWS_STREAM_MAX

struct stream {
    size_t name; /* in names */
    uint64_t size;
};
struct streams {
    const struct sp_ntfs_info *info;
    struct stream *all;
    size_t n, cap;
    struct sp_buf names; /* NUL-terminated */
};

static void
streams_free(struct streams *s)
{
    free(s->all);
    sp_buf_free(&s->names);
}

static const char *
name_of(const struct streams *s, size_t i)
{
    return (const char *)s->names.data + s->all[i].name;
}

static enum sp_code
add(void *arg, const char *name, size_t n, uint64_t size, uint64_t allocated, struct sp_err *e)
{
    struct streams *s = arg;

    (void)allocated;
    if (s->info->reparse_tag == NTFS_TAG_WOF && n == sizeof WOF_STREAM - 1 &&
        memcmp(name, WOF_STREAM, n) == 0)
        return SP_OK;
    if (s->n == s->cap) {
        size_t cap = s->cap == 0 ? 8 : 2 * s->cap;
        struct stream *more = realloc(s->all, cap * sizeof *more);

        if (more == NULL)
            return sp_fail_nomem(e);
        s->all = more;
        s->cap = cap;
    }
    s->all[s->n++] = (struct stream){s->names.len, size};
    sp_buf_put(&s->names, name, n);
    sp_buf_put_u8(&s->names, 0);
    return sp_buf_ok(&s->names, e);
}

/* What EFS encrypted comes with all its streams in the raw export. */
static enum sp_code
list(const struct sp_source_host *h, struct sp_ntfs_handle *of, const struct sp_ntfs_info *info,
    struct streams *ret, struct sp_err *e)
{
    enum sp_code rc;

    ret->info = info;
    if ((info->attributes & NTFS_ENCRYPTED) != 0 && (info->attributes & NTFS_DIRECTORY) == 0)
        return SP_OK;
    rc = h->t->streams(h->t->self, of, add, ret, e);
    return rc == SP_UNSUPPORTED ? SP_OK : rc;
}

/* All of it, if that is at most WINDOWS_STREAM_MAX. */
static enum sp_code
read_whole(const struct sp_streams_ask *ask, const char *name, struct sp_buf *ret, struct sp_err *e)
{
    const struct sp_ntfs *t = ask->h->t;
    struct sp_ntfs_handle *of = NULL;
    size_t n = 0;
    enum sp_code rc;

    sp_buf_reset(ret);
    if (!sp_buf_reserve(ret, WINDOWS_STREAM_MAX + 1))
        return sp_fail_nomem(e);
    if ((rc = t->open_stream(t->self, ask->of, name, NTFS_READ, &of, e)) == SP_OK)
        rc = t->read(t->self, of, 0, ret->data, WINDOWS_STREAM_MAX + 1, &n, e);
    sp_look_close(ask->h, of);
    if (rc == SP_OK && n > WINDOWS_STREAM_MAX)
        rc = sp_fail(e, SP_CHANGED, SP_DOM_NONE, "it grew while it was read");
    ret->len = n;
    return rc;
}

static enum sp_code
describe_one(const struct sp_streams_ask *ask, const struct streams *s, size_t i,
    struct sp_buf *value, size_t *bytes, size_t *taken, size_t *table, struct sp_err *e)
{
    const char *name = name_of(s, i);
    struct sp_err why = {0};
    enum sp_code rc;

    if (!sp_ntfs_stream_name_ok(name, strlen(name))) {
        (void)sp_fail(&why, SP_IO, SP_DOM_NONE, "it has a name that no stream can have");
        return ask->fail(ask->arg, name, &why, e);
    }
    if (s->all[i].size > WINDOWS_STREAM_MAX || *taken >= SP_STREAMS_MOST ||
        *bytes + s->all[i].size > SP_STREAMS_MOST_BYTES) {
        *table += PART_BYTES + strlen(name);
        if (ask->is_file && *table <= TABLE_MOST)
            return SP_OK; /* it will be a part */
        (void)sp_fail(&why, SP_IO, SP_DOM_NONE,
            ask->is_file ? "there are too many"
                         : "of a folder or a link only streams of at most 64 KiB are kept");
        return ask->fail(ask->arg, name, &why, e);
    }
    if ((rc = read_whole(ask, name, value, &why)) == SP_ABSENT)
        return SP_OK; /* removed since they were listed */
    if (rc != SP_OK)
        return ask->fail(ask->arg, name, &why, e);
    *bytes += value->len;
    ++*taken;
    return ask->take(ask->arg, name, value->data, value->len, e);
}

enum sp_code
sp_streams_describe(const struct sp_streams_ask *ask, struct sp_err *e)
{
    struct streams s = {0};
    struct sp_buf value = SP_BUF_INIT;
    struct sp_err why = {0};
    size_t bytes = 0, taken = 0, table = 0;
    enum sp_code rc;

    if ((rc = list(ask->h, ask->of, ask->info, &s, &why)) != SP_OK) {
        rc = ask->fail(ask->arg, "(their list)", &why, e);
    } else if (s.n > 0 && (ask->info->attributes & NTFS_MUST_NOT_READ) != 0 &&
               sp_look_away(ask->info)) {
        /* A filter that fetches the content may do so for any of its streams. */
        atomic_fetch_add(&ask->h->streams, 1);
    } else {
        for (size_t i = 0; i < s.n && rc == SP_OK; i++)
            rc = describe_one(ask, &s, i, &value, &bytes, &taken, &table, e);
    }
    sp_buf_free(&value);
    streams_free(&s);
    return rc;
}

/* --- parts ---------------------------------------------------------------------------------------
 */

static bool
is_attribute(const struct sp_entry *en, const char *name)
{
    const size_t prefix = sizeof WINDOWS_STREAM - 1;

    for (size_t i = 0; i < en->nattributes; i++)
        if (strncmp(en->attributes[i].name, WINDOWS_STREAM, prefix) == 0 &&
            strcmp(en->attributes[i].name + prefix, name) == 0)
            return true;
    return false;
}

enum sp_code
sp_streams_parts(const struct sp_source_host *h, struct sp_ntfs_handle *of,
    const struct sp_ntfs_info *info, const struct sp_entry *en, struct sp_ntfs_part **ret,
    size_t *ret_n, struct sp_err *e)
{
    struct streams s = {0};
    struct sp_ntfs_part *parts = NULL;
    size_t n = 0, table = 0;
    char *names;
    enum sp_code rc = SP_OK;

    if (!sp_look_away(info) && (rc = list(h, of, info, &s, e)) != SP_OK) {
        (void)sp_look_blame(e, "its alternate streams cannot be listed");
        goto out;
    }
    if ((parts = malloc(s.n * sizeof *parts + s.names.len + 1)) == NULL) {
        rc = sp_fail_nomem(e);
        goto out;
    }
    names = (char *)(parts + s.n);
    if (s.names.len > 0)
        memcpy(names, s.names.data, s.names.len);
    for (size_t i = 0; i < s.n; i++) {
        const char *name = names + s.all[i].name;
        size_t len = strlen(name);

        /* What sp_streams_describe has told is not kept. */
        if (is_attribute(en, name) || !sp_ntfs_stream_name_ok(name, len) ||
            (table += PART_BYTES + len) > TABLE_MOST)
            continue;
        parts[n++] =
            (struct sp_ntfs_part){.kind = NTFS_PART_STREAM, .name = name, .size = s.all[i].size};
    }
    *ret = parts;
    *ret_n = n;
    parts = NULL;
out:
    free(parts);
    streams_free(&s);
    return rc;
}
