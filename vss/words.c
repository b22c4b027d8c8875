#include "vss/words.h"

#include <stdio.h>

#include "base/path.h"
#include "vss/explain.h"
#include "vss/hresult.h"

void
sp_vss_put_text(struct sp_buf *to, const char *text)
{
    sp_text_show(text != NULL && text[0] != '\0' ? text : "(unnamed)", to);
}

void
sp_vss_put_unit(struct sp_buf *to, const struct sp_verdict_component *c)
{
    static const char *const kinds[] = {"Component", "VM", "Database", "Mailbox store",
        "System State part", "Hypervisor's host component", "File"};
    unsigned kind = (unsigned)c->kind;

    sp_buf_put_str(to, kinds[kind < sizeof kinds / sizeof kinds[0] ? kind : 0]);
    sp_buf_put_str(to, " ");
    sp_vss_put_text(to, c->unit != NULL && c->unit[0] != '\0' ? c->unit : c->name);
}

void
sp_vss_put_code(struct sp_buf *to, uint32_t code)
{
    const struct sp_vss_hresult *h = sp_vss_hresult_find(code);

    sp_buf_printf(to, "0x%08x", (unsigned)code);
    if (h != NULL)
        sp_buf_printf(to, " %s", h->name);
}

void
sp_vss_put_writer(
    struct sp_buf *to, const struct sp_verdict *v, const struct sp_verdict_component *c)
{
    if (c->writer >= v->nwriters) {
        sp_buf_put_str(to, "its writer");
        return;
    }
    sp_buf_put_str(to, "the writer \"");
    sp_vss_put_text(to, v->writers[c->writer].name);
    sp_buf_put_str(to, "\"");
}

const char *
sp_vss_stage_word(enum sp_stage stage)
{
    static const char *const words[] = {
        "after PrepareForBackup", "after DoSnapshotSet", "after BackupComplete"};

    return words[stage];
}

bool
sp_vss_unconfirmed(const struct sp_verdict *v, const struct sp_verdict_component *c)
{
    return v->vss && !v->confirmed && c->level == SP_LEVEL_APPLICATION;
}

/* --- errors ----------------------------------------------------------------------------------- */

static enum sp_code
code_of(uint32_t hresult)
{
    static const struct {
        uint32_t hresult;
        enum sp_code code;
    } rows[] = {
        {SP_VSS_E_ACCESSDENIED, SP_DENIED},
        {0x8001011Bu, SP_DENIED},
        {SP_VSS_E_OUTOFMEMORY, SP_NOMEM},
        {0x80070008u, SP_NOMEM},
        {SP_VSS_E_SET_IN_PROGRESS, SP_BUSY},
        {SP_VSS_E_VOLUME_UNSUPPORTED, SP_UNSUPPORTED},
        {0x8004230Eu, SP_UNSUPPORTED},
        {SP_VSS_E_NO_PROVIDER, SP_UNSUPPORTED},
        {SP_VSS_E_NOTIMPL, SP_UNSUPPORTED},
        {0x8004231Bu, SP_UNSUPPORTED},
        {0x8004232Cu, SP_UNSUPPORTED},
        {0x8004232Du, SP_UNSUPPORTED},
        {0x8004232Fu, SP_UNSUPPORTED},
        {0x80040154u, SP_UNSUPPORTED},
        {0x80070422u, SP_UNSUPPORTED},
        {0x80070424u, SP_UNSUPPORTED},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (rows[i].hresult == hresult)
            return rows[i].code;
    }
    return SP_IO;
}

enum sp_code
sp_vss_fail(struct sp_err *e, uint32_t hresult, const char *call)
{
    const struct sp_vss_hresult *h = sp_vss_hresult_find(hresult);

    if (h == NULL)
        return sp_fail(e, SP_IO, SP_DOM_SHADOW,
            "VSS: %s: 0x%08x, a code that Stillpoint does not know. Look it up at"
            " learn.microsoft.com, and look into the Application event log for source VSS.",
            call, (unsigned)hresult);
    return sp_fail(e, code_of(hresult), SP_DOM_SHADOW, "VSS: %s: 0x%08x %s: %s. %s", call,
        (unsigned)hresult, h->name, h->meaning, h->advice);
}
