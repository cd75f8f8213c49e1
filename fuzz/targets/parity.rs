//! The target `parity`: `crates/fuzzing/src/targets/parity.rs`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| lbak_fuzzing::parity(input));
