//! The target `config`: `crates/fuzzing/src/targets/config.rs`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| lbak_fuzzing::config(input));
