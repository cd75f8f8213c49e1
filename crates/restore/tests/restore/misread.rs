//! What was spoiled on its way from the disk is read once more before anything is given up.

use std::{fs, sync::Arc};

use lbak_core::{
    backend::{MemoryBackend, ObjectName},
    observe::FindingKind,
    repository::Repository,
    snapshot::Manifest,
    store::BlockPlace,
};
use lbak_restore::{DumpForm, DumpOptions, dump};
use lbak_testkit::{Effect, Fault, FaultyBackend, MisreadingBackend, Operation, objects::noise, trees::compare};

use crate::support::{Folders, blocks_of_files, folders, found, opened, repository, restored, take};

/// A snapshot of some files, and a block that their content lies in.
fn files(repository: &Repository) -> (Folders, Manifest, BlockPlace) {
    let folders = folders();
    for file in 0..20 {
        fs::write(folders.source.join(file.to_string()), noise(file, 300_000)).expect("write");
    }
    let manifest = take(repository, std::slice::from_ref(&folders.source));
    let block = blocks_of_files(repository, &manifest).remove(0).1.remove(0);
    (folders, manifest, block)
}

#[test]
fn what_is_read_rightly_the_second_time_is_restored_and_said() {
    let backend = Arc::new(MisreadingBackend::new(MemoryBackend::new()));
    let repository = repository(Arc::clone(&backend));
    let (folders, manifest, block) = files(&repository);
    let pack = ObjectName::Pack(block.pack.id);
    let place = u64::from(block.offset + block.sealed_length / 2);

    backend.spoil(&pack, place);
    let report = restored(&repository, &manifest, &folders.target);
    assert_eq!((report.lost, found(&report, FindingKind::Misread)), (0, [pack.to_string()].into()));
    assert_eq!(compare(&folders.source, &folders.target), Vec::<String>::new());
    assert_eq!(backend.forgotten(), [(pack.to_string(), 1)].into());

    backend.spoil(&pack, place);
    let mut stream = Vec::new();
    let report =
        dump(&repository, &manifest, &DumpOptions { form: DumpForm::Tar, ..DumpOptions::default() }, &mut stream);
    let kinds: Vec<FindingKind> = report.expect("dump").findings.iter().map(|finding| finding.kind).collect();
    assert_eq!(kinds, [FindingKind::Misread]);
    assert_eq!(backend.forgotten(), [(pack.to_string(), 2)].into());
}

/// Nothing holds what was spoiled here: whoever simply asks again gets it right, and told nobody.
#[test]
fn what_is_spoiled_once_and_held_nowhere_is_said_too() {
    let memory = Arc::new(MemoryBackend::new());
    let repository = repository(Arc::clone(&memory));
    let (_folders, manifest, block) = files(&repository);
    let pack = ObjectName::Pack(block.pack.id).to_string();
    let options = DumpOptions { form: DumpForm::Tar, ..DumpOptions::default() };
    let mut expected = Vec::new();
    dump(&repository, &manifest, &options, &mut expected).expect("dump");
    let mut struck = 0;
    for reads in 0.. {
        let fault = Fault::new(Operation::GetRange, Effect::FlipBit(70_000)).on(&pack).after(reads).once();
        let faulty = Arc::new(FaultyBackend::new(Arc::clone(&memory), [fault]));
        let mut stream = Vec::new();
        let report = dump(&opened(Arc::clone(&faulty)), &manifest, &options, &mut stream).expect("dump");
        assert!(stream == expected, "read {reads}");
        if faulty.struck() == 0 {
            break;
        }
        struck += 1;
        let told: Vec<(FindingKind, String)> = report
            .findings
            .into_iter()
            .map(|finding| (finding.kind, String::from_utf8(finding.path).expect("text")))
            .collect();
        assert_eq!(told, [(FindingKind::Misread, pack.clone())], "read {reads}");
    }
    assert!(struck > 0);
}
