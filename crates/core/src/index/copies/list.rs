//! The list of copies: which segments each group stands for.
//!
//! Names and sizes of segments are no secret: whoever sees the repository sees them. The keyed hash behind them tells that a client with
//! this key wrote the list.

use std::{fs, path::Path};

use serde::{Deserialize, Serialize};

use super::super::segment::Segment;
use crate::{
    backend::ObjectName,
    cache::CacheFolder,
    codec::{Codec, HEADER, Header},
    error::{Error, Result},
    id::{SegmentId, SessionId},
    wire,
};

const VERSION: u8 = 1;
const TAG: usize = 32;
/// What the list is called.
pub(super) const LIST: &str = "list";
/// No list of a folder that lbak wrote is larger.
const LARGEST: u64 = wire::LIMIT as u64 + TAG as u64;

/// All groups.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct List {
    pub(super) groups: Vec<Group>,
}

/// Copies that hold together exactly what some segments hold.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Group {
    pub(super) covers: Vec<Covered>,
    pub(super) copies: Vec<Copy>,
}

impl Group {
    pub(super) fn bytes(&self) -> u64 {
        self.copies.iter().map(|copy| copy.size).sum()
    }
}

/// A segment of the repository. Its name proves its bytes, so that what was read of it once is what it holds for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Covered {
    segment: SegmentId,
    is_merged: bool,
    pub(super) size: u64,
    /// Who wrote it: its records count no more when that session is buried.
    pub(super) session: SessionId,
}

impl Covered {
    pub(super) fn of(segment: &Segment) -> Self {
        let (id, is_merged) = match segment.name() {
            ObjectName::MergedSegment(id) => (*id, true),
            ObjectName::Segment(id) => (*id, false),
            other => unreachable!("{other} was opened as a segment"),
        };
        Self { segment: id, is_merged, size: segment.summary().stored_length(), session: segment.session() }
    }

    pub(super) fn name(&self) -> ObjectName {
        if self.is_merged { ObjectName::MergedSegment(self.segment) } else { ObjectName::Segment(self.segment) }
    }
}

/// A copy.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Copy {
    pub(super) segment: SegmentId,
    pub(super) size: u64,
    /// The random bytes of its header, under which all of it is sealed.
    pub(super) random: [u8; 32],
}

impl Copy {
    pub(super) fn new(segment: SegmentId, sealed: &[u8]) -> Result<Self> {
        let header = Header::parse("a copy", sealed.get(..HEADER).unwrap_or_default())?;
        Ok(Self { segment, size: sealed.len() as u64, random: header.random })
    }
}

impl List {
    /// The list of a folder, if there is one that a client with these keys wrote whole.
    pub(super) fn read(path: &Path, codec: &Codec) -> Option<Self> {
        if fs::metadata(path).ok()?.len() > LARGEST {
            return None;
        }
        let bytes = fs::read(path).ok()?;
        let (record, tag) = bytes.split_last_chunk::<TAG>()?;
        // Compared as hashes, in constant time.
        let is_ours = blake3::Hash::from_bytes(codec.keys().copies_tag(record)) == blake3::Hash::from_bytes(*tag);
        is_ours.then(|| wire::decode("a list of copies", VERSION, record).ok()).flatten()
    }

    pub(super) fn write(&self, folder: &CacheFolder, codec: &Codec) -> Result<()> {
        let mut bytes = wire::encode("a list of copies", VERSION, self)?;
        let tag = codec.keys().copies_tag(&bytes);
        bytes.extend_from_slice(&tag);
        folder.replace(LIST, &bytes).map_err(|error| Error::store("write", folder.path().display(), error.into()))
    }
}

/// What a copy is called.
pub(super) fn copy_name(id: SegmentId) -> String {
    blake3::Hash::from_bytes(id.0).to_hex().to_string()
}

/// Tells whether a file is called like a copy.
pub(super) fn is_copy_name(name: &str) -> bool {
    name.len() == 64 && name.bytes().all(|byte| byte.is_ascii_hexdigit())
}
