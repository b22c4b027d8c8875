#ifndef SP_TESTS_HOSTILE_SHOP_H
#define SP_TESTS_HOSTILE_SHOP_H

/* A repository in a folder, this machine's profile of it, and the attacker, who has both: he puts
 * blocks and records into it by hand. The victim's commands run as they do in the program, each in
 * a process of its own, and what they print is read. */

#include "repositories.h"

#include "client/cli.h"

struct shop {
    struct place place; /* target/, outside/ and, inside the target's ground, repository/, state/ */
    struct tree home;   /* repository/ state/ cache/ config/ */
    char repository[96];
    struct sp_profile *profile;
    struct set set; /* the attacker's: shares the profile's keys */
    int64_t published_ns;
};

void shop_new(struct shop *s);
void shop_free(struct shop *s);
/* The blocks of the attacker's set go into the repository. */
void shop_blocks(struct shop *s);
/* And a record of `set` (its root is the set's), signed with the host's key. Empty fields are
 * filled in. The id's first 8 digits are in `id`. */
void shop_record(struct shop *s, struct sp_set *set, struct sp_set_sealed *sealed, char id[9]);
/* The same for a plain set. */
void shop_publish(struct shop *s, char id[9]);
void shop_file(struct shop *s, const char *object, const void *p, size_t n);

struct said {
    int code;
    char *out, *err; /* freed by the next shop_run, or said_clear */
    size_t out_n, err_n;
    size_t peak; /* bytes of memory */
};

/* Arguments end in NULL. Fails when the command takes longer, takes more memory, is ended by a
 * sanitizer, or prints what a terminal obeys. */
void shop_run(struct said *ret, unsigned seconds, size_t most_bytes, const char *command, ...);
void said_clear(struct said *s);
/* Fails unless it ended with the code, and says these words (NULL: whatever). */
void assert_said(const struct said *s, int code, const char *words);

#endif
