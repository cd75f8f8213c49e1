//! Every chunk that an entry refers to: what has to be there so that it can be restored.
//!
//! The nodes of a directory are not among them, but its root is: whoever walks directories with a
//! [`TreeReader`](super::TreeReader) sees the id of every node in the closure that reads it.

use std::cell::RefCell;

use super::{Attributes, Content, ContentReader, Entry, LostPieces, Node, ReadChunk};
use crate::{
    error::Result,
    id::{ChunkId, ChunkKind},
};

/// A chunk that something refers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Reference {
    /// What it holds.
    pub kind: ChunkKind,
    /// Its id.
    pub id: ChunkId,
    /// Its plain length, where the reference tells.
    pub length: Option<u64>,
}

/// Visits every chunk of an entry: list nodes (before what is in them), data, stored attributes, a directory's root tree.
///
/// A list node that can not be read is visited, and then what is lost with it; the rest is visited all the same. A chunk
/// is visited as often as it is referred to.
///
/// # Errors
/// What `visit` returns; it decides whether a lost node is a reason to stop.
pub fn for_each_reference(
    entry: &Entry,
    read: &ReadChunk<'_>,
    visit: &mut dyn FnMut(Result<Reference, LostPieces>) -> Result<()>,
) -> Result<()> {
    match &entry.node {
        Node::Directory { tree } => visit(Ok(Reference { kind: ChunkKind::Tree, id: *tree, length: None }))?,
        Node::File { content } => visit_content(content, Some(entry.size), read, visit)?,
        _ => {}
    }
    match &entry.attributes {
        Attributes::Stored(content) => visit_content(content, None, read, visit),
        Attributes::None | Attributes::Inline(_) => Ok(()),
    }
}

fn visit_content(
    content: &Content,
    size: Option<u64>,
    read: &ReadChunk<'_>,
    visit: &mut dyn FnMut(Result<Reference, LostPieces>) -> Result<()>,
) -> Result<()> {
    let nodes: RefCell<Vec<ChunkId>> = RefCell::default();
    let noting = |kind, id: &ChunkId| {
        nodes.borrow_mut().push(*id);
        read(kind, id)
    };
    for piece in ContentReader::new(content, size, &noting) {
        for id in nodes.take() {
            visit(Ok(Reference { kind: ChunkKind::List, id, length: None }))?;
        }
        let reference = match piece {
            Ok(placed) => placed
                .piece
                .chunk
                .map(|id| Ok(Reference { kind: ChunkKind::Data, id, length: Some(placed.piece.length) })),
            Err(lost) => Some(Err(lost)),
        };
        reference.map_or(Ok(()), &mut *visit)?;
    }
    Ok(())
}
