//! The target `header`: `crates/fuzzing/src/targets/header.rs`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| lbak_fuzzing::header(input));
