//! A repository's folder: all chunks of all packs, all snapshots (sections 5, 6 and 9).

use std::path::{Path, PathBuf};
use std::{cell::RefCell, collections::HashMap, fs};

use super::{
    fields::{Fields, Id, Result, ensure, hex},
    seal::{Credential, HEADER, Keys, Opener, without_trailer},
};

/// Where a chunk lies: in which block of which pack, and where in the opened block.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Place {
    pub pack: Id,
    pub block_offset: usize,
    pub sealed_length: usize,
    pub plain_length: usize,
    pub kind: u8,
    pub offset: usize,
    pub length: usize,
}

pub(crate) struct Repository {
    pub folder: PathBuf,
    keys: Keys,
    chunk_keys: [[u8; 32]; 3],
    /// Every chunk of every pack; usually each has one place.
    pub chunks: HashMap<Id, Vec<Place>>,
    /// The block that was opened last: neighbours are mostly read one after another.
    last_block: RefCell<((Id, usize), Vec<u8>)>,
}

/// What of a manifest is needed to restore.
pub(crate) struct Snapshot {
    id: [u8; 16],
    pub started: (i64, u32),
    pub root: Id,
}

impl Repository {
    pub(crate) fn open(folder: PathBuf, credential: &Credential) -> Result<Self> {
        let is_required = |name: &String| name.starts_with("features/r-");
        ensure(!names(&folder, "features")?.iter().any(is_required), "a feature that this reader does not know")?;
        let mut opened = None;
        for name in names(&folder, "keys")?.iter().take(20) {
            opened = opened.or(Keys::from_slot(name, &get(&folder, name)?, credential)?);
        }
        let (keys, config) = opened.ok_or("no slot opens with this password or key")?;
        ensure(get(&folder, "config").is_ok_and(|stored| stored == config), "config is not the slot's copy")?;
        let (chunk_keys, last_block) = (keys.of_chunk_ids()?, RefCell::default());
        let mut repository = Self { folder, keys, chunk_keys, chunks: HashMap::new(), last_block };
        for shelf in names(&repository.folder, "packs")? {
            for name in names(&repository.folder, &shelf)? {
                repository.add_pack(&name).map_err(|error| format!("{name}: {error}"))?;
            }
        }
        Ok(repository)
    }

    /// Reads an object that is named by its hash and looks at its header.
    pub(crate) fn get_hashed(&self, name: &str, kinds: &[u8]) -> Result<(Opener, Vec<u8>)> {
        let object = get(&self.folder, name)?;
        ensure(name.ends_with(&hex(blake3::hash(&object).as_bytes())), "the bytes have another hash than the name")?;
        Ok((self.keys.opener(&object, kinds)?, object))
    }

    pub(crate) fn get_pack(&self, pack: &Id) -> Result<(Opener, Vec<u8>)> {
        self.get_hashed(&format!("packs/{}/{}", hex(&pack[..1]), hex(pack)), &[4, 5])
    }

    /// Reads and opens an object that is sealed as one.
    pub(crate) fn open_one(&self, name: &str, kinds: &[u8]) -> Result<(Opener, Vec<u8>)> {
        let object = get(&self.folder, name)?;
        let body = without_trailer(&object)?;
        let opener = self.keys.opener(body, kinds)?;
        let record = opener.open(7, 0, name.as_bytes(), &body[HEADER..])?;
        Ok((opener, record))
    }

    /// Reads a pack's directory.
    fn add_pack(&mut self, name: &str) -> Result<()> {
        let (opener, object) = self.get_hashed(name, &[4, 5])?;
        let pack = blake3::hash(&object).into();
        let (body, trailer) = object.split_last_chunk::<6>().ok_or("a short pack")?;
        let mut trailer = Fields(trailer);
        let (directory_length, signature_length) = (trailer.count(4)?, trailer.count(2)?);
        ensure(signature_length == 0, "a signature can not be checked")?;
        let end = body.len().checked_sub(directory_length).ok_or("a directory longer than its pack")?;
        let directory = opener.open(1, 0, b"", &body[end..])?;
        let mut fields = Fields(&directory);
        ensure(fields.u32()? == 1, "a directory of an unknown version")?;
        let mut block_offset = HEADER;
        for _ in 0..fields.u32()? {
            ensure(fields.count(4)? == block_offset, "blocks with a gap between them")?;
            let (sealed_length, plain_length, is_padding) = (fields.count(4)?, fields.count(4)?, fields.u32()? == 1);
            let mut offset = 0;
            for _ in 0..fields.u32()? {
                let (kind, length, id) = (fields.u8()?, fields.count(3)?, fields.array()?);
                let kinds = if opener.header[4] == 4 { 0..=0 } else { 1..=2 };
                ensure(kinds.contains(&kind), "a chunk of a wrong kind, or one with a base")?;
                let place = Place { pack, block_offset, sealed_length, plain_length, kind, offset, length };
                self.chunks.entry(id).or_default().push(place);
                offset += length;
            }
            ensure(is_padding || offset == plain_length, "chunks that do not fill their block")?;
            block_offset += sealed_length;
        }
        let is_filled = fields.0.iter().all(|byte| *byte == 0);
        ensure(block_offset == end && is_filled, "a directory that is not of these blocks")
    }

    /// Reads a chunk and checks it against its id.
    pub(crate) fn chunk(&self, kind: u8, id: &Id) -> Result<Vec<u8>> {
        let mut places = self.chunks.get(id).into_iter().flatten();
        let place = places.find(|place| place.kind == kind).ok_or_else(|| format!("chunk {} is nowhere", hex(id)))?;
        let mut last_block = self.last_block.borrow_mut();
        if last_block.0 != (place.pack, place.block_offset) {
            *last_block = ((place.pack, place.block_offset), self.block(place)?);
        }
        let chunk =
            last_block.1.get(place.offset..place.offset + place.length).ok_or("a chunk outside of its block")?;
        let hash = blake3::keyed_hash(&self.chunk_keys[usize::from(kind)], chunk);
        ensure(hash.as_bytes() == id, "a chunk has another id")?;
        Ok(chunk.to_vec())
    }

    fn block(&self, place: &Place) -> Result<Vec<u8>> {
        let (opener, object) = self.get_pack(&place.pack)?;
        let sealed = object.get(place.block_offset..place.block_offset + place.sealed_length).ok_or("no such block")?;
        let opened = opener.open(0, place.block_offset as u64, b"", sealed)?;
        let plain = match opened.split_first() {
            Some((0, payload)) => payload.to_vec(),
            Some((1, payload)) => zstd::bulk::decompress(payload, place.plain_length)?,
            _ => return Err("a block of an unknown codec".into()),
        };
        ensure(plain.len() == place.plain_length, "a block of another length")?;
        Ok(plain)
    }

    /// All snapshots but the forgotten ones, in the order in which they began.
    pub(crate) fn snapshots(&self) -> Result<Vec<Snapshot>> {
        let mut snapshots = Vec::new();
        for name in names(&self.folder, "snapshots")? {
            let (opener, record) = self.open_one(&name, &[8, 9]).map_err(|error| format!("{name}: {error}"))?;
            let session = hex(&opener.header[32..48]);
            ensure(name == format!("snapshots/{session}"), "an object of another session")?;
            if opener.header[4] == 8 && !self.folder.join("forgotten").join(session).exists() {
                snapshots.push(snapshot(&record)?);
            }
        }
        snapshots.sort_by_key(|snapshot| (snapshot.started, snapshot.id));
        snapshots.dedup_by_key(|snapshot| snapshot.id); // versions of one have the same files
        Ok(snapshots)
    }
}

/// Reads the front of a manifest; what follows is told to people.
fn snapshot(record: &[u8]) -> Result<Snapshot> {
    let mut record = Fields::of_record(record)?;
    let (id, root, lineage) = (record.array()?, record.array()?, record.u32()?);
    ensure(lineage < 3, "an unknown lineage")?;
    let _parent = record.take(if lineage == 0 { 0 } else { 16 })?;
    Ok(Snapshot { id, started: (record.integer(8)?.cast_signed(), record.u32()?), root })
}

/// The full names of what lies in a part of a repository; a part that is not there is empty.
pub(crate) fn names(folder: &Path, part: &str) -> Result<Vec<String>> {
    let Ok(entries) = fs::read_dir(folder.join(part)) else { return Ok(Vec::new()) };
    let name = |entry: std::io::Result<fs::DirEntry>| Ok(format!("{part}/{}", entry?.file_name().display()));
    entries.map(name).collect()
}

fn get(folder: &Path, name: &str) -> Result<Vec<u8>> {
    Ok(fs::read(folder.join(name)).map_err(|error| format!("{name}: {error}"))?)
}
