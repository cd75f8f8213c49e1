//! Makes a store of parts: each is sealed as its owner would have sealed it, whatever it says.
//!
//! ```text
//! part:   kind u8 · length u16 · bytes
//! chunk   data, tree, list: named by its keyed id; they lie in packs that the index names
//! record  session, outcome, forgotten, …: sealed as one, under a name of its kind
//! parts   of a pack or a segment: each sealed for itself
//! ```
//!
//! A part can name an earlier one whose id it can not know: `MARK` 31 times and a number stand for the id of that chunk, or the name of that
//! pack.

use bytes::Bytes;
use lbak_core::{
    backend::{Backend, MemoryBackend, ObjectName},
    chunk::LARGEST_CHUNK,
    codec::{Codec, Domain, Encoded, Kind},
    id::{ChunkId, ChunkKind, PackId, SegmentId, SessionId},
    index::{PackRow, SegmentBuilder},
    pack::{ChunkEntry, PackBuffers, PackBuilder},
    snapshot::Manifest,
    store::chunk_rows,
};

use crate::take;

/// What stands 31 times before the number of a part.
pub(super) const MARK: u8 = 0xc5;

/// The kind of part that is a snapshot.
const MANIFEST: u8 = 6;

/// Most parts of one input.
const MOST_PARTS: usize = 128;

/// One session after the other, by the number of the part.
fn session(number: usize) -> SessionId {
    SessionId([u8::try_from(number).unwrap_or(u8::MAX); 16])
}

/// The session of a part. That of a snapshot is of the group of its host and paths, in which writers look for it.
fn session_of(codec: &Codec, number: usize, kind: u8, part: &[u8]) -> SessionId {
    let mut session = session(number);
    if let (MANIFEST, Ok(manifest)) = (kind, Manifest::decode("fuzz", part)) {
        session.0[..2].copy_from_slice(&codec.keys().session_group(&manifest.host, &manifest.paths));
    }
    session
}

/// Puts all parts of an input into a store.
pub(super) fn fill(backend: &MemoryBackend, codec: &Codec, mut input: &[u8]) {
    let buffers = PackBuffers::new(64 << 10);
    let mut store = Store { backend, codec, ids: Vec::new(), sessions: Vec::new(), buffers };
    while let Some(([kind, low, high], rest)) = take::<3>(input) {
        let number = store.ids.len();
        if number == MOST_PARTS {
            return;
        }
        let length = usize::from(u16::from_le_bytes([low, high])).min(rest.len());
        let (part, behind) = rest.split_at(length);
        let part = store.with_ids(part);
        store.sessions.push(session_of(codec, number, kind, &part));
        let id = store.add(number, kind, &part);
        store.ids.push(id.unwrap_or_default());
        input = behind;
    }
}

struct Store<'a> {
    backend: &'a MemoryBackend,
    codec: &'a Codec,
    /// What each part is called.
    ids: Vec<[u8; 32]>,
    sessions: Vec<SessionId>,
    buffers: PackBuffers,
}

impl Store<'_> {
    /// Exchanges marks for the ids that they stand for.
    fn with_ids(&self, part: &[u8]) -> Vec<u8> {
        let mut part = part.to_vec();
        let mut place = 0;
        while let Some(window) = part.get_mut(place..place + 32) {
            let id = window.split_last().filter(|(_, marks)| marks.iter().all(|&byte| byte == MARK));
            match id.and_then(|(&number, _)| self.ids.get(usize::from(number))) {
                Some(id) => {
                    window.copy_from_slice(id);
                    place += 32;
                }
                None => place += 1,
            }
        }
        part
    }

    fn add(&self, number: usize, kind: u8, part: &[u8]) -> Option<[u8; 32]> {
        let own = *self.sessions.get(number)?;
        match kind {
            0 => Some(self.chunk(number, ChunkKind::Data, part)),
            1 => Some(self.chunk(number, ChunkKind::Tree, part)),
            2 => Some(self.chunk(number, ChunkKind::List, part)),
            3 => self.block(number, part),
            4 => self.pack(number, part),
            5 => self.segment(number, part),
            MANIFEST => self.record(&ObjectName::Snapshot(own), Kind::Manifest, own, part),
            7 => self.record(&ObjectName::Snapshot(own), Kind::Closed, own, part),
            8 => self.record(&ObjectName::Session(own), Kind::Session, own, part),
            // These are about another part: its number comes first.
            9 => {
                let (&of, part) = part.split_first()?;
                let forgotten = *self.sessions.get(usize::from(of))?;
                self.record(&ObjectName::Forgotten(forgotten), Kind::Forgotten, own, part)
            }
            10 => {
                let (&of, part) = part.split_first()?;
                let pack = PackId(*self.ids.get(usize::from(of))?);
                self.record(&ObjectName::Damaged(pack), Kind::Damaged, own, part)
            }
            // And these have numbers for names.
            11 => self.round(ObjectName::Mark, Kind::Mark, own, part),
            12 => self.round(ObjectName::Removals, Kind::Removals, own, part),
            13 => self.round(ObjectName::Fin, Kind::Fin, own, part),
            14 => self.round(ObjectName::Reading, Kind::Reading, own, part),
            15 => self.feature(part),
            16 => self.round(ObjectName::Aside, Kind::Aside, own, part),
            _ => None,
        }
    }

    fn round(&self, name: fn(u64) -> ObjectName, kind: Kind, own: SessionId, part: &[u8]) -> Option<[u8; 32]> {
        let (&round, part) = part.split_first()?;
        self.record(&name(round.into()), kind, own, part)
    }

    fn record(&self, name: &ObjectName, kind: Kind, own: SessionId, plain: &[u8]) -> Option<[u8; 32]> {
        let sealed = self.codec.seal_object(name, kind, own, plain).expect("random bytes");
        // The hash of what is stored is how history and rounds name it.
        let hash = *blake3::hash(sealed.as_bytes()).as_bytes();
        self.backend.tamper(&name.to_string(), Some(sealed.as_bytes().clone()));
        Some(hash)
    }

    fn feature(&self, part: &[u8]) -> Option<[u8; 32]> {
        let name = ObjectName::parse(&format!("features/{}", std::str::from_utf8(part).ok()?))?;
        self.backend.tamper(&name.to_string(), Some(Bytes::new()));
        None
    }

    /// A chunk in a block and a pack of its own.
    fn chunk(&self, number: usize, kind: ChunkKind, plain: &[u8]) -> [u8; 32] {
        let id = self.codec.keys().chunk_id(kind, plain);
        let encoded = [&[0], plain].concat();
        self.put_pack(number, kind, id, u32::try_from(plain.len()).unwrap_or(0), Encoded(&encoded, &[]));
        id.0
    }

    /// Any block, with any length that it claims to have when it is opened, whatever comes out of it.
    ///
    /// Part: kind of the chunk u8 · claimed length u32 · codec and payload.
    fn block(&self, number: usize, part: &[u8]) -> Option<[u8; 32]> {
        let ([kind, a, b, c, d], encoded) = take::<5>(part)?;
        let claim = u32::from_le_bytes([a, b, c, d]).min(LARGEST_CHUNK);
        let kind = ChunkKind::from_number(kind)?;
        let id = ChunkId(*blake3::hash(encoded).as_bytes());
        self.put_pack(number, kind, id, claim, Encoded(encoded, &[]));
        Some(id.0)
    }

    fn put_pack(&self, number: usize, kind: ChunkKind, id: ChunkId, length: u32, encoded: Encoded<'_>) {
        let own = session(number);
        let pack_kind = if kind == ChunkKind::Data { Kind::DataPack } else { Kind::TreePack };
        let sealer = self.codec.sealer(pack_kind, own).expect("random bytes");
        let builder = PackBuilder::new(sealer, 1 << 20, self.buffers.lend());
        let entry = ChunkEntry { kind, length, id, base: None };
        let place = builder.reserve(encoded.length(), length, vec![entry]).expect("a pack takes one block");
        builder.fill(place, encoded);
        let pack = builder.finish().expect("memory that keeps its bits");
        let stored_length = u32::try_from(pack.sealed.as_bytes().len()).expect("a small pack");
        self.backend.put(&ObjectName::Pack(pack.id), &pack.sealed).expect("memory");
        let mut segment = SegmentBuilder::new();
        let row = PackRow { id: pack.id, stored_length, header: pack.header };
        if segment.add_pack(row, &chunk_rows(&pack.directory)).is_ok() {
            let (name, sealed) = segment.finish(self.codec, Kind::Segment, own).expect("one record");
            self.backend.put(&name, &sealed).expect("memory");
        }
    }

    /// A pack of one block with any directory.
    ///
    /// Part: length of the block u16 · the encoded block · the directory.
    fn pack(&self, number: usize, part: &[u8]) -> Option<[u8; 32]> {
        let (length, rest) = take::<2>(part)?;
        let (block, directory) = rest.split_at_checked(usize::from(u16::from_le_bytes(length)))?;
        let sealer = self.codec.sealer(Kind::TreePack, session(number)).expect("random bytes");
        let mut bytes = sealer.header().encode().to_vec();
        let offset = bytes.len();
        bytes.extend_from_slice(block);
        sealer.seal_tail(Domain::Block, offset as u64, &[], &mut bytes, offset);
        let start = bytes.len();
        bytes.extend_from_slice(directory);
        sealer.seal_tail(Domain::Directory, 0, &[], &mut bytes, start);
        let sealed_length = u32::try_from(bytes.len() - start).ok()?;
        bytes.extend_from_slice(&sealed_length.to_le_bytes());
        bytes.extend_from_slice(&[0, 0]);
        let id = PackId(*blake3::hash(&bytes).as_bytes());
        self.backend.tamper(&ObjectName::Pack(id).to_string(), Some(bytes.into()));
        Some(id.0)
    }

    /// A segment of any parts.
    ///
    /// Part: merged u8 · pages of records u8 · pages of packs u8 · summary 128 · pages 1,008 each · fences, 8 for each page · filter.
    fn segment(&self, number: usize, part: &[u8]) -> Option<[u8; 32]> {
        const PAGE: usize = 1008;
        let ([is_merged, pages, pack_pages], rest) = take::<3>(part)?;
        let (summary, mut rest) = take::<128>(rest)?;
        let is_merged = is_merged & 1 == 1;
        let kind = if is_merged { Kind::MergedSegment } else { Kind::Segment };
        let sealer = self.codec.sealer(kind, session(number)).expect("random bytes");
        let mut bytes = sealer.header().encode().to_vec();
        let mut append = |domain, counter: u64, plain: &[u8]| {
            let from = bytes.len();
            bytes.extend_from_slice(plain);
            sealer.seal_tail(domain, counter, &[], &mut bytes, from);
        };
        append(Domain::Summary, 0, &summary);
        for (domain, count) in [(Domain::Page, pages), (Domain::PackTable, pack_pages)] {
            for page in 0..count {
                let (plain, behind) = rest.split_at_checked(PAGE)?;
                append(domain, page.into(), plain);
                rest = behind;
            }
        }
        let (fences, filter) = rest.split_at_checked(8 * usize::from(pages))?;
        append(Domain::Fences, 0, fences);
        append(Domain::Filter, 0, filter);
        bytes.extend_from_slice(&[0, 0]);
        let id = SegmentId(*blake3::hash(&bytes).as_bytes());
        let name = if is_merged { ObjectName::MergedSegment(id) } else { ObjectName::Segment(id) };
        self.backend.tamper(&name.to_string(), Some(bytes.into()));
        Some(id.0)
    }
}
