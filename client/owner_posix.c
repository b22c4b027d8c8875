#include "client/owner_posix.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>

#include "base/thread.h"

#define SLOTS 128u
#define MOST_BUFFER ((size_t)1 << 20) /* a group with all its members */

struct slot {
    bool taken;
    uint32_t id;
    char name[SP_OWNER_MOST];
};

struct sp_owners {
    struct sp_mutex lock;
    struct slot users[SLOTS], groups[SLOTS];
};

enum sp_code
sp_owners_new(struct sp_owners **ret, struct sp_err *e)
{
    struct sp_owners *o = calloc(1, sizeof *o);

    if (o == NULL)
        return sp_fail_nomem(e);
    sp_mutex_init(&o->lock);
    *ret = o;
    return SP_OK;
}

void
sp_owners_free(struct sp_owners *o)
{
    if (o == NULL)
        return;
    sp_mutex_destroy(&o->lock);
    free(o);
}

/* ERANGE: the buffer is too small for the record. */
static int
ask_once(bool group, uint32_t id, char *buffer, size_t n, char to[SP_OWNER_MOST])
{
    struct passwd user, *found_user = NULL;
    struct group of, *found_group = NULL;
    const char *name = NULL;
    int rc;

    if (group) {
        rc = getgrgid_r(id, &of, buffer, n, &found_group);
        if (rc == 0 && found_group != NULL)
            name = of.gr_name;
    } else {
        rc = getpwuid_r(id, &user, buffer, n, &found_user);
        if (rc == 0 && found_user != NULL)
            name = user.pw_name;
    }
    if (name != NULL && strlen(name) < SP_OWNER_MOST)
        strcpy(to, name);
    return rc;
}

static void
ask(bool group, uint32_t id, char to[SP_OWNER_MOST])
{
    *to = '\0';
    for (size_t n = 1024; n <= MOST_BUFFER; n *= 4) {
        char *buffer = malloc(n);
        int rc;

        if (buffer == NULL)
            return;
        do
            rc = ask_once(group, id, buffer, n, to);
        while (rc == EINTR);
        free(buffer);
        if (rc != ERANGE)
            return;
    }
}

void
sp_owner_name(struct sp_owners *o, bool group, uint32_t id, char to[SP_OWNER_MOST])
{
    struct slot *s = &(group ? o->groups : o->users)[id % SLOTS];
    bool known;

    sp_mutex_lock(&o->lock);
    if ((known = s->taken && s->id == id))
        strcpy(to, s->name);
    sp_mutex_unlock(&o->lock);
    if (known)
        return;
    /* Without the lock: one slow answer must not hold up those who find theirs here. */
    ask(group, id, to);
    sp_mutex_lock(&o->lock);
    s->taken = true;
    s->id = id;
    strcpy(s->name, to);
    sp_mutex_unlock(&o->lock);
}
