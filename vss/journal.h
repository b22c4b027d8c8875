#ifndef SP_VSS_JOURNAL_H
#define SP_VSS_JOURNAL_H

/* What shadows a run made, on disk from before they are made until they are gone: files
 * `<id>.shadows` in the journal folder: "stillpoint shadows 1", "process <pid> <start>", then
 * "shadow <path>" a line, or "vss <id of a shadow set>". A process is known by its id and its start time, so a pid used again is
 * not taken for the old one. */

#include "base/buf.h"
#include "base/os.h"

#define SP_JOURNAL_SUFFIX ".shadows"

enum sp_code sp_journal_write(const struct sp_env *env, const char *file, const char *const *paths,
    size_t n, struct sp_err *e);
enum sp_code sp_journal_write_set(
    const struct sp_env *env, const char *file, const char *set_id, struct sp_err *e);
struct sp_journal {
    bool alive; /* its process runs */
    char **paths;
    size_t n;
    char (*sets)[37]; /* of VSS */
    size_t nsets;
};
/* SP_CORRUPT when it is no journal. */
enum sp_code sp_journal_read(
    const struct sp_env *env, const char *file, struct sp_journal *ret, struct sp_err *e);
void sp_journal_clear(struct sp_journal *j);
/* Each journal in the folder; SP_OK when the folder is not there. `each` gets whole paths; a code other
 * than SP_OK from it ends the walk. */
enum sp_code sp_journals(const struct sp_env *env, const char *folder,
    enum sp_code (*each)(void *arg, const char *file, struct sp_err *e), void *arg, struct sp_err *e);

/* Of the platform (process_linux.c, process_win32.c): this process, and whether one still runs. */
void sp_process_self(uint64_t *ret_pid, uint64_t *ret_start);
bool sp_process_alive(uint64_t pid, uint64_t start);

#endif
