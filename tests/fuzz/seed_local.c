#include <stdlib.h>

#include "base/text.h"
#include "client/invitation.h"
#include "client/profile.h"
#include "proto/token.h"
#include "tests/fuzz/files.h"
#include "tests/fuzz/material.h"
#include "tests/fuzz/seed.h"
#include "vss/journal.h"

/* What a machine keeps, and what people are handed. */

static void
put_text(const char *target, const char *name, int first, const char *text)
{
    struct sp_buf b = SP_BUF_INIT;

    if (first >= 0)
        sp_buf_put_u8(&b, (uint8_t)first);
    sp_buf_put_str(&b, text);
    seed_put(target, name, &b);
}

static void
put_file(
    const char *target, const char *name, int first, const struct fuzz_files *f, const char *path)
{
    struct sp_buf b = SP_BUF_INIT;
    size_t n = 0;
    const uint8_t *p = fuzz_files_get(f, path, &n);

    FUZZ_MUST(p != NULL);
    if (first >= 0)
        sp_buf_put_u8(&b, (uint8_t)first);
    sp_buf_put(&b, p, n);
    seed_put(target, name, &b);
}

static void
profile(void)
{
    struct fuzz_files *files = fuzz_files_new();
    const struct sp_env *env = fuzz_files_env(files);
    struct sp_profile *p = calloc(1, sizeof(*p));
    struct sp_buf secrets = SP_BUF_INIT;
    struct sp_err e = {0};
    const uint8_t hash[32] = {1, 2, 3};

    FUZZ_MUST(p != NULL && setenv("STILLPOINT_STATE_DIR", "/state", 1) == 0);
    memset(p->repository, 0x11, 16);
    p->address = strdup("stillpoint://backup.example:7878");
    p->host_name = strdup("desk");
    p->conf = malloc(4);
    p->conf_len = 4;
    FUZZ_MUST(p->address != NULL && p->host_name != NULL && p->conf != NULL);
    memcpy(p->conf, "conf", 4);
    FUZZ_OK(sp_keys_encode(fuzz_keys(), &secrets, &e));
    FUZZ_OK(sp_keys_decode(secrets.data, secrets.len, &p->keys, &e));
    FUZZ_OK(sp_profile_save(env, p, &e));
    put_file(
        "profile", "profile", 0, files, "/state/stores/11111111111111111111111111111111/profile");
    FUZZ_OK(sp_profile_set_head(env, p, "job", 5, hash, &e));
    FUZZ_OK(sp_profile_set_head(env, p, "two words", 6, hash, &e));
    put_file("profile", "heads", 1, files, "/state/stores/11111111111111111111111111111111/heads");
    FUZZ_OK(sp_profile_set_default(env, p, &e));
    put_file("profile", "default", 2, files, "/state/default");
    sp_profile_free(p);
    sp_buf_wipe(&secrets);
    fuzz_files_free(files);
}

static void
journal(void)
{
    static const char *const paths[] = {"/home/.stillpoint-shadow-1", "/var/lib"};
    struct fuzz_files *files = fuzz_files_new();
    struct sp_err e = {0};

    FUZZ_OK(sp_journal_write(fuzz_files_env(files), "/j", paths, 2, &e));
    put_file("journal", "two", -1, files, "/j");
    fuzz_files_free(files);
}

static void
handed(void)
{
    struct sp_token t = {.address = "[2001:db8::1]:7878", .secret_len = 16, .has_recovery = true};
    struct sp_buf b = SP_BUF_INIT, raw = SP_BUF_INIT;
    struct sp_err e = {0};

    sp_buf_put_u8(&b, 0);
    FUZZ_OK(sp_token_print(&t, &b, &e));
    FUZZ_OK(sp_base32_parse(sp_buf_str(&b) + 1 + 4, &raw, &e));
    seed_put("token", "token", &b);
    sp_buf_put_u8(&b, 1);
    sp_buf_put(&b, raw.data, raw.len);
    seed_put("token", "inside", &b);
    sp_buf_put_u8(&b, 2);
    sp_invitation_print(fuzz_signing, &b);
    seed_put("token", "invitation", &b);
    put_text("token", "address", 3, "backup.example.org:7878");
    put_text("token", "address-6", 3, "[fe80::1%eth0]:80");
    sp_buf_free(&raw);
}

static void
written_by_people(void)
{
    put_text("config", "client", 0,
        "[defaults]\nrepository = stillpoint://b:7878\nexclude = *.tmp\n  /var/cache/\n"
        "one-file-system = yes\ncompression = 9\naudit = 30\nbandwidth = 08:00-18:00 2M, "
        "18:00-08:00 "
        "none\n[home]\npath = \"/home/a b\"\npath = /etc\nexclude-file = /etc/excludes\nshadow = "
        "require\nrequire = crash\nbefore = /bin/true\ncommand-timeout = 5m\nping-url = "
        "https://x.example/1\ncheckpoint = 15m\ncachedir-tag = no\n");
    put_text("config", "server", 1,
        "# a server\n[server]\nrepository = \"/srv/b\"\nlisten = [::1]:7878\nname = "
        "b.example.org\ncertificate-days = 90\n[limits]\nsessions = 64\nsessions-per-host = "
        "8\nhost-quota = 2T\n");
    put_text("mounts", "mountinfo", -1,
        "22 28 0:20 / /sys rw,nosuid - sysfs sysfs rw\n28 1 254:1 / / rw shared:1 - ext4 /dev/vda1 "
        "rw\n36 28 0:30 /sub /mnt/a\\040b rw master:2 - btrfs /dev/vdb rw,subvol=/sub\n40 28 0:30 "
        "/ "
        "/mnt/a\\040b rw - tmpfs none rw\n");
    put_text("filter", "patterns", 0,
        "\x2f\x01# a "
        "comment\n*.o\n!keep.o\n/tmp/\n**/cache/**\na/**/b\n[a-z]?[!x]\\*\n/home/*/x\nd/"
        "home/a/x.o");
    put_text("names", "pack", -1,
        "packs/ab/abababababababababababababababababababababababababababababababab");
    put_text("names", "index", -1,
        "index/ab/abababababababababababababababababababababababababababababababab");
    put_text("names", "record", -1,
        "sets/11111111111111111111111111111111/2026-11/"
        "20261122t101227z-22222222222222222222222222222222.set");
    put_text("names", "path", -1, "/usr/share/\xc3\xa4/\xed\xa0\x80");
    put_text("text", "size", -1, "1.5GiB");
    put_text("text", "duration", -1, "90s");
    put_text("text", "time", -1, "2026-11-22T10:12:27Z");
    put_text("text", "hex", -1, "00112233445566778899aabbccddeeff");
    put_text("text", "base32", -1, "0123-4567-89AB-CDEF");
}

void
seed_local(void)
{
    profile();
    journal();
    handed();
    written_by_people();
}
