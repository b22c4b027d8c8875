#ifndef SP_TESTS_SSHD_H
#define SP_TESTS_SSHD_H

/* An sshd of OpenSSH on loopback, for the user that runs the test, with host keys and a
 * configuration of its own; and plain listeners that are none. Everything lies in one folder, which
 * sshd_end removes. */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "storage/ssh.h"

struct sshd {
    char folder[64];
    pid_t pid;
    uint16_t port;
};

/* Keys for everybody: hosts of type ed25519, ecdsa and rsa (folder/host_<type>), users key_<name>.
 */
void sshd_world(char folder[64]);
void sshd_world_end(const char *folder);
/* A whole path in the folder; one of a few buffers in turn. */
const char *sshd_path(const char *folder, const char *name);

/* With these lines before the configuration's own; host keys by the type's name, space separated.
 */
void sshd_start(struct sshd *s, const char *folder, const char *hosts, const char *config);
void sshd_end(struct sshd *s);
/* SIGSTOP, SIGCONT, SIGKILL for every process that serves a connection, not for the listener. */
unsigned sshd_signal_sessions(const struct sshd *s, int signal);
/* What sshd said; malloc'd. */
char *sshd_log(const struct sshd *s);

void run_command(const char *format, ...) SP_PRINTF(1, 2);

/* A listener whose connections all get `say` (may be NULL), again and again when `endless`, and no
 * answer; closed after that when `close_then`. A process of its own. */
struct listener {
    pid_t pid;
    uint16_t port;
};
void listener_start(struct listener *l, const char *say, bool endless, bool close_then);
void listener_end(struct listener *l);
uint16_t free_port(void);

#endif
