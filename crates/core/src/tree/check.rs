//! The rules that an entry keeps, whoever made it: asked before it is written and after it was read.
//!
//! One place for both sides, so that nothing can be written that is refused when it is needed.

use super::{
    Attributes, Content, Entry, INLINE_ATTRIBUTES, INLINE_PIECES, LIST_LEVEL_LIMIT, ListChild, NameRule, Node, Piece,
    TreeChild, check_name,
    varint::{Decoded, Malformed},
};
use crate::{chunk::LARGEST_CHUNK, metadata::Timestamp};

pub(super) fn name(rule: NameRule, name: &[u8]) -> Decoded<()> {
    check_name(rule, name).map_err(|what| Malformed::Name(name.to_vec(), what))
}

pub(super) fn entry(rule: NameRule, entry: &Entry) -> Decoded<()> {
    name(rule, &entry.name)?;
    require(entry.mode <= 0o7777, "a mode has more than the twelve permission bits")?;
    time(entry.mtime)?;
    time(entry.ctime)?;
    match &entry.node {
        Node::File { content } => {
            let bytes = self::content(content)?;
            require(bytes.is_none_or(|bytes| bytes == entry.size), "the pieces of a file do not add up to its size")?;
        }
        _ => require(entry.size == 0, "something that is no file has a size")?,
    }
    match &entry.attributes {
        Attributes::None => Ok(()),
        Attributes::Inline(pairs) => {
            require(!pairs.is_empty(), "attributes are there and empty")?;
            attributes(pairs)?;
            require(attributes_length(pairs) <= INLINE_ATTRIBUTES, "attributes are too long to stand in an entry")
        }
        Attributes::Stored(content) => {
            let bytes = self::content(content)?;
            require(
                bytes.is_none_or(|bytes| bytes > INLINE_ATTRIBUTES as u64),
                "attributes are stored apart and short enough for the entry",
            )
        }
    }
}

/// Returns the bytes of the pieces, where they are here.
pub(super) fn content(content: &Content) -> Decoded<Option<u64>> {
    match content {
        Content::Inline(pieces) => {
            require(pieces.len() <= INLINE_PIECES, "an entry has more than 512 pieces")?;
            self::pieces(pieces).map(Some)
        }
        Content::List { level, pieces, .. } => {
            require(*level <= LIST_LEVEL_LIMIT, "a list has more levels than there can be pieces")?;
            require(*pieces > INLINE_PIECES as u64, "a list has no more pieces than fit in an entry")?;
            Ok(None)
        }
    }
}

/// Returns the bytes of the pieces.
pub(super) fn pieces(pieces: &[Piece]) -> Decoded<u64> {
    let mut bytes = 0;
    for piece in pieces {
        require(piece.length > 0, "a piece is empty")?;
        let is_stored = piece.chunk.is_some();
        require(!is_stored || piece.length <= u64::from(LARGEST_CHUNK), "a piece is longer than a chunk can be")?;
        require(piece.length <= u64::MAX >> 1, "a hole is longer than a file can be")?;
        bytes = add(bytes, piece.length)?;
    }
    Ok(bytes)
}

pub(super) fn attributes(pairs: &[(Vec<u8>, Vec<u8>)]) -> Decoded<()> {
    require(pairs.iter().all(|(name, _)| !name.is_empty() && !name.contains(&0)), "an attribute has no proper name")?;
    require(pairs.is_sorted_by(|(one, _), (next, _)| one < next), "attributes are out of order or twice")
}

/// Returns how long the encoding will be.
pub(super) fn attributes_length(pairs: &[(Vec<u8>, Vec<u8>)]) -> usize {
    let length = |bytes: usize| varint_length(bytes) + bytes;
    varint_length(pairs.len())
        + pairs.iter().map(|(name, value)| length(name.len()) + length(value.len())).sum::<usize>()
}

fn varint_length(value: usize) -> usize {
    ((usize::BITS - value.leading_zeros()) as usize).div_ceil(7).max(1)
}

/// Returns how many entries there are below the children of a directory's inner node.
pub(super) fn tree_children(rule: NameRule, children: &[TreeChild]) -> Decoded<u64> {
    require(!children.is_empty(), "an inner node has no children")?;
    require(children.is_sorted_by(|one, next| one.last < next.last), "runs are out of order or twice")?;
    let mut entries = 0;
    for child in children {
        name(rule, &child.last)?;
        require(child.entries > 0, "a run is empty")?;
        entries = add(entries, child.entries)?;
    }
    Ok(entries)
}

/// Returns how many pieces and bytes there are below the children of a list's inner node.
pub(super) fn list_children(children: &[ListChild]) -> Decoded<(u64, u64)> {
    require(!children.is_empty(), "an inner node has no children")?;
    let (mut pieces, mut bytes) = (0, 0);
    for child in children {
        require(child.pieces > 0 && child.bytes >= child.pieces, "a part of a list is empty")?;
        pieces = add(pieces, child.pieces)?;
        bytes = add(bytes, child.bytes)?;
    }
    Ok((pieces, bytes))
}

fn time(time: Timestamp) -> Decoded<()> {
    require(time.nanoseconds < 1_000_000_000, "a time has more than a second of nanoseconds")
}

fn add(sum: u64, more: u64) -> Decoded<u64> {
    sum.checked_add(more).ok_or(Malformed::Wrong("lengths add up to more than 64 bits"))
}

pub(super) fn require(is_so: bool, otherwise: &'static str) -> Decoded<()> {
    if is_so { Ok(()) } else { Err(Malformed::Wrong(otherwise)) }
}
