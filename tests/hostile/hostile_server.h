#ifndef SP_TESTS_HOSTILE_SERVER_H
#define SP_TESTS_HOSTILE_SERVER_H

/* What the tests of test_hostile_server.c share, and the tests that they are. */

#include "tests/unit/client/fake_server.h"
#include "tests/unit/client/site.h"

#include "client/restore.h"

/* Lies that were told. */
extern unsigned long cases;

enum lie {
    TRUTH,
    HAVE_ALL,           /* "mine" for everything, commits are true */
    HAVE_ALL_COMMIT,    /* and "published" for whatever is committed */
    HAVE_MEMBERS_ALL,   /* "a member has it", but Get gives nothing */
    HAVE_MEMBERS_NOISE, /* and Get gives blocks that claim the ids */
    HAVE_NONSENSE,      /* an answer that there is not */
    FORGET_PUTS,        /* acknowledges, stores nothing, "published" */
    ACK_TOO_MUCH,
    ACK_BACKWARDS,
    GET_FLIPPED, /* bytes of the sealed part changed */
    GET_OTHER,   /* another block under the index */
    GET_TWICE,   /* without end */
    GET_OUTSIDE, /* an index that was not asked for */
    GET_NOTHING,
    GET_HALF,    /* the block is cut short */
    HEAD_OLD,    /* an older set */
    HEAD_NONE,   /* no set at all */
    HEAD_FORGED, /* a newer one that this host did not sign */
    HEAD_NOISE,
    LIST_FOREIGN, /* thousands of records of other hosts, with this one's name on some */
    LIST_TWICE,   /* the same without end */
    ERROR_ALWAYS,
    CLOSE_ALWAYS,
    SILENT
};

struct liar {
    struct fake *f;
    struct site site;
    enum lie lie;
    enum sp_code code; /* of ERROR_ALWAYS */
    uint64_t put[2];
    unsigned session;
    struct sp_buf old_head; /* the first set's record */
    struct sp_buf forged;
    struct sp_buf seen; /* all payloads that came */
    struct sp_store *remote;
};

/* The repository that the liar lies about. */
struct sp_store *truth(struct liar *l);
/* Answers one event, by the lie of the day: `on` of the fake. */
bool serve(struct fake *f, struct fake_session *s, struct sp_event *ev);

/* For each test: a site with files, connected to a liar. */
int setup(void **state);
int teardown(void **state);
void tell_lie(struct liar *l, enum lie lie);
void reconnect(struct liar *l);

struct restored {
    enum sp_code code;
    struct sp_err err;
    struct sp_restore_stats stats;
};

/* Over the network, from a root. What is there afterwards must be as it was, file by file: the
 * target is then removed. */
void restore(struct liar *l, const struct sp_id *root, struct restored *ret);
void ends_with(const struct outcome *o, enum sp_code code, const char *part);
/* The exit code of a program that failed so. */
int exit_of(enum sp_code code, enum sp_domain domain);

void test_truth(void **state);
void test_has_what_it_has_not(void **state);
void test_members_that_are_none(void **state);
void test_members_of_noise(void **state);
void test_nonsense(void **state);
void test_gives_something_else(void **state);
void test_gives_too_much(void **state);
void test_rolled_back(void **state);
void test_lists(void **state);
void test_refuses(void **state);
void test_silent(void **state);
void test_babble(void **state);

#endif
