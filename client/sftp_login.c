#include "client/sftp_login_impl.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/path.h"
#include "base/text.h"
#include "client/config_impl.h"
#include "client/sftp_here.h"

static bool
is_there(const struct sp_os *os, const char *path)
{
    struct sp_os_stat st;
    struct sp_err ignored = {0};

    return os->stat(os->self, path, &st, &ignored) == SP_OK;
}

static enum sp_code
add_names(const struct sp_sftp_login *l, struct sp_strings *to, const char *folder,
    const char *const *names, bool only_there, struct sp_err *e)
{
    enum sp_code rc = SP_OK;
    char *path;

    for (; folder != NULL && *names != NULL && rc == SP_OK; names++) {
        if ((path = sp_path_join(folder, *names)) == NULL)
            return sp_fail_nomem(e);
        if (!only_there || is_there(l->env.os, path))
            rc = sp_strings_add(to, path, e);
        free(path);
    }
    return rc;
}

/* What ssh would take where nothing is said. */
static enum sp_code
add_usual(const struct sp_sftp_login *l, struct sp_sftp_settings *all, struct sp_err *e)
{
    static const char *const keys[] = {"id_ed25519", "id_ecdsa", "id_rsa", NULL};
    static const char *const users[] = {"known_hosts", "known_hosts2", NULL};
    static const char *const systems[] = {"ssh_known_hosts", "ssh_known_hosts2", NULL};
    bool no_keys = all->keys.n == 0, no_hosts = all->known_hosts.n == 0;
    char *user = NULL, *system = NULL;
    enum sp_code rc;

    if ((rc = sp_sftp_folders(&user, &system, e)) != SP_OK)
        return rc;
    if (no_keys)
        rc = add_names(l, &all->keys, user, keys, true, e);
    if (rc == SP_OK && no_hosts)
        rc = add_names(l, &all->known_hosts, user, users, false, e);
    if (rc == SP_OK && no_hosts)
        rc = add_names(l, &all->known_hosts, system, systems, false, e);
    free(user);
    free(system);
    return rc;
}

/* A key that somebody named has to be there: without it another login would be tried in silence. */
static enum sp_code
resolve(struct sp_sftp_login *l, struct sp_err *e)
{
    struct sp_sftp_settings all = {0};
    enum sp_code rc;
    size_t i;

    if ((rc = sp_sftp_add(&all, &l->said, e)) == SP_OK &&
        (rc = sp_sftp_add(&all, &l->kept, e)) == SP_OK)
        rc = sp_sftp_add(&all, &l->configured, e);
    for (i = 0; i < all.keys.n && rc == SP_OK; i++)
        if (!is_there(l->env.os, all.keys.s[i]))
            rc = sp_fail(e, SP_INVALID, SP_DOM_CONFIG,
                "the key file %.300s is not there; name another with --sftp-key FILE",
                all.keys.s[i]);
    if (rc == SP_OK)
        rc = add_usual(l, &all, e);
    if (rc != SP_OK) {
        sp_sftp_clear(&all);
        return rc;
    }
    sp_sftp_clear(&l->all);
    l->all = all;
    return SP_OK;
}

static enum sp_code
copy_text(const char **to, const char *from, struct sp_err *e)
{
    *to = strdup(from);
    return *to == NULL ? sp_fail_nomem(e) : SP_OK;
}

enum sp_code
sp_sftp_login_new(const struct sp_env *env, const struct sp_sftp_login_from *from,
    struct sp_sftp_login **ret, struct sp_err *e)
{
    struct sp_sftp_login *l = calloc(1, sizeof(*l));
    enum sp_code rc;

    if (l == NULL)
        return sp_fail_nomem(e);
    sp_mutex_init(&l->lock);
    l->env = *env;
    l->from = *from;
    l->from.address = l->from.host = l->from.user = NULL;
    if ((rc = copy_text(&l->from.address, from->address, e)) == SP_OK &&
        (rc = copy_text(&l->from.host, from->host, e)) == SP_OK &&
        (rc = copy_text(&l->from.user, from->user, e)) == SP_OK &&
        (rc = sp_sftp_add(&l->said, from->said, e)) == SP_OK &&
        (rc = sp_sftp_add(&l->configured, from->configured, e)) == SP_OK)
        rc = resolve(l, e);
    if (rc != SP_OK) {
        sp_sftp_login_free(l);
        return rc;
    }
    *ret = l;
    return SP_OK;
}

static void
wipe_text(char **text)
{
    if (*text != NULL)
        sp_wipe(*text, strlen(*text));
    free(*text);
    *text = NULL;
}

void
sp_sftp_login_free(struct sp_sftp_login *l)
{
    if (l == NULL)
        return;
    if (l->first != NULL)
        l->first->ops->free(l->first);
    sftp_login_forget(l);
    free((char *)(uintptr_t)l->from.address);
    free((char *)(uintptr_t)l->from.host);
    free((char *)(uintptr_t)l->from.user);
    sp_sftp_clear(&l->said);
    sp_sftp_clear(&l->kept);
    sp_sftp_clear(&l->configured);
    sp_sftp_clear(&l->all);
    wipe_text(&l->kept_password);
    wipe_text(&l->kept_passphrase);
    free(l->kept_where);
    sp_mutex_destroy(&l->lock);
    free(l);
}

const char *
sp_sftp_login_address(const struct sp_sftp_login *l)
{
    return l->from.address;
}

static enum sp_code
know(struct sp_sftp_login *l, const struct sp_profile *p, struct sp_err *e)
{
    enum sp_code rc = SP_OK;

    sp_sftp_clear(&l->kept);
    wipe_text(&l->kept_password);
    wipe_text(&l->kept_passphrase);
    free(l->kept_where);
    l->kept_where = NULL;
    if (p->folder != NULL && (l->kept_where = sp_path_join(p->folder, "profile")) == NULL)
        return sp_fail_nomem(e);
    if (p->sftp_password != NULL)
        rc = sp_config_text(&l->kept_password, p->sftp_password, e);
    if (rc == SP_OK && p->sftp_passphrase != NULL)
        rc = sp_config_text(&l->kept_passphrase, p->sftp_passphrase, e);
    if (rc == SP_OK)
        rc = sp_sftp_add(&l->kept, &p->sftp, e);
    return rc == SP_OK ? resolve(l, e) : rc;
}

enum sp_code
sp_sftp_login_know(struct sp_sftp_login *l, const struct sp_profile *p, struct sp_err *e)
{
    enum sp_code rc;

    sp_mutex_lock(&l->lock);
    rc = know(l, p, e);
    sp_mutex_unlock(&l->lock);
    return rc;
}

void
sp_sftp_login_anew(struct sp_sftp_login *l, bool password, bool passphrase)
{
    l->anew = true;
    l->not_kept_password = password;
    l->not_kept_passphrase = passphrase;
}

const struct sp_sftp_settings *
sp_sftp_login_settings(const struct sp_sftp_login *l)
{
    return &l->all;
}

/* --- a connection ----------------------------------------------------------------------------- */

static enum sp_code
hostkey(void *arg, const struct sp_ssh_hostkey *k, struct sp_err *e)
{
    struct sp_sftp_login *l = arg;
    const struct sp_sftp_trust t = {.address = l->from.address,
        .told = l->said.host_key,
        .pinned = l->kept.host_key,
        .pinned_type = l->kept.host_key_type,
        .pinned_where = l->kept_where != NULL ? l->kept_where : "the profile",
        .asked = l->asked_key[0] != '\0' ? l->asked_key : NULL,
        .again = l->anew,
        .asker = l->connected || l->from.asker.can == NULL ? NULL : &l->from.asker};
    bool asked = false;
    enum sp_code rc = sp_sftp_trust(&t, k, &asked, e);

    if (rc == SP_OK && asked)
        (void)snprintf(l->asked_key, sizeof(l->asked_key), "%s", k->fingerprint);
    return rc;
}

static enum sp_code
connect(struct sp_sftp_login *l, struct sp_sftp_link **ret, struct sp_err *e)
{
    struct sp_ssh_options o = {.host = l->from.host,
        .port = l->from.port,
        .user = l->from.user,
        .methods = l->all.methods,
        .key_files = (const char *const *)l->all.keys.s,
        .nkey_files = l->all.keys.n,
        .secret = sftp_login_secret,
        .hostkey = hostkey,
        .arg = l,
        .known_hosts = (const char *const *)l->all.known_hosts.s,
        .nknown_hosts = l->all.known_hosts.n,
        .pinned_type = l->said.host_key == NULL && !l->anew ? l->kept.host_key_type : NULL,
        .old_algorithms = l->all.old_algorithms == SP_SFTP_YES,
        .stop = l->connected ? l->from.stop : l->from.stop_first};
    const struct sp_ssh_facts *facts;
    enum sp_code rc;

    sftp_login_begin(l);
    rc = l->from.open(&l->env, &o, ret, e);
    sftp_login_ended(l, rc == SP_OK);
    if (rc == SP_AUTH)
        sftp_login_tell_lack(l, e);
    if (rc == SP_OK && (facts = l->from.facts(*ret)) != NULL) {
        l->facts = *facts;
        l->has_facts = true;
    }
    l->connected = l->connected || rc == SP_OK;
    return rc;
}

enum sp_code
sp_sftp_login_connect(struct sp_sftp_login *l, struct sp_sftp_link **ret, struct sp_err *e)
{
    enum sp_code rc = SP_OK;

    sp_mutex_lock(&l->lock);
    if (l->first != NULL) {
        *ret = l->first;
        l->first = NULL;
    } else {
        rc = connect(l, ret, e);
    }
    sp_mutex_unlock(&l->lock);
    return rc;
}

enum sp_code
sp_sftp_login_first(struct sp_sftp_login *l, struct sp_err *e)
{
    enum sp_code rc = SP_OK;

    sp_mutex_lock(&l->lock);
    if (l->first == NULL)
        rc = connect(l, &l->first, e);
    sp_mutex_unlock(&l->lock);
    return rc;
}

const struct sp_ssh_facts *
sp_sftp_login_facts(const struct sp_sftp_login *l)
{
    return l->has_facts ? &l->facts : NULL;
}

/* --- what is kept ----------------------------------------------------------------------------- */

static struct sp_sftp_answer *
used(const struct sp_sftp_login *l, enum sp_ssh_method m)
{
    size_t i;

    for (i = 0; i < l->nanswers; i++)
        if (l->answers[i].method == m && l->answers[i].used && l->answers[i].good)
            return &l->answers[i];
    return NULL;
}

static enum sp_code
keep_secret(const struct sp_sftp_login *l, enum sp_ssh_method m, char **to, struct sp_err *e)
{
    struct sp_sftp_answer *a = used(l, m);
    char *copy;

    if (a == NULL)
        return sp_fail(e, SP_INVALID, SP_DOM_CONFIG,
            "--sftp-keep-%s: %.200s let this machine in without one",
            m == SP_SSH_KEY ? "passphrase" : "password", l->from.address);
    if ((copy = strdup(sp_buf_str(&a->value))) == NULL)
        return sp_fail_nomem(e);
    wipe_text(to);
    *to = copy;
    return SP_OK;
}

/* A certificate is believed because of who signed it, and is another the next time. */
static bool
can_be_pinned(const struct sp_ssh_facts *f)
{
    return f->fingerprint[0] != '\0' && strstr(f->key_type, "-cert-") == NULL;
}

/* A secret that is kept itself needs no file; and what a shell made for one command (<(…)) is
 * nothing to come back to. */
static void
drop_file(char **file, bool kept)
{
    if (*file != NULL &&
        (kept || strncmp(*file, "/dev/", 5) == 0 || strncmp(*file, "/proc/", 6) == 0)) {
        free(*file);
        *file = NULL;
    }
}

enum sp_code
sp_sftp_login_keep(const struct sp_sftp_login *l, bool password, bool passphrase,
    struct sp_profile *p, struct sp_err *e)
{
    struct sp_sftp_settings keep = {0};
    enum sp_code rc;

    if (password && (rc = keep_secret(l, SP_SSH_PASSWORD, &p->sftp_password, e)) != SP_OK)
        return rc;
    if (passphrase && (rc = keep_secret(l, SP_SSH_KEY, &p->sftp_passphrase, e)) != SP_OK)
        return rc;
    if ((rc = sp_sftp_add(&keep, &l->said, e)) == SP_OK)
        rc = sp_sftp_add(&keep, &p->sftp, e);
    drop_file(&keep.password_file, password);
    drop_file(&keep.passphrase_file, passphrase);
    if (rc == SP_OK && l->has_facts) {
        free(keep.host_key);
        free(keep.host_key_type);
        keep.host_key = keep.host_key_type = NULL;
        if (can_be_pinned(&l->facts) &&
            (rc = sp_config_text(&keep.host_key, l->facts.fingerprint, e)) == SP_OK)
            rc = sp_config_text(&keep.host_key_type, l->facts.key_type, e);
    }
    if (rc != SP_OK) {
        sp_sftp_clear(&keep);
        return rc;
    }
    sp_sftp_clear(&p->sftp);
    p->sftp = keep;
    return SP_OK;
}

unsigned
sp_sftp_login_unattended(const struct sp_sftp_login *l, const struct sp_profile *p)
{
    const struct sp_sftp_answer *a;
    unsigned got = 0;

    if ((a = used(l, SP_SSH_KEY)) != NULL && p->sftp_passphrase == NULL &&
        (a->source >= SP_SFTP_TYPED ||
            (a->source == SP_SFTP_SAID && p->sftp.passphrase_file == NULL)))
        got |= SP_SSH_KEY;
    if ((a = used(l, SP_SSH_PASSWORD)) != NULL && p->sftp_password == NULL &&
        (a->source >= SP_SFTP_TYPED ||
            (a->source == SP_SFTP_SAID && p->sftp.password_file == NULL)))
        got |= SP_SSH_PASSWORD;
    return got;
}
