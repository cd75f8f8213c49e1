//! What parity gives already, and to which packs.

use std::collections::BTreeMap;

use lbak_core::{
    backend::Backend,
    error::Result,
    id::PackId,
    parity::{CoveredPack, ParityList, ParityObject},
};

use super::{Healer, plan::Standing};
use crate::{ledger::Ledger, packs::Packs};

/// Tells what these parity objects give to the packs that need it.
///
/// What nothing needs any more, because it was reclaimed or is marked as damaged, wants no parity; but those of its sectors that are not as they
/// were are lost to the others of its group. So a pack with one bad sector, healed and marked, costs its group one recovery sector of a slice, and one that
/// was reclaimed as many as it had.
///
/// # Errors
/// When the store does not answer; [`Error::Cancelled`](lbak_core::error::Error::Cancelled).
pub(super) fn standings(
    backend: &dyn Backend,
    objects: &[ParityObject],
    needed: &BTreeMap<PackId, CoveredPack>,
    packs: &Packs,
    ledger: &Ledger<'_>,
) -> Result<BTreeMap<PackId, Standing>> {
    let healer = &Healer { backend, objects: Vec::new(), ledger };
    let mut standings: BTreeMap<PackId, Standing> =
        needed.values().map(|pack| (pack.id, Standing::new(*pack))).collect();
    for object in objects {
        ledger.check_cancelled()?;
        let left = object.list.recovery().saturating_sub(most_lost(healer, object, needed, packs)?);
        let needing = object.list.packs().iter().filter(|pack| needed.get(&pack.id) == Some(pack));
        give(&object.list, left, needing, &mut standings);
    }
    Ok(standings)
}

/// Notes what an object gives to those of its packs that need it, when so many recovery sectors of each slice are left.
pub(super) fn give<'p>(
    list: &ParityList,
    left: usize,
    needing: impl Iterator<Item = &'p CoveredPack> + Clone,
    standings: &mut BTreeMap<PackId, Standing>,
) {
    let sectors: usize = needing.clone().map(CoveredPack::sectors).sum();
    let percent = (left * list.slices() * 100).checked_div(sectors).unwrap_or_default().min(100);
    for pack in needing {
        if let Some(standing) = standings.get_mut(&pack.id) {
            standing.take(u32::try_from(percent).expect("at most 100"), list.most_in_slice(pack) <= left);
        }
    }
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
