//! The rig that proves `docs/guarantees.md`: every byte spoilt, the power cut at every change, and a naive model that says what
//! must come back. Each test prints its figures.
//!
//! `cargo test` runs a slice of each. `RIG=long` (what `just prove` sets) runs all of it; `RIG_SEED` chooses another
//! slice and other random sequences. The seed is printed.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test may panic, and its figures are for people")]

mod blackout;
mod durable;
mod every_byte;
mod oracle;
mod power;
mod support;
mod trace;
mod writing;
