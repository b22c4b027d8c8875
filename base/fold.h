#ifndef SP_BASE_FOLD_H
#define SP_BASE_FOLD_H

/* Names that differ in case only. What folds here covers the scripts that have case and are in use; no file
 * system folds less, and some fold more. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/* The next character of *name in small letters; *n is not 0. A byte that begins no character stands for
 * itself, beyond all characters. */
uint32_t sp_fold_next(const char **name, size_t *n);
bool sp_fold_equal(const char *a, size_t an, const char *b, size_t bn);
/* Appends bytes of which equality and order say the same of folded texts; NUL stays NUL, so that a key stays
 * one (base/path.h). Nobody reads them. */
void sp_fold_put(struct sp_buf *b, const void *text, size_t n);

#endif
