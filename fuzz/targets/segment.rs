//! The target `segment`: `crates/fuzzing/src/targets/segment.rs`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| lbak_fuzzing::segment(input));
