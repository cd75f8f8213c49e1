//! What `find`, `diff` and `stats` tell programs.

use lbak::{
    Change, ChangeCounts, DiffReport, Entry, Hit, Manifest, MetadataField, PathHistory, PathVersion, SnapshotWeight,
    StatsReport, Weight,
};
use serde::Serialize;

use super::{FindingCount, Node, finding_counts, path};
use crate::{listing, times};

/// Something that was found, in one snapshot.
#[derive(Serialize)]
pub(crate) struct Match {
    #[serde(flatten)]
    node: Node,
    snapshot_id: String,
}

impl Match {
    pub(crate) fn of(hit: &Hit<'_>) -> Self {
        Self { node: listing::node("match", hit.path, hit.entry), snapshot_id: hit.snapshot.id.to_string() }
    }
}

/// What came of `lbak find`.
#[derive(Serialize)]
pub(crate) struct FindSummary {
    message_type: &'static str,
    matches: u64,
    snapshots: u64,
    snapshots_searched: u64,
    entries_lost: u64,
    findings: Vec<FindingCount>,
}

impl FindSummary {
    pub(crate) fn new(
        matches: u64,
        snapshots: u64,
        snapshots_searched: u64,
        entries_lost: u64,
        findings: Vec<FindingCount>,
    ) -> Self {
        Self { message_type: "summary", matches, snapshots, snapshots_searched, entries_lost, findings }
    }
}

/// A path with its versions.
#[derive(Serialize)]
pub(crate) struct History {
    message_type: &'static str,
    path: String,
    snapshots: u64,
    versions: Vec<HistoryVersion>,
}

/// One content of a path.
#[derive(Serialize)]
struct HistoryVersion {
    first_snapshot: String,
    first_time: String,
    last_snapshot: String,
    last_time: String,
    snapshots: u64,
    #[serde(rename = "type")]
    kind: &'static str,
    size: u64,
    mtime: String,
}

impl History {
    pub(crate) fn of(history: &PathHistory<'_>) -> Self {
        Self {
            message_type: "history",
            path: path(history.path),
            snapshots: history.versions.iter().map(|version| version.snapshots).sum(),
            versions: history.versions.iter().map(HistoryVersion::of).collect(),
        }
    }
}

impl HistoryVersion {
    fn of(version: &PathVersion<'_>) -> Self {
        let time = |snapshot: &Manifest| times::rfc3339(snapshot.point_in_time.unwrap_or(snapshot.ended_at));
        Self {
            first_snapshot: version.first.id.to_string(),
            first_time: time(version.first),
            last_snapshot: version.last.id.to_string(),
            last_time: time(version.last),
            snapshots: version.snapshots,
            kind: listing::kind_name(version.entry.kind()),
            size: version.entry.size,
            mtime: times::rfc3339(version.entry.mtime),
        }
    }
}

/// What came of `lbak find --history`.
#[derive(Serialize)]
pub(crate) struct HistorySummary {
    message_type: &'static str,
    paths: u64,
    snapshots_searched: u64,
    entries_lost: u64,
    findings: Vec<FindingCount>,
}

impl HistorySummary {
    pub(crate) fn new(paths: u64, snapshots_searched: u64, entries_lost: u64, findings: Vec<FindingCount>) -> Self {
        Self { message_type: "summary", paths, snapshots_searched, entries_lost, findings }
    }
}

/// A name that differs.
#[derive(Serialize)]
pub(crate) struct Changed {
    message_type: &'static str,
    path: String,
    modifier: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    type_before: Option<&'static str>,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    size_before: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    metadata: Vec<&'static str>,
}

impl Changed {
    pub(crate) fn of(change: &Change<'_>, modifier: &'static str) -> Self {
        let kind = |entry: Option<&Entry>| entry.map(|entry| listing::kind_name(entry.kind()));
        Self {
            message_type: "change",
            path: path(change.path),
            modifier,
            type_before: kind(change.before),
            kind: kind(change.after),
            size_before: change.before.map(|entry| entry.size),
            size: change.after.map(|entry| entry.size),
            metadata: change.fields.iter().map(|&field| field_name(field)).collect(),
        }
    }
}

/// Names are part of the promise of JSON.
pub(crate) fn field_name(field: MetadataField) -> &'static str {
    match field {
        MetadataField::Mode => "mode",
        MetadataField::Owner => "owner",
        MetadataField::Group => "group",
        MetadataField::Mtime => "mtime",
        MetadataField::Attributes => "attributes",
    }
}

/// How much differs.
#[derive(Serialize)]
pub(crate) struct DiffStatistics {
    message_type: &'static str,
    source_snapshot: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    target_snapshot: Option<String>,
    added: DiffCounts,
    removed: DiffCounts,
    modified: DiffCounts,
    maybe_modified: DiffCounts,
    metadata: DiffCounts,
    #[serde(skip_serializing_if = "Option::is_none")]
    new_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    gone_bytes: Option<u64>,
    entries_lost: u64,
    findings: Vec<FindingCount>,
}

/// How much of one kind.
#[derive(Serialize)]
struct DiffCounts {
    files: u64,
    dirs: u64,
    others: u64,
    bytes: u64,
}

impl DiffCounts {
    fn of(counts: &ChangeCounts) -> Self {
        let &ChangeCounts { files, directories, others, bytes } = counts;
        Self { files, dirs: directories, others, bytes }
    }
}

impl DiffStatistics {
    pub(crate) fn of(report: &DiffReport, before: &Manifest, after: Option<&Manifest>) -> Self {
        let differing = &report.differing;
        Self {
            message_type: "statistics",
            source_snapshot: before.id.to_string(),
            target_snapshot: after.map(|after| after.id.to_string()),
            added: DiffCounts::of(&differing.added),
            removed: DiffCounts::of(&differing.removed),
            modified: DiffCounts::of(&differing.modified),
            maybe_modified: DiffCounts::of(&differing.maybe_modified),
            metadata: DiffCounts::of(&differing.metadata),
            new_bytes: differing.new_bytes,
            gone_bytes: differing.gone_bytes,
            entries_lost: report.lost,
            findings: finding_counts(&report.finding_counts),
        }
    }
}

/// What snapshots hold together.
#[derive(Serialize)]
pub(crate) struct Usage {
    message_type: &'static str,
    snapshots: Vec<String>,
    files: u64,
    directories: u64,
    links: u64,
    others: u64,
    logical_bytes: u64,
    #[serde(flatten)]
    all: All,
    #[serde(flatten)]
    exclusive: Exclusive,
    lost: u64,
    findings: Vec<FindingCount>,
}

/// Chunks that snapshots refer to.
#[derive(Serialize)]
struct All {
    chunks: u64,
    plain_bytes: u64,
    stored_bytes: u64,
}

/// Chunks that no other snapshot refers to.
#[derive(Serialize)]
struct Exclusive {
    exclusive_chunks: u64,
    exclusive_plain_bytes: u64,
    exclusive_stored_bytes: u64,
}

impl Exclusive {
    fn of(weight: &Weight) -> Self {
        let &Weight { chunks, plain_bytes, stored_bytes } = weight;
        Self { exclusive_chunks: chunks, exclusive_plain_bytes: plain_bytes, exclusive_stored_bytes: stored_bytes }
    }
}

impl Usage {
    pub(crate) fn of(report: &StatsReport, snapshots: &[&Manifest]) -> Self {
        let sum = |count: fn(&Manifest) -> u64| snapshots.iter().map(|snapshot| count(snapshot)).sum();
        let Weight { chunks, plain_bytes, stored_bytes } = report.all;
        Self {
            message_type: "usage",
            snapshots: snapshots.iter().map(|snapshot| snapshot.id.to_string()).collect(),
            files: sum(|snapshot| snapshot.totals.files),
            directories: sum(|snapshot| snapshot.totals.directories),
            links: sum(|snapshot| snapshot.totals.links),
            others: sum(|snapshot| snapshot.totals.others),
            logical_bytes: sum(|snapshot| snapshot.sizes.logical),
            all: All { chunks, plain_bytes, stored_bytes },
            exclusive: Exclusive::of(&report.exclusive),
            lost: report.lost,
            findings: finding_counts(&report.finding_counts),
        }
    }
}

/// What one snapshot holds.
#[derive(Serialize)]
pub(crate) struct SnapshotUsage {
    message_type: &'static str,
    snapshot_id: String,
    logical_bytes: u64,
    new_bytes: u64,
    stored_bytes: u64,
    #[serde(flatten)]
    exclusive: Exclusive,
}

impl SnapshotUsage {
    pub(crate) fn of(snapshot: &Manifest, weight: &SnapshotWeight) -> Self {
        Self {
            message_type: "snapshot_usage",
            snapshot_id: snapshot.id.to_string(),
            logical_bytes: snapshot.sizes.logical,
            new_bytes: snapshot.sizes.new,
            stored_bytes: snapshot.sizes.stored,
            exclusive: Exclusive::of(&weight.exclusive),
        }
    }
}
