//! Entries for tests: random ones, plain ones, and a place for their chunks.

use std::{cell::RefCell, collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use proptest::{collection::vec, prelude::*};

use super::{Attributes, Content, Entry, EntryFlags, Node, Piece, encode_attributes};
use crate::{
    error::{Error, Result},
    id::{ChunkId, ChunkKind},
    keys::{Keys, MasterSecret},
    metadata::{FileKind, Metadata, Timestamp},
};

pub(super) fn keys() -> Keys {
    Keys::new(BTreeMap::from([(0, MasterSecret::new([7; 32]))])).expect("one master")
}

/// Chunks in memory, and which were read.
pub(super) struct Chunks {
    keys: Keys,
    pub(super) chunks: BTreeMap<ChunkId, (ChunkKind, Bytes)>,
    pub(super) read: RefCell<Vec<ChunkId>>,
}

impl Chunks {
    pub(super) fn new() -> Self {
        Self { keys: keys(), chunks: BTreeMap::new(), read: RefCell::default() }
    }

    pub(super) fn store(&mut self, kind: ChunkKind, bytes: Vec<u8>) -> ChunkId {
        let id = self.keys.chunk_id(kind, &bytes);
        self.chunks.insert(id, (kind, bytes.into()));
        id
    }

    /// The nodes that hold entries or pieces.
    pub(super) fn level_0(&self) -> Vec<ChunkId> {
        self.chunks.iter().filter(|(_, (_, bytes))| bytes[1] == 0).map(|(id, _)| *id).collect()
    }

    pub(super) fn read(&self, kind: ChunkKind, id: &ChunkId) -> Result<Bytes> {
        self.read.borrow_mut().push(*id);
        match self.chunks.get(id) {
            Some((stored, bytes)) if *stored == kind => Ok(bytes.clone()),
            _ => Err(Error::Lost { what: format!("chunk {}", id.short()) }),
        }
    }
}

/// An id that only depends on the number.
pub(super) fn id(number: u64) -> ChunkId {
    ChunkId(*blake3::hash(&number.to_le_bytes()).as_bytes())
}

/// A file of one piece, as most are.
pub(super) fn plain_file(name: &str) -> Entry {
    let metadata = Metadata {
        kind: FileKind::File,
        mode: 0o644,
        uid: 1000,
        gid: 1000,
        user: Arc::from(*b"user"),
        group: Arc::from(*b"group"),
        mtime: Timestamp { seconds: 1_790_000_000, nanoseconds: 123_456_789 },
        ctime: Timestamp { seconds: 1_790_000_000, nanoseconds: 123_456_789 },
        size: 1234,
        inode: 4_567_890,
        ..Metadata::default()
    };
    let content = Content::Inline(vec![Piece::data(1234, id(name.len() as u64))]);
    Entry::new(name.as_bytes().to_vec(), Node::File { content }, &metadata)
}

fn any_id() -> impl Strategy<Value = ChunkId> {
    any::<[u8; 32]>().prop_map(ChunkId)
}

fn any_piece() -> impl Strategy<Value = Piece> {
    prop_oneof![
        4 => (1..=8_u64 << 20, any_id()).prop_map(|(length, id)| Piece::data(length, id)),
        1 => (1..=1_u64 << 50).prop_map(Piece::hole),
    ]
}

fn any_list() -> impl Strategy<Value = Content> {
    (any_id(), 0..=10_u8, 513..=u64::MAX).prop_map(|(id, level, pieces)| Content::List { id, level, pieces })
}

pub(super) fn any_name() -> impl Strategy<Value = Vec<u8>> {
    let byte = any::<u8>().prop_filter("not in a name", |byte| !matches!(byte, 0 | b'/'));
    vec(byte, 1..20).prop_filter("not a name", |name| name != b"." && name != b"..")
}

fn any_attributes() -> impl Strategy<Value = Attributes> {
    let pairs = proptest::collection::btree_map(vec(1..=255_u8, 1..12), vec(any::<u8>(), 0..30), 0..5);
    prop_oneof![
        4 => pairs.prop_map(|pairs| {
            if pairs.is_empty() { Attributes::None } else { Attributes::Inline(pairs.into_iter().collect()) }
        }),
        1 => any_list().prop_map(Attributes::Stored),
        1 => any_id().prop_map(|id| {
            let length = encode_attributes(&[(b"user.long".to_vec(), vec![1; 20_000])]).len() as u64;
            Attributes::Stored(Content::Inline(vec![Piece::data(length, id)]))
        }),
    ]
}

/// A node and the size that belongs to it.
fn any_node() -> impl Strategy<Value = (Node, u64)> {
    prop_oneof![
        vec(any_piece(), 0..6).prop_map(|pieces| {
            let size = pieces.iter().map(|piece| piece.length).sum();
            (Node::File { content: Content::Inline(pieces) }, size)
        }),
        (any_list(), any::<u64>()).prop_map(|(content, size)| (Node::File { content }, size)),
        any_id().prop_map(|tree| (Node::Directory { tree }, 0)),
        vec(any::<u8>(), 0..40).prop_map(|target| (Node::Symlink { target }, 0)),
        Just((Node::Fifo, 0)),
        Just((Node::Socket, 0)),
        any::<(u32, u32)>().prop_map(|(major, minor)| (Node::CharacterDevice { major, minor }, 0)),
        any::<(u32, u32)>().prop_map(|(major, minor)| (Node::BlockDevice { major, minor }, 0)),
    ]
}

prop_compose! {
    fn any_time()(seconds in any::<i64>(), nanoseconds in 0..1_000_000_000_u32) -> Timestamp {
        Timestamp { seconds, nanoseconds }
    }
}

prop_compose! {
    pub(super) fn any_entry()(
        name in any_name(),
        (node, size) in any_node(),
        flags in 0..64_u64,
        mode in 0..=0o7777_u32,
        (uid, gid) in any::<(u32, u32)>(),
        (user, group) in (vec(any::<u8>(), 0..6), vec(any::<u8>(), 0..6)),
        (mtime, ctime) in (any_time(), any_time()),
        (inode, link_group) in (any::<u64>(), 0..4_u64),
        attributes in any_attributes(),
    ) -> Entry {
        let flags = EntryFlags::from_bits(flags).expect("all six bits are known");
        Entry {
            name, node, flags, mode, uid, gid, user: user.into(), group: group.into(), mtime, ctime, size, inode,
            link_group, attributes,
        }
    }
}
