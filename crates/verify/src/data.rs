//! Reads packs: each once from front to end, every block opened, every chunk hashed, compared with the index.

use std::{
    collections::BTreeSet,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use lbak_core::{
    backend::{Backend, Misread, ObjectName},
    codec::{BlockDecoder, Codec, Domain, HEADER, Header, Kind, Opener},
    error::{Error, Result},
    id::{ChunkKind, PackId},
    index::Index,
    pack::{BlockRow, Directory, TRAILER, parse_trailer},
    repository::Repository,
};
use rayon::prelude::*;

use crate::{
    ledger::Ledger,
    object::{STEP, check_object, read_bytes},
    packs::{ListedPack, Packs},
};

/// Packs up to this size are held while they are opened; of larger ones, blocks are read again one by one.
const HELD_BYTES: u64 = 64 << 20;

/// What reading packs needs.
pub(crate) struct PackReading<'a> {
    ledger: &'a Ledger<'a>,
    backend: &'a dyn Backend,
    misread: &'a Misread,
    codec: &'a Codec,
    index: &'a Index,
    packs: &'a Packs,
    read: AtomicU64,
}

/// Packs that are not as they should be.
#[derive(Default)]
pub(crate) struct Unsound {
    /// They are not what was written, or what was written is wrong.
    pub(crate) damaged: BTreeSet<PackId>,
    /// They need a newer version.
    pub(crate) newer: BTreeSet<PackId>,
}

/// What came of reading one pack.
pub(crate) enum Outcome {
    /// It is as it should be.
    Sound,
    /// It is not, and so long it took to tell.
    Unsound(Duration),
}

/// Buffers of one worker: kept from one pack to the next.
#[derive(Default)]
struct Buffers {
    pack: Vec<u8>,
    plain: Vec<u8>,
    decoder: Option<BlockDecoder>,
}

/// The bytes of a pack: held as a whole, or read part by part.
struct Parts<'a> {
    backend: &'a dyn Backend,
    name: &'a ObjectName,
    buffer: &'a mut Vec<u8>,
    is_held: bool,
}

/// What is known of a pack of which all that is sealed opens.
enum Proof {
    /// The index tells of it, and of everything in it: it is the pack of its name.
    Index,
    /// Nothing says that it is the pack of its name.
    Seals,
}

impl<'a> PackReading<'a> {
    pub(crate) fn new(repository: &'a Repository, index: &'a Index, packs: &'a Packs, ledger: &'a Ledger<'a>) -> Self {
        let (backend, codec) = (&**repository.backend(), repository.codec());
        let misread = repository.misread();
        Self { ledger, backend, misread, codec, index, packs, read: AtomicU64::new(0) }
    }

    /// How many packs were read.
    pub(crate) fn packs_read(&self) -> u64 {
        self.read.load(Ordering::Relaxed)
    }

    /// Reads every pack that is wanted; returns those that are not as they should be.
    pub(crate) fn run(&self, is_wanted: &(dyn Fn(&PackId) -> bool + Sync)) -> Result<Unsound> {
        let next = AtomicUsize::new(0);
        let next = || loop {
            let place = next.fetch_add(1, Ordering::Relaxed);
            if is_wanted(&self.packs.listed().get(place)?.id) {
                return Some(place);
            }
        };
        self.run_in_turn(&next, &|_, _| {})
    }

    /// Reads one pack after another, as `next` names their places, and tells what came of each; returns those that are not as they should be.
    pub(crate) fn run_in_turn(
        &self,
        next: &(dyn Fn() -> Option<usize> + Sync),
        tell: &(dyn Fn(usize, Outcome) + Sync),
    ) -> Result<Unsound> {
        let unsound = Mutex::new(Unsound::default());
        let note = || unsound.lock().unwrap_or_else(PoisonError::into_inner);
        let is_stopped = AtomicBool::new(false);
        let work = |buffers: &mut Buffers| -> Result<()> {
            while let Some(place) = next() {
                let Some(pack) = self.packs.listed().get(place) else { continue };
                if is_stopped.load(Ordering::Relaxed) {
                    return Ok(());
                }
                self.ledger.check_cancelled()?;
                let begun = Instant::now();
                let outcome = self.check_twice(pack, buffers);
                self.read.fetch_add(1, Ordering::Relaxed);
                // Its bytes are those that were written: only this version is at a loss.
                let is_newer = matches!(outcome, Err(Error::Newer { .. }));
                if self.ledger.outlive(outcome)?.is_some() {
                    tell(place, Outcome::Sound);
                    continue;
                }
                tell(place, Outcome::Unsound(begun.elapsed()));
                let mut unsound = note();
                if is_newer { &mut unsound.newer } else { &mut unsound.damaged }.insert(pack.id);
            }
            Ok(())
        };
        (0..rayon::current_num_threads()).into_par_iter().with_max_len(1).try_for_each(|_| {
            work(&mut Buffers::default()).inspect_err(|_| is_stopped.store(true, Ordering::Relaxed))
        })?;
        Ok(unsound.into_inner().unwrap_or_else(PoisonError::into_inner))
    }

    /// Reads a pack that is not as it should be once more, from where it lies: what was read may have been spoiled on its way, and would be
    /// spoiled still in the system's memory.
    fn check_twice(&self, pack: &ListedPack, buffers: &mut Buffers) -> Result<()> {
        match self.check_pack(pack, buffers) {
            Err(error) if error.is_damage() && error.damaged_object() == Some(&pack.name().to_string()) => {
                self.backend.forget_cached(&pack.name());
                self.ledger.expect_more_bytes(read_bytes(&pack.name(), pack.size));
                self.check_pack(pack, buffers)?;
                self.misread.note(&pack.name());
                Ok(())
            }
            outcome => outcome,
        }
    }

    /// What is sealed proves itself, and the index says which pack it is: then its checksum, which costs as much as the ids of all that is in
    /// it, has nothing to add. Without that, or when something is wrong, it tells decay from what was wrong when it was written.
    fn check_pack(&self, pack: &ListedPack, buffers: &mut Buffers) -> Result<()> {
        let name = pack.name();
        let checksum = || check_object(self.backend, &name, pack.size, self.ledger, &mut |_| {});
        if pack.size > HELD_BYTES {
            // What was added need not be read to be told: it may be gigabytes. A repair that asks whether it is the index that is wrong reads it.
            if let Some(fault) = self.packs.excess(pack) {
                return Err(fault);
            }
            checksum()?;
            return self.open_pack(pack, buffers, false).map(|_| ());
        }
        self.read_pack(pack, &mut buffers.pack)?;
        match self.open_pack(pack, buffers, true) {
            Ok(Proof::Index) => Ok(()),
            Err(error @ (Error::Store { .. } | Error::Cancelled)) => Err(error),
            outcome => {
                self.ledger.expect_more_bytes(pack.size);
                checksum()?;
                outcome.map(|_| ())
            }
        }
    }

    fn read_pack(&self, pack: &ListedPack, buffer: &mut Vec<u8>) -> Result<()> {
        let name = pack.name();
        buffer.resize(usize::try_from(pack.size).expect("no more than what is held"), 0);
        let mut offset = 0;
        for part in buffer.chunks_mut(STEP) {
            self.ledger.check_cancelled()?;
            self.backend.get_range_into(&name, offset, part).map_err(|error| Error::store("read", &name, error))?;
            self.ledger.read(part.len() as u64);
            offset += part.len() as u64;
        }
        Ok(())
    }

    /// Opens every block and hashes every chunk of a pack that is held, or is read block by block.
    fn open_pack(&self, pack: &ListedPack, buffers: &mut Buffers, is_held: bool) -> Result<Proof> {
        let name = pack.name();
        let object = name.to_string();
        let Buffers { pack: buffer, plain, decoder } = buffers;
        let mut parts = Parts { backend: self.backend, name: &name, buffer, is_held };
        let trailer_at = pack.size.checked_sub(TRAILER as u64);
        let trailer_at = trailer_at.ok_or_else(|| Error::damaged(&name, "it is shorter than a trailer"))?;
        let trailer = parts.get(trailer_at, TRAILER as u64)?;
        let trailer = (&*trailer).try_into().map_err(|_| Error::damaged(&name, "its trailer is cut"))?;
        let (directory_at, directory_length) = parse_trailer(&object, trailer, pack.size)?;
        let header = Header::parse(&object, parts.get(0, HEADER as u64)?)?;
        let opener = self.codec.opener(&object, &header)?;
        let directory = opener.open(Domain::Directory, 0, &[], parts.get(directory_at, directory_length)?)?;
        let directory = Directory::parse(&object, directory, directory_at)?;

        let decoder = match decoder {
            Some(decoder) => decoder,
            None => decoder.insert(BlockDecoder::new()?),
        };
        for block in &directory.blocks {
            let sealed = parts.get(block.offset.into(), block.sealed_length.into())?;
            self.check_block(&opener, &header, block, sealed, decoder, plain)?;
        }
        if pack.records() > 0 { self.compare(pack, &header, &directory) } else { Ok(Proof::Seals) }
    }

    /// Opens a block and hashes its chunks.
    fn check_block(
        &self,
        opener: &Opener,
        header: &Header,
        block: &BlockRow,
        sealed: &mut [u8],
        decoder: &mut BlockDecoder,
        scratch: &mut Vec<u8>,
    ) -> Result<()> {
        let object = opener.object();
        let damaged = |what: String| Error::damaged(object, format!("the block at {} {what}", block.offset));
        let opened = opener.open(Domain::Block, block.offset.into(), &[], sealed)?;
        if block.is_padding {
            let is_right = opened.len() == block.plain_length as usize && opened.iter().all(|&byte| byte == 0);
            return if is_right { Ok(()) } else { Err(damaged("is padding and holds something".into())) };
        }
        let mut rest = decoder.decode(object, opened, block.plain_length as usize, scratch)?;
        for chunk in &block.chunks {
            if chunk.base.is_some() {
                return Err(Error::Newer { object: object.to_owned(), needs: "chunks stored as differences".into() });
            }
            // Their lengths add up to the block's: checked in Directory::parse.
            let (bytes, behind) = rest.split_at_checked(chunk.length as usize).unwrap_or_default();
            rest = behind;
            if (chunk.kind == ChunkKind::Data) != (header.kind == Kind::DataPack) {
                return Err(damaged(format!("holds a {:?} chunk in a {:?}", chunk.kind, header.kind)));
            }
            if self.codec.keys().chunk_id(chunk.kind, bytes) != chunk.id {
                return Err(damaged(format!("does not hold chunk {}", chunk.id)));
            }
        }
        Ok(())
    }

    /// Compares what the index says of a pack with the pack's own directory.
    ///
    /// Every chunk is looked up and the records that fit are counted: as many as there are records of this pack.
    fn compare(&self, pack: &ListedPack, header: &Header, directory: &Directory) -> Result<Proof> {
        let Some((fitting, unnamed)) = self.ledger.outlive(fitting_records(self.index, pack, header, directory))?
        else {
            // Part of the index is damaged, which is told already: there is nothing to compare with.
            return Ok(Proof::Seals);
        };
        let name = pack.name();
        if fitting != u64::from(pack.records()) {
            let wrong = u64::from(pack.records()).abs_diff(fitting);
            return Err(Error::damaged("index", format!("{wrong} records do not fit the directory of {name}")));
        }
        if unnamed > 0 {
            return Err(Error::damaged("index", format!("{unnamed} chunks of {name} are in no segment")));
        }
        Ok(Proof::Index)
    }
}

impl Parts<'_> {
    /// Bytes of the pack, to be opened where they lie: each is asked for once.
    fn get(&mut self, offset: u64, length: u64) -> Result<&mut [u8]> {
        let early = || Error::damaged(self.name, "it ends early");
        let length = usize::try_from(length).map_err(|_| early())?;
        if self.is_held {
            let range = usize::try_from(offset).ok().and_then(|start| Some(start..start.checked_add(length)?));
            return range.and_then(|range| self.buffer.get_mut(range)).ok_or_else(early);
        }
        self.buffer.resize(length, 0);
        self.backend
            .get_range_into(self.name, offset, self.buffer)
            .map_err(|error| Error::store("read", self.name, error))?;
        Ok(self.buffer)
    }
}

/// How many records of an index fit the directory of a pack, and how many of its chunks have none.
///
/// # Errors
/// When a part of the index that may tell can not be read.
pub(crate) fn fitting_records(
    index: &Index,
    pack: &ListedPack,
    header: &Header,
    directory: &Directory,
) -> Result<(u64, u64)> {
    let (mut fitting, mut unnamed) = (0_u64, 0_u64);
    for block in &directory.blocks {
        let mut offset = 0;
        for chunk in &block.chunks {
            let before = fitting;
            index.find(&chunk.id, chunk.kind, &mut |location| {
                let is_here =
                    location.pack.id == pack.id && location.block_offset == block.offset && location.offset == offset;
                let is_right = location.pack.header == *header
                    && u64::from(location.pack.stored_length) == pack.size
                    && location.sealed_length == block.sealed_length
                    && location.block_length == block.plain_length
                    && location.length == chunk.length
                    && location.has_base == chunk.base.is_some();
                fitting += u64::from(is_here && is_right);
                false
            })?;
            unnamed += u64::from(fitting == before);
            offset += chunk.length;
        }
    }
    Ok((fitting, unnamed))
}
