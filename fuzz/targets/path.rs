//! The target `path`: `crates/fuzzing/src/targets/path.rs`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| lbak_fuzzing::path(input));
