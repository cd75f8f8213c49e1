//! What is shown, of trees in memory and on disk, and what becomes of it in snapshots.

use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::{MetadataExt, symlink},
    path::Path,
};

use super::{super::*, *};
use crate::{
    backend::{Backend, MemoryBackend},
    capture::{SnapshotOptions, SnapshotReport, snapshot},
    codec::slot::Credential,
    id::{ChunkId, ChunkKind},
    keys::PasswordCost,
    repository::{InitOptions, NewSlot, Repository},
    store::ChunkReader,
    tree::{NameRule, Node, TreeReader},
};

type Names = BTreeSet<String>;

/// Every path that a source shows, directories with a slash at the end.
fn shown(source: &dyn Source) -> Names {
    let mut names = Names::new();
    let roots = source.roots().expect("roots");
    let mut open: Vec<(String, Arc<dyn Directory>)> = vec![(String::new(), roots)];
    while let Some((path, directory)) = open.pop() {
        for found in directory.entries().expect("list") {
            let found = found.expect("it was looked at");
            let name = String::from_utf8(found.name.clone()).expect("text");
            let whole = if path.is_empty() { name } else { format!("{}/{name}", path.trim_end_matches('/')) };
            if found.metadata.kind == FileKind::Directory {
                names.insert(format!("{}/", whole.trim_end_matches('/')));
                open.push((whole, directory.directory(&found.name, &found.metadata).expect("open")));
            } else {
                names.insert(whole);
            }
        }
    }
    names
}

/// What rules leave of a source, without the root `/r`.
fn left(source: &dyn Source, rules: SelectionRules) -> (Vec<String>, Vec<(Exclusion, u64)>) {
    let selected = SelectedSource::new(source, rules);
    let names = shown(&selected);
    let below = names.iter().filter_map(|name| name.strip_prefix("/r/").filter(|name| !name.is_empty()));
    let excluded = selected.excluded().iter().map(|count| (count.exclusion, count.count)).collect();
    (below.map(str::to_owned).collect(), excluded)
}

fn directory<const N: usize>(entries: [(&str, MemoryNode); N]) -> MemoryNode {
    MemoryNode::directory(entries)
}

fn file(content: &str) -> MemoryNode {
    MemoryNode::file(content)
}

fn root<const N: usize>(entries: [(&str, MemoryNode); N]) -> MemorySource {
    MemorySource::new([("/r", directory(entries))])
}

fn excluding(patterns: &[&str]) -> SelectionRules {
    selecting(patterns, &[])
}

fn selecting(exclude: &[&str], include: &[&str]) -> SelectionRules {
    SelectionRules { patterns: Patterns::new(exclude, include).expect("patterns"), ..SelectionRules::default() }
}

fn sample() -> MemorySource {
    root([
        ("a.txt", file("a")),
        ("cache", directory([("big", file("b")), ("keep.txt", file("k"))])),
        ("deep", directory([("down", directory([("b.txt", file("b")), ("c.bin", file("c"))]))])),
        ("none", directory([("d.bin", file("d")), ("empty", directory([]))])),
    ])
}

#[test]
fn without_rules_everything_is_shown() {
    let source = sample();
    let selected = SelectedSource::new(&source, SelectionRules::default());
    assert_eq!(shown(&selected), shown(&source));
    assert_eq!(selected.excluded(), []);
    assert_eq!(selected.kind(), SourceKind::Files);
}

#[test]
fn what_a_pattern_excludes_is_not_there_with_all_below_it() {
    let (names, excluded) = left(&sample(), excluding(&["cache/", "*.bin", "!d.bin", "/r/deep/down/b.txt"]));
    assert_eq!(names, ["a.txt", "deep/", "deep/down/", "none/", "none/d.bin", "none/empty/"]);
    assert_eq!(excluded, [(Exclusion::Pattern, 3)]);
}

#[test]
fn roots_are_shown_whatever_the_rules_say() {
    let rules = SelectionRules { exclude_larger_than: Some(0), ..excluding(&["r", "/r", "/file", "*"]) };
    let source = MemorySource::new([("/r", directory([("a", file("a"))])), ("/file", file("long"))]);
    assert!(shown(&SelectedSource::new(&source, rules)).iter().eq(["/file", "/r/"]));
    let rules = selecting(&[], &["nothing"]);
    assert!(shown(&SelectedSource::new(&source, rules)).iter().eq(["/file", "/r/"]));
}

#[test]
fn includes_show_what_matches_and_the_way_to_it() {
    let (names, excluded) = left(&sample(), selecting(&[], &["*.txt"]));
    assert_eq!(names, ["a.txt", "cache/", "cache/keep.txt", "deep/", "deep/down/", "deep/down/b.txt"]);
    // cache/big, deep/down/c.bin, and none with all below it.
    assert_eq!(excluded, [(Exclusion::NotIncluded, 3)]);
    let (names, _) = left(&sample(), selecting(&["b.txt"], &["deep", "none/empty"]));
    assert_eq!(names, ["deep/", "deep/down/", "deep/down/c.bin", "none/", "none/empty/"]);
    assert_eq!(left(&sample(), selecting(&[], &["nowhere"])).0, [""; 0]);
    let everything = left(&sample(), SelectionRules::default()).0;
    assert_eq!(left(&sample(), selecting(&[], &["/r"])).0, everything, "the root itself is included");
}

#[test]
fn a_root_below_an_included_directory_is_wanted() {
    let source = MemorySource::new([("/srv/data/r", directory([("a", file("a"))]))]);
    let rules = selecting(&[], &["/srv/data"]);
    assert!(shown(&SelectedSource::new(&source, rules)).contains("/srv/data/r/a"));
    let rules = selecting(&[], &["/srv/dat"]);
    assert!(!shown(&SelectedSource::new(&source, rules)).contains("/srv/data/r/a"));
}

/// The root of the file system is the one directory whose path ends with a slash.
#[test]
fn patterns_hold_below_the_root_of_the_file_system() {
    let tree = directory([("etc", directory([("passwd", file("p"))])), ("tmp", directory([("x", file("x"))]))]);
    let source = MemorySource::new([("/", tree)]);
    let names = shown(&SelectedSource::new(&source, excluding(&["/tmp", "etc/shadow"])));
    assert!(names.iter().eq(["/", "/etc/", "/etc/passwd"]), "{names:?}");
    let names = shown(&SelectedSource::new(&source, selecting(&[], &["/etc"])));
    assert!(names.iter().eq(["/", "/etc/", "/etc/passwd"]), "{names:?}");
}

/// A source that counts how often a directory of a name is opened, by a name that begins with it.
struct Counting<'a>(&'a dyn Source, Arc<Mutex<Vec<String>>>);

struct CountingDirectory(Arc<dyn Directory>, Arc<Mutex<Vec<String>>>);

impl Source for Counting<'_> {
    fn kind(&self) -> SourceKind {
        self.0.kind()
    }

    fn roots(&self) -> Result<Arc<dyn Directory>, SourceError> {
        Ok(Arc::new(CountingDirectory(self.0.roots()?, Arc::clone(&self.1))))
    }
}

impl Directory for CountingDirectory {
    fn entries(&self) -> Result<Listing, SourceError> {
        self.0.entries()
    }

    fn directory(&self, name: &[u8], expected: &Metadata) -> Result<Arc<dyn Directory>, SourceError> {
        self.1.lock().expect("lock").push(String::from_utf8_lossy(name).into_owned());
        Ok(Arc::new(Self(self.0.directory(name, expected)?, Arc::clone(&self.1))))
    }

    fn file(&self, name: &[u8], expected: &Metadata) -> Result<Box<dyn SourceFile>, SourceError> {
        self.0.file(name, expected)
    }

    fn link_target(&self, name: &[u8]) -> Result<Vec<u8>, SourceError> {
        self.0.link_target(name)
    }

    fn attributes(&self, name: &[u8], kind: FileKind) -> Result<ExtendedAttributes, UnreadAttributes> {
        self.0.attributes(name, kind)
    }

    /// `proc` and what begins with it.
    fn is_pseudo(&self, name: &[u8]) -> bool {
        name.starts_with(b"proc")
    }
}

fn opened(source: &dyn Source, rules: SelectionRules) -> Vec<String> {
    let counts = Arc::default();
    let counting = Counting(source, Arc::clone(&counts));
    shown(&SelectedSource::new(&counting, rules));
    std::mem::take(&mut *counts.lock().expect("lock"))
}

#[test]
fn only_the_way_to_a_plain_path_is_opened() {
    assert_eq!(opened(&sample(), selecting(&[], &["deep/down/b.txt"])), ["/r", "deep", "down", "deep", "down"]);
    assert_eq!(opened(&sample(), selecting(&[], &["/r/none/d.bin"])), ["/r", "none", "none"]);
}

/// Looking ahead from every level anew would open the deepest directories once for each level above them.
#[test]
fn looking_ahead_opens_each_directory_once_more_at_most() {
    const DEPTH: usize = 200;
    let mut tree = directory([("zz.txt", file("found"))]);
    for _ in 0..DEPTH {
        tree = directory([("dead", directory([("x", file("x"))])), ("way", tree)]);
    }
    let source = MemorySource::new([("/r", tree)]);
    let opened = opened(&source, selecting(&[], &["*.txt"]));
    let count = |wanted: &str| opened.iter().filter(|name| *name == wanted).count();
    assert_eq!((count("way"), count("dead")), (2 * DEPTH, DEPTH));
}

#[test]
fn trouble_on_the_way_is_not_hidden() {
    let source = root([
        ("locked", directory([("a.txt", file("a"))]).with_trouble(SourceErrorKind::Denied)),
        ("gone", directory([]).with_trouble(SourceErrorKind::Vanished)),
    ]);
    let selected = SelectedSource::new(&source, selecting(&[], &["*.txt"]));
    let roots = selected.roots().expect("roots");
    let found = roots.entries().expect("list").next().expect("one").expect("found");
    let listed = roots.directory(&found.name, &found.metadata).expect("open").entries().expect("list");
    let names: Vec<Vec<u8>> = listed.map(|found| found.expect("found").name).collect();
    assert_eq!(names, [b"locked"]);
}

#[test]
fn a_walk_that_is_to_be_stopped_does_not_look_ahead() {
    let source = sample();
    let cancellation = Cancellation::default();
    cancellation.cancel();
    let selected = SelectedSource::new(&source, selecting(&[], &["*.txt"])).stopped_by(cancellation);
    assert!(shown(&selected).contains("/r/none/"));
}

const SIGNATURE: &str = "Signature: 8a477f597d28d172789f06886806bc55";

#[test]
fn of_a_cache_nothing_but_its_tag_is_shown() {
    let cache = |tag: MemoryNode| directory([("0", file("0")), ("CACHEDIR.TAG", tag), ("sub", directory([]))]);
    let source = root([
        ("cut", cache(file(&SIGNATURE[..42]))),
        ("link", cache(MemoryNode::symlink("elsewhere"))),
        ("other", cache(file("Signature: something else, as long as the signature"))),
        ("valid", cache(file(&format!("{SIGNATURE}\n# made by a test")))),
    ]);
    let rules = SelectionRules { exclude_caches: true, ..SelectionRules::default() };
    let (names, excluded) = left(&source, rules);
    let whole = ["cut", "link", "other"].map(|name| [format!("{name}/"), format!("{name}/0")]).concat();
    assert!(whole.iter().all(|name| names.contains(name)), "{names:?}");
    let valid: Vec<_> = names.iter().filter(|name| name.starts_with("valid")).collect();
    assert_eq!(valid, ["valid/", "valid/CACHEDIR.TAG"]);
    assert_eq!(excluded, [(Exclusion::Cache, 1)]);
    assert_eq!(left(&source, SelectionRules::default()).1, []);
}

#[test]
fn of_a_marked_directory_nothing_but_the_marker_is_shown() {
    let source = root([
        ("anything", directory([(".skip", MemoryNode::symlink("x")), ("a", file("a"))])),
        ("header", directory([("a", file("a")), ("zz", file("no backup, please"))])),
        ("other", directory([("a", file("a")), ("zz", file("backup, please"))])),
    ]);
    let markers = vec![Marker::new(".skip", "").expect("marker"), Marker::new("zz", "no backup").expect("marker")];
    let rules = SelectionRules { exclude_marked: markers, ..SelectionRules::default() };
    let (names, excluded) = left(&source, rules);
    assert_eq!(names, ["anything/", "anything/.skip", "header/", "header/zz", "other/", "other/a", "other/zz"]);
    assert_eq!(excluded, [(Exclusion::Marked, 2)]);
    for name in ["", ".", "..", "a/b"] {
        assert!(Marker::new(name, "").is_err(), "{name}");
    }
}

#[test]
fn a_marker_in_a_root_counts_and_one_that_can_not_be_read_does_not() {
    let rules = || SelectionRules { exclude_caches: true, ..SelectionRules::default() };
    assert_eq!(left(&root([("CACHEDIR.TAG", file(SIGNATURE)), ("a", file("a"))]), rules()).0, ["CACHEDIR.TAG"]);
    let locked = file(SIGNATURE).with_trouble(SourceErrorKind::Denied);
    assert_eq!(left(&root([("CACHEDIR.TAG", locked), ("a", file("a"))]), rules()).0, ["CACHEDIR.TAG", "a"]);
}

#[test]
fn files_above_a_size_are_left_out() {
    let source = root([("a", file("1234")), ("b", file("12345")), ("c", MemoryNode::sparse_file([(1 << 40, vec![])]))]);
    let (names, excluded) = left(&source, SelectionRules { exclude_larger_than: Some(4), ..SelectionRules::default() });
    assert_eq!((names, excluded), (vec!["a".to_owned()], vec![(Exclusion::TooLarge, 2)]));
}

fn on_device(device: u64, mut node: MemoryNode) -> MemoryNode {
    node.metadata.device = device;
    node
}

#[test]
fn another_file_system_is_an_empty_directory() {
    let back = on_device(1, directory([("deeper", file("d"))]));
    let source = root([
        ("file", on_device(2, file("an overlay has files on other devices"))),
        ("mount", on_device(2, directory([("x", file("x")), ("back", back)]))),
        ("sub", directory([("mount", on_device(3, directory([("y", file("y"))])))])),
    ]);
    let (names, excluded) = left(&source, SelectionRules { one_file_system: true, ..SelectionRules::default() });
    assert_eq!(names, ["file", "mount/", "sub/", "sub/mount/"]);
    assert_eq!(excluded, [(Exclusion::OtherFileSystem, 2)]);
    let rules = SelectionRules { one_file_system: true, ..selecting(&[], &["sub/mount", "x"]) };
    assert_eq!(left(&source, rules).0, ["sub/", "sub/mount/"]);
    // Each root has a device of its own.
    let source =
        MemorySource::new([("/a", directory([])), ("/r", on_device(2, directory([("x", on_device(2, file("x")))])))]);
    assert_eq!(left(&source, SelectionRules { one_file_system: true, ..SelectionRules::default() }).0, ["x"]);
}

#[test]
fn a_pseudo_file_system_is_an_empty_directory_unless_it_is_named() {
    let proc = || on_device(9, directory([("1", on_device(9, directory([("maps", on_device(9, file("m")))])))]));
    let source = MemorySource::new([
        ("/proc", on_device(9, directory([("self", on_device(9, directory([("x", file("x"))])))]))),
        ("/r", directory([("proc", proc()), ("procured", directory([("a", file("a"))]))])),
    ]);
    let counting = Counting(&source, Arc::default());
    let (names, excluded) = left(&counting, SelectionRules::default());
    assert_eq!(names, ["proc/", "procured/", "procured/a"], "only where another device begins");
    assert_eq!(excluded, [(Exclusion::PseudoFileSystem, 1)]);
    assert!(shown(&SelectedSource::new(&counting, SelectionRules::default())).contains("/proc/self/x"));
    let rules = SelectionRules { include_pseudo_file_systems: true, ..SelectionRules::default() };
    assert!(left(&counting, rules).0.contains(&"proc/1/maps".to_owned()));
}

#[test]
fn the_repository_is_never_shown_by_any_of_its_names() {
    let mut repository = directory([("config", file("c"))]);
    (repository.metadata.device, repository.metadata.inode) = (7, 77);
    let source = MemorySource::new([
        ("/named", repository.clone()),
        ("/r", directory([("again", directory([("bound", repository.clone())])), ("repository", repository)])),
    ]);
    let rules = SelectionRules { repositories: vec![(7, 77)], ..SelectionRules::default() };
    let selected = SelectedSource::new(&source, rules);
    assert!(shown(&selected).iter().eq(["/r/", "/r/again/"]));
    assert_eq!(selected.excluded(), [ExclusionCount { exclusion: Exclusion::Repository, count: 3 }]);
}

/// Hears what is left out.
#[derive(Default)]
struct Heard(Mutex<Vec<(String, Exclusion)>>, bool);

impl Observer for Heard {
    fn event(&self, event: &Event<'_>) {
        if let Event::Excluded { path, exclusion } = event {
            self.0.lock().expect("lock").push((String::from_utf8_lossy(path).into_owned(), *exclusion));
        }
    }

    fn wants_paths(&self) -> bool {
        self.1
    }
}

#[test]
fn what_is_left_out_is_told_to_whom_it_concerns_and_counted_anew_for_each_walk() {
    for wants_paths in [true, false] {
        let source = sample();
        let heard = Arc::new(Heard(Mutex::default(), wants_paths));
        let observer = Arc::<Heard>::clone(&heard);
        let selected = SelectedSource::new(&source, excluding(&["cache", "c.bin"])).observed_by(observer);
        shown(&selected);
        shown(&selected);
        assert_eq!(selected.excluded(), [ExclusionCount { exclusion: Exclusion::Pattern, count: 2 }]);
        let mut told = heard.0.lock().expect("lock").clone();
        told.truncate(2);
        let expected = ["/r/cache", "/r/deep/down/c.bin"].map(|path| (path.to_owned(), Exclusion::Pattern));
        assert_eq!(told, if wants_paths { expected.to_vec() } else { Vec::new() });
    }
}

/// A name that can not be looked at is trouble, unless nobody asked for it: a FUSE mount of another user, say.
#[test]
fn an_excluded_name_that_can_not_be_looked_at_is_no_trouble() {
    struct Blind;
    impl Source for Blind {
        fn kind(&self) -> SourceKind {
            SourceKind::Files
        }
        fn roots(&self) -> Result<Arc<dyn Directory>, SourceError> {
            MemorySource::new([("/r", directory([]))]).roots().map(|roots| Arc::new(BlindRoots(roots)) as _)
        }
    }
    struct BlindRoots(Arc<dyn Directory>);
    struct BlindDirectory;
    macro_rules! nothing_else {
        () => {
            fn file(&self, _: &[u8], _: &Metadata) -> Result<Box<dyn SourceFile>, SourceError> {
                unreachable!("there is none")
            }
            fn link_target(&self, _: &[u8]) -> Result<Vec<u8>, SourceError> {
                unreachable!("there is none")
            }
            fn attributes(&self, _: &[u8], _: FileKind) -> Result<ExtendedAttributes, UnreadAttributes> {
                Ok(Vec::new())
            }
        };
    }
    impl Directory for BlindRoots {
        fn entries(&self) -> Result<Listing, SourceError> {
            self.0.entries()
        }
        fn directory(&self, _: &[u8], _: &Metadata) -> Result<Arc<dyn Directory>, SourceError> {
            Ok(Arc::new(BlindDirectory))
        }
        nothing_else!();
    }
    impl Directory for BlindDirectory {
        fn entries(&self) -> Result<Listing, SourceError> {
            let names = ["gvfs", "other"].map(|name| {
                let error = SourceError::new(SourceErrorKind::Denied, "a mount of somebody else");
                Err(Unlisted { name: name.into(), error })
            });
            Ok(Box::new(names.into_iter()))
        }
        fn directory(&self, _: &[u8], _: &Metadata) -> Result<Arc<dyn Directory>, SourceError> {
            unreachable!("there is none")
        }
        nothing_else!();
    }
    let selected = SelectedSource::new(&Blind, excluding(&["gvfs/"]));
    let roots = selected.roots().expect("roots");
    let found = roots.entries().expect("list").next().expect("one").expect("found");
    let listed = roots.directory(&found.name, &found.metadata).expect("open").entries().expect("list");
    let names: Vec<Vec<u8>> = listed.map(|found| found.expect_err("it can not be looked at").name).collect();
    assert_eq!(names, [b"other"]);
}

// On disk.

fn write(path: &Path, content: &str) {
    fs::create_dir_all(path.parent().expect("a parent")).expect("folders");
    fs::write(path, content).expect("write");
}

#[test]
fn a_real_tree_is_selected_from() {
    let folder = tempfile::tempdir().expect("folder");
    let at = |name: &str| folder.path().join(name);
    write(&at("cache/CACHEDIR.TAG"), SIGNATURE);
    write(&at("cache/big"), "big");
    write(&at("src/main.rs"), "main");
    write(&at("src/main.o"), "object");
    write(&at("repository/config"), "config");
    symlink("repository", at("link")).expect("link");
    let identity = fs::metadata(at("repository")).map(|found| (found.dev(), found.ino())).expect("stat");
    let source = LocalSource::new(&[folder.path(), &at("link")]).expect("both are there");
    let rules = SelectionRules {
        exclude_caches: true,
        one_file_system: true,
        repositories: vec![identity],
        ..excluding(&["*.o"])
    };
    let selected = SelectedSource::new(&source, rules);
    let names = shown(&selected);
    let prefix = format!("{}/", fs::canonicalize(folder.path()).expect("real").display());
    let names: Vec<&str> = names.iter().filter_map(|name| name.strip_prefix(&prefix)).collect();
    assert_eq!(names, ["", "cache/", "cache/CACHEDIR.TAG", "link", "src/", "src/main.rs"]);
    let excluded: Vec<Exclusion> = selected.excluded().iter().map(|count| count.exclusion).collect();
    assert_eq!(excluded, [Exclusion::Pattern, Exclusion::Repository, Exclusion::Cache]);
}

#[test]
fn proc_is_known_by_its_file_system() {
    if !Path::new("/proc/self").exists() {
        eprintln!("skipped: no proc is mounted here");
        return;
    }
    let source = LocalSource::new(&["/"]).expect("it is there");
    let look = |rules: SelectionRules| -> usize {
        let selected = SelectedSource::new(&source, rules);
        let roots = selected.roots().expect("roots");
        let root = roots.entries().expect("list").next().expect("one").expect("found");
        let root = roots.directory(&root.name, &root.metadata).expect("open");
        let proc = root.entries().expect("list").flatten().find(|found| found.name == b"proc").expect("proc");
        root.directory(&proc.name, &proc.metadata).expect("open").entries().expect("list").take(2).count()
    };
    assert_eq!(look(SelectionRules::default()), 0);
    assert_eq!(look(SelectionRules { one_file_system: true, ..SelectionRules::default() }), 0);
    assert_eq!(look(SelectionRules { include_pseudo_file_systems: true, ..SelectionRules::default() }), 2);
    // A root is read, whatever it is.
    let source = LocalSource::new(&["/proc/self"]).expect("it is there");
    let selected = SelectedSource::new(&source, SelectionRules::default());
    let roots = selected.roots().expect("roots");
    let root = roots.entries().expect("list").next().expect("one").expect("found");
    assert!(roots.directory(&root.name, &root.metadata).expect("open").entries().expect("list").next().is_some());
}

// In snapshots.

fn repository() -> Repository {
    let backend: Arc<dyn Backend> = Arc::new(MemoryBackend::new());
    let slot = NewSlot { credential: Credential::password("p"), cost: PasswordCost::CHEAPEST, label: String::new() };
    Repository::init(backend, &[slot], &InitOptions { threads: Some(2), ..Default::default() }).expect("init")
}

fn take(repository: &Repository, source: &dyn Source, rules: SelectionRules) -> (SnapshotReport, Vec<String>) {
    let selected = SelectedSource::new(source, rules);
    let report = snapshot(repository, &selected, &SnapshotOptions::default()).expect("snapshot");
    assert!(report.is_complete && report.findings.is_empty(), "what was not wanted is not missing: {report:?}");
    let catalog = repository.catalog().expect("catalog");
    let taken = catalog.snapshots.iter().find(|taken| taken.manifest.id == report.snapshot).expect("committed");
    let reader = repository.reader(&repository.view().expect("view"));
    let mut names = Vec::new();
    collect(&reader, NameRule::AbsolutePath, &taken.manifest.root, "", &mut names);
    (report, names)
}

fn collect(reader: &ChunkReader, rule: NameRule, tree: &ChunkId, path: &str, names: &mut Vec<String>) {
    let read = |kind: ChunkKind, id: &ChunkId| reader.read(kind, id);
    for entry in TreeReader::open(rule, *tree, &read).expect("tree") {
        let entry = entry.expect("entry");
        let path = format!("{path}/{}", String::from_utf8_lossy(&entry.name).trim_start_matches('/'));
        names.push(path.clone());
        if let Node::Directory { tree } = &entry.node {
            collect(reader, NameRule::Component, tree, &path, names);
        }
    }
}

/// Nothing in the source changes, no time stamp moves, only the rules do: a directory must not be taken over from the snapshot
/// before it as it was, and what is wanted again must be read.
#[test]
fn a_changed_rule_shows_in_the_next_snapshot_of_an_unchanged_source() {
    let mount = on_device(2, directory([("m", on_device(2, file("mounted")))]));
    let source = || {
        root([
            ("cache", directory([("CACHEDIR.TAG", file(SIGNATURE)), ("c", file("cached"))])),
            ("marked", directory([(".skip", file("")), ("s", file("marked"))])),
            ("mount", mount.clone()),
            ("proc", on_device(9, directory([("p", on_device(9, file("running")))]))),
            ("sub", directory([("a.log", file("log")), ("b", directory([("keep", file("kept"))]))])),
            ("vast", directory([("v", file("very long"))])),
        ])
    };
    let none = SelectionRules::default;
    let marker = || vec![Marker::new(".skip", "").expect("marker")];
    let everything_but_proc = SelectionRules { include_pseudo_file_systems: true, ..none() };
    let cases: [(SelectionRules, &[&str]); 8] = [
        (excluding(&["*.log"]), &["sub/a.log"]),
        (excluding(&["sub/"]), &["sub", "sub/a.log", "sub/b", "sub/b/keep"]),
        (selecting(&["v"], &["sub", "vast", "c", "m", "p", "marked", "CACHEDIR.TAG"]), &["vast/v"]),
        (SelectionRules { exclude_caches: true, ..none() }, &["cache/c"]),
        (SelectionRules { exclude_marked: marker(), ..none() }, &["marked/s"]),
        (SelectionRules { exclude_larger_than: Some(8), ..none() }, &["vast/v", "cache/CACHEDIR.TAG"]),
        (SelectionRules { one_file_system: true, ..none() }, &["mount/m", "proc/p"]),
        (none(), &["proc/p"]),
    ];
    for (rules, gone) in cases {
        let repository = repository();
        let source = source();
        let counting = Counting(&source, Arc::default());
        let rules = SelectionRules { include_pseudo_file_systems: !gone.contains(&"proc/p"), ..rules };
        let what = format!("{rules:?}");
        let (_, all) = take(&repository, &counting, everything_but_proc.clone());
        let (second, less) = take(&repository, &counting, rules.clone());
        assert_eq!(second.files.new + second.files.changed, 0, "nothing is read again: {what}");
        let missing: Vec<&str> =
            all.iter().filter(|name| !less.contains(name)).map(|name| &name["/r/".len()..]).collect();
        let mut expected = gone.to_vec();
        expected.sort_unstable();
        assert_eq!(missing, expected, "{what}");
        assert!(less.iter().all(|name| all.contains(name)), "{what}");
        let (third, same) = take(&repository, &counting, rules);
        assert_eq!(
            (third.sizes.new, third.sizes.stored, same),
            (0, 0, less),
            "an equal choice is an equal tree: {what}"
        );
        let (fourth, again) = take(&repository, &counting, everything_but_proc.clone());
        assert_eq!(again, all, "{what}");
        assert!(fourth.files.new > 0, "what was left out is read: {what}");
    }
}

#[test]
fn a_tree_that_is_selected_from_equals_one_that_never_had_more() {
    let repository = repository();
    let (first, _) = take(&repository, &sample(), excluding(&["cache", "none", "deep"]));
    let (second, names) = take(&repository, &root([("a.txt", file("a"))]), SelectionRules::default());
    assert_eq!(names, ["/r", "/r/a.txt"]);
    assert_eq!(second.sizes.new, 0);
    assert_eq!((first.totals.files, first.totals.directories), (second.totals.files, second.totals.directories));
}
