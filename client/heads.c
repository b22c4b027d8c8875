#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/path.h"
#include "base/text.h"
#include "client/profile.h"

/* The heads of the chains that this machine remembers (R21): a line a job, "<sequence> <hash> <job>". */

#define FILE_LIMIT (4u << 20)

static enum sp_code
read_heads(const struct sp_env *env, const struct sp_profile *p, char **ret, char **ret_path,
    struct sp_err *e)
{
    uint8_t *bytes = NULL;
    char *text;
    size_t n = 0;
    enum sp_code rc;

    *ret_path = sp_path_join(p->folder, "heads");
    if (*ret_path == NULL)
        return sp_fail_nomem(e);
    rc = sp_os_read_file(env->os, *ret_path, FILE_LIMIT, &bytes, &n, e);
    if (rc != SP_OK && rc != SP_ABSENT)
        return rc;
    text = malloc(n + 1);
    if (text == NULL) {
        free(bytes);
        return sp_fail_nomem(e);
    }
    if (n > 0)
        memcpy(text, bytes, n);
    text[n] = '\0';
    free(bytes);
    *ret = text;
    return SP_OK;
}

/* One line; false when it makes no sense. */
static bool
parse(const char *line, uint64_t *ret_sequence, char ret_hash[65], const char **ret_job)
{
    int used = 0;

    if (sscanf(line, "%" SCNu64 " %64[0-9a-f] %n", ret_sequence, ret_hash, &used) < 2 || used == 0)
        return false;
    *ret_job = line + used;
    return true;
}

enum sp_code
sp_profile_head(const struct sp_env *env, const struct sp_profile *p, const char *job,
    uint64_t *ret_sequence, uint8_t ret_hash[32], struct sp_err *e)
{
    char *text = NULL, *path = NULL, *line, *save = NULL, hash[65];
    const char *name;
    uint64_t sequence;
    enum sp_code rc;

    if ((rc = read_heads(env, p, &text, &path, e)) == SP_OK) {
        *ret_sequence = 0;
        for (line = strtok_r(text, "\n", &save); line != NULL; line = strtok_r(NULL, "\n", &save)) {
            if (parse(line, &sequence, hash, &name) && strcmp(name, job) == 0 &&
                sp_hex_parse(hash, ret_hash, 32))
                *ret_sequence = sequence;
        }
    }
    free(text);
    free(path);
    return rc;
}

enum sp_code
sp_profile_set_head(const struct sp_env *env, const struct sp_profile *p, const char *job,
    uint64_t sequence, const uint8_t hash[32], struct sp_err *e)
{
    struct sp_buf b = SP_BUF_INIT;
    char *text = NULL, *path = NULL, *line, *save = NULL, old[65];
    const char *name;
    uint64_t number;
    enum sp_code rc;

    if (strchr(job, '\n') != NULL)
        return sp_fail(e, SP_INVALID, SP_DOM_CONFIG, "a job's name has no line break");
    if ((rc = read_heads(env, p, &text, &path, e)) == SP_OK) {
        for (line = strtok_r(text, "\n", &save); line != NULL; line = strtok_r(NULL, "\n", &save)) {
            if (parse(line, &number, old, &name) && strcmp(name, job) != 0)
                sp_buf_printf(&b, "%s\n", line);
        }
        sp_buf_printf(&b, "%" PRIu64 " %s %s\n", sequence, sp_hex32(hash).s, job);
        if ((rc = sp_buf_ok(&b, e)) == SP_OK)
            rc = sp_os_write_file(env->os, path, b.data, b.len, e);
    }
    sp_buf_free(&b);
    free(text);
    free(path);
    return rc;
}

enum sp_code
sp_profile_heads(const struct sp_env *env, const struct sp_profile *p,
    void (*each)(void *arg, const char *job, uint64_t sequence, const uint8_t hash[32]), void *arg,
    struct sp_err *e)
{
    char *text = NULL, *path = NULL, *line, *save = NULL, hex[65];
    const char *job;
    uint8_t hash[32];
    uint64_t sequence;
    enum sp_code rc;

    if ((rc = read_heads(env, p, &text, &path, e)) == SP_OK) {
        for (line = strtok_r(text, "\n", &save); line != NULL; line = strtok_r(NULL, "\n", &save)) {
            if (parse(line, &sequence, hex, &job) && sp_hex_parse(hex, hash, 32))
                each(arg, job, sequence, hash);
        }
    }
    free(text);
    free(path);
    return rc;
}
