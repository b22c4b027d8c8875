#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/path.h"
#include "client/doctor.h"
#include "client/key_cmds.h"
#include "client/last_success.h"
#include "client/place.h"
#include "client/present.h"
#include "client/recall.h"
#include "client/sets.h"
#include "proto/cert.h"
#include "storage/backend.h"

#define DAY (INT64_C(86400) * SP_SECOND)
#define OLD_SET (8 * DAY) /* a weekly backup that was missed */
#define CERT_SOON                                                                                  \
    (30 * DAY) /* renewal begins months before: by now something keeps it from working */
#define CLOCK_AHEAD (60 * SP_SECOND)
#define LOW_SPACE 20 /* a twentieth of the store */

/* --- a folder --------------------------------------------------------------------------------- */

static void
tell_caps(struct sp_doctor *d, const struct sp_backend_caps *caps)
{
    if (!caps->writable)
        sp_doctor_tell(d, SP_HEALTH_WARNING, "writing",
            "give this user the right to write there, or mount it for writing; reading works",
            "the folder cannot be written");
    else
        sp_doctor_tell(d, SP_HEALTH_GOOD, "writing", NULL, "the folder can be written");
    if (!caps->flush_file)
        sp_doctor_tell(d, SP_HEALTH_WARNING, "flushing",
            "after a power failure of the store run 'stillpoint check'; what was lost is stored "
            "again by "
            "the next backup",
            "files cannot be flushed there: the newest sets are stored, but not proven to survive "
            "a "
            "power failure");
    else if (!caps->flush_folder)
        sp_doctor_tell(d, SP_HEALTH_GOOD, "flushing", NULL,
            "files are flushed; folders cannot be (usual on CIFS): at a power failure of the store "
            "the "
            "newest names may be lost, which the next run sees");
    else
        sp_doctor_tell(d, SP_HEALTH_GOOD, "flushing", NULL, "files and folders are flushed");
    if (caps->writable && !caps->exclusive)
        sp_doctor_tell(d, SP_HEALTH_WARNING, "names",
            "let only one machine back up to this folder at a time, or use a server",
            "a name that is taken cannot be told for certain there");
}

static void
tell_space(struct sp_doctor *d, struct sp_backend *b)
{
    struct sp_os_space space;
    struct sp_err e = {0};

    if (sp_backend_space(b, &space, &e) != SP_OK) {
        sp_doctor_tell(d, SP_HEALTH_WARNING, "space", NULL, "it cannot be asked: %s", e.text);
        return;
    }
    sp_doctor_tell(d,
        space.free_bytes < space.total_bytes / LOW_SPACE ? SP_HEALTH_WARNING : SP_HEALTH_GOOD,
        "space",
        space.free_bytes < space.total_bytes / LOW_SPACE
            ? "make room: a backup that finds the store full "
              "fails (older sets stay good)"
            : NULL,
        "%s of %s free", sp_text_bytes(space.free_bytes).s, sp_text_bytes(space.total_bytes).s);
}

static bool
look_at_folder(struct sp_doctor *d, const struct sp_profile *p)
{
    struct sp_backend *b = NULL;
    struct sp_err e = {0};

    if (sp_place_open(d->c, p->address, p, false, &b, &e) != SP_OK) {
        sp_doctor_bad(d, "repository",
            sp_address_is_sftp(p->address)
                ? NULL
                : "mount what belongs there, or give its new place with -r",
            &e);
        return false;
    }
    if (sp_address_is_sftp(p->address)) {
        sp_doctor_sftp(d, p, b);
    } else {
        tell_caps(d, &b->caps);
    }
    if (b->caps.space || !sp_address_is_sftp(p->address))
        tell_space(d, b);
    sp_backend_free(b);
    return true;
}

/* --- a server --------------------------------------------------------------------------------- */

static void
tell_certificate(struct sp_doctor *d, const struct sp_profile *p)
{
    struct sp_cert_info info;
    struct sp_err e = {0};
    int64_t now = sp_clock_wall(d->c->env->clock);
    char until[32];

    if (sp_cert_info(p->tls_chain, &info, &e) != SP_OK) {
        sp_doctor_bad(d, "certificate",
            "enroll again: stillpointd host replace NAME there, then "
            "'stillpoint enroll TOKEN' here",
            &e);
        return;
    }
    sp_time_local(info.valid.to_ns, until);
    if (now < info.valid.from_ns)
        sp_doctor_tell(d, SP_HEALTH_WARNING, "certificate", "set this machine's clock",
            "it is not valid yet by this machine's clock");
    else if (now > info.valid.to_ns)
        sp_doctor_tell(d, SP_HEALTH_WARNING, "certificate",
            "the next connection renews it, if the server still knows this host",
            "it expired on %s", until);
    else if (info.valid.to_ns - now < CERT_SOON)
        sp_doctor_tell(d, SP_HEALTH_WARNING, "certificate",
            "it should have been renewed by now: see that a backup reaches the server",
            "valid until %s", until);
    else
        sp_doctor_tell(d, SP_HEALTH_GOOD, "certificate", NULL, "valid until %s", until);
}

/* --- any store -------------------------------------------------------------------------------- */

static void
tell_keys(struct sp_doctor *d, struct sp_opened_store *o)
{
    struct key_slots slots = {NULL, 0};
    struct sp_err e = {0};
    size_t i, recovery = 0, passphrase = 0;
    uint32_t epoch = sp_keys_epoch(o->keys);

    if (key_slots_read(o->store, sp_keys_group(o->keys), &slots, &e) != SP_OK) {
        sp_doctor_bad(d, "keys", NULL, &e);
        return;
    }
    for (i = 0; i < slots.n; i++) {
        const struct sp_slot_info *s = &slots.v[i].info;

        recovery += s->kind == SP_SLOT_RECOVERY && s->epoch == epoch;
        passphrase += s->kind == SP_SLOT_PASSPHRASE && s->epoch == epoch;
    }
    key_slots_clear(&slots);
    if (recovery > 0)
        sp_doctor_tell(d, SP_HEALTH_GOOD, "keys", NULL, "%s, %s",
            sp_present_count(recovery, "recovery key", "recovery keys").s,
            sp_present_count(passphrase, "passphrase", "passphrases").s);
    else
        sp_doctor_tell(d, SP_HEALTH_WARNING, "keys",
            "make a recovery sheet and keep it elsewhere: stillpoint key sheet",
            passphrase > 0
                ? "there is a passphrase, but no recovery key"
                : "no recovery key and no passphrase opens the newest key: with this machine "
                  "everything would be lost");
}

static bool
newest_of_job(const struct sp_sets *s, size_t i)
{
    size_t k;

    for (k = i + 1; k < s->n; k++) {
        if (strcmp(s->v[k].set.job, s->v[i].set.job) == 0)
            return false;
    }
    return true;
}

static void
tell_job(struct sp_doctor *d, const struct sp_listed *l)
{
    int64_t now = sp_clock_wall(d->c->env->clock), age = now - l->published_ns;
    struct sp_buf name = SP_BUF_INIT;
    const char *advice = NULL;

    sp_path_show(l->set.job, strlen(l->set.job), &name);
    if (age > OLD_SET)
        advice = "find out why no backup was made since then";
    else if (l->set.state == SP_SET_INCOMPLETE)
        advice = "'stillpoint show SET' names what could not be read";
    else if (l->sign == SP_SIGNED_NOT)
        advice = "it is not signed by this host: forged or damaged; run 'stillpoint check'";
    sp_doctor_tell(d, advice != NULL ? SP_HEALTH_WARNING : SP_HEALTH_GOOD, "last set", advice,
        "%s: %s, %s old, %s, files are %s%s%s%s", sp_buf_str(&name), sp_present_id(l->set.set_id).s,
        sp_present_age(l->published_ns, now).s, sp_present_state(l->set.state),
        sp_level_word(l->set.files_level),
        l->applications != SP_LEVEL_NONE ? ", applications are " : "",
        l->applications != SP_LEVEL_NONE ? sp_level_word(l->applications) : "",
        l->unconfirmed ? ", unconfirmed" : "");
    sp_buf_free(&name);
}

static bool
is_of(
    const struct sp_doctor *d, const struct sp_job *j, const struct sp_profile *p, bool is_default)
{
    char *address = NULL;
    struct sp_err ignored = {0};
    bool same;

    if (j->repository[0] == '\0')
        return is_default || d->c->repository != NULL;
    if (sp_cli_address(j->repository, &address, &ignored) != SP_OK)
        return false;
    same = strcmp(address, p->address) == 0;
    free(address);
    return same;
}

/* Of jobs whose last set is no success: when there was one. */
static void
tell_successes(struct sp_doctor *d, const struct sp_sets *sets)
{
    int64_t now = sp_clock_wall(d->c->env->clock);
    struct sp_last_success *v = NULL;
    struct sp_err e = {0};
    size_t i, n = 0;

    if (sp_last_successes(sets, &v, &n, &e) != SP_OK) {
        sp_doctor_bad(d, "last success", NULL, &e);
        return;
    }
    for (i = 0; i < n; i++) {
        struct sp_buf name = SP_BUF_INIT;

        sp_path_show(v[i].job, strlen(v[i].job), &name);
        if (v[i].success_ns == 0)
            sp_doctor_tell(d, SP_HEALTH_WARNING, "last success",
                "'stillpoint show SET' names what could not be read",
                "%s: no set of it is complete", sp_buf_str(&name));
        else if (v[i].success_ns != v[i].set_ns)
            sp_doctor_tell(d, SP_HEALTH_WARNING, "last success",
                "'stillpoint show SET' names what could not be read since then",
                "%s: its last complete set is %s old", sp_buf_str(&name),
                sp_present_age(v[i].success_ns, now).s);
        sp_buf_free(&name);
    }
    free(v);
}

static void
tell_sets(struct sp_doctor *d, struct sp_opened_store *o, bool is_default)
{
    int64_t now = sp_clock_wall(d->c->env->clock);
    const struct sp_config *config = d->c->config;
    struct sp_sets sets;
    struct sp_err e = {0};
    size_t i, k;

    if (sp_sets_list(o, false, false, NULL, &sets, &e) != SP_OK) {
        sp_doctor_bad(d, "sets", NULL, &e);
        return;
    }
    for (i = 0; i < sets.n; i++) {
        if (newest_of_job(&sets, i))
            tell_job(d, &sets.v[i]);
    }
    tell_successes(d, &sets);
    for (i = 0; config != NULL && i < config->njobs; i++) {
        for (k = 0; k < sets.n && strcmp(sets.v[k].set.job, config->jobs[i].name) != 0; k++)
            continue;
        if (k == sets.n && is_of(d, &config->jobs[i], o->profile, is_default))
            sp_doctor_tell(d, SP_HEALTH_WARNING, "last set", "stillpoint backup JOB",
                "%s: there is none yet", config->jobs[i].name);
    }
    if (sets.n > 0 && sets.v[sets.n - 1].published_ns - now > CLOCK_AHEAD)
        sp_doctor_tell(d, SP_HEALTH_WARNING, "clock",
            "set this machine's clock, or the server's if that is wrong",
            "the newest set seems to come from the future: %s",
            sp_present_age(sets.v[sets.n - 1].published_ns, now).s);
    else
        sp_doctor_tell(d, SP_HEALTH_GOOD, "clock", NULL, "no set is from the future");
    if (sets.unreadable > 0)
        sp_doctor_tell(d, SP_HEALTH_WARNING, "sets", "run 'stillpoint check'",
            "%s cannot be understood", sp_present_count(sets.unreadable, "record", "records").s);
    sp_sets_clear(&sets);
}

static void
on_recall(void *arg, const struct sp_check_finding *f)
{
    struct sp_doctor *d = arg;

    d->worst = d->bad == 0 ? SP_EXIT_DAMAGE : d->worst;
    sp_doctor_tell(d, SP_HEALTH_BAD, strncmp(f->object, "keys/", 5) == 0 ? "keys" : "sets",
        "run 'stillpoint check'; what is lost may lie in an older copy of the store", "%s%s%s",
        f->object, f->object[0] != '\0' ? ": " : "", f->text);
}

/* What this machine made and the store does not have any more. */
static void
tell_missing(struct sp_doctor *d, struct sp_opened_store *o)
{
    struct sp_sets sets;
    struct sp_err e = {0};
    enum sp_code rc;

    if ((rc = sp_sets_list(o, false, false, NULL, &sets, &e)) == SP_OK) {
        if ((rc = sp_recall_hosts(o, &sets, on_recall, d, &e)) == SP_OK &&
            (rc = sp_recall_heads(d->c, o, &sets, on_recall, d, &e)) == SP_OK)
            rc = sp_recall_slots(d->c, o, on_recall, d, &e);
        sp_sets_clear(&sets);
    }
    if (rc != SP_OK)
        sp_doctor_bad(d, "sets", NULL, &e);
}

struct sum {
    const struct sp_os *os;
    const char *folder;
    uint64_t bytes;
    unsigned depth;
};

static enum sp_code
add_size(void *arg, const char *name, const struct sp_os_stat *st, struct sp_err *e)
{
    struct sum *s = arg, below;
    char *path;
    enum sp_code rc = SP_OK;

    if (st->type == SP_OS_FILE)
        s->bytes += st->size;
    if (st->type != SP_OS_DIR || s->depth > 8)
        return SP_OK;
    if ((path = sp_path_join(s->folder, name)) == NULL)
        return sp_fail_nomem(e);
    below = *s;
    below.folder = path;
    below.depth++;
    rc = s->os->list(s->os->self, path, true, add_size, &below, e);
    s->bytes = below.bytes;
    free(path);
    return rc == SP_ABSENT ? SP_OK : rc;
}

static void
tell_cache(struct sp_doctor *d, const struct sp_profile *p)
{
    struct sum s = {.os = d->c->env->os};
    struct sp_err e = {0};
    char *folder = NULL;
    enum sp_code rc;

    if ((rc = sp_profile_cache(d->c->env, p->repository, NULL, &folder, &e)) == SP_OK) {
        s.folder = folder;
        rc = s.os->list(s.os->self, folder, true, add_size, &s, &e);
    }
    if (rc == SP_OK || rc == SP_ABSENT)
        sp_doctor_tell(d, SP_HEALTH_GOOD, "cache", NULL, "%s in %s (deleting it costs only time)",
            sp_text_bytes(s.bytes).s, folder);
    else
        sp_doctor_tell(d, SP_HEALTH_WARNING, "cache", "it may be deleted", "%s", e.text);
    free(folder);
}

void
sp_doctor_store(struct sp_doctor *d, const struct sp_profile *p, bool is_default)
{
    struct sp_opened_store o;
    struct sp_store_info info;
    struct sp_err e = {0};

    sp_doctor_tell(d, SP_HEALTH_GOOD, "known here", NULL, "%s as host %s%s", p->address,
        p->host_name, is_default ? " (the default)" : "");
    if (p->is_server)
        tell_certificate(d, p);
    else if (!look_at_folder(d, p))
        return;
    if (sp_cli_open(d->c, p->address, SP_OPEN_READ, &o, &e) != SP_OK) {
        sp_doctor_bad(
            d, "repository", p->is_server ? "see that the server runs and is reachable" : NULL, &e);
        return;
    }
    if (sp_store_info(o.store, &info, &e) == SP_OK)
        sp_doctor_tell(d, SP_HEALTH_GOOD, "repository", NULL, "%s opens with the key that is here",
            sp_hex16(info.repository).s);
    if (p->is_server && e.code == SP_OK && !info.writable)
        sp_doctor_tell(d, SP_HEALTH_WARNING, "writing", "ask its administrator",
            "the server takes no backups from here: %s", info.why_not);
    tell_keys(d, &o);
    tell_sets(d, &o, is_default);
    tell_missing(d, &o);
    tell_cache(d, p);
    sp_cli_close(&o);
}
