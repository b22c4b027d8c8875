#ifndef SP_CLIENT_PRESENT_H
#define SP_CLIENT_PRESENT_H

/* How names, times, sets and entries are shown: to people, and in JSON. */

#include "base/json.h"
#include "base/text.h"
#include "client/completed.h"
#include "storage/entry.h"
#include "storage/record.h"

/* The path of a key, escaped for a terminal; appends. */
void sp_present_key(const void *key, size_t n, struct sp_buf *ret);
/* The same, printed. */
void sp_present_print_key(const void *key, size_t n);
void sp_present_print_text(const char *text); /* a sentence, as sp_text_show shows it */
/* "name": "/path" with its bytes as they are. */
void sp_present_json_key(struct sp_json *j, const char *name, const void *key, size_t n);
/* "12 min", "3 h", "5 days": between two times; "in 3 h" when it is ahead. */
struct sp_text sp_present_age(int64_t since_ns, int64_t now_ns);
/* The first eight digits of a set's id. */
struct sp_text sp_present_id(const uint8_t id[16]);
/* "1 file", "12 files". */
struct sp_hex sp_present_count(uint64_t n, const char *one, const char *many);
/* Of the files, and of the applications when some took part: "crash", "crash/application",
 * "crash/application, unconfirmed". */
struct sp_text sp_present_levels(
    enum sp_level files, enum sp_level applications, bool unconfirmed);
const char *sp_present_state(enum sp_set_state s);            /* "complete" */
const char *sp_present_fault(enum sp_fault_kind k);           /* "unreadable" */
const char *sp_present_type(enum sp_entry_type t);            /* "file", "folder", "link" */
void sp_present_mode(const struct sp_entry *en, char to[11]); /* "drwxr-xr-x" */
/* The clear part of a record, as members of the object that is open. The applications' level is
 * told by sp_present_json_applications: a completion may have the last word. */
void sp_present_json_set(struct sp_json *j, const struct sp_set *s, int64_t published_ns);
void sp_present_json_applications(
    struct sp_json *j, enum sp_level level, bool unconfirmed, enum sp_completed completed);
/* One entry as an object. */
void sp_present_json_entry(struct sp_json *j, const struct sp_entry *en);
/* One entry as a line, like ls -l; `name` NULL: its whole path. */
void sp_present_entry(const struct sp_entry *en, const char *name, size_t name_len);

#endif
