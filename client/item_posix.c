#include "client/item_posix.h"

#include <stdlib.h>
#include <string.h>

enum sp_code
sp_item_new(const void *key, size_t key_len, struct sp_source_dir *dir, const char *name,
    struct sp_item **ret, struct sp_err *e)
{
    size_t n = strlen(name);
    struct sp_item *it = calloc(1, sizeof *it + n + 1);
    uint8_t *own;

    if (it == NULL)
        return sp_fail_nomem(e);
    if ((it->entry = calloc(1, sizeof *it->entry + key_len + 1)) == NULL) {
        free(it);
        return sp_fail_nomem(e);
    }
    own = (uint8_t *)(it->entry + 1);
    if (key_len > 0)
        memcpy(own, key, key_len);
    it->entry->key = own;
    it->entry->key_len = key_len;
    it->entry->user = it->entry->group = "";
    it->name = (char *)(it + 1);
    memcpy(it->name, name, n + 1);
    if (dir != NULL) {
        it->dir = sp_dir_hold(dir);
        it->shadow = sp_dir_kind(dir)->shadow;
    }
    *ret = it;
    return SP_OK;
}

enum sp_code
sp_item_set_fault(struct sp_item *it, const void *key, size_t key_len, enum sp_fault_kind kind,
    const char *text, struct sp_err *e)
{
    struct sp_fault *f;

    if (it->fault != NULL)
        return SP_OK;
    if ((f = calloc(1, sizeof *f)) == NULL || (f->key = malloc(key_len + 1)) == NULL ||
        (f->text = strdup(text)) == NULL) {
        if (f != NULL)
            free(f->key);
        free(f);
        return sp_fail_nomem(e);
    }
    if (key_len > 0)
        memcpy(f->key, key, key_len);
    f->key_len = key_len;
    f->kind = kind;
    it->fault = f;
    if (it->entry->type != 0)
        it->entry->flags |= SP_ENTRY_UNREADABLE;
    return SP_OK;
}

void
sp_item_free(struct sp_item *it)
{
    if (it == NULL)
        return;
    if (it->fault != NULL) {
        free(it->fault->key);
        free(it->fault->text);
        free(it->fault);
    }
    free(it->entry);
    sp_dir_release(it->dir);
    free(it);
}
