#include "client/target_impl_posix.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>

/* Users and groups by name, with a small cache over the system's databases, which may be slow. */

#define SLOTS 128u
#define MOST_NAME 256                 /* bytes, NUL included; longer names are unknown */
#define MOST_BUFFER ((size_t)1 << 20) /* a group with all its members */

struct slot {
    bool taken, found;
    uint32_t id;
    char name[MOST_NAME];
};

struct target_ids {
    struct sp_mutex lock;
    struct slot users[SLOTS], groups[SLOTS];
};

enum sp_code
target_ids_new(struct target_ids **ret, struct sp_err *e)
{
    struct target_ids *ids = calloc(1, sizeof *ids);

    if (ids == NULL)
        return sp_fail_nomem(e);
    sp_mutex_init(&ids->lock);
    *ret = ids;
    return SP_OK;
}

void
target_ids_free(struct target_ids *ids)
{
    if (ids == NULL)
        return;
    sp_mutex_destroy(&ids->lock);
    free(ids);
}

/* ERANGE: the buffer is too small for the record. */
static int
ask_once(bool group, const char *name, char *buffer, size_t n, bool *ret_found, uint32_t *ret)
{
    struct passwd user, *found_user = NULL;
    struct group of, *found_group = NULL;
    int rc;

    if (group) {
        rc = getgrnam_r(name, &of, buffer, n, &found_group);
        if ((*ret_found = rc == 0 && found_group != NULL))
            *ret = of.gr_gid;
    } else {
        rc = getpwnam_r(name, &user, buffer, n, &found_user);
        if ((*ret_found = rc == 0 && found_user != NULL))
            *ret = user.pw_uid;
    }
    return rc;
}

static bool
ask(bool group, const char *name, uint32_t *ret)
{
    bool found = false;

    for (size_t n = 1024; n <= MOST_BUFFER; n *= 4) {
        char *buffer = malloc(n);
        int rc;

        if (buffer == NULL)
            return false;
        do
            rc = ask_once(group, name, buffer, n, &found, ret);
        while (rc == EINTR);
        free(buffer);
        if (rc != ERANGE)
            break;
    }
    return found;
}

static struct slot *
slot_of(struct target_ids *ids, bool group, const char *name)
{
    uint32_t h = 2166136261u;

    for (const char *p = name; *p != '\0'; p++)
        h = (h ^ (uint8_t)*p) * 16777619u;
    return &(group ? ids->groups : ids->users)[h % SLOTS];
}

bool
target_ids_find(struct target_ids *ids, bool group, const char *name, uint32_t *ret)
{
    struct slot *s = slot_of(ids, group, name);
    size_t n = strlen(name);
    bool known, found = false;
    uint32_t id = 0;

    if (n == 0 || n >= MOST_NAME)
        return false;
    sp_mutex_lock(&ids->lock);
    if ((known = s->taken && strcmp(s->name, name) == 0)) {
        found = s->found;
        id = s->id;
    }
    sp_mutex_unlock(&ids->lock);
    if (!known) {
        /* Without the lock: one slow answer must not hold up those who find theirs here. */
        found = ask(group, name, &id);
        sp_mutex_lock(&ids->lock);
        s->taken = true;
        s->found = found;
        s->id = id;
        memcpy(s->name, name, n + 1);
        sp_mutex_unlock(&ids->lock);
    }
    if (found)
        *ret = id;
    return found;
}
