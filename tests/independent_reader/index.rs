//! Cross-checks the index against the packs (section 7). The reader itself does without it.

use std::collections::HashSet;

use crate::reader::{
    fields::{Fields, Id, Result, ensure},
    repository::{Place, Repository, names},
    seal::{HEADER, Opener},
};

/// Checks that every record of every segment says what its pack's directory says, and that every chunk of every pack
/// has a record; gives the number of records.
pub(crate) fn check(repository: &Repository) -> Result<usize> {
    let mut records = Vec::new();
    for name in names(&repository.folder, "index")? {
        records.extend(segment(repository, &name).map_err(|error| format!("{name}: {error}"))?);
    }
    let in_index: HashSet<Record> = records.iter().cloned().collect();
    let short = |(id, places): (&Id, &Vec<Place>)| {
        let id = Fields(id).array()?;
        Ok(places.iter().map(|place| (id, place.clone())).collect::<Vec<Record>>())
    };
    let in_packs = repository.chunks.iter().map(short).collect::<Result<Vec<_>>>()?;
    ensure(in_index == in_packs.into_iter().flatten().collect(), "the index and the packs tell different things")?;
    Ok(records.len())
}

type Record = ([u8; 20], Place);

fn segment(repository: &Repository, name: &str) -> Result<Vec<Record>> {
    let (opener, object) = repository.get_hashed(name, &[6, 7])?;
    ensure(name.starts_with("index/m-") == (opener.header[4] == 7), "a segment under the other kind's name")?;
    let mut parts = Fields(&object);
    parts.take(HEADER)?;
    let summary = opener.open(6, 0, b"", parts.take(144)?)?;
    let mut summary = Fields(&summary);
    ensure(summary.u32()? == 1, "a segment of an unknown version")?;
    let (records, pages, packs) = (summary.count(4)?, summary.count(4)?, summary.count(4)?);
    let (fences_length, filter_length) = (summary.count(4)?, summary.count(4)?);
    let (smallest, largest) = (summary.array::<20>()?, summary.array::<20>()?);
    ensure(summary.0.iter().all(|byte| *byte == 0), "a summary not filled with zeros")?;
    ensure(pages == records.div_ceil(24) && fences_length == 8 * pages + 16, "a summary that contradicts itself")?;
    let pages = paged(&opener, 2, &mut parts, records, 24, 41)?;
    let rows = paged(&opener, 3, &mut parts, packs, 10, 96)?;
    let fences = opener.open(4, 0, b"", parts.take(fences_length)?)?;
    let filter = opener.open(5, 0, b"", parts.take(filter_length)?)?;
    ensure(parts.0 == [0; 2], "a signature can not be checked")?;

    let rows = rows.iter().map(|row| pack(repository, row)).collect::<Result<Vec<_>>>()?;
    let found = pages.iter().map(|record| place(record, &rows)).collect::<Result<Vec<_>>>()?;
    ensure(found.is_sorted_by_key(|(id, place)| (*id, place.pack)), "records out of order")?;
    ensure(found.first().is_some_and(|(id, _)| *id == smallest), "another smallest id")?;
    ensure(found.last().is_some_and(|(id, _)| *id == largest), "another largest id")?;
    let firsts: Vec<u8> = found.iter().step_by(24).flat_map(|(id, _)| id[..8].to_vec()).collect();
    ensure(fences == firsts, "fences that are not the pages' first ids")?;
    for (id, _) in &found {
        ensure(may_contain(&filter, id)?, "a filter that holds back what is there")?;
    }
    Ok(found)
}

/// Opens pages of so many items each and gives the items.
fn paged(
    opener: &Opener,
    domain: u32,
    parts: &mut Fields,
    items: usize,
    per_page: usize,
    length: usize,
) -> Result<Vec<Vec<u8>>> {
    let mut found = Vec::new();
    for page in 0..items.div_ceil(per_page) {
        let plain = opener.open(domain, page as u64, b"", parts.take(1024)?)?;
        let mut fields = Fields(&plain);
        for _ in 0..per_page.min(items - page * per_page) {
            found.push(fields.take(length)?.to_vec());
        }
        ensure(fields.0.iter().all(|byte| *byte == 0), "a page not filled with zeros")?;
    }
    Ok(found)
}

/// A row of the pack table: its header is the pack's own.
fn pack(repository: &Repository, row: &[u8]) -> Result<Id> {
    let mut row = Fields(row);
    let (pack, length, front, back) = (row.array::<32>()?, row.count(4)?, row.array::<12>()?, row.array::<48>()?);
    let (_, object) = repository.get_pack(&pack)?;
    ensure(object.len() == length, "a pack of another length")?;
    let exponent = length.max(2).ilog2();
    let step = 4096.max(1 << (exponent - exponent.ilog2() - 1));
    ensure(length >= 16_384 && length.is_multiple_of(step), "a length that tells of the content")?;
    let directory_length = Fields(&object[length - 6..]).count(4)?;
    ensure(directory_length % 1024 == 16, "a directory's length that tells of the content")?;
    ensure(object[4..16] == front && object[32..80] == back, "a pack with another header")?;
    Ok(pack)
}

fn place(record: &[u8], packs: &[Id]) -> Result<Record> {
    let mut record = Fields(record);
    let id = record.array()?;
    let pack = *packs.get(record.count(4)?).ok_or("a pack that is not in the table")?;
    let (block_offset, sealed_length, plain_length) = (record.count(4)?, record.count(3)?, record.count(3)?);
    let (offset, length, kind) = (record.count(3)?, record.count(3)?, record.u8()?);
    Ok((id, Place { pack, block_offset, sealed_length, plain_length, kind, offset, length }))
}

/// Section 7.1.
fn may_contain(filter: &[u8], id: &[u8; 20]) -> Result<bool> {
    let mut fields = Fields(filter);
    let (seed, windows, bits) = (fields.integer(8)?, fields.integer(4)?, fields.integer(4)?);
    let fingerprints = fields.0;
    if windows == 0 {
        return Ok(true);
    }
    let key = Fields(id).integer(8)?;
    let window = 1_u64.checked_shl(u32::try_from(bits).unwrap_or(64)).ok_or("a window that is too wide")?;
    ensure(fingerprints.len() as u64 == (windows + 2) * window, "a filter of another length")?;
    let hash = mix(key.wrapping_add(seed));
    let product = (u128::from(hash) * u128::from(windows * window)) >> 64;
    let first = u64::try_from(product)?;
    let second = (first + window) ^ ((hash >> 18) & (window - 1));
    let third = (first + 2 * window) ^ (hash & (window - 1));
    let found =
        [first, second, third].iter().fold(0, |found, at| found ^ fingerprints[usize::try_from(*at).unwrap_or(0)]);
    Ok(found == (hash ^ (hash >> 32)).to_le_bytes()[0])
}

fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    x = (x ^ (x >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    x ^ (x >> 33)
}
