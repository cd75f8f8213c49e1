//! The target `repository`: `crates/fuzzing/src/targets/repository.rs`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| lbak_fuzzing::repository(input));
