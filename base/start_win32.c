/* See start.h. */

#include "base/start.h"

#include <fcntl.h>
#include <io.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <windows.h>

#include <shellapi.h>

#include "base/sys_win32.h"

#define OUTPUT_BUFFER 16384

static UINT input_was, output_was; /* of the console, to be put back */

static void
put_back(void)
{
    (void)fflush(stdout);
    (void)SetConsoleOutputCP(output_was);
    (void)SetConsoleCP(input_was);
}

static void
use_utf8(void)
{
    output_was = GetConsoleOutputCP();
    input_was = GetConsoleCP();
    if (output_was == 0 || input_was == 0) /* no console */
        return;
    if (SetConsoleOutputCP(CP_UTF8) && SetConsoleCP(CP_UTF8))
        (void)atexit(put_back);
}

static void
use_bytes(void)
{
    (void)_setmode(_fileno(stdin), _O_BINARY);
    (void)_setmode(_fileno(stdout), _O_BINARY);
    (void)_setmode(_fileno(stderr), _O_BINARY);
    /* The C library writes to a console byte by byte, which is slow and cuts characters in two;
     * what is larger than a console takes at once goes in parts. Who asks a question flushes first.
     */
    if (_isatty(_fileno(stdout)))
        (void)setvbuf(stdout, NULL, _IOFBF, OUTPUT_BUFFER);
}

/* The cross compiler's werapi.h does not compile. */
#define NO_HEAP 1u /* WER_FAULT_REPORTING_FLAG_NOHEAP */

static void
report_no_heap(void)
{
    typedef HRESULT(WINAPI * set_flags)(DWORD);
    HMODULE kernel = GetModuleHandleW(L"kernel32.dll");
    FARPROC found = kernel != NULL ? GetProcAddress(kernel, "WerSetFlags") : NULL;
    set_flags set;

    if (found == NULL)
        return;
    memcpy(&set, &found, sizeof(set));
    (void)set(NO_HEAP);
}

/* What crashes ends, without a question on a screen that nobody sees; what is sent or kept of it
 * holds no heap, where keys are
 * (learn.microsoft.com/windows/win32/api/werapi/nf-werapi-wersetflags). */
static void
crash_quietly(void)
{
    (void)SetErrorMode(SEM_FAILCRITICALERRORS | SEM_NOGPFAULTERRORBOX | SEM_NOOPENFILEERRORBOX);
    report_no_heap();
    (void)HeapSetInformation(NULL, HeapEnableTerminationOnCorruption, NULL, 0);
}

static void
give_up(void)
{
    (void)fputs("the command line could not be read: out of memory\n", stderr);
    exit(2);
}

/* Windows has one command line, which each program cuts itself; CommandLineToArgvW cuts it as the C
 * library does, but for the wildcards, which stay. Lives as long as the program. */
static void
take_arguments(int *ret_argc, char ***ret_argv)
{
    int n = 0;
    wchar_t **wide = CommandLineToArgvW(GetCommandLineW(), &n);
    char **argv = wide == NULL ? NULL : calloc((size_t)n + 1, sizeof(*argv));
    struct sp_err ignored;

    if (argv == NULL)
        give_up();
    for (int i = 0; i < n; i++)
        if (sp_win32_narrow(wide[i], &argv[i], &ignored) != SP_OK)
            give_up();
    (void)LocalFree(wide);
    *ret_argc = n;
    *ret_argv = argv;
}

void
sp_start(int *argc, char ***argv)
{
    /* Before anything is loaded: never from the current folder or that of the program
     * (learn.microsoft.com/windows/win32/api/libloaderapi/nf-libloaderapi-setdefaultdlldirectories).
     */
    (void)SetDefaultDllDirectories(LOAD_LIBRARY_SEARCH_SYSTEM32);
    crash_quietly();
    use_bytes();
    use_utf8();
    take_arguments(argc, argv);
}
