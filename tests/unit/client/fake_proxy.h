#ifndef SP_TESTS_CLIENT_FAKE_PROXY_H
#define SP_TESTS_CLIENT_FAKE_PROXY_H

/* A wire that breaks: passes on one connection at a time to a port of this machine, and cuts each
 * one after so many bytes (both directions together), sometimes with a reset. */

#include <stdbool.h>
#include <stdint.h>

struct proxy;
struct proxy *proxy_new(uint16_t target, uint64_t seed);
uint16_t proxy_port(const struct proxy *p);
/* Connections from now on, and the one that is there: cut after between `least` and `most` bytes,
 * small numbers as likely as large ones; most 0: never. */
void proxy_cut_after(struct proxy *p, uint64_t least, uint64_t most);
/* Every connection ends at once. */
void proxy_refuse(struct proxy *p, bool refuse);
unsigned proxy_cuts(struct proxy *p); /* so far */
void proxy_free(struct proxy *p);

#endif
