//! Files that change, grow, shrink or vanish while they are read.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use super::{
    hooked::{Hooked, Step},
    *,
};
use crate::tree::EntryFlags;

/// A file of less than, and one of much more than what is read together with others.
const LENGTHS: [usize; 2] = [200_000, 5_000_000];

/// A folder with one file of noise named `file`.
fn folder(length: usize) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("file");
    write(&path, &noise(1, length));
    (folder, path)
}

/// Takes a snapshot of a folder in which things happen; returns its report and its entries by their last names.
pub(super) fn take(
    folder: &Path,
    hook: impl Fn(Step<'_>) + Send + Sync + 'static,
) -> (SnapshotReport, BTreeMap<String, (Entry, Vec<u8>)>) {
    let backend = Arc::new(MemoryBackend::new());
    drop(repository(&backend));
    let repository = later(&backend);
    let report = snapshot(&repository, &Hooked::new(folder, hook), &SnapshotOptions::default()).expect("snapshot");
    let found = entries(&repository, &report);
    let short = |path: String| path.rsplit('/').next().expect("a last part").to_owned();
    (report, found.into_iter().map(|(path, entry)| (short(path), entry)).collect())
}

fn append(path: &Path, bytes: &[u8]) {
    fs::File::options().append(true).open(path).expect("open").write_all(bytes).expect("write");
}

#[test]
fn a_file_that_changes_once_while_it_is_read_is_recorded_as_it_is_then() {
    for length in LENGTHS {
        let (folder, path) = folder(length);
        let changed = noise(2, length - 1000);
        let (times, content) = (AtomicUsize::new(0), changed.clone());
        let (report, found) = take(folder.path(), move |step| {
            // When part of it was read already.
            if step == Step::Read("file", 2) && times.fetch_add(1, Ordering::Relaxed) == 0 {
                fs::write(&path, &content).expect("write");
            }
        });
        let (entry, content) = &found["file"];
        assert!(*content == changed, "{length}");
        assert_eq!((entry.size, entry.flags), (changed.len() as u64, EntryFlags::default()));
        assert_eq!((report.findings, report.sizes.logical), (vec![], changed.len() as u64));
    }
}

/// Keeps what is noted.
#[derive(Default)]
struct Notes(std::sync::Mutex<Vec<String>>);

impl Observer for Notes {
    fn event(&self, event: &Event<'_>) {
        if let Event::Note(note) = event {
            self.0.lock().expect("no panic").push((*note).to_owned());
        }
    }
}

#[test]
fn that_a_file_is_read_again_is_told_with_the_reason() {
    for length in LENGTHS {
        let (folder, path) = folder(length);
        let hook = move |step: Step<'_>| {
            if step == Step::Read("file", 1) {
                append(&path, b"more");
            }
        };
        let backend = Arc::new(MemoryBackend::new());
        drop(repository(&backend));
        let notes = Arc::new(Notes::default());
        let options =
            SnapshotOptions { observer: Arc::clone(&notes) as Arc<dyn Observer>, ..SnapshotOptions::default() };
        snapshot(&later(&backend), &Hooked::new(folder.path(), hook), &options).expect("snapshot");
        let notes = notes.0.lock().expect("no panic").clone();
        assert_eq!(notes.len(), 2, "three tries: {notes:?}");
        let told = |note: &String| note.starts_with("read again because its size changed") && note.ends_with("/file");
        assert!(notes.iter().all(told), "{notes:?}");
    }
}

#[test]
fn a_file_that_is_always_appended_to_is_recorded_as_it_was_when_it_was_opened() {
    for length in LENGTHS {
        let (folder, path) = folder(length);
        let original = noise(1, length);
        let opened = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&opened);
        let (report, found) = take(folder.path(), move |step| match step {
            Step::Open("file") => {
                count.fetch_add(1, Ordering::Relaxed);
            }
            Step::Read("file", 1) => append(&path, &[7; 10_000]),
            _ => {}
        });
        assert_eq!(opened.load(Ordering::Relaxed), 3, "tried so often");
        let (entry, content) = &found["file"];
        assert!(content.starts_with(&original) && content[length..].iter().all(|&byte| byte == 7));
        // Opened for the third time after two additions.
        assert_eq!((content.len(), entry.size), (length + 20_000, length as u64 + 20_000));
        assert!(entry.flags.contains(EntryFlags::CHANGED));
        assert_eq!(report.findings.iter().map(|finding| finding.kind).collect::<Vec<_>>(), [FindingKind::Changed]);
        assert!(report.is_complete, "it is there, if not of one moment");
    }
}

#[test]
fn a_file_that_is_cut_short_once_is_recorded_with_what_is_left() {
    for length in LENGTHS {
        let (folder, path) = folder(length);
        let times = AtomicUsize::new(0);
        let (report, found) = take(folder.path(), move |step| {
            if step == Step::Read("file", 2) && times.fetch_add(1, Ordering::Relaxed) == 0 {
                fs::File::options().write(true).open(&path).expect("open").set_len(1234).expect("truncate");
            }
        });
        assert!(found["file"].1 == noise(1, length)[..1234], "{length}");
        assert_eq!((found["file"].0.flags, report.findings), (EntryFlags::default(), vec![]));
    }
}

#[test]
fn a_file_that_has_grown_large_since_it_was_listed_is_read_like_a_large_one() {
    let (folder, path) = folder(100);
    write(&folder.path().join("other"), b"beside it");
    let grown = noise(3, 7_000_000);
    let content = grown.clone();
    let (report, found) = take(folder.path(), move |step| {
        if step == Step::Open("file") && fs::metadata(&path).expect("stat").len() == 100 {
            fs::write(&path, &content).expect("write");
        }
    });
    assert!(found["file"].1 == grown && found["other"].1 == b"beside it");
    assert_eq!((found["file"].0.flags, report.findings), (EntryFlags::default(), vec![]));
}

/// Batches whose files had all grown large each held a share of the memory that reading may take, and waited for another.
#[test]
fn many_files_that_have_grown_do_not_wait_for_each_other() {
    let folder = tempfile::tempdir().expect("folder");
    let names: Vec<String> = (0..60).map(|number| format!("{number:02}")).collect();
    for name in &names {
        // A batch each, and nearly.
        write(&folder.path().join(name), &noise(1, 900_000));
    }
    let grown = noise(4, 1_200_000);
    let (root, content) = (folder.path().to_owned(), grown.clone());
    let (report, found) = take(folder.path(), move |step| {
        if let Step::Open(name) = step {
            fs::write(root.join(name), &content).expect("write");
        }
    });
    assert!(names.iter().all(|name| found[name].1 == grown));
    // Each was written to again at every try, but before its first look.
    assert_eq!(report.findings, []);
}

#[test]
fn a_file_that_vanishes_is_counted_and_nothing_stands_for_it() {
    for length in LENGTHS {
        for step_of_loss in [Step::Open("file"), Step::Read("file", 1)] {
            let (folder, path) = folder(length);
            write(&folder.path().join("other"), b"stays");
            let (report, found) = take(folder.path(), move |step| {
                if step == step_of_loss {
                    let _ = fs::remove_file(&path);
                }
            });
            assert!(!found.contains_key("file") && found["other"].1 == b"stays");
            let [finding] = &report.findings[..] else { panic!("{:?}", report.findings) };
            assert_eq!(finding.kind, FindingKind::Vanished);
            assert!(finding.path.ends_with(b"/file") && report.is_complete);
        }
    }
}

#[test]
fn a_named_path_that_vanishes_is_no_detail() {
    let (folder, path) = folder(10);
    let repository = repository(&Arc::new(MemoryBackend::new()));
    for (root, name) in [(path.clone(), "file"), (folder.path().to_owned(), "")] {
        let doomed = root.clone();
        let source = Hooked::new(&root, move |step| {
            let is_root = name.is_empty() && matches!(step, Step::Enter(_));
            if is_root || step == Step::Open(name) {
                let _ = fs::remove_file(doomed.join("file")).or_else(|_| fs::remove_file(&doomed));
                let _ = fs::remove_dir(&doomed);
            }
        });
        let error = snapshot(&repository, &source, &SnapshotOptions::default()).expect_err("it is gone");
        assert!(matches!(&error, Error::Source { path, .. } if *path == root), "{error}");
        write(&path, b"again");
    }
    assert!(repository.catalog().expect("catalog").snapshots.is_empty());
}

#[test]
fn short_reads_and_threads_change_nothing() {
    let folder = tempfile::tempdir().expect("folder");
    for (number, length) in [0, 1, 60_000, 900_000, 3_000_000, 20_000_000].into_iter().enumerate() {
        write(&folder.path().join(format!("d{}/{number}", number % 2)), &noise(9, length));
    }
    let backend = Arc::new(MemoryBackend::new());
    drop(repository(&backend));
    let mut roots = Vec::new();
    for (threads, most) in [(1, usize::MAX), (2, 77_777), (5, 1 << 20)] {
        let backend: Arc<dyn Backend> = Arc::clone(&backend) as _;
        let clock = Arc::new(LaterClock);
        let options = crate::repository::OpenOptions { clock, threads: Some(threads), expected: None, cache: None };
        let repository = Repository::open(backend, &Credential::password("p"), &options).expect("open");
        let source = Hooked::new(folder.path(), |_| {}).with_short_reads(most);
        let options = SnapshotOptions { lineage: LineageKind::Full, ..Default::default() };
        let report = snapshot(&repository, &source, &options).expect("snapshot");
        let catalog = repository.catalog().expect("catalog");
        let taken = catalog.snapshots.iter().find(|found| found.manifest.id == report.snapshot).expect("committed");
        roots.push(taken.manifest.root);
        assert!(roots.len() == 1 || report.sizes.new == 0);
    }
    assert!(roots.iter().all(|root| *root == roots[0]));
}

/// Folders that can be stopped, and that are read as what can be read once only.
struct Stoppable {
    inner: Hooked,
    stop: std::sync::mpsc::Sender<()>,
}

impl Source for Stoppable {
    fn kind(&self) -> source::SourceKind {
        self.inner.kind()
    }

    fn roots(&self) -> Result<Arc<dyn Directory>, SourceError> {
        self.inner.roots()
    }

    fn is_repeatable(&self) -> bool {
        false
    }

    fn stop(&self) {
        let _ = self.stop.send(());
    }
}

#[test]
fn a_walk_that_panics_stops_a_reader_that_waits() {
    use std::sync::{Mutex, mpsc};

    let folder = tempfile::tempdir().expect("a temporary folder");
    write(&folder.path().join("idle"), b"never read");
    write(&folder.path().join("later/file"), b"never seen");
    let (begin, begun) = mpsc::channel();
    let (stop, stopped) = mpsc::channel();
    let (stopped, was_stopped) = (Mutex::new(stopped), Arc::new(Mutex::new(false)));
    let (begun, noted) = (Mutex::new(begun), Arc::clone(&was_stopped));
    let limit = std::time::Duration::from_secs(20);
    let inner = Hooked::new(folder.path(), move |step| match step {
        Step::Open("idle") => {
            let _ = begin.send(());
            *noted.lock().expect("not poisoned") = stopped.lock().expect("not poisoned").recv_timeout(limit).is_ok();
        }
        Step::Enter("later") => {
            begun.lock().expect("not poisoned").recv().expect("a reader opens the file");
            panic!("in the middle of the walk");
        }
        _ => {}
    });
    let source = Stoppable { inner, stop };
    let repository = repository(&Arc::new(MemoryBackend::new()));
    let run = || snapshot(&repository, &source, &SnapshotOptions::default());
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(run)).expect_err("the panic is not swallowed");
    assert!(*was_stopped.lock().expect("not poisoned"), "the reader was told");
}
