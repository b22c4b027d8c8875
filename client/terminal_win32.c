#include <windows.h>

#include <stdlib.h>
#include <string.h>

#include "base/path.h"
#include "client/cli.h"

#define MOST_TYPED 1024 /* UTF-16 units of a line */

void
sp_cli_platform_start(struct sp_cli *c)
{
    HANDLE err = GetStdHandle(STD_ERROR_HANDLE);
    DWORD mode;

    c->terminal = err != NULL && err != INVALID_HANDLE_VALUE && GetConsoleMode(err, &mode);
    /* So that progress can rewrite its line with the sequences that every terminal knows. */
    if (c->terminal && !SetConsoleMode(err, mode | ENABLE_VIRTUAL_TERMINAL_PROCESSING))
        c->terminal = false;
}

/* A console that is asked in UTF-16 whatever its code page. Ctrl-C ends the reading with nothing
 * and is told by the signal too; the echo comes back in every case. */
static enum sp_code
ask(HANDLE in, HANDLE out, const char *prompt, bool visible, struct sp_buf *ret, struct sp_err *e)
{
    static const uint16_t newline[] = {'\r', '\n'};
    uint16_t typed[MOST_TYPED], *shown = NULL;
    char *text = NULL;
    size_t shown_n = 0, n = 0;
    DWORD before, mode, got = 0, done;
    BOOL ok;
    enum sp_code rc;

    if (!GetConsoleMode(in, &before))
        return sp_fail_os(e, SP_DOM_SELF, (int)GetLastError(), "the console");
    if ((rc = sp_wtf8_to_utf16(prompt, strlen(prompt), &shown, &shown_n, e)) != SP_OK)
        return rc;
    (void)WriteConsoleW(out, shown, (DWORD)shown_n, &done, NULL);
    (void)WriteConsoleW(out, L": ", 2, &done, NULL);
    free(shown);
    mode = before | ENABLE_LINE_INPUT | ENABLE_PROCESSED_INPUT;
    (void)SetConsoleMode(in, visible ? mode | ENABLE_ECHO_INPUT : mode & ~(DWORD)ENABLE_ECHO_INPUT);
    ok = ReadConsoleW(in, typed, MOST_TYPED, &got, NULL);
    (void)SetConsoleMode(in, before);
    if (!visible)
        (void)WriteConsoleW(out, newline, 2, &done, NULL);
    if (sp_signals_stop(NULL) || !ok || got == 0) {
        rc = sp_fail(e, SP_CANCELLED, SP_DOM_CONFIG, "%s",
            sp_signals_stop(NULL) ? "interrupted" : "nothing was typed");
    } else {
        while (n < got && typed[n] != '\r' && typed[n] != '\n')
            n++;
        rc = n == MOST_TYPED
                 ? sp_fail(e, SP_INVALID, SP_DOM_CONFIG, "what was typed is too long; give a file")
                 : sp_utf16_to_wtf8(typed, n, &text, &n, e);
    }
    if (rc == SP_OK) {
        sp_buf_put(ret, text, n);
        sp_wipe(text, n);
        rc = sp_buf_ok(ret, e);
    }
    free(text);
    sp_wipe(typed, sizeof typed);
    return rc;
}

/* A run of the service has a console that nobody sees; its input is not that console. */
bool
sp_cli_can_ask(void)
{
    HANDLE in = GetStdHandle(STD_INPUT_HANDLE);
    DWORD mode;

    return in != NULL && in != INVALID_HANDLE_VALUE && GetConsoleMode(in, &mode);
}

/* `nobody`: the sentence where there is no console; may take the prompt. */
static enum sp_code
ask_console(
    const char *prompt, bool visible, const char *nobody, struct sp_buf *ret, struct sp_err *e)
{
    HANDLE in = CreateFileW(L"CONIN$", GENERIC_READ | GENERIC_WRITE,
        FILE_SHARE_READ | FILE_SHARE_WRITE, NULL, OPEN_EXISTING, 0, NULL);
    HANDLE out = CreateFileW(L"CONOUT$", GENERIC_READ | GENERIC_WRITE,
        FILE_SHARE_READ | FILE_SHARE_WRITE, NULL, OPEN_EXISTING, 0, NULL);
    enum sp_code rc;

    if (in == INVALID_HANDLE_VALUE || out == INVALID_HANDLE_VALUE)
        rc = sp_fail(e, SP_INVALID, SP_DOM_CONFIG, "%s%s", visible ? "" : prompt, nobody);
    else
        rc = ask(in, out, prompt, visible, ret, e);
    if (in != INVALID_HANDLE_VALUE)
        (void)CloseHandle(in);
    if (out != INVALID_HANDLE_VALUE)
        (void)CloseHandle(out);
    return rc;
}

enum sp_code
sp_cli_ask_secret(struct sp_cli *c, const char *prompt, struct sp_buf *ret, struct sp_err *e)
{
    (void)c;
    return ask_console(prompt, false,
        " is needed and there is no terminal to ask at; give --passphrase-file or "
        "--recovery-key-file",
        ret, e);
}

enum sp_code
sp_cli_ask_line(struct sp_cli *c, const char *prompt, struct sp_buf *ret, struct sp_err *e)
{
    (void)c;
    return ask_console(prompt, true, "there is no terminal to ask at", ret, e);
}
