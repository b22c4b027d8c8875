#!/usr/bin/env bash
# A set written on Windows, restored on Linux, backed up from Linux, restored on Windows: what is kept, and what is named.
. "$(dirname "$0")/wine.bash"

tree=$world/tree
mkdir "$tree"
win ntfstree make "$(at "$tree")" 2>"$world/not-here" | tr -d "\r" >"$world/made" || fail "ntfstree make: $(cat "$world/not-here")"
grep -q $'^hard-links\tmade' "$world/made" || fail "not even hard links were made: $(cat "$world/made")"

as_win one
quiet win stillpoint init -r "$(at "$world/first")" --sheet "$(at "$world/sheet")"
expect 0 '' win stillpoint backup "$(at "$tree")"

# --- Windows to Windows: all that this place has
expect 0 '' win stillpoint restore latest --target "$(at "$world/again")"
win ntfstree compare-made "$(at "$tree")" "$(at "$world/again/Z$tree")" 2>"$world/differs" | tr -d "\r" >"$world/same" || true
while read -r feature how; do
    grep -q "^$feature	made" "$world/made" || how='not here'
    printf '%s\twine\t%s\n' "$feature" "$how"
    [[ $how == same || $how == 'not here' ]] || fail "$feature does not come back: $(cat "$world/differs")"
done <"$world/same"

# --- to Linux; without the drive, whose colon no name on Windows may have
as two
"$stillpoint" restore latest -r "$world/first" --recovery-key-file "$world/sheet" --target "$world/linux" --strip 1 \
    2>"$world/named" || fail "restore on Linux: $(cat "$world/named")"
echo "named on Linux:"
cat "$world/named"
diff -r --no-dereference "$tree" "$world/linux$tree" >"$world/diff" ||
    fail "content differs on Linux: $(head "$world/diff")"
quiet "$stillpoint" init -r "$world/second" --sheet "$world/sheet2"
expect 0 '' "$stillpoint" backup "$world/linux$tree"

# --- and back to Windows: names that Windows' programs cannot use come from Linux now, and are refused by name
as_win three
rc=0
win stillpoint restore latest -r "$(at "$world/second")" --recovery-key-file "$(at "$world/sheet2")" \
    --target "$(at "$world/back")" >"$world/told" 2>&1 || rc=$?
((rc == 1)) || fail "restore on Windows: exit $rc: $(cat "$world/told")"
refused=(CON aux.txt dot. 'blank ')
for name in "${refused[@]}"; do
    grep -qF "names/$name: its name" "$world/told" || fail "nothing is said of '$name': $(cat "$world/told")"
done
grep -qF '4 NOT AS IN THE SET' "$world/told" || fail "more than these four are not there: $(cat "$world/told")"
echo "named on Windows:"
cat "$world/told"
diff -r --no-dereference "${refused[@]/#/--exclude=}" "$tree" "$world/back$world/linux$tree" >"$world/diff" ||
    fail "content differs after Windows, Linux, Windows: $(head "$world/diff")"
one=$world/back$world/linux$tree/hard-links
[[ $(stat -c %i "$one/one") == $(stat -c %i "$one/folder/three") ]] || fail "the hard links are copies"
[[ $(stat -c %Y "$one/one") == $(stat -c %Y "$tree/hard-links/one") ]] || fail "the time of writing is another"
