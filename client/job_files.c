#include "client/job_files.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/ini.h"
#include "base/path.h"
#include "base/text.h"
#include "storage/crypto.h"

/* What this machine keeps of each job's runs: see job_files.h. */

#define FILE_LIMIT 65536u
#define NAME_ROOM 120 /* of what file systems take: 143 (eCryptfs) to 255 */

static enum sp_code
file_name(const char *job, const char *suffix, struct sp_buf *to, struct sp_err *e)
{
    uint8_t hash[32];
    enum sp_code rc = SP_OK;
    size_t start;

    sp_buf_put_str(to, "job-"); /* no name is a device of DOS, none begins with a dot */
    start = to->len;
    for (const char *p = job; *p != '\0'; p++) {
        bool plain = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') ||
                     (*p >= '0' && *p <= '9') || strchr("_-.", *p) != NULL;

        if (plain)
            sp_buf_put_u8(to, (uint8_t)*p);
        else
            sp_buf_printf(to, "%%%02X", (unsigned)(uint8_t)*p);
    }
    if (to->len - start > NAME_ROOM && (rc = sp_sha256(job, strlen(job), hash, e)) == SP_OK) {
        to->len = start + NAME_ROOM - 17;
        sp_buf_printf(to, "-%s", sp_hex8(hash).s);
    }
    sp_buf_put_str(to, suffix);
    return rc == SP_OK ? sp_buf_ok(to, e) : rc;
}

/* "<state>/<folder>/job-<name><suffix>". */
static enum sp_code
place_of(const struct sp_env *env, const char *folder, const char *job, const char *suffix, bool make,
    char **ret, struct sp_err *e)
{
    struct sp_buf name = SP_BUF_INIT;
    char *place = NULL, *above = NULL, *path = NULL;
    enum sp_code rc;

    if ((rc = file_name(job, suffix, &name, e)) != SP_OK ||
        (rc = sp_os_place(SP_PLACE_STATE, &place, e)) != SP_OK)
        goto out;
    if ((above = sp_path_join(place, folder)) == NULL ||
        (path = sp_path_join(above, sp_buf_str(&name))) == NULL) {
        rc = sp_fail_nomem(e);
        goto out;
    }
    if (make && (rc = sp_os_mkdirs(env->os, above, e)) != SP_OK)
        goto out;
    *ret = path;
    path = NULL;
out:
    sp_buf_free(&name);
    free(place);
    free(above);
    free(path);
    return rc;
}

enum sp_code
sp_job_file(const struct sp_env *env, const char *job, const char *suffix, bool make, char **ret,
    struct sp_err *e)
{
    return place_of(env, "runs", job, suffix, make, ret, e);
}

enum sp_code
sp_job_documents(const struct sp_env *env, const char *job, char **ret, struct sp_err *e)
{
    char *folder = NULL;
    enum sp_code rc;

    if ((rc = place_of(env, "vss", job, "", true, &folder, e)) != SP_OK)
        return rc;
    if ((rc = sp_os_remove_tree(env->os, folder, e)) == SP_OK &&
        (rc = sp_os_mkdirs(env->os, folder, e)) == SP_OK) {
        *ret = folder;
        folder = NULL;
    }
    free(folder);
    return rc;
}

/* --- the last run
 * ------------------------------------------------------------------------------------ */

static enum sp_code
read_value(void *arg, const char *section, const char *key, const char *value, unsigned line,
    struct sp_err *e)
{
    struct sp_last_run *r = arg;

    (void)section;
    (void)line;
    (void)e;
    if (key == NULL)
        return SP_OK;
    if (strcmp(key, "started") == 0)
        r->started_ns = strtoll(value, NULL, 10);
    else if (strcmp(key, "ended") == 0)
        r->ended_ns = strtoll(value, NULL, 10);
    else if (strcmp(key, "success") == 0)
        r->success_ns = strtoll(value, NULL, 10);
    else if (strcmp(key, "exit") == 0)
        r->exit_code = (int)strtol(value, NULL, 10);
    else if (strcmp(key, "text") == 0)
        (void)snprintf(r->text, sizeof(r->text), "%s", value);
    return SP_OK; /* a key of a later version */
}

enum sp_code
sp_last_run_read(
    const struct sp_env *env, const char *job, struct sp_last_run *ret, struct sp_err *e)
{
    struct sp_last_run r = {.exit_code = -1};
    char *path = NULL;
    uint8_t *text = NULL;
    size_t n;
    enum sp_code rc;

    if ((rc = sp_job_file(env, job, ".last", false, &path, e)) == SP_OK &&
        (rc = sp_os_read_file(env->os, path, FILE_LIMIT, &text, &n, e)) == SP_OK &&
        (rc = sp_ini_parse(path, (const char *)text, n, read_value, &r, e)) == SP_OK)
        *ret = r;
    free(path);
    free(text);
    return rc;
}

/* In quotes, as base/ini.h reads it; on one line. */
static void
put_quoted(struct sp_buf *b, const char *text)
{
    struct sp_buf shown = SP_BUF_INIT;
    const char *p;

    sp_text_show(text, &shown);
    sp_buf_put_u8(b, '"');
    for (p = sp_buf_str(&shown); *p != '\0'; p++) {
        if (*p == '"' || *p == '\\')
            sp_buf_put_u8(b, '\\');
        sp_buf_put_u8(b, (uint8_t)*p);
    }
    sp_buf_put_u8(b, '"');
    sp_buf_free(&shown);
}

enum sp_code
sp_last_run_write(
    const struct sp_env *env, const char *job, const struct sp_last_run *r, struct sp_err *e)
{
    struct sp_buf b = SP_BUF_INIT;
    struct sp_last_run before = {0};
    struct sp_err ignored = {0};
    char *path = NULL;
    enum sp_code rc;

    if (r->success_ns == 0) /* unreadable: nothing is known, and this run is written all the same */
        (void)sp_last_run_read(env, job, &before, &ignored);
    sp_buf_printf(&b,
        "[run]\nstarted = %" PRId64 "\nended = %" PRId64 "\nsuccess = %" PRId64
        "\nexit = %d\ntext = ",
        r->started_ns, r->ended_ns, r->success_ns != 0 ? r->success_ns : before.success_ns,
        r->exit_code);
    put_quoted(&b, r->text);
    sp_buf_put_str(&b, "\n");
    if ((rc = sp_buf_ok(&b, e)) == SP_OK &&
        (rc = sp_job_file(env, job, ".last", true, &path, e)) == SP_OK)
        rc = sp_os_write_file(env->os, path, b.data, b.len, e);
    sp_buf_free(&b);
    free(path);
    return rc;
}
