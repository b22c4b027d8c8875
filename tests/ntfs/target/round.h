#ifndef SP_TESTS_NTFS_TARGET_ROUND_H
#define SP_TESTS_NTFS_TARGET_ROUND_H

/* From one double to another and what comes of it. */

#include "take.h"

/* What was there, before it is read for the set. */
#define SHADOW "//?/GLOBALROOT/Device/HarddiskVolumeShadowCopy1/"

struct round {
    struct ntfs_double *a, *b; /* "C:/" with what is taken; "D:/" or more */
    struct set s;
    struct outcome o;
};

struct round *round_new(enum ntfs_double_kind kind); /* of D: */
void round_free(struct round *r);
/* A small tree with something of everything in C:/tree. */
void round_tree(struct ntfs_double *a);
/* C:/tree as it is now into the set, its shadow beside it. */
void round_take(struct round *r);
/* All of the set; every handle is closed again. Faults and notes are in r->o, the code in
 * r->o.code. */
void round_restore(struct round *r, const char *target);
void round_show(const struct round *r); /* prints faults and notes */
/* The tree of C: as it was taken, and `path` in the other double. */
void round_same(struct round *r, const char *path, unsigned what);
bool round_has_note(const struct round *r, const char *part);
/* Names of unfinished restores below "D:/". */
size_t round_temporary(struct round *r);

#endif
