//! Segments and the index over a store in memory.

mod lookup;
mod merge;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, atomic::Ordering},
};

use proptest::prelude::*;

use super::{
    layout::PAGES_FROM,
    record::{PACK_ROW, PAGE, SEALED_PAGE},
    testing::{REPOSITORY, SESSION, Store, builder_of, chunk, chunk_of, codec, id, load_counted, pack, seal, sound},
    *,
};
use crate::{
    backend::{Backend, BackendErrorKind, ObjectName, Sealed, check_stored},
    codec::{Domain, HEADER, Header, Kind},
    error::{Error, Result},
    id::{ChunkId, ChunkKind, PackId, SegmentId, SessionId},
};

/// Chunks 0..count, dealt to so many packs.
fn builder(count: u32, packs: u32) -> SegmentBuilder {
    let chunks_of = |number: u32| (0..count).filter(|chunk| chunk % packs == number).map(chunk).collect();
    builder_of((0..packs).map(|number| (pack(number), chunks_of(number))))
}

/// A store with one segment, and its index.
fn stored(builder: SegmentBuilder) -> (Arc<Store>, ObjectName, Index) {
    let store = Arc::new(Store::default());
    let sealed = seal(builder, Kind::Segment);
    store.put_new(&sealed);
    let index = sound(store.load());
    (store, sealed.0, index)
}

fn find(index: &Index, number: u32) -> Result<Option<Location>> {
    index.find(&id(number), ChunkKind::Data, &mut |_| true)
}

fn is_location_of(location: &Location, number: u32) -> bool {
    let ChunkRow { has_base, block_offset, sealed_length, block_length, offset, length, kind, .. } = chunk(number);
    let expected = Location {
        pack: Arc::clone(&location.pack),
        block_offset,
        sealed_length,
        block_length,
        offset,
        length,
        kind,
        has_base,
    };
    *location == expected
}

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
fn records_are_read_in_pieces_of_a_mebibyte() {
    let (store, _, index) = stored(builder(50_000, 50));
    let segments = index.segments();
    store.taken_ranges();
    assert_eq!(segments[0].records().expect("sound").filter(Result::is_ok).count(), 50_000);
    assert_eq!(store.taken_ranges().len(), 1 + 3, "the pack table, 2,084 pages in three pieces");
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
fn the_order_of_adding_leaves_no_trace() {
    let plain = |builder: SegmentBuilder| {
        let (_, _, index) = stored(builder);
        let records: Vec<Record> =
            index.segments()[0].records().expect("sound").map(|record| record.expect("sound")).collect();
        records
    };
    let (mut forward, mut backward) = (SegmentBuilder::new(), SegmentBuilder::new());
    let chunks: Vec<ChunkRow> = (0..100).map(chunk).collect();
    let reversed: Vec<ChunkRow> = chunks.iter().rev().copied().collect();
    for number in 0..4 {
        forward.add_pack(pack(number), &chunks).expect("add");
        backward.add_pack(pack(3 - number), &reversed).expect("add");
    }
    assert_eq!(plain(forward), plain(backward));
}

#[test]
fn what_can_not_be_indexed_is_refused_when_it_is_added() {
    let sound = chunk(1);
    let wrong = [
        ChunkRow { sealed_length: 1 << 24, ..sound },
        ChunkRow { block_length: 1 << 24, ..sound },
        ChunkRow { length: (8 << 20) + 1, block_length: 12 << 20, ..sound },
        ChunkRow { offset: 1_999_001, ..sound },
        ChunkRow { offset: u32::MAX, length: u32::MAX, ..sound },
        ChunkRow { sealed_length: 16, ..sound },
        ChunkRow { block_offset: 79, ..sound },
        ChunkRow { block_offset: 16 << 20, ..sound },
        ChunkRow { block_offset: u32::MAX, ..sound },
    ];
    let mut builder = SegmentBuilder::new();
    for chunk in wrong {
        assert!(matches!(builder.add_pack(pack(1), &[sound, chunk]), Err(Error::Invalid { .. })), "{chunk:?}");
    }
    let no_pack = PackRow { header: Header { kind: Kind::Manifest, ..pack(1).header }, ..pack(1) };
    assert!(builder.add_pack(no_pack, &[sound]).is_err());
    builder.add_pack(pack(1), &[]).expect("a pack without chunks");
    assert_eq!(builder.record_count(), 0);
    assert!(matches!(builder.finish(&codec(), Kind::Segment, SESSION), Err(Error::Invalid { .. })));

    let mut builder = SegmentBuilder::new();
    builder.add_pack(pack(1), &vec![sound; MOST_RECORDS as usize - 1]).expect("one less than most");
    assert!(matches!(builder.add_pack(pack(2), &[sound; 2]), Err(Error::TooLarge { .. })));
    builder.add_pack(pack(2), &[sound]).expect("as many as most");
    assert_eq!(builder.record_count(), MOST_RECORDS as usize);
    assert!(self::builder(1, 1).finish(&codec(), Kind::DataPack, SESSION).is_err());
}

#[test]
fn opening_costs_one_listing_and_one_small_read_for_each_segment() {
    let store = Arc::new(Store::default());
    for number in 0..100 {
        store.put_new(&seal(builder_of([(pack(1), vec![chunk(number)])]), Kind::Segment));
    }
    let loaded = store.load();
    assert_eq!(loaded.index.segments().len(), 100);
    assert_eq!(store.lists(), 1);
    assert_eq!(store.taken_ranges(), [(0, 224); 100]);
    let names: Vec<ObjectName> = loaded.index.segments().iter().map(|segment| segment.name().clone()).collect();
    let again: Vec<ObjectName> = store.load().index.segments().iter().map(|segment| segment.name().clone()).collect();
    assert_eq!(names, again, "the order does not depend on which thread was faster");
}

#[test]
fn a_lookup_reads_guides_once_and_each_page_once() {
    let (store, _, index) = stored(builder(1_000, 30));
    store.taken_ranges();
    find(&index, 5).expect("sound").expect("there");
    assert_eq!(store.taken_ranges().len(), 3, "fences with filter, a page, a page of the pack table");
    find(&index, 5).expect("sound").expect("there");
    assert_eq!(store.taken_ranges(), []);
    for _ in 0..2 {
        for number in 0..1_000 {
            find(&index, number).expect("sound").expect("there");
        }
    }
    assert_eq!(store.taken_ranges().len(), 42 + 3 - 2, "42 pages, three of the table, one of each read before");
}

#[test]
fn only_segments_that_count_are_asked() {
    let store = Arc::new(Store::default());
    let one = |number: u32, kind: Kind, session: SessionId| {
        let builder = builder_of([(pack(1), vec![chunk(number)])]);
        let sealed = builder.finish(&codec(), kind, session).expect("finish");
        store.put_new(&sealed);
        match sealed.0 {
            ObjectName::Segment(id) | ObjectName::MergedSegment(id) => id,
            other => panic!("{other} is no segment"),
        }
    };
    let buried = SessionId([9; 16]);
    let (_own, replaced, _buried) =
        (one(0, Kind::Segment, SESSION), one(1, Kind::Segment, SESSION), one(2, Kind::Segment, buried));
    let (merged, once_merged) = (one(3, Kind::MergedSegment, SESSION), one(4, Kind::MergedSegment, SESSION));
    let _unnamed = one(5, Kind::MergedSegment, SESSION);
    let known = |index: &Index| -> Vec<u32> {
        (0..6).filter(|&number| find(index, number).expect("sound").is_some()).collect()
    };
    assert_eq!(known(&store.load().index), [0, 1, 2]);

    let missing = SegmentId([0xff; 32]);
    let counted = Counted {
        merged: BTreeSet::from([merged, once_merged, missing]),
        replaced: BTreeSet::from([replaced, once_merged]),
        buried: BTreeSet::from([buried]),
    };
    let loaded = load_counted(&store.shared(), &counted);
    assert_eq!(known(&loaded.index), [0, 3]);
    assert!(matches!(loaded.index.segments()[0].name(), ObjectName::MergedSegment(_)), "merged ones are the oldest");
    let [Error::Damaged { object, .. }] = loaded.damaged.as_slice() else { panic!("{:?}", loaded.damaged) };
    assert_eq!(*object, ObjectName::MergedSegment(missing).to_string());
}

#[test]
fn a_segment_under_a_name_of_the_other_kind_does_not_count() {
    let store = Arc::new(Store::default());
    let (_, sealed) = seal(builder(5, 1), Kind::MergedSegment);
    store.put_new(&(ObjectName::Segment(SegmentId([7; 32])), sealed));
    let loaded = store.load();
    assert!(loaded.index.segments().is_empty());
    assert_eq!(loaded.damaged.len(), 1);
}

#[test]
fn every_flipped_byte_is_met_when_it_matters_and_no_location_is_wrong() {
    let (store, name, _) = stored(builder(60, 12));
    let sound = store.memory.get(&name).expect("there");
    let summary = *store.load().index.segments()[0].summary();
    let filter_from = sound.len() - 2 - summary.filter_length as usize;
    for place in 0..sound.len() {
        let mut bytes = sound.to_vec();
        bytes[place] ^= 1;
        assert!(check_stored(&name, &bytes).is_err(), "byte {place}");
        store.memory.tamper(&name.to_string(), Some(bytes.into()));
        let loaded = store.load();
        let mut failed = !loaded.damaged.is_empty();
        if let Some(segment) = loaded.index.segments().first() {
            for number in 0..60 {
                match find(&loaded.index, number) {
                    Ok(Some(location)) => assert!(is_location_of(&location, number), "byte {place}, chunk {number}"),
                    Ok(None) => panic!("byte {place} hides chunk {number}"),
                    Err(error) => {
                        assert!(error.is_damage(), "{error}");
                        failed = true;
                    }
                }
            }
            if let Ok(records) = segment.records() {
                for record in records.flatten() {
                    assert!(is_location_of(&record.location, record.location.offset), "byte {place}");
                }
            }
        }
        // Without its filter a segment answers as well; the empty signature field is covered by the name.
        assert_eq!(failed, place < filter_from, "byte {place}");
    }
}

#[test]
fn every_truncation_and_every_addition_is_refused() {
    let (store, name, _) = stored(builder(30, 2));
    let sound = store.memory.get(&name).expect("there");
    for length in 0..sound.len() {
        store.memory.tamper(&name.to_string(), Some(sound.slice(..length)));
        let loaded = store.load();
        assert_eq!((loaded.index.segments().len(), loaded.damaged.len()), (0, 1), "{length} bytes");
        assert!(loaded.damaged[0].is_damage());
        // A store whose listing lies about the size is found out as well.
        let backend = store.shared();
        let opened = Segment::open(&backend, &codec(), &name, sound.len() as u64);
        let hides = |segment: Segment| {
            let index = Index::new();
            index.add(segment);
            (0..30).any(|number| !matches!(find(&index, number), Ok(Some(_))))
        };
        assert!(opened.is_err() || hides(opened.expect("opened")) || length + 2 >= sound.len(), "{length} bytes");
    }
    store.memory.tamper(&name.to_string(), Some([&sound[..], &[0]].concat().into()));
    assert_eq!(store.load().damaged.len(), 1);
}

#[test]
fn a_damaged_page_hides_only_chunks_that_no_other_segment_has() {
    let store = Arc::new(Store::default());
    let sealed = seal(builder(200, 3), Kind::Segment);
    store.put_new(&sealed);
    let mut bytes = sealed.1.as_bytes().to_vec();
    bytes[PAGES_FROM + SEALED_PAGE + 5] ^= 1; // page 1
    store.memory.tamper(&sealed.0.to_string(), Some(bytes.into()));
    let index = store.load().index;
    let hidden: Vec<u32> = (0..200).filter(|&number| find(&index, number).is_err()).collect();
    assert_eq!(hidden.len(), 24);
    let segments = index.segments();
    let records: Vec<Result<Record>> = segments[0].records().expect("sound").collect();
    assert_eq!(records.iter().filter(|record| record.is_ok()).count(), 200 - 24);
    assert_eq!(records.iter().filter(|record| record.is_err()).count(), 1);

    let saved = hidden[..10].iter().map(|&number| chunk(number)).collect();
    let rescue = seal(builder_of([(pack(9), saved)]), Kind::MergedSegment);
    store.put_new(&rescue);
    let ObjectName::MergedSegment(merged) = rescue.0 else { panic!("a merged segment") };
    let index =
        load_counted(&store.shared(), &Counted { merged: BTreeSet::from([merged]), ..Counted::default() }).index;
    for (position, &number) in hidden.iter().enumerate() {
        match find(&index, number) {
            Ok(location) => assert!(position < 10 && is_location_of(&location.expect("there"), number)),
            Err(error) => assert!(position >= 10 && error.is_damage()),
        }
        let refused = index.find(&id(number), ChunkKind::Data, &mut |_| false);
        assert!(refused.is_err_and(|error| error.is_damage()), "the damaged page may hold an acceptable copy");
    }
}

#[test]
fn a_store_that_does_not_answer_is_no_damage_and_is_asked_again() {
    let (store, _, index) = stored(builder(100, 2));
    store.is_silent.store(true, Ordering::Relaxed);
    let unreachable =
        |error: &Error| matches!(error, Error::Store { source, .. } if source.kind == BackendErrorKind::Unreachable);
    assert!(find(&index, 1).is_err_and(|error| unreachable(&error)));
    let backend = store.shared();
    assert!(Index::load(&backend, &codec(), &Counted::default()).is_err_and(|error| unreachable(&error)));
    store.is_silent.store(false, Ordering::Relaxed);
    assert!(find(&index, 1).expect("sound").is_some());
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

/// Opens every part of a sound segment, lets `change` lie in it, and seals it again: what only a holder of the key can do.
fn resealed(stored: &[u8], summary: &Summary, change: &dyn Fn(Domain, u64, &mut Vec<u8>)) -> (ObjectName, Sealed) {
    let codec = codec();
    let header = Header::parse("test", stored).expect("sound");
    let opener = codec.opener("test", &header).expect("sound");
    let sealer = codec.sealer(Kind::Segment, SESSION).expect("random bytes");
    let mut parts = vec![(Domain::Summary, 0, PAGES_FROM - HEADER)];
    parts.extend((0..summary.pages()).map(|page| (Domain::Page, u64::from(page), SEALED_PAGE)));
    parts.extend((0..summary.pack_pages()).map(|page| (Domain::PackTable, u64::from(page), SEALED_PAGE)));
    parts.push((Domain::Fences, 0, summary.fences_length() as usize));
    parts.push((Domain::Filter, 0, summary.filter_length as usize));
    let (mut bytes, mut rest) = (sealer.header().encode().to_vec(), &stored[HEADER..]);
    for (domain, number, length) in parts {
        let (sealed, behind) = rest.split_at(length);
        rest = behind;
        let mut plain = opener.open(domain, number, &[], &mut sealed.to_vec()).expect("sound").to_vec();
        change(domain, number, &mut plain);
        let from = bytes.len();
        bytes.extend_from_slice(&plain);
        sealer.seal_tail(domain, number, &[], &mut bytes, from);
    }
    bytes.extend_from_slice(&[0; 2]);
    let id = SegmentId(*blake3::hash(&bytes).as_bytes());
    (ObjectName::Segment(id), Sealed::from_sealer(bytes.into()))
}

#[test]
fn a_segment_that_lies_behind_a_sound_seal_gives_errors_and_nothing_worse() {
    let (store, name, index) = stored(builder(60, 12));
    let sound = store.memory.get(&name).expect("there");
    let summary = *index.segments()[0].summary();
    let lies: [fn(u8) -> u8; 4] = [|_| 0, |_| 0xff, |byte| byte ^ 1, |byte| byte ^ 0x80];
    let parts = [
        (Domain::Summary, 0, 128),
        (Domain::Page, 0, RECORD_BYTES),
        (Domain::Page, 2, 12 * RECORD_BYTES),
        (Domain::PackTable, 0, PACK_ROW),
        (Domain::PackTable, 1, 3 * PACK_ROW),
        (Domain::Fences, 0, 24),
        (Domain::Filter, 0, 24),
    ];
    for (part, part_number, length) in parts {
        for (place, lie) in (0..length).flat_map(|place| lies.map(|lie| (place, lie))) {
            let lying = resealed(&sound, &summary, &|domain, number, plain| {
                if (domain, number) == (part, part_number) {
                    plain[place] = lie(plain[place]);
                }
            });
            let store = Arc::new(Store::default());
            store.put_new(&lying);
            let index = store.load().index;
            for number in 0..60 {
                let _ = find(&index, number);
            }
            for segment in index.segments() {
                let _ = segment.records().map(Iterator::count);
            }
            let most = store.taken_ranges().into_iter().map(|(_, length)| length).max();
            assert!(most.unwrap_or(0) <= sound.len() as u64, "never more is read than there is");
        }
    }
    // The same size, and a part that claims to be larger than the whole.
    for field in 1..6 {
        for value in [0, 1, 24, 73, 1 << 20, (1 << 20) + 1, 1 << 31, u32::MAX] {
            let lying = resealed(&sound, &summary, &|domain, _, plain| {
                if domain == Domain::Summary && plain[field * 4..field * 4 + 4] != u32::to_le_bytes(value) {
                    plain[field * 4..field * 4 + 4].copy_from_slice(&value.to_le_bytes());
                }
            });
            let store = Arc::new(Store::default());
            store.put_new(&lying);
            let damaged = store.load().damaged;
            let same = [60, 3, 12, 40, summary.filter_length][field - 1] == value;
            assert_eq!(damaged.len(), usize::from(!same), "field {field} is {value}");
        }
    }
}

fn stored_form(row: &ChunkRow) -> ChunkRow<IdPrefix> {
    let &ChunkRow { ref id, kind, has_base, block_offset, sealed_length, block_length, offset, length } = row;
    ChunkRow { id: id.into(), kind, has_base, block_offset, sealed_length, block_length, offset, length }
}

const RECORD_BYTES: usize = super::record::RECORD;

#[test]
fn the_stored_form_is_the_documented_one() {
    let row = ChunkRow {
        id: ChunkId([0xab; 32]),
        kind: ChunkKind::List,
        has_base: true,
        block_offset: 0x0403_0201,
        sealed_length: 0x0006_0504,
        block_length: 0x0007_0605,
        offset: 0x0000_0807,
        length: 0x0002_0908,
    };
    let golden =
        [[0xab; 20].as_slice(), &[9, 0, 0, 0], &[1, 2, 3, 4], &[4, 5, 6], &[5, 6, 7], &[7, 8, 0], &[8, 9, 2], &[0x82]];
    assert_eq!(row.encode(9).as_slice(), golden.concat());

    let pack = PackRow { id: PackId([5; 32]), ..pack(5) };
    let header = pack.header.encode();
    let golden = [[5; 32].as_slice(), &[0, 0, 0, 1], &header[4..16], &header[32..]].concat();
    assert_eq!(pack.encode().as_slice(), golden);

    let (smallest, largest) = (IdPrefix([1; 20]), IdPrefix([2; 20]));
    let summary = Summary { records: 25, packs: 11, filter_length: 44, smallest, largest };
    let numbers = [1, 25, 2, 11, 32, 44].map(u32::to_le_bytes);
    let golden = [numbers.as_flattened(), &[1; 20], &[2; 20], &[0; 64]].concat();
    assert_eq!(summary.encode().as_slice(), golden);
    let size = 224 + 2 * 1_024 + 2 * 1_024 + 32 + 44 + 2;
    assert_eq!(parse_summary("test", size, &golden).expect("sound"), summary);
}

#[test]
fn records_that_can_not_be_are_refused_with_their_page() {
    let mut page = vec![0; PAGE];
    page[..RECORD_BYTES].copy_from_slice(&chunk(1).encode(4));
    let parse = |page: &[u8], records, packs| parse_page("test", 0, records, packs, page);
    assert_eq!(parse(&page, 1, 5).expect("sound").get(0), Some(Entry { pack: 4, chunk: stored_form(&chunk(1)) }));
    assert!(parse(&page, 1, 4).is_err(), "a pack that is not there");
    assert!(parse(&page, 2, 5).is_err() && parse(&page, 0, 5).is_err() && parse(&page, 25, 5).is_err());
    assert!(parse(&page, u32::MAX, u32::MAX).is_err());
    assert!(parse(&page[..PAGE - 1], 1, 5).is_err() && parse(&[], 1, 5).is_err());
    for flags in [3, 4, 0x40, 0x83] {
        page[40] = flags;
        assert!(matches!(parse(&page, 1, 5), Err(Error::Newer { .. })), "flags {flags:#04x}");
    }
    page[40] = 2;
    page[PAGE - 1] = 1;
    assert!(parse(&page, 1, 5).is_err(), "something behind the records");
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

    #[test]
    fn parsers_take_any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..1_100), numbers in any::<[u32; 3]>()) {
        let [number, count, packs] = numbers;
        let mut page = bytes.clone();
        page.resize(PAGE, 0);
        for bytes in [&bytes, &page] {
            let _ = parse_page("test", number, count % 30, packs, bytes);
            let _ = parse_pack_page("test", REPOSITORY, number, count % 12, bytes);
            let _ = parse_summary("test", number.into(), bytes);
            let _ = parse_fences("test", count, bytes);
            if let Ok(filter) = Filter::parse("test", bytes) {
                let _ = filter.contains(packs.into());
            }
        }
    }
}
