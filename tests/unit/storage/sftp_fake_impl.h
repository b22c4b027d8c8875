#ifndef SP_TESTS_SFTP_FAKE_IMPL_H
#define SP_TESTS_SFTP_FAKE_IMPL_H

/* Shared by the fake server's files: sftp_fake.c (what tests call), sftp_fake_tree.c (files and
 * folders), sftp_fake_answer.c (requests), sftp_fake_files.c and sftp_fake_names.c (what they do),
 * sftp_fake_lie.c (packets, and lies), sftp_fake_link.c (the thread). */

#include <stdlib.h>

#include "sftp_fake.h"

struct fake_node {
    char *path; /* absolute, "/" for the root */
    enum { FAKE_FILE, FAKE_FOLDER, FAKE_LINK } kind;
    struct sp_buf bytes;
    size_t safe; /* of them, what an fsync covers */
    uint32_t mtime;
    unsigned refs; /* the tree and open handles */
};

struct fake_handle {
    uint32_t number;
    struct fake_node *node;
    uint32_t flags;
    char **names; /* of a listing, as it was opened; NULL: a file */
    size_t nnames, at, told;
    struct fake_handle *next;
};

struct fake_answer {
    struct sp_buf bytes;
    int64_t due_ns;
    struct fake_answer *next;
};

struct fake_link {
    struct sp_sftp_link link;
    struct fake_server *f;
    struct sp_sftp_conn *conn;
    struct sp_thread *thread;
    bool kicked, stop, cut, greeted;
    struct sp_buf in;
    struct fake_handle *handles;
    struct fake_answer *first, *last;
    size_t nanswers;
    struct fake_link *next;
};

struct fake_server {
    struct sp_mutex
        lock; /* of all that follows; taken with a connection's lock held, never before */
    struct sp_cond changed;
    struct fake_options o;
    char *home;
    struct fake_node **nodes; /* sorted by path */
    size_t n, cap;
    uint64_t used;
    uint32_t now, handles;
    uint64_t dice;
    struct fake_link *links;
    struct {
        uint8_t type;
        unsigned n;
        bool after, all, happened;
    } cut;
    size_t requests[256], most_waiting, rounds;
};

void *fake_must(void *p); /* memory, or the end of the program */
void fake_broken(const char *what);
uint32_t fake_dice(struct fake_server *f);

/* Trees; the lock is held. */
char *fake_path(const struct fake_server *f, const char *path, size_t n); /* absolute, malloc'd */
size_t fake_at(const struct fake_server *f, const char *path, bool *found);
struct fake_node *fake_find(const struct fake_server *f, const char *path);
struct fake_node *fake_make(struct fake_server *f, const char *path, int kind);
bool fake_parent_there(const struct fake_server *f, const char *path);
void fake_drop(struct fake_server *f, size_t at); /* out of the tree */
void fake_release(struct fake_server *f, struct fake_node *x);
/* Index of the first node below `folder`; they follow each other. */
size_t fake_below(const struct fake_server *f, const char *folder, size_t *ret_end);
void fake_resize(struct fake_server *f, struct fake_node *x, size_t n);

/* One packet of the client; answers are put with fake_push. The lock is held. */
void fake_request(struct fake_link *l, const uint8_t *p, size_t n);
void fake_close_handles(struct fake_link *l);
void fake_push(struct fake_link *l, struct sp_buf *bytes); /* takes the bytes */
/* An honest answer, changed by the lie that is due, and pushed. */
void fake_say(struct fake_link *l, uint8_t asked, struct sp_buf *bytes);
/* Whether this lie is told for this request now. */
bool fake_lies(struct fake_link *l, uint8_t asked, enum fake_lie lie);

/* A request that is looked at. */
struct fake_asked {
    struct fake_link *l;
    struct fake_server *f;
    struct sp_cur c;
    uint8_t type;
    uint32_t id;
    struct sp_buf out;
};
/* Handlers: each puts its answer into a->out, without its length. */
void fake_do_open(struct fake_asked *a);
void fake_do_close(struct fake_asked *a);
void fake_do_read(struct fake_asked *a);
void fake_do_write(struct fake_asked *a);
void fake_do_stat(struct fake_asked *a);
void fake_do_opendir(struct fake_asked *a);
void fake_do_readdir(struct fake_asked *a);
void fake_do_remove(struct fake_asked *a);
void fake_do_mkdir(struct fake_asked *a);
void fake_do_rename(struct fake_asked *a);
void fake_do_realpath(struct fake_asked *a);
void fake_say_status(struct fake_asked *a, uint32_t status);
char *fake_take_path(struct fake_asked *a);
struct fake_handle *fake_take_handle(struct fake_asked *a);
struct fake_handle *fake_give_handle(struct fake_asked *a, struct fake_node *x, uint32_t flags);
void fake_attrs(struct sp_buf *b, const struct fake_node *x, bool times);

/* Packets. */
void fake_begin(struct sp_buf *b, uint8_t type, uint32_t id);
void fake_end(struct sp_buf *b);
void fake_text(struct sp_buf *b, const char *s);
void fake_status(struct sp_buf *b, uint32_t id, uint32_t status, const char *text);
void fake_version(const struct fake_options *o, struct sp_buf *b);

#endif
