#ifndef SP_TESTS_NTFS_DOUBLE_SD_H
#define SP_TESTS_NTFS_DOUBLE_SD_H

/* Inside the double: a self-relative SECURITY_DESCRIPTOR (MS-DTYP 2.4.6) taken apart and put
 * together. */

#include "double_tree.h"

enum { /* control */
    SD_DACL_PRESENT = 4,
    SD_DACL_DEFAULTED = 8,
    SD_SACL_PRESENT = 0x10,
    SD_SACL_DEFAULTED = 0x20,
    SD_DACL_AUTO = 0x400,
    SD_SACL_AUTO = 0x800,
    SD_DACL_PROTECTED = 0x1000,
    SD_SACL_PROTECTED = 0x2000,
    SD_SELF_RELATIVE = 0x8000
};
enum { ACE_OI = 1, ACE_CI = 2, ACE_NP = 4, ACE_IO = 8, ACE_INHERITED = 0x10 };
struct dbl_bytes {
    const uint8_t *p;
    size_t n;
};
struct dbl_sd {
    uint16_t control;
    struct dbl_bytes owner, group, sacl, dacl;
};
bool dbl_sd_parse(const void *p, size_t n, struct dbl_sd *ret);
void dbl_sd_build(const struct dbl_sd *sd, struct sp_buf *ret);
void dbl_sddl_parse(const char *sddl, struct sp_buf *ret);

#endif
