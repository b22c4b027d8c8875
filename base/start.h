#ifndef SP_BASE_START_H
#define SP_BASE_START_H

/* The first call of a program: what the platform's runtime does otherwise than the rest of the code
 * expects, put right. POSIX: nothing. Windows: arguments as WTF-8 (the runtime would give them in the
 * code page of the day), standard streams as bytes, the console in UTF-8 (put back at the end), no
 * dialogs, no dump of the heap in error reports, libraries from the system's folder alone. */

void sp_start(int *argc, char ***argv);

#endif
