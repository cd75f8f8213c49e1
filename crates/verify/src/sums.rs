//! How much each snapshot holds, added up from below: what several directories share is opened once and counted wherever it is met.
//!
//! What could not be opened is counted as such, so that the rest is a sum all the same: a snapshot that shows far too much does so however much of it
//! is lost.

use std::{collections::HashMap, fmt};

use lbak_core::{
    index::{Ordinal, Segment},
    snapshot::Totals,
    tree::{Entry, Node},
};

/// Stands for a tree whose sum found no place.
const UNKNOWN: u32 = u32::MAX;

/// Numbers of a sum.
const NUMBERS: usize = 6;

/// How much is in a tree and below it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sums {
    pub(crate) totals: Totals,
    /// Of files.
    pub(crate) bytes: u64,
    /// Trees that could not be opened, at every place where they stand: what is in them is not counted.
    pub(crate) lost: u64,
}

impl Sums {
    /// That of a tree that could not be opened.
    pub(crate) const LOST: Self =
        Self { totals: Totals { files: 0, directories: 0, links: 0, others: 0 }, bytes: 0, lost: 1 };

    /// Counts an entry, without what is below it, as whoever takes a snapshot does.
    pub(crate) fn meet(&mut self, entry: &Entry) {
        let totals = &mut self.totals;
        match entry.node {
            Node::File { .. } => {
                totals.files += 1;
                self.bytes = self.bytes.saturating_add(entry.size);
            }
            Node::Directory { .. } => totals.directories += 1,
            Node::Symlink { .. } => totals.links += 1,
            _ => totals.others += 1,
        }
    }

    fn add(&mut self, other: &Self) {
        let sums = self.numbers().into_iter().zip(other.numbers());
        *self = Self::of(sums.map(|(one, other)| one.saturating_add(other)));
    }

    fn numbers(&self) -> [u64; NUMBERS] {
        let Totals { files, directories, links, others } = self.totals;
        [files, directories, links, others, self.bytes, self.lost]
    }

    fn of(mut numbers: impl Iterator<Item = u64>) -> Self {
        let mut next = || numbers.next().unwrap_or_default();
        let totals = Totals { files: next(), directories: next(), links: next(), others: next() };
        Self { totals, bytes: next(), lost: next() }
    }
}

impl fmt::Display for Sums {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Totals { files, directories, links, others } = self.totals;
        write!(f, "{files} files of {} bytes, {directories} directories, {links} links, {others} others", self.bytes)
    }
}

/// The sums of all trees that were opened so far.
///
/// It grows with the trees of the repository, whatever their chunks are: of each it holds six numbers of one to ten bytes (six to fifteen bytes of
/// nearly every one), two numbers of four bytes in a table that is never more than seven eighths full and half of that after it has grown, and a byte
/// there: 16 to 36 bytes, some 25 MB for a million trees. Of a tree whose sum is not known yet, because not everything below it was opened, it
/// holds 90 bytes in such a table and four for each tree that it stands in: those are the directories on the way down, and their neighbours.
#[derive(Default)]
pub(crate) struct Tally {
    /// The number of each segment's first record among all records.
    firsts: Vec<u64>,
    /// Where in `kept` the sum of a tree begins.
    known: HashMap<u32, u32>,
    /// Six numbers each, seven bits to a byte.
    kept: Vec<u8>,
    unfinished: HashMap<u32, Unfinished>,
}

/// A tree of which not everything below was added up.
#[derive(Default)]
struct Unfinished {
    /// So far.
    sums: Sums,
    /// How often trees stand in it that are unfinished themselves; more than any can while it was not opened.
    awaited: usize,
    /// The trees that it stands in, each as often as it does.
    waiting: Vec<u32>,
}

impl Tally {
    /// For the trees that an index of these segments knows.
    pub(crate) fn new<'s>(segments: impl IntoIterator<Item = &'s Segment>) -> Self {
        let mut next = 0;
        let first = |segment: &Segment| {
            let first = next;
            next += u64::from(segment.summary().records);
            first
        };
        Self { firsts: segments.into_iter().map(first).collect(), ..Self::default() }
    }

    /// Takes what was found in a tree: its own sum, and the trees that stand in it, each as often as it does; none for one that no segment tells of.
    pub(crate) fn take(&mut self, tree: Ordinal, own: Sums, below: impl Iterator<Item = Option<Ordinal>>) {
        let Some(number) = self.number(tree) else { return };
        let (mut sums, mut awaited) = (own, 0);
        for below in below {
            let below = below.and_then(|below| self.number(below));
            match below.map(|below| (below, self.known(below))) {
                Some((_, Some(known))) => sums.add(&known),
                Some((below, None)) => {
                    awaited += 1;
                    self.unfinished.entry(below).or_insert_with(Unfinished::unopened).waiting.push(number);
                }
                None => sums.add(&Sums::LOST),
            }
        }
        let unfinished = self.unfinished.entry(number).or_default();
        (unfinished.sums, unfinished.awaited) = (sums, awaited);
        if awaited == 0 {
            self.finish(number);
        }
    }

    /// How much is in a tree and below it, where it was tried to open all of that.
    pub(crate) fn of(&self, tree: Ordinal) -> Option<Sums> {
        self.known(self.number(tree)?)
    }

    /// Adds what is finished to what waits for it, up to the trees that wait for something else.
    fn finish(&mut self, tree: u32) {
        let mut finished = vec![tree];
        while let Some(tree) = finished.pop() {
            let Some(Unfinished { sums, waiting, .. }) = self.unfinished.remove(&tree) else { continue };
            self.keep(tree, sums);
            for above in waiting {
                let Some(unfinished) = self.unfinished.get_mut(&above) else { continue };
                unfinished.sums.add(&sums);
                unfinished.awaited -= 1;
                if unfinished.awaited == 0 {
                    finished.push(above);
                }
            }
        }
    }

    /// Beyond four thousand million chunks nothing is added up.
    fn number(&self, tree: Ordinal) -> Option<u32> {
        let first = self.firsts.get(tree.segment as usize)?;
        u32::try_from(first + u64::from(tree.record)).ok()
    }

    fn keep(&mut self, tree: u32, sums: Sums) {
        let place = u32::try_from(self.kept.len()).unwrap_or(UNKNOWN);
        self.known.insert(tree, place);
        if place == UNKNOWN {
            return;
        }
        for mut number in sums.numbers() {
            loop {
                let [low, ..] = number.to_le_bytes();
                number >>= 7;
                self.kept.push(if number > 0 { low | 0x80 } else { low });
                if number == 0 {
                    break;
                }
            }
        }
    }

    /// None for a tree that is unfinished, or was not met.
    fn known(&self, tree: u32) -> Option<Sums> {
        let place = *self.known.get(&tree)?;
        if place == UNKNOWN {
            return Some(Sums::LOST);
        }
        let mut bytes = self.kept.get(place as usize..).unwrap_or_default().iter();
        let number = || {
            let (mut number, mut shift) = (0, 0);
            for byte in bytes.by_ref() {
                number |= u64::from(byte & 0x7f).unbounded_shl(shift);
                shift += 7;
                if byte & 0x80 == 0 {
                    break;
                }
            }
            number
        };
        Some(Sums::of(std::iter::repeat_with(number).take(NUMBERS)))
    }
}

impl Unfinished {
    /// A tree that is still to be opened.
    fn unopened() -> Self {
        Self { awaited: usize::MAX, ..Self::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(record: u32) -> Ordinal {
        Ordinal { segment: 0, record }
    }

    fn tally() -> Tally {
        Tally { firsts: vec![0], ..Tally::default() }
    }

    fn files(files: u64, bytes: u64) -> Sums {
        Sums { totals: Totals { files, ..Totals::default() }, bytes, lost: 0 }
    }

    #[test]
    fn what_is_shared_counts_wherever_it_stands_in_any_order_of_opening() {
        // 0 has 1 twice and 2; 1 has 2; 2 has one file, and 3 has 0 and 1.
        let below: [&[u32]; 4] = [&[1, 1, 2], &[2], &[], &[0, 1]];
        for order in [[0, 1, 2, 3], [3, 2, 1, 0], [2, 0, 3, 1], [1, 3, 0, 2], [0, 2, 1, 3]] {
            let mut tally = tally();
            for number in order {
                assert_eq!(tally.of(tree(3)), None);
                let below = below[number as usize].iter().map(|&below| Some(tree(below)));
                let own = if number == 2 { files(1, 200) } else { Sums::default() };
                tally.take(tree(number), own, below);
            }
            let sums = [0, 1, 2, 3].map(|number| tally.of(tree(number)));
            assert_eq!(sums, [3, 1, 1, 4].map(|count| Some(files(count, 200 * count))), "{order:?}");
            assert!(tally.unfinished.is_empty());
        }
    }

    #[test]
    fn what_could_not_be_opened_is_counted_apart() {
        let mut tally = tally();
        tally.take(tree(0), files(1, 1), [Some(tree(1)), Some(tree(2)), Some(tree(1))].into_iter());
        tally.take(tree(1), Sums::LOST, std::iter::empty());
        tally.take(tree(2), files(1, 1), std::iter::empty());
        tally.take(tree(3), files(1, 1), [None].into_iter());
        let lost = |lost, sums| Some(Sums { lost, ..sums });
        let expected = [lost(2, files(2, 2)), lost(1, files(0, 0)), lost(0, files(1, 1)), lost(1, files(1, 1))];
        assert_eq!([0, 1, 2, 3].map(|number| tally.of(tree(number))), expected);
    }

    #[test]
    fn large_numbers_are_kept_and_stay_at_the_largest() {
        let mut tally = tally();
        let largest = Totals { files: u64::MAX, directories: 127, links: 128, others: u64::from(u32::MAX) };
        let sums = Sums { totals: largest, bytes: 1 << 63, lost: 0 };
        tally.take(tree(0), sums, std::iter::empty());
        assert_eq!(tally.of(tree(0)), Some(sums));
        tally.take(tree(1), Sums::default(), [Some(tree(0)); 3].into_iter());
        let totals = Totals { directories: 381, links: 384, others: 3 * u64::from(u32::MAX), ..largest };
        assert_eq!(tally.of(tree(1)), Some(Sums { totals, bytes: u64::MAX, lost: 0 }));
    }
}
