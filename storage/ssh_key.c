/* Private keys in files, and untrusted words in sentences: see ssh_impl.h. */

#include "storage/ssh_impl.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/path.h"
#include "base/text.h"

#define KEY_MAX ((size_t)64 << 10)

void
sp_ssh_show(const void *text, size_t n, char *to, size_t cap)
{
    struct sp_buf b = SP_BUF_INIT;
    const char *s = text;
    size_t len;

    while (n > 0 && (s[n - 1] == '\n' || s[n - 1] == '\r' || s[n - 1] == ' '))
        n--;
    sp_path_show(text, n < cap ? n : cap, &b);
    len = b.failed ? 0 : b.len < cap ? b.len : cap - 1;
    if (len > 0)
        memcpy(to, b.data, len);
    to[len] = '\0';
    sp_buf_free(&b);
}

enum sp_code
sp_ssh_key_read(const char *path, struct sp_buf *ret, struct sp_err *e)
{
    uint8_t part[4096];
    FILE *f = NULL;
    size_t n;
    enum sp_code rc;

    if ((rc = sp_os_stream(path, &f, e)) != SP_OK)
        return rc;
    (void)setvbuf(f, NULL, _IONBF, 0); /* no copy of the key in the stream's buffer */
    while ((n = fread(part, 1, sizeof(part), f)) > 0 && ret->len <= KEY_MAX) {
        sp_buf_reserve(
            ret, ret->cap == 0 ? KEY_MAX + sizeof(part) : n); /* never moved, no remains */
        sp_buf_put(ret, part, n);
    }
    if (ferror(f))
        rc = sp_fail_os(e, SP_DOM_CONFIG, errno, "cannot read the key %s", path);
    else if (ret->len > KEY_MAX)
        rc = sp_fail(e, SP_INVALID, SP_DOM_CONFIG, "%s is too large for a private key", path);
    else
        rc = sp_buf_ok(ret, e);
    sp_wipe(part, sizeof(part));
    (void)fclose(f);
    return rc;
}

/* One character of base64; -1: none. */
static int
base64_digit(char c)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *at = c != '\0' ? strchr(digits, c) : NULL;

    return at != NULL ? (int)(at - digits) : -1;
}

bool
sp_ssh_base64(const char *s, size_t n, struct sp_buf *ret)
{
    uint32_t bits = 0;
    unsigned have = 0;
    size_t i;

    for (i = 0; i < n && s[i] != '='; i++) {
        int d;

        if (s[i] == '\n' || s[i] == '\r')
            continue;
        if ((d = base64_digit(s[i])) < 0)
            return false;
        bits = bits << 6 | (uint32_t)d;
        have += 6;
        if (have >= 8) {
            have -= 8;
            sp_buf_put_u8(ret, (uint8_t)(bits >> have));
            bits &= (1u << have) - 1;
        }
    }
    for (; i < n; i++)
        if (s[i] != '=' && s[i] != '\n' && s[i] != '\r')
            return false;
    return bits == 0 && !ret->failed;
}

static const char *
find(const struct sp_buf *in, const char *what)
{
    size_t n = strlen(what);

    for (size_t i = 0; i + n <= in->len; i++)
        if (memcmp(in->data + i, what, n) == 0)
            return (const char *)in->data + i;
    return NULL;
}

/* OpenSSH's own form says in its head how it is encrypted (PROTOCOL.key); the others say so in
 * words. */
bool
sp_ssh_key_encrypted(const struct sp_buf *key)
{
    static const char begin[] = "-----BEGIN OPENSSH PRIVATE KEY-----";
    static const char none[] = "openssh-key-v1\0\0\0\0\4none";
    struct sp_buf head = SP_BUF_INIT;
    const char *at = find(key, begin);
    bool encrypted;

    if (at == NULL)
        return find(key, "ENCRYPTED") != NULL;
    at += sizeof(begin) - 1;
    while (at < (const char *)key->data + key->len && (*at == '\r' || *at == '\n'))
        at++;
    if ((const char *)key->data + key->len - at < 32)
        return false;
    (void)sp_ssh_base64(at, 32, &head); /* 24 bytes */
    encrypted = head.len < 23 || memcmp(head.data, none, 23) != 0;
    sp_buf_wipe(&head);
    return encrypted;
}
