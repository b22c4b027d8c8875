#ifndef SP_VSS_API_H
#define SP_VSS_API_H

/* VSS as the requester sees it: one row per call of IVssBackupComponents(Ex…Ex4), in plain C (UTF-8, GUIDs as text,
 * HRESULTs as numbers). The order of calls, the waits and what follows from an answer are the requester's
 * (requester.h); nothing here decides. Three tables: Windows' (api_win32.c, COM through vssapi.dll of the system
 * folder), the tests' double (tests/vss), and none at all on POSIX.
 *
 * Calls return the HRESULT as it came. Out-parameters are set only on success. Strings given out are malloc'd and the
 * caller's. A session is used by one thread. learn.microsoft.com/windows/win32/api/vsbackup/nn-vsbackup-ivssbackupcomponents */

#include "base/os.h"
#include "base/verdict.h"
#include "vss/hresult.h"
#include "vss/metadata.h"

struct sp_vss_session; /* one IVssBackupComponents: one object, one job */
struct sp_vss_async;   /* one IVssAsync */

struct sp_vss_component_ref {
    const char *writer_id, *instance_id; /* class and instance */
    uint32_t type;
    const char *logical_path, *name;
};
struct sp_vss_status {
    char class_id[37], instance_id[37];
    char *name; /* malloc'd */
    uint32_t state, hresult;
    uint32_t app_hresult; /* 0 and NULL where GetWriterStatusEx is not to be had */
    char *app_text;       /* malloc'd */
};
struct sp_vss_component_report { /* IVssComponent, IVssComponentEx2 */
    bool failure_known;
    uint32_t failure, app_failure;
    char *failure_text;
    bool stamped; /* GetBackupStamp or GetBackupMetadata gives something */
};
struct sp_vss_shadow {
    char *device; /* "\\?\GLOBALROOT\Device\HarddiskVolumeShadowCopy7", no backslash at the end */
    char provider_id[37];
    int64_t created_ns;
};
enum { SP_VSS_BT_FULL = 1, SP_VSS_BT_INCREMENTAL = 2, SP_VSS_BT_DIFFERENTIAL = 3, SP_VSS_BT_LOG = 4, SP_VSS_BT_COPY = 5 };
enum { SP_VSS_CTX_BACKUP = 0, SP_VSS_CTX_ALL = -1 };

struct sp_vss_api {
    void *self;
    /* --- the process. start: CoInitializeEx(MTA), CoInitializeSecurity, exceptions not swallowed
     * (COMGLB_EXCEPTION_DONOT_HANDLE), SeBackupPrivilege, vssapi.dll by its full path; end undoes it; both by the
     * thread that uses the sessions, and pairs may nest. On failure *e says what is missing (not elevated, service
     * disabled, no VSS in this system) and the way out. */
    enum sp_code (*start)(void *self, struct sp_err *e);
    void (*end)(void *self);

    /* --- volumes. covering: the mount point that covers a path (GetVolumePathName) and its volume
     * (GetVolumeNameForVolumeMountPoint, "\\?\Volume{…}\"); cluster shared volumes by
     * ClusterGetVolumePathName where that is to be had. below: all mount points below a path. `each` gets native
     * paths. A mount has no backslash at its end but for "C:\"; a volume has one. *ret_volume is "" where there is none
     * (a share). remote: a share or a mapped drive. */
    enum sp_code (*covering)(void *self, const char *path, char **ret_mount, char **ret_volume, struct sp_err *e);
    enum sp_code (*below)(void *self, const char *path,
        enum sp_code (*each)(void *arg, const char *mount, const char *volume, struct sp_err *e), void *arg,
        struct sp_err *e);
    bool (*remote)(void *self, const char *mount);
    char *(*file_system)(void *self, const char *mount); /* "NTFS"; malloc'd; NULL: no memory */

    /* --- one session */
    uint32_t (*create)(void *self, struct sp_vss_session **ret);
    void (*release)(struct sp_vss_session *s); /* NULL is harmless */
    uint32_t (*initialize_for_backup)(struct sp_vss_session *s);
    uint32_t (*set_context)(struct sp_vss_session *s, int32_t context);
    uint32_t (*set_backup_state)(struct sp_vss_session *s, bool select_components, bool bootable, uint32_t type,
        bool partial);
    uint32_t (*gather_metadata)(struct sp_vss_session *s, struct sp_vss_async **ret);
    uint32_t (*metadata_count)(struct sp_vss_session *s, uint32_t *ret);
    uint32_t (*metadata)(struct sp_vss_session *s, uint32_t i, struct sp_vss_writer *ret); /* ret is empty */
    uint32_t (*free_metadata)(struct sp_vss_session *s);
    uint32_t (*start_set)(struct sp_vss_session *s, char ret_id[37]);
    uint32_t (*volume_supported)(struct sp_vss_session *s, const char *volume, bool *ret);
    uint32_t (*add_volume)(struct sp_vss_session *s, const char *volume, char ret_shadow_id[37]);
    uint32_t (*add_component)(struct sp_vss_session *s, const struct sp_vss_component_ref *c);
    uint32_t (*prepare)(struct sp_vss_session *s, struct sp_vss_async **ret);
    uint32_t (*gather_status)(struct sp_vss_session *s, struct sp_vss_async **ret);
    uint32_t (*status_count)(struct sp_vss_session *s, uint32_t *ret);
    uint32_t (*status)(struct sp_vss_session *s, uint32_t i, struct sp_vss_status *ret);
    uint32_t (*free_status)(struct sp_vss_session *s);
    uint32_t (*component_report)(struct sp_vss_session *s, const struct sp_vss_component_ref *c,
        struct sp_vss_component_report *ret);
    uint32_t (*do_snapshot)(struct sp_vss_session *s, struct sp_vss_async **ret);
    uint32_t (*properties)(struct sp_vss_session *s, const char shadow_id[37], struct sp_vss_shadow *ret);
    uint32_t (*succeeded)(struct sp_vss_session *s, const struct sp_vss_component_ref *c, bool well);
    uint32_t (*complete)(struct sp_vss_session *s, struct sp_vss_async **ret);
    uint32_t (*abort)(struct sp_vss_session *s);
    uint32_t (*document)(struct sp_vss_session *s, char **ret, size_t *ret_n); /* SaveAsXML of the session */
    uint32_t (*delete_set)(struct sp_vss_session *s, const char set_id[37], int32_t *ret_deleted);

    /* --- beside VSS. events: of the system's logs between two times, errors and warnings of any of the sources VSS,
     * VolSnap, Disk, Ntfs and those of the writers named, all levels of Hyper-V's VMMS and of its integration
     * (api_events_win32.c, EvtQuery: learn.microsoft.com/windows/win32/wes/querying-for-events); SP_UNSUPPORTED with a sentence
     * where logs cannot be read. guest_version: of the guest services of a VM by the name of its component
     * (Msvm_KvpExchangeComponent, api_guest_win32.c); NULL in *ret: not known. */
    enum sp_code (*events)(void *self, int64_t from_ns, int64_t to_ns, const char *const *writers, size_t nwriters,
        enum sp_code (*each)(void *arg, const struct sp_verdict_event *event, struct sp_err *e), void *arg,
        struct sp_err *e);
    enum sp_code (*guest_version)(void *self, const char *component_name, char **ret, struct sp_err *e);

    /* --- waiting. wait: at most that long, then *ret is what QueryStatus gives: S_ASYNC_PENDING when it goes on. */
    uint32_t (*wait)(struct sp_vss_async *a, uint32_t timeout_ms, uint32_t *ret_status);
    uint32_t (*cancel)(struct sp_vss_async *a);
    void (*release_async)(struct sp_vss_async *a);
};

/* Of the platform: NULL where there is no VSS (api_posix.c). Never freed. */
const struct sp_vss_api *sp_vss_here(void);
/* Frees what status and component_report gave out. */
void sp_vss_status_clear(struct sp_vss_status *s);
void sp_vss_component_report_clear(struct sp_vss_component_report *r);

#endif
