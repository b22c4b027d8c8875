#include "client/item.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

enum sp_code
sp_item_new(const void *key, size_t key_len, const struct sp_entry *known,
    struct sp_source_dir *dir, const char *name, struct sp_item **ret, struct sp_err *e)
{
    size_t n = strlen(name);
    struct sp_item *it = calloc(1, sizeof *it + n + 1);
    struct sp_entry en = {.user = "", .group = ""};
    enum sp_code rc;

    if (it == NULL)
        return sp_fail_nomem(e);
    if (known != NULL)
        en = *known;
    en.key = key;
    en.key_len = key_len;
    en.user = en.group = "";
    if ((rc = sp_entry_copy(&en, &it->entry, e)) != SP_OK) {
        free(it);
        return rc;
    }
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

void
sp_item_recheck(struct sp_entry *en, int64_t instant_ns)
{
    int64_t before;

    before = instant_ns < INT64_MIN + 2 * SP_SECOND ? INT64_MIN : instant_ns - 2 * SP_SECOND;
    if (en->mtime_ns > before || en->ctime_ns > before)
        en->flags |= SP_ENTRY_RECHECK;
}
