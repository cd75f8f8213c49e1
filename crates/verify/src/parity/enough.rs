//! What parity gives already, and to which packs.

use std::collections::{BTreeMap, BTreeSet};

use lbak_core::{
    backend::Backend,
    error::Result,
    id::PackId,
    parity::{CoveredPack, ParityObject},
};

use super::Healer;
use crate::{ledger::Ledger, packs::Packs};

/// Packs that have parity.
#[derive(Default)]
pub(super) struct Enough {
    /// As much as is wanted.
    pub(super) covered: BTreeSet<PackId>,
    /// Of those, packs that may be lost as a whole.
    pub(super) outlived: BTreeSet<PackId>,
}

/// Tells what these parity objects give to the packs that need it.
///
/// What nothing needs any more, because it was reclaimed or is marked as damaged, wants no parity; but those of its sectors that are not as they
/// were are lost to the others of its group. So a pack with one bad sector, healed and marked, costs its group one recovery sector of a slice, and one that
/// was reclaimed as many as it had.
///
/// # Errors
/// When the store does not answer; [`Error::Cancelled`](lbak_core::error::Error::Cancelled).
pub(super) fn enough(
    backend: &dyn Backend,
    objects: &[ParityObject],
    needed: &BTreeMap<PackId, CoveredPack>,
    packs: &Packs,
    percent: u32,
    ledger: &Ledger<'_>,
) -> Result<Enough> {
    let healer = &Healer { backend, objects: Vec::new(), ledger };
    let mut enough = Enough::default();
    for object in objects {
        ledger.check_cancelled()?;
        let list = &object.list;
        let left = list.recovery().saturating_sub(most_lost(healer, object, needed, packs)?);
        let needing = || list.packs().iter().filter(|pack| needed.get(&pack.id) == Some(pack));
        let sectors: usize = needing().map(CoveredPack::sectors).sum();
        if left * list.slices() * 100 >= sectors * percent as usize {
            enough.covered.extend(needing().map(|pack| pack.id));
            enough.outlived.extend(needing().filter(|pack| list.most_in_slice(pack) <= left).map(|pack| pack.id));
        }
    }
    Ok(enough)
}

/// The most sectors that one slice has lost with packs that nothing needs any more.
fn most_lost(
    healer: &Healer<'_>,
    object: &ParityObject,
    needed: &BTreeMap<PackId, CoveredPack>,
    packs: &Packs,
) -> Result<usize> {
    let list = &object.list;
    let mut lost = BTreeMap::<usize, usize>::new();
    for (position, pack) in list.packs().iter().enumerate().filter(|(_, pack)| needed.get(&pack.id) != Some(pack)) {
        let sectors = match packs.get(&pack.id) {
            Some(_) => healer.lost_sectors(object, position)?,
            None => (0..pack.sectors()).collect(),
        };
        for place in sectors.into_iter().filter_map(|sector| list.place(position, sector)) {
            *lost.entry(place.slice).or_default() += 1;
        }
    }
    Ok(lost.into_values().max().unwrap_or_default())
}
