#include "client/run_turn.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/path.h"

#define POLL_MS 500

enum sp_code
sp_run_lock_now(struct sp_cli *c, const char *folder, const char *job, struct sp_run_lock **ret,
    struct sp_err *e)
{
    struct sp_buf holder = SP_BUF_INIT, note = SP_BUF_INIT;
    char *path, self[64];
    enum sp_code rc;

    if ((path = sp_path_join(folder, "run.lock")) == NULL)
        return sp_fail_nomem(e);
    sp_run_lock_self(self);
    sp_buf_printf(&note, "job %s, process %s", job, self);
    rc = sp_run_lock_try(path, sp_buf_str(&note), ret, &holder, e);
    if (rc == SP_BUSY) {
        rc = sp_fail(e, SP_BUSY, SP_DOM_SELF,
            "another run of this machine uses the same repository (%s); this one begins when that "
            "has "
            "ended",
            holder.len > 0 ? sp_buf_str(&holder) : "it does not say which");
    } else if (rc == SP_UNSUPPORTED) { /* two at a time cost time, never a set */
        sp_cli_warn(c, "%s; runs at the same time are not kept apart", e->text);
        sp_err_clear(e);
        rc = SP_OK;
    }
    sp_buf_free(&holder);
    sp_buf_free(&note);
    free(path);
    return rc;
}

enum sp_code
sp_run_lock_wait(struct sp_cli *c, const char *folder, const char *job, struct sp_run_lock **ret,
    struct sp_err *e)
{
    enum sp_code rc;

    while ((rc = sp_run_lock_now(c, folder, job, ret, e)) == SP_BUSY) {
        if (sp_signals_stop(NULL))
            return sp_fail(e, SP_CANCELLED, SP_DOM_SELF,
                "interrupted while another run used the same repository");
        sp_sleep_ms(POLL_MS);
    }
    return rc;
}
