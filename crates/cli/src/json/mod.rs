//! JSON lines: one object per line, told apart by `message_type`. `docs/json.md` describes them, and is a promise: fields are
//! added, never renamed or removed.
//!
//! Key names are restic's where the meaning is the same, so that its wrappers are ported quickly. Paths are strings
//! in which control characters and bytes that are not UTF-8 stand as `\xNN` and a backslash as `\\`.

mod dump;
pub(crate) mod inspect;
pub(crate) mod object;
mod paths;
mod restored;
mod stream;
pub(crate) mod tag;

use lbak::{LineageKind, Manifest, SnapshotReport, Stage, observe};
use serde::Serialize;

pub(crate) use self::dump::DumpSummary;
use crate::times;

pub(crate) use self::paths::{PathLine, exclusion_counts};
pub(crate) use self::restored::RestoredEntry;

/// Raw path bytes as they stand in JSON.
pub(crate) fn path(bytes: &[u8]) -> String {
    lbak::escape(bytes)
}

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

/// What came of `lbak init`.
#[derive(Serialize)]
pub(crate) struct Initialized<'a> {
    pub(crate) message_type: &'static str,
    pub(crate) id: String,
    pub(crate) repository: &'a str,
    pub(crate) slots: usize,
}

/// What came of `lbak snapshot`.
#[derive(Serialize)]
pub(crate) struct SnapshotSummary {
    message_type: &'static str,
    dry_run: bool,
    /// Absent after a dry run.
    #[serde(skip_serializing_if = "Option::is_none")]
    snapshot_id: Option<String>,
    lineage_asked: &'static str,
    lineage: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    compared_with: Option<String>,
    backup_start: String,
    backup_end: String,
    total_duration: f64,
    files_new: u64,
    files_changed: u64,
    files_unmodified: u64,
    files_read_again: u64,
    total_files_processed: u64,
    directories: u64,
    links: u64,
    others: u64,
    total_bytes_processed: u64,
    bytes_read: u64,
    data_added: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    data_added_packed: Option<u64>,
    complete: bool,
    findings: Vec<FindingCount>,
    excluded: Vec<paths::ExclusionCount>,
    damage: Vec<String>,
    lost_sessions: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    head: Option<String>,
}

impl SnapshotSummary {
    pub(crate) fn of(report: &SnapshotReport, excluded: &[lbak::ExclusionCount]) -> Self {
        let is_dry_run = report.head.is_none();
        Self {
            message_type: "summary",
            dry_run: is_dry_run,
            snapshot_id: (!is_dry_run).then(|| report.snapshot.to_string()),
            lineage_asked: asked(report.asked),
            lineage: report.lineage.name(),
            compared_with: report.lineage.compared_with().map(|id| id.to_string()),
            backup_start: times::rfc3339(report.started_at),
            backup_end: times::rfc3339(report.ended_at),
            total_duration: report.elapsed.as_secs_f64(),
            files_new: report.files.new,
            files_changed: report.files.changed,
            files_unmodified: report.files.unchanged,
            files_read_again: report.files.unsettled,
            total_files_processed: report.totals.files,
            directories: report.totals.directories,
            links: report.totals.links,
            others: report.totals.others,
            total_bytes_processed: report.sizes.logical,
            bytes_read: report.files.read_bytes,
            data_added: report.sizes.new,
            data_added_packed: (!is_dry_run).then_some(report.sizes.stored),
            complete: report.is_complete,
            findings: finding_counts(&report.finding_counts),
            excluded: exclusion_counts(excluded),
            damage: report.damage.clone(),
            lost_sessions: report.lost_sessions,
            head: report.head.map(|head| head.to_string()),
        }
    }
}

fn asked(kind: LineageKind) -> &'static str {
    match kind {
        LineageKind::Incremental => "incremental",
        LineageKind::Differential => "differential",
        LineageKind::Full => "full",
    }
}

/// One snapshot, as `lbak snapshots`, `restore` and `ls` tell of it.
#[derive(Serialize)]
pub(crate) struct Snapshot {
    message_type: &'static str,
    id: String,
    short_id: String,
    time: String,
    started_at: String,
    ended_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    point_in_time: Option<String>,
    hostname: String,
    username: String,
    paths: Vec<String>,
    #[serde(flatten)]
    origin: stream::Origin,
    tags: Vec<String>,
    description: String,
    program_version: String,
    lineage: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    compared_with: Option<String>,
    root: String,
    files: u64,
    directories: u64,
    links: u64,
    others: u64,
    logical_bytes: u64,
    new_bytes: u64,
    stored_bytes: u64,
    complete: bool,
    findings: Vec<FindingCount>,
    is_from_the_future: bool,
}

impl Snapshot {
    pub(crate) fn of(manifest: &Manifest, now: lbak::Timestamp) -> Self {
        Self {
            message_type: "snapshot",
            id: manifest.id.to_string(),
            short_id: manifest.id.short(),
            time: times::rfc3339(manifest.point_in_time.unwrap_or(manifest.ended_at)),
            started_at: times::rfc3339(manifest.started_at),
            ended_at: times::rfc3339(manifest.ended_at),
            point_in_time: manifest.point_in_time.map(times::rfc3339),
            hostname: manifest.host.clone(),
            username: manifest.user.clone(),
            paths: manifest.paths.iter().map(|bytes| path(bytes)).collect(),
            origin: stream::Origin::of(&manifest.source),
            tags: manifest.tags.clone(),
            description: manifest.description.clone(),
            program_version: manifest.program.clone(),
            lineage: manifest.lineage.name(),
            compared_with: manifest.lineage.compared_with().map(|id| id.to_string()),
            root: manifest.root.to_string(),
            files: manifest.totals.files,
            directories: manifest.totals.directories,
            links: manifest.totals.links,
            others: manifest.totals.others,
            logical_bytes: manifest.sizes.logical,
            new_bytes: manifest.sizes.new,
            stored_bytes: manifest.sizes.stored,
            complete: manifest.is_complete,
            findings: finding_counts(&manifest.findings.counts),
            is_from_the_future: manifest.ended_at > now,
        }
    }
}

/// An object that is damaged.
#[derive(Serialize)]
pub(crate) struct Damage {
    pub(crate) message_type: &'static str,
    pub(crate) object: String,
    pub(crate) message: String,
    /// How often more was found wrong with it.
    pub(crate) more: u64,
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
}

/// A snapshot that damage hurts.
#[derive(Serialize)]
pub(crate) struct HurtSnapshot {
    pub(crate) message_type: &'static str,
    pub(crate) snapshot_id: String,
    pub(crate) path_count: u64,
    pub(crate) paths: Vec<String>,
}

/// What came of `lbak verify`.
#[derive(Serialize)]
pub(crate) struct VerifySummary {
    pub(crate) message_type: &'static str,
    pub(crate) sound: bool,
    pub(crate) num_errors: usize,
    pub(crate) snapshots_hurt: usize,
    pub(crate) objects: u64,
    pub(crate) packs: u64,
    pub(crate) packs_read: u64,
    pub(crate) unreferenced_packs: u64,
    pub(crate) unreferenced_bytes: u64,
    pub(crate) snapshots: u64,
    pub(crate) trees: u64,
    pub(crate) chunks: u64,
    pub(crate) bytes_read: u64,
    pub(crate) total_duration: f64,
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
