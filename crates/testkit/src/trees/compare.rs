//! Tells how two directories differ, in words.

use std::path::Path;

use crate::compare::compare_trees;

/// Lists every difference between two directories that [`compare_trees`] finds, one line each, the path first.
#[must_use]
pub fn compare(left: &Path, right: &Path) -> Vec<String> {
    compare_trees(left, right).differences.iter().map(ToString::to_string).collect()
}
