//! There and back.

use std::path::Path;

use lbak::{FileCounts, MemorySource, RestoreOptions, VerifyOptions, source::MemoryNode, verify};
use lbak_testkit::{awkward::AwkwardOptions, not_run};

use crate::ground::{Ground, compared, expected, is_root, repository, restored, take, take_from, told};

/// Sockets are the only thing that is never backed up.
const SOCKETS: [&str; 2] =
    ["/sockets/only a socket/socket: missing on the right", "/sockets/socket: missing on the right"];

fn comes_back(ground: &Ground) {
    if !is_root() {
        return not_run("needs root; an ordinary user's tree is tried in `ordinary.rs`");
    }
    ground.make(&AwkwardOptions::default());
    let repository = repository();
    let (report, manifest) = take(&repository, &ground.tree());
    let skipped = |path| format!("skipped {path}: sockets are not backed up");
    let paths = ["/sockets/only a socket/socket", "/sockets/socket"];
    assert_eq!(told(&report.findings, &ground.tree()), paths.map(skipped).into());
    assert!(report.is_complete);

    let back = restored(&repository, &manifest, &ground.path("back"));
    assert_eq!(told(&back.findings, &ground.tree()), expected([]));
    assert_eq!((back.totals, back.bytes), (report.totals, report.sizes.logical));
    assert_eq!(compared(&ground.tree(), &ground.path("back")), expected(SOCKETS));

    // Nothing has changed, and nothing is read again.
    let (second, _) = take(&repository, &ground.tree());
    let unchanged = FileCounts { unchanged: report.totals.files, ..FileCounts::default() };
    assert_eq!(second.files, unchanged);
    let root = |id| {
        let catalog = repository.catalog().expect("a catalog");
        catalog.snapshots.iter().find(|found| found.manifest.id == id).map(|found| found.manifest.root)
    };
    assert_eq!(root(second.snapshot), root(report.snapshot));

    // What came back is what is taken again, but for times that nobody can set.
    let depth = lbak::Depth::ReadData { share: lbak::Share::All };
    let verified = verify(&repository, &VerifyOptions { depth, ..VerifyOptions::default() }).expect("verify");
    assert!(verified.is_sound(), "{:#?}", verified.damage);
    assert_eq!(verified.snapshots, 2);
}

#[test]
fn everything_comes_back_on_a_disk() {
    comes_back(&Ground::on_disk());
}

#[test]
fn everything_comes_back_in_memory() {
    if let Some(ground) = Ground::in_memory() {
        comes_back(&ground);
    }
}

/// The sum of their lengths fits no number: a count overflowed, and the snapshot panicked.
#[test]
fn files_that_are_longer_than_can_be_counted_come_back() {
    let longest = || MemoryNode::sparse_file([(i64::MAX.unsigned_abs(), Vec::new())]);
    let files = ["a", "b", "c"].map(|name| (name, longest()));
    let repository = repository();
    let (report, manifest) = take_from(&repository, &MemorySource::new([("/tree", MemoryNode::directory(files))]));
    assert_eq!((report.totals.files, report.sizes.logical), (3, u64::MAX));
    let options = RestoreOptions { dry_run: true, ..RestoreOptions::default() };
    let back = lbak::restore(&repository, &manifest, Path::new("/nowhere"), &options).expect("a dry run");
    assert_eq!((back.totals.files, back.bytes), (3, u64::MAX));
}
