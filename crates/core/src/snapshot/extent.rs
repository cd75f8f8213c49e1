//! How much a walk of a snapshot may meet before it is stopped.
//!
//! Directories and lists are named by what they hold, so a few of them can stand for more paths than anybody has time for: forty directories,
//! each of which holds the one below it twice, are 2^40 of them. Only a holder of the key can make such a snapshot, and its manifest says how
//! much it holds: whoever meets much more stops there, instead of going on until the disk is full.

use super::Manifest;
use crate::{
    error::{Error, Result},
    tree::{Entry, Node},
};

/// How many more entries than counted are let pass, and as many again as there are: a count that is a little wrong must cost nobody a snapshot.
const MORE_ENTRIES: u64 = 10_000;

/// The same for bytes of files.
const MORE_BYTES: u64 = 1 << 30;

/// What may still come of one or several snapshots.
#[derive(Clone, Debug)]
pub struct Extent {
    entries: u64,
    bytes: u64,
    /// What they are called when there is too much.
    object: String,
    counted: u64,
    logical: u64,
}

impl Extent {
    /// That of one snapshot.
    #[must_use]
    pub fn of(snapshot: &Manifest) -> Self {
        Self::of_all([snapshot])
    }

    /// That of several together.
    #[must_use]
    pub fn of_all<'s>(snapshots: impl IntoIterator<Item = &'s Manifest>) -> Self {
        let (mut counted, mut logical) = (0_u64, 0_u64);
        let mut names = Vec::new();
        for snapshot in snapshots {
            counted = counted.saturating_add(snapshot.totals.entries());
            logical = logical.saturating_add(snapshot.sizes.logical);
            names.push(snapshot.id);
        }
        let object = match names[..] {
            [one] => format!("snapshot {one}"),
            _ => format!("one of {} snapshots", names.len()),
        };
        let twice = |number: u64, more| number.saturating_mul(2).saturating_add(more);
        Self { entries: twice(counted, MORE_ENTRIES), bytes: twice(logical, MORE_BYTES), object, counted, logical }
    }

    /// Counts an entry that was met, at every path where it is met.
    ///
    /// # Errors
    /// [`Error::Damaged`] when there is much more than the manifest says.
    pub fn meet(&mut self, entry: &Entry) -> Result<()> {
        self.entries = self.entries.checked_sub(1).ok_or_else(|| self.too_much("entries", self.counted))?;
        if matches!(entry.node, Node::File { .. }) {
            self.bytes =
                self.bytes.checked_sub(entry.size).ok_or_else(|| self.too_much("bytes of files", self.logical))?;
        }
        Ok(())
    }

    fn too_much(&self, what: &str, counted: u64) -> Error {
        Error::damaged(&self.object, format!("its directories show far more than the {counted} {what} that it counts"))
    }
}
