//! What the benches work on: made by a small generator, the same at every run and on every machine.
//!
//! Noise stands for what does not compress (checkpoints, images), text for what does (code, logs, tables).

use std::collections::BTreeMap;

use lbak_core::{
    codec::Codec,
    id::RepositoryId,
    keys::{Keys, Secret},
    source::{MemoryNode, MemorySource},
};

pub(crate) const MIB: usize = 1 << 20;

/// Numbers without end (splitmix64).
pub(crate) fn numbers(seed: u64) -> impl Iterator<Item = u64> {
    let mut state = seed;
    std::iter::repeat_with(move || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut value = state;
        value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        value ^ (value >> 31)
    })
}

/// Bytes that do not compress.
pub(crate) fn noise(seed: u64, length: usize) -> Vec<u8> {
    numbers(seed).flat_map(u64::to_le_bytes).take(length).collect()
}

/// Lines of words and numbers; zstd makes about a quarter of it.
pub(crate) fn text(seed: u64, length: usize) -> Vec<u8> {
    const WORDS: [&str; 16] = [
        "chunk", "block", "pack", "segment", "index", "tree", "entry", "source", "session", "snapshot", "lineage",
        "let", "fn", "->", "{", "}",
    ];
    let mut text = Vec::with_capacity(length + 32);
    for number in numbers(seed) {
        if text.len() >= length {
            break;
        }
        match number % 11 {
            0 => text.extend_from_slice((number >> 44).to_string().as_bytes()),
            1 => text.push(b'\n'),
            _ => text.extend_from_slice(WORDS[(number >> 8) as usize % WORDS.len()].as_bytes()),
        }
        text.push(b' ');
    }
    text.truncate(length);
    text
}

/// Seals as a repository does, with keys that everybody knows.
pub(crate) fn codec() -> Codec {
    let keys = Keys::new(BTreeMap::from([(0, Secret::new([1; 32]))])).expect("one master");
    Codec::new(keys, RepositoryId([2; 16]))
}

/// Small files in directories of fifty and one large file; also the number of their bytes.
///
/// In memory: a file on disk counts as unsettled for its first minute (rule I13), so that no second snapshot within a
/// bench would find anything unchanged.
pub(crate) fn source(small_files: usize, large_file: usize) -> (MemorySource, u64) {
    const FILES_IN_DIRECTORY: usize = 50;
    let mut bytes = large_file;
    let mut directories = Vec::new();
    for directory in 0..small_files.div_ceil(FILES_IN_DIRECTORY) {
        let numbers = directory * FILES_IN_DIRECTORY..small_files.min((directory + 1) * FILES_IN_DIRECTORY);
        let files: Vec<(String, MemoryNode)> = numbers
            .map(|number| {
                // Sizes as in a tree of code: many of a few KiB, some of tens.
                let draw = numbers_at(number);
                let length = 200 + (draw % 8_000) as usize + if draw.is_multiple_of(10) { 40_000 } else { 0 };
                bytes += length;
                (format!("file-{number:05}.rs"), MemoryNode::file(text(number as u64, length)))
            })
            .collect();
        directories.push((format!("room-{directory:03}"), MemoryNode::directory(files)));
    }
    directories.push(("weights.bin".to_owned(), MemoryNode::file(noise(7, large_file))));
    (MemorySource::new([("/bench", MemoryNode::directory(directories))]), bytes as u64)
}

fn numbers_at(number: usize) -> u64 {
    numbers(number as u64).next().unwrap_or_default()
}
