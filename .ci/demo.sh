#!/usr/bin/env bash
# usage: demo [PATH...]: back up real folders to a real server over TLS, twice, restore and compare
# Works on a copy of the folders (default: /usr/share and /usr/lib), because it changes files between the
# two backups; everything lies in one temporary folder (under TMPDIR) that is gone at the end.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

[[ ${1-} != -* ]] || die 5 "demo takes paths."
folders=("$@")
(($#)) || folders=(/usr/share /usr/lib)
for i in "${!folders[@]}"; do
    path=$(realpath -e -- "${folders[i]}" 2>/dev/null) || die 5 "there is no ${folders[i]}."
    folders[i]=$path
done

need "${packages_build[@]}" "${packages_test[@]}"
build release e2e-programs
stillpoint=$top/build/release/client/stillpoint
stillpointd=$top/build/release/server/stillpointd
compare=$top/build/release/tests/compare/compare

work=$(mktemp -d "${TMPDIR:-/tmp}/stillpoint-demo.XXXXXX")
source=$work/source
repository=$work/repository
server=''
export STILLPOINT_CONFIG_DIR=$work/client/config STILLPOINT_STATE_DIR=$work/client/state \
    STILLPOINT_CACHE_DIR=$work/client/cache

clean_up() {
    local rc=$?
    if [[ -n $server ]]; then
        kill "$server" 2>/dev/null || true
        wait "$server" 2>/dev/null || true
    fi
    if ((rc)) && [[ -s $work/server.log ]]; then
        say "The server's last words:"
        tail -n 20 "$work/server.log"
    fi
    chmod -R u+rwX "$work" 2>/dev/null || true
    rm -rf "$work"
    exit "$rc"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

human() { numfmt --to=iec-i --suffix=B --format=%.1f "$1"; }
bytes_of() { du -s --apparent-size --block-size=1 "$1" | cut -f1; }
chapter() { printf '\n== %s\n' "$*"; }

# timed COMMAND...: runs it, shown as the user would type it; its seconds are then in $took.
timed() {
    local start=$EPOCHREALTIME shown=("${1##*/}" "${@:2}")
    printf '$ %s\n' "${shown[*]}"
    "$@"
    took=$("$python" -c 'import sys; print(f"{float(sys.argv[2]) - float(sys.argv[1]):.1f}")' \
        "$start" "$EPOCHREALTIME")
}

copy_folders() {
    local wanted free folder
    wanted=$(du -sc --block-size=1 "${folders[@]}" 2>/dev/null | tail -n 1 | cut -f1)
    free=$(df --output=avail --block-size=1 "$work" | tail -n 1)
    # The copy, the restore and, at worst, as much again in the repository.
    ((free > 3 * wanted)) || die 2 "the demo needs $(human $((3 * wanted))) in ${work%/*} and there \
are $(human "$free"); set TMPDIR to a larger place or name smaller folders."
    for folder in "${folders[@]}"; do
        mkdir -p "$source${folder%/*}"
        cp -a --reflink=auto -- "$folder" "$source${folder%/*}/" 2>>"$work/cp.log" || true
    done
    [[ ! -s $work/cp.log ]] || say "Left out of the copy: $(wc -l <"$work/cp.log") things that \
this user may not read, such as $(head -n 1 "$work/cp.log")"
}

change_files() {
    local files file i step folder
    mapfile -d '' files < <(find "$source" -type f -size +0 -writable -links 1 -print0 | sort -z)
    ((${#files[@]} >= 4)) || die 2 "${folders[*]}: too few files to change."
    step=$(((${#files[@]} + 249) / 250))
    changed=0 deleted=0 added=0
    for ((i = 0; i < ${#files[@]}; i += step)); do
        file=${files[i]}
        case $((i / step % 5)) in
        0)
            rm -f -- "$file"
            deleted=$((deleted + 1))
            ;;
        1 | 2)
            echo "changed by the demo" >>"$file"
            changed=$((changed + 1))
            ;;
        *)
            printf '#' | dd of="$file" conv=notrunc status=none
            changed=$((changed + 1))
            ;;
        esac
        if ((i / step % 10 == 0)); then
            echo "new in the demo: $i" >"$file.new"
            added=$((added + 1))
        fi
    done
    # The folder of the most folders gets a new name.
    folder=$(find "${folders[@]/#/$source}" -mindepth 1 -maxdepth 2 -type d -printf '%n %p\n' | sort -n | tail -n 1 | cut -d' ' -f2-)
    [[ -z $folder ]] || mv -- "$folder" "$folder-renamed"
    say "$changed files changed, $deleted deleted, $added added, renamed: ${folder#"$source"}"
}

start_server() {
    local port i
    port=$("$python" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
    timed "$stillpointd" init -D "$work/server" -r "$repository" --listen "127.0.0.1:$port"
    printf '$ stillpointd run -D %s &\n' "$work/server"
    "$stillpointd" run -D "$work/server" >"$work/server.log" 2>&1 &
    server=$!
    for ((i = 0; i < 100; i++)); do
        ! (: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null || return 0
        kill -0 "$server" 2>/dev/null || die 2 "the server ended at once."
        sleep 0.1
    done
    die 2 "the server did not listen on port $port within 10 s."
}

chapter "A copy of ${folders[*]} to play with"
copy_folders
entries=$(find "$source" -printf x | wc -c)
size=$(bytes_of "$source")
say "$entries entries, $(human "$size")"

chapter "A server, and this machine as one of its hosts"
start_server
token=$("$stillpointd" host add -D "$work/server" demo | tail -n 1)
say '$ stillpointd host add demo; stillpoint enroll TOKEN'
"$stillpoint" enroll "$token"

chapter "The first backup, over TLS"
timed "$stillpoint" backup "$source"
first=$took stored_first=$(bytes_of "$repository")

chapter "A day goes by"
change_files

chapter "The second backup"
timed "$stillpoint" backup "$source"
second=$took stored_second=$(bytes_of "$repository")

chapter "What the server holds"
timed "$stillpoint" list

chapter "Everything back, into another folder"
timed "$stillpoint" restore latest --target "$work/restored"
restored=$took
back=$work/restored$source
[[ -d $back ]] || back=$work/restored

chapter "Is it the same, bit for bit?"
differences=0
say '$ rsync -aHAXn --delete --modify-window=-1 --checksum --itemize-changes SOURCE/ RESTORED/'
rsync -aHAXn --delete --modify-window=-1 --checksum --itemize-changes "$source/" "$back/" >"$work/rsync.out"
if [[ -s $work/rsync.out ]]; then
    head -n 20 "$work/rsync.out"
    say "rsync: $(wc -l <"$work/rsync.out") differences"
    differences=1
else
    say "rsync: no difference"
fi
"$compare" "$source" "$back" >"$work/compare.out" || differences=1
tail -n 20 "$work/compare.out"
((differences == 0)) || die 3 "source and restore differ."

chapter "In short"
say "first backup   $first s for $(human "$size"), stored as $(human "$stored_first") \
($((100 * stored_first / size)) % of it)"
say "second backup  $second s, $(human $((stored_second - stored_first))) more"
say "restore        $restored s, equal in everything: names, bytes, owners, modes, times, ACLs, \
attributes, links, holes"
