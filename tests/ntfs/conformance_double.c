#include "conformance_place.h"

#include <string.h>

#include "double.h"

static struct ntfs_double *d;

const struct sp_ntfs *
conformance_place(const char *kind, const char *folder, const char **ret_path)
{
    static const struct {
        const char *name;
        enum ntfs_double_kind kind;
    } kinds[] = {{"ntfs", NTFS_DOUBLE_NTFS}, {"refs", NTFS_DOUBLE_REFS},
        {"fat32", NTFS_DOUBLE_FAT32}, {"exfat", NTFS_DOUBLE_EXFAT}, {"smb", NTFS_DOUBLE_SMB}};

    (void)folder;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (strcmp(kinds[i].name, kind) == 0) {
            d = ntfs_double_new();
            ntfs_double_volume(d, "C:/", kinds[i].kind);
            ntfs_double_folder(d, "C:/work");
            if (kinds[i].kind == NTFS_DOUBLE_NTFS || kinds[i].kind == NTFS_DOUBLE_REFS)
                ntfs_double_journal(d, "C:/", 77);
            *ret_path = "C:/work";
            return ntfs_double_table(d);
        }
    return NULL;
}

void
conformance_place_end(void)
{
    ntfs_double_free(d);
}
