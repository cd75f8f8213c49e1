//! How many names each pattern has matched.

use lbak::patterns::PatternRole;
use serde::Serialize;

/// One pattern.
#[derive(Serialize)]
pub(crate) struct PatternCount {
    role: &'static str,
    pattern: String,
    ignore_case: bool,
    matches: u64,
}

pub(crate) fn pattern_counts(counts: &[lbak::patterns::PatternCount]) -> Vec<PatternCount> {
    let counts = counts.iter().map(|count| PatternCount {
        role: match count.role {
            PatternRole::Exclude => "exclude",
            PatternRole::Include => "include",
        },
        pattern: super::path(&count.pattern),
        ignore_case: count.any_case,
        matches: count.matches,
    });
    counts.collect()
}
