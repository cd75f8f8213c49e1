//! What `lbak tag` changed.

use lbak::AmendReport;
use serde::Serialize;

/// A snapshot with its tags and description before and after.
#[derive(Serialize)]
pub(crate) struct Tagged<'a> {
    message_type: &'static str,
    dry_run: bool,
    snapshot_id: String,
    changed: bool,
    tags: &'a [String],
    description: &'a str,
    tags_before: &'a [String],
    description_before: &'a str,
}

impl<'a> Tagged<'a> {
    pub(crate) fn of(report: &'a AmendReport, dry_run: bool) -> Self {
        let manifest = &report.snapshot.manifest;
        Self {
            message_type: "tagged",
            dry_run,
            snapshot_id: manifest.id.to_string(),
            changed: report.is_changed,
            tags: &manifest.tags,
            description: &manifest.description,
            tags_before: &report.before.tags,
            description_before: &report.before.description,
        }
    }
}
