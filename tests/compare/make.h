#ifndef SP_TESTS_MAKE_H
#define SP_TESTS_MAKE_H

/* What maketree's sections build with. Everything happens relative to the working directory, which
 * dir_in and dir_out move, so that no path length is a limit. Every entry gets a time drawn from
 * the seed (not the clock): two trees of one seed are equal. A failure ends the program. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct make {
    uint64_t state; /* of the random numbers */
    bool small;     /* tens of megabytes less */
    bool root;
};

_Noreturn void make_die(const char *what, const char *name);
/* Says what this user or file system cannot have. */
void make_left_out(const char *what);

uint64_t make_random(struct make *m);
void make_bytes(struct make *m, void *to, size_t n);

/* A folder to work in, and out of it again: the folder gets its mode and time then. */
void dir_in(const char *name);
void dir_out(struct make *m, const char *name, mode_t mode);

/* Each entry ends with a time of its own. */
void make_stamp(struct make *m, const char *name);
void make_stamp_at(const char *name, int64_t sec, long nsec);
void make_file(struct make *m, const char *name, const void *p, size_t n, mode_t mode);
void make_text(struct make *m, const char *name, const char *text);
void make_random_file(struct make *m, const char *name, size_t n);
void make_symlink(struct make *m, const char *target, const char *name);
void make_link(struct make *m, const char *from, const char *to);

/* The sections; maketree.c has the table. */
void section_names(struct make *m);
void section_deep(struct make *m);
void section_content(struct make *m);
void section_many(struct make *m);
void section_times(struct make *m);
void section_sparse(struct make *m);
void section_links(struct make *m);
void section_special(struct make *m);
void section_modes(struct make *m);
void section_owners(struct make *m);
void section_acl(struct make *m);
void section_xattr(struct make *m);

#endif
