#!/bin/sh
# Plants every bug of this folder (or those named) in a scratch copy, one at a time, and runs the test that should catch it.
# Fails when a bug goes unnoticed, when a patch does not apply, or when what it leaves does not build.
set -u
here=$(cd "$(dirname "$0")" && pwd)
root=$(git -C "$here" rev-parse --show-toplevel)
scratch=$(mktemp -d)
trap 'git -C "$root" worktree remove --force "$scratch/copy" 2>/dev/null; rm -rf "$scratch"' EXIT INT TERM
git -C "$root" worktree add --quiet --detach "$scratch/copy" HEAD || exit 2
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$root/target}"
cd "$scratch/copy" || exit 2
caught=0 missed=0
for patch in "$here"/*.patch; do
    name=$(basename "$patch" .patch)
    case " ${*:-$name} " in *" $name "*) ;; *) continue ;; esac
    git checkout --quiet .
    test=$(sed -n 's/^Caught by: //p' "$patch")
    if ! git apply "$patch"; then
        echo "MISSED  $name: the patch does not apply any more"; missed=$((missed + 1)); continue
    fi
    # shellcheck disable=SC2086  # a command and its words
    if ! $test --no-run >"$scratch/log" 2>&1; then
        echo "MISSED  $name: it does not build"; tail -20 "$scratch/log"; missed=$((missed + 1)); continue
    fi
    # shellcheck disable=SC2086
    if $test >"$scratch/log" 2>&1 || ! grep -q "^test result: FAILED" "$scratch/log"; then
        echo "MISSED  $name: $test"; missed=$((missed + 1))
    else
        echo "caught  $name: $test"; caught=$((caught + 1))
    fi
done
echo "planted bugs: $caught caught, $missed missed"
[ "$missed" -eq 0 ] && [ "$caught" -gt 0 ]
