//! The verb `stats`: what snapshots refer to, and what of it no other snapshot refers to.
//!
//! Every tree and list of every snapshot is read, at most three times; every chunk is looked up in the index, which tells its
//! lengths. Two bytes are held for each chunk that the repository has.

mod owners;

mod reach;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use lbak_core::{
    browse::{Chunks, Findings},
    error::{Error, Result},
    id::SnapshotId,
    observe::{Cancellation, Finding, FindingKind, Silent},
    repository::Repository,
    snapshot::{Committed, FindingCount},
};

use self::{
    owners::{Owner, Owners},
    reach::Reach,
};

/// How it is done.
#[derive(Clone, Debug, Default)]
pub struct StatsOptions {
    /// Tell for each snapshot what it holds alone, besides what all of them together do. Costs a second look at what is shared.
    pub each: bool,
    /// Stops it.
    pub cancellation: Cancellation,
}

/// How much a set of chunks weighs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Weight {
    /// Different chunks: of content, of trees, of lists.
    pub chunks: u64,
    /// Their bytes.
    pub plain_bytes: u64,
    /// Their share of the sealed blocks that they lie in, by length. A block is given back only when none of its chunks is
    /// needed any more and its pack is written again, so this is what can be won, not what is won at once.
    pub stored_bytes: u64,
}

/// What one snapshot holds alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SnapshotWeight {
    /// The snapshot.
    pub snapshot: SnapshotId,
    /// Chunks that no other snapshot refers to.
    pub exclusive: Weight,
}

/// What the snapshots asked about hold.
#[derive(Clone, Debug, Default)]
pub struct StatsReport {
    /// All chunks that they refer to, each once.
    pub all: Weight,
    /// Those of them that no other snapshot refers to: what forgetting all of them would free.
    pub exclusive: Weight,
    /// With [`StatsOptions::each`], the same for each snapshot: what forgetting it alone would free. In the order asked.
    pub each: Vec<SnapshotWeight>,
    /// Findings by kind.
    pub finding_counts: Vec<FindingCount>,
    /// The first hundred findings.
    pub findings: Vec<Finding>,
    /// Trees and lists that could not be read, chunks that are in no segment: what they hold is not in the numbers, and
    /// less may be exclusive than is told.
    pub lost: u64,
}

/// Weighs these snapshots against all others that are committed and not forgotten.
///
/// Snapshots whose slots do not open can not be asked what they refer to: each is a finding.
///
/// # Errors
/// [`Error::NoSnapshot`] for an id that is not there, [`Error::Invalid`] for more than 65,533 with [`StatsOptions::each`],
/// trouble with the store.
pub fn stats(repository: &Repository, snapshots: &[SnapshotId], options: &StatsOptions) -> Result<StatsReport> {
    let repository = &repository.as_stored();
    let findings = Findings::new(Arc::new(Silent));
    let catalog = repository.catalog()?;
    for (session, error) in &catalog.damaged {
        findings.note(FindingKind::DamagedObject, format!("snapshots/{session}").into_bytes(), error);
    }
    let chunks = Chunks::open(repository, &findings, &options.cancellation)?;
    // Segments of this one stay where they are, whatever is read again later.
    let index = Arc::clone(chunks.reader().index());
    let marks = if options.each { snapshots.len() } else { 1 };
    let owners = Owners::new(&index.segments(), marks)?;
    let reach = Reach { chunks: &chunks, index: &index, owners: &owners, findings: &findings, told: Mutex::default() };
    let chosen: HashMap<SnapshotId, usize> = snapshots.iter().enumerate().map(|(place, id)| (*id, place)).collect();
    let (ours, others): (Vec<&Committed>, Vec<&Committed>) =
        catalog.snapshots.iter().partition(|snapshot| chosen.contains_key(&snapshot.manifest.id));
    if let Some(missing) = snapshots.iter().find(|id| !ours.iter().any(|snapshot| snapshot.manifest.id == **id)) {
        return Err(Error::NoSnapshot { asked: missing.to_string() });
    }
    repository.workers().install(|| {
        for snapshot in ours {
            let place = chosen.get(&snapshot.manifest.id).copied().unwrap_or(0);
            reach.walk(&snapshot.manifest, Owner::ours(if options.each { place } else { 0 }), &options.cancellation)?;
        }
        others.iter().try_for_each(|snapshot| reach.walk(&snapshot.manifest, Owner::Other, &options.cancellation))
    })?;

    let mut report = StatsReport { all: owners.all(), exclusive: owners.exclusive(), ..Default::default() };
    if options.each {
        let weights = snapshots.iter().enumerate();
        report.each =
            weights.map(|(place, &snapshot)| SnapshotWeight { snapshot, exclusive: owners.of(place) }).collect();
    }
    chunks.tell_misread(&findings);
    report.lost = findings.lost();
    (report.finding_counts, report.findings) = findings.take();
    Ok(report)
}
