#ifndef SP_TESTS_VSS_WRITERS_H
#define SP_TESTS_VSS_WRITERS_H

/* Metadata as writers give it, made by hand; whatever fails here fails the test. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vss/metadata.h"

#define HYPER_V "66841cd4-6ded-4f4b-8f17-fd23f8ddc3de"
#define SQL_SERVER "a65faa63-5ea8-4ebc-9dbd-a0c4db26912a"
#define EXCHANGE "76fe1ac4-15f7-4bcd-987e-8e1acb462fb7"
#define SYSTEM_WRITER "e8132975-6f93-4464-a53e-1050253ae220"
#define OTHER_WRITER "11111111-2222-3333-4444-555555555555"

static inline char *
copy_of(const char *s)
{
    char *p = strdup(s);

    assert_non_null(p);
    return p;
}

static inline struct sp_vss_writer *
add_writer(struct sp_vss_metadata *m, const char *class_id, const char *name)
{
    struct sp_vss_writer *w;
    struct sp_err e;

    assert_int_equal(sp_vss_metadata_add(m, &w, &e), SP_OK);
    memcpy(w->class_id, class_id, 37);
    memcpy(w->instance_id, class_id, 37);
    w->name = copy_of(name);
    w->instance_name = copy_of("");
    return w;
}

static inline struct sp_vss_component *
add_component(struct sp_vss_writer *w, const char *logical_path, const char *name,
    const char *caption, bool selectable)
{
    struct sp_vss_component *c;
    struct sp_err e;

    assert_int_equal(sp_vss_writer_add(w, &c, &e), SP_OK);
    c->type = SP_VSS_TYPE_FILEGROUP;
    c->logical_path = copy_of(logical_path);
    c->name = copy_of(name);
    c->caption = copy_of(caption);
    c->selectable = selectable;
    return c;
}

static inline void
add_file(struct sp_vss_component *c, const char *path, const char *spec, bool recursive)
{
    struct sp_err e;

    assert_int_equal(
        sp_vss_files_add(&c->files, &c->nfiles, path, spec, recursive, "", SP_VSS_FILE, &e), SP_OK);
}

static inline void
depend(
    struct sp_vss_component *c, const char *writer_id, const char *logical_path, const char *name)
{
    struct sp_err e;

    assert_int_equal(sp_vss_dependency_add(c, writer_id, logical_path, name, &e), SP_OK);
}

#endif
