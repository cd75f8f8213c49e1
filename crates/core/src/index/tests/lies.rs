//! Segments that lie behind a sound seal.

use std::sync::Arc;

use super::{
    super::{
        layout::PAGES_FROM,
        record::{PACK_ROW, RECORD, SEALED_PAGE},
        testing::{SESSION, Store, codec},
        *,
    },
    builder, find, stored,
};
use crate::{
    backend::{Backend, ObjectName, Sealed},
    codec::{Domain, HEADER, Header, Kind},
    id::SegmentId,
};

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
        (Domain::Page, 0, RECORD),
        (Domain::Page, 2, 12 * RECORD),
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
