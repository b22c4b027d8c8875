#ifndef SP_VSS_SELECT_H
#define SP_VSS_SELECT_H

/* Which components take part (shared rules of a requester: learn.microsoft.com/windows/win32/vss/
 * working-with-selectability-and-logical-paths). Pure: no VSS, no files are looked at.
 *
 * In the set is what has files at or below the job's roots, and what the job asks for by name (`application =`): the files
 * of those become roots of their own. Of what is in the set:
 *  - a component is added when all its files, and all of what lies below it in the tree of logical paths, are in the
 *    set and on volumes that get a shadow; it has no selectable ancestor that is added. Logical paths are compared part
 *    by part (`DB1` is no prefix of `DB10`);
 *  - its descendants come with it (parent says with which);
 *  - where a selectable ancestor cannot be added, its selectable descendants are tried one by one;
 *  - dependencies are followed to a fixpoint, across writers: what a component depends on is added too when its files
 *    are in the set; otherwise the dependent is still added and `lacks` names what is missing;
 *  - a component with some files outside is not added: PARTLY_OUTSIDE, the first such path in detail;
 *  - what a pattern of `application-exclude` matches is not added: NOT_CHOSEN (its files stay in the set).
 * A component without files (metadata only) is in the set when a component below or beside it in its writer is, when the
 * job asks for it, or when another depends on it.
 *
 * A component that is not selectable, and has no selectable one above it, is added by itself and stands for its own
 * files only; one that has is never added by itself (asked for: the one above is). What is not added is told only
 * where files of its own are in the set. A pattern that excludes a selectable component excludes what comes with it; one
 * that excludes a descendant keeps those above from being added. Files are looked for at their alternate location where
 * the writer names one. A pattern of files in the folder itself (not recursive) never makes a whole volume a root. */

#include "base/path.h"
#include "vss/describe.h"
#include "vss/metadata.h"
#include "vss/pattern.h"

struct sp_vss_key {
    const uint8_t *p; /* as sp_key_from_path makes them */
    size_t n;
};
struct sp_vss_select_options {
    const struct sp_vss_key *roots;
    size_t nroots;
    struct sp_vss_pattern *const *asked, *const *excluded;
    size_t nasked, nexcluded;
    /* Whether the volume that covers a path gets a shadow; false with a reason in *ret_why (static or owned by arg). */
    bool (*shadowed)(void *arg, const char *path, const char **ret_why);
    void *arg;
};
struct sp_vss_choice { /* of one component in the set */
    size_t writer, component; /* indices into the metadata */
    struct sp_unit unit;
    bool added, asked; /* asked: by a pattern of `application =` */
    size_t parent;     /* index of the choice that it comes with; SIZE_MAX */
    size_t *depends;   /* indices of choices */
    size_t ndepends;
    enum sp_why why;   /* UNKNOWN while it takes part; else PARTLY_OUTSIDE, NOT_CHOSEN, NO_SHADOW */
    char *detail;
    char **paths;      /* native: path\spec, or the folder where the spec is a pattern */
    size_t npaths;
};
struct sp_vss_plan {
    struct sp_vss_choice *choices;
    size_t nchoices;
    char **roots;    /* files and folders of what was asked for, native: the run's additional roots, none within
                        one of the job's or within each other */
    size_t nroots;
    char **excludes; /* of the writers concerned: patterns as client/filter.h takes them ("/C:/a/?.tmp"). To be
                        put before all others: some take folders back that others name ("!/C:/a/?.tmp/") */
    size_t nexcludes;
    char **lacks;    /* sentences (lower case, no full stop): a pattern of `application =` that nothing matches, a
                        dependency not in the set */
    size_t nlacks;
};
enum sp_code sp_vss_select(const struct sp_vss_metadata *m, const struct sp_vss_select_options *o,
    struct sp_vss_plan *ret, struct sp_err *e);
void sp_vss_plan_clear(struct sp_vss_plan *p);

#endif
