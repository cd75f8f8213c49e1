//! Segments of the index: each whole, every part opened and compared with the others.

use std::{collections::HashMap, sync::Arc};

use lbak_core::{
    backend::{Folder, ObjectName},
    codec::{Domain, Header, TAG},
    error::{Error, Result},
    id::PackId,
    index::{Fences, Filter, IdPrefix, PackRow, Segment, parse_fences},
    repository::Repository,
    store::list_names,
};
use rayon::prelude::*;

use crate::{ledger::Ledger, object::check_object, packs::Packs};

/// Length of a segment's empty signature.
const TRAILER: u64 = 2;
/// Records in a full page.
const RECORDS_IN_PAGE: u32 = 24;

/// Checks every segment and counts for every pack how many records name it.
///
/// # Errors
/// When the store does not answer.
pub(crate) fn check_segments(
    repository: &Repository,
    counted: &[Arc<Segment>],
    packs: &Packs,
    ledger: &Ledger<'_>,
) -> Result<()> {
    let backend = &**repository.backend();
    let by_name: HashMap<&ObjectName, &Arc<Segment>> =
        counted.iter().map(|segment| (segment.name(), segment)).collect();
    let names = list_names(backend, Folder::Index.prefix())?;
    names.par_iter().try_for_each(|(name, size)| {
        ledger.check_cancelled()?;
        ledger.outlive(check_object(backend, name, *size, ledger, &mut |_| {}))?;
        // A segment that was replaced, or that no round names, only has to be what was written.
        if let Some(segment) = by_name.get(name) {
            ledger.outlive(
                check_guides(repository, segment).and_then(|guides| check_records(segment, &guides, packs, ledger)),
            )?;
        }
        Ok(())
    })
}

/// What leads to the page of an id.
struct Guides {
    fences: Fences,
    filter: Filter,
}

fn check_guides(repository: &Repository, segment: &Segment) -> Result<Guides> {
    let (name, summary) = (segment.name(), segment.summary());
    let object = name.to_string();
    let read = |offset: u64, length: u64| {
        let bytes = repository.backend().get_range(name, offset, length);
        bytes.map(Vec::from).map_err(|error| Error::store("read", name, error))
    };
    let header = Header::parse(&object, &read(0, 80)?)?;
    let opener = repository.codec().opener(&object, &header)?;
    // From the end: trailer, filter, fences.
    let fences_length = u64::from(summary.pages()) * 8 + TAG as u64;
    let filter_at = summary.stored_length() - TRAILER - u64::from(summary.filter_length);
    let mut sealed = read(filter_at - fences_length, fences_length)?;
    let fences = parse_fences(&object, summary.pages(), opener.open(Domain::Fences, 0, &[], &mut sealed)?)?;
    let mut sealed = read(filter_at, u64::from(summary.filter_length))?;
    let filter = Filter::parse(&object, opener.open(Domain::Filter, 0, &[], &mut sealed)?)?;
    Ok(Guides { fences, filter })
}

fn check_records(segment: &Segment, guides: &Guides, packs: &Packs, ledger: &Ledger<'_>) -> Result<()> {
    let (name, summary) = (segment.name(), segment.summary());
    let damaged = |what: &str| ledger.damage(name, what);
    let mut named: HashMap<PackId, (Arc<PackRow>, u32)> = HashMap::new();
    let (mut last, mut records): (Option<IdPrefix>, u32) = (None, 0);
    for record in segment.records()? {
        let Some(record) = ledger.outlive(record)? else { continue };
        records += 1;
        let id = record.id;
        if last.is_some_and(|last| id < last) || id < summary.smallest || summary.largest < id {
            damaged("its records are out of order, or outside of what its summary says");
        }
        last = Some(id);
        let key = u64::from_le_bytes(*id.0.first_chunk().expect("a prefix has 20 bytes"));
        if !guides.filter.contains(key) || !guides.fences.pages_of(&id).contains(&(record.number / RECORDS_IN_PAGE)) {
            damaged("its filter or its fences hide a record");
        }
        named.entry(record.location.pack.id).or_insert_with(|| (Arc::clone(&record.location.pack), 0)).1 += 1;
    }
    if records != summary.records {
        damaged("it does not hold the records that its summary tells of");
    }
    for (row, records) in named.into_values() {
        packs.name(&row, records);
    }
    Ok(())
}
