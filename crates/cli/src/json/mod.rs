//! JSON lines: one object per line, told apart by `message_type`. `docs/json.md` describes them, and is a promise: fields are
//! added, never renamed or removed.
//!
//! Key names are restic's where the meaning is the same, so that its wrappers are ported quickly. Paths are strings
//! in which control characters and bytes that are not UTF-8 stand as `\xNN` and a backslash as `\\`.

mod dump;
pub(crate) mod inspect;
pub(crate) mod object;
pub(crate) mod parity;
mod paths;
mod patterns;
pub(crate) mod repair;
pub(crate) mod repair_records;
mod restored;
mod snapshots;
mod stream;
pub(crate) mod tag;
mod told;
mod verified;

use serde::Serialize;

pub(crate) use self::dump::DumpSummary;
pub(crate) use self::paths::PathLine;
pub(crate) use self::patterns::{PatternCount, pattern_counts};
pub(crate) use self::restored::RestoredEntry;
pub(crate) use self::snapshots::{Snapshot, SnapshotSummary};
pub(crate) use self::told::{ExitError, Finding, FindingCount, Note, Status, finding_counts};
pub(crate) use self::verified::{Damage, HurtSnapshot, VerifySummary};

/// Raw path bytes as they stand in JSON.
pub(crate) fn path(bytes: &[u8]) -> String {
    lbak::escape(bytes)
}

/// What came of `lbak init`.
#[derive(Serialize)]
pub(crate) struct Initialized<'a> {
    pub(crate) message_type: &'static str,
    pub(crate) id: String,
    pub(crate) repository: &'a str,
    pub(crate) slots: usize,
}

/// What came of `lbak restore`.
#[derive(Serialize)]
pub(crate) struct RestoreSummary {
    pub(crate) message_type: &'static str,
    pub(crate) dry_run: bool,
    pub(crate) snapshot_id: String,
    /// Absent with `--original`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) target: Option<String>,
    pub(crate) total_duration: f64,
    pub(crate) files_restored: u64,
    pub(crate) directories: u64,
    pub(crate) links: u64,
    pub(crate) others: u64,
    pub(crate) bytes_restored: u64,
    pub(crate) files_lost: u64,
    pub(crate) entries_created: u64,
    pub(crate) entries_updated: u64,
    pub(crate) entries_unchanged: u64,
    pub(crate) entries_deleted: u64,
    pub(crate) directories_spared: u64,
    pub(crate) bytes_written: u64,
    /// Absent without `--verify`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) files_verified: Option<u64>,
    pub(crate) findings: Vec<FindingCount>,
    pub(crate) patterns: Vec<PatternCount>,
}

/// One name of `lbak ls`.
#[derive(Serialize)]
pub(crate) struct Node {
    pub(crate) message_type: &'static str,
    pub(crate) path: String,
    pub(crate) name: String,
    #[serde(rename = "type")]
    pub(crate) kind: &'static str,
    pub(crate) mode: u32,
    pub(crate) permissions: String,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) user: String,
    pub(crate) group: String,
    pub(crate) size: u64,
    pub(crate) mtime: String,
    pub(crate) ctime: String,
    pub(crate) inode: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) linktarget: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) device_major: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) device_minor: Option<u32>,
}

/// One key slot of `lbak key list`, or the one that another `lbak key …` was about.
#[derive(Default, Serialize)]
pub(crate) struct Key {
    pub(crate) message_type: &'static str,
    pub(crate) id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) form: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) memory_kib: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) passes: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) lanes: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) opened_by: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) label: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) created: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) replaced: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) damage: Option<String>,
}

/// Objects in one folder of the repository.
#[derive(Serialize)]
pub(crate) struct FolderStats {
    pub(crate) message_type: &'static str,
    pub(crate) folder: &'static str,
    pub(crate) objects: u64,
    pub(crate) bytes: u64,
}

/// What came of `lbak stats`.
#[derive(Serialize)]
pub(crate) struct Stats {
    pub(crate) message_type: &'static str,
    pub(crate) repository_id: String,
    pub(crate) snapshots: u64,
    pub(crate) snapshots_damaged: u64,
    pub(crate) chunks: u64,
    pub(crate) segments: u64,
    pub(crate) objects: u64,
    pub(crate) stored_bytes: u64,
    pub(crate) logical_bytes: u64,
}
