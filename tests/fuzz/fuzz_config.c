#include <stdlib.h>

#include "client/config.h"
#include "client/ratelimit.h"
#include "server/config.h"
#include "tests/fuzz/files.h"
#include "tests/fuzz/fuzz.h"

/* `u8 whose ‖ file`: the configuration of a client (even) or a server (odd). A server's is written
 * and read again. */

#define NAME "/etc/fuzz.conf"

static void
server(const struct sp_env *env)
{
    struct sp_server_config c = {0}, again = {0};
    struct sp_err e = {0};
    char *address = NULL;
    uint16_t port;

    if (FUZZ_TRY(sp_server_config_load(env, NAME, &c, &e)) != SP_OK)
        return;
    FUZZ_MUST(c.repository != NULL && c.repository[0] == '/' && c.listen != NULL);
    if (FUZZ_TRY(sp_listen_parse(c.listen, &address, &port, &e)) == SP_OK)
        free(address);
    if (FUZZ_TRY(sp_server_config_write(env, "/etc/again.conf", &c, &e)) == SP_OK) {
        FUZZ_OK(sp_server_config_load(env, "/etc/again.conf", &again, &e));
        FUZZ_MUST(strcmp(c.repository, again.repository) == 0 && c.port == again.port);
        FUZZ_MUST(strcmp(c.listen, again.listen) == 0 && c.host_quota == again.host_quota);
        FUZZ_MUST((c.name == NULL) == (again.name == NULL));
        FUZZ_MUST(c.name == NULL || strcmp(c.name, again.name) == 0);
        FUZZ_MUST(c.sessions_max == again.sessions_max &&
                  c.certificate_days == again.certificate_days &&
                  c.host_sessions_max == again.host_sessions_max);
        sp_server_config_clear(&again);
    }
    sp_server_config_clear(&c);
}

static void
client(const struct sp_env *env)
{
    struct sp_config *c = NULL;
    struct sp_err e = {0};

    if (FUZZ_TRY(sp_config_load(env, NAME, &c, &e)) != SP_OK) {
        FUZZ_MUST(e.domain == SP_DOM_CONFIG);
        return;
    }
    for (size_t i = 0; i < c->njobs; i++) {
        const struct sp_job *found = NULL, *j = &c->jobs[i];
        struct sp_ratelimit *limit = NULL;
        struct sp_job *copy = NULL;

        FUZZ_OK(sp_config_job(c, j->name, &found, &e));
        FUZZ_MUST(found == j && j->paths.n > 0);
        FUZZ_MUST(j->compression >= 1 && j->compression <= 19 && j->command_timeout_ns > 0);
        FUZZ_OK(sp_job_copy(j, &copy, &e));
        sp_job_free(copy);
        if (j->bandwidth[0] != '\0') {
            FUZZ_OK(sp_ratelimit_new(j->bandwidth, env->clock, &limit, &e));
            (void)sp_ratelimit_at(limit, FUZZ_NOW_NS);
            sp_ratelimit_free(limit);
        }
    }
    sp_config_free(c);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_files *files = fuzz_files_new();
    struct fuzz_in in = {data, size};
    bool of_server = (fuzz_u8(&in) & 1) != 0;

    fuzz_files_put(files, NAME, in.p, in.n);
    fuzz_files_put(files, "/etc/excludes", "*.o\n/tmp/\n", 10);
    if (of_server)
        server(fuzz_files_env(files));
    else
        client(fuzz_files_env(files));
    fuzz_files_free(files);
    return 0;
}
