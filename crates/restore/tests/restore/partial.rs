//! Names of files that lost bytes.

use std::fs;

use lbak_core::{
    id::ChunkKind,
    metadata::{FileKind, Metadata},
    snapshot::Manifest,
    tree::{Content, Entry, EntryFlags, Node, Piece},
};

use crate::support::{Forge, folders, restored, shared, take};

/// A file that lost bytes was put under the name of another file of the same directory, and a long name under none.
#[test]
fn a_file_that_lost_bytes_takes_no_name_of_another_and_no_name_is_too_long() {
    let (_, repository) = shared();
    let folders = folders();
    let honest = take(&repository, std::slice::from_ref(&folders.source));
    let mut forge = Forge::new(&repository, 5);
    let long = "n".repeat(255);
    let file = |forge: &mut Forge, name: &str, bytes: &[u8], is_lost: bool| {
        let chunk = forge.store(ChunkKind::Data, bytes.to_vec());
        let size = bytes.len() as u64;
        let content = Content::Inline(vec![Piece::data(size, chunk)]);
        let metadata = Metadata { kind: FileKind::File, mode: 0o644, size, ..Metadata::default() };
        let mut entry = Entry::new(name.into(), Node::File { content }, &metadata);
        if is_lost {
            entry.flags.insert(EntryFlags::CONTENT_LOST);
        }
        entry
    };
    let entries = vec![
        file(&mut forge, "m", b"what is left", true),
        file(&mut forge, "m.lbak-partial", b"another file", false),
        file(&mut forge, &long, b"long", true),
    ];
    let tree = forge.tree(entries);
    let metadata = Metadata { kind: FileKind::Directory, mode: 0o755, ..Metadata::default() };
    let root = forge.tree(vec![Entry::new(b"/source".to_vec(), Node::Directory { tree }, &metadata)]);
    forge.finish();
    let manifest = Manifest { root, paths: vec![b"/source".to_vec()], ..honest };
    let report = restored(&repository, &manifest, &folders.target);
    assert_eq!(report.totals.files, 3, "{:?}", report.findings);
    let read = |name: &str| fs::read(folders.target.join(name)).expect(name);
    assert_eq!(read("m.lbak-partial"), b"another file");
    assert_eq!(read("m.lbak-partial-2"), b"what is left");
    assert_eq!(read(&format!("{}.lbak-partial", &long[..242])), b"long");
    assert!(!folders.target.join("m").exists());
}
