#!/bin/sh
# Makes the awkward tree at its largest in a folder that is not there yet, takes a snapshot, takes it again, restores it,
# compares, and removes everything: with the programs of a folder, telling time and peak memory of each step.
set -eu
programs=$1
folder=$2
tree() { "$programs/examples/awkward_tree" "$@"; }
measured() {
    echo "== $*"
    if [ -x /usr/bin/time ]; then /usr/bin/time -f '== %e s, at most %M KB' "$@"; else "$@"; fi
}

tree "$folder" --crowd 1000000 --levels 100000 | grep -v '^made '
trap 'tree --remove "$folder"' EXIT
trap 'exit 1' HUP INT TERM
# Files settle for a minute; until then they are read again.
sleep 61
LBAK_REPOSITORY=$folder/repository
LBAK_KEY_FILE=$folder/key
export LBAK_REPOSITORY LBAK_KEY_FILE
"$programs/lbak" -q init
# 3: what is unreadable to an ordinary user is left out.
measured "$programs/lbak" snapshot "$folder/tree" || [ $? = 3 ]
measured "$programs/lbak" snapshot "$folder/tree" || [ $? = 3 ]
measured "$programs/lbak" restore latest "$folder/back"
measured "$programs/lbak" verify --read-data
# Sockets are different; as an ordinary user, what he has closed to himself is too.
measured "$programs/examples/awkward_tree" --compare "$folder/tree" "$folder/back" || true
