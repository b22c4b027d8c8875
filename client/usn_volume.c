#include "client/usn_impl.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

static void
doubt(struct sp_usn_volume *v, const char *why)
{
    (void)sp_fail(&v->why, SP_REFUSED, SP_DOM_SOURCE, "%s", why);
}

/* --- where it is ---------------------------------------------------------------------------------
 */

/* "C:" is read by "C:/", and its journal by "//./C:"; "\\?\Volume{…}" by "//?/Volume{…}" with and
 * without the slash: ntfs.h. */
static enum sp_code
paths_of(
    const struct sp_usn_volume *v, struct sp_buf *root, struct sp_buf *device, struct sp_err *e)
{
    if (v->name[0] != '\\')
        sp_buf_put_str(device, "//./");
    for (const char *p = v->name; *p != '\0'; p++) {
        uint8_t c = *p == '\\' ? '/' : (uint8_t)*p;

        sp_buf_put_u8(root, c);
        sp_buf_put_u8(device, c);
    }
    sp_buf_put_u8(root, '/');
    (void)sp_buf_str(root);
    (void)sp_buf_str(device);
    return root->failed ? sp_buf_ok(root, e) : sp_buf_ok(device, e);
}

static enum sp_code
look_at_volume(struct sp_usn_volume *v, const char *root, struct sp_err *e)
{
    const struct sp_ntfs *t = v->t;
    struct sp_ntfs_handle *h = NULL;
    struct sp_ntfs_volume about = {0};
    struct sp_ntfs_info info = {0};
    struct sp_err ignored = {0};
    enum sp_code rc;

    if ((rc = t->open_path(t->self, root, NTFS_LOOK, &h, e)) != SP_OK)
        return rc;
    if ((rc = t->volume(t->self, h, &about, e)) == SP_OK)
        rc = t->info(t->self, h, &info, e);
    (void)t->close(t->self, h, &ignored);
    if (rc != SP_OK)
        return rc;
    if (about.remote)
        return sp_fail(e, SP_UNSUPPORTED, SP_DOM_SOURCE, "the volume is on another machine");
    if ((about.flags & NTFS_FS_USN) == 0)
        return sp_fail(
            e, SP_UNSUPPORTED, SP_DOM_SOURCE, "its file system (%s) has none", about.file_system);
    v->serial = info.volume;
    return SP_OK;
}

void
sp_usn_volume_begin(struct sp_usn_volume *v, const struct sp_env *env)
{
    struct sp_buf root = SP_BUF_INIT, device = SP_BUF_INIT;
    struct sp_err *e = &v->why;
    enum sp_code rc;

    if (strncmp(v->name, "\\\\", 2) == 0 && strncmp(v->name, "\\\\?\\", 4) != 0) {
        doubt(v, "the volume is on another machine");
        return;
    }
    v->mono_ns = sp_clock_mono(env->clock);
    if ((rc = paths_of(v, &root, &device, e)) == SP_OK &&
        (rc = look_at_volume(v, sp_buf_str(&root), e)) == SP_OK &&
        (rc = v->t->open_path(v->t->self, sp_buf_str(&device), NTFS_READ, &v->h, e)) == SP_DENIED)
        doubt(v, "only administrators may read it");
    if (rc == SP_OK)
        (void)sp_usn_query(v->t, v->h, &v->began, e);
    sp_buf_free(&root);
    sp_buf_free(&device);
}

void
sp_usn_volume_clear(struct sp_usn_volume *v)
{
    struct sp_err ignored = {0};

    if (v->h != NULL)
        (void)v->t->close(v->t->self, v->h, &ignored);
    sp_usn_ids_free(&v->ids);
    sp_usn_state_clear(&v->was);
    sp_usn_state_clear(&v->next);
    free(v->name);
    free(v->path);
}

/* --- reading -------------------------------------------------------------------------------------
 */

static enum sp_code
another(struct sp_err *e)
{
    return sp_fail(e, SP_CHANGED, SP_DOM_SOURCE, "it is not the one that was read last time");
}

/* A volume that was put back to what it once was has another history by now, in which our place may
 * be anywhere: the record that was the last one has to be there, and nothing between it and our
 * place. Records from where this run began on belong to the next one, too: they say that a file
 * changed, and not whether it was open then. */
static enum sp_code
take(void *arg, const struct sp_usn_record *r, struct sp_err *e)
{
    struct sp_usn_volume *v = arg;
    const struct sp_usn_state *was = &v->was;
    bool closed = (r->reason & SP_USN_CLOSE) != 0, early = r->usn < v->began.next;

    if (!v->confirmed) {
        v->confirmed =
            r->usn == was->last_usn && r->file_id == was->last_id && r->time == was->last_time;
        return v->confirmed ? SP_OK : another(e);
    }
    if (v->follows && r->usn < was->next)
        return another(e);
    if (early) {
        v->next.has_last = true;
        v->next.last_usn = r->usn;
        v->next.last_id = r->file_id;
        v->next.last_time = r->time;
    }
    return sp_usn_ids_add(&v->ids, r->file_id,
        !early   ? SP_USN_SEEN
        : closed ? SP_USN_CLOSED
                 : SP_USN_OPEN,
        e);
}

static enum sp_code
read_from(struct sp_usn_volume *v, uint64_t from, struct sp_err *e)
{
    struct sp_usn_range now;
    enum sp_code rc;

    if ((rc = sp_usn_query(v->t, v->h, &now, e)) != SP_OK)
        return rc;
    if (now.journal != v->began.journal || now.next < v->began.next)
        return sp_fail(e, SP_CHANGED, SP_DOM_SOURCE, "it was made anew just now");
    rc = sp_usn_read(v->t, v->h, now.journal, from, now.next, take, v, e);
    if (rc == SP_OK && !v->confirmed)
        rc = another(e);
    if (rc == SP_OK && (rc = sp_usn_ids_settle(&v->ids, e)) == SP_OK)
        v->read_to = now.next;
    return rc;
}

/* Whether what was remembered goes on; else why says why not. */
static bool
goes_on(const struct sp_usn_volume *v, struct sp_err *why)
{
    const struct sp_usn_state *was = &v->was;

    if (was->serial != v->serial)
        (void)sp_fail(why, SP_CHANGED, SP_DOM_SOURCE, "it is another volume than last time");
    else if (was->journal != v->began.journal)
        (void)sp_fail(why, SP_CHANGED, SP_DOM_SOURCE, "it was deleted and made anew");
    else if (was->next > v->began.next)
        (void)sp_fail(why, SP_CHANGED, SP_DOM_SOURCE, "it is not the one that was read last time");
    else if ((was->has_last ? was->last_usn : was->next) < v->began.first)
        (void)sp_fail(why, SP_ABSENT, SP_DOM_SOURCE,
            "records since the last run are gone already ('fsutil usn createjournal m=…' makes it "
            "larger)");
    else
        return true;
    return false;
}

/* Goes on from what was remembered. What that says of the journal may hold although it is of
 * another set. */
static enum sp_code
follow(struct sp_usn_volume *v, struct sp_err *e)
{
    enum sp_code rc;

    v->follows = true;
    v->confirmed = !v->was.has_last;
    v->next.has_last = v->was.has_last;
    v->next.last_usn = v->was.last_usn;
    v->next.last_id = v->was.last_id;
    v->next.last_time = v->was.last_time;
    for (size_t i = 0; i < v->was.ncarried; i++)
        if ((rc = sp_usn_ids_add(&v->ids, v->was.carried[i], SP_USN_OPEN, e)) != SP_OK)
            return rc;
    return read_from(v, v->was.has_last ? v->was.last_usn : v->was.next, e);
}

static enum sp_code
begin_anew(struct sp_usn_volume *v, struct sp_err *e)
{
    size_t most = v->ids.most;

    sp_usn_ids_free(&v->ids);
    sp_usn_ids_init(&v->ids, most);
    v->follows = false;
    v->confirmed = true;
    v->next.has_last = false;
    v->next.last_usn = v->next.last_id = v->next.last_time = 0;
    return read_from(v, 0, e); /* from the first one that there is */
}

/* Gives in `why` why it does not follow. */
static enum sp_code
read_all(struct sp_usn_volume *v, const struct sp_env *env, struct sp_err *why, struct sp_err *e)
{
    enum sp_code rc = sp_usn_state_load(env, v->path, &v->was, why);

    if (rc == SP_ABSENT)
        (void)sp_fail(why, SP_ABSENT, SP_DOM_SOURCE, "this is the first run that reads it");
    else if (rc == SP_OK && goes_on(v, why) && (rc = follow(v, why)) == SP_OK)
        return SP_OK;
    if (rc == SP_NOMEM || rc == SP_FULL) {
        *e = *why;
        return rc;
    }
    return begin_anew(v, e);
}

void
sp_usn_volume_compare(struct sp_usn_volume *v, const struct sp_env *env, const uint8_t scope[32],
    const struct sp_usn_parent *p)
{
    const struct sp_usn_state *was = &v->was;
    struct sp_err why = {0}, e = {0};

    if (v->why.code != SP_OK)
        return;
    if (read_all(v, env, &why, &e) != SP_OK) {
        v->why = e;
        return;
    }
    v->readable = true;
    v->next.serial = v->serial;
    v->next.journal = v->began.journal;
    v->next.next = v->began.next;
    v->next.mono_ns = v->mono_ns;
    memcpy(v->next.scope, scope, 32);
    v->next.settled = v->follows && (was->settled || v->mono_ns < was->mono_ns);
    if (!v->follows)
        v->why = why;
    else if (!was->settled)
        doubt(v,
            "what was open when it was first read may change without a record until the machine "
            "is restarted; it is used from the second run after a restart on");
    else if (p->doubt != NULL)
        doubt(v, p->doubt);
    else if (was->sequence != p->sequence || memcmp(was->record_hash, p->record_hash, 32) != 0)
        doubt(v, "the last set is not the one that it was read for");
    else if (memcmp(was->scope, scope, 32) != 0)
        doubt(v, "the job has other paths or exclude patterns than last time");
    else
        v->vouches = true;
}

bool
sp_usn_volume_go_on(struct sp_usn_volume *v)
{
    struct sp_err ignored = {0};

    return read_from(v, v->read_to, &ignored) == SP_OK;
}

enum sp_code
sp_usn_volume_finish(struct sp_usn_volume *v, const struct sp_env *env, struct sp_err *e)
{
    size_t n = 0;
    enum sp_code rc;

    for (size_t i = 0; i < v->ids.n; i++)
        n += v->ids.open[i] != 0;
    free(v->next.carried);
    v->next.ncarried = 0;
    if ((v->next.carried = calloc(n + 1, sizeof *v->next.carried)) == NULL)
        return sp_fail_nomem(e);
    for (size_t i = 0; i < v->ids.n; i++)
        if (v->ids.open[i] != 0)
            v->next.carried[v->next.ncarried++] = v->ids.ids[i];
    if ((rc = sp_usn_state_save(env, v->path, &v->next, e)) != SP_OK)
        sp_err_context(e, "how far the change journal of %s was read cannot be kept", v->name);
    return rc;
}
