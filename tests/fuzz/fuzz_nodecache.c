#include <stdlib.h>

#include "client/nodecache.h"
#include "tests/fuzz/files.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/material.h"

/* `u8 flags ‖ bytes`: a file of the node cache: with SEALED the bytes are `u16 length ‖ content`
 * each, made into blocks; then those lie in the file, and a part of them is changed. */

enum { SEALED = 1 };
#define FOLDER "/cache/nodes"

static void
put_block(const struct fuzz_in *content, struct sp_buf *to)
{
    struct sp_buf plain = SP_BUF_INIT, block = SP_BUF_INIT;
    struct sp_id id;
    struct sp_err e = {0};

    FUZZ_OK(sp_hasher_id(fuzz_hasher(), SP_CHUNK_TREE, NULL, 0, content->p, content->n, &id, &e));
    sp_buf_put_u32(&plain, 0);
    sp_buf_put_u32(&plain, (uint32_t)content->n + TABLE_ENTRY);
    sp_buf_put_u32(&plain, (uint32_t)content->n + TABLE_ENTRY);
    sp_buf_put_u16(&plain, 0);
    sp_buf_put_u16(&plain, SP_CHUNK_TREE);
    sp_buf_put_u32(&plain, (uint32_t)content->n);
    sp_buf_put(&plain, content->p, content->n);
    sp_buf_put_zero(&plain, sp_padme(plain.len) - plain.len);
    fuzz_seal(SP_BLOCK_NODES, &id, 1, NULL, NULL, plain.data, plain.len, &block);
    sp_buf_put_u32(to, (uint32_t)block.len);
    sp_buf_put(to, block.data, block.len);
    FUZZ_MUST(!to->failed);
    sp_buf_free(&plain);
    sp_buf_free(&block);
}

/* Every block that the file seems to have is asked for. */
static void
ask(struct sp_nodecache *c, const uint8_t *p, size_t n)
{
    for (size_t at = 0; at + 4 + 96 <= n; at++) {
        struct sp_id id;
        uint8_t *block = NULL;
        size_t len = 0;

        if (memcmp(p + at + 4, BLOCK_MAGIC, 4) != 0)
            continue;
        memcpy(&id, p + at + 4 + BLOCK_FIXED, sizeof(id));
        if (!sp_nodecache_get(c, &id, &block, &len))
            continue;
        FUZZ_MUST(len <= n && memcmp(block, BLOCK_MAGIC, 4) == 0);
        sp_nodecache_use(c, &id);
        sp_nodecache_add(c, block, len);
        free(block);
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_files *files = fuzz_files_new();
    const struct sp_env *env = fuzz_files_env(files);
    struct fuzz_in in = {data, size};
    unsigned flags = fuzz_u8(&in);
    struct sp_nodecache *c = NULL;
    struct sp_buf file = SP_BUF_INIT, fresh = SP_BUF_INIT;
    struct sp_err e = {0};

    if ((flags & SEALED) != 0) {
        uint16_t at = fuzz_u16(&in);
        uint8_t change = fuzz_u8(&in);

        while (in.n > 0) {
            struct fuzz_in content = fuzz_part(&in);

            put_block(&content, &file);
        }
        if (file.len > 0)
            file.data[at % file.len] ^= change;
    } else {
        sp_buf_put(&file, in.p, in.n);
    }
    FUZZ_OK(sp_os_mkdirs(env->os, FOLDER, &e));
    fuzz_files_put(files, FOLDER "/one.nodes", file.data, file.len);
    FUZZ_OK(sp_nodecache_open(env, FOLDER, &c, &e));
    ask(c, file.data, file.len);
    in = (struct fuzz_in){data, size < 40 ? size : 40};
    put_block(&in, &fresh);
    sp_nodecache_add(c, fresh.data + 4, fresh.len - 4);
    sp_nodecache_trim(c);
    sp_nodecache_free(c);
    /* What was kept is found the next time. */
    FUZZ_OK(sp_nodecache_open(env, FOLDER, &c, &e));
    ask(c, file.data, file.len);
    sp_nodecache_free(c);
    sp_buf_free(&file);
    sp_buf_free(&fresh);
    fuzz_files_free(files);
    return 0;
}
