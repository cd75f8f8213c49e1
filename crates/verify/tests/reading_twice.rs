//! What is doubted is read again from where it lies, not from the memory of the system that holds what was read wrongly.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::{collections::BTreeMap, sync::Arc};

use common::*;
use lbak_core::{backend::MemoryBackend, codec::Kind, source::MemoryNode};
use lbak_testkit::MisreadingBackend;
use lbak_verify::repair::{RepairOptions, repair_index, repair_packs};

/// Within the first block of each pack.
const PLACE: u64 = 300;

#[test]
fn packs_that_are_spoiled_only_in_memory_are_sound_and_said() {
    let memory = Arc::new(MemoryBackend::new());
    take(&new_repository(Arc::clone(&memory) as _), "h", MemoryNode::directory(small_tree()));
    let packs = names(&memory, "packs/");
    // The one kind is met when it is read, the other at the walk over the trees.
    let kinds: Vec<Kind> = packs.iter().map(|pack| directory(&reopen(Arc::clone(&memory) as _), pack).0).collect();
    assert!(kinds.contains(&Kind::DataPack) && kinds.contains(&Kind::TreePack), "{kinds:?}");
    let before = memory.contents();
    for pack in &packs {
        let misreading = Arc::new(MisreadingBackend::new(Arc::clone(&memory)));
        let repository = reopen(Arc::clone(&misreading) as _);
        misreading.spoil(pack, PLACE);
        let report = read_data(&repository);
        assert!(report.is_sound(), "{:?}", report.damage);
        assert_eq!(report.misread, [pack.as_str()]);
        assert_eq!(misreading.forgotten(), BTreeMap::from([(pack.clone(), 1)]), "nothing else was in doubt");

        misreading.spoil(pack, PLACE);
        let report = repair_packs(&repository, &RepairOptions::default()).unwrap();
        assert!(report.damaged.is_empty(), "{:?}", report.damaged);
        assert_eq!(report.misread, [pack.as_str()]);
        assert_eq!(memory.contents(), before, "a sound pack is not condemned");
    }

    // A page, and the fences and the filter at the end.
    for segment in names(&memory, "index/") {
        let length = memory.contents()[&segment].len() as u64;
        for place in [PLACE, length - 3, length - 30] {
            let misreading = Arc::new(MisreadingBackend::new(Arc::clone(&memory)));
            let repository = reopen(Arc::clone(&misreading) as _);
            misreading.spoil(&segment, place);
            let report = read_data(&repository);
            assert!(report.is_sound() && report.misread == [segment.as_str()], "byte {place}: {report:?}");
            misreading.spoil(&segment, place);
            let report = repair_index(&repository, &RepairOptions::default()).unwrap();
            assert_eq!(report.misread, [segment.as_str()], "byte {place}");
            for folder in ["index/", "fin/"] {
                let before = before.keys().filter(|name| name.starts_with(folder)).cloned().collect::<Vec<String>>();
                assert_eq!(names(&memory, folder), before, "a sound segment is not set aside, byte {place}");
            }
        }
    }

    // What is wrong where it lies is damage, however often it is read.
    for pack in &packs {
        flip(&memory, pack, 300);
        let report = read_data(&reopen(Arc::clone(&memory) as _));
        assert_eq!(damaged(&report), [pack.as_str()]);
        assert_eq!(report.misread, Vec::<String>::new());
        flip(&memory, pack, 300);
    }
}
