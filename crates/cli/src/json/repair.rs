//! What `lbak repair` found and did.

use lbak::{DamagedPack, Healed, IndexRepairReport, Mended, MendedSnapshot, PacksRepairReport, SnapshotsRepairReport};
use serde::Serialize;

use super::{FindingCount, finding_counts};
use crate::times;

/// What came of `lbak repair config`.
#[derive(Serialize)]
pub(crate) struct ConfigRepaired {
    message_type: &'static str,
    dry_run: bool,
    damaged: bool,
    changed: bool,
}

impl ConfigRepaired {
    pub(crate) fn of(is_damaged: bool, is_changed: bool, dry_run: bool) -> Self {
        Self { message_type: "config_repaired", dry_run, damaged: is_damaged, changed: is_changed }
    }
}

/// What came of `lbak repair index`.
#[derive(Serialize)]
pub(crate) struct IndexRepaired {
    message_type: &'static str,
    dry_run: bool,
    changed: bool,
    whole: bool,
    packs: u64,
    packs_indexed: u64,
    chunks_indexed: u64,
    packs_carried: u64,
    packs_left: u64,
    packs_unknown: Vec<String>,
    segments_set_aside: u64,
    segments_written: u64,
    total_duration: f64,
}

impl IndexRepaired {
    pub(crate) fn of(report: &IndexRepairReport, dry_run: bool) -> Self {
        Self {
            message_type: "index_repaired",
            dry_run,
            changed: report.is_changed,
            whole: report.is_whole(),
            packs: report.packs,
            packs_indexed: report.packs_indexed,
            chunks_indexed: report.chunks_indexed,
            packs_carried: report.packs_carried,
            packs_left: report.packs_left,
            packs_unknown: report.packs_unknown.iter().map(ToString::to_string).collect(),
            segments_set_aside: report.segments_set_aside,
            segments_written: report.segments_written,
            total_duration: report.elapsed.as_secs_f64(),
        }
    }
}

/// One damaged pack.
#[derive(Serialize)]
pub(crate) struct PackRepaired<'a> {
    message_type: &'static str,
    dry_run: bool,
    pack: String,
    message: &'a str,
    known: bool,
    was_marked: bool,
    chunks_elsewhere: u64,
    chunks_salvaged: u64,
    bytes_salvaged: u64,
    chunks_copied: u64,
    chunks_healed: u64,
    /// Absent unless parity gave all of its bytes back.
    #[serde(skip_serializing_if = "Option::is_none")]
    healed: Option<&'static str>,
    chunks_lost: u64,
    bytes_lost: u64,
}

impl<'a> PackRepaired<'a> {
    pub(crate) fn of(pack: &'a DamagedPack, dry_run: bool) -> Self {
        Self {
            message_type: "pack_repaired",
            dry_run,
            pack: pack.pack.to_string(),
            message: &pack.what,
            known: pack.is_known,
            was_marked: pack.was_marked,
            chunks_elsewhere: pack.elsewhere_chunks,
            chunks_salvaged: pack.salvaged_chunks,
            bytes_salvaged: pack.salvaged_bytes,
            chunks_copied: pack.copied_chunks,
            chunks_healed: pack.healed_chunks,
            healed: pack.healed.map(|healed| match healed {
                Healed::PutBack => "put_back",
                Healed::StoredAnew => "stored_anew",
            }),
            chunks_lost: pack.lost_chunks,
            bytes_lost: pack.lost_bytes,
        }
    }
}

/// What came of `lbak repair packs`.
#[derive(Serialize)]
pub(crate) struct PacksSummary {
    message_type: &'static str,
    dry_run: bool,
    whole: bool,
    packs_read: u64,
    packs_damaged: usize,
    packs_healed: usize,
    packs_newer: Vec<String>,
    packs_written: u64,
    bytes_stored: u64,
    chunks_lost: u64,
    total_duration: f64,
}

impl PacksSummary {
    pub(crate) fn of(report: &PacksRepairReport, dry_run: bool) -> Self {
        Self {
            message_type: "summary",
            dry_run,
            whole: report.is_whole(),
            packs_read: report.packs_read,
            packs_damaged: report.damaged.len(),
            packs_healed: report.damaged.iter().filter(|pack| pack.healed.is_some()).count(),
            packs_newer: report.newer.iter().map(ToString::to_string).collect(),
            packs_written: report.packs_written,
            bytes_stored: report.stored_bytes,
            chunks_lost: report.lost_chunks(),
            total_duration: report.elapsed.as_secs_f64(),
        }
    }
}

/// One snapshot of which something is lost.
#[derive(Serialize)]
pub(crate) struct SnapshotRepaired {
    message_type: &'static str,
    dry_run: bool,
    snapshot_id: String,
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    new_snapshot_id: Option<String>,
    files_lost: u64,
    directories_lost: u64,
    bytes_lost: u64,
    findings: Vec<FindingCount>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

impl SnapshotRepaired {
    pub(crate) fn of(snapshot: &MendedSnapshot, dry_run: bool) -> Self {
        let (outcome, new) = match snapshot.outcome {
            Mended::Written(id) => ("written", Some(id)),
            Mended::WouldBe => ("would_be_written", None),
            Mended::Already(id) => ("already_written", Some(id)),
            Mended::Nothing => ("nothing_left", None),
            Mended::TooMuch => ("nothing_written", None),
        };
        Self {
            message_type: "snapshot_repaired",
            dry_run,
            snapshot_id: snapshot.snapshot.to_string(),
            outcome,
            new_snapshot_id: new.map(|id| id.to_string()),
            files_lost: snapshot.lost_files,
            directories_lost: snapshot.lost_directories,
            bytes_lost: snapshot.lost_bytes,
            findings: finding_counts(&snapshot.finding_counts),
            reason: snapshot.reason.clone(),
        }
    }
}

/// What came of `lbak repair snapshots`.
#[derive(Serialize)]
pub(crate) struct SnapshotsSummary {
    message_type: &'static str,
    dry_run: bool,
    snapshots: u64,
    snapshots_hurt: usize,
    total_duration: f64,
}

impl SnapshotsSummary {
    pub(crate) fn of(report: &SnapshotsRepairReport, dry_run: bool) -> Self {
        Self {
            message_type: "summary",
            dry_run,
            snapshots: report.checked,
            snapshots_hurt: report.hurt.len(),
            total_duration: report.elapsed.as_secs_f64(),
        }
    }
}

/// How much of the packs was read, and when.
#[derive(Serialize)]
pub(crate) struct Coverage {
    #[serde(skip_serializing_if = "Option::is_none")]
    max_age: Option<f64>,
    packs: u64,
    packs_covered: u64,
    packs_never_read: u64,
    bytes: u64,
    bytes_covered: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    oldest_read: Option<String>,
}

impl Coverage {
    pub(crate) fn of(coverage: &lbak::Coverage) -> Self {
        Self {
            max_age: coverage.max_age.map(|age| age.as_secs_f64()),
            packs: coverage.packs,
            packs_covered: coverage.packs_covered,
            packs_never_read: coverage.packs_never,
            bytes: coverage.bytes,
            bytes_covered: coverage.bytes_covered,
            oldest_read: coverage.oldest.map(|seconds| times::rfc3339(lbak::Timestamp { seconds, nanoseconds: 0 })),
        }
    }
}
