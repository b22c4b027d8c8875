/* The real platform as one value: see os.h. */

#include "base/clock.h"
#include "base/os.h"
#include "base/random.h"

const struct sp_env sp_env_system = {&sp_os_system, &sp_clock_system, &sp_random_system};
