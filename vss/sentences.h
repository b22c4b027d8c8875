#ifndef SP_VSS_SENTENCES_H
#define SP_VSS_SENTENCES_H

#include <stdbool.h>

#include "base/verdict.h"

/* The sentences. In `because`: {writer} the writer with its name, {status} what it reported and
 * when, {code} an HRESULT with its name and meaning, {method}, {detail}, {lean} what it depends on
 * and that one's level, {live} how many files were read live, {rule}. `next` is what to do, after
 * the HRESULT's own advice where `coded`. */
struct sp_vss_sentence {
    enum sp_why why;
    const char *because;
    const char *next;
    bool coded; /* the advice of the HRESULT comes first, and is enough when there is one */
};
/* Of a reason, for such a unit; of UNKNOWN for one that is not in the table. */
const struct sp_vss_sentence *sp_vss_sentence(enum sp_why why, enum sp_unit_kind kind);
/* What a method of Hyper-V's is, and what the better one needs; "" where there is no more to say.
 */
const char *sp_vss_method_is(const char *method);
const char *sp_vss_method_needs(void);
/* What a level means for a restore of such a unit. */
const char *sp_vss_level_means(enum sp_level level, enum sp_unit_kind kind);

#endif
