/* The documents: of a writer (its metadata) and of a session (the backup components document). Like
 * Microsoft's in shape; for keeping and for looking at, nothing reads them back. */

#include <stdlib.h>

#include "tests/vss/model_internal.h"

static void
text(struct model_text *t, const char *s)
{
    for (; *s; s++)
        switch (*s) {
        case '&':
            model_text_add(t, "&amp;");
            break;
        case '<':
            model_text_add(t, "&lt;");
            break;
        case '"':
            model_text_add(t, "&quot;");
            break;
        default:
            model_text_add(t, "%c", *s);
        }
}

static void
attribute(struct model_text *t, const char *name, const char *value)
{
    model_text_add(t, " %s=\"", name);
    text(t, value);
    model_text_add(t, "\"");
}

static void
files(struct model_text *t, const char *element, const struct model_files *f)
{
    model_text_add(t, "    <%s", element);
    attribute(t, "path", f->path);
    attribute(t, "filespec", f->spec);
    attribute(t, "recursive", f->recursive ? "yes" : "no");
    if (*f->alternate)
        attribute(t, "alternatePath", f->alternate);
    model_text_add(t, "/>\n");
}

void
model_writer_document(struct model_writer *w)
{
    static const char *const kinds[] = {"FILE_LIST", "DATABASE_FILES", "DATABASE_LOGFILES"};
    struct model_text t = {0};

    model_text_add(&t, "<WRITER_METADATA xmlns=\"x-schema:#VssWriterMetadataInfo\" "
                       "version=\"1.1\">\n  <IDENTIFICATION");
    attribute(&t, "writerId", w->class_id);
    attribute(&t, "instanceId", w->instance_id);
    attribute(&t, "friendlyName", w->name);
    attribute(&t, "instanceName", w->instance_name);
    model_text_add(&t, "/>\n");
    for (size_t i = 0; i < w->nexcludes; i++)
        files(&t, "EXCLUDE_FILES", &w->excludes[i]);
    for (size_t i = 0; i < w->ncomponents; i++) {
        const struct model_component *c = &w->components[i];

        model_text_add(&t, "  <%s", c->type == 1 ? "DATABASE" : "FILE_GROUP");
        attribute(&t, "logicalPath", c->logical);
        attribute(&t, "componentName", c->name);
        attribute(&t, "caption", c->caption);
        attribute(&t, "selectable", c->selectable ? "yes" : "no");
        model_text_add(&t, ">\n");
        for (size_t j = 0; j < c->nfiles; j++)
            files(&t, kinds[c->files[j].kind], &c->files[j]);
        for (size_t j = 0; j < c->ndepends; j++) {
            model_text_add(&t, "    <DEPENDENCY");
            attribute(&t, "onWriterId", c->depends[j].class_id);
            attribute(&t, "logicalPath", c->depends[j].logical);
            attribute(&t, "componentName", c->depends[j].name);
            model_text_add(&t, "/>\n");
        }
        model_text_add(&t, "  </%s>\n", c->type == 1 ? "DATABASE" : "FILE_GROUP");
    }
    model_text_add(&t, "</WRITER_METADATA>\n");
    w->xml = t.p;
}

void
model_session_document(struct model_session *s)
{
    struct model_text *t = &s->document;

    t->n = 0;
    model_text_add(
        t, "<BACKUP_COMPONENTS xmlns=\"x-schema:#VssComponentMetadata\" version=\"1.1\"");
    model_text_add(t, " backupType=\"%u\"", (unsigned)s->type);
    attribute(t, "snapshotSetId", s->set);
    model_text_add(t, ">\n");
    for (size_t i = 0; i < s->nadded; i++) {
        model_text_add(t, "  <COMPONENT");
        attribute(t, "writerId", s->added[i].writer->class_id);
        attribute(t, "instanceId", s->added[i].writer->instance_id);
        attribute(t, "logicalPath", s->added[i].component->logical);
        attribute(t, "componentName", s->added[i].component->name);
        if (s->added[i].told)
            attribute(t, "backupSucceeded", s->added[i].well ? "yes" : "no");
        model_text_add(t, "/>\n");
    }
    model_text_add(t, "</BACKUP_COMPONENTS>\n");
}
