//! Tests for lbak and for anyone's backend.
//!
//! - [`conformance`] checks a [`Backend`](lbak_core::backend::Backend) against its contract, rule by rule.
//! - [`FaultyBackend`], [`CrashingBackend`] and [`RecordingBackend`] wrap a backend: they fail where they are told to, die
//!   after so many operations, and write down what was asked. They are values and go into one another.
//! - [`MeddlingBackend`] lets others act while a verb is at work, just before or after an operation.
//! - [`MisreadingBackend`] reads wrongly what lies rightly, until it is told to forget.
//! - [`PowerCutBackend`] loses its power: what it had not acknowledged is lost, kept or torn at any byte.
//! - [`trees`] makes up small directories full of what is hard to keep, writes them to disk and compares them.
//! - [`not_run`] says what a test could not try on this machine, where a harness does not swallow it.
//! - [`objects`] makes objects that prove themselves, without keys.
//!
//! Whoever has written a backend tests it like this:
//!
//! ```
//! use lbak_core::backend::MemoryBackend;
//!
//! lbak_testkit::conformance::check(&mut || Box::new(MemoryBackend::new()));
//! ```
//!
//! And whoever wants to know what happens when the store fails at the third pack:
//!
//! ```
//! use lbak_core::backend::{Backend, BackendErrorKind, MemoryBackend};
//! use lbak_testkit::{Effect, Fault, FaultyBackend, Operation, RecordingBackend, objects};
//!
//! let fault = Fault::new(Operation::Put, Effect::FailBefore(BackendErrorKind::Full)).on("packs/").after(2).once();
//! let backend = RecordingBackend::new(FaultyBackend::new(MemoryBackend::new(), [fault]));
//! for byte in 0..4_u8 {
//!     let (name, pack) = objects::pack(vec![byte; 100]);
//!     assert_eq!(backend.put(&name, &pack).is_err(), byte == 2);
//! }
//! assert_eq!(backend.count(Operation::Put, "packs/"), 4);
//! ```
//!
//! It panics where a test should fail, so it belongs under `dev-dependencies`.

#[cfg(target_os = "linux")]
pub mod awkward;
pub mod compare;
pub mod conformance;
mod crashing;
mod faulty;
mod meddling;
mod misreading;
mod not_run;
pub mod objects;
mod operation;
mod power;
mod recording;
pub mod trees;

pub use crashing::{CrashingBackend, LastChange};
pub use faulty::{Effect, Fault, FaultyBackend};
pub use meddling::MeddlingBackend;
pub use misreading::MisreadingBackend;
pub use not_run::not_run;
pub use operation::Operation;
pub use power::{Fate, PowerCutBackend, Unacknowledged};
pub use recording::{Record, RecordingBackend};
