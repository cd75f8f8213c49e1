//! An index of so many chunks as sessions leave it and as a merge leaves it: built, opened, asked, without any pack.

use std::{error::Error, fs, hint::black_box, path::Path, sync::Arc};

use lbak_core::{
    backend::{Backend, LocalBackend, ObjectName},
    codec::{Codec, Header, Kind},
    id::{ChunkId, ChunkKind, PackId, RepositoryId, SessionId},
    index::{ChunkRow, Counted, Index, MergeOptions, PackRow, SegmentBuilder, merge},
    keys::{Keys, Secret},
    store::put_object,
};

use crate::{
    content::Numbers,
    figures::{Memory, Watch, memory, show},
};

/// After so many new chunks a session puts a segment.
const CHUNKS_IN_SEGMENT: u64 = 131_072;
const SESSION: SessionId = SessionId([3; 16]);

/// The id of a chunk: drawn, for a hash would cost more than what is measured.
fn id(number: u64) -> ChunkId {
    let mut numbers = Numbers(number.wrapping_mul(0xd134_2543_de82_ef95));
    let mut id = [0; 32];
    id.chunks_exact_mut(8).for_each(|bytes| bytes.copy_from_slice(&numbers.draw().to_le_bytes()));
    ChunkId(id)
}

fn codec() -> Result<Codec, Box<dyn Error>> {
    let keys = Keys::new([(0, Secret::new([1; 32]))].into())?;
    Ok(Codec::new(keys, RepositoryId([2; 16])))
}

/// The figures of an index of `chunks` chunks, so many in each pack.
pub(crate) fn measure(folder: &Path, chunks: u64, in_pack: u64) -> Result<(), Box<dyn Error>> {
    fs::create_dir(folder)?;
    let outcome = steps(folder, chunks, in_pack);
    fs::remove_dir_all(folder)?;
    outcome
}

fn steps(folder: &Path, chunks: u64, in_pack: u64) -> Result<(), Box<dyn Error>> {
    let codec = codec()?;
    let backend: Arc<dyn Backend> = Arc::new(LocalBackend::create(folder.join("index-of-sessions"))?);
    println!("{chunks} chunks, {in_pack} in each pack");
    let watch = Watch::start();
    let stored = build(&backend, &codec, chunks, in_pack)?;
    let name = format!("built in segments of {CHUNKS_IN_SEGMENT}");
    show(&name, &watch, &format!("{:.1} bytes stored per chunk", stored as f64 / chunks as f64));

    let index = ask("as sessions left it", &backend, &codec, &Counted::default(), chunks)?;
    let merged: Arc<dyn Backend> = Arc::new(LocalBackend::create(folder.join("index-merged"))?);
    let (mut counted, mut stored) = (Counted::default(), 0);
    let (before, watch) = (memory(), Watch::start());
    merge(&index.segments(), &codec, SESSION, &MergeOptions::default(), &mut |name, sealed| {
        stored += sealed.as_bytes().len();
        if let ObjectName::MergedSegment(id) = name {
            counted.merged.insert(*id);
        }
        put_object(&*merged, name, sealed)
    })?;
    let more = format!(
        "{} new segments, {:.1} bytes stored per chunk, {:.2} million chunks/s, {} MiB more memory at its peak",
        counted.merged.len(),
        stored as f64 / chunks as f64,
        chunks as f64 / watch.busy().as_secs_f64() / 1e6,
        memory().peak_mib.saturating_sub(before.now_mib),
    );
    show("merged", &watch, &more);
    drop(index);
    ask("merged", &merged, &codec, &counted, chunks)?;
    Ok(())
}

/// Puts the segments that sessions would; returns the bytes stored.
fn build(backend: &Arc<dyn Backend>, codec: &Codec, chunks: u64, in_pack: u64) -> Result<u64, Box<dyn Error>> {
    let mut stored = 0;
    for first in (0..chunks).step_by(CHUNKS_IN_SEGMENT as usize) {
        let mut builder = SegmentBuilder::new();
        let end = chunks.min(first + CHUNKS_IN_SEGMENT);
        for first in (first..end).step_by(in_pack as usize) {
            let length = (16 << 20) / in_pack as u32;
            let row = |number: u64| ChunkRow {
                id: id(number),
                kind: ChunkKind::Data,
                has_base: false,
                block_offset: 80 + (number - first) as u32 * (length - 4),
                sealed_length: length - 20,
                block_length: 2 * length,
                offset: 0,
                length: 2 * length,
            };
            let rows: Vec<ChunkRow> = (first..end.min(first + in_pack)).map(row).collect();
            let header = Header::draw(Kind::DataPack, 0, codec.repository(), SESSION)?;
            builder.add_pack(PackRow { id: PackId(id(u64::MAX - first).0), stored_length: 17 << 20, header }, &rows)?;
        }
        let (name, sealed) = builder.finish(codec, Kind::Segment, SESSION)?;
        stored += sealed.as_bytes().len() as u64;
        backend.put(&name, &sealed)?;
    }
    Ok(stored)
}

/// Opens the index and asks it.
fn ask(
    what: &str,
    backend: &Arc<dyn Backend>,
    codec: &Codec,
    counted: &Counted,
    chunks: u64,
) -> Result<Index, Box<dyn Error>> {
    let before = memory();
    let mut index = Index::new();
    for round in ["first time", "again"] {
        let watch = Watch::start();
        index = Index::load(backend, codec, counted)?.index;
        show(&format!("{what}: opened, {round}"), &watch, &format!("{} segments", index.segments().len()));
    }

    let watch = Watch::start();
    for segment in index.segments() {
        // Nothing has this id's place: filter and fences are read to say so, and no page.
        index.ordinal(&stranger_in(segment.summary().smallest.0), ChunkKind::Data)?;
    }
    let held = held_since(&before, chunks);
    show(&format!("{what}: filters opened"), &watch, &held);

    // Each of many segments is asked: so many lookups take a while.
    let asked = if index.segments().len() > 1 && counted.merged.is_empty() { 200_000 } else { 2_000_000 };
    let locate = |id: &ChunkId| -> IsThere { Ok(index.find(id, ChunkKind::Data, &mut |_| true)?.is_some()) };
    lookups(&format!("{what}: not found"), asked, &locate, |number| (id(chunks + number), false))?;
    // A step without a common divisor goes everywhere; the first round brings the pages into the page cache.
    let far = |number: u64| (id(number.wrapping_mul(7_368_787) % chunks), true);
    for round in ["first time", "again"] {
        lookups(&format!("{what}: found, {round}"), asked / 2, &locate, far)?;
    }
    let know = |id: &ChunkId| -> IsThere { Ok(index.ordinal(id, ChunkKind::Data)?.is_some()) };
    lookups(&format!("{what}: found, the record alone"), asked / 2, &know, far)?;
    println!("  {}", held_since(&before, chunks));
    // Last, for they have a peak of memory of their own.
    if !counted.merged.is_empty() {
        for batch in [65_536, 1_000_000] {
            batches(&format!("{what}: found, {batch} at once"), batch, &index, chunks)?;
        }
    }
    Ok(index)
}

fn held_since(before: &Memory, chunks: u64) -> String {
    let bytes = memory().now_bytes.saturating_sub(before.now_bytes);
    if bytes == 0 {
        return "no more memory than before: what the index before it held is used again".into();
    }
    format!("{} MiB more memory than before, {:.2} bytes per chunk", bytes >> 20, bytes as f64 / chunks as f64)
}

fn stranger_in(prefix: [u8; 20]) -> ChunkId {
    let mut id = [0xee; 32];
    id[..8].copy_from_slice(&prefix[..8]);
    ChunkId(id)
}

type IsThere = Result<bool, Box<dyn Error>>;

/// A million chunks that are looked up so many at once.
fn batches(what: &str, batch: u64, index: &Index, chunks: u64) -> Result<(), Box<dyn Error>> {
    const ASKED: u64 = 1_000_000;
    let watch = Watch::start();
    for first in (0..ASKED).step_by(batch as usize) {
        let numbers = first..ASKED.min(first + batch);
        let ids: Vec<ChunkId> = numbers.map(|number| id(number.wrapping_mul(7_368_787) % chunks)).collect();
        let found = black_box(index.find_many(&ids, ChunkKind::Data, &mut |_, _| true));
        if !found.iter().all(|found| matches!(found, Ok(Some(_)))) {
            return Err("a chunk was not found".into());
        }
    }
    let rate = ASKED as f64 / watch.busy().as_secs_f64();
    show(what, &watch, &format!("{rate:.0} lookups per second on one core"));
    Ok(())
}

fn lookups(
    what: &str,
    count: u64,
    ask: &dyn Fn(&ChunkId) -> IsThere,
    chunk: impl Fn(u64) -> (ChunkId, bool),
) -> Result<(), Box<dyn Error>> {
    let watch = Watch::start();
    for number in 0..count {
        let (id, expected) = chunk(number);
        let found = black_box(ask(&id)?);
        if found != expected {
            return Err(format!("chunk {number}: found is {found}").into());
        }
    }
    let rate = count as f64 / watch.busy().as_secs_f64();
    show(what, &watch, &format!("{rate:.0} lookups per second on one core"));
    Ok(())
}
