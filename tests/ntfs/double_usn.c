/* The USN change journal: learn.microsoft.com/en-us/windows/win32/fileio/change-journal-records.
 * Records with the reasons gathered since a file's first open handle, one with CLOSE when the last
 * one goes; a USN is the record's place in the journal. READ_USN_JOURNAL_DATA_V0 asks for
 * USN_RECORD_V2, V1 for what it names. */
#include <stdlib.h>
#include <string.h>

#include "base/path.h"
#include "double_tree.h"

#define USN_CLOSE UINT32_C(0x80000000)

static void
put_record(struct sp_buf *to, const struct dbl_node *n, uint64_t parent, const char *name,
    uint64_t usn, uint32_t reason, int64_t at, unsigned major)
{
    uint16_t *units = NULL;
    size_t len = 0, id = major == 2 ? 8 : 16;
    const size_t start = to->len;
    struct sp_ntfs_info info;
    struct sp_err e = {0};

    if (sp_wtf8_to_utf16(name, strlen(name), &units, &len, &e) != SP_OK)
        dbl_die("a name in the journal");
    dbl_info_of(n, NULL, &info);
    sp_buf_put_u32(to, (uint32_t)((44 + 2 * id + 2 * len + 7) & ~(size_t)7));
    sp_buf_put_u16(to, (uint16_t)major);
    sp_buf_put_u16(to, 0);
    sp_buf_put_u64(to, n->id);
    sp_buf_put_zero(to, id - 8);
    sp_buf_put_u64(to, parent);
    sp_buf_put_zero(to, id - 8);
    sp_buf_put_u64(to, usn);
    sp_buf_put_u64(to, (uint64_t)at);
    sp_buf_put_u32(to, reason);
    sp_buf_put_u32(to, 0); /* SourceInfo */
    sp_buf_put_u32(to, 0); /* SecurityId */
    sp_buf_put_u32(to, info.attributes);
    sp_buf_put_u16(to, (uint16_t)(2 * len));
    sp_buf_put_u16(to, (uint16_t)(44 + 2 * id));
    for (size_t i = 0; i < len; i++)
        sp_buf_put_u16(to, units[i]);
    while ((to->len - start) % 8 != 0)
        sp_buf_put_u8(to, 0);
    free(units);
}

/* A record is kept as: u64 length of the whole, then one of version 2, then one of version 3. */
static void
record(struct dbl_node *n, const struct dbl_name *nm, uint32_t reason)
{
    struct dbl_volume *v = n->volume;
    const uint64_t parent = nm != NULL ? nm->dir_id : n->id;
    const char *name = nm != NULL ? nm->name : "";
    const size_t start = v->records.len;

    sp_buf_put_u64(&v->records, 0);
    put_record(&v->records, n, parent, name, v->next_usn, reason, v->d->now, 2);
    put_record(&v->records, n, parent, name, v->next_usn, reason, v->d->now, 3);
    sp_store_le64(v->records.data + start, v->records.len - start);
    n->usn = (int64_t)v->next_usn;
    v->next_usn += sp_le32(v->records.data + start + 8);
}

void
dbl_usn(struct dbl_node *n, const struct dbl_name *nm, uint32_t reason)
{
    if (!n->volume->journal || n->volume->mute)
        return;
    const uint32_t now = n->reasons | reason;
    if (now != n->reasons)
        record(n, nm, now);
    n->reasons = now & ~(uint32_t)USN_OLD_NAME;
}

void
dbl_usn_close(struct dbl_node *n, const struct dbl_name *nm)
{
    if (n->volume->journal && !n->volume->mute && n->reasons != 0)
        record(n, nm, n->reasons | USN_CLOSE);
    n->reasons = 0;
}

/* USN_JOURNAL_DATA_V0 */
static int
query(const struct dbl_volume *v, size_t room, struct sp_buf *ret)
{
    if (room < 56)
        return W_INVALID_PARAMETER;
    sp_buf_put_u64(ret, v->journal_id);
    sp_buf_put_u64(ret, v->first_usn);
    sp_buf_put_u64(ret, v->next_usn);
    sp_buf_put_u64(ret, 0);         /* LowestValidUsn */
    sp_buf_put_u64(ret, INT64_MAX); /* MaxUsn */
    sp_buf_put_u64(ret, 32u << 20);
    sp_buf_put_u64(ret, 8u << 20);
    return 0;
}

static int
read_journal(const struct dbl_volume *v, struct sp_cur *in, size_t room, struct sp_buf *ret)
{
    const bool v1 = sp_cur_left(in) >= 44;
    const uint64_t from = sp_cur_u64(in);
    const uint32_t mask = sp_cur_u32(in), only_close = sp_cur_u32(in);
    sp_cur_bytes(in, 16); /* timeout, bytes to wait for */
    const uint64_t id = sp_cur_u64(in);
    const unsigned least = v1 ? sp_cur_u16(in) : 2, most = v1 ? sp_cur_u16(in) : 2;
    uint64_t next = from == 0 ? v->first_usn : from;

    if (!sp_cur_ok(in) || room < 8 || least > 3 || most < 2 || least > most)
        return W_INVALID_PARAMETER;
    /* learn.microsoft.com/en-us/windows/win32/api/winioctl/ni-winioctl-fsctl_read_usn_journal */
    if (id != v->journal_id)
        return W_INVALID_PARAMETER;
    if (from != 0 && from < v->first_usn)
        return W_JOURNAL_GONE;
    if (from > v->next_usn)
        return W_INVALID_PARAMETER;
    sp_buf_put_u64(ret, 0);
    for (size_t at = 0; at < v->records.len; at += (size_t)sp_le64(v->records.data + at)) {
        const uint8_t *two = v->records.data + at + 8, *three = two + sp_le32(two);
        const uint8_t *p = most >= 3 ? three : two;
        const uint64_t usn = sp_le64(two + 24);
        const uint32_t reason = sp_le32(two + 40);
        if (usn < next)
            continue;
        const bool wanted = (reason & mask) != 0 && (only_close == 0 || (reason & USN_CLOSE) != 0);
        if (wanted && ret->len + sp_le32(p) > room)
            break;
        if (wanted)
            sp_buf_put(ret, p, sp_le32(p));
        next = usn + sp_le32(two);
    }
    sp_store_le64(ret->data, next);
    return 0;
}

int
dbl_control_usn(struct sp_ntfs_handle *h, uint32_t code, struct sp_cur *in, size_t room,
    struct sp_buf *ret, bool *ret_more)
{
    const struct dbl_volume *v = h->volume;

    if ((v->flags & NTFS_FS_USN) == 0)
        return W_BAD_FUNCTION;
    if (code == FSCTL_SP_READ_FILE_USN_DATA) {
        struct sp_buf whole = SP_BUF_INIT;
        /* ni-winioctl-fsctl_read_file_usn_data: as in the journal, but for time and reason, which
         * are 0. */
        put_record(&whole, h->node, h->name != NULL ? h->name->dir_id : h->node->id,
            h->name != NULL ? h->name->name : "", (uint64_t)h->node->usn, 0, 0, 2);
        *ret_more = whole.len > room;
        sp_buf_put(ret, whole.data, whole.len < room ? whole.len : room);
        sp_buf_free(&whole);
        return 0;
    }
    if (h->node != NULL)
        return W_INVALID_PARAMETER; /* asked of the volume */
    if (!v->journal)
        return W_JOURNAL_OFF;
    return code == FSCTL_SP_QUERY_USN_JOURNAL ? query(v, room, ret)
                                              : read_journal(v, in, room, ret);
}
