#include <stdlib.h>
#include <string.h>

#include "base/fold.h"
#include "base/path.h"
#include "base/text.h"
#include "client/watch_impl.h"
#include "vss/vmware.h"

#define TEXT_MAX (1u << 20)
#define DISK_HEAD (64u << 10)

struct part {
    struct sp_buf key; /* empty: the name is none of this system's */
    char *name;
    enum sp_vmware_part part;
    bool optional, there;
};
struct machine {
    const struct sp_watch *w;
    const struct watch_seen *vmx;
    const struct sp_watch_place *place;
    struct sp_verdict *v;
    char *base; /* its file's name without ".vmx" */
    char *name, *tools;
    bool suspended, more, unread;
    struct part *parts;
    size_t n;
};

static void
machine_clear(struct machine *m)
{
    for (size_t i = 0; i < m->n; i++) {
        sp_buf_free(&m->parts[i].key);
        free(m->parts[i].name);
    }
    free(m->parts);
    free(m->base);
    free(m->name);
    free(m->tools);
}

/* --- names ------------------------------------------------------------------------------------ */

static bool
separates(char c)
{
    return c == '/' || (sp_path_backslash && c == '\\');
}

static bool
is_absolute(const char *s)
{
    return separates(s[0]) || (sp_path_backslash && s[0] != '\0' && s[1] == ':');
}

static size_t
folder_of(const uint8_t *key, size_t n)
{
    size_t len;

    (void)sp_key_name(key, n, &len);
    return n > len ? n - len - 1 : 0;
}

/* "..\\base\\x.vmdk" from a folder's key; false: it leaves what there is. */
static bool
resolve_relative(const uint8_t *folder, size_t n, const char *name, struct sp_buf *key)
{
    sp_buf_put(key, folder, n);
    while (*name != '\0') {
        size_t len = 0;

        while (name[len] != '\0' && !separates(name[len]))
            len++;
        if (len == 2 && name[0] == '.' && name[1] == '.') {
            if (sp_key_depth(key->data, key->len) < (sp_path_backslash ? 2u : 1u))
                return false;
            key->len = folder_of(key->data, key->len);
        } else if (len > 0 && !(len == 1 && name[0] == '.')) {
            sp_key_push(key, name, len);
        }
        name += len;
        name += *name != '\0';
    }
    return !key->failed && key->len > 0 && sp_key_valid(key->data, key->len);
}

static enum sp_code
resolve(const uint8_t *folder, size_t n, const char *name, struct sp_buf *key, struct sp_err *e)
{
    struct sp_err none;
    enum sp_code rc;

    if (is_absolute(name)) {
        if ((rc = sp_key_from_path(name, key, &none)) == SP_NOMEM)
            *e = none;
        return rc == SP_NOMEM ? rc : SP_OK;
    }
    if (!resolve_relative(folder, n, name, key) && !key->failed)
        sp_buf_reset(key);
    return sp_buf_ok(key, e);
}

/* --- parts ------------------------------------------------------------------------------------ */

static enum sp_code
add_part(struct machine *m, const uint8_t *folder, size_t n, const struct sp_vmware_file *f,
    struct sp_err *e)
{
    struct part p = {.part = f->part, .optional = f->optional}, *more = m->parts;
    enum sp_code rc = SP_OK;

    if (m->n == SP_VMWARE_FILES_MAX) {
        m->more = true;
        return SP_OK;
    }
    if (f->part != SP_VMWARE_DEVICE && (rc = resolve(folder, n, f->name, &p.key, e)) != SP_OK)
        goto out;
    for (size_t i = 0; i < m->n; i++)
        if (p.key.len > 0 ? m->parts[i].key.len == p.key.len &&
                                memcmp(m->parts[i].key.data, p.key.data, p.key.len) == 0
                          : strcmp(m->parts[i].name, f->name) == 0)
            goto out;
    if (p.key.len > 0 && (rc = watch_find(m->w, p.key.data, p.key.len, &p.there, e)) != SP_OK)
        goto out;
    if ((m->n & (m->n - 1)) == 0)
        more = realloc(m->parts, (m->n == 0 ? 1 : 2 * m->n) * sizeof *more);
    if (more == NULL || (p.name = strdup(f->name)) == NULL) {
        m->parts = more != NULL ? more : m->parts;
        rc = sp_fail_nomem(e);
        goto out;
    }
    m->parts = more;
    m->parts[m->n++] = p;
    return SP_OK;
out:
    sp_buf_free(&p.key);
    return rc;
}

/* Takes what one file has said; names in it are relative to its folder. */
static enum sp_code
take(struct machine *m, const uint8_t *key, size_t n, struct sp_vmware *said, struct sp_err *e)
{
    size_t folder = folder_of(key, n);
    enum sp_code rc = SP_OK;

    for (size_t i = 0; i < said->nfiles && rc == SP_OK; i++)
        rc = add_part(m, key, folder, &said->files[i], e);
    m->more |= said->more;
    m->suspended |= said->suspended;
    if (m->name == NULL) {
        m->name = said->name;
        said->name = NULL;
    }
    if (m->tools == NULL) {
        m->tools = said->tools;
        said->tools = NULL;
    }
    sp_vmware_clear(said);
    return rc;
}

/* What cannot be read says nothing; only lack of memory ends it. */
static enum sp_code
look(struct machine *m, const uint8_t *key, size_t n, bool end, size_t limit,
    enum sp_code (*parse)(struct sp_vmware *v, const void *p, size_t n, struct sp_err *e),
    struct sp_err *e)
{
    struct sp_buf text = SP_BUF_INIT;
    struct sp_vmware said = {0};
    struct sp_err why = {0};
    enum sp_code rc = watch_read(m->place, key, n, end, limit, &text, &why);

    if (rc == SP_OK)
        rc = parse != NULL ? parse(&said, text.data, text.len, e)
                           : sp_vmware_config(&said, m->base, text.data, text.len, e);
    else if (rc == SP_NOMEM)
        *e = why;
    else
        rc = SP_OK, m->unread |= parse == NULL;
    if (rc == SP_OK)
        rc = take(m, key, n, &said, e);
    sp_vmware_clear(&said);
    sp_buf_free(&text);
    return rc;
}

static enum sp_code
look_at_log(struct machine *m, const uint8_t *vmx, size_t n, struct sp_err *e)
{
    struct sp_buf key = SP_BUF_INIT;
    enum sp_code rc;

    sp_buf_put(&key, vmx, folder_of(vmx, n));
    sp_key_push(&key, "vmware.log", strlen("vmware.log"));
    if ((rc = sp_buf_ok(&key, e)) == SP_OK)
        rc = look(m, key.data, key.len, true, TEXT_MAX, sp_vmware_log, e);
    sp_buf_free(&key);
    return rc;
}

static bool
ends_with(const char *s, const char *end)
{
    size_t n = strlen(s), m = strlen(end);

    return n >= m && sp_fold_equal(s + n - m, m, end, m);
}

static enum sp_code
find_parts(struct machine *m, const uint8_t *vmx, size_t n, struct sp_err *e)
{
    enum sp_code rc = look(m, vmx, n, false, TEXT_MAX, NULL, e);

    /* Disks name their parents, snapshots name disks: the list grows while it is gone through. */
    for (size_t i = 0; i < m->n && rc == SP_OK; i++) {
        struct sp_buf key = SP_BUF_INIT;

        if (!m->parts[i].there)
            continue;
        sp_buf_put(&key, m->parts[i].key.data, m->parts[i].key.len);
        if ((rc = sp_buf_ok(&key, e)) != SP_OK)
            continue;
        if (m->parts[i].part == SP_VMWARE_DISK)
            rc = look(m, key.data, key.len, false, DISK_HEAD, sp_vmware_disk, e);
        else if (m->parts[i].part == SP_VMWARE_OTHER && ends_with(m->parts[i].name, ".vmsd"))
            rc = look(m, key.data, key.len, false, TEXT_MAX, sp_vmware_snapshots, e);
        sp_buf_free(&key);
    }
    return rc == SP_OK ? look_at_log(m, vmx, n, e) : rc;
}

/* --- the unit --------------------------------------------------------------------------------- */

static enum sp_level
weakest(const struct machine *m, const uint8_t *vmx, size_t n)
{
    enum sp_level least = m->place->level(m->place->arg, vmx, n);

    for (size_t i = 0; i < m->n; i++) {
        enum sp_level l = m->parts[i].there ? m->place->level(m->place->arg, m->parts[i].key.data,
                                                  m->parts[i].key.len)
                                            : least;

        if (l != SP_LEVEL_NONE && l < least)
            least = l;
    }
    return least;
}

/* A file of it is one of a component's, or lies in a folder of it. */
static bool
has_file(const struct sp_verdict_component *c, const uint8_t *key, size_t n)
{
    bool found = false;

    for (size_t i = 0; i < c->npaths && !found; i++) {
        struct sp_buf of = SP_BUF_INIT, a = SP_BUF_INIT, b = SP_BUF_INIT;
        struct sp_err none;

        if (sp_key_from_path(c->paths[i], &of, &none) == SP_OK) {
            (sp_path_backslash ? sp_fold_put : sp_buf_put)(&a, of.data, of.len);
            (sp_path_backslash ? sp_fold_put : sp_buf_put)(&b, key, n);
            found = !a.failed && !b.failed && sp_key_within(a.data, a.len, b.data, b.len);
        }
        sp_buf_free(&of);
        sp_buf_free(&a);
        sp_buf_free(&b);
    }
    return found;
}

static bool
is_vmware(const char *name)
{
    static const char word[] = "vmware";
    size_t n = name != NULL ? strlen(name) : 0;

    for (size_t i = 0; i + sizeof word - 1 <= n; i++)
        if (sp_fold_equal(name + i, sizeof word - 1, word, sizeof word - 1))
            return true;
    return false;
}

/* The component of a writer of VMware's that all of the machine belongs to; SP_NO_INDEX: none. */
static uint32_t
spoken_for(const struct machine *m, const uint8_t *vmx, size_t n)
{
    for (size_t i = 0; i < m->v->ncomponents; i++) {
        const struct sp_verdict_component *c = &m->v->components[i];
        bool all = c->writer < m->v->nwriters && is_vmware(m->v->writers[c->writer].name) &&
                   has_file(c, vmx, n);

        for (size_t k = 0; k < m->n && all; k++)
            if (m->parts[k].there &&
                (m->parts[k].part == SP_VMWARE_DISK || m->parts[k].part == SP_VMWARE_EXTENT))
                all = has_file(c, m->parts[k].key.data, m->parts[k].key.len);
        if (all)
            return c->parent != SP_NO_INDEX ? c->parent : (uint32_t)i;
    }
    return SP_NO_INDEX;
}

#define NAMED_MAX 5

static void
put_missing(const struct machine *m, struct sp_buf *b)
{
    size_t missing = 0;

    for (size_t i = 0; i < m->n; i++) {
        const struct part *p = &m->parts[i];

        if (p->there || p->optional || p->part == SP_VMWARE_DEVICE || ++missing > NAMED_MAX)
            continue;
        sp_buf_put_str(b, missing == 1 ? "it needs " : ", ");
        sp_buf_put_str(b, p->name);
        if (p->key.len > 0 && m->place->in_set(m->place->arg, p->key.data, p->key.len))
            sp_buf_put_str(b, " (not found)");
    }
    if (missing > NAMED_MAX)
        sp_buf_printf(b, " and %zu more", missing - NAMED_MAX);
    if (missing > 0)
        sp_buf_put_str(
            b, missing == 1 ? ", which is not in the set; " : ", which are not in the set; ");
}

static enum sp_code
tell(const struct machine *m, struct sp_verdict_component *c, struct sp_err *e)
{
    struct sp_buf b = SP_BUF_INIT;
    enum sp_code rc;

    if (m->unread)
        sp_buf_put_str(&b, "its configuration could not be read, so its disks are not known; ");
    put_missing(m, &b);
    for (size_t i = 0; i < m->n; i++)
        if (m->parts[i].part == SP_VMWARE_DEVICE)
            sp_buf_printf(
                &b, "%s of the host is one of its disks, and not in the set; ", m->parts[i].name);
    if (m->more)
        sp_buf_printf(&b, "only its first %d files were looked at; ", SP_VMWARE_FILES_MAX);
    if (m->suspended)
        sp_buf_put_str(&b, "it was suspended; ");
    if (c->writer == SP_NO_INDEX && m->tools != NULL)
        sp_buf_printf(&b, "VMware Tools (%s) were not asked to quiesce it; ", m->tools);
    else if (c->writer == SP_NO_INDEX)
        sp_buf_put_str(&b, "of VMware Tools nothing was seen; ");
    if (b.len > 2)
        b.len -= 2;
    if ((rc = sp_buf_ok(&b, e)) == SP_OK && b.len > 0 &&
        (c->detail = strdup(sp_buf_str(&b))) == NULL)
        rc = sp_fail_nomem(e);
    sp_buf_free(&b);
    return rc;
}

static enum sp_code
add_unit(struct machine *m, const uint8_t *vmx, size_t n, struct sp_err *e)
{
    uint32_t by = spoken_for(m, vmx, n);
    enum sp_level level = weakest(m, vmx, n);
    struct sp_verdict_component *c;
    enum sp_code rc =
        watch_add(m->v, SP_UNIT_VM, m->name != NULL ? m->name : m->base, level, &c, e);

    if (rc != SP_OK)
        return rc;
    if (by != SP_NO_INDEX && level != SP_LEVEL_LIVE) {
        const struct sp_verdict_component *of = &m->v->components[by];

        c->writer = of->writer;
        c->type = of->type;
        c->parent = by;
        c->shadow = of->shadow;
        c->level = of->level;
        c->why = of->why;
        c->hresult = of->hresult;
    }
    if (m->tools != NULL && (c->version = strdup(m->tools)) == NULL)
        return sp_fail_nomem(e);
    rc = watch_add_path(c, vmx, n, e);
    for (size_t i = 0; i < m->n && rc == SP_OK; i++)
        if (m->parts[i].there)
            rc = watch_add_path(c, m->parts[i].key.data, m->parts[i].key.len, e);
    return rc == SP_OK ? tell(m, c, e) : rc;
}

enum sp_code
watch_machine(const struct sp_watch *w, const struct watch_seen *vmx,
    const struct sp_watch_place *place, struct sp_verdict *v, struct sp_err *e)
{
    struct machine m = {.w = w, .vmx = vmx, .place = place, .v = v};
    const uint8_t *key = watch_key(w, vmx);
    size_t len;
    const char *name = sp_key_name(key, vmx->n, &len);
    enum sp_code rc;

    if (place->level(place->arg, key, vmx->n) == SP_LEVEL_NONE)
        return SP_OK;
    m.base = sp_text_copy(name, len - strlen(".vmx"));
    rc = m.base != NULL ? find_parts(&m, key, vmx->n, e) : sp_fail_nomem(e);
    if (rc == SP_OK)
        rc = add_unit(&m, key, vmx->n, e);
    machine_clear(&m);
    return rc;
}
