#include "client/service.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/path.h"
#include "client/unit_files_linux.h"

/* `stillpoint service` with systemd. */

static enum sp_code
may_write(const struct sp_service_ask *a, struct sp_err *e)
{
    if (a->user || a->root != NULL || sp_os_is_admin())
        return SP_OK;
    return sp_fail(e, SP_DENIED, SP_DOM_CONFIG,
        "the machine's units are root's: run it as root ('sudo stillpoint service …'), or say "
        "--user "
        "for jobs of your own");
}

static bool
is_wanted(const struct sp_installer *in, const char *name)
{
    for (size_t i = 0; i < in->wanted.n; i++) {
        if (strcmp(in->wanted.u[i].name, name) == 0)
            return true;
    }
    return false;
}

/* What is ours and not wanted (any more); stopped first, when systemd is here. */
static enum sp_code
remove_others(struct sp_installer *in, size_t *ret_removed, struct sp_err *e)
{
    struct sp_strings names = {NULL, 0};
    enum sp_code rc = SP_OK;
    char *path;

    for (size_t i = 0; i < in->there.n && rc == SP_OK; i++) {
        if (!is_wanted(in, in->there.s[i]))
            rc = sp_strings_add(&names, in->there.s[i], e);
    }
    if (rc == SP_OK)
        rc = sp_systemctl_must(in, "stop", &names, e);
    for (size_t i = 0; i < names.n && rc == SP_OK; i++) {
        if ((path = sp_path_join(in->folder, names.s[i])) == NULL)
            rc = sp_fail_nomem(e);
        else if ((rc = sp_unit_disable(in, names.s[i], e)) == SP_OK)
            rc = in->os->remove(in->os->self, path, e);
        free(path);
    }
    *ret_removed = names.n;
    sp_strings_clear(&names);
    return rc;
}

static enum sp_code
started_names(const struct sp_installer *in, struct sp_strings *ret, struct sp_err *e)
{
    enum sp_code rc = SP_OK;

    for (size_t i = 0; i < in->wanted.n && rc == SP_OK; i++) {
        if (in->wanted.u[i].wanted_by != NULL)
            rc = sp_strings_add(ret, in->wanted.u[i].name, e);
    }
    return rc;
}

static enum sp_code
no_systemd(const struct sp_installer *in, struct sp_buf *said, struct sp_err *e)
{
    struct sp_err ignored = {0};
    struct sp_buf lines = SP_BUF_INIT;

    if (sp_units_cron(in->a, in->program, &lines, &ignored) == SP_OK)
        sp_buf_printf(said, "# The same for cron, %s:\n%s",
            in->a->user ? "by 'crontab -e'" : "as the file /etc/cron.d/stillpoint",
            sp_buf_str(&lines));
    else
        sp_buf_printf(said, "# cron cannot do it either: %s\n", ignored.text);
    sp_buf_free(&lines);
    return sp_fail(e, SP_UNSUPPORTED, SP_DOM_SELF,
        "this system was not started by systemd, so there is nobody to give timers to. Use the "
        "lines "
        "above for cron, or have 'stillpoint service run%s' started with the machine",
        in->a->user ? " --user" : "");
}

enum sp_code
sp_service_install(const struct sp_service_ask *a, struct sp_buf *said, struct sp_err *e)
{
    struct sp_installer in;
    struct sp_strings names = {NULL, 0};
    size_t changed = 0, removed = 0;
    bool is_new;
    enum sp_code rc;

    if ((rc = may_write(a, e)) != SP_OK)
        return rc;
    if ((rc = sp_installer_open(&in, a, e)) != SP_OK)
        goto out;
    if (a->root == NULL && !in.live) {
        rc = no_systemd(&in, said, e);
        goto out;
    }
    if ((rc = sp_units_make(a, in.program, &in.wanted, e)) != SP_OK) {
        if (rc == SP_UNSUPPORTED)
            sp_buf_put_str(said,
                "Another way: 'stillpoint service install --scheduler' follows every "
                "schedule itself.\n");
        goto out;
    }
    if ((rc = sp_os_mkdirs(in.os, in.folder, e)) != SP_OK)
        goto out;
    for (size_t i = 0; i < in.wanted.n && rc == SP_OK; i++) {
        rc = sp_unit_write(&in, &in.wanted.u[i], &is_new, e);
        changed += is_new;
    }
    if (rc == SP_OK)
        rc = remove_others(&in, &removed, e);
    if (rc == SP_OK && (rc = sp_systemctl_must(&in, "daemon-reload", NULL, e)) == SP_OK &&
        (rc = started_names(&in, &names, e)) == SP_OK)
        rc = sp_systemctl_must(&in, changed > 0 ? "restart" : "start", &names, e);
    if (rc == SP_OK)
        sp_buf_printf(said, "%zu units in %s, %zu of them new or changed, %zu removed\n",
            in.wanted.n, in.folder, changed, removed);
    if (rc == SP_OK && a->user && in.live)
        sp_buf_put_str(said,
            "They run while you are logged in; 'loginctl enable-linger' has them run "
            "always\n");
out:
    sp_strings_clear(&names);
    sp_installer_clear(&in);
    return rc;
}

enum sp_code
sp_service_remove(const struct sp_service_ask *a, struct sp_buf *said, struct sp_err *e)
{
    struct sp_installer in;
    size_t removed = 0;
    enum sp_code rc;

    if ((rc = may_write(a, e)) != SP_OK)
        return rc;
    if ((rc = sp_installer_open(&in, a, e)) == SP_OK &&
        (rc = remove_others(&in, &removed, e)) == SP_OK)
        rc = sp_systemctl_must(&in, "daemon-reload", NULL, e);
    if (rc == SP_OK)
        sp_buf_printf(said, "%zu units removed from %s\n", removed, in.folder);
    sp_installer_clear(&in);
    return rc;
}

static enum sp_code
start_or_stop(const struct sp_service_ask *a, const char *verb, bool all, struct sp_err *e)
{
    struct sp_installer in;
    struct sp_strings names = {NULL, 0};
    enum sp_code rc;

    if ((rc = may_write(a, e)) != SP_OK)
        return rc;
    rc = sp_installer_open(&in, a, e);
    if (rc == SP_OK && in.there.n == 0)
        rc = sp_fail(e, SP_ABSENT, SP_DOM_CONFIG,
            "no units are installed; 'stillpoint service install%s' does",
            a->user ? " --user" : "");
    else if (rc == SP_OK && !in.live)
        rc = sp_fail(e, SP_UNSUPPORTED, SP_DOM_SELF,
            "systemd is not running here, so nothing can be told to %s", verb);
    for (size_t i = 0; i < in.there.n && rc == SP_OK; i++) {
        if (all || !sp_ends_with(in.there.s[i], ".service") ||
            strcmp(in.there.s[i], SP_UNIT_SCHEDULER) == 0)
            rc = sp_strings_add(&names, in.there.s[i], e);
    }
    if (rc == SP_OK)
        rc = sp_systemctl_must(&in, verb, &names, e);
    sp_strings_clear(&names);
    sp_installer_clear(&in);
    return rc;
}

enum sp_code
sp_service_start(const struct sp_service_ask *a, struct sp_buf *said, struct sp_err *e)
{
    (void)said;
    return start_or_stop(a, "start", false, e);
}

/* The timers, and what runs. */
enum sp_code
sp_service_stop(const struct sp_service_ask *a, struct sp_buf *said, struct sp_err *e)
{
    (void)said;
    return start_or_stop(a, "stop", true, e);
}

/* --- looking
 * ------------------------------------------------------------------------------------------------
 */

static bool
differs(struct sp_installer *in, const struct sp_service_ask *a)
{
    struct sp_err ignored = {0};
    bool differ = false;

    if (a->config == NULL)
        return false;
    if (sp_units_make(a, in->program, &in->wanted, &ignored) != SP_OK ||
        in->wanted.n != in->there.n)
        return true;
    for (size_t i = 0; i < in->wanted.n && !differ; i++) {
        char *text = NULL;

        differ = sp_unit_read(in, in->wanted.u[i].name, &text, &ignored) != SP_OK ||
                 strcmp(text, in->wanted.u[i].text) != 0;
        free(text);
    }
    return differ;
}

enum sp_code
sp_service_look(const struct sp_service_ask *a, struct sp_service_look *ret, struct sp_err *e)
{
    struct sp_service_ask by_files = *a;
    struct sp_service_look look = {.state = SP_SERVICE_ABSENT};
    struct sp_strings names = {NULL, 0};
    struct sp_installer in;
    size_t timers = 0;
    int status = 0;
    enum sp_code rc;

    if ((rc = sp_installer_open(&in, a, e)) != SP_OK)
        goto out;
    by_files.scheduler = false;
    for (size_t i = 0; i < in.there.n && rc == SP_OK; i++) {
        bool loop = strcmp(in.there.s[i], SP_UNIT_SCHEDULER) == 0;

        by_files.scheduler = by_files.scheduler || loop;
        timers += sp_ends_with(in.there.s[i], ".timer");
        if (loop || sp_ends_with(in.there.s[i], ".timer"))
            rc = sp_strings_add(&names, in.there.s[i], e);
    }
    if (rc != SP_OK)
        goto out;
    if (in.there.n > 0) {
        look.state = SP_SERVICE_INSTALLED;
        look.stale = differs(&in, &by_files);
        if (by_files.scheduler)
            (void)snprintf(
                look.what, sizeof(look.what), "%s in %.150s", SP_UNIT_SCHEDULER, in.folder);
        else
            (void)snprintf(
                look.what, sizeof(look.what), "%zu timers of systemd in %.150s", timers, in.folder);
    }
    if (in.live && names.n > 0 &&
        (rc = sp_systemctl(&in, "is-active", &names, true, &status, e)) == SP_OK)
        look.state = status == 0 ? SP_SERVICE_RUNNING : SP_SERVICE_STOPPED;
    if (rc == SP_OK)
        *ret = look;
out:
    sp_strings_clear(&names);
    sp_installer_clear(&in);
    return rc;
}
