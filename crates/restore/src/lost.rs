//! Files of which a repair has found only a part: nobody may take them for whole.

use lbak_core::tree::{Entry, EntryFlags, Node};

use crate::{directory::Directory, target::Target};

/// Behind the name of a file that has holes where its bytes were lost.
const PARTIAL: &[u8] = b".lbak-partial";

/// Gives a file that lost bytes another name, and tells of it. What stands under its own name stays.
pub(crate) fn set_apart(target: &Target, directory: &Directory, entry: &mut Entry) {
    let is_file = matches!(entry.node, Node::File { .. });
    if !is_file || !entry.flags.contains(EntryFlags::CONTENT_LOST) {
        return;
    }
    let path = directory.path_of(&entry.name);
    entry.name.extend_from_slice(PARTIAL);
    directory.miss();
    if !target.is_reading_back {
        let partial = lbak_core::error::escape(&entry.name);
        let message = format!(
            "a part of it was lost before this snapshot was made of the rest, and reads as zeros in \"{partial}\"; the snapshot's findings name the bytes"
        );
        target.findings.lose(1, path, message);
    }
}
