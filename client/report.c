#include "client/report.h"

#define FLOW_BYTES (64u << 10)

void
sp_report_begin(struct sp_report *r, struct sp_cli *c)
{
    r->c = c;
    r->out = (struct sp_buf)SP_BUF_INIT;
    r->j = NULL;
    if (!c->json)
        return;
    sp_json_init(&r->json, &r->out);
    sp_json_object(&r->json);
    r->j = &r->json;
}

void
sp_report_flow(struct sp_report *r)
{
    if (r->j == NULL || r->out.failed || r->out.len < FLOW_BYTES)
        return;
    (void)fwrite(r->out.data, 1, r->out.len, stdout); /* main asks for errors at the end */
    sp_buf_reset(&r->out);
}

enum sp_exit
sp_report_end(struct sp_report *r, enum sp_code rc, const struct sp_err *e, enum sp_exit code)
{
    struct sp_err lost = {0};

    if (rc != SP_OK) {
        code = sp_cli_exit_code(e);
        sp_cli_tell_error(NULL, e);
    }
    if (r->j != NULL) {
        if (rc != SP_OK) {
            sp_json_kstr(r->j, "error", e->text);
            sp_json_kstr(r->j, "code", sp_code_word(e->code));
            sp_json_kstr(r->j, "domain", sp_domain_word(e->domain));
        }
        sp_json_ku64(r->j, "exit", (uint64_t)code);
        sp_json_object_end(r->j);
        if (sp_buf_ok(&r->out, &lost) == SP_OK) {
            sp_cli_print_json(&r->out);
        } else { /* a document that lacks something is worse than none */
            sp_cli_tell_error("the result could not be written", &lost);
            code = rc == SP_OK ? sp_cli_exit_code(&lost) : code;
        }
    }
    sp_buf_free(&r->out);
    return code;
}
