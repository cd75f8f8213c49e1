//! Looking into snapshots: what every verb that reads trees needs before it does its own work.
//!
//! ```text
//! Chunks    trees and lists, found also where the index is damaged or was rewritten meanwhile
//! select    the roots of a snapshot, or what a path names
//! Findings  what went wrong, counted, the first in full
//! ```
//!
//! Damage costs what lies in it and nothing else (rule I8): [`open_tree`] and [`pass`] turn it into findings.

mod findings;

mod chunks;

mod select;

pub use chunks::Chunks;
pub use findings::{Findings, in_words};
pub use select::{Selected, components, find, join, open_tree, pass, roots, select};
