/* What a VM of VMware consists of, by its own files. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "vss/vmware.h"

static const struct sp_vmware_file *
file(const struct sp_vmware *v, const char *name)
{
    for (size_t i = 0; i < v->nfiles; i++)
        if (strcmp(v->files[i].name, name) == 0)
            return &v->files[i];
    fail_msg("%s is not named", name);
    return NULL;
}

static void
has(const struct sp_vmware *v, const char *name, enum sp_vmware_part part, bool optional)
{
    assert_int_equal(file(v, name)->part, part);
    assert_int_equal(file(v, name)->optional, optional);
}

static void
config(struct sp_vmware *v, const char *text)
{
    struct sp_err e;

    assert_int_equal(sp_vmware_config(v, "web01", text, strlen(text), &e), SP_OK);
}

static void
disk(struct sp_vmware *v, const char *text)
{
    struct sp_err e;

    assert_int_equal(sp_vmware_disk(v, text, strlen(text), &e), SP_OK);
}

static void
test_config(void **state)
{
    struct sp_vmware v = {0};

    (void)state;
    config(&v,
        "#!/usr/bin/vmware\r\n.encoding = \"UTF-8\"\r\ndisplayName = \"Web |2201|22 \xc3\xa4\"\r\n"
        "  SCSI0:0.FileName=\"web01.vmdk\"  \r\nscsi0:1.fileName = \"D:\\disks\\data.vmdk\"\n"
        "ide1:0.fileName = \"C:\\iso\\x.iso\"\nsata0:1.fileName = \"auto "
        "detect\"\nfloppy0.fileName = \"A:\"\n"
        "# scsi0:9.fileName = \"no.vmdk\"\nscsi0.virtualDev = \"no2.vmdk\"\nscsix:0.fileName = "
        "\"no3.vmdk\"\n"
        "nvme0:0.fileName = web01-n.vmdk\nscsi0:2.fileName = \"\"\nextendedConfigFile = "
        "\"web01.vmxf\"\n"
        "nvram = \"my.nvram\"\nscsi1:0.fileName = \"web01.vmdk\"");
    assert_string_equal(v.name, "Web \"01\" \xc3\xa4");
    assert_null(v.tools);
    assert_false(v.suspended);
    has(&v, "web01.vmdk", SP_VMWARE_DISK, false);
    has(&v, "D:\\disks\\data.vmdk", SP_VMWARE_DISK, false);
    has(&v, "web01-n.vmdk", SP_VMWARE_DISK, false);
    has(&v, "web01.vmxf", SP_VMWARE_OTHER, true);
    has(&v, "my.nvram", SP_VMWARE_OTHER, true);
    has(&v, "web01.vmsd", SP_VMWARE_OTHER, true);
    assert_int_equal(v.nfiles, 6);
    sp_vmware_clear(&v);
    config(&v,
        "checkpoint.vmState = \"web01-1.vmss\"\nguestinfo.vmtools.versionString = \"12.1.5\"\n"
        "displayName = \"B\xfcro\"\n");
    assert_true(v.suspended);
    assert_string_equal(v.tools, "12.1.5");
    assert_string_equal(v.name, "B\xc3\xbcro"); /* Windows-1252 */
    has(&v, "web01-1.vmss", SP_VMWARE_STATE, false);
    has(&v, "web01-1.vmem", SP_VMWARE_STATE, true);
    has(&v, "web01.nvram", SP_VMWARE_OTHER, true);
    sp_vmware_clear(&v);
    config(&v, "checkpoint.vmState = \"\"\n");
    assert_false(v.suspended);
    sp_vmware_clear(&v);
}

static void
test_snapshots(void **state)
{
    static const char text[] =
        ".encoding = \"UTF-8\"\nsnapshot.lastUID = \"2\"\nsnapshot.numSnapshots = \"2\"\n"
        "snapshot0.uid = \"1\"\nsnapshot0.filename = "
        "\"web01-Snapshot1.vmsn\"\nsnapshot0.displayName = \"a.vmdk\"\n"
        "snapshot0.disk0.fileName = \"web01.vmdk\"\nsnapshot1.filename = \"web01-Snapshot2.vmsn\"\n"
        "snapshot1.disk0.fileName = \"web01-000001.vmdk\"\nsnapshot.mru0.fileName = \"odd.txt\"\n";
    struct sp_vmware v = {0};
    struct sp_err e;

    (void)state;
    assert_int_equal(sp_vmware_snapshots(&v, text, sizeof text - 1, &e), SP_OK);
    has(&v, "web01-Snapshot1.vmsn", SP_VMWARE_STATE, false);
    has(&v, "web01-Snapshot1.vmem", SP_VMWARE_STATE, true);
    has(&v, "web01-Snapshot2.vmsn", SP_VMWARE_STATE, false);
    has(&v, "web01.vmdk", SP_VMWARE_DISK, false);
    has(&v, "web01-000001.vmdk", SP_VMWARE_DISK, false);
    assert_int_equal(v.nfiles, 6);
    assert_false(v.suspended);
    sp_vmware_clear(&v);
}

static const char descriptor[] =
    "# Disk DescriptorFile\nversion=1\nCID=fffffffe\nparentCID=fffffff0\n"
    "parentFileNameHint=\"../base/web 01.vmdk\"\ncreateType=\"twoGbMaxExtentSparse\"\n\n"
    "# Extent description\nRW 4192256 SPARSE \"web01-s001.vmdk\"\n"
    "RDONLY 4192256 FLAT \"web01-f002.vmdk\" 0\nNOACCESS 63 ZERO\nRW 8 ZERO \n"
    "RW 63 FLAT \"\\\\.\\PhysicalDrive1\" 0\nRW 1 FLAT \"/dev/sdb\" 0\n"
    "RW x SPARSE \"no.vmdk\"\nRW 5 SPARSE \"cut\nddb.x = \"RW 1 SPARSE\"\n";

static void
check_descriptor(const struct sp_vmware *v)
{
    has(v, "../base/web 01.vmdk", SP_VMWARE_DISK, false);
    has(v, "web01-s001.vmdk", SP_VMWARE_EXTENT, false);
    has(v, "web01-f002.vmdk", SP_VMWARE_EXTENT, false);
    has(v, "\\\\.\\PhysicalDrive1", SP_VMWARE_DEVICE, false);
    has(v, "/dev/sdb", SP_VMWARE_DEVICE, false);
    assert_int_equal(v->nfiles, 5);
}

static void
test_disk(void **state)
{
    struct sp_vmware v = {0};
    struct sp_buf b = SP_BUF_INIT;
    struct sp_err e;

    (void)state;
    disk(&v, descriptor);
    check_descriptor(&v);
    sp_vmware_clear(&v);
    sp_buf_put_str(&b, "KDMV"); /* in one file */
    sp_buf_put_zero(&b, 24);
    sp_buf_put_u64(&b, 2);
    sp_buf_put_u64(&b, 20);
    sp_buf_put_zero(&b, 1024 - b.len);
    sp_buf_put(&b, descriptor, sizeof descriptor);
    sp_buf_put_zero(&b, 20 * 512);
    sp_buf_put_str(&b, "\nRW 5 SPARSE \"behind.vmdk\"\n");
    assert_int_equal(sp_vmware_disk(&v, b.data, b.len, &e), SP_OK);
    check_descriptor(&v);
    sp_vmware_clear(&v);
    for (size_t n = 0; n < 1024 + 22; n++) { /* cut anywhere */
        assert_int_equal(sp_vmware_disk(&v, b.data, n, &e), SP_OK);
        assert_int_equal(v.nfiles, 0);
    }
    memset(b.data + 28, 0xff, 16); /* lies about where it is */
    assert_int_equal(sp_vmware_disk(&v, b.data, b.len, &e), SP_OK);
    assert_int_equal(v.nfiles, 0);
    sp_buf_free(&b);
    disk(&v, "RW 5 SPARSE \"no descriptor.vmdk\"\n");
    disk(&v, "");
    assert_int_equal(v.nfiles, 0);
}

static void
log_says(const char *text, const char *tools)
{
    struct sp_vmware v = {0};
    struct sp_err e;

    assert_int_equal(sp_vmware_log(&v, text, strlen(text), &e), SP_OK);
    if (tools != NULL)
        assert_string_equal(v.tools, tools);
    else
        assert_null(v.tools);
    sp_vmware_clear(&v);
}

static void
test_log(void **state)
{
    (void)state;
    log_says("", NULL);
    log_says("Dec 06 21:15:52.061: vmx| TOOLS setting the tools version to '0'\n", NULL);
    log_says("x vmx| TOOLS setting the tools version to '12389'\n", "12.3.5");
    log_says("TOOLS setting the tools version to '12389'\nTOOLS setting the tools version to '0'\n",
        "12.3.5");
    log_says("TOOLS setting the tools version to '1'\nTOOLS setting the tools version to '12389",
        "12.3.5");
    log_says("TOOLS setting the tools version to '2147483647'", "of the guest's own system");
    log_says("TOOLS setting the tools version to '99999999999999999999999999'", NULL);
    log_says("TOOLS setting the tools version to '", NULL);
}

static void
test_hostile(void **state)
{
    struct sp_vmware v = {0};
    struct sp_buf b = SP_BUF_INIT;
    uint32_t seed = 1;
    char noise[4096];
    struct sp_err e;

    (void)state;
    for (int i = 0; i < 6000; i++)
        sp_buf_printf(&b, "scsi0:%d.fileName = \"%d.vmdk\"\n", i, i);
    assert_int_equal(sp_vmware_config(&v, "x", b.data, b.len, &e), SP_OK);
    assert_int_equal(v.nfiles, SP_VMWARE_FILES_MAX);
    assert_true(v.more);
    sp_vmware_clear(&v);
    sp_buf_free(&b);
    for (int round = 0; round < 300; round++) {
        static const char alphabet[] = "scsi0:.fileName=\"|0 \n#\\\xc3\xff"
                                       "RWSPARSE1vmdk";

        for (size_t i = 0; i < sizeof noise; i++) {
            seed = seed * 1664525 + 1013904223;
            noise[i] = alphabet[(seed >> 16) % (sizeof alphabet)];
        }
        memcpy(noise + (seed % 100), "# Disk DescriptorFile\n", 22);
        assert_int_equal(sp_vmware_config(&v, "x", noise, sizeof noise, &e), SP_OK);
        assert_int_equal(sp_vmware_snapshots(&v, noise, sizeof noise, &e), SP_OK);
        assert_int_equal(sp_vmware_disk(&v, noise + (seed % 100), sizeof noise - 100, &e), SP_OK);
        assert_int_equal(sp_vmware_log(&v, noise, sizeof noise, &e), SP_OK);
        for (size_t i = 0; i < v.nfiles; i++)
            assert_true(v.files[i].name[0] != '\0');
        sp_vmware_clear(&v);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_config),
        cmocka_unit_test(test_snapshots),
        cmocka_unit_test(test_disk),
        cmocka_unit_test(test_log),
        cmocka_unit_test(test_hostile),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
