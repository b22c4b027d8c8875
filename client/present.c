#include "client/present.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/path.h"
#include "client/ntfs_meta.h"
#include "client/present_windows.h"

void
sp_present_key(const void *key, size_t n, struct sp_buf *ret)
{
    struct sp_buf path = SP_BUF_INIT;

    sp_key_to_path(key, n, &path);
    sp_path_show(path.data, path.len, ret);
    if (path.failed)
        ret->failed = true;
    sp_buf_free(&path);
}

void
sp_present_print_key(const void *key, size_t n)
{
    struct sp_buf shown = SP_BUF_INIT;

    sp_present_key(key, n, &shown);
    (void)fputs(sp_buf_str(&shown), stdout);
    sp_buf_free(&shown);
}

void
sp_present_json_key(struct sp_json *j, const char *name, const void *key, size_t n)
{
    struct sp_buf path = SP_BUF_INIT;

    sp_key_to_path(key, n, &path);
    sp_json_key(j, name);
    sp_json_strn(j, path.data, path.len);
    sp_buf_free(&path);
}

struct sp_text
sp_present_age(int64_t since_ns, int64_t now_ns)
{
    struct sp_text t;
    /* Names of sets have whole seconds, so one may seem to be ahead by that. */
    const char *ahead = since_ns > now_ns && since_ns - now_ns > SP_SECOND ? "in " : "";
    int64_t s;

    since_ns = since_ns < 0 ? 0 : since_ns; /* no clock of a publisher: no sum overflows */
    s = (since_ns > now_ns ? since_ns - now_ns : now_ns - since_ns) / SP_SECOND;

    if (s < 60)
        (void)snprintf(t.s, sizeof(t.s), "%s%" PRId64 " s", ahead, s);
    else if (s < 3600)
        (void)snprintf(t.s, sizeof(t.s), "%s%" PRId64 " min", ahead, s / 60);
    else if (s < 48 * 3600)
        (void)snprintf(t.s, sizeof(t.s), "%s%" PRId64 " h", ahead, s / 3600);
    else
        (void)snprintf(t.s, sizeof(t.s), "%s%" PRId64 " days", ahead, s / 86400);
    return t;
}

struct sp_text
sp_present_id(const uint8_t id[16])
{
    struct sp_text t;

    (void)snprintf(t.s, sizeof(t.s), "%.8s", sp_hex8(id).s);
    return t;
}

struct sp_hex
sp_present_count(uint64_t n, const char *one, const char *many)
{
    struct sp_hex t;

    (void)snprintf(t.s, sizeof(t.s), "%s %.30s", sp_text_count(n).s, n == 1 ? one : many);
    return t;
}

struct sp_text
sp_present_levels(enum sp_level files, enum sp_level applications, bool unconfirmed)
{
    struct sp_text t;

    (void)snprintf(t.s, sizeof(t.s), "%s%s%s%s", sp_level_word(files),
        applications != SP_LEVEL_NONE ? "/" : "",
        applications != SP_LEVEL_NONE ? sp_level_word(applications) : "",
        unconfirmed ? ", unconfirmed" : "");
    return t;
}

const char *
sp_present_state(enum sp_set_state s)
{
    switch (s) {
    case SP_SET_CHECKPOINT:
        return "checkpoint";
    case SP_SET_COMPLETE:
        return "complete";
    case SP_SET_INCOMPLETE:
        return "incomplete";
    }
    return "unknown";
}

const char *
sp_present_fault(enum sp_fault_kind k)
{
    switch (k) {
    case SP_FAULT_UNREADABLE:
        return "unreadable";
    case SP_FAULT_CHANGED:
        return "changed";
    case SP_FAULT_ATTRIBUTES:
        return "attributes";
    case SP_FAULT_VANISHED:
        return "vanished";
    case SP_FAULT_FOLDER:
        return "folder";
    }
    return "unknown";
}

const char *
sp_present_type(enum sp_entry_type t)
{
    switch (t) {
    case SP_ENTRY_FILE:
        return "file";
    case SP_ENTRY_DIR:
        return "folder";
    case SP_ENTRY_LINK:
        return "link";
    case SP_ENTRY_CHAR:
        return "character device";
    case SP_ENTRY_BLOCK:
        return "block device";
    case SP_ENTRY_FIFO:
        return "fifo";
    case SP_ENTRY_SOCKET:
        return "socket";
    }
    return "unknown";
}

void
sp_present_mode(const struct sp_entry *en, char to[11])
{
    static const char types[] = "?-dlcbps";
    static const char rights[] = "rwxrwxrwx";
    uint32_t mode = sp_ntfs_mode(en);
    unsigned i;

    to[0] = (unsigned)en->type < sizeof(types) - 1 ? types[en->type] : '?';
    for (i = 0; i < 9; i++)
        to[1 + i] = (mode & (0400u >> i)) != 0 ? rights[i] : '-';
    if ((mode & 04000u) != 0)
        to[3] = to[3] == 'x' ? 's' : 'S';
    if ((mode & 02000u) != 0)
        to[6] = to[6] == 'x' ? 's' : 'S';
    if ((mode & 01000u) != 0)
        to[9] = to[9] == 'x' ? 't' : 'T';
    to[10] = '\0';
}

void
sp_present_json_set(struct sp_json *j, const struct sp_set *s, int64_t published_ns)
{
    sp_json_kstr(j, "set", sp_hex16(s->set_id).s);
    sp_json_kstr(j, "job", s->job);
    sp_json_kstr(j, "host_id", sp_hex16(s->host).s);
    sp_json_kstr(j, "group", sp_hex16(s->group).s);
    sp_json_ku64(j, "sequence", s->sequence);
    sp_json_kstr(j, "state", sp_present_state(s->state));
    sp_json_key(j, "published");
    sp_json_time(j, published_ns);
    sp_json_key(j, "started");
    sp_json_time(j, s->started_ns);
    sp_json_key(j, "ended");
    sp_json_time(j, s->ended_ns);
    sp_json_kstr(j, "files_consistency", sp_level_word(s->files_level));
    sp_json_ku64(j, "entries", s->entries);
    sp_json_ku64(j, "files", s->files);
    sp_json_ku64(j, "files_away", s->files_away);
    sp_json_ku64(j, "bytes", s->bytes);
    sp_json_ku64(j, "bytes_read", s->bytes_read);
    sp_json_ku64(j, "bytes_new", s->bytes_new);
    sp_json_ku64(j, "bytes_stored", s->bytes_stored);
    sp_json_kstr(j, "program", s->program);
}

void
sp_present_json_applications(
    struct sp_json *j, enum sp_level level, bool unconfirmed, enum sp_completed completed)
{
    sp_json_kstr(j, "applications_consistency", sp_level_word(level));
    sp_json_kbool(j, "applications_unconfirmed", unconfirmed);
    sp_json_kstr(j, "completion", sp_completed_word(completed));
}

void
sp_present_json_entry(struct sp_json *j, const struct sp_entry *en)
{
    char mode[8];

    sp_json_object(j);
    sp_present_json_key(j, "path", en->key, en->key_len);
    sp_json_kstr(j, "type", sp_present_type(en->type));
    if (en->type == SP_ENTRY_FILE)
        sp_json_ku64(j, "size", en->size);
    (void)snprintf(mode, sizeof(mode), "%04o", sp_ntfs_mode(en) & 07777u);
    sp_json_kstr(j, "mode", mode);
    sp_json_ku64(j, "uid", en->uid);
    sp_json_ku64(j, "gid", en->gid);
    sp_json_kstr(j, "user", en->user);
    sp_json_kstr(j, "group", en->group);
    sp_json_key(j, "mtime");
    sp_json_time(j, en->mtime_ns);
    sp_json_key(j, "mtime_ns");
    sp_json_i64(j, en->mtime_ns);
    if (en->links > 1 && en->type != SP_ENTRY_DIR)
        sp_json_ku64(j, "links", en->links);
    if (en->type == SP_ENTRY_LINK) {
        sp_json_key(j, "target");
        sp_json_strn(j, en->target, en->target_len);
    }
    if (en->type == SP_ENTRY_CHAR || en->type == SP_ENTRY_BLOCK)
        sp_json_ku64(j, "rdev", en->rdev);
    if ((en->flags & SP_ENTRY_UNREADABLE) != 0)
        sp_json_kbool(j, "unreadable", true);
    if ((en->flags & SP_ENTRY_CHANGED) != 0)
        sp_json_kbool(j, "changed_while_read", true);
    sp_windows_json(en, j);
    sp_json_object_end(j);
}

void
sp_present_print_text(const char *text)
{
    struct sp_buf shown = SP_BUF_INIT;

    sp_text_show(text, &shown);
    (void)fputs(sp_buf_str(&shown), stdout);
    sp_buf_free(&shown);
}

/* The first characters of a long name. */
static void
owner_text(const char *name, uint32_t id, char to[16])
{
    struct sp_buf shown = SP_BUF_INIT;
    size_t n;

    if (name[0] != '\0')
        sp_path_show(name, strnlen(name, 16), &shown);
    else
        sp_buf_printf(&shown, "%" PRIu32, id);
    n = strnlen(sp_buf_str(&shown), 16);
    if (n == 16)
        for (n = 15; n > 0 && ((unsigned char)sp_buf_str(&shown)[n] & 0xc0) == 0x80;)
            n--;
    memcpy(to, sp_buf_str(&shown), n);
    to[n] = '\0';
    sp_buf_free(&shown);
}

void
sp_present_entry(const struct sp_entry *en, const char *name, size_t name_len)
{
    struct sp_buf shown = SP_BUF_INIT, windows = SP_BUF_INIT;
    char mode[11], time[32], user[16], group[16];

    sp_present_mode(en, mode);
    sp_time_local(en->mtime_ns, time);
    if ((en->flags & SP_ENTRY_WINDOWS) == 0) {
        owner_text(en->user, en->uid, user);
        owner_text(en->group, en->gid, group);
    } else { /* its security descriptor says more than fits */
        (void)strcpy(user, "-");
        (void)strcpy(group, "-");
    }
    sp_windows_show(en, &windows);
    if (name != NULL)
        sp_path_show(name, name_len, &shown);
    else
        sp_present_key(en->key, en->key_len, &shown);
    if (en->type == SP_ENTRY_LINK) {
        sp_buf_put_str(&shown, " -> ");
        sp_path_show(en->target, en->target_len, &shown);
    }
    if ((en->flags & SP_ENTRY_UNREADABLE) != 0)
        sp_buf_put_str(&shown, "  (was unreadable)");
    else if ((en->flags & SP_ENTRY_CHANGED) != 0)
        sp_buf_put_str(&shown, "  (changed while it was read)");
    if (windows.len > 0)
        sp_buf_printf(&shown, "  (%s)", sp_buf_str(&windows));
    (void)printf("%s %-8s %-8s %13" PRIu64 " %s %s\n", mode, user, group, en->size, time,
        sp_buf_str(&shown));
    sp_buf_free(&shown);
    sp_buf_free(&windows);
}
