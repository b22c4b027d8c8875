#!/usr/bin/env bash
# stillpoint.exe under Wine to a folder: 20 000 files, a path of 700 characters, Unicode, read-only, hidden, hard links,
# there and back; and the same repository opened by the program for Linux.
. "$(dirname "$0")/wine.bash"

tree=$world/tree
mkdir "$tree"
"$python" - "$tree" <<'END'
import os, sys
top = sys.argv[1]
for i in range(200):
    folder = os.path.join(top, f"many{i:03}")
    os.mkdir(folder)
    for k in range(100):
        with open(os.path.join(folder, f"file{k}.txt"), "wb") as f:
            f.write((b"%d %d\r\n" % (i, k)) * (1 + (i * 7 + k) % 40))
for name in ("Grüße.txt", "文件.txt", "\U0001f5c4 box", "blanks  inside", "a'b;c%d&e", " first"):
    with open(os.path.join(top, name), "wb") as f:
        f.write(name.encode() * 3)
with open(os.path.join(top, "large"), "wb") as f:
    for i in range(3000):
        f.write(i.to_bytes(8, "little") * 1024)
open(os.path.join(top, "empty"), "wb").close()
deep = top
for i in range(7):
    deep = os.path.join(deep, "d" * 100)
    os.mkdir(deep)
with open(os.path.join(deep, "end"), "wb") as f:
    f.write(b"seven hundred characters down")
os.mkdir(os.path.join(top, "links"))
with open(os.path.join(top, "links", "one"), "wb") as f:
    f.write(b"three names" * 1000)
os.link(os.path.join(top, "links", "one"), os.path.join(top, "links", "two"))
os.link(os.path.join(top, "links", "one"), os.path.join(top, "three"))
END
touch -d '2001-02-03 04:05:06.7' "$tree/large"
wine attrib +R "Z:${tree//\//\\}\\empty"
wine attrib +S "Z:${tree//\//\\}\\large"
wine attrib +H "Z:${tree//\//\\}\\links\\one"

sleep 3 # what is younger than two seconds at the start is read again next time
as_win one
quiet win stillpoint init -r "$(at "$world/repository")" --sheet "$(at "$world/sheet")"
expect 0 '' win stillpoint backup "$(at "$tree")"
win stillpoint backup "$(at "$tree")" --json >"$world/second.json" 2>"$world/second.err" ||
    fail "second backup: $(cat "$world/second.err")"
[[ $(json "$world/second.json" 'x[0]["files_new"] + x[0]["files_changed"]') == 0 ]] ||
    fail "nothing changed, and yet: $(cat "$world/second.json")"

# there and back
expect 0 '' win stillpoint restore latest --target "$(at "$world/back")"
back=$world/back/Z$tree
diff -r --no-dereference "$tree" "$back" >"$world/diff" || fail "the restored tree differs: $(head "$world/diff")"
[[ $(stat -c %i "$back/links/one") == $(stat -c %i "$back/three") ]] || fail "the hard links came back as copies"
[[ $(stat -c %Y "$back/large") == $(stat -c %Y "$tree/large") ]] || fail "the time of the large file did not come back"
wine attrib "Z:${back//\//\\}\\large" | tr -d '\r' | grep -q '^.*S.* Z:' || fail "'system' did not come back"
wine attrib "Z:${back//\//\\}\\three" | tr -d '\r' | grep -q '^.*H.* Z:' || fail "'hidden' did not come back"
wine attrib "Z:${back//\//\\}\\empty" | tr -d '\r' | grep -q 'R ' || fail "read-only did not come back"
expect 0 '' win stillpoint verify latest
expect 0 '' win stillpoint check --read-data
# what is there and equal is left alone; what differs is made as in the set
echo changed >"$back/Grüße.txt"
expect 0 '' win stillpoint restore latest --target "$(at "$world/back")"
cmp "$tree/Grüße.txt" "$back/Grüße.txt" || fail "a changed file was not restored again"

# the other program, by the sheet alone
as other
expect 0 '' "$stillpoint" restore latest -r "$world/repository" --recovery-key-file "$world/sheet" --target "$world/linux"
diff -r --no-dereference "$tree" "$world/linux/Z:$tree" >"$world/diff" ||
    fail "what Linux restored differs: $(head "$world/diff")"
[[ $(stat -c %i "$world/linux/Z:$tree/links/one") == $(stat -c %i "$world/linux/Z:$tree/three") ]] ||
    fail "the hard links came back as copies on Linux"
expect 0 '' "$stillpoint" check --read-data -r "$world/repository" --recovery-key-file "$world/sheet"
