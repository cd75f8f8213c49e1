//! Bytes to entries, pieces and nodes. Any input gives `Ok` or `Err`; what is accepted encodes to the same bytes.
//!
//! Nothing is set aside on the word of a count: a list grows as its items are read. A node that breaks the bounds of
//! the format is refused when its second item shows it, so that a chunk of 8 MiB can not become a list of many times that.

use std::sync::Arc;

use super::{
    Attributes, Content, Entry, EntryFlags, INLINE_PIECES, LIST_LEVEL_LIMIT, LIST_MAXIMUM, ListChild, ListNode,
    NameRule, Node, Piece, RUN_LIMIT, TREE_LEVEL_LIMIT, TreeChild, TreeNode,
    check::{self, require},
    encode::VERSION,
    varint::{Cursor, Decoded, Malformed},
};
use crate::{error::Result, metadata::Timestamp};

/// Decodes one chunk of a directory. `object` names it in errors.
///
/// # Errors
/// [`Error::Newer`](crate::error::Error::Newer) for a later version or kind of entry,
/// [`Error::Damaged`](crate::error::Error::Damaged) for anything else that the format does not allow.
pub fn decode_tree(object: &str, rule: NameRule, bytes: &[u8]) -> Result<TreeNode> {
    tree(rule, bytes).map_err(|malformed| malformed.in_object(object))
}

/// Decodes one chunk of a list. `object` names it in errors.
///
/// # Errors
/// As [`decode_tree`].
pub fn decode_list(object: &str, bytes: &[u8]) -> Result<ListNode> {
    list(bytes).map_err(|malformed| malformed.in_object(object))
}

/// Decodes extended attributes that were stored as chunks of their own. `object` names them in errors.
///
/// # Errors
/// As [`decode_tree`].
pub fn decode_attributes(object: &str, bytes: &[u8]) -> Result<Vec<(Vec<u8>, Vec<u8>)>> {
    let mut cursor = Cursor::new(bytes);
    attributes(&mut cursor)
        .and_then(|pairs| require(cursor.is_at_end(), "bytes follow the attributes").map(|()| pairs))
        .map_err(|malformed| malformed.in_object(object))
}

fn tree(rule: NameRule, bytes: &[u8]) -> Decoded<TreeNode> {
    let mut cursor = Cursor::new(bytes);
    let level = start(&mut cursor, TREE_LEVEL_LIMIT)?;
    let is_within_limit = |items: usize| {
        require(items < 2 || bytes.len() <= RUN_LIMIT, "a node of a directory is larger than the format allows")
    };
    if level == 0 {
        let mut entries: Vec<Entry> = Vec::new();
        while !cursor.is_at_end() {
            let entry = entry(rule, &mut cursor)?;
            let follows = entries.last().is_none_or(|last| last.name < entry.name);
            require(follows, "names are out of order or twice")?;
            entries.push(entry);
            is_within_limit(entries.len())?;
        }
        return Ok(TreeNode::Run(entries));
    }
    let mut children = Vec::new();
    while !cursor.is_at_end() {
        let (id, entries) = (cursor.chunk_id()?, cursor.varint()?);
        children.push(TreeChild { id, entries, last: cursor.bytes()?.to_vec() });
        is_within_limit(children.len())?;
    }
    check::tree_children(rule, &children)?;
    Ok(TreeNode::Inner { level, children })
}

fn list(bytes: &[u8]) -> Decoded<ListNode> {
    let mut cursor = Cursor::new(bytes);
    let level = start(&mut cursor, LIST_LEVEL_LIMIT)?;
    let is_within_limit = |items| require(items <= LIST_MAXIMUM, "a part of a list has more than 2,048 items");
    if level == 0 {
        let mut pieces = Vec::new();
        while !cursor.is_at_end() {
            pieces.push(piece(&mut cursor)?);
            is_within_limit(pieces.len())?;
        }
        require(!pieces.is_empty(), "a part of a list is empty")?;
        check::pieces(&pieces)?;
        return Ok(ListNode::Pieces(pieces));
    }
    let mut children = Vec::new();
    while !cursor.is_at_end() {
        children.push(ListChild { id: cursor.chunk_id()?, pieces: cursor.varint()?, bytes: cursor.varint()? });
        is_within_limit(children.len())?;
    }
    check::list_children(&children)?;
    Ok(ListNode::Inner { level, children })
}

/// Reads version and level.
fn start(cursor: &mut Cursor<'_>, highest: u8) -> Decoded<u8> {
    match cursor.byte()? {
        VERSION => {}
        0 => return Err(Malformed::Wrong("version 0 never existed")),
        version => return Err(Malformed::Newer(format!("tree version {version}"))),
    }
    let level = cursor.byte()?;
    require(level <= highest, "it has more levels than the format allows")?;
    Ok(level)
}

fn entry(rule: NameRule, cursor: &mut Cursor<'_>) -> Decoded<Entry> {
    let name = cursor.bytes()?;
    let kind = cursor.byte()?;
    if kind > 6 {
        return Err(Malformed::Newer(format!("entry kind {kind}")));
    }
    let flags = cursor.varint()?;
    let mut entry = Entry {
        name: name.to_vec(),
        node: Node::Fifo, // replaced below: what it is stands behind what all entries have
        flags: EntryFlags::from_bits(flags).ok_or_else(|| Malformed::Newer(format!("entry flags {flags:#x}")))?,
        mode: cursor.varint_u32()?,
        uid: cursor.varint_u32()?,
        gid: cursor.varint_u32()?,
        user: Arc::from(cursor.bytes()?),
        group: Arc::from(cursor.bytes()?),
        mtime: time(cursor)?,
        ctime: time(cursor)?,
        size: cursor.varint()?,
        inode: cursor.varint()?,
        link_group: cursor.varint()?,
        attributes: Attributes::None,
    };
    entry.node = match kind {
        0 => Node::File { content: content(cursor)? },
        1 => Node::Directory { tree: cursor.chunk_id()? },
        2 => Node::Symlink { target: cursor.bytes()?.to_vec() },
        3 => Node::Fifo,
        4 => Node::CharacterDevice { major: cursor.varint_u32()?, minor: cursor.varint_u32()? },
        5 => Node::BlockDevice { major: cursor.varint_u32()?, minor: cursor.varint_u32()? },
        _ => Node::Socket,
    };
    entry.attributes = match cursor.byte()? {
        0 => Attributes::None,
        1 => Attributes::Inline(attributes(cursor)?),
        2 => Attributes::Stored(content(cursor)?),
        form => return Err(Malformed::Newer(format!("attributes of form {form}"))),
    };
    check::entry(rule, &entry)?;
    Ok(entry)
}

fn content(cursor: &mut Cursor<'_>) -> Decoded<Content> {
    match cursor.byte()? {
        0 => {
            let count = cursor.varint()?;
            require(count <= INLINE_PIECES as u64, "an entry has more than 512 pieces")?;
            Ok(Content::Inline((0..count).map(|_| piece(cursor)).collect::<Decoded<_>>()?))
        }
        1 => Ok(Content::List { id: cursor.chunk_id()?, level: cursor.byte()?, pieces: cursor.varint()? }),
        form => Err(Malformed::Newer(format!("content of form {form}"))),
    }
}

fn piece(cursor: &mut Cursor<'_>) -> Decoded<Piece> {
    let first = cursor.varint()?;
    let is_hole = first & 1 == 1;
    Ok(Piece { length: first >> 1, chunk: if is_hole { None } else { Some(cursor.chunk_id()?) } })
}

fn attributes(cursor: &mut Cursor<'_>) -> Decoded<Vec<(Vec<u8>, Vec<u8>)>> {
    let count = cursor.varint()?;
    // A name and its value take three bytes at least.
    require(count <= (cursor.remaining() / 3) as u64, "it is cut short")?;
    let mut pairs = Vec::new();
    for _ in 0..count {
        pairs.push((cursor.bytes()?.to_vec(), cursor.bytes()?.to_vec()));
    }
    check::attributes(&pairs)?;
    Ok(pairs)
}

fn time(cursor: &mut Cursor<'_>) -> Decoded<Timestamp> {
    Ok(Timestamp { seconds: cursor.zigzag()?, nanoseconds: cursor.varint_u32()? })
}
