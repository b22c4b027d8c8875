/* Read before every file that clang-tidy looks at, but base/err.c: tells the analyzer what only err.c
 * knows, that these functions never return SP_OK. */
#include "base/err.h"
#define sp_fail(e, code, ...) ((void)(sp_fail)(e, code, __VA_ARGS__), (code))
#define sp_fail_os(...) ((void)(sp_fail_os)(__VA_ARGS__), SP_IO)
#define sp_fail_nomem(e) ((void)(sp_fail_nomem)(e), SP_NOMEM)
