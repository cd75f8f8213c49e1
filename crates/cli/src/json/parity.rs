//! What `lbak repair add-parity` did, and what parity can do.

use lbak::{ParityGroup, ParityReport};
use serde::Serialize;

/// What came of `lbak repair add-parity`.
#[derive(Serialize)]
pub(crate) struct ParityAdded {
    message_type: &'static str,
    dry_run: bool,
    packs: u64,
    packs_skipped: u64,
    packs_added: u64,
    bytes_added: u64,
    packs_outlived: u64,
    groups: Vec<Group>,
    #[serde(skip_serializing_if = "Option::is_none")]
    percent_to_outlive: Option<u32>,
    packs_too_long: u64,
    packs_loose: u64,
    parity_objects: u64,
    stored_bytes: u64,
    parity_replaced: usize,
    num_errors: usize,
    total_duration: f64,
}

/// A group of packs with parity.
#[derive(Serialize)]
struct Group {
    packs: u64,
    may_lose: u64,
    recovery_bytes: u64,
}

impl Group {
    fn of(group: &ParityGroup) -> Self {
        let &ParityGroup { packs, may_lose, recovery_bytes } = group;
        Self { packs, may_lose, recovery_bytes }
    }
}

impl ParityAdded {
    pub(crate) fn of(report: &ParityReport, dry_run: bool) -> Self {
        Self {
            message_type: "parity_added",
            dry_run,
            packs: report.packs,
            packs_skipped: report.packs_skipped,
            packs_added: report.packs_added,
            bytes_added: report.bytes_added,
            packs_outlived: report.packs_outlived,
            groups: report.groups.iter().map(Group::of).collect(),
            percent_to_outlive: report.percent_to_outlive,
            packs_too_long: report.packs_too_long,
            packs_loose: report.packs_loose,
            parity_objects: report.objects,
            stored_bytes: report.stored_bytes,
            parity_replaced: report.replaced.len(),
            num_errors: report.damage.len(),
            total_duration: report.elapsed.as_secs_f64(),
        }
    }
}

/// A damaged pack that `lbak repair packs` heals.
#[derive(Serialize)]
pub(crate) struct Healable {
    message_type: &'static str,
    object: String,
}

impl Healable {
    pub(crate) fn of(object: String) -> Self {
        Self { message_type: "healable", object }
    }
}
