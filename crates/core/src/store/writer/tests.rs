//! Many workers, small packs: whatever was given is stored and found.

use std::collections::BTreeMap;

use super::*;
use crate::{
    backend::MemoryBackend,
    codec::{BlockEncoder, Compression, Encoded, Header},
    id::{ChunkId, RepositoryId},
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

/// Encodes as it should, but for the blocks of these numbers: there it turns a bit over.
struct Unreliable {
    encoder: BlockEncoder,
    number: u64,
    spoils: fn(u64) -> bool,
}

impl Encode for Unreliable {
    fn encode<'a>(&mut self, plain: &'a [u8], scratch: &'a mut Vec<u8>) -> Encoded<'a> {
        *scratch = self.encoder.encode(plain, &mut Vec::new()).to_vec();
        if (self.spoils)(self.number) {
            let place = scratch.len() / 2;
            scratch[place] ^= 1;
        }
        self.number += 1;
        Encoded(scratch, &[])
    }
}

struct Bench {
    codec: Codec,
    backend: Arc<dyn Backend>,
    index: Arc<Index>,
    writer: Option<ChunkWriter>,
}

impl Bench {
    fn new(read_back: ReadBack) -> Self {
        let keys = Keys::new(BTreeMap::from([(0, Secret::new([1; 32]))])).expect("one master");
        let codec = Codec::new(keys, RepositoryId([2; 16]));
        let backend: Arc<dyn Backend> = Arc::new(MemoryBackend::new());
        let index = Arc::new(Index::new());
        let mut bench = Self { codec, backend, index, writer: None };
        bench.writer = Some(bench.another(read_back, Arc::new(|_| true)));
        bench
    }

    /// A writer over the same index, to which these packs are usable.
    fn another(&self, read_back: ReadBack, usable: UsablePacks) -> ChunkWriter {
        let options = WriterOptions { data_pack_bytes: 64 << 10, read_back, ..WriterOptions::default() };
        let (backend, index) = (Arc::clone(&self.backend), Arc::clone(&self.index));
        let writer = ChunkWriter::start(backend, self.codec.clone(), index, SessionId([3; 16]), usable, false, options);
        writer.expect("threads")
    }

    /// Two chunks for each number.
    fn plain(number: u64) -> [Vec<u8>; 2] {
        [1, 2].map(|half| (0..4_000_u64).flat_map(|at| (number * 2 + half + at / 7).to_le_bytes()).collect())
    }

    /// Stores so many blocks, encoded with such mistakes.
    fn store(&self, blocks: u64, spoils: fn(u64) -> bool) -> Result<()> {
        let encoder = BlockEncoder::new(Compression::Auto).expect("memory");
        let mut encoder = Unreliable { encoder, number: 0, spoils };
        for number in 0..blocks {
            let halves = Self::plain(number);
            let entry = |bytes: &Vec<u8>| {
                let id = self.codec.keys().chunk_id(ChunkKind::Data, bytes);
                ChunkEntry { kind: ChunkKind::Data, length: u32::try_from(bytes.len()).expect("short"), id, base: None }
            };
            let (plain, chunks) = (halves.concat(), halves.iter().map(entry).collect());
            let writer = self.writer.as_ref().expect("not finished");
            writer.store_block(&mut encoder, &plain, chunks, &mut Vec::new())?;
        }
        Ok(())
    }

    /// How many of so many blocks come back as they were.
    fn right(&self, blocks: u64) -> u64 {
        let reader = ChunkReader::new(Arc::clone(&self.backend), self.codec.clone(), Arc::clone(&self.index));
        let is_right = |number: &u64| {
            Self::plain(*number).iter().all(|plain| {
                let id = self.codec.keys().chunk_id(ChunkKind::Data, plain);
                reader.read(ChunkKind::Data, &id).is_ok_and(|read| read == plain)
            })
        };
        (0..blocks).filter(is_right).count() as u64
    }
}

#[test]
fn many_are_claimed_once_unless_they_are_in_a_usable_pack() {
    let mut bench = Bench::new(ReadBack::Sampled);
    bench.store(3, |_| false).expect("they are stored");
    bench.writer.take().expect("once").finish().expect("all is there");
    let id = |number| bench.codec.keys().chunk_id(ChunkKind::Data, &Bench::plain(number)[0]);
    let [stored, new, other] = [id(1), id(70), id(71)];

    let writer = bench.another(ReadBack::Sampled, Arc::new(|_| true));
    let claim = |writer: &ChunkWriter, ids: &[ChunkId]| writer.claim_many(ChunkKind::Data, ids).expect("an index");
    assert_eq!(claim(&writer, &[new, stored, new]), [true, false, false]);
    assert_eq!(claim(&writer, &[new, other, stored]), [false, true, false]);
    assert!(!writer.claim(ChunkKind::Data, &other).expect("an index"), "one at a time hears of it, too");
    assert_eq!(claim(&writer, &[]), [false; 0]);

    let nothing_is_usable = bench.another(ReadBack::Sampled, Arc::new(|_| false));
    assert_eq!(claim(&nothing_is_usable, &[stored, new, stored]), [true, true, false]);
}

#[test]
fn a_block_that_was_sealed_wrongly_is_sealed_once_more_and_told() {
    for spoiled in [|number| number == 0, |number| number == 17, |number| number == 99] {
        let mut bench = Bench::new(ReadBack::Everything);
        bench.store(100, spoiled).expect("the second time was right");
        let stored = bench.writer.take().expect("once").finish().expect("all is there");
        assert_eq!((stored.spoiled_blocks, stored.chunks), (1, 200));
        assert_eq!(bench.right(100), 100);
    }
}

#[test]
fn a_machine_that_makes_mistakes_again_stores_nothing_wrong() {
    for spoiled in [|_| true, |number| number == 17 || number == 18, |number| number == 17 || number == 70] {
        let mut bench = Bench::new(ReadBack::Everything);
        let error = bench.store(100, spoiled).expect_err("twice");
        assert!(matches!(error, Error::Unreliable { .. }), "{error}");
        bench.writer.take().expect("once").salvage();
        // What was stored until then is right: every chunk that the index knows.
        let known = (0..100).filter(|&number| {
            let [first, _] = Bench::plain(number);
            let id = bench.codec.keys().chunk_id(ChunkKind::Data, &first);
            bench.index.find(&id, ChunkKind::Data, &mut |_| true).expect("an index").is_some()
        });
        assert_eq!(bench.right(100), known.count() as u64);
    }
}

#[test]
fn a_sample_finds_what_is_always_wrong_and_then_everything_is_looked_at() {
    let bench = Bench::new(ReadBack::Sampled);
    assert!(matches!(bench.store(1, |_| true), Err(Error::Unreliable { .. })), "the first block is looked at");
    // The fortieth is; the one behind it was not to be, and is now.
    let bench = Bench::new(ReadBack::Sampled);
    let error = bench.store(60, |number| number == 40 || number == 43).expect_err("two mistakes were seen");
    assert!(matches!(error, Error::Unreliable { .. }), "{error}");
    let mut bench = Bench::new(ReadBack::Sampled);
    bench.store(60, |number| number == 43).expect("a sample is no proof of the others");
    bench.writer.take().expect("once").finish().expect("all is there");
    assert_eq!(bench.right(60), 59, "and no wrong byte is taken for a chunk");
}

#[test]
fn plain_bytes_that_changed_in_memory_are_not_stored() {
    let bench = Bench::new(ReadBack::Everything);
    let [plain, _] = Bench::plain(1);
    let id = bench.codec.keys().chunk_id(ChunkKind::Data, &plain);
    let mut changed = plain;
    changed[100] ^= 1;
    let chunk =
        ChunkEntry { kind: ChunkKind::Data, length: u32::try_from(changed.len()).expect("short"), id, base: None };
    let mut encoder = BlockEncoder::new(Compression::Auto).expect("memory");
    let writer = bench.writer.as_ref().expect("not finished");
    let error = writer.store_block(&mut encoder, &changed, vec![chunk], &mut Vec::new()).expect_err("it changed");
    assert!(matches!(&error, Error::Unreliable { what } if what.contains("changed in memory")), "{error}");
}

#[test]
fn a_directory_or_a_segment_that_is_not_what_was_sealed_is_found() {
    let bench = Bench::new(ReadBack::Everything);
    let sealer = bench.codec.sealer(Kind::DataPack, SessionId([3; 16])).expect("random");
    let header: Header = *sealer.header();
    let builder = PackBuilder::new(sealer, 64 << 10, PackBuffers::new(64 << 10).lend());
    let [plain, _] = Bench::plain(1);
    let id = bench.codec.keys().chunk_id(ChunkKind::Data, &plain);
    let length = u32::try_from(plain.len()).expect("short");
    let chunk = ChunkEntry { kind: ChunkKind::Data, length, id, base: None };
    let encoded = Encoded(&[0], &plain);
    let place = builder.reserve(encoded.length(), length, vec![chunk]).expect("room");
    assert!(!builder.fill(place, encoded) && builder.close());
    let mut pack = builder.finish().expect("unchanged");
    read_back::prove_directory(&bench.codec, &pack).expect("it is right");
    pack.directory.blocks[0].chunks[0].id.0[0] ^= 1;
    assert!(matches!(read_back::prove_directory(&bench.codec, &pack), Err(Error::Unreliable { .. })));
    pack.directory.blocks[0].chunks[0].id.0[0] ^= 1;
    pack.header.random[0] ^= 1;
    assert!(matches!(read_back::prove_directory(&bench.codec, &pack), Err(Error::Unreliable { .. })));

    let mut segment = crate::index::SegmentBuilder::new();
    let row = crate::index::PackRow { id: pack.id, stored_length: 65_536, header };
    segment.add_pack(row, &chunk_rows(&pack.directory)).expect("it fits");
    let (name, sealed) = segment.finish(&bench.codec, Kind::Segment, SessionId([3; 16])).expect("sealed");
    let prove = |ids: &[ChunkId]| read_back::prove_segment(&bench.codec, &name, &sealed, ids);
    prove(&[id]).expect("it is right");
    for wrong in [&[][..], &[id, id], &[ChunkId([9; 32])]] {
        assert!(matches!(prove(wrong), Err(Error::Unreliable { .. })));
    }
}
