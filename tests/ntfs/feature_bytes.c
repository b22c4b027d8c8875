#include "tests/ntfs/feature_tree.h"

#include <string.h>

/* Structures of [MS-DTYP] and [MS-FSCC], little-endian, made by hand: nothing here comes from the
 * code that is tested. ASCII names only. */

static void
u16(struct sp_buf *b, unsigned v)
{
    sp_buf_put_u8(b, (uint8_t)v);
    sp_buf_put_u8(b, (uint8_t)(v >> 8));
}

static void
u32(struct sp_buf *b, uint32_t v)
{
    u16(b, v & 0xffff);
    u16(b, v >> 16);
}

static void
wide(struct sp_buf *b, const char *s)
{
    for (; *s != '\0'; s++)
        u16(b, (uint8_t)*s);
}

/* S-1-5-a[-b], 12 or 16 bytes. */
static void
sid(struct sp_buf *b, uint32_t first, uint32_t second)
{
    static const uint8_t authority[6] = {0, 0, 0, 0, 0, 5};

    sp_buf_put_u8(b, 1);
    sp_buf_put_u8(b, second != 0 ? 2 : 1);
    sp_buf_put(b, authority, sizeof authority);
    u32(b, first);
    if (second != 0)
        u32(b, second);
}

#define ADMINISTRATORS 32, 544
#define SYSTEM 18, 0
#define AUTHENTICATED 11, 0
#define USERS 32, 545

static void
ace(struct sp_buf *b, uint8_t type, uint8_t flags, uint32_t mask, uint32_t first, uint32_t second)
{
    sp_buf_put_u8(b, type);
    sp_buf_put_u8(b, flags);
    u16(b, second != 0 ? 24 : 20);
    u32(b, mask);
    sid(b, first, second);
}

/* OBJECT_INHERIT 1, CONTAINER_INHERIT 2, INHERITED 0x10 */
#define ALL UINT32_C(0x1f01ff)
#define READ UINT32_C(0x120089)
#define WRITE UINT32_C(0x120116)

void
feature_security(struct sp_buf *to, bool audit)
{
    const unsigned owner = 20, group = owner + 16, sacl = group + 12, sacl_len = audit ? 8 + 20 : 0;
    const unsigned dacl = sacl + sacl_len, dacl_len = 8 + 24 + 20 + 20 + 24;
    /* SE_SELF_RELATIVE | SE_DACL_PROTECTED | SE_DACL_AUTO_INHERITED | SE_DACL_PRESENT (| SACL's) */
    const unsigned control = 0x8000 | 0x1000 | 0x0400 | 0x0004 | (audit ? 0x0010 | 0x0800 : 0);

    sp_buf_put_u8(to, 1);
    sp_buf_put_u8(to, 0);
    u16(to, control);
    u32(to, owner);
    u32(to, group);
    u32(to, audit ? sacl : 0);
    u32(to, dacl);
    sid(to, ADMINISTRATORS);
    sid(to, SYSTEM);
    if (audit) {
        sp_buf_put_u8(to, 2);
        sp_buf_put_u8(to, 0);
        u16(to, sacl_len);
        u16(to, 1);
        u16(to, 0);
        ace(to, 2, 0x80, WRITE, AUTHENTICATED); /* failed writing is audited */
    }
    sp_buf_put_u8(to, 2);
    sp_buf_put_u8(to, 0);
    u16(to, dacl_len);
    u16(to, 4);
    u16(to, 0);
    ace(to, 0, 0, ALL, ADMINISTRATORS);
    ace(to, 0, 0, ALL, SYSTEM);
    ace(to, 1, 0x10, WRITE,
        AUTHENTICATED); /* inherited, and out of the canonical order: kept as it is */
    ace(to, 0, 0x10, READ, USERS);
}

static void
reparse_header(struct sp_buf *to, uint32_t tag, size_t n)
{
    u32(to, tag);
    u16(to, (unsigned)n);
    u16(to, 0);
}

void
feature_symlink(struct sp_buf *to, const char *target, bool relative)
{
    const unsigned n = (unsigned)strlen(target) * 2, prefix = relative ? 0 : 8; /* "\??\" */

    reparse_header(to, NTFS_TAG_SYMLINK, 12 + n + prefix + n);
    u16(to, 0); /* the substitute name */
    u16(to, prefix + n);
    u16(to, prefix + n); /* the print name */
    u16(to, n);
    u32(to, relative ? 1 : 0);
    if (!relative)
        wide(to, "\\?"
                 "?\\");
    wide(to, target);
    wide(to, target);
}

void
feature_junction(struct sp_buf *to, const char *target)
{
    const unsigned n = (unsigned)strlen(target) * 2;

    reparse_header(to, NTFS_TAG_MOUNT_POINT, 8 + 8 + n + 2 + n + 2);
    u16(to, 0);
    u16(to, 8 + n);
    u16(to, 8 + n + 2);
    u16(to, n);
    wide(to, "\\?"
             "?\\");
    wide(to, target);
    u16(to, 0);
    wide(to, target);
    u16(to, 0);
}

void
feature_wsl_link(struct sp_buf *to, const char *target)
{
    reparse_header(to, NTFS_TAG_LX_SYMLINK, 4 + strlen(target));
    u32(to, 2);
    sp_buf_put_str(to, target);
}

/* Two of FILE_FULL_EA_INFORMATION. */
void
feature_ea(struct sp_buf *to)
{
    static const char first[] = "STILLPOINT.ONE", second[] = "STILLPOINT.TWO";
    const unsigned used = 8 + sizeof first + 5, next = (used + 3) & ~3u;

    u32(to, next);
    sp_buf_put_u8(to, 0);
    sp_buf_put_u8(to, sizeof first - 1);
    u16(to, 5);
    sp_buf_put(to, first, sizeof first);
    sp_buf_put(to, "value", 5);
    for (unsigned i = used; i < next; i++)
        sp_buf_put_u8(to, 0);
    u32(to, 0);
    sp_buf_put_u8(to, 0);
    sp_buf_put_u8(to, sizeof second - 1);
    u16(to, 3);
    sp_buf_put(to, second, sizeof second);
    sp_buf_put(to, "\0\1\2", 3);
}
