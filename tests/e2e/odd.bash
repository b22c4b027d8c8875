# Sourced by odd_*.sh after lib.bash: scenes over odd stores. A suite is a list of functions scene_NAME; its arguments
# choose some of them (without: those in the array `slice`, all with STILLPOINT_LONG=1), and every one begins with a client that knows nothing and a world of its own.

oddfs=$SP_BUILD/tests/odd/oddfs
old_world=$world
slice=()
# A scene that fails leaves with its own world in $world.
trap 'code=$?; set +e; unmount_all; world=$old_world; (exit $code); finish' EXIT

# odd_mount: a folder $store that does what `odd WORDS` says from then on; see tests/odd/oddfs.c. Its files lie in $real.
odd_mount() {
    [[ -x $oddfs ]] || skip "needs libfuse3 to build oddfs"
    [[ -w /dev/fuse ]] || skip "needs /dev/fuse"
    store=$world/store real=$world/real
    mkdir "$store" "$real"
    : >"$world/words"
    "$oddfs" "$real" "$store" "$world/words" 2>>"$world/oddfs.log" &
    servers+=($!)
    local i
    for ((i = 0; i < 100; i++)); do
        ! mountpoint -q "$store" || break
        kill -0 "${servers[-1]}" 2>/dev/null || skip "this machine does not let us mount: $(cat "$world/oddfs.log")"
        sleep 0.05
    done
    mounts+=("$store")
}

# odd WORDS: renamed into place, so that nobody reads half of them.
odd() {
    printf '%s' "$*" >"$world/words.new"
    mv "$world/words.new" "$world/words"
}

# when_open WORDS: options that set the words after the store was opened and tried, and before anything is written.
when_open() {
    during=(--before "printf '%s' '$1' >$world/words.new; mv $world/words.new $world/words")
}

# plant [KB]: a tree of many small files and one large one in $tree, that cannot be compressed.
plant() {
    local i
    tree=$world/tree
    mkdir -p "$tree/d"
    for i in {1..30}; do head -c $((i * 300)) /dev/urandom >"$tree/d/$i"; done
    head -c "${1:-2000}"K /dev/urandom >"$tree/big"
}

alter() {
    head -c "${1:-500}"K /dev/urandom >"$tree/new$RANDOM"
    echo "$RANDOM" >"$tree/d/1"
}

# comes_back [SET [OPTION…]]: the set (default: the newest) restores equal to $tree.
comes_back() {
    rm -rf "$world/back"
    quiet "$stillpoint" restore "${1:-latest}" --target "$world/back" "${@:2}"
    same "$tree" "$world/back$tree"
}

# old_comes_back: the first set is what it was.
old_comes_back() {
    rm -rf "$world/back"
    quiet "$stillpoint" restore "$first" --target "$world/back" "$@"
    same "$world/first" "$world/back$tree"
}

# the_first: the set all others are made after; it must stay what it was.
the_first() {
    "$stillpoint" backup "$tree" --json "$@" >"$world/first.json" || fail "exit $?: $(cat "$world/first.json")"
    first=$(json "$world/first.json" 'x[0]["set"]')
    rm -rf "$world/first"
    cp -a "$tree" "$world/first"
}

set_count() { "$stillpoint" list --json "$@" | "$python" -c 'import json, sys; print(json.load(sys.stdin)["count"])'; }

unmount_all() {
    local i
    for ((i = ${#mounts[@]} - 1; i >= 0; i--)); do
        ! mountpoint -q "${mounts[i]}" || umount "${mounts[i]}" 2>/dev/null || umount -l "${mounts[i]}"
    done
    mounts=()
}

scenes() {
    local begun=$SECONDS name names=("$@")
    ((${#names[@]} || ${STILLPOINT_LONG:-0})) || names=("${slice[@]}")
    ((${#names[@]})) || mapfile -t names < <(compgen -A function scene_ | sed s/scene_//)
    for name in "${names[@]}"; do
        world=$old_world/$name
        mkdir "$world"
        as one
        "scene_$name"
        unmount_all
    done
    world=$old_world
    echo "$(basename "$0" .sh): ${#names[@]} scenes (${names[*]}), $((SECONDS - begun)) s: ok"
}
