#include "storage/tree_node.h"
#include "tests/fuzz/material.h"
#include "tests/fuzz/seed.h"

/* Small trees of two levels, written as the product writes them, for `catalog` and `node`. */

static struct sp_node_coder coder;

/* The coder's node: its refs by their numbers. */
static void
put_coded(struct sp_buf *to, enum sp_chunk_kind kind, const char *name)
{
    struct sp_buf b = SP_BUF_INIT;

    sp_buf_put_u8(&b, kind == SP_CHUNK_LIST);
    sp_buf_put_u8(&b, (uint8_t)coder.refs.n);
    for (size_t i = 0; i < coder.refs.n; i++)
        sp_buf_put_u8(&b, coder.refs.ids[i].b[1]);
    sp_buf_put(&b, coder.out.data, coder.out.len);
    seed_part(to, b.data, b.len);
    sp_buf_reset(&b);
    sp_buf_put_u8(&b, kind == SP_CHUNK_LIST);
    sp_buf_put_u16(&b, (uint16_t)coder.refs.n);
    sp_buf_put(&b, coder.out.data, coder.out.len);
    seed_put("node", name, &b);
}

/* A folder and two files with everything that an entry may have; gives the sum of the sizes. */
static uint64_t
put_leaf(struct sp_buf *to, const char *folder, int64_t mtime_ns, const char *name)
{
    const struct sp_segment segments[] = {
        {1000, false, fuzz_id(100)}, {50, true, {{0}}}, {70000, false, fuzz_id(101)}};
    const struct sp_attribute attributes[] = {{"security.capability", NULL, 0, true, fuzz_id(102)},
        {"user.note", (const uint8_t *)"kept", 4, false, {{0}}}};
    char keys[4][32];
    struct sp_entry e[4], *all[4];
    struct sp_err err = {0}, *why = &err;
    size_t n = strlen(folder);

    for (size_t i = 0; i < 4; i++) {
        (void)snprintf(keys[i], sizeof(keys[i]), "%s", folder);
        memcpy(keys[i] + n + 1, &"abc"[i > 0 ? i - 1 : 0], 1);
        e[i] = (struct sp_entry){.key = (const uint8_t *)keys[i],
            .key_len = i == 0 ? n : n + 2,
            .type = i == 0   ? SP_ENTRY_DIR
                    : i == 2 ? SP_ENTRY_LINK
                             : SP_ENTRY_FILE,
            .mtime_ns = mtime_ns,
            .ctime_ns = 5,
            .btime_ns = 6,
            .file_id = 12 + i,
            .device = 1,
            .links = 1,
            .mode = 0640,
            .uid = 1000,
            .gid = 100,
            .user = "anna",
            .group = "users"};
        all[i] = &e[i];
    }
    e[1].size = 71050;
    e[1].segments = segments;
    e[1].nsegments = 3;
    e[1].attributes = attributes;
    e[1].nattributes = 2;
    e[2].target = (const uint8_t *)"../a";
    e[2].target_len = 4;
    e[3].size = 3000;
    e[3].has_list = true;
    e[3].list = fuzz_id(2);
    if (sp_tree_encode_entries(&coder, all, 4, why) != SP_OK)
        __builtin_trap();
    put_coded(to, SP_CHUNK_TREE, name);
    return 74050;
}

/* A file of Windows with streams behind its content, one that is in the cloud, and their folder. */
static void
put_windows(void)
{
    static const uint8_t streams[] = {1, 1, 0, 0, 0, 's', 0x44, 2, 0, 0, 0, 0, 0, 0};
    const struct sp_segment segments[] = {{1000, false, fuzz_id(100)}, {580, false, fuzz_id(101)}};
    const struct sp_segment away[] = {{4096, true, {{0}}}};
    const struct sp_attribute attributes[] = {
        {"windows.attributes", (const uint8_t *)"\x20\0\0\0", 4, false, {{0}}},
        {"windows.streams", streams, sizeof(streams), false, {{0}}}};
    struct sp_entry en[3], *all[] = {&en[0], &en[1], &en[2]};
    struct sp_buf ignored = SP_BUF_INIT;
    struct sp_err e = {0};

    for (size_t i = 0; i < 3; i++)
        en[i] = (struct sp_entry){.key = (const uint8_t *)&"C:\0a\0C:\0b"[i == 2 ? 5 : 0],
            .key_len = i == 0 ? 2 : 4,
            .type = i == 0 ? SP_ENTRY_DIR : SP_ENTRY_FILE,
            .flags = SP_ENTRY_WINDOWS,
            .mtime_ns = 1000,
            .atime_ns = 2000,
            .links = 1,
            .user = "",
            .group = "",
            .attributes = attributes,
            .nattributes = 1};
    en[1].size = 1000;
    en[1].extra = 580;
    en[1].segments = segments;
    en[1].nsegments = 2;
    en[1].nattributes = 2;
    en[2].size = 4096;
    en[2].flags |= SP_ENTRY_AWAY;
    en[2].segments = away;
    en[2].nsegments = 1;
    FUZZ_OK(sp_tree_encode_entries(&coder, all, 3, &e));
    put_coded(&ignored, SP_CHUNK_TREE, "leaf-windows");
    sp_buf_free(&ignored);
}

static void
put_root(struct sp_buf *to, unsigned first, unsigned second, uint64_t bytes)
{
    const struct sp_tree_child children[] = {{(const uint8_t *)"a", 1, fuzz_id(first), 4, bytes},
        {(const uint8_t *)"b", 1, fuzz_id(second), 4, bytes}};
    struct sp_err e = {0};

    FUZZ_OK(sp_tree_encode_children(&coder, 1, children, 2, &e));
    put_coded(to, SP_CHUNK_TREE, first == 3 ? "root-old" : "root-new");
}

static void
put_lists(struct sp_buf *root, struct sp_buf *leaves)
{
    const struct sp_segment segments[] = {{1000, false, fuzz_id(103)}, {500, true, {{0}}}};
    const struct sp_segment children[] = {{1500, false, fuzz_id(6)}, {1500, false, fuzz_id(7)}};
    struct sp_err e = {0};

    FUZZ_OK(sp_list_encode(&coder, 1, children, 2, &e));
    put_coded(root, SP_CHUNK_LIST, "list-root");
    for (unsigned i = 0; i < 2; i++) {
        FUZZ_OK(sp_list_encode(&coder, 0, segments, 2, &e));
        put_coded(leaves, SP_CHUNK_LIST, "list-leaf");
    }
}

void
seed_nodes(void)
{
    struct sp_buf leaves = SP_BUF_INIT, lists = SP_BUF_INIT, list_root = SP_BUF_INIT;
    struct sp_buf all = SP_BUF_INIT;
    uint64_t bytes;

    /* 0 and 1: the roots; 2: a list's; 3, 4, 5: leaves, of which the trees share one; 6, 7: lists
     */
    (void)put_leaf(&leaves, "a", 1000, "leaf-a");
    (void)put_leaf(&leaves, "b", 1000, "leaf-b");
    bytes = put_leaf(&leaves, "b", 2000, "leaf-b-changed");
    put_lists(&list_root, &lists);
    put_root(&all, 3, 4, bytes);
    put_root(&all, 3, 5, bytes);
    sp_buf_put(&all, list_root.data, list_root.len);
    sp_buf_put(&all, leaves.data, leaves.len);
    sp_buf_put(&all, lists.data, lists.len);
    seed_put("catalog", "two-levels", &all);
    /* The one node that is a whole tree. */
    sp_buf_put(&all, leaves.data, leaves.len);
    seed_put("catalog", "one-level", &all);
    sp_buf_free(&leaves);
    sp_buf_free(&lists);
    sp_buf_free(&list_root);
    put_windows();
    sp_node_coder_free(&coder);
}
