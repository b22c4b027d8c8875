/* Security descriptors and extended attributes, looked through: see ntfs_meta.h. */

#include "client/ntfs_meta.h"

#define SELF_RELATIVE 0x8000u
#define HEADER 20 /* bytes before a descriptor's parts */
#define MOST_AUTHORITIES 15
#define ACE_OBJECT 1u /* which of the two GUIDs an object ACE has */
#define ACE_INHERITED_OBJECT 2u

/* SID:
 * learn.microsoft.com/en-us/openspecs/windows_protocols/ms-dtyp/f992ad60-0fe4-4b87-9fed-beb478836861
 */
static bool
sid_ok(struct sp_cur *c)
{
    uint8_t revision = sp_cur_u8(c), n = sp_cur_u8(c);

    (void)sp_cur_bytes(c, 6 + 4 * (size_t)n);
    return sp_cur_ok(c) && revision == 1 && n <= MOST_AUTHORITIES;
}

enum shape { ACE_PLAIN, ACE_GUIDS, ACE_OTHER };

/* learn.microsoft.com/en-us/openspecs/windows_protocols/ms-dtyp/628ebb1d-c509-4ea0-a10f-77ef97ca4586
 */
static enum shape
shape_of(uint8_t type)
{
    if (type <= 0x03 || type == 0x09 || type == 0x0a || type == 0x0d || type == 0x0e ||
        (type >= 0x11 && type <= 0x15))
        return ACE_PLAIN;
    if ((type >= 0x05 && type <= 0x08) || type == 0x0b || type == 0x0c || type == 0x0f ||
        type == 0x10)
        return ACE_GUIDS;
    return ACE_OTHER; /* of a type that came later, or never: its length is all that is known */
}

static bool
ace_ok(struct sp_cur *c)
{
    uint8_t type = sp_cur_u8(c);
    uint16_t size;
    struct sp_cur body;
    enum shape shape = shape_of(type);

    (void)sp_cur_u8(c); /* flags */
    size = sp_cur_u16(c);
    if (!sp_cur_ok(c) || size < 4 || size % 4 != 0)
        return false;
    body = sp_cur_sub(c, size - 4u);
    if (!sp_cur_ok(c))
        return false;
    if (shape == ACE_OTHER)
        return true;
    (void)sp_cur_u32(&body); /* the mask */
    if (shape == ACE_GUIDS) {
        uint32_t has = sp_cur_u32(&body);

        (void)sp_cur_bytes(&body, (has & ACE_OBJECT) != 0 ? 16 : 0);
        (void)sp_cur_bytes(&body, (has & ACE_INHERITED_OBJECT) != 0 ? 16 : 0);
    }
    return sid_ok(&body);
}

/* ACL:
 * learn.microsoft.com/en-us/openspecs/windows_protocols/ms-dtyp/20233ed8-a6c6-4097-aafa-dd545ed24428
 */
static bool
acl_ok(struct sp_cur *c)
{
    uint8_t revision = sp_cur_u8(c);
    uint16_t size, count;
    struct sp_cur body;

    (void)sp_cur_u8(c);
    size = sp_cur_u16(c);
    count = sp_cur_u16(c);
    (void)sp_cur_u16(c);
    if (!sp_cur_ok(c) || revision < 2 || revision > 4 || size < 8)
        return false;
    body = sp_cur_sub(c, size - 8u);
    if (!sp_cur_ok(c))
        return false;
    for (; count > 0; count--)
        if (!ace_ok(&body))
            return false;
    return true; /* room for more may follow */
}

bool
sp_ntfs_security_ok(const void *p, size_t n)
{
    struct sp_cur c = sp_cur_of(p, n);
    uint8_t revision = sp_cur_u8(&c);
    uint16_t control;
    uint32_t at[4]; /* owner, group, SACL, DACL */

    (void)sp_cur_u8(&c);
    control = sp_cur_u16(&c);
    for (int i = 0; i < 4; i++)
        at[i] = sp_cur_u32(&c);
    if (!sp_cur_ok(&c) || revision != 1 || (control & SELF_RELATIVE) == 0)
        return false;
    for (int i = 0; i < 4; i++) {
        struct sp_cur part;

        if (at[i] == 0) /* it has none */
            continue;
        if (at[i] < HEADER || at[i] >= n)
            return false;
        part = sp_cur_of((const uint8_t *)p + at[i], n - at[i]);
        if (!(i < 2 ? sid_ok(&part) : acl_ok(&part)))
            return false;
    }
    return true;
}

/* learn.microsoft.com/en-us/openspecs/windows_protocols/ms-fscc/0eb94f48-6aac-41df-a878-79f4dcfd8989
 */
bool
sp_ntfs_ea_ok(const void *p, size_t n)
{
    size_t at = 0;

    for (;;) {
        struct sp_cur c = sp_cur_of(n > at ? (const uint8_t *)p + at : NULL, n > at ? n - at : 0);
        uint32_t next = sp_cur_u32(&c);
        uint8_t name_len, nul;
        uint16_t value_len;

        (void)sp_cur_u8(&c); /* flags */
        name_len = sp_cur_u8(&c);
        value_len = sp_cur_u16(&c);
        (void)sp_cur_bytes(&c, name_len);
        nul = sp_cur_u8(&c);
        (void)sp_cur_bytes(&c, value_len);
        if (!sp_cur_ok(&c) || name_len == 0 || nul != 0)
            return false;
        if (next == 0)
            return sp_cur_left(&c) < 4; /* filled up to a multiple of four at most */
        if (next % 4 != 0 || next < n - at - sp_cur_left(&c) || next >= n - at)
            return false;
        at += next;
    }
}
