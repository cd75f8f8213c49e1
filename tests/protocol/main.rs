//! Writers beside collectors, faults and crashes: what section 10 of `docs/format.md` promises, tried.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod house;
mod meddling;
mod objects;
mod sweep;

mod access;
mod closed;
mod damage;
mod faults;
mod features;
mod loss;
mod misread;
mod reclaiming;
mod streams;
