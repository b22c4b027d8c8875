#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "client/cli.h"
#include "client/sets.h"

/* Which set is meant: "latest", "JOB", "JOB~2", the id or a unique beginning of it; HOST: before a
 * job or "latest" for another machine's. */

struct search {
    const char *spec, *job; /* spec without HOST: and ~N */
    size_t job_len;
    unsigned back; /* how many newer ones to pass over */
    bool any_host;
    uint8_t host[16];
    uint8_t *record, *completion;
    size_t len, completion_len;
    int64_t published;
    uint8_t set_id[16]; /* by the record's name */
    unsigned id_matches, job_matches;
    unsigned unreadable; /* met before the one that is taken: perhaps newer ones of its job */
};

static enum sp_code
take(struct search *s, const struct sp_set_info *i, struct sp_err *e)
{
    uint8_t *copy = malloc(i->record_len + 1), *completion = NULL;

    if (i->completion != NULL && copy != NULL)
        completion = malloc(i->completion_len + 1);
    if (copy == NULL || (i->completion != NULL && completion == NULL)) {
        free(copy);
        return sp_fail_nomem(e);
    }
    memcpy(copy, i->record, i->record_len);
    if (completion != NULL)
        memcpy(completion, i->completion, i->completion_len);
    free(s->record);
    free(s->completion);
    s->record = copy;
    s->len = i->record_len;
    s->completion = completion;
    s->completion_len = completion != NULL ? i->completion_len : 0;
    s->published = i->published_ns;
    memcpy(s->set_id, i->set_id, sizeof(s->set_id));
    return SP_OK;
}

static bool
id_begins(const uint8_t id[16], const char *spec)
{
    size_t n = strlen(spec);

    return n >= 4 && n <= 32 && strncmp(sp_hex16(id).s, spec, n) == 0;
}

static enum sp_code
consider(void *arg, const struct sp_set_info *i, struct sp_err *e)
{
    struct search *s = arg;
    struct sp_set set;
    struct sp_err why = {0};
    bool latest = s->job_len == 6 && strncmp(s->job, "latest", 6) == 0;
    enum sp_code rc;

    if (id_begins(i->set_id, s->spec)) {
        if (s->id_matches++ == 0)
            return take(s, i, e);
        return SP_OK;
    }
    if (s->id_matches > 0 || (!s->any_host && memcmp(i->host, s->host, 16) != 0))
        return SP_OK;
    rc = sp_set_record_decode(i->record, i->record_len, &set, &why);
    if (sp_code_is_ours(rc)) {
        *e = why;
        return rc;
    }
    if (rc != SP_OK || memcmp(set.set_id, i->set_id, 16) != 0 ||
        memcmp(set.host, i->host, 16) != 0) {
        s->unreadable += s->job_matches <= s->back;
        return SP_OK;
    }
    if (!latest && (strlen(set.job) != s->job_len || strncmp(set.job, s->job, s->job_len) != 0))
        return SP_OK;
    if (s->job_matches++ == s->back)
        return take(s, i, e);
    return SP_OK;
}

/* A host that is not known, or whose record is damaged, signed nothing; one that could not be asked
 * for says nothing about the set. */
/* The completion counts when the host signed it, for this record; `host` NULL: nobody can tell. */
static enum sp_code
join_completion(
    struct sp_opened_store *o, struct sp_found_set *f, const struct sp_host *host, struct sp_err *e)
{
    struct sp_opener *opener = NULL;
    struct sp_completion clear = {.applications = SP_LEVEL_NONE};
    struct sp_err why = {0};
    uint8_t hash[32];
    enum sp_code rc;

    if ((rc = sp_record_hash(f->record, f->record_len, hash, e)) != SP_OK)
        return rc;
    rc = sp_completed_look(
        &f->set, hash, host, f->completion, f->completion_len, &f->completed, &clear, e);
    if (rc == SP_OK && f->completed == SP_COMPLETED_WELL && f->has_sealed) {
        if ((rc = sp_opener_new(o->keys, &opener, e)) != SP_OK)
            return rc;
        rc = sp_completion_open(f->completion, f->completion_len, opener, &f->final, &why);
        sp_opener_free(opener);
        if (sp_code_is_ours(rc))
            *e = why;
        else if (rc != SP_OK) { /* signed, and yet not to be read: the record's part does open */
            f->completed = SP_COMPLETED_DISTRUST;
            rc = SP_OK;
        }
    }
    f->applications = sp_completed_level(&f->set, f->completed, &clear);
    f->unconfirmed = sp_completed_lacks(&f->set, f->completed);
    return rc;
}

const struct sp_verdict *
sp_found_set_verdict(const struct sp_found_set *f)
{
    if (!f->has_sealed)
        return NULL;
    if (f->completed == SP_COMPLETED_WELL)
        return &f->final.verdict;
    return f->sealed.has_verdict ? &f->sealed.verdict : NULL;
}

static enum sp_code
check_signature(struct sp_opened_store *o, struct sp_found_set *f, struct sp_err *e)
{
    struct sp_err why = {0};
    struct sp_host host;
    bool known;
    uint8_t *p = NULL;
    size_t n = 0;
    enum sp_code rc = sp_store_host(o->store, f->set.host, &p, &n, &why);

    if (rc == SP_IO) { /* one bad sector under a small file: whoever restores decides (R11) */
        f->unread = why;
        sp_err_context(
            &f->unread, "set %.8s: who signed it cannot be told", sp_hex8(f->set.set_id).s);
        return join_completion(o, f, NULL, e);
    }
    if (rc != SP_OK && rc != SP_ABSENT && rc != SP_CORRUPT) {
        *e = why;
        return rc;
    }
    if (rc == SP_OK)
        rc = sp_host_decode(p, n, o->keys, &host, &why);
    known = rc == SP_OK;
    if (rc == SP_OK)
        rc = sp_record_check_signature(SP_RECORD_SET, f->record, f->record_len, &host, &why);
    free(p);
    if (sp_code_is_ours(rc)) {
        *e = why;
        return rc;
    }
    f->signed_ok = rc == SP_OK;
    return join_completion(o, f, known ? &host : NULL, e);
}

static enum sp_code
open_record(struct sp_opened_store *o, struct sp_found_set *f, struct sp_err *e)
{
    struct sp_opener *opener = NULL;
    struct sp_err why = {0};
    enum sp_code rc;

    if ((rc = sp_set_record_decode(f->record, f->record_len, &f->set, e)) != SP_OK)
        return rc;
    if ((rc = sp_opener_new(o->keys, &opener, e)) != SP_OK)
        return rc;
    rc = sp_set_record_open(f->record, f->record_len, opener, &f->sealed, &why);
    sp_opener_free(opener);
    if (sp_code_is_ours(rc)) {
        *e = why;
        return rc;
    }
    f->has_sealed = rc == SP_OK;
    f->same_group = memcmp(f->set.group, sp_keys_group(o->keys), 16) == 0;
    return check_signature(o, f, e);
}

/* The host that has sets here and this name, or an id that begins so. */
static enum sp_code
find_host(struct sp_opened_store *o, const char *name, size_t n, uint8_t ret[16], struct sp_err *e)
{
    struct sp_sets sets;
    char wanted[256];
    bool found = false;
    size_t i;
    enum sp_code rc;

    if (n == 0 || n >= sizeof(wanted))
        return sp_fail(e, SP_INVALID, SP_DOM_CONFIG, "a host's name has 1 to 255 bytes");
    memcpy(wanted, name, n);
    wanted[n] = '\0';
    if ((rc = sp_sets_list(o, true, false, NULL, &sets, e)) != SP_OK)
        return rc;
    for (i = 0; i < sets.n && rc == SP_OK; i++) {
        const struct sp_listed *l = &sets.v[i];

        if (strcmp(l->host_name, wanted) != 0 && !id_begins(l->set.host, wanted))
            continue;
        if (found && memcmp(ret, l->set.host, 16) != 0)
            rc = sp_fail(e, SP_INVALID, SP_DOM_CONFIG,
                "two hosts with sets in %s are called '%s'; give the host's id (stillpoint list "
                "--all "
                "--json) or the set's",
                o->address, wanted);
        memcpy(ret, l->set.host, 16);
        found = true;
    }
    sp_sets_clear(&sets);
    if (rc == SP_OK && !found)
        rc = sp_fail(e, SP_ABSENT, SP_DOM_CONFIG,
            "no host '%s' has sets in %s that this machine may see; 'stillpoint list --all' shows "
            "those that there are",
            wanted, o->address);
    return rc;
}

enum sp_code
sp_cli_find_set(struct sp_cli *c, struct sp_opened_store *o, const char *spec,
    struct sp_found_set *ret, struct sp_err *e)
{
    struct search s = {.spec = spec, .job = spec, .any_host = o->profile == NULL};
    const char *tilde = strrchr(spec, '~'), *colon = strrchr(spec, ':');
    uint64_t back = 0;
    enum sp_code rc;

    memset(ret, 0, sizeof(*ret));
    if (!s.any_host)
        memcpy(s.host, o->profile->host, 16);
    if (colon != NULL) { /* a job's name has none */
        if ((rc = find_host(o, spec, (size_t)(colon - spec), s.host, e)) != SP_OK)
            return rc;
        s.any_host = false;
        s.job = colon + 1;
    }
    s.job_len = strlen(s.job);
    if (tilde != NULL && tilde > s.job && sp_text_parse_u64(tilde + 1, &back) && back < 1000000) {
        s.job_len = (size_t)(tilde - s.job);
        s.back = (unsigned)back;
    }
    rc = sp_store_list(o->store, true, false, consider, &s, e);
    if (rc == SP_OK && s.id_matches > 1)
        rc = sp_fail(e, SP_INVALID, SP_DOM_CONFIG,
            "%u sets begin with '%s'; give more digits (stillpoint list)", s.id_matches, spec);
    if (rc == SP_OK && s.record == NULL && s.unreadable > 0)
        rc = sp_fail(e, SP_IO, SP_DOM_STORE,
            "there is no set '%s' among those that can be read in %s; %u cannot be read "
            "('stillpoint check' names them)",
            spec, o->address, s.unreadable);
    else if (rc == SP_OK && s.record == NULL)
        rc = sp_fail(e, SP_ABSENT, SP_DOM_CONFIG,
            "there is no set '%s' in %s; 'stillpoint list' shows those that there are", spec,
            o->address);
    if (rc != SP_OK) {
        free(s.record);
        free(s.completion);
        return rc;
    }
    if (s.id_matches == 0 && s.unreadable > 0)
        sp_cli_warn(c,
            "%u newer records in %s cannot be read ('stillpoint check' names them): they may be "
            "what '%s' means, and an older set is taken",
            s.unreadable, o->address, spec);
    ret->record = s.record;
    ret->record_len = s.len;
    ret->completion = s.completion;
    ret->completion_len = s.completion_len;
    ret->published_ns = s.published;
    rc = open_record(o, ret, e);
    if (rc == SP_OK && memcmp(ret->set.set_id, s.set_id, 16) != 0)
        rc = sp_fail(e, SP_CORRUPT, SP_DOM_STORE,
            "the record of set %.8s is damaged: it is that of set %.8s; 'stillpoint check' tells "
            "more",
            sp_hex8(s.set_id).s, sp_hex16(ret->set.set_id).s);
    if (rc != SP_OK)
        sp_found_set_clear(ret);
    return rc;
}

enum sp_code
sp_found_set_need_key(const struct sp_found_set *f, struct sp_err *e)
{
    if (f->has_sealed)
        return SP_OK;
    if (f->same_group && !f->signed_ok)
        return sp_fail(e, SP_CORRUPT, SP_DOM_STORE,
            "the record of set %.8s does not open and is not signed by its host: it is damaged, or "
            "forged",
            sp_hex8(f->set.set_id).s);
    return sp_fail(e, SP_AUTH, SP_DOM_CRYPTO,
        "set %.8s is sealed with a key that is not here: of another key group, or newer than this "
        "machine's (then: stillpoint key join -r ADDRESS, with the recovery key or an invitation)",
        sp_hex8(f->set.set_id).s);
}

void
sp_found_set_clear(struct sp_found_set *f)
{
    sp_set_sealed_clear(&f->sealed);
    sp_completion_sealed_clear(&f->final);
    free(f->record);
    free(f->completion);
    memset(f, 0, sizeof(*f));
}
