#ifndef SP_TESTS_DAMAGE_HARM_H
#define SP_TESTS_DAMAGE_HARM_H

/* One damage: what is done to which object, and where. */

#include "tests/damage/world.h"

enum op {
    FLIP,    /* one bit, in each structural region */
    ZERO,    /* a region full of zeros, as a file system leaves it after a crash */
    CUT_ONE, /* one byte less */
    CUT_HALF,
    CUT_HEADER, /* the first 8 bytes alone */
    EMPTY,
    DELETE,
    DOUBLE,        /* under another valid name as well */
    DOUBLE_FOLDER, /* … of the same file name, in another folder */
    SWAP,          /* with another of its kind */
    SWAP_KIND,     /* with one of another kind */
    OLDER,         /* replaced by the one of its kind and owner that came before it */
    FOREIGN,       /* replaced by another owner's */
    EXTEND,        /* garbage at its end */
    OPS
};
extern const char *const op_words[OPS];

struct harm {
    enum op op;
    size_t object; /* in world.whole */
    size_t other;  /* of SWAP, SWAP_KIND, OLDER, FOREIGN */
    size_t at, n;  /* region of FLIP and ZERO */
    unsigned bit;
    const char *region;
};

struct harms {
    struct harm *v;
    size_t n, cap;
};

/* Every damage to every object. */
void harms_all(const struct world *w, struct harms *to);
void harms_clear(struct harms *l);
/* False: another damage took away what this one is done to. */
bool harm_do(const struct world *w, const struct harm *h, struct state *s);
void harm_tell(const struct world *w, const struct harm *h, char *to, size_t n);

#endif
