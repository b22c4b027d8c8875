#ifndef SP_CLIENT_PROFILE_IMPL_H
#define SP_CLIENT_PROFILE_IMPL_H

/* Inside of the profiles (profile.h). Who looks after what:
 *
 *   profile.c        the structure in memory, where its files are, one file read or written
 *   profile_read.c   one profile is read
 *   profile_write.c  one profile is written
 *   profile_tls.c    the TLS key and its certificate, a pair after every cut
 *   profile_find.c   all profiles, the default one, the one that is meant
 *   heads.c          the heads of the chains
 */

#include "client/profile.h"

#define PROFILE_STORES "stores" /* in the state folder: a folder a repository */

enum sp_code profile_join(const char *a, const char *b, char **ret, struct sp_err *e);
/* A name in the state folder. */
enum sp_code profile_state_path(const char *name, char **ret, struct sp_err *e);
enum sp_code profile_store_folder(const uint8_t repository[16], char **ret, struct sp_err *e);

/* One file of a profile's folder, whole. The text ends with a NUL. */
enum sp_code profile_write(const struct sp_env *env, const char *folder, const char *name,
    const void *p, size_t n, struct sp_err *e);
enum sp_code profile_read(const struct sp_env *env, const char *folder, const char *name,
    uint8_t **ret, size_t *ret_n, struct sp_err *e);
enum sp_code profile_read_text(
    const struct sp_env *env, const char *folder, const char *name, char **ret, struct sp_err *e);

/* Certificate chain and key, also after a cut between the two. The key is freed by sp_pem_free. */
enum sp_code profile_read_pair(const struct sp_env *env, const char *folder, char **ret_chain,
    char **ret_key, struct sp_err *e);
enum sp_code
profile_write_tls(const struct sp_env *env, const struct sp_profile *p, struct sp_err *e);

#endif
