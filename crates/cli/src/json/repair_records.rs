//! What `lbak repair records` did, and `lbak repair snapshots` with records that do not open.

use lbak::{DamagedSlot, FoundAgain, RecordsRepairReport};
use serde::Serialize;

use crate::times;

/// What came of `lbak repair records`.
#[derive(Serialize)]
pub(crate) struct RecordsSummary {
    message_type: &'static str,
    dry_run: bool,
    set_aside: usize,
    left: usize,
    sessions_closed: u64,
    total_duration: f64,
}

impl RecordsSummary {
    pub(crate) fn of(report: &RecordsRepairReport, dry_run: bool) -> Self {
        Self {
            message_type: "summary",
            dry_run,
            set_aside: report.set_aside.len(),
            left: report.left.len(),
            sessions_closed: report.closed,
            total_duration: report.elapsed.as_secs_f64(),
        }
    }
}

/// One record of a snapshot that does not open.
#[derive(Serialize)]
pub(crate) struct SlotRepaired<'a> {
    message_type: &'static str,
    dry_run: bool,
    object: String,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    author: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    started_at: Option<String>,
    outcome: &'static str,
    new_snapshot_ids: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
}

impl<'a> SlotRepaired<'a> {
    pub(crate) fn of(slot: &'a DamagedSlot, dry_run: bool) -> Self {
        let reason = match &slot.found {
            FoundAgain::Unmended(reason) => Some(reason.as_str()),
            _ => None,
        };
        let (outcome, ids) = match &slot.found {
            FoundAgain::Snapshots(ids) => ("found", ids.iter().map(ToString::to_string).collect()),
            FoundAgain::WouldBe(_) => ("would_be_found", Vec::new()),
            FoundAgain::WasNone => ("was_none", Vec::new()),
            FoundAgain::Unmended(_) => ("nothing_written", Vec::new()),
            FoundAgain::Nowhere => ("lost", Vec::new()),
        };
        Self {
            message_type: "record_repaired",
            dry_run,
            object: format!("snapshots/{}", slot.session),
            message: &slot.what,
            author: slot.announced.as_ref().map(|record| lbak::escape(record.author.as_bytes())),
            started_at: slot.announced.as_ref().map(|record| times::rfc3339(record.started_at)),
            outcome,
            new_snapshot_ids: ids,
            reason,
        }
    }
}
