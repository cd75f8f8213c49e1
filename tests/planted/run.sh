#!/bin/sh
# Plants every bug of this folder (or those named) in a copy of the checkout, one at a time, and runs the test that should
# catch it. Every such test must first pass without its bug. Fails when a bug goes unnoticed, when a patch does not apply, when
# what it leaves does not build, or when a test fails without it.
#
#     tests/planted/run.sh                          all of them
#     tests/planted/run.sh p07-no-sync-of-files     one
#
# Some tests need `strace`, or the right to mount (`unshare`): where they can not run, their bugs go unnoticed, and that is said.
#
# The copy is `target/planted` and stays, so that each bug, and each further run, costs an incremental build. What is not
# committed yet is in it, too.
set -u
here=$(cd "$(dirname "$0")" && pwd)
root=$(git -C "$here" rev-parse --show-toplevel) || exit 2
copy=$root/target/planted
mkdir -p "$copy" "${CARGO_TARGET_DIR:=$root/target}" || exit 2
CARGO_TARGET_DIR=$(cd "$CARGO_TARGET_DIR" && pwd)
export CARGO_TARGET_DIR CARGO_INCREMENTAL=1 CARGO_TERM_COLOR=never
# The copy lies inside another checkout: without this, `git apply` would take its paths for those of that one, and do nothing.
export GIT_CEILING_DIRECTORIES="$root/target"
# A planted bug may make a test wait for ever.
limit=${PLANTED_LIMIT_SECONDS:-900}

exec 9>"$root/target/planted.lock"
flock -n 9 || { echo "another run is using $copy" >&2; exit 2; }
work=$(mktemp -d) || exit 2
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

# Makes the copy equal to the checkout. Only what differs is written: cargo builds again what is newer than its last build, and
# what an interrupted run left planted must be newer than that, too. Without `.cargo`: cargo finds that of the checkout above, and
# with the same flags twice it would build every dependency anew.
refresh() {
    (cd "$root" && git ls-files --cached --others --exclude-standard) | grep -v '^\.cargo/' >"$work/files"
    while IFS= read -r file; do
        [ -f "$root/$file" ] || continue
        cmp -s "$root/$file" "$copy/$file" && continue
        mkdir -p "$copy/$(dirname "$file")" && cp "$root/$file" "$copy/$file" || exit 2
    done <"$work/files"
    (cd "$copy" && find . -type f -not -path './.cargo/*') | sed 's|^\./||' | sort >"$work/there"
    sort "$work/files" | comm -13 - "$work/there" | while IFS= read -r file; do rm -f "$copy/$file"; done
}

# Gives the packages of the copy a profile that is another to cargo and the same in effect. Without it the copy and the checkout have the
# same names in the folder of builds, and what was built from the one, planted bugs too, is taken for the other.
part() {
    mkdir -p "$copy/.cargo" || exit 2
    for manifest in "$root/Cargo.toml" "$root"/crates/*/Cargo.toml; do
        sed -n '/^name = /{s/^name = "\(.*\)"$/[profile.dev.package.\1]/p;q}' "$manifest" && echo "codegen-units = 255"
    done >"$work/config"
    cmp -s "$work/config" "$copy/.cargo/config.toml" || cp "$work/config" "$copy/.cargo/config.toml" || exit 2
}

field() { sed -n "s/^$2: //p" "$here/$1.patch"; }

# Runs the words of a test command; says `passed`, `failed`, or what else came of it.
run() {
    # shellcheck disable=SC2086  # a command and its words
    if ! $1 --no-run >"$work/log" 2>&1; then
        echo "does not build"
        return
    fi
    # shellcheck disable=SC2086
    timeout "$limit" $1 >"$work/log" 2>&1
    status=$?
    if [ "$status" -eq 124 ]; then
        echo "still running after $limit s"
    elif grep -q '^test result: FAILED' "$work/log"; then
        echo "failed"
    elif [ "$status" -ne 0 ]; then
        echo "ended with $status and no result"
    elif ! grep -q '^test result: ok. [1-9]' "$work/log"; then
        echo "names no test"
    else
        echo "passed"
    fi
}

failed_tests() { sed -n 's/^test \(.*\) \.\.\. FAILED$/\1/p' "$work/log" | sort -u | tr '\n' ' '; }

say() { printf '%-7s %5ss  %-44s %s\n' "$1" "$2" "$3" "$4" | tee -a "$work/table"; }

now() { date +%s; }

refresh
part
cd "$copy" || exit 2
began=$(now)

# Bugs in the same files follow each other, so that less is built again.
for patch in "$here"/*.patch; do
    name=$(basename "$patch" .patch)
    case " ${*:-$name} " in *" $name "*) ;; *) continue ;; esac
    printf '%s\t%s\n' "$(sed -n 's|^+++ b/||p' "$patch" | head -1)" "$name"
done | sort | cut -f 2 >"$work/names"
for name in "$@"; do
    grep -qx -- "$name" "$work/names" || { echo "there is no $here/$name.patch" >&2; exit 2; }
done

echo "without any bug:"
while IFS= read -r name; do field "$name" "Caught by"; done <"$work/names" | sort -u >"$work/commands"
: >"$work/sound"
while IFS= read -r command <&3; do
    start=$(now)
    outcome=$(run "$command")
    printf '%-7s %5ss  %s\n' "$outcome" "$(($(now) - start))" "$command"
    if [ "$outcome" = passed ]; then
        echo "$command" >>"$work/sound"
    else
        tail -20 "$work/log"
    fi
done 3<"$work/commands"

echo "planted:"
caught=0 missed=0
while IFS= read -r name <&3; do
    start=$(now)
    command=$(field "$name" "Caught by")
    if ! grep -qxF -- "$command" "$work/sound"; then
        outcome="its test does not pass without it"
    elif ! git apply "$here/$name.patch" 2>"$work/log"; then
        outcome="the patch does not apply any more"
    else
        outcome=$(run "$command")
        git apply -R "$here/$name.patch" || refresh
    fi
    if [ "$outcome" = failed ]; then
        caught=$((caught + 1))
        say caught "$(($(now) - start))" "$name" "$(failed_tests)"
    else
        missed=$((missed + 1))
        say MISSED "$(($(now) - start))" "$name" "$outcome: $command"
        [ "$outcome" = passed ] || tail -20 "$work/log"
    fi
done 3<"$work/names"

printf '\n%-7s %6s  %-44s %s\n' "" "" "bug" "failed with it"
cat "$work/table"
echo "planted bugs: $caught of $((caught + missed)) caught, in $(($(now) - began)) s"
[ "$missed" -eq 0 ] && [ "$caught" -gt 0 ]
