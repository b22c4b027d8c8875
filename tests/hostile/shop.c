#include "shop.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"
#include "base/utf.h"
#include "client/commands.h"
#include "storage/record.h"
#include "tests/unit/base/support.h"

/* See shop.h. */

/* --- what a terminal obeys ----------------------------------------------------------------------
 */

static bool
obeyed(uint32_t v)
{
    return (v < 0x20 && v != '\n') || (v >= 0x7f && v <= 0x9f) || v == 0x61c || v == 0x200e ||
           v == 0x200f || v == 0x2028 || v == 0x2029 || (v >= 0x202a && v <= 0x202e) ||
           (v >= 0x2066 && v <= 0x2069);
}

static void
assert_harmless(const char *what, const char *text, size_t n)
{
    const uint8_t *p = (const uint8_t *)text;

    while (n > 0) {
        uint32_t v = 0;
        size_t len = sp_utf8_next(p, n, false, &v);

        if (len == 0 || obeyed(v))
            fail_msg("%s: the byte %02x at %zu is printed as it is, behind: %.*s", what, p[0],
                (size_t)(p - (const uint8_t *)text),
                (int)(p - (const uint8_t *)text < 60 ? p - (const uint8_t *)text : 60),
                (const char *)(p -
                               (p - (const uint8_t *)text < 60 ? p - (const uint8_t *)text : 60)));
        p += len;
        n -= len;
    }
}

/* --- commands -----------------------------------------------------------------------------------
 */

static const struct sp_command *
command_called(const char *name)
{
    static const struct sp_command *const all[] = {&sp_cmd_init, &sp_cmd_list, &sp_cmd_show,
        &sp_cmd_find, &sp_cmd_diff, &sp_cmd_check, &sp_cmd_restore, &sp_cmd_verify, &sp_cmd_backup,
        &sp_cmd_key, &sp_cmd_doctor};

    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (strcmp(all[i]->name, name) == 0)
            return all[i];
    fail_msg("no command %s", name);
    return NULL;
}

#define OUT_OF_BOUNDS 97

/* As main does it: the shared options that are used here are taken out. */
static void
run_command(int argc, char **argv, unsigned seconds, size_t most_bytes, int tell)
{
    struct sp_cli c = {.env = &sp_env_system, .argv = argv};
    enum sp_exit code;
    uint64_t peak;
    int n = 0;

    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], "--json") == 0)
            c.json = true;
        else if (strcmp(argv[i], "-r") == 0)
            c.repository = argv[++i];
        else if (strcmp(argv[i], "--passphrase-file") == 0)
            c.passphrase_file = argv[++i];
        else
            argv[n++] = argv[i];
    }
    argv[n] = NULL;
    c.argc = n;
    sp_cli_platform_start(&c);
    bounds_begin(argv[0], seconds, most_bytes);
    code = command_called(argv[0])->run(&c);
    (void)alarm(0);
    (void)fflush(stdout);
    (void)fflush(stderr);
    peak = bounds_peak();
    if (write(tell, &peak, sizeof peak) != sizeof peak)
        _exit(OUT_OF_BOUNDS);
    _exit((int)code);
}

static void
read_all(int fd, char **ret, size_t *ret_n)
{
    off_t n = lseek(fd, 0, SEEK_END);

    assert_true(n >= 0);
    *ret = malloc((size_t)n + 1);
    assert_non_null(*ret);
    assert_int_equal(pread(fd, *ret, (size_t)n, 0), n);
    (*ret)[n] = '\0';
    *ret_n = (size_t)n;
    (void)close(fd);
}

static int
scratch(void)
{
    char path[] = "/tmp/hostile-XXXXXX";
    int fd = mkostemp(path, O_CLOEXEC);

    assert_true(fd >= 0);
    assert_int_equal(unlink(path), 0);
    return fd;
}

void
shop_run(struct said *ret, unsigned seconds, size_t most_bytes, const char *command, ...)
{
    char *argv[24] = {strdup(command)};
    int argc = 1, out = scratch(), err = scratch(), tell[2], status;
    uint64_t peak = 0;
    const char *arg;
    va_list ap;
    pid_t pid;

    hostile_case();
    said_clear(ret);
    va_start(ap, command);
    while ((arg = va_arg(ap, const char *)) != NULL && argc < 23)
        argv[argc++] = strdup(arg);
    va_end(ap);
    assert_int_equal(pipe2(tell, O_CLOEXEC), 0);
    (void)fflush(NULL);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        (void)dup2(out, 1);
        (void)dup2(err, 2);
        run_command(argc, argv, seconds, most_bytes, tell[1]);
    }
    (void)close(tell[1]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    read_all(out, &ret->out, &ret->out_n);
    read_all(err, &ret->err, &ret->err_n);
    if (read(tell[0], &peak, sizeof peak) != sizeof peak || !WIFEXITED(status))
        fail_msg("%s did not end as it should (status %x):\n%s\n%.4000s", command, (unsigned)status,
            ret->out, ret->err);
    (void)close(tell[0]);
    ret->peak = (size_t)peak;
    ret->code = WEXITSTATUS(status);
    if (ret->peak > most_bytes)
        fail_msg("%s: %zu bytes of memory, not %zu", command, ret->peak, most_bytes);
    assert_harmless(command, ret->out, ret->out_n);
    assert_harmless(command, ret->err, ret->err_n);
    for (int i = 0; i < argc; i++)
        free(argv[i]);
}

void
said_clear(struct said *s)
{
    free(s->out);
    free(s->err);
    memset(s, 0, sizeof *s);
}

void
assert_said(const struct said *s, int code, const char *words)
{
    if (s->code != code ||
        (words != NULL && strstr(s->out, words) == NULL && strstr(s->err, words) == NULL))
        fail_msg("exit %d, not %d with '%s':\n%s\n%s", s->code, code, words != NULL ? words : "",
            s->out, s->err);
}

/* --- the repository ------------------------------------------------------------------------------
 */

static void
put_place(const struct shop *s, const char *variable, const char *name)
{
    char path[128];

    (void)snprintf(path, sizeof path, "%s/%s", s->home.path, name);
    assert_true(mkdir(path, 0700) == 0 || errno == EEXIST);
    assert_int_equal(setenv(variable, path, 1), 0);
}

void
shop_new(struct shop *s)
{
    struct said said = {0};
    char sheet[128];
    struct sp_keys *keys = NULL;
    struct sp_buf secrets = SP_BUF_INIT;

    memset(s, 0, sizeof *s);
    place_new(&s->place);
    tree_new(&s->home);
    put_place(s, "STILLPOINT_STATE_DIR", "state");
    put_place(s, "STILLPOINT_CACHE_DIR", "cache");
    put_place(s, "STILLPOINT_CONFIG_DIR", "config");
    (void)snprintf(s->repository, sizeof s->repository, "%s/repository", s->home.path);
    (void)snprintf(sheet, sizeof sheet, "%s/sheet", s->home.path);
    shop_run(&said, 30, (size_t)256 << 20, "init", "-r", s->repository, "--name", "victim",
        "--sheet", sheet, NULL);
    assert_said(&said, 0, NULL);
    said_clear(&said);
    assert_ok(sp_profile_load(&sp_env_system, s->repository, &s->profile, e));
    assert_ok(sp_keys_encode(s->profile->keys, &secrets, e));
    assert_ok(sp_keys_decode(secrets.data, secrets.len, &keys, e));
    sp_buf_free(&secrets);
    set_new_with(&s->set, keys);
    s->published_ns = sp_clock_wall(&sp_clock_system) - 1000 * SP_SECOND;
}

void
shop_free(struct shop *s)
{
    set_free(&s->set);
    sp_profile_free(s->profile);
    place_free(&s->place);
    tree_free(&s->home);
}

void
shop_file(struct shop *s, const char *object, const void *p, size_t n)
{
    char path[320];

    (void)snprintf(path, sizeof path, "repository/%s", object);
    tree_file(&s->home, path, p, n);
}

void
shop_blocks(struct shop *s)
{
    struct sp_cli c = {.env = &sp_env_system, .repository = s->repository};
    struct sp_opened_store o;
    struct memory_store *m = &s->set.memory;

    assert_ok(sp_cli_open(&c, NULL, SP_OPEN_WRITE, &o, e));
    for (size_t i = 0; i < m->nblocks; i++) {
        uint8_t *copy = malloc(m->blocks[i].n);

        assert_non_null(copy);
        memcpy(copy, m->blocks[i].bytes, m->blocks[i].n);
        assert_ok(sp_store_put(o.store, copy, m->blocks[i].n, e));
        free(m->blocks[i].bytes);
    }
    m->nblocks = 0;
    assert_ok(sp_store_flush(o.store, e));
    sp_cli_close(&o);
}

void
shop_record(struct shop *s, struct sp_set *set, struct sp_set_sealed *sealed, char id[9])
{
    struct sp_buf object = SP_BUF_INIT;
    char name[160];

    assert_ok(sp_random_fill(&sp_random_system, set->set_id, 16, e));
    memcpy(sealed->set_id, set->set_id, 16);
    memcpy(set->host, s->profile->host, 16);
    memcpy(set->group, sp_keys_group(s->set.keys), 16);
    if (set->job[0] == '\0')
        strcpy(set->job, "evil");
    if (set->sequence == 0)
        set->sequence = 1;
    if (set->state == 0)
        set->state = SP_SET_COMPLETE;
    set->root = s->set.root;
    assert_ok(sp_set_record_encode(SP_RECORD_SET, set, sealed, s->set.sealer, s->set.compressor,
        s->set.opener, s->set.hasher, s->profile->signing_secret, &object, e));
    s->published_ns += SP_SECOND;
    sp_record_object_name(SP_RECORD_SET, set->host, s->published_ns, set->set_id, name);
    shop_file(s, name, object.data, object.len);
    sp_buf_free(&object);
    (void)snprintf(id, 9, "%.8s", sp_hex16(set->set_id).s);
}

void
shop_publish(struct shop *s, char id[9])
{
    struct sp_set set = {.started_ns = SET_TIME, .ended_ns = SET_TIME + 1};
    struct sp_set_sealed sealed = {.host_name = (char *)(uintptr_t) "victim"};

    shop_blocks(s);
    shop_record(s, &set, &sealed, id);
}
