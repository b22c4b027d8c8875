#include "vss/api.h"

#include <stdlib.h>

void
sp_vss_status_clear(struct sp_vss_status *s)
{
    free(s->name);
    free(s->app_text);
    *s = (struct sp_vss_status){0};
}

void
sp_vss_component_report_clear(struct sp_vss_component_report *r)
{
    free(r->failure_text);
    *r = (struct sp_vss_component_report){0};
}
