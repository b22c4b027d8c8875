#include <windows.h>

#include <winhttp.h>

#include <stdlib.h>
#include <string.h>

#include "base/path.h"
#include "client/hooks.h"

/* WinHTTP, which knows the machine's proxy and trusted authorities:
 * learn.microsoft.com/en-us/windows/ win32/winhttp/winhttp-start-page. */

#define STEP_MS                                                                                    \
    5000 /* of each of: name, connecting, sending, answer: about 10 s for what answers at all */

struct request {
    WCHAR *url;
    WCHAR *host;
    HINTERNET session, connection, request;
};

static void
request_close(struct request *r)
{
    if (r->request != NULL)
        (void)WinHttpCloseHandle(r->request);
    if (r->connection != NULL)
        (void)WinHttpCloseHandle(r->connection);
    if (r->session != NULL)
        (void)WinHttpCloseHandle(r->session);
    free(r->host);
    free(r->url);
}

static enum sp_code
failed(const char *url, struct sp_err *e)
{
    return sp_fail(e, SP_UNREACHABLE, SP_DOM_NET, "%s: no answer (WinHTTP error %lu)", url,
        (unsigned long)GetLastError());
}

static WCHAR *
copy_text(const WCHAR *s, size_t n)
{
    WCHAR *c = malloc((n + 1) * sizeof *c);

    if (c != NULL) {
        memcpy(c, s, n * sizeof *c);
        c[n] = 0;
    }
    return c;
}

static enum sp_code
request_open(struct request *r, const char *url, struct sp_err *e)
{
    URL_COMPONENTS u = {.dwStructSize = sizeof u,
        .dwSchemeLength = (DWORD)-1,
        .dwHostNameLength = (DWORD)-1,
        .dwUrlPathLength = (DWORD)-1};
    uint16_t *wide = NULL;
    size_t n = 0;
    enum sp_code rc;

    if ((rc = sp_wtf8_to_utf16(url, strlen(url), &wide, &n, e)) != SP_OK)
        return rc;
    r->url = copy_text((const WCHAR *)wide, n);
    free(wide);
    if (r->url == NULL)
        return sp_fail_nomem(e);
    if (!WinHttpCrackUrl(r->url, 0, 0, &u) ||
        (u.nScheme != INTERNET_SCHEME_HTTP && u.nScheme != INTERNET_SCHEME_HTTPS))
        return sp_fail(e, SP_INVALID, SP_DOM_CONFIG, "%s is no http(s) URL", url);
    if ((r->host = copy_text(u.lpszHostName, u.dwHostNameLength)) == NULL)
        return sp_fail_nomem(e);
    r->session = WinHttpOpen(L"stillpoint", WINHTTP_ACCESS_TYPE_AUTOMATIC_PROXY,
        WINHTTP_NO_PROXY_NAME, WINHTTP_NO_PROXY_BYPASS, 0);
    if (r->session == NULL) /* before Windows 8.1 */
        r->session = WinHttpOpen(L"stillpoint", WINHTTP_ACCESS_TYPE_DEFAULT_PROXY,
            WINHTTP_NO_PROXY_NAME, WINHTTP_NO_PROXY_BYPASS, 0);
    if (r->session == NULL || !WinHttpSetTimeouts(r->session, STEP_MS, STEP_MS, STEP_MS, STEP_MS) ||
        (r->connection = WinHttpConnect(r->session, r->host, u.nPort, 0)) == NULL)
        return failed(url, e);
    r->request = WinHttpOpenRequest(r->connection, L"GET",
        u.dwUrlPathLength > 0 ? u.lpszUrlPath : L"/", NULL, WINHTTP_NO_REFERER,
        WINHTTP_DEFAULT_ACCEPT_TYPES, u.nScheme == INTERNET_SCHEME_HTTPS ? WINHTTP_FLAG_SECURE : 0);
    return r->request == NULL ? failed(url, e) : SP_OK;
}

enum sp_code
sp_http_get(const char *url, struct sp_err *e)
{
    struct request r = {0};
    DWORD status = 0, n = sizeof status;
    enum sp_code rc;

    if ((rc = request_open(&r, url, e)) != SP_OK)
        goto out;
    if (!WinHttpSendRequest(
            r.request, WINHTTP_NO_ADDITIONAL_HEADERS, 0, WINHTTP_NO_REQUEST_DATA, 0, 0, 0) ||
        !WinHttpReceiveResponse(r.request, NULL) ||
        !WinHttpQueryHeaders(r.request, WINHTTP_QUERY_STATUS_CODE | WINHTTP_QUERY_FLAG_NUMBER,
            WINHTTP_HEADER_NAME_BY_INDEX, &status, &n, WINHTTP_NO_HEADER_INDEX))
        rc = failed(url, e);
    else if (status >= 400)
        rc = sp_fail(
            e, SP_IO, SP_DOM_NET, "%s: the server answered %lu", url, (unsigned long)status);
out:
    request_close(&r);
    return rc;
}
