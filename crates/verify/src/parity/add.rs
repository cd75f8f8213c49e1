//! Adds parity to packs that have none, or too little. Only adds: each object stands for itself, so that whoever is stopped has lost
//! nothing but the group under way.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::{Duration, Instant},
};

use lbak_core::{
    backend::{ObjectName, Sealed},
    error::{Error, Result},
    id::PackId,
    observe::{Cancellation, Observer, Silent, Stage},
    parity::{CoveredPack, LARGEST_COVERED, ParityBuilder, ParityList, ParityObject, RUN, SECTOR, checksum},
    repository::Repository,
    store::put_object,
};
use rayon::prelude::*;
use reed_solomon_simd::engine::DefaultEngine;

use super::{
    check_objects,
    code::SliceEncoder,
    plan::{Group, groups},
};
use crate::{Damage, VerifyOptions, ledger::Ledger, object::check_object, packs::Packs};

/// How parity is added.
#[derive(Clone)]
pub struct ParityOptions {
    /// Tell what would be done, change nothing.
    pub dry_run: bool,
    /// How much of a group of packs may be lost: 1 to 100. So much is stored for it.
    pub percent: u32,
    /// Which packs; all that the index names when there are none.
    pub packs: Vec<PackId>,
    /// Read the parity that is there already; what is damaged does not count.
    pub read_parity: bool,
    /// Hears of progress and damage.
    pub observer: Arc<dyn Observer>,
    /// Stops it.
    pub cancellation: Cancellation,
}

impl Default for ParityOptions {
    fn default() -> Self {
        Self {
            dry_run: false,
            percent: 5,
            packs: Vec::new(),
            read_parity: false,
            observer: Arc::new(Silent),
            cancellation: Cancellation::default(),
        }
    }
}

impl std::fmt::Debug for ParityOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ParityOptions").field("percent", &self.percent).finish_non_exhaustive()
    }
}

/// What came of [`add_parity`].
#[derive(Clone, Debug, Default)]
pub struct ParityReport {
    /// Packs that were looked at: wanted, and named by the index.
    pub packs: u64,
    /// Of those, packs that had enough already.
    pub packs_skipped: u64,
    /// Packs that have parity now, or would have.
    pub packs_added: u64,
    /// Their bytes.
    pub bytes_added: u64,
    /// Of those, packs of which any one in its group may be lost as a whole.
    pub packs_outlived: u64,
    /// Packs that are too long to be held while they are healed: they get none.
    pub packs_too_long: u64,
    /// Parity objects that were stored, or would be.
    pub objects: u64,
    /// Their bytes.
    pub stored_bytes: u64,
    /// Packs that are not as they were written and get no parity, parity that does not count; sorted by object.
    pub damage: Vec<Damage>,
    /// Time it took, by a clock that only goes forward.
    pub elapsed: Duration,
}

/// Adds recovery sectors to packs of a repository: damage within them, or the loss of one of a full group, can then be healed by
/// [`repair_packs`](crate::repair::repair_packs).
///
/// Packs that have enough already are left alone, so that it can be run again after every backup. Each pack is read once and proven; a damaged
/// one gets no parity. No lock is taken, no session announced: parity refers to packs and keeps none.
///
/// # Errors
/// [`Error::Invalid`] for an absurd percentage, or a wanted pack that the index does not name; [`Error::Store`] when the store does not
/// answer; [`Error::Cancelled`]: the groups that were finished stay.
pub fn add_parity(repository: &Repository, options: &ParityOptions) -> Result<ParityReport> {
    if !(1..=100).contains(&options.percent) {
        return Err(Error::Invalid { what: format!("{} % of parity: give 1 to 100", options.percent) });
    }
    let repository = &repository.as_stored();
    let begun = Instant::now();
    let looking = VerifyOptions {
        observer: Arc::clone(&options.observer),
        cancellation: options.cancellation.clone(),
        ..VerifyOptions::default()
    };
    let ledger = Ledger::new(&looking);
    let mut report = ParityReport::default();
    repository.workers().install(|| add(repository, options, &ledger, &mut report))?;
    report.damage = ledger.finish().damage;
    report.elapsed = begun.elapsed();
    Ok(report)
}

fn add(repository: &Repository, options: &ParityOptions, ledger: &Ledger<'_>, report: &mut ParityReport) -> Result<()> {
    ledger.stage(Stage::Structure);
    let backend = &**repository.backend();
    let packs = Packs::list(backend)?;
    let candidates = candidates(repository, options, &packs)?;
    report.packs = candidates.len() as u64;
    let parity = check_objects(backend, Some(repository.codec()), ledger, &|_| options.read_parity)?;
    let enough: BTreeSet<PackId> = parity
        .sound
        .iter()
        .filter(|object| is_enough(object, &packs, options.percent))
        .flat_map(ParityObject::packs)
        .collect();
    let (skipped, lacking): (Vec<_>, Vec<_>) = candidates.into_values().partition(|pack| enough.contains(&pack.id));
    report.packs_skipped = skipped.len() as u64;
    let (lacking, too_long): (Vec<_>, Vec<_>) =
        lacking.into_iter().partition(|pack| (1..=LARGEST_COVERED).contains(&pack.stored_length));
    report.packs_too_long = too_long.len() as u64;

    ledger.stage(Stage::ReadingData);
    ledger.expect_bytes(lacking.iter().map(|pack| u64::from(pack.stored_length)).sum());
    for group in groups(lacking, options.percent as usize) {
        let list = match options.dry_run {
            true => ParityList::new(group.slices(), group.recovery(options.percent as usize), group.packs)?,
            false => {
                let Some((list, name, sealed)) = encode(repository, options, &group, ledger)? else { continue };
                put_object(backend, &name, &sealed)?;
                list
            }
        };
        let outlived = list.packs().iter().filter(|pack| list.most_in_slice(pack) <= list.recovery());
        report.packs_outlived += outlived.count() as u64;
        report.packs_added += list.packs().len() as u64;
        report.bytes_added += list.packs().iter().map(|pack| u64::from(pack.stored_length)).sum::<u64>();
        report.objects += 1;
        report.stored_bytes += list.stored_length();
    }
    Ok(())
}

/// The wanted packs that the index names and that are there, as long as they should be and not given up.
fn candidates(
    repository: &Repository,
    options: &ParityOptions,
    packs: &Packs,
) -> Result<BTreeMap<PackId, CoveredPack>> {
    let view = repository.view()?;
    let mut named = BTreeMap::new();
    for segment in view.index.segments() {
        for row in segment.pack_rows()? {
            named.insert(row.id, CoveredPack { id: row.id, stored_length: row.stored_length });
        }
    }
    let is_wanted = |pack: &PackId| options.packs.is_empty() || options.packs.contains(pack);
    if let Some(unknown) = options.packs.iter().find(|pack| !named.contains_key(pack)) {
        return Err(Error::Invalid { what: format!("the index names no pack {unknown}: look at its id") });
    }
    named.retain(|id, covered| {
        let is_there = packs.get(id).is_some_and(|listed| listed.size == u64::from(covered.stored_length));
        is_wanted(id) && is_there && view.is_usable(id)
    });
    Ok(named)
}

/// Tells whether a parity object still gives so much to the packs that are there: those that were reclaimed are lost sectors to it.
fn is_enough(object: &ParityObject, packs: &Packs, percent: u32) -> bool {
    let list = &object.list;
    let is_there =
        |pack: &&CoveredPack| packs.get(&pack.id).is_some_and(|listed| listed.size == u64::from(pack.stored_length));
    let (there, gone): (Vec<_>, Vec<_>) = list.packs().iter().partition(is_there);
    let gone: usize = gone.into_iter().map(|pack| list.most_in_slice(pack)).sum();
    let sectors: usize = there.into_iter().map(CoveredPack::sectors).sum();
    list.recovery().saturating_sub(gone) * list.slices() * 100 >= sectors * percent as usize
}

/// Reads the packs of a group, one after another, and codes them. Nothing when none is left that can be.
fn encode(
    repository: &Repository,
    options: &ParityOptions,
    group: &Group,
    ledger: &Ledger<'_>,
) -> Result<Option<(ParityList, ObjectName, Sealed)>> {
    let engine = DefaultEngine::new();
    let (count, recovery) = (group.slices(), group.recovery(options.percent as usize));
    let mut slices: Vec<SliceEncoder> = (0..count).map(|_| SliceEncoder::new(recovery)).collect();
    let (mut covered, mut checksums, mut next_run) = (Vec::new(), Vec::new(), 0);
    let mut bytes = Vec::new();
    for pack in &group.packs {
        bytes.clear();
        let (name, length) = (ObjectName::Pack(pack.id), pack.stored_length.into());
        let read =
            check_object(&**repository.backend(), &name, length, ledger, &mut |read| bytes.extend_from_slice(read));
        // Parity over what is damaged would keep the damage.
        if ledger.outlive(read)?.is_none() {
            continue;
        }
        checksums.par_extend(bytes.par_chunks(SECTOR).map(checksum));
        slices.par_iter_mut().enumerate().for_each(|(slice, encoder)| {
            let first = (slice + count - next_run % count) % count;
            for run in bytes.chunks(RUN * SECTOR).skip(first).step_by(count) {
                // A short run is filled up: the next one begins at a place of its own.
                let sectors = run.chunks(SECTOR).chain(std::iter::repeat(&[][..])).take(RUN);
                sectors.for_each(|sector| encoder.push(&engine, sector));
            }
        });
        next_run += pack.runs();
        covered.push(*pack);
    }
    drop(bytes);
    // Of what was to be a large group, next to nothing could be read.
    if next_run < count {
        return Ok(None);
    }
    let list = ParityList::new(count, recovery, covered)?;
    let slices: Vec<Vec<[u8; 64]>> = slices.into_par_iter().map(|slice| slice.finish(&engine)).collect();
    let mut builder = ParityBuilder::begin(repository.codec(), &list)?;
    for slice in slices {
        checksums.extend(slice.as_flattened().chunks(SECTOR).map(checksum));
        builder.push(slice.as_flattened());
    }
    builder.push(checksums.as_flattened());
    let (name, sealed) = builder.finish();
    Ok(Some((list, name, sealed)))
}
