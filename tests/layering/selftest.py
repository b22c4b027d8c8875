"""Plants each violation that layering.py knows, one at a time, and demands that exactly it is found."""
import pathlib
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import layering  # noqa: E402

# A small tree that keeps every rule, also where it comes close to breaking one.
CLEAN = {
    "CMakeLists.txt": "add_subdirectory(base)  # never file(GLOB ...)\n",
    "base/CMakeLists.txt": "set(files err.c) set(posix os_posix.c)\n",
    "base/err.c": '#include "base/err.h"\n#include <string.h>\n/* #include <zstd.h>\n#ifdef _WIN32 */\n',
    "base/err.h": '#ifdef __cplusplus\n#endif\nstatic const char *x = "#ifdef _WIN32";\n',
    "base/os.h": "#if defined(_WIN32)\n#endif\n",
    "base/os_posix.c": '#include "base/os.h"\n#include <sys/mman.h>\n#include <unistd.h>\n',
    "storage/CMakeLists.txt": "sp_library(s\n  crypto.c compress.c record.c)\n",
    "storage/crypto.c": "#include <openssl/evp.h>\n",
    "storage/compress.c": "#include <zstd.h>\n#include <zstd_errors.h>\n",
    "storage/record.c": '#include "storage/format.pb-c.h"\n#include <protobuf-c/protobuf-c.h>\n',
    "proto/CMakeLists.txt": "sp_library(p channel_write.c message.c tls.c cert.c)\n",
    "proto/channel_write.c": "#include <uv.h>\n",
    "proto/message.c": '#include "proto/stillpoint.pb-c.h"\n',
    "proto/tls.c": "#include <openssl/ssl.h>\n",
    "proto/cert.c": "#include <openssl/x509.h>\n",
    "vss/CMakeLists.txt": "sp_library(v none.c)\n",
    "vss/none.c": '#include "base/err.h"\n',
    "client/CMakeLists.txt": "sp_library(c walk.c store_remote.c http_posix.c)\n",
    "client/walk.c": '#include "storage/x.h"\n#include "proto/x.h"\n#include "vss/x.h"\n',
    "client/store_remote.c": "#include <uv.h>\n",
    "client/http_posix.c": "#include <curl/curl.h>\n",
    "server/CMakeLists.txt": "sp_library(d state.c)\n",
    "server/state.c": "#include <sqlite3.h>\n#include <uv.h>\n",
    "tests/unit/CMakeLists.txt": "foreach(m x z)\n  sp_test(test_${m} LIBS a FILES test_${m}.c)\nendforeach()\n",
    "tests/unit/test_x.c": '#include "client/x.h"\n#include "server/x.h"\n#include <cmocka.h>\n',
    "tests/unit/test_z.c": "",
    "tests/e2e/CMakeLists.txt": "sp_e2e(first TIMEOUT 300)\n",
    "tests/e2e/first.sh": "true\n",
    "tests/e2e/lib.sh": "true\n",
}

# (file to add a line to or to make, the line, what the message must say)
PLANTED = [
    ("base/err.c", '#include "storage/x.h"', "base must not include storage"),
    ("base/err.h", '#include "proto/x.h"', "base must not include proto"),
    ("base/err.c", '#  include\t"client/x.h"', "base must not include client"),
    ("storage/crypto.c", '#include "proto/x.h"', "storage must not include proto"),
    ("storage/crypto.c", '#include "vss/x.h"', "storage must not include vss"),
    ("storage/crypto.c", '#include "client/x.h"', "storage must not include client"),
    ("storage/crypto.c", '#include "server/x.h"', "storage must not include server"),
    ("proto/tls.c", '#include "storage/x.h"', "proto must not include storage"),
    ("proto/tls.c", '#include "vss/x.h"', "proto must not include vss"),
    ("vss/none.c", '#include "storage/x.h"', "vss must not include storage"),
    ("vss/none.c", '#include "proto/x.h"', "vss must not include proto"),
    ("client/walk.c", '#include "server/x.h"', "client must not include server"),
    ("server/state.c", '#include "client/x.h"', "server must not include client"),
    ("vss/none.c", '#include \\\n "client/x.h"', "vss must not include client"),
    ("base/err.c", '#include "err.h"', "not written from the root"),
    ("client/walk.c", '#include "client/../server/x.h"', "leaves its folder"),
    ("client/walk.c", '#include "tests/x.h"', "not written from the root"),
    ("client/walk.c", "#include HEADER", "computed include"),
    ("client/walk.c", "#include <openssl/evp.h>", "belongs to storage/crypto.c"),
    ("storage/compress.c", "#include <openssl/sha.h>", "belongs to storage/crypto.c"),
    ("storage/record.c", "#include <zstd.h>", "belongs to storage/compress.c"),
    ("storage/record.c", "#include <zdict.h>", "belongs to storage/compress.c"),
    ("server/state.c", "#include <protobuf-c/protobuf-c.h>", "belongs to proto/message.c"),
    ("storage/crypto.c", '#include "storage/format.pb-c.h"', "belongs to storage/record.c"),
    ("client/walk.c", '#include "proto/stillpoint.pb-c.h"', "belongs to proto/message.c"),
    ("client/walk.c", "#include <sqlite3.h>", "belongs to server/state.c"),
    ("client/walk.c", "#include <uv.h>", "belongs to proto/channel"),
    ("storage/crypto.c", "#include <uv.h>", "belongs to proto/channel"),
    ("server/state.c", "#include <curl/curl.h>", "belongs to client/http_posix.c"),
    ("client/walk.c", "#include <libssh2_sftp.h>", "belongs to storage/ssh_libssh2*.[ch]"),
    ("client/walk.c", "#include <archive.h>", "in no table"),
    ("client/walk.c", "#include <sys/xattr.h>", "one platform only"),
    ("client/http_posix.c", "#include <windows.h>", "one platform only"),
    ("client/walk.c", "#ifdef _WIN32\n#endif", "conditional on _WIN32"),
    ("client/http_posix.c", "#ifndef __linux__\n#endif", "conditional on __linux__"),
    ("base/err.h", "#if 1 && \\\n defined(__APPLE__)\n#endif", "conditional on __APPLE__"),
    ("base/os_posix.c", "#if 0\n#elif SP_OS_WINDOWS\n#endif", "conditional on SP_OS_WINDOWS"),
    ("tests/unit/test_x.c", "#ifdef __unix__\n#endif", "conditional on __unix__"),
    ("base/orphan.c", "", "not listed in base/CMakeLists.txt"),
    ("client/walk_posix.c", "", "not listed in client/CMakeLists.txt"),
    ("client/walk_win32.c", "", "not listed in client/CMakeLists.txt"),
    ("tests/unit/test_y.c", "", "not listed in tests/unit/CMakeLists.txt"),
    ("tests/e2e/second.sh", "", "not listed in tests/e2e/CMakeLists.txt"),
    ("base/CMakeLists.txt", "file(GLOB files *.c)", "not found by GLOB"),
    ("storage/CMakeLists.txt", "aux_source_directory(. files)", "not found by GLOB"),
]


def write(root, path, text):
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(text)


def found_in(extra=None):
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        for path, text in CLEAN.items():
            write(root, path, text)
        if extra:
            path, line = extra
            write(root, path, CLEAN.get(path, "") + line + "\n")
        return list(layering.violations(root))


def main():
    failures = [f"the clean tree has: {v}" for v in found_in()]
    for path, line, expected in PLANTED:
        found = found_in((path, line))
        if len(found) != 1 or expected not in found[0] or not found[0].startswith(path + ":"):
            failures.append(f"{path} with {line!r}: wanted '{expected}', got {found}")
    for failure in failures:
        print(failure)
    print(f"layering self test: {len(PLANTED)} planted violations, {len(failures)} mistakes")
    sys.exit(1 if failures else 0)


main()
