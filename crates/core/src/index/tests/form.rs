//! The stored form, and what its parsers refuse.

use proptest::prelude::*;

use super::super::{
    record::{PAGE, RECORD},
    testing::{REPOSITORY, chunk, pack},
    *,
};
use crate::{
    error::Error,
    id::{ChunkId, ChunkKind, PackId},
};

fn stored_form(row: &ChunkRow) -> ChunkRow<IdPrefix> {
    let &ChunkRow { ref id, kind, has_base, block_offset, sealed_length, block_length, offset, length } = row;
    ChunkRow { id: id.into(), kind, has_base, block_offset, sealed_length, block_length, offset, length }
}

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
    page[..RECORD].copy_from_slice(&chunk(1).encode(4));
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

#[test]
fn no_segment_is_larger_than_the_largest() {
    let (smallest, largest) = (IdPrefix([0; 20]), IdPrefix([0xff; 20]));
    let most = Summary { records: MOST_RECORDS, packs: MOST_RECORDS, filter_length: u32::MAX, smallest, largest };
    assert!(most.stored_length() < LARGEST_SEGMENT);
}
