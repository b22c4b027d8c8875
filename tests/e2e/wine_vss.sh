#!/usr/bin/env bash
# stillpoint.exe under Wine with VSS: the real table of calls, and behind it a vssapi.dll over the model of tests/vss.
# What is read is what stood still at the shadow's instant, while files and a VM's image change; read live it is not.
# A failing VM does not fail the others; and a machine without VSS says so.
. "$(dirname "$0")/wine.bash"

dll=$programs/tests/vss/vssapi/vssapi.dll
[[ -e $dll ]] || skip "vssapi.dll of the tests is not built (./dev windows --test)"

drive=$WINEPREFIX/drive_c
mkdir -p "$drive/data/files" "$drive/data/vms/web01" "$drive/data/vms/web02" "$drive/flags" "$world/globalroot/Device"
ln -s "$world/globalroot" "$WINEPREFIX/dosdevices/globalroot"

# without the dll: Wine's own answers that there is none
as_win one
quiet win stillpoint init -r "$(at "$world/repository")" --sheet "$(at "$world/sheet")"
expect 2 'there is no VSS in this system' win stillpoint vss test
expect 2 'shadow = none' win stillpoint vss test
expect 2 'there is no VSS in this system' win stillpoint backup 'C:\data' --shadow require
expect 0 '' win stillpoint backup 'C:\data' # auto: live, and not a failure

cp "$dll" "$drive/windows/system32/vssapi.dll"
export WINEDLLOVERRIDES="mscoree,mshtml=;vssapi=n"

# machine NAME [LINE…]: what VSS there is from now on; its trace is in $world/NAME.trace.
machine() {
    local name=$1
    shift
    {
        # Wine names the volume of C: by the letter's number.
        echo 'volume \\?\Volume{00000000-0000-0000-0000-000000000043}\ C:\ covers=C:\data'
        echo "shadows $(at "$world/globalroot/Device")" | tr / '\\'
        echo 'device \\?\GLOBALROOT\Device\'
        cat <<'END'
writer 66841cd4-6ded-4f4b-8f17-fd23f8ddc3de 11111111-2222-4333-8444-000000000001 "Microsoft Hyper-V VSS Writer"
  component filegroup "" 00000001-B5A4-4D2E-9C51-000000000001 caption="Online\web01"
    file C:\data\vms\web01\ * recursive
  component filegroup "" 00000002-B5A4-4D2E-9C51-000000000002 caption="Online\web02"
    file C:\data\vms\web02 * recursive
END
        printf '%s\n' "$@"
    } >"$world/$name.vss"
    STILLPOINT_TEST_VSS=$(at "$world/$name.vss")
    STILLPOINT_TEST_VSS_TRACE=$(at "$world/$name.trace")
    export STILLPOINT_TEST_VSS STILLPOINT_TEST_VSS_TRACE
}

# clean NAME: no call out of order, and every session, wait and shadow was ended and given back.
clean() {
    ! grep -n illegal "$world/$1.trace" | grep -v '^[0-9]*:# end illegal=0 ' || fail "calls out of order: $1"
    [[ $(tail -n 1 "$world/$1.trace") == '# end illegal=0 sessions=0 asyncs=0 shadows=0 unended=0' ]] ||
        fail "$1 ended so: $(tail -n 3 "$world/$1.trace")"
    [[ ! $(ls "$world/globalroot/Device") ]] || fail "$1 left shadows: $(ls "$world/globalroot/Device")"
}

# called NAME CALL: how often
called() { grep -c "^[0-9]* $2 " "$world/$1.trace" || true; }

"$python" - "$drive/data" <<'END'
import os, sys
top = sys.argv[1]
for i in range(120):
    with open(os.path.join(top, "files", f"file{i:03}.txt"), "wb") as f:
        f.write(b"as it was %d\n" % i * (1 + i * 7 % 300))
for vm in ("web01", "web02"):
    with open(os.path.join(top, "vms", vm, f"{vm}.vhdx"), "wb") as f:
        for i in range(24 * 256):
            f.write(b"%s %8d " % (vm.encode(), i) * 292)
END
sleep 3 # what is younger than two seconds at the start is read again next time

# Changes everything, again and again, from when `begin` appears until `end` does; says `changed` after the first time.
changer=$world/changer.py
cat >"$changer" <<'END'
import os, sys, time
top, flags = sys.argv[1:]
def there(name): return os.path.exists(os.path.join(flags, name))
while not there("begin"):
    time.sleep(0.02)
    if there("end"): sys.exit()
turn = 0
while not there("end"):
    turn += 1
    for folder, _, names in os.walk(top):
        for name in names:
            with open(os.path.join(folder, name), "r+b") as f:
                size = f.seek(0, 2)
                for at in range(0, max(size - 16, 1), max(size // 64, 1)):
                    f.seek(at)
                    f.write(b"changed in %04d" % (turn % 10000))
    open(os.path.join(flags, "changed"), "w").close()
    time.sleep(0.05)
END
# What the run calls: begins the changes, and waits until all has changed once.
printf 'echo x >C:\\flags\\begin\r\n:again\r\nif exist C:\\flags\\changed exit /b 0\r\nping -n 2 127.0.0.1 >nul\r\ngoto again\r\n' >"$drive/flags/change.cmd"

# changing COMMAND…: while the data change; the changes are undone behind it. Exit code in $got, words in $out.
changing() {
    local changing
    rm -f "$drive/flags/"{begin,end,changed}
    cp -a "$drive/data" "$world/still"
    "$python" "$changer" "$drive/data" "$drive/flags" &
    changing=$!
    got=0
    out=$("$@" 2>&1 </dev/null) || got=$?
    touch "$drive/flags/end"
    wait "$changing"
    [[ -e $drive/flags/changed ]] || fail "nothing changed during: $*"$'\n'"$out"
    ! diff -rq "$world/still" "$drive/data" >/dev/null || fail "nothing is different after: $*"
    rm -rf "$drive/data"
    mv "$world/still" "$drive/data"
}

# restored: what the newest set holds, in $back/data
restored() {
    back=$world/back/C
    rm -rf "$world/back"
    expect 0 '' win stillpoint restore latest --target "$(at "$world/back")"
}

# every writer that there is
machine list
expect 0 'Microsoft Hyper-V VSS Writer' win stillpoint vss writers
clean list
expect 0 '' win stillpoint vss test
clean list

# the shadow's instant, bit for bit
machine frozen
changing win stillpoint backup 'C:\data' --shadow require --after 'C:\flags\change.cmd'
[[ $got == 0 ]] || fail "backup from a shadow: exit $got: $out"
clean frozen
[[ $(called frozen complete) == 1 && $(called frozen succeeded) == 2 && $(called frozen abort) == 0 ]] ||
    fail "this was called: $(cat "$world/frozen.trace")"
restored
diff -r "$drive/data" "$back/data" >"$world/diff" || fail "what was read from the shadow differs: $(head -n 5 "$world/diff")"
win stillpoint show latest --consistency | tr -d '\r' >"$world/shown"
grep -q 'web01' "$world/shown" && grep -q 'application' "$world/shown" || fail "no word of the VMs: $(cat "$world/shown")"

# the same read live: it was not still
changing win stillpoint backup 'C:\data' --shadow none --before 'C:\flags\change.cmd'
((got <= 1)) || fail "backup without a shadow: exit $got: $out"
restored
! diff -r "$drive/data" "$back/data" >/dev/null || fail "read live, nothing had changed: the comparison above says nothing"

# one VM fails for good: the other is none the worse, and the run says so
machine failing '    failure 0x800423F4 app=0x80040001 text="the guest does not answer" alone'
changing win stillpoint backup 'C:\data' --shadow require --after 'C:\flags\change.cmd'
[[ $got == 1 && $out == *'VM web02 is crash-consistent'* && $out != *'VM web01'* ]] || fail "a failing VM: exit $got: $out"
[[ $(called failing succeeded) == 1 ]] || fail "success is reported of what failed: $(cat "$world/failing.trace")"
clean failing
restored
diff -r "$drive/data" "$back/data" >"$world/diff" || fail "with a failing VM the set differs: $(head -n 5 "$world/diff")"
machine demanded '    failure 0x800423F4 alone'
expect 2 'no set was made' win stillpoint backup 'C:\data' --require application
[[ $(called demanded complete) == 0 && $(called demanded succeeded) == 0 ]] || fail "the writers were told of a set"
clean demanded
# what can be had in a shadow set of its own is as good, and is read from that one
machine second '    failure 0x800423F4'
changing win stillpoint backup 'C:\data' --require application --after 'C:\flags\change.cmd'
[[ $got == 0 ]] || fail "a second shadow set: exit $got: $out"
(($(called second complete) == 2 && $(called second succeeded) == 2)) || fail "a second shadow set: $(cat "$world/second.trace")"
clean second
restored
diff -r "$drive/data" "$back/data" >"$world/diff" || fail "from two shadow sets the set differs: $(head -n 5 "$world/diff")"

# killed while it reads: the next one deletes its shadows, by their id
machine killed
rm -f "$drive/flags/"{begin,changed}
win stillpoint backup 'C:\data' --after 'C:\flags\change.cmd' >"$world/killed.out" 2>&1 &
for ((i = 0; i < 300; i++)); do
    [[ ! -e $drive/flags/begin ]] || break
    sleep 0.1
done
[[ -e $drive/flags/begin && $(ls "$world/globalroot/Device") ]] || fail "it did not come to the shadow: $(cat "$world/killed.out")"
wineserver -k
wait $! || true
[[ $(ls "$world/globalroot/Device") ]] || fail "its shadows went by themselves"
machine next
expect 0 '' win stillpoint backup 'C:\data'
(($(called next delete_set) == 1)) || fail "what the killed one left was not deleted: $(cat "$world/next.trace")"
clean next
