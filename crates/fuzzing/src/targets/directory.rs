//! The directory of a pack and the trailer that tells where it lies.
//!
//! Input: trailer 6 · length of the pack u32 · directory.

use crate::{memory, take};
use lbak_core::{
    codec::{HEADER, LARGEST_BLOCK, TAG},
    pack::{Directory, TRAILER, parse_trailer},
};

/// Runs the target.
pub fn directory(input: &[u8]) {
    let Some((trailer, rest)) = take::<TRAILER>(input) else { return };
    let Some((length, plain)) = take::<4>(rest) else { return };
    let stored_length = u64::from(u32::from_le_bytes(length));

    let place = parse_trailer("fuzz", trailer, stored_length).ok();
    if let Some((start, length)) = place {
        assert_eq!(start + length + TRAILER as u64, stored_length, "the directory ends where the trailer begins");
        assert!(start >= HEADER as u64 && length > TAG as u64);
    }

    // Without a trailer that fits, the second length stands for the end of the blocks.
    let end = place.map_or(stored_length, |(start, _)| start);
    let parsed = memory::within(memory::in_proportion_to(plain), || Directory::parse("fuzz", plain, end));
    let Ok(directory) = parsed else { return };
    assert_eq!(directory.encode(), plain, "a directory is written back as it was read");
    let mut offset = HEADER as u64;
    for block in &directory.blocks {
        assert_eq!(u64::from(block.offset), offset, "blocks have no gaps");
        offset += u64::from(block.sealed_length);
        let chunks: u64 = block.chunks.iter().map(|chunk| u64::from(chunk.length)).sum();
        if block.is_padding {
            assert!(block.chunks.is_empty());
        } else {
            assert_eq!(chunks, u64::from(block.plain_length), "chunks fill their block");
            assert!(block.plain_length as usize <= LARGEST_BLOCK, "a reader sets that much aside");
        }
    }
    assert_eq!(offset, end, "blocks fill the pack");
}
