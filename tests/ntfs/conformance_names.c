/* Names, folders, listings, renaming, links, removal. */
#include <stdlib.h>
#include <string.h>

#include "conformance.h"

#define FS p->fs->self

static enum outcome
case_insensitive(struct place *p)
{
    struct sp_ntfs_handle *h;

    OK(made(p, "Name", "x"));
    CHECK(count_names(p, "Name") == 1);
    CHECK(holds(p, "nAME", "x"));
    CHECK(p->fs->create_at(FS, p->dir, "NAME", false, 0, NULL, 0, &h, &p->e) == SP_EXISTS);
    CHECK(opened(p, "other", NTFS_LOOK, &h) == SP_ABSENT);
    return WORKS;
}

static enum outcome
unicode(struct place *p)
{
    static const char *const names[] = {"\xC3\xA4\xC3\xB6\xC3\xBC", "e\xCC\x81", "\xC3\xA9",
        "\xF0\x9F\x8E\x88 b", "\xE6\x97\xA5\xE6\x9C\xAC", "dot.", "space ", "con", "a b'c$%"};
    const size_t n = sizeof names / sizeof names[0];

    for (size_t i = 0; i < n; i++)
        OK(made(p, names[i], names[i]));
    for (size_t i = 0; i < n; i++) {
        CHECK(holds(p, names[i], names[i]));
        CHECK(count_names(p, names[i]) == 1);
    }
    CHECK(count_names(p, NULL) == n);
    return WORKS;
}

/* One UTF-16 unit of a pair alone: WTF-8's ED A0 BD. */
static enum outcome
lone_surrogate(struct place *p)
{
    struct sp_ntfs_handle *h;

    KEPT(make_file(p, "a\xED\xA0\xBD", "x", &h) == SP_OK);
    OK(closed(p, h));
    KEPT(count_names(p, "a\xED\xA0\xBD") == 1);
    return WORKS;
}

static enum outcome
long_names(struct place *p)
{
    struct sp_ntfs_handle *h;
    char name[300];

    memset(name, 'n', sizeof name);
    name[255] = '\0';
    OK(made(p, name, "x"));
    CHECK(count_names(p, name) == 1);
    name[255] = 'n';
    name[256] = '\0';
    CHECK(p->fs->create_at(FS, p->dir, name, false, 0, NULL, 0, &h, &p->e) != SP_OK);
    return WORKS;
}

/* 255 units that are more than 255 bytes elsewhere. */
static enum outcome
wide_names(struct place *p)
{
    struct sp_ntfs_handle *h;
    char name[255 * 3 + 1];

    for (size_t i = 0; i < 255; i++)
        memcpy(name + 3 * i, "\xE6\x97\xA5", 3);
    name[sizeof name - 1] = '\0';
    KEPT(make_file(p, name, "x", &h) == SP_OK);
    OK(closed(p, h));
    KEPT(count_names(p, name) == 1);
    return WORKS;
}

static enum outcome
bad_names(struct place *p)
{
    static const char *const names[] = {
        "a*b", "a?b", "a<b", "a\"b", "a|b", "a/b", "a\\b", "a:b", ""};
    struct sp_ntfs_handle *h;

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (p->fs->create_at(FS, p->dir, names[i], false, 0, NULL, 0, &h, &p->e) == SP_OK) {
            OK(closed(p, h));
            return not_kept(p, __FILE__, __LINE__, names[i]);
        }
        CHECK(p->e.code == SP_INVALID);
    }
    return WORKS;
}

static enum outcome
listing(struct place *p)
{
    char name[32];

    for (int i = 0; i < 1500; i++) {
        (void)snprintf(name, sizeof name, "name of file %d", i);
        OK(made_folder(p, name));
    }
    CHECK(count_names(p, NULL) == 1500);
    CHECK(count_names(p, "name of file 1499") == 1);
    CHECK(count_names(p, NULL) == 1500);
    return WORKS;
}

static enum sp_code
stop(void *arg, const struct sp_ntfs_listed *l, struct sp_err *e)
{
    (void)arg;
    (void)l;
    return sp_fail(e, SP_CANCELLED, SP_DOM_NONE, "enough");
}

static enum sp_code
look(void *arg, const struct sp_ntfs_listed *l, struct sp_err *e)
{
    (void)e;
    (void)snprintf(arg, 64, "%s %u %u", l->name, (unsigned)(l->info.attributes & NTFS_DIRECTORY),
        (unsigned)l->info.size);
    return SP_OK;
}

static enum outcome
find(struct place *p)
{
    char got[64] = "";

    OK(made(p, "Some File", "12345"));
    OK(made_folder(p, "Folder"));
    OK(p->fs->find(FS, p->dir, "some file", look, got, &p->e));
    CHECK(strcmp(got, "Some File 0 5") == 0);
    OK(p->fs->find(FS, p->dir, "FOLDER", look, got, &p->e));
    CHECK(strcmp(got, "Folder 16 0") == 0);
    CHECK(p->fs->find(FS, p->dir, "nothing", look, got, &p->e) == SP_ABSENT);
    CHECK(p->fs->find(FS, p->dir, "S*", look, got, &p->e) == SP_INVALID);
    CHECK(p->fs->list(FS, p->dir, stop, NULL, &p->e) == SP_CANCELLED);
    return WORKS;
}

static enum outcome
kinds(struct place *p)
{
    struct sp_ntfs_handle *h, *again;
    struct sp_ntfs_info a, b;

    OK(made(p, "file", "x"));
    OK(made_folder(p, "folder"));
    CHECK(p->fs->open_at(FS, p->dir, "file", NTFS_FOLDER, NTFS_LOOK, &h, &p->e) == SP_CHANGED);
    CHECK(p->fs->open_at(FS, p->dir, "folder", NTFS_FILE, NTFS_LOOK, &h, &p->e) == SP_CHANGED);
    CHECK(p->fs->open_at(FS, p->dir, "file", NTFS_ANY, NTFS_LIST, &h, &p->e) == SP_CHANGED);
    /* What is open, once more, with more rights. */
    OK(opened(p, "file", NTFS_LOOK, &h));
    CHECK(p->fs->write(FS, h, 0, "y", 1, &p->e) == SP_DENIED);
    OK(p->fs->open_at(FS, h, "", NTFS_ANY, NTFS_WRITE, &again, &p->e));
    OK(p->fs->write(FS, again, 0, "y", 1, &p->e));
    OK(p->fs->info(FS, h, &a, &p->e));
    OK(p->fs->info(FS, again, &b, &p->e));
    CHECK(a.file_id == b.file_id && a.volume == b.volume && a.file_id != 0);
    OK(closed(p, again));
    OK(closed(p, h));
    CHECK(holds(p, "file", "y"));
    CHECK((a.attributes & NTFS_DIRECTORY) == 0 && a.size == 1);
    return WORKS;
}

static enum outcome
rename_names(struct place *p)
{
    struct sp_ntfs_handle *h, *sub, *other;

    OK(made_folder(p, "sub"));
    OK(made(p, "a", "a"));
    OK(made(p, "b", "b"));
    OK(opened(p, "sub", NTFS_LIST, &sub));
    OK(opened(p, "a", NTFS_CHANGE, &h));
    CHECK(p->fs->rename(FS, h, p->dir, "b", false, &p->e) == SP_EXISTS);
    OK(p->fs->rename(FS, h, sub, "moved", false, &p->e));
    OK(p->fs->rename(FS, h, p->dir, "b", true, &p->e));
    CHECK(p->fs->rename(FS, h, p->dir, "sub", true, &p->e) == SP_DENIED);
    OK(closed(p, h));
    CHECK(holds(p, "b", "a") && count_names(p, NULL) == 2);
    CHECK(p->fs->open_at(FS, sub, "moved", NTFS_ANY, NTFS_LOOK, &other, &p->e) == SP_ABSENT);
    OK(closed(p, sub));
    return WORKS;
}

static enum outcome
rename_case(struct place *p)
{
    struct sp_ntfs_handle *h;

    OK(make_file(p, "name", "x", &h));
    OK(p->fs->rename(FS, h, p->dir, "Name", false, &p->e));
    OK(closed(p, h));
    CHECK(count_names(p, NULL) == 1);
    KEPT(count_names(p, "Name") == 1);
    return WORKS;
}

static enum outcome
replace_read_only(struct place *p)
{
    struct sp_ntfs_handle *h;
    const struct sp_ntfs_info read_only = {.attributes = NTFS_READONLY};

    OK(make_file(p, "old", "old", &h));
    OK(p->fs->set_basic(FS, h, &read_only, &p->e));
    OK(closed(p, h));
    OK(make_file(p, "new", "new", &h));
    OK(p->fs->rename(FS, h, p->dir, "old", true, &p->e));
    OK(closed(p, h));
    CHECK(holds(p, "old", "new") && count_names(p, NULL) == 1);
    return WORKS;
}

static enum outcome
removal(struct place *p)
{
    struct sp_ntfs_handle *h, *inside;
    const struct sp_ntfs_info read_only = {.attributes = NTFS_READONLY};

    OK(made_folder(p, "full"));
    OK(opened(p, "full", NTFS_CHANGE, &h));
    OK(p->fs->create_at(FS, h, "in", false, 0, NULL, 0, &inside, &p->e));
    OK(closed(p, inside));
    CHECK(p->fs->remove(FS, h, &p->e) == SP_EXISTS);
    OK(closed(p, h));
    OK(make_file(p, "file", "x", &h));
    OK(p->fs->set_basic(FS, h, &read_only, &p->e));
    OK(p->fs->remove(FS, h, &p->e));
    OK(closed(p, h));
    CHECK(opened(p, "file", NTFS_LOOK, &h) == SP_ABSENT);
    return WORKS;
}

static enum outcome
removal_while_open(struct place *p)
{
    struct sp_ntfs_handle *reader, *h;
    char got[4];
    size_t n = 0;

    OK(made(p, "file", "old"));
    OK(opened(p, "file", NTFS_READ, &reader));
    OK(opened(p, "file", NTFS_CHANGE, &h));
    OK(p->fs->remove(FS, h, &p->e));
    OK(closed(p, h));
    const enum sp_code rc = made(p, "file", "new");
    if (rc != SP_OK) { /* the name goes with the last handle: SP_BUSY, or Wine's SP_EXISTS */
        OK(closed(p, reader));
        KEPT(rc != SP_BUSY && rc != SP_EXISTS);
    }
    CHECK(rc == SP_OK);
    OK(p->fs->read(FS, reader, 0, got, 4, &n, &p->e));
    CHECK(n == 3 && memcmp(got, "old", 3) == 0);
    OK(closed(p, reader));
    CHECK(holds(p, "file", "new"));
    return WORKS;
}

static enum outcome
hard_links(struct place *p)
{
    struct sp_ntfs_handle *h;
    struct sp_ntfs_info a, b;

    OK(made(p, "one", "x"));
    OK(made(p, "taken", "y"));
    OK(opened(p, "one", NTFS_CHANGE, &h));
    const enum sp_code rc = p->fs->link(FS, h, p->dir, "two", false, &p->e);
    if (rc != SP_OK)
        OK(closed(p, h));
    HERE(rc);
    CHECK(p->fs->link(FS, h, p->dir, "taken", false, &p->e) == SP_EXISTS);
    OK(p->fs->link(FS, h, p->dir, "taken", true, &p->e));
    OK(closed(p, h));
    OK(info_of(p, "one", &a));
    OK(info_of(p, "two", &b));
    CHECK(a.file_id == b.file_id && a.links == 3 && b.links == 3);
    OK(opened(p, "one", NTFS_CHANGE, &h));
    OK(p->fs->remove(FS, h, &p->e));
    OK(closed(p, h));
    CHECK(holds(p, "two", "x") && holds(p, "taken", "x"));
    OK(info_of(p, "two", &b));
    CHECK(b.links == 2);
    return WORKS;
}

static enum outcome
hard_link_limit(struct place *p)
{
    struct sp_ntfs_handle *h;
    char name[16];
    enum sp_code rc = SP_OK;

    OK(make_file(p, "one", "x", &h));
    for (int i = 1; i < 1024 && rc == SP_OK; i++) {
        (void)snprintf(name, sizeof name, "n%d", i);
        rc = p->fs->link(FS, h, p->dir, name, false, &p->e);
    }
    if (rc == SP_OK && p->fs->link(FS, h, p->dir, "more", false, &p->e) == SP_OK)
        rc = SP_INTERNAL;
    OK(closed(p, h));
    KEPT(rc != SP_INTERNAL); /* other systems have other limits */
    HERE(rc);
    CHECK(p->e.code == SP_UNSUPPORTED);
    return WORKS;
}

static enum outcome
short_names(struct place *p)
{
    struct sp_ntfs_handle *h;
    char got[64] = "";

    OK(made(p, "Some long name.text", "x"));
    OK(made(p, "other long name.text", "y"));
    OK(opened(p, "Some long name.text", NTFS_CHANGE, &h));
    const enum sp_code rc = p->fs->set_short_name(FS, h, "MINE.TXT", &p->e);
    OK(closed(p, h));
    HERE(rc);
    CHECK(holds(p, "mine.txt", "x"));
    OK(p->fs->find(FS, p->dir, "MINE.TXT", look, got, &p->e));
    CHECK(strcmp(got, "Some long name.text 0 1") == 0);
    CHECK(p->fs->create_at(FS, p->dir, "MINE.TXT", false, 0, NULL, 0, &h, &p->e) == SP_EXISTS);
    OK(opened(p, "other long name.text", NTFS_CHANGE, &h));
    CHECK(p->fs->set_short_name(FS, h, "MINE.TXT", &p->e) == SP_EXISTS);
    OK(closed(p, h));
    return WORKS;
}

static enum outcome
case_sensitive(struct place *p)
{
    struct sp_ntfs_handle *h, *in;
    bool on = true;

    HERE(p->fs->case_sensitive(FS, p->dir, &on, &p->e));
    CHECK(!on);
    OK(p->fs->create_at(FS, p->dir, "cs", true, 0, NULL, 0, &h, &p->e));
    const enum sp_code rc = p->fs->set_case_sensitive(FS, h, true, &p->e);
    if (rc != SP_OK)
        closed(p, h);
    HERE(rc);
    OK(p->fs->case_sensitive(FS, h, &on, &p->e));
    CHECK(on);
    OK(p->fs->create_at(FS, h, "x", false, 0, NULL, 0, &in, &p->e));
    OK(closed(p, in));
    OK(p->fs->create_at(FS, h, "X", false, 0, NULL, 0, &in, &p->e));
    OK(closed(p, in));
    CHECK(p->fs->set_case_sensitive(FS, h, false, &p->e) == SP_EXISTS);
    OK(closed(p, h));
    return WORKS;
}

const struct feature features_names[] = {{"case-insensitive", 0, case_insensitive},
    {"unicode-names", 0, unicode}, {"lone-surrogates", 0, lone_surrogate},
    {"long-names", 0, long_names}, {"wide-names", 0, wide_names}, {"bad-names", 0, bad_names},
    {"listing", 0, listing}, {"find", 0, find}, {"kinds", 0, kinds}, {"rename", 0, rename_names},
    {"rename-case", 0, rename_case}, {"replace-read-only", 0, replace_read_only},
    {"removal", 0, removal}, {"removal-while-open", 0, removal_while_open},
    {"hard-links", 0, hard_links}, {"hard-link-limit", 0, hard_link_limit},
    {"short-names", 0, short_names}, {"case-sensitive-folder", 0, case_sensitive}, {NULL, 0, NULL}};
