#include "client/keystore.h"

enum sp_code
sp_keystore_wrap(const void *p, size_t n, struct sp_buf *ret, struct sp_err *e)
{
    sp_buf_put(ret, p, n);
    return sp_buf_ok(ret, e);
}

enum sp_code
sp_keystore_unwrap(const void *p, size_t n, struct sp_buf *ret, struct sp_err *e)
{
    sp_buf_put(ret, p, n);
    return sp_buf_ok(ret, e);
}
