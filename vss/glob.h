#ifndef SP_VSS_GLOB_H
#define SP_VSS_GLOB_H

#include <stdbool.h>
#include <stddef.h>

/* The whole of s: `*` is any characters, `?` one. Wildcards cross separators, and with `fold` both separators are
 * one: a unit's name has either ("SRV\INST/DB1"). `fold`: without regard to case. */
bool sp_vss_glob(const char *pattern, size_t pn, const char *s, size_t sn, bool fold);

#endif
