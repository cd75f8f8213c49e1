//! A repository's folder: its config, all chunks of all packs, all snapshots (sections 5, 6 and 9).

use std::{cell::RefCell, collections::HashMap, fs, path::PathBuf};

use crate::{
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
    folder: PathBuf,
    keys: Keys,
    id: [u8; 16],
    chunk_keys: [[u8; 32]; 3],
    /// Every chunk of every pack; usually each has one place.
    pub chunks: HashMap<Id, Vec<Place>>,
    /// The block that was opened last: neighbours are mostly read one after another.
    last_block: RefCell<((Id, usize), Vec<u8>)>,
}

/// What came of a session.
pub(crate) enum Outcome {
    Snapshot(Box<Snapshot>),
    Closed { by: String, reason: String },
}

/// What of a manifest is needed to list and restore.
pub(crate) struct Snapshot {
    pub id: [u8; 16],
    pub root: Id,
    /// 0 full, 1 incremental, 2 differential; the latter with the snapshot that it was compared with.
    pub lineage: (usize, Option<[u8; 16]>),
    pub paths: Vec<Vec<u8>>,
    pub tags: Vec<String>,
    pub description: String,
    /// Kind and path of each.
    pub findings: Vec<(u32, Vec<u8>)>,
    pub is_complete: bool,
}

impl Repository {
    pub(crate) fn open(folder: PathBuf, credential: &Credential) -> Result<Self> {
        let keys = Keys::default();
        let (id, chunk_keys, last_block) = Default::default();
        let mut repository = Self { folder, keys, id, chunk_keys, chunks: HashMap::new(), last_block };
        let features = repository.names("features")?;
        ensure(
            !features.iter().any(|name| name.starts_with("features/r-")),
            "a feature that this reader does not know",
        )?;
        let mut opened = None;
        for name in repository.names("keys")?.iter().take(20) {
            opened = opened.or(Keys::from_slot(name, &repository.get(name)?, credential)?);
        }
        let (keys, copy) = opened.ok_or("no slot opens with this password or key")?;
        ensure(repository.get("config").is_ok_and(|config| config == copy), "config is not the slot's copy")?;
        (repository.chunk_keys, repository.keys) = (keys.of_chunk_ids()?, keys);
        repository.id = Fields(copy.get(16..).unwrap_or_default()).array()?;
        let (_, config) = repository.open_one("config", &[1])?;
        let id = Fields::record(&config, |record| {
            let (id, _sizes, _cutter, _created) = (record.array()?, record.take(12)?, record.u8()?, record.integer(8)?);
            Ok(id)
        })?;
        ensure(id == repository.id, "config of another repository")?;
        for shelf in repository.names("packs")? {
            for name in repository.names(&shelf)? {
                repository.add_pack(&name).map_err(|error| format!("{name}: {error}"))?;
            }
        }
        Ok(repository)
    }

    /// The full names of what lies in a folder, sorted; a folder that is not there is empty.
    pub(crate) fn names(&self, folder: &str) -> Result<Vec<String>> {
        let Ok(entries) = fs::read_dir(self.folder.join(folder)) else { return Ok(Vec::new()) };
        let name = |entry: std::io::Result<fs::DirEntry>| Ok(format!("{folder}/{}", entry?.file_name().display()));
        let mut names = entries.map(name).collect::<Result<Vec<_>>>()?;
        names.sort();
        Ok(names)
    }

    fn get(&self, name: &str) -> Result<Vec<u8>> {
        Ok(fs::read(self.folder.join(name)).map_err(|error| format!("{name}: {error}"))?)
    }

    /// Reads an object that is named by its hash and looks at its header.
    pub(crate) fn get_hashed(&self, name: &str, kinds: &[u8]) -> Result<(Opener, Vec<u8>)> {
        let object = self.get(name)?;
        ensure(name.ends_with(&hex(blake3::hash(&object).as_bytes())), "the bytes have another hash than the name")?;
        Ok((self.opener(&object, kinds)?, object))
    }

    pub(crate) fn get_pack(&self, pack: &Id) -> Result<(Opener, Vec<u8>)> {
        self.get_hashed(&format!("packs/{}/{}", hex(&pack[..1]), hex(pack)), &[4, 5])
    }

    /// Reads and opens an object that is sealed as one.
    fn open_one(&self, name: &str, kinds: &[u8]) -> Result<(Opener, Vec<u8>)> {
        let object = self.get(name)?;
        let body = without_trailer(&object)?;
        let opener = self.opener(body, kinds)?;
        let record = opener.open(7, 0, name.as_bytes(), &body[HEADER..])?;
        Ok((opener, record))
    }

    fn opener(&self, object: &[u8], kinds: &[u8]) -> Result<Opener> {
        let opener = self.keys.opener(object, kinds)?;
        ensure(opener.header[16..32] == self.id, "an object of another repository")?;
        Ok(opener)
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
        ensure(block_offset == end, "blocks that do not reach the directory")?;
        ensure(
            directory.len() % 1024 == 0 && fields.0.iter().all(|byte| *byte == 0),
            "a directory not filled with zeros",
        )
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

    /// What came of every session, in the order in which they began; what was forgotten is left out.
    pub(crate) fn outcomes(&self) -> Result<Vec<Outcome>> {
        let mut outcomes = Vec::new();
        for name in self.names("snapshots")? {
            let session = name.trim_start_matches("snapshots/");
            if !self.folder.join("forgotten").join(session).exists() {
                outcomes.push(self.outcome(session).map_err(|error| format!("{name}: {error}"))?);
            }
        }
        outcomes.sort_by_key(|(started, _)| *started);
        Ok(outcomes.into_iter().map(|(_, outcome)| outcome).collect())
    }

    fn outcome(&self, session: &str) -> Result<((i64, u32), Outcome)> {
        let (_, announced) = self.open_one(&format!("sessions/{session}"), &[3])?;
        let started = Fields::record(&announced, |record| {
            let (_author, _purpose, _program) = (record.string()?, record.u32()?, record.string()?);
            let (started, _pinned) = (record.time()?, record.list(Fields::array::<16>)?);
            Ok(started)
        })?;
        let (opener, record) = self.open_one(&format!("snapshots/{session}"), &[8, 9])?;
        ensure(hex(&opener.header[32..48]) == session, "an object of another session")?;
        let outcome = Fields::record(&record, |record| match opener.header[4] {
            8 => self.manifest(record).map(|snapshot| Outcome::Snapshot(Box::new(snapshot))),
            _ => {
                let (by, reason, _at) = (record.string()?, record.string()?, record.time()?);
                Ok(Outcome::Closed { by, reason })
            }
        })?;
        Ok((started, outcome))
    }

    fn manifest(&self, record: &mut Fields) -> Result<Snapshot> {
        let (id, root) = (record.array()?, record.array()?);
        let kind = record.count(4)?;
        ensure(kind < 3, "an unknown lineage")?;
        let lineage = (kind, if kind == 0 { None } else { Some(record.array()?) });
        let (_started, _ended, _point_in_time) = (record.time()?, record.time()?, record.option(Fields::time)?);
        let (_host, _user) = (record.string()?, record.string()?);
        let (paths, tags) = (record.list(Fields::octets)?, record.list(Fields::string)?);
        let (description, _program, _totals_and_sizes) = (record.string()?, record.string()?, record.take(7 * 8)?);
        if record.u32()? == 2 {
            let (_words, _exit_status) = (record.list(Fields::octets)?, record.u32()?);
        }
        let counts = record.list(|fields| Ok((fields.u32()?, fields.count(8)?)))?;
        let mut findings = record.list(finding)?;
        let chunks = record.list(Fields::array)?;
        if !chunks.is_empty() {
            findings.clear(); // the chunks hold all of them
        }
        for id in chunks {
            findings.extend(Fields::record(&self.chunk(2, &id)?, |record| record.list(finding))?);
        }
        ensure(counts.iter().map(|(_, count)| count).sum::<usize>() == findings.len(), "findings are missing")?;
        let is_complete = record.bool()?;
        let (_origin, _heads) = (record.option(Fields::array::<16>)?, record.list(Fields::array::<32>)?);
        Ok(Snapshot { id, root, lineage, paths, tags, description, findings, is_complete })
    }
}

fn finding(fields: &mut Fields) -> Result<(u32, Vec<u8>)> {
    let (kind, path, _message) = (fields.u32()?, fields.octets()?, fields.string()?);
    Ok((kind, path))
}
