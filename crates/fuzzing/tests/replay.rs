//! The committed corpus of every target, and everything that is one step away from it: each input cut at every length, and each of its bits
//! turned over. It needs no fuzzer, so every `cargo test` does it.
//!
//! `LBAK_REPLAY` names a folder with more inputs (one folder in it for each target), which are run as they are.

#![allow(clippy::print_stdout, reason = "a test tells its figures")]

use std::{fs, panic::catch_unwind, path::Path};

use lbak_fuzzing::{TARGETS, Target};

/// What is changed in one target's inputs at most; where there is more to change, places are left out evenly.
fn most_steps(name: &str) -> usize {
    match name {
        // A repository is made, verified, restored and repaired for each; a slow key is stretched; all commands are set up.
        "repository" => 150,
        "slot" => 2_000,
        "arguments" | "config" => 1_500,
        _ => 60_000,
    }
}

fn inputs(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.expect("an entry").path())
        .collect();
    files.sort();
    files.into_iter().map(|file| (file.display().to_string(), fs::read(&file).expect("a file of the corpus"))).collect()
}

/// Every input that is one step away, or as many as there may be.
fn neighbours(input: &[u8], most: usize) -> impl Iterator<Item = (String, Vec<u8>)> {
    let (cuts, bits) = (input.len(), input.len() * 8);
    // An odd stride meets every bit of a byte, in different bytes.
    let stride = match (cuts + bits).div_ceil(most.max(1)) {
        0 | 1 => 1,
        stride => stride | 1,
    };
    (0..cuts + bits).step_by(stride).map(move |step| match step.checked_sub(cuts) {
        None => (format!("cut to {step}"), input[..step].to_vec()),
        Some(bit) => {
            let mut changed = input.to_vec();
            changed[bit / 8] ^= 1 << (bit % 8);
            (format!("bit {bit} turned over"), changed)
        }
    })
}

#[expect(clippy::print_stdout, reason = "what was replayed is said")]
fn replay(name: &str) {
    let Some(&(_, run)): Option<&Target> = TARGETS.iter().find(|(target, _)| *target == name) else {
        panic!("there is no target {name}")
    };
    let run = |what: &str, input: &[u8]| {
        let outcome = catch_unwind(|| run(input));
        assert!(outcome.is_ok(), "{name}: {what}: {}", hex(input));
    };
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(name);
    let seeds = inputs(&corpus);
    assert!(!seeds.is_empty(), "no target without seeds");
    let most = most_steps(name) / seeds.len();
    let mut steps = 0;
    for (file, input) in &seeds {
        run(file, input);
        for (what, input) in neighbours(input, most) {
            run(&format!("{file}, {what}"), &input);
            steps += 1;
        }
    }
    let more = std::env::var_os("LBAK_REPLAY").map(|folder| Path::new(&folder).join(name));
    let more = more.filter(|folder| folder.exists()).map(|folder| inputs(&folder)).unwrap_or_default();
    more.iter().for_each(|(file, input)| run(file, input));
    println!("{name}: {} inputs of the corpus, {steps} that are one step away, {} more", seeds.len(), more.len());
}

fn hex(input: &[u8]) -> String {
    input.iter().map(|byte| format!("{byte:02x}")).collect()
}

macro_rules! replayed {
    ($($name:ident)*) => {
        $(#[test]
        fn $name() {
            replay(stringify!($name));
        })*

        #[test]
        fn every_target_is_replayed_and_known_to_the_fuzzer() {
            let mut names = vec![$(stringify!($name)),*];
            assert_eq!(TARGETS.map(|(name, _)| name).to_vec(), names);
            let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz");
            let manifest = fs::read_to_string(fuzz.join("Cargo.toml")).expect("the fuzzer's workspace");
            let listed = |line: &str| Some(line.strip_prefix("name = \"")?.strip_suffix('"')?.to_owned());
            let bins: Vec<String> = manifest.lines().filter_map(listed).filter(|name| name != "lbak-fuzz").collect();
            assert_eq!(bins, names);
            for name in &names {
                let target = fs::read_to_string(fuzz.join(format!("targets/{name}.rs"))).expect("a file for each");
                assert!(target.contains(&format!("lbak_fuzzing::{name}(input)")), "{name} calls something else");
            }
            names.push("mod");
            names.sort_unstable();
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/targets");
            let mut files: Vec<String> = fs::read_dir(folder)
                .expect("the targets")
                .map(|entry| entry.expect("an entry").path().file_stem().expect("a name").to_string_lossy().into_owned())
                .collect();
            files.sort_unstable();
            assert_eq!(files, names, "a target that nobody calls");
        }
    };
}

replayed! { arguments config directory header keyfile manifest parity path patterns repository segment slot time tree wire }
