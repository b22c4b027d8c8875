#!/usr/bin/env bash
# build.sh PROGRAMS VERSION OUT.msi: the installer from PROGRAMS/stillpoint.exe, stillpointd.exe and licences/.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
programs=$(cd "$1" && pwd -P)
version=$2
out=$3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

for f in "$programs"/licences/*; do
    printf '==== %s ====\n\n' "$(basename "$f")"
    cat "$f"
    printf '\n\n'
done >"$work/THIRD-PARTY.txt"
cp "$programs"/stillpoint.exe "$programs"/stillpointd.exe "$work"
cp "$here/../../LICENSE" "$work/LICENSE.txt"
(cd "$work" && wixl --arch x64 -D Version="$version" -o package.msi "$here/stillpoint.wxs")

# rows TABLE < lines: adds rows to a table as msiinfo exports it (tab-separated, CRLF).
rows() {
    msiinfo export "$work/package.msi" "$1" >"$work/$1.idt"
    sed 's/$/\r/' >>"$work/$1.idt"
    msibuild "$work/package.msi" -i "$work/$1.idt"
}
# PATH: learn.microsoft.com/en-us/windows/win32/msi/environment-table. "=-*": set at installation, removed at
# removal, of the machine; the value is put behind what is there.
{
    printf 'Environment\tName\tValue\tComponent_\r\n'
    printf 's72\tl255\tL255\ts72\r\n'
    printf 'Environment\tEnvironment\r\n'
    printf 'Path\t=-*PATH\t[~];[INSTALLDIR]\tProgram\r\n'
} >"$work/Environment.idt"
msibuild "$work/package.msi" -i "$work/Environment.idt"
# What ServiceInstall has no column for: started after the others (type 3), and started again, three times a day at
# most, when it dies: learn.microsoft.com/en-us/windows/win32/msi/msiserviceconfig-table
{
    printf 'MsiServiceConfig\tName\tEvent\tConfigType\tArgument\tComponent_\r\n'
    printf 's72\ts255\ti2\ti4\tL255\ts72\r\n'
    printf 'MsiServiceConfig\tMsiServiceConfig\r\n'
    printf 'Delayed\tStillpoint\t1\t3\t1\tProgram\r\n'
} >"$work/MsiServiceConfig.idt"
{
    printf 'MsiServiceConfigFailureActions\tName\tEvent\tResetPeriod\tRebootMessage\tCommand\tActions\tDelayActions\tComponent_\r\n'
    printf 's72\ts255\ti2\tI4\tL255\tL255\tL255\tL255\ts72\r\n'
    printf 'MsiServiceConfigFailureActions\tMsiServiceConfigFailureActions\r\n'
    printf 'Again\tStillpoint\t1\t86400\t\t\t1[~]1[~]1\t60000[~]60000[~]60000\tProgram\r\n'
} >"$work/MsiServiceConfigFailureActions.idt"
msibuild "$work/package.msi" -i "$work/MsiServiceConfig.idt" -i "$work/MsiServiceConfigFailureActions.idt"
printf 'MsiConfigureServices\tVersionNT>=600\t5850\n' | rows InstallExecuteSequence
printf 'RemoveEnvironmentStrings\t\t3300\nWriteEnvironmentStrings\t\t5200\n' | rows InstallExecuteSequence
# wixl drops HideTarget: 8192 more in the type (learn.microsoft.com/en-us/windows/win32/msi/custom-action-hidden-target-option).
msiinfo export "$work/package.msi" CustomAction | sed 's/^Enroll\t3090\t/Enroll\t11282\t/' >"$work/CustomAction.idt"
msibuild "$work/package.msi" -i "$work/CustomAction.idt"
# Secure: the elevated part hears of it. Hidden: no log says it, nor what the action was given.
msiinfo export "$work/package.msi" Property | sed 's/^\(SecureCustomProperties\t.*\)\r$/\1;ENROLLTOKEN\r/' \
    >"$work/Property.idt"
printf 'MsiHiddenProperties\tENROLLTOKEN;Enroll\r\n' >>"$work/Property.idt"
msibuild "$work/package.msi" -i "$work/Property.idt"
mv "$work/package.msi" "$out"
