//! Repositories that were made to lead a restore out of its target.

use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use lbak_core::{
    id::{ChunkId, ChunkKind},
    metadata::{FileKind, Metadata, Timestamp},
    observe::FindingKind,
    snapshot::Manifest,
    tree::{Content, Entry, Node, Piece},
};
use lbak_restore::{Delete, InPlace, Overwrite, Place, RestoreOptions, RestoreReport, restore};
use lbak_testkit::trees::compare;

use crate::support::{Folders, Forge, folders, quick, shared, take};

/// Counts a case, and says how many there were so far: the highest number is that of all.
#[expect(clippy::print_stdout, reason = "tests tell their figures")]
fn count_case() {
    static CASES: AtomicUsize = AtomicUsize::new(0);
    println!("hostile case {}", CASES.fetch_add(1, Ordering::Relaxed) + 1);
}

pub(crate) fn entry(name: &[u8], node: Node) -> Entry {
    let metadata = Metadata {
        kind: FileKind::File,
        mode: 0o777,
        mtime: Timestamp { seconds: 1, nanoseconds: 2 },
        size: if matches!(node, Node::File { .. }) { 4 } else { 0 },
        ..Metadata::default()
    };
    Entry::new(name.to_vec(), node, &metadata)
}

/// Restores what `make` has stored, beside a canary that must stay as it is.
pub(crate) fn attack(
    make: impl Fn(&mut Forge, &Path, &dyn Fn(&[u8]) -> Entry) -> (Vec<Entry>, Vec<Vec<u8>>),
) -> (Folders, RestoreReport) {
    count_case();
    let (_, repository) = shared();
    let folders = folders();
    let canary = folders.folder.path().join("canary");
    fs::create_dir(&canary).expect("canary");
    fs::write(canary.join("file"), "do not touch").expect("write");
    let before = folders.folder.path().join("before");
    assert!(std::process::Command::new("cp").arg("-a").arg(&canary).arg(&before).status().expect("cp").success());
    let number = fs::metadata(&canary).expect("metadata").ctime_nsec();

    let honest = take(&repository, std::slice::from_ref(&folders.source));
    let mut forge = Forge::new(&repository, 5);
    let evil = forge.store(ChunkKind::Data, b"evil".to_vec());
    let file = |name: &[u8]| entry(name, Node::File { content: Content::Inline(vec![Piece::data(4, evil)]) });
    let (roots, paths) = make(&mut forge, &canary, &file);
    let root = forge.tree(roots);
    forge.finish();
    let manifest = Manifest { root, paths, ..honest };
    let report = restore(&repository, &manifest, &folders.target, &quick()).expect("restore");
    // And again as if it were in place.
    let original = RestoreOptions { place: Place::Original, ..quick() };
    let place = folders.folder.path().join("place");
    restore(&repository, &manifest, &place, &original).expect("restore");
    // And over what is there now, deleting what it does not have.
    for (target, place) in [(&folders.target, Place::Contents), (&place, Place::Original)] {
        let in_place = Some(InPlace { overwrite: Overwrite::Always, delete: Delete::ExtraOfIncomplete });
        let options = RestoreOptions { place, in_place, verify: true, ..quick() };
        restore(&repository, &manifest, target, &options).expect("restore");
    }

    assert_eq!(compare(&before, &canary), Vec::<String>::new());
    assert_eq!(fs::metadata(&canary).expect("metadata").ctime_nsec(), number);
    let mut names: Vec<_> = fs::read_dir(folders.folder.path())
        .expect("list")
        .map(|found| found.expect("entry").file_name().into_string().expect("text"))
        .collect();
    names.sort();
    assert_eq!(names, ["before", "canary", "place", "source", "target"]);
    (folders, report)
}

pub(crate) fn directory(tree: ChunkId) -> Node {
    Node::Directory { tree }
}

pub(crate) fn one(tree: ChunkId) -> (Vec<Entry>, Vec<Vec<u8>>) {
    (vec![entry(b"/source", directory(tree))], vec![b"/source".to_vec()])
}

pub(crate) fn link_to(path: &Path) -> Node {
    Node::Symlink { target: path.to_str().expect("text").into() }
}

#[test]
fn names_that_lead_out_are_refused() {
    let (_, canary) = ((), b"../canary/file");
    for name in [&b".."[..], b".", b"", b"/", b"/etc", b"a/b", canary, b"a\0b"] {
        for is_directory in [false, true] {
            let (folders, report) = attack(|forge, _, file| {
                let bad = if is_directory {
                    let below = forge.tree(vec![file(b"file")]);
                    entry(name, directory(below))
                } else {
                    file(name)
                };
                let tree = forge.tree(vec![bad]);
                one(tree)
            });
            assert!(report.lost > 0, "{name:?}: {:?}", report.findings);
            assert_eq!(fs::read_dir(&folders.target).expect("list").count(), 0);
        }
    }
}

#[test]
fn roots_that_lead_out_are_refused() {
    for name in [&b"/../canary"[..], b"/a/../../canary", b"canary", b"//canary"] {
        let (_, report) = attack(|_, _, file| (vec![file(name)], vec![name.to_vec(), b"/other".to_vec()]));
        assert!(report.lost > 0, "{name:?}");
    }
}

#[test]
fn a_link_and_a_directory_of_one_name_are_refused() {
    let (_, report) = attack(|forge, canary, file| {
        let below = forge.tree(vec![file(b"file"), file(b"new")]);
        let tree = forge.tree(vec![entry(b"x", link_to(canary)), entry(b"x", directory(below))]);
        one(tree)
    });
    assert!(report.lost > 0);
}

#[test]
fn a_root_below_a_link_does_not_go_through_it() {
    let (folders, report) = attack(|forge, canary, file| {
        let below = forge.tree(vec![file(b"file"), file(b"new")]);
        let roots = vec![
            entry(b"/x", link_to(canary)),
            entry(b"/x/directory", directory(below)),
            entry(b"/x/file", file(b"f").node.clone()),
        ];
        let sized = roots.into_iter().map(|mut root| {
            root.size = if matches!(root.node, Node::File { .. }) { 4 } else { 0 };
            root
        });
        (sized.collect(), [&b"/x"[..], b"/x/directory", b"/x/file"].map(<[u8]>::to_vec).to_vec())
    });
    assert!(fs::symlink_metadata(folders.target.join("x")).expect("link").is_symlink());
    let refused = report.findings.iter().filter(|finding| finding.kind == FindingKind::Unwritable).count();
    assert_eq!(refused, 2, "{:?}", report.findings);
}

#[test]
fn names_of_one_file_that_are_different_things_stay_so() {
    let (folders, report) = attack(|forge, canary, file| {
        let together = |mut entry: Entry| {
            (entry.link_group, entry.inode) = (1, 1);
            entry
        };
        let to_file = canary.join("file");
        let tree = forge.tree(vec![
            together(entry(b"a", link_to(&to_file))),
            together(entry(b"b", link_to(&to_file))),
            together(file(b"c")),
            together(file(b"d")),
        ]);
        one(tree)
    });
    assert!(fs::symlink_metadata(folders.target.join("b")).expect("link").is_symlink());
    for name in ["c", "d"] {
        assert_eq!(fs::read(folders.target.join(name)).expect("read"), b"evil");
    }
    assert_eq!(report.totals.files, 2);
}

#[test]
fn the_mode_of_a_link_is_not_set_on_what_it_points_to() {
    let (_, report) = attack(|forge, canary, _| {
        let mut link = entry(b"a", link_to(&canary.join("file")));
        (link.mode, link.uid) = (0o4777, 4242);
        let tree = forge.tree(vec![link]);
        one(tree)
    });
    assert_eq!(report.totals.links, 1);
}

#[test]
fn a_file_that_lies_about_its_size_is_withheld() {
    let (folders, report) = attack(|forge, _, file| {
        let mut content = file(b"a");
        let Node::File { content: Content::Inline(pieces) } = &mut content.node else { unreachable!() };
        pieces[0].length = 5;
        content.size = 5;
        let tree = forge.tree(vec![content, file(b"b")]);
        one(tree)
    });
    assert_eq!((report.lost, report.totals.files), (1, 1));
    assert!(!folders.target.join("a").exists());
}

/// A directory that must stay as it is, and what a target leads to it by.
fn canary(folders: &Folders) -> (std::path::PathBuf, Vec<(String, Vec<u8>)>) {
    let canary = folders.folder.path().join("canary");
    fs::create_dir(&canary).expect("canary");
    for name in ["file", "other"] {
        fs::write(canary.join(name), "do not touch").expect("write");
    }
    let before = held(&canary);
    (canary, before)
}

fn held(canary: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = fs::read_dir(canary).expect("list").map(|entry| entry.expect("entry"));
    let mut held: Vec<_> = entries
        .map(|entry| (entry.file_name().into_string().expect("text"), fs::read(entry.path()).expect("read")))
        .collect();
    held.sort();
    held
}

fn cleaning() -> RestoreOptions {
    RestoreOptions { in_place: Some(InPlace { overwrite: Overwrite::Always, delete: Delete::Extra }), ..quick() }
}

#[test]
fn a_link_that_stands_where_a_directory_was_is_replaced_and_never_followed() {
    let (_, repository) = shared();
    let folders = folders();
    let (canary, before) = canary(&folders);
    fs::create_dir_all(folders.source.join("directory/deep")).expect("directory");
    fs::write(folders.source.join("directory/file"), "of the snapshot").expect("write");
    fs::write(folders.source.join("directory/deep/file"), "of the snapshot").expect("write");
    let manifest = take(&repository, std::slice::from_ref(&folders.source));
    for (link, delete) in
        [("directory", false), ("directory", true), ("directory/deep", true), ("directory/file", true)]
    {
        count_case();
        fs::create_dir_all(folders.target.join("directory")).expect("target");
        let path = folders.target.join(link);
        let _ = fs::remove_dir(&path);
        let to = if link.ends_with("file") { canary.join("file") } else { canary.clone() };
        std::os::unix::fs::symlink(&to, &path).expect("link");
        let mut options = cleaning();
        if !delete {
            options.in_place = Some(InPlace::default());
        }
        let report = restore(&repository, &manifest, &folders.target, &options).expect("restore");
        assert_eq!(report.findings, []);
        assert_eq!(held(&canary), before);
        assert_eq!(compare(&folders.source.join("directory"), &folders.target.join("directory")), Vec::<String>::new());
        fs::remove_dir_all(&folders.target).expect("remove");
    }
}

#[test]
fn a_link_on_the_way_to_a_root_is_a_finding() {
    count_case();
    let (_, repository) = shared();
    let folders = folders();
    let (canary, before) = canary(&folders);
    let roots = [("/way/one", "file"), ("/other/two", "file")].map(|(path, name)| {
        (path, lbak_core::source::MemoryNode::directory([(name, lbak_core::source::MemoryNode::file("evil"))]))
    });
    let manifest = crate::support::take_from(&repository, &lbak_core::source::MemorySource::new(roots));
    fs::create_dir(&folders.target).expect("target");
    std::os::unix::fs::symlink(&canary, folders.target.join("way")).expect("link");
    let report = restore(&repository, &manifest, &folders.target, &cleaning()).expect("restore");
    assert_eq!(crate::support::found(&report, FindingKind::Unwritable), ["/way".to_owned()].into());
    assert_eq!(held(&canary), before);
    assert!(folders.target.join("other/two/file").exists());
}

/// Puts a link in the place of a directory while files are restored into it.
struct Swapping {
    target: std::path::PathBuf,
    canary: std::path::PathBuf,
    restored: AtomicUsize,
    swaps: AtomicUsize,
    /// Restored when it was swapped.
    files: AtomicUsize,
}

impl lbak_core::observe::Observer for Swapping {
    fn event(&self, event: &lbak_core::observe::Event<'_>) {
        let directory = self.target.join("directory");
        // Early, whatever the machine is busy with: progress is told by the clock.
        if matches!(event, lbak_core::observe::Event::Restored { .. })
            && self.restored.fetch_add(1, Ordering::Relaxed) >= 5
            && fs::rename(&directory, self.target.join("aside")).is_ok()
        {
            std::os::unix::fs::symlink(&self.canary, &directory).expect("link");
            self.swaps.fetch_add(1, Ordering::Relaxed);
            let is_there = |number| self.target.join(format!("aside/{number}/file")).exists();
            self.files.store((0..600).filter(|number| is_there(*number)).count(), Ordering::Relaxed);
        }
    }

    fn wants_paths(&self) -> bool {
        true
    }
}

#[test]
fn a_directory_that_is_swapped_for_a_link_while_it_is_restored_leads_nowhere() {
    for is_in_place in [false, true] {
        count_case();
        let (_, repository) = shared();
        let folders = folders();
        let (canary, before) = canary(&folders);
        fs::create_dir(folders.source.join("directory")).expect("directory");
        for number in 0..600 {
            let path = folders.source.join(format!("directory/{number}"));
            // More directories than stay open, so that this one is opened again.
            fs::create_dir(&path).expect("directory");
            fs::write(path.join("file"), format!("file {number}")).expect("write");
        }
        let manifest = take(&repository, std::slice::from_ref(&folders.source));
        fs::create_dir(&folders.target).expect("target");
        if is_in_place {
            fs::create_dir_all(folders.target.join("directory/extra")).expect("directory");
            fs::write(folders.target.join("directory/extra/file"), "extra").expect("write");
        }
        let observer = Arc::new(Swapping {
            target: folders.target.clone(),
            canary: canary.clone(),
            restored: AtomicUsize::new(0),
            swaps: AtomicUsize::new(0),
            files: AtomicUsize::new(0),
        });
        let options = RestoreOptions { window_bytes: 500, observer: Arc::clone(&observer) as _, ..cleaning() };
        // What becomes of the rest is told; what must not be is that anything comes to lie elsewhere.
        restore(&repository, &manifest, &folders.target, &options).expect("restore");
        assert_eq!(held(&canary), before);
        // Those that were open lead to where they were moved, so that all of it may lie there in the end.
        let files = observer.files.load(Ordering::Relaxed);
        assert!(observer.swaps.load(Ordering::Relaxed) > 0 && files < 600, "it came when {files} were restored");
    }
}

#[test]
fn a_file_that_was_set_where_a_restore_looks_for_its_own_is_not_written_through() {
    let (_, repository) = shared();
    let folders = folders();
    let (canary, before) = canary(&folders);
    fs::write(folders.source.join("a"), "of the snapshot").expect("write");
    let manifest = take(&repository, std::slice::from_ref(&folders.source));
    fs::create_dir(&folders.target).expect("target");
    // Whoever could guess the name: a link, and a hard link.
    let id = repository.codec().keys().chunk_id(ChunkKind::Data, b"a");
    let hash: String = id.0.iter().take(12).map(|byte| format!("{byte:02x}")).collect();
    for name in [format!(".lbak-restore-{hash}"), format!(".lbak-update-{hash}")] {
        for is_hard in [false, true] {
            count_case();
            let path = folders.target.join(&name);
            if is_hard {
                fs::hard_link(canary.join("file"), &path).expect("link");
            } else {
                std::os::unix::fs::symlink(canary.join("file"), &path).expect("link");
            }
            restore(&repository, &manifest, &folders.target, &cleaning()).expect("restore");
            assert_eq!(held(&canary), before);
            assert_eq!(fs::read(folders.target.join("a")).expect("read"), b"of the snapshot");
            fs::remove_dir_all(&folders.target).expect("remove");
            fs::create_dir(&folders.target).expect("target");
        }
    }
}
