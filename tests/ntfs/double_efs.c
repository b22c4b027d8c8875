/* EFS' raw form: opaque, framed, without the key. What it looks like inside is this double's own: a
 * heading, then every stream as name, size, sparse flag and its bytes, scrambled, then an end; each
 * frame has its length.
 * learn.microsoft.com/en-us/windows/win32/fileio/backup-and-restore-of-encrypted-files */
#include <stdlib.h>
#include <string.h>

#include "double_tree.h"

#define HEADING UINT64_C(0x0157415253464521)
#define FRAME ((size_t)64 << 10)

enum sp_code
dbl_efs_export(struct ntfs_double *d, unsigned may, struct sp_ntfs_handle *dir, const char *name,
    struct sp_buf *ret, struct sp_err *e)
{
    struct sp_ntfs_handle *h = NULL;
    enum sp_code rc;

    if ((dir->volume->flags & NTFS_FS_ENCRYPTION) == 0 || dir->volume->kind == NTFS_DOUBLE_SMB)
        return dbl_fail(e, W_NOT_SUPPORTED);
    /* Backup needs no key, but the privilege or the right to read:
     * nf-winbase-openencryptedfileraww. */
    if ((rc = dbl_open_at(d, may, dir, name, NTFS_ANY, NTFS_LOOK, &h, e)) != SP_OK)
        return rc;
    if (h->node->deny == NTFS_DOUBLE_DENY_ALWAYS ||
        (h->node->deny == NTFS_DOUBLE_DENY && (may & NTFS_MAY_BACKUP) == 0)) {
        dbl_close(h);
        return dbl_fail(e, W_ACCESS_DENIED);
    }
    if (!h->node->encrypted) {
        dbl_close(h);
        return dbl_fail(e, W_INVALID_PARAMETER); /* ERROR_FILE_NOT_ENCRYPTED */
    }
    sp_buf_put_u64(ret, HEADING);
    sp_buf_put_u8(ret, h->node->folder);
    for (const struct dbl_stream *s = h->node->streams; s != NULL; s = s->next) {
        if (s->removed)
            continue;
        sp_buf_put_u8(ret, 1);
        sp_buf_put_u16(ret, (uint16_t)strlen(s->name));
        sp_buf_put_str(ret, s->name);
        sp_buf_put_u64(ret, s->size);
        sp_buf_put_u8(ret, s->sparse);
        for (uint64_t at = 0; at < s->size; at += FRAME) {
            const size_t n = s->size - at < FRAME ? (size_t)(s->size - at) : FRAME;
            sp_buf_put_u32(ret, (uint32_t)n);
            if (!sp_buf_reserve(ret, n))
                break;
            dbl_stream_read(s, at, ret->data + ret->len, n);
            for (size_t i = 0; i < n; i++)
                ret->data[ret->len + i] ^= 0xA5;
            ret->len += n;
        }
    }
    sp_buf_put_u8(ret, 0);
    dbl_close(h);
    return sp_buf_ok(ret, e);
}

static int
import_stream(struct dbl_node *n, struct sp_cur *in)
{
    const size_t len = sp_cur_u16(in);
    const uint8_t *p = sp_cur_bytes(in, len);
    char *name = p != NULL ? dbl_dup_n((const char *)p, len) : NULL;
    uint8_t *clear = malloc(FRAME);
    int os = name == NULL || clear == NULL ? W_INVALID_PARAMETER : 0;

    if (os == 0) {
        struct dbl_stream *s = dbl_stream_find(n, name);
        const uint64_t size = sp_cur_u64(in);
        if (s == NULL)
            s = dbl_stream_add(n, name);
        s->sparse = sp_cur_u8(in) != 0;
        for (uint64_t at = 0; os == 0 && at < size;) {
            const size_t frame = sp_cur_u32(in);
            const uint8_t *data = frame <= FRAME ? sp_cur_bytes(in, frame) : NULL;
            if (data == NULL || frame == 0 || frame > size - at) {
                os = W_INVALID_PARAMETER;
                break;
            }
            bool zero = true;
            for (size_t i = 0; i < frame; i++) {
                clear[i] = data[i] ^ 0xA5;
                zero = zero && clear[i] == 0;
            }
            if (!zero || !s->sparse)
                os = dbl_stream_write(n, s, at, clear, frame);
            at += frame;
        }
        if (os == 0 && s->size < size)
            os = dbl_stream_resize(n, s, size);
    }
    free(name);
    free(clear);
    return os;
}

/* CREATE_FOR_IMPORT makes the file, encrypted for whoever it was encrypted for. */
enum sp_code
dbl_efs_import(struct ntfs_double *d, unsigned may, struct sp_ntfs_handle *dir, const char *name,
    bool folder, const struct sp_buf *raw, struct sp_err *e)
{
    struct sp_cur in = sp_cur_of(raw->data, raw->len);
    struct sp_ntfs_handle *h = NULL;
    enum sp_code rc;
    int os = 0;

    if ((dir->volume->flags & NTFS_FS_ENCRYPTION) == 0 || dir->volume->kind == NTFS_DOUBLE_SMB)
        return dbl_fail(e, W_NOT_SUPPORTED);
    if (sp_cur_u64(&in) != HEADING || sp_cur_u8(&in) != folder)
        return dbl_fail(e, W_INVALID_PARAMETER);
    if ((rc = dbl_create_at(d, may, dir, name, folder, NTFS_ENCRYPTED, NULL, 0, &h, e)) != SP_OK)
        return rc;
    while (os == 0 && sp_cur_u8(&in) == 1)
        os = import_stream(h->node, &in);
    if (os == 0 && !sp_cur_done(&in))
        os = W_INVALID_PARAMETER;
    if (os != 0) {
        struct sp_err ignored = {0};
        dbl_remove(h, &ignored);
    } else {
        dbl_usn(h->node, h->name, USN_DATA_EXTEND | USN_ENCRYPTION);
    }
    dbl_close(h);
    return os != 0 ? dbl_fail(e, os) : SP_OK;
}
