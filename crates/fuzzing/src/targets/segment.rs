//! The parts of an index segment, after opening: what parses is what `docs/format.md` section 7 writes, byte by byte.
//!
//! Input: which part u8 · its parameters · the part.

use crate::{memory, take};
use lbak_core::{
    chunk::LARGEST_CHUNK,
    codec::TAG,
    id::RepositoryId,
    index::{
        ChunkRow, Entry, Filter, IdPrefix, MOST_RECORDS, PackRow, parse_fences, parse_pack_page, parse_page,
        parse_summary,
    },
};

/// The seeds name packs of this one.
const REPOSITORY: RepositoryId = RepositoryId([2; 16]);
const PAGE: usize = 1008;

/// Runs the target.
pub fn segment(input: &[u8]) {
    let Some((&part, rest)) = input.split_first() else { return };
    let _ = match part {
        0 => summary(rest),
        1 => page(rest),
        2 => pack_page(rest),
        3 => fences(rest),
        4 => filter(rest),
        5 => built_filter(rest),
        _ => None,
    };
}

/// Parameters: size of the segment u64.
fn summary(input: &[u8]) -> Option<()> {
    let (size, plain) = take(input)?;
    let size = u64::from_le_bytes(size);
    let summary = memory::within(memory::in_proportion_to(plain), || parse_summary("fuzz", size, plain)).ok()?;
    assert_eq!(summary.encode()[..], *plain, "a summary is written back as it was read");
    assert_eq!(summary.stored_length(), size);
    assert!((1..=MOST_RECORDS).contains(&summary.records) && (1..=summary.records).contains(&summary.packs));
    let records: u32 = (0..summary.pages()).map(|page| summary.records_in(page)).sum();
    let packs: u32 = (0..summary.pack_pages()).map(|page| summary.packs_in(page)).sum();
    assert_eq!((records, packs), (summary.records, summary.packs), "pages hold what the summary counts");
    Some(())
}

/// Parameters: records in the page u8 · packs in the table u32.
fn page(input: &[u8]) -> Option<()> {
    let ([records, packs @ ..], plain) = take::<5>(input)?;
    let packs = u32::from_le_bytes(packs);
    let limit = memory::in_proportion_to(plain);
    let page = memory::within(limit, || parse_page("fuzz", 0, records.into(), packs, plain)).ok()?;
    assert_eq!(page.len(), usize::from(records));
    let entries: Vec<Entry> = (0..page.len()).map(|position| page.get(position).expect("parsed")).collect();
    assert!(entries.is_sorted_by_key(|entry| entry.chunk.id), "a search halves the page");
    for entry in &entries {
        let ChunkRow { offset, length, block_length, sealed_length, .. } = entry.chunk;
        assert!(entry.pack < packs && length <= LARGEST_CHUNK && offset + length <= block_length);
        assert!(sealed_length as usize > TAG);
    }
    assert_eq!(filled(entries.iter().flat_map(record)), plain, "a page is written back as it was read");
    Some(())
}

fn record(entry: &Entry) -> Vec<u8> {
    let chunk = &entry.chunk;
    let mut bytes = chunk.id.0.to_vec();
    bytes.extend_from_slice(&entry.pack.to_le_bytes());
    bytes.extend_from_slice(&chunk.block_offset.to_le_bytes());
    for number in [chunk.sealed_length, chunk.block_length, chunk.offset, chunk.length] {
        bytes.extend_from_slice(&number.to_le_bytes()[..3]);
    }
    bytes.push(chunk.kind as u8 | if chunk.has_base { 0x80 } else { 0 });
    bytes
}

/// Parameters: rows in the page u8.
fn pack_page(input: &[u8]) -> Option<()> {
    let ([packs], plain) = take(input)?;
    let limit = memory::in_proportion_to(plain);
    let rows = memory::within(limit, || parse_pack_page("fuzz", REPOSITORY, 0, packs.into(), plain)).ok()?;
    assert_eq!(rows.len(), usize::from(packs));
    assert!(rows.iter().all(|row| row.header.repository == REPOSITORY), "a row names no foreign pack");
    let written = filled(rows.iter().flat_map(|pack| row(pack)));
    assert_eq!(written, plain, "a page of the pack table is written back as it was read");
    Some(())
}

fn row(pack: &PackRow) -> Vec<u8> {
    let header = pack.header.encode();
    [&pack.id.0[..], &pack.stored_length.to_le_bytes(), &header[4..16], &header[32..]].concat()
}

fn filled(bytes: impl Iterator<Item = u8>) -> Vec<u8> {
    let mut page: Vec<u8> = bytes.collect();
    page.resize(PAGE, 0);
    page
}

/// Parameters: pages u32 · an id to look for 20.
fn fences(input: &[u8]) -> Option<()> {
    let (pages, rest) = take(input)?;
    let (stranger, plain) = take(rest)?;
    let pages = u32::from_le_bytes(pages);
    let fences = memory::within(memory::in_proportion_to(plain), || parse_fences("fuzz", pages, plain)).ok()?;
    let of_stranger = fences.pages_of(&IdPrefix(stranger));
    assert!(of_stranger.start <= of_stranger.end && of_stranger.end <= pages, "no page is asked that is not there");
    for (number, fence) in (0..).zip(plain.as_chunks::<8>().0) {
        let mut first = [0xff; 20];
        first[..8].copy_from_slice(fence);
        assert!(fences.pages_of(&IdPrefix(first)).contains(&number), "a page's first id is looked for in it");
    }
    Some(())
}

/// Parameters: a key u64.
fn filter(input: &[u8]) -> Option<()> {
    let (key, plain) = take(input)?;
    let filter = memory::within(memory::in_proportion_to(plain), || Filter::parse("fuzz", plain)).ok()?;
    assert_eq!(filter.encode(), plain, "a filter is written back as it was read");
    let _ = filter.contains(u64::from_le_bytes(key));
    Some(())
}

/// The input is keys, as an enemy would choose them: none may be denied.
fn built_filter(input: &[u8]) -> Option<()> {
    let keys: Vec<u64> = input.as_chunks().0.iter().map(|key| u64::from_le_bytes(*key)).collect();
    let filter = memory::within(memory::in_proportion_to(input), || Filter::build(keys.clone()));
    assert!(keys.iter().all(|&key| filter.contains(key)), "a filter never denies what is there");
    assert_eq!(Filter::parse("fuzz", &filter.encode()).expect("what is written can be read"), filter);
    Some(())
}
