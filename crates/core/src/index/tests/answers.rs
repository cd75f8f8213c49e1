//! Every chunk is found where it was said to lie, and no other is.

use std::{collections::BTreeMap, sync::Arc};

use proptest::prelude::*;

use super::{
    super::{
        testing::{SESSION, Store, builder_of, chunk, chunk_of, codec, id, pack, seal},
        *,
    },
    builder, find, is_location_of, stored,
};
use crate::{
    codec::Kind,
    error::Result,
    id::{ChunkId, ChunkKind},
};

#[test]
fn every_chunk_is_found_where_it_was_said_to_lie_and_no_other_is() {
    for (count, packs) in [(1, 1), (23, 2), (24, 3), (25, 10), (49, 11), (10_000, 37)] {
        let (_, name, index) = stored(builder(count, packs));
        for number in 0..count {
            let location = find(&index, number).expect("sound").expect("there");
            assert!(is_location_of(&location, number), "chunk {number} of {count}");
            assert_eq!(*location.pack, pack(number % packs));
            assert_eq!(index.find(&id(number), ChunkKind::Tree, &mut |_| true).expect("sound"), None);
        }
        for number in count..count + 1_000 {
            assert_eq!(find(&index, number).expect("sound"), None, "chunk {number}, of {count}");
        }
        let segments = index.segments();
        assert_eq!(*segments[0].name(), name);
        assert_eq!(segments[0].session(), SESSION);
        assert_eq!(segments[0].summary().records, count);
        assert_eq!(segments[0].pack_rows().expect("sound").len(), packs as usize);
    }
}

#[test]
fn all_records_come_in_the_order_of_ids_with_numbers_that_lookups_give_too() {
    let (store, _, index) = stored(builder(3_000, 20));
    let segments = index.segments();
    store.taken_ranges();
    let records: Vec<Record> = segments[0].records().expect("sound").collect::<Result<_>>().expect("sound");
    assert_eq!(store.taken_ranges().len(), 2, "the pack table, and 125 pages at once");
    assert_eq!(records.len(), 3_000);
    assert!(records.is_sorted_by(|one, other| one.id < other.id && one.number + 1 == other.number));
    for record in &records {
        let number = record.location.offset;
        assert_eq!(record.id, IdPrefix::from(&id(number)));
        assert!(is_location_of(&record.location, number));
        let ordinal = index.ordinal(&id(number), ChunkKind::Data).expect("sound");
        assert_eq!(ordinal, Some(Ordinal { segment: 0, record: record.number }));
    }
}

#[test]
fn ids_that_begin_alike_are_found_on_both_sides_of_a_fence() {
    // The same chunk in 60 packs, as a merge keeps it, between others; and 60 chunks whose first eight bytes are equal.
    let copies = id(77);
    let alike = |number: u8| ChunkId(std::array::from_fn(|at| if at < 19 { 0x80 } else { number }));
    for before in 0..30 {
        let chunks_of = |number: u8| {
            let mut chunks = vec![chunk_of(&copies, number.into()), chunk_of(&alike(number), 100 + u32::from(number))];
            if number == 0 {
                chunks.extend((0..before).map(|number| chunk(1_000 + number)));
            }
            chunks
        };
        let (_, _, index) = stored(builder_of((0..60).map(|number| (pack(number.into()), chunks_of(number)))));
        let mut packs = Vec::new();
        let refused = index.find(&copies, ChunkKind::Data, &mut |location| {
            packs.push(location.pack.id.0[0]);
            false
        });
        assert_eq!(refused.expect("sound"), None);
        assert_eq!(packs, (0..60).collect::<Vec<u8>>(), "every copy, in the order of pack names");
        for number in 0..60 {
            let location = index.find(&alike(number), ChunkKind::Data, &mut |_| true).expect("sound").expect("there");
            assert_eq!(location.offset, 100 + u32::from(number));
        }
    }
}

#[test]
fn threads_may_ask_and_add_at_the_same_time() {
    let (store, _, index) = stored(builder(2_000, 5));
    let backend = store.shared();
    std::thread::scope(|scope| {
        for part in 0..4_u32 {
            let (index, store, backend) = (&index, &store, &backend);
            scope.spawn(move || {
                for number in (part..2_000).step_by(4) {
                    assert!(is_location_of(&find(index, number).expect("sound").expect("there"), number));
                }
                let own = 10_000 + part;
                let sealed = seal(builder_of([(pack(200), vec![chunk(own)])]), Kind::Segment);
                let size = store.put_new(&sealed);
                index.add(Segment::open(backend, &codec(), &sealed.0, size).expect("open"));
                assert!(find(index, own).expect("sound").is_some());
            });
        }
    });
    assert_eq!(index.segments().len(), 5);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Several segments, chunks in many packs, packs that are refused: as a naive list says.
    #[test]
    fn the_index_answers_like_a_list(
        segments in prop::collection::vec(prop::collection::btree_map(0_u8..6, prop::collection::btree_set(0_u32..60, 1..50), 1..4), 1..5),
        refused in prop::collection::btree_set(0_u8..6, 0..4),
    ) {
        let store = Arc::new(Store::default());
        let backend = store.shared();
        let index = Index::new();
        let mut model: BTreeMap<u32, Vec<u8>> = BTreeMap::new(); // packs of a chunk, as they should be tried
        for packs in &segments {
            let mut builder = SegmentBuilder::new();
            let mut newest: BTreeMap<u32, Vec<u8>> = BTreeMap::new();
            for (&number, chunks) in packs {
                builder.add_pack(pack(number.into()), &chunks.iter().map(|&number| chunk(number)).collect::<Vec<_>>()).expect("add");
                for &chunk in chunks {
                    newest.entry(chunk).or_default().push(number);
                }
            }
            let sealed = seal(builder, Kind::Segment);
            let size = store.put_new(&sealed);
            index.add(Segment::open(&backend, &codec(), &sealed.0, size).expect("open"));
            for (chunk, mut packs) in newest {
                packs.extend(model.remove(&chunk).unwrap_or_default());
                model.insert(chunk, packs);
            }
        }
        for number in 0..70 {
            let mut tried = Vec::new();
            let found = index.find(&id(number), ChunkKind::Data, &mut |location| {
                tried.push(location.pack.id.0[0]);
                !refused.contains(&location.pack.id.0[0])
            });
            let found = found.expect("sound");
            let packs = model.get(&number).cloned().unwrap_or_default();
            let accepted = packs.iter().position(|pack| !refused.contains(pack));
            prop_assert_eq!(&tried, &packs[..accepted.map_or(packs.len(), |position| position + 1)]);
            prop_assert_eq!(found.map(|location| location.pack.id.0[0]), accepted.map(|position| packs[position]));
            let ordinal = index.ordinal(&id(number), ChunkKind::Data).expect("sound");
            prop_assert_eq!(ordinal.is_some(), model.contains_key(&number));
        }
    }
}
