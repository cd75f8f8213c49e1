//! The target `time`: `crates/fuzzing/src/targets/time.rs`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| lbak_fuzzing::time(input));
