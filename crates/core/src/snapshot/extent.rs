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

/// Entries of a snapshot whose count is lost: more than anybody keeps in one, and a walk that ends.
const MOST_UNTOLD: u64 = 1 << 31;

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

    /// That of one whose manifest is lost: 2^31 entries, and any number of bytes.
    #[must_use]
    pub fn untold() -> Self {
        let object = "a snapshot whose record is lost".into();
        Self { entries: MOST_UNTOLD, bytes: u64::MAX, object, counted: MOST_UNTOLD, logical: u64::MAX }
    }
    /// Counts an entry that was met, at every path where it is met.
    ///
    /// # Errors
    /// [`Error::Damaged`] when there is much more than the manifest says.
    pub fn meet(&mut self, entry: &Entry) -> Result<()> {
        self.entries = less(self.entries, 1).ok_or_else(|| self.too_much("entries", self.counted))?;
        if matches!(entry.node, Node::File { .. }) {
            self.bytes = less(self.bytes, entry.size).ok_or_else(|| self.too_much("bytes of files", self.logical))?;
        }
        Ok(())
    }

    /// Tells whether a walk that meets so much in all is let pass.
    ///
    /// # Errors
    /// As [`meet`](Self::meet).
    pub fn allow(&self, entries: u64, bytes: u64) -> Result<()> {
        less(self.entries, entries).ok_or_else(|| self.too_much("entries", self.counted))?;
        less(self.bytes, bytes).ok_or_else(|| self.too_much("bytes of files", self.logical)).map(|_| ())
    }

    fn too_much(&self, what: &str, counted: u64) -> Error {
        let told = match self.logical {
            u64::MAX => format!("its directories show more than {counted} {what}"),
            _ => format!("its directories show far more than the {counted} {what} that it counts"),
        };
        Error::damaged(&self.object, told)
    }
}

/// What is left; of a number that could not be counted any further, all of it. Holes of a few files sum up to that.
fn less(left: u64, taken: u64) -> Option<u64> {
    if left == u64::MAX { Some(left) } else { left.checked_sub(taken) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{id::ChunkId, metadata::Metadata, tree::Content};

    fn extent(twice_bytes: u64) -> Extent {
        Extent { entries: 2, bytes: twice_bytes, object: "snapshot 1".into(), counted: 1, logical: 10 }
    }

    fn file(size: u64) -> Entry {
        let node = Node::File { content: Content::Inline(Vec::new()) };
        let mut entry = Entry::new(b"a".to_vec(), node, &Metadata::default());
        entry.size = size;
        entry
    }

    #[test]
    fn what_is_far_more_than_was_counted_is_told_of() {
        let directory = Entry::new(b"d".to_vec(), Node::Directory { tree: ChunkId([1; 32]) }, &Metadata::default());
        let mut few = extent(100);
        assert!(few.meet(&directory).is_ok() && few.meet(&directory).is_ok());
        let told = few.meet(&directory).expect_err("a third").to_string();
        assert_eq!(told, "snapshot 1 is damaged: its directories show far more than the 1 entries that it counts");
        let mut small = extent(100);
        assert!(small.allow(2, 100).is_ok());
        assert!(small.allow(3, 0).is_err() && small.allow(0, 101).is_err());
        assert!(small.meet(&file(60)).is_ok());
        let told = small.meet(&file(60)).expect_err("120 of 100").to_string();
        assert!(told.ends_with("far more than the 10 bytes of files that it counts"), "{told}");
    }

    #[test]
    fn a_snapshot_whose_count_is_lost_has_an_end_too() {
        let untold = Extent::untold();
        assert!(untold.allow(1 << 31, u64::MAX).is_ok());
        let told = untold.allow((1 << 31) + 1, 0).expect_err("one more").to_string();
        assert_eq!(
            told,
            "a snapshot whose record is lost is damaged: its directories show more than 2147483648 entries"
        );
    }

    #[test]
    fn files_of_more_bytes_than_can_be_counted_are_let_pass() {
        let mut huge = extent(u64::MAX);
        assert!(huge.allow(2, u64::MAX).is_ok());
        assert!(huge.meet(&file(u64::MAX)).is_ok() && huge.meet(&file(u64::MAX)).is_ok());
    }
}
