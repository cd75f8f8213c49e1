//! What new files inherit from a directory that has a default access list.

use std::path::Path;

use lbak_core::{
    id::ChunkKind,
    metadata::{FileKind, Metadata},
    snapshot::Manifest,
    tree::{Content, Entry, EntryFlags, Node, Piece},
};
use lbak_testkit::not_run;
use rustix::fs::XattrFlags;

use crate::support::{Forge, folders, restored, shared, take};

/// The user 65534 may do everything.
const DEFAULT_LIST: &[u8] = &[
    2, 0, 0, 0, 1, 0, 7, 0, 255, 255, 255, 255, 2, 0, 7, 0, 254, 255, 0, 0, 4, 0, 5, 0, 255, 255, 255, 255, 16, 0, 7,
    0, 255, 255, 255, 255, 32, 0, 0, 0, 255, 255, 255, 255,
];

fn has_list(path: &Path) -> bool {
    ["system.posix_acl_access", "system.posix_acl_default"]
        .into_iter()
        .any(|name| rustix::fs::getxattr(path, name, &mut [0; 0]).is_ok())
}

/// A snapshot whose attributes could not all be read said nothing of lists, and new files kept what they inherited: they were open
/// to more people than they had been.
#[test]
fn new_files_keep_no_inherited_list_even_when_the_snapshot_lacks_attributes() {
    let (_, repository) = shared();
    let folders = folders();
    if rustix::fs::setxattr(folders.folder.path(), "system.posix_acl_default", DEFAULT_LIST, XattrFlags::empty())
        .is_err()
    {
        return not_run("the temporary directory has no access lists");
    }
    let honest = take(&repository, std::slice::from_ref(&folders.source));
    let mut forge = Forge::new(&repository, 5);
    let chunk = forge.store(ChunkKind::Data, b"data".to_vec());
    let entry = |name: &str, node: Node| {
        let size = if matches!(node, Node::File { .. }) { 4 } else { 0 };
        let mode = if matches!(node, Node::Directory { .. }) { 0o755 } else { 0o644 };
        let metadata = Metadata { kind: FileKind::File, mode, size, ..Metadata::default() };
        let mut entry = Entry::new(name.into(), node, &metadata);
        entry.flags.insert(EntryFlags::METADATA_INCOMPLETE);
        entry
    };
    let file = entry("file", Node::File { content: Content::Inline(vec![Piece::data(4, chunk)]) });
    let below = forge.tree(vec![file.clone()]);
    let tree = forge.tree(vec![entry("below", Node::Directory { tree: below }), entry("fifo", Node::Fifo), file]);
    let root = forge.tree(vec![entry("/source", Node::Directory { tree })]);
    forge.finish();
    let manifest = Manifest { root, paths: vec![b"/source".to_vec()], ..honest };
    let target = folders.target.clone();
    let report = restored(&repository, &manifest, &target);
    assert_eq!(report.totals.files, 2, "{:?}", report.findings);
    for name in ["", "file", "fifo", "below", "below/file"] {
        assert!(!has_list(&target.join(name)), "{name}");
    }
}
