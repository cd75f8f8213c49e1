//! The directory of a pack: which blocks it holds and which chunks are in them.

use crate::{
    chunk::LARGEST_CHUNK,
    codec::{HEADER, LARGEST_BLOCK, TAG},
    error::{Error, Result},
    id::{ChunkId, ChunkKind},
};

const VERSION: u32 = 1;
const STEP: usize = 1024;
const PREFIX: usize = 8;
const BLOCK: usize = 20;
const CHUNK: usize = 36;
const FLAG_PADDING: u32 = 1;
const HAS_BASE: u8 = 0x80;

/// A chunk in a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChunkEntry {
    /// What it holds.
    pub kind: ChunkKind,
    /// Plain bytes.
    pub length: u32,
    /// Its id.
    pub id: ChunkId,
    /// The chunk that it is a delta of.
    pub base: Option<ChunkId>,
}

/// A block of a pack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockRow {
    /// Where it begins in the pack.
    pub offset: u32,
    /// Stored bytes with the tag.
    pub sealed_length: u32,
    /// Bytes after decoding.
    pub plain_length: u32,
    /// Sealed zeros that hold no chunks.
    pub is_padding: bool,
    /// Its chunks, one after another.
    pub chunks: Vec<ChunkEntry>,
}

/// All blocks of a pack, in the order of their offsets, without gaps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Directory {
    /// The blocks.
    pub blocks: Vec<BlockRow>,
}

impl Directory {
    /// Length of the encoding of so many blocks and chunks.
    #[must_use]
    pub(super) fn encoded_length(blocks: usize, chunks: usize) -> usize {
        (PREFIX + blocks * BLOCK + chunks * CHUNK).next_multiple_of(STEP)
    }

    /// Writes the plain form, zero-filled so that its length tells little.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let number = |bytes: &mut Vec<u8>, value: u32| bytes.extend_from_slice(&value.to_le_bytes());
        number(&mut bytes, VERSION);
        number(&mut bytes, count(self.blocks.len()));
        for block in &self.blocks {
            for value in [
                block.offset,
                block.sealed_length,
                block.plain_length,
                if block.is_padding { FLAG_PADDING } else { 0 },
                count(block.chunks.len()),
            ] {
                number(&mut bytes, value);
            }
            for chunk in &block.chunks {
                bytes.push(chunk.kind as u8 | if chunk.base.is_some() { HAS_BASE } else { 0 });
                bytes.extend_from_slice(&chunk.length.to_le_bytes()[..3]);
                bytes.extend_from_slice(chunk.id.as_bytes());
                if let Some(base) = &chunk.base {
                    bytes.extend_from_slice(base.as_bytes());
                }
            }
        }
        bytes.resize(bytes.len().next_multiple_of(STEP), 0);
        bytes
    }

    /// Reads the plain form. The blocks must fill the pack from its header to `end`, where the directory begins.
    ///
    /// # Errors
    /// [`Error::Damaged`] for anything that `encode` does not write, [`Error::Newer`] for a later version.
    pub fn parse(object: &str, plain: &[u8], end: u64) -> Result<Self> {
        let damaged = |what: String| Error::damaged(object, format!("its directory {what}"));
        let mut rest = Rest { object, bytes: plain };
        let version = rest.number()?;
        if version != VERSION {
            return Err(Error::Newer { object: object.to_owned(), needs: format!("directory version {version}") });
        }
        let block_count = rest.number()? as usize;
        // No more than there can be: a length is checked before it is believed.
        let mut directory = Self { blocks: Vec::with_capacity(block_count.min(rest.bytes.len() / BLOCK)) };
        let mut next_offset = HEADER as u64;
        for _ in 0..block_count {
            let block = rest.block(object)?;
            if u64::from(block.offset) != next_offset || block.sealed_length as usize <= TAG {
                return Err(damaged(format!("has a gap before the block at {}", block.offset)));
            }
            next_offset += u64::from(block.sealed_length);
            directory.blocks.push(block);
        }
        if next_offset != end {
            return Err(damaged(format!("describes {next_offset} bytes of {end}")));
        }
        let is_filled = plain.len().is_multiple_of(STEP) && rest.bytes.len() < STEP;
        if !is_filled || rest.bytes.iter().any(|&byte| byte != 0) {
            return Err(damaged("does not end as it should".into()));
        }
        Ok(directory)
    }
}

fn count(length: usize) -> u32 {
    u32::try_from(length).expect("a pack is shorter than 4 GiB: checked when blocks are added")
}

/// What is left to parse.
struct Rest<'a> {
    object: &'a str,
    bytes: &'a [u8],
}

impl Rest<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N]> {
        let (taken, rest) = self
            .bytes
            .split_first_chunk::<N>()
            .ok_or_else(|| Error::damaged(self.object, "its directory ends in the middle"))?;
        self.bytes = rest;
        Ok(*taken)
    }

    fn number(&mut self) -> Result<u32> {
        self.take().map(u32::from_le_bytes)
    }

    fn block(&mut self, object: &str) -> Result<BlockRow> {
        let damaged = |what: String| Error::damaged(object, format!("its directory {what}"));
        let (offset, sealed_length, plain_length) = (self.number()?, self.number()?, self.number()?);
        let (flags, chunk_count) = (self.number()?, self.number()? as usize);
        if flags & !FLAG_PADDING != 0 {
            return Err(Error::Newer { object: object.to_owned(), needs: format!("block flags {flags:#x}") });
        }
        let is_padding = flags & FLAG_PADDING != 0;
        if !is_padding && plain_length as usize > LARGEST_BLOCK {
            return Err(damaged(format!("claims a block of {plain_length} bytes")));
        }
        let mut chunks = Vec::with_capacity(chunk_count.min(self.bytes.len() / CHUNK));
        let mut sum = 0_u64;
        for _ in 0..chunk_count {
            let chunk = self.chunk(object)?;
            sum += u64::from(chunk.length);
            chunks.push(chunk);
        }
        if sum != u64::from(plain_length) && !is_padding || is_padding && chunk_count != 0 {
            return Err(damaged(format!("has {sum} bytes of chunks in a block of {plain_length}")));
        }
        Ok(BlockRow { offset, sealed_length, plain_length, is_padding, chunks })
    }

    fn chunk(&mut self, object: &str) -> Result<ChunkEntry> {
        let [kind, low, middle, high] = self.take()?;
        let length = u32::from_le_bytes([low, middle, high, 0]);
        let id = ChunkId(self.take()?);
        let base = if kind & HAS_BASE != 0 { Some(ChunkId(self.take()?)) } else { None };
        let kind = ChunkKind::from_number(kind & !HAS_BASE).ok_or_else(|| Error::Newer {
            object: object.to_owned(),
            needs: format!("chunk kind {}", kind & !HAS_BASE),
        })?;
        if length > LARGEST_CHUNK {
            return Err(Error::damaged(object, format!("its directory claims a chunk of {length} bytes")));
        }
        Ok(ChunkEntry { kind, length, id, base })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> (Directory, u64) {
        let chunk =
            |number: u8, base| ChunkEntry { kind: ChunkKind::List, length: 1000, id: ChunkId([number; 32]), base };
        let blocks = vec![
            BlockRow {
                offset: 80,
                sealed_length: 500,
                plain_length: 2000,
                is_padding: false,
                chunks: vec![chunk(1, None), chunk(2, Some(ChunkId([9; 32])))],
            },
            BlockRow { offset: 580, sealed_length: 100, plain_length: 84, is_padding: true, chunks: vec![] },
        ];
        (Directory { blocks }, 680)
    }

    #[test]
    fn directories_round_trip() {
        let (directory, end) = sample();
        let bytes = directory.encode();
        assert_eq!(bytes.len(), 1024);
        assert_eq!(Directory::parse("test", &bytes, end).expect("parse"), directory);
        assert!(Directory::parse("test", &bytes, end + 1).is_err());
    }

    #[test]
    fn no_change_of_a_bit_and_no_cut_is_worse_than_an_error() {
        let (directory, end) = sample();
        let bytes = directory.encode();
        for bit in 0..bytes.len() * 8 {
            let mut changed = bytes.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            if let Ok(parsed) = Directory::parse("test", &changed, end) {
                assert_eq!(parsed.encode(), changed, "bit {bit}");
            }
        }
        for length in 0..bytes.len() {
            let _ = Directory::parse("test", &bytes[..length], end);
        }
    }

    /// Found by fuzzing: a directory without its filling parsed, though no writer leaves it out.
    #[test]
    fn the_filling_is_part_of_the_encoding() {
        let (directory, end) = sample();
        let bytes = directory.encode();
        for length in 0..bytes.len() {
            assert!(Directory::parse("test", &bytes[..length], end).is_err(), "cut to {length}");
        }
        assert!(Directory::parse("test", &[bytes.as_slice(), &[0; 1024]].concat(), end).is_err(), "filled twice");
    }

    #[test]
    fn lying_counts_cost_no_memory() {
        let mut bytes = Directory::default().encode();
        bytes[4..8].fill(0xff);
        assert!(Directory::parse("test", &bytes, 80).is_err());
    }
}
