#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "storage/record.h"

/* "sets/<host>/<yyyy-mm>/<time>-<id>.<type>", docs/format.md §1. */

#define NAME_ROOM 160

static const char *const types[] = {"set", "checkpoint", "completion", "removal"};

void
sp_record_object_name(enum sp_record_type type, const uint8_t host[16], int64_t published_ns,
    const uint8_t set_id[16], char to[160])
{
    char time[32];

    sp_time_name(published_ns, time);
    (void)snprintf(to, NAME_ROOM, "sets/%.32s/%.4s-%.2s/%.16s-%.32s.%s", sp_hex16(host).s, time,
        time + 4, time, sp_hex16(set_id).s, types[type - 1]);
}

static bool
parse_time(const char *name, int64_t *ret)
{
    char text[32];

    (void)snprintf(text, sizeof text, "%.4s-%.2s-%.2sT%.2s:%.2s:%.2sZ", name, name + 4, name + 6,
        name + 9, name + 11, name + 13);
    return sp_time_parse(text, ret) == 0;
}

static bool
parse_id(const char *digits, uint8_t to[16])
{
    char text[33];

    memcpy(text, digits, 32);
    text[32] = '\0';
    return sp_hex_parse(text, to, 16);
}

bool
sp_record_object_parse(const char *object, enum sp_record_type *ret_type, uint8_t ret_host[16],
    int64_t *ret_published_ns, uint8_t ret_set_id[16])
{
    enum { HOST = 5, TIME = HOST + 33 + 8, ID = TIME + 17, TYPE = ID + 33 };
    uint8_t host[16], set_id[16];
    char again[NAME_ROOM];
    int64_t published;

    if (strnlen(object, NAME_ROOM) <= TYPE || strnlen(object, NAME_ROOM) == NAME_ROOM)
        return false;
    if (!parse_id(object + HOST, host) || !parse_id(object + ID, set_id) ||
        !parse_time(object + TIME, &published))
        return false;
    for (unsigned i = 0; i < sizeof types / sizeof types[0]; i++) {
        enum sp_record_type type = (enum sp_record_type)(i + 1);

        /* All else is right when the same name comes out. */
        sp_record_object_name(type, host, published, set_id, again);
        if (strcmp(object, again) != 0)
            continue;
        *ret_type = type;
        memcpy(ret_host, host, sizeof host);
        *ret_published_ns = published;
        memcpy(ret_set_id, set_id, sizeof set_id);
        return true;
    }
    return false;
}
