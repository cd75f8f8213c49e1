//! What a builder takes, and what it makes of it.

use super::{
    super::{
        testing::{SESSION, chunk, codec, pack},
        *,
    },
    stored,
};
use crate::{
    codec::{Header, Kind},
    error::Error,
};

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
    assert!(super::builder(1, 1).finish(&codec(), Kind::DataPack, SESSION).is_err());
}
