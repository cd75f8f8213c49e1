//! The target `directory`: `crates/fuzzing/src/targets/directory.rs`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| lbak_fuzzing::directory(input));
