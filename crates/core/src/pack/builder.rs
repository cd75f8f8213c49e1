//! Fills one pack, from several workers at once.

use std::{
    ops::Range,
    sync::{Mutex, MutexGuard, PoisonError},
};

use bytes::{Bytes, BytesMut};

use super::{
    buffer::PackBuffer,
    directory::{BlockRow, ChunkEntry, Directory},
    padding::padded_length,
    reader::TRAILER,
};
use crate::{
    backend::Sealed,
    codec::{Domain, Encoded, HEADER, Header, Sealer, TAG},
    error::{Error, Result},
    id::PackId,
};

/// A place in a pack, given out once: the offset is the nonce, so no two blocks may have the same.
#[derive(Debug)]
#[must_use = "a reserved place that is not filled keeps the pack from being finished"]
pub struct Place {
    offset: u32,
    /// Its bytes, which nobody else has meanwhile.
    room: BytesMut,
}

/// A pack that is being filled.
#[derive(Debug)]
pub struct PackBuilder {
    sealer: Sealer,
    target: u64,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// `None` when it was finished.
    bytes: Option<PackBuffer>,
    /// Bytes of it, and of the rooms that were handed out.
    length: usize,
    /// Rooms that were filled, with their offsets.
    filled: Vec<(u32, BytesMut)>,
    directory: Directory,
    chunk_count: usize,
    unfilled: usize,
    is_closed: bool,
    /// Blocks that were proven: where each lies, and the hash of its sealed bytes.
    proven: Vec<(Range<usize>, blake3::Hash)>,
}

/// A pack that is ready to be stored.
#[derive(Debug)]
pub struct FinishedPack {
    /// Its name.
    pub id: PackId,
    /// Its header.
    pub header: Header,
    /// Its bytes.
    pub sealed: Sealed,
    /// Its blocks.
    pub directory: Directory,
}

impl PackBuilder {
    /// An empty pack that aims at `target` bytes, of whatever kind its sealer was made for.
    #[must_use]
    pub fn new(sealer: Sealer, target: u32, mut bytes: PackBuffer) -> Self {
        bytes.extend_from_slice(&sealer.header().encode());
        let state = State {
            length: bytes.length(),
            bytes: Some(bytes),
            filled: Vec::new(),
            directory: Directory::default(),
            chunk_count: 0,
            unfilled: 0,
            is_closed: false,
            proven: Vec::new(),
        };
        Self { sealer, target: u64::from(target), state: Mutex::new(state) }
    }

    /// Reserves a place for an encoded block of `encoded_length` bytes; `None` when it does not fit or the pack is closed:
    /// the caller closes it and takes a new one.
    ///
    /// A pack takes at least one block, however large.
    pub fn reserve(&self, encoded_length: usize, plain_length: u32, chunks: Vec<ChunkEntry>) -> Option<Place> {
        let mut state = self.state();
        let sealed_length = encoded_length + TAG;
        let is_empty = state.directory.blocks.is_empty();
        if state.is_closed || (!is_empty && state.length_with(2, sealed_length, chunks.len()) > self.target) {
            return None;
        }
        let room = state.bytes.as_mut()?.room(sealed_length);
        let offset = u32::try_from(state.length).expect("a pack is a few MiB long");
        let length = u32::try_from(sealed_length).expect("a block is at most 16 MiB long");
        state.length += sealed_length;
        state.chunk_count += chunks.len();
        state.unfilled += 1;
        state.directory.blocks.push(BlockRow {
            offset,
            sealed_length: length,
            plain_length,
            is_padding: false,
            chunks,
        });
        state.is_closed |= self.is_a_good_end(&state);
        Some(Place { offset, room })
    }

    /// Copies an encoded block to its place and seals it there; other workers do the same meanwhile.
    ///
    /// Returns true to the one caller who thereby completes a closed pack, and must have it finished.
    ///
    /// # Panics
    /// When the block has another length than its place was reserved for.
    pub fn fill(&self, mut place: Place, encoded: Encoded<'_>) -> bool {
        self.seal(&mut place, encoded);
        self.state().take_back(place)
    }

    /// The same for a block that is proven first: `prove` is shown the pack's header, the block's place, and its sealed bytes.
    ///
    /// What does not prove itself leaves padding in its place and is to be stored in another one: no part of it ever leaves this
    /// builder, so its nonce is used once all the same. What does must still be the same when the pack is finished.
    pub fn fill_if<E>(
        &self,
        mut place: Place,
        encoded: Encoded<'_>,
        prove: impl FnOnce(&Header, u32, &[u8]) -> Result<(), E>,
    ) -> (bool, Result<(), E>) {
        self.seal(&mut place, encoded);
        let hash = blake3::hash(&place.room);
        let proven = prove(self.sealer.header(), place.offset, &place.room);
        if proven.is_err() {
            let zeros = place.room.len() - TAG;
            place.room[..zeros].fill(0);
            self.seal_room(&mut place);
        }
        let mut state = self.state();
        match proven {
            Ok(()) => state.proven.push((place.offset as usize..place.offset as usize + place.room.len(), hash)),
            Err(_) => state.turn_into_padding(place.offset),
        }
        (state.take_back(place), proven)
    }

    fn seal(&self, place: &mut Place, Encoded(front, back): Encoded<'_>) {
        let length = place.room.len() - TAG;
        assert_eq!(front.len() + back.len(), length, "the block grew after its place was reserved");
        place.room[..front.len()].copy_from_slice(front);
        place.room[front.len()..length].copy_from_slice(back);
        self.seal_room(place);
    }

    fn seal_room(&self, place: &mut Place) {
        let (bytes, tag) = place.room.split_last_chunk_mut::<TAG>().expect("a place has room for the tag");
        *tag = self.sealer.seal_in_place(Domain::Block, u64::from(place.offset), &[], bytes);
    }

    /// Takes no more blocks. Returns true when the pack holds some, all filled: the caller must have it finished.
    #[must_use]
    pub fn close(&self) -> bool {
        let mut state = self.state();
        let was_closed = std::mem::replace(&mut state.is_closed, true);
        !was_closed && state.unfilled == 0 && !state.directory.blocks.is_empty()
    }

    /// Tells whether it takes no more blocks.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.state().is_closed
    }

    /// Bytes reserved so far.
    #[must_use]
    pub fn length(&self) -> usize {
        self.state().length
    }

    /// Pads, adds the directory and names the pack.
    ///
    /// # Panics
    /// When a reserved place was not filled, or it was finished before: what is stored must be what was meant.
    ///
    /// # Errors
    /// [`Error::Unreliable`] when a block that was proven has changed since.
    pub fn finish(&self) -> Result<FinishedPack> {
        let mut state = self.state();
        // Closed for good: who still holds this builder must not find an empty pack that nobody will store.
        state.is_closed = true;
        assert!(state.unfilled == 0, "a pack is finished when every place is filled");
        // One byte of padding at least, so that every pack ends in the same way.
        let padding = usize::try_from(padded_length(state.length_with(1, TAG + 1, 0)) - state.length_with(1, TAG, 0))
            .expect("padding is shorter than the pack");
        let mut bytes = state.bytes.take().expect("a pack is finished once");
        let mut filled = std::mem::take(&mut state.filled);
        let mut directory = std::mem::take(&mut state.directory);
        let proven = std::mem::take(&mut state.proven);
        drop(state);

        filled.sort_unstable_by_key(|(offset, _)| *offset);
        filled.into_iter().for_each(|(_, room)| bytes.join(room));
        if proven.iter().any(|(range, hash)| blake3::hash(&bytes.filled()[range.clone()]) != *hash) {
            return Err(Error::Unreliable {
                what: "a block that was sealed changed in memory before it was stored".into(),
            });
        }

        let offset = bytes.length();
        bytes.extend_by(padding).fill(0);
        self.seal_tail(Domain::Block, offset as u64, &mut bytes, offset);
        let number = |value: usize| u32::try_from(value).expect("a pack is a few MiB long");
        directory.blocks.push(BlockRow {
            offset: number(offset),
            sealed_length: number(padding + TAG),
            plain_length: number(padding),
            is_padding: true,
            chunks: Vec::new(),
        });

        let start = bytes.length();
        bytes.extend_from_slice(&directory.encode());
        self.seal_tail(Domain::Directory, 0, &mut bytes, start);
        let directory_length = number(bytes.length() - start);
        bytes.extend_from_slice(&directory_length.to_le_bytes());
        bytes.extend_from_slice(&0_u16.to_le_bytes());
        let id = PackId(*blake3::hash(bytes.as_ref()).as_bytes());
        Ok(FinishedPack {
            id,
            header: *self.sealer.header(),
            sealed: Sealed::from_sealer(Bytes::from_owner(bytes)),
            directory,
        })
    }

    fn seal_tail(&self, domain: Domain, counter: u64, bytes: &mut PackBuffer, from: usize) {
        let tag = self.sealer.seal_in_place(domain, counter, &[], &mut bytes.filled()[from..]);
        bytes.extend_from_slice(&tag);
    }

    /// Tells whether closing here wastes next to nothing on padding: with a step of 256 KiB before 16 MiB,
    /// ending anywhere would cost 1 % of every pack.
    fn is_a_good_end(&self, state: &State) -> bool {
        let length = state.length_with(1, TAG + 1, 0);
        let is_nearly_full = length >= self.target - self.target / 4;
        length >= self.target || (is_nearly_full && padded_length(length) - length <= length / 256)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic inside ends in a reserved place that is never filled, which `finish` refuses.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Tells whether that was the last one of a closed pack.
    fn take_back(&mut self, place: Place) -> bool {
        self.filled.push((place.offset, place.room));
        self.unfilled -= 1;
        self.is_closed && self.unfilled == 0
    }

    fn turn_into_padding(&mut self, offset: u32) {
        let Some(block) = self.directory.blocks.iter_mut().find(|block| block.offset == offset) else { return };
        self.chunk_count -= block.chunks.len();
        block.plain_length = block.sealed_length.saturating_sub(u32::try_from(TAG).expect("16"));
        (block.is_padding, block.chunks) = (true, Vec::new());
    }

    /// Length of the finished pack with so many more blocks, one of them the padding, of so many sealed bytes and chunks in all.
    fn length_with(&self, blocks: usize, sealed_length: usize, chunks: usize) -> u64 {
        let directory = Directory::encoded_length(self.directory.blocks.len() + blocks, self.chunk_count + chunks);
        (self.length + sealed_length + directory + TAG + TRAILER) as u64
    }
}

const _: () = assert!(HEADER == 80, "offsets of blocks begin behind the header");

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::{
        codec::{Codec, Kind},
        id::{ChunkId, ChunkKind, RepositoryId, SessionId},
        keys::{Keys, Secret},
        pack::PackBuffers,
    };

    fn builder() -> PackBuilder {
        let keys = Keys::new(BTreeMap::from([(0, Secret::new([1; 32]))])).expect("one master");
        let codec = Codec::new(keys, RepositoryId([2; 16]));
        let sealer = codec.sealer(Kind::DataPack, SessionId([3; 16])).expect("random");
        PackBuilder::new(sealer, 1 << 20, PackBuffers::new(1 << 20).lend())
    }

    fn add(builder: &PackBuilder, outcome: Result<(), ()>) {
        let chunk = ChunkEntry { kind: ChunkKind::Data, length: 1000, id: ChunkId([7; 32]), base: None };
        let place = builder.reserve(1001, 1000, vec![chunk]).expect("room");
        assert_eq!(builder.fill_if(place, Encoded(&[0; 1001], &[]), |_, _, _| outcome), (false, outcome));
    }

    #[test]
    fn what_does_not_prove_itself_is_padding_and_what_does_is_there() {
        let builder = builder();
        add(&builder, Err(()));
        add(&builder, Ok(()));
        assert!(builder.close());
        let pack = builder.finish().expect("unchanged");
        let [spoiled, block, last] = &pack.directory.blocks[..] else { panic!("{:?}", pack.directory) };
        assert!(spoiled.is_padding && spoiled.chunks.is_empty() && spoiled.plain_length == 1001);
        assert!(!block.is_padding && block.chunks.len() == 1 && last.is_padding);
        let length = pack.sealed.as_bytes().len() as u64;
        assert_eq!(length, padded_length(length), "the directory is as long as it was counted");
    }

    #[test]
    fn a_bit_that_turns_over_while_a_pack_waits_is_found() {
        for place in [HEADER, HEADER + 500, HEADER + 1001 + TAG - 1] {
            let builder = builder();
            add(&builder, Ok(()));
            builder.state().filled[0].1[place - HEADER] ^= 4;
            assert!(builder.close());
            assert!(matches!(builder.finish(), Err(Error::Unreliable { .. })), "{place}");
        }
    }
}
