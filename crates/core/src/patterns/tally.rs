//! How many names each pattern has matched: one that matched none was perhaps meant otherwise.

use std::collections::BTreeMap;

/// What patterns say about one name, and which of them match it.
#[derive(Clone, Debug, Default)]
pub struct Matched {
    pub(super) is_excluded: bool,
    pub(super) is_included: bool,
    /// Numbers of patterns, those of what to leave out first.
    pub(super) patterns: Vec<usize>,
}

impl Matched {
    /// Tells whether the name is to be left out.
    #[must_use]
    pub fn is_excluded(&self) -> bool {
        self.is_excluded
    }

    /// Tells whether a pattern of what alone to take matches, or there is none.
    #[must_use]
    pub fn is_included(&self) -> bool {
        self.is_included
    }

    /// Tells whether any pattern matches.
    pub(crate) fn is_any(&self) -> bool {
        !self.patterns.is_empty()
    }
}

/// How many names the patterns of some [`Patterns`](super::Patterns) have matched.
#[derive(Clone, Debug, Default)]
pub struct Tally(BTreeMap<usize, u64>);

impl Tally {
    /// Counts one name.
    pub fn count(&mut self, matched: &Matched) {
        matched.patterns.iter().for_each(|&number| self.add(number, 1));
    }

    /// Counts what another has counted.
    pub fn merge(&mut self, other: &Self) {
        other.0.iter().for_each(|(&number, &count)| self.add(number, count));
    }

    pub(super) fn of(&self, number: usize) -> u64 {
        self.0.get(&number).copied().unwrap_or_default()
    }

    fn add(&mut self, number: usize, count: u64) {
        let sum = self.0.entry(number).or_default();
        *sum = sum.saturating_add(count);
    }
}

/// One pattern and how many names it has matched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PatternCount {
    /// The pattern as it was given: raw bytes.
    pub pattern: Vec<u8>,
    /// What it is for.
    pub role: PatternRole,
    /// It does not tell upper case from lower case.
    pub any_case: bool,
    /// Names that it matches among those that were looked at, whatever other patterns said of them. What lies below an excluded
    /// directory is not looked at.
    pub matches: u64,
}

/// What a pattern is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PatternRole {
    /// Names to leave out.
    Exclude,
    /// Names that alone are taken.
    Include,
}
