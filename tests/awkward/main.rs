//! One tree with everything that is hard to keep (see `lbak_testkit::awkward`): what comes back is compared with what
//! was there, on a disk and in memory, by root and by an ordinary user.

#![cfg(target_os = "linux")]
#![allow(clippy::print_stderr, reason = "what an ordinary user saw, and what stays")]

mod ground;

mod ordinary;
mod round_trips;
mod targets;
