/* Unpacking within a budget, and the small steps between messages and structures: record_pb.h. */

#include <stdlib.h>
#include <string.h>

#include "base/path.h"
#include "storage/record_pb.h"

#define UNPACK_BUDGET (32u << 20)

struct budget {
    size_t left;
    bool no_memory;
};

static void *
budget_alloc(void *data, size_t n)
{
    struct budget *b = data;
    void *p;

    if (n + 16 > b->left)
        return NULL;
    b->left -= n + 16;
    if ((p = malloc(n)) == NULL)
        b->no_memory = true;
    return p;
}

static void
budget_free(void *data, void *p)
{
    (void)data;
    free(p);
}

enum sp_code
sp_pb_unpack(const ProtobufCMessageDescriptor *d, const void *p, size_t n, ProtobufCMessage **ret,
    struct sp_err *e)
{
    struct budget b = {.left = UNPACK_BUDGET};
    ProtobufCAllocator a = {budget_alloc, budget_free, &b};
    ProtobufCMessage *m = protobuf_c_message_unpack(d, &a, n, p);

    if (m == NULL) {
        if (b.no_memory)
            return sp_fail_nomem(e);
        return sp_fail(e, SP_CORRUPT, SP_DOM_STORE, "a malformed record");
    }
    *ret = m;
    return SP_OK;
}

void
sp_pb_release(ProtobufCMessage *m)
{
    struct budget b = {.left = 0};
    ProtobufCAllocator a = {budget_alloc, budget_free, &b};

    if (m != NULL)
        protobuf_c_message_free_unpacked(m, &a);
}

enum sp_code
sp_pb_pack(const ProtobufCMessage *m, size_t most, struct sp_buf *ret, struct sp_err *e)
{
    size_t n = protobuf_c_message_get_packed_size(m);

    if (n > most)
        return sp_fail(e, SP_INVALID, SP_DOM_SELF, "a record of %zu bytes would be too long", n);
    if (sp_buf_reserve(ret, n))
        ret->len += protobuf_c_message_pack(m, ret->data + ret->len);
    return sp_buf_ok(ret, e);
}

enum sp_code
sp_pb_check_version(uint32_t version, struct sp_err *e)
{
    if (version == SP_RECORD_VERSION)
        return SP_OK;
    if (version == 0)
        return sp_fail(e, SP_CORRUPT, SP_DOM_STORE, "a record without a version");
    return sp_fail(e, SP_UNSUPPORTED, SP_DOM_STORE,
        "the record is of version %u; this program knows version %d", version, SP_RECORD_VERSION);
}

ProtobufCBinaryData
sp_pb_view(const void *p, size_t n)
{
    return (ProtobufCBinaryData){n, (uint8_t *)(uintptr_t)p};
}

bool
sp_pb_take(const ProtobufCBinaryData *from, void *to, size_t n)
{
    if (from->len != n)
        return false;
    memcpy(to, from->data, n);
    return true;
}

bool
sp_pb_take_text(const char *from, char *to, size_t room)
{
    size_t n = strlen(from);

    if (n >= room || !sp_utf8_valid(from, n))
        return false;
    memcpy(to, from, n + 1);
    return true;
}

bool
sp_pb_keep_text(const char *from, char **to, const char **problem)
{
    if (!sp_utf8_valid(from, strlen(from))) {
        *problem = "text that is no UTF-8";
        return true;
    }
    return (*to = strdup(from)) != NULL;
}

bool
sp_pb_keep_bytes(const ProtobufCBinaryData *from, uint8_t **to, size_t *to_n)
{
    if ((*to = malloc(from->len + 1)) == NULL)
        return false;
    if (from->len > 0)
        memcpy(*to, from->data, from->len);
    *to_n = from->len;
    return true;
}
