#include <stdlib.h>
#include <string.h>

#include "base/path.h"
#include "storage/record_pb.h"

/* The messages of sets, to structures and back. */

/* --- the clear part --------------------------------------------------------------------------- */

enum sp_code
sp_set_encode(const struct sp_set *s, struct sp_buf *ret, struct sp_err *e)
{
    Sp__Format__SetClear m = SP__FORMAT__SET_CLEAR__INIT;
    char job[sizeof s->job], program[sizeof s->program];
    const char *problem = sp_set_problem(s);

    if (problem == NULL &&
        (memchr(s->job, 0, sizeof job) == NULL || memchr(s->program, 0, sizeof program) == NULL ||
            !sp_pb_take_text(s->job, job, sizeof job) ||
            !sp_pb_take_text(s->program, program, sizeof program)))
        problem = "a name that is not UTF-8 text";
    if (problem != NULL)
        return sp_fail(e, SP_INVALID, SP_DOM_SELF, "a set record with %s", problem);
    m.version = SP_RECORD_VERSION;
    m.set_id = sp_pb_view(s->set_id, sizeof s->set_id);
    m.host = sp_pb_view(s->host, sizeof s->host);
    m.group = sp_pb_view(s->group, sizeof s->group);
    m.job = job;
    m.sequence = s->sequence;
    if (s->has_previous)
        m.previous = sp_pb_view(s->previous, sizeof s->previous);
    m.state = (uint32_t)s->state;
    m.started_ns = s->started_ns;
    m.ended_ns = s->ended_ns;
    m.root = sp_pb_view(s->root.b, SP_ID_SIZE);
    m.entries = s->entries;
    m.files = s->files;
    m.bytes = s->bytes;
    m.bytes_read = s->bytes_read;
    m.bytes_new = s->bytes_new;
    m.bytes_stored = s->bytes_stored;
    m.applications = (uint32_t)s->applications;
    m.files_level = (uint32_t)s->files_level;
    m.files_away = s->files_away;
    m.program = program;
    return sp_pb_pack(&m.base, SP_RECORD_MAX_CLEAR, ret, e);
}

static const char *
set_fill(const Sp__Format__SetClear *m, struct sp_set *s)
{
    if (!sp_pb_take(&m->set_id, s->set_id, sizeof s->set_id) ||
        !sp_pb_take(&m->host, s->host, sizeof s->host) ||
        !sp_pb_take(&m->group, s->group, sizeof s->group) ||
        !sp_pb_take(&m->root, s->root.b, SP_ID_SIZE))
        return "an id of the wrong length";
    s->has_previous = m->previous.len > 0;
    if (s->has_previous && !sp_pb_take(&m->previous, s->previous, sizeof s->previous))
        return "a hash of the wrong length";
    if (!sp_pb_take_text(m->job, s->job, sizeof s->job) ||
        !sp_pb_take_text(m->program, s->program, sizeof s->program))
        return "a name that is too long or no UTF-8";
    if (m->state > SP_SET_INCOMPLETE || m->applications > SP_LEVEL_APPLICATION ||
        m->files_level > SP_LEVEL_APPLICATION)
        return "an unknown state or consistency";
    s->sequence = m->sequence;
    s->state = (enum sp_set_state)m->state;
    s->started_ns = m->started_ns;
    s->ended_ns = m->ended_ns;
    s->entries = m->entries;
    s->files = m->files;
    s->bytes = m->bytes;
    s->bytes_read = m->bytes_read;
    s->bytes_new = m->bytes_new;
    s->bytes_stored = m->bytes_stored;
    s->applications = (enum sp_level)m->applications;
    s->files_level = (enum sp_level)m->files_level;
    s->files_away = m->files_away;
    return sp_set_problem(s);
}

enum sp_code
sp_set_decode(const void *p, size_t n, struct sp_set *ret, struct sp_err *e)
{
    ProtobufCMessage *m = NULL;
    struct sp_set s = {.sequence = 0};
    const char *problem;
    enum sp_code rc;

    if ((rc = sp_pb_unpack(&sp__format__set_clear__descriptor, p, n, &m, e)) != SP_OK)
        return rc;
    if ((rc = sp_pb_check_version(((const Sp__Format__SetClear *)m)->version, e)) != SP_OK)
        goto out;
    if ((problem = set_fill((const Sp__Format__SetClear *)m, &s)) != NULL) {
        rc = sp_fail(e, SP_CORRUPT, SP_DOM_STORE, "the set record has %s", problem);
        goto out;
    }
    *ret = s;
out:
    sp_pb_release(m);
    return rc;
}

enum sp_code
sp_record_host(
    enum sp_record_type type, const void *clear, size_t n, uint8_t ret_host[16], struct sp_err *e)
{
    ProtobufCMessage *m = NULL;
    const ProtobufCBinaryData *host;
    struct sp_set s;
    enum sp_code rc;

    if (type == SP_RECORD_SET || type == SP_RECORD_CHECKPOINT) {
        if ((rc = sp_set_decode(clear, n, &s, e)) != SP_OK)
            return rc;
        if ((s.state == SP_SET_CHECKPOINT) != (type == SP_RECORD_CHECKPOINT))
            return sp_fail(
                e, SP_CORRUPT, SP_DOM_STORE, "a set that is a checkpoint, or the reverse");
        memcpy(ret_host, s.host, sizeof s.host);
        return SP_OK;
    }
    rc = sp_pb_unpack(type == SP_RECORD_COMPLETION ? &sp__format__completion__descriptor
                                                   : &sp__format__removal__descriptor,
        clear, n, &m, e);
    if (rc != SP_OK)
        return rc;
    host = type == SP_RECORD_COMPLETION ? &((const Sp__Format__Completion *)m)->host
                                        : &((const Sp__Format__Removal *)m)->host;
    rc = sp_pb_check_version(type == SP_RECORD_COMPLETION
                                 ? ((const Sp__Format__Completion *)m)->version
                                 : ((const Sp__Format__Removal *)m)->version,
        e);
    if (rc == SP_OK && !sp_pb_take(host, ret_host, 16))
        rc = sp_fail(e, SP_CORRUPT, SP_DOM_STORE, "the record names no host");
    sp_pb_release(m);
    return rc;
}

/* --- the sealed part: to a message ------------------------------------------------------------ */

static void
put_volumes(struct sp_loan *l, const struct sp_set_sealed *s, Sp__Format__SetSealed *m)
{
    Sp__Format__Volume *v = sp_loan_take(l, s->nvolumes * sizeof *v);
    Sp__Format__Volume **at = sp_loan_take(l, s->nvolumes * sizeof(Sp__Format__Volume *));

    if (v == NULL || at == NULL)
        return;
    for (size_t i = 0; i < s->nvolumes; i++) {
        const struct sp_volume *from = &s->volumes[i];

        sp__format__volume__init(&v[i]);
        v[i].path = sp_loan_text(l, from->path);
        v[i].file_system = sp_loan_text(l, from->file_system);
        v[i].source = sp_loan_text(l, from->source);
        v[i].reason = sp_loan_text(l, from->reason);
        v[i].consistency = (uint32_t)from->consistency;
        v[i].instant_ns = from->instant_ns;
        at[i] = &v[i];
    }
    m->volumes = at;
    m->n_volumes = s->nvolumes;
}

/* The verdict goes before the faults: these are counted, whatever is left out of them. */
static void
put_verdict(struct sp_loan *l, const struct sp_set_sealed *s, Sp__Format__SetSealed *m)
{
    size_t size = protobuf_c_message_get_packed_size(&m->base);
    size_t room = size < SP_RECORD_MAX_SEALED ? SP_RECORD_MAX_SEALED - size : 0;

    m->verdict = sp_verdict_message(l, &s->verdict, room);
}

/* As many faults as there is room for beside the rest of the message. */
static void
put_faults(struct sp_loan *l, const struct sp_set_sealed *s, Sp__Format__SetSealed *m)
{
    size_t n = s->nfaults < SP_RECORD_MAX_FAULTS ? s->nfaults : SP_RECORD_MAX_FAULTS;
    size_t size = protobuf_c_message_get_packed_size(&m->base);
    Sp__Format__Fault *f = sp_loan_take(l, n * sizeof *f);
    Sp__Format__Fault **at = sp_loan_take(l, n * sizeof(Sp__Format__Fault *));

    if (f == NULL || at == NULL)
        return;
    m->faults = at;
    for (size_t i = 0; i < n; i++) {
        const struct sp_fault *from = &s->faults[i];

        sp__format__fault__init(&f[i]);
        f[i].key = sp_pb_view(from->key, from->key_len);
        f[i].kind = (uint32_t)from->kind;
        if ((f[i].text = sp_loan_text(l, from->text)) == NULL)
            return;
        at[i] = &f[i];
        size += sp__format__fault__get_packed_size(&f[i]) + 6; /* tag and length */
        if (size > SP_RECORD_MAX_SEALED)
            break;
        m->n_faults = i + 1;
    }
}

static void
put_lists(struct sp_loan *l, const struct sp_set_sealed *s, Sp__Format__SetSealed *m)
{
    ProtobufCBinaryData *roots = sp_loan_take(l, s->nroots * sizeof *roots);
    char **excludes = sp_loan_take(l, s->nexcludes * sizeof(char *));

    if (roots == NULL || excludes == NULL)
        return;
    for (size_t i = 0; i < s->nroots; i++)
        roots[i] = sp_pb_view(s->roots[i].p, s->roots[i].n);
    for (size_t i = 0; i < s->nexcludes; i++)
        excludes[i] = sp_loan_text(l, s->excludes[i]);
    m->roots = roots;
    m->n_roots = s->nroots;
    m->excludes = excludes;
    m->n_excludes = s->nexcludes;
}

enum sp_code
sp_set_sealed_encode(
    const struct sp_set_sealed *s, const uint8_t set_id[16], struct sp_buf *ret, struct sp_err *e)
{
    Sp__Format__SetSealed m = SP__FORMAT__SET_SEALED__INIT;
    const char *problem = sp_set_sealed_problem(s);
    struct sp_loan l = {0};
    enum sp_code rc;

    if (problem != NULL)
        return sp_fail(e, SP_INVALID, SP_DOM_SELF, "a set record with %s", problem);
    m.set_id = sp_pb_view(set_id, 16);
    m.host_name = sp_loan_text(&l, s->host_name);
    m.platform = sp_loan_text(&l, s->platform);
    m.faults_total = s->faults_total > s->nfaults ? s->faults_total : s->nfaults;
    m.last_key = sp_pb_view(s->last_key, s->last_key_len);
    m.files_changed = s->files_changed;
    m.files_new = s->files_new;
    put_lists(&l, s, &m);
    put_volumes(&l, s, &m);
    if (!l.no_memory && s->has_verdict)
        put_verdict(&l, s, &m);
    if (!l.no_memory)
        put_faults(&l, s, &m);
    rc = l.no_memory ? sp_fail_nomem(e) : sp_pb_pack(&m.base, SP_RECORD_MAX_SEALED, ret, e);
    sp_loan_free(&l);
    return rc;
}

/* --- the sealed part: from a message ---------------------------------------------------------- */

/* false: no memory. */
static bool
keep_volumes(const Sp__Format__SetSealed *m, struct sp_set_sealed *s, const char **problem)
{
    if ((s->volumes = calloc(m->n_volumes + 1, sizeof s->volumes[0])) == NULL)
        return false;
    for (size_t i = 0; i < m->n_volumes; i++) {
        const Sp__Format__Volume *from = m->volumes[i];
        struct sp_volume *v = &s->volumes[s->nvolumes++];

        if (!sp_pb_keep_text(from->path, &v->path, problem) ||
            !sp_pb_keep_text(from->file_system, &v->file_system, problem) ||
            !sp_pb_keep_text(from->source, &v->source, problem) ||
            !sp_pb_keep_text(from->reason, &v->reason, problem))
            return false;
        if (from->consistency > SP_LEVEL_APPLICATION)
            *problem = "an unknown consistency";
        else
            v->consistency = (enum sp_level)from->consistency;
        v->instant_ns = from->instant_ns;
    }
    return true;
}

static bool
keep_faults(const Sp__Format__SetSealed *m, struct sp_set_sealed *s, const char **problem)
{
    if ((s->faults = calloc(m->n_faults + 1, sizeof s->faults[0])) == NULL)
        return false;
    for (size_t i = 0; i < m->n_faults; i++) {
        const Sp__Format__Fault *from = m->faults[i];
        struct sp_fault *f = &s->faults[s->nfaults++];

        if (!sp_pb_keep_bytes(&from->key, &f->key, &f->key_len) ||
            !sp_pb_keep_text(from->text, &f->text, problem))
            return false;
        f->kind = from->kind > SP_FAULT_FOLDER ? 0 : (enum sp_fault_kind)from->kind;
    }
    return true;
}

static bool
keep_lists(const Sp__Format__SetSealed *m, struct sp_set_sealed *s, const char **problem)
{
    if ((s->roots = calloc(m->n_roots + 1, sizeof s->roots[0])) == NULL ||
        (s->excludes = calloc(m->n_excludes + 1, sizeof(char *))) == NULL)
        return false;
    for (size_t i = 0; i < m->n_roots; i++) {
        struct sp_bytes *root = &s->roots[s->nroots++];

        if (!sp_pb_keep_bytes(&m->roots[i], &root->p, &root->n))
            return false;
    }
    for (size_t i = 0; i < m->n_excludes; i++) {
        if (!sp_pb_keep_text(m->excludes[i], &s->excludes[s->nexcludes++], problem))
            return false;
    }
    return true;
}

static bool
sealed_fill(const Sp__Format__SetSealed *m, struct sp_set_sealed *s, const char **problem)
{
    if (!sp_pb_take(&m->set_id, s->set_id, sizeof s->set_id)) {
        *problem = "an id of the wrong length";
        return true;
    }
    if (m->n_roots > SP_RECORD_MAX_LIST || m->n_volumes > SP_RECORD_MAX_LIST ||
        m->n_excludes > SP_RECORD_MAX_LIST || m->n_faults > SP_RECORD_MAX_FAULTS) {
        *problem = "too many roots, volumes, excludes or faults";
        return true;
    }
    s->faults_total = m->faults_total;
    s->files_changed = m->files_changed;
    s->files_new = m->files_new;
    if (!sp_pb_keep_text(m->host_name, &s->host_name, problem) ||
        !sp_pb_keep_text(m->platform, &s->platform, problem) ||
        !sp_pb_keep_bytes(&m->last_key, &s->last_key, &s->last_key_len) ||
        !keep_lists(m, s, problem) || !keep_volumes(m, s, problem) || !keep_faults(m, s, problem))
        return false;
    s->has_verdict = m->verdict != NULL;
    if (m->verdict != NULL && !sp_verdict_take(m->verdict, &s->verdict, problem))
        return false;
    if (*problem == NULL)
        *problem = sp_set_sealed_problem(s);
    return true;
}

enum sp_code
sp_set_sealed_decode(const void *p, size_t n, struct sp_set_sealed *ret, struct sp_err *e)
{
    ProtobufCMessage *m = NULL;
    struct sp_set_sealed s = {.nroots = 0};
    const char *problem = NULL;
    enum sp_code rc;

    if ((rc = sp_pb_unpack(&sp__format__set_sealed__descriptor, p, n, &m, e)) != SP_OK)
        return rc;
    if (!sealed_fill((const Sp__Format__SetSealed *)m, &s, &problem))
        rc = sp_fail_nomem(e);
    else if (problem != NULL)
        rc = sp_fail(e, SP_CORRUPT, SP_DOM_STORE, "the set record has %s", problem);
    if (rc == SP_OK) {
        *ret = s;
        s = (struct sp_set_sealed){.nroots = 0};
    }
    sp_set_sealed_clear(&s);
    sp_pb_release(m);
    return rc;
}
