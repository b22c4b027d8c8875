#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "client/sftp_login_impl.h"

/* The answers to what a server, or an encrypted key, asks for. */

/* A hostile server may ask without end. */
#define ANSWERS_MOST 64

static enum sp_code
answer_of(struct sp_sftp_login *l, enum sp_ssh_method m, const char *what,
    struct sp_sftp_answer **ret, struct sp_err *e)
{
    struct sp_sftp_answer *more;
    size_t i;

    for (i = 0; i < l->nanswers; i++) {
        if (l->answers[i].method == m && strcmp(l->answers[i].what, what) == 0) {
            *ret = &l->answers[i];
            return SP_OK;
        }
    }
    if (l->nanswers == ANSWERS_MOST)
        return sp_fail(e, SP_PROTOCOL, SP_DOM_NET, "the server asks for too much");
    if ((more = realloc(l->answers, (l->nanswers + 1) * sizeof(*more))) == NULL)
        return sp_fail_nomem(e);
    l->answers = more;
    memset(&more[l->nanswers], 0, sizeof(*more));
    more[l->nanswers].method = m;
    if ((more[l->nanswers].what = strdup(what)) == NULL)
        return sp_fail_nomem(e);
    *ret = &more[l->nanswers++];
    return SP_OK;
}

/* The account's one password answers the first question for one only: a second, other question (a
 * code of this minute) is for a person. */
static bool
is_second_question(const struct sp_sftp_login *l, const struct sp_sftp_answer *a)
{
    size_t i;

    for (i = 0; i < l->nanswers; i++)
        if (&l->answers[i] != a && l->answers[i].used && l->answers[i].method == SP_SSH_PASSWORD)
            return a->method == SP_SSH_PASSWORD;
    return false;
}

static const char *
file_of(const struct sp_sftp_login *l, enum sp_sftp_source source, enum sp_ssh_method m)
{
    const struct sp_sftp_settings *s = source == SP_SFTP_SAID        ? &l->said
                                       : source == SP_SFTP_KEPT_FILE ? &l->kept
                                                                     : &l->configured;

    return m == SP_SSH_KEY ? s->passphrase_file : s->password_file;
}

static const char *
kept(const struct sp_sftp_login *l, enum sp_ssh_method m)
{
    if (m == SP_SSH_KEY)
        return l->not_kept_passphrase ? NULL : l->kept_passphrase;
    return l->not_kept_password ? NULL : l->kept_password;
}

static bool
can_ask(const struct sp_sftp_login *l)
{
    const struct sp_sftp_asker *asker = &l->from.asker;

    return !l->connected && asker->can != NULL && asker->can(asker->arg);
}

/* SP_ABSENT: this source has nothing. */
static enum sp_code
take(struct sp_sftp_login *l, struct sp_sftp_answer *a, enum sp_sftp_source source,
    struct sp_buf *value, struct sp_err *e)
{
    const struct sp_sftp_asker *asker = &l->from.asker;
    const char *from = NULL;
    char what[440];
    enum sp_code rc;

    switch (source) {
    case SP_SFTP_REMEMBERED:
        if (!a->good)
            return SP_ABSENT;
        sp_buf_put(value, a->value.data, a->value.len);
        return sp_buf_ok(value, e);
    case SP_SFTP_SAID:
    case SP_SFTP_KEPT_FILE:
    case SP_SFTP_CONFIGURED:
        from = file_of(l, source, a->method);
        if (from == NULL || is_second_question(l, a))
            return SP_ABSENT;
        rc = asker->file(asker->arg, from, value, e);
        if (rc != SP_OK) { /* somebody named it: no other source is tried in silence */
            e->code = rc = rc == SP_ABSENT ? SP_INVALID : rc;
            e->domain = SP_DOM_CONFIG;
        }
        return rc;
    case SP_SFTP_KEPT:
        if ((from = kept(l, a->method)) == NULL || is_second_question(l, a))
            return SP_ABSENT;
        sp_buf_put_str(value, from);
        return sp_buf_ok(value, e);
    default:
        if (!can_ask(l)) {
            l->lacked |= a->method;
            l->wrong |= a->used ? a->method : 0;
            return SP_ABSENT;
        }
        (void)snprintf(what, sizeof(what), "%s%.400s",
            source > SP_SFTP_TYPED ? "that was not right; " : "", a->what);
        return asker->secret(asker->arg, what, value, e);
    }
}

enum sp_code
sftp_login_secret(
    void *arg, enum sp_ssh_method m, const char *what, struct sp_buf *secret, struct sp_err *e)
{
    struct sp_sftp_login *l = arg;
    struct sp_sftp_answer *a = NULL;
    struct sp_buf value = SP_BUF_INIT;
    enum sp_code rc;

    if ((rc = answer_of(l, m, what, &a, e)) != SP_OK)
        return rc;
    for (rc = SP_ABSENT; rc == SP_ABSENT && a->next < SP_SFTP_NOWHERE; a->next++) {
        rc = take(l, a, a->next, &value, e);
        if (rc == SP_OK && a->next != SP_SFTP_REMEMBERED) {
            a->source = a->next;
            a->good = false;
        }
    }
    if (rc == SP_ABSENT) /* every source was tried */
        rc = sp_fail(e, SP_CANCELLED, SP_DOM_CONFIG, "nothing answers: %.200s", what);
    if (rc == SP_OK) {
        sp_buf_put(secret, value.data, value.len);
        rc = sp_buf_ok(secret, e);
    }
    if (rc == SP_OK) {
        sp_buf_wipe(&a->value);
        a->value = value;
        a->used = true;
    } else {
        sp_buf_wipe(&value);
    }
    return rc;
}

void
sftp_login_begin(struct sp_sftp_login *l)
{
    size_t i;

    l->lacked = l->wrong = 0;
    for (i = 0; i < l->nanswers; i++) {
        l->answers[i].next = SP_SFTP_REMEMBERED;
        l->answers[i].used = false;
    }
}

void
sftp_login_ended(struct sp_sftp_login *l, bool well)
{
    size_t i;

    for (i = 0; i < l->nanswers; i++) {
        struct sp_sftp_answer *a = &l->answers[i];

        if (well && a->used)
            a->good = true;
        else if (!a->good)
            sp_buf_wipe(&a->value);
    }
}

void
sftp_login_tell_lack(const struct sp_sftp_login *l, struct sp_err *e)
{
    size_t n = strlen(e->text);
    bool key = (l->lacked & SP_SSH_KEY) != 0;

    if (l->lacked == 0 || l->connected)
        return;
    if ((l->wrong & (key ? SP_SSH_KEY : SP_SSH_PASSWORD)) != 0) {
        (void)snprintf(e->text + n, sizeof(e->text) - n,
            "; the %s that a file gave, or that is kept, was wrong: give --sftp-%s-file FILE, or "
            "keep another with 'stillpoint login -r %.150s --sftp-keep-%s'",
            key ? "passphrase" : "password", key ? "passphrase" : "password", l->from.address,
            key ? "passphrase" : "password");
        return;
    }
    (void)snprintf(e->text + n, sizeof(e->text) - n,
        "; %s is needed, and there is no terminal to ask for it: give --sftp-%s-file FILE, or keep "
        "it with 'stillpoint login -r %.150s --sftp-keep-%s'",
        key ? "a key's passphrase" : "the password, or another login,",
        key ? "passphrase" : "password", l->from.address, key ? "passphrase" : "password");
}

void
sftp_login_forget(struct sp_sftp_login *l)
{
    size_t i;

    for (i = 0; i < l->nanswers; i++) {
        sp_buf_wipe(&l->answers[i].value);
        free(l->answers[i].what);
    }
    free(l->answers);
    l->answers = NULL;
    l->nanswers = 0;
}
