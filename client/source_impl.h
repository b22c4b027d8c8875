#ifndef SP_CLIENT_SOURCE_IMPL_H
#define SP_CLIENT_SOURCE_IMPL_H

/* The inside of a source, shared by source.c (opening) and walk.c (walking). */

#include "base/buf.h"
#include "client/folder.h"
#include "client/found.h"
#include "client/source.h"
#include "client/view.h"

struct sp_source_frame {
    struct sp_folder folder; /* folder.list NULL: above the roots */
    size_t first, end;       /* then: the roots below that are still to come */
    size_t key_len;
};

struct sp_source {
    struct sp_env env;
    struct sp_bytes *roots;
    size_t nroots;
    const struct sp_filter *filter;
    bool one_file_system;
    void (*left_out)(void *arg, const void *key, size_t key_len, bool is_dir);
    void *left_out_arg;
    char *temp_dir;
    struct sp_folder_options folders;
    struct sp_dirs *dirs;
    struct sp_views *views;
    bool begun;
    struct sp_source_frame *frames;
    size_t nframes, frames_cap;
    struct sp_buf key; /* of the object at hand; always NUL-terminated */
    uint64_t *devices; /* the ordinal of a file system is its place here, from 1 */
    size_t ndevices, devices_cap, last_device;
    struct sp_source_counts counts;
};

/* s->key becomes the key of `name` in the folder whose key is the first folder_len bytes of it. */
enum sp_code sp_source_set_key(
    struct sp_source *s, size_t folder_len, const void *name, size_t n, struct sp_err *e);

#endif
