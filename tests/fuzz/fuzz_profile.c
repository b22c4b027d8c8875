#include <stdlib.h>

#include "base/text.h"
#include "client/profile.h"
#include "tests/fuzz/files.h"
#include "tests/fuzz/fuzz.h"

/* `u8 what ‖ bytes`: the files of a machine's state: 0 the profile, 1 the heads of its chains, 2
 * the name of the default one. What is read is written and read again. */

#define STATE "/state"
#define FOLDER STATE "/stores/11111111111111111111111111111111"

static void
put(struct fuzz_files *files, const char *name, const void *p, size_t n)
{
    char path[128];

    (void)snprintf(path, sizeof(path), FOLDER "/%s", name);
    fuzz_files_put(files, path, p, n);
}

static void
profile(struct fuzz_files *files)
{
    const struct sp_env *env = fuzz_files_env(files);
    struct sp_profile *p = NULL, *again = NULL;
    struct sp_err e = {0};
    uint8_t id[16];

    memset(id, 0x11, sizeof(id));
    if (FUZZ_TRY(sp_profile_load_id(env, id, &p, &e)) != SP_OK)
        return;
    FUZZ_MUST(p->address != NULL && p->host_name != NULL && p->keys != NULL);
    FUZZ_OK(sp_profile_save(env, p, &e));
    FUZZ_OK(sp_profile_load_id(env, p->repository, &again, &e));
    FUZZ_MUST(strcmp(p->address, again->address) == 0);
    FUZZ_MUST(strcmp(p->host_name, again->host_name) == 0);
    FUZZ_MUST(memcmp(p->signing_secret, again->signing_secret, 32) == 0);
    FUZZ_MUST(p->conf_len == again->conf_len && p->is_server == again->is_server);
    sp_profile_free(p);
    sp_profile_free(again);
}

static void
heads(const struct sp_env *env)
{
    const struct sp_profile p = {.folder = (char *)(uintptr_t)FOLDER};
    struct sp_err e = {0};
    uint64_t sequence = 0, other = 0, again = 0;
    uint8_t hash[32] = {0}, other_hash[32] = {0}, ours[32] = {8, 8};

    FUZZ_OK(sp_profile_head(env, &p, "job", &sequence, hash, &e));
    FUZZ_OK(sp_profile_set_head(env, &p, "another job", 17, ours, &e));
    FUZZ_OK(sp_profile_head(env, &p, "another job", &other, other_hash, &e));
    FUZZ_MUST(other == 17 && memcmp(other_hash, ours, 32) == 0);
    /* One job's head does not touch another's. */
    FUZZ_OK(sp_profile_head(env, &p, "job", &again, other_hash, &e));
    FUZZ_MUST(again == sequence && (sequence == 0 || memcmp(hash, other_hash, 32) == 0));
}

static enum sp_code
each(void *arg, const struct sp_profile *p, bool is_default, struct sp_err *e)
{
    (void)p;
    (void)e;
    *(unsigned *)arg += is_default;
    return SP_OK;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_files *files = fuzz_files_new();
    struct fuzz_in in = {data, size};
    struct sp_err e = {0};
    unsigned defaults = 0;

    FUZZ_MUST(setenv("STILLPOINT_STATE_DIR", STATE, 1) == 0);
    fuzz_files_put(files, STATE "/other", "", 0);
    (void)sp_os_mkdirs(fuzz_files_env(files)->os, FOLDER, &e);
    put(files, "conf", "conf", 4);
    put(files, "tls.key", "key", 3);
    put(files, "tls.crt", "certificate", 11);
    put(files, "authority.crt", "", 0);
    switch (fuzz_u8(&in) % 3) {
    case 0:
        put(files, "profile", in.p, in.n);
        profile(files);
        break;
    case 1:
        put(files, "heads", in.p, in.n);
        heads(fuzz_files_env(files));
        break;
    default:
        fuzz_files_put(files, STATE "/default", in.p, in.n);
        (void)FUZZ_TRY(sp_profile_list(fuzz_files_env(files), each, &defaults, &e));
        FUZZ_MUST(defaults <= 1);
        break;
    }
    fuzz_files_free(files);
    return 0;
}
