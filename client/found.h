#ifndef SP_CLIENT_FOUND_H
#define SP_CLIENT_FOUND_H

/* What the walk finds at a place: what each platform gives to walk.c (found_posix.c,
 * found_win32.c). */

#include "client/listing.h"
#include "client/view.h"

struct sp_found {
    struct sp_entry entry; /* what an item has before it is described, without key and device;
                              its attributes, if any, point into `attributes` */
    uint64_t device;
    uint64_t apart; /* tells volumes apart that call themselves the same device; 0: none do */
    bool closed;  /* another volume is mounted here, and it is not to be entered */
    bool mounted; /* the place has become the root of the volume that is mounted here */
    struct sp_err
        why; /* a volume may be mounted here, and cannot be entered; code SP_OK: no such */
    struct sp_attribute attributes[3];
    struct sp_buf values;
};
void sp_found_clear(struct sp_found *f);

struct sp_found_how {
    struct sp_views *views;
    struct sp_source_host *host;
    const uint8_t *key; /* NUL-terminated beyond key_len */
    size_t key_len;
    const union sp_dir_at *open;    /* the folder in which its name was found, in use; NULL: none */
    const struct sp_listed *listed; /* as that folder has it; NULL: there is none */
    bool elsewhere;                 /* a view has led to another place than that folder */
    bool again;                     /* what the listing said has proved wrong */
    bool one_file_system;
};
/* Looks at the object; where what the listing said is enough, nothing is asked. A place where a
 * volume is mounted becomes the root of that volume (Windows; on POSIX it is so by itself).
 * SP_ABSENT when nothing is there. `ret` is empty before; what it owns is the caller's in every
 * case. */
enum sp_code sp_found_look(
    const struct sp_found_how *how, struct sp_place *at, struct sp_found *ret, struct sp_err *e);

/* `name` in `dir` is the root of a file system that the system makes up: proc, sysfs, cgroups, an
 * automount point not yet mounted. Nothing of the kind on Windows. */
bool sp_found_made_up(union sp_dir_at dir, const char *name);

#endif
