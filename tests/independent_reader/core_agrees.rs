//! lbak itself on the golden repository: what an old version wrote opens for ever.

use std::{path::Path, sync::Arc};

use lbak::{
    Backend, Credential, Depth, KeyFile, LocalBackend, OpenOptions, Place, Repository, RestoreOptions, VerifyOptions,
    restore, verify,
};

use crate::tests::{GOLDEN, assert_lines, golden, lines_of_folder, sections_on_disk};

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
    let report = lbak::list(&repository, &first.manifest, None, true, &mut found).expect("list");
    let entries = section.iter().filter(|line| !line.starts_with("attribute ")).count();
    assert_eq!((report.entries, report.lost), (entries as u64, 0));
}
