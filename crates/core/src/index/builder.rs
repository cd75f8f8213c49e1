//! Collects what packs hold and makes a sealed segment of it.

use bytes::Bytes;

use super::{
    filter::Filter,
    layout::{MOST_RECORDS, PAGES_FROM, SUMMARY, Summary, TRAILER},
    record::{
        ChunkRow, IdPrefix, PACK_ROW, PACKS_IN_PAGE, PAGE, PackRow, RECORD, RECORDS_IN_PAGE, pack_number_of, prefix_of,
    },
};
use crate::{
    backend::{ObjectName, Sealed},
    codec::{Codec, Domain, Kind, Sealer},
    error::{Error, Result},
    id::{SegmentId, SessionId},
};

/// Collects records until they become a segment. Costs 41 bytes per record, and as much again with 15 for the filter in
/// [`finish`](Self::finish).
#[derive(Debug, Default)]
pub struct SegmentBuilder {
    packs: Vec<PackRow>,
    records: Vec<[u8; RECORD]>,
}

impl SegmentBuilder {
    /// Nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a pack with its chunks, all or none of them. A pack without chunks is passed over: nothing could refer to it.
    ///
    /// # Errors
    /// [`Error::TooLarge`] when the segment would hold more than [`MOST_RECORDS`]; [`Error::Invalid`] for a chunk that can not lie
    /// where its row says.
    pub fn add_pack(&mut self, pack: PackRow, chunks: &[ChunkRow]) -> Result<()> {
        if chunks.is_empty() {
            return Ok(());
        }
        if chunks.len() > MOST_RECORDS as usize - self.records.len() {
            return Err(Error::TooLarge { what: "an index segment".into(), limit: format!("{MOST_RECORDS} records") });
        }
        let invalid =
            |what: String| Err(Error::Invalid { what: format!("pack {} can not be indexed: {what}", pack.id) });
        if !matches!(pack.header.kind, Kind::DataPack | Kind::TreePack) {
            return invalid(format!("its header is that of a {:?}", pack.header.kind));
        }
        for chunk in chunks {
            if let Some(wrong) = chunk.wrong().or_else(|| chunk.wrong_in(&pack)) {
                return invalid(format!("chunk {}: {wrong}", chunk.id));
            }
        }
        let number = u32::try_from(self.packs.len()).expect("each pack has a record, of which there are at most 2^20");
        self.packs.push(pack);
        self.records.extend(chunks.iter().map(|chunk| chunk.encode(number)));
        Ok(())
    }

    /// What a merge has collected: records whose pack numbers are places in `packs`, both checked when they were read. Equal
    /// records become one.
    pub(super) fn from_merge(packs: Vec<PackRow>, mut records: Vec<[u8; RECORD]>) -> Self {
        records.sort_unstable();
        records.dedup();
        Self { packs, records }
    }

    /// How many chunks were added.
    #[must_use]
    pub fn record_count(&self) -> usize {
        self.records.len()
    }

    /// Sorts, seals and names the segment.
    ///
    /// # Errors
    /// [`Error::Invalid`] without any record, and for a kind that is no segment's.
    pub fn finish(mut self, codec: &Codec, kind: Kind, session: SessionId) -> Result<(ObjectName, Sealed)> {
        let name: fn(SegmentId) -> ObjectName = match kind {
            Kind::Segment => ObjectName::Segment,
            Kind::MergedSegment => ObjectName::MergedSegment,
            _ => return Err(Error::Invalid { what: format!("an index segment can not be a {kind:?}") }),
        };
        self.sort();
        let (Some(first), Some(last)) = (self.records.first(), self.records.last()) else {
            return Err(Error::Invalid { what: "an index segment without records".into() });
        };
        let filter = Filter::build(self.records.iter().map(|record| prefix(record).filter_key()).collect()).encode();
        let summary = Summary {
            records: count(self.records.len()),
            packs: count(self.packs.len()),
            filter_length: count(filter.len() + crate::codec::TAG),
            smallest: prefix(first),
            largest: prefix(last),
        };
        let sealer = codec.sealer(kind, session)?;
        let bytes = self.seal(&sealer, &summary, &filter);
        let id = SegmentId(*blake3::hash(&bytes).as_bytes());
        Ok((name(id), Sealed::from_sealer(Bytes::from(bytes))))
    }

    /// Sorts by id, then pack name, then place, so that the order of adding leaves no trace.
    fn sort(&mut self) {
        let packs = &self.packs;
        let pack = |record: &[u8; RECORD]| packs.get(pack_number_of(record) as usize).map(|pack| pack.id);
        self.records.sort_unstable_by(|one, other| {
            prefix_of(one).cmp(prefix_of(other)).then_with(|| pack(one).cmp(&pack(other))).then_with(|| one.cmp(other))
        });
    }

    fn seal(&self, sealer: &Sealer, summary: &Summary, filter: &[u8]) -> Vec<u8> {
        let length = usize::try_from(summary.stored_length()).expect("2^20 records take less than 200 MB");
        let mut bytes = Vec::with_capacity(length);
        bytes.extend_from_slice(&sealer.header().encode());
        append(sealer, Domain::Summary, 0, &mut bytes, &summary.encode());
        debug_assert_eq!(bytes.len(), PAGES_FROM, "header and summary, {SUMMARY} bytes");
        let records = self.records.chunks(RECORDS_IN_PAGE as usize);
        for (number, page) in (0..).zip(records.clone()) {
            append_page(sealer, Domain::Page, number, &mut bytes, page.as_flattened());
        }
        let mut rows: Vec<[u8; PACK_ROW]> = Vec::with_capacity(PACKS_IN_PAGE as usize);
        for (number, page) in (0..).zip(self.packs.chunks(PACKS_IN_PAGE as usize)) {
            rows.clear();
            rows.extend(page.iter().map(PackRow::encode));
            append_page(sealer, Domain::PackTable, number, &mut bytes, rows.as_flattened());
        }
        let fences: Vec<[u8; 8]> =
            records.filter_map(|page| page.first()).map(|record| prefix(record).fence().to_be_bytes()).collect();
        append(sealer, Domain::Fences, 0, &mut bytes, fences.as_flattened());
        append(sealer, Domain::Filter, 0, &mut bytes, filter);
        bytes.extend_from_slice(&[0; TRAILER]);
        debug_assert_eq!(bytes.len(), length, "the summary tells the length of the whole");
        bytes
    }
}

fn prefix(record: &[u8; RECORD]) -> IdPrefix {
    IdPrefix(*prefix_of(record))
}

fn count(number: usize) -> u32 {
    u32::try_from(number).expect("parts of at most 2^20 records")
}

fn append(sealer: &Sealer, domain: Domain, number: u64, bytes: &mut Vec<u8>, plain: &[u8]) {
    let from = bytes.len();
    bytes.extend_from_slice(plain);
    sealer.seal_tail(domain, number, &[], bytes, from);
}

/// Appends a page, filled with zeros.
fn append_page(sealer: &Sealer, domain: Domain, number: u64, bytes: &mut Vec<u8>, plain: &[u8]) {
    let from = bytes.len();
    bytes.extend_from_slice(plain);
    bytes.resize(from + PAGE, 0);
    sealer.seal_tail(domain, number, &[], bytes, from);
}
