//! Which packs make a group. Nothing is read here.

use std::collections::BTreeSet;

use lbak_core::{
    id::PackId,
    parity::{CoveredPack, MOST_IN_SLICE, MOST_SECTORS, RUN, SECTOR},
};

/// Recovery sectors of a group that is large enough: 16 MiB, a pack's length, which 5 % of twenty packs are.
const ENOUGH: usize = (16 << 20) / SECTOR;
/// No group is made larger than this to cover the loss of a whole pack.
const LARGE: usize = ENOUGH * 3 / 2;
/// With what was left over at the end, it may be larger.
const LARGEST: usize = ENOUGH * 3;
/// Packs of a group.
const PACKS: usize = 2048;

/// A group that is to be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Group {
    pub(super) packs: Vec<CoveredPack>,
    sectors: usize,
    runs: usize,
}

impl Group {
    fn add(&mut self, pack: CoveredPack) {
        self.sectors += pack.sectors();
        self.runs += pack.runs();
        self.packs.push(pack);
    }

    /// As few as keep a slice small enough to be decoded in memory.
    pub(super) fn slices(&self) -> usize {
        (self.runs * RUN).div_ceil(MOST_IN_SLICE).next_power_of_two()
    }

    /// Recovery sectors of each slice.
    pub(super) fn recovery(&self, percent: usize) -> usize {
        (self.sectors * percent).div_ceil(100 * self.slices()).max(1)
    }

    /// Tells whether the longest of its packs may be lost as a whole: the first one.
    fn outlives_a_pack(&self, percent: usize) -> bool {
        let most = |pack: &CoveredPack| (pack.runs().div_ceil(self.slices()) * RUN).min(pack.sectors());
        self.packs.first().is_none_or(|pack| most(pack) <= self.recovery(percent))
    }

    fn is_full(&self, percent: usize) -> bool {
        let recovery = self.sectors * percent / 100;
        recovery >= LARGE || self.packs.len() >= PACKS || (recovery >= ENOUGH && self.outlives_a_pack(percent))
    }
}

/// Groups of packs of about the same length, the longest first: what covers the loss of a pack is not wasted on shorter ones.
pub(super) fn groups(mut packs: Vec<CoveredPack>, percent: usize) -> Vec<Group> {
    packs.sort_unstable_by_key(|pack| (std::cmp::Reverse(pack.stored_length), pack.id));
    let mut groups: Vec<Group> = Vec::new();
    let mut open = Group::default();
    for pack in packs {
        open.add(pack);
        if open.is_full(percent) {
            groups.push(std::mem::take(&mut open));
        }
    }
    match groups.last_mut() {
        // Too little alone to outlive the loss of a pack; together with the last group it does.
        Some(last)
            if (last.sectors + open.sectors) * percent / 100 <= LARGEST
                && last.sectors + open.sectors <= MOST_SECTORS / 2 =>
        {
            open.packs.into_iter().for_each(|pack| last.add(pack));
        }
        _ if open.packs.is_empty() => {}
        _ => groups.push(open),
    }
    groups
}

/// Groups of packs that lack parity. Packs whose groups are too small to outlive the loss of one are taken with them where that makes a group
/// that does: many small backups come to what one large one has, and no pack is taken again after that.
pub(super) fn groups_with(lacking: Vec<CoveredPack>, weak: Vec<CoveredPack>, percent: usize) -> Vec<Group> {
    let is_weak: BTreeSet<PackId> = weak.iter().map(|pack| pack.id).collect();
    let all = groups([lacking, weak].concat(), percent);
    let (mut outliving, others): (Vec<_>, Vec<_>) = all.into_iter().partition(|group| group.outlives_a_pack(percent));
    let lacking = others.into_iter().flat_map(|group| group.packs).filter(|pack| !is_weak.contains(&pack.id));
    outliving.extend(groups(lacking.collect(), percent));
    outliving
}

/// The smallest percentage, from this one on, with which every group outlives the loss of one of its packs; none when there is none.
pub(super) fn percent_to_outlive(packs: &[CoveredPack], percent: u32) -> Option<u32> {
    (percent..=100).find(|&percent| {
        let groups = groups(packs.to_vec(), percent as usize);
        groups.iter().all(|group| group.outlives_a_pack(percent as usize))
    })
}

#[cfg(test)]
mod tests {
    use lbak_core::parity::ParityList;

    use super::*;

    fn pack(number: usize, stored_length: u32) -> CoveredPack {
        CoveredPack { id: PackId(*blake3::hash(&number.to_le_bytes()).as_bytes()), stored_length }
    }

    #[test]
    fn twenty_packs_of_one_length_outlive_the_loss_of_one() {
        let groups = groups((0..50).map(|number| pack(number, 16 << 20)).collect(), 5);
        assert_eq!(groups.iter().map(|group| group.packs.len()).collect::<Vec<_>>(), [20, 30]);
        assert!(groups.iter().all(|group| group.outlives_a_pack(5)));
        assert_eq!(groups[0].recovery(5) * groups[0].slices() * SECTOR, 16 << 20);
    }

    #[test]
    fn packs_of_small_groups_are_taken_again_where_that_makes_a_large_one() {
        let some = |numbers: std::ops::Range<usize>| numbers.map(|number| pack(number, 16 << 20)).collect::<Vec<_>>();
        let lengths = |groups: &[Group]| groups.iter().map(|group| group.packs.len()).collect::<Vec<_>>();
        assert_eq!(lengths(&groups_with(some(0..1), some(1..19), 5)), [1], "nineteen would not outlive one either");
        assert_eq!(lengths(&groups_with(some(0..1), some(1..20), 5)), [20]);
        assert_eq!(lengths(&groups_with(some(0..0), some(1..9), 5)), [0; 0]);
        // What is too small with all of them keeps what it has.
        let small = vec![pack(99, 64 << 20)];
        assert_eq!(lengths(&groups_with(small, some(1..5), 5)), [1]);
    }

    #[test]
    fn the_smallest_percentage_that_is_enough_is_found() {
        let some = |count, length| (0..count).map(|number| pack(number, length)).collect::<Vec<_>>();
        for (packs, percent, enough) in [
            (some(20, 16 << 20), 5, Some(5)),
            (some(19, 16 << 20), 5, Some(6)),
            (some(3, 16 << 20), 1, Some(34)),
            (some(1, 4096), 5, Some(5)),
            (some(1, 1 << 20), 5, Some(100)),
            (some(0, 0), 5, Some(5)),
        ] {
            assert_eq!(percent_to_outlive(&packs, percent), enough, "{} packs", packs.len());
        }
    }

    #[test]
    fn every_pack_is_in_one_group_and_every_group_can_be_stored() {
        let random = |number: usize| lbak_testkit::objects::noise(number as u64, 4);
        for case in 0..400 {
            let most = [100_000, 18 << 20, 64 << 20][case % 3];
            let percent = [1, 5, 7, 33, 100][case % 5];
            let length = |number: usize| {
                let random = random(case * 1000 + number);
                u32::from_le_bytes([random[0], random[1], random[2], random[3]]) % most + 1
            };
            let packs: Vec<_> = (0..1 + case).map(|number| pack(number, length(number))).collect();
            let groups = groups(packs.clone(), percent);
            assert_eq!(groups.iter().map(|group| group.packs.len()).sum::<usize>(), packs.len());
            for group in &groups {
                let list = ParityList::new(group.slices(), group.recovery(percent), group.packs.clone());
                assert!(list.is_ok(), "case {case}: {list:?}");
            }
        }
    }
}
