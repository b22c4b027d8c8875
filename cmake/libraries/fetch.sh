#!/usr/bin/env bash
# usage: fetch.sh FOLDER TO [NAME…]: brings the source packages of `versions`, or those that are named, into FOLDER and
# unpacks them to TO/NAME. By apt from the machine's own Debian mirror, with lists of its own: /etc/apt stays as it is.
# apt holds each file against the signed index of the archive, and this script against `versions`. FOLDER may be shared.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
suite=trixie
mkdir -p "$1" "$2"
folder=$(cd "$1" && pwd -P)
to=$(cd "$2" && pwd -P)
shift 2
apt=$folder/apt

die() {
    printf 'libraries: %s\n' "$*" >&2
    exit 1
}

exec 9>"$folder/lock" # one fetches at a time
flock 9

# The first entry of the machine's own source list, turned to the sources of the suite.
private_list() {
    local file line
    for file in /etc/apt/sources.list.d/debian.sources /etc/apt/sources.list; do
        [[ -s $file ]] || continue
        if [[ $file == *.sources ]]; then
            sed -n '/./,/^$/p;/^$/q' "$file" |
                sed "s/^Types:.*/Types: deb-src/; s/^Suites:.*/Suites: $suite/; s/^Components:.*/Components: main/" \
                    >"$apt/private.sources"
            list=$apt/private.sources
            return
        fi
        line=$(sed -nE "s/^deb +(\[[^]]*\] +)?([^ ]+) .*/deb-src \1\2 $suite main/p;T;q" "$file")
        if [[ $line ]]; then
            printf '%s\n' "$line" >"$apt/private.list"
            list=$apt/private.list
            return
        fi
    done
    die "neither /etc/apt/sources.list.d/debian.sources nor /etc/apt/sources.list names a Debian mirror."
}

# The paragraph of a package as `versions` has it: its files, or with their sums.
files_of() { awk -v name="$1" '/^[^ #]/ { on = $1 == name } on && /^ / { print $2 }' "$here/versions"; }
sums_of() { awk -v name="$1" '/^[^ #]/ { on = $1 == name } on && /^ / { print $1 "  " $2 }' "$here/versions"; }
whole() { (cd "$folder" && sums_of "$1" | sha256sum --check --status 2>/dev/null); }

updated=
ask() { # apt-get and apt-cache, with lists of their own
    local command=$1
    shift
    "$command" -o Dir::Etc::sourcelist="$list" -o Dir::Etc::sourceparts=- -o Dir::State::lists="$apt/lists" \
        -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache= -o APT::Sandbox::User=root "$@"
}
update() {
    [[ ! $updated ]] || return 0
    command -v apt-get >/dev/null || die "no apt-get: the sources of the libraries come from a Debian mirror."
    mkdir -p "$apt/lists/partial"
    private_list
    ask apt-get -qq update >"$apt/log" 2>&1 || {
        cat "$apt/log" >&2
        die "the index of Debian's $suite could not be fetched from the mirror in $list; see above."
    }
    updated=yes
}

# What to write into `versions`, when Debian has moved on.
now() {
    ask apt-cache showsrc --only-source "$1" 2>/dev/null | awk -v name="$1" '
        /^Package: / { version = ""; sums = ""; on = 0 }
        /^Version: / { version = $2 }
        /^Checksums-Sha256:/ { on = 1; next }
        /^[^ ]/ { on = 0 }
        on { sums = sums "    " $1 " " $3 "\n" }
        /^$/ && version != "" { print version "\t" sums; version = "" }
        END { if (version != "") print version "\t" sums }' RS='\n' | sed -n '/./p'
}

fetch() {
    local name=$1 version=$2 what=()
    whole "$name" && return
    update
    files_of "$name" | grep -q '\.dsc$' || what=(--tar-only)
    if ! (cd "$folder" && ask apt-get -q source --download-only "${what[@]}" "$name=$version") \
        >"$apt/log" 2>&1; then
        cat "$apt/log" >&2
        printf '\n%s\n' "Debian's $suite has now, as cmake/libraries/versions would say it:" >&2
        now "$name" | sed "s/^\([^ ][^\t]*\)\t/$name \1\n/" >&2
        die "Debian's mirror does not give $name $version any more (or not now; see above). Take another \
version: in cmake/libraries/versions replace the paragraph of $name by one from above (only files that the mirror \
has), then again."
    fi
    whole "$name" || die "$name $version: a file differs from its SHA-256 in cmake/libraries/versions. Compare \
$(cd "$folder" && sums_of "$name" | sha256sum --check 2>/dev/null | sed -n 's/: FAILED.*//p' | tr '\n' ' ')in \
$folder with what Debian publishes before you change that file."
}

unpack() {
    local name=$1 dsc patch
    rm -rf "${to:?}/$name"
    dsc=$(files_of "$name" | grep '\.dsc$' || true)
    if [[ $dsc ]]; then # with Debian's patches
        (cd "$folder" && dpkg-source --no-check -x "$dsc" "$to/$name") >"$to/$name.unpack" 2>&1 ||
            die "$dsc could not be unpacked: $(tail -n 1 "$to/$name.unpack")"
    else
        mkdir "$to/$name"
        tar -x -f "$folder/$(files_of "$name" | grep '\.orig\.tar\.')" -C "$to/$name" --strip-components=1
    fi
    for patch in "$here/patches/$name"/*.patch; do # our own; each says why
        [[ -e $patch ]] || continue
        patch -d "$to/$name" -p 1 -s -F 0 <"$patch" || die "${patch##*/} does not fit $name any more."
    done
}

mkdir -p "$apt"
while read -r name version; do
    (($# == 0)) || [[ " $* " == *" $name "* ]] || continue
    fetch "$name" "$version"
    unpack "$name"
done < <(grep '^[^ #]' "$here/versions")
