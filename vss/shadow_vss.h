#ifndef SP_VSS_SHADOW_VSS_H
#define SP_VSS_SHADOW_VSS_H

/* VSS as a shadow source: the requester's answers in the words of shadow.h. As there, function by
 * function. */

#include "vss/requester.h"
#include "vss/volumes.h"

struct shadow_vss;

enum sp_code shadow_vss_plan(const struct sp_env *env, const struct sp_shadow_options *o,
    struct sp_shadow **ret, struct sp_err *e);
const char *const *shadow_vss_roots(const struct shadow_vss *v, size_t *ret_n);
const char *const *shadow_vss_excludes(const struct shadow_vss *v, size_t *ret_n);
bool shadow_vss_has_writer(const struct shadow_vss *v, const char *name);
const char *const *shadow_vss_files(const struct shadow_vss *v, size_t component, size_t *ret_n);
enum sp_code shadow_vss_take(struct sp_shadow *s, struct sp_err *e);
size_t shadow_vss_overrides(const struct shadow_vss *v, const struct sp_shadow_override **ret);
const struct sp_verdict *
shadow_vss_verdict(const struct shadow_vss *v); /* NULL: VSS was not driven */
enum sp_code shadow_vss_found(struct shadow_vss *v, size_t component, uint64_t live,
    const char *lacks, struct sp_err *e);
enum sp_code shadow_vss_documents(const struct shadow_vss *v,
    enum sp_code (*each)(void *arg, const char *name, const void *p, size_t n, struct sp_err *e),
    void *arg, struct sp_err *e);
enum sp_code shadow_vss_finish(struct shadow_vss *v, bool made, struct sp_err *e);
void shadow_vss_free(struct shadow_vss *v);

/* Patterns of exactly the files of one component (client/filter.h), a list ended by NULL
 * (shadow_vss_files.c). */
enum sp_code
shadow_vss_patterns(const struct sp_vss_component *c, char ***ret, size_t *ret_n, struct sp_err *e);

#endif
