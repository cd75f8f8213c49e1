//! Many workers, small packs: whatever was given is stored and found.

use std::collections::BTreeMap;

use super::*;
use crate::{
    backend::MemoryBackend,
    codec::{BlockEncoder, Compression},
    id::RepositoryId,
    keys::{Keys, Secret},
    store::ChunkReader,
};

/// A pack that was finished while a worker still held it took a block once more, and the block was never stored.
#[test]
fn no_block_gets_lost_when_packs_change_under_many_workers() {
    let keys = Keys::new(BTreeMap::from([(0, Secret::new([1; 32]))])).expect("one master");
    let codec = Codec::new(keys, RepositoryId([2; 16]));
    let backend: Arc<dyn Backend> = Arc::new(MemoryBackend::new());
    let index = Arc::new(Index::new());
    let options = WriterOptions { data_pack_bytes: 64 << 10, segment_chunks: 1000, ..WriterOptions::default() };
    let writer = ChunkWriter::start(
        Arc::clone(&backend),
        codec.clone(),
        Arc::clone(&index),
        SessionId([3; 16]),
        Arc::new(|_| true),
        false,
        options,
    )
    .expect("threads");

    let block = |worker: u64, number: u64| -> Vec<u8> {
        let length = 1000 + (worker * 7919 + number * 104_729) % 30_000;
        (0..length).map(|at| u8::try_from((at * at + worker * 31 + number) % 251).expect("below 251")).collect()
    };
    std::thread::scope(|scope| {
        for worker in 0..8 {
            let (writer, codec, block) = (&writer, &codec, &block);
            scope.spawn(move || {
                let mut encoder = BlockEncoder::new(Compression::Off).expect("memory");
                let mut scratch = Vec::new();
                for number in 0..200 {
                    let plain = block(worker, number);
                    let id = codec.keys().chunk_id(ChunkKind::Data, &plain);
                    if writer.claim(ChunkKind::Data, &id).expect("claim") {
                        let length = u32::try_from(plain.len()).expect("short");
                        let chunk = ChunkEntry { kind: ChunkKind::Data, length, id, base: None };
                        writer.store_block(&mut encoder, &plain, vec![chunk], &mut scratch).expect("store");
                    }
                }
            });
        }
    });
    let stored = writer.finish().expect("everything arrived");
    assert!(stored.packs > 100 && stored.segments > 1, "{stored:?}");

    let reader = ChunkReader::new(backend, codec.clone(), index);
    for (worker, number) in (0..8).flat_map(|worker| (0..200).map(move |number| (worker, number))) {
        let plain = block(worker, number);
        let id = codec.keys().chunk_id(ChunkKind::Data, &plain);
        assert_eq!(reader.read(ChunkKind::Data, &id).expect("stored"), plain);
    }
}
