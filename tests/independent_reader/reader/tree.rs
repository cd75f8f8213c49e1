//! Directories and the contents of files (section 8).

use super::{
    fields::{Fields, Id, Result, ensure},
    repository::Repository,
};

pub(crate) struct Entry {
    pub name: Vec<u8>,
    pub flags: u64,
    pub mode: u32,
    pub mtime: (i64, u32),
    /// What the names of one file have in common, unless a name stands alone.
    pub link: Option<(u64, u64)>,
    pub node: Node,
    pub attributes: Vec<(Vec<u8>, Vec<u8>)>,
}

pub(crate) enum Node {
    File(Vec<Piece>),
    Directory(Id),
    Symlink(Vec<u8>),
    /// A FIFO, device or socket: its kind, and the numbers of a device.
    Special(u8, Vec<u64>),
}

/// A run of a file's bytes: a chunk, or a hole.
pub(crate) struct Piece {
    pub length: u64,
    pub chunk: Option<Id>,
}

/// All entries of a directory, in the order of their names.
pub(crate) fn directory(repository: &Repository, id: &Id) -> Result<Vec<Entry>> {
    let items = items(repository, 1, id, None)?;
    let (mut fields, mut entries) = (Fields(&items), Vec::<Entry>::new());
    while !fields.0.is_empty() {
        entries.push(entry(repository, &mut fields)?);
    }
    ensure(entries.is_sorted_by(|a, b| a.name < b.name), "entries out of order")?;
    Ok(entries)
}

/// The items of level 0 below a node of a tree or a list, one after another; the root of a tree says its level itself.
pub(crate) fn items(repository: &Repository, kind: u8, id: &Id, level: Option<u8>) -> Result<Vec<u8>> {
    let chunk = repository.chunk(kind, id)?;
    let mut fields = Fields(&chunk);
    let (version, found) = (fields.u8()?, fields.u8()?);
    ensure(version == 1 && found == level.unwrap_or(found), "a node of another version or level")?;
    let mut below = Vec::new();
    while found > 0 && !fields.0.is_empty() {
        let (child, _items) = (fields.array()?, fields.varint()?);
        // Says where to look for a name or an offset; here everything is read.
        let _where = if kind == 1 { fields.bytes()?.len() as u64 } else { fields.varint()? };
        below.extend(items(repository, kind, &child, Some(found - 1))?);
    }
    below.extend(fields.0);
    Ok(below)
}

fn entry(repository: &Repository, fields: &mut Fields) -> Result<Entry> {
    let (name, kind, flags, mode) = (fields.bytes()?, fields.u8()?, fields.varint()?, fields.varint()?);
    ensure(flags < 64 && mode <= 0o7777, "unknown flags or bits of the mode")?;
    let _owner = (fields.varint()?, fields.varint()?, fields.bytes()?, fields.bytes()?);
    let (mtime, _ctime) = (time(fields)?, time(fields)?);
    let (bytes, inode, link_group) = (fields.varint()?, fields.varint()?, fields.varint()?);
    let node = match kind {
        0 => Node::File(content(repository, fields)?),
        1 => Node::Directory(fields.array()?),
        2 => Node::Symlink(fields.bytes()?),
        3 | 6 => Node::Special(kind, Vec::new()),
        4 | 5 => Node::Special(kind, vec![fields.varint()?, fields.varint()?]),
        _ => return Err("an entry of an unknown kind".into()),
    };
    let attributes = match fields.u8()? {
        0 => Vec::new(),
        1 => attributes(fields)?,
        2 => {
            let pieces = content(repository, fields)?;
            let encoding = pieces.iter().map(|piece| piece.bytes(repository)).collect::<Result<Vec<_>>>()?;
            attributes(&mut Fields(&encoding.concat()))?
        }
        _ => return Err("attributes of an unknown form".into()),
    };
    if let Node::File(pieces) = &node {
        let sum = pieces.iter().fold(0_u64, |sum, piece| sum.saturating_add(piece.length));
        ensure(sum == bytes, "pieces that do not add up to the file")?;
    }
    let link = (link_group != 0).then_some((link_group, inode));
    Ok(Entry { name, flags, mode: u32::try_from(mode)?, mtime, link, node, attributes })
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
    let form = fields.u8()?;
    ensure(form < 2, "content of an unknown form")?;
    if form == 0 {
        return (0..fields.varint()?).map(|_| Piece::read(fields)).collect();
    }
    let (list, level, count) = (fields.array()?, fields.u8()?, fields.varint()?);
    let items = items(repository, 2, &list, Some(level))?;
    let mut fields = Fields(&items);
    let pieces = (0..count).map(|_| Piece::read(&mut fields)).collect();
    ensure(fields.0.is_empty(), "a list with another number of pieces")?;
    pieces
}

impl Piece {
    pub(crate) fn read(fields: &mut Fields) -> Result<Self> {
        let head = fields.varint()?;
        Ok(Self { length: head >> 1, chunk: if head & 1 == 1 { None } else { Some(fields.array()?) } })
    }

    /// Its bytes: a hole is zeros.
    pub(crate) fn bytes(&self, repository: &Repository) -> Result<Vec<u8>> {
        let Some(id) = self.chunk else { return Ok(vec![0; usize::try_from(self.length)?]) };
        let bytes = repository.chunk(0, &id)?;
        ensure(bytes.len() as u64 == self.length, "a piece of another length than its chunk")?;
        Ok(bytes)
    }
}
