#include "client/recall.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/path.h"
#include "client/key_cmds.h"
#include "client/present.h"

static void
say(sp_recall_fn tell, void *arg, const char *object, const char *fmt, ...) SP_PRINTF(4, 5);

static void
say(sp_recall_fn tell, void *arg, const char *object, const char *fmt, ...)
{
    struct sp_check_finding f = {.severity = SP_FINDING_FAULT};
    va_list ap;

    (void)snprintf(f.object, sizeof(f.object), "%s", object);
    va_start(ap, fmt);
    (void)vsnprintf(f.text, sizeof(f.text), fmt, ap);
    va_end(ap);
    tell(arg, &f);
}

/* --- the heads of chains -----------------------------------------------------------------------
 */

struct heads {
    const struct sp_sets *sets;
    const struct sp_profile *profile;
    sp_recall_fn tell;
    void *arg;
};

static void
look_at_head(void *arg, const char *job, uint64_t sequence, const uint8_t hash[32])
{
    struct heads *h = arg;
    uint64_t newest = 0;
    bool there = false, same = false;
    size_t i;

    for (i = 0; i < h->sets->n; i++) {
        const struct sp_listed *l = &h->sets->v[i];

        if (l->type != SP_RECORD_SET || strcmp(l->set.job, job) != 0 ||
            memcmp(l->set.host, h->profile->host, 16) != 0)
            continue;
        /* Anybody can put a record with a higher number where the lost one was. Without the host's
         * record, which is told by itself, nothing can be said of any. */
        if (l->sign != SP_SIGNED_BY_HOST && l->host_name[0] != '\0')
            continue;
        if (l->set.sequence > newest)
            newest = l->set.sequence;
        if (l->set.sequence == sequence) {
            there = true;
            same = same || memcmp(l->hash, hash, 32) == 0;
        }
    }
    if (newest == 0)
        say(h->tell, h->arg, "",
            "job \"%.100s\": this machine made the set with the number %llu, and no set of the job "
            "is there any more",
            job, (unsigned long long)sequence);
    else if (newest < sequence)
        say(h->tell, h->arg, "",
            "job \"%.100s\": the newest set that is there has the number %llu, but this machine "
            "made the one with the number %llu: what came behind is lost, or an old state was put "
            "back",
            job, (unsigned long long)newest, (unsigned long long)sequence);
    else if (there && !same)
        say(h->tell, h->arg, "",
            "job \"%.100s\": the set with the number %llu is not the one that this machine made",
            job, (unsigned long long)sequence);
    /* One that is missing in the middle is a gap in the chain, which check tells of. */
}

enum sp_code
sp_recall_heads(struct sp_cli *c, const struct sp_opened_store *o, const struct sp_sets *sets,
    sp_recall_fn tell, void *arg, struct sp_err *e)
{
    struct heads h = {sets, o->profile, tell, arg};

    return o->profile == NULL ? SP_OK : sp_profile_heads(c->env, o->profile, look_at_head, &h, e);
}

/* --- key slots ---------------------------------------------------------------------------------
 */

#define SLOTS_LIMIT (4u << 20)

static void
look_at_slot(const struct key_slots *there, const struct sp_slot_info *info, const uint8_t *bytes,
    size_t n, sp_recall_fn tell, void *arg)
{
    char object[96];
    size_t i;

    (void)snprintf(
        object, sizeof(object), "keys/%.32s/%.32s", sp_hex16(info->group).s, sp_hex16(info->id).s);
    for (i = 0; i < there->n; i++) {
        const struct key_slot *s = &there->v[i];

        if (memcmp(s->info.id, info->id, 16) != 0)
            continue;
        if (s->n != n || memcmp(s->bytes, bytes, n) != 0)
            say(tell, arg, object,
                "the key slot (%s, \"%.60s\") is not as it was when this machine kept a copy of "
                "it: "
                "it may open nothing",
                key_slot_kind(info->kind), info->label);
        return;
    }
    say(tell, arg, object,
        "the key slot (%s, \"%.60s\") is missing: who has only its secret cannot open the "
        "repository; 'stillpoint key' makes another",
        key_slot_kind(info->kind), info->label);
}

enum sp_code
sp_recall_slots(struct sp_cli *c, const struct sp_opened_store *o, sp_recall_fn tell, void *arg,
    struct sp_err *e)
{
    struct key_slots there = {NULL, 0};
    struct sp_slot_info info;
    struct sp_err why = {0};
    struct sp_cur cur;
    char *path = NULL;
    uint8_t *copies = NULL;
    size_t n = 0;
    enum sp_code rc;

    if (o->profile == NULL)
        return SP_OK;
    if ((path = sp_path_join(o->profile->folder, "slots")) == NULL)
        return sp_fail_nomem(e);
    rc = sp_os_read_file(c->env->os, path, SLOTS_LIMIT, &copies, &n, &why);
    if (rc == SP_ABSENT) { /* a profile that never had any */
        rc = SP_OK;
        goto out;
    }
    if (rc != SP_OK) {
        *e = why;
        goto out;
    }
    if ((rc = key_slots_read(o->store, sp_keys_group(o->profile->keys), &there, e)) != SP_OK)
        goto out;
    for (cur = sp_cur_of(copies, n); sp_cur_left(&cur) > 0;) {
        size_t len = sp_cur_u32(&cur);
        const uint8_t *slot = sp_cur_bytes(&cur, len);

        if (!sp_cur_ok(&cur)) /* a hint that was cut short */
            break;
        if (sp_slot_parse(slot, len, &info, &why) == SP_OK && info.kind != SP_SLOT_INVITATION)
            look_at_slot(&there, &info, slot, len, tell, arg);
    }
out:
    key_slots_clear(&there);
    free(copies);
    free(path);
    return rc;
}

/* --- host records ------------------------------------------------------------------------------
 */

static bool
seen_before(const struct sp_sets *sets, size_t i)
{
    size_t k;

    for (k = 0; k < i; k++)
        if (memcmp(sets->v[k].set.host, sets->v[i].set.host, 16) == 0)
            return true;
    return false;
}

enum sp_code
sp_recall_hosts(const struct sp_opened_store *o, const struct sp_sets *sets, sp_recall_fn tell,
    void *arg, struct sp_err *e)
{
    struct sp_err why = {0};
    struct sp_host host;
    uint8_t *p;
    size_t i, n;
    enum sp_code rc;

    for (i = 0; o->keys != NULL && i < sets->n; i++) {
        const struct sp_set *set = &sets->v[i].set;

        if (memcmp(set->group, sp_keys_group(o->keys), 16) != 0 || seen_before(sets, i))
            continue;
        p = NULL;
        rc = sp_store_host(o->store, set->host, &p, &n, &why);
        if (rc == SP_ABSENT || rc == SP_CORRUPT) /* check tells of it */
            continue;
        if (rc != SP_OK) {
            *e = why;
            return rc;
        }
        rc = sp_host_decode(p, n, o->keys, &host, &why);
        free(p);
        if (sp_code_is_ours(rc)) {
            *e = why;
            return rc;
        }
        if (rc != SP_OK)
            say(tell, arg, "",
                "the record of host %s is not authentic, so none of its sets is: %.200s",
                sp_hex16(set->host).s, why.text);
    }
    return SP_OK;
}
