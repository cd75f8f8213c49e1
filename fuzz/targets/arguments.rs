//! The target `arguments`: `crates/fuzzing/src/targets/arguments.rs`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| lbak_fuzzing::arguments(input));
