//! What came of `lbak dump` and of `lbak restore --to-command`.

use serde::Serialize;

use super::FindingCount;

/// A stream that was written to its end.
#[derive(Serialize)]
pub(crate) struct DumpSummary {
    pub(crate) message_type: &'static str,
    pub(crate) snapshot_id: String,
    pub(crate) archive: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) output: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) command: Option<Vec<String>>,
    pub(crate) bytes: u64,
    pub(crate) entries: u64,
    pub(crate) total_duration: f64,
    pub(crate) findings: Vec<FindingCount>,
}

impl DumpSummary {
    pub(crate) fn of(manifest: &lbak::Manifest, report: &lbak::DumpReport) -> Self {
        Self {
            message_type: "summary",
            snapshot_id: manifest.id.to_string(),
            archive: report.is_archive,
            output: None,
            command: None,
            bytes: report.bytes,
            entries: report.entries,
            total_duration: report.elapsed.as_secs_f64(),
            findings: super::finding_counts(&report.finding_counts),
        }
    }
}
