/* Logging in with libssh2: see ssh_impl.h. */

#include "storage/ssh_libssh2.h"

#include <string.h>

#define QUESTIONS_MAX 32u /* of keyboard-interactive, in all */

int
sp_ssh_wire_methods(struct sp_ssh_wire *w, const char *user, const char **ret)
{
    char *list = libssh2_userauth_list(w->session, user, (unsigned int)strlen(user));

    if (list == NULL && !libssh2_userauth_authenticated(w->session))
        return sp_ssh_wire_result(w, libssh2_session_last_errno(w->session));
    *ret = list;
    return SP_SSH_DONE;
}

int
sp_ssh_wire_password(struct sp_ssh_wire *w, const char *user, const char *password)
{
    return sp_ssh_wire_result(
        w, libssh2_userauth_password_ex(w->session, user, (unsigned int)strlen(user), password,
               (unsigned int)strlen(password), NULL));
}

int
sp_ssh_wire_key(
    struct sp_ssh_wire *w, const char *user, const struct sp_buf *key, const char *passphrase)
{
    return sp_ssh_wire_result(
        w, libssh2_userauth_publickey_frommemory(w->session, user, strlen(user), NULL, 0,
               (const char *)key->data, key->len, passphrase != NULL ? passphrase : ""));
}

int
sp_ssh_wire_agent(struct sp_ssh_wire *w)
{
    int rc;

    w->identity = NULL;
    if (w->agent == NULL && (w->agent = libssh2_agent_init(w->session)) == NULL)
        return sp_ssh_wire_result(w, LIBSSH2_ERROR_ALLOC);
    if ((rc = libssh2_agent_connect(w->agent)) == 0)
        rc = libssh2_agent_list_identities(w->agent);
    return sp_ssh_wire_result(w, rc);
}

bool
sp_ssh_wire_agent_next(struct sp_ssh_wire *w, const char **ret_name)
{
    if (libssh2_agent_get_identity(w->agent, &w->identity, w->identity) != 0)
        return false;
    *ret_name = w->identity->comment != NULL ? w->identity->comment : "";
    return true;
}

int
sp_ssh_wire_agent_login(struct sp_ssh_wire *w, const char *user)
{
    return sp_ssh_wire_result(w, libssh2_agent_userauth(w->agent, user, w->identity));
}

/* The text must come from the session's own memory, which gives it back. */
static void
give(struct sp_ssh_wire *w, struct sp_buf *secret, LIBSSH2_USERAUTH_KBDINT_RESPONSE *r)
{
    r->text = NULL;
    r->length = 0;
    if (secret->len > 0)
        r->text = sp_ssh_wire_alloc(w, secret->len);
    if (r->text != NULL) {
        memcpy(r->text, secret->data, secret->len);
        r->length = (unsigned int)secret->len;
    }
}

static LIBSSH2_USERAUTH_KBDINT_RESPONSE_FUNC(on_questions)
{
    struct sp_ssh_wire *w = *abstract;

    (void)name;
    (void)name_len;
    (void)instruction;
    (void)instruction_len;
    for (int i = 0; i < num_prompts; i++) {
        struct sp_buf secret = SP_BUF_INIT;
        char shown[200];

        sp_ssh_show(prompts[i].text, prompts[i].length, shown, sizeof(shown));
        if (w->questions < QUESTIONS_MAX) {
            w->questions++;
            if (!w->answers->answer(w->answers->arg, shown, &secret))
                w->questions = QUESTIONS_MAX; /* no further ones */
        }
        give(w, &secret, &responses[i]);
        sp_buf_wipe(&secret);
    }
}

int
sp_ssh_wire_keyboard(struct sp_ssh_wire *w, const char *user, const struct sp_ssh_answers *a)
{
    w->answers = a;
    return sp_ssh_wire_result(w, libssh2_userauth_keyboard_interactive_ex(
                                     w->session, user, (unsigned int)strlen(user), on_questions));
}
