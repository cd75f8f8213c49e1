//! The target `slot`: `crates/fuzzing/src/targets/slot.rs`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| lbak_fuzzing::slot(input));
