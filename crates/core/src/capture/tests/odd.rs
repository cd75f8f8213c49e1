//! Files and directories that are odd without changing.

use std::fs;

use super::{changing::take, *};
use crate::{
    codec::Kind,
    metadata::{FileKind, Metadata, Timestamp},
    not_run::not_run,
    snapshot::MarkRecord,
    source::{
        ExtendedAttributes, Found, Listing, Portion, SourceError as Refused, SourceErrorKind, SourceFile, SourceKind,
        UnreadAttributes,
    },
    tree::{Attributes, EntryFlags},
};

/// A directory with one file and, maybe, one directory, made up as it is read.
#[derive(Clone)]
struct MadeUp {
    /// Directories below this one.
    levels: usize,
    /// It is the only directory there is, and stands below itself.
    is_loop: bool,
    file: Option<EndlessFile>,
}

/// A file that says that it has so many bytes, and gives ones without end.
#[derive(Clone, Copy)]
struct EndlessFile {
    size: u64,
    is_made_up: bool,
}

impl MadeUp {
    fn metadata(&self, levels: usize) -> Metadata {
        let inode = if self.is_loop { 7 } else { 10 + levels as u64 };
        Metadata { kind: FileKind::Directory, inode, device: 1, links: 2, ..Metadata::default() }
    }
}

impl Source for MadeUp {
    fn kind(&self) -> SourceKind {
        SourceKind::Files
    }

    fn roots(&self) -> Result<Arc<dyn Directory>, Refused> {
        Ok(Arc::new(Roots(Self { levels: self.levels + 1, ..self.clone() })))
    }
}

/// The one directory whose names are paths.
struct Roots(MadeUp);

impl Directory for Roots {
    fn entries(&self) -> Result<Listing, Refused> {
        let metadata = self.0.metadata(self.0.levels);
        Ok(Box::new(std::iter::once(Ok(Found { name: b"/r".to_vec(), metadata }))))
    }

    fn directory(&self, _: &[u8], _: &Metadata) -> Result<Arc<dyn Directory>, Refused> {
        Ok(Arc::new(MadeUp { levels: self.0.levels - 1, ..self.0.clone() }))
    }

    fn file(&self, _: &[u8], _: &Metadata) -> Result<Box<dyn SourceFile>, Refused> {
        unreachable!("there is none")
    }

    fn link_target(&self, _: &[u8]) -> Result<Vec<u8>, Refused> {
        unreachable!("there is none")
    }

    fn attributes(&self, _: &[u8], _: FileKind) -> Result<ExtendedAttributes, UnreadAttributes> {
        Ok(Vec::new())
    }
}

impl Directory for MadeUp {
    fn entries(&self) -> Result<Listing, Refused> {
        let directory = (self.levels > 0).then(|| Found { name: b"d".to_vec(), metadata: self.metadata(self.levels) });
        let file = self.file.map(|file| Found {
            name: b"file".to_vec(),
            metadata: Metadata { size: file.size, inode: 5, links: 1, ..Metadata::default() },
        });
        Ok(Box::new(directory.into_iter().chain(file).map(Ok)))
    }

    fn directory(&self, _: &[u8], _: &Metadata) -> Result<Arc<dyn Directory>, Refused> {
        Ok(Arc::new(Self { levels: self.levels - 1, ..self.clone() }))
    }

    fn file(&self, _: &[u8], _: &Metadata) -> Result<Box<dyn SourceFile>, Refused> {
        Ok(Box::new(self.file.expect("a file")))
    }

    fn link_target(&self, _: &[u8]) -> Result<Vec<u8>, Refused> {
        unreachable!("there is none")
    }

    fn attributes(&self, _: &[u8], _: FileKind) -> Result<ExtendedAttributes, UnreadAttributes> {
        Ok(Vec::new())
    }
}

impl SourceFile for EndlessFile {
    fn read(&mut self, buffer: &mut [u8]) -> Result<Portion, Refused> {
        buffer.fill(1);
        Ok(Portion::Data(buffer.len()))
    }

    fn metadata(&self) -> Result<Metadata, Refused> {
        Ok(Metadata { size: self.size, inode: 5, links: 1, ..Metadata::default() })
    }

    fn is_made_up(&self) -> bool {
        self.is_made_up
    }

    fn attributes(&self) -> Result<ExtendedAttributes, UnreadAttributes> {
        Ok(Vec::new())
    }
}

fn snapshot_of(source: &dyn Source) -> (Repository, SnapshotReport) {
    let repository = repository(&Arc::new(MemoryBackend::new()));
    let report = snapshot(&repository, source, &SnapshotOptions::default()).expect("snapshot");
    (repository, report)
}

#[test]
fn a_file_without_an_end_is_told_of_and_does_not_fill_the_repository() {
    for (size, is_made_up) in [(0, false), (0, true), (1 << 47, true)] {
        let source = MadeUp { levels: 1, is_loop: false, file: Some(EndlessFile { size, is_made_up }) };
        let (_, report) = snapshot_of(&source);
        assert!(report.findings.iter().all(|finding| finding.kind == FindingKind::Unreadable) && !report.is_complete);
        assert_eq!((report.findings.len(), report.totals.files, report.totals.directories), (2, 0, 2));
        assert!(report.findings[0].message.contains("gives no end"), "{}", report.findings[0]);
        assert!(report.sizes.stored < 1 << 20 && report.files.read_bytes < 200 << 20);
    }
    // One that says how long it is is read up to there.
    let file = Some(EndlessFile { size: 3 << 20, is_made_up: false });
    let (_, report) = snapshot_of(&MadeUp { levels: 0, is_loop: false, file });
    assert_eq!((report.findings, report.sizes.logical), (vec![], 3 << 20));
}

#[test]
fn a_file_that_says_that_it_is_empty_is_stored_with_its_content() {
    let (name, what) = ("/proc/self/limits", b"Max open files");
    let Ok(content) = fs::read(name) else {
        return not_run(format_args!("there is no {name} here"));
    };
    let source = LocalSource::new(&[name]).expect("source");
    let backend = Arc::new(MemoryBackend::new());
    drop(repository(&backend));
    let repository = later(&backend);
    for round in 0..2 {
        let report = snapshot(&repository, &source, &SnapshotOptions::default()).expect("snapshot");
        assert_eq!(report.findings, []);
        assert_eq!(report.files.unchanged, 0, "read each time, also in round {round}");
        let found = contents(&repository, &report);
        assert!(found[&format!("/{name}")].windows(what.len()).any(|part| part == what));
        assert_eq!(found[&format!("/{name}")].len(), content.len());
    }
}

#[test]
fn a_directory_that_stands_below_itself_is_recorded_empty_there() {
    let source = MadeUp { levels: usize::MAX - 1, is_loop: true, file: None };
    let (repository, report) = snapshot_of(&source);
    let [finding] = &report.findings[..] else { panic!("{:?}", report.findings) };
    assert_eq!((finding.kind, finding.path.as_slice()), (FindingKind::Skipped, &b"/r/d"[..]));
    assert_eq!(finding.message, "a mount shows /r here once more");
    let found = entries(&repository, &report);
    assert!(found["//r/d"].0.flags.contains(EntryFlags::CONTENT_UNREAD));
    assert_eq!((found.len(), report.is_complete), (2, true));
}

#[test]
fn a_tree_of_a_hundred_thousand_levels_is_taken() {
    let (_, report) = snapshot_of(&MadeUp { levels: 100_000, is_loop: false, file: None });
    assert_eq!((report.totals.directories, report.findings), (100_001, vec![]));
}

#[test]
fn a_path_longer_than_any_finding_is_told_in_full_and_recorded_in_part() {
    struct Longest(std::sync::Mutex<usize>);
    impl Observer for Longest {
        fn event(&self, event: &Event<'_>) {
            if let Event::Finding(finding) = event {
                *self.0.lock().expect("lock") = finding.path.len();
            }
        }
    }
    let name = "n".repeat(255);
    let mut node = MemoryNode::file("x").with_trouble(SourceErrorKind::Denied);
    for _ in 0..40 {
        node = MemoryNode::directory([(name.clone(), node)]);
    }
    let observer = Arc::new(Longest(std::sync::Mutex::default()));
    let options = SnapshotOptions { observer: Arc::<Longest>::clone(&observer), ..Default::default() };
    let repository = repository(&Arc::new(MemoryBackend::new()));
    let report = snapshot(&repository, &MemorySource::new([("/r", node)]), &options).expect("snapshot");
    assert_eq!(*observer.0.lock().expect("lock"), 2 + 40 * 256);
    assert_eq!((report.findings.len(), report.findings[0].path.len()), (1, 4096));
}

#[test]
fn a_directory_that_can_not_be_listed_stands_empty_and_is_read_again() {
    let tree = |directory: MemoryNode| MemorySource::new([("/r", MemoryNode::directory([("d", directory)]))]);
    let directory = MemoryNode::directory([("file", MemoryNode::file("x"))]);
    let (repository, report) = snapshot_of(&tree(directory.clone().with_trouble(SourceErrorKind::Denied)));
    assert_eq!((report.is_complete, report.totals.directories), (false, 2));
    assert!(entries(&repository, &report)["//r/d"].0.flags.contains(EntryFlags::CONTENT_UNREAD));
    // It looks the same, and is listed now.
    let report = snapshot(&repository, &tree(directory), &SnapshotOptions::default()).expect("snapshot");
    assert_eq!(contents(&repository, &report)["//r/d/file"], b"x");
    assert!(report.is_complete && report.findings.is_empty());
}

#[test]
fn every_time_that_a_file_system_can_keep_is_kept() {
    let seconds = [i64::MIN, -2_208_988_800, -1, 0, 4_294_967_296, 253_402_300_800, i64::MAX];
    let nodes = seconds.map(|seconds| {
        let mut node = MemoryNode::symlink("x");
        node.metadata.mtime = Timestamp { seconds, nanoseconds: 999_999_999 };
        node.metadata.ctime = Timestamp { seconds, nanoseconds: 1 };
        (seconds.to_string(), node)
    });
    let (repository, report) = snapshot_of(&MemorySource::new([("/r", MemoryNode::directory(nodes))]));
    let found = entries(&repository, &report);
    for seconds in seconds {
        let entry = &found[&format!("//r/{seconds}")].0;
        assert_eq!((entry.mtime.seconds, entry.mtime.nanoseconds), (seconds, 999_999_999));
        assert_eq!((entry.ctime.seconds, entry.ctime.nanoseconds), (seconds, 1));
    }
    // On a disk: whatever the system says that it has kept.
    let folder = tempfile::tempdir().expect("folder");
    for (number, seconds) in seconds.into_iter().enumerate() {
        let path = folder.path().join(number.to_string());
        write(&path, b"");
        let time = rustix::fs::Timespec { tv_sec: seconds, tv_nsec: 123_456_789 };
        let times = rustix::fs::Timestamps { last_access: time, last_modification: time };
        let _ = rustix::fs::utimensat(rustix::fs::CWD, &path, &times, rustix::fs::AtFlags::empty());
    }
    let (_, found) = take(folder.path(), |_| {});
    for number in 0..seconds.len() {
        use std::os::unix::fs::MetadataExt;
        let real = fs::metadata(folder.path().join(number.to_string())).expect("stat");
        let recorded = found[&number.to_string()].0.mtime;
        assert_eq!((recorded.seconds, i64::from(recorded.nanoseconds)), (real.mtime(), real.mtime_nsec()));
    }
    assert_eq!(found["2"].0.mtime, Timestamp { seconds: -1, nanoseconds: 123_456_789 });
}

#[test]
fn a_file_of_eight_terabytes_of_hole_takes_no_time_and_no_room() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("disk");
    let file = fs::File::create(&path).expect("create");
    if let Err(error) = file.set_len(8 << 40) {
        return not_run(format_args!("this file system has no files of 8 TiB: {error}"));
    }
    for offset in [0, 3_u64 << 40, (8 << 40) - 5_000] {
        std::os::unix::fs::FileExt::write_all_at(&file, b"data", offset).expect("write");
    }
    let (report, found) = {
        let backend = Arc::new(MemoryBackend::new());
        let repository = repository(&backend);
        let source = LocalSource::new(&[folder.path()]).expect("source");
        let report = snapshot(&repository, &source, &SnapshotOptions::default()).expect("snapshot");
        let view = repository.view().expect("view");
        let reader = repository.reader(&view);
        let read = |kind: ChunkKind, id: &ChunkId| reader.read(kind, id);
        let root = repository.catalog().expect("catalog").snapshots[0].manifest.root;
        let top = TreeReader::open(NameRule::AbsolutePath, root, &read).expect("tree").next().expect("one");
        let Node::Directory { tree } = top.expect("entry").node else { panic!("a directory") };
        let entry = TreeReader::open(NameRule::Component, tree, &read).expect("tree").next().expect("one");
        (report, entry.expect("entry"))
    };
    assert_eq!((found.size, report.findings), (8 << 40, vec![]));
    let Node::File { content: crate::tree::Content::Inline(pieces) } = &found.node else { panic!("{found:?}") };
    let hole_bytes: u64 = pieces.iter().filter(|piece| piece.chunk.is_none()).map(|piece| piece.length).sum();
    assert!(hole_bytes > (8 << 40) - (1 << 20), "{pieces:?}");
    assert!(report.files.read_bytes < 1 << 20);
}

/// A mark that was not finished makes nothing of the parent trustworthy: attributes of directories that are stored apart were
/// taken over all the same.
#[test]
fn what_an_unfinished_mark_condemns_is_stored_again_and_told() {
    let mut directory = MemoryNode::directory([("file", MemoryNode::file("content"))]);
    directory.attributes = vec![(b"user.long".to_vec(), noise(3, 40_000))];
    let source = MemorySource::new([("/r", MemoryNode::directory([("d", directory)]))]);
    let backend = Arc::new(MemoryBackend::new());
    let repository = repository(&backend);
    let first = snapshot(&repository, &source, &SnapshotOptions::default()).expect("snapshot");
    assert_eq!(reasons(&repository, &source, true).len(), 0);

    let packs = list_names(&*backend, Folder::Packs.prefix()).expect("list");
    let condemned = packs.into_iter().filter_map(|(name, _)| match name {
        ObjectName::Pack(pack) => Some(pack),
        _ => None,
    });
    let mark = MarkRecord { condemned: condemned.collect() };
    let name = ObjectName::Mark(1);
    let session = crate::id::SessionId([1; 16]);
    let sealed = repository.codec().seal_object(&name, Kind::Mark, session, &mark.encode().expect("encode"));
    backend.put(&name, &sealed.expect("seal")).expect("put");
    assert_eq!(reasons(&repository, &source, true).get("file"), Some(&(7, ReadReason::Untrusted)));
    let second = snapshot(&repository, &source, &SnapshotOptions::default()).expect("snapshot");
    assert_eq!((second.files.unsettled, second.sizes.new), (1, first.sizes.new));
    assert!(first.sizes.new > 40_000);
    assert!(matches!(entries(&repository, &second)["//r/d"].0.attributes, Attributes::Stored(_)));
}

/// A FIFO of which one attribute can not be read.
struct Partly;

impl Source for Partly {
    fn kind(&self) -> SourceKind {
        SourceKind::Files
    }

    fn roots(&self) -> Result<Arc<dyn Directory>, Refused> {
        Ok(Arc::new(Self))
    }
}

impl Directory for Partly {
    fn entries(&self) -> Result<Listing, Refused> {
        let metadata = Metadata { kind: FileKind::Fifo, inode: 7, links: 1, ..Metadata::default() };
        Ok(Box::new(std::iter::once(Ok(Found { name: b"/pipe".to_vec(), metadata }))))
    }

    fn directory(&self, _: &[u8], _: &Metadata) -> Result<Arc<dyn Directory>, Refused> {
        unreachable!("there is none")
    }

    fn file(&self, _: &[u8], _: &Metadata) -> Result<Box<dyn SourceFile>, Refused> {
        unreachable!("there is none")
    }

    fn link_target(&self, _: &[u8]) -> Result<Vec<u8>, Refused> {
        unreachable!("there is none")
    }

    fn attributes(&self, _: &[u8], _: FileKind) -> Result<ExtendedAttributes, UnreadAttributes> {
        let bad = Refused::new(SourceErrorKind::Other, "a bad block");
        Err(UnreadAttributes {
            read: vec![(b"user.good".to_vec(), b"1".to_vec())],
            unread: vec![(b"user.bad".to_vec(), bad)],
        })
    }
}

#[test]
fn attributes_that_can_be_read_are_stored_beside_one_that_can_not() {
    let (repository, report) = snapshot_of(&Partly);
    let [finding] = &report.findings[..] else { panic!("{:?}", report.findings) };
    assert_eq!(
        (finding.kind, finding.message.as_str()),
        (FindingKind::MetadataUnread, "attribute user.bad: a bad block")
    );
    let (entry, _) = &entries(&repository, &report)["//pipe"];
    assert!(entry.flags.contains(EntryFlags::METADATA_INCOMPLETE));
    assert_eq!(entry.attributes, Attributes::Inline(vec![(b"user.good".to_vec(), b"1".to_vec())]));
}
