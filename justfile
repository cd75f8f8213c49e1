# What is done often. `just` lists it.

_default:
    @just --list

# Everything that must hold.
test:
    cargo test --workspace

# Formatting, warnings, licences and sources of dependencies.
lint:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets -- -D warnings
    cargo deny check licenses bans sources

# The documentation, without that of dependencies.
doc:
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps

# Every bench, about a minute; `just bench --test` runs each once.
bench *ARGUMENTS:
    cargo bench --package lbak -- {{ARGUMENTS}}

# Every fuzz target for so many seconds; what is new goes to fuzz/corpus-local. `LBAK_REPLAY=fuzz/corpus-local cargo test --package lbak-fuzzing` goes through that.
fuzz SECONDS="60":
    for target in $(cargo fuzz list); do \
        mkdir -p fuzz/corpus-local/$target && \
        cargo fuzz run $target -s none fuzz/corpus-local/$target fuzz/corpus/$target -- -max_total_time={{SECONDS}} -timeout=60 -rss_limit_mb=1024 \
        || exit 1; \
    done

# A comparison with other programs: a script that is given the release build of lbak.
peers SCRIPT *ARGUMENTS:
    cargo build --release --package lbak-cli
    BIN_LBAK={{justfile_directory()}}/target/release/lbak {{SCRIPT}} {{ARGUMENTS}}

# lbak beside restic, rustic, bupstash and borg, as far as they are on PATH: OLD and NEW are two states of one tree; more trees may follow. See docs/benchmarks.md.
bench-peers OLD NEW *ARGUMENTS:
    cargo build --release --package lbak-cli
    BIN_LBAK=target/release/lbak benches/peers.py {{OLD}} {{NEW}} {{ARGUMENTS}}

# The awkward tree with a directory of a million entries and 100,000 levels: there, back and compared. Some minutes, 2 GB.
awkward FOLDER:
    cargo build --release --package lbak-cli
    cargo build --release --package lbak-testkit --example awkward_tree
    scripts/awkward.sh {{justfile_directory()}}/target/release {{FOLDER}}

_scale:
    cargo build --release --package lbak-cli
    cargo build --release --package lbak-testkit --example scale

# A million small files beside `find` (and beside restic and bupstash, where RESTIC and BUPSTASH name them). A quarter of an hour, 12 GB (14 GB with both), 8 GB of memory.
scale-files DIR *ARGUMENTS: _scale
    BIN_LBAK=target/release/lbak BIN_SCALE=target/release/examples/scale scripts/scale/files.py {{DIR}} {{ARGUMENTS}}

# One file of 1, 5 and 20 GiB, streamed in and out: time, cores, memory. Some minutes, 6 GB.
scale-file DIR *ARGUMENTS: _scale
    BIN_LBAK=target/release/lbak BIN_SCALE=target/release/examples/scale scripts/scale/file.py {{DIR}} {{ARGUMENTS}}

# An index of so many chunks, so many in a pack: built, merged, opened, asked. 180 bytes of disk per chunk.
scale-index DIR CHUNKS="100_000_000" PACK="128": _scale
    target/release/examples/scale index {{DIR}} {{CHUNKS}} {{PACK}}

# A repository of so many small segments and snapshots: opened, asked. DIR best lies in memory: 20,000 small files are synced.
scale-segments DIR COUNT="10_000": _scale
    target/release/examples/scale segments {{DIR}} {{COUNT}}

# Time and memory of 1, 10 and 50 GB; draws docs/growth.svg. A quarter of an hour, 14 GB.
scale-growth DIR *ARGUMENTS: _scale
    BIN_LBAK=target/release/lbak BIN_SCALE=target/release/examples/scale scripts/scale/growth.py {{DIR}} docs/growth.svg {{ARGUMENTS}}

# The long form of docs/guarantees.md: every byte, thousands of power cuts, kills and random sequences, planted bugs, half an hour of each fuzz target. Half a day; SEED chooses others.
prove SEED="1" KILLS="1000" FUZZ_SECONDS="1800":
    RIG=long RIG_SEED={{SEED}} cargo test --package lbak --test rig -- --nocapture
    RIG_KILLS={{KILLS}} RIG_DISK_STEP_KIB=64 RIG_SEED={{SEED}} cargo test --package lbak-cli --test cli kills:: -- --nocapture
    tests/planted/run.sh
    just fuzz {{FUZZ_SECONDS}}

# Bugs that others had, planted in a scratch copy one at a time: the test that each names must fail. `just planted p07-no-sync-of-files` plants one.
planted *NAMES:
    tests/planted/run.sh {{NAMES}}
