//! The verbs of this crate over repositories in memory.

mod support;

mod diff;
mod diff_source;
mod find;
mod history;
mod stats;
