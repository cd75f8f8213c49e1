//! The target `patterns`: `crates/fuzzing/src/targets/patterns.rs`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| lbak_fuzzing::patterns(input));
