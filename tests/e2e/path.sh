#!/usr/bin/env bash
# A repository in a folder: everything that POSIX knows goes out and comes back; unchanged files are not read
# again; what changed is; an empty machine with the recovery sheet alone restores.
. "$(dirname "$0")/lib.bash"

as one
"$maketree" --small --seed 7 "$world/tree"
quiet "$stillpoint" init -r "$world/repository" --sheet "$world/sheet"
quiet "$stillpoint" backup "$world/tree"
quiet "$stillpoint" restore latest --target "$world/back"
same "$world/tree" "$world/back$world/tree"

# nothing changed: nothing read (the files with fresh times apart), nothing stored
sleep 2.5
"$stillpoint" backup "$world/tree" --json >"$world/settle.json"
"$stillpoint" backup "$world/tree" --set audit=0 --json >"$world/second.json"
# (files with a time in the future can never be told from changing ones)
future=$(find "$world/tree" -type f -newermt now | wc -l)
[[ $(json "$world/second.json" 'x[0]["files_changed"] + x[0]["files_new"]') == "$future" ]] ||
    fail "an unchanged tree was read again: $(cat "$world/second.json")"
"$stillpoint" backup "$world/tree" --set audit=0 --json >"$world/third.json"
# the folders above the root may change at any time: a node or two
(($(json "$world/third.json" 'x[0]["bytes_new"]') < 300000)) || fail "new bytes from an unchanged tree"

# a file rewritten with the same size within the clock's tick
echo aaaa >"$world/tree/tick"
quiet "$stillpoint" backup "$world/tree"
stamp=$(stat -c %y "$world/tree/tick")
echo bbbb >"$world/tree/tick"
touch -d "$stamp" "$world/tree/tick"
quiet "$stillpoint" backup "$world/tree"
quiet "$stillpoint" restore latest --target "$world/tick"
[[ $(cat "$world/tick$world/tree/tick") == bbbb ]] || fail "a change within the tick was missed"

# changes of every kind, then the older set is still what it was
rm -rf "$world/tree/tick"
echo new >"$world/tree/new file"
quiet "$stillpoint" backup "$world/tree"
quiet "$stillpoint" restore latest --target "$world/third"
same "$world/tree" "$world/third$world/tree"
quiet "$stillpoint" restore latest~1 --target "$world/older"
[[ $(cat "$world/older$world/tree/tick") == bbbb ]] || fail "the older set changed"

# one file, by pattern, by path, in place
quiet "$stillpoint" restore latest --target "$world/single" --include 'new file'
[[ $(find "$world/single" -type f | wc -l) == 1 ]] || fail "--include took more than one file"
rm "$world/tree/new file"
quiet "$stillpoint" restore latest --in-place "$world/tree/new file"
[[ $(cat "$world/tree/new file") == new ]] || fail "in place"
echo mine >"$world/tree/new file"
quiet "$stillpoint" restore latest --in-place --if-exists keep "$world/tree/new file"
[[ $(cat "$world/tree/new file") == mine ]] || fail "--if-exists keep overwrote"
quiet "$stillpoint" restore latest --in-place --if-exists newer "$world/tree/new file"
[[ $(cat "$world/tree/new file") == mine ]] || fail "--if-exists newer overwrote what is newer"
quiet "$stillpoint" restore latest --in-place --if-exists replace "$world/tree/new file"
[[ $(cat "$world/tree/new file") == new ]] || fail "--if-exists replace"

expect 0 '' "$stillpoint" check --read-data
expect 0 '' "$stillpoint" verify latest
expect 0 'new file' "$stillpoint" diff latest~1 latest
expect 0 'new file' "$stillpoint" find 'new file'

# nothing but the sheet
as empty
expect 0 '' "$stillpoint" list -r "$world/repository" --recovery-key-file "$world/sheet"
quiet "$stillpoint" restore latest -r "$world/repository" --recovery-key-file "$world/sheet" --target "$world/rescued"
same "$world/third$world/tree" "$world/rescued$world/tree"
echo "path: ok"
