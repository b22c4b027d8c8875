#include <curl/curl.h>

#include "client/hooks.h"

static size_t
ignore(char *p, size_t size, size_t n, void *arg)
{
    (void)p;
    (void)arg;
    return size * n;
}

enum sp_code
sp_http_get(const char *url, struct sp_err *e)
{
    CURL *c = curl_easy_init();
    CURLcode rc;
    long status = 0;

    if (c == NULL)
        return sp_fail_nomem(e);
    (void)curl_easy_setopt(c, CURLOPT_URL, url);
    (void)curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
    (void)curl_easy_setopt(c, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
    (void)curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 1L);
    (void)curl_easy_setopt(c, CURLOPT_MAXREDIRS, 5L);
    (void)curl_easy_setopt(c, CURLOPT_TIMEOUT, 10L);
    (void)curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    (void)curl_easy_setopt(c, CURLOPT_USERAGENT, "stillpoint/" SP_VERSION);
    (void)curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, ignore);
    rc = curl_easy_perform(c);
    if (rc == CURLE_OK)
        (void)curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_cleanup(c);
    if (rc != CURLE_OK)
        return sp_fail(e, SP_UNREACHABLE, SP_DOM_NET, "%s: %s", url, curl_easy_strerror(rc));
    if (status >= 400)
        return sp_fail(e, SP_IO, SP_DOM_NET, "%s: the server answered %ld", url, status);
    return SP_OK;
}
