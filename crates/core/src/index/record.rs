//! What a segment holds: records of chunks, rows of packs, and the pages that they are stored in.
//!
//! ```text
//! record 41: id prefix 20 · pack number u32 · block offset u32 · sealed length u24 · block length u24 · offset u24 · length u24 · flags
//! row 96:    pack id 32 · stored length u32 · header bytes 4–15 · header bytes 32–79
//! page 1008: as many as fit, then zeros
//! ```

use std::{fmt, sync::Arc};

use crate::{
    backend::ObjectName,
    chunk::LARGEST_CHUNK,
    codec::{HEADER, Header, Kind, TAG},
    error::{Error, Result},
    id::{ChunkId, ChunkKind, PackId, RepositoryId},
};

/// Bytes of a record.
pub(super) const RECORD: usize = 41;
/// Bytes of a row of the pack table.
pub(super) const PACK_ROW: usize = 96;
/// Plain bytes of a page, of records or of pack rows.
pub(super) const PAGE: usize = 1_008;
/// Bytes of a sealed page.
pub(super) const SEALED_PAGE: usize = PAGE + TAG;
/// Records in a page that is full.
pub(super) const RECORDS_IN_PAGE: u32 = 24;
/// Rows in a page of the pack table that is full.
pub(super) const PACKS_IN_PAGE: u32 = 10;

const KIND_BITS: u8 = 0b11;
const HAS_BASE: u8 = 0x80;
const LARGEST_U24: u32 = (1 << 24) - 1;

/// The first 20 bytes of a chunk id: as much of it as the index stores.
///
/// Two of 2³⁰ chunks share them with a probability of 2⁻¹⁰¹; who reads a chunk compares the full id anyway.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IdPrefix(pub [u8; 20]);

impl From<&ChunkId> for IdPrefix {
    fn from(id: &ChunkId) -> Self {
        Self(*id.0.first_chunk().expect("an id has 32 bytes"))
    }
}

impl fmt::Display for IdPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for IdPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IdPrefix({self})")
    }
}

impl IdPrefix {
    /// Sorts like the ids themselves.
    pub(super) fn fence(&self) -> u64 {
        u64::from_be_bytes(self.first_eight())
    }

    pub(super) fn filter_key(&self) -> u64 {
        u64::from_le_bytes(self.first_eight())
    }

    fn first_eight(&self) -> [u8; 8] {
        *self.0.first_chunk().expect("a prefix has 20 bytes")
    }
}

/// A pack that records refer to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PackRow {
    /// Its name.
    pub id: PackId,
    /// Length of the whole object.
    pub stored_length: u32,
    /// Its header: blocks are opened with this one and no other, so that one range read suffices.
    pub header: Header,
}

/// A chunk as it lies in a pack: with its id as the pack's writer gives it, with the beginning of it as the index does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChunkRow<Id = ChunkId> {
    /// Its id.
    pub id: Id,
    /// What it holds.
    pub kind: ChunkKind,
    /// Whether it is stored as a difference from another chunk.
    pub has_base: bool,
    /// Where its block begins in the pack.
    pub block_offset: u32,
    /// Length of the sealed block with its tag.
    pub sealed_length: u32,
    /// Length of the block when decoded.
    pub block_length: u32,
    /// Where the chunk begins in the decoded block.
    pub offset: u32,
    /// Length of the chunk.
    pub length: u32,
}

/// Where a chunk lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    /// The pack.
    pub pack: Arc<PackRow>,
    /// Where the block begins in the pack.
    pub block_offset: u32,
    /// Length of the sealed block with its tag.
    pub sealed_length: u32,
    /// Length of the block when decoded.
    pub block_length: u32,
    /// Where the chunk begins in the decoded block.
    pub offset: u32,
    /// Length of the chunk.
    pub length: u32,
    /// What the chunk holds.
    pub kind: ChunkKind,
    /// Whether it is stored as a difference from another chunk.
    pub has_base: bool,
}

impl Location {
    /// A row in its pack. `object` is the segment that says so.
    pub(super) fn new(object: &str, row: &ChunkRow<IdPrefix>, pack: Arc<PackRow>) -> Result<Self> {
        if let Some(wrong) = row.wrong_in(&pack) {
            return Err(Error::damaged(object, format!("its record of chunk {} is wrong: {wrong}", row.id)));
        }
        let &ChunkRow { kind, has_base, block_offset, sealed_length, block_length, offset, length, .. } = row;
        Ok(Self { pack, block_offset, sealed_length, block_length, offset, length, kind, has_base })
    }
}

impl<Id> ChunkRow<Id> {
    /// What no writer would have written, whatever the pack.
    pub(super) fn wrong(&self) -> Option<&'static str> {
        let is_wide = |value: u32| value > LARGEST_U24;
        if is_wide(self.sealed_length) || is_wide(self.block_length) || is_wide(self.offset) || is_wide(self.length) {
            return Some("a length does not fit 24 bits");
        }
        if self.length > LARGEST_CHUNK {
            return Some("the chunk is longer than any chunk");
        }
        if self.offset + self.length > self.block_length {
            return Some("the chunk reaches beyond its block");
        }
        // A block has a codec byte at least.
        if self.sealed_length as usize <= TAG {
            return Some("the block is shorter than its seal");
        }
        if (self.block_offset as usize) < HEADER {
            return Some("the block lies in the pack's header");
        }
        None
    }

    /// What no writer would have written about this pack.
    pub(super) fn wrong_in(&self, pack: &PackRow) -> Option<&'static str> {
        let end = u64::from(self.block_offset) + u64::from(self.sealed_length);
        (end > u64::from(pack.stored_length)).then_some("the block reaches beyond its pack")
    }
}

impl ChunkRow {
    /// Writes the stored form. The row was checked.
    pub(super) fn encode(&self, pack: u32) -> [u8; RECORD] {
        let mut bytes = [0; RECORD];
        bytes[..20].copy_from_slice(&IdPrefix::from(&self.id).0);
        bytes[20..24].copy_from_slice(&pack.to_le_bytes());
        bytes[24..28].copy_from_slice(&self.block_offset.to_le_bytes());
        bytes[28..31].copy_from_slice(&self.sealed_length.to_le_bytes()[..3]);
        bytes[31..34].copy_from_slice(&self.block_length.to_le_bytes()[..3]);
        bytes[34..37].copy_from_slice(&self.offset.to_le_bytes()[..3]);
        bytes[37..40].copy_from_slice(&self.length.to_le_bytes()[..3]);
        bytes[40] = self.kind as u8 | if self.has_base { HAS_BASE } else { 0 };
        bytes
    }
}

/// The beginning of a record: the records of a page are sorted by it.
pub(super) fn prefix_of(record: &[u8; RECORD]) -> &[u8; 20] {
    record.first_chunk().expect("a record has 41 bytes")
}

/// The number of a record's pack in the pack table.
pub(super) fn pack_number_of(record: &[u8; RECORD]) -> u32 {
    u32::from_le_bytes([record[20], record[21], record[22], record[23]])
}

/// A record of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The number of its pack in the segment's pack table.
    pub pack: u32,
    /// The chunk.
    pub chunk: ChunkRow<IdPrefix>,
}

/// Reads a record; `None` when its flags are none that this version knows.
fn decode(record: &[u8; RECORD]) -> Option<Entry> {
    let u24 = |at: usize| u32::from_le_bytes([record[at], record[at + 1], record[at + 2], 0]);
    let flags = record[40];
    let chunk = ChunkRow {
        id: IdPrefix(*prefix_of(record)),
        kind: ChunkKind::from_number(flags & KIND_BITS).filter(|_| flags & !(KIND_BITS | HAS_BASE) == 0)?,
        has_base: flags & HAS_BASE != 0,
        block_offset: u32::from_le_bytes([record[24], record[25], record[26], record[27]]),
        sealed_length: u24(28),
        block_length: u24(31),
        offset: u24(34),
        length: u24(37),
    };
    Some(Entry { pack: pack_number_of(record), chunk })
}

/// A page of records that was opened and checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    records: Box<[[u8; RECORD]]>,
}

impl Page {
    /// How many records there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Tells whether there is no record; never so in a page that was parsed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// The record at a position.
    #[must_use]
    pub fn get(&self, position: usize) -> Option<Entry> {
        self.records.get(position).and_then(decode)
    }

    /// The stored form of the record at a position.
    pub(super) fn stored(&self, position: usize) -> Option<&[u8; RECORD]> {
        self.records.get(position)
    }
}

/// Those of a checked page's records that are of one id, with their positions.
pub(super) fn records_of<'a>(
    records: &'a [[u8; RECORD]],
    id: &IdPrefix,
) -> impl Iterator<Item = (u32, Entry)> + use<'a> {
    let id = id.0;
    let first = records.partition_point(|record| *prefix_of(record) < id);
    let records = records.iter().enumerate().skip(first).take_while(move |(_, record)| *prefix_of(record) == id);
    records.filter_map(|(position, record)| Some((u32::try_from(position).ok()?, decode(record)?)))
}

/// The records of a page that was checked.
pub(super) fn records_in(plain: &[u8; PAGE], records: u32) -> &[[u8; RECORD]] {
    plain.as_chunks().0.get(..records as usize).unwrap_or_default()
}

/// Reads page `number`, which must hold `records` records of `packs` packs.
///
/// # Errors
/// [`Error::Damaged`] when a record is out of order or says what can not be; [`Error::Newer`] for flags that this version does not know.
pub fn parse_page(object: &str, number: u32, records: u32, packs: u32, plain: &[u8]) -> Result<Page> {
    check_page(object, number, records, packs, plain).map(|records| Page { records: records.into() })
}

/// The same without a copy.
pub(super) fn check_page<'a>(
    object: &str,
    number: u32,
    records: u32,
    packs: u32,
    plain: &'a [u8],
) -> Result<&'a [[u8; RECORD]]> {
    let damaged = |wrong: &str| Error::damaged(object, format!("page {number}: {wrong}"));
    if !(1..=RECORDS_IN_PAGE).contains(&records) {
        return Err(damaged("no page holds so many records"));
    }
    let records = split_page::<RECORD>(plain, records as usize).ok_or_else(|| damaged("its size is wrong"))?;
    for record in records {
        let entry = decode(record).ok_or_else(|| Error::Newer {
            object: object.to_owned(),
            needs: format!("index records with flags {:#04x}", record[40]),
        })?;
        if let Some(wrong) = entry.chunk.wrong() {
            return Err(damaged(wrong));
        }
        if entry.pack >= packs {
            return Err(damaged("a record names a pack that is not in the table"));
        }
    }
    if !records.is_sorted_by_key(prefix_of) {
        return Err(damaged("its records are out of order"));
    }
    Ok(records)
}

/// Reads page `number` of the pack table, which must hold `packs` rows.
///
/// # Errors
/// [`Error::Damaged`] when a row is not that of a pack; [`Error::Newer`] for a pack that this version can not read.
pub fn parse_pack_page(
    object: &str,
    repository: RepositoryId,
    number: u32,
    packs: u32,
    plain: &[u8],
) -> Result<Vec<Arc<PackRow>>> {
    let damaged = |wrong: &str| Error::damaged(object, format!("page {number} of its pack table: {wrong}"));
    if !(1..=PACKS_IN_PAGE).contains(&packs) {
        return Err(damaged("no page holds so many packs"));
    }
    let rows = split_page::<PACK_ROW>(plain, packs as usize).ok_or_else(|| damaged("its size is wrong"))?;
    rows.iter().map(|row| PackRow::decode(object, repository, number, row).map(Arc::new)).collect()
}

/// Reads the row at one place of page `number` of the pack table, which must hold it.
pub(super) fn parse_pack(
    object: &str,
    repository: RepositoryId,
    number: u32,
    place: u32,
    plain: &[u8; PAGE],
) -> Result<PackRow> {
    let row = plain.as_chunks().0.get(place as usize);
    let row =
        row.ok_or_else(|| Error::damaged(object, format!("page {number} of its pack table has no row {place}")))?;
    PackRow::decode(object, repository, number, row)
}

impl PackRow {
    /// Reads the stored form, a row of page `number`.
    fn decode(object: &str, repository: RepositoryId, number: u32, row: &[u8; PACK_ROW]) -> Result<Self> {
        let mut header = [0; HEADER];
        header[..4].copy_from_slice(b"lbak");
        header[4..16].copy_from_slice(&row[36..48]);
        header[16..32].copy_from_slice(&repository.0);
        header[32..].copy_from_slice(&row[48..]);
        let id = PackId(*row.first_chunk().expect("a row has 96 bytes"));
        let header = Header::parse(object, &header).map_err(|error| match error {
            // The segment is as it should be: the pack is what this version can not read.
            Error::Newer { needs, .. } => Error::Newer { object: ObjectName::Pack(id).to_string(), needs },
            error => error,
        })?;
        if !matches!(header.kind, Kind::DataPack | Kind::TreePack) {
            let what = format!("page {number} of its pack table: it names something that is no pack");
            return Err(Error::damaged(object, what));
        }
        let stored_length = u32::from_le_bytes([row[32], row[33], row[34], row[35]]);
        Ok(Self { id, stored_length, header })
    }

    /// Writes the stored form.
    pub(super) fn encode(&self) -> [u8; PACK_ROW] {
        let (mut bytes, header) = ([0; PACK_ROW], self.header.encode());
        bytes[..32].copy_from_slice(&self.id.0);
        bytes[32..36].copy_from_slice(&self.stored_length.to_le_bytes());
        bytes[36..48].copy_from_slice(&header[4..16]);
        bytes[48..].copy_from_slice(&header[32..]);
        bytes
    }
}

/// The first `count` pieces of a page, when it has a page's size and only zeros behind them.
fn split_page<const N: usize>(plain: &[u8], count: usize) -> Option<&[[u8; N]]> {
    let (pieces, zeros) = plain.split_at_checked(count * N).filter(|_| plain.len() == PAGE)?;
    zeros.iter().all(|&byte| byte == 0).then_some(pieces.as_chunks().0)
}
