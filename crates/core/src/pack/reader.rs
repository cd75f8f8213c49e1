//! Reads a pack's own directory: for verification, for rebuilding the index, for readers without one.

use super::directory::Directory;
use crate::{
    backend::Backend,
    backend::ObjectName,
    codec::{Codec, Domain, HEADER, Header, TAG},
    error::{Error, Result},
    id::PackId,
};

/// Length of what stands behind the directory.
pub const TRAILER: usize = 4 + 2;

/// Most bytes of a pack: the index has 32 bits for its length, and for where a block lies in it.
pub const LARGEST_PACK: u64 = u32::MAX as u64;

/// Reads the trailer of a pack of `stored_length` bytes and returns where its directory begins and how long it is.
///
/// # Errors
/// [`Error::Damaged`] when that can not be, [`Error::Newer`] for a signature.
pub fn parse_trailer(object: &str, trailer: [u8; TRAILER], stored_length: u64) -> Result<(u64, u64)> {
    if stored_length > LARGEST_PACK {
        return Err(Error::damaged(object, format!("it has {stored_length} bytes, more than any such object")));
    }
    let [a, b, c, d, signature @ ..] = trailer;
    let length = u64::from(u32::from_le_bytes([a, b, c, d]));
    if signature != [0, 0] {
        return Err(Error::Newer { object: object.to_owned(), needs: "signatures".into() });
    }
    stored_length
        .checked_sub(length + TRAILER as u64)
        .filter(|&start| start >= HEADER as u64 && length > TAG as u64)
        .map(|start| (start, length))
        .ok_or_else(|| Error::damaged(object, format!("its directory can not be {length} bytes long")))
}

/// Reads header and directory of a stored pack with three small range reads.
///
/// # Errors
/// [`Error::Damaged`] when it is not what was written; [`Error::Store`] when it can not be read.
pub fn read_directory(
    backend: &dyn Backend,
    codec: &Codec,
    id: PackId,
    stored_length: u64,
) -> Result<(Header, Directory)> {
    let name = ObjectName::Pack(id);
    let object = name.to_string();
    let read = |offset: u64, length: u64| {
        backend.get_range(&name, offset, length).map_err(|error| Error::store("read", &object, error))
    };
    let trailer_at = stored_length
        .checked_sub(TRAILER as u64)
        .ok_or_else(|| Error::damaged(&object, format!("it is only {stored_length} bytes long")))?;
    let trailer = read(trailer_at, TRAILER as u64)?;
    let trailer = trailer[..].try_into().map_err(|_| Error::damaged(&object, "its trailer is cut"))?;
    let (start, length) = parse_trailer(&object, trailer, stored_length)?;
    let header = Header::parse(&object, &read(0, HEADER as u64)?)?;
    let mut sealed = read(start, length)?.to_vec();
    let opener = codec.opener(&object, &header)?;
    let plain = opener.open(Domain::Directory, 0, &[], &mut sealed)?;
    Ok((header, Directory::parse(&object, plain, start)?))
}
