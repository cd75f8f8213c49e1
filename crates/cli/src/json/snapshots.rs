//! Snapshots: what came of taking one, and what is told of one that is there.

use lbak::{LineageKind, Manifest, SnapshotReport};
use serde::Serialize;

use super::{
    path, paths,
    paths::exclusion_counts,
    patterns::{PatternCount, pattern_counts},
    stream,
    told::{FindingCount, finding_counts},
};
use crate::times;

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
    files_unreadable: u64,
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
    patterns: Vec<PatternCount>,
    damage: Vec<String>,
    lost_sessions: u32,
    spoiled_blocks: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    head: Option<String>,
}

impl SnapshotSummary {
    pub(crate) fn of(
        report: &SnapshotReport,
        excluded: &[lbak::ExclusionCount],
        patterns: &[lbak::patterns::PatternCount],
    ) -> Self {
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
            files_unreadable: report.files.unreadable,
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
            patterns: pattern_counts(patterns),
            damage: report.damage.clone(),
            lost_sessions: report.lost_sessions,
            spoiled_blocks: report.spoiled_blocks,
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
