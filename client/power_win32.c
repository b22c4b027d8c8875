#define COBJMACROS
#include <initguid.h>
#include <windows.h>

#include <netlistmgr.h>

#include "client/service.h"

/* What Windows knows of power and of what the network costs. */

/* https://learn.microsoft.com/en-us/windows/win32/api/winbase/ns-winbase-system_power_status */
enum sp_known
sp_machine_on_battery(void)
{
    SYSTEM_POWER_STATUS s;

    if (!GetSystemPowerStatus(&s))
        return SP_KNOWN_NOT;
    return s.ACLineStatus == 0 ? SP_KNOWN_YES : s.ACLineStatus == 1 ? SP_KNOWN_NO : SP_KNOWN_NOT;
}

/* Of the machine's connection to the internet; a NULL address asks for that.
 * https://learn.microsoft.com/en-us/windows/win32/api/netlistmgr/nf-netlistmgr-inetworkcostmanager-getcost
 */
enum sp_known
sp_machine_on_metered(void)
{
    HRESULT started = CoInitializeEx(NULL, COINIT_MULTITHREADED);
    INetworkCostManager *costs = NULL;
    DWORD cost = NLM_CONNECTION_COST_UNKNOWN;

    if (SUCCEEDED(CoCreateInstance(&CLSID_NetworkListManager, NULL, CLSCTX_ALL,
            &IID_INetworkCostManager, (void **)&costs))) {
        if (FAILED(INetworkCostManager_GetCost(costs, &cost, NULL)))
            cost = NLM_CONNECTION_COST_UNKNOWN;
        (void)INetworkCostManager_Release(costs);
    }
    if (SUCCEEDED(started))
        CoUninitialize();
    if ((cost & (NLM_CONNECTION_COST_FIXED | NLM_CONNECTION_COST_VARIABLE |
                    NLM_CONNECTION_COST_ROAMING | NLM_CONNECTION_COST_OVERDATALIMIT)) != 0)
        return SP_KNOWN_YES;
    return (cost & NLM_CONNECTION_COST_UNRESTRICTED) != 0 ? SP_KNOWN_NO : SP_KNOWN_NOT;
}
