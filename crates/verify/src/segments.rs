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

/// For every pack that a segment names: its row and how many records name it.
pub(crate) type Named = HashMap<PackId, (Arc<PackRow>, u32)>;

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
    judge_segments(repository, counted, ledger, &|_, named, _| {
        for (row, records) in named.into_values() {
            packs.name(&row, records);
        }
    })
}

/// Checks every segment and shows `take` each one that counts, the packs that it names, and whether it is sound.
///
/// # Errors
/// When the store does not answer.
pub(crate) fn judge_segments(
    repository: &Repository,
    counted: &[Arc<Segment>],
    ledger: &Ledger<'_>,
    take: &(dyn Fn(&Arc<Segment>, Named, bool) + Sync),
) -> Result<()> {
    let backend = &**repository.backend();
    let by_name: HashMap<&ObjectName, &Arc<Segment>> =
        counted.iter().map(|segment| (segment.name(), segment)).collect();
    let names = list_names(backend, Folder::Index.prefix())?;
    names.par_iter().try_for_each(|(name, size)| {
        ledger.check_cancelled()?;
        let Some(segment) = by_name.get(name) else {
            let checked = check_object(backend, name, *size, ledger, &mut |_| {});
            return match ledger.has(&name.to_string()) {
                // It would count if it could be opened.
                true => ledger.outlive(checked).map(|_| ()),
                // A segment that was replaced, or that no round names: nobody asks it.
                false => ledger.outlive_aside(checked),
            };
        };
        let (named, is_sound) = judge_twice(repository, segment, *size, ledger)?;
        if !is_sound {
            segment.mark_hurt();
        }
        take(segment, named, is_sound);
        Ok(())
    })
}

/// Reads a segment that is not as it should be once more, from where it lies: what was read may have been spoiled on its way.
fn judge_twice(repository: &Repository, segment: &Segment, size: u64, ledger: &Ledger<'_>) -> Result<(Named, bool)> {
    let quiet = ledger.quiet();
    let (named, is_sound) = judge_segment(repository, segment, size, &Ledger::new(&quiet))?;
    if is_sound {
        ledger.read(size);
        return Ok((named, is_sound));
    }
    repository.backend().forget_cached(segment.name());
    let (named, is_sound) = judge_segment(repository, segment, size, ledger)?;
    if is_sound {
        repository.misread().note(segment.name());
    }
    Ok((named, is_sound))
}

/// The packs that a segment names, and whether it is sound.
///
/// # Errors
/// When the store does not answer.
pub(crate) fn judge_segment(
    repository: &Repository,
    segment: &Segment,
    size: u64,
    ledger: &Ledger<'_>,
) -> Result<(Named, bool)> {
    let checked = check_object(&**repository.backend(), segment.name(), size, ledger, &mut |_| {});
    let is_whole = ledger.outlive(checked)?.is_some();
    let guides = check_guides(repository, segment);
    let checked = ledger.outlive(guides.and_then(|guides| check_records(segment, &guides, ledger)))?;
    let (named, is_right) = checked.unwrap_or_default();
    Ok((named, is_whole && is_right))
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

/// The packs that it names, and whether nothing is wrong with it.
fn check_records(segment: &Segment, guides: &Guides, ledger: &Ledger<'_>) -> Result<(Named, bool)> {
    let (name, summary) = (segment.name(), segment.summary());
    let mut is_right = true;
    let mut damaged = |what: &str| {
        is_right = false;
        ledger.damage(name, what);
    };
    let mut named = Named::new();
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
    // A page that did not open took its records with it.
    if records != summary.records {
        damaged("it does not hold the records that its summary tells of");
    }
    Ok((named, is_right))
}
