#ifndef SP_VSS_SELECT_IMPL_H
#define SP_VSS_SELECT_IMPL_H

/* Inside select*.c: the components of all writers as one list of nodes in the order of the metadata, and as trees. */

#include "base/buf.h"
#include "vss/select.h"

#define NO_NODE SIZE_MAX

/* --- what is in the set (select_scope.c) --- */

struct scope_key {
    uint8_t *p; /* folded where the system's names know no case */
    size_t n;
    char *path; /* native; NULL: as it came, a key */
};
struct scope { /* settled: sorted, none within another */
    struct scope_key *v;
    size_t n;
};
enum sp_code select_scope_add(struct scope *s, const void *key, size_t n, const char *path, struct sp_err *e);
enum sp_code select_scope_take(struct scope *s, struct scope_key *k, struct sp_err *e); /* empties *k */
void select_scope_settle(struct scope *s);
void select_scope_clear(struct scope *s);

enum extent { OUTSIDE, PARTLY, INSIDE };
/* SP_NOMEM is the only failure: a path that cannot be a key is outside. */
enum sp_code select_scope_of_files(
    const struct scope *s, const struct sp_vss_files *f, enum extent *ret, struct sp_err *e);
/* A key is made of a native path; *ret is false where it cannot be. */
enum sp_code select_scope_key(const char *path, struct sp_buf *to, bool *ret, struct sp_err *e);

bool select_files_are_pattern(const struct sp_vss_files *f); /* more than one name */
const char *select_files_folder(const struct sp_vss_files *f);
/* With `spec`: folder\spec in every case; without: the folder, where they are a pattern. malloc'd. */
char *select_files_path(const struct sp_vss_files *f, bool spec);

/* --- components (select_tree.c) --- */

struct node {
    size_t writer, component;
    const struct sp_vss_writer *w;
    const struct sp_vss_component *c;
    uint8_t *key; /* parts of the logical path, and the name as the last one, joined by NUL */
    size_t key_len, path_len;
    size_t up;         /* nearest component above it; NO_NODE */
    size_t selectable; /* nearest selectable one above it */
    struct sp_unit unit;
    char **paths;
    size_t npaths;
    bool asked, excluded; /* by patterns, or with a selectable one above it */

    bool touched; /* some of its own files are in the set */
    bool beside;  /* some component with the same logical path is touched */
    const struct sp_vss_files *outside, *dark; /* the first of its own that is outside; without a shadow */
    const char *dark_why;
    bool below_touched; /* it, or one below it */
    size_t below_outside, below_dark, below_excluded; /* the first of it and those below; NO_NODE */

    enum sp_why why; /* UNKNOWN: nothing is against it */
    size_t because;  /* the node that `why` is about */
    bool added;
    size_t with;   /* the added node that it comes with; NO_NODE */
    size_t choice; /* its index; SIZE_MAX: none */
    size_t *depends; /* nodes */
    size_t ndepends;
};
struct selection {
    const struct sp_vss_metadata *m;
    const struct sp_vss_select_options *o;
    struct node *nodes; /* in the order of the metadata */
    size_t *tree;       /* indices: by writer and key, so those above first */
    size_t n;
    struct scope scope;
    struct sp_vss_plan plan;
};
enum sp_code select_tree_new(struct selection *s, struct sp_err *e); /* nodes, tree, units, paths */
void select_tree_clear(struct selection *s);
bool select_is_above(const struct selection *s, size_t above, size_t node); /* in the tree */
bool select_takes_part(const struct node *n);                               /* added, or with one that is */
/* "DB1 (SqlServerWriter)" of a choice, for sentences. */
void select_put_node(struct sp_buf *b, const struct node *n);
enum sp_code select_say_lack(struct selection *s, struct sp_buf *sentence, struct sp_err *e); /* frees it */
enum sp_code select_add_string(char ***v, size_t *n, char *s, struct sp_err *e); /* takes s; NULL is SP_NOMEM */

/* --- select_asked.c: patterns of the job, and the roots that they bring --- */
enum sp_code select_asked(struct selection *s, struct sp_err *e);

/* --- select_depends.c --- */
enum sp_code select_follow_dependencies(struct selection *s, struct sp_err *e);

/* --- select_excludes.c --- */
enum sp_code select_add_excludes(struct selection *s, struct sp_err *e);

#endif
