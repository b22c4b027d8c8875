#ifndef SP_BASE_PATH_H
#define SP_BASE_PATH_H

/* Names and paths inside Stillpoint. A *name* is one component: the bytes the system gave, never
 * normalised, without '/' and NUL; Windows names are WTF-8 (https://simonsapin.github.io/wtf-8/). A
 * *key* is a path as the catalog sorts it: components joined by a NUL byte, so that memcmp gives the
 * order component by component, and a folder comes directly before all that is inside it. The root
 * of everything is the empty key. "/usr/share" has the key "usr\0share"; "C:\Users" has "C:\0Users". */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

bool sp_utf8_valid(const void *s, size_t n);
bool sp_wtf8_valid(const void *s, size_t n); /* UTF-8 plus lone surrogates, no surrogate pairs */
/* WTF-8 → UTF-16LE code units and back (potentially ill-formed UTF-16). *ret malloc'd. */
enum sp_code sp_wtf8_to_utf16(const char *s, size_t n, uint16_t **ret, size_t *ret_n,
    struct sp_err *e);
enum sp_code sp_utf16_to_wtf8(const uint16_t *s, size_t n, char **ret, size_t *ret_n,
    struct sp_err *e);

int sp_key_cmp(const void *a, size_t an, const void *b, size_t bn); /* memcmp, then length */
/* `dir` is `key` itself or a folder above it. */
bool sp_key_within(const void *dir, size_t dn, const void *key, size_t n);
size_t sp_key_depth(const void *key, size_t n); /* number of components; 0 for the root */
/* The last component and its length; the key of the folder above is the bytes before it (without the
 * NUL). */
const char *sp_key_name(const void *key, size_t n, size_t *ret_name_len);
/* Appends a component (adding the NUL between). */
void sp_key_push(struct sp_buf *key, const void *name, size_t n);
/* A key has no empty component, no "." or "..", no '/'. */
bool sp_key_valid(const void *key, size_t n);

/* An absolute path in this system's form to a key, and back ("/usr/share"). Two-way without loss. */
enum sp_code sp_key_from_path(const char *path, struct sp_buf *ret, struct sp_err *e);
void sp_key_to_path(const void *key, size_t n, struct sp_buf *ret);

/* Whether a backslash separates components here, and so is none of a name (path_win32.c). */
extern const bool sp_path_backslash;

/* For terminals and messages: control characters, invalid UTF-8, backslash (unless it separates) and
 * bidirectional controls are shown as \n, \t, \xHH, \\, \u{202e}. Appends to `ret`. */
void sp_path_show(const void *path, size_t n, struct sp_buf *ret);
/* The same for a sentence, in which names may have been shown already: backslashes stay. What a
 * program prints of an error, or of what others wrote, goes through one of the two. */
void sp_text_show(const char *text, struct sp_buf *ret);

/* a + "/" + b, malloc'd; NULL when there is no memory. */
char *sp_path_join(const char *a, const char *b);

#endif
