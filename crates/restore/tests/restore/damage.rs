//! Damage costs what has a part in it, and nothing else.

use std::{collections::BTreeSet, fs, path::Path, sync::Arc};

use lbak_core::{
    backend::{BackendErrorKind, MemoryBackend, ObjectName},
    error::Error,
    id::ChunkId,
    observe::FindingKind,
    repository::Repository,
    snapshot::Manifest,
};
use lbak_restore::{RestoreOptions, RestoreReport, restore};
use lbak_testkit::{Effect, Fault, FaultyBackend, Operation, objects::noise, trees::compare};

use crate::support::{
    Folders, blocks_of_files, damage_block, folders, found, opened, quick, repository, restored, shared, take,
};

/// Files of all sizes in several directories: some blocks hold many files, some files lie in several blocks.
pub(crate) fn fill(source: &Path) {
    for directory in 0..4 {
        let path = source.join(format!("directory {directory}"));
        fs::create_dir(&path).expect("directory");
        for file in 0..12 {
            let length = [0, 10, 5_000, 300_000, 900_000, 6_000_000][(directory + file) % 6];
            fs::write(path.join(file.to_string()), noise((directory * 100 + file) as u64, length)).expect("write");
        }
    }
}

/// Compares what was restored: exactly the files that are named are missing, everything else is as it was.
pub(crate) fn assert_only_missing(folders: &Folders, target: &Path, missing: &BTreeSet<String>) {
    let source = folders.source.to_str().expect("text");
    let expected: BTreeSet<String> =
        missing.iter().map(|path| format!("{}: missing on the right", path.replacen(source, "", 1))).collect();
    let differences: BTreeSet<String> = compare(&folders.source, target).into_iter().collect();
    assert_eq!(differences, expected);
}

fn files_in(repository: &Repository, manifest: &Manifest, key: (lbak_core::id::PackId, u32)) -> BTreeSet<String> {
    let files = blocks_of_files(repository, manifest).into_iter();
    files.filter(|(_, blocks)| blocks.iter().any(|block| block.key() == key)).map(|(path, _)| path).collect()
}

#[test]
fn a_damaged_block_costs_only_the_files_in_it() {
    let (backend, repository) = shared();
    let folders = folders();
    fill(&folders.source);
    let manifest = take(&repository, std::slice::from_ref(&folders.source));
    let mut blocks: Vec<_> =
        blocks_of_files(&repository, &manifest).into_iter().flat_map(|(_, blocks)| blocks).collect();
    blocks.sort_by_key(lbak_core::store::BlockPlace::key);
    blocks.dedup_by_key(|block| block.key());
    assert!(blocks.len() > 8);
    for (number, block) in blocks.iter().enumerate() {
        let expected = files_in(&repository, &manifest, block.key());
        damage_block(&backend, block);
        let target = folders.folder.path().join(number.to_string());
        for window_bytes in [1 << 20, 64 << 20] {
            let options = RestoreOptions { window_bytes, ..quick() };
            let report = restore(&repository, &manifest, &target, &options).expect("restore");
            assert_eq!(found(&report, FindingKind::Lost), expected);
            assert_eq!(report.lost, expected.len() as u64);
            assert_eq!(report.totals.files, manifest.totals.files - report.lost);
            assert_only_missing(&folders, &target, &expected);
            fs::remove_dir_all(&target).expect("remove");
        }
        damage_block(&backend, block); // turns the bit back
    }
}

#[test]
fn a_missing_or_cut_pack_costs_the_files_in_it() {
    for is_cut in [false, true] {
        let (backend, repository) = shared();
        let folders = folders();
        fill(&folders.source);
        let manifest = take(&repository, std::slice::from_ref(&folders.source));
        let files = blocks_of_files(&repository, &manifest);
        let pack = files.iter().find_map(|(_, blocks)| blocks.first()).expect("a block").pack.clone();
        let name = ObjectName::Pack(pack.id).to_string();
        let kept = backend.contents()[&name].slice(..pack.stored_length as usize / 2);
        let is_hurt = |block: &lbak_core::store::BlockPlace| {
            block.pack.id == pack.id && (!is_cut || block.offset as usize + block.sealed_length as usize > kept.len())
        };
        let expected: BTreeSet<String> =
            files.iter().filter(|(_, blocks)| blocks.iter().any(is_hurt)).map(|(path, _)| path.clone()).collect();
        backend.tamper(&name, is_cut.then_some(kept));
        let report = restored(&repository, &manifest, &folders.target);
        let lost = found(&report, FindingKind::Lost);
        assert_eq!(lost, expected, "not the block before the cut either, though both lie in one step of 64 KiB");
        assert!(lost.len() < files.len());
        assert_only_missing(&folders, &folders.target, &lost);
    }
}

/// The directories of the packs tell what a page hides that does not open.
#[test]
fn damage_anywhere_in_a_segment_costs_no_file() {
    let (backend, repository) = shared();
    let folders = folders();
    for file in 0..120_u64 {
        fs::write(folders.source.join(file.to_string()), noise(file, 3_000)).expect("write");
    }
    let manifest = take(&repository, std::slice::from_ref(&folders.source));
    let segment = backend.contents().keys().find(|name| name.starts_with("index/")).expect("a segment").clone();
    let sound = backend.contents()[&segment].clone();
    let (pages, places): (usize, Vec<usize>) = (224, (0..sound.len()).step_by(97).collect());
    assert!(places.iter().filter(|&&place| place > pages).count() > 50, "{} bytes", sound.len());
    for place in places {
        let mut bytes = sound.to_vec();
        bytes[place] ^= 1;
        backend.tamper(&segment, Some(bytes.into()));
        let report = restored(&repository, &manifest, &folders.target);
        assert_eq!(report.lost, 0, "byte {place}: {:?}", report.findings);
        assert_only_missing(&folders, &folders.target, &BTreeSet::new());
        fs::remove_dir_all(&folders.target).expect("remove");
    }
}

/// A cable, or a sector that was read at the second try.
#[test]
fn a_read_that_fails_once_costs_nothing() {
    let folders = folders();
    fill(&folders.source);
    let memory = Arc::new(MemoryBackend::new());
    let manifest = take(&repository(Arc::clone(&memory)), std::slice::from_ref(&folders.source));
    for reads in 0.. {
        let fault = Fault::new(Operation::GetRange, Effect::FailBefore(BackendErrorKind::Corrupt));
        let faulty = Arc::new(FaultyBackend::new(Arc::clone(&memory), [fault.on("packs/").after(reads).once()]));
        let report = restored(&opened(Arc::clone(&faulty)), &manifest, &folders.target);
        assert_eq!(report.lost, 0, "read {reads}: {:?}", report.findings);
        assert_only_missing(&folders, &folders.target, &BTreeSet::new());
        fs::remove_dir_all(&folders.target).expect("remove");
        if faulty.struck() == 0 {
            assert!(reads >= 3, "only {reads} reads");
            break;
        }
    }
}

#[test]
fn a_damaged_tree_costs_its_directories() {
    let (backend, repository) = shared();
    let folders = folders();
    // Directories that do not fit into one block of trees together.
    for directory in 0..3 {
        let path = folders.source.join(format!("d{directory}"));
        fs::create_dir(&path).expect("directory");
        for file in 0..700 {
            fs::write(path.join(format!("{directory}-{file}")), format!("{directory} {file}")).expect("write");
        }
    }
    let manifest = take(&repository, std::slice::from_ref(&folders.source));
    let data: BTreeSet<String> = blocks_of_files(&repository, &manifest)
        .into_iter()
        .flat_map(|(_, blocks)| blocks)
        .map(|block| ObjectName::Pack(block.pack.id).to_string())
        .collect();
    let trees: Vec<String> =
        backend.contents().into_keys().filter(|name| name.starts_with("packs/") && !data.contains(name)).collect();
    let (mut partly, mut wholly) = (0, 0);
    for name in trees {
        let whole = backend.contents()[&name].clone();
        for place in (100..whole.len()).step_by(6000) {
            let mut bytes = whole.to_vec();
            bytes[place] ^= 1;
            backend.tamper(&name, Some(bytes.into()));
            let report = restored(&repository, &manifest, &folders.target);
            // What is there is right; what is missing is counted, and lies in directories that are named.
            let lost = found(&report, FindingKind::Lost);
            let differences = compare(&folders.source, &folders.target);
            if lost.is_empty() {
                assert_eq!(differences, Vec::<String>::new(), "padding, or the pack's own directory");
            } else if lost.contains(folders.source.to_str().expect("text")) {
                wholly += 1;
            } else {
                partly += 1;
                for difference in &differences {
                    assert!(difference.ends_with("missing on the right"), "{difference}");
                    let path = format!("{}{difference}", folders.source.display());
                    assert!(lost.iter().any(|lost| path.starts_with(lost)), "{difference} {lost:?}");
                }
                assert!(report.totals.files > 0 && report.lost > 0);
            }
            fs::remove_dir_all(&folders.target).expect("remove");
        }
        backend.tamper(&name, Some(whole));
    }
    assert!(partly > 0 && wholly > 0, "{partly} {wholly}");
}

#[test]
fn a_lost_root_is_told_for_every_path() {
    let (backend, repository) = shared();
    let folders = folders();
    fill(&folders.source);
    let manifest = Manifest { root: ChunkId([9; 32]), ..take(&repository, std::slice::from_ref(&folders.source)) };
    let report = restored(&repository, &manifest, &folders.target);
    assert_eq!(found(&report, FindingKind::Lost), [folders.source.display().to_string()].into());
    assert_eq!(report.totals.files, 0);
    drop(backend);
}

#[test]
fn a_damaged_segment_is_named_and_costs_no_file() {
    let (backend, repository) = shared();
    let folders = folders();
    fs::write(folders.source.join("old"), noise(1, 100_000)).expect("write");
    take(&repository, std::slice::from_ref(&folders.source));
    let segments = |backend: &MemoryBackend| -> BTreeSet<String> {
        backend.contents().into_keys().filter(|name| name.starts_with("index/")).collect()
    };
    let before = segments(&backend);
    fs::create_dir(folders.source.join("new")).expect("directory");
    fs::write(folders.source.join("new/file"), noise(2, 100_000)).expect("write");
    let manifest = take(&repository, std::slice::from_ref(&folders.source));
    let newer = segments(&backend).difference(&before).next().expect("a new segment").clone();
    let whole = backend.contents()[&newer].clone();
    backend.tamper(&newer, Some(whole.slice(..whole.len() / 2)));
    let report = restored(&repository, &manifest, &folders.target);
    assert_eq!(report.lost, 0);
    assert_eq!(found(&report, FindingKind::DamagedObject), [newer].into());
    assert_eq!(compare(&folders.source, &folders.target), Vec::<String>::new());
}

/// The index is a cache: the packs' own directories give it again (rule I5).
#[test]
fn without_any_index_everything_is_restored() {
    let (backend, repository) = shared();
    let folders = folders();
    fill(&folders.source);
    let manifest = take(&repository, std::slice::from_ref(&folders.source));
    for name in backend.contents().into_keys().filter(|name| name.starts_with("index/")) {
        backend.tamper(&name, None);
    }
    let report = restored(&repository, &manifest, &folders.target);
    assert_eq!(report.findings, []);
    assert_eq!(compare(&folders.source, &folders.target), Vec::<String>::new());
}

fn faulty(faults: impl IntoIterator<Item = Fault>) -> (Arc<FaultyBackend<MemoryBackend>>, Repository) {
    let backend = Arc::new(FaultyBackend::new(MemoryBackend::new(), faults));
    (Arc::clone(&backend), repository(backend))
}

fn outcome_with(effect: Effect, prefix: &str) -> (Folders, lbak_core::error::Result<RestoreReport>) {
    let (backend, repository) = faulty([]);
    let folders = folders();
    fill(&folders.source);
    let manifest = take(&repository, std::slice::from_ref(&folders.source));
    backend.add(Fault::new(Operation::GetRange, effect).on(prefix).after(6));
    let options = RestoreOptions { window_bytes: 4 << 20, ..quick() };
    let outcome = restore(&repository, &manifest, &folders.target, &options);
    (folders, outcome)
}

#[test]
fn a_store_that_does_not_answer_is_no_damage() {
    for kind in [BackendErrorKind::Unreachable, BackendErrorKind::Denied, BackendErrorKind::Other] {
        let (folders, outcome) = outcome_with(Effect::FailBefore(kind), "packs/");
        assert!(matches!(outcome, Err(Error::Store { .. })), "{kind:?}");
        assert_complete_files_only(&folders);
    }
}

/// Whatever is there under its name is whole: nothing else differs but what is missing, and metadata of directories.
pub(crate) fn assert_complete_files_only(folders: &Folders) {
    for difference in compare(&folders.source, &folders.target) {
        let is_content = difference.contains("byte ") || difference.contains("size is");
        assert!(!is_content, "{difference}");
    }
}

#[test]
fn flipped_bits_on_the_way_never_reach_a_file() {
    let (folders, outcome) = outcome_with(Effect::FlipBit(70_000), "packs/");
    let report = outcome.expect("restore");
    assert!(report.lost > 0);
    assert_complete_files_only(&folders);
}
