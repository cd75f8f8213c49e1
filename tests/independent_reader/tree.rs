//! Directories and the contents of files (section 8).

use crate::{
    fields::{Fields, Id, Result, ensure},
    repository::Repository,
};

pub(crate) struct Entry {
    pub name: Vec<u8>,
    pub flags: u64,
    pub mode: u32,
    pub mtime: (i64, u32),
    pub size: u64,
    /// What the names of one file have in common, unless a name stands alone.
    pub link: Option<(u64, u64)>,
    pub node: Node,
    pub attributes: Vec<(Vec<u8>, Vec<u8>)>,
}

pub(crate) enum Node {
    File(Vec<Piece>),
    Directory(Id),
    Symlink(Vec<u8>),
    /// A FIFO, a device with its numbers, a socket.
    Other(String),
}

/// A run of a file's bytes: a chunk, or a hole.
pub(crate) struct Piece {
    pub length: u64,
    pub chunk: Option<Id>,
}

/// All entries of a directory, in the order of their names.
pub(crate) fn directory(repository: &Repository, id: &Id) -> Result<Vec<Entry>> {
    let mut entries = Vec::new();
    add_node(repository, id, None, &mut entries)?;
    ensure(entries.is_sorted_by(|a, b| a.name < b.name), "entries out of order")?;
    Ok(entries)
}

/// Adds what lies below a node; the root's level is what it says, a child's one less than its parent's.
fn add_node(repository: &Repository, id: &Id, level: Option<u8>, entries: &mut Vec<Entry>) -> Result<()> {
    let chunk = repository.chunk(1, id)?;
    let mut fields = Fields(&chunk);
    let (version, found) = (fields.u8()?, fields.u8()?);
    ensure(version == 1 && found == level.unwrap_or(found), "a tree of another version or level")?;
    while !fields.0.is_empty() {
        if found == 0 {
            entries.push(entry(repository, &mut fields)?);
            continue;
        }
        let (child, count, last) = (fields.array()?, fields.varint()?, fields.bytes()?);
        let before = entries.len();
        add_node(repository, &child, Some(found - 1), entries)?;
        let found = (entries.len() - before, entries.last().map(|entry| &entry.name));
        ensure(found == (usize::try_from(count)?, Some(&last)), "a child with another number of entries or last name")?;
    }
    Ok(())
}

fn entry(repository: &Repository, fields: &mut Fields) -> Result<Entry> {
    let (name, kind, flags, mode) = (fields.bytes()?, fields.u8()?, fields.varint()?, fields.varint()?);
    ensure(flags < 16 && mode <= 0o7777, "unknown flags or bits of the mode")?;
    let _owner = (fields.varint()?, fields.varint()?, fields.bytes()?, fields.bytes()?);
    let (mtime, _ctime) = (time(fields)?, time(fields)?);
    let (bytes, inode, link_group) = (fields.varint()?, fields.varint()?, fields.varint()?);
    let node = match kind {
        0 => Node::File(content(repository, fields)?),
        1 => Node::Directory(fields.array()?),
        2 => Node::Symlink(fields.bytes()?),
        3 => Node::Other("fifo".into()),
        4 => Node::Other(format!("character-device-{}-{}", fields.varint()?, fields.varint()?)),
        5 => Node::Other(format!("block-device-{}-{}", fields.varint()?, fields.varint()?)),
        6 => Node::Other("socket".into()),
        _ => return Err("an entry of an unknown kind".into()),
    };
    let attributes = match fields.u8()? {
        0 => Vec::new(),
        1 => attributes(fields)?,
        2 => {
            let mut encoding = Vec::new();
            for piece in content(repository, fields)? {
                encoding.extend(bytes_of(repository, &piece)?);
            }
            attributes(&mut Fields(&encoding))?
        }
        _ => return Err("attributes of an unknown form".into()),
    };
    if let Node::File(pieces) = &node {
        ensure(sum(pieces) == bytes, "pieces that do not add up to the file")?;
    }
    let link = (link_group != 0).then_some((link_group, inode));
    Ok(Entry { name, flags, mode: u32::try_from(mode)?, mtime, size: bytes, link, node, attributes })
}

fn time(fields: &mut Fields) -> Result<(i64, u32)> {
    let (zigzag, nanoseconds) = (fields.varint()?, fields.varint()?);
    let seconds = (zigzag >> 1).cast_signed() ^ -(zigzag & 1).cast_signed();
    Ok((seconds, u32::try_from(nanoseconds)?))
}

fn attributes(fields: &mut Fields) -> Result<Vec<(Vec<u8>, Vec<u8>)>> {
    (0..fields.varint()?).map(|_| Ok((fields.bytes()?, fields.bytes()?))).collect()
}

fn content(repository: &Repository, fields: &mut Fields) -> Result<Vec<Piece>> {
    let mut pieces = Vec::new();
    if fields.bool()? {
        let (list, level, count) = (fields.array()?, fields.u8()?, fields.varint()?);
        add_list(repository, &list, level, &mut pieces)?;
        ensure(pieces.len() as u64 == count, "a list with another number of pieces")?;
    } else {
        for _ in 0..fields.varint()? {
            pieces.push(piece(fields)?);
        }
    }
    Ok(pieces)
}

fn sum(pieces: &[Piece]) -> u64 {
    pieces.iter().fold(0, |sum, piece| sum.saturating_add(piece.length))
}

fn add_list(repository: &Repository, id: &Id, level: u8, pieces: &mut Vec<Piece>) -> Result<()> {
    let chunk = repository.chunk(2, id)?;
    let mut fields = Fields(&chunk);
    ensure((fields.u8()?, fields.u8()?) == (1, level), "a list of another version or level")?;
    while !fields.0.is_empty() {
        if level == 0 {
            pieces.push(piece(&mut fields)?);
            continue;
        }
        let (child, count, bytes) = (fields.array()?, fields.varint()?, fields.varint()?);
        let before = pieces.len();
        add_list(repository, &child, level - 1, pieces)?;
        let found = (pieces.len() - before, sum(&pieces[before..]));
        ensure(found == (usize::try_from(count)?, bytes), "a child with another number of pieces or bytes")?;
    }
    Ok(())
}

fn piece(fields: &mut Fields) -> Result<Piece> {
    let head = fields.varint()?;
    Ok(Piece { length: head >> 1, chunk: if head & 1 == 1 { None } else { Some(fields.array()?) } })
}

/// The bytes of a piece: a hole is zeros.
pub(crate) fn bytes_of(repository: &Repository, piece: &Piece) -> Result<Vec<u8>> {
    let Some(id) = piece.chunk else { return Ok(vec![0; usize::try_from(piece.length)?]) };
    let bytes = repository.chunk(0, &id)?;
    ensure(bytes.len() as u64 == piece.length, "a piece of another length than its chunk")?;
    Ok(bytes)
}
