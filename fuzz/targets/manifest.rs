//! The target `manifest`: `crates/fuzzing/src/targets/manifest.rs`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| lbak_fuzzing::manifest(input));
