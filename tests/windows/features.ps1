<#
.SYNOPSIS
Everything that Stillpoint promises to keep of NTFS, on a real NTFS volume of a real Windows.

.DESCRIPTION
Makes a small virtual disk with NTFS, on it a tree with every feature (ntfstree.exe, the same that the other tests make
in their double and under Wine), backs it up to a folder, restores it, compares, and prints the matrix. Then what else
needs a real Windows: a file in use, FilesNotToBackup, the change journal, the service, the Event Log, the installer.
Run elevated. Touches the virtual disk, a temporary folder, the service "Stillpoint" (only when it does not exist
before) and, with -Msi, the installed product; all is taken away at the end.

  .\features.ps1 -Programs C:\build\windows [-Msi C:\build\stillpoint.msi] [-Out matrix.txt]

Exit code 0: everything as promised. 1: a line says what is not.
#>
param(
    [Parameter(Mandatory = $true)][string]$Programs,
    [string]$Msi = '',
    [string]$Out = ''
)
Set-StrictMode -Version 2
$ErrorActionPreference = 'Stop'

$script:wrong = 0
$script:lines = New-Object System.Collections.Generic.List[string]

function Say([string]$line) {
    Write-Host $line
    $script:lines.Add($line)
}

function Expect([string]$what, [bool]$ok, [string]$detail = '') {
    if ($ok) { Say "ok      $what" }
    else {
        Say "WRONG   $what  $detail"
        $script:wrong++
    }
}

# Runs a program; gives its exit code and all that it wrote.
function Run([string]$program, [string[]]$arguments) {
    $out = [IO.Path]::GetTempFileName()
    $err = [IO.Path]::GetTempFileName()
    try {
        $quoted = $arguments | ForEach-Object { if ($_ -match '[\s"]' -or $_ -eq '') { '"' + $_.Replace('"', '\"') + '"' } else { $_ } }
        $p = Start-Process -FilePath $program -ArgumentList $quoted -NoNewWindow -PassThru -Wait `
            -RedirectStandardOutput $out -RedirectStandardError $err
        return [pscustomobject]@{
            Code = $p.ExitCode
            Out = [IO.File]::ReadAllText($out, [Text.Encoding]::UTF8)
            Err = [IO.File]::ReadAllText($err, [Text.Encoding]::UTF8)
        }
    }
    finally { Remove-Item -Force $out, $err }
}

function Diskpart([string[]]$commands) {
    $script = [IO.Path]::GetTempFileName()
    Set-Content -Path $script -Value $commands -Encoding ASCII
    $r = Run "$env:SystemRoot\System32\diskpart.exe" @('/s', $script)
    Remove-Item -Force $script
    if ($r.Code -ne 0) { throw "diskpart: $($r.Out)" }
}

$admin = New-Object Security.Principal.WindowsPrincipal([Security.Principal.WindowsIdentity]::GetCurrent())
if (-not $admin.IsInRole([Security.Principal.WindowsBuiltInRole]::Administrator)) {
    throw 'run this elevated: it makes a virtual disk, reads with backup rights and installs a service'
}
$stillpoint = Join-Path $Programs 'stillpoint.exe'
$ntfstree = Join-Path $Programs 'ntfstree.exe'
foreach ($p in $stillpoint, $ntfstree) { if (-not (Test-Path $p)) { throw "there is no $p" } }

$work = Join-Path ([IO.Path]::GetTempPath()) ('stillpoint-' + [Guid]::NewGuid().ToString('N'))
$null = New-Item -ItemType Directory $work
$disk = Join-Path $work 'disk.vhdx'
$letter = [char[]](70..90) | Where-Object { -not (Test-Path "$($_):\") } | Select-Object -First 1
$volume = "$($letter):"
$env:STILLPOINT_CONFIG_DIR = Join-Path $work 'config'
$env:STILLPOINT_STATE_DIR = Join-Path $work 'state'
$env:STILLPOINT_CACHE_DIR = Join-Path $work 'cache'
$attached = $false

try {
    Say ("Windows " + [Environment]::OSVersion.Version + ", " + (Run $stillpoint @('--version')).Out.Trim())

    # --- the tree ------------------------------------------------------------------------------------------
    Diskpart @("create vdisk file=`"$disk`" maximum=4096 type=expandable", "select vdisk file=`"$disk`"",
        'attach vdisk', 'create partition primary', 'format fs=ntfs label=Stillpoint quick', "assign letter=$letter")
    $attached = $true
    $null = Run "$env:SystemRoot\System32\fsutil.exe" @('8dot3name', 'set', $volume, '0')
    $null = Run "$env:SystemRoot\System32\fsutil.exe" @('usn', 'createjournal', 'm=33554432', 'a=4194304', $volume)
    $tree = "$volume\tree"
    $null = New-Item -ItemType Directory $tree
    $made = Run $ntfstree @('make', $tree)
    if ($made.Code -ne 0) { throw "ntfstree make: $($made.Err)" }

    # --- there and back ------------------------------------------------------------------------------------
    $repository = Join-Path $work 'repository'
    $r = Run $stillpoint @('init', '-r', $repository, '--sheet', (Join-Path $work 'sheet.txt'))
    Expect 'init' ($r.Code -eq 0) $r.Err
    $r = Run $stillpoint @('backup', $tree, '--set', 'system-excludes=no', '--shadow', 'none')
    Expect 'backup of the tree' ($r.Code -eq 0) $r.Err
    $r = Run $stillpoint @('restore', 'latest', '--target', "$volume\back")
    Expect 'restore of the tree' ($r.Code -eq 0) $r.Err
    $compared = Run $ntfstree @('compare', $tree, "$volume\back\$letter\tree")
    Expect 'nothing differs' ($compared.Code -eq 0) $compared.Err

    $there = @{}
    foreach ($line in $made.Out -split "`r?`n") { $f = $line -split "`t"; if ($f.Count -eq 2) { $there[$f[0]] = $f[1] } }
    Say ''
    Say ("{0,-22}{1,-12}{2}" -f 'FEATURE', 'MADE', 'AFTER BACKUP AND RESTORE')
    foreach ($line in $compared.Out -split "`r?`n") {
        $f = $line -split "`t"
        if ($f.Count -ne 2) { continue }
        $is = if ($there.ContainsKey($f[0])) { $there[$f[0]] } else { '-' }
        Say ("{0,-22}{1,-12}{2}" -f $f[0], $is, $(if ($is -eq 'made') { $f[1] } else { '-' }))
        if ($is -ne 'made') { Expect "NTFS has $($f[0])" $false 'see the error output of ntfstree make' }
    }
    Say ''

    # --- unchanged: next to nothing is read, by the journal -------------------------------------------------
    $r = Run $stillpoint @('backup', $tree, '--set', 'system-excludes=no', '--shadow', 'none', '--json')
    Expect 'second backup' ($r.Code -eq 0) $r.Err
    $second = ($r.Out | ConvertFrom-Json)[0]
    Expect 'which takes nothing new' ($second.files_new -eq 0 -and $second.bytes_stored -lt 1MB) $r.Out

    # --- a file that another program has open for itself --------------------------------------------------
    $held = Join-Path $tree 'content\held'
    [IO.File]::WriteAllText($held, 'mine alone')
    $lock = [IO.File]::Open($held, 'Open', 'ReadWrite', 'None')
    try {
        $r = Run $stillpoint @('backup', $tree, '--set', 'system-excludes=no', '--shadow', 'none')
        Expect 'a file in use is named, and the set is incomplete' ($r.Code -eq 1 -and $r.Err -match 'held') $r.Err
    }
    finally { $lock.Close() }

    # --- what Windows says not to back up ----------------------------------------------------------------
    $r = Run $stillpoint @('backup', '--explain', "$env:SystemDrive\")
    Expect 'the page file and FilesNotToBackup are left out and shown' `
        ($r.Code -eq 0 -and $r.Out -match 'pagefile\.sys' -and $r.Out -match 'FilesNotToBackup') $r.Out

    # --- the service --------------------------------------------------------------------------------------
    if ($null -eq (Get-Service Stillpoint -ErrorAction SilentlyContinue)) {
        $null = New-Item -ItemType Directory -Force $env:STILLPOINT_CONFIG_DIR
        Set-Content -Encoding UTF8 -Path (Join-Path $env:STILLPOINT_CONFIG_DIR 'stillpoint.conf') `
            -Value "[tree]`npath = $tree`nschedule = daily at 03:00`n"
        $r = Run $stillpoint @('service', 'install')
        Expect 'service install' ($r.Code -eq 0) $r.Err
        $r = Run $stillpoint @('service', 'start')
        Expect 'service start' ($r.Code -eq 0 -and (Get-Service Stillpoint).Status -eq 'Running') $r.Err
        $r = Run $stillpoint @('service', 'status')
        Expect 'service status' ($r.Code -eq 0) $r.Err
        $r = Run $stillpoint @('service', 'stop')
        Expect 'service stop' ($r.Code -eq 0 -and (Get-Service Stillpoint).Status -eq 'Stopped') $r.Err
        $events = @(Get-WinEvent -FilterHashtable @{ LogName = 'Application'; ProviderName = 'Stillpoint' } -MaxEvents 5 -ErrorAction SilentlyContinue)
        Expect 'the Event Log has its own source, with sentences' `
            ($events.Count -gt 0 -and $events[0].Message -notmatch 'cannot be found') ($events | Out-String)
        $r = Run $stillpoint @('service', 'remove')
        Expect 'service remove' ($r.Code -eq 0 -and $null -eq (Get-Service Stillpoint -ErrorAction SilentlyContinue)) $r.Err
    }
    else { Say 'a service Stillpoint exists already: it is left alone and not tested' }

    # --- the installer --------------------------------------------------------------------------------------
    if ($Msi -ne '' -and $null -eq (Get-Service Stillpoint -ErrorAction SilentlyContinue)) {
        $log = Join-Path $work 'msi.log'
        $r = Run "$env:SystemRoot\System32\msiexec.exe" @('/i', $Msi, '/qn', '/l*v', $log)
        Expect 'msiexec /i' ($r.Code -eq 0) "exit $($r.Code), see $log"
        $installed = Join-Path $env:ProgramFiles 'Stillpoint\stillpoint.exe'
        Expect 'the program is there' (Test-Path $installed)
        Expect 'the service runs' ((Get-Service Stillpoint).Status -eq 'Running')
        Expect 'PATH has it' ([Environment]::GetEnvironmentVariable('PATH', 'Machine') -like '*\Stillpoint*')
        Expect 'the Event Log source is there' ([Diagnostics.EventLog]::SourceExists('Stillpoint'))
        $kept = Join-Path $env:ProgramData 'Stillpoint'
        $null = New-Item -ItemType Directory -Force $kept
        Set-Content -Path (Join-Path $kept 'kept.txt') -Value 'kept'
        $r = Run "$env:SystemRoot\System32\msiexec.exe" @('/x', $Msi, '/qn')
        Expect 'msiexec /x' ($r.Code -eq 0) "exit $($r.Code)"
        Expect 'the program is gone' (-not (Test-Path $installed))
        Expect 'the service is gone' ($null -eq (Get-Service Stillpoint -ErrorAction SilentlyContinue))
        Expect 'configuration and keys stay' (Test-Path (Join-Path $kept 'kept.txt'))
        Remove-Item (Join-Path $kept 'kept.txt')
    }
}
finally {
    if ($attached) {
        try { Diskpart @("select vdisk file=`"$disk`"", 'detach vdisk') } catch { Write-Warning $_ }
    }
    Remove-Item -Recurse -Force $work -ErrorAction SilentlyContinue
    if ($Out -ne '') { Set-Content -Path $Out -Value $script:lines -Encoding UTF8 }
}
Say $(if ($script:wrong -eq 0) { 'everything as promised' } else { "$($script:wrong) of the lines above say WRONG" })
exit $(if ($script:wrong -eq 0) { 0 } else { 1 })
