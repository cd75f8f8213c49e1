//! Many lookups at once, pages that are read from open files, and the guess that finds a page.

use std::sync::Arc;

use proptest::prelude::*;
use tempfile::TempDir;

use super::super::{
    testing::{Store, builder_of, chunk, id, load, pack, put},
    *,
};
use crate::{
    backend::{Backend, LocalBackend, MemoryBackend, ObjectName},
    codec::Header,
    error::Result,
    id::{ChunkId, ChunkKind},
};

const CHUNKS_IN_PACK: u32 = 10;

/// Puts a segment that says chunks `first..first + count` lie in packs of ten, whose headers hold `random`.
fn put_chunks(backend: &dyn Backend, first: u32, count: u32, random: u8) -> ObjectName {
    let packs = (first..first + count).step_by(CHUNKS_IN_PACK as usize).map(|number| {
        let row = pack(number + 1_000_000 * u32::from(random));
        let header = Header { random: [random; 32], ..row.header };
        (PackRow { header, ..row }, (number..(number + CHUNKS_IN_PACK).min(first + count)).map(chunk).collect())
    });
    put(backend, builder_of(packs))
}

/// A folder with one segment of so many chunks, its name, and an index that has found one of them.
fn in_a_folder(count: u32) -> (TempDir, Arc<dyn Backend>, ObjectName, Index) {
    let folder = tempfile::tempdir().expect("a folder");
    let local = LocalBackend::create(folder.path().join("repository")).expect("create");
    let name = put_chunks(&local, 0, count, 1);
    let backend: Arc<dyn Backend> = Arc::new(local);
    let index = load(&backend);
    assert!(index.find(&id(7), ChunkKind::Data, &mut |_| true).expect("sound").is_some());
    (folder, backend, name, index)
}

fn words(found: &Result<Option<Location>>) -> String {
    format!("{found:?}")
}

#[test]
fn many_lookups_at_once_answer_like_one_after_another() {
    let memory = MemoryBackend::new();
    // Chunks 200 to 300 lie in two packs each.
    put_chunks(&memory, 0, 300, 1);
    put_chunks(&memory, 200, 300, 2);
    let damaged = put_chunks(&memory, 1_000, 500, 3);
    let mut bytes = memory.contents().remove(&damaged.to_string()).expect("put above").to_vec();
    // Pages 3 and 9 of its records, and page 1 of its pack table.
    for page in [3, 9, 22] {
        bytes[224 + page * 1_024] ^= 1;
    }
    memory.tamper(&damaged.to_string(), Some(bytes.into()));
    let backend: Arc<dyn Backend> = Arc::new(memory);

    // Unknown ones, and some twice, in no order.
    let ids: Vec<ChunkId> =
        (0..1_700).chain(250..260).map(|number: u32| id(number.wrapping_mul(997) % 1_700)).collect();
    type Accept = fn(&Location) -> bool;
    let accepts: [(&str, Accept); 3] =
        [("all", |_| true), ("none", |_| false), ("not the newest", |location| location.pack.header.random[0] != 2)];
    for (name, mut accept) in accepts {
        let (one, many) = (load(&backend), load(&backend));
        let found = many.find_many(&ids, ChunkKind::Data, &mut |_, location| accept(location));
        assert_eq!(found.len(), ids.len());
        let (mut there, mut hidden) = (0, 0);
        for (id, found) in ids.iter().zip(&found) {
            assert_eq!(words(&one.find(id, ChunkKind::Data, &mut accept)), words(found), "{name}");
            there += usize::from(matches!(found, Ok(Some(_))));
            hidden += usize::from(found.is_err());
        }
        match name {
            "none" => assert_eq!(there, 0),
            _ => assert!(there > 600 && hidden > 50, "{name}: {there} there, {hidden} hidden by damage"),
        }
        assert!(
            many.find_many(&ids, ChunkKind::Tree, &mut |_, _| true).iter().all(|found| !matches!(found, Ok(Some(_))))
        );
    }
    assert!(load(&backend).find_many(&[], ChunkKind::Data, &mut |_, _| true).is_empty());
}

#[test]
fn the_place_of_each_of_many_is_the_one_that_is_asked_about() {
    let backend: Arc<dyn Backend> = Arc::new(MemoryBackend::new());
    put_chunks(&*backend, 0, 400, 1);
    put_chunks(&*backend, 0, 400, 2);
    let ids: Vec<ChunkId> = (0..400).map(id).collect();
    let found = load(&backend).find_many(&ids, ChunkKind::Data, &mut |place, location| {
        assert_eq!(location.offset as usize, place, "the location of that chunk");
        place.is_multiple_of(2) || location.pack.header.random[0] == 1
    });
    for (place, found) in found.into_iter().enumerate() {
        let location = found.expect("sound").expect("there");
        assert!(location.offset as usize == place && (place.is_multiple_of(2) || location.pack.header.random[0] == 1));
    }
}

#[test]
fn many_lookups_at_once_read_each_page_once_though_hardly_any_is_kept() {
    let store = Arc::new(Store::default());
    put_chunks(&*store, 0, 2_400, 1);
    put_chunks(&*store, 2_400, 2_400, 2);
    let backend = store.shared();
    let ids: Vec<ChunkId> = (0..4_800).map(|number: u32| id(number.wrapping_mul(997) % 4_800)).collect();
    let (guides, pages, pages_of_packs) = (2, 2 * 100, 2 * 24);

    let index = load(&backend).keeping_little();
    store.taken_ranges();
    let found = index.find_many(&ids, ChunkKind::Data, &mut |_, _| true);
    assert!(found.iter().all(|found| matches!(found, Ok(Some(_)))));
    let reads = store.taken_ranges().len();
    // The filter of the other segment lets one id in 256 pass, whose page may be read for nothing.
    assert!((guides + pages + pages_of_packs..guides + pages + pages_of_packs + 60).contains(&reads), "{reads} reads");

    for id in &ids {
        index.find(id, ChunkKind::Data, &mut |_| true).expect("sound").expect("there");
    }
    assert!(store.taken_ranges().len() > 4_800, "one by one in no order nearly every lookup reads");
}

/// A collector may remove a segment whose records stand in a merged one while somebody asks it.
#[test]
fn a_segment_that_was_removed_answers_on_while_it_is_open() {
    let (_folder, backend, name, index) = in_a_folder(2_000);
    let find = |number: u32| index.find(&id(number), ChunkKind::Data, &mut |_| true);
    backend.remove(&name).expect("remove");
    for number in 0..2_000 {
        assert_eq!(find(number).expect("sound").expect("there").offset, number);
    }
    assert!(find(2_000).expect("sound").is_none());
}

/// What cuts a file, or writes into it, is met where the pages are read.
#[test]
fn damage_of_an_open_segment_is_met() {
    let (folder, _backend, name, index) = in_a_folder(2_000);
    let find = |number: u32| index.find(&id(number), ChunkKind::Data, &mut |_| true);
    let path = folder.path().join("repository").join(name.to_string());
    let mut bytes = std::fs::read(&path).expect("read");
    bytes[224..].iter_mut().for_each(|byte| *byte ^= 1);
    std::fs::write(&path, &bytes).expect("write");
    let hidden = (0..2_000).filter(|&number| find(number).is_err_and(|error| error.is_damage())).count();
    assert!(hidden > 1_900, "{hidden}: only what was opened before is there still");
    std::fs::write(&path, &bytes[..224]).expect("write");
    let hidden = (0..2_000).filter(|&number| find(number).is_err()).count();
    assert!(hidden > 1_900, "{hidden}: only what was opened before is there still");
}

proptest! {
    /// Ids are spread evenly; that fences which are not are guessed badly must cost time only.
    #[test]
    fn the_pages_of_an_id_are_the_same_wherever_the_guess_falls(
        mut fences in prop_oneof![
            prop::collection::vec(any::<u64>(), 1..400),
            prop::collection::vec(0_u64..50, 1..400),
            prop::collection::vec(any::<u64>().prop_map(|number| u64::MAX - (number >> 58)), 1..100),
            prop::collection::vec(any::<u64>().prop_map(|number| 1 << (number % 64)), 1..400),
        ],
        keys in prop::collection::vec(any::<u64>(), 1..40),
    ) {
        fences.sort_unstable();
        let stored: Vec<u8> = fences.iter().flat_map(|fence| fence.to_be_bytes()).collect();
        let parsed = parse_fences("test", u32::try_from(fences.len()).expect("few"), &stored).expect("sorted");
        let near = fences.iter().flat_map(|&fence| [fence.saturating_sub(1), fence, fence.saturating_add(1)]);
        for key in keys.into_iter().chain([0, u64::MAX]).chain(near) {
            let mut prefix = [0xff; 20];
            prefix[..8].copy_from_slice(&key.to_be_bytes());
            let (before, upto) = (fences.partition_point(|&fence| fence < key), fences.partition_point(|&fence| fence <= key));
            let expected = u32::try_from(before.saturating_sub(1)).expect("few")..u32::try_from(upto).expect("few");
            prop_assert_eq!(parsed.pages_of(&IdPrefix(prefix)), expected, "{} in {:?}", key, fences);
        }
    }
}
