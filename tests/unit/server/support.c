#include "support.h"

#include <fcntl.h>
#include <getopt.h>
#include <unistd.h>

static int64_t
ahead_wall(void *self)
{
    struct place *p = self;

    return sp_clock_wall(&sp_clock_system) + atomic_load(&p->ahead_ns);
}

static int64_t
ahead_mono(void *self)
{
    (void)self;
    return sp_clock_mono(&sp_clock_system);
}

void
place_make(struct place *p)
{
    const char *base = getenv("TMPDIR");

    memset(p, 0, sizeof(*p));
    (void)snprintf(p->dir, sizeof(p->dir), "%s/sp-server-XXXXXX", base != NULL ? base : "/tmp");
    assert_non_null(mkdtemp(p->dir));
    (void)snprintf(p->home, sizeof(p->home), "%s/home", p->dir);
    (void)snprintf(p->repository, sizeof(p->repository), "%s/repository", p->dir);
    atomic_init(&p->ahead_ns, 0);
    p->clock.wall_ns = ahead_wall;
    p->clock.mono_ns = ahead_mono;
    p->clock.self = p;
    p->env = sp_env_system;
    p->env.clock = &p->clock;
}

void
place_remove(struct place *p)
{
    assert_ok(sp_os_remove_tree(&sp_os_system, p->dir, e));
}

void
place_init(struct place *p)
{
    char out[2048];

    assert_int_equal(
        place_run(p, out, sizeof(out), "init", "-r", p->repository, "--listen", "127.0.0.1:0"),
        SP_EXIT_DONE);
}

static const struct sp_command *
command_named(const char *name)
{
    static const struct sp_command *const all[] = {
        &sp_cmd_init, &sp_cmd_run, &sp_cmd_host, &sp_cmd_sets, &sp_cmd_status};

    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        if (strcmp(all[i]->name, name) == 0)
            return all[i];
    fail_msg("no command %s", name);
    return NULL;
}

enum sp_exit
place_run_words(struct place *p, char *out, size_t cap, const char *const *words)
{
    struct sp_cmd c = {.env = &p->env, .dir = p->home};
    char *argv[16];
    char file[300];
    int saved, fd;
    ssize_t n;
    enum sp_exit code;

    for (; *words != NULL; words++) {
        assert_true(c.argc < 15);
        if (strcmp(*words, "--json") == 0)
            c.json = true;
        else
            argv[c.argc++] = (char *)*words; /* getopt moves the words, it does not write them */
    }
    argv[c.argc] = NULL;
    c.argv = argv;
    (void)snprintf(file, sizeof(file), "%s/stdout", p->dir);
    assert_int_equal(fflush(stdout), 0);
    saved = dup(STDOUT_FILENO);
    fd = open(file, O_RDWR | O_CREAT | O_TRUNC, 0600);
    assert_true(saved >= 0 && fd >= 0);
    assert_true(dup2(fd, STDOUT_FILENO) >= 0); /* Windows gives 0 */
    optind = 0; /* glibc's way to begin anew */
    code = command_named(argv[0])->run(&c);
    assert_int_equal(fflush(stdout), 0);
    assert_true(dup2(saved, STDOUT_FILENO) >= 0);
    n = pread(fd, out, cap - 1, 0);
    assert_true(n >= 0);
    out[n] = '\0';
    (void)close(saved);
    (void)close(fd);
    return code;
}

char *
last_line(char *text)
{
    size_t n = strlen(text);
    char *at;

    while (n > 0 && text[n - 1] == '\n')
        text[--n] = '\0';
    at = strrchr(text, '\n');
    return at == NULL ? text : at + 1;
}

void
place_token(struct place *p, const char *verb, const char *name, struct sp_token *ret)
{
    char out[4096];

    assert_int_equal(place_run(p, out, sizeof(out), "host", verb, name), SP_EXIT_DONE);
    assert_ok(sp_token_parse(last_line(out), ret, e));
}
