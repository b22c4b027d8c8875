#ifndef SP_TESTS_VSSAPI_H
#define SP_TESTS_VSSAPI_H

/* A vssapi.dll of the tests: the model of tests/vss as COM objects, for the real requester's real
 * table under Wine. It knows nothing itself but COM: references and what is given out are counted,
 * and what is not given back when a session ends is a breach, as is a call that no requester of a
 * backup makes.
 *
 *   STILLPOINT_TEST_VSS        the script; without it there is no VSS (E_NOTIMPL, as Wine's own
 * says) STILLPOINT_TEST_VSS_TRACE  where the trace goes; at the end of the process, "# end
 * illegal=… sessions=… asyncs=… shadows=… unended=…" is its last line STILLPOINT_TEST_VSS_OLD set:
 * as Windows Server 2003 has it, without the interfaces that came later
 *
 * A new name in STILLPOINT_TEST_VSS, and no session open: a new machine. */

#define CINTERFACE
#define COBJMACROS
#include <windows.h>

#include <objbase.h>
#include <oleauto.h>
#include <vss.h>
#include <vswriter.h>
#include <vsbackup.h>

#include "tests/vss/model_calls.h"

/* --- dll.c */
/* What is given out and not back: objects beside sessions and asyncs, infos, properties. */
void dll_given(int n);
int dll_out(void);
bool dll_old(void);
extern const struct model_host dll_host; /* host.c */

/* A table of n slots, each the call that nobody makes: it is a breach and answers E_NOTIMPL. */
void dll_unserved(void *table, size_t size);
void dll_breach(const char *what); /* of the machine there is */

/* "" and NULL are NULL. */
BSTR dll_bstr(const char *text);
BSTR dll_bstr_n(const char *text, size_t n);
wchar_t *dll_wide(const char *text); /* malloc'd */
/* malloc'd; "" for NULL. */
char *dll_narrow(const wchar_t *text);
GUID dll_id(const char *text);
void dll_id_text(const GUID *id, char ret[37]);

/* --- session.c, async.c, metadata.c, components.c */
struct dll_session {
    IVssBackupComponentsEx4 com;
    LONG refs;
    struct model_session *session;
    struct model *model;
    int out; /* what was given out before it */
};
HRESULT dll_session_new(struct model *m, IVssBackupComponents **ret);
HRESULT dll_async_new(struct model_async *a, IVssAsync **ret);
/* An IVssExamineWriterMetadataEx is an IVssExamineWriterMetadata. */
IVssExamineWriterMetadataEx *dll_metadata_new(const struct model_writer *w);
IVssWMFiledesc *dll_files_new(const struct model_files *f);
UINT dll_writers(struct dll_session *s); /* that have components added */
IVssWriterComponentsExt *
dll_writer_new(struct dll_session *s, UINT i); /* NULL: there are not so many */

#endif
