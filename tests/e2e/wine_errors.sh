#!/usr/bin/env bash
# What goes wrong on Windows: the same sentences and exit codes as on Linux. Each case is given to both programs, and what
# they say is held against each other, paths and Windows' own words for an error aside.
. "$(dirname "$0")/wine.bash"

mkdir "$world/tree" "$world/mountpoint"
echo content >"$world/tree/file"
echo secret >"$world/passphrase"
echo wrong >"$world/wrong"
echo file >"$world/file"

# say PREFIX COMMAND…: exit code and words, so that the two can be compared.
say() {
    local prefix=$1 rc=0 out
    shift
    out=$("$@" 2>&1 </dev/null) || rc=$?
    printf 'exit %s\n' "$rc"
    # Z:\tmp and Z:/tmp are /tmp; backslashes in quoted paths; ids differ; what the system says of an error is its own.
    sed -E 's/\r$//; /^wine: Read access denied/d; /warning: the change journal of/d; s/Z:[\\/]/\//g; s/\\+/\//g; s/[0-9a-f]{32}/ID/g; s/\b([0-9a-f]{16}|[0-9a-f]{8})\b/ID/g
        s/: (No such file or directory|The system cannot find the (file|path) specified\.?|File not found\.?|Path not found\.?) ?(\([^)]*\))?/: ABSENT/g
        s/ \(Windows error [0-9]+\)//g; s/sp-e2e\.[A-Za-z0-9]+\/(linux|windows)/WORLD/g; s/sp-e2e\.[A-Za-z0-9]+/WORLD/g
        s/[0-9]+(\.[0-9]+)? (s|ms|kB|B)\b/N/g' <<<"${out//$prefix/}"
}

differ=0
# both CODE WORDS ARGUMENT…: Linux says CODE and WORDS, and Windows the same. @ in an argument is the world.
both() {
    local code=$1 words=$2 linux windows
    shift 2
    as linux
    linux=$(say '' "$stillpoint" "${@//@/$world/linux}")
    as_win windows
    windows=$(say '' win stillpoint "${@//@/Z:$world/windows}")
    [[ $linux == "exit $code"* && $linux == *"$words"* ]] || fail "Linux to $*: $linux"
    if [[ $linux != "$windows" ]]; then
        differ=$((differ + 1))
        printf -- '--- %s\n%s\n' "$*" "$(diff <(echo "$linux") <(echo "$windows"))"
    fi
}
for side in linux windows; do
    mkdir -p "$world/$side"
    cp -r "$world/tree" "$world/mountpoint" "$world/passphrase" "$world/wrong" "$world/file" "$world/$side"
done

# --- the command line and the configuration: 5
both 5 "no command 'bakup'" bakup
both 5 'unknown option --fast' backup --fast @/tree
both 5 'needs a value' backup @/tree --exclude
both 5 'say what' backup
both 5 "no job 'nightly'" backup nightly
for text in '[a]\npath = /tmp\ncolour = red\n' '[a]\npath = /tmp\nshadow = maybe\n' '[a]\n' '[a\npath = /tmp\n' \
    '[a]\npath = /tmp\nschedule = every blue moon\n'; do
    for side in linux windows; do
        mkdir -p "$world/$side/config"
        # shellcheck disable=SC2059
        printf "$text" >"$world/$side/config/stillpoint.conf"
    done
    both 5 'stillpoint.conf' backup a
done
rm "$world"/{linux,windows}/config/stillpoint.conf
both 5 'bandwidth' backup @/tree --bandwidth fast
both 5 'is a folder' backup @/tree --exclude-file @/tree
both 5 'no repository is set up' list
both 5 'sftp://' list -r ftp://host/path
both 5 'control characters' init -r @/control --name $'a\nb' --sheet @/sheet2
both 5 '--target' restore latest

# --- a repository
both 0 '' init -r @/own --sheet @/sheet --passphrase-file @/passphrase
both 2 'not empty' init -r @/own --sheet @/sheet2
both 2 'not written over' init -r @/control --sheet @/sheet
both 2 'does/not/exist' backup @/does/not/exist
both 2 'before' backup @/tree --before 'exit 3'
both 1 'after' backup @/tree --shadow none --after 'exit 3'
both 5 'there is no set' show nothing
both 6 'may not be mounted' list -r @/nowhere --passphrase-file @/passphrase
both 6 'mount' list -r @/mountpoint --passphrase-file @/passphrase
both 5 'not enrolled' list -r stillpoint://127.0.0.1:1 --passphrase-file @/passphrase

# --- what only one of the two has
as_win windows
expect 5 'no share' win stillpoint login -r "$(at "$world/windows/own")" --user me --password-file "$(at "$world/passphrase")"
expect 2 '' win stillpoint restore latest --target "$(at "$world/file")"

((differ == 0)) || fail "$differ of the cases above are told differently"
