<#
.SYNOPSIS
What Stillpoint promises of VSS, on a real Windows with whatever it has: SQL Server, Hyper-V, or neither.

.DESCRIPTION
Prints the raw states of all writers first (vssadmin, then Stillpoint's own evidence of every run): the rule on STABLE
after a shadow (docs/vss.md) rests on documentation alone, and this is what proves it or proves it wrong. Then

  everywhere   two volumes that are written to all the time, one mounted in a folder of the other: frozen in one shadow
               set, not frozen when read live; the registry's and the system's writers; demands; a run killed in the
               middle; no shadow left behind
  SQL Server   databases sp_test1 and sp_test10: restored as of the shadow, one left out, the writer's service stopped
               before and after the shadow
  Hyper-V      VMs sp-test-1 ... (from -Template, a bootable VHDX with guest services; without it VMs that are off):
               methods, a guest service that is off, a VM turned off in mid-run, disks compared

and a matrix at the end. Run elevated. It makes two virtual disks, a temporary folder, databases sp_test* and VMs
sp-test-*; it stops and starts the service SQLWriter. All is taken away at the end. Not for a host in production.

  .\vss.ps1 -Programs C:\build\windows [-Out matrix.txt] [-Sql .\INSTANCE] [-Template D:\guest.vhdx] [-Vms 3]

Exit code 0: everything as promised. 1: a line says what is not. LOOK marks what only a person can judge.
#>
param(
    [Parameter(Mandatory = $true)][string]$Programs,
    [string]$Out = '',
    [string]$Sql = '',
    [string]$Template = '',
    [int]$Vms = 3,
    [switch]$NoSql,
    [switch]$NoHyperV
)
Set-StrictMode -Version 2
$ErrorActionPreference = 'Stop'

$script:wrong = 0
$script:lines = New-Object System.Collections.Generic.List[string]
$script:matrix = New-Object System.Collections.Generic.List[object]

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

function Quoted([string[]]$arguments) {
    return $arguments | ForEach-Object { if ($_ -match '[\s"]' -or $_ -eq '') { '"' + $_.Replace('"', '\"') + '"' } else { $_ } }
}

# Starts a program; what it writes goes to files.
function Launch([string]$program, [string[]]$arguments) {
    $o = [IO.Path]::GetTempFileName()
    $e = [IO.Path]::GetTempFileName()
    $p = Start-Process -FilePath $program -ArgumentList (Quoted $arguments) -NoNewWindow -PassThru `
        -RedirectStandardOutput $o -RedirectStandardError $e
    $null = $p.Handle # else its exit code is not kept
    return [pscustomobject]@{ Process = $p; OutFile = $o; ErrFile = $e }
}

function Finish($run) {
    $run.Process.WaitForExit()
    $r = [pscustomobject]@{
        Code = $run.Process.ExitCode
        Out = [IO.File]::ReadAllText($run.OutFile, [Text.Encoding]::UTF8)
        Err = [IO.File]::ReadAllText($run.ErrFile, [Text.Encoding]::UTF8)
    }
    Remove-Item -Force $run.OutFile, $run.ErrFile -ErrorAction SilentlyContinue
    return $r
}

function Run([string]$program, [string[]]$arguments) { return Finish (Launch $program $arguments) }

function System32([string]$name, [string[]]$arguments) { return Run "$env:SystemRoot\System32\$name" $arguments }

function Diskpart([string[]]$commands) {
    $file = [IO.Path]::GetTempFileName()
    Set-Content -Path $file -Value $commands -Encoding ASCII
    $r = System32 'diskpart.exe' @('/s', $file)
    Remove-Item -Force $file
    if ($r.Code -ne 0) { throw "diskpart: $($r.Out)" }
}

function Shadows { return @(Get-CimInstance Win32_ShadowCopy -ErrorAction SilentlyContinue).Count }

# A job of the configuration; several sections stand beside each other.
function Job([string]$name, [string[]]$keys) {
    Add-Content -Encoding UTF8 -Path (Join-Path $env:STILLPOINT_CONFIG_DIR 'stillpoint.conf') -Value (@("[$name]") + $keys + @(''))
}

# The newest set of a job, with all of its evidence; $null: there is none.
function Evidence([string]$job) {
    $r = Run $stillpoint @('show', $job, '--consistency', '--json')
    if ($r.Code -ne 0) { return $null }
    $set = $r.Out | ConvertFrom-Json
    if ($set -is [array]) { $set = $set[0] }
    return $set
}

function Code($hresult) { if ($null -eq $hresult) { return '0' } return $hresult.code }

function Stage($stage) {
    if ($null -eq $stage) { return '-' }
    if (-not $stage.answered) { return 'silent' }
    return "$($stage.state)/$(Code $stage.hresult)"
}

# Every component of a set goes into the matrix; the rules that hold for any of them are asserted.
function Judge([string]$case, $set) {
    if ($null -eq $set -or $null -eq $set.verdict) { Expect "$case has a verdict" $false; return }
    $v = $set.verdict
    Say "        $($v.text)"
    foreach ($c in @($v.components)) {
        $w = $null
        if ($null -ne $c.writer) { $w = @($v.writers)[$c.writer] }
        $row = [pscustomobject]@{
            Case = $case; Unit = "$($c.kind) $($c.unit)"; Method = "$($c.method)"; Level = $c.level; Why = $c.why
            Prepared = '-'; Snapshot = '-'; Complete = '-'; HResult = (Code $c.hresult)
        }
        if ($null -ne $w) {
            $row.Prepared = Stage $w.stages.prepared
            $row.Snapshot = Stage $w.stages.snapshot
            $row.Complete = Stage $w.stages.complete
        }
        $script:matrix.Add($row)
        if ($c.level -eq 'application') {
            $s = $w.stages.snapshot
            Expect "$case, $($row.Unit): application only of a writer that showed it" `
                ($null -ne $s -and $s.answered -and $null -eq $s.hresult -and ($s.state -eq 5 -or $c.stamped -or $null -ne $w.rule)) $row
            Expect "$case, $($row.Unit): no file of it was read live" ($c.files_live -eq 0)
        }
        else { Expect "$case, $($row.Unit): what is below says why" ($c.text.Length -gt 40 -and $c.why -ne 'unknown') $c.text }
    }
    foreach ($s in @($v.shadows)) { Say "        shadow set $($s.id), $($s.took_ms) ms, $($s.attempts) attempt(s), completed: $($s.completed)" }
}

function Levels($set) { return (@($set.verdict.components) | ForEach-Object { "$($_.unit)=$($_.level)" }) -join ' ' }

# Runs something beside a backup as soon as a hook of the job has made the file $trigger.
function Beside([string]$trigger, [int]$seconds, [string]$command) {
    return Start-Job -ArgumentList $trigger, $seconds, $command -ScriptBlock {
        param($trigger, $seconds, $command)
        for ($i = 0; $i -lt 6000 -and -not (Test-Path $trigger); $i++) { Start-Sleep -Milliseconds 100 }
        Start-Sleep -Seconds $seconds
        Invoke-Expression $command
    }
}

$admin = New-Object Security.Principal.WindowsPrincipal([Security.Principal.WindowsIdentity]::GetCurrent())
if (-not $admin.IsInRole([Security.Principal.WindowsBuiltInRole]::Administrator)) {
    throw 'run this elevated: VSS is for administrators and backup operators'
}
$stillpoint = Join-Path $Programs 'stillpoint.exe'
if (-not (Test-Path $stillpoint)) { throw "there is no $stillpoint" }

$work = Join-Path ([IO.Path]::GetTempPath()) ('stillpoint-vss-' + [Guid]::NewGuid().ToString('N'))
$null = New-Item -ItemType Directory $work
$env:STILLPOINT_CONFIG_DIR = Join-Path $work 'config'
$env:STILLPOINT_STATE_DIR = Join-Path $work 'state'
$env:STILLPOINT_CACHE_DIR = Join-Path $work 'cache'
$null = New-Item -ItemType Directory $env:STILLPOINT_CONFIG_DIR
$letter = [char[]](70..90) | Where-Object { -not (Test-Path "$($_):\") } | Select-Object -First 1
$volume = "$($letter):"
$disks = @((Join-Path $work 'one.vhdx'), (Join-Path $work 'two.vhdx'))
$attached = @()
$madeVms = @()
$madeDatabases = @()
$writing = $null

try {
    # --- raw states, before anything is made of them -----------------------------------------------------------
    Say ("Windows " + [Environment]::OSVersion.Version + ", " + (Run $stillpoint @('--version')).Out.Trim())
    $system = Get-CimInstance Win32_OperatingSystem
    Say "$($system.Caption), $($system.OSArchitecture), $((Get-UICulture).Name)"
    Say ''
    foreach ($what in 'providers', 'writers', 'shadowstorage') { Say (System32 'vssadmin.exe' @('list', $what)).Out.Trim() }
    Say ''
    $r = Run $stillpoint @('vss', 'test')
    Say $r.Out.Trim()
    Expect 'vss test: VSS can be used here' ($r.Code -eq 0) $r.Err
    $r = Run $stillpoint @('vss', 'writers')
    Say $r.Out.Trim()
    Expect 'vss writers' ($r.Code -eq 0 -and $r.Out -match 'System Writer') $r.Err
    $shadowsBefore = Shadows

    # --- two volumes, one mounted in a folder of the other -------------------------------------------------------
    $mounted = "$volume\tree\z-other"
    Diskpart @("create vdisk file=`"$($disks[0])`" maximum=4096 type=expandable", "select vdisk file=`"$($disks[0])`"",
        'attach vdisk', 'create partition primary', 'format fs=ntfs label=SpOne quick', "assign letter=$letter")
    $attached += $disks[0]
    $null = New-Item -ItemType Directory $mounted
    Diskpart @("create vdisk file=`"$($disks[1])`" maximum=2048 type=expandable", "select vdisk file=`"$($disks[1])`"",
        'attach vdisk', 'create partition primary', 'format fs=ntfs label=SpTwo quick', "assign mount=`"$mounted`"")
    $attached += $disks[1]

    $repository = Join-Path $work 'repository'
    $r = Run $stillpoint @('init', '-r', $repository, '--sheet', (Join-Path $work 'sheet.txt'))
    Expect 'init' ($r.Code -eq 0) $r.Err

    # Something to read between the first and the last file, so that reading live takes its time.
    $filler = "$volume\tree\m-filler"
    $null = New-Item -ItemType Directory $filler
    $bytes = New-Object byte[] (4MB)
    $random = New-Object Random 7
    for ($i = 0; $i -lt 100; $i++) { $random.NextBytes($bytes); [IO.File]::WriteAllBytes("$filler\$i.bin", $bytes) }
    $first = "$volume\tree\a-first.txt"
    $last = "$mounted\last.txt"
    $frozen = "$volume\tree\frozen.txt"
    $stop = Join-Path $work 'stop'
    [IO.File]::WriteAllText($first, '0'); [IO.File]::WriteAllText($last, '0'); [IO.File]::WriteAllText($frozen, 'before')

    # The same number into both files, one after the other, forever: at one instant they differ by one at most.
    $writing = Start-Job -ArgumentList $first, $last, $stop -ScriptBlock {
        param($first, $last, $stop)
        $a = New-Object IO.FileStream($first, 'Open', 'Write', 'ReadWrite', 4096, 'WriteThrough')
        $b = New-Object IO.FileStream($last, 'Open', 'Write', 'ReadWrite', 4096, 'WriteThrough')
        for ($n = 100000; -not (Test-Path $stop); $n++) {
            $text = [Text.Encoding]::ASCII.GetBytes("$n")
            foreach ($f in $a, $b) { $f.Position = 0; $f.Write($text, 0, $text.Length); $f.Flush($true) }
        }
        $a.Close(); $b.Close()
    }
    for ($long = 0; $long -lt 6; Start-Sleep -Milliseconds 100) {
        $f = [IO.File]::Open($last, 'Open', 'Read', 'ReadWrite')
        $long = $f.Length
        $f.Close()
        if ($writing.State -ne 'Running') { throw "what writes all the time does not: $(Receive-Job $writing 2>&1)" }
    }

    # How far apart the two are in a set, and what frozen.txt says there.
    function Restored([string]$job) {
        $target = Join-Path $work "back-$job"
        $r = Run $stillpoint @('restore', $job, '--target', $target)
        if ($r.Code -ne 0) { throw "restore of $job`: $($r.Err)" }
        $read = { param($p) [IO.File]::ReadAllText((Join-Path $target $p)).Trim() }
        return [pscustomobject]@{
            Apart = [Math]::Abs([int](& $read "$letter\tree\a-first.txt") - [int](& $read "$letter\tree\z-other\last.txt"))
            Frozen = & $read "$letter\tree\frozen.txt"
        }
    }

    Job 'plain' @("path = $volume\tree", 'shadow = require', 'require = crash', "after = echo after>$frozen")
    $r = Run $stillpoint @('backup', 'plain')
    Expect 'two volumes in one shadow set' ($r.Code -eq 0) $r.Err
    $set = Evidence 'plain'
    Judge 'plain' $set
    Expect 'one shadow set for both' (@($set.verdict.shadows).Count -eq 1) ($set.verdict.shadows | Out-String)
    Expect 'it was completed and confirmed' ($set.verdict.confirmed -and @($set.verdict.shadows)[0].completed)
    $back = Restored 'plain'
    Expect 'what is restored is of one instant, over both volumes' ($back.Apart -le 1) "they are $($back.Apart) apart"
    Expect 'what changed after the shadow, and before it was read, is not in the set' ($back.Frozen -eq 'before') $back.Frozen
    Expect 'while the live file did change' ([IO.File]::ReadAllText($frozen).Trim() -eq 'after')

    Job 'live' @("path = $volume\tree", 'shadow = none')
    $r = Run $stillpoint @('backup', 'live', '--reread')
    Expect 'the same tree, read live' ($r.Code -le 1) $r.Err
    $back = Restored 'live'
    Expect 'is not of one instant: the comparison can fail' ($back.Apart -gt 1) "they are $($back.Apart) apart"
    $r = Run $stillpoint @('restore', 'live', '--target', (Join-Path $work 'refused'), '--require', 'crash')
    Expect 'restore --require crash refuses it' ($r.Code -ne 0 -and -not (Test-Path (Join-Path $work 'refused'))) $r.Err
    $r = Run $stillpoint @('restore', 'plain', '--target', (Join-Path $work 'allowed'), '--require', 'application')
    Expect 'restore --require application does not refuse plain files for having no applications' ($r.Code -eq 0) $r.Err

    # --- writers that every Windows has --------------------------------------------------------------------------
    Job 'registry' @('application = writer:Registry Writer')
    Job 'com' @('application = writer:COM+ REGDB Writer')
    foreach ($name in 'registry', 'com') {
        $r = Run $stillpoint @('vss', 'plan', $name)
        Say $r.Out.Trim()
        Expect "vss plan $name" ($r.Code -eq 0) $r.Err
        $r = Run $stillpoint @('backup', $name)
        Say ($r.Out.Trim() + $r.Err.Trim())
        Expect "backup of $name" ($r.Code -eq 0) $r.Err
        Judge $name (Evidence $name)
    }
    $sets = (Run $stillpoint @('list', '--json')).Out
    Job 'nothing' @("path = $volume\tree\frozen.txt", 'require = application for vm:there-is-none')
    $r = Run $stillpoint @('backup', 'nothing')
    Expect 'a demand for what is not there makes no set and ends with 2' ($r.Code -eq 2 -and $r.Err -match 'there-is-none') $r.Err
    Expect 'really none' ($null -eq (Evidence 'nothing'))
    Expect 'and the others are as they were' ((Run $stillpoint @('list', '--json')).Out -eq $sets)

    # --- killed in the middle ----------------------------------------------------------------------------------------
    $trigger = Join-Path $work 'taken'
    Job 'killed' @("path = $volume\tree", 'shadow = require', "after = echo taken>$trigger")
    $running = Launch $stillpoint @('backup', 'killed', '--reread')
    for ($i = 0; $i -lt 3000 -and -not (Test-Path $trigger) -and -not $running.Process.HasExited; $i++) { Start-Sleep -Milliseconds 100 }
    Expect 'the run has its shadows' (Test-Path $trigger)
    Stop-Process -Id $running.Process.Id -Force
    $null = Finish $running
    for ($i = 0; $i -lt 600 -and (Shadows) -gt $shadowsBefore; $i++) { Start-Sleep -Milliseconds 100 }
    Say "        shadows within a minute of the kill: $(Shadows), before all of this: $shadowsBefore"
    $r = Run $stillpoint @('backup', 'killed')
    Expect 'the next run makes the set' ($r.Code -eq 0) $r.Err
    Expect 'no shadow of ours is left' ((Shadows) -le $shadowsBefore) "$(Shadows), before $shadowsBefore"

    # --- SQL Server ------------------------------------------------------------------------------------------------------
    $instances = @(Get-Service 'MSSQLSERVER', 'MSSQL$*' -ErrorAction SilentlyContinue | Where-Object { $_.Status -eq 'Running' })
    if ($NoSql -or ($Sql -eq '' -and $instances.Count -eq 0)) { Say ''; Say 'no SQL Server runs here (or -NoSql): not tested' }
    else {
        if ($Sql -eq '') { $Sql = if ($instances[0].Name -eq 'MSSQLSERVER') { '.' } else { '.\' + $instances[0].Name.Substring(6) } }
        function Query([string]$text) {
            $c = New-Object Data.SqlClient.SqlConnection "Server=$Sql;Integrated Security=true;Connect Timeout=30"
            $c.Open()
            try { $q = $c.CreateCommand(); $q.CommandText = $text; $q.CommandTimeout = 120; return $q.ExecuteScalar() } finally { $c.Close() }
        }
        Say ''
        Say ("SQL Server: " + (Query 'select @@version').Split("`n")[0])
        $account = "NT SERVICE\" + $(if ($Sql -eq '.') { 'MSSQLSERVER' } else { 'MSSQL$' + $Sql.Split('\')[1] })
        $data = Join-Path $work 'sql'
        $null = New-Item -ItemType Directory $data
        $null = System32 'icacls.exe' @($data, '/grant', "${account}:(OI)(CI)F")
        # Data on one volume, log on the other: all volumes of a database belong into the shadow set.
        $logs = "$volume\sqllogs"
        $null = New-Item -ItemType Directory $logs
        $null = System32 'icacls.exe' @($logs, '/grant', "${account}:(OI)(CI)F")
        foreach ($d in 'sp_test1', 'sp_test10') {
            $null = Query "create database $d on (name = d, filename = '$data\$d.mdf') log on (name = l, filename = '$logs\$d.ldf')"
            $madeDatabases += $d
            $null = Query "use $d; create table t (n int); insert t values (1)"
        }
        # A database with its files must be told before and after the shadow: sqlcmd is not everywhere, so this script
        # itself writes beside the run.
        $told = Join-Path $work 'sql-taken'
        Job 'sql' @('application = database:*/sp_test1', 'require = application for database:*/sp_test1',
            "after = echo taken>$told && ping -n 6 127.0.0.1 >nul")
        $beside = Start-Job -ArgumentList $Sql, $told -ScriptBlock {
            param($Sql, $told)
            for ($i = 0; $i -lt 6000 -and -not (Test-Path $told); $i++) { Start-Sleep -Milliseconds 50 }
            $c = New-Object Data.SqlClient.SqlConnection "Server=$Sql;Integrated Security=true"
            $c.Open(); $q = $c.CreateCommand(); $q.CommandText = 'insert sp_test1..t values (2)'; $null = $q.ExecuteNonQuery(); $c.Close()
        }
        $r = Run $stillpoint @('backup', 'sql')
        $null = Wait-Job $beside; Remove-Job $beside
        Expect 'a database is application-consistent, as demanded' ($r.Code -eq 0) ($r.Out + $r.Err)
        $set = Evidence 'sql'
        Judge 'sql' $set
        Expect 'sp_test10 is not sp_test1' (@($set.verdict.components | Where-Object { $_.unit -match 'sp_test10$' }).Count -eq 0) (Levels $set)
        $target = Join-Path $work 'back-sql'
        $r = Run $stillpoint @('restore', 'sql', '--target', $target, '--require', 'application')
        Expect 'restore --require application' ($r.Code -eq 0) $r.Err
        $null = System32 'icacls.exe' @($target, '/grant', "${account}:(OI)(CI)F", '/T')
        $mdf = (Get-ChildItem -Recurse -Path $target -Filter 'sp_test1.mdf').FullName
        $ldf = (Get-ChildItem -Recurse -Path $target -Filter 'sp_test1.ldf').FullName
        $null = Query "create database sp_test_back on (filename = '$mdf'), (filename = '$ldf') for attach"
        $madeDatabases += 'sp_test_back'
        Expect 'the row from before the shadow is there, the one from after it is not' `
            ((Query 'select count(*) from sp_test_back..t') -eq 1 -and (Query 'select max(n) from sp_test_back..t') -eq 1 -and
             (Query 'select max(n) from sp_test1..t') -eq 2)

        # The writer's service goes: before its metadata, between that and the shadow (as far as time hits it), and after it.
        foreach ($case in @('before', 0, 'before'), @('prepare', 3, 'before'), @('after', 0, 'after')) {
            $trigger = Join-Path $work "stop-$($case[0])"
            $name = "sqlstop-$($case[0])"
            Job $name @("path = $data", "path = $logs", 'if-below = keep', 'writer-attempts = 1',
                "$($case[2]) = echo x>$trigger && ping -n $(if ($case[0] -eq 'prepare') { 1 } else { 11 }) 127.0.0.1 >nul")
            $beside = Beside $trigger $case[1] 'Stop-Service SQLWriter -Force'
            $r = Run $stillpoint @('backup', $name)
            $null = Wait-Job $beside; Remove-Job $beside
            Start-Service SQLWriter
            Say ($r.Out.Trim() + $r.Err.Trim())
            $set = Evidence $name
            Judge $name $set
            $levels = @($set.verdict.components | Where-Object { $_.unit -match 'sp_test1$' } | ForEach-Object { $_.level })
            if ($case[0] -eq 'prepare') { Say "LOOK    stopped around the shadow: $(Levels $set), exit $($r.Code); see the states in the matrix" }
            else { Expect "$name`: nothing is called application" ($levels -notcontains 'application') (Levels $set) }
            if ($case[0] -eq 'after') { Expect 'and the run says so' ($r.Code -eq 1) "exit $($r.Code)" }
        }
    }

    # --- Hyper-V ---------------------------------------------------------------------------------------------------------------
    if ($NoHyperV -or $null -eq (Get-Command New-VM -ErrorAction SilentlyContinue) -or
        $null -eq (Get-Service vmms -ErrorAction SilentlyContinue)) { Say ''; Say 'no Hyper-V here (or -NoHyperV): not tested' }
    else {
        Say ''
        Say "Hyper-V: $((Get-VMHost).Name), $(if ($Template -ne '') { "VMs from $Template" } else { 'VMs that are off (no -Template)' })"
        # The guest service of backups, in any language ("Backup (volume shadow copy)").
        $vssComponent = '5CED1297-4598-4915-A5FC-AD21BB4D02A4'
        $vmFolder = Join-Path $work 'vms'
        for ($i = 1; $i -le $Vms; $i++) {
            $vm = "sp-test-$i"
            $vhd = Join-Path $vmFolder "$vm\$vm.vhdx"
            $null = New-Item -ItemType Directory -Force (Split-Path $vhd)
            if ($Template -ne '') { Copy-Item $Template $vhd }
            else { $null = New-VHD -Path $vhd -SizeBytes 4GB -Dynamic }
            $null = New-VM -Name $vm -Path $vmFolder -MemoryStartupBytes 1GB -VHDPath $vhd -Generation $(if ($Template -ne '') { 2 } else { 1 })
            $madeVms += $vm
        }
        if ($Template -ne '') {
            # The last one without its guest service.
            Get-VMIntegrationService -VMName $madeVms[-1] | Where-Object { $_.Id -match $vssComponent } | Disable-VMIntegrationService
            foreach ($vm in $madeVms) { Start-VM $vm }
            foreach ($vm in $madeVms) {
                for ($i = 0; $i -lt 300 -and (Get-VM $vm).Heartbeat -notmatch '^Ok'; $i++) { Start-Sleep 1 }
                Say "        ${vm}: $((Get-VM $vm).State), heartbeat $((Get-VM $vm).Heartbeat), integration services $((Get-VM $vm).IntegrationServicesVersion)"
            }
            Start-Sleep 60 # VSS in the guest is up later than the heartbeat
        }
        $hashes = @{}
        if ($Template -eq '') { foreach ($vm in $madeVms) { $hashes[$vm] = (Get-FileHash (Join-Path $vmFolder "$vm\$vm.vhdx")).Hash } }
        Job 'vms' @('application = vm:sp-test-*', 'require = application for vm:sp-test-*', 'if-below = keep')
        $r = Run $stillpoint @('vss', 'plan', 'vms')
        Say $r.Out.Trim()
        $r = Run $stillpoint @('backup', 'vms')
        Say ($r.Out.Trim() + $r.Err.Trim())
        $set = Evidence 'vms'
        Judge 'vms' $set
        $units = @($set.verdict.components | Where-Object { $_.kind -eq 'vm' -and $_.unit -like 'sp-test-*' })
        Expect "all $Vms VMs are in the set, by name" ($units.Count -eq $Vms) (Levels $set)
        foreach ($u in $units) {
            if ($u.method -match '^(Offline|Saved State)$') {
                Expect "$($u.unit), $($u.method): crash, and the sentence says what Online needs" ($u.level -eq 'crash' -and $u.text -match 'Online') $u.text
            }
        }
        if ($Template -eq '') { Expect 'VMs that are off are below the demand: exit 1' ($r.Code -eq 1) "exit $($r.Code)" }
        else {
            $well = @($units | Where-Object { $_.unit -ne $madeVms[-1] })
            Say "LOOK    with guest services: $(($well | ForEach-Object { "$($_.unit) $($_.method) $($_.level)" }) -join ', ')"
            Expect 'the VM without its guest service is not called application' `
                (@($units | Where-Object { $_.unit -eq $madeVms[-1] -and $_.level -eq 'application' }).Count -eq 0) (Levels $set)
        }
        $target = Join-Path $work 'back-vms'
        $r = Run $stillpoint @('restore', 'vms', '--target', $target)
        Expect 'the VMs are restored' ($r.Code -eq 0) $r.Err
        foreach ($vm in $madeVms) {
            $disk = @(Get-ChildItem -Recurse -Path $target -Filter "$vm.vhdx")
            Expect "$vm`: its disk is there" ($disk.Count -eq 1)
            if ($disk.Count -ne 1) { continue }
            if ($hashes.ContainsKey($vm)) { Expect "$vm`: bit for bit" ((Get-FileHash $disk[0].FullName).Hash -eq $hashes[$vm]) }
            else { Expect "$vm`: its disk is whole" (Test-VHD -Path $disk[0].FullName -ErrorAction SilentlyContinue) }
        }
        if ($Template -ne '') {
            # One is turned off, and one loses its guest service, while the run prepares them.
            $trigger = Join-Path $work 'vm-stop'
            Job 'vmstop' @('application = vm:sp-test-*', 'if-below = keep', 'writer-attempts = 1', "before = echo x>$trigger")
            $beside = Beside $trigger 2 "Stop-VM -Name $($madeVms[0]) -TurnOff -Force"
            $r = Run $stillpoint @('backup', 'vmstop')
            $null = Wait-Job $beside; Remove-Job $beside
            Say ($r.Out.Trim() + $r.Err.Trim())
            $set = Evidence 'vmstop'
            Judge 'vmstop' $set
            $others = @($set.verdict.components | Where-Object { $_.kind -eq 'vm' -and $_.unit -like 'sp-test-*' -and $_.unit -ne $madeVms[0] })
            Expect 'one failing VM: the others are in the set' ($others.Count -eq $Vms - 1) (Levels $set)
            Say "LOOK    one turned off in mid-run: $(Levels $set), exit $($r.Code), shadow sets: $(@($set.verdict.shadows).Count)"
        }
    }

    # --- the matrix -------------------------------------------------------------------------------------------------------------------
    Say ''
    Say 'state/HRESULT of the writer after PrepareForBackup, DoSnapshotSet and BackupComplete'
    $format = '{0,-16}{1,-44}{2,-10}{3,-14}{4,-14}{5,-14}{6,-13}{7}'
    Say ($format -f 'CASE', 'UNIT', 'METHOD', 'PREPARED', 'SNAPSHOT', 'COMPLETE', 'LEVEL', 'WHY')
    foreach ($m in $script:matrix) { Say ($format -f $m.Case, $m.Unit, $m.Method, $m.Prepared, $m.Snapshot, $m.Complete, $m.Level, $m.Why) }
    Say ''
    $took = @($script:matrix | Where-Object { $_.Snapshot -like '5/*' }).Count
    $stable = @($script:matrix | Where-Object { $_.Snapshot -eq '1/0' })
    Say "LOOK    the STABLE rule: after DoSnapshotSet $took components had a writer in state 5, $($stable.Count) one in state 1 without a failure$(
        if ($stable.Count -gt 0) { ': ' + (($stable | ForEach-Object { $_.Unit } | Select-Object -Unique) -join ', ') })"
    Expect 'no shadow of ours is left' ((Shadows) -le $shadowsBefore) "$(Shadows), before $shadowsBefore"
}
finally {
    if ($null -ne $writing) {
        $null = New-Item -ItemType File -Force $stop
        $null = Wait-Job $writing -Timeout 30
        Remove-Job -Force $writing
    }
    foreach ($d in $madeDatabases) { try { $null = Query "alter database $d set single_user with rollback immediate; drop database $d" } catch { Write-Warning $_ } }
    foreach ($vm in $madeVms) {
        try { Stop-VM -Name $vm -TurnOff -Force -ErrorAction SilentlyContinue; Remove-VM -Name $vm -Force } catch { Write-Warning $_ }
    }
    if ($null -ne (Get-Service SQLWriter -ErrorAction SilentlyContinue) -and $madeDatabases.Count -gt 0) { Start-Service SQLWriter }
    [array]::Reverse($attached)
    foreach ($d in $attached) { try { Diskpart @("select vdisk file=`"$d`"", 'detach vdisk') } catch { Write-Warning $_ } }
    Remove-Item -Recurse -Force $work -ErrorAction SilentlyContinue
    if ($Out -ne '') { Set-Content -Path $Out -Value $script:lines -Encoding UTF8 }
}
Say $(if ($script:wrong -eq 0) { 'everything as promised' } else { "$($script:wrong) of the lines above say WRONG" })
exit $(if ($script:wrong -eq 0) { 0 } else { 1 })
