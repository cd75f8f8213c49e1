//! Merging segments, and finding what a merge wrote.

use std::{collections::BTreeSet, sync::Arc};

use super::super::{
    testing::{SESSION, builder_of, chunk, codec, id, load, load_counted, pack, put, sound},
    *,
};
use crate::{
    backend::{Backend, MemoryBackend, ObjectName},
    error::Error,
    id::{ChunkKind, PackId},
};

/// A segment of packs with these numbers, of ten chunks each: pack 3 holds chunks 30 to 39.
fn put_packs(backend: &Arc<dyn Backend>, packs: impl IntoIterator<Item = u32>) {
    let chunks_of = |number: u32| (number * 10..number * 10 + 10).map(chunk).collect();
    put(&**backend, builder_of(packs.into_iter().map(|number| (pack(number), chunks_of(number)))));
}

/// Merges all segments into another store, with so much memory for each new one.
fn merged(index: &Index, segment_memory_bytes: usize) -> (Arc<dyn Backend>, Index) {
    let backend: Arc<dyn Backend> = Arc::new(MemoryBackend::new());
    let mut counted = Counted::default();
    merge(&index.segments(), &codec(), SESSION, &MergeOptions { segment_memory_bytes }, &mut |name, sealed| {
        let ObjectName::MergedSegment(id) = name else { panic!("{name} is not merged") };
        assert!(counted.merged.insert(*id), "put once");
        backend.put(name, sealed).map_err(|error| Error::store("write", name, error))
    })
    .expect("sound segments");
    let index = sound(load_counted(&backend, &counted));
    (backend, index)
}

fn records(index: &Index) -> BTreeSet<(IdPrefix, PackId, u32)> {
    let segments = index.segments();
    let records = segments.iter().flat_map(|segment| segment.records().expect("a pack table"));
    let records = records.map(|record| record.expect("a sound page"));
    records.map(|record| (record.id, record.location.pack.id, record.location.block_offset)).collect()
}

fn count(index: &Index) -> u32 {
    index.segments().iter().map(|segment| segment.summary().records).sum()
}

#[test]
fn a_merge_holds_what_its_segments_held_and_nothing_twice() {
    let backend: Arc<dyn Backend> = Arc::new(MemoryBackend::new());
    put_packs(&backend, 0..20);
    put_packs(&backend, 15..40); // packs that the first names, too: found again by whoever rebuilt an index
    put_packs(&backend, [50]);
    let index = load(&backend);
    assert_eq!(count(&index), 460);
    let (_, merged) = merged(&index, 1 << 20);
    assert_eq!(merged.segments().len(), 1);
    assert_eq!(count(&merged), 410);
    assert_eq!(merged.segments()[0].summary().packs, 41, "each pack once");
    assert_eq!(records(&merged), records(&index));
}

#[test]
fn a_chunk_keeps_all_its_places() {
    let backend: Arc<dyn Backend> = Arc::new(MemoryBackend::new());
    for number in 0..3 {
        put(&*backend, builder_of([(pack(number), vec![chunk(7)])]));
    }
    // So little memory that every id begins a new segment, and still all places of one stay together.
    let (_, merged) = merged(&load(&backend), 1);
    assert_eq!((merged.segments().len(), count(&merged)), (1, 3));
    let mut places = BTreeSet::new();
    let none = merged.find(&id(7), ChunkKind::Data, &mut |location| {
        places.insert(location.pack.id);
        false
    });
    assert_eq!(none.expect("sound segments"), None);
    assert_eq!(places, (0..3).map(|number| pack(number).id).collect());
}

#[test]
fn new_segments_are_as_large_as_memory_allows_and_share_no_id() {
    let backend: Arc<dyn Backend> = Arc::new(MemoryBackend::new());
    (0..8).for_each(|number| put_packs(&backend, (number..400).step_by(8)));
    let index = load(&backend);
    let (_, merged) = merged(&index, 100 << 10);
    let segments = merged.segments();
    assert!(segments.len() > 4, "{} segments", segments.len());
    assert!(segments.windows(2).all(|two| two[0].summary().largest < two[1].summary().smallest), "in order, apart");
    assert_eq!(records(&merged), records(&index));
}

#[test]
fn every_chunk_is_found_among_many_merged_segments_and_newer_ones() {
    let backend: Arc<dyn Backend> = Arc::new(MemoryBackend::new());
    (0..4).for_each(|number| put_packs(&backend, (number..300).step_by(4)));
    let (store, index) = merged(&load(&backend), 64 << 10);
    put_packs(&store, 300..310);
    let counted = Counted {
        merged: index
            .segments()
            .iter()
            .filter_map(|segment| match segment.name() {
                ObjectName::MergedSegment(id) => Some(*id),
                _ => None,
            })
            .collect(),
        ..Counted::default()
    };
    let index = sound(load_counted(&store, &counted));
    for number in 0..3_100 {
        let found = index.find(&id(number), ChunkKind::Data, &mut |_| true).expect("sound segments");
        assert_eq!(found.map(|location| location.pack.id), Some(pack(number / 10).id), "chunk {number}");
        let (ordinal, _) = index.place(&id(number), ChunkKind::Data).expect("sound segments").expect("found above");
        let segment = &index.segments()[ordinal.segment as usize];
        let record = segment.records().expect("packs").nth(ordinal.record as usize).expect("a record").expect("a page");
        assert_eq!(record.id, IdPrefix::from(&id(number)), "its ordinal names its record");
    }
    for number in 3_100..4_000 {
        assert_eq!(index.find(&id(number), ChunkKind::Data, &mut |_| true).expect("sound segments"), None);
    }
}

#[test]
fn a_damaged_segment_ends_the_merge() {
    let store = Arc::new(MemoryBackend::new());
    let backend: Arc<dyn Backend> = Arc::clone(&store) as Arc<dyn Backend>;
    put_packs(&backend, 0..40);
    put_packs(&backend, 40..80);
    let index = load(&backend);
    let (name, bytes) = store.contents().into_iter().next().expect("two segments");
    let mut bytes = bytes.to_vec();
    bytes[5_000] ^= 1;
    store.tamper(&name, Some(bytes.into()));
    let outcome = merge(&index.segments(), &codec(), SESSION, &MergeOptions::default(), &mut |_, _| Ok(()));
    assert!(outcome.is_err_and(|error| error.is_damage()));
}

#[test]
fn nothing_merges_into_nothing() {
    merge(&[], &codec(), SESSION, &MergeOptions::default(), &mut |_, _| panic!("nothing to put")).expect("no trouble");
}

/// The length that came first was kept without a word, whichever it was.
#[test]
fn segments_that_do_not_agree_on_a_pack_are_damage() {
    let backend: Arc<dyn Backend> = Arc::new(MemoryBackend::new());
    put_packs(&backend, 0..2);
    let other = PackRow { stored_length: 17 << 20, ..pack(1) };
    put(&*backend, builder_of([(other, (10..20).map(chunk).collect())]));
    let index = load(&backend);
    let error = merge(&index.segments(), &codec(), SESSION, &MergeOptions::default(), &mut |_, _| Ok(())).unwrap_err();
    assert!(matches!(error, Error::Damaged { .. }), "{error}");
}
