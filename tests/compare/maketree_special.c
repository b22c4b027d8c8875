#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "tests/compare/make.h"

/* The odder sections of maketree: what only some users and file systems can have says so when it is
 * left out. */

static void
sparse(struct make *m, const char *name, off_t size, const off_t *data, size_t n_data, size_t piece)
{
    unsigned char *p = malloc(piece);
    int fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (!p || fd < 0 || ftruncate(fd, size) != 0)
        make_die("cannot make", name);
    for (size_t i = 0; i < n_data; i++) {
        make_bytes(m, p, piece);
        if (pwrite(fd, p, piece, data[i]) != (ssize_t)piece)
            make_die("cannot write", name);
    }
    if (close(fd) != 0)
        make_die("cannot finish", name);
    free(p);
    make_stamp(m, name);
}

void
section_sparse(struct make *m)
{
    const off_t mib = 1 << 20;
    off_t every[64];
    for (off_t i = 0; i < 64; i++)
        every[i] = 128 * 1024 * i + 64 * 1024;
    sparse(m, "all hole", m->small ? 64 * mib : 1024 * mib, NULL, 0, 1);
    sparse(m, "leading hole", 3 * mib, (const off_t[]){2 * mib}, 1, (size_t)mib);
    sparse(m, "middle hole", 8 * mib, (const off_t[]){0, 7 * mib}, 2, (size_t)mib);
    sparse(m, "trailing hole", 5 * mib, (const off_t[]){0}, 1, (size_t)mib);
    sparse(m, "every second 64 KiB", 8 * mib, every, 64, 64 * 1024);
    sparse(m, "one byte in the middle", 9 * mib + 17, (const off_t[]){4 * mib + 4321}, 1, 1);
    sparse(m, "smaller than a block", 100, NULL, 0, 1);
    make_link(m, "middle hole", "middle hole, linked");
}

void
section_links(struct make *m)
{
    char target[4001];
    dir_in("a");
    make_text(m, "one", "one file with names in two folders");
    make_link(m, "one", "another");
    make_symlink(m, "one", "symlink");
    make_link(m, "symlink", "symlink, linked");
    make_random_file(m, "large", 2000000);
    dir_in("inner");
    make_link(m, "../one", "one of inner");
    make_link(m, "../large", "large of inner");
    dir_out(m, "inner", 0755);
    dir_out(m, "a", 0755);
    dir_in("b");
    make_link(m, "../a/one", "one of b");
    make_link(m, "../a/symlink", "symlink of b");
    make_text(m, "one", "one file with names in two folders"); /* equal, but a file of its own */
    dir_out(m, "b", 0755);
    make_text(m, "early", "linked from a folder that sorts first");
    dir_in("0");
    make_link(m, "../early", "early of 0");
    dir_out(m, "0", 0755);

    memset(target, 't', 4000);
    for (int i = 100; i < 4000; i += 101)
        target[i] = '/';
    target[4000] = 0;
    make_symlink(m, target, "4000 bytes");
    make_symlink(m, "nowhere/at all", "dangling");
    make_symlink(m, "/etc/passwd", "absolute");
    make_symlink(m, "..", "up");
    make_symlink(m, "myself", "myself");
    make_symlink(m, "a", "to a folder");
    make_symlink(m, "\xff\n\"", "\xff\n\"");
}

static void
device(struct make *m, const char *name, mode_t type, unsigned major_n, unsigned minor_n)
{
    if (mknod(name, type | 0600, makedev(major_n, minor_n)) != 0) {
        if (errno != EPERM)
            make_die("cannot make the device", name);
        make_left_out("a device: not allowed here");
        return;
    }
    make_stamp(m, name);
}

static void
socket_file(struct make *m, const char *name)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    memcpy(a.sun_path, name, strlen(name) + 1);
    if (fd < 0 || bind(fd, (const struct sockaddr *)&a, sizeof a) != 0 || close(fd) != 0 ||
        chmod(name, 0755) != 0)
        make_die("cannot make the socket", name);
    make_stamp(m, name);
}

void
section_special(struct make *m)
{
    if (mkfifo("fifo", 0600) != 0 || chmod("fifo", 0622) != 0)
        make_die("cannot make", "fifo");
    make_stamp(m, "fifo");
    make_link(m, "fifo", "fifo, linked");
    socket_file(m, "socket");
    make_link(m, "socket", "socket, linked");
    if (!m->root) {
        make_left_out("devices: not root");
        return;
    }
    device(m, "null", S_IFCHR, 1, 3);
    device(m, "char, large numbers", S_IFCHR, 4095, 1048575);
    device(m, "loop", S_IFBLK, 7, 200);
    device(m, "block 0", S_IFBLK, 0, 0x12345);
}

static void
mode(struct make *m, const char *name, mode_t bits)
{
    make_file(m, name, name, strlen(name), bits);
}

void
section_modes(struct make *m)
{
    static const mode_t dirs[] = {0700, 0755, 0775, 01777, 02775, 03770, 0711, 0555};
    char name[32];
    mode(m, "setuid", 04755);
    mode(m, "setgid", 02755);
    mode(m, "setuid and setgid", 06711);
    mode(m, "sticky", 01644);
    mode(m, "all", 07777);
    mode(m, "read only", 0444);
    mode(m, "executable only by group", 0410);
    for (size_t i = 0; i < sizeof dirs / sizeof dirs[0]; i++) {
        snprintf(name, sizeof name, "folder %04o", (unsigned)dirs[i]);
        dir_in(name);
        make_text(m, "inside", name);
        dir_in("below");
        make_text(m, "inside", name);
        dir_out(m, "below", 0555);
        dir_out(m, name, dirs[i]);
    }
    if (!m->root) {
        make_left_out("files of mode 000: not root, nobody could read them");
        return;
    }
    mode(m, "nothing", 0);
    mode(m, "write only", 0200);
    dir_in("folder 0000");
    make_text(m, "inside", "inside");
    dir_out(m, "folder 0000", 0);
}

void
section_owners(struct make *m)
{
    static const struct {
        uid_t uid;
        gid_t gid;
    } owners[] = {{0, 0}, {1, 1}, {65534, 65534}, {12345, 54321}, {4294967294u, 4294967294u},
        {2147483648u, 0}};
    if (!m->root) {
        make_left_out("foreign owners: not root");
        return;
    }
    for (size_t i = 0; i < sizeof owners / sizeof owners[0]; i++) {
        char name[64], symlink_name[64], folder[64];
        snprintf(name, sizeof name, "file %u", owners[i].uid);
        snprintf(symlink_name, sizeof symlink_name, "symlink %u", owners[i].uid);
        snprintf(folder, sizeof folder, "folder %u", owners[i].uid);
        make_text(m, name, name);
        make_symlink(m, name, symlink_name);
        dir_in(folder);
        dir_out(m, folder, 0750);
        if (lchown(name, owners[i].uid, owners[i].gid) != 0 ||
            lchown(symlink_name, owners[i].uid, owners[i].gid) != 0 ||
            lchown(folder, owners[i].uid, owners[i].gid) != 0)
            make_die("cannot give away", name);
        /* chown clears these bits: a restore must set them after it. */
        if (chmod(name, 06755) != 0)
            make_die("cannot set the mode of", name);
    }
}

/* An extended attribute, times kept; false where the file system has none of this kind. */
static bool
xattr(struct make *m, const char *name, const char *key, const void *p, size_t n)
{
    if (lsetxattr(name, key, p, n, 0) != 0) {
        if (errno == ENOTSUP || errno == EPERM || errno == ENOSPC || errno == E2BIG ||
            errno == ERANGE)
            return false;
        make_die("cannot set an attribute of", name);
    }
    make_stamp(m, name);
    return true;
}

/* The kernel's form of an ACL: version 2, then (tag, permissions, id), little endian, sorted. */
struct acl_entry {
    uint16_t tag, perm;
    uint32_t id;
};
enum { USER_OBJ = 1, USER = 2, GROUP_OBJ = 4, GROUP = 8, MASK = 16, OTHER = 32 };
#define NOBODY 0xffffffffu

static bool
acl(struct make *m, const char *name, const char *key, const struct acl_entry *e, size_t n)
{
    unsigned char p[4 + 16 * 8] = {2};
    for (size_t i = 0; i < n; i++) {
        unsigned char *to = p + 4 + 8 * i;
        to[0] = (unsigned char)e[i].tag;
        to[2] = (unsigned char)e[i].perm;
        for (int b = 0; b < 4; b++)
            to[4 + b] = (unsigned char)(e[i].id >> 8 * b);
    }
    return xattr(m, name, key, p, 4 + 8 * n);
}

void
section_acl(struct make *m)
{
    static const struct acl_entry some[] = {{USER_OBJ, 7, NOBODY}, {USER, 4, 12345},
        {USER, 7, 54321}, {GROUP_OBJ, 4, NOBODY}, {GROUP, 6, 33}, {MASK, 6, NOBODY},
        {OTHER, 0, NOBODY}};
    static const struct acl_entry other[] = {{USER_OBJ, 7, NOBODY}, {USER, 5, 4294967294u},
        {GROUP_OBJ, 5, NOBODY}, {MASK, 5, NOBODY}, {OTHER, 1, NOBODY}};
    static const char *const access = "system.posix_acl_access", *const inherit =
                                                                     "system.posix_acl_default";
    make_text(m, "file", "with an ACL");
    if (!acl(m, "file", access, some, 7)) {
        make_left_out("ACLs: this file system has none");
        return;
    }
    make_text(m, "other file", "with another ACL");
    if (!acl(m, "other file", access, other, 5))
        make_die("no ACL for", "other file");
    dir_in("folder with both");
    make_text(m, "inside, made before the default", "x");
    dir_out(m, "folder with both", 0750);
    dir_in("folder with default alone");
    dir_out(m, "folder with default alone", 0700);
    if (!acl(m, "folder with both", access, some, 7) ||
        !acl(m, "folder with both", inherit, other, 5) ||
        !acl(m, "folder with default alone", inherit, some, 7))
        make_die("no ACL for", "the folders");
    /* Inherits, and has then a mode that its ACL must not change again. */
    if (chdir("folder with default alone") != 0)
        make_die("cannot enter", "folder with default alone");
    make_text(m, "inherited", "x");
    dir_in("inherited folder");
    dir_out(m, "inherited folder", 02770);
    if (chdir("..") != 0)
        make_die("cannot leave", "folder with default alone");
    make_stamp(m, "folder with default alone");
}

static void
xattr_sizes(struct make *m)
{
    static const size_t sizes[] = {60000, 15000, 3000};
    unsigned char *p = malloc(sizes[0]);
    if (!p)
        make_die("no memory for", "an attribute");
    make_bytes(m, p, sizes[0]);
    make_text(m, "large value", "x");
    size_t i = 0;
    while (i < 3 && !xattr(m, "large value", "user.large", p, sizes[i]))
        i++;
    if (i == 3)
        make_left_out("large attributes");
    free(p);
}

static void
xattr_of_root(struct make *m)
{
    /* Version 2, effective; CAP_NET_BIND_SERVICE permitted. */
    static const unsigned char capability[20] = {1, 0, 0, 2, 0, 4};
    make_file(m, "capability", "x", 1, 0755);
    if (!xattr(m, "capability", "security.capability", capability, sizeof capability))
        make_left_out("security.capability");
    make_text(m, "trusted", "x");
    make_symlink(m, "trusted", "symlink with an attribute");
    if (!xattr(m, "trusted", "trusted.stillpoint", "\0\1\2", 3) ||
        !xattr(m, "symlink with an attribute", "trusted.stillpoint", "of the symlink", 14))
        make_left_out("trusted attributes");
}

void
section_xattr(struct make *m)
{
    unsigned char binary[256];
    char key[64];
    for (int i = 0; i < 256; i++)
        binary[i] = (unsigned char)i;
    make_text(m, "file", "x");
    if (!xattr(m, "file", "user.text", "plain", 5)) {
        make_left_out("user attributes: this file system has none");
        return;
    }
    if (!xattr(m, "file", "user.binary", binary, sizeof binary) ||
        !xattr(m, "file", "user.empty", "", 0) ||
        !xattr(m, "file", "user.\xff\n odd", "odd name", 8))
        make_die("no attributes for", "file");
    make_text(m, "many", "x");
    for (int i = 0; i < 30; i++) {
        snprintf(key, sizeof key, "user.number-%d", i);
        if (!xattr(m, "many", key, key, strlen(key)))
            make_die("no attribute for", "many");
    }
    make_text(m, "read only", "x");
    dir_in("folder");
    dir_out(m, "folder", 0755);
    if (!xattr(m, "read only", "user.a", "b", 1) || !xattr(m, "folder", "user.a", "b", 1))
        make_die("no attribute for", "read only");
    if (chmod("read only", 0400) != 0)
        make_die("cannot set the mode of", "read only");
    xattr_sizes(m);
    if (m->root)
        xattr_of_root(m);
    else
        make_left_out("attributes of root: not root");
}
