//! Looking into snapshots without restoring anything: the verbs [`find`], [`history`], [`diff`] and [`stats`].
//!
//! ```text
//! find     which snapshots hold a name, snapshot by snapshot
//! history  the same, name by name: in how many snapshots, and how many different contents
//! diff     what differs between two snapshots, or between a snapshot and what is on this machine
//! stats    what snapshots hold alone: what forgetting them would free
//! ```
//!
//! Trees that snapshots share are read once where that is enough to know: `find` never enters a directory again in which it
//! found nothing, `history` walks all snapshots side by side, `diff` passes over directories with equal trees, `stats` visits
//! a tree at most three times. Memory does not grow with the number of files; everything that is found is handed out at once.
//!
//! Damage that is met is a finding: the rest is shown (rule I8). Nothing is written anywhere.

mod wanted;

mod find;

mod history;

mod diff;

mod stats;

pub use diff::{
    Change, ChangeCounts, ChangeKind, DiffOptions, DiffReport, DiffSide, Differing, MetadataField, diff,
    diff_with_source,
};
pub use find::{FindReport, Hit, find};
pub use history::{HistoryReport, PathHistory, PathVersion, history};
pub use stats::{SnapshotWeight, StatsOptions, StatsReport, Weight, stats};

pub use wanted::FindOptions;
