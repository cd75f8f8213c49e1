//! Lists and objects of parity: the documented layout, what no writer makes, every cut and flip, and where each sector has its place.

use std::{collections::BTreeMap, sync::Arc};

use proptest::prelude::*;

use super::*;
use crate::{
    backend::{Backend, MemoryBackend, ObjectName},
    codec::{Codec, HEADER, Header, TAG},
    error::Error,
    id::{PackId, ParityId, RepositoryId},
    keys::{Keys, Secret},
};

fn codec(secret: u8) -> Codec {
    let keys = Keys::new(BTreeMap::from([(0, Secret::new([secret; 32]))])).expect("one master");
    Codec::new(keys, RepositoryId([2; 16]))
}

fn pack(number: u32, stored_length: u32) -> CoveredPack {
    CoveredPack { id: PackId(*blake3::hash(&number.to_le_bytes()).as_bytes()), stored_length }
}

fn sample() -> ParityList {
    ParityList::new(3, 2, vec![pack(1, 250_000), pack(2, 131_072), pack(3, 1)]).expect("a list")
}

#[test]
fn the_layout_is_the_documented_one() {
    let list = sample();
    let encoded = list.encode();
    assert_eq!(&encoded[..16], [1, 0, 0, 0, 3, 0, 0, 0, 3, 0, 0, 0, 2, 0, 0, 0]);
    assert_eq!(&encoded[16..48], blake3::hash(&1_u32.to_le_bytes()).as_bytes());
    assert_eq!(&encoded[48..52], 250_000_u32.to_le_bytes());
    assert_eq!(encoded.len(), 16 + 3 * 36);
    // 62, 32 and 1 sectors, in 4, 2 and 1 runs, dealt out to three slices.
    assert_eq!((list.sectors(), list.rows(), list.places()), (95, 3, 48));
    let run = |pack, first, sectors| Some(Run { pack, first, sectors });
    let dealt: Vec<_> = (0..3).map(|row| [0, 1, 2].map(|slice| list.run(slice, row))).collect();
    assert_eq!(dealt[0], [run(0, 0, 16), run(0, 16, 16), run(0, 32, 16)]);
    assert_eq!(dealt[1], [run(0, 48, 14), run(1, 0, 16), run(1, 16, 16)]);
    assert_eq!(dealt[2], [run(2, 0, 1), None, None]);
    assert_eq!(list.place(1, 17), Some(SectorPlace { slice: 2, place: 17 }));
    assert_eq!((list.place(0, 62), list.place(3, 0)), (None, None));
    let recovery_at = (HEADER + encoded.len() + TAG) as u64;
    assert_eq!(list.recovery_at(0), recovery_at);
    assert_eq!(list.recovery_at(2), recovery_at + 4 * 4096);
    assert_eq!(list.checksums_at(), recovery_at + 6 * 4096);
    assert_eq!((list.number(2, 0), list.recovery_number(1, 1)), (Some(94), 98));
    assert_eq!(list.stored_length(), list.checksums_at() + 8 * (95 + 6) + 2);
    assert_eq!(checksum(&[7]), checksum(&[&[7][..], &[0; 4095]].concat()));
    assert_eq!(checksum(&[0; 4096]), blake3::hash(&[0; 4096]).as_bytes()[..8]);
}

#[test]
fn what_no_writer_makes_is_refused() {
    let packs = |count: u32| (0..count).map(|number| pack(number, 4096)).collect::<Vec<_>>();
    for (slices, recovery, packs) in [
        (1, 1, vec![]),
        (1, 1, packs(4097)),
        (0, 1, packs(3)),
        (4, 1, packs(3)),
        (1, 0, packs(3)),
        (1, 4097, packs(3)),
        (1, 1, packs(257)),
        (1, 1, vec![pack(1, 0)]),
        (4, 1, vec![pack(1, (64 << 20) + 1)]),
        (1, 1, vec![pack(1, 1), pack(1, 1)]),
        (9, 4096, (0..9).map(|number| pack(number, 1 << 20)).collect()),
        (1 << 10, 1, (0..65).map(|number| pack(number, 64 << 20)).collect()),
    ] {
        assert!(ParityList::new(slices, recovery, packs).is_err(), "{slices} {recovery}");
    }
}

#[test]
fn every_flipped_bit_and_every_cut_of_a_list_is_found_or_is_another_list() {
    let bytes = sample().encode();
    assert_eq!(ParityList::parse("test", &bytes).expect("a list"), sample());
    for bit in 0..bytes.len() * 8 {
        let mut changed = bytes.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        if let Ok(list) = ParityList::parse("test", &changed) {
            assert_eq!(list.encode(), changed, "bit {bit}");
            assert_ne!(list, sample(), "bit {bit}");
        }
    }
    for length in 0..bytes.len() {
        assert!(ParityList::parse("test", &bytes[..length]).is_err(), "length {length}");
    }
    assert!(ParityList::parse("test", &[bytes.as_slice(), &[0]].concat()).is_err());
    let mut newer = bytes;
    newer[0] = 2;
    assert!(matches!(ParityList::parse("test", &newer), Err(Error::Newer { .. })));
}

fn stored(list: &ParityList) -> (ObjectName, Vec<u8>) {
    let mut builder = ParityBuilder::begin(&codec(1), list).expect("random bytes");
    builder.push(&vec![5; list.slices() * list.recovery() * SECTOR]);
    builder.push(&vec![6; list.checksums_length()]);
    let (name, sealed) = builder.finish();
    (name, sealed.as_bytes().to_vec())
}

#[test]
fn no_bit_of_what_a_writer_said_can_be_changed_without_its_key() {
    let (name, bytes) = stored(&sample());
    let ObjectName::Parity(id) = name else { panic!("{name}") };
    let behind = HEADER + sample().encoded_length() + TAG;
    let parse = |codec: Option<&Codec>, bytes: &[u8]| ParityObject::parse("test", codec, bytes);
    assert_eq!(parse(Some(&codec(1)), &bytes).expect("a list"), sample());
    assert!(parse(Some(&codec(9)), &bytes).is_err(), "another master made no such tag");
    assert_eq!(parse(None, &bytes).expect("a list"), sample());
    for bit in 0..behind * 8 {
        let mut changed = bytes[..behind].to_vec();
        changed[bit / 8] ^= 1 << (bit % 8);
        assert!(parse(Some(&codec(1)), &changed).is_err(), "bit {bit}");
        let _ = parse(None, &changed);
    }
    for length in 0..behind {
        assert!(parse(None, &bytes[..length]).is_err(), "length {length}");
    }
    let backend = Arc::new(MemoryBackend::new());
    let read = |length: usize| {
        backend.tamper(&name.to_string(), Some(bytes[..length].to_vec().into()));
        ParityObject::read(&*backend, None, id, length as u64)
    };
    assert!(read(bytes.len()).is_ok());
    for length in (0..bytes.len()).step_by(97).chain([bytes.len() - 1]) {
        assert!(read(length).is_err(), "length {length}");
    }
}

#[test]
fn the_parts_of_a_large_object_are_where_they_were_put() {
    let list = ParityList::new(60, 3, (0..900).map(|number| pack(number, 5000 + number)).collect()).expect("a list");
    assert!(list.encoded_length() > 16 << 10, "the first read is not enough");
    let (name, bytes) = stored(&list);
    let ObjectName::Parity(id) = name else { panic!("{name}") };
    assert_eq!(ParityId(*blake3::hash(&bytes).as_bytes()), id);
    assert_eq!(Header::parse("test", &bytes).expect("a header").session.0, [0; 16]);
    let backend = MemoryBackend::new();
    backend.tamper(&name.to_string(), Some(bytes.clone().into()));
    let object = ParityObject::read(&backend, Some(&codec(1)), id, bytes.len() as u64).expect("it opens");
    assert_eq!(object.list, list);
    assert!(object.read_recovery(&backend, 59, 1, 2).expect("there").iter().all(|&byte| byte == 5));
    assert!(object.read_checksums(&backend).expect("there").iter().all(|&byte| byte == 6));
    assert_eq!(object.name(), name);
    assert!(backend.get(&name).is_ok());
}

proptest! {
    #[test]
    fn every_sector_has_one_place_and_no_pack_takes_more_of_a_slice_than_is_said(
        lengths in prop::collection::vec(1_u32..600_000, 1..12),
        slices in 1_usize..9,
    ) {
        let packs: Vec<_> = (0..).zip(&lengths).map(|(number, &length)| pack(number, length)).collect();
        let Ok(list) = ParityList::new(slices, 1, packs) else { return Ok(()) };
        prop_assert_eq!(&ParityList::parse("test", &list.encode()).expect("a list"), &list);
        let mut seen = BTreeMap::new();
        for slice in 0..slices {
            for row in 0..list.rows() {
                let Some(run) = list.run(slice, row) else { continue };
                for sector in 0..run.sectors {
                    let place = SectorPlace { slice, place: row * RUN + sector };
                    prop_assert_eq!(list.place(run.pack, run.first + sector), Some(place));
                    let number = list.number(run.pack, run.first + sector).expect("it is there");
                    prop_assert!(seen.insert(number, (run.pack, slice)).is_none());
                }
            }
        }
        prop_assert_eq!(seen.len(), list.sectors());
        for (number, pack) in list.packs().iter().enumerate() {
            for slice in 0..slices {
                let count = seen.values().filter(|found| **found == (number, slice)).count();
                prop_assert!(count <= list.most_in_slice(pack));
            }
        }
    }
}
