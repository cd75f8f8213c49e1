//! The target `wire`: `crates/fuzzing/src/targets/wire.rs`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| lbak_fuzzing::wire(input));
