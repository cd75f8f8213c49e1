//! lbak itself on the golden repository: what an old version wrote opens for ever.

use std::{path::Path, sync::Arc};

use lbak::{
    Backend, Credential, Depth, KeyFile, LocalBackend, OpenOptions, Place, Repository, RestoreOptions, VerifyOptions,
    restore, verify,
};

use crate::{
    listing,
    reader::{repository::Repository as Read, seal::Credential as Independent},
    tests::{GOLDEN, assert_lines, golden, lines_of_folder, sections_on_disk},
};

fn open(credential: &Credential) -> Repository {
    let backend: Arc<dyn Backend> =
        Arc::new(LocalBackend::open(Path::new(GOLDEN).join("repository")).expect("backend"));
    Repository::open(backend, credential, &OpenOptions { threads: Some(2), ..Default::default() }).expect("it opens")
}

#[test]
fn lbak_finds_nothing_wrong_with_the_golden_repository() {
    let key = KeyFile::parse(golden("key").as_bytes()).expect("a key file");
    for credential in [Credential::password("golden"), Credential::KeyFile(key)] {
        let options = VerifyOptions { depth: Depth::ReadData { share: Default::default() }, ..Default::default() };
        let report = verify(&open(&credential), &options).expect("verify");
        assert_eq!(
            (report.snapshots, report.packs_read, report.damage, report.hurt),
            (3, report.packs, vec![], vec![])
        );
    }
}

#[test]
fn lbak_restores_every_golden_snapshot_as_expected() {
    let repository = open(&Credential::password("golden"));
    let expected = golden("expected.txt");
    let mut snapshots = repository.catalog().expect("catalog").snapshots;
    snapshots.sort_by_key(lbak::Committed::order);
    for (snapshot, section) in snapshots.iter().zip(sections_on_disk(&expected)) {
        let target = tempfile::tempdir().expect("folder");
        let options = RestoreOptions { place: Place::Original, sync: false, ..Default::default() };
        let report = restore(&repository, &snapshot.manifest, target.path(), &options).expect("restore");
        assert_eq!(report.lost, 0);
        let paths: Vec<&[u8]> = snapshot.manifest.paths.iter().map(Vec::as_slice).collect();
        assert_lines(&lines_of_folder(target.path(), &paths, &expected), section.into_iter());
    }
}

#[test]
fn lbak_lists_what_is_expected() {
    let repository = open(&Credential::password("golden"));
    let catalog = repository.catalog().expect("catalog");
    let first = catalog.snapshots.iter().min_by_key(|snapshot| snapshot.order()).expect("snapshots");
    let expected = golden("expected.txt");
    let section: Vec<&str> = expected.lines().skip(1).take_while(|line| !line.starts_with("2: ")).collect();
    let mut at = 0;
    let mut found = |listed: lbak::ListedEntry<'_>| {
        while section[at].starts_with("attribute ") {
            at += 1;
        }
        let path = format!(" {}", listed.path.escape_ascii());
        assert!(section[at].contains(&path), "{path} in {}", section[at]);
        at += 1;
        Ok(())
    };
    let options = lbak::ListOptions { recursive: true, ..lbak::ListOptions::default() };
    let report = lbak::list(&repository, &first.manifest, None, &options, &mut found).expect("list");
    let entries = section.iter().filter(|line| !line.starts_with("attribute ")).count();
    assert_eq!((report.entries, report.lost), (entries as u64, 0));
}

/// Objects of folders that came later, or are still to come, are passed over: by this reader, by lbak, and by what it writes beside them.
#[test]
fn what_stands_in_an_unknown_folder_is_passed_over_and_stays() {
    let folder = tempfile::tempdir().expect("folder");
    let copy = folder.path().join("repository");
    copy_all(&Path::new(GOLDEN).join("repository"), &copy);
    let hash = blake3::hash(b"of a later version").to_hex();
    let strangers = [format!("mended/{hash}"), "later/0000000000000001".to_owned(), "parity/notes".to_owned()];
    for name in &strangers {
        let path = copy.join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        std::fs::write(path, "of a later version").expect("written");
    }
    let read = Read::open(copy.clone(), &Independent::Password("golden"));
    let lines = listing::of_repository(&read.expect("it opens")).expect("everything is read");
    assert_lines(&lines, golden("expected.txt").lines());

    let backend: Arc<dyn Backend> = Arc::new(LocalBackend::open(&copy).expect("backend"));
    let options = OpenOptions { threads: Some(2), ..Default::default() };
    let repository = Repository::open(backend, &Credential::password("golden"), &options).expect("it opens");
    let source = lbak::MemorySource::new([("/new", lbak::source::MemoryNode::file("new"))]);
    lbak::snapshot(&repository, &source, &lbak::SnapshotOptions::default()).expect("snapshot");
    lbak::add_parity(&repository, &lbak::ParityOptions::default()).expect("parity");
    let options = VerifyOptions { depth: Depth::ReadData { share: Default::default() }, ..Default::default() };
    let report = verify(&repository, &options).expect("verify");
    assert_eq!((report.snapshots, report.damage, report.parity_objects), (4, vec![], 1));
    assert!(report.notes.iter().any(|note| note.starts_with("3 names are not lbak's")), "{:?}", report.notes);
    for name in &strangers {
        assert_eq!(std::fs::read(copy.join(name)).expect("it is there"), b"of a later version");
    }
}

fn copy_all(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("made");
    for entry in std::fs::read_dir(from).expect("a folder") {
        let (from, to) = entry.map(|entry| (entry.path(), to.join(entry.file_name()))).expect("an entry");
        if from.is_dir() { copy_all(&from, &to) } else { _ = std::fs::copy(from, to).expect("copied") }
    }
}
