"""Holds the tree against DESIGN.md section 2: who may include whom, which file may use which library,
where the platform may show, and that CMake lists every file by name.

usage: layering.py ROOT; prints one line a violation (file:line: sentence), exit 1 when there is any.
"""
import fnmatch
import pathlib
import re
import sys

# Folder -> folders whose headers it may include.
LAYERS = {
    "base": {"base"},
    "storage": {"base", "storage"},
    "proto": {"base", "proto"},
    "vss": {"base", "vss"},
    "client": {"base", "storage", "proto", "vss", "client"},
    "server": {"base", "storage", "proto", "vss", "server"},
}

# Header of a library -> the only files that may include it.
LIBRARIES = [
    ("openssl/*", ["storage/crypto.c", "storage/ssh_crypto.c", "proto/tls.c", "proto/cert.c"]),
    ("zstd*.h", ["storage/compress.c"]),
    ("zdict.h", ["storage/compress.c"]),
    ("protobuf-c/*", ["proto/message.c", "storage/record.c"]),
    ("storage/*.pb-c.h", ["storage/record.c", "storage/record_pb.h"]),
    ("storage/record_pb.h", ["storage/record.c", "storage/record_*.c"]),
    ("proto/*.pb-c.h", ["proto/message.c"]),
    ("sqlite3.h", ["server/state.c"]),
    ("uv.h", ["proto/channel*.[ch]", "server/*.[ch]", "client/*remote*.[ch]", "storage/ssh_socket.c"]),
    ("curl/*", ["client/http_posix.c"]),
    ("btrfsutil.h", ["vss/btrfs_linux.c"]),
    ("sanitizer/*", ["base/spare.c"]),
    ("libssh2*.h", ["storage/ssh_libssh2*.[ch]"]),
]

# What every compiler for our platforms brings.
PORTABLE = {
    "assert.h", "ctype.h", "errno.h", "fcntl.h", "float.h", "getopt.h", "inttypes.h", "iso646.h",
    "limits.h", "locale.h", "math.h", "pthread.h", "setjmp.h", "signal.h", "stdalign.h", "stdarg.h",
    "stdatomic.h", "stdbool.h", "stddef.h", "stdint.h", "stdio.h", "stdlib.h", "stdnoreturn.h",
    "string.h", "strings.h", "sys/stat.h", "sys/time.h", "sys/types.h", "time.h", "unistd.h",
    "wchar.h", "wctype.h",
}
# Intrinsics: guarded by processor, not by platform.
PORTABLE |= {"immintrin.h", "cpuid.h", "arm_neon.h"}
# What only one platform has: allowed in that platform's files alone.
POSIX = ["sys/*", "linux/*", "netinet/*", "arpa/*", "net/*", "dirent.h", "dlfcn.h", "err.h", "fnmatch.h",
    "ftw.h", "glob.h", "grp.h", "ifaddrs.h", "netdb.h", "poll.h", "pwd.h", "regex.h", "sched.h",
    "semaphore.h", "spawn.h", "syslog.h", "termios.h", "utime.h", "endian.h", "langinfo.h", "malloc.h",
    "mntent.h", "sysexits.h"]
WIN32 = ["windows.h", "win*.h", "io.h", "direct.h", "process.h", "initguid.h", "vs*.h", "aclapi.h",
    "sddl.h", "shlobj.h", "wincrypt.h", "dpapi.h", "psapi.h", "userenv.h", "ntsecapi.h", "objbase.h", "oleauto.h", "wbem*.h", "netlistmgr.h",
    "bcrypt.h", "knownfolders.h", "shellapi.h"]
PLATFORM_FILES = {"posix": ["*_posix.[ch]", "*_linux.[ch]"], "win32": ["*_win32.[ch]"]}

PLATFORM_MACRO = re.compile(
    r"\b(_WIN32|_WIN64|WIN32|__MINGW\w+|_MSC_VER|__CYGWIN__|__linux__|__linux|linux|__unix__|__unix|unix"
    r"|__APPLE__|__FreeBSD__|__OpenBSD__|__NetBSD__|SP_OS_WINDOWS)\b")
CONDITIONAL = re.compile(r"\s*#\s*(if|ifdef|ifndef|elif)\b(.*)")
INCLUDE = re.compile(r'\s*#\s*include\s*(?:"([^"]+)"|<([^>]+)>|(\S+))')
COMMENT_OR_STRING = re.compile(
    r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)


def code_lines(text):
    """The lines without comments, continuation lines joined to the first of them (numbers kept)."""
    def blank(m):
        return m.group() if m.group()[0] in "\"'" else " " + "\n" * m.group().count("\n")
    lines = COMMENT_OR_STRING.sub(blank, text).split("\n")
    at = 0
    while at < len(lines):
        number, line = at + 1, lines[at]
        while line.endswith("\\") and at + 1 < len(lines):
            at += 1
            line = line[:-1] + lines[at]
        yield number, line
        at += 1


def matches(name, patterns):
    return any(fnmatch.fnmatchcase(name, p) for p in patterns)


def check_library(path, header):
    for pattern, files in LIBRARIES:
        if fnmatch.fnmatchcase(header, pattern) and not matches(path, files):
            return f"<{header}> belongs to {', '.join(files)} alone"
    return None


def check_system(path, header):
    """A header in angle brackets, in a file of the product."""
    wrong = check_library(path, header)
    if wrong or any(fnmatch.fnmatchcase(header, p) for p, _ in LIBRARIES):
        return wrong
    if header in PORTABLE:
        return None
    name = path.rsplit("/", 1)[1]
    for platform, headers in (("posix", POSIX), ("win32", WIN32)):
        if matches(header, headers):
            if matches(name, PLATFORM_FILES[platform]):
                return None
            return f"<{header}> exists on one platform only: it belongs into a file *_{platform}.c"
    return f"<{header}> is in no table of tests/layering/layering.py: which file owns this library?"


def check_own(path, folder, header):
    """A header in quotes, in a file of the product."""
    if ".." in header.split("/"):
        return f'"{header}" leaves its folder; includes are written from the root'
    target = header.split("/", 1)[0]
    if "/" not in header or target not in LAYERS:
        return f'"{header}" is not written from the root as "folder/file.h"'
    if target not in LAYERS[folder]:
        return f'{folder} must not include {target} ("{header}")'
    return check_library(path, header)


def check_file(root, path):
    folder = path.split("/", 1)[0]
    product = folder in LAYERS
    for number, line in code_lines((root / path).read_text(encoding="utf-8", errors="replace")):
        conditional = CONDITIONAL.match(line)
        if conditional and path != "base/os.h":
            macro = PLATFORM_MACRO.search(conditional.group(2))
            if macro:
                yield f"{path}:{number}: a conditional on {macro.group()} outside base/os.h"
        include = INCLUDE.match(line)
        if include and product:
            own, system, computed = include.groups()
            if computed:
                wrong = f"#include {computed}: a computed include hides what it includes"
            elif system:
                wrong = check_system(path, system)
            else:
                wrong = check_own(path, folder, own)
            if wrong:
                yield f"{path}:{number}: {wrong}"


LOOP = re.compile(r"\bforeach\s*\(\s*(\w+)\s+([^)]*)\)((?:(?!\bforeach\b).)*?)\bendforeach\s*\([^)]*\)", re.S)


def listed_words(file):
    """The words of a CMakeLists.txt; a loop over words stands for what it unrolls to."""
    def unroll(m):
        name, words, body = m.groups()
        return " ".join(body.replace("${" + name + "}", word) for word in words.split())
    text, n = re.sub(r"#[^\n]*", "", file.read_text()), 1
    while n:
        text, n = LOOP.subn(unroll, text)
    return set(re.findall(r'[^\s()"]+', text))


def check_lists(root, paths):
    """Every source and every end-to-end suite stands by name in the CMakeLists.txt of its folder."""
    for path in paths:
        file = pathlib.PurePosixPath(path)
        if file.name == "CMakeLists.txt" or file.suffix == ".cmake":
            text = re.sub(r"#[^\n]*", "", (root / path).read_text())
            if re.search(r"\bGLOB(_RECURSE)?\b|\baux_source_directory\b", text):
                yield f"{path}:1: files are listed by name, not found by GLOB"
            continue
        suite = file.suffix == ".sh" and str(file.parent) == "tests/e2e"
        if file.suffix != ".c" and not suite:
            continue
        name = file.stem if suite else file.name
        for up in file.parents:
            lists = root / up / "CMakeLists.txt"
            if lists.exists():
                relative = name if suite else str(file.relative_to(up))
                if relative not in listed_words(lists):
                    yield f"{path}:1: not listed in {(up / 'CMakeLists.txt').as_posix()}"
                break
        else:
            yield f"{path}:1: no CMakeLists.txt above it"


def sources(root):
    for path in sorted(root.rglob("*")):
        relative = path.relative_to(root)
        if relative.parts[0] in ("build", ".git", ".cache") or not path.is_file():
            continue
        # Suites may share code in lib*.sh.
        if path.suffix in (".c", ".h", ".cmake") or path.name == "CMakeLists.txt" or (
                path.suffix == ".sh" and not path.name.startswith("lib")):
            yield relative.as_posix()


def violations(root):
    paths = list(sources(root))
    for path in paths:
        if path.endswith((".c", ".h")):
            yield from check_file(root, path)
    yield from check_lists(root, paths)


def main():
    root = pathlib.Path(sys.argv[1]).resolve()
    checked = sum(1 for p in sources(root) if p.split("/", 1)[0] in LAYERS)
    found = list(violations(root))
    for line in found:
        print(line)
    print(f"layering: {checked} files of the product, {len(found)} violations")
    sys.exit(1 if found or not checked else 0)


if __name__ == "__main__":
    main()
