/* A file of the cache folder while it is written: it gets its name only when it is whole. See
 * index_cache.h. */

#include <stdlib.h>
#include <string.h>

#include "base/path.h"
#include "base/random.h"
#include "base/text.h"
#include "storage/index_cache.h"

char *
sp_index_cache_path(const struct sp_index_cache *c, const uint8_t name[32], bool local)
{
    char file[96];

    memcpy(file, sp_hex32(name).s, 65);
    if (local)
        memcpy(file + 64, SP_INDEX_LOCAL, sizeof(SP_INDEX_LOCAL));
    return sp_path_join(c->folder, file);
}

enum sp_code
sp_index_file_begin(struct sp_index_cache *c, struct sp_index_file *w, struct sp_err *e)
{
    uint8_t id[8];
    char name[32] = SP_INDEX_TEMPORARY;
    enum sp_code rc;

    memset(w, 0, sizeof(*w));
    w->os = c->env->os;
    w->folder = c->folder;
    if ((rc = sp_random_fill(c->env->random, id, sizeof(id), e)) != SP_OK)
        return rc;
    memcpy(name + strlen(SP_INDEX_TEMPORARY), sp_hex8(id).s, 17);
    if ((w->path = sp_path_join(c->folder, name)) == NULL)
        return sp_fail_nomem(e);
    if ((rc = w->os->create(w->os->self, w->path, &w->f, e)) != SP_OK) {
        sp_index_cache_context(w->folder, e);
        free(w->path);
    }
    return rc;
}

enum sp_code
sp_index_file_write(struct sp_index_file *w, const void *p, size_t n, struct sp_err *e)
{
    enum sp_code rc = w->os->write_at(w->os->self, w->f, w->at, p, n, e);

    if (rc == SP_OK)
        w->at += n;
    else
        sp_index_cache_context(w->folder, e);
    return rc;
}

enum sp_code
sp_index_file_end(struct sp_index_cache *c, struct sp_index_file *w, const uint8_t name[32],
    bool local, enum sp_code rc, struct sp_err *e)
{
    struct sp_err ignored = {0};
    char *path = NULL;
    bool ours = false;

    if (rc == SP_OK && (path = sp_index_cache_path(c, name, local)) == NULL)
        rc = sp_fail_nomem(e);
    ours = rc == SP_OK;
    /* Flushed: a segment is used by later runs without its hash being computed again. */
    if (rc == SP_OK)
        rc = w->os->sync(w->os->self, w->f, e);
    if (rc == SP_OK)
        rc = w->os->close(w->os->self, w->f, e);
    else
        (void)w->os->close(w->os->self, w->f, &ignored);
    if (rc == SP_OK)
        rc = w->os->replace(w->os->self, w->path, path, e);
    if (rc != SP_OK) {
        if (ours)
            sp_index_cache_context(w->folder, e);
        (void)w->os->remove(w->os->self, w->path, &ignored);
    }
    free(path);
    free(w->path);
    return rc;
}
