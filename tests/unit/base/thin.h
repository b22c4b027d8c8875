#ifndef SP_TESTS_THIN_H
#define SP_TESTS_THIN_H

/* A sweep over all places of a run takes every THIN-th of them. Under ThreadSanitizer, which is
 * there for what happens at once and not for where it happens, these are fewer. */
#if defined(__SANITIZE_THREAD__)
#define THIN 3
#else
#define THIN 1
#endif

#endif
