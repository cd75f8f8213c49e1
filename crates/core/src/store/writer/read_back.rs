//! Opens again what was just sealed, before it is stored: bad memory and bad processors are found while the plain bytes are still
//! there.
//!
//! A block is opened just after it was sealed, while its bytes are in the processor's cache, with a key that is derived anew from its
//! pack's header, decompressed, and every chunk in it is hashed: all that a restore will do. What fails is not stored, and sealed once
//! more if the plain bytes still have their ids. That is told; when it happens a second time the run fails, as nothing that this
//! machine computes can be relied on.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicU64, Ordering},
};

use crate::{
    backend::{Backend, MemoryBackend, ObjectName, Sealed},
    codec::{BlockDecoder, BlockEncoder, Codec, Domain, Encoded, HEADER, Header},
    error::{Error, Result},
    id::ChunkId,
    index::{IdPrefix, Segment},
    pack::{ChunkEntry, Directory, FinishedPack, TRAILER, parse_trailer},
};

/// One block of so many. Opening a block costs a third of what sealing a compressed one does, and three quarters where nothing is
/// compressed: so the sample costs between 1 and 2 % of a run that reads and stores everything.
const SAMPLED: u64 = 40;

/// How much of what was sealed is opened again before it is stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReadBack {
    /// The first block of data and the first of trees, and then every fortieth of each; the directory of every pack. When
    /// something was wrong, everything from then on.
    #[default]
    Sampled,
    /// Every block, what is in the finished pack, and every page of the index.
    Everything,
}

/// What encodes blocks. [`BlockEncoder`] does; one that makes mistakes shows what becomes of them.
pub trait Encode {
    /// Encodes a block, in `scratch` where it becomes shorter.
    fn encode<'a>(&mut self, plain: &'a [u8], scratch: &'a mut Vec<u8>) -> Encoded<'a>;
}

impl Encode for BlockEncoder {
    fn encode<'a>(&mut self, plain: &'a [u8], scratch: &'a mut Vec<u8>) -> Encoded<'a> {
        Self::encode(self, plain, scratch)
    }
}

/// Chooses what is opened again, opens it, and remembers what was wrong.
#[derive(Debug)]
pub(super) struct ReadingBack {
    how: ReadBack,
    /// Blocks of data, and of trees and lists, so far.
    blocks: [AtomicU64; 2],
    spoiled: AtomicU64,
    benches: Mutex<Vec<Bench>>,
}

/// The tools for one block at a time.
#[derive(Debug)]
struct Bench {
    decoder: BlockDecoder,
    sealed: Vec<u8>,
    scratch: Vec<u8>,
}

impl ReadingBack {
    pub(super) fn new(how: ReadBack) -> Self {
        Self { how, blocks: Default::default(), spoiled: AtomicU64::new(0), benches: Mutex::default() }
    }

    /// Tells whether everything is opened again.
    pub(super) fn is_of_everything(&self) -> bool {
        self.how == ReadBack::Everything || self.spoiled() > 0
    }

    /// Counts a block and tells whether it is to be opened again.
    pub(super) fn is_due(&self, is_data: bool) -> bool {
        let number = self.blocks[usize::from(!is_data)].fetch_add(1, Ordering::Relaxed);
        number.is_multiple_of(SAMPLED) || self.is_of_everything()
    }

    /// Blocks that were not what was meant, and were sealed once more.
    pub(super) fn spoiled(&self) -> u64 {
        self.spoiled.load(Ordering::Relaxed)
    }

    /// Opens a copy of a sealed block, as a restore will, and compares every chunk with its id.
    ///
    /// # Errors
    /// [`Error::Damaged`] when it is not what was meant.
    pub(super) fn prove_block(
        &self,
        codec: &Codec,
        header: &Header,
        offset: u32,
        sealed: &[u8],
        chunks: &[ChunkEntry],
    ) -> Result<()> {
        const OBJECT: &str = "a new pack";
        let bench = self.benches().pop();
        let mut bench = match bench {
            Some(bench) => bench,
            None => Bench { decoder: BlockDecoder::new()?, sealed: Vec::new(), scratch: Vec::new() },
        };
        let Bench { decoder, sealed: copy, scratch } = &mut bench;
        copy.clear();
        copy.reserve_exact(sealed.len());
        copy.extend_from_slice(sealed);
        // By the header's stored form, and a key derived from that: what a reader will have.
        let proven = Header::parse(OBJECT, &header.encode()).and_then(|header| {
            let opener = codec.opener(OBJECT, &header)?;
            let opened = opener.open(Domain::Block, offset.into(), &[], copy)?;
            let length = chunks.iter().map(|chunk| chunk.length as usize).sum();
            let plain = decoder.decode(OBJECT, opened, length, scratch)?;
            match stranger(codec, plain, chunks) {
                None => Ok(()),
                Some(id) => Err(Error::damaged(OBJECT, format!("the block at {offset} does not hold chunk {id}"))),
            }
        });
        self.benches().push(bench);
        proven
    }

    /// Decides what becomes of a block that is not what was meant: it may be sealed once more, or the run is over.
    ///
    /// # Errors
    /// [`Error::Unreliable`] when the plain bytes are not what they were either, or it is not the first block.
    pub(super) fn take_note(&self, codec: &Codec, fault: &Error, plain: &[u8], chunks: &[ChunkEntry]) -> Result<()> {
        if let Some(id) = stranger(codec, plain, chunks) {
            let what = format!("the bytes of chunk {id} changed in memory before they were stored");
            return Err(Error::Unreliable { what });
        }
        if self.spoiled.fetch_add(1, Ordering::Relaxed) > 0 {
            let what = format!("two blocks were not what was meant just after they were sealed ({fault})");
            return Err(Error::Unreliable { what });
        }
        Ok(())
    }

    fn benches(&self) -> MutexGuard<'_, Vec<Bench>> {
        self.benches.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The first chunk of a block whose bytes are not those of its id.
fn stranger(codec: &Codec, plain: &[u8], chunks: &[ChunkEntry]) -> Option<ChunkId> {
    let mut rest = plain;
    let is_stranger = |chunk: &&ChunkEntry| match rest.split_at_checked(chunk.length as usize) {
        Some((bytes, behind)) => {
            rest = behind;
            codec.keys().chunk_id(chunk.kind, bytes) != chunk.id
        }
        None => true,
    };
    chunks.iter().find(is_stranger).map(|chunk| chunk.id)
}

/// Opens the directory of a finished pack: what it says is all that tells where its blocks lie.
///
/// # Errors
/// [`Error::Unreliable`].
pub(super) fn prove_directory(codec: &Codec, pack: &FinishedPack) -> Result<()> {
    let stored = pack.sealed.as_bytes();
    let read = || -> Result<(Header, Directory)> {
        const OBJECT: &str = "a new pack";
        let (rest, trailer) =
            stored.split_last_chunk::<TRAILER>().ok_or_else(|| Error::damaged(OBJECT, "it has no trailer"))?;
        let (start, _) = parse_trailer(OBJECT, *trailer, stored.len() as u64)?;
        let header = Header::parse(OBJECT, rest.get(..HEADER).unwrap_or_default())?;
        let mut sealed = usize::try_from(start).ok().and_then(|start| rest.get(start..)).unwrap_or_default().to_vec();
        let opened = codec.opener(OBJECT, &header)?;
        let directory = opened.open(Domain::Directory, 0, &[], &mut sealed)?;
        Ok((header, Directory::parse(OBJECT, directory, start)?))
    };
    match read() {
        Ok((header, directory)) if header == pack.header && directory == pack.directory => Ok(()),
        Ok(_) => Err(Error::Unreliable { what: "the directory of a new pack is not what was sealed".into() }),
        Err(error) => Err(Error::Unreliable { what: error.to_string() }),
    }
}

/// Opens every page of a new segment: it has a record of each of these ids, and no other.
///
/// # Errors
/// [`Error::Unreliable`].
pub(super) fn prove_segment(codec: &Codec, name: &ObjectName, sealed: &Sealed, ids: &[ChunkId]) -> Result<()> {
    let read = || -> Result<Vec<IdPrefix>> {
        let memory: Arc<dyn Backend> = Arc::new(MemoryBackend::new());
        memory.put(name, sealed).map_err(|error| Error::store("keep", name, error))?;
        let segment = Segment::open(&memory, codec, name, sealed.as_bytes().len() as u64)?;
        segment.records()?.map(|record| record.map(|record| record.id)).collect()
    };
    let mut expected: Vec<IdPrefix> = ids.iter().map(IdPrefix::from).collect();
    expected.sort_unstable();
    match read() {
        Ok(found) if found == expected => Ok(()),
        Ok(_) => Err(Error::Unreliable { what: "a new part of the index does not hold what was sealed".into() }),
        Err(error) => Err(Error::Unreliable { what: error.to_string() }),
    }
}
