#ifndef SP_VSS_SURVEY_H
#define SP_VSS_SURVEY_H

/* What VSS says of itself now: its writers, what each has, and how it is. A session of its own that makes nothing and freezes
 * nothing: metadata and status are gathered, as `vssadmin list writers` does
 * (learn.microsoft.com/windows-server/administration/windows-commands/vssadmin-list-writers). Every wait has a
 * deadline. One thread. */

#include "vss/api.h"

struct sp_vss_survey_writer {
    const struct sp_vss_writer *writer; /* NULL: it answers, but told nothing of what it has */
    bool answered;
    struct sp_vss_status status; /* where it answered */
};
struct sp_vss_survey {
    struct sp_vss_metadata metadata;
    struct sp_vss_survey_writer *v; /* in the order of the metadata, then those without */
    size_t n;
};
struct sp_vss_survey_options {
    const struct sp_env *env;
    const struct sp_vss_api *api;
    uint32_t metadata_ms, status_ms; /* 0: 5 minutes, 1 minute */
    bool (*cancelled)(void *arg);    /* may be NULL; asked at least once a second */
    void *arg;
};
/* SP_UNSUPPORTED, SP_DENIED: VSS cannot be used here, the sentence says why and the way out. */
enum sp_code sp_vss_survey(
    const struct sp_vss_survey_options *o, struct sp_vss_survey *ret, struct sp_err *e);
void sp_vss_survey_clear(struct sp_vss_survey *s);
/* A failed state, or a failure code; false where it did not answer. */
bool sp_vss_survey_failed(const struct sp_vss_survey_writer *w);

#endif
