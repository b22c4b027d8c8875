#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/os.h"
#include "base/path.h"
#include "client/runner_posix.h"
#include "client/service.h"

/* What the kernel knows of power (Documentation/ABI/testing/sysfs-class-power), and NetworkManager
 * of the network. */

struct supplies {
    const char *folder;
    bool mains, mains_online, discharging;
};

/* A line of an attribute; "" when it is not there. */
static void
read_attribute(const char *folder, const char *name, const char *attribute, char to[64])
{
    struct sp_buf path = SP_BUF_INIT;
    FILE *f;

    to[0] = '\0';
    sp_buf_printf(&path, "%s/%s/%s", folder, name, attribute);
    f = fopen(sp_buf_str(&path), "re");
    sp_buf_free(&path);
    if (f == NULL)
        return;
    if (fgets(to, 64, f) != NULL)
        to[strcspn(to, "\n")] = '\0';
    (void)fclose(f);
}

static enum sp_code
look_at(void *arg, const char *name, const struct sp_os_stat *st, struct sp_err *e)
{
    struct supplies *s = arg;
    char type[64], text[64];

    (void)st;
    (void)e;
    read_attribute(s->folder, name, "type", type);
    if (strcmp(type, "Mains") == 0 || strncmp(type, "USB", 3) == 0) {
        read_attribute(s->folder, name, "online", text);
        s->mains = true;
        s->mains_online = s->mains_online || strcmp(text, "1") == 0;
    } else if (strcmp(type, "Battery") == 0) {
        read_attribute(s->folder, name, "scope", text);
        if (strcmp(text, "Device") == 0) /* of a mouse */
            return SP_OK;
        read_attribute(s->folder, name, "status", text);
        s->discharging = s->discharging || strcmp(text, "Discharging") == 0;
    }
    return SP_OK;
}

enum sp_known
sp_power_in(const char *folder)
{
    struct supplies s = {.folder = folder};
    struct sp_err ignored = {0};

    if (sp_os_system.list(sp_os_system.self, folder, false, look_at, &s, &ignored) != SP_OK)
        return SP_KNOWN_NOT;
    if (s.mains_online)
        return SP_KNOWN_NO;
    if (s.discharging)
        return SP_KNOWN_YES;
    return s.mains ? SP_KNOWN_NO : SP_KNOWN_NOT;
}

enum sp_known
sp_machine_on_battery(void)
{
    return sp_power_in("/sys/class/power_supply");
}

/* NMMetered: 1 yes, 2 no, 3 guessed yes, 4 guessed no.
 * https://networkmanager.dev/docs/api/latest/nm-dbus-types.html busctl comes with systemd; a D-Bus
 * library for one number would be one more to keep. */
enum sp_known
sp_machine_on_metered(void)
{
    char answer[32] = "";
    int pipes[2], status = 0;
    ssize_t n;
    pid_t pid;

    if (pipe2(pipes, O_CLOEXEC) != 0)
        return SP_KNOWN_NOT;
    pid = fork();
    if (pid == 0) {
        int null = open("/dev/null", O_RDWR | O_CLOEXEC);

        (void)dup2(pipes[1], STDOUT_FILENO);
        (void)dup2(null, STDERR_FILENO);
        (void)execlp("busctl", "busctl", "--timeout=5", "get-property",
            "org.freedesktop.NetworkManager", "/org/freedesktop/NetworkManager",
            "org.freedesktop.NetworkManager", "Metered", (char *)NULL);
        _exit(127);
    }
    (void)close(pipes[1]);
    n = pid > 0 ? read(pipes[0], answer, sizeof(answer) - 1) : -1;
    (void)close(pipes[0]);
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    if (n <= 0 || status != 0)
        return SP_KNOWN_NOT;
    if (strncmp(answer, "u 1", 3) == 0 || strncmp(answer, "u 3", 3) == 0)
        return SP_KNOWN_YES;
    if (strncmp(answer, "u 2", 3) == 0 || strncmp(answer, "u 4", 3) == 0)
        return SP_KNOWN_NO;
    return SP_KNOWN_NOT;
}
