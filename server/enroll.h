#ifndef SP_SERVER_ENROLL_H
#define SP_SERVER_ENROLL_H

/* Enrolment and renewal, without a network: what the messages Enroll, EnrollEnd and Renew ask.
 *
 *   Enroll      token right? -> host id, certificate (not valid yet), group of the invitation
 *   EnrollEnd   host record and slots into the repository -> token used up, host and certificate
 * known
 *
 * The token is used up by EnrollEnd, in the transaction that makes the host: an enrolment that is
 * cut before leaves the token as it was until it expires, and what it may have left in the
 * repository (a host record, slots) belongs to nobody. Of two that use one token at once the first
 * to end wins. Ten wrong secrets make a token void. Calls block; any thread. */

#include "proto/message.h"
#include "server/home.h"
#include "server/state.h"
#include "storage/keys.h"
#include "storage/repository.h"

struct sp_enroller;

/* All given live longer than it. conf: repository.conf as it lies there. */
struct sp_enroller_options {
    const struct sp_env *env;
    const struct sp_home *home;
    struct sp_state *state;
    struct sp_repository *repository;
    const uint8_t *conf;
    size_t conf_len;
};
enum sp_code
sp_enroller_new(const struct sp_enroller_options *o, struct sp_enroller **ret, struct sp_err *e);
void sp_enroller_free(struct sp_enroller *en); /* NULL is harmless */

struct sp_enrolling { /* between the two messages */
    struct sp_state_enrolment e;
    char name[SP_STATE_NAME];
    bool has_group;
};
/* Fills the reply and its payload (malloc'd). SP_AUTH with a sentence for the user. */
enum sp_code sp_enroll_begin(struct sp_enroller *en, const struct sp_msg *m, const uint8_t *csr,
    size_t n, struct sp_enrolling *ret, struct sp_msg *ret_reply, uint8_t **ret_payload,
    size_t *ret_n, struct sp_err *e);
enum sp_code sp_enroll_end(struct sp_enroller *en, struct sp_enrolling *g, const struct sp_msg *m,
    const uint8_t *payload, size_t n, struct sp_err *e);
/* *ret_chain: PEM, malloc'd, *ret_n bytes. SP_AUTH: the host was revoked. */
enum sp_code sp_enroll_renew(struct sp_enroller *en, const uint8_t host[16], const uint8_t *csr,
    size_t n, uint8_t **ret_chain, size_t *ret_n, struct sp_err *e);

/* A host record that this host of this group may store: SP_INVALID otherwise. */
enum sp_code sp_enroll_check_record(const uint8_t *record, size_t n, const uint8_t host[16],
    const uint8_t group[16], struct sp_host *ret, struct sp_err *e);

#endif
