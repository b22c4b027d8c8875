#ifndef SP_VSS_API_WIN32_H
#define SP_VSS_API_WIN32_H

/* What the files of Windows' table (api.h) share. COM in C: CINTERFACE and COBJMACROS. Only these
 * files know of COM. */

#define CINTERFACE
#define COBJMACROS
#include "base/sys_win32.h"

#include <objbase.h>
#include <oleauto.h>
#include <vss.h>
#include <vswriter.h>
#include <vsbackup.h>

#include "vss/api.h"

struct sp_vss_session {
    IVssBackupComponents *base;
    IVssBackupComponentsEx *ex;   /* NULL: older than Windows Vista */
    IVssBackupComponentsEx3 *ex3; /* NULL: older than Windows 7 */
};

/* --- api_win32.c */
/* A new IVssBackupComponents; the process is started. */
HRESULT vss_create(IVssBackupComponents **ret);
void vss_free_properties(VSS_SNAPSHOT_PROP *p); /* VssFreeSnapshotPropertiesInternal */

/* --- api_security_win32.c. Who may call back; once in a process's life (RPC_E_TOO_LATE). */
HRESULT vss_secure(void);
void vss_let_exceptions_through(void);

/* --- api_text_win32.c. Zero (GUID_NULL is in no library for C). */
extern const GUID vss_id_null;
/* Text of a GUID, lower-case, without braces; and back. E_INVALIDARG: it is none. */
void vss_id_text(const GUID *id, char ret[37]);
HRESULT vss_id_parse(const char *text, GUID *ret);
/* UTF-8; malloc'd, "" for NULL. E_OUTOFMEMORY. */
HRESULT vss_text(const wchar_t *from, char **ret);
/* The same, and the BSTR is freed, in every case. */
HRESULT vss_take_text(BSTR from, char **ret);
/* A writer's path: environment variables expanded, no backslash at the end but for "C:\". The BSTR
 * is freed. */
HRESULT vss_take_path(BSTR from, char **ret);
/* UTF-16, malloc'd. vss_wide_or_null: NULL for "", which is how VSS is told that there is no
 * logical path. */
HRESULT vss_wide(const char *from, wchar_t **ret);
HRESULT vss_wide_or_null(const char *from, wchar_t **ret);
/* What a failure of ours is to a caller that wants an HRESULT. */
HRESULT vss_of_code(enum sp_code rc);
/* "0x80042301 (VSS_E_BAD_STATE: meaning)", for sentences; into `ret`. */
struct vss_words {
    char s[320];
};
struct vss_words vss_words(HRESULT hr);
/* Where a DLL of the system folder is: by its full path, whatever lies beside the program
 * (learn.microsoft.com/windows/win32/dlls/dynamic-link-library-security). NULL: GetLastError. */
HMODULE vss_system_dll(const wchar_t *name);

/* --- the rows of the table */
uint32_t vss_session_create(void *self, struct sp_vss_session **ret);
void vss_session_release(struct sp_vss_session *s);
uint32_t vss_initialize(struct sp_vss_session *s);
uint32_t vss_set_context(struct sp_vss_session *s, int32_t context);
uint32_t
vss_set_state(struct sp_vss_session *s, bool select, bool bootable, uint32_t type, bool partial);
uint32_t vss_gather_metadata(struct sp_vss_session *s, struct sp_vss_async **ret);
uint32_t vss_metadata_count(struct sp_vss_session *s, uint32_t *ret);
uint32_t vss_metadata(struct sp_vss_session *s, uint32_t i, struct sp_vss_writer *ret);
uint32_t vss_free_metadata(struct sp_vss_session *s);
uint32_t vss_start_set(struct sp_vss_session *s, char ret_id[37]);
uint32_t vss_volume_supported(struct sp_vss_session *s, const char *volume, bool *ret);
uint32_t vss_add_volume(struct sp_vss_session *s, const char *volume, char ret_shadow_id[37]);
uint32_t vss_add_component(struct sp_vss_session *s, const struct sp_vss_component_ref *c);
uint32_t vss_prepare(struct sp_vss_session *s, struct sp_vss_async **ret);
uint32_t vss_gather_status(struct sp_vss_session *s, struct sp_vss_async **ret);
uint32_t vss_status_count(struct sp_vss_session *s, uint32_t *ret);
uint32_t vss_status(struct sp_vss_session *s, uint32_t i, struct sp_vss_status *ret);
uint32_t vss_free_status(struct sp_vss_session *s);
uint32_t vss_component_report(struct sp_vss_session *s, const struct sp_vss_component_ref *c,
    struct sp_vss_component_report *ret);
uint32_t vss_do_snapshot(struct sp_vss_session *s, struct sp_vss_async **ret);
uint32_t
vss_properties(struct sp_vss_session *s, const char shadow_id[37], struct sp_vss_shadow *ret);
uint32_t vss_succeeded(struct sp_vss_session *s, const struct sp_vss_component_ref *c, bool well);
uint32_t vss_complete(struct sp_vss_session *s, struct sp_vss_async **ret);
uint32_t vss_abort(struct sp_vss_session *s);
uint32_t vss_document(struct sp_vss_session *s, char **ret, size_t *ret_n);
uint32_t vss_delete_set(struct sp_vss_session *s, const char set_id[37], int32_t *ret_deleted);
uint32_t vss_wait(struct sp_vss_async *a, uint32_t timeout_ms, uint32_t *ret_status);
uint32_t vss_cancel(struct sp_vss_async *a);
void vss_release_async(struct sp_vss_async *a);

typedef enum sp_code
vss_each_mount(void *arg, const char *mount, const char *volume, struct sp_err *e);
typedef enum sp_code
vss_each_event(void *arg, const struct sp_verdict_event *event, struct sp_err *e);
enum sp_code
vss_covering(void *self, const char *path, char **ret_mount, char **ret_volume, struct sp_err *e);
enum sp_code
vss_below(void *self, const char *path, vss_each_mount *each, void *arg, struct sp_err *e);
bool vss_remote(void *self, const char *mount);
char *vss_file_system(void *self, const char *mount);
enum sp_code vss_events(void *self, int64_t from_ns, int64_t to_ns, const char *const *writers,
    size_t nwriters, vss_each_event *each, void *arg, struct sp_err *e);
enum sp_code
vss_guest_version(void *self, const char *component_name, char **ret, struct sp_err *e);

#endif
