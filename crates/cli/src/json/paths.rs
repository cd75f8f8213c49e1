//! What `lbak snapshot` reads and leaves out.

use lbak::{Difference, Exclusion, ReadReason};
use serde::Serialize;

use super::path;

/// A path that is read or left out.
#[derive(Serialize)]
pub(crate) struct PathLine {
    message_type: &'static str,
    path: String,
    action: &'static str,
    reason: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    difference: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
}

impl PathLine {
    pub(crate) fn read(raw: &[u8], bytes: u64, reason: ReadReason) -> Self {
        let (reason, difference) = read_reason(reason);
        Self { message_type: "path", path: path(raw), action: "read", reason, difference, size: Some(bytes) }
    }

    pub(crate) fn excluded(raw: &[u8], exclusion: Exclusion) -> Self {
        let reason = exclusion_name(exclusion);
        Self { message_type: "path", path: path(raw), action: "exclude", reason, difference: None, size: None }
    }
}

/// Names are part of the promise; those for people are not.
fn read_reason(reason: ReadReason) -> (&'static str, Option<&'static str>) {
    let name = match reason {
        ReadReason::Uncompared => "uncompared",
        ReadReason::New => "new",
        ReadReason::Changed(difference) => return ("changed", Some(difference_name(difference))),
        ReadReason::Unsettled => "unsettled",
        ReadReason::WasChanging => "was_changing",
        ReadReason::WasIncomplete => "was_incomplete",
        ReadReason::Untrusted => "untrusted",
        ReadReason::ReadOnce => "read_once",
        _ => "other",
    };
    (name, None)
}

fn difference_name(difference: Difference) -> &'static str {
    match difference {
        Difference::Kind => "kind",
        Difference::Size => "size",
        Difference::Mtime => "mtime",
        Difference::Inode => "inode",
        Difference::Links => "links",
        Difference::Metadata => "metadata",
        Difference::Ctime => "ctime",
        _ => "other",
    }
}

/// The name of a reason to leave something out.
fn exclusion_name(exclusion: Exclusion) -> &'static str {
    match exclusion {
        Exclusion::Pattern => "pattern",
        Exclusion::NotIncluded => "not_included",
        Exclusion::TooLarge => "too_large",
        Exclusion::Repository => "repository",
        Exclusion::Cache => "cache",
        Exclusion::Marked => "marked",
        Exclusion::OtherFileSystem => "other_file_system",
        Exclusion::PseudoFileSystem => "pseudo_file_system",
        _ => "other",
    }
}

/// How often something was left out for a reason.
#[derive(Serialize)]
pub(crate) struct ExclusionCount {
    reason: &'static str,
    count: u64,
}

pub(crate) fn exclusion_counts(counts: &[lbak::ExclusionCount]) -> Vec<ExclusionCount> {
    let named = |count: &lbak::ExclusionCount| (exclusion_name(count.exclusion), count.count);
    counts.iter().map(named).map(|(reason, count)| ExclusionCount { reason, count }).collect()
}
