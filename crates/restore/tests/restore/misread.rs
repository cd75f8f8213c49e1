//! What was spoiled on its way from the disk is read once more before anything is given up.

use std::{fs, sync::Arc};

use lbak_core::{
    backend::{MemoryBackend, ObjectName},
    observe::FindingKind,
};
use lbak_restore::{DumpForm, DumpOptions, dump};
use lbak_testkit::{MisreadingBackend, objects::noise, trees::compare};

use crate::support::{blocks_of_files, folders, found, repository, restored, take};

#[test]
fn what_is_read_rightly_the_second_time_is_restored_and_said() {
    let backend = Arc::new(MisreadingBackend::new(MemoryBackend::new()));
    let repository = repository(Arc::clone(&backend));
    let folders = folders();
    for file in 0..20 {
        fs::write(folders.source.join(file.to_string()), noise(file, 300_000)).expect("write");
    }
    let manifest = take(&repository, std::slice::from_ref(&folders.source));
    let files = blocks_of_files(&repository, &manifest);
    let block = files.first().and_then(|(_, blocks)| blocks.first()).expect("a file has content");
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
