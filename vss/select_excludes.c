/* Files that writers say are not worth keeping (learn.microsoft.com/windows/win32/api/vswriter/
 * nf-vswriter-ivsscreatewritermetadata-addexcludefiles) as patterns of client/filter.h. They speak
 * of files: a folder whose name matches is taken back, so that nothing of it is lost. Those that
 * take back come before those that exclude whole trees, since the last one that matches decides. */

#include <stdlib.h>
#include <string.h>

#include "vss/select_impl.h"

/* A part of a path, or a name with wildcards: what means something to patterns alone is quoted. */
static void
put_part(struct sp_buf *b, const char *p, size_t n, bool wildcards)
{
    for (size_t i = 0; i < n; i++) {
        if (strchr("[]!# \\", p[i]) != NULL || (!wildcards && (p[i] == '*' || p[i] == '?')))
            sp_buf_put_u8(b, '\\');
        sp_buf_put_u8(b, (uint8_t)p[i]);
    }
}

static bool
is_every(const char *spec)
{
    return strcmp(spec, "*") == 0 || strcmp(spec, "*.*") == 0;
}

enum kind { HERE, BELOW, TREE };

static enum kind
kind_of(const struct sp_vss_files *f)
{
    return !f->recursive ? HERE : is_every(f->spec) ? TREE : BELOW;
}

static enum sp_code
put_pattern(struct selection *s, const uint8_t *key, size_t n, const struct sp_vss_files *f,
    bool back, struct sp_err *e)
{
    struct sp_buf b = SP_BUF_INIT;
    enum sp_code rc;

    sp_buf_put_str(&b, back ? "!/" : "/");
    for (size_t i = 0, end; i < n; i = end + 1) {
        for (end = i; end < n && key[end] != '\0';)
            end++;
        put_part(&b, (const char *)key + i, end - i, false);
        sp_buf_put_u8(&b, '/');
    }
    if (kind_of(f) == BELOW)
        sp_buf_put_str(&b, "**/");
    if (is_every(f->spec))
        sp_buf_put_u8(&b, '*');
    else
        put_part(&b, f->spec, strlen(f->spec), true);
    if (back)
        sp_buf_put_u8(&b, '/');
    if ((rc = sp_buf_ok(&b, e)) == SP_OK)
        rc = select_add_string(&s->plan.excludes, &s->plan.nexcludes, strdup(sp_buf_str(&b)), e);
    sp_buf_free(&b);
    return rc;
}

static enum sp_code
add_exclude(struct selection *s, const struct sp_vss_files *f, struct sp_err *e)
{
    struct sp_buf key = SP_BUF_INIT;
    struct sp_err no_key;
    enum sp_code rc = SP_OK;

    /* Without a name nothing is said; a path that cannot be one here excludes nothing here. */
    if (f->spec[0] == '\0' || strpbrk(f->spec, sp_path_backslash ? "/\\\n" : "/\n") != NULL)
        return SP_OK;
    if ((rc = sp_key_from_path(f->path, &key, &no_key)) == SP_NOMEM) {
        *e = no_key;
    } else if (rc == SP_OK && memchr(key.data, '\n', key.len) == NULL) {
        rc = put_pattern(s, key.data, key.len, f, false, e);
        if (rc == SP_OK && kind_of(f) != TREE && strpbrk(f->spec, "*?") != NULL)
            rc = put_pattern(s, key.data, key.len, f, true, e);
    } else {
        rc = SP_OK;
    }
    sp_buf_free(&key);
    return rc;
}

enum sp_code
select_add_excludes(struct selection *s, struct sp_err *e)
{
    bool *concerned = calloc(s->m->nwriters + 1, sizeof *concerned);
    enum sp_code rc = concerned != NULL ? SP_OK : sp_fail_nomem(e);

    for (size_t i = 0; i < s->n && rc == SP_OK; i++)
        concerned[s->nodes[i].writer] |= select_takes_part(&s->nodes[i]);
    for (int kind = HERE; kind <= TREE; kind++) {
        for (size_t i = 0; i < s->m->nwriters; i++) {
            const struct sp_vss_writer *w = &s->m->writers[i];

            for (size_t j = 0; j < w->nexcludes && rc == SP_OK; j++)
                if (concerned[i] && kind_of(&w->excludes[j]) == (enum kind)kind)
                    rc = add_exclude(s, &w->excludes[j], e);
        }
    }
    free(concerned);
    return rc;
}
