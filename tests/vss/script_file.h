#ifndef SP_TESTS_VSS_SCRIPT_FILE_H
#define SP_TESTS_VSS_SCRIPT_FILE_H

/* Machines put together from tests/vss/scripts: their texts one after the other, with what stands for @NAME@. */

struct script_place {
    const char *name, *value; /* "D", "/tmp/x/d" */
};
/* `parts`: names without .vss, or texts of their own (with a blank in them), ended by NULL. malloc'd. Fails the test (cmocka)
 * on a file that cannot be read and on a place that has no value. */
char *script_make(const char *const *parts, const struct script_place *places, unsigned nplaces);

#endif
