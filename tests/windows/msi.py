#!/usr/bin/env python3
"""msi.py PACKAGE.msi PROGRAMS: reads the installer's tables and unpacks it: program, service, PATH, Event Log source,
silent enrolment that no log shows, upgrade, and a removal that leaves configuration and keys alone."""

import filecmp
import os
import subprocess
import sys
import tempfile

package, programs = sys.argv[1:3]
problems = []


def table(name):
    done = subprocess.run(["msiinfo", "export", package, name], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        problems.append(f"there is no table {name}")
        return []
    lines = [line.rstrip("\r\n").split("\t") for line in done.stdout.splitlines()]
    return [dict(zip(lines[0], row)) for row in lines[3:]]


def expect(what, ok):
    print(("ok      " if ok else "WRONG   ") + what)
    if not ok:
        problems.append(what)


properties = {row["Property"]: row["Value"] for row in table("Property")}
sequence = {row["Action"]: (row["Condition"], int(row["Sequence"])) for row in table("InstallExecuteSequence")}
at = {action: number for action, (_, number) in sequence.items()}

service = table("ServiceInstall")
expect("one service, Stillpoint, that runs 'service run' by itself at every start",
       len(service) == 1 and service[0]["Name"] == "Stillpoint" and service[0]["Arguments"] == "service run"
       and service[0]["StartType"] == "2" and service[0]["ServiceType"] == "16")
control = table("ServiceControl")
# 1 start at installation, 2 stop at installation, 32 stop at removal, 128 delete at removal
expect("it is started, stopped for an upgrade, and stopped and deleted at removal",
       len(control) == 1 and int(control[0]["Event"]) == 1 | 2 | 32 | 128)
expect("it starts after the others",
       any(r["ConfigType"] == "3" and r["Argument"] == "1" for r in table("MsiServiceConfig")))
expect("it is started again when it dies",
       any(r["Actions"] == "1[~]1[~]1" for r in table("MsiServiceConfigFailureActions")))
expect("that is put into force after the service is there",
       at.get("MsiConfigureServices", 0) > at.get("InstallServices", 99999))

registry = {(r["Key"], r["Name"]): r["Value"] for r in table("Registry")}
source = r"SYSTEM\CurrentControlSet\Services\EventLog\Application\Stillpoint"
expect("the Event Log source with the program's own messages",
       registry.get((source, "EventMessageFile")) == "[#stillpoint.exe]" and registry.get((source, "TypesSupported")) == "#7")

environment = table("Environment")
expect("PATH of the machine, put behind what is there, taken away at removal",
       len(environment) == 1 and environment[0]["Name"] == "=-*PATH" and environment[0]["Value"] == "[~];[INSTALLDIR]")
expect("and done in both directions", "WriteEnvironmentStrings" in at and "RemoveEnvironmentStrings" in at)

enroll = [r for r in table("CustomAction") if r["Action"] == "Enroll"]
kind = int(enroll[0]["Type"]) if enroll else 0
# 18: a program that was installed; 1024 deferred, 2048 as the system, 8192 its command line is in no log;
# without 64 a failure undoes the installation.
expect("enrolment runs as the system, hidden, and undoes the installation when it fails", kind == 18 | 1024 | 2048 | 8192)
expect("only with a token, only at the first installation", sequence.get("Enroll", ("", 0))[0] == "ENROLLTOKEN AND NOT Installed")
expect("after the program is there and before the service starts",
       at.get("InstallFiles", 99999) < at.get("Enroll", 0) < at.get("StartServices", 0))
expect("the token is secure and in no log",
       "ENROLLTOKEN" in properties.get("SecureCustomProperties", "").split(";")
       and "ENROLLTOKEN" in properties.get("MsiHiddenProperties", "").split(";"))
expect("the token is kept nowhere", "ENROLLTOKEN" not in properties)

upgrade = table("Upgrade")
expect("an older version is replaced, a newer one refused",
       len(upgrade) == 2 and all(r["UpgradeCode"] == properties.get("UpgradeCode") for r in upgrade)
       and "RemoveExistingProducts" in at)
launch = table("LaunchCondition")
expect("with a sentence", any("newer Stillpoint" in r["Description"] for r in launch))
expect("for the whole machine", properties.get("ALLUSERS") == "1")

folders = {r["Directory"]: r["Directory_Parent"] for r in table("Directory")}
components = table("Component")
expect("everything lies below Program Files, so that configuration and keys stay at removal",
       all(r["Directory_"] == "INSTALLDIR" for r in components) and folders.get("INSTALLDIR") == "ProgramFiles64Folder"
       and not table("RemoveFile"))
expect("64 bits", all(int(r["Attributes"]) & 256 for r in components))

with tempfile.TemporaryDirectory() as folder:
    subprocess.run(["msiextract", "-C", folder, package], check=True, capture_output=True)
    found = {name: os.path.join(base, name) for base, _, names in os.walk(folder) for name in names}
    for name in ("stillpoint.exe", "stillpointd.exe"):
        expect(f"{name} as it was built",
               name in found and filecmp.cmp(found[name], os.path.join(programs, name), shallow=False))
    expect("the licences", "LICENSE.txt" in found and os.path.getsize(found.get("THIRD-PARTY.txt", os.devnull)) > 0)

if problems:
    sys.exit(f"msi: {len(problems)} of what the installer must have is not there")
print("msi: complete")
