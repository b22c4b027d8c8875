#ifndef SP_VSS_METADATA_H
#define SP_VSS_METADATA_H

/* What the writers told of themselves at GatherWriterMetadata, as plain data (IVssExamineWriterMetadata,
 * IVssWMComponent: learn.microsoft.com/windows/win32/api/vsbackup). Paths have their environment variables expanded.
 * Strings are never NULL; a component without a logical path has "". */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

enum sp_vss_file_kind { SP_VSS_FILE, SP_VSS_DATABASE_FILE, SP_VSS_LOG_FILE };
struct sp_vss_files { /* IVssWMFiledesc */
    char *path;      /* folder, without a backslash at the end (but "C:\") */
    char *spec;      /* a name, or a pattern with * and ? */
    bool recursive;
    char *alternate; /* where the content really lies; "" : at path */
    enum sp_vss_file_kind kind;
};
struct sp_vss_dependency {
    char writer_id[37];
    char *logical_path, *name;
};
enum { SP_VSS_TYPE_DATABASE = 1, SP_VSS_TYPE_FILEGROUP = 2 };
struct sp_vss_component {
    uint32_t type;
    char *logical_path, *name, *caption;
    bool selectable, selectable_for_restore, notify;
    uint32_t flags; /* VSS_COMPONENT_FLAGS */
    struct sp_vss_files *files;
    size_t nfiles;
    struct sp_vss_dependency *dependencies;
    size_t ndependencies;
};
struct sp_vss_writer {
    char class_id[37], instance_id[37];
    char *name, *instance_name;
    uint32_t usage, source; /* VSS_USAGE_TYPE, VSS_SOURCE_TYPE */
    uint32_t schema;        /* VSS_BACKUP_SCHEMA bits */
    struct sp_vss_component *components;
    size_t ncomponents;
    struct sp_vss_files *excludes;
    size_t nexcludes;
    char *xml; /* its document (SaveAsXML), UTF-8; NULL: it could not be had */
    size_t xml_len;
};
struct sp_vss_metadata {
    struct sp_vss_writer *writers;
    size_t nwriters;
};
void sp_vss_metadata_clear(struct sp_vss_metadata *m);
/* Grow by one zeroed element, valid until the next; who adds it sets every string. */
enum sp_code sp_vss_metadata_add(struct sp_vss_metadata *m, struct sp_vss_writer **ret, struct sp_err *e);
enum sp_code sp_vss_writer_add(struct sp_vss_writer *w, struct sp_vss_component **ret, struct sp_err *e);
/* The strings are copied. */
enum sp_code sp_vss_files_add(struct sp_vss_files **v, size_t *n, const char *path, const char *spec,
    bool recursive, const char *alternate, enum sp_vss_file_kind kind, struct sp_err *e);
enum sp_code sp_vss_dependency_add(struct sp_vss_component *c, const char *writer_id,
    const char *logical_path, const char *name, struct sp_err *e);

#endif
