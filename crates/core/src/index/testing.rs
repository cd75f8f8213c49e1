//! What the tests of this room share: rows whose numbers tell which they are, and a store that counts what it is asked.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use bytes::Bytes;

use super::{ChunkRow, Counted, Index, Loaded, PackRow, SegmentBuilder};
use crate::{
    backend::{Backend, BackendError, BackendErrorKind, Description, MemoryBackend, ObjectName, Sealed},
    codec::{Codec, Header, Kind},
    id::{ChunkId, ChunkKind, PackId, RepositoryId, SessionId},
    keys::{Keys, Secret},
};

pub(super) const REPOSITORY: RepositoryId = RepositoryId([2; 16]);
pub(super) const SESSION: SessionId = SessionId([3; 16]);

pub(super) fn codec() -> Codec {
    let keys = Keys::new(BTreeMap::from([(0, Secret::new([1; 32]))])).expect("one master");
    Codec::new(keys, REPOSITORY)
}

pub(super) fn id(number: u32) -> ChunkId {
    ChunkId(*blake3::hash(&number.to_le_bytes()).as_bytes())
}

/// A pack whose name begins with its number.
pub(super) fn pack(number: u32) -> PackRow {
    let bytes: [u8; 4] = number.to_le_bytes();
    let random = std::array::from_fn(|at| bytes[at % 4]);
    let header = Header {
        kind: Kind::DataPack,
        epoch: 0,
        read_features: 0,
        collect_features: 0,
        repository: REPOSITORY,
        session: SESSION,
        random,
    };
    PackRow { id: PackId(random), stored_length: 16 << 20, header }
}

/// A chunk whose numbers tell which it is.
pub(super) fn chunk(number: u32) -> ChunkRow {
    chunk_of(&id(number), number)
}

pub(super) fn chunk_of(id: &ChunkId, number: u32) -> ChunkRow {
    ChunkRow {
        id: *id,
        kind: ChunkKind::Data,
        has_base: number.is_multiple_of(7),
        block_offset: 80 + number,
        sealed_length: 1_000 + number,
        block_length: 2_000_000,
        offset: number,
        length: 1_000,
    }
}

/// A segment to be that says these packs hold these chunks.
pub(super) fn builder_of(packs: impl IntoIterator<Item = (PackRow, Vec<ChunkRow>)>) -> SegmentBuilder {
    let mut builder = SegmentBuilder::new();
    for (pack, chunks) in packs {
        builder.add_pack(pack, &chunks).expect("sound rows");
    }
    builder
}

pub(super) fn seal(builder: SegmentBuilder, kind: Kind) -> (ObjectName, Sealed) {
    builder.finish(&codec(), kind, SESSION).expect("records")
}

/// Puts a segment, and tells its name.
pub(super) fn put(backend: &dyn Backend, builder: SegmentBuilder) -> ObjectName {
    let (name, sealed) = seal(builder, Kind::Segment);
    backend.put(&name, &sealed).expect("a new name");
    name
}

/// The index of a store in which nothing is damaged.
pub(super) fn load(backend: &Arc<dyn Backend>) -> Index {
    sound(load_counted(backend, &Counted::default()))
}

/// The same, and what is damaged, where these segments count.
pub(super) fn load_counted(backend: &Arc<dyn Backend>, counted: &Counted) -> Loaded {
    Index::load(backend, &codec(), counted).expect("a store that answers")
}

/// The index, when nothing is damaged.
pub(super) fn sound(loaded: Loaded) -> Index {
    assert!(loaded.damaged.is_empty(), "{:?}", loaded.damaged);
    loaded.index
}

/// A store that counts what it is asked and fails when told to.
#[derive(Debug, Default)]
pub(super) struct Store {
    pub(super) memory: MemoryBackend,
    pub(super) is_silent: AtomicBool,
    lists: Mutex<u32>,
    ranges: Mutex<Vec<(u64, u64)>>,
}

impl Store {
    /// As whoever loads an index wants it.
    pub(super) fn shared(self: &Arc<Self>) -> Arc<dyn Backend> {
        Arc::<Self>::clone(self)
    }

    /// Its index, and what of it is damaged.
    pub(super) fn load(self: &Arc<Self>) -> Loaded {
        load_counted(&self.shared(), &Counted::default())
    }

    /// Puts a segment, and tells its size.
    pub(super) fn put_new(&self, sealed: &(ObjectName, Sealed)) -> u64 {
        self.memory.put(&sealed.0, &sealed.1).expect("put");
        sealed.1.as_bytes().len() as u64
    }

    /// How often it was asked what it has.
    pub(super) fn lists(&self) -> u32 {
        *self.lists.lock().expect("lock")
    }

    /// Offsets and lengths of what was read since they were last taken.
    pub(super) fn taken_ranges(&self) -> Vec<(u64, u64)> {
        std::mem::take(&mut *self.ranges.lock().expect("lock"))
    }
}

impl Backend for Store {
    fn put(&self, name: &ObjectName, object: &Sealed) -> Result<(), BackendError> {
        self.memory.put(name, object)
    }

    fn get(&self, name: &ObjectName) -> Result<Bytes, BackendError> {
        panic!("the index reads ranges, not the whole of {name}")
    }

    fn get_range(&self, name: &ObjectName, offset: u64, length: u64) -> Result<Bytes, BackendError> {
        self.ranges.lock().expect("lock").push((offset, length));
        if self.is_silent.load(Ordering::Relaxed) {
            return Err(BackendErrorKind::Unreachable.into());
        }
        self.memory.get_range(name, offset, length)
    }

    fn list(
        &self,
        prefix: &str,
        found: &mut dyn FnMut(&str, u64) -> Result<(), BackendError>,
    ) -> Result<(), BackendError> {
        *self.lists.lock().expect("lock") += 1;
        self.memory.list(prefix, found)
    }

    fn remove(&self, name: &ObjectName) -> Result<(), BackendError> {
        self.memory.remove(name)
    }

    fn describe(&self) -> Description {
        self.memory.describe()
    }
}
