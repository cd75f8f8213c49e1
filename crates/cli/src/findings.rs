//! Findings at the end of a report: the first in full, the rest counted.

use lbak::{Finding, FindingCount};

use crate::{exit::Exit, output::Output, sizes};

/// Findings that are told in full; `--verbose` tells all that the report has.
const TOLD: usize = 20;

/// Tells what was wrong, on standard error, also with `--quiet`. Programs have heard of each when it was found.
pub(crate) fn tell(output: &Output, counts: &[FindingCount], first: &[Finding]) {
    let total: u64 = counts.iter().map(|count| count.count).sum();
    if total == 0 || output.is_json() {
        return;
    }
    let kinds: Vec<String> =
        counts.iter().map(|count| format!("{} {}", sizes::count(count.count), count.kind)).collect();
    output.warn(&format!("{}: {}", sizes::counted(total, "finding", "findings"), kinds.join(", ")));
    let told = if output.is_verbose() { first.len() } else { first.len().min(TOLD) };
    for finding in first.iter().take(told) {
        output.detail(&format!("  {finding}"));
    }
    let untold = total.saturating_sub(told as u64);
    if untold > 0 {
        let how = if output.is_verbose() || first.len() <= TOLD { "" } else { " (-v tells more)" };
        output.detail(&format!("  … and {} more{how}", sizes::count(untold)));
    }
}

/// The exit code that findings ask for.
pub(crate) fn exit(counts: &[FindingCount]) -> Exit {
    let has = |is_so: fn(lbak::FindingKind) -> bool| counts.iter().any(|count| count.count > 0 && is_so(count.kind));
    if has(lbak::FindingKind::is_damage) {
        Exit::Damage
    } else if has(lbak::FindingKind::is_incomplete) {
        Exit::Incomplete
    } else {
        Exit::Done
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lbak::FindingKind;

    #[test]
    fn what_vanished_or_is_never_backed_up_is_no_failure() {
        let count = |kind| FindingCount { kind, count: 1 };
        assert_eq!(exit(&[count(FindingKind::Vanished), count(FindingKind::Skipped)]), Exit::Done);
        assert_eq!(exit(&[count(FindingKind::Vanished), count(FindingKind::Changed)]), Exit::Incomplete);
        assert_eq!(exit(&[count(FindingKind::Unreadable), count(FindingKind::Lost)]), Exit::Damage);
    }
}
