//! Streams: what is in them, what they cost, and where they stop.

use std::{
    collections::BTreeMap,
    fs, io,
    io::Write,
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
};

use lbak_core::{
    backend::{MemoryBackend, ObjectName},
    id::{ChunkId, ChunkKind},
    metadata::{FileKind, Metadata},
    observe::FindingKind,
    snapshot::Manifest,
    tree::{Entry, Node},
};
use lbak_restore::{DumpCheck, DumpForm, DumpOptions, dump};
use lbak_testkit::{
    Operation, RecordingBackend, not_run,
    objects::noise,
    trees::{compare, tree, write_tree},
};
use proptest::prelude::*;

use crate::{
    moved::store_again,
    support::{Forge, blocks_of_files, damage_block, folders, repository, shared, take},
};

pub(crate) fn of(path: &str) -> DumpOptions {
    DumpOptions { path: Some(path.as_bytes().to_vec()), ..Default::default() }
}

/// Unpacks with the system's tar. `false` where there is none.
fn unpack(archive: &[u8], target: &Path) -> bool {
    let mut command = Command::new("tar");
    command.args(["--xattrs", "--xattrs-include=*", "--numeric-owner", "--warning=none", "-xpf", "-", "-C"]);
    let spawned = command.arg(target).stdin(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let Ok(mut child) = spawned else {
        not_run("this system has no tar");
        return false;
    };
    child.stdin.take().expect("piped").write_all(archive).expect("tar reads");
    let output = child.wait_with_output().expect("tar ends");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    true
}

/// What tar says about an archive.
fn listed(archive: &[u8]) -> Option<bool> {
    let spawned = Command::new("tar")
        .args(["-tf", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let mut child = spawned.ok()?;
    // It may stop reading before the end.
    let _ = child.stdin.take().expect("piped").write_all(archive);
    Some(child.wait().expect("tar ends").success())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn an_archive_unpacks_to_what_its_source_was(tree in tree(), window in prop::sample::select(&[1, 4096, 24 << 20][..])) {
        let (_, repository) = shared();
        let folders = folders();
        write_tree(&tree, &folders.source).expect("write");
        let manifest = take(&repository, std::slice::from_ref(&folders.source));
        let options = DumpOptions { window_bytes: window, ..Default::default() };
        let mut archive = Vec::new();
        let report = dump(&repository, &manifest, &options, &mut archive).expect("dump");
        prop_assert_eq!(report.bytes, archive.len() as u64);
        prop_assert!(report.is_archive);
        fs::create_dir(&folders.target).expect("target");
        if unpack(&archive, &folders.target) {
            prop_assert_eq!(compare(&folders.source, &folders.target), Vec::<String>::new());
        }
        let mut again = Vec::new();
        let options = DumpOptions { check: DumpCheck::Everything, ..Default::default() };
        dump(&repository, &manifest, &options, &mut again).expect("dump");
        prop_assert!(archive == again, "equal snapshots give equal archives, however they are read");
    }
}

#[test]
fn a_file_comes_byte_for_byte_and_its_holes_as_zeros() {
    let (_, repository) = shared();
    let folders = folders();
    let content = [noise(1, 3_000_000), vec![0; 5_000_000], noise(2, 100)].concat();
    fs::write(folders.source.join("dense"), &content).expect("write");
    let sparse = fs::File::create(folders.source.join("sparse")).expect("file");
    sparse.set_len(content.len() as u64).expect("a hole");
    let at = |offset: usize, bytes: &[u8]| {
        std::os::unix::fs::FileExt::write_all_at(&sparse, bytes, offset as u64).expect("write");
    };
    at(0, &content[..3_000_000]);
    at(8_000_000, &content[8_000_000..]);
    let manifest = take(&repository, std::slice::from_ref(&folders.source));
    for name in ["dense", "sparse"] {
        for window_bytes in [1, 1 << 20, 24 << 20] {
            let mut written = Vec::new();
            let options = DumpOptions { window_bytes, ..of(name) };
            let report = dump(&repository, &manifest, &options, &mut written).expect("dump");
            assert!(written == content, "{name} {window_bytes}");
            assert_eq!((report.is_archive, report.entries, report.bytes), (false, 1, content.len() as u64));
        }
    }
}

#[test]
fn several_paths_stand_under_their_whole_paths_without_the_first_slash() {
    let (_, repository) = shared();
    let folders = folders();
    fs::write(folders.source.join("a"), "a").expect("write");
    fs::create_dir(folders.source.join("d")).expect("directory");
    fs::write(folders.source.join("d/b"), "b").expect("write");
    let manifest = take(&repository, &[folders.source.join("a"), folders.source.join("d")]);
    let names = |options: &DumpOptions| {
        let mut archive = Vec::new();
        dump(&repository, &manifest, options, &mut archive).expect("dump");
        let mut archive = tar::Archive::new(&archive[..]);
        let entries = archive.entries().expect("entries");
        entries.map(|entry| String::from_utf8(entry.expect("entry").path_bytes().into_owned()).expect("text")).collect()
    };
    let source = folders.source.to_str().and_then(|path| path.strip_prefix('/')).expect("an absolute path");
    let all: Vec<String> = names(&DumpOptions::default());
    assert_eq!(all, [format!("{source}/a"), format!("{source}/d/"), format!("{source}/d/b")]);
    let one: Vec<String> = names(&of(folders.source.join("d").to_str().expect("text")));
    assert_eq!(one, ["./", "b"]);
    let file = DumpOptions { form: DumpForm::Tar, ..of(folders.source.join("a").to_str().expect("text")) };
    let file: Vec<String> = names(&file);
    assert_eq!(file, ["a"]);
}

/// Damages a block in the middle of the only file.
pub(crate) fn damage_middle(
    backend: &MemoryBackend,
    repository: &lbak_core::repository::Repository,
    manifest: &Manifest,
) {
    let (_, blocks) = blocks_of_files(repository, manifest).pop().expect("a file");
    damage_block(backend, &blocks[blocks.len() / 2]);
}

#[test]
fn a_stream_stops_before_the_first_wrong_byte_and_says_how_many_were_good() {
    let (backend, repository) = shared();
    let folders = folders();
    let content = noise(7, 12_000_000);
    fs::write(folders.source.join("large"), &content).expect("write");
    let manifest = take(&repository, std::slice::from_ref(&folders.source));
    damage_middle(&backend, &repository, &manifest);
    for window_bytes in [1, 1 << 20, 24 << 20] {
        for check in [DumpCheck::Nothing, DumpCheck::Index] {
            let mut written = Vec::new();
            let options = DumpOptions { window_bytes, check, ..of("large") };
            let error = dump(&repository, &manifest, &options, &mut written).expect_err("it is damaged");
            assert!(error.is_damage(), "{error}");
            assert!(error.to_string().contains(&format!("first {} bytes are good", written.len())), "{error}");
            assert!(!written.is_empty() && written.len() < content.len() && content.starts_with(&written));
        }
        let mut written = Vec::new();
        let options = DumpOptions { window_bytes, check: DumpCheck::Everything, ..of("large") };
        let error = dump(&repository, &manifest, &options, &mut written).expect_err("it is damaged");
        assert!(error.is_damage() && error.to_string().contains("nothing was written"), "{error}");
        assert!(written.is_empty());
    }
}

#[test]
fn another_copy_of_a_damaged_chunk_is_as_good() {
    let (backend, repository) = shared();
    let folders = folders();
    let content = noise(7, 12_000_000);
    fs::write(folders.source.join("large"), &content).expect("write");
    let manifest = take(&repository, std::slice::from_ref(&folders.source));
    store_again(&repository, &manifest);
    // The block that is asked for first is damaged, and then the index sends to the other copy.
    damage_middle(&backend, &repository, &manifest);
    let mut written = Vec::new();
    dump(&repository, &manifest, &of("large"), &mut written).expect("dump");
    assert!(written == content);
}

#[test]
fn a_broken_archive_never_looks_whole() {
    let (backend, repository) = shared();
    let folders = folders();
    for number in 0..6 {
        fs::write(folders.source.join(format!("{number}")), noise(number, 2_000_000)).expect("write");
        let directory = folders.source.join(format!("d{number}"));
        fs::create_dir(&directory).expect("directory");
        fs::write(directory.join("small"), noise(100 + number, 3_000)).expect("write");
    }
    let manifest = take(&repository, std::slice::from_ref(&folders.source));
    let mut whole = Vec::new();
    dump(&repository, &manifest, &DumpOptions::default(), &mut whole).expect("dump");
    assert_ne!(listed(&whole), Some(false));

    let mut blocks: Vec<_> =
        blocks_of_files(&repository, &manifest).into_iter().flat_map(|(_, blocks)| blocks).collect();
    blocks.sort_by_key(lbak_core::store::BlockPlace::key);
    blocks.dedup_by_key(|block| block.key());
    for block in &blocks {
        damage_block(&backend, block);
        let mut written = Vec::new();
        let options = DumpOptions { check: DumpCheck::Nothing, ..Default::default() };
        let error = dump(&repository, &manifest, &options, &mut written).expect_err("it is damaged");
        assert!(error.is_damage(), "{error}");
        assert!(whole.starts_with(&written), "every byte of it is right");
        assert_ne!(listed(&written), Some(true), "tar takes {} of {} bytes for all", written.len(), whole.len());
        damage_block(&backend, block); // turns the bit back
    }
}

#[test]
fn a_lost_directory_is_found_before_the_first_byte_or_breaks_the_archive_off_in_the_middle_of_an_entry() {
    let (_, repository) = shared();
    let folders = folders();
    fs::write(folders.source.join("a"), "a").expect("write");
    let mut manifest = take(&repository, std::slice::from_ref(&folders.source));
    let mut forge = Forge::new(&repository, 1);
    let entry = |name: &str, node| {
        Entry::new(name.into(), node, &Metadata { kind: FileKind::Directory, ..Metadata::default() })
    };
    let empty = forge.tree(Vec::new());
    let top = forge.tree(vec![
        entry("empty", Node::Directory { tree: empty }),
        entry("lost", Node::Directory { tree: ChunkId([9; 32]) }),
    ]);
    manifest.root = forge.tree(vec![entry("/top", Node::Directory { tree: top })]);
    manifest.paths = vec![b"/top".to_vec()];
    forge.finish();

    let mut written = Vec::new();
    let error = dump(&repository, &manifest, &DumpOptions::default(), &mut written).expect_err("it is lost");
    assert!(error.is_damage() && written.is_empty(), "{error}");
    let options = DumpOptions { check: DumpCheck::Nothing, ..Default::default() };
    let error = dump(&repository, &manifest, &options, &mut written).expect_err("it is lost");
    assert!(error.is_damage() && error.to_string().contains("\"/top/lost\""), "{error}");
    assert!(!written.is_empty());
    assert_ne!(listed(&written), Some(true));
}

#[test]
fn sockets_are_left_out_and_told() {
    let (_, repository) = shared();
    let folders = folders();
    fs::write(folders.source.join("a"), "a").expect("write");
    let mut manifest = take(&repository, std::slice::from_ref(&folders.source));
    let mut forge = Forge::new(&repository, 1);
    let entry = |name: &str, node| Entry::new(name.into(), node, &Metadata::default());
    let top = forge.tree(vec![entry("fifo", Node::Fifo), entry("socket", Node::Socket)]);
    manifest.root = forge.tree(vec![entry("/top", Node::Directory { tree: top })]);
    manifest.paths = vec![b"/top".to_vec()];
    forge.finish();
    let mut archive = Vec::new();
    let report = dump(&repository, &manifest, &DumpOptions::default(), &mut archive).expect("dump");
    assert_eq!(report.entries, 2);
    assert_eq!(report.findings.len(), 1);
    assert_eq!((report.findings[0].kind, &report.findings[0].path[..]), (FindingKind::Skipped, &b"/top/socket"[..]));
}

#[test]
fn ten_thousand_levels_are_no_deeper_than_the_stack() {
    const LEVELS: usize = 10_000;
    let (_, repository) = shared();
    let folders = folders();
    fs::write(folders.source.join("a"), "a").expect("write");
    let mut manifest = take(&repository, std::slice::from_ref(&folders.source));
    let mut forge = Forge::new(&repository, 1);
    let directory = |name: &str, tree| Entry::new(name.into(), Node::Directory { tree }, &Metadata::default());
    let mut tree = forge.tree(Vec::new());
    for _ in 0..LEVELS {
        tree = forge.tree(vec![directory("d", tree)]);
    }
    manifest.root = forge.tree(vec![directory("/top", tree)]);
    manifest.paths = vec![b"/top".to_vec()];
    forge.finish();
    let options = DumpOptions { window_bytes: 1 << 20, ..Default::default() };
    let report = dump(&repository, &manifest, &options, &mut io::sink()).expect("dump");
    assert_eq!(report.entries, LEVELS as u64 + 1);
}

#[test]
fn every_block_of_a_file_is_read_once_whatever_the_window() {
    let backend = Arc::new(RecordingBackend::new(MemoryBackend::new()));
    let repository = repository(Arc::clone(&backend));
    let folders = folders();
    fs::write(folders.source.join("large"), noise(3, 40_000_000)).expect("write");
    let manifest = take(&repository, std::slice::from_ref(&folders.source));
    let (_, blocks) = blocks_of_files(&repository, &manifest).pop().expect("a file");
    let blocks: BTreeMap<_, _> = blocks.into_iter().map(|block| (block.key(), block)).collect();
    for window_bytes in [3_000_000, 24 << 20] {
        backend.take();
        let options = DumpOptions { window_bytes, ..of("large") };
        dump(&repository, &manifest, &options, &mut io::sink()).expect("dump");
        let records = backend.records();
        for block in blocks.values() {
            let name = ObjectName::Pack(block.pack.id).to_string();
            let start = u64::from(block.offset);
            let covers = |read: &&lbak_testkit::Record| {
                read.operation == Operation::GetRange
                    && read.name == name
                    && read.offset <= start
                    && start + u64::from(block.sealed_length) <= read.offset + read.bytes
            };
            assert_eq!(records.iter().filter(covers).count(), 1, "{name} {start} {window_bytes}");
        }
    }
}

/// Notes how much was read from the store when the first byte arrives.
struct FirstByte<'a> {
    backend: &'a RecordingBackend<MemoryBackend>,
    read: Option<u64>,
}

impl Write for FirstByte<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let backend = self.backend;
        self.read.get_or_insert_with(|| {
            // Whoever reads ahead has all the time it wants.
            std::thread::sleep(std::time::Duration::from_millis(200));
            backend.bytes(Operation::GetRange, "packs/")
        });
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn no_more_than_two_windows_are_read_ahead() {
    let backend = Arc::new(RecordingBackend::new(MemoryBackend::new()));
    let repository = repository(Arc::clone(&backend));
    let folders = folders();
    fs::write(folders.source.join("large"), noise(3, 60_000_000)).expect("write");
    let manifest = take(&repository, std::slice::from_ref(&folders.source));
    backend.take();
    let mut out = FirstByte { backend: &backend, read: None };
    let options = DumpOptions { window_bytes: 4 << 20, ..of("large") };
    dump(&repository, &manifest, &options, &mut out).expect("dump");
    // Windows of 4 MiB end with a chunk of up to 4 MiB, and blocks are read whole.
    let read = out.read.expect("something was written");
    assert!(read < 2 * ((4 + 4 + 4) << 20), "{read}");
}

#[test]
fn a_chunk_under_a_wrong_id_is_not_delivered() {
    let (_, repository) = shared();
    let folders = folders();
    fs::write(folders.source.join("a"), noise(1, 100)).expect("write");
    let mut manifest = take(&repository, std::slice::from_ref(&folders.source));
    let mut forge = Forge::new(&repository, 1);
    let chunk = forge.store(ChunkKind::Data, noise(1, 100));
    let content = lbak_core::tree::Content::Inline(vec![lbak_core::tree::Piece::data(99, chunk)]);
    let metadata = Metadata { size: 99, ..Metadata::default() };
    let file = Entry::new(b"/file".to_vec(), Node::File { content }, &metadata);
    manifest.root = forge.tree(vec![file]);
    manifest.paths = vec![b"/file".to_vec()];
    forge.finish();
    let mut written = Vec::new();
    let options = DumpOptions { check: DumpCheck::Nothing, ..Default::default() };
    let error = dump(&repository, &manifest, &options, &mut written).expect_err("its length is wrong");
    assert!(error.is_damage() && error.to_string().contains("another length"), "{error}");
    assert!(written.is_empty());
}
