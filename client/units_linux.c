#include "client/units_linux.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

/* Units of systemd for the jobs of the configuration: systemd.unit(5), systemd.timer(5),
 * systemd.service(5), systemd.syntax(7). */

#define NAME_MOST 255 /* of a unit, systemd.unit(5) */

void
sp_unit_escape(const char *text, struct sp_buf *ret)
{
    for (const char *p = text; *p != '\0'; p++) {
        bool plain = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') ||
                     (*p >= '0' && *p <= '9') || *p == ':' || *p == '_' || (*p == '.' && p > text);

        if (*p == '/')
            sp_buf_put_u8(ret, '-');
        else if (plain)
            sp_buf_put_u8(ret, (uint8_t)*p);
        else
            sp_buf_printf(ret, "\\x%02x", (unsigned)(uint8_t)*p);
    }
}

void
sp_unit_quote(const char *text, struct sp_buf *ret)
{
    sp_buf_put_u8(ret, '"');
    for (const char *p = text; *p != '\0'; p++) {
        uint8_t c = (uint8_t)*p;

        if (c == '"' || c == '\\')
            sp_buf_printf(ret, "\\%c", c);
        else if (c == '%' || c == '$')
            sp_buf_printf(ret, "%c%c", c, c);
        else if (c < 0x20 || c == 0x7f)
            sp_buf_printf(ret, "\\x%02x", c);
        else
            sp_buf_put_u8(ret, c);
    }
    sp_buf_put_u8(ret, '"');
}

/* Text of Description=: no line breaks, no specifiers. */
static void
put_text(struct sp_buf *b, const char *text)
{
    for (const char *p = text; *p != '\0'; p++) {
        uint8_t c = (uint8_t)*p;

        if (c == '%')
            sp_buf_put_str(b, "%%");
        else
            sp_buf_put_u8(b, c < 0x20 || c == 0x7f || c == '\\' ? '_' : c);
    }
}

static void
put_head(struct sp_buf *b, const struct sp_service_ask *a)
{
    sp_buf_put_str(b, SP_UNIT_MARK " from ");
    put_text(b, a->config->file != NULL ? a->config->file : "no file");
    sp_buf_put_str(b, ". Changes made here go with the next one.\n[Unit]\n");
}

/* Where things are, when it was said by the environment of whoever installs. */
static void
put_places(struct sp_buf *b)
{
    static const char *const names[] = {
        "STILLPOINT_CONFIG_DIR", "STILLPOINT_STATE_DIR", "STILLPOINT_CACHE_DIR"};
    struct sp_buf pair = SP_BUF_INIT;

    for (size_t i = 0; i < 3; i++) {
        const char *v = getenv(names[i]);

        if (v == NULL || *v == '\0')
            continue;
        sp_buf_reset(&pair);
        sp_buf_printf(&pair, "%s=%s", names[i], v);
        sp_buf_put_str(b, "Environment=");
        for (const char *p = sp_buf_str(&pair); *p != '\0'; p++) { /* quoted; here $ is itself */
            if (p == sp_buf_str(&pair))
                sp_buf_put_u8(b, '"');
            if (*p == '"' || *p == '\\')
                sp_buf_put_u8(b, '\\');
            else if (*p == '%')
                sp_buf_put_u8(b, '%');
            if ((uint8_t)*p < 0x20 || *p == 0x7f) /* a line break would begin another setting */
                sp_buf_printf(b, "\\x%02x", (unsigned)(uint8_t)*p);
            else
                sp_buf_put_u8(b, (uint8_t)*p);
        }
        sp_buf_put_str(b, "\"\n");
    }
    sp_buf_free(&pair);
}

/* What the runs may not do. The commands of a job (`before`, `on-success`) run inside it and may be
 * anything: what needs a mount namespace (Protect…=, Private…=) would hide their mounts and shadows
 * from the machine, and files from the backup; what needs no_new_privileges would break sudo in
 * them, and for a user's units systemd needs it for every filter. */
static void
put_fence(struct sp_buf *b, const struct sp_service_ask *a)
{
    sp_buf_put_str(b, "UMask=0077\n"
                      "LimitCORE=0\n"
                      "Nice=10\n"
                      "IOSchedulingPriority=7\n");
    if (a->user)
        return;
    sp_buf_put_str(b,
        "KeyringMode=private\n"
        "LockPersonality=yes\n"
        "RestrictRealtime=yes\n"
        "SystemCallFilter=~@clock @module @reboot @swap @raw-io @obsolete @cpu-emulation\n"
        "SystemCallErrorNumber=EPERM\n"
        "CapabilityBoundingSet=~CAP_SYS_MODULE CAP_SYS_RAWIO CAP_SYS_BOOT CAP_SYS_TIME "
        "CAP_WAKE_ALARM CAP_SYSLOG CAP_SYS_TTY_CONFIG CAP_AUDIT_CONTROL\n");
}

static void
put_command(struct sp_buf *b, const char *key, const struct sp_service_ask *a, const char *program,
    const char *words)
{
    sp_buf_printf(b, "%s=", key);
    sp_unit_quote(program, b);
    sp_buf_printf(b, " %s", words);
    if (a->config_file != NULL) {
        sp_buf_put_str(b, " --config ");
        sp_unit_quote(a->config_file, b);
    }
}

static enum sp_code
add_unit(struct sp_units *units, struct sp_buf *name, struct sp_buf *text, const char *wanted_by,
    struct sp_err *e)
{
    struct sp_unit *more = realloc(units->u, (units->n + 1) * sizeof(*more));
    struct sp_unit *u;

    if (more == NULL)
        return sp_fail_nomem(e);
    units->u = more;
    if (name->failed || text->failed)
        return sp_fail_nomem(e);
    if (name->len > NAME_MOST)
        return sp_fail(e, SP_INVALID, SP_DOM_CONFIG,
            "the name of this job makes a unit's name of %zu bytes, and systemd takes %d: give it "
            "a "
            "shorter one",
            name->len, NAME_MOST);
    u = &more[units->n];
    u->wanted_by = wanted_by;
    u->name = strdup(sp_buf_str(name));
    u->text = strdup(sp_buf_str(text));
    if (u->name == NULL || u->text == NULL) {
        free(u->name);
        free(u->text);
        return sp_fail_nomem(e);
    }
    units->n++;
    return SP_OK;
}

static enum sp_code
make_service(const struct sp_service_ask *a, const char *program, const struct sp_job *j,
    struct sp_units *units, struct sp_err *e)
{
    struct sp_buf name = SP_BUF_INIT, b = SP_BUF_INIT;
    enum sp_code rc;

    sp_buf_put_str(&name, "stillpoint-backup@");
    sp_unit_escape(j->name, &name);
    sp_buf_put_str(&name, ".service");
    put_head(&b, a);
    sp_buf_put_str(&b, "Description=Stillpoint backup of ");
    put_text(&b, j->name);
    sp_buf_put_str(&b, "\n");
    if (!a->user)
        sp_buf_put_str(&b, "After=network-online.target remote-fs.target\n"
                           "Wants=network-online.target\n");
    if (!j->on_battery)
        sp_buf_put_str(&b, "ConditionACPower=true\n");
    sp_buf_put_str(&b, "\n[Service]\nType=oneshot\n");
    put_places(&b);
    if (!j->on_metered) {
        put_command(&b, "ExecCondition", a, program, "service allowed");
        sp_buf_put_str(&b, " -- ");
        sp_unit_quote(j->name, &b);
        sp_buf_put_str(&b, "\n");
    }
    put_command(&b, "ExecStart", a, program, "backup");
    sp_buf_put_str(&b, " -- ");
    sp_unit_quote(j->name, &b);
    /* Again until the store can be reached (6), and after nothing else: systemd takes no
     * RestartForceExitStatus= for Type=oneshot. */
    sp_buf_put_str(&b,
        "\nRestart=on-failure\n"
        "RestartPreventExitStatus=1 2 3 4 5 126 127 130 143 SIGABRT SIGBUS SIGFPE SIGILL "
        "SIGKILL SIGSEGV\n"
        "RestartSec=15min\nTimeoutStopSec=90\nKillMode=mixed\n");
    put_fence(&b, a);
    rc = add_unit(units, &name, &b, NULL, e);
    sp_buf_free(&name);
    sp_buf_free(&b);
    return rc;
}

static enum sp_code
make_timer(const struct sp_service_ask *a, const struct sp_job *j, struct sp_units *units,
    struct sp_err *e)
{
    struct sp_buf name = SP_BUF_INIT, b = SP_BUF_INIT, calendar = SP_BUF_INIT;
    char *line, *save = NULL;
    enum sp_code rc;

    if ((rc = sp_schedule_systemd(&j->schedule, &calendar, e)) != SP_OK) {
        sp_err_context(e, "a timer of systemd is not possible for the job [%s]", j->name);
        goto out;
    }
    sp_buf_put_str(&name, "stillpoint-backup@");
    sp_unit_escape(j->name, &name);
    sp_buf_put_str(&name, ".timer");
    put_head(&b, a);
    sp_buf_put_str(&b, "Description=Stillpoint backup of ");
    put_text(&b, j->name);
    sp_buf_put_str(&b, ", ");
    put_text(&b, j->schedule.text);
    sp_buf_put_str(&b, "\n\n[Timer]\n");
    (void)sp_buf_str(&calendar);
    for (line = strtok_r((char *)calendar.data, "\n", &save); line != NULL;
         line = strtok_r(NULL, "\n", &save))
        sp_buf_printf(&b, "OnCalendar=%s\n", line);
    sp_buf_printf(&b, "Persistent=%s\nAccuracySec=1s\n", j->catch_up ? "true" : "false");
    if (j->random_delay_ns > 0)
        sp_buf_printf(&b, "RandomizedDelaySec=%" PRId64 "s\nFixedRandomDelay=true\n",
            j->random_delay_ns / SP_SECOND);
    sp_buf_put_str(&b, "\n[Install]\nWantedBy=timers.target\n");
    rc = add_unit(units, &name, &b, "timers.target", e);
out:
    sp_buf_free(&name);
    sp_buf_free(&b);
    sp_buf_free(&calendar);
    return rc;
}

/* One service for all jobs. */
static enum sp_code
make_scheduler(
    const struct sp_service_ask *a, const char *program, struct sp_units *units, struct sp_err *e)
{
    const char *target = a->user ? "default.target" : "multi-user.target";
    struct sp_buf name = SP_BUF_INIT, b = SP_BUF_INIT;
    enum sp_code rc;

    sp_buf_put_str(&name, "stillpoint.service");
    put_head(&b, a);
    sp_buf_put_str(&b, "Description=Stillpoint backups by their schedule\n");
    if (!a->user)
        sp_buf_put_str(&b, "After=network-online.target remote-fs.target\n"
                           "Wants=network-online.target\n");
    sp_buf_put_str(&b, "\n[Service]\nType=exec\n");
    put_places(&b);
    put_command(&b, "ExecStart", a, program, "service run");
    /* 5: the configuration; starting again changes nothing. */
    sp_buf_put_str(&b, "\nRestart=on-failure\nRestartSec=30\nRestartPreventExitStatus=5\n"
                       "TimeoutStopSec=90\nKillMode=mixed\n");
    put_fence(&b, a);
    sp_buf_printf(&b, "\n[Install]\nWantedBy=%s\n", target);
    rc = add_unit(units, &name, &b, target, e);
    sp_buf_free(&name);
    sp_buf_free(&b);
    return rc;
}

enum sp_code
sp_units_make(
    const struct sp_service_ask *a, const char *program, struct sp_units *ret, struct sp_err *e)
{
    struct sp_units units = {NULL, 0};
    enum sp_code rc = SP_OK;

    if (a->scheduler)
        rc = make_scheduler(a, program, &units, e);
    for (size_t i = 0; i < a->config->njobs && rc == SP_OK && !a->scheduler; i++) {
        const struct sp_job *j = &a->config->jobs[i];

        if (!j->schedule.set)
            continue;
        if ((rc = make_service(a, program, j, &units, e)) == SP_OK)
            rc = make_timer(a, j, &units, e);
    }
    if (rc == SP_OK)
        *ret = units;
    else
        sp_units_clear(&units);
    return rc;
}

void
sp_units_clear(struct sp_units *u)
{
    for (size_t i = 0; i < u->n; i++) {
        free(u->u[i].name);
        free(u->u[i].text);
    }
    free(u->u);
    u->u = NULL;
    u->n = 0;
}

/* --- cron
 * ------------------------------------------------------------------------------------------------
 */

/* For sh, and % is a line break to cron. */
static void
put_shell(struct sp_buf *b, const char *text)
{
    sp_buf_put_u8(b, '\'');
    for (const char *p = text; *p != '\0'; p++) {
        if (*p == '\'')
            sp_buf_put_str(b, "'\\''");
        else if (*p == '%')
            sp_buf_put_str(b, "'\\%'");
        else
            sp_buf_put_u8(b, (uint8_t)*p);
    }
    sp_buf_put_u8(b, '\'');
}

enum sp_code
sp_units_cron(
    const struct sp_service_ask *a, const char *program, struct sp_buf *ret, struct sp_err *e)
{
    enum sp_code rc = SP_OK;

    for (size_t i = 0; i < a->config->njobs && rc == SP_OK; i++) {
        const struct sp_job *j = &a->config->jobs[i];
        struct sp_buf lines = SP_BUF_INIT;
        char *line, *save = NULL;

        if (j->schedule.set && (rc = sp_schedule_cron(&j->schedule, &lines, e)) == SP_OK) {
            (void)sp_buf_str(&lines);
            for (line = strtok_r((char *)lines.data, "\n", &save); line != NULL;
                 line = strtok_r(NULL, "\n", &save)) {
                sp_buf_printf(ret, "%s %s", line, a->user ? "" : "root ");
                put_shell(ret, program);
                sp_buf_put_str(ret, " backup");
                if (a->config_file != NULL) {
                    sp_buf_put_str(ret, " --config ");
                    put_shell(ret, a->config_file);
                }
                sp_buf_put_str(ret, " -- ");
                put_shell(ret, j->name);
                sp_buf_put_str(ret, "\n");
            }
        }
        sp_buf_free(&lines);
    }
    return rc == SP_OK ? sp_buf_ok(ret, e) : rc;
}
