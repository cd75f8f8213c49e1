//! What is told while a command works, and when it ends: how far it is, findings, notes, the error.

use lbak::{Stage, observe};
use serde::Serialize;

use super::path;

/// Why the program ended; on standard error.
#[derive(Serialize)]
pub(crate) struct ExitError<'a> {
    pub(crate) message_type: &'static str,
    pub(crate) code: u8,
    pub(crate) message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) hint: Option<&'a str>,
}

/// A `note` or a `warning`; on standard error.
#[derive(Serialize)]
pub(crate) struct Note<'a> {
    pub(crate) message_type: &'static str,
    pub(crate) message: &'a str,
}

/// How far the work is.
#[derive(Serialize)]
pub(crate) struct Status {
    message_type: &'static str,
    stage: &'static str,
    seconds_elapsed: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    seconds_remaining: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    percent_done: Option<f64>,
    files_done: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    total_files: Option<u64>,
    bytes_done: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    total_bytes: Option<u64>,
    data_added: u64,
    data_added_packed: u64,
}

impl Status {
    pub(crate) fn of(stage: Option<Stage>, progress: &observe::Progress, elapsed: f64, remaining: Option<u64>) -> Self {
        let percent_done = progress
            .total_bytes
            .filter(|total| *total > 0)
            .map(|total| (progress.bytes as f64 / total as f64).min(1.0));
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "seconds since the program began")]
        let seconds_elapsed = elapsed as u64;
        Self {
            message_type: "status",
            stage: stage_name(stage),
            seconds_elapsed,
            seconds_remaining: remaining,
            percent_done,
            files_done: progress.files,
            total_files: progress.total_files,
            bytes_done: progress.bytes,
            total_bytes: progress.total_bytes,
            data_added: progress.new_bytes,
            data_added_packed: progress.stored_bytes,
        }
    }
}

fn stage_name(stage: Option<Stage>) -> &'static str {
    match stage {
        None | Some(Stage::Opening) => "opening",
        Some(Stage::Capturing) => "capturing",
        Some(Stage::Committing) => "committing",
        Some(Stage::Planning) => "planning",
        Some(Stage::Restoring) => "restoring",
        Some(Stage::Structure) => "structure",
        Some(Stage::ReadingData) => "reading_data",
        Some(_) => "other",
    }
}

/// Something wrong that did not stop the work.
#[derive(Serialize)]
pub(crate) struct Finding {
    message_type: &'static str,
    kind: &'static str,
    item: String,
    message: String,
    is_incomplete: bool,
    is_damage: bool,
}

impl Finding {
    pub(crate) fn of(finding: &lbak::Finding) -> Self {
        Self {
            message_type: "finding",
            kind: finding_kind(finding.kind),
            item: path(&finding.path),
            message: finding.message.clone(),
            is_incomplete: finding.kind.is_incomplete(),
            is_damage: finding.kind.is_damage(),
        }
    }
}

/// Names are part of the promise; those for people are not.
fn finding_kind(kind: lbak::FindingKind) -> &'static str {
    use lbak::FindingKind as Kind;
    match kind {
        Kind::Unreadable => "unreadable",
        Kind::Vanished => "vanished",
        Kind::Changed => "changed",
        Kind::Skipped => "skipped",
        Kind::MetadataUnread => "metadata_unread",
        Kind::MetadataUnset => "metadata_unset",
        Kind::Unwritable => "unwritable",
        Kind::Lost => "lost",
        Kind::DamagedObject => "damaged_object",
        Kind::ParentUnread => "parent_unread",
        Kind::Misread => "misread",
        _ => "other",
    }
}

/// Findings of one kind.
#[derive(Serialize)]
pub(crate) struct FindingCount {
    kind: &'static str,
    count: u64,
}

pub(crate) fn finding_counts(counts: &[lbak::FindingCount]) -> Vec<FindingCount> {
    counts.iter().map(|count| FindingCount { kind: finding_kind(count.kind), count: count.count }).collect()
}
