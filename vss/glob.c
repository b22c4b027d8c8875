#include "vss/glob.h"

#include <stdint.h>

#include "base/fold.h"

/* Greedy, and back to the last star only: quadratic at worst. */

static bool
one(const char **p, size_t *pn, const char **s, size_t *sn, bool fold)
{
    bool wild = **p == '?';
    uint32_t a, b;

    if (!fold && !wild) {
        a = (uint8_t) * *p;
        b = (uint8_t) * *s;
        ++*p, --*pn, ++*s, --*sn;
        return a == b;
    }
    a = sp_fold_next(p, pn);
    b = sp_fold_next(s, sn);
    return wild || a == b || ((a == '/' || a == '\\') && (b == '/' || b == '\\'));
}

bool
sp_vss_glob(const char *p, size_t pn, const char *s, size_t sn, bool fold)
{
    const char *star = NULL, *back = NULL;
    size_t star_n = 0, back_n = 0;

    while (sn > 0) {
        const char *p_next = p, *s_next = s;
        size_t pn_next = pn, sn_next = sn;

        if (pn > 0 && *p == '*') {
            star = ++p;
            star_n = --pn;
            back = s;
            back_n = sn;
        } else if (pn > 0 && one(&p_next, &pn_next, &s_next, &sn_next, fold)) {
            p = p_next, pn = pn_next;
            s = s_next, sn = sn_next;
        } else if (star != NULL) {
            (void)sp_fold_next(&back, &back_n);
            p = star, pn = star_n;
            s = back, sn = back_n;
        } else {
            return false;
        }
    }
    while (pn > 0 && *p == '*')
        p++, pn--;
    return pn == 0;
}
