//! The target `tree`: `crates/fuzzing/src/targets/tree.rs`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| lbak_fuzzing::tree(input));
