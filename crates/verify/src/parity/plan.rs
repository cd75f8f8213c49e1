//! Which packs make a group. Nothing is read here.

use lbak_core::parity::{CoveredPack, MOST_IN_SLICE, MOST_SECTORS, RUN, SECTOR};

/// Recovery sectors of a group that is large enough: 16 MiB, a pack's length, which 5 % of twenty packs are.
const ENOUGH: usize = (16 << 20) / SECTOR;
/// No group is made larger than this to cover the loss of a whole pack.
const LARGE: usize = ENOUGH * 3 / 2;
/// With what was left over at the end, it may be larger.
const LARGEST: usize = ENOUGH * 3;
/// Packs of a group.
const PACKS: usize = 2048;

/// A pack, and what the parity that is there gives to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Standing {
    pub(super) pack: CoveredPack,
    /// The highest percentage for which that is enough.
    pub(super) covered: u32,
    /// The highest for which it is enough and the pack may be lost as a whole.
    pub(super) outlived: u32,
}

impl Standing {
    /// A pack without parity.
    pub(super) fn new(pack: CoveredPack) -> Self {
        Self { pack, covered: 0, outlived: 0 }
    }

    /// What an object gives to it that is enough for so many per cent.
    pub(super) fn take(&mut self, percent: u32, is_outlived: bool) {
        self.covered = self.covered.max(percent);
        if is_outlived {
            self.outlived = self.outlived.max(percent);
        }
    }
}

/// The order in which groups are made, the longest packs first: what covers the loss of a pack is not wasted on shorter ones.
pub(super) fn sort(standings: &mut [Standing]) {
    standings.sort_unstable_by_key(|standing| (std::cmp::Reverse(standing.pack.stored_length), standing.pack.id));
}

/// A group that is to be: packs that follow each other in the order of groups.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Group<'a> {
    standings: &'a [Standing],
    sectors: usize,
    runs: usize,
}

impl<'a> Group<'a> {
    /// The first so many of these, which begin with those of this group.
    fn with_next(self, standings: &'a [Standing], next: &CoveredPack) -> Self {
        let standings = standings.get(..=self.standings.len()).unwrap_or(standings);
        Self { standings, sectors: self.sectors + next.sectors(), runs: self.runs + next.runs() }
    }

    /// Its packs, the longest first.
    pub(super) fn packs(&self) -> impl Iterator<Item = CoveredPack> + use<'a> {
        self.standings.iter().map(|standing| standing.pack)
    }

    /// As few as keep a slice small enough to be decoded in memory.
    pub(super) fn slices(&self) -> usize {
        (self.runs * RUN).div_ceil(MOST_IN_SLICE).next_power_of_two()
    }

    /// Recovery sectors of each slice.
    pub(super) fn recovery(&self, percent: u32) -> usize {
        (self.sectors * percent as usize).div_ceil(100 * self.slices()).max(1)
    }

    /// Tells whether the longest of its packs may be lost as a whole: the first one.
    fn outlives_a_pack(&self, percent: u32) -> bool {
        let most = |pack: CoveredPack| (pack.runs().div_ceil(self.slices()) * RUN).min(pack.sectors());
        self.packs().next().is_none_or(|pack| most(pack) <= self.recovery(percent))
    }

    fn is_full(&self, percent: u32) -> bool {
        let recovery = self.sectors * percent as usize / 100;
        recovery >= LARGE || self.standings.len() >= PACKS || (recovery >= ENOUGH && self.outlives_a_pack(percent))
    }
}

/// Groups of packs of about the same length, which are sorted.
pub(super) fn groups(sorted: &[Standing], percent: u32) -> Vec<Group<'_>> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    let (mut open, mut first) = (Group::default(), 0);
    for (place, standing) in sorted.iter().enumerate() {
        open = open.with_next(&sorted[first..], &standing.pack);
        if open.is_full(percent) {
            groups.push(std::mem::take(&mut open));
            first = place + 1;
        }
    }
    match groups.last_mut() {
        // Too little alone to outlive the loss of a pack; together with the last group it does.
        Some(last)
            if (last.sectors + open.sectors) * percent as usize / 100 <= LARGEST
                && last.sectors + open.sectors <= MOST_SECTORS / 2 =>
        {
            let behind = &sorted[first - last.standings.len()..];
            *last = open.packs().fold(*last, |last, pack| last.with_next(behind, &pack));
        }
        _ if open.standings.is_empty() => {}
        _ => groups.push(open),
    }
    groups
}

/// The packs that a run with this percentage may take: those that lack parity, and those whose groups are too small to outlive the loss of one.
pub(super) fn wanting(sorted: &[Standing], percent: u32) -> Vec<Standing> {
    sorted.iter().filter(|standing| standing.outlived < percent).copied().collect()
}

/// The groups of these that outlive the loss of a pack; and the others of them that lack parity, which come to groups of their own.
///
/// Packs that have parity are taken again only where that makes such a group: many small backups come to what one large one has, and no pack is
/// taken again after that.
pub(super) fn outliving(wanting: &[Standing], percent: u32) -> (Vec<Group<'_>>, Vec<Standing>) {
    let (outliving, others): (Vec<_>, Vec<_>) =
        groups(wanting, percent).into_iter().partition(|group| group.outlives_a_pack(percent));
    let others = others.iter().flat_map(|group| group.standings);
    (outliving, others.filter(|standing| standing.covered < percent).copied().collect())
}

/// The smallest percentage above this one with which another run leaves no pack that may not be lost; none when there is none.
///
/// That run covers anew what lacks parity by then, and keeps what has enough: who is covered with more than that is in none of its groups.
pub(super) fn percent_to_outlive(sorted: &[Standing], percent: u32) -> Option<u32> {
    let mut wanting = Vec::new();
    (percent + 1..=100).find(|&percent| {
        // They become more only: the same number are the same.
        if sorted.iter().filter(|standing| standing.outlived < percent).count() != wanting.len() {
            wanting = self::wanting(sorted, percent);
        }
        is_outlived(&wanting, percent)
    })
}

/// Tells whether a run makes groups of these that all outlive the loss of a pack, and leaves none out.
fn is_outlived(wanting: &[Standing], percent: u32) -> bool {
    let (outliving, lacking) = outliving(wanting, percent);
    let made = outliving.iter().map(|group| group.standings.len()).sum::<usize>() + lacking.len();
    made == wanting.len() && groups(&lacking, percent).iter().all(|group| group.outlives_a_pack(percent))
}

#[cfg(test)]
mod tests {
    use lbak_core::{id::PackId, parity::ParityList};

    use super::*;

    fn pack(number: usize, stored_length: u32) -> Standing {
        let id = PackId(*blake3::hash(&number.to_le_bytes()).as_bytes());
        Standing::new(CoveredPack { id, stored_length })
    }

    fn sorted(mut standings: Vec<Standing>) -> Vec<Standing> {
        sort(&mut standings);
        standings
    }

    fn some(numbers: std::ops::Range<usize>) -> Vec<Standing> {
        sorted(numbers.map(|number| pack(number, 16 << 20)).collect())
    }

    #[test]
    fn twenty_packs_of_one_length_outlive_the_loss_of_one() {
        let packs = some(0..50);
        let groups = groups(&packs, 5);
        assert_eq!(groups.iter().map(|group| group.standings.len()).collect::<Vec<_>>(), [20, 30]);
        assert!(groups.iter().all(|group| group.outlives_a_pack(5)));
        assert_eq!(groups[0].recovery(5) * groups[0].slices() * SECTOR, 16 << 20);
    }

    #[test]
    fn packs_of_small_groups_are_taken_again_where_that_makes_a_large_one() {
        let lengths = |lacking: Vec<Standing>, mut weak: Vec<Standing>| {
            weak.iter_mut().for_each(|standing| standing.take(5, false));
            let wanting = wanting(&sorted([lacking, weak].concat()), 5);
            let (outliving, lacking) = outliving(&wanting, 5);
            let all = outliving.into_iter().chain(groups(&lacking, 5));
            all.map(|group| group.standings.len()).collect::<Vec<_>>()
        };
        assert_eq!(lengths(some(0..1), some(1..19)), [1], "nineteen would not outlive one either");
        assert_eq!(lengths(some(0..1), some(1..20)), [20]);
        assert_eq!(lengths(some(0..0), some(1..9)), [0; 0]);
        // What is too small with all of them keeps what it has.
        assert_eq!(lengths(vec![pack(99, 64 << 20)], some(1..5)), [1]);
    }

    #[test]
    fn the_smallest_percentage_that_is_enough_is_found() {
        let of = |length| sorted((0..3).map(|number| pack(number, length)).collect());
        let covered = |mut packs: Vec<Standing>, percent, is_outlived| {
            packs.iter_mut().for_each(|standing| standing.take(percent, is_outlived));
            packs
        };
        for (packs, percent, enough) in [
            (some(0..19), 5, Some(6)),
            (of(16 << 20), 1, Some(34)),
            (vec![pack(0, 1 << 20)], 5, Some(100)),
            (vec![pack(0, 1 << 20)], 100, None),
            // Three alone would take 34; those that were covered with more are not in their group.
            (sorted([covered(some(3..19), 20, true), of(16 << 20)].concat()), 5, Some(21)),
            (sorted([covered(some(3..4), 100, true), of(16 << 20)].concat()), 5, Some(34)),
            // Those that may not be lost, though they have enough, are taken with them.
            (sorted([covered(some(3..19), 20, false), of(16 << 20)].concat()), 5, Some(6)),
            (covered(of(16 << 20), 40, false), 5, Some(34)),
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
            let packs = sorted((0..1 + case).map(|number| pack(number, length(number))).collect());
            let groups = groups(&packs, percent);
            let of_groups: Vec<CoveredPack> = groups.iter().flat_map(Group::packs).collect();
            assert!(of_groups.iter().eq(packs.iter().map(|standing| &standing.pack)), "case {case}");
            for group in &groups {
                let of_group = Group { standings: &[], sectors: 0, runs: 0 };
                let summed = group.packs().fold(of_group, |sum, pack| sum.with_next(group.standings, &pack));
                assert_eq!((group.sectors, group.runs), (summed.sectors, summed.runs));
                let list = ParityList::new(group.slices(), group.recovery(percent), group.packs().collect());
                assert!(list.is_ok(), "case {case}: {list:?}");
            }
        }
    }
}
