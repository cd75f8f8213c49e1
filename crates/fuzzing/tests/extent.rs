//! Snapshots that show far more than they say: 2^40 directories in 42 trees, sound and with a file that is lost, and a file of 8 GiB in
//! four lists. Every verb ends by itself, and says why.

use std::{collections::BTreeSet, fs, io, path::Path};

use lbak_core::{
    amend::{AmendOptions, Changes, amend},
    error::{Error, Result},
    id::SnapshotId,
    repository::Repository,
    snapshot::{Committed, Manifest},
};
use lbak_fuzzing::repository_of;
use lbak_inspect::{DiffOptions, DiffSide, FindOptions, StatsOptions, diff, find, history, stats};
use lbak_restore::{DumpCheck, DumpOptions, ListOptions, RestoreOptions, dump, list, restore};
use lbak_verify::{
    VerifyOptions, VerifyReport,
    repair::{Mended, RepairOptions, repair_snapshots},
    verify,
};

/// What is let pass before it is told, twice what the snapshots of these tests count included.
const LET_PASS: u64 = 10_100;

fn seed(name: &str) -> (Repository, Vec<Committed>) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/repository").join(name);
    let repository = repository_of(&fs::read(file).expect("a seed")).expect("it opens");
    let snapshots = repository.catalog().expect("a catalog").snapshots;
    (repository, snapshots)
}

#[track_caller]
fn assert_too_much<T: std::fmt::Debug>(outcome: Result<T>, what: &str) {
    let told = match outcome {
        Err(error @ Error::Damaged { .. }) => error.to_string(),
        other => panic!("{what}: {other:?}"),
    };
    assert!(told.contains("far more than the ") && told.contains("that it counts"), "{what}: {told}");
}

#[track_caller]
fn assert_told_too_much(report: &VerifyReport, snapshot: SnapshotId) {
    let object = format!("snapshot {snapshot}");
    let told = report.damage.iter().find(|damage| damage.object == object).expect("it is named");
    assert!(told.what.contains("far more than the ") && told.what.contains("that it counts"), "{told:?}");
}

#[test]
fn directories_that_are_shared_without_end_end_every_verb() {
    let (repository, snapshots) = seed("shared-trees");
    assert_eq!(snapshots.len(), 2);
    let mut shown = 0;
    for manifest in snapshots.iter().map(|found| &found.manifest) {
        assert_too_much(
            list(&repository, manifest, None, &ListOptions { recursive: true, ..ListOptions::default() }, &mut |_| {
                shown += 1;
                Ok(())
            }),
            "list",
        );
        let found = find(&repository, [manifest], &FindOptions::default(), &mut |_| Ok(()));
        // What was found to hold nothing that is looked for is not looked into again, but at every path once.
        assert_too_much(found, "find");
        let nothing = FindOptions { patterns: vec![b"no-such-name".to_vec()], ..FindOptions::default() };
        assert_too_much(find(&repository, [manifest], &nothing, &mut |_| Ok(())), "find what is not there");
        assert_too_much(history(&repository, [manifest], &FindOptions::default(), &mut |_| Ok(())), "history");
        for check in [DumpCheck::Nothing, DumpCheck::Index, DumpCheck::Everything] {
            let dumped = dump(&repository, manifest, &DumpOptions { check, ..DumpOptions::default() }, &mut io::sink());
            // What is lost ends a stream before it is too much.
            let is_loss = dumped.as_ref().is_err_and(|error| error.is_damage());
            assert!(is_loss, "dump: {dumped:?}");
        }
        restored(&repository, manifest);
    }
    assert!(shown <= 2 * LET_PASS, "{shown}");

    let [one, other] = &snapshots[..] else { panic!("two snapshots") };
    let side = |found| DiffSide { snapshot: found, path: None };
    let compared =
        diff(&repository, side(&one.manifest), side(&other.manifest), &DiffOptions::default(), &mut |_| Ok(()));
    assert_too_much(compared, "diff");
    // These look at each tree once.
    let ids = [one.manifest.id, other.manifest.id];
    stats(&repository, &ids, &StatsOptions { each: true, ..StatsOptions::default() }).expect("stats");
    let changes = Changes { description: Some("another".into()), ..Changes::default() };
    amend(&repository, one, &AmendOptions { changes, ..AmendOptions::default() }).expect("amend");

    // Nobody restores either of them to its end. One lacks a file besides, at 2^40 paths: which they are is not told to the end.
    let report = verify(&repository, &VerifyOptions::default()).expect("verify");
    let hurt: BTreeSet<_> = report.hurt.iter().map(|hurt| hurt.snapshot).collect();
    assert_eq!(hurt, ids.into(), "{:?}", report.damage);
    assert!(report.hurt.iter().all(|hurt| (1..=LET_PASS).contains(&hurt.path_count)), "{:?}", report.hurt);
    for id in ids {
        assert_told_too_much(&report, id);
    }
    let repair = RepairOptions { snapshots: vec![other.manifest.id], ..RepairOptions::default() };
    let repaired = repair_snapshots(&repository, &repair).expect("it goes on with others");
    let [hurt] = &repaired.hurt[..] else { panic!("{:?}", repaired.hurt) };
    assert_eq!(hurt.outcome, Mended::TooMuch);
    let reason = hurt.reason.as_deref().unwrap_or_default();
    assert!(reason.contains("far more than the ") && reason.contains("that it counts"), "{reason}");
    println!("2^40 directories in 42 trees: 11 verbs and ways ended by themselves, after {} entries at most", LET_PASS);
}

/// In earnest and only in words: what was made until then stays, and is no more than what is let pass.
fn restored(repository: &Repository, manifest: &Manifest) {
    let folder = tempfile::tempdir().expect("a folder");
    for dry_run in [true, false] {
        let target = folder.path().join("target");
        let options = RestoreOptions { dry_run, sync: false, ..RestoreOptions::default() };
        assert_too_much(restore(repository, manifest, &target, &options), "restore");
        let (mut open, mut made) = (vec![target], 0);
        while let Some(directory) = open.pop() {
            for entry in fs::read_dir(directory).into_iter().flatten() {
                made += 1;
                open.push(entry.expect("an entry").path());
            }
        }
        assert!(if dry_run { made == 0 } else { (1..=LET_PASS).contains(&made) }, "{made} were made");
    }
}

#[test]
fn a_file_of_shared_lists_that_no_snapshot_tells_of_is_not_begun() {
    let (repository, snapshots) = seed("shared-lists");
    let manifest = &snapshots.first().expect("one").manifest;
    let folder = tempfile::tempdir().expect("a folder");
    let target = folder.path().join("target");
    let options = RestoreOptions { sync: false, ..RestoreOptions::default() };
    assert_too_much(restore(&repository, manifest, &target, &options), "restore");
    // Nothing but the sign that a restore was not complete.
    let names: Vec<_> =
        fs::read_dir(&target).expect("it was made").map(|entry| entry.expect("an entry").file_name()).collect();
    assert_eq!(names, [".lbak-restore-unfinished"], "nothing else was begun");
    let path = Some(b"large".to_vec());
    for options in [DumpOptions::default(), DumpOptions { path, ..DumpOptions::default() }] {
        assert_too_much(dump(&repository, manifest, &options, &mut io::sink()), "dump");
    }
    // Each list is read once, and is sound.
    let report = verify(&repository, &VerifyOptions::default()).expect("verify");
    assert_eq!(report.damage.len(), 1, "{:?}", report.damage);
    assert_told_too_much(&report, manifest.id);
}

/// A count that is a little wrong costs nobody a snapshot.
#[test]
fn a_snapshot_that_counts_wrongly_is_whole_all_the_same() {
    let (repository, snapshots) = seed("sound");
    let found = snapshots.first().expect("one");
    let manifest = Manifest { totals: Default::default(), sizes: Default::default(), ..found.manifest.clone() };
    let report =
        list(&repository, &manifest, None, &ListOptions { recursive: true, ..ListOptions::default() }, &mut |_| Ok(()))
            .expect("list");
    assert!(report.entries > 5 && report.lost == 0, "{report:?}");
}
