#!/usr/bin/env bash
# An SFTP account on a full file system, of OpenSSH (which says "failure" and lets one ask for the room) and of one
# without any extension (where nobody can ask): exit 2 and words that tell, older sets stay good, and with room again the
# next run is whole.
. "$(dirname "$0")/../sftp/client.bash"
. "$(dirname "$0")/odd.bash"
trap finish EXIT # no scenes here

sftp_has small || skip "needs root to mount"
small_account 12
start_sshd

# full ACCOUNT WORDS WORDS: what is said when it is full.
full() {
    local kind=$1
    as "$kind"
    plant
    new_repository "$kind" "$(inside small "r-$kind")"
    the_first
    alter 20000
    expect 2 "$2" "$stillpoint" backup "$tree"
    expect 2 "$3" "$stillpoint" backup "$tree"
    [[ $(set_count) == 1 ]] || fail "$kind: a failed run left a set"
    expect 0 '' "$stillpoint" check --read-data
    old_comes_back
    head -c 1G /dev/zero >"$sftp/small/ballast" 2>/dev/null || true # to the last block
    expect 2 "$2" "$stillpoint" backup "$tree"
    expect 0 '' "$stillpoint" check --read-data
    old_comes_back
    rm "$sftp/small/ballast" "$tree"/new*
    alter 1000
    quiet "$stillpoint" backup "$tree"
    comes_back
    old_comes_back
    expect 0 '' "$stillpoint" check --read-data
    [[ -z $(find "$sftp/small/r-$kind/tmp" -type f) ]] || fail "$kind: failed runs left temporary files"
    rm -rf "$sftp/small/r-$kind" "$world"/tree "$world"/first*
}

full plain 'no room' 'make room'
# Where nobody can ask for the room, the server's own word is all there is.
full noext 'the server says: Failure' "$sftp/small/r-noext"
echo "sftp_full: $SECONDS s: ok"
