#ifndef SP_TESTS_NTFS_FEATURE_TREE_H
#define SP_TESTS_NTFS_FEATURE_TREE_H

/* A tree with everything that the client promises to keep of NTFS, one folder a feature, made and
 * compared through the table of client/ntfs.h: so the same tree is made in the double, under Wine
 * and on a real Windows (tests/windows/features.ps1), and the same comparer tells what came back.
 * What a place cannot have is not made there, and the matrix says so. */

#include <stdio.h>

#include "client/ntfs.h"

#define FEATURES(X)                                                                                \
    X(CONTENT, "content", "files, empty, small and of several chunks")                             \
    X(NAMES, "names", "Unicode, 255 units, trailing dots and spaces, device names")                \
    X(LONG_PATH, "long-path", "a path of 700 characters")                                          \
    X(ATTRIBUTES, "attributes", "read-only, hidden, system, not indexed, temporary")               \
    X(TIMES, "times", "created, accessed, written, changed: of a file and a folder")               \
    X(SECURITY, "security", "owner, group, DACL: protected, inherited and own entries")            \
    X(AUDIT, "audit", "SACL")                                                                      \
    X(STREAMS, "streams", "alternate streams of a file, empty, short and of 200 KiB")              \
    X(FOLDER_STREAM, "folder-stream", "alternate stream of a folder")                              \
    X(SYMLINKS, "symlinks", "symbolic links to a file and a folder, relative and absolute")        \
    X(JUNCTION, "junction", "junction")                                                            \
    X(WSL, "wsl", "a link of the Linux subsystem")                                                 \
    X(SPARSE, "sparse", "sparse ranges")                                                           \
    X(COMPRESSED, "compressed", "compressed file and folder")                                      \
    X(LINKS, "hard-links", "hard links in two folders")                                            \
    X(EAS, "extended-attributes", "extended attributes")                                           \
    X(OBJECT_ID, "object-id", "object id")                                                         \
    X(EFS, "encrypted", "file encrypted by EFS")                                                   \
    X(SHORT_NAME, "short-name", "short name")                                                      \
    X(CASE, "case-sensitive", "folder with names that differ in case only")

#define FEATURE_ENUM(id, name, what) FEATURE_##id,
enum feature { FEATURES(FEATURE_ENUM) FEATURE_COUNT };
#undef FEATURE_ENUM

const char *feature_name(enum feature f);
const char *feature_what(enum feature f);

enum feature_state { FEATURE_NOT_HERE, FEATURE_MADE };
/* Below `path` ("C:/tree"), a folder that exists and is empty. made[f]: NOT_HERE when the place
 * answers that it has no such thing, or this user may not; `why` (may be NULL) is told which. Any
 * other failure ends it. */
enum sp_code feature_tree_make(const struct sp_ntfs *fs, const char *path,
    enum feature_state made[FEATURE_COUNT], FILE *why, struct sp_err *e);
/* differences[f]: how many there are below the feature's folder; each is a line of `to`.
 * FEATURE_EXACT: everything of every object, as a backup has to bring it back. FEATURE_MADE_ONLY:
 * of what the maker set on purpose; the rest (times, inherited rights, short names) is whatever the
 * place gave. */
enum feature_how { FEATURE_EXACT, FEATURE_MADE_ONLY };
enum sp_code feature_tree_compare(const struct sp_ntfs *a_fs, const char *a,
    const struct sp_ntfs *b_fs, const char *b, enum feature_how how,
    unsigned differences[FEATURE_COUNT], FILE *to, struct sp_err *e);

/* --- structures of the system as bytes (feature_bytes.c)
 * ------------------------------------------- */

/* O:BA G:SY D:PAI with an entry of its own, an inherited one and one for what is inside; `audit`: a
 * SACL too. */
void feature_security(struct sp_buf *to, bool audit);
void
feature_symlink(struct sp_buf *to, const char *target, bool relative); /* target with backslashes */
void feature_junction(struct sp_buf *to, const char *target);          /* "C:\\x" */
void feature_wsl_link(struct sp_buf *to, const char *target);
void feature_ea(struct sp_buf *to);

#endif
