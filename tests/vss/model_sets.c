/* Shadow sets: copies of the volumes, and the list of them, a file beside the copies: what a killed
 * process leaves is found by the next one, as a shadow set is that a provider did not let go. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/vss/model_internal.h"

static char *
place(const struct model *m, const char *name, unsigned n)
{
    struct model_text t = {0};

    model_text_add(&t, "%s%c%s", m->shadows, m->host.separator, name);
    if (n)
        model_text_add(&t, "%u", n);
    return t.p;
}

static void
save(const struct model *m)
{
    char *name;
    FILE *f;

    if (!m->shadows)
        return;
    name = place(m, "sets", 0);
    f = m->nsets ? fopen(name, "wb") : NULL;
    if (f) {
        for (size_t i = 0; i < m->nsets; i++) {
            fputs(m->sets[i].id, f);
            for (size_t j = 0; j < m->sets[i].ncopies; j++)
                fprintf(f, " %u", m->sets[i].copies[j]);
            fputc('\n', f);
        }
        fclose(f);
    } else
        remove(name);
    free(name);
}

static void
add_copy(struct model *m, struct model_set *set, unsigned n)
{
    set->copies = model_more(set->copies, &set->ncopies, sizeof *set->copies);
    set->copies[set->ncopies - 1] = n;
    if (n > m->copies)
        m->copies = n;
}

void
model_sets_load(struct model *m)
{
    char *name = place(m, "sets", 0), line[512];
    FILE *f = fopen(name, "rb");

    free(name);
    if (!f)
        return;
    while (fgets(line, sizeof line, f)) {
        struct model_set *set;
        char *at = line + 36, *end;

        if (strlen(line) < 37)
            continue;
        m->sets = model_more(m->sets, &m->nsets, sizeof *m->sets);
        set = &m->sets[m->nsets - 1];
        memcpy(set->id, line, 36);
        for (;;) {
            unsigned long n = strtoul(at, &end, 10);

            if (end == at)
                break;
            add_copy(m, set, (unsigned)n);
            at = end;
        }
    }
    fclose(f);
}

/* Where the copy of a volume's mount, or of the part that `covers` names, comes to lie. */
static bool
copy_volume(struct model *m, const struct model_volume *v, const char *to)
{
    const char *from = v->covers ? v->covers : v->mount, *rest;
    struct model_text t = {0};
    bool well;

    model_text_add(&t, "%s", to);
    if (v->covers) {
        rest = v->covers + strlen(v->mount);
        while (*rest == m->host.separator)
            rest++;
        model_text_add(&t, "%c%s", m->host.separator, rest);
    }
    well = m->host.copy(m->host.arg, from, t.p);
    free(t.p);
    return well;
}

bool
model_sets_make(struct model_session *s)
{
    struct model *m = s->m;
    size_t at;
    bool well = true;

    m->sets = model_more(m->sets, &m->nsets, sizeof *m->sets);
    at = m->nsets - 1;
    memcpy(m->sets[at].id, s->set, 37);
    m->sets[at].made = true;
    m->sets[at].owner = s;
    m->sets[at].persistent = s->context != 0; /* VSS_CTX_BACKUP alone lets go by itself */
    for (size_t i = 0; i < s->nwanted; i++) {
        s->wanted[i].copy = m->copies + 1;
        add_copy(m, &m->sets[at], s->wanted[i].copy);
    }
    save(m);
    s->created_ms = m->host.now_ms(m->host.arg);
    for (size_t i = 0; i < s->nwanted && well; i++) {
        struct model_text device = {0};

        if (m->shadows) {
            char *to = place(m, "HarddiskVolumeShadowCopy", s->wanted[i].copy);

            well = copy_volume(m, s->wanted[i].volume, to);
            free(to);
        }
        if (m->device || !m->shadows)
            model_text_add(&device, "%sHarddiskVolumeShadowCopy%u",
                m->device ? m->device : "\\\\?\\GLOBALROOT\\Device\\", s->wanted[i].copy);
        else
            model_text_add(&device, "%s%cHarddiskVolumeShadowCopy%u", m->shadows, m->host.separator,
                s->wanted[i].copy);
        free(s->wanted[i].device);
        s->wanted[i].device = device.p;
    }
    if (!well)
        model_sets_drop(m, at);
    return well;
}

void
model_sets_drop(struct model *m, size_t i)
{
    for (size_t j = 0; m->shadows && j < m->sets[i].ncopies; j++) {
        char *tree = place(m, "HarddiskVolumeShadowCopy", m->sets[i].copies[j]);

        m->host.remove(m->host.arg, tree);
        free(tree);
    }
    free(m->sets[i].copies);
    memmove(&m->sets[i], &m->sets[i + 1], (m->nsets - i - 1) * sizeof *m->sets);
    m->nsets--;
    save(m);
}

void
model_sets_release(struct model_session *s)
{
    for (size_t i = s->m->nsets; i > 0; i--) {
        struct model_set *set = &s->m->sets[i - 1];

        if (set->owner != s)
            continue;
        set->owner = NULL;
        if (!set->persistent)
            model_sets_drop(s->m, i - 1);
    }
}
