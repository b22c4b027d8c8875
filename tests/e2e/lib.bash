# Sourced by every end-to-end suite: a temporary world with its own client state, and the few words the suites
# are written in. A suite ends at its first surprise and says which.
set -euo pipefail

# A switch puts a broken program in the place of one of them (cmake/switch.cmake).
stillpoint=${SP_PROGRAM_stillpoint:-${SP_BUILD:?}/client/stillpoint}
stillpointd=${SP_PROGRAM_stillpointd:-$SP_BUILD/server/stillpointd}
compare=$SP_BUILD/tests/compare/compare
maketree=$SP_BUILD/tests/compare/maketree
python=/usr/bin/python3

world=$(mktemp -d "${TMPDIR:-/tmp}/sp-e2e.XXXXXX")
servers=()
mounts=()

# as NAME: which client the following commands are; each has its own state.
as() {
    export STILLPOINT_CONFIG_DIR=$world/$1/config STILLPOINT_STATE_DIR=$world/$1/state \
        STILLPOINT_CACHE_DIR=$world/$1/cache
    mkdir -p "$STILLPOINT_CONFIG_DIR" "$STILLPOINT_STATE_DIR" "$STILLPOINT_CACHE_DIR"
}

finish() {
    local rc=$? i
    trap - EXIT
    for i in "${servers[@]}"; do kill -CONT "$i" 2>/dev/null || true; kill "$i" 2>/dev/null || true; done
    wait 2>/dev/null || true
    for ((i = ${#mounts[@]} - 1; i >= 0; i--)); do umount "${mounts[i]}" 2>/dev/null || umount -l "${mounts[i]}" || true; done
    if ((rc)) && [[ -n ${SP_KEEP-} ]]; then
        echo "kept: $world"
    else
        chmod -R u+rwX "$world" 2>/dev/null || true
        rm -rf "$world"
    fi
    exit "$rc"
}
trap finish EXIT

fail() {
    echo "FAILED: $*" >&2
    [[ ! -s $world/server.log ]] || tail -n 15 "$world/server.log" >&2
    exit 1
}

skip() {
    echo "skipped: $*"
    exit 77
}

# expect CODE WORDS COMMAND…: the exit code must be CODE, and the output must hold WORDS (a fixed string; ''
# for any).
expect() {
    local code=$1 words=$2 got=0 out
    shift 2
    out=$("$@" 2>&1 </dev/null) || got=$?
    [[ $got == "$code" ]] || fail "exit $got instead of $code: ${*##*/}"$'\n'"$out"
    [[ $out == *"$words"* ]] || fail "no '$words' in the words of: ${*##*/}"$'\n'"$out"
}

# quiet COMMAND…: must succeed; its output is shown only when it does not.
quiet() {
    local out
    out=$("$@" 2>&1 </dev/null) || fail "exit $?: $*"$'\n'"$out"
}

# same A B: two trees are equal in everything.
same() {
    local out
    out=$("$compare" "$1" "$2") || fail "$1 and $2 differ:"$'\n'"$(head -n 20 <<<"$out")"
}

free_port() {
    "$python" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# start_server [FOLDER]: runs the server of that state folder; waits until it listens. Sets $server.
start_server() {
    local home=${1:-$world/server} i
    "$stillpointd" run -D "$home" >>"$world/server.log" 2>&1 &
    server=$!
    servers+=("$server")
    for ((i = 0; i < 100; i++)); do
        ! (: <"/dev/tcp/127.0.0.1/$port" && : <"/dev/tcp/127.0.0.1/${front:-$port}") 2>/dev/null || return 0
        kill -0 "$server" 2>/dev/null || fail "the server ended at once"
        sleep 0.1
    done
    fail "the server did not listen within 10 s"
}

# new_server [--proxied]: with a proxy between, which cut_connections makes cut every connection.
new_server() {
    local through=()
    port=$(free_port)
    front=
    if [[ ${1-} == --proxied ]]; then
        front=$(free_port)
        "$python" "$(dirname "${BASH_SOURCE[0]}")/proxy.py" "$front" "$port" &
        proxy=$!
        servers+=("$proxy")
        through=(--name "127.0.0.1:$front")
    fi
    quiet "$stillpointd" init -D "$world/server" -r "$world/repository" --listen "127.0.0.1:$port" "${through[@]}"
    start_server
}

cut_connections() { kill -USR1 "$proxy"; }

# new_host NAME [OPTION…]: enrols a client of that name.
new_host() {
    local name=$1 token
    shift
    token=$("$stillpointd" host add -D "$world/server" "$name" | tail -n 1)
    as "$name"
    quiet "$stillpoint" enroll "$token" --name "$name" --sheet "$world/$name.sheet" "$@"
}

# json FILE EXPRESSION: a value of the JSON text in a file, x being the whole.
json() {
    "$python" -c 'import json, sys; x = json.load(open(sys.argv[1])); print(eval(sys.argv[2]))' "$1" "$2"
}
