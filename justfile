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

# Every fuzz target for so many seconds; what is new goes to fuzz/corpus-local.
fuzz SECONDS="60":
    for target in $(cargo fuzz list); do \
        mkdir -p fuzz/corpus-local/$target && \
        cargo fuzz run $target -s none fuzz/corpus-local/$target fuzz/corpus/$target -- -max_total_time={{SECONDS}} \
        || exit 1; \
    done

# A comparison with other programs: a script that is given the release build of lbak.
peers SCRIPT *ARGUMENTS:
    cargo build --release --package lbak-cli
    BIN_LBAK={{justfile_directory()}}/target/release/lbak {{SCRIPT}} {{ARGUMENTS}}

# The awkward tree with a directory of a million entries and 100,000 levels: there, back and compared. Some minutes, 2 GB.
awkward FOLDER:
    cargo build --release --package lbak-cli
    cargo build --release --package lbak-testkit --example awkward_tree
    scripts/awkward.sh {{justfile_directory()}}/target/release {{FOLDER}}
