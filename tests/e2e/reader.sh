#!/usr/bin/env bash
# The second reader, which knows of the format only what docs/format.md says: it verifies and restores what the
# program wrote, by sheet and by passphrase, without the index and without the copies at the top; and it names
# what is damaged.
. "$(dirname "$0")/lib.bash"

"$python" -c 'import cryptography' 2>/dev/null || skip "python3-cryptography is not installed"
command -v zstd >/dev/null || skip "the program zstd is not installed"

# the page, the programs and the reader mean the same messages
quiet "$python" -B "${SP_SOURCE:?}/tests/reader/messages.py" "$SP_SOURCE"

reader() { "$python" -B "$SP_SOURCE/tests/reader/reader.py" "$@"; }

# flip FILE OFFSET: one bit of the file; a negative offset counts from its end.
flip() {
    "$python" - "$1" "$2" <<'END'
import sys
with open(sys.argv[1], "r+b") as f:
    at = f.seek(int(sys.argv[2]), 2 if sys.argv[2][0] == "-" else 0)
    bit = bytes([f.read(1)[0] ^ 1])
    f.seek(at)
    f.write(bit)
END
}

as one
"$maketree" --small --seed 11 --without deep "$world/tree"
# more segments than one chunk list holds, every second one a hole; an image; a hole from end to end
"$python" - "$world/tree" <<'END'
import os, random, sys
random.seed(11)
with open(sys.argv[1] + "/holes", "wb") as f:
    for i in range(1500):
        f.seek(i << 14)
        f.write(random.randbytes(4096))
    f.truncate(1600 << 14)
with open(sys.argv[1] + "/disk.img", "wb") as f:
    f.write(random.randbytes(1 << 20) + bytes(1 << 20) + b"tail")
os.close(os.open(sys.argv[1] + "/nothing", os.O_CREAT | os.O_WRONLY))
os.truncate(sys.argv[1] + "/nothing", 1 << 30)
END
echo 'pässword' >"$world/passphrase"
quiet "$stillpoint" init -r "$world/repository" --sheet "$world/sheet" --passphrase-file "$world/passphrase"
quiet "$stillpoint" backup "$world/tree"
cp -a "$world/tree" "$world/before"
rm "$world/tree/holes"
echo new >"$world/tree/new file"
quiet "$stillpoint" backup "$world/tree"

sheet=(--sheet "$world/sheet")
passphrase=(--passphrase-file "$world/passphrase")
expect 0 'no block was opened' reader verify "$world/repository"
expect 0 '2 records' reader verify "$world/repository" "${sheet[@]}"
expect 0 '2 records' reader verify "$world/repository" "${passphrase[@]}"
expect 0 complete reader list "$world/repository" "${sheet[@]}"
reader list "$world/repository" "${passphrase[@]}" >"$world/sets"
read -r first _ <"$world/sets"

quiet reader restore "$world/repository" latest "$world/by sheet" "${sheet[@]}"
same "$world/tree" "$world/by sheet$world/tree"
quiet reader restore "$world/repository" latest "$world/by passphrase" "${passphrase[@]}"
same "$world/tree" "$world/by passphrase$world/tree"
quiet reader restore "$world/repository" "$first" "$world/the first" "${sheet[@]}"
same "$world/before" "$world/the first$world/tree"

# a set of NTFS: streams behind the content, what is encrypted, what is elsewhere
golden=$SP_SOURCE/tests/golden/windows
expect 0 '2 records' reader verify "$golden/repository" --sheet "$golden/sheet.txt"
expect 1 'its content was elsewhere' reader restore "$golden/repository" latest "$world/golden" --sheet "$golden/sheet.txt"
(cd "$world/golden$(cat "$golden/source")" && find . -type f -printf '%P\n' | LC_ALL=C sort | xargs -d '\n' sha256sum) >"$world/files"
diff "$golden/streams" "$world/files" >"$world/diff" || fail "of NTFS: $(head -n 5 "$world/diff")"

# what the packs say of themselves is enough: settings and keys are in their trailers too
cp -a "$world/repository" "$world/bare"
rm -r "$world/bare"/{repository.conf,keys,index}
expect 1 'repository.conf' reader restore "$world/bare" latest "$world/from the packs" "${passphrase[@]}"
same "$world/tree" "$world/from the packs$world/tree"

# a key that is not the right one
echo wrong >"$world/wrong"
expect 1 'no slot opens' reader list "$world/repository" --passphrase-file "$world/wrong"

# damaged NAME OFFSET [WORDS]: a bit of that object in a copy; verify must name it, and say the words
damaged() {
    rm -rf "$world/copy"
    cp -a "$world/repository" "$world/copy"
    flip "$world/copy/$1" "$2"
    expect 1 "$1: ${3-}" reader verify "$world/copy" "${sheet[@]}"
}

cd "$world/repository"
pack=$(find packs -type f -size +1M | sort | head -n 1)
for at in 5 200 300000 -100 -20; do damaged "$pack" $at damaged; done
damaged "$(find nodes -type f | sort | head -n 1)" 1000 damaged
for name in hosts/* keys/*/* sets/*/*/* repository.conf; do damaged "$name" 10; done
damaged "$(find keys -type f | sort | head -n 1)" -1
damaged "$(find sets -type f | sort | tail -n 1)" -1 'the signature is wrong'

# lost: a pack, a set within the chain
rm -rf "$world/copy"
cp -a "$world/repository" "$world/copy"
rm "$world/copy/$pack"
expect 1 'is in no intact pack' reader verify "$world/copy" "${sheet[@]}"
cp -a "$pack" "$world/copy/$pack"
rm "$world/copy"/sets/*/*/*-"$first.set"
expect 1 'set number 1 is missing' reader verify "$world/copy" "${sheet[@]}"
echo "reader: ok"
