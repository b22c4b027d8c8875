#include "vss/vmware.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/fold.h"
#include "base/text.h"
#include "base/utf.h"

void
sp_vmware_clear(struct sp_vmware *v)
{
    free(v->name);
    free(v->tools);
    for (size_t i = 0; i < v->nfiles; i++)
        free(v->files[i].name);
    free(v->files);
    *v = (struct sp_vmware){0};
}

/* --- what was found --------------------------------------------------------------------------- */

static bool
is(const char *p, size_t n, const char *word)
{
    return sp_fold_equal(p, n, word, strlen(word));
}

static bool
ends(const char *p, size_t n, const char *word)
{
    size_t m = strlen(word);

    return n >= m && is(p + n - m, m, word);
}

static enum sp_code
add_file(struct sp_vmware *v, enum sp_vmware_part part, bool optional, const char *name, size_t n,
    struct sp_err *e)
{
    struct sp_vmware_file *more = v->files;

    if (n == 0)
        return SP_OK;
    for (size_t i = 0; i < v->nfiles; i++)
        if (strlen(v->files[i].name) == n && memcmp(v->files[i].name, name, n) == 0)
            return SP_OK;
    if (v->nfiles == SP_VMWARE_FILES_MAX) {
        v->more = true;
        return SP_OK;
    }
    if ((v->nfiles & (v->nfiles - 1)) == 0)
        more = realloc(v->files, (v->nfiles == 0 ? 1 : 2 * v->nfiles) * sizeof *more);
    if (more == NULL)
        return sp_fail_nomem(e);
    v->files = more;
    more[v->nfiles] =
        (struct sp_vmware_file){.part = part, .optional = optional, .name = sp_text_copy(name, n)};
    if (more[v->nfiles].name == NULL)
        return sp_fail_nomem(e);
    v->nfiles++;
    return SP_OK;
}

/* The memory of a state lies in a file of its own beside it, mostly. */
static enum sp_code
add_state(struct sp_vmware *v, const char *name, size_t n, struct sp_err *e)
{
    struct sp_buf memory = SP_BUF_INIT;
    enum sp_code rc = add_file(v, SP_VMWARE_STATE, false, name, n, e);

    if (rc == SP_OK && (ends(name, n, ".vmss") || ends(name, n, ".vmsn"))) {
        sp_buf_put(&memory, name, n - 5);
        sp_buf_put_str(&memory, ".vmem");
        if ((rc = sp_buf_ok(&memory, e)) == SP_OK)
            rc = add_file(v, SP_VMWARE_STATE, true, (const char *)memory.data, memory.len, e);
    }
    sp_buf_free(&memory);
    return rc;
}

static enum sp_code
replace(char **to, const char *p, size_t n, struct sp_err *e)
{
    char *copy = sp_text_copy(p, n);

    if (copy == NULL)
        return sp_fail_nomem(e);
    free(*to);
    *to = copy;
    return SP_OK;
}

/* --- lines ------------------------------------------------------------------------------------ */

struct lines {
    const char *p;
    size_t left;
};

static bool
is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static bool
next_line(struct lines *l, const char **ret, size_t *ret_n)
{
    const char *p = l->p, *end;
    size_t n;

    if (l->left == 0)
        return false;
    end = memchr(p, '\n', l->left);
    n = end != NULL ? (size_t)(end - p) : l->left;
    l->p += n + (end != NULL);
    l->left -= n + (end != NULL);
    while (n > 0 && is_space(*p))
        p++, n--;
    while (n > 0 && is_space(p[n - 1]))
        n--;
    *ret = p;
    *ret_n = n;
    return true;
}

static int
digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                  : -1;
}

/* What stands between quotes: "|22" is a quote. Where it is no UTF-8 it is in the code page of the
 * host, of which
 * ".encoding" tells; Latin letters are where ISO 8859-1 has them in most. A NUL ends it. */
static void
put_value(struct sp_buf *b, const char *p, size_t n)
{
    uint32_t c;
    size_t len;

    while (n > 0) {
        if (*p == '|' && n >= 3 && digit(p[1]) >= 0 && digit(p[2]) >= 0) {
            c = (uint32_t)(digit(p[1]) * 16 + digit(p[2]));
            len = 3;
            sp_buf_put_u8(b, (uint8_t)c);
        } else if ((len = sp_utf8_next((const uint8_t *)p, n, true, &c)) > 0) {
            sp_buf_put(b, p, len);
        } else {
            len = 1;
            sp_buf_put_u8(b, (uint8_t)(0xc0 | (uint8_t)*p >> 6));
            sp_buf_put_u8(b, (uint8_t)(0x80 | ((uint8_t)*p & 0x3f)));
        }
        p += len;
        n -= len;
    }
}

struct setting {
    const char *key;
    size_t key_len;
    struct sp_buf value;
    const char *v; /* of it */
    size_t v_len;
};

/* key = "value"; false: the line says nothing of the kind. */
static bool
parse_setting(const char *p, size_t n, struct setting *ret)
{
    const char *equal = memchr(p, '=', n);
    size_t key_len = equal != NULL ? (size_t)(equal - p) : 0, value_len;
    const char *value;

    if (equal == NULL || n == 0 || *p == '#')
        return false;
    value = equal + 1;
    value_len = n - key_len - 1;
    while (key_len > 0 && is_space(p[key_len - 1]))
        key_len--;
    while (value_len > 0 && is_space(*value))
        value++, value_len--;
    if (value_len >= 2 && *value == '"' && value[value_len - 1] == '"') {
        value++;
        value_len -= 2;
    }
    sp_buf_reset(&ret->value);
    put_value(&ret->value, value, value_len);
    ret->key = p;
    ret->key_len = key_len;
    ret->v = sp_buf_str(&ret->value);
    ret->v_len = strlen(ret->v);
    return key_len > 0;
}

/* --- .vmx ------------------------------------------------------------------------------------- */

/* "scsi0:1.fileName" */
static bool
is_disk_key(const char *p, size_t n)
{
    static const char *const buses[] = {"scsi", "ide", "sata", "nvme"};

    for (size_t i = 0; i < sizeof buses / sizeof buses[0]; i++) {
        size_t m = strlen(buses[i]);

        if (n > m && is(p, m, buses[i]) && p[m] >= '0' && p[m] <= '9')
            return ends(p, n, ".filename");
    }
    return false;
}

static enum sp_code
take_setting(struct sp_vmware *v, const struct setting *s, bool *nvram, struct sp_err *e)
{
    /* A CD's image, a floppy or a device of the host under this key is no disk. */
    if (is_disk_key(s->key, s->key_len))
        return ends(s->v, s->v_len, ".vmdk") ? add_file(v, SP_VMWARE_DISK, false, s->v, s->v_len, e)
                                             : SP_OK;
    if (is(s->key, s->key_len, "displayName") && s->v_len > 0)
        return replace(&v->name, s->v, s->v_len, e);
    if (is(s->key, s->key_len, "nvram") && s->v_len > 0) {
        *nvram = true;
        return add_file(v, SP_VMWARE_OTHER, true, s->v, s->v_len, e);
    }
    if (is(s->key, s->key_len, "extendedConfigFile"))
        return add_file(v, SP_VMWARE_OTHER, true, s->v, s->v_len, e);
    if (is(s->key, s->key_len, "checkpoint.vmState") && s->v_len > 0) {
        v->suspended = true;
        return add_state(v, s->v, s->v_len, e);
    }
    /* open-vm-tools, services/plugins/guestInfo: published by Tools since 11.2 */
    if (is(s->key, s->key_len, "guestinfo.vmtools.versionString") && s->v_len > 0)
        return replace(&v->tools, s->v, s->v_len, e);
    return SP_OK;
}

static enum sp_code
add_named(struct sp_vmware *v, const char *base, const char *end, struct sp_err *e)
{
    struct sp_buf name = SP_BUF_INIT;
    enum sp_code rc;

    sp_buf_printf(&name, "%s%s", base, end);
    if ((rc = sp_buf_ok(&name, e)) == SP_OK)
        rc = add_file(v, SP_VMWARE_OTHER, true, (const char *)name.data, name.len, e);
    sp_buf_free(&name);
    return rc;
}

enum sp_code
sp_vmware_config(struct sp_vmware *v, const char *base, const void *p, size_t n, struct sp_err *e)
{
    struct lines l = {p, n};
    struct setting s = {.value = SP_BUF_INIT};
    const char *line;
    size_t len;
    bool nvram = false;
    enum sp_code rc = SP_OK;

    while (rc == SP_OK && next_line(&l, &line, &len))
        if (parse_setting(line, len, &s) && (rc = sp_buf_ok(&s.value, e)) == SP_OK)
            rc = take_setting(v, &s, &nvram, e);
    sp_buf_free(&s.value);
    if (rc == SP_OK && !nvram)
        rc = add_named(v, base, ".nvram", e);
    return rc == SP_OK ? add_named(v, base, ".vmsd", e) : rc;
}

/* --- .vmsd ------------------------------------------------------------------------------------ */

enum sp_code
sp_vmware_snapshots(struct sp_vmware *v, const void *p, size_t n, struct sp_err *e)
{
    struct lines l = {p, n};
    struct setting s = {.value = SP_BUF_INIT};
    const char *line;
    size_t len;
    enum sp_code rc = SP_OK;

    while (rc == SP_OK && next_line(&l, &line, &len)) {
        if (!parse_setting(line, len, &s) || (rc = sp_buf_ok(&s.value, e)) != SP_OK)
            continue;
        if (s.key_len < 9 || !is(s.key, 8, "snapshot") || !ends(s.key, s.key_len, ".filename"))
            continue;
        if (ends(s.v, s.v_len, ".vmdk")) /* snapshot0.disk0.fileName */
            rc = add_file(v, SP_VMWARE_DISK, false, s.v, s.v_len, e);
        else if (ends(s.v, s.v_len, ".vmsn")) /* snapshot0.filename */
            rc = add_state(v, s.v, s.v_len, e);
    }
    sp_buf_free(&s.value);
    return rc;
}

/* --- .vmdk ------------------------------------------------------------------------------------ */

/* A word, or what stands between quotes. */
static bool
next_word(const char **p, size_t *n, const char **ret, size_t *ret_n)
{
    const char *end;

    while (*n > 0 && is_space(**p))
        ++*p, --*n;
    if (*n == 0)
        return false;
    if (**p == '"') {
        ++*p, --*n;
        if ((end = memchr(*p, '"', *n)) == NULL)
            return false;
        *ret = *p;
        *ret_n = (size_t)(end - *p);
        *n -= *ret_n + 1;
        *p = end + 1;
        return true;
    }
    for (*ret = *p, *ret_n = 0; *n > 0 && !is_space(**p); ++*p, --*n)
        ++*ret_n;
    return true;
}

/* RW 4192256 SPARSE "disk-s001.vmdk" */
static enum sp_code
take_extent(struct sp_vmware *v, const char *p, size_t n, struct sp_err *e)
{
    struct sp_buf b = SP_BUF_INIT;
    const char *access, *size, *type, *name, *s;
    size_t access_n, size_n, type_n, name_n;
    bool device;
    enum sp_code rc;

    if (!next_word(&p, &n, &access, &access_n) ||
        (!is(access, access_n, "RW") && !is(access, access_n, "RDONLY") &&
            !is(access, access_n, "NOACCESS")) ||
        !next_word(&p, &n, &size, &size_n) || size[0] < '0' || size[0] > '9' ||
        !next_word(&p, &n, &type, &type_n) || !next_word(&p, &n, &name, &name_n))
        return SP_OK; /* ZERO has no file */
    put_value(&b, name, name_n);
    s = sp_buf_str(&b);
    device = strncmp(s, "\\\\.\\", 4) == 0 || strncmp(s, "/dev/", 5) == 0;
    if ((rc = sp_buf_ok(&b, e)) == SP_OK)
        rc = add_file(v, device ? SP_VMWARE_DEVICE : SP_VMWARE_EXTENT, false, s, strlen(s), e);
    sp_buf_free(&b);
    return rc;
}

/* Virtual Disk Format 5.0, "Hosted Sparse Extents": where a disk in one file has its descriptor. */
#define SECTOR 512
#define DESCRIPTOR_AT 28
#define DESCRIPTOR_LENGTH 36
#define HEADER_LENGTH 44

static struct lines
descriptor_of(const void *p, size_t n)
{
    static const char text[] = "# Disk DescriptorFile";
    struct lines l = {p, n};
    const char *end;

    if (n >= HEADER_LENGTH && memcmp(p, "KDMV", 4) == 0) {
        uint64_t at = sp_le64((const uint8_t *)p + DESCRIPTOR_AT);
        uint64_t len = sp_le64((const uint8_t *)p + DESCRIPTOR_LENGTH);

        if (at == 0 || at >= n / SECTOR)
            return (struct lines){0};
        l.p += at * SECTOR;
        l.left -= (size_t)at * SECTOR;
        if (len < l.left / SECTOR)
            l.left = (size_t)len * SECTOR;
        if (l.left > 0 && (end = memchr(l.p, '\0', l.left)) != NULL)
            l.left = (size_t)(end - l.p);
    }
    if (l.left < sizeof text - 1 || !is(l.p, sizeof text - 1, text))
        return (struct lines){0};
    return l;
}

enum sp_code
sp_vmware_disk(struct sp_vmware *v, const void *p, size_t n, struct sp_err *e)
{
    struct lines l = descriptor_of(p, n);
    struct setting s = {.value = SP_BUF_INIT};
    const char *line;
    size_t len;
    enum sp_code rc = SP_OK;

    while (rc == SP_OK && next_line(&l, &line, &len)) {
        if (len > 0 && parse_setting(line, len, &s) && is(s.key, s.key_len, "parentFileNameHint")) {
            if ((rc = sp_buf_ok(&s.value, e)) == SP_OK)
                rc = add_file(v, SP_VMWARE_DISK, false, s.v, s.v_len, e);
        } else {
            rc = take_extent(v, line, len, e);
        }
    }
    sp_buf_free(&s.value);
    return rc;
}

/* --- vmware.log ------------------------------------------------------------------------------- */

/* "TOOLS setting the tools version to '12389'": major, minor and base in bits, as
 * TOOLS_VERSION_TO_UINT of open-vm-tools' vm_tools_version.h has it; the largest number is of Tools
 * that the guest's own system cares for, and 0 of none. */
#define UNMANAGED 2147483647u

enum sp_code
sp_vmware_log(struct sp_vmware *v, const void *p, size_t n, struct sp_err *e)
{
    static const char mark[] = "TOOLS setting the tools version to '";
    const char *at = p, *end = n > 0 ? at + n : at;
    uint64_t last = 0;
    char text[64];

    while (at < end && (at = memchr(at, mark[0], (size_t)(end - at))) != NULL) {
        uint64_t number = 0;

        if ((size_t)(end - at) < sizeof mark - 1 || memcmp(at, mark, sizeof mark - 1) != 0) {
            at++;
            continue;
        }
        for (at += sizeof mark - 1; at < end && *at >= '0' && *at <= '9' && number <= UNMANAGED;
             at++)
            number = number * 10 + (uint64_t)(*at - '0');
        if (number > 0 && number <= UNMANAGED)
            last = number;
    }
    if (last == 0 || v->tools != NULL)
        return SP_OK;
    if (last == UNMANAGED)
        return replace(
            &v->tools, "of the guest's own system", strlen("of the guest's own system"), e);
    snprintf(text, sizeof text, "%u.%u.%u", (unsigned)(last >> 10), (unsigned)(last >> 5 & 0x1f),
        (unsigned)(last & 0x1f));
    return replace(&v->tools, text, strlen(text), e);
}
