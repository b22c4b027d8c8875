#ifndef SP_CLIENT_DOCTOR_H
#define SP_CLIENT_DOCTOR_H

/* What the parts of `stillpoint doctor` share: each looks at one thing and tells what it saw, with
 * the way out when it is not good. */

#include "client/report.h"
#include "storage/backend.h"

enum sp_health { SP_HEALTH_GOOD, SP_HEALTH_WARNING, SP_HEALTH_BAD };

struct sp_doctor {
    struct sp_report r;
    struct sp_cli *c;
    uint64_t good, warnings, bad;
    enum sp_exit worst; /* of what is bad */
};

/* advice NULL: there is nothing to do. */
void sp_doctor_tell(struct sp_doctor *d, enum sp_health h, const char *subject, const char *advice,
    const char *fmt, ...) SP_PRINTF(5, 6);
/* An error as something bad; its exit code becomes the doctor's. */
void
sp_doctor_bad(struct sp_doctor *d, const char *subject, const char *advice, const struct sp_err *e);

/* Counts the names in a folder of this machine's state that end with `suffix`; no folder, none. *ret_folder malloc'd,
 * NULL on failure. */
enum sp_code sp_doctor_count(struct sp_doctor *d, const char *folder, const char *suffix, size_t *ret_n,
    char **ret_folder, struct sp_err *e);

/* doctor_store.c: one repository, with all that this machine knows of it. */
void sp_doctor_store(struct sp_doctor *d, const struct sp_profile *p, bool is_default);
/* doctor_sftp.c: the SFTP account that holds it, logged in to. */
void sp_doctor_sftp(struct sp_doctor *d, const struct sp_profile *p, struct sp_backend *b);
/* doctor_jobs.c: the configuration's jobs, and what earlier runs left. */
void sp_doctor_jobs(struct sp_doctor *d);
void sp_doctor_leftovers(struct sp_doctor *d);
/* doctor_applications.c: VSS's writers, and what the jobs ask of applications. */
void sp_doctor_applications(struct sp_doctor *d);

#endif
