/* The SSH session by libssh2, never waiting: see ssh_impl.h. This file and
 * ssh_libssh2_login.c know libssh2.
 *
 * libssh2 sees the socket through two callbacks. Sending into them never says "again": what is sent
 * waits in the socket's own buffer, whose size the pump looks after. So no packet of libssh2 is
 * ever left half sent, a state in which it demands that exactly the same call comes next. */

#include "storage/ssh_libssh2.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "storage/ssh_agent.h"

/* The window decides how much is on its way at once: at 100 ms and 1 Gbit/s that is 12 MB. libssh2
 * tops it up when a quarter is used. */
#define WINDOW (16u << 20)
#define PACKET 32768u
#define KEEPALIVE_S 15u

#define MODERN_KEX                                                                                 \
    "curve25519-sha256,curve25519-sha256@libssh.org,ecdh-sha2-nistp256,ecdh-sha2-nistp384,"        \
    "ecdh-sha2-nistp521,diffie-hellman-group16-sha512,diffie-hellman-group18-sha512,"              \
    "diffie-hellman-group14-sha256"
#define MODERN_KEYS                                                                                \
    "ssh-ed25519,ecdsa-sha2-nistp256,ecdsa-sha2-nistp384,ecdsa-sha2-nistp521,rsa-sha2-512,"        \
    "rsa-sha2-256"
#define MODERN_CIPHERS                                                                             \
    "aes256-gcm@openssh.com,aes128-gcm@openssh.com,chacha20-poly1305@openssh.com,aes256-ctr,"      \
    "aes192-ctr,aes128-ctr"
#define MODERN_MACS                                                                                \
    "hmac-sha2-256-etm@openssh.com,hmac-sha2-512-etm@openssh.com,hmac-sha2-256,hmac-sha2-512"
#define OLD_KEX                                                                                    \
    ",diffie-hellman-group-exchange-sha256,diffie-hellman-group14-sha1,"                           \
    "diffie-hellman-group-exchange-sha1,diffie-hellman-group1-sha1"
#define OLD_KEYS ",ssh-rsa,ssh-dss"
#define OLD_CIPHERS ",aes256-cbc,aes192-cbc,aes128-cbc,3des-cbc"
#define OLD_MACS ",hmac-sha1-etm@openssh.com,hmac-sha1"

/* --- memory: while there are secrets about, none is given back as it is ---------------------- */

/* An allocator of our own only where libssh2 gives back to it all that it took from it: with our
 * patches (cmake/libraries/patches/libssh2). Others wipe what they themselves take for secret. */
#ifdef SP_LIBSSH2_PATCHED
static const bool own_memory = true;
#else
static const bool own_memory = false;
#endif
/* libssh2 queues packets of kinds that nobody waits for: a hostile server ends here. */
#define MEMORY_MAX ((size_t)64 << 20)

static LIBSSH2_ALLOC_FUNC(wire_alloc)
{
    struct sp_ssh_wire *w = *abstract;
    struct piece *p;

    if (count > MEMORY_MAX - w->memory || (p = malloc(sizeof(*p) + count)) == NULL) {
        w->starved = true;
        return NULL;
    }
    w->memory += count;
    p->n = count;
    p->before = &w->pieces;
    p->after = w->pieces.after;
    p->before->after = p->after->before = p;
    return p + 1;
}

static LIBSSH2_FREE_FUNC(wire_free)
{
    struct sp_ssh_wire *w = *abstract;
    struct piece *p = ptr;

    if (p == NULL)
        return;
    p--;
    p->before->after = p->after;
    p->after->before = p->before;
    w->memory -= p->n;
    if (w->wiping)
        sp_wipe(p + 1, p->n);
    free(p);
}

static LIBSSH2_REALLOC_FUNC(wire_realloc)
{
    void *to = wire_alloc(count, abstract);
    size_t n;

    if (to == NULL || ptr == NULL)
        return to;
    n = ((struct piece *)ptr - 1)->n;
    memcpy(to, ptr, n < count ? n : count);
    wire_free(ptr, abstract);
    return to;
}

void *
sp_ssh_wire_alloc(struct sp_ssh_wire *w, size_t n)
{
    void *self = w;

    return own_memory ? wire_alloc(n, &self) : malloc(n);
}

/* --- the callbacks ------------------------------------------------------------------------- */

/* libssh2 sends NEWKEYS when it has found the signature to be right, and not before: the first one
 * goes in the open, a packet of four bytes length, one of padding, then the type (RFC 4253, 6 and
 * 7.3). libssh2 itself gives one number for all that a key exchange can fail at. */
static void
watch(struct sp_ssh_wire *w, const uint8_t *p, size_t n)
{
    enum { TYPE_AT = 5, NEWKEYS = 21 };

    if (n > TYPE_AT && p[TYPE_AT] == NEWKEYS)
        w->proven = true;
}

static LIBSSH2_SEND_FUNC(wire_send)
{
    struct sp_ssh_wire *w = *abstract;

    if ((uintptr_t)socket != sp_ssh_socket_fd(w->socket)) /* libssh2 speaks so to the agent too */
        return sp_ssh_agent_send((intptr_t)socket, buffer, length);
    (void)flags;
    if (w->mute || sp_ssh_socket_send(w->socket, buffer, length) < 0) {
        w->ended = true;
        return -ECONNRESET;
    }
    if (!w->proven)
        watch(w, buffer, length);
    return (ssize_t)length;
}

static LIBSSH2_RECV_FUNC(wire_recv)
{
    struct sp_ssh_wire *w = *abstract;
    ssize_t n;

    if ((uintptr_t)socket != sp_ssh_socket_fd(w->socket))
        return sp_ssh_agent_recv((intptr_t)socket, buffer, length);
    (void)flags;
    if (w->mute)
        return -ECONNRESET;
    n = sp_ssh_socket_recv(w->socket, buffer, length);
    if (n == 0 || n == -1)
        w->ended = true;
    return n == -1 ? -ECONNRESET : n;
}

static LIBSSH2_DISCONNECT_FUNC(wire_disconnected)
{
    struct sp_ssh_wire *w = *abstract;

    (void)session;
    (void)reason;
    (void)language;
    (void)language_len;
    w->goodbye = true;
    if (message != NULL && message_len > 0)
        sp_ssh_show(message, (size_t)message_len, w->farewell, sizeof(w->farewell));
    if (w->farewell[0] == '\0')
        (void)snprintf(w->farewell, sizeof(w->farewell), "goodbye, without a reason");
}

/* Before 1.11.1 libssh2 took functions as pointers to data, which C does not say how to make. */
static void
set_callback(LIBSSH2_SESSION *session, int which, void (*f)(void))
{
#if LIBSSH2_VERSION_NUM >= 0x010b01
    libssh2_session_callback_set2(session, which, (libssh2_cb_generic *)f);
#else
    void *data;

    memcpy(&data, &f, sizeof(data));
    libssh2_session_callback_set(session, which, data);
#endif
}

/* --- beginning and end --------------------------------------------------------------------- */

static bool
prefer(struct sp_ssh_wire *w, int method, const char *modern, const char *old, bool with_old)
{
    char all[1024];

    (void)snprintf(all, sizeof(all), "%s%s", modern, with_old ? old : "");
    return libssh2_session_method_pref(w->session, method, all) == 0;
}

static bool
prefer_all(struct sp_ssh_wire *w, const char *key_types, bool old)
{
    return prefer(w, LIBSSH2_METHOD_KEX, MODERN_KEX, OLD_KEX, old) &&
           prefer(w, LIBSSH2_METHOD_HOSTKEY, key_types != NULL ? key_types : MODERN_KEYS, OLD_KEYS,
               old) &&
           prefer(w, LIBSSH2_METHOD_CRYPT_CS, MODERN_CIPHERS, OLD_CIPHERS, old) &&
           prefer(w, LIBSSH2_METHOD_CRYPT_SC, MODERN_CIPHERS, OLD_CIPHERS, old) &&
           prefer(w, LIBSSH2_METHOD_MAC_CS, MODERN_MACS, OLD_MACS, old) &&
           prefer(w, LIBSSH2_METHOD_MAC_SC, MODERN_MACS, OLD_MACS, old);
}

enum sp_code
sp_ssh_wire_new(struct sp_ssh_socket *socket, const char *key_types, const struct sp_ssh_options *o,
    struct sp_ssh_wire **ret, struct sp_err *e)
{
    struct sp_ssh_wire *w = calloc(1, sizeof(*w));

    if (w == NULL)
        return sp_fail_nomem(e);
    w->socket = socket;
    w->wiping = true;
    w->pieces.before = w->pieces.after = &w->pieces;
    w->session = own_memory ? libssh2_session_init_ex(wire_alloc, wire_free, wire_realloc, w)
                            : libssh2_session_init_ex(NULL, NULL, NULL, w);
    if (w->session == NULL) {
        free(w);
        return sp_fail_nomem(e);
    }
    set_callback(w->session, LIBSSH2_CALLBACK_SEND, (void (*)(void))wire_send);
    set_callback(w->session, LIBSSH2_CALLBACK_RECV, (void (*)(void))wire_recv);
    set_callback(w->session, LIBSSH2_CALLBACK_DISCONNECT, (void (*)(void))wire_disconnected);
    libssh2_session_set_blocking(w->session, 0);
    libssh2_keepalive_config(w->session, 0, KEEPALIVE_S);
    (void)libssh2_session_flag(w->session, LIBSSH2_FLAG_COMPRESS, o->compress);
    if (!prefer_all(w, key_types, o->old_algorithms)) {
        sp_ssh_wire_free(w);
        return sp_fail(e, SP_UNSUPPORTED, SP_DOM_CONFIG,
            "%s on this machine knows none of the SSH algorithms that are allowed here",
            sp_ssh_library());
    }
    *ret = w;
    return SP_OK;
}

void
sp_ssh_wire_free(struct sp_ssh_wire *w)
{
    if (w == NULL)
        return;
    w->wiping = true;
    if (w->agent != NULL) {
        (void)libssh2_agent_disconnect(w->agent);
        libssh2_agent_free(w->agent);
    }
    (void)libssh2_session_disconnect(w->session, "done");
    w->mute = true; /* nothing may wait for an answer any more */
    while (libssh2_session_free(w->session) == LIBSSH2_ERROR_EAGAIN)
        ;
    while (w->pieces.after != &w->pieces) {
        void *self = w;

        wire_free(w->pieces.after + 1, &self);
    }
    free(w);
}

int
sp_ssh_wire_result(struct sp_ssh_wire *w, int rc)
{
    if (rc == 0)
        return SP_SSH_DONE;
    if (rc == LIBSSH2_ERROR_EAGAIN)
        return SP_SSH_AGAIN;
    w->last = rc;
    return SP_SSH_FAILED;
}

int
sp_ssh_wire_handshake(struct sp_ssh_wire *w)
{
    libssh2_socket_t fd = (libssh2_socket_t)sp_ssh_socket_fd(w->socket);

    return sp_ssh_wire_result(w, libssh2_session_handshake(w->session, fd));
}

struct sp_span
sp_ssh_wire_hostkey(struct sp_ssh_wire *w)
{
    struct sp_span key = {NULL, 0};
    int type;

    key.p = (const void *)libssh2_session_hostkey(w->session, &key.n, &type);
    return key;
}

void
sp_ssh_wire_logged_in(struct sp_ssh_wire *w)
{
    if (w->agent != NULL) {
        (void)libssh2_agent_disconnect(w->agent);
        libssh2_agent_free(w->agent);
        w->agent = NULL;
    }
    w->wiping = false;
}

/* --- the channel --------------------------------------------------------------------------- */

int
sp_ssh_wire_channel(struct sp_ssh_wire *w)
{
    if (w->channel == NULL) {
        w->channel = libssh2_channel_open_ex(
            w->session, "session", sizeof("session") - 1, WINDOW, PACKET, NULL, 0);
        if (w->channel == NULL)
            return sp_ssh_wire_result(w, libssh2_session_last_errno(w->session));
        /* What the server's program says on its standard error is for nobody. */
        (void)libssh2_channel_handle_extended_data2(
            w->channel, LIBSSH2_CHANNEL_EXTENDED_DATA_IGNORE);
    }
    return sp_ssh_wire_result(w, libssh2_channel_subsystem(w->channel, "sftp"));
}

ssize_t
sp_ssh_wire_read(struct sp_ssh_wire *w, void *to, size_t n)
{
    ssize_t got = libssh2_channel_read_ex(w->channel, 0, to, n);

    if (got == LIBSSH2_ERROR_EAGAIN)
        return -EAGAIN;
    if (got < 0)
        return sp_ssh_wire_result(w, (int)got);
    return got > 0 || libssh2_channel_eof(w->channel) ? got : -EAGAIN;
}

ssize_t
sp_ssh_wire_write(struct sp_ssh_wire *w, const void *p, size_t n)
{
    ssize_t put = libssh2_channel_write_ex(w->channel, 0, p, n);

    if (put == LIBSSH2_ERROR_EAGAIN || put == 0)
        return -EAGAIN;
    return put < 0 ? sp_ssh_wire_result(w, (int)put) : put;
}

int
sp_ssh_wire_keepalive(struct sp_ssh_wire *w)
{
    int next;

    return sp_ssh_wire_result(w, libssh2_keepalive_send(w->session, &next));
}

/* --- what it says -------------------------------------------------------------------------- */

/* One number of libssh2 for whatever a key exchange failed at, once both had agreed how: a
 * signature that is wrong is one of a reply that came, with a key, and was not followed by NEWKEYS.
 */
static enum sp_ssh_fault
exchange_fault(const struct sp_ssh_wire *w)
{
    size_t n = 0;
    int type;

    if (w->goodbye)
        return SP_SSH_F_LOST;
    if (w->starved)
        return SP_SSH_F_NOMEM;
    if (w->proven || libssh2_session_hostkey(w->session, &n, &type) == NULL)
        return SP_SSH_F_OTHER;
    return SP_SSH_F_SIGNATURE;
}

enum sp_ssh_fault
sp_ssh_wire_fault(const struct sp_ssh_wire *w)
{
    /* It asks for no further bytes of what came whole, and it does not go on without what it asked
     * for. For what waited it may have any number: a login's "not verified", a key exchange's one.
     */
    if (w->ended)
        return SP_SSH_F_LOST;
    switch (w->last) {
    case LIBSSH2_ERROR_SOCKET_NONE:
    case LIBSSH2_ERROR_SOCKET_SEND:
    case LIBSSH2_ERROR_SOCKET_RECV:
    case LIBSSH2_ERROR_SOCKET_DISCONNECT:
    case LIBSSH2_ERROR_BANNER_RECV:
    case LIBSSH2_ERROR_BANNER_SEND:
    case LIBSSH2_ERROR_CHANNEL_CLOSED:
        return SP_SSH_F_LOST;
    case LIBSSH2_ERROR_KEX_FAILURE:
    case LIBSSH2_ERROR_METHOD_NONE:
        return SP_SSH_F_COMMON;
    case LIBSSH2_ERROR_AUTHENTICATION_FAILED:
    case LIBSSH2_ERROR_PUBLICKEY_UNVERIFIED:
    case LIBSSH2_ERROR_CHANNEL_FAILURE:
    case LIBSSH2_ERROR_CHANNEL_REQUEST_DENIED:
        return SP_SSH_F_REFUSED;
    case LIBSSH2_ERROR_PASSWORD_EXPIRED:
        return SP_SSH_F_EXPIRED;
    case LIBSSH2_ERROR_FILE:
    case LIBSSH2_ERROR_KEYFILE_AUTH_FAILED:
        return SP_SSH_F_KEYFILE;
    case LIBSSH2_ERROR_HOSTKEY_INIT:
    case LIBSSH2_ERROR_HOSTKEY_SIGN:
    case LIBSSH2_ERROR_KEY_EXCHANGE_FAILURE:
        return exchange_fault(w);
    case LIBSSH2_ERROR_ALLOC:
        return SP_SSH_F_NOMEM;
    default:
        return SP_SSH_F_OTHER;
    }
}

const char *
sp_ssh_wire_words(struct sp_ssh_wire *w)
{
    char *text = NULL;
    int n = 0;

    (void)libssh2_session_last_error(w->session, &text, &n, 0);
    sp_ssh_show(text, text != NULL && n > 0 ? (size_t)n : 0, w->words, sizeof(w->words) - 16);
    (void)snprintf(w->words + strlen(w->words), 16, " (%d)", w->last);
    return w->words;
}

const char *
sp_ssh_wire_farewell(const struct sp_ssh_wire *w)
{
    return w->farewell;
}

static const char *
method(struct sp_ssh_wire *w, int which)
{
    const char *s = libssh2_session_methods(w->session, which);

    return s != NULL ? s : "";
}

void
sp_ssh_wire_facts(struct sp_ssh_wire *w, struct sp_ssh_facts *f)
{
    const char *banner = libssh2_session_banner_get(w->session);
    char crypt[64], kex[64];

    sp_ssh_show(banner, banner != NULL ? strlen(banner) : 0, f->greeting, sizeof(f->greeting));
    (void)snprintf(crypt, sizeof(crypt), "%s", method(w, LIBSSH2_METHOD_CRYPT_CS));
    (void)snprintf(kex, sizeof(kex), "%s", method(w, LIBSSH2_METHOD_KEX));
    (void)snprintf(f->algorithms, sizeof(f->algorithms), "%s, %s", crypt, kex);
}

const char *
sp_ssh_library(void)
{
    return "libssh2 " LIBSSH2_VERSION;
}
