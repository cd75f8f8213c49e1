//! The target `keyfile`: `crates/fuzzing/src/targets/keyfile.rs`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| lbak_fuzzing::keyfile(input));
