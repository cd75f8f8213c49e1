//! Tells whether a file is as the parent snapshot has it.

use crate::{
    metadata::{FileKind, Metadata, Timestamp},
    tree::{Entry, EntryFlags},
};

/// How long after its last change a file may still change without any time stamp telling: writes through shared
/// mappings and file systems with coarse clocks (rule I13).
const SETTLING_SECONDS: i64 = 60;

/// Tells whether nothing can have changed: kind, size, times, inode are equal and the parent had read it settled.
///
/// An equal ctime vouches for mode, owner and attributes too: nothing of them changes without it.
pub(super) fn is_unchanged(parent: &Entry, found: &Metadata, link_group: u64) -> bool {
    parent.flags == EntryFlags::default() && looks_unchanged(parent, found, link_group)
}

/// Tells whether nothing is seen to have changed, however the parent was read.
pub(super) fn looks_unchanged(parent: &Entry, found: &Metadata, link_group: u64) -> bool {
    let is_same_kind = parent.kind() == found.kind;
    let is_same_size = found.kind != FileKind::File || parent.size == found.size;
    is_same_kind
        && is_same_size
        && parent.mtime == found.mtime
        && parent.ctime == found.ctime
        && parent.inode == found.inode
        && parent.link_group == link_group
}

/// Tells whether a file that is read at `now`, by a clock that may be ahead of its file system's, may change again without its ctime moving. A ctime in the future counts too.
pub(super) fn is_unsettled(ctime: Timestamp, now: Timestamp, clock_lag_seconds: u32) -> bool {
    let settling = SETTLING_SECONDS + i64::from(clock_lag_seconds);
    let settled_at = Timestamp { seconds: ctime.seconds.saturating_add(settling), ..ctime };
    now < settled_at
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A server two minutes behind gave files that had just been written ctimes that looked settled.
    #[test]
    fn a_clock_that_is_behind_does_not_make_a_fresh_file_look_settled() {
        let at = |seconds| Timestamp { seconds, nanoseconds: 0 };
        assert!(is_unsettled(at(1000), at(1059), 0) && !is_unsettled(at(1000), at(1060), 0));
        assert!(is_unsettled(at(1000), at(1120), 3600) && !is_unsettled(at(1000), at(4660), 3600));
        assert!(is_unsettled(at(2000), at(1000), 0), "a ctime in the future");
    }
}
