//! Tells whether a file is as the parent snapshot has it.

use crate::{
    metadata::{FileKind, Metadata, Timestamp},
    observe::{Difference, ReadReason},
    tree::{Entry, EntryFlags},
};

/// How long after its last change a file may still change without any time stamp telling: writes through shared
/// mappings and file systems with coarse clocks (rule I13).
const SETTLING_SECONDS: i64 = 60;

/// What a difference of is no reason to read a file: where it lies can not be told from whether it changed.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Ignored {
    pub(super) ctime: bool,
    /// And ctime: file systems that give a file another inode give it another ctime too.
    pub(super) inode: bool,
}

impl Ignored {
    fn ctime(self) -> bool {
        self.ctime || self.inode
    }
}

/// Why a file is read although the parent snapshot has an entry of its name; `None` when nothing can have changed: kind, size,
/// times, inode are equal and the parent had read it settled and whole.
///
/// An equal ctime vouches for mode, owner and attributes too: nothing of them changes without it.
pub(super) fn reason_to_read(
    parent: &Entry,
    found: &Metadata,
    link_group: u64,
    ignored: Ignored,
) -> Option<ReadReason> {
    if let Some(difference) = difference(parent, found, link_group, ignored) {
        return Some(ReadReason::Changed(difference));
    }
    // What was left out of a directory says nothing about what it is.
    match parent.flags.without(EntryFlags::NAMES_LEFT_OUT) {
        flags if flags == EntryFlags::default() => None,
        flags if flags.contains(EntryFlags::CHANGED) => Some(ReadReason::WasChanging),
        flags if flags.contains(EntryFlags::UNSETTLED) => Some(ReadReason::Unsettled),
        _ => Some(ReadReason::WasIncomplete),
    }
}

/// What is seen to have changed, however the parent was read.
fn difference(parent: &Entry, found: &Metadata, link_group: u64, ignored: Ignored) -> Option<Difference> {
    let is_same_owner = (parent.mode, parent.uid, parent.gid) == (found.mode, found.uid, found.gid);
    match () {
        () if parent.kind() != found.kind => Some(Difference::Kind),
        () if found.kind == FileKind::File && parent.size != found.size => Some(Difference::Size),
        () if parent.mtime != found.mtime => Some(Difference::Mtime),
        () if parent.inode != found.inode && !ignored.inode => Some(Difference::Inode),
        () if parent.link_group != link_group => Some(Difference::Links),
        () if parent.ctime == found.ctime || ignored.ctime() => None,
        () if !is_same_owner => Some(Difference::Metadata),
        () => Some(Difference::Ctime),
    }
}

/// Gives an entry the inode and ctime of the parent's when they differ in nothing else and that is to be ignored: a directory
/// is not new because a server has numbered its files anew. The inode of a file with several names tells which they are.
pub(super) fn keep_identity(entry: &mut Entry, parent: &Entry, ignored: Ignored) {
    if !ignored.ctime() {
        return;
    }
    let keeps_inode = ignored.inode && entry.link_group == 0;
    let inode = if keeps_inode { parent.inode } else { entry.inode };
    // The tree of a directory is still to come.
    let is_directory = entry.kind() == FileKind::Directory && parent.kind() == FileKind::Directory;
    let node = if is_directory { parent.node.clone() } else { entry.node.clone() };
    // And so is what is left out of it.
    let flags = if is_directory { parent.flags } else { entry.flags };
    if (Entry { inode, ctime: parent.ctime, node, flags, ..entry.clone() }) == *parent {
        (entry.inode, entry.ctime) = (parent.inode, parent.ctime);
    }
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

    #[test]
    fn what_was_not_read_settled_and_whole_is_read_again_though_nothing_has_changed() {
        let found = Metadata::default();
        let content = crate::tree::Content::Inline(Vec::new());
        let mut entry = Entry::new(b"file".to_vec(), crate::tree::Node::File { content }, &found);
        let mut reason = |flag: Option<EntryFlags>| {
            entry.flags = EntryFlags::default();
            flag.into_iter().for_each(|flag| entry.flags.insert(flag));
            reason_to_read(&entry, &found, 0, Ignored::default())
        };
        assert_eq!(reason(None), None);
        assert_eq!(reason(Some(EntryFlags::NAMES_LEFT_OUT)), None);
        assert_eq!(reason(Some(EntryFlags::UNSETTLED)), Some(ReadReason::Unsettled));
        assert_eq!(reason(Some(EntryFlags::CHANGED)), Some(ReadReason::WasChanging));
        for flag in [EntryFlags::METADATA_INCOMPLETE, EntryFlags::CONTENT_UNREAD, EntryFlags::CONTENT_LOST] {
            assert_eq!(reason(Some(flag)), Some(ReadReason::WasIncomplete));
        }
    }
}
