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
    index::PackRow,
    observe::{Cancellation, Observer, Silent, Stage},
    parity::{CoveredPack, ParityBuilder, ParityList, RUN, SECTOR, checksum},
    repository::{Repository, View},
    store::put_object,
};
use rayon::prelude::*;
use reed_solomon_simd::engine::DefaultEngine;

use super::{
    can_have_parity, check_objects,
    code::SliceEncoder,
    enough::{give, standings},
    plan::{self, Group, Standing, groups, outliving, percent_to_outlive, wanting},
};
use crate::{
    Damage, VerifyOptions, ledger::Ledger, misread::tell_misread, object::check_object, packs::Packs,
    repair::list_packs_with,
};

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

/// A group of packs that got parity, or would.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParityGroup {
    /// Its packs.
    pub packs: u64,
    /// So many of them may be lost as a whole at once, whichever they are.
    pub may_lose: u64,
    /// What is stored for it: so many bytes may be damaged in it, wherever they are. Never less than a sector.
    pub recovery_bytes: u64,
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
    /// Packs that no segment names: of sessions that are under way, or were interrupted. They get none.
    pub packs_loose: u64,
    /// The groups that were made, or would be, in the order of their longest packs.
    pub groups: Vec<ParityGroup>,
    /// The smallest percentage with which another run leaves no pack that may not be lost as a whole; none when that is so already, when nothing was
    /// made, and where no percentage does that.
    pub percent_to_outlive: Option<u32>,
    /// Parity objects that were stored, or would be.
    pub objects: u64,
    /// Their bytes.
    pub stored_bytes: u64,
    /// Packs that are not as they were written and get no parity, parity that does not count; sorted by object.
    pub damage: Vec<Damage>,
    /// Damaged parity objects that sound ones take the place of, now or since an earlier run.
    pub replaced: Vec<Damage>,
    /// Objects that were read wrongly once and rightly the second time: no damage of the repository, but a machine to look at. Sorted.
    pub misread: Vec<String>,
    /// Time it took, by a clock that only goes forward.
    pub elapsed: Duration,
}

/// Adds recovery sectors to packs of a repository: damage within them, or the loss of one of a full group, can then be healed by
/// [`repair_packs`](crate::repair::repair_packs).
///
/// Packs that have enough already are left alone, so that it can be run again after every backup; only those of groups that are too small are taken
/// again, once, where they make a group with new ones that outlives the loss of a pack. Each pack is read once and proven; a damaged
/// one gets no parity. No lock is taken, no session announced: parity refers to packs and keeps none.
///
/// # Errors
/// [`Error::Invalid`] for an absurd percentage, or a wanted pack that the index does not name; [`Error::Store`] when the store does not
/// answer; [`Error::Cancelled`]: the groups that were finished stay.
pub fn add_parity(repository: &Repository, options: &ParityOptions) -> Result<ParityReport> {
    if !(1..=100).contains(&options.percent) {
        return Err(Error::Invalid { what: format!("{} % of parity: give 1 to 100", options.percent) });
    }
    let repository = &repository.as_stored().for_one_run();
    let begun = Instant::now();
    let looking = VerifyOptions {
        observer: Arc::clone(&options.observer),
        cancellation: options.cancellation.clone(),
        ..VerifyOptions::default()
    };
    let ledger = Ledger::new(&looking);
    let mut report = ParityReport::default();
    repository.workers().install(|| add(repository, options, &ledger, &mut report))?;
    let found = ledger.finish();
    (report.damage, report.replaced) = (found.damage, found.set_aside);
    report.misread = tell_misread(repository, &*options.observer);
    report.elapsed = begun.elapsed();
    Ok(report)
}

fn add(repository: &Repository, options: &ParityOptions, ledger: &Ledger<'_>, report: &mut ParityReport) -> Result<()> {
    ledger.stage(Stage::Structure);
    let backend = &**repository.backend();
    let mut view = repository.view()?;
    // Packs that a damaged segment alone names get none, and that is told.
    std::mem::take(&mut view.damage).into_iter().try_for_each(|error| ledger.blame(error))?;
    let mut named = BTreeMap::new();
    let packs = list_packs_with(repository, &view, ledger, &mut |row| _ = named.insert(row.id, *row))?;
    report.packs_loose = packs.listed().iter().filter(|pack| !named.contains_key(&pack.id)).count() as u64;
    let needed = needed(options, &view, &packs, &named, ledger)?;
    let parity = check_objects(backend, Some(repository.codec()), ledger, &|_| options.read_parity)?;
    let mut standings = standings(backend, &parity.sound, &needed, &packs, ledger)?;
    let needing: Vec<PackId> =
        needed.values().filter(|pack| can_have_parity(pack.stored_length.into())).map(|pack| pack.id).collect();

    let is_wanted = |pack: &PackId| options.packs.is_empty() || options.packs.contains(pack);
    standings.retain(|pack, _| is_wanted(pack));
    report.packs = standings.len() as u64;
    standings.retain(|_, standing| can_have_parity(standing.pack.stored_length.into()));
    report.packs_too_long = report.packs - standings.len() as u64;
    let wanting = wanting(&sorted(&standings), options.percent);
    let (outliving, lacking) = outliving(&wanting, options.percent);
    let groups: Vec<Group<'_>> = outliving.into_iter().chain(groups(&lacking, options.percent)).collect();
    let planned: BTreeSet<PackId> = groups.iter().flat_map(Group::packs).map(|pack| pack.id).collect();
    report.packs_skipped = (standings.len() - planned.len()) as u64;

    ledger.stage(Stage::ReadingData);
    ledger.expect_bytes(groups.iter().flat_map(Group::packs).map(|pack| u64::from(pack.stored_length)).sum());
    let mut added = BTreeSet::new();
    for group in groups {
        let list = match options.dry_run {
            true => ParityList::new(group.slices(), group.recovery(options.percent), group.packs().collect())?,
            false => {
                let Some((list, name, sealed)) = encode(repository, options, &group, ledger)? else { continue };
                put_object(backend, &name, &sealed)?;
                list
            }
        };
        let outlived = list.packs().iter().filter(|pack| list.most_in_slice(pack) <= list.recovery());
        report.packs_outlived += outlived.count() as u64;
        report.groups.push(ParityGroup {
            packs: list.packs().len() as u64,
            may_lose: list.most_lost_packs() as u64,
            recovery_bytes: (list.slices() * list.recovery() * SECTOR) as u64,
        });
        report.packs_added += list.packs().len() as u64;
        report.bytes_added += list.packs().iter().map(|pack| u64::from(pack.stored_length)).sum::<u64>();
        report.objects += 1;
        report.stored_bytes += list.stored_length();
        added.extend(list.packs().iter().map(|pack| pack.id));
        // What is only told of is not there for the next run.
        if !options.dry_run {
            give(&list, list.recovery(), list.packs().iter(), &mut standings);
        }
    }
    if report.groups.iter().any(|group| group.may_lose == 0) {
        // What could not be read gets no parity from another run, either.
        standings.retain(|pack, _| !planned.contains(pack) || added.contains(pack));
        report.percent_to_outlive = percent_to_outlive(&sorted(&standings), options.percent);
    }
    parity.set_replaced_aside(&needing, &added.into_iter().collect::<Vec<_>>(), ledger);
    Ok(())
}

/// In the order in which groups are made.
fn sorted(standings: &BTreeMap<PackId, Standing>) -> Vec<Standing> {
    let mut sorted = standings.values().copied().collect::<Vec<_>>();
    plan::sort(&mut sorted);
    sorted
}

/// The packs that the index names, that are as long as they should be, and not given up. Those that are not there are told.
fn needed(
    options: &ParityOptions,
    view: &View,
    packs: &Packs,
    named: &BTreeMap<PackId, PackRow>,
    ledger: &Ledger<'_>,
) -> Result<BTreeMap<PackId, CoveredPack>> {
    if let Some(unknown) = options.packs.iter().find(|pack| !named.contains_key(pack)) {
        return Err(Error::Invalid { what: format!("the index names no pack {unknown}: look at its id") });
    }
    let mut needed = BTreeMap::new();
    for row in named.values().filter(|row| view.is_usable(&row.id)) {
        match packs.fault(row) {
            Some(fault) => ledger.blame(fault)?,
            None => _ = needed.insert(row.id, CoveredPack { id: row.id, stored_length: row.stored_length }),
        }
    }
    Ok(needed)
}

/// Reads the packs of a group, one after another, and codes them. Nothing when none is left that can be.
fn encode(
    repository: &Repository,
    options: &ParityOptions,
    group: &Group<'_>,
    ledger: &Ledger<'_>,
) -> Result<Option<(ParityList, ObjectName, Sealed)>> {
    let engine = DefaultEngine::new();
    let (count, recovery) = (group.slices(), group.recovery(options.percent));
    let mut slices: Vec<SliceEncoder> = (0..count).map(|_| SliceEncoder::new(recovery)).collect();
    let (mut covered, mut checksums, mut next_run) = (Vec::new(), Vec::new(), 0);
    let mut bytes = Vec::new();
    for pack in group.packs() {
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
        covered.push(pack);
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
