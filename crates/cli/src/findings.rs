//! Findings at the end of a report: the first in full, the rest counted.

use lbak::{Finding, FindingCount, FindingKind};

use crate::{
    exit::{Exit, without_number},
    output::Output,
    sizes,
};

/// Findings that are told in full; `--verbose` tells all that the report has.
pub(crate) const TOLD: usize = 10;

/// Tells what was wrong, on standard error, also with `--quiet`. Programs have heard of each when it was found.
pub(crate) fn tell(output: &Output, counts: &[FindingCount], first: &[Finding]) {
    tell_those(output, counts, first, |_| true);
}

/// The same where every loss was named when it was met.
pub(crate) fn tell_after_losses(output: &Output, counts: &[FindingCount], first: &[Finding]) {
    tell_those(output, counts, first, |kind| !kind.is_damage());
}

fn tell_those(output: &Output, counts: &[FindingCount], first: &[Finding], is_untold: fn(FindingKind) -> bool) {
    let sum = |is_wanted: fn(FindingKind) -> bool| -> u64 {
        counts.iter().filter(|count| is_wanted(count.kind)).map(|count| count.count).sum()
    };
    let total = sum(|_| true);
    if total == 0 || output.is_json() {
        return;
    }
    output.warn(&counted(counts));
    let first: Vec<&Finding> = first.iter().filter(|finding| is_untold(finding.kind)).collect();
    let told = if output.is_verbose() { first.len() } else { first.len().min(TOLD) };
    first.iter().take(told).for_each(|finding| output.detail(&format!("  {}", without_number(finding.to_string()))));
    let left = sum(is_untold).saturating_sub(told as u64);
    if left > 0 {
        let how = if told < first.len() { " (-v tells more, --json all)" } else { " (--json tells all)" };
        output.detail(&format!("  … and {} more{how}", sizes::count(left)));
    }
}

/// Warns of objects that were read wrongly once and rightly the second time. Programs have heard of those that a report names.
pub(crate) fn tell_misread(output: &Output, objects: impl IntoIterator<Item = impl ToString>) {
    for object in objects {
        output.warn(&Finding::misread(&object).to_string());
    }
}

/// The same of a report's.
pub(crate) fn tell_reported_misread(output: &Output, objects: &[String]) {
    if !output.is_json() {
        tell_misread(output, objects);
    }
}

/// `3 findings: 2 unreadable, 1 vanished`.
pub(crate) fn counted(counts: &[FindingCount]) -> String {
    let total: u64 = counts.iter().map(|count| count.count).sum();
    let kinds: Vec<String> =
        counts.iter().map(|count| format!("{} {}", sizes::count(count.count), count.kind)).collect();
    format!("{}: {}", sizes::counted(total, "finding", "findings"), kinds.join(", "))
}

/// The exit code that findings ask for.
pub(crate) fn exit(counts: &[FindingCount]) -> Exit {
    let has = |is_so: fn(FindingKind) -> bool| counts.iter().any(|count| count.count > 0 && is_so(count.kind));
    if has(FindingKind::is_damage) {
        Exit::Damage
    } else if has(FindingKind::is_incomplete) {
        Exit::Incomplete
    } else {
        Exit::Done
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_vanished_or_is_never_backed_up_is_no_failure() {
        let count = |kind| FindingCount { kind, count: 1 };
        let harmless = [FindingKind::Vanished, FindingKind::Skipped, FindingKind::Misread];
        assert_eq!(exit(&harmless.map(count)), Exit::Done);
        assert_eq!(exit(&[count(FindingKind::Vanished), count(FindingKind::Changed)]), Exit::Incomplete);
        assert_eq!(exit(&[count(FindingKind::Unreadable), count(FindingKind::Lost)]), Exit::Damage);
    }
}
