//! A pack, filled from several threads and read back.

use std::collections::BTreeMap;

use super::*;
use crate::{
    backend::{Backend, MemoryBackend, ObjectName},
    codec::{BlockDecoder, Codec, Domain, Encoded, Kind, TAG},
    id::{ChunkId, ChunkKind, RepositoryId, SessionId},
    keys::{Keys, Secret},
};

fn codec() -> Codec {
    let keys = Keys::new(BTreeMap::from([(0, Secret::new([1; 32]))])).expect("one master");
    Codec::new(keys, RepositoryId([2; 16]))
}

fn chunk(number: u8, length: u32) -> ChunkEntry {
    ChunkEntry { kind: ChunkKind::Data, length, id: ChunkId([number; 32]), base: None }
}

fn builder(codec: &Codec, kind: Kind, target: u32) -> PackBuilder {
    let sealer = codec.sealer(kind, SessionId([3; 16])).expect("random");
    PackBuilder::new(sealer, target, PackBuffers::new(target as usize).lend())
}

/// A raw block that holds `length` times the same byte.
fn raw_block(number: u8, length: usize) -> Vec<u8> {
    let mut encoded = vec![number; length + 1];
    encoded[0] = 0;
    encoded
}

/// The length was once worked out with one row too many, so that where the directory just fitted its step the pack was a
/// step shorter than its padded length.
#[test]
fn every_pack_has_a_padded_length() {
    let codec = codec();
    for count in 0..60_u8 {
        let builder = builder(&codec, Kind::DataPack, 16 << 20);
        let chunks = (0..=count).map(|number| chunk(number, 1)).collect();
        let encoded = raw_block(1, usize::from(count) + 1);
        let place = builder.reserve(encoded.len(), u32::from(count) + 1, chunks).expect("room");
        assert!(!builder.fill(place, Encoded(&encoded, &[])) && builder.close());
        let length = builder.finish().expect("unchanged").sealed.as_bytes().len() as u64;
        assert_eq!(length, padded_length(length), "{count}");
    }
}

#[test]
fn blocks_of_many_threads_come_back_whole() {
    let codec = codec();
    let builder = builder(&codec, Kind::DataPack, 16 << 20);
    std::thread::scope(|scope| {
        for number in 0..20_u8 {
            let builder = &builder;
            scope.spawn(move || {
                let encoded = raw_block(number, 1000);
                let place = builder.reserve(encoded.len(), 1000, vec![chunk(number, 1000)]).expect("room");
                assert!(!builder.fill(place, Encoded(&encoded, &[])), "nobody closed it");
            });
        }
    });
    assert!(builder.close());
    assert!(!builder.close(), "closed once");
    let pack = builder.finish().expect("unchanged");
    let stored = pack.sealed.as_bytes().clone();
    assert_eq!(stored.len() as u64, padded_length(stored.len() as u64));

    let backend = MemoryBackend::new();
    backend.put(&ObjectName::Pack(pack.id), &pack.sealed).expect("put");
    let (header, directory) = read_directory(&backend, &codec, pack.id, stored.len() as u64).expect("read");
    assert_eq!((header, &directory), (pack.header, &pack.directory));
    let opener = codec.opener("test", &header).expect("opener");
    let mut decoder = BlockDecoder::new().expect("memory");
    assert_eq!(directory.blocks.len(), 21);
    for block in directory.blocks.iter().filter(|block| !block.is_padding) {
        let range = block.offset as usize..(block.offset + block.sealed_length) as usize;
        let mut sealed = stored[range].to_vec();
        let opened = opener.open(Domain::Block, u64::from(block.offset), &[], &mut sealed).expect("open");
        let mut scratch = Vec::new();
        let plain = decoder.decode("test", opened, block.plain_length as usize, &mut scratch).expect("decode");
        assert_eq!(plain, vec![block.chunks[0].id.0[0]; 1000]);
    }
}

#[test]
fn a_pack_closes_near_its_target_and_wastes_little() {
    let codec = codec();
    let builder = builder(&codec, Kind::DataPack, 1 << 20);
    let mut finish = false;
    while let Some(place) = builder.reserve(10_001, 10_000, vec![chunk(1, 10_000)]) {
        finish = builder.fill(place, Encoded(&raw_block(1, 10_000), &[]));
    }
    assert_ne!(finish, builder.close(), "whoever completes the pack is told, once");
    let pack = builder.finish().expect("unchanged");
    let length = pack.sealed.as_bytes().len();
    assert!((768 << 10..=1 << 20).contains(&length), "{length}");
    let padding = pack.directory.blocks.last().expect("padding").sealed_length as usize;
    assert!(padding <= TAG + length / 128, "{padding}");
}

#[test]
fn a_block_larger_than_the_target_still_finds_a_pack() {
    let codec = codec();
    let builder = builder(&codec, Kind::DataPack, 1 << 20);
    let place = builder.reserve(2_000_001, 2_000_000, vec![chunk(1, 2_000_000)]).expect("the first block");
    assert!(builder.is_closed());
    assert!(builder.fill(place, Encoded(&raw_block(1, 2_000_000), &[])));
    assert!(builder.finish().expect("unchanged").sealed.as_bytes().len() > 2_000_000);
}

#[test]
fn every_flipped_bit_of_a_pack_is_found_by_its_name() {
    let codec = codec();
    let builder = builder(&codec, Kind::TreePack, 1 << 20);
    let place = builder.reserve(101, 100, vec![chunk(1, 100)]).expect("room");
    builder.fill(place, Encoded(&raw_block(1, 100), &[]));
    let pack = builder.finish().expect("unchanged");
    let stored = pack.sealed.as_bytes();
    for byte in 0..stored.len() {
        let mut bytes = stored.to_vec();
        bytes[byte] ^= 0x10;
        assert!(crate::backend::check_stored(&ObjectName::Pack(pack.id), &bytes).is_err());
    }
}
